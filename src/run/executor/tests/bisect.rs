//! The search for what breaks a host: on whatever is to blame, in how many trials, and that no clone is left behind.

use std::collections::BTreeSet;

use crate::model::PackageName;
use crate::provider::{BackupRef, CloneHost, CloneRef, EffectKey, Held, Provider, ProviderError};

use super::*;

/// Clones that are this machine.
#[derive(Default)]
struct Clones {
    live: Mutex<BTreeMap<String, String>>,
    made: Mutex<u32>,
}

impl Provider for Clones {
    fn backup<'a>(&'a self, _: &'a Host, _: &'a EffectKey) -> BoxFuture<'a, Result<BackupRef, ProviderError>> {
        Box::pin(async { Ok(BackupRef("b".into())) })
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
        Box::pin(async { Ok(()) })
    }
    fn delete_backup<'a>(&'a self, _: &'a Host, _: &'a BackupRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async { Ok(()) })
    }
    fn list<'a>(&'a self, _: &'a Host) -> BoxFuture<'a, Result<Vec<(EffectKey, Held)>, ProviderError>> {
        let live = self.live.lock().unwrap().clone();
        Box::pin(async move {
            Ok(live.into_iter().map(|(name, key)| (EffectKey(key), Held::Clone(CloneRef(name)))).collect())
        })
    }
    fn clone_host<'a>(
        &'a self,
        _: &'a Host,
        backup: &'a BackupRef,
        key: &'a EffectKey,
    ) -> BoxFuture<'a, Result<CloneHost, ProviderError>> {
        assert_eq!(backup.0, "b");
        let mut made = self.made.lock().unwrap();
        *made += 1;
        let name = format!("clone-{made}");
        self.live.lock().unwrap().insert(name.clone(), key.0.clone());
        Box::pin(async move {
            Ok(CloneHost {
                reference: CloneRef(name),
                address: "127.0.0.1".into(),
                host_key: "ssh-ed25519 AAAA".into(),
            })
        })
    }
    fn destroy<'a>(&'a self, _: &'a Host, clone: &'a CloneRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        self.live.lock().unwrap().remove(&clone.0);
        Box::pin(async { Ok(()) })
    }
}

fn package(name: &str) -> PackageName {
    PackageName::new(name).unwrap()
}

/// Searches among `units` packages of which these break the host. A trial's fix writes down what it left out; its verify
/// fails unless all of the culprits are left out.
async fn search(units: usize, culprits: &BTreeSet<usize>, fix: &str) -> (StepResult, Arc<Clones>) {
    let mut scene = Scene::new();
    scene.timeout = TimeSpan::minutes(2);
    let id = |step: &str| StepId::new(&format!("web-1/{step}")).unwrap();
    scene.facts.insert((id("backup"), "backup".into()), "b".into());
    let blamed: String =
        culprits.iter().map(|unit| format!("case \" $LEAVE_OUT \" in *' p{unit} '*) ;; *) exit 1 ;; esac; ")).collect();
    let command = |script: &str| {
        let env = [("LEAVE_OUT".to_owned(), String::new())].into();
        Command { env, ..scene.sh(script) }
    };
    let step = |kind: StepKind, action: Action| Step {
        id: id(&format!("{kind}-clone")),
        kind,
        needs: vec![],
        on: Some(id("clone")),
        stands_for: vec![],
        action,
        undo: vec![],
        expected: TimeSpan::ZERO,
        timeout: TimeSpan::seconds(30),
    };
    let trial = vec![
        step(StepKind::Preflight, Action::Check { commands: vec![command("exit 0")], probes: vec![] }),
        step(StepKind::Fix, Action::Change { commands: vec![command(fix)] }),
        step(StepKind::Verify, Action::Check { commands: vec![command(&blamed)], probes: vec![] }),
    ];
    let action = Action::Bisect {
        backup: id("backup"),
        clone: id("clone"),
        steps: trial.iter().map(|step| step.id.clone()).collect(),
        units: (0..units).map(|unit| vec![package(&format!("p{unit}"))]).collect(),
        variable: "LEAVE_OUT".into(),
        back_within: TimeSpan::seconds(5),
        trials: 40,
    };
    let clones = Arc::new(Clones::default());
    // What an earlier try of the search, and the trial that failed, have left.
    for step in ["clone/1", "bisect/1.7"] {
        clones.live.lock().unwrap().insert(format!("left-{step}"), format!("c1/web-1/{step}"));
    }
    clones.live.lock().unwrap().insert("other".into(), "c2/web-1/clone/1".into());
    let provider: Arc<dyn Provider> = clones.clone();
    let add = |plan: &mut HostPlan| plan.steps.splice(0..0, trial.clone()).for_each(drop);
    let set = |executor: RemoteExecutor| {
        executor.with_backends(Box::new(move |_| Some(Arc::clone(&provider))), Box::new(|_| None))
    };
    let result = scene.run_with(StepKind::Bisect, action, Mode::Start, add, set).await;
    (result, clones)
}

fn live(clones: &Clones) -> Vec<String> {
    clones.live.lock().unwrap().keys().cloned().collect()
}

#[tokio::test]
async fn one_culprit_is_found_in_the_logarithm_of_the_packages_and_one() {
    for units in [2_usize, 3, 5, 8] {
        for culprit in 0..units {
            let (result, clones) = search(units, &[culprit].into(), "exit 0").await;
            let found = facts(result);
            assert_eq!(found["left_out"], format!("p{culprit}"), "of {units}");
            let most = units.next_power_of_two().ilog2() + 1;
            let trials: u32 = found["trials"].parse().unwrap();
            assert!(trials <= most, "{trials} trials for one of {units}, at most {most}");
            assert_eq!(trials, *clones.made.lock().unwrap());
            assert_eq!(live(&clones), [found["clone"].as_str(), "other"], "the one with all the others is left");
        }
    }
}

#[tokio::test]
async fn two_culprits_are_found_one_after_the_other() {
    let (result, clones) = search(6, &[1, 4].into(), "exit 0").await;
    let found = facts(result);
    assert_eq!(found["left_out"], "p1 p4");
    assert_eq!(live(&clones), [found["clone"].as_str(), "other"]);
}

#[tokio::test]
async fn where_all_are_to_blame_nothing_is_left_to_fix_and_that_is_said() {
    let (result, clones) = search(2, &[0, 1].into(), "exit 0").await;
    let (code, effect, evidence) = failure(result);
    assert_eq!((code.as_str(), effect, evidence.as_str()), ("nothing-left", Effected::No, "left_out: p0 p1"));
    assert_eq!(live(&clones), ["other"]);
}

#[tokio::test]
async fn a_trial_that_cannot_be_made_blames_nobody() {
    for fix in ["exit 4", "exit 75"] {
        let (result, _) = search(4, &[2].into(), fix).await;
        let (code, effect, _) = failure(result);
        assert_eq!((code.as_str(), effect), ("bisect-inconclusive", Effected::No), "{fix}");
    }
}
