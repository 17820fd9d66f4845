//! Why the lab could not do what it was asked.

use std::path::{Path, PathBuf};

use super::MissingRequirement;

/// Why the lab could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The lab cannot run on this machine as it is.
    #[error(transparent)]
    Missing(#[from] MissingRequirement),
    /// A program could not be started.
    #[error("program {program} could not be started")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// A program failed.
    #[error("{program} failed while {purpose}: {stderr}")]
    Failed {
        /// The program.
        program: String,
        /// What it was called for.
        purpose: String,
        /// The end of what it said.
        stderr: String,
    },
    /// A program took too long and was ended.
    #[error("{program} took longer than {seconds} s while {purpose}")]
    Slow {
        /// The program.
        program: String,
        /// What it was called for.
        purpose: String,
        /// The limit.
        seconds: u64,
    },
    /// A program answered something else than expected.
    #[error("{program} answered out of form while {purpose}: {why}")]
    Answer {
        /// The program.
        program: String,
        /// What it was called for.
        purpose: String,
        /// What was wrong.
        why: String,
    },
    /// A file or folder could not be read or written.
    #[error("{path} could not be {done}")]
    Io {
        /// The path.
        path: PathBuf,
        /// What was tried.
        done: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The state file does not make sense.
    #[error("lab state {path} is not usable: {why}")]
    State {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Somebody else is bringing this lab up or down.
    #[error("lab {0} is being changed by another process")]
    Busy(PathBuf),
    /// The lab is not up.
    #[error("lab {0} is not up")]
    NotUp(PathBuf),
    /// The lab in this folder was made with something else.
    #[error("lab {folder} has {what} {there}, not {asked}")]
    Differs {
        /// The lab's folder.
        folder: PathBuf,
        /// What differs.
        what: &'static str,
        /// As it is.
        there: String,
        /// As asked for.
        asked: String,
    },
    /// Not a possible number of hosts.
    #[error("{0} hosts do not fit into a lab: from 1 to {max} do", max = super::network::MAX_HOSTS)]
    Hosts(u32),
    /// No such host in the lab.
    #[error("lab has no host {0}")]
    UnknownHost(String),
    /// Something of this name exists that is not ours.
    #[error("{what} {name} exists and does not belong to this lab")]
    Foreign {
        /// A container or a network.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// All networks the lab may use are taken.
    #[error("no free network of 10.77.0.0/16 is left for the lab")]
    NoNetwork,
    /// Not a prefix.
    #[error("lab prefix {0:?} is not 1 to 20 lower-case letters, digits and -, starting with a letter")]
    Prefix(String),
    /// Not a network.
    #[error("network {0:?} is not written like 10.77.3.0/24")]
    Subnet(String),
    /// The fault cannot be planted that way.
    #[error("fault {fault} cannot be planted {how}")]
    Trigger {
        /// The fault.
        fault: super::Fault,
        /// The trigger.
        how: super::Trigger,
    },
    /// The fault was planted and its evidence did not appear.
    #[error("fault {fault} left no evidence on {host}")]
    NoEvidence {
        /// The fault.
        fault: super::Fault,
        /// The host.
        host: String,
    },
}

impl LabError {
    /// For `map_err` on file operations.
    pub(crate) fn io(path: &Path, done: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, done, source }
    }
}
