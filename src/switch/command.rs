//! The user's own commands as switch.
//!
//! Each is an argv in which `{host}`, `{address}`, for `drain` `{idle}` (seconds that requests may take to end) and for
//! `switch` `{to}` stand for values. Exit code 0 is success; `drain` ends only when the host is idle. All may be called
//! again.

use crate::engine::BoxFuture;
use crate::model::{Host, TimeSpan, printable};
use crate::transport::{Ran, fill_argv, run_argv};

use super::{Endpoint, Switch, SwitchError, TrafficState};

/// How long a command may take unless the inventory says otherwise; for `drain` on top of the time to become idle.
const TIMEOUT: TimeSpan = TimeSpan::minutes(2);
/// Longest endpoint: a name of full length and a port.
const MAX_ENDPOINT: usize = 260;

/// The commands of a switch.
#[derive(Clone, Debug, Default)]
pub struct SwitchCommands {
    /// Takes the host out of service.
    pub drain: Vec<String>,
    /// Puts it back.
    pub undrain: Vec<String>,
    /// Prints where its traffic goes.
    pub endpoint: Option<Vec<String>>,
    /// Sends its traffic elsewhere.
    pub switch: Option<Vec<String>>,
    /// Prints whether it is in service.
    pub status: Option<Vec<String>>,
    /// How long each may take.
    pub timeout: Option<TimeSpan>,
}

/// A switch made of the user's own commands.
#[derive(Clone, Debug)]
pub struct CommandSwitch {
    commands: SwitchCommands,
}

impl CommandSwitch {
    /// A switch of these commands.
    pub fn new(commands: SwitchCommands) -> Self {
        Self { commands }
    }

    async fn run(
        &self,
        argv: &[String],
        host: &Host,
        more: &[(&str, &str)],
        limit: TimeSpan,
    ) -> Result<Ran, SwitchError> {
        let argv = fill_argv(argv, host, more).map_err(|e| SwitchError(e.to_string()))?;
        let ran = run_argv(&argv, limit).await.map_err(|e| SwitchError(e.to_string()))?;
        match ran.code {
            0 => Ok(ran),
            code => Err(SwitchError(format!("{} ended with code {code}: {}", argv[0], ran.errors))),
        }
    }

    fn limit(&self) -> TimeSpan {
        self.commands.timeout.unwrap_or(TIMEOUT)
    }

    fn has<'c>(&self, command: &'c Option<Vec<String>>, host: &Host, what: &str) -> Result<&'c [String], SwitchError> {
        let none = || SwitchError(format!("the switch of {host} has no command that {what}"));
        command.as_deref().ok_or_else(none)
    }
}

impl Switch for CommandSwitch {
    fn status<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<TrafficState, SwitchError>> {
        Box::pin(async move {
            let argv = self.has(&self.commands.status, host, "tells its state")?;
            let said = self.run(argv, host, &[], self.limit()).await?.last_line;
            let words: Vec<&str> = said.split_whitespace().collect();
            match *words.as_slice() {
                ["in"] => Ok(TrafficState::InService),
                ["out"] => Ok(TrafficState::Drained { running: None }),
                ["out", running] if running.parse::<u64>().is_ok() => {
                    Ok(TrafficState::Drained { running: running.parse().ok() })
                }
                _ => Err(SwitchError(format!(
                    "`status` said {:?}, not `in`, `out` or `out NUMBER`",
                    printable(&said, 80)
                ))),
            }
        })
    }

    fn drain<'a>(&'a self, host: &'a Host, idle_within: TimeSpan) -> BoxFuture<'a, Result<(), SwitchError>> {
        Box::pin(async move {
            let idle = idle_within.as_seconds().to_string();
            let limit = self.commands.timeout.unwrap_or(TIMEOUT.plus(idle_within));
            self.run(&self.commands.drain, host, &[("idle", &idle)], limit).await.map(drop)
        })
    }

    fn undrain<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<(), SwitchError>> {
        Box::pin(async move { self.run(&self.commands.undrain, host, &[], self.limit()).await.map(drop) })
    }

    fn endpoint<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Endpoint, SwitchError>> {
        Box::pin(async move {
            let argv = self.has(&self.commands.endpoint, host, "tells where its traffic goes")?;
            let said = self.run(argv, host, &[], self.limit()).await?.last_line;
            endpoint(&said).ok_or_else(|| {
                SwitchError(format!("`endpoint` said {:?}, not a name or an address and a port", printable(&said, 80)))
            })
        })
    }

    fn switch<'a>(&'a self, host: &'a Host, to: &'a Endpoint) -> BoxFuture<'a, Result<(), SwitchError>> {
        Box::pin(async move {
            let argv = self.has(&self.commands.switch, host, "moves its traffic")?;
            let to =
                endpoint(&to.0).ok_or_else(|| SwitchError(format!("{:?} is no endpoint", printable(&to.0, 80))))?;
            self.run(argv, host, &[("to", &to.0)], self.limit()).await.map(drop)
        })
    }
}

/// A name, an address, or either with a port: one word that cannot be taken for an option.
fn endpoint(text: &str) -> Option<Endpoint> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '[' | ']' | '%');
    let valid = !text.is_empty() && text.len() <= MAX_ENDPOINT && !text.starts_with('-') && text.chars().all(fine);
    valid.then(|| Endpoint(text.to_owned()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use crate::model::HostName;

    use super::*;

    fn sh(script: &str, arguments: &[&str]) -> Vec<String> {
        let words = [&["/bin/sh", "-c", script, "sh"], arguments].concat();
        words.into_iter().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn commands_get_their_values_and_failures_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state");
        let path = file.to_str().unwrap();
        let host = Host::named(HostName::new("web-1").unwrap());
        let switch = CommandSwitch::new(SwitchCommands {
            drain: sh(r#"echo "drained $2 $3" >"$1""#, &[path, "{host}", "{idle}"]),
            undrain: sh(r#"echo "in $2" >"$1""#, &[path, "{address}"]),
            endpoint: Some(sh(r#"[ -e "$1.to" ] && cat "$1.to" || echo 10.0.0.1:80"#, &[path])),
            switch: Some(sh(r#"echo "$2" >"$1.to""#, &[path, "{to}"])),
            status: Some(sh(r#"grep -q "^in" "$1" && echo in || echo out 3"#, &[path])),
            timeout: None,
        });
        for _ in 0..2 {
            switch.drain(&host, TimeSpan::seconds(7)).await.unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), "drained web-1 7\n");
        }
        switch.undrain(&host).await.unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "in web-1\n");

        let original = switch.endpoint(&host).await.unwrap();
        switch.switch(&host, &original.at("10.0.0.9")).await.unwrap();
        assert_eq!(switch.endpoint(&host).await.unwrap(), Endpoint("10.0.0.9:80".into()));
        assert_eq!(switch.status(&host).await.unwrap(), TrafficState::InService);
        switch.drain(&host, TimeSpan::ZERO).await.unwrap();
        assert_eq!(switch.status(&host).await.unwrap(), TrafficState::Drained { running: Some(3) });
        assert!(switch.switch(&host, &Endpoint("--all".into())).await.is_err());

        let broken = CommandSwitch::new(SwitchCommands {
            drain: sh("echo busy >&2; exit 3", &[]),
            undrain: sh("sleep 9", &[]),
            timeout: Some(TimeSpan::seconds(1)),
            ..SwitchCommands::default()
        });
        let error = broken.drain(&host, TimeSpan::ZERO).await.unwrap_err();
        assert!(error.to_string().contains("code 3: busy"), "{error}");
        assert!(broken.undrain(&host).await.unwrap_err().to_string().contains("killed"));
    }
}
