//! Tasks of those who work on the program: `cargo xtask sim` runs as many simulated campaigns as wanted, on all cores.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use switchback::sim::{Coverage, Scenario, SimResult, shrink, step_name, violates};

const USAGE: &str = "usage: cargo xtask sim [--runs N] [--seed S] [--minutes M] [--threads T]
       cargo xtask sim --seed S --runs 1        one campaign, with its journal if it fails
       cargo xtask sim --replay TEXT            a scenario that an earlier run has printed";

/// From so many runs on every cell of the coverage table that can be hit must have been.
const COVERS_ALL: u64 = 100_000;
/// More failing seeds than this say nothing new.
const MAX_FAILED: usize = 10;
/// How often it says that it is alive.
const SAYS_EVERY: Duration = Duration::from_secs(20);

struct Asked {
    first: u64,
    runs: u64,
    minutes: Option<u64>,
    threads: usize,
    replay: Option<Scenario>,
}

fn main() -> ExitCode {
    match asked(std::env::args().skip(1)) {
        Ok(asked) => sim(&asked),
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn asked(mut args: impl Iterator<Item = String>) -> Result<Asked, String> {
    if args.next().as_deref() != Some("sim") {
        return Err("there is one task: sim".to_owned());
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut asked = Asked { first: 1, runs: 0, minutes: None, threads, replay: None };
    while let Some(option) = args.next() {
        let value = args.next().ok_or_else(|| format!("{option} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|error| format!("{option} {value}: {error}"));
        match option.as_str() {
            "--runs" => asked.runs = number()?,
            "--seed" => asked.first = number()?,
            "--minutes" => asked.minutes = Some(number()?),
            "--threads" => asked.threads = usize::try_from(number()?).unwrap_or(1).max(1),
            "--replay" => asked.replay = Some(value.parse().map_err(|error| format!("{option}: {error}"))?),
            _ => return Err(format!("unknown option {option}")),
        }
    }
    if asked.runs == 0 {
        asked.runs = if asked.minutes.is_some() { u64::MAX - asked.first } else { 10_000 };
    }
    Ok(asked)
}

/// What all runs came to.
#[derive(Default)]
struct Total {
    coverage: Coverage,
    failed: Vec<u64>,
    faults: u64,
    controllers: u64,
    records: u64,
    stops: u64,
    hosts: u64,
}

impl Total {
    fn add(&mut self, seed: u64, result: &SimResult) {
        self.coverage.add(&result.coverage);
        self.faults += result.world.faults_reached() as u64;
        self.controllers += u64::from(result.controllers);
        self.records += result.records.len() as u64;
        self.stops += result.stops.len() as u64;
        self.hosts += result.world.hosts().count() as u64;
        if !result.violations.is_empty() {
            self.failed.push(seed);
        }
    }

    fn join(&mut self, other: Self) {
        self.coverage.add(&other.coverage);
        self.failed.extend(other.failed);
        self.faults += other.faults;
        self.controllers += other.controllers;
        self.records += other.records;
        self.stops += other.stops;
        self.hosts += other.hosts;
    }
}

fn sim(asked: &Asked) -> ExitCode {
    if let Some(scenario) = &asked.replay {
        return replay(scenario);
    }
    if asked.runs == 1 {
        return replay(&Scenario::draw(asked.first));
    }
    let began = switchback::env::now();
    let (total, runs) = run_all(asked, began);
    let seconds = seconds_since(began).max(0.001);
    println!("{}", total.coverage.table());
    println!(
        "{runs} campaigns of {} hosts, seeds {} to {}, {} records, {} faults came to pass, {} controllers, {} stopped \
         by their journal, in {seconds:.0} s on {} threads: {:.0} runs/s",
        total.hosts,
        asked.first,
        asked.first + runs.saturating_sub(1),
        total.records,
        total.faults,
        total.controllers,
        total.stops,
        asked.threads,
        runs as f64 / seconds,
    );
    judge(&total, runs)
}

fn run_all(asked: &Asked, began: Timestamp) -> (Total, u64) {
    let (next, done, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let total = Mutex::new(Total::default());
    let all = || {
        let mut own = Total::default();
        while !stop.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= asked.runs {
                break;
            }
            let seed = asked.first + number;
            own.add(seed, &Scenario::draw(seed).run());
            done.fetch_add(1, Ordering::Relaxed);
            if own.failed.len() >= MAX_FAILED {
                stop.store(true, Ordering::Relaxed);
            }
        }
        if let Ok(mut total) = total.lock() {
            total.join(own);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..asked.threads).map(|_| scope.spawn(all)).collect();
        let mut said = began;
        while !workers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(50));
            let seconds = seconds_since(began);
            if asked.minutes.is_some_and(|minutes| seconds >= minutes as f64 * 60.0) {
                stop.store(true, Ordering::Relaxed);
            }
            if seconds_since(said) >= SAYS_EVERY.as_secs_f64() {
                said = switchback::env::now();
                let done = done.load(Ordering::Relaxed);
                eprintln!("{done} campaigns, {:.0} runs/s", done as f64 / seconds);
            }
        }
    });
    let runs = done.into_inner();
    (total.into_inner().unwrap_or_default(), runs)
}

fn seconds_since(time: Timestamp) -> f64 {
    switchback::env::now().duration_since(time).as_secs_f64()
}

fn judge(total: &Total, runs: u64) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for seed in total.failed.iter().take(MAX_FAILED) {
        for violation in &Scenario::draw(*seed).run().violations {
            println!("seed {seed}: {violation}");
        }
        code = ExitCode::FAILURE;
    }
    if let Some(seed) = total.failed.first() {
        let scenario = Scenario::draw(*seed);
        if let Some(violation) = scenario.run().violations.first() {
            let small = shrink(&scenario, |smaller| violates(smaller, violation.invariant));
            println!("seed {seed} made small in {} runs; --replay '{}'", small.runs, small.scenario);
        }
    }
    let (missing, surprises) = (total.coverage.missing(), total.coverage.surprises());
    let possible = Coverage::possible().count();
    println!("coverage: {} of {possible} cells that can be hit", possible - missing.len());
    for (what, cells) in [("never hit", &missing), ("hit, and said to be impossible", &surprises)] {
        for (trouble, at, state) in cells {
            println!("{what}: {trouble} at {}, {state:?}", step_name(*at));
        }
    }
    if !surprises.is_empty() || (runs >= COVERS_ALL && !missing.is_empty()) {
        code = ExitCode::FAILURE;
    }
    code
}

fn replay(scenario: &Scenario) -> ExitCode {
    let result = scenario.run();
    println!("{scenario}");
    for record in &result.records {
        let body = serde_json::to_string(&record.body).unwrap_or_default();
        println!("{:>4} {} {body}", record.seq, record.at);
    }
    for (host, (outcome, reason)) in &result.outcomes {
        println!("{host}: {} {}", outcome.as_str(), reason.as_ref().map_or("", |reason| reason.text.as_str()));
    }
    for (at, why) in &result.stops {
        println!("{at}: a controller stopped, its journal could not be written: {why:?}");
    }
    println!("{:?}, trace {}", result.phase, result.trace);
    for violation in &result.violations {
        println!("VIOLATED {violation}");
    }
    if result.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
