//! The controller's side: starts children, asks them, and kills those that do not answer in time.

use std::fmt;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::protocol::{ANSWER, Answer, MAX_ANSWER, MAX_REQUEST, REQUEST, Request};
use crate::model::printable;

/// What the program is called with to become a child.
pub const REGO_WORKER: &str = "rego-worker";

/// How much of what a child says on stderr is kept.
const MAX_STDERR: usize = 16 << 10;
/// Answers that wait to be read: a child that goes on unasked comes to a stop here.
const MAX_WAITING: usize = 16;

/// Starts evaluators.
pub trait Launcher: fmt::Debug + Send + Sync {
    /// A new one, without rules.
    fn launch(&self) -> Result<Box<dyn Runner>, Failure>;

    /// How many may work at once.
    fn workers(&self) -> usize {
        1
    }
}

/// An evaluator.
pub trait Runner: Send {
    /// Asks, and gives each of the `expected` answers to `each` as it comes. After a failure it is of no use.
    fn ask(&mut self, request: &Request, expected: usize, each: &mut dyn FnMut(Answer)) -> Result<(), Failure>;
}

/// Starts this program as a child that evaluates rules, with limits of CPU, memory and time.
#[derive(Clone, Debug)]
pub struct ChildLauncher {
    program: PathBuf,
    workers: usize,
}

impl ChildLauncher {
    /// Children that run this program, as many at once as there are processors, at most four: each may use as much
    /// memory as the limit allows.
    pub fn new(program: PathBuf, processors: usize) -> Self {
        Self { program, workers: processors.clamp(1, 4) }
    }
}

impl Launcher for ChildLauncher {
    fn launch(&self) -> Result<Box<dyn Runner>, Failure> {
        Ok(Box::new(self.start()?))
    }

    fn workers(&self) -> usize {
        self.workers
    }
}

impl ChildLauncher {
    fn start(&self) -> Result<ChildRunner, Failure> {
        let mut command = Command::new(&self.program);
        // Nothing of this process's surroundings reaches a rule, the local time zone included.
        command.arg(REGO_WORKER).env_clear().env("TZ", "UTC").current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed = |error: std::io::Error| Failure::Launch(format!("{}: {error}", self.program.display()));
        let mut child = command.spawn().map_err(failed)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut stdin), Some(stdout), Some(mut stderr)) = pipes else {
            return Err(Failure::Launch("it has no pipes".to_owned()));
        };
        let (requests, to_write) = channel::<Vec<u8>>();
        std::thread::spawn(move || {
            for request in to_write {
                if stdin.write_all(&request).is_err() {
                    return;
                }
            }
        });
        let (to_read, answers) = sync_channel(MAX_WAITING);
        std::thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            loop {
                let mut line = Vec::new();
                let read = stdout.by_ref().take(MAX_ANSWER as u64 + 1).read_until(b'\n', &mut line);
                if !matches!(read, Ok(1..)) || to_read.send(line).is_err() {
                    return;
                }
            }
        });
        let said = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&said);
        let listener = std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut part) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                let room = MAX_STDERR.saturating_sub(kept.len());
                kept.extend_from_slice(&part[..length.min(room)]);
            }
        });
        Ok(ChildRunner { child, requests, answers, said, listener: Some(listener) })
    }
}

/// A child. Dropping it kills it.
struct ChildRunner {
    child: Child,
    requests: Sender<Vec<u8>>,
    answers: Receiver<Vec<u8>>,
    said: Arc<Mutex<Vec<u8>>>,
    listener: Option<JoinHandle<()>>,
}

impl Runner for ChildRunner {
    fn ask(&mut self, request: &Request, expected: usize, each: &mut dyn FnMut(Answer)) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(request).map_err(|error| Failure::Launch(error.to_string()))?;
        line.push(b'\n');
        if line.len() > MAX_REQUEST {
            return Err(Failure::RequestSize);
        }
        if self.requests.send(line).is_err() {
            return Err(self.autopsy());
        }
        let begun = Instant::now();
        for _ in 0..expected {
            let left = REQUEST.saturating_sub(begun.elapsed());
            let line = match self.answers.recv_timeout(left.min(ANSWER)) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    self.kill();
                    return Err(if left < ANSWER { Failure::Request } else { Failure::Answer });
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.autopsy()),
            };
            if line.len() > MAX_ANSWER {
                self.kill();
                return Err(Failure::AnswerSize);
            }
            match serde_json::from_slice(&line) {
                Ok(answer) => each(answer),
                // Half a line is what a child leaves that dies while it writes.
                Err(_) if line.last() != Some(&b'\n') => return Err(self.autopsy()),
                Err(error) => {
                    self.kill();
                    return Err(Failure::Crashed(format!("it gave no answer that can be read: {error}")));
                }
            }
        }
        Ok(())
    }
}

impl ChildRunner {
    fn kill(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Why a child is gone.
    fn autopsy(&mut self) -> Failure {
        let status = self.wait();
        let status = match status {
            Some(status) => status,
            None => {
                self.kill();
                return Failure::Crashed("it closed its output and went on".to_owned());
            }
        };
        if let Some(listener) = self.listener.take() {
            // It ends with the pipe, which ended with the child.
            let _ = listener.join();
        }
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        of_death(status, &String::from_utf8_lossy(&said))
    }

    fn wait(&mut self) -> Option<ExitStatus> {
        // A child that was told to end needs a moment for its memory.
        let begun = Instant::now();
        while begun.elapsed() < ANSWER {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(2)),
                Ok(status) => return status,
                Err(_) => return None,
            }
        }
        None
    }
}

impl Drop for ChildRunner {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a status and the last words mean.
fn of_death(status: ExitStatus, said: &str) -> Failure {
    /// Numbers of signals on every Linux.
    const SIGKILL: i32 = 9;
    const SIGXCPU: i32 = 24;
    if said.contains("memory allocation of") || said.contains("failed to allocate") {
        return Failure::Memory;
    }
    if said.contains("overflowed its stack") {
        return Failure::Recursion;
    }
    match status.signal() {
        // The kernel kills with this where the first warning was not enough.
        Some(SIGXCPU) => Failure::Cpu,
        Some(SIGKILL) => Failure::Crashed("it was killed from outside, or the machine is out of memory".to_owned()),
        _ => {
            let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
            Failure::Crashed(format!("{status}: {}", printable(last, 200)))
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_floods_is_killed_and_gone() {
        let mut runner = ChildLauncher::new(PathBuf::from("/usr/bin/yes"), 1).start().unwrap();
        let process = PathBuf::from(format!("/proc/{}", runner.child.id()));
        // Nothing of our surroundings reaches it.
        // It shows its own only when it has taken over from us, a moment later.
        let environment = || std::fs::read_to_string(process.join("environ")).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while environment().is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(environment(), "TZ=UTC\0");
        assert_eq!(std::fs::read_link(process.join("cwd")).unwrap(), PathBuf::from("/"));
        let failure = runner.ask(&Request::Compile { coverage: false }, 1, &mut |_| panic!("that is no answer"));
        assert!(matches!(failure, Err(Failure::Crashed(why)) if why.contains("no answer that can be read")));
        assert!(!process.exists());
        // Unasked and dropped, it is gone as well.
        let runner = ChildLauncher::new(PathBuf::from("/usr/bin/yes"), 1).start().unwrap();
        let process = PathBuf::from(format!("/proc/{}", runner.child.id()));
        drop(runner);
        assert!(!process.exists());
    }

    #[test]
    fn a_line_without_an_end_is_cut_off() {
        let mut runner = ChildLauncher::new(PathBuf::from("/usr/bin/yes"), 1).start().unwrap();
        let (endless, answers) = sync_channel(1);
        endless.send(vec![b'x'; MAX_ANSWER + 1]).unwrap();
        runner.answers = answers;
        let failure = runner.ask(&Request::Compile { coverage: false }, 1, &mut |_| panic!("that is no answer"));
        assert_eq!(failure, Err(Failure::AnswerSize));
        let much = Request::Evaluate { rule: "x".repeat(MAX_REQUEST), inputs: Vec::new() };
        assert_eq!(runner.ask(&much, 1, &mut |_| panic!("that was not asked")), Err(Failure::RequestSize));
    }

    #[test]
    fn deaths_are_told_apart() {
        let abort = ExitStatus::from_raw(6);
        assert_eq!(of_death(abort, "memory allocation of 99 bytes failed\n"), Failure::Memory);
        assert_eq!(of_death(abort, "thread 'x' has overflowed its stack"), Failure::Recursion);
        assert_eq!(of_death(ExitStatus::from_raw(24), ""), Failure::Cpu);
        let Failure::Crashed(why) = of_death(ExitStatus::from_raw(101 << 8), "a\npanicked\u{1b}[31m\n\n") else {
            panic!("a panic is a crash")
        };
        assert!(why.contains("101") && why.contains("panicked\u{fffd}[31m"), "{why}");
    }
}
