//! The program as its users see it: stdout, stderr and exit code together, one file a subcommand.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod approve;
mod audit;
mod basics;
mod check;
mod ci;
mod conform;
mod control;
mod demo;
mod diff;
mod disarm;
mod drill;
mod editors;
mod exceptions;
mod explain;
mod findings;
mod history;
mod inventory;
#[path = "../support/junit.rs"]
mod junit;
mod lab;
mod manual;
mod notify;
mod plan;
mod rego;
mod rehearse;
mod report;
mod run;
mod scan;
mod schema;
mod show;
mod test;
mod windows;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the README of `examples/first-plan` runs.
const FIRST_PLAN: &[&str] = &[
    "plan",
    "-p",
    "policies",
    "-i",
    "inventory.yaml",
    "-f",
    "web-1=reports/web-1.trivy.json",
    "-f",
    "web-2=reports/web-2.trivy.json",
    "--as-of",
    "2026-11-23T12:00:00Z",
    "-o",
    "plan.json",
];

/// `FIRST_PLAN` with one argument replaced.
fn first_plan_with<'a>(old: &str, new: &'a str) -> Vec<&'a str> {
    assert!(FIRST_PLAN.contains(&old));
    FIRST_PLAN.iter().map(|arg| if *arg == old { new } else { *arg }).collect()
}

/// Digests change with every format; that there is one is what counts.
fn without_digests(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_hexdigit() {
            word.push(c);
            continue;
        }
        let digest = word.len() == 12 || word.len() == 64;
        out.push_str(if digest { "[DIGEST]" } else { &word });
        word.clear();
        out.push(c);
    }
    out.pop();
    out
}

/// A throw-away folder in which the program runs, with a clean environment.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Copies a folder of the repository's `examples/` here.
    fn example(&self, name: &str) {
        self.example_in(name, "");
    }

    /// Copies it into a folder here.
    fn example_in(&self, name: &str, folder: &str) {
        fn copy(from: &Path, to: &Path) {
            std::fs::create_dir_all(to).unwrap();
            for entry in std::fs::read_dir(from).unwrap() {
                let entry = entry.unwrap();
                let target = to.join(entry.file_name());
                if entry.path().is_dir() {
                    copy(&entry.path(), &target);
                } else {
                    std::fs::copy(entry.path(), target).unwrap();
                }
            }
        }
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name), &self.path().join(folder));
    }

    /// The first plan of `examples/`, planned.
    fn first_plan() -> Self {
        let world = Self::new();
        world.example("first-plan");
        let ran = world.run(FIRST_PLAN);
        assert_eq!(ran.code, Some(0), "{}", ran.show());
        world
    }

    /// Every file with its content.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn walk(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, files);
                    files.insert(path, Vec::new());
                } else {
                    let bytes = std::fs::read(&path).unwrap();
                    files.insert(path, bytes);
                }
            }
        }
        let mut files = BTreeMap::new();
        walk(self.path(), &mut files);
        files
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, "")
    }

    /// Runs what must fail: with this code, nothing on stdout and nothing written or changed.
    fn refused(&self, code: i32, args: &[&str]) -> Ran {
        let before = self.files();
        let ran = self.run(args);
        assert_eq!(ran.code, Some(code), "{}", ran.show());
        assert_eq!(ran.stdout, "", "{}", ran.show());
        assert!(!ran.stderr.contains("panicked"), "{}", ran.show());
        assert!(self.files() == before, "a failed command wrote something: {args:?}");
        ran
    }

    /// The program, about to run here with a clean environment.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .env("SUDO_USER", "tester")
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run_with(&self, args: &[&str], stdin: &str) -> Ran {
        self.finish(self.command(args), stdin)
    }

    fn finish(&self, mut command: Command, stdin: &str) -> Ran {
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let clean = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(self.path().to_str().unwrap(), "[DIR]");
        Ran { code: output.status.code(), stdout: clean(output.stdout), stderr: clean(output.stderr) }
    }
}

/// What a run came to.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// For inline snapshots.
    fn show(&self) -> String {
        let mut text = format!("exit: {}\n", self.code.map_or_else(|| "signal".to_owned(), |c| c.to_string()));
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !stream.is_empty() {
                let _ = write!(text, "----- {name}\n{stream}");
                if !stream.ends_with('\n') {
                    text.push('\n');
                }
            }
        }
        without_digests(&text)
    }

    /// What both streams hold.
    fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.show()))
    }
}
