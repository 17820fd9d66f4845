//! Playbook and values become commands; pure.

use super::{Playbook, RenderError, RenderInput, Rendered};

impl Playbook {
    /// The commands of this fix on this host.
    pub fn render(&self, _input: &RenderInput<'_>) -> Result<Rendered, RenderError> {
        Err(RenderError::EmptyList)
    }
}
