//! The runner of a watch on a disk without room for its marks.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use crate::{possible, run};

const RUNNER: &str = include_str!("../../src/provider/watch_runner.sh");

/// A file system in memory with no more than so many files, and a runner in it.
struct Full {
    dir: tempfile::TempDir,
    runner: Option<Child>,
}

impl Drop for Full {
    fn drop(&mut self) {
        if let Some(runner) = &mut self.runner {
            let _ = runner.kill();
            let _ = runner.wait();
        }
        // Who sleeps for it is still there for a moment.
        let _ = Command::new("umount").arg("-l").arg(self.path("")).status();
    }
}

impl Full {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("full").join(name)
    }

    fn is_there(&self, name: &str) -> bool {
        self.path(name).exists()
    }
}

fn wait(what: &str, is: impl Fn() -> bool) {
    for _ in 0..150 {
        if is() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{what}: not within 15 seconds");
}

#[test]
fn a_watch_on_a_full_disk_waits_for_room() {
    if !possible(&["flock", "mount"], true) {
        return;
    }
    let mut full = Full { dir: tempfile::tempdir().unwrap(), runner: None };
    let mount = full.path("");
    std::fs::create_dir(&mount).unwrap();
    run("mount", &["-t", "tmpfs", "-o", "nr_inodes=20", "tmpfs", mount.to_str().unwrap()]);
    let restored = full.dir.path().join("restored");
    for (file, text) in [
        ("runner", RUNNER.to_owned()),
        ("restore", format!("echo restored >>'{}'\n", restored.display())),
        ("due", "0\n".to_owned()),
        ("lock", String::new()),
        ("guard", String::new()),
        ("out", String::new()),
        ("err", String::new()),
    ] {
        std::fs::write(full.path(file), text).unwrap();
    }
    let fill: Vec<PathBuf> = (0..20).map(|n| full.path(&format!("fill-{n}"))).collect();
    let made: Vec<&PathBuf> = fill.iter().filter(|file| std::fs::write(file, "").is_ok()).collect();
    assert!(made.len() > 2 && made.len() < fill.len(), "it is full");
    let free = |file: &Path| std::fs::remove_file(file).unwrap();

    let mut runner = Command::new("/bin/sh");
    runner.arg(full.path("runner")).arg(mount.as_os_str()).stderr(std::process::Stdio::null());
    full.runner = Some(runner.spawn().unwrap());
    std::thread::sleep(Duration::from_secs(2));
    let lives = |full: &mut Full| full.runner.as_mut().is_some_and(|runner| runner.try_wait().unwrap().is_none());
    assert!(lives(&mut full) && !full.is_there("fired") && !restored.exists());
    free(made[0]);
    wait("it fires", || full.is_there("fired") && restored.exists());
    std::thread::sleep(Duration::from_secs(1));
    assert!(lives(&mut full) && !full.is_there("rc"), "its end is not told yet");
    free(made[1]);
    wait("it tells its end", || full.is_there("rc"));
    assert_eq!(std::fs::read_to_string(full.path("rc")).unwrap(), "0\n");
    assert!(full.runner.as_mut().unwrap().wait().unwrap().success());
    assert_eq!(std::fs::read_to_string(&restored).unwrap(), "restored\n", "once");
}
