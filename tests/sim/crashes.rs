//! The controller dies behind every record, once and twice, or while it writes one, or cannot write it, or is taken over:
//! the end is the same.

use std::collections::BTreeMap;

use switchback::engine::{Chain, Phase};
use switchback::model::{HostName, HostOutcome, TimeSpan};
use switchback::plan::StepKind;
use switchback::sim::{
    Disturbance, Fault, JournalFault, LostWhen, Moment, SimResult, Took, Trouble, bytes_of, read_tail,
};

use crate::support::{Reboots, Shape, Way};
use crate::{assert_well, run};

const DOWN: [TimeSpan; 2] = [TimeSpan::seconds(1), TimeSpan::minutes(30)];

fn ends(result: &SimResult) -> BTreeMap<HostName, HostOutcome> {
    result.outcomes.iter().map(|(host, (outcome, _))| (host.clone(), *outcome)).collect()
}

/// What a sweep did.
#[derive(Default)]
struct Swept {
    scenarios: usize,
    records: usize,
    /// Places at which a record was torn.
    bytes: usize,
    runs: usize,
}

impl Swept {
    fn tell(&self, of: &str) {
        let Self { scenarios, records, bytes, runs } = self;
        println!(
            "{of}: {scenarios} scenarios of {records} records together, torn at {bytes} bytes; {runs} runs with a \
             crash, every end as without"
        );
    }
}

/// Torn at any byte, a record is not there, and all before it are: whatever the byte, a controller finds the same.
fn tear_everywhere(result: &SimResult, swept: &mut Swept) {
    let first = &result.records[0];
    let mut chain = Chain::new(first.campaign.clone(), first.previous);
    for record in &result.records {
        let bytes = bytes_of(record);
        for kept in 0..bytes.len() {
            assert_eq!(read_tail(&chain, &bytes[..kept]), None, "record {} torn at byte {kept}", record.seq);
        }
        assert_eq!(read_tail(&chain, &bytes).as_ref(), Some(record));
        swept.bytes += bytes.len();
        chain = Chain::after(record);
        assert_eq!(read_tail(&chain, &bytes), None, "what is there already does not follow");
    }
}

/// Runs undisturbed, then with every kind of crash behind every record.
fn crash_everywhere(shape: &Shape, seed: u64, faults: &[(&str, Fault)], swept: &mut Swept) {
    let calm = run(shape, seed, faults, vec![]);
    assert_well(&calm, Phase::Ended);
    assert_eq!(calm.world.faults_reached(), faults.len(), "every fault comes to pass");
    if faults.iter().all(|(_, fault)| matches!(fault, Fault::PackageBreaks { .. })) {
        tear_everywhere(&calm, swept);
    }
    let last = calm.records.len() as u64;
    swept.scenarios += 1;
    swept.records += calm.records.len();
    for behind in 1..last {
        let mut disturbances: Vec<Vec<Disturbance>> =
            DOWN.iter().map(|&down_for| vec![Disturbance::kill(behind, down_for)]).collect();
        disturbances.push(vec![Disturbance::take_over(behind)]);
        let with = |what: Trouble| Disturbance { at: Moment::Record(behind), what };
        let down_for = TimeSpan::seconds(20);
        let torn = with(Trouble::Torn { thousandths: 500, down_for });
        // ... and the one that finds the torn record dies as it takes over, or cannot write.
        let again = |what: Trouble| Disturbance { at: Moment::Controller(2), what };
        disturbances.push(vec![torn.clone()]);
        disturbances.push(vec![torn, again(Trouble::Torn { thousandths: 900, down_for })]);
        let full = Trouble::JournalFails { why: JournalFault::DiskFull, down_for };
        disturbances.push(vec![with(full.clone()), again(full)]);
        // The next controller dies as well, right behind the record by which it takes over, or a little later.
        for later in [1, 2, 5] {
            disturbances.push(vec![Disturbance::kill(behind, down_for), Disturbance::kill(behind + later, down_for)]);
        }
        for disturbances in disturbances {
            let shown = format!("{disturbances:?}");
            let fails = |d: &&Disturbance| matches!(d.what, Trouble::JournalFails { .. });
            let stops = disturbances.iter().filter(fails).count();
            let crashed = run(shape, seed, faults, disturbances);
            if ends(&crashed) != ends(&calm) || crashed.world.state_digest() != calm.world.state_digest() {
                eprintln!("{shown}: {:?} instead of {:?}", ends(&crashed), ends(&calm));
                assert_well(&crashed, Phase::New);
            }
            if !crashed.violations.is_empty() {
                eprintln!("{shown}");
            }
            assert_well(&crashed, Phase::Ended);
            assert!(crashed.controllers > 1, "nobody died: {shown}");
            // The second controller's record is another where the first left none.
            assert!(crashed.stops.len() == stops || behind < 3, "it did not say that it could not write: {shown}");
            swept.runs += 1;
        }
    }
}

#[test]
fn a_crash_behind_any_record_changes_no_end() {
    let shape = Shape { hosts: 3, reboot: Reboots::Always, max_unavailable: Some(2), ..Shape::default() };
    let mut swept = Swept::default();
    for faults in [
        [].as_slice(),
        &[("web-1", Fault::FixFails)],
        &[("web-1", Fault::FixBreaks), ("web-2", Fault::Lost { step: StepKind::Fix, when: LostWhen::During })],
        &[("web-2", Fault::CutOff { step: StepKind::Fix })],
        &[("web-2", Fault::BackupFails), ("web-3", Fault::Lost { step: StepKind::Reboot, when: LostWhen::Before })],
        &[("web-1", Fault::FixBreaks), ("web-1", Fault::RestoreFails)],
        &[("web-1", Fault::DrainFails), ("web-3", Fault::DiskFull)],
    ] {
        crash_everywhere(&shape, 1, faults, &mut swept);
    }
    swept.tell("in_place");
}

#[test]
fn a_crash_changes_no_end_with_waves_and_a_canary() {
    let shape = Shape { hosts: 4, canary: Some(TimeSpan::minutes(10)), waves: vec![1], ..Shape::default() };
    let mut swept = Swept::default();
    crash_everywhere(&shape, 5, &[("web-2", Fault::FixBreaks)], &mut swept);
    swept.tell("waves and a canary");
}

#[test]
fn a_crash_changes_no_end_while_a_clone_takes_the_place_of_its_host() {
    let shape = Shape { hosts: 1, way: Way::CloneAndSwitch, keep: false, ..Shape::default() };
    let mut swept = Swept::default();
    for faults in [
        [].as_slice(),
        &[("web-1", Fault::CloneNeverAnswers)],
        &[("web-1-clone", Fault::BreaksUnderTraffic { after: TimeSpan::seconds(100) })],
        &[("web-1", Fault::SwitchFails { step: StepKind::Switchover, took: Took::Yes })],
        &[("web-1", Fault::PromoteFails { took: Took::Yes })],
        &[("web-1", Fault::Lost { step: StepKind::Promote, when: LostWhen::During })],
        &[("web-1-clone", Fault::FixFails), ("web-1", Fault::DestroyFails)],
    ] {
        crash_everywhere(&shape, 1, faults, &mut swept);
    }
    swept.tell("clone_and_switch");
}

#[test]
fn a_crash_changes_no_end_while_others_wait_for_a_pilot() {
    let shape = Shape { hosts: 2, way: Way::Auto, keep_failed: TimeSpan::days(1), ..Shape::default() };
    let mut swept = Swept::default();
    crash_everywhere(&shape, 1, &[], &mut swept);
    let breaks = Fault::BreaksUnderTraffic { after: TimeSpan::ZERO };
    crash_everywhere(&shape, 1, &[("web-1-clone", breaks)], &mut swept);
    swept.tell("auto");
    let (tried, mut swept) = (Shape { hosts: 2, way: Way::FirstTried, ..Shape::default() }, Swept::default());
    crash_everywhere(&tried, 1, &[], &mut swept);
    crash_everywhere(&tried, 1, &[("web-2", Fault::FixBreaks)], &mut swept);
    swept.tell("test_fix");
}

#[test]
fn a_crash_changes_no_end_while_what_breaks_a_clone_is_searched() {
    let shape = Shape { hosts: 2, way: Way::Auto, bisect: true, ..Shape::default() };
    let (nginx, mut swept) = (Fault::PackageBreaks { nth: 8 }, Swept::default());
    crash_everywhere(&shape, 12, &[("web-1", nginx)], &mut swept);
    let lost = Fault::Lost { step: StepKind::Bisect, when: LostWhen::After };
    crash_everywhere(&shape, 12, &[("web-1", nginx), ("web-1", lost)], &mut swept);
    swept.tell("auto with a search");
}
