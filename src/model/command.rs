//! What is executed on a host: rendered at plan time, with nothing left to choose.

use std::collections::BTreeMap;

use super::{Digest, StepId, TimeSpan};

/// What a command runs. Texts of scripts live once in the plan, by digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// A static script of ours; values travel in `argv` and `env`.
    Builtin {
        /// Its name.
        name: String,
        /// The digest of its text.
        digest: Digest,
    },
    /// The program `argv[0]`.
    Argv,
    /// A static script of ours that runs an Ansible playbook: on the controller, not on the host.
    Ansible {
        /// The digest of its text.
        digest: Digest,
    },
    /// A script rendered from a playbook's template by the quoting renderer.
    Shell {
        /// The digest of its rendered text.
        digest: Digest,
    },
}

/// A value that an earlier step of the same host reports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct FactRef {
    /// The step.
    pub step: StepId,
    /// The fact's key.
    pub key: String,
    /// The value where the step reported none; without it that is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
}

/// One command on one host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Command {
    /// For people.
    pub name: String,
    /// What runs.
    pub program: Program,
    /// Arguments; for [`Program::Argv`] the program too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<String>,
    /// Environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Environment taken from facts; an absent fact is an error.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env_facts: BTreeMap<String, FactRef>,
    /// Whether it needs root.
    #[serde(default)]
    pub root: bool,
    /// How long it may take.
    pub timeout: TimeSpan,
    /// May be started again after a failure known to be transient.
    #[serde(default)]
    pub repeatable: bool,
}

/// The exit codes of built-in scripts, beyond 0 = success. Anything else is a failure.
pub mod exit {
    /// Nothing is needed any more.
    pub const NOTHING_TO_DO: i32 = 3;
    /// A precondition does not hold; nothing was changed.
    pub const REFUSED: i32 = 4;
    /// Failed for a reason that is known to pass (lock held, mirror busy); nothing was changed.
    pub const TRANSIENT: i32 = 75;
}

/// The prefix of the line on which a script reports a fact: `##switchback fact KEY VALUE`.
pub const FACT_PREFIX: &str = "##switchback fact ";
/// The prefix of the line on which a script reports why it failed: `##switchback reason CODE TEXT`.
pub const REASON_PREFIX: &str = "##switchback reason ";
