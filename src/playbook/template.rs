//! Templates: strict, fuelled, without loaders, macros or raw output.

use serde::Serialize;

use super::RenderError;

/// Renders a template that is one text, such as a URL: every value in it is one printable scalar.
pub fn render_text<T: Serialize>(_template: &str, _context: &T) -> Result<String, RenderError> {
    Err(RenderError::EmptyList)
}

/// Renders an argv: each template gives exactly one argument, except that one which is a single list splices its
/// elements.
pub fn render_argv<T: Serialize>(_templates: &[String], _context: &T) -> Result<Vec<String>, RenderError> {
    Err(RenderError::EmptyList)
}

/// What templates see of a host, under the key `host`.
pub fn host_context(_host: &crate::model::Host) -> serde_json::Value {
    serde_json::Value::Null
}
