//! A playbook that was read and found right.

use std::sync::Arc;

use crate::diagnostic::{Diagnostics, Source};
use crate::model::{Digest, Host, RuleName, VulnerabilityType};

/// The recipe of how a kind of fix is done on a kind of host.
#[derive(Clone, Debug)]
pub struct Playbook {
    name: RuleName,
    digest: Digest,
}

impl Playbook {
    /// Reads and checks a playbook; all problems become diagnostics, and none is returned if one is an error.
    pub fn load(_source: &Arc<Source>, _diagnostics: &mut Diagnostics) -> Option<Self> {
        None
    }

    /// Its name.
    pub fn name(&self) -> &RuleName {
        &self.name
    }

    /// The digest of its text and of the scripts it names.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether it is for this type of vulnerability on this host. A host whose system is unknown is matched by no
    /// playbook that asks for a system.
    pub fn matches(&self, _host: &Host, _kind: VulnerabilityType) -> bool {
        false
    }
}
