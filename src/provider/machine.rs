//! Scripts of ours on the machine that holds a host's disks, or on the host itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{EffectKey, ProviderError};
use crate::model::{Become, Digest, Host, HostName, TimeSpan, Via, exit, told};
use crate::playbook::{payload, quote_words};
use crate::transport::{LocalTransport, Transport, TransportError, fill_argv};

/// What every script begins with.
const COMMON: &str = include_str!("machine.sh");
/// What a call may take beyond the commands in it.
const GRACE: TimeSpan = TimeSpan::minutes(1);
/// How much of what went wrong is shown.
const SHOWN: usize = 600;

/// Whether a call that failed may have changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// It only looks.
    Look,
    /// It changes something.
    Change,
}

/// A machine on which scripts run.
#[derive(Clone)]
pub(super) struct Machine {
    transport: Arc<dyn Transport>,
    host: Host,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("host", &self.host.name).finish_non_exhaustive()
    }
}

impl Machine {
    /// The machine that holds the disks of this host: this one, unless another is named.
    pub(super) fn behind(host: &Host, via: Option<&Via>, transport: &Arc<dyn Transport>) -> Self {
        let mut machine = Host::named(host.name.clone());
        let Some(via) = via else { return Self { transport: Arc::new(LocalTransport), host: machine } };
        // A session for each host: what takes long for one must not keep the others waiting. Errors name the machine.
        machine.name = HostName::new(&format!("{}:{}", via.address, host.name)).unwrap_or(machine.name);
        machine.address = Some(via.address.clone());
        machine.ssh = via.ssh.clone();
        machine.becomes = via.becomes;
        Self { transport: Arc::clone(transport), host: machine }
    }

    /// The host itself.
    pub(super) fn itself(host: &Host, transport: &Arc<dyn Transport>) -> Self {
        Self { transport: Arc::clone(transport), host: host.clone() }
    }

    /// Runs a script as root with these values in its environment; the lines that it printed.
    pub(super) async fn run(
        &self,
        script: &'static str,
        values: BTreeMap<String, String>,
        limit: TimeSpan,
        call: Call,
    ) -> Result<Vec<String>, ProviderError> {
        self.run_with(script, &[], values, limit, call).await
    }

    /// The same with arguments.
    pub(super) async fn run_with(
        &self,
        script: &'static str,
        argv: &[String],
        values: BTreeMap<String, String>,
        limit: TimeSpan,
        call: Call,
    ) -> Result<Vec<String>, ProviderError> {
        let no_effect = |why: String| ProviderError::NoEffect(why);
        let failed = |why: String| match call {
            Call::Look => ProviderError::NoEffect(why),
            Call::Change => ProviderError::Unclear(why),
        };
        let text = text(script, argv, &values)?;
        let answer = match self.transport.open(&self.host).await {
            Ok(session) => session.run(&text, self.host.becomes == Become::Sudo, limit.plus(GRACE)).await,
            Err(error) => Err(error),
        };
        let output = answer.map_err(|error| match error {
            TransportError::Connect { .. } | TransportError::HostKey { .. } | TransportError::Login { .. } => {
                no_effect(error.to_string())
            }
            _ => failed(error.to_string()),
        })?;
        if output.code == 0 {
            return Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        // The last lines say what was wrong; what a program said before them is for its own log.
        let said = told(&said[said.len().saturating_sub(3)..].join("; "), SHOWN);
        let why = if said.is_empty() { format!("a script ended with code {}", output.code) } else { said };
        match output.code {
            exit::REFUSED | exit::TRANSIENT => Err(no_effect(why)),
            _ => Err(failed(why)),
        }
    }
}

/// What a shell is to run: a script of ours with these arguments, and these values in its environment.
pub(super) fn text(script: &str, argv: &[String], values: &BTreeMap<String, String>) -> Result<String, ProviderError> {
    payload(&[COMMON, script].concat(), argv, values).map_err(|error| ProviderError::NoEffect(error.to_string()))
}

/// A key as part of a file name: keys hold characters that names may not.
pub(super) fn mark(key: &EffectKey) -> String {
    Digest::of(key.0.as_bytes()).to_string()[..32].to_owned()
}

/// Whether this is what [`mark`] makes.
pub(super) fn is_mark(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// A command of the user's own as words for a shell.
pub(super) fn command(argv: &[String], host: &Host, values: &[(&str, &str)]) -> Result<String, ProviderError> {
    let argv = fill_argv(argv, host, values).map_err(|error| ProviderError::NoEffect(error.to_string()))?;
    quote_words(argv.iter().map(String::as_str)).map_err(|error| ProviderError::NoEffect(error.to_string()))
}

/// The value of the line that begins with this word.
pub(super) fn value<'a>(lines: &'a [String], word: &str) -> Option<&'a str> {
    lines.iter().find_map(|line| line.strip_prefix(word)?.strip_prefix(' ')).map(str::trim)
}
