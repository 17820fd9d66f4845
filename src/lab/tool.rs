//! Calls programs with argv only, a limit on time and a bound on what they say.

use std::ffi::OsStr;
use std::io::{Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::LabError;

/// Nothing the lab asks answers with more; a listing of hundreds of containers is far below.
const MAX_OUTPUT: u64 = 16 << 20;
/// How much of what a failed program said is shown.
const SHOWN: usize = 600;
/// A program that ends is noticed this soon.
const POLL: Duration = Duration::from_millis(5);

/// What a program answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A call about to be made.
pub(crate) struct Tool {
    program: String,
    purpose: String,
    command: Command,
    input: Vec<u8>,
    limit: Duration,
}

impl Tool {
    /// A call of `program`; `purpose` completes "failed while …".
    pub(crate) fn new(program: &str, purpose: impl Into<String>) -> Self {
        Self {
            program: program.to_owned(),
            purpose: purpose.into(),
            command: Command::new(program),
            input: Vec::new(),
            limit: Duration::from_secs(60),
        }
    }

    /// More arguments.
    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    /// An environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Standard input; empty otherwise.
    pub(crate) fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Ends the program after this time; a minute otherwise.
    pub(crate) fn limit(mut self, seconds: u64) -> Self {
        self.limit = Duration::from_secs(seconds);
        self
    }

    /// Runs it; any exit status is an answer.
    pub(crate) fn ask(mut self) -> Result<Answer, LabError> {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| LabError::Start { program: self.program.clone(), source })?;
        let input = std::mem::take(&mut self.input);
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        // A program that outlives its pipes' readers must not hold us: readers are detached when the limit is reached.
        std::thread::spawn(move || stdin.map(|mut pipe| pipe.write_all(&input)));
        let (out, err) = (reader(stdout), reader(stderr));
        let status = self.wait(&mut child)?;
        // What the program left running may hold the pipes open; its answer is complete all the same.
        let late = Duration::from_secs(2);
        let (stdout, stderr) = (out.recv_timeout(late).unwrap_or_default(), err.recv_timeout(late).unwrap_or_default());
        Ok(Answer { status, stdout, stderr })
    }

    /// Runs it and demands success; answers its standard output.
    pub(crate) fn run(self) -> Result<String, LabError> {
        let (program, purpose) = (self.program.clone(), self.purpose.clone());
        let answer = self.ask()?;
        if answer.status.success() {
            return Ok(answer.stdout);
        }
        let said = if answer.stderr.trim().is_empty() { &answer.stdout } else { &answer.stderr };
        let tail: String = {
            let chars: Vec<char> = said.trim().chars().collect();
            chars[chars.len().saturating_sub(SHOWN)..].iter().collect()
        };
        Err(LabError::Failed { program, purpose, stderr: crate::model::printable(&tail.replace('\n', "; "), SHOWN) })
    }

    fn wait(&self, child: &mut Child) -> Result<ExitStatus, LabError> {
        let start = Instant::now();
        let broken = |source| LabError::Start { program: self.program.clone(), source };
        loop {
            if let Some(status) = child.try_wait().map_err(broken)? {
                return Ok(status);
            }
            if start.elapsed() > self.limit {
                child.kill().and_then(|()| child.wait()).map_err(broken)?;
                return Err(LabError::Slow {
                    program: self.program.clone(),
                    purpose: self.purpose.clone(),
                    seconds: self.limit.as_secs(),
                });
            }
            std::thread::sleep(POLL);
        }
    }
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> std::sync::mpsc::Receiver<String> {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // An error ends the answer as its end does; the exit status judges it. The rest is read away,
            // or the program would block on a full pipe.
            if pipe.by_ref().take(MAX_OUTPUT).read_to_end(&mut bytes).is_ok() {
                drop(std::io::copy(&mut pipe, &mut std::io::sink()));
            }
        }
        // The receiver is gone only if the caller gave up on the answer.
        drop(sender.send(String::from_utf8_lossy(&bytes).into_owned()));
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_goes_in_and_output_comes_out() -> Result<(), LabError> {
        let big = "x".repeat(200_000);
        let answer = Tool::new("cat", "testing").input(big.as_bytes()).run()?;
        assert_eq!(answer, big);
        Ok(())
    }

    #[test]
    fn a_failure_shows_what_was_said_without_control_characters() {
        let said = Tool::new("sh", "testing").args(["-c", "printf 'no\\033[31m\\nway' >&2; exit 3"]).run();
        let Err(LabError::Failed { stderr, purpose, .. }) = said else { panic!("{said:?}") };
        assert_eq!((stderr.as_str(), purpose.as_str()), ("no\u{fffd}[31m; way", "testing"));
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let said = Tool::new("sleep", "testing").args(["60"]).limit(0).run();
        assert!(matches!(said, Err(LabError::Slow { .. })), "{said:?}");
    }

    #[test]
    fn an_answer_does_not_wait_for_what_was_left_running() -> Result<(), LabError> {
        let start = Instant::now();
        Tool::new("sh", "testing").args(["-c", "sleep 30 & echo done"]).run()?;
        assert!(start.elapsed() < Duration::from_secs(20));
        Ok(())
    }
}
