//! The step executor on this machine and over a real sshd.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::model::{
    AttemptId, CampaignId, Digest, ExecProvider, FactRef, Fix, HostName, Importance, Priority, Program,
    ProviderSettings, RuleName, StepId, SwitchSettings,
};
use crate::plan::{HostPlan, PLAN_FORMAT, Plan, PlanReport, Probe, Rollout, StepKind, Strategy};
use crate::switch::{Endpoint, SwitchError, TrafficState};
use crate::transport::testing::{Sshd, kill, masters};
use crate::transport::{LocalTransport, Session, SshLimits, SshTransport};

use super::*;

mod bisect;
mod watch;

#[derive(Default)]
struct Listener {
    cancelled: AtomicBool,
    notes: Mutex<Vec<String>>,
}

impl StepContext for Listener {
    fn progress(&self, note: &str) {
        self.notes.lock().unwrap().push(note.to_owned());
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// One host, one step, and a folder to leave traces in.
struct Scene {
    dir: tempfile::TempDir,
    host: Host,
    transport: Arc<dyn Transport>,
    listener: Arc<Listener>,
    facts: BTreeMap<(StepId, String), String>,
    scripts: Vec<String>,
    timeout: TimeSpan,
}

impl Scene {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            host: Host::named(HostName::new("web-1").unwrap()),
            transport: Arc::new(LocalTransport),
            listener: Arc::default(),
            facts: BTreeMap::new(),
            scripts: Vec::new(),
            timeout: TimeSpan::seconds(40),
        }
    }

    fn over_ssh(sshd: &Sshd) -> (Self, Arc<SshTransport>) {
        let transport = Arc::new(SshTransport::new(SshLimits::default()).unwrap());
        let mut scene = Self { transport: transport.clone(), ..Self::new() };
        scene.host.address = Some("127.0.0.1".into());
        scene.host.ssh.port = Some(sshd.port);
        scene.host.ssh.user = Some("root".into());
        scene.host.ssh.identity = Some(sshd.file("user_key").display().to_string());
        scene.host.ssh.host_key = Some(sshd.public_key("host_key.pub"));
        (scene, transport)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    /// A command that runs this script with the folder as `$1`.
    fn sh(&self, script: &str) -> Command {
        Command {
            name: "a command".into(),
            program: Program::Argv,
            argv: ["/bin/sh", "-c", script, "sh", self.dir.path().to_str().unwrap()].map(str::to_owned).to_vec(),
            env: BTreeMap::new(),
            env_facts: BTreeMap::new(),
            root: true,
            timeout: TimeSpan::seconds(20),
            repeatable: false,
        }
    }

    async fn run(&self, kind: StepKind, action: Action, mode: Mode) -> StepResult {
        self.run_with(kind, action, mode, |_| {}, |executor| executor).await
    }

    /// With a plan that was changed and another executor.
    async fn run_with(
        &self,
        kind: StepKind,
        action: Action,
        mode: Mode,
        change: impl FnMut(&mut HostPlan),
        set: impl FnOnce(RemoteExecutor) -> RemoteExecutor,
    ) -> StepResult {
        self.run_planned(kind, action, mode, |plan| plan.hosts_mut().for_each(change), set).await
    }

    async fn run_planned(
        &self,
        kind: StepKind,
        action: Action,
        mode: Mode,
        change: impl FnOnce(&mut Plan),
        set: impl FnOnce(RemoteExecutor) -> RemoteExecutor,
    ) -> StepResult {
        let id = StepId::of(&self.host.name, kind.as_str());
        let step = Step {
            id: id.clone(),
            kind,
            needs: Vec::new(),
            on: None,
            stands_for: Vec::new(),
            action,
            undo: Vec::new(),
            expected: TimeSpan::ZERO,
            timeout: self.timeout,
        };
        let executor = RemoteExecutor::new(Arc::clone(&self.transport))
            .with_spool(JobSpool::at(self.file("jobs").to_str().unwrap()));
        let executor = set(executor);
        let mut plan = plan(self.host.clone(), step);
        plan.scripts.extend(self.scripts.iter().map(|script| (Digest::of(script.as_bytes()), script.clone())));
        change(&mut plan);
        let request = StepRequest {
            plan: Arc::new(plan),
            host: self.host.name.clone(),
            attempt: AttemptId { campaign: CampaignId::new("c1").unwrap(), step: id, generation: 1 },
            mode,
            facts: Arc::new(self.facts.clone()),
        };
        executor.execute(self.listener.clone(), request).await
    }

    /// With a plan that holds this script.
    async fn run_scripted(&self, kind: StepKind, action: Action, mode: Mode, script: &str) -> StepResult {
        self.run_planned(
            kind,
            action,
            mode,
            |plan| {
                plan.scripts.insert(Digest::of(script.as_bytes()), script.to_owned());
            },
            |executor| executor,
        )
        .await
    }

    async fn check(&self, script: &str) -> StepResult {
        self.run(StepKind::Preflight, Action::Check { commands: vec![self.sh(script)], probes: vec![] }, Mode::Start)
            .await
    }

    async fn change(&self, commands: Vec<Command>, mode: Mode) -> StepResult {
        self.run(StepKind::Fix, Action::Change { commands }, mode).await
    }
}

fn plan(host: Host, step: Step) -> Plan {
    let host_plan = HostPlan {
        host: host.clone(),
        importance: Importance::General,
        priority: Priority::High,
        strategy: Strategy::InPlace,
        strategy_reason: Reason::new("strategy", "asked for"),
        cohort: RuleName::new("debian-12").unwrap(),
        fix: Fix { packages: Vec::new(), findings: Vec::new() },
        playbook: RuleName::new("test").unwrap(),
        wave: 0,
        emergency: false,
        group: None,
        pools: Default::default(),
        windows: None,
        quarantine: TimeSpan::days(30),
        without_backup: false,
        steps: vec![step],
    };
    Plan {
        format: PLAN_FORMAT,
        made_by: "test".into(),
        as_of: jiff::Timestamp::UNIX_EPOCH,
        seed: 0,
        tzdata: "test".into(),
        inputs: BTreeMap::new(),
        rollout: Rollout {
            waves: Vec::new(),
            groups: BTreeMap::new(),
            failure_budget: 1,
            concurrency: 1,
            pools: BTreeMap::new(),
            margin: TimeSpan::ZERO,
            domain: None,
        },
        windows: BTreeMap::new(),
        hosts: [(host.name, Arc::new(host_plan))].into(),
        approvals: Vec::new(),
        author: None,
        ticket: None,
        signers: BTreeMap::new(),
        change: None,
        notify: Vec::new(),
        scripts: BTreeMap::<Digest, String>::new(),
        report: PlanReport::default(),
    }
}

#[track_caller]
fn facts(result: StepResult) -> BTreeMap<String, String> {
    match result {
        StepResult::Succeeded { facts, .. } => facts,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn failure(result: StepResult) -> (String, Effected, String) {
    match result {
        StepResult::Failed { reason, effect, evidence } => (reason.code, effect, evidence),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn checks_answer_with_facts_and_reasons() {
    let scene = Scene::new();
    let found = facts(scene.check("echo '##switchback fact kernel 6.1'; echo noise").await);
    assert_eq!(found["kernel"], "6.1");
    assert!(matches!(scene.check("exit 3").await, StepResult::NothingToDo { .. }));
    let script =
        "echo seen; printf 'bad\\033[2J\\n' >&2; echo '##switchback reason no-space 10 MB are missing'; exit 4";
    let (code, effect, evidence) = failure(scene.check(script).await);
    assert_eq!((code.as_str(), effect), ("no-space", Effected::No));
    assert_eq!(evidence, "seen\nbad\u{fffd}[2J");
    let (code, effect, _) = failure(scene.check("exit 255").await);
    assert_eq!((code.as_str(), effect), ("check-failed", Effected::No));
    assert!(!scene.file("jobs").exists(), "a check is no job");
}

#[tokio::test]
async fn a_missing_fact_is_a_failure_and_nothing_runs() {
    let mut scene = Scene::new();
    let mut command = scene.sh("echo \"$FROM\" >>$1/got");
    let step = StepId::new("web-1/preflight").unwrap();
    command.env_facts.insert("FROM".into(), FactRef { step: step.clone(), key: "from".into(), otherwise: None });
    let (code, effect, _) = failure(scene.change(vec![command.clone()], Mode::Start).await);
    assert_eq!((code.as_str(), effect), ("command-not-rendered", Effected::No));
    scene.facts.insert((step, "from".into()), "it's $(id)".into());
    facts(scene.change(vec![command], Mode::Start).await);
    assert_eq!(scene.text("got"), "it's $(id)\n");
}

#[tokio::test]
async fn changes_run_once_in_order_and_an_attach_reads_their_results() {
    let scene = Scene::new();
    let commands = vec![
        scene.sh("echo one >>$1/log; echo '##switchback fact a 1'"),
        scene.sh("echo two >>$1/log; exit 3"),
        scene.sh("echo three >>$1/log; echo '##switchback fact b 2'"),
    ];
    for mode in [Mode::Start, Mode::Attach, Mode::Attach] {
        let found = facts(scene.change(commands.clone(), mode).await);
        assert_eq!((found["a"].as_str(), found["b"].as_str()), ("1", "2"));
        assert_eq!(scene.text("log"), "one\ntwo\nthree\n");
    }
    assert!(scene.file("jobs/c1/fix/1.0").exists());
}

#[tokio::test]
async fn a_failed_change_says_what_it_may_have_done() {
    for (script, code, effect) in [
        ("exit 1", "command-failed", Effected::Possibly),
        ("exit 4", "command-failed", Effected::No),
        ("exit 75", "command-failed", Effected::No),
        ("echo '##switchback reason postinst-failed nginx'; exit 100", "postinst-failed", Effected::Possibly),
    ] {
        let scene = Scene::new();
        let (found, possible, _) = failure(scene.change(vec![scene.sh(script)], Mode::Start).await);
        assert_eq!((found.as_str(), possible), (code, effect), "{script}");
        let scene = Scene::new();
        let (_, possible, _) = failure(scene.change(vec![scene.sh("true"), scene.sh(script)], Mode::Start).await);
        assert_eq!(possible, Effected::Possibly, "the first command has changed something: {script}");
    }
    let scene = Scene::new();
    let slow = Command { timeout: TimeSpan::seconds(1), ..scene.sh("sleep 20") };
    let (code, effect, _) = failure(scene.change(vec![slow], Mode::Start).await);
    assert_eq!((code.as_str(), effect), ("command-timeout", Effected::Possibly));
}

#[tokio::test]
async fn a_passing_failure_is_repeated_only_where_that_is_allowed() {
    let scene = Scene::new();
    let script = "echo try >>$1/log; [ $(wc -l <$1/log) -ge 2 ] || exit 75";
    failure(scene.change(vec![scene.sh(script)], Mode::Start).await);
    assert_eq!(scene.text("log"), "try\n");
    let scene = Scene::new();
    let repeatable = Command { repeatable: true, ..scene.sh(script) };
    facts(scene.change(vec![repeatable.clone()], Mode::Start).await);
    facts(scene.change(vec![repeatable], Mode::Attach).await);
    assert_eq!(scene.text("log"), "try\ntry\n");
}

#[tokio::test]
async fn a_check_whose_time_is_up_in_one_more_try_tells_what_it_waited_for() {
    let scene = Scene::new();
    let script =
        "echo try >>$1/log; [ $(wc -l <$1/log) -ge 2 ] && sleep 20; echo '##switchback reason locked by apt'; exit 75";
    let command = Command { repeatable: true, ..scene.sh(script) };
    let action = Action::Check { commands: vec![command], probes: vec![] };
    let short = |plan: &mut HostPlan| plan.steps.iter_mut().for_each(|step| step.timeout = TimeSpan::seconds(5));
    let result = scene.run_with(StepKind::Preflight, action, Mode::Start, short, |executor| executor).await;
    let (code, effect, _) = failure(result);
    assert_eq!((code.as_str(), effect), ("locked", Effected::No));
    assert_eq!(scene.text("log").lines().count(), 2, "it was tried again");
}

#[tokio::test]
async fn a_lost_job_is_unknown_and_one_lost_by_a_reboot_has_failed() {
    let scene = Scene::new();
    let command = scene.sh("echo ran >>$1/log");
    facts(scene.change(vec![command.clone()], Mode::Start).await);
    let job = scene.file("jobs/c1/fix/1.0");
    std::fs::remove_file(job.join("rc")).unwrap();
    match scene.change(vec![command.clone()], Mode::Attach).await {
        StepResult::Unknown { reason } => assert_eq!(reason.code, "job-lost"),
        other => panic!("{other:?}"),
    }
    std::fs::write(job.join("started"), "another.1\n").unwrap();
    let (code, effect, _) = failure(scene.change(vec![command.clone()], Mode::Attach).await);
    assert_eq!((code.as_str(), effect), ("job-lost-by-reboot", Effected::Possibly), "nothing of it can run any more");
    assert_eq!(scene.text("log"), "ran\n");
    let (code, effect, _) = failure(scene.change(vec![scene.sh("true")], Mode::Attach).await);
    assert_eq!((code.as_str(), effect), ("job-conflict", Effected::Possibly));
}

#[tokio::test]
async fn a_host_that_cannot_take_a_job_proves_nothing_to_a_second_controller() {
    let scene = Scene::new();
    std::fs::write(scene.file("jobs"), "a file where the folder of jobs belongs").unwrap();
    let command = scene.sh("echo ran >>$1/log");
    let action = |kind: StepKind| match kind {
        StepKind::Reboot => reboot(command.clone(), None, 5),
        _ => Action::Change { commands: vec![command.clone()] },
    };
    for kind in [StepKind::Fix, StepKind::Reboot] {
        let (code, effect, _) = failure(scene.run(kind, action(kind), Mode::Start).await);
        assert_eq!((code.as_str(), effect), ("job-not-started", Effected::No));
        match scene.run(kind, action(kind), Mode::Attach).await {
            StepResult::Unknown { reason } => assert_eq!(reason.code, "job-not-started"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(scene.text("log"), "");
}

#[tokio::test]
async fn a_killed_connection_does_not_cost_the_step() {
    let Some(sshd) = Sshd::start() else { return };
    let (scene, transport) = Scene::over_ssh(&sshd);
    let killer = async {
        let soon = Instant::now() + Duration::from_secs(20);
        while scene.text("log").is_empty() && Instant::now() < soon {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(scene.text("log"), "ran\n", "killed while the job runs");
        masters(transport.folder()).into_iter().for_each(kill);
    };
    let commands = vec![scene.sh("echo ran >>$1/log; sleep 2; echo '##switchback fact done yes'")];
    let (result, ()) = tokio::join!(scene.change(commands, Mode::Start), killer);
    assert_eq!(facts(result)["done"], "yes");
    assert_eq!(scene.text("log"), "ran\n");
    assert!(scene.listener.notes.lock().unwrap().iter().any(|note| note.contains("asking again")));
}

#[tokio::test]
async fn a_host_that_is_not_itself_or_not_there_is_told_apart() {
    let Some(mut sshd) = Sshd::start() else { return };
    let (mut scene, _) = Scene::over_ssh(&sshd);
    scene.timeout = TimeSpan::seconds(3);
    let right = scene.host.ssh.host_key.replace(sshd.public_key("other_key.pub"));
    for mode in [Mode::Start, Mode::Attach] {
        let (code, effect, _) = failure(scene.change(vec![scene.sh("true")], mode).await);
        assert_eq!(code, "host-key-mismatch");
        assert_eq!(effect, if mode == Mode::Start { Effected::No } else { Effected::Possibly });
    }
    assert_eq!(failure(scene.check("true").await).0, "host-key-mismatch");
    scene.host.ssh.host_key = right;
    sshd.kill();
    assert_eq!(failure(scene.check("true").await).0, "unreachable");
}

fn reboot(command: Command, required: Option<Command>, back_within: u64) -> Action {
    Action::Reboot { required, command, back_within: TimeSpan::seconds(back_within) }
}

#[tokio::test]
async fn a_reboot_is_proven_or_it_did_not_happen() {
    let scene = Scene::new();
    let found = facts(
        scene.run(StepKind::Reboot, reboot(scene.sh("touch $1/down"), Some(scene.sh("exit 3")), 5), Mode::Start).await,
    );
    assert_eq!(found["reboot"], "not-required");
    assert!(!scene.file("down").exists());

    // This machine cannot be rebooted: the marker that the job was started with is changed instead.
    let goes_down =
        scene.sh("echo down >>$1/down; (sleep 1; echo another.1 >$1/jobs/c1/reboot/1.0/started) & sleep 0.2");
    for mode in [Mode::Start, Mode::Attach] {
        let found =
            facts(scene.run(StepKind::Reboot, reboot(goes_down.clone(), Some(scene.sh("true")), 10), mode).await);
        assert_eq!(found["reboot"], "proven");
        assert_eq!(scene.text("down"), "down\n", "asked once");
    }

    let scene = Scene::new();
    let (code, effect, _) = failure(scene.run(StepKind::Reboot, reboot(scene.sh("true"), None, 2), Mode::Start).await);
    assert_eq!((code.as_str(), effect), ("not-rebooted", Effected::Possibly));
}

fn exec_provider(scene: &Scene) -> ExecProvider {
    let argv = |script: &str, more: &[&str]| {
        let words = [&["/bin/sh", "-c", script, "sh", scene.dir.path().to_str().unwrap()], more].concat();
        words.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    ExecProvider {
        backup: argv("cp $1/data $1/saved; echo \"$2\" >>$1/keys; echo saved", &["{key}"]),
        restore: argv("cp $1/$2 $1/data", &["{ref}"]),
        verify_backup: Some(argv("[ -s $1/$2 ]", &["{ref}"])),
        ..ExecProvider::default()
    }
}

#[tokio::test]
async fn a_backup_that_nobody_heard_of_is_found_by_its_key_and_deleted() {
    let mut scene = Scene::new();
    let of = exec_provider(&scene);
    let argv = |script: &str| {
        let mut argv = of.backup.clone();
        script.clone_into(&mut argv[2]);
        *argv.last_mut().unwrap() = "{ref}".to_owned();
        argv
    };
    let list = "cd $1; for b in saved other; do [ ! -e $b ] || echo backup $([ $b = other ] && echo c2 || echo c1)/web-1/backup/1 $b; done";
    let mut list = argv(list);
    list.pop();
    let provider = ExecProvider { list: Some(list), delete: Some(argv("rm $1/$2")), ..of };
    scene.host.provider = Some(ProviderSettings::Exec(provider));
    for file in ["data", "other"] {
        std::fs::write(scene.file(file), "").unwrap();
    }
    // It was made and is not whole: the step leaves no word of it.
    let backup = scene.run(StepKind::Backup, Action::Backup { keep: TimeSpan::ZERO }, Mode::Start).await;
    assert_eq!(failure(backup).0, "backup-not-verified");
    assert!(scene.file("saved").exists());
    let release = Action::Release { backup: StepId::new("web-1/backup").unwrap(), promote: None };
    for mode in [Mode::Start, Mode::Attach] {
        facts(scene.run(StepKind::Release, release.clone(), mode).await);
        assert!(!scene.file("saved").exists());
        assert!(scene.file("other").exists(), "another campaign's");
    }
}

#[tokio::test]
async fn a_host_is_backed_up_and_restored() {
    let mut scene = Scene::new();
    let backup = Action::Backup { keep: TimeSpan::days(7) };
    let (code, effect, _) = failure(scene.run(StepKind::Backup, backup.clone(), Mode::Start).await);
    assert_eq!((code.as_str(), effect), ("no-provider", Effected::No));

    scene.host.provider = Some(ProviderSettings::Exec(exec_provider(&scene)));
    std::fs::write(scene.file("data"), "").unwrap();
    let (code, effect, _) = failure(scene.run(StepKind::Backup, backup.clone(), Mode::Start).await);
    assert_eq!((code.as_str(), effect), ("backup-not-verified", Effected::Possibly), "an empty backup");

    std::fs::write(scene.file("data"), "before").unwrap();
    let made = facts(scene.run(StepKind::Backup, backup, Mode::Start).await);
    assert_eq!(made["backup"], "saved");
    assert!(scene.text("keys").ends_with("c1/web-1/backup/1\n"));

    std::fs::write(scene.file("data"), "after").unwrap();
    let step = StepId::new("web-1/backup").unwrap();
    let restore = Action::Restore { backup: step.clone(), back_within: TimeSpan::seconds(5) };
    let (code, effect, _) = failure(scene.run(StepKind::Restore, restore.clone(), Mode::Start).await);
    assert_eq!((code.as_str(), effect), ("no-backup", Effected::No));
    scene.facts.insert((step, "backup".into()), made["backup"].clone());
    for mode in [Mode::Start, Mode::Attach] {
        facts(scene.run(StepKind::Restore, restore.clone(), mode).await);
        assert_eq!(scene.text("data"), "before");
    }
    std::fs::remove_file(scene.file("saved")).unwrap();
    let unclear = scene.run(StepKind::Restore, restore, Mode::Start).await;
    assert!(matches!(unclear, StepResult::Unknown { .. }), "cp ended with 1: {unclear:?}");
}

#[tokio::test]
async fn a_restored_host_must_answer_with_its_own_key() {
    let Some(sshd) = Sshd::start() else { return };
    let (mut scene, _) = Scene::over_ssh(&sshd);
    scene.host.provider = Some(ProviderSettings::Exec(exec_provider(&scene)));
    std::fs::write(scene.file("saved"), "x").unwrap();
    let step = StepId::new("web-1/backup").unwrap();
    scene.facts.insert((step.clone(), "backup".into()), "saved".into());
    let restore = Action::Restore { backup: step, back_within: TimeSpan::seconds(5) };
    facts(scene.run(StepKind::Restore, restore.clone(), Mode::Start).await);
    scene.host.ssh.host_key = Some(sshd.public_key("other_key.pub"));
    let (code, effect, _) = failure(scene.run(StepKind::Restore, restore, Mode::Start).await);
    assert_eq!((code.as_str(), effect), ("host-key-mismatch", Effected::Possibly));
}

#[tokio::test]
async fn traffic_is_moved_through_the_switch() {
    let mut scene = Scene::new();
    let drain = Action::Drain { idle_within: TimeSpan::seconds(5) };
    assert_eq!(failure(scene.run(StepKind::Drain, drain.clone(), Mode::Start).await).0, "no-switch");
    let argv =
        |script: &str| ["/bin/sh", "-c", script, "sh", scene.dir.path().to_str().unwrap()].map(str::to_owned).to_vec();
    let (out, back) = (argv("echo out >>$1/traffic"), argv("echo in >>$1/traffic; [ ! -e $1/broken ]"));
    scene.host.switch = Some(SwitchSettings::Command {
        drain: out,
        undrain: back,
        endpoint: None,
        switch: None,
        status: None,
        timeout: None,
    });
    facts(scene.run(StepKind::Drain, drain, Mode::Start).await);
    facts(scene.run(StepKind::Undrain, Action::Undrain, Mode::Start).await);
    assert_eq!(scene.text("traffic"), "out\nin\n");
    std::fs::write(scene.file("broken"), "").unwrap();
    let (code, effect, _) = failure(scene.run(StepKind::Undrain, Action::Undrain, Mode::Attach).await);
    assert_eq!((code.as_str(), effect), ("undrain-failed", Effected::Possibly));
}

fn soak(scene: &Scene, span: u64, script: &str) -> Action {
    let (span, every) = (TimeSpan::seconds(span), TimeSpan::seconds(1));
    Action::Soak { span, every, commands: vec![scene.sh(script)], probes: vec![] }
}

#[tokio::test]
async fn a_soak_forgives_one_failure_and_not_two() {
    let scene = Scene::new();
    let once = "echo x >>$1/log; [ $(wc -l <$1/log) -ne 2 ]";
    facts(scene.run(StepKind::Soak, soak(&scene, 3, once), Mode::Start).await);
    assert!(scene.text("log").lines().count() >= 4);
    let scene = Scene::new();
    let action = soak(&scene, 30, "echo x >>$1/log; [ $(wc -l <$1/log) -lt 2 ]");
    let (code, effect, _) = failure(scene.run(StepKind::Soak, action, Mode::Start).await);
    assert_eq!((code.as_str(), effect, scene.text("log").lines().count()), ("check-failed", Effected::No, 3));
}

#[tokio::test]
async fn an_abort_ends_a_soak() {
    let scene = Scene::new();
    scene.listener.cancelled.store(true, Ordering::Relaxed);
    let (code, ..) = failure(scene.run(StepKind::Soak, soak(&scene, 3600, "true"), Mode::Start).await);
    assert_eq!(code, "cancelled");
}

/// Answers one request a connection with this text, until the test ends.
fn serve(answer: &'static str) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

#[tokio::test]
async fn probes_ask_once_and_follow_nobody() {
    let ok = serve("HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nall fine");
    let moved =
        serve("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let ask = async |port: u16, status: u16, contains: Option<&str>| {
        let probe = Probe {
            name: RuleName::new("shop answers").unwrap(),
            url: format!("http://127.0.0.1:{port}/health"),
            status,
            contains: contains.map(str::to_owned),
            timeout: TimeSpan::seconds(1),
        };
        http::probe(&probe).await
    };
    assert_eq!(ask(ok, 200, Some("fine")).await, Ok(()));
    assert!(ask(ok, 200, Some("ready")).await.is_err());
    assert_eq!(ask(ok, 204, None).await, Err("answered 200, expected 204".into()));
    assert_eq!(ask(moved, 302, None).await, Ok(()));
    assert_eq!(ask(moved, 200, None).await, Err("answered 302, expected 200".into()));
    assert!(ask(silent.local_addr().unwrap().port(), 200, None).await.unwrap_err().contains("timeout"));
    assert!(ask(1, 200, None).await.is_err());
}

/// Takes a host out and never sees it idle.
struct Busy(Option<u64>);

impl crate::switch::Switch for Busy {
    fn status<'a>(&'a self, _: &'a Host) -> BoxFuture<'a, Result<TrafficState, SwitchError>> {
        Box::pin(async { Ok(self.0.map_or(TrafficState::InService, |n| TrafficState::Drained { running: Some(n) })) })
    }
    fn drain<'a>(&'a self, _: &'a Host, _: TimeSpan) -> BoxFuture<'a, Result<(), SwitchError>> {
        Box::pin(async { Err(SwitchError("not idle".into())) })
    }
    fn undrain<'a>(&'a self, _: &'a Host) -> BoxFuture<'a, Result<(), SwitchError>> {
        Box::pin(async { Ok(()) })
    }
    fn endpoint<'a>(&'a self, _: &'a Host) -> BoxFuture<'a, Result<Endpoint, SwitchError>> {
        Box::pin(async { Ok(Endpoint("10.0.0.1:80".into())) })
    }
    fn switch<'a>(&'a self, _: &'a Host, _: &'a Endpoint) -> BoxFuture<'a, Result<(), SwitchError>> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn requests_that_hang_on_a_failed_service_do_not_keep_it_from_its_restore() {
    let scene = Scene::new();
    let drain = |running, way_back: bool| {
        let change = move |plan: &mut HostPlan| {
            if way_back {
                let step = plan.steps.remove(0);
                plan.steps.push(Step { id: StepId::new("web-1/undrain").unwrap(), undo: vec![step.clone()], ..step });
            }
        };
        let action = Action::Drain { idle_within: TimeSpan::seconds(1) };
        let set = move |executor: RemoteExecutor| {
            executor.with_backends(Box::new(|_| None), Box::new(move |_| Some(Arc::new(Busy(running)))))
        };
        scene.run_with(StepKind::Drain, action, Mode::Start, change, set)
    };
    facts(drain(Some(3), true).await);
    let (code, effect, _) = failure(drain(Some(3), false).await);
    assert_eq!((code.as_str(), effect), ("drain-failed", Effected::Possibly), "on the way out requests are waited for");
    assert_eq!(failure(drain(None, true).await).0, "drain-failed", "it takes new requests");
}

/// No host is reached.
struct Nowhere;

impl Transport for Nowhere {
    fn open<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Arc<dyn Session>, TransportError>> {
        Box::pin(async move { Err(TransportError::HostKey { host: host.name.to_string(), why: "nobody".to_owned() }) })
    }
}

#[tokio::test]
async fn an_ansible_playbook_runs_once_and_on_this_machine() {
    let mut scene = Scene::new();
    scene.transport = Arc::new(Nowhere);
    let script = format!("echo run >>'{}'\necho '##switchback fact changed 3'\n", scene.file("log").display());
    let digest = Digest::of(script.as_bytes());
    let command = Command { program: Program::Ansible { digest }, argv: Vec::new(), root: false, ..scene.sh("") };
    let run = async |kind: StepKind, mode: Mode| {
        let action = match kind {
            StepKind::Fix => Action::Change { commands: vec![command.clone()] },
            _ => Action::Check { commands: vec![command.clone()], probes: vec![] },
        };
        scene.run_scripted(kind, action, mode, &script).await
    };
    // Looked for and not there: perhaps another machine has started it, and so nobody does it again.
    assert!(matches!(run(StepKind::Fix, Mode::Attach).await, StepResult::Unknown { .. }));
    assert_eq!(scene.text("log"), "");
    for mode in [Mode::Start, Mode::Attach, Mode::Start] {
        assert_eq!(facts(run(StepKind::Fix, mode).await)["changed"], "3");
        assert_eq!(scene.text("log"), "run\n");
    }
    // Apart from the jobs of other hosts, which have the same steps.
    assert!(scene.file("jobs/c1.web-1/fix").is_dir());
    assert_eq!(facts(run(StepKind::Verify, Mode::Start).await)["changed"], "3");
    assert_eq!(scene.text("log"), "run\nrun\n");
}
