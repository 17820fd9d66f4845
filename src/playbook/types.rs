//! What the planner gives to a playbook and gets from it.

use std::collections::BTreeMap;

use crate::model::{Command, Digest, Fix, Host, PendingReboot, StepId, TimeSpan};

/// Everything a rendering may depend on.
#[derive(Clone, Copy, Debug)]
pub struct RenderInput<'a> {
    /// The host.
    pub host: &'a Host,
    /// The fix.
    pub fix: &'a Fix,
    /// Whether the transaction may remove packages.
    pub allow_removals: bool,
    /// Patterns of units that are not restarted.
    pub restart_never: &'a [String],
    /// What is done with a host that should have been rebooted already.
    pub pending_reboot: PendingReboot,
}

/// The commands of a fix on one host, rendered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// Read-only checks before anything is touched. They report the facts that later commands name.
    pub preflight: Vec<Command>,
    /// The fix.
    pub fix: Vec<Command>,
    /// Restart of services that still use what was replaced.
    pub restart: Vec<Command>,
    /// The reboot.
    pub reboot: Option<RenderedReboot>,
    /// Checks that the fix is there and the host is well.
    pub verify: Vec<Command>,
    /// Checks that a restored host is as before.
    pub verify_restored: Vec<Command>,
    /// Texts of the scripts that the commands name.
    pub scripts: BTreeMap<Digest, String>,
    /// What each part usually takes.
    pub expected: PhaseTimes,
}

/// How a host is rebooted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedReboot {
    /// Read-only: success means required, `NOTHING_TO_DO` not.
    pub required: Option<Command>,
    /// What reboots.
    pub command: Command,
    /// When the host must answer again.
    pub back_within: TimeSpan,
}

/// What each part of a playbook usually takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct PhaseTimes {
    pub preflight: TimeSpan,
    pub fix: TimeSpan,
    pub restart: TimeSpan,
    pub reboot: TimeSpan,
    pub verify: TimeSpan,
}

/// Why something cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A value that no argument or variable may hold.
    #[error("value {shown:?} holds a control character")]
    ControlCharacter {
        /// The value, made printable.
        shown: String,
    },
    /// A list without elements where words are expected.
    #[error("a list is empty")]
    EmptyList,
    /// Longer than a host would take.
    #[error("a text of {length} bytes is longer than {limit}")]
    TooLong {
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// A variable of this name cannot be given to a command.
    #[error(
        "{shown:?} cannot name a variable of a command: upper-case letters, digits and _ only, and none of the shell's own"
    )]
    EnvName {
        /// The name, made printable.
        shown: String,
    },
    /// The first element of an argv is no program.
    #[error("{shown:?} is not the name of a program")]
    Program {
        /// The element, made printable.
        shown: String,
    },
    /// A step did not report what a later one needs.
    #[error("step {step} reported no fact {key:?}")]
    MissingFact {
        /// The step.
        step: StepId,
        /// The key.
        key: String,
    },
    /// A command names a script that is not there, or is not the one it names.
    #[error("no script has the digest {digest}")]
    MissingScript {
        /// The digest.
        digest: Digest,
    },
    /// A template that cannot be rendered with these values.
    #[error("{place}: {message}")]
    Template {
        /// Which template.
        place: String,
        /// What is wrong.
        message: String,
    },
}
