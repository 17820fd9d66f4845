//! Steps under a watch: what begins, what is renewed, and what a watch that went back means for them.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU32;
use std::time::Instant;

use crate::provider::{Ask, BackupRef, EffectKey, Held, ProviderError, Watch};

use super::super::watch::pause;
use super::*;

/// What a watch is asked for, without the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Arm,
    Renew,
    Disarm,
    Restore,
}

/// A provider whose watch answers what it is told to; the last answer again and again.
#[derive(Default)]
struct Fake {
    answers: Mutex<VecDeque<Result<Watch, ProviderError>>>,
    asked: Mutex<Vec<Asked>>,
    keys: Mutex<Vec<String>>,
    /// How often a restore does not reach it.
    unreached: AtomicU32,
    /// How long an answer takes.
    takes: Duration,
}

impl Fake {
    fn new(answers: &[Result<Watch, ProviderError>]) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.iter().cloned().collect()), ..Self::default() })
    }

    fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

impl Provider for Fake {
    fn backup<'a>(&'a self, _: &'a Host, _: &'a EffectKey) -> BoxFuture<'a, Result<BackupRef, ProviderError>> {
        Box::pin(async { Err(ProviderError::NoEffect("no route to host".into())) })
    }
    fn verify_backup<'a>(&'a self, _: &'a Host, _: &'a BackupRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async { Ok(()) })
    }
    fn restore<'a>(
        &'a self,
        _: &'a Host,
        _: &'a BackupRef,
        _: &'a EffectKey,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async {
            // Long enough to be renewed.
            tokio::time::sleep(Duration::from_millis(600)).await;
            self.asked.lock().unwrap().push(Asked::Restore);
            match self.unreached.load(Ordering::Relaxed) {
                0 => Ok(()),
                left => {
                    self.unreached.store(left - 1, Ordering::Relaxed);
                    Err(ProviderError::NoEffect("no route to host".into()))
                }
            }
        })
    }
    fn delete_backup<'a>(&'a self, _: &'a Host, _: &'a BackupRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async { Ok(()) })
    }
    fn list<'a>(&'a self, _: &'a Host) -> BoxFuture<'a, Result<Vec<(EffectKey, Held)>, ProviderError>> {
        Box::pin(async { Ok(vec![]) })
    }
    fn watch<'a>(
        &'a self,
        _: &'a Host,
        key: &'a EffectKey,
        ask: Ask<'a>,
    ) -> BoxFuture<'a, Result<Watch, ProviderError>> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(match ask {
                Ask::Arm { .. } => Asked::Arm,
                Ask::Renew { .. } => Asked::Renew,
                Ask::Disarm => Asked::Disarm,
            });
            self.keys.lock().unwrap().push(key.0.clone());
            tokio::time::sleep(self.takes).await;
            let mut answers = self.answers.lock().unwrap();
            let last = answers.len() == 1;
            if last { answers[0].clone() } else { answers.pop_front().unwrap() }
        })
    }
}

const AFTER: TimeSpan = TimeSpan::seconds(2);

fn silent() -> Result<Watch, ProviderError> {
    Err(ProviderError::NoEffect("no route to host".into()))
}

fn id(name: &str) -> StepId {
    StepId::new(&format!("web-1/{name}")).unwrap()
}

fn step(name: &str, kind: StepKind, action: Action) -> Step {
    Step {
        id: id(name),
        kind,
        needs: vec![],
        on: None,
        stands_for: vec![],
        action,
        undo: vec![],
        expected: TimeSpan::ZERO,
        timeout: TimeSpan::seconds(10),
    }
}

impl Scene {
    /// Makes an attempt of a step that stands where the planner puts it, with this provider.
    async fn watched(&self, fake: &Arc<Fake>, kind: StepKind, action: Action, mode: Mode, back: bool) -> StepResult {
        let provider: Arc<dyn Provider> = fake.clone();
        let looks =
            Action::Check { commands: vec![self.sh("echo looked >>$1/looked; [ ! -e $1/broken ]")], probes: vec![] };
        let arm = Action::Arm { backup: id("backup"), after: AFTER };
        self.run_with(
            kind,
            action,
            mode,
            |host| {
                let mut own = host.steps.remove(0);
                let mut fix = step("fix", StepKind::Fix, Action::Change { commands: vec![] });
                fix.undo = vec![step("verify_restored", StepKind::VerifyRestored, looks.clone())];
                let armed = step("arm", StepKind::Arm, arm.clone());
                let disarm = step("disarm", StepKind::Disarm, Action::Disarm { arm: id("arm") });
                own.timeout = own.timeout.min(self.timeout);
                if back {
                    let mut all = vec![armed, fix, disarm];
                    all.retain(|step| step.id != own.id);
                    all[0].undo = vec![own];
                    host.steps = all;
                } else {
                    let mut all = vec![armed, fix, disarm];
                    all.retain(|step| step.kind != own.kind);
                    let at = usize::from(own.kind != StepKind::Arm) * if own.kind == StepKind::Disarm { 2 } else { 1 };
                    all.insert(at, own);
                    host.steps = all;
                }
            },
            |executor| executor.with_backends(Box::new(move |_| Some(Arc::clone(&provider))), Box::new(|_| None)),
        )
        .await
    }

    async fn fix_under(&self, fake: &Arc<Fake>, script: &str, mode: Mode) -> StepResult {
        self.watched(fake, StepKind::Fix, Action::Change { commands: vec![self.sh(script)] }, mode, false).await
    }
}

fn with_backup() -> Scene {
    let mut scene = Scene::new();
    scene.facts.insert((id("backup"), "backup".into()), "b".into());
    scene
}

#[tokio::test]
async fn a_watch_is_asked_first_and_renewed_while_the_host_is_changed() {
    let scene = with_backup();
    let fake = Fake::new(&[Ok(Watch::Armed)]);
    facts(scene.fix_under(&fake, "sleep 1.8; echo fixed >$1/fixed", Mode::Start).await);
    let asked = fake.asked();
    assert!(asked.len() >= 3 && asked.iter().all(|asked| *asked == Asked::Renew), "{asked:?}");
    assert_eq!(scene.text("fixed"), "fixed\n");
    assert!(fake.keys.lock().unwrap().iter().all(|key| key == "c1/web-1/arm/1"), "the key is that of who armed it");

    // Silence of a moment is no failure.
    let scene = with_backup();
    let fake = Fake::new(&[silent(), Ok(Watch::Armed), silent(), Ok(Watch::Armed)]);
    facts(scene.fix_under(&fake, "sleep 1.5; echo fixed >$1/fixed", Mode::Start).await);
    assert_eq!(scene.text("fixed"), "fixed\n");

    // Steps beside it ask nothing.
    let scene = with_backup();
    let look = Action::Check { commands: vec![scene.sh("exit 0")], probes: vec![] };
    facts(scene.watched(&fake, StepKind::Preflight, look, Mode::Start, true).await);
    fake.asked();
    assert_eq!(fake.asked(), []);
}

#[tokio::test]
async fn nothing_begins_on_a_host_that_went_back() {
    for mode in [Mode::Start, Mode::Attach] {
        for answer in [Watch::GoesBack, Watch::WentBack, Watch::Failed("no space".into())] {
            let scene = with_backup();
            let fake = Fake::new(&[Ok(answer)]);
            let (code, effect, _) = failure(scene.fix_under(&fake, "echo ran >$1/ran", mode).await);
            assert_eq!((code.as_str(), effect), ("went-back-by-itself", Effected::Possibly));
            assert!(!scene.file("ran").exists() && !scene.file("jobs").exists());
        }
    }
    // Nobody knows: what was not begun is not, and what may have been stays unknown.
    let mut scene = with_backup();
    scene.timeout = TimeSpan::seconds(2);
    let fake = Fake::new(&[silent()]);
    let (code, effect, _) = failure(scene.fix_under(&fake, "echo ran >$1/ran", Mode::Start).await);
    assert_eq!((code.as_str(), effect), ("watch-silent", Effected::No));
    let unclear = scene.fix_under(&fake, "echo ran >$1/ran", Mode::Attach).await;
    assert!(matches!(&unclear, StepResult::Unknown { reason } if reason.code == "watch-silent"), "{unclear:?}");
    assert!(!scene.file("ran").exists());
}

#[tokio::test]
async fn a_host_that_goes_back_in_the_middle_ends_its_step() {
    let scene = with_backup();
    let fake = Fake::new(&[Ok(Watch::Armed), Ok(Watch::GoesBack)]);
    let begun = Instant::now();
    let (code, effect, _) = failure(scene.fix_under(&fake, "sleep 8", Mode::Start).await);
    assert_eq!((code.as_str(), effect), ("went-back-by-itself", Effected::Possibly));
    assert!(begun.elapsed() < Duration::from_secs(4));
    // A watch of which nothing is heard for all its time goes back, whoever can see it.
    let fake = Fake::new(&[Ok(Watch::Armed), silent()]);
    let begun = Instant::now();
    let (code, effect, _) = failure(scene.fix_under(&fake, "sleep 8", Mode::Start).await);
    assert_eq!((code.as_str(), effect), ("went-back-by-itself", Effected::Possibly));
    assert!(begun.elapsed() >= AFTER.to_std() && begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn to_disarm_tells_whether_it_went_back() {
    let scene = with_backup();
    let disarm = |back| (StepKind::Disarm, Action::Disarm { arm: id("arm") }, back);
    let run = async |answers: &[Result<Watch, ProviderError>], (kind, action, back): (StepKind, Action, bool)| {
        scene.watched(&Fake::new(answers), kind, action, Mode::Start, back).await
    };
    facts(run(&[silent(), Ok(Watch::Disarmed)], disarm(false)).await);
    for gone in [Watch::GoesBack, Watch::WentBack, Watch::Failed("x".into())] {
        let (code, effect, _) = failure(run(&[Ok(gone)], disarm(false)).await);
        assert_eq!((code.as_str(), effect), ("went-back-by-itself", Effected::Possibly));
    }
    // On the way back it is waited for, and the host is looked at.
    facts(run(&[Ok(Watch::Disarmed)], disarm(true)).await);
    assert_eq!(scene.text("looked"), "");
    facts(run(&[Ok(Watch::GoesBack), Ok(Watch::GoesBack), Ok(Watch::WentBack)], disarm(true)).await);
    assert_eq!(scene.text("looked"), "looked\n");
    // What its watch could not do the controller has done meanwhile, or not.
    let failed = [Ok(Watch::GoesBack), Ok(Watch::Failed("no space".into()))];
    for answers in [&failed[..], &failed[1..]] {
        facts(run(answers, disarm(true)).await);
    }
    std::fs::write(scene.file("broken"), "").unwrap();
    let StepResult::Failed { reason, .. } = run(&failed, disarm(true)).await else { panic!("it is broken") };
    assert!(reason.code == "check-failed" && reason.text.contains("no space"), "{reason:?}");

    // Nobody knows: it is told what the watch may do.
    let mut scene = with_backup();
    scene.timeout = TimeSpan::seconds(2);
    for (answers, back) in
        [(vec![silent()], false), (vec![silent()], true), (vec![Ok(Watch::GoesBack), silent()], true)]
    {
        let (kind, action, back) = disarm(back);
        match scene.watched(&Fake::new(&answers), kind, action, Mode::Start, back).await {
            StepResult::Failed { reason, .. } if reason.code == "disarm-failed" => {
                assert!(reason.text.contains("it begins to put it back by itself at 20"), "{reason:?}");
                assert!(reason.text.contains("`switchback disarm web-1`"), "{reason:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_call_without_effect_says_nothing_of_one_before_it() {
    let mut scene = with_backup();
    scene.facts.insert((id("clone"), "clone".into()), "c".into());
    let provider: Arc<dyn Provider> = Fake::new(&[silent()]);
    let back_within = TimeSpan::seconds(1);
    for (kind, action) in [
        (StepKind::Arm, Action::Arm { backup: id("backup"), after: AFTER }),
        (StepKind::Backup, Action::Backup { keep: TimeSpan::ZERO }),
        (StepKind::Clone, Action::Clone { backup: id("backup"), back_within, time_to_live: back_within }),
        (StepKind::Promote, Action::Promote { clone: id("clone"), back_within }),
    ] {
        let run = async |mode| {
            let provider = Arc::clone(&provider);
            let set = move |executor: RemoteExecutor| {
                executor.with_backends(Box::new(move |_| Some(Arc::clone(&provider))), Box::new(|_| None))
            };
            scene.run_with(kind, action.clone(), mode, |_| {}, set).await
        };
        assert_eq!(failure(run(Mode::Start).await).1, Effected::No, "{kind}");
        let unclear = run(Mode::Attach).await;
        assert!(matches!(unclear, StepResult::Unknown { .. }), "{kind}: {unclear:?}");
    }
}

#[tokio::test]
async fn a_host_with_a_watch_of_another_campaign_is_not_touched() {
    let scene = with_backup();
    let arm = Action::Arm { backup: id("backup"), after: AFTER };
    let another = Fake::new(&[Ok(Watch::Another("c0/web-1/arm/1 in /w/0".into()))]);
    let result = scene.watched(&another, StepKind::Arm, arm, Mode::Start, false).await;
    let StepResult::Failed { reason, effect, .. } = result else { panic!("{result:?}") };
    assert_eq!((reason.code.as_str(), effect), ("watched-already", Effected::No));
    assert!(reason.text.contains("c0/web-1/arm/1 in /w/0"), "{reason:?}");
}

#[tokio::test]
async fn a_watch_is_renewed_four_times_in_its_time() {
    // However long an answer takes.
    let scene = with_backup();
    let slow = Fake { takes: Duration::from_millis(400), ..Fake::default() };
    slow.answers.lock().unwrap().push_back(Ok(Watch::Armed));
    let slow = Arc::new(slow);
    facts(scene.fix_under(&slow, "sleep 2", Mode::Start).await);
    assert!(slow.asked().len() >= 5, "one before it begins, four in its two seconds");

    let after = TimeSpan::minutes(2);
    assert_eq!(pause(after, Duration::from_secs(4), true), Duration::from_secs(26));
    assert_eq!(pause(after, Duration::from_secs(30), true), Duration::ZERO);
    // Two calls may hang and be lost.
    let lost = Duration::from_secs(30) + pause(after, Duration::from_secs(30), false);
    assert!(pause(after, Duration::ZERO, true) + 2 * lost < after.to_std());
}

#[tokio::test]
async fn a_job_on_the_controller_has_ended_before_anybody_restores() {
    let mut scene = with_backup();
    let script = format!("sleep 2\necho done >>'{}'\n", scene.file("log").display());
    let program = Program::Ansible { digest: Digest::of(script.as_bytes()) };
    let command = Command { program, argv: Vec::new(), root: false, ..scene.sh("") };
    scene.scripts.push(script);
    let fix = |answers: &[_], mode| {
        let action = Action::Change { commands: vec![command.clone()] };
        let fake = Fake::new(answers);
        let scene = &scene;
        async move { failure(scene.watched(&fake, StepKind::Fix, action, mode, false).await) }
    };
    // It went back before anything began.
    assert_eq!(fix(&[Ok(Watch::WentBack)], Mode::Start).await.0, "went-back-by-itself");
    assert_eq!(scene.text("log"), "");
    let (code, effect, _) = fix(&[Ok(Watch::Armed), Ok(Watch::GoesBack)], Mode::Start).await;
    assert_eq!((code.as_str(), effect), ("went-back-by-itself", Effected::Possibly));
    assert_eq!(scene.text("log"), "done\n");
    // The same where an earlier controller began it.
    std::fs::remove_dir_all(scene.file("jobs")).unwrap();
    std::fs::remove_file(scene.file("log")).unwrap();
    let (first, second) =
        tokio::join!(tokio::time::timeout(Duration::from_millis(700), fix(&[Ok(Watch::Armed)], Mode::Start)), async {
            tokio::time::sleep(Duration::from_millis(800)).await;
            let end = fix(&[Ok(Watch::WentBack)], Mode::Attach).await;
            (end.0, scene.text("log"))
        });
    assert!(first.is_err(), "its controller was killed");
    assert_eq!(second, ("went-back-by-itself".into(), "done\n".into()));
}

#[tokio::test]
async fn a_restore_is_not_disturbed_and_ends_the_watch() {
    let scene = with_backup();
    let restore = || Action::Restore { backup: id("backup"), back_within: TimeSpan::seconds(5) };
    let fake = Fake::new(&[Ok(Watch::Armed), Ok(Watch::Armed), Ok(Watch::Disarmed)]);
    facts(scene.watched(&fake, StepKind::Restore, restore(), Mode::Start, true).await);
    let asked = fake.asked();
    assert_eq!(asked.last(), Some(&Asked::Disarm), "{asked:?}");
    assert!(asked.contains(&Asked::Renew) && asked.contains(&Asked::Restore), "{asked:?}");

    // A call that is lost is made again: nobody renews the watch any more. A machine that is not reached is asked again.
    for (answers, unreached) in [
        (vec![Ok(Watch::Armed), Ok(Watch::Armed), silent(), Ok(Watch::Disarmed)], 0),
        (vec![Ok(Watch::Armed), Ok(Watch::Armed), Ok(Watch::GoesBack), Ok(Watch::Failed("no space".into()))], 0),
        (vec![Ok(Watch::Disarmed)], 1),
    ] {
        let fake = Fake::new(&answers);
        fake.unreached.store(unreached, Ordering::Relaxed);
        facts(scene.watched(&fake, StepKind::Restore, restore(), Mode::Start, true).await);
        let asked = fake.asked();
        let restores = asked.iter().filter(|asked| **asked == Asked::Restore).count();
        assert_eq!((restores, asked.last()), (1 + unreached as usize, Some(&Asked::Disarm)), "{asked:?}");
        assert_eq!(fake.answers.lock().unwrap().len(), 1, "all was asked: {asked:?}");
    }
    let mut scene = with_backup();
    scene.timeout = TimeSpan::seconds(3);
    let fake = Fake::new(&[Ok(Watch::Armed), Ok(Watch::Armed), silent()]);
    let unclear = scene.watched(&fake, StepKind::Restore, restore(), Mode::Start, true).await;
    let StepResult::Unknown { reason } = unclear else { panic!("{unclear:?}") };
    assert!(reason.text.contains("begins to put it back by itself at 20"), "{reason:?}");

    // Whoever finds it stuck is told what the watch will do.
    let begun = crate::env::now();
    for (answer, told) in [
        (Ok(Watch::Armed), "its watch is armed, and begins to put it back by itself at 20"),
        (silent(), "does not answer; it begins to put it back by itself at 20"),
        (Ok(Watch::WentBack), "it went back and was restored"),
    ] {
        let broken = Fake { unreached: u32::MAX.into(), ..Fake::default() };
        broken.answers.lock().unwrap().push_back(answer);
        let broken = Arc::new(broken);
        let result = scene.watched(&broken, StepKind::Restore, restore(), Mode::Start, true).await;
        let StepResult::Failed { reason, .. } = result else { panic!("{result:?}") };
        assert!(reason.text.starts_with("no route to host; ") && reason.text.contains(told), "{}", reason.text);
        // A call may take half a minute, and who waits for its end looks every five seconds.
        let at = reason.text.split(" itself at ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        let least = TimeSpan::seconds(35).plus(AFTER).after(begun);
        assert!(at.is_none_or(|at: jiff::Timestamp| at >= least), "{}", reason.text);
    }
}
