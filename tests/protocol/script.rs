//! The host of the model against the real scripts: every folder that a job can leave, looked at and called upon by both.

use std::fs::{self, File};
use std::path::Path;

use switchback::model::{AttemptId, CampaignId, Host as RealHost, HostName, StepId, TimeSpan};
use switchback::transport::{Call, Job as RealJob, JobSpool, JobState as Said, LocalTransport, Transport as _};

use crate::engine::{Answer, Engines};
use crate::steps::{Taken, Who, next};
use crate::world::{Call as ModelCall, CallAt, Job, JobState, Runner, RunnerAt, Setting, Started, World};

/// Long enough for a job of one line.
const WAIT: TimeSpan = TimeSpan::seconds(10);

fn same(said: &Said, state: JobState) -> bool {
    match (said, state) {
        (Said::Done(output), JobState::Done(answer)) => (output.code == 0) == (answer == Answer::Succeeded),
        (Said::Running(_), JobState::Running)
        | (Said::Claimed, JobState::Claimed)
        | (Said::Absent, JobState::Absent)
        | (Said::Lost, JobState::Lost)
        | (Said::LostByReboot, JobState::LostByReboot) => true,
        _ => false,
    }
}

/// What the model's call answers, and whether a fix began, if nothing goes wrong and the runner is quicker.
fn modelled(mut world: World) -> (JobState, bool) {
    let fixes = world.host.fixes;
    world.calls[0] = Some(ModelCall { from: Some(0), at: CallAt::Sent });
    // Who holds the lock already does nothing more.
    let holder = world.host.runners.into_iter().flatten().next();
    let mut taken: Vec<Taken> = Vec::new();
    loop {
        let answer = world.calls.iter().flatten().find_map(|call| match call.at {
            CallAt::Answers(state) => Some(state),
            _ => None,
        });
        if let Some(state) = answer {
            return (state, world.host.fixes > fixes);
        }
        taken.clear();
        next(&mut Engines::new(), &Setting::new(0), &world, &mut taken);
        let stays = |taken: &&Taken| holder.is_none_or(|holder| taken.world.host.runners.contains(&Some(holder)));
        let step = taken.iter().filter(|taken| taken.step.who == Who::Runner).find(stays);
        let step = step.or_else(|| taken.iter().find(|taken| taken.step.who == Who::Call));
        world = step.expect("a call comes to its end").world;
    }
}

/// Every folder of a job, in the model.
fn folders() -> Vec<Option<Job>> {
    let mut all = vec![None];
    for rc in [None, Some(Answer::Succeeded), Some(Answer::Failed)] {
        for started in [None, Some(true), Some(false)] {
            let started = started.map(|in_this_boot| Started { durable: true, in_this_boot });
            if rc.is_none() || started.is_some() {
                all.push(Some(Job { durable: true, started, rc }));
            }
        }
    }
    all
}

/// Makes a folder so, out of one in which the job has run.
fn make(dir: &Path, job: &Job) {
    match job.started {
        None => fs::remove_file(dir.join("started")).unwrap(),
        Some(Started { in_this_boot: false, .. }) => fs::write(dir.join("started"), "another.1\n").unwrap(),
        Some(_) => {}
    }
    match job.rc {
        // As the claim leaves it.
        None => fs::rename(dir.join("rc"), dir.join("rc.tmp")).unwrap(),
        Some(answer) => fs::write(dir.join("rc"), if answer == Answer::Succeeded { "0\n" } else { "1\n" }).unwrap(),
    }
}

#[tokio::test]
async fn the_scripts_do_what_the_model_does() {
    let place = tempfile::tempdir().unwrap();
    let spool = JobSpool::at(place.path().join("jobs").to_str().unwrap());
    let session = LocalTransport.open(&RealHost::named(HostName::new("host").unwrap())).await.unwrap();
    let count = place.path().join("count");
    let count_of = || fs::read_to_string(&count).unwrap_or_default().lines().count();
    let mut tried = 0;
    for (number, folder) in folders().into_iter().enumerate() {
        for held in [false, true] {
            if held && folder.is_none() {
                continue;
            }
            let attempt = AttemptId {
                campaign: CampaignId::new(&format!("c-{number}-{held}")).unwrap(),
                step: StepId::new("host/fix").unwrap(),
                generation: 1,
            };
            let script = format!("echo ran >>{}", count.display());
            let job = RealJob { attempt, index: "0".to_owned(), script, root: false, limit: WAIT };
            let dir = place.path().join(format!("jobs/{}/fix/1.0", job.attempt.campaign));
            let mut lock = None;
            if let Some(folder) = &folder {
                spool.attach(&*session, &job, Call::StartOrAttach, WAIT).await.unwrap();
                make(&dir, folder);
                if held {
                    let file = File::open(dir.join("lock")).unwrap();
                    file.lock().unwrap();
                    lock = Some(file);
                }
            }
            let mut world = World::new(0);
            world.host.job = folder;
            if held {
                world.host.runners[0] = Some(Runner { at: RunnerAt::Locked, cast_out: false });
            }
            let shown = format!("{folder:?}, lock held: {held}");
            let look = spool.attach(&*session, &job, Call::Look, TimeSpan::ZERO).await.unwrap();
            assert!(same(&look, world.host.look()), "{shown}: {look:?} and {:?}", world.host.look());
            let before = count_of();
            let wait = if held { TimeSpan::ZERO } else { WAIT };
            let said = spool.attach(&*session, &job, Call::StartOrAttach, wait).await.unwrap();
            let (state, runs) = modelled(world);
            assert!(same(&said, state), "{shown}: {said:?} and {state:?}");
            assert_eq!(count_of() - before, usize::from(runs), "{shown}: how often it ran");
            drop(lock);
            tried += 1;
        }
    }
    assert_eq!(tried, 15);
}
