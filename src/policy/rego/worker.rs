//! The child's side: limits upon itself first, then questions from stdin and answers to stdout.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, Read as _, Write};
use std::num::NonZeroU32;

use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};
use rlimit::Resource;

use super::builtins::{VERSION_COMPARE, version_lt};
use super::protocol::{
    Answer, CPU_SECONDS, EVALUATION, FILES, MAX_ANSWER, MAX_PRINTS, MAX_REQUEST, MEMORY, Problem, ProblemKind, Request,
    STACK, TestAnswer,
};
use crate::model::{VersionScheme, printable};

/// Serves stdin and stdout until there are no more questions. Only for the process that is started to do this.
pub fn serve() -> io::Result<()> {
    confine()?;
    let worker = std::thread::Builder::new().stack_size(STACK).spawn(converse)?;
    worker.join().map_err(|_| io::Error::other("the evaluator panicked"))?
}

/// Takes from this process what evaluating does not need, for good.
fn confine() -> io::Result<()> {
    let limits = [
        (Resource::CORE, 0, 0),
        (Resource::FSIZE, 0, 0),
        (Resource::NOFILE, FILES, FILES),
        (Resource::CPU, CPU_SECONDS, CPU_SECONDS + 1),
        (Resource::AS, MEMORY, MEMORY),
    ];
    for (resource, soft, hard) in limits {
        // A limit that is lower already stays.
        let (_, most) = resource.get()?;
        resource.set(soft.min(most), hard.min(most))?;
    }
    Ok(())
}

fn converse() -> io::Result<()> {
    let mut worker = Worker::new();
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    loop {
        let mut line = Vec::new();
        let most = MAX_REQUEST as u64 + 1;
        if input.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let request = serde_json::from_slice(&line)?;
        drop(line);
        worker.handle(request, &mut |answer| output.write_all(answer))?;
    }
}

/// Writes answers as lines.
pub(super) type Write1<'a> = &'a mut dyn FnMut(&[u8]) -> io::Result<()>;

/// An evaluator with its rules.
pub(super) struct Worker {
    engine: Engine,
}

impl Worker {
    pub fn new() -> Self {
        let mut engine = Engine::new();
        // What cannot be computed is an error, never silently undefined.
        engine.set_strict_builtin_errors(true);
        engine.set_gather_prints(true);
        let check_interval = NonZeroU32::MIN.saturating_add(63);
        engine.set_execution_timer_config(ExecutionTimerConfig { limit: EVALUATION, check_interval });
        extend(&mut engine);
        Self { engine }
    }

    pub fn handle(&mut self, request: Request<Value>, write: Write1<'_>) -> io::Result<()> {
        match request {
            Request::Add { file, text } => {
                let added = self.engine.add_policy(file.to_string(), text);
                let answer = match added {
                    Ok(package) => Answer::Added(package),
                    Err(error) => Answer::Problem(problem(ProblemKind::Invalid, &format!("{error:#}"))),
                };
                send(answer, write)
            }
            Request::Compile { coverage } => {
                self.engine.set_enable_coverage(coverage);
                // Asking for a rule that cannot exist makes the evaluator check all that do.
                let asked = self.engine.clone().eval_rule("data.switchback.compile".to_owned());
                let fine = asked.map(drop).or_else(|error| {
                    let text = format!("{error:#}");
                    if text.contains("--> ") { Err(text) } else { Ok(()) }
                });
                send(done(fine), write)
            }
            Request::Evaluate { rule, inputs } => {
                for input in inputs {
                    self.engine.set_input(input);
                    let answer = match self.engine.eval_rule(rule.clone()) {
                        Ok(Value::Undefined) => Answer::Undefined,
                        Ok(value) => Answer::Value(value),
                        Err(error) => Answer::Problem(problem(ProblemKind::Failed, &format!("{error:#}"))),
                    };
                    drop(self.engine.take_prints());
                    send(answer, write)?;
                }
                Ok(())
            }
            Request::Test { rule } => {
                self.engine.set_input(Value::new_object());
                let outcome = match self.engine.eval_rule(rule) {
                    Ok(Value::Bool(true)) => TestAnswer::Passed,
                    Ok(_) => TestAnswer::Failed,
                    Err(error) => TestAnswer::Problem(problem(ProblemKind::Failed, &format!("{error:#}"))),
                };
                let (lines, length) = MAX_PRINTS;
                let prints = self.engine.take_prints().unwrap_or_default();
                let prints = prints.iter().take(lines).map(|line| printable(line, length)).collect();
                send(Answer::Tested { outcome, prints, lines: self.lines() }, write)
            }
        }
    }

    fn lines(&self) -> BTreeMap<u32, [std::collections::BTreeSet<u32>; 2]> {
        let files = self.engine.get_coverage_report().map(|report| report.files).unwrap_or_default();
        let number = |file: &regorus::coverage::File| file.path.parse::<u32>().ok();
        files.into_iter().filter_map(|file| Some((number(&file)?, [file.covered, file.not_covered]))).collect()
    }
}

fn done(result: Result<(), String>) -> Answer<Value> {
    match result {
        Ok(()) => Answer::Done,
        Err(text) => Answer::Problem(problem(ProblemKind::Invalid, &text)),
    }
}

/// Writes an answer; one that is too long becomes a problem before it fills the memory.
fn send(answer: Answer<Value>, write: Write1<'_>) -> io::Result<()> {
    let mut line = Bounded(Vec::new());
    if serde_json::to_writer(&mut line, &answer).is_err() {
        drop(answer);
        line.0.clear();
        let problem = Problem { kind: ProblemKind::TooLarge, message: String::new(), place: None };
        serde_json::to_writer(&mut line, &Answer::<Value>::Problem(problem))?;
    }
    line.0.push(b'\n');
    write(&line.0)
}

struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() >= MAX_ANSWER {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads `--> FILE:LINE:COLUMN`, the source line, a caret and `error: MESSAGE`.
pub(super) fn problem(kind: ProblemKind, text: &str) -> Problem {
    let header = text.split_once("--> ").and_then(|(_, rest)| rest.lines().next());
    let place = header.and_then(|header| {
        let mut parts = header.trim().split(':').map(|part| part.parse::<u32>().ok());
        Some((parts.next()??, parts.next()??, parts.next()??))
    });
    let message = text.split_once("\nerror: ").map_or(text, |(_, message)| message);
    let message = message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    // What the evaluator knows of its own inside helps nobody.
    let message = message.split_once(" (path [").map_or(message.as_str(), |(message, _)| message);
    let kind = if text.contains("exceeded time limit") {
        ProblemKind::Timeout
    } else if message.ends_with(" is unsafe") || message.starts_with("could not find function") {
        ProblemKind::Invalid
    } else {
        kind
    };
    Problem { kind, message: printable(message, 400), place }
}

/// Adds our functions.
fn extend(engine: &mut Engine) {
    let text = |value: &Value| value.as_string().map(|text| text.to_string());
    let compare = move |arguments: Vec<Value>| {
        let [scheme, a, b] = arguments.as_slice() else { return Ok(Value::Undefined) };
        let scheme = text(scheme)?;
        let known = VersionScheme::from_name(&scheme);
        let known = known.ok_or_else(|| io::Error::other(format!("there is no version scheme `{scheme}`")))?;
        Ok(Value::from(known.compare(&text(a)?, &text(b)?)? as i64))
    };
    // The names are distinct: adding cannot fail.
    let _ = engine.add_extension(VERSION_COMPARE.to_owned(), 3, Box::new(compare));
    for (scheme, name) in version_lt() {
        let less = move |arguments: Vec<Value>| {
            let [a, b] = arguments.as_slice() else { return Ok(Value::Undefined) };
            Ok(Value::from(scheme.compare(&text(a)?, &text(b)?)?.is_lt()))
        };
        let _ = engine.add_extension(name, 2, Box::new(less));
    }
}
