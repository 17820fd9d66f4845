//! This machine, by the same contract as a remote one.

use std::process::Stdio;
use std::sync::Arc;

use tokio::process::Command;

use crate::engine::BoxFuture;
use crate::model::{Host, TimeSpan, told};

use super::wire::{Answer, Heard, RECEIVER, converse};
use super::{Output, Session, Transport, TransportError};

/// Runs everything on this machine, whatever the host.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalTransport;

impl Transport for LocalTransport {
    fn open<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Arc<dyn Session>, TransportError>> {
        let session: Arc<dyn Session> = Arc::new(LocalSession { host: host.name.to_string() });
        Box::pin(async move { Ok(session) })
    }
}

struct LocalSession {
    host: String,
}

impl LocalSession {
    async fn converse(&self, script: &str, root: bool) -> Result<Output, TransportError> {
        let connect = |why: String| TransportError::Connect { host: self.host.clone(), why };
        let nonce = crate::env::random_hex().map_err(|e| connect(e.to_string()))?;
        let mut command = if root { Command::new("sudo") } else { Command::new("/bin/sh") };
        if root {
            command.args(["-n", "/bin/sh"]);
        }
        command.args(["-c", RECEIVER]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| connect(e.to_string()))?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(connect("no pipes".to_owned()));
        };
        let Answer { heard, stdout, stderr } = converse(&nonce, script, stdin, stdout, stderr).await;
        match heard {
            Heard::Ended(code) => Ok(Output { code, stdout, stderr }),
            Heard::Begun => Err(TransportError::Lost {
                host: self.host.clone(),
                why: "the shell ended before the script did".to_owned(),
            }),
            Heard::Nothing => Err(TransportError::Login {
                host: self.host.clone(),
                why: told(String::from_utf8_lossy(&stderr).trim(), 300),
            }),
        }
    }
}

impl Session for LocalSession {
    fn run<'a>(
        &'a self,
        script: &'a str,
        root: bool,
        limit: TimeSpan,
    ) -> BoxFuture<'a, Result<Output, TransportError>> {
        Box::pin(async move {
            tokio::time::timeout(limit.to_std(), self.converse(script, root))
                .await
                .unwrap_or_else(|_| Err(TransportError::Timeout { host: self.host.clone(), limit }))
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use crate::model::HostName;

    use super::*;

    async fn run(script: &str, limit: u64) -> Result<Output, TransportError> {
        let host = Host::named(HostName::new("here").unwrap());
        let session = LocalTransport.open(&host).await.unwrap();
        session.run(script, false, TimeSpan::seconds(limit)).await
    }

    #[tokio::test]
    async fn every_exit_code_comes_back_with_its_output() {
        for code in [0, 1, 3, 75, 126, 127, 255] {
            let output = run(&format!("echo out; echo err >&2; exit {code}"), 10).await.unwrap();
            assert_eq!((output.code, &output.stdout[..], &output.stderr[..]), (code, &b"out\n"[..], &b"err\n"[..]));
        }
        let broken = run("echo before; ( fi", 10).await.unwrap();
        assert_ne!(broken.code, 0, "a syntax error is the script's failure, not a lost connection");
        let killed = run("kill -9 $$", 10).await.unwrap();
        assert_eq!(killed.code, 137);
    }

    #[tokio::test]
    async fn output_is_kept_byte_by_byte_and_bounded() {
        let output = run(r"printf '\000\377no line end'", 10).await.unwrap();
        assert_eq!(output.stdout, b"\0\xffno line end");
        let output = run("head -c 20000000 /dev/zero; printf end", 30).await.unwrap();
        assert!(output.stdout.len() < (5 << 20) && output.stdout.ends_with(b"end"));
    }

    #[tokio::test]
    async fn what_stays_in_the_background_does_not_hold_the_answer() {
        let output = run("sleep 20 & echo $!", 10).await.unwrap();
        let pid = String::from_utf8(output.stdout).unwrap();
        run(&format!("kill {pid}"), 10).await.unwrap();
    }

    #[tokio::test]
    async fn a_slow_script_times_out() {
        let error = run("sleep 3", 1).await.unwrap_err();
        assert!(matches!(error, TransportError::Timeout { .. }), "{error:?}");
    }
}
