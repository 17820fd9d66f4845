//! How a command reaches HAProxy's runtime API: over the socket on this machine, or over SSH on a balancer.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::model::{Become, Host, TimeSpan, printable, told};
use crate::playbook::quote;
use crate::switch::SwitchError;
use crate::transport::Transport;

/// How long HAProxy may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// The same on a balancer: its tools wait as long, and start before and end after it.
const ANSWER_THERE: TimeSpan = TimeSpan::seconds(20);
/// Largest answer that is read: some hundred bytes a server.
const MAX_ANSWER: u64 = 16 << 20;
/// Exit code of the script where a balancer has no tool that talks to sockets.
const NO_TOOL: i32 = 69;
/// Talks to a socket with what a balancer has. `nc` comes in kinds of which some know no local sockets.
const SCRIPT: &str = r#"if command -v socat >/dev/null 2>&1; then
  printf '%s\n' "$command" | socat -t10 - "UNIX-CONNECT:$socket"
elif nc -h 2>&1 | grep -q -e '-[A-Za-z]*U'; then
  printf '%s\n' "$command" | nc -w 10 -U "$socket"
elif command -v python3 >/dev/null 2>&1; then
  python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])
s.sendall((sys.argv[2] + "\n").encode())
while True:
    got = s.recv(65536)
    if not got:
        break
    sys.stdout.buffer.write(got)' "$socket" "$command"
else
  exit 69
fi
"#;

/// Where the socket is.
#[derive(Clone)]
pub(super) enum Runtime {
    Local { socket: String },
    Via { transport: Arc<dyn Transport>, balancer: Box<Host>, socket: String },
}

impl Runtime {
    /// One command and all that HAProxy says to it.
    pub(super) async fn ask(&self, command: &str) -> Result<String, SwitchError> {
        let (at, answer) = match self {
            Self::Local { socket } => (printable(socket, 200), local(socket, command).await),
            Self::Via { transport, balancer, socket } => (
                format!("{} on {}", printable(socket, 200), balancer.address()),
                via(&**transport, balancer, socket, command).await,
            ),
        };
        answer.map_err(|why| SwitchError(format!("haproxy at {at}: {why}")))
    }
}

async fn local(socket: &str, command: &str) -> Result<String, String> {
    let talk = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(format!("{command}\n").as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    match tokio::time::timeout(ANSWER, talk).await {
        Ok(Ok(answer)) => Ok(String::from_utf8_lossy(&answer).into_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer".to_owned()),
    }
}

async fn via(transport: &dyn Transport, balancer: &Host, socket: &str, command: &str) -> Result<String, String> {
    let session = transport.open(balancer).await.map_err(|e| e.to_string())?;
    let root = balancer.becomes == Become::Sudo;
    let script = script(socket, command)?;
    let output = session.run(&script, root, ANSWER_THERE).await.map_err(|e| e.to_string())?;
    match output.code {
        0 => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        NO_TOOL => {
            Err("there is neither socat nor an nc with -U nor python3, one of which must be installed".to_owned())
        }
        code => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("talking to the socket ended with code {code}: {}", told(said.trim(), 300)))
        }
    }
}

fn script(socket: &str, command: &str) -> Result<String, String> {
    // socat reads options out of an address.
    if !socket.chars().all(|c| c.is_ascii_alphanumeric() || "/._-@+".contains(c)) {
        return Err("a path with signs that socat takes for its own cannot be reached there".to_owned());
    }
    let word = |text: &str| quote(text).map_err(|e| e.to_string());
    Ok(format!("socket={}\ncommand={}\n{SCRIPT}", word(socket)?, word(command)?))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    #[test]
    fn each_tool_that_a_balancer_may_have_brings_command_and_answer() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("it.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                let _ = write!(stream, "heard {line}{}", "x".repeat(100_000));
            }
        });
        let run = |tools: &[&str], socket: &Path| {
            let bin = tempfile::tempdir().unwrap();
            for tool in tools.iter().chain(&["/bin/grep"]) {
                symlink(tool, bin.path().join(Path::new(tool).file_name().unwrap())).unwrap();
            }
            let script = script(socket.to_str().unwrap(), "show 'it'; $(no) \"all\"").unwrap();
            Command::new("/bin/sh").args(["-c", &script]).env("PATH", bin.path()).output().unwrap()
        };
        for tool in ["/usr/bin/socat", "/bin/nc.openbsd", "/usr/bin/python3"] {
            if !Path::new(tool).exists() {
                crate::transport::testing::skip(&format!("{tool} is not installed"));
                continue;
            }
            // The name by which it is called.
            let named = tempfile::tempdir().unwrap();
            let name = Path::new(tool).file_name().unwrap().to_str().unwrap().trim_end_matches(".openbsd");
            let tool = std::fs::canonicalize(tool).unwrap();
            symlink(&tool, named.path().join(name)).unwrap();
            let tool = named.path().join(name).display().to_string();
            let output = run(&[&tool], &socket);
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
            assert!(text.starts_with("heard show 'it'; $(no) \"all\"\nxxx"), "{tool}: {:.80}", text);
            assert_eq!(text.len(), 100_000 + "heard show 'it'; $(no) \"all\"\n".len(), "{tool}");
            let output = run(&[&tool], &dir.path().join("none.sock"));
            assert!(!output.status.success() && !output.stderr.is_empty(), "{tool} tells that there is no socket");
        }
        assert_eq!(run(&[], &socket).status.code(), Some(NO_TOOL));
        assert!(script("/run/a,fork", "x").is_err());
    }
}
