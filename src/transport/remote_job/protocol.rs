//! The run-once protocol: one call starts a job or attaches to it, and says how it stands.
//!
//! The folder of the job on the host is the truth. It appears whole (uploaded beside its place, digest checked, moved
//! there: whoever moves first has claimed the job), the runner holds a lock while it runs, `started` says that it was
//! ever run and in which boot, `rc` that it has ended. Nothing is decided by what this program remembers.

use std::collections::BTreeMap;

use crate::model::{AttemptId, Digest, HostName, TimeSpan, printable, told};

use super::super::{Session, TransportError};

const COMMON: &str = include_str!("common.sh");
const ATTACH: &str = include_str!("attach.sh");
const RUNNER: &str = include_str!("runner.sh");

/// What a call may take on top of the time that it waits for the job.
const CALL_LIMIT: TimeSpan = TimeSpan::seconds(30);

/// One job: what an attempt runs on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The attempt.
    pub attempt: AttemptId,
    /// Which of the attempt's jobs: `0`, `1`, and `0r1` for the first repetition of `0`. Letters and digits only.
    pub index: String,
    /// What runs, by `/bin/sh`, without input.
    pub script: String,
    /// Whether it runs as root.
    pub root: bool,
    /// When the host ends it: it then exits with 124, or with 137 if it had to be killed.
    pub limit: TimeSpan,
}

/// Whether a call may start the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Starts it if it provably was never started.
    StartOrAttach,
    /// Only looks.
    Look,
}

/// What a job left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobOutput {
    /// Exit code.
    pub code: i32,
    /// The host has booted again since the job was started.
    pub rebooted: bool,
    /// The lines with which it reports facts and reasons.
    pub reports: Vec<u8>,
    /// The end of its output.
    pub stdout: Vec<u8>,
    /// The end of its error output.
    pub stderr: Vec<u8>,
}

/// How a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It has ended.
    Done(JobOutput),
    /// It runs; the end of its output so far.
    Running(Vec<u8>),
    /// It is there and was not started yet.
    Claimed,
    /// It was never there.
    Absent,
    /// It was started, does not run and left no result: something killed it.
    Lost,
    /// It was started before the host's last boot and left no result.
    LostByReboot,
    /// Another script has been given this name.
    Conflict,
    /// It was not started: a higher generation of the step is on the host.
    Refused,
    /// It was not started: the host cannot take it.
    NotClaimed(String),
}

/// Where jobs are kept on a host: on disk, readable by root only, so that they survive a reboot.
#[derive(Clone, Debug, Default)]
pub struct JobSpool {
    base: Option<String>,
    /// The host that jobs here are about, where it is not the host that they are on.
    about: Option<HostName>,
}

impl JobSpool {
    /// `/var/lib/switchback/jobs` for root, `~/.local/state/switchback/jobs` for others.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another folder, absolute.
    pub fn at(base: &str) -> Self {
        Self { base: Some(base.to_owned()), about: None }
    }

    /// The same for jobs that run elsewhere than on their host, apart from those of other hosts.
    #[must_use]
    pub fn about(&self, host: &HostName) -> Self {
        Self { about: Some(host.clone()), ..self.clone() }
    }

    /// One call: starts the job if `call` allows it and it never was, waits at most `wait` for its end, says how it
    /// stands. On an error nothing is known, except on `Connect`: then the host heard nothing.
    pub async fn attach(
        &self,
        session: &dyn Session,
        job: &Job,
        call: Call,
        wait: TimeSpan,
    ) -> Result<JobState, TransportError> {
        let sum = Digest::of(job.script.as_bytes()).to_string();
        let mut values = BTreeMap::from([
            ("base", self.base.clone().unwrap_or_default()),
            // The ids of campaigns hold no dot.
            ("campaign", self.about.iter().fold(job.attempt.campaign.to_string(), |id, host| format!("{id}.{host}"))),
            ("step", job.attempt.step.step().to_owned()),
            ("generation", job.attempt.generation.to_string()),
            ("index", job.index.clone()),
            ("sum", sum),
            ("wait", wait.as_seconds().to_string()),
            ("limit", job.limit.as_seconds().max(1).to_string()),
            ("sent", String::new()),
        ]);
        if call == Call::StartOrAttach {
            values.insert("sent", "yes".to_owned());
            values.insert("script", job.script.clone());
            values.insert("runner", [COMMON, RUNNER].concat());
        }
        let output = session.run(&assemble(&values, ATTACH), job.root, wait.plus(CALL_LIMIT)).await?;
        let (state, rest) = split_line(&output.stdout);
        let state = String::from_utf8_lossy(state);
        let mut words = state.strip_prefix("##job ").unwrap_or_default().splitn(2, ' ');
        let (word, detail) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().trim());
        let (reports, tail) = split_at_tail(rest);
        let (code, rebooted) = match detail.strip_suffix(" rebooted") {
            Some(code) => (code, true),
            None => (detail, false),
        };
        Ok(match (word, code.trim().parse::<i32>()) {
            ("done", Ok(code)) => {
                JobState::Done(JobOutput { code, rebooted, reports, stdout: tail, stderr: output.stderr })
            }
            ("running", _) => JobState::Running(tail),
            ("claimed", _) => JobState::Claimed,
            ("absent", _) => JobState::Absent,
            ("lost", _) => JobState::Lost,
            ("lost-by-reboot", _) => JobState::LostByReboot,
            ("conflict", _) => JobState::Conflict,
            ("refused", _) => JobState::Refused,
            ("not-claimed", _) => {
                let said = told(String::from_utf8_lossy(&output.stderr).trim(), 300);
                JobState::NotClaimed(format!("{}: {said}", printable(detail, 200)))
            }
            _ => return Err(out_of_protocol(&output.stdout, &output.stderr)),
        })
    }
}

/// Tells one boot of a host from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootMarker(String);

impl BootMarker {
    /// For people and journals.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which boot the host is in. A host that hides both its boot id and its PID 1 cannot prove a reboot.
pub async fn boot_marker(session: &dyn Session, root: bool, limit: TimeSpan) -> Result<BootMarker, TransportError> {
    let output = session.run(&assemble(&BTreeMap::new(), "boot\n"), root, limit).await?;
    let text = String::from_utf8_lossy(split_line(&output.stdout).0).into_owned();
    let fine = text.len() <= 100
        && text.len() > 3
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'?'));
    if fine { Ok(BootMarker(text)) } else { Err(out_of_protocol(&output.stdout, &output.stderr)) }
}

/// A script of ours behind the values it works on.
fn assemble(values: &BTreeMap<&str, String>, body: &str) -> String {
    let mut script = String::from("set -u\n");
    for (name, value) in values {
        script.push_str(&format!("{name}={}\n", quote(value)));
    }
    script.push_str(COMMON);
    script.push_str(body);
    script
}

/// One word for a POSIX shell.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|&b| b == b'\n') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[]),
    }
}

fn split_at_tail(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    const MARK: &[u8] = b"##tail\n";
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(MARK) {
            return (bytes[..at].to_vec(), bytes[at + MARK.len()..].to_vec());
        }
        at += split_line(&bytes[at..]).0.len() + 1;
    }
    (Vec::new(), Vec::new())
}

fn out_of_protocol(stdout: &[u8], stderr: &[u8]) -> TransportError {
    let said = [stdout, stderr].concat();
    TransportError::Protocol {
        host: "the host".to_owned(),
        why: told(String::from_utf8_lossy(&said[..said.len().min(2000)]).trim(), 300),
    }
}
