//! The user's own commands as switch.
//!
//! Each is an argv in which `{host}`, `{address}` and, for `drain`, `{idle}` (seconds that requests may take to end)
//! stand for values. Exit code 0 is success; `drain` ends only when the host is idle. Both may be called again.

use crate::engine::BoxFuture;
use crate::model::{Host, TimeSpan};
use crate::transport::{fill_argv, run_argv};

use super::{Switch, SwitchError, TrafficState};

/// How long a command may take unless the inventory says otherwise; for `drain` on top of the time to become idle.
const TIMEOUT: TimeSpan = TimeSpan::minutes(2);

/// A switch made of the user's own commands.
#[derive(Clone, Debug)]
pub struct CommandSwitch {
    drain: Vec<String>,
    undrain: Vec<String>,
    timeout: Option<TimeSpan>,
}

impl CommandSwitch {
    /// A switch of these commands.
    pub fn new(drain: Vec<String>, undrain: Vec<String>, timeout: Option<TimeSpan>) -> Self {
        Self { drain, undrain, timeout }
    }

    async fn run(
        &self,
        argv: &[String],
        host: &Host,
        more: &[(&str, &str)],
        limit: TimeSpan,
    ) -> Result<(), SwitchError> {
        let argv = fill_argv(argv, host, more).map_err(|e| SwitchError(e.to_string()))?;
        let ran = run_argv(&argv, limit).await.map_err(|e| SwitchError(e.to_string()))?;
        match ran.code {
            0 => Ok(()),
            code => Err(SwitchError(format!("{} ended with code {code}: {}", argv[0], ran.errors))),
        }
    }
}

impl Switch for CommandSwitch {
    fn status<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<TrafficState, SwitchError>> {
        Box::pin(async move { Err(SwitchError(format!("the switch of {host} has no command that tells its state"))) })
    }

    fn drain<'a>(&'a self, host: &'a Host, idle_within: TimeSpan) -> BoxFuture<'a, Result<(), SwitchError>> {
        Box::pin(async move {
            let idle = idle_within.as_seconds().to_string();
            let limit = self.timeout.unwrap_or(TIMEOUT.plus(idle_within));
            self.run(&self.drain, host, &[("idle", &idle)], limit).await
        })
    }

    fn undrain<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<(), SwitchError>> {
        Box::pin(async move { self.run(&self.undrain, host, &[], self.timeout.unwrap_or(TIMEOUT)).await })
    }
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
        let switch = CommandSwitch::new(
            sh(r#"echo "drained $2 $3" >"$1""#, &[path, "{host}", "{idle}"]),
            sh(r#"echo "in $2" >"$1""#, &[path, "{address}"]),
            None,
        );
        for _ in 0..2 {
            switch.drain(&host, TimeSpan::seconds(7)).await.unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), "drained web-1 7\n");
        }
        switch.undrain(&host).await.unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "in web-1\n");

        let broken =
            CommandSwitch::new(sh("echo busy >&2; exit 3", &[]), sh("sleep 9", &[]), Some(TimeSpan::seconds(1)));
        let error = broken.drain(&host, TimeSpan::ZERO).await.unwrap_err();
        assert!(error.to_string().contains("code 3: busy"), "{error}");
        assert!(broken.undrain(&host).await.unwrap_err().to_string().contains("killed"));
    }
}
