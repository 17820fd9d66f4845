//! The run-once protocol against a real sshd, with connections killed at random.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::engine::BoxFuture;
use crate::model::{AttemptId, CampaignId, Host, HostName, StepId, TimeSpan};

use super::super::ssh_tests::host;
use super::super::testing::{Sshd, kill, masters};
use super::super::{LocalTransport, Output, Session, SshLimits, SshTransport, Transport, TransportError};
use super::*;

const WAIT: TimeSpan = TimeSpan::seconds(10);

struct Place {
    dir: tempfile::TempDir,
    spool: JobSpool,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let spool = JobSpool::at(dir.path().join("it's jobs").to_str().unwrap());
        Self { dir, spool }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn job_dir(&self, job: &Job) -> PathBuf {
        let attempt = &job.attempt;
        self.file("it's jobs")
            .join(attempt.campaign.as_str())
            .join(attempt.step.step())
            .join(format!("{}.{}", attempt.generation, job.index))
    }

    /// A job that adds one line to a file each time it runs.
    fn counting(&self, generation: u32, rest: &str) -> Job {
        job(generation, &format!("echo ran >>{}\n{rest}", self.file("count").display()))
    }

    fn count(&self) -> usize {
        std::fs::read_to_string(self.file("count")).unwrap_or_default().lines().count()
    }
}

fn job(generation: u32, script: &str) -> Job {
    Job {
        attempt: AttemptId {
            campaign: CampaignId::new("c1").unwrap(),
            step: StepId::new("web-1/fix").unwrap(),
            generation,
        },
        index: "0".into(),
        script: script.into(),
        root: false,
        limit: TimeSpan::minutes(2),
    }
}

fn local() -> (LocalTransport, Host) {
    (LocalTransport, Host::named(HostName::new("web-1").unwrap()))
}

async fn call(place: &Place, job: &Job, call: Call) -> JobState {
    let (transport, host) = local();
    let session = transport.open(&host).await.unwrap();
    place.spool.attach(&*session, job, call, WAIT).await.unwrap()
}

fn done(state: JobState) -> JobOutput {
    match state {
        JobState::Done(output) => output,
        other => panic!("not done: {other:?}"),
    }
}

#[tokio::test]
async fn a_job_runs_once_and_its_result_stays() {
    let place = Place::new();
    let job = place.counting(1, "echo '##switchback fact a b c'; umask; echo err >&2; printf 'no end\\0'; exit 7");
    assert_eq!(call(&place, &job, Call::Look).await, JobState::Absent);
    for _ in 0..3 {
        let output = done(call(&place, &job, Call::StartOrAttach).await);
        assert_eq!((output.code, output.rebooted, &output.stderr[..]), (7, false, &b"err\n"[..]));
        assert_eq!(output.reports, b"##switchback fact a b c\n");
        assert_eq!(output.stdout, b"##switchback fact a b c\n0022\nno end\0");
    }
    done(call(&place, &job, Call::Look).await);
    assert_eq!(place.count(), 1);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(place.job_dir(&job)).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700, "output may hold what others must not read");
}

#[tokio::test]
async fn another_script_or_an_older_generation_is_not_run() {
    let place = Place::new();
    done(call(&place, &place.counting(2, "true"), Call::StartOrAttach).await);
    assert_eq!(call(&place, &place.counting(2, "false"), Call::StartOrAttach).await, JobState::Conflict);
    assert_eq!(call(&place, &place.counting(1, "true"), Call::StartOrAttach).await, JobState::Refused);
    assert_eq!(place.count(), 1);
    done(call(&place, &place.counting(10, "true"), Call::StartOrAttach).await);
    assert_eq!(call(&place, &place.counting(9, "true"), Call::StartOrAttach).await, JobState::Refused);
    done(call(&place, &place.counting(2, "true"), Call::StartOrAttach).await);
    assert_eq!(place.count(), 2);
}

#[tokio::test]
async fn a_job_without_result_is_lost_and_never_repeated() {
    let place = Place::new();
    let job = place.counting(1, "true");
    done(call(&place, &job, Call::StartOrAttach).await);
    let dir = place.job_dir(&job);
    std::fs::remove_file(dir.join("rc")).unwrap();
    assert_eq!(call(&place, &job, Call::StartOrAttach).await, JobState::Lost);
    std::fs::write(dir.join("started"), "another-boot.17\n").unwrap();
    assert_eq!(call(&place, &job, Call::StartOrAttach).await, JobState::LostByReboot);
    std::fs::write(dir.join("rc"), "5\n").unwrap();
    let output = done(call(&place, &job, Call::StartOrAttach).await);
    assert!((output.code, output.rebooted) == (5, true));
    assert_eq!(place.count(), 1);
}

#[tokio::test]
async fn a_claim_that_was_never_started_is_started() {
    let place = Place::new();
    let job = place.counting(1, "true");
    done(call(&place, &job, Call::StartOrAttach).await);
    let dir = place.job_dir(&job);
    for file in ["rc", "started"] {
        std::fs::remove_file(dir.join(file)).unwrap();
    }
    assert_eq!(call(&place, &job, Call::Look).await, JobState::Claimed);
    std::fs::write(dir.join("rc.tmp"), "pending        \n").unwrap();
    done(call(&place, &job, Call::StartOrAttach).await);
    assert_eq!(place.count(), 2);
}

#[tokio::test]
async fn a_claim_that_is_started_late_has_the_time_that_is_left_then() {
    let place = Place::new();
    let script = format!("[ ! -e {} ] || sleep 60", place.file("slow").display());
    let mut job = place.counting(1, &script);
    done(call(&place, &job, Call::StartOrAttach).await);
    for file in ["rc", "started"] {
        std::fs::remove_file(place.job_dir(&job).join(file)).unwrap();
    }
    std::fs::write(place.file("slow"), "").unwrap();
    job.limit = TimeSpan::seconds(1);
    assert_eq!(done(call(&place, &job, Call::StartOrAttach).await).code, 124);
}

/// Reached only at the second call.
struct Late(AtomicBool);

impl Transport for Late {
    fn open<'a>(
        &'a self,
        host: &'a Host,
    ) -> crate::engine::BoxFuture<'a, Result<Arc<dyn super::super::Session>, super::super::TransportError>> {
        if self.0.swap(true, Ordering::Relaxed) {
            return LocalTransport.open(host);
        }
        Box::pin(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Err(super::super::TransportError::Connect { host: "web-1".into(), why: "not yet".into() })
        })
    }
}

#[tokio::test]
async fn a_job_that_starts_late_is_over_before_it_is_given_up() {
    let (place, (_, host)) = (Place::new(), local());
    let job = place.counting(1, "sleep 60");
    // Long enough for a busy machine to start it at all, and shorter than the job.
    let deadline = Instant::now() + KILL_GRACE + Duration::from_secs(10);
    let late = Late(AtomicBool::new(false));
    let end = drive(&place.spool, &late, &host, &job, Call::StartOrAttach, deadline, &|_| {}).await;
    let JobEnd::Known(state) = end else {
        panic!("whoever gives up now restores a host that is being changed: {end:?}")
    };
    assert_eq!((done(state).code, place.count()), (124, 1));
    assert!(Instant::now() + KILL_GRACE - Duration::from_secs(10) < deadline);
}

#[tokio::test]
async fn a_killed_runner_is_lost_and_a_slow_job_is_ended_by_the_host() {
    let place = Place::new();
    let mut slow = place.counting(1, "sleep 60");
    slow.limit = TimeSpan::seconds(1);
    let output = done(call(&place, &slow, Call::StartOrAttach).await);
    assert_eq!(output.code, 124);

    let job = place.counting(2, &format!("echo $PPID $$ >{}; sleep 30", place.file("pids").display()));
    let (transport, host) = local();
    let session = transport.open(&host).await.unwrap();
    let state = place.spool.attach(&*session, &job, Call::StartOrAttach, TimeSpan::seconds(1)).await.unwrap();
    assert!(matches!(state, JobState::Running(_)), "{state:?}");
    // `timeout` is the script's parent, the runner is its parent.
    let pids = std::fs::read_to_string(place.file("pids")).unwrap();
    let guard: u32 = pids.split_whitespace().next().unwrap().parse().unwrap();
    let script: u32 = pids.split_whitespace().nth(1).unwrap().parse().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{guard}/stat")).unwrap();
    let runner: u32 = stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap();
    kill(runner);
    assert!(matches!(call(&place, &job, Call::Look).await, JobState::Running(_)), "the guard still holds the lock");
    kill(guard);
    assert_eq!(call(&place, &job, Call::Look).await, JobState::Lost);
    kill(script);
}

#[tokio::test]
async fn what_the_job_leaves_running_does_not_hold_its_lock() {
    let place = Place::new();
    let job = job(1, &format!("sleep 30 & echo $! >{}", place.file("pid").display()));
    done(call(&place, &job, Call::StartOrAttach).await);
    std::fs::remove_file(place.job_dir(&job).join("rc")).unwrap();
    assert_eq!(call(&place, &job, Call::Look).await, JobState::Lost, "the lock is free");
    kill(std::fs::read_to_string(place.file("pid")).unwrap().trim().parse().unwrap());
}

#[tokio::test]
async fn a_host_that_cannot_take_it_says_why() {
    let place = Place::new();
    std::fs::write(place.file("it's jobs"), "a file").unwrap();
    let state = call(&place, &place.counting(1, "true"), Call::StartOrAttach).await;
    assert!(matches!(&state, JobState::NotClaimed(why) if why.contains("cannot make")), "{state:?}");
    assert_eq!(place.count(), 0);
}

#[tokio::test]
async fn what_campaigns_left_goes_after_a_month_unless_it_still_runs() {
    let place = Place::new();
    let of = |campaign: &str, script: &str| {
        let mut job = place.counting(1, script);
        job.attempt.campaign = CampaignId::new(campaign).unwrap();
        job
    };
    let wait = format!("until [ -e {} ]; do sleep 0.1; done", place.file("go").display());
    let (transport, host) = local();
    let session = transport.open(&host).await.unwrap();
    for (campaign, script, days) in [("old", "true", 32), ("young", "true", 29), ("busy", wait.as_str(), 32)] {
        place.spool.attach(&*session, &of(campaign, script), Call::StartOrAttach, TimeSpan::ZERO).await.unwrap();
        let past = std::time::SystemTime::from(crate::env::now()) - Duration::from_secs(days * 24 * 3600);
        std::fs::File::open(place.file("it's jobs").join(campaign)).unwrap().set_modified(past).unwrap();
    }
    done(call(&place, &of("new", "true"), Call::StartOrAttach).await);
    let mut left: Vec<_> =
        std::fs::read_dir(place.file("it's jobs")).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["busy", "new", "young"]);
    std::fs::write(place.file("go"), "").unwrap();
    done(call(&place, &of("busy", &wait), Call::StartOrAttach).await);
}

#[tokio::test]
async fn two_at_once_run_it_once() {
    let place = Arc::new(Place::new());
    let job = Arc::new(place.counting(1, "sleep 0.3"));
    let both: Vec<_> = (0..8)
        .map(|_| {
            let (place, job) = (Arc::clone(&place), Arc::clone(&job));
            tokio::spawn(async move { done(call(&place, &job, Call::StartOrAttach).await).code })
        })
        .collect();
    for one in both {
        assert_eq!(one.await.unwrap(), 0);
    }
    assert_eq!(place.count(), 1);
}

#[tokio::test]
async fn the_boot_marker_is_the_same_within_a_boot() {
    let (transport, host) = local();
    let session = transport.open(&host).await.unwrap();
    let one = boot_marker(&*session, false, WAIT).await.unwrap();
    assert_eq!(boot_marker(&*session, false, WAIT).await.unwrap(), one);
    let stat = std::fs::read_to_string("/proc/1/stat").unwrap();
    let start = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap();
    assert!(one.as_str().ends_with(&format!(".{start}")), "{one:?}");
}

#[tokio::test]
async fn a_killed_master_does_not_cost_the_result() {
    let Some(sshd) = Sshd::start() else { return };
    let (place, host) = (Place::new(), host(&sshd));
    let transport = SshTransport::new(SshLimits::default()).unwrap();
    let job = place.counting(1, "sleep 2; echo result");
    let folder = transport.folder().to_owned();
    let killer = async {
        let soon = Instant::now() + Duration::from_secs(20);
        while place.count() == 0 && Instant::now() < soon {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let found = masters(&folder);
        assert_eq!((found.len(), place.count()), (1, 1), "killed while the job runs");
        found.into_iter().for_each(kill);
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    let follow = drive(&place.spool, &transport, &host, &job, Call::StartOrAttach, deadline, &|_| {});
    let (end, ()) = tokio::join!(follow, killer);
    let JobEnd::Known(state) = end else { panic!("{end:?}") };
    assert_eq!(done(state).stdout, b"result\n");
    assert_eq!(place.count(), 1);
}

#[tokio::test]
async fn a_host_never_reached_heard_nothing() {
    let Some(mut sshd) = Sshd::start() else { return };
    let (place, mut host) = (Place::new(), host(&sshd));
    let transport = SshTransport::new(SshLimits::default()).unwrap();
    let job = place.counting(1, "true");
    let soon = Instant::now() + Duration::from_secs(2);
    let wrong = host.ssh.host_key.replace(sshd.public_key("other_key.pub"));
    let end = drive(&place.spool, &transport, &host, &job, Call::StartOrAttach, soon, &|_| {}).await;
    assert!(matches!(end, JobEnd::NeverSent(super::super::TransportError::HostKey { .. })), "{end:?}");
    host.ssh.host_key = wrong;
    sshd.kill();
    let end = drive(&place.spool, &transport, &host, &job, Call::StartOrAttach, soon, &|_| {}).await;
    assert!(matches!(end, JobEnd::NeverSent(super::super::TransportError::Connect { .. })), "{end:?}");
    assert_eq!(place.count(), 0);
}

#[tokio::test]
async fn a_job_that_comes_to_its_start_too_late_does_not_begin() {
    let place = Place::new();
    let session = LocalTransport.open(&Host::named(HostName::new("web-1").unwrap())).await.unwrap();
    let job = place.counting(1, "");
    place.spool.attach(&*session, &job, Call::StartOrAttach, WAIT).await.unwrap();
    let dir = place.job_dir(&job);
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let now: i64 = uptime.split('.').next().unwrap().parse().unwrap();
    for (called, code, runs) in [(now - 100, 124, 0), (now - 10, 0, 1)] {
        for file in ["rc", "started", "out", "err"] {
            std::fs::remove_file(dir.join(file)).unwrap();
        }
        std::fs::write(dir.join("rc.tmp"), format!("{:<15}\n", "pending")).unwrap();
        let before = place.count();
        let runner = dir.join("runner");
        let ended = std::process::Command::new("/bin/sh").arg(runner).args(["60", &called.to_string()]).status();
        assert!(ended.unwrap().success());
        assert_eq!(place.count() - before, runs);
        let state = place.spool.attach(&*session, &job, Call::Look, TimeSpan::ZERO).await.unwrap();
        assert_eq!(done(state).code, code);
    }
}

/// A host that gives these answers, one a call.
struct Says(std::sync::Mutex<Vec<Result<&'static str, ()>>>);

impl Transport for Says {
    fn open<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Arc<dyn Session>, TransportError>> {
        let next = self.0.lock().unwrap().remove(0);
        Box::pin(async move { Ok(Arc::new(SaysOnce(next, host.name.to_string())) as Arc<dyn Session>) })
    }
}

struct SaysOnce(Result<&'static str, ()>, String);

impl Session for SaysOnce {
    fn run<'a>(&'a self, _: &'a str, _: bool, _: TimeSpan) -> BoxFuture<'a, Result<Output, TransportError>> {
        let lost = TransportError::Lost { host: self.1.clone(), why: "cut".to_owned() };
        let answer = self.0.map(|text| Output { code: 0, stdout: text.into(), stderr: Vec::new() });
        Box::pin(async move { answer.map_err(|()| lost) })
    }
}

#[tokio::test]
async fn that_a_host_cannot_take_a_job_now_does_not_prove_that_it_never_did() {
    const NOT_NOW: Result<&str, ()> = Ok("##job not-claimed flock is not installed\n");
    let not_now = || JobState::NotClaimed("flock is not installed: ".to_owned());
    let place = Place::new();
    let follow = async |answers: Vec<Result<&'static str, ()>>| {
        let (host, soon) = (Host::named(HostName::new("web-1").unwrap()), Instant::now() + Duration::from_secs(30));
        let says = Says(std::sync::Mutex::new(answers));
        let end = drive(&place.spool, &says, &host, &job(1, "true"), Call::StartOrAttach, soon, &|_| {}).await;
        assert!(says.0.lock().unwrap().is_empty(), "every answer was heard");
        end
    };
    assert_eq!(follow(vec![NOT_NOW]).await, JobEnd::Known(not_now()), "the first and only call");
    assert_eq!(follow(vec![Err(()), NOT_NOW]).await, JobEnd::StillThere(not_now()), "the first may still arrive");
    assert_eq!(follow(vec![Ok("##job running\n"), NOT_NOW]).await, JobEnd::StillThere(not_now()), "it runs");
}

/// Forty jobs whose ssh masters are killed at random: none is lost, none runs twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_kills_lose_nothing_and_repeat_nothing() {
    const JOBS: u32 = 40;
    let Some(sshd) = Sshd::start() else { return };
    let (place, host) = (Place::new(), host(&sshd));
    let transport = SshTransport::new(SshLimits::default()).unwrap();
    let folder = transport.folder().to_owned();
    let stop = Arc::new(AtomicBool::new(false));
    let allowed = Arc::new(AtomicU32::new(0));
    let killer = std::thread::spawn({
        let (stop, allowed) = (Arc::clone(&stop), Arc::clone(&allowed));
        move || kill_at_random(&folder, &stop, &allowed)
    });
    let padding = format!("# {}\n", "p".repeat(200_000));
    for generation in 1..=JOBS {
        // On a slow machine a connection may take longer than the killer waits: each job gets through in the end.
        allowed.store(3, Ordering::Relaxed);
        let job = place.counting(generation, &format!("sleep 0.1; echo {generation}\n{padding}"));
        let deadline = Instant::now() + Duration::from_secs(60);
        let end = drive(&place.spool, &transport, &host, &job, Call::StartOrAttach, deadline, &|_| {}).await;
        let JobEnd::Known(state) = end else { panic!("job {generation}: {end:?}") };
        assert_eq!(done(state).stdout, format!("{generation}\n").as_bytes());
        assert_eq!(place.count(), generation as usize, "each ran once");
    }
    stop.store(true, Ordering::Relaxed);
    let kills = killer.join().unwrap();
    assert!(kills >= JOBS as usize / 4, "only {kills} kills: the test proves nothing");
}

/// Kills masters at random moments while it is allowed to, on average often enough to hit most jobs. Returns how many.
fn kill_at_random(folder: &Path, stop: &AtomicBool, allowed: &AtomicU32) -> usize {
    let mut kills = 0;
    while !stop.load(Ordering::Relaxed) {
        let random = u64::from_str_radix(&crate::env::random_hex().unwrap()[..4], 16).unwrap();
        std::thread::sleep(Duration::from_millis(random % 450));
        if allowed.load(Ordering::Relaxed) == 0 {
            continue;
        }
        for pid in masters(folder) {
            kill(pid);
            kills += 1;
            allowed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).ok();
        }
    }
    kills
}
