//! Commands of the user's own on this machine: an argv, a limit, bounded output. No shell.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use crate::model::{Host, TimeSpan, printable, told};

use super::wire::Bounded;

/// How long output may trail behind the end of a command: what it left in the background may hold it open for ever.
const OUTPUT_GRACE: Duration = Duration::from_millis(500);

/// Why a command has no exit code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    /// It was not started.
    #[error("{0}")]
    NotStarted(String),
    /// It was killed, with all it had started, because it took too long.
    #[error("{program} did not end within {limit} and was killed")]
    Timeout {
        /// The program.
        program: String,
        /// The limit.
        limit: TimeSpan,
    },
    /// It was stopped because it printed too much.
    #[error("{program} prints more than {limit} bytes")]
    TooMuch {
        /// The program.
        program: String,
        /// The limit.
        limit: usize,
    },
    /// It was killed by somebody else.
    #[error("{0} was killed")]
    Killed(String),
}

/// What a command answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Exit code.
    pub code: i32,
    /// The last line with something on it of its output, printable; empty if there is none.
    pub last_line: String,
    /// The end of its error output, printable, for people.
    pub errors: String,
}

/// What a command printed, byte by byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// Exit code.
    pub code: i32,
    /// All of its output.
    pub output: Vec<u8>,
    /// The end of its error output, printable, for people.
    pub errors: String,
}

/// Puts values into an argv: `{host}`, `{address}` and those in `more`, as whole elements or parts of them. Any other
/// `{word}` is an error: it is more likely a typing mistake than meant for the program.
pub fn fill_argv(argv: &[String], host: &Host, more: &[(&str, &str)]) -> Result<Vec<String>, ProcessError> {
    let address = host.address();
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
    if address.starts_with('-') || !address.chars().all(fine) {
        return Err(ProcessError::NotStarted(format!("{:?} is not a valid address", printable(address, 80))));
    }
    let value_of = |name: &str| match name {
        "host" => Some(host.name.as_str()),
        "address" => Some(address),
        _ => more.iter().find(|(known, _)| *known == name).map(|(_, value)| *value),
    };
    argv.iter().map(|element| fill(element, &value_of)).collect()
}

/// Puts values into an argv, as whole elements or parts of them, where no host is meant.
pub fn fill_values(argv: &[String], values: &[(&str, &str)]) -> Result<Vec<String>, ProcessError> {
    let value_of = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    argv.iter().map(|element| fill(element, &value_of)).collect()
}

fn fill<'v>(element: &str, value_of: &dyn Fn(&str) -> Option<&'v str>) -> Result<String, ProcessError> {
    let mut out = String::new();
    let mut rest = element;
    while let Some(open) = rest.find('{') {
        let (before, from_open) = rest.split_at(open);
        out.push_str(before);
        let name = from_open[1..].split_once('}').map(|(name, _)| name);
        match name.filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')) {
            Some(name) => {
                let value = value_of(name).ok_or_else(|| {
                    ProcessError::NotStarted(format!("{{{name}}} in {:?} stands for nothing", printable(element, 80)))
                })?;
                out.push_str(value);
                rest = &from_open[name.len() + 2..];
            }
            None => {
                out.push('{');
                rest = &from_open[1..];
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Runs a command in a process group of its own, so that neither Ctrl-C at this program nor what it leaves behind
/// gets in the way, and kills the group when the limit is reached.
pub async fn run_argv(argv: &[String], limit: TimeSpan) -> Result<Ran, ProcessError> {
    run_argv_holding(argv, limit, None).await
}

/// The same with a lock that the command holds until it ends, also when this program ends before: as its standard
/// input, which is empty.
pub async fn run_argv_holding(argv: &[String], limit: TimeSpan, lock: Option<File>) -> Result<Ran, ProcessError> {
    let mut stdout = Bounded::default();
    let (code, errors) = run(argv, limit, lock, &mut stdout).await?;
    let stdout = stdout.into_bytes();
    let stdout = String::from_utf8_lossy(&stdout);
    let last_line = stdout.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    Ok(Ran { code, last_line: printable(last_line, 1000), errors })
}

/// The same for a command whose whole output is wanted, as long as it is no longer than this.
pub async fn run_argv_whole(argv: &[String], limit: TimeSpan, max_output: usize) -> Result<Printed, ProcessError> {
    let mut whole = Whole { bytes: Vec::new(), max: max_output, overflown: false };
    let ended = run(argv, limit, None, &mut whole).await;
    if whole.overflown {
        let program = printable(argv.first().map_or("", String::as_str), 200);
        return Err(ProcessError::TooMuch { program, limit: max_output });
    }
    ended.map(|(code, errors)| Printed { code, output: whole.bytes, errors })
}

/// Runs a command; its exit code and the end of its error output.
async fn run(
    argv: &[String],
    limit: TimeSpan,
    lock: Option<File>,
    stdout: &mut impl Keep,
) -> Result<(i32, String), ProcessError> {
    let Some((program, arguments)) = argv.split_first().filter(|(program, _)| !program.is_empty()) else {
        return Err(ProcessError::NotStarted("the command is empty".to_owned()));
    };
    let shown = printable(program, 200);
    let mut command = Command::new(program);
    command.args(arguments).process_group(0);
    command.stdin(lock.map_or_else(Stdio::null, Stdio::from)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| ProcessError::NotStarted(format!("cannot run {shown}: {e}")))?;
    // Its copy of the lock must not outlive the child's.
    drop(command);
    let group = child.id();
    let mut stderr = Bounded::default();
    let ended = {
        let out = child.stdout.take();
        let err = child.stderr.take();
        let read = async { tokio::join!(collect(out, stdout), collect(err, &mut stderr)) };
        let wait = async {
            tokio::pin!(read);
            let status = tokio::select! {
                status = child.wait() => status,
                _ = &mut read => return child.wait().await,
            };
            let _ = tokio::time::timeout(OUTPUT_GRACE, &mut read).await;
            status
        };
        tokio::time::timeout(limit.to_std(), wait).await
    };
    let status = match ended {
        Ok(status) => status.map_err(|e| ProcessError::Killed(format!("{shown}: {e}")))?,
        Err(_) => {
            kill_group(group).await;
            let _ = child.wait().await;
            return Err(ProcessError::Timeout { program: shown, limit });
        }
    };
    let code = status.code().ok_or(ProcessError::Killed(shown))?;
    let stderr = stderr.into_bytes();
    let errors = String::from_utf8_lossy(&stderr[stderr.len().saturating_sub(500)..]).trim().to_owned();
    Ok((code, told(&errors, 500)))
}

/// What becomes of output.
trait Keep {
    /// Whether more is wanted.
    fn keep(&mut self, bytes: &[u8]) -> bool;
}

impl Keep for Bounded {
    fn keep(&mut self, bytes: &[u8]) -> bool {
        self.push(bytes);
        true
    }
}

/// All of it, up to a limit.
struct Whole {
    bytes: Vec<u8>,
    max: usize,
    overflown: bool,
}

impl Keep for Whole {
    fn keep(&mut self, bytes: &[u8]) -> bool {
        self.overflown = bytes.len() > self.max - self.bytes.len();
        if !self.overflown {
            self.bytes.extend_from_slice(bytes);
        }
        !self.overflown
    }
}

/// Closes the stream where no more is wanted: whoever goes on writing ends.
async fn collect(stream: Option<impl AsyncRead + Unpin>, kept: &mut impl Keep) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; 8 << 10];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        if !kept.keep(&buffer[..read]) {
            return;
        }
    }
}

/// Only the shell's own `kill` is everywhere.
async fn kill_group(group: Option<u32>) {
    let Some(group) = group else { return };
    let mut kill = Command::new("/bin/sh");
    kill.args(["-c", r#"kill -KILL "-$0""#, &group.to_string()]);
    kill.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _ = kill.status().await;
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use crate::model::HostName;

    use super::*;

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn values_stay_one_argument_and_are_not_filled_again() {
        let mut host = Host::named(HostName::new("web-1").unwrap());
        host.address = Some("10.0.0.1".into());
        let words = argv(&["x", "--on={host}@{address}", "{key}", "{", "{}", "{A b}", "{ \"json\": 1 }"]);
        let filled = fill_argv(&words, &host, &[("key", "{host}; $(id)")]).unwrap();
        assert_eq!(filled, argv(&["x", "--on=web-1@10.0.0.1", "{host}; $(id)", "{", "{}", "{A b}", "{ \"json\": 1 }"]));
        assert!(fill_argv(&argv(&["x", "{hots}"]), &host, &[]).is_err());
        host.address = Some("-oProxyCommand=id".into());
        assert!(fill_argv(&words, &host, &[("key", "k")]).is_err());
    }

    #[tokio::test]
    async fn output_is_bounded_and_printable() {
        let ran = run_argv(
            &argv(&["/bin/sh", "-c", "yes | head -c 9000000; printf '\\n a\\033[2Jb \\n\\n'; echo bad >&2; exit 7"]),
            TimeSpan::seconds(20),
        )
        .await
        .unwrap();
        assert_eq!((ran.code, ran.last_line.as_str(), ran.errors.as_str()), (7, "a\u{fffd}[2Jb", "bad"));
        assert!(matches!(
            run_argv(&argv(&["/nonexistent"]), TimeSpan::seconds(1)).await,
            Err(ProcessError::NotStarted(_))
        ));
        let ran = run_argv(&argv(&["/bin/sh", "-c", "sleep 5 & echo x"]), TimeSpan::seconds(4)).await.unwrap();
        assert_eq!(ran.last_line, "x", "what stays in the background is not waited for");
    }

    #[tokio::test]
    async fn whole_output_is_given_up_to_its_limit() {
        let run =
            async |script: &str| run_argv_whole(&argv(&["/bin/sh", "-c", script]), TimeSpan::seconds(20), 1000).await;
        let printed = run(r"printf '{}\000\n'; echo bad >&2; exit 4").await.unwrap();
        assert_eq!(printed, Printed { code: 4, output: b"{}\0\n".to_vec(), errors: "bad".to_owned() });
        assert_eq!(run("head -c 1000 /dev/zero").await.unwrap().output.len(), 1000);
        let error = run("yes").await.unwrap_err();
        assert_eq!(error.to_string(), "/bin/sh prints more than 1000 bytes");
        assert_eq!(run("read x; echo \"[$x]\"").await.unwrap().output, b"[]\n", "its input is empty");
    }

    #[tokio::test]
    async fn a_slow_command_is_killed_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("alive");
        let script = format!("(sleep 2; touch {}) & sleep 30", file.display());
        let error = run_argv(&argv(&["/bin/sh", "-c", &script]), TimeSpan::seconds(1)).await.unwrap_err();
        assert!(matches!(error, ProcessError::Timeout { .. }));
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(!file.exists());
    }
}
