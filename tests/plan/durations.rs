//! What steps take is from earlier campaigns where there were enough, and from playbook and provider where not.

use proptest::prelude::*;
use switchback::model::{StepId, TimeSpan};
use switchback::plan::{Experience, Plan, Step, StepKind, check};

use super::fleet::{Fleet, host};

fn fleet() -> Fleet {
    let mut fleet = Fleet::without_windows();
    for name in ["web-1", "web-2"] {
        fleet.add(host(name));
        fleet.finding(name, "CVE-2026-1", "openssl", "1.3.0");
    }
    fleet
}

/// Adds a number of attempts of a kind of step as they would be on a host of the plan.
fn seen(experience: &mut Experience, plan: &Plan, kind: StepKind, seconds: u32, times: usize) {
    let host = &plan.hosts["web-1"];
    let step = steps(&host.steps).find(|step| step.kind == kind).unwrap();
    (0..times).for_each(|_| experience.add(&host.doing(step), Some(seconds * 1_000), false));
}

fn steps(steps: &[Step]) -> impl Iterator<Item = &Step> {
    steps.iter().flat_map(|step| std::iter::once(step).chain(&step.undo))
}

fn expected(plan: &Plan, kind: StepKind) -> TimeSpan {
    steps(&plan.hosts["web-2"].steps).find(|step| step.kind == kind).unwrap().expected
}

fn limits(plan: &Plan) -> Vec<(StepId, TimeSpan)> {
    plan.hosts.values().flat_map(|host| steps(&host.steps)).map(|step| (step.id.clone(), step.timeout)).collect()
}

fn notes<'a>(plan: &'a Plan, code: &str) -> Vec<&'a str> {
    plan.report.notes.iter().filter(|note| note.code == code).map(|note| note.text.as_str()).collect()
}

#[test]
fn what_was_seen_often_enough_is_expected_and_told() {
    let mut fleet = fleet();
    let before = fleet.plan();
    assert_eq!(notes(&before, "durations-from-history"), Vec::<&str>::new());
    let mut experience = Experience::default();
    seen(&mut experience, &before, StepKind::Fix, 90, 20);
    seen(&mut experience, &before, StepKind::Restore, 400, 20);
    seen(&mut experience, &before, StepKind::Backup, 1_000, 19);
    fleet.experience = experience;
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    assert_eq!(expected(&plan, StepKind::Fix), TimeSpan::seconds(90));
    assert_eq!(expected(&plan, StepKind::Restore), TimeSpan::seconds(400), "the way back too");
    for kind in [StepKind::Backup, StepKind::Verify, StepKind::Soak] {
        assert_eq!(expected(&plan, kind), expected(&before, kind), "{kind}");
    }
    assert_eq!(limits(&plan), limits(&before), "limits are people's");
    let told = notes(&plan, "durations-from-history");
    assert_eq!(told.len(), 1);
    for part in ["fix by linux-apt 1m30s (20 seen)", "restore by simulated 6m40s (20 seen)"] {
        assert!(told[0].contains(part), "{told:?}");
    }
    assert!(!told[0].contains("backup"), "{told:?}");
    // The window gate reckons with it.
    assert_ne!(plan.hosts["web-2"].way_back(), before.hosts["web-2"].way_back());
}

#[test]
fn nothing_is_expected_to_take_longer_than_it_may() {
    let mut fleet = fleet();
    let before = fleet.plan();
    let limit = steps(&before.hosts["web-1"].steps).find(|step| step.kind == StepKind::Fix).unwrap().timeout;
    let mut experience = Experience::default();
    let longer = u32::try_from(limit.as_seconds() + 60).unwrap();
    seen(&mut experience, &before, StepKind::Fix, longer, 30);
    fleet.experience = experience;
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    assert_eq!(expected(&plan, StepKind::Fix), limit);
    assert_eq!(limits(&plan), limits(&before));
    let told = notes(&plan, "usual-beyond-limit");
    assert!(
        told.len() == 1 && told[0].contains("fix by linux-apt") && told[0].contains(&limit.to_string()),
        "{told:?}"
    );
}

#[test]
fn a_window_that_is_too_short_for_what_was_seen_blocks_the_host() {
    let mut fleet = Fleet::empty();
    fleet.add(host("web-1"));
    fleet.finding("web-1", "CVE-2026-1", "openssl", "1.3.0");
    let before = fleet.plan();
    assert_eq!(before.hosts.len(), 1);
    let mut experience = Experience::default();
    // Its window has four hours.
    seen(&mut experience, &before, StepKind::Fix, 1_500, 20);
    seen(&mut experience, &before, StepKind::Restore, 2_300, 20);
    fleet.experience = experience.clone();
    assert_eq!(fleet.plan().hosts.len(), 1, "it still fits");
    let mut fleet = Fleet::with_window(
        "version: 1\nwindows: [{name: short, match: all, schedule: {rrule: FREQ=DAILY, start: \"22:00\", duration: 1h, \
         timezone: UTC}}]\n",
    );
    fleet.add(host("web-1"));
    fleet.finding("web-1", "CVE-2026-1", "openssl", "1.3.0");
    assert_eq!(fleet.plan().hosts.len(), 1, "as estimated it fits");
    fleet.experience = experience;
    let plan = fleet.plan();
    assert_eq!((plan.hosts.len(), plan.report.blocked.len()), (0, 1), "{:?}", plan.report);
    assert_eq!(notes(&plan, "durations-from-history").len(), 1, "who wonders why is told");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn whatever_was_seen_the_plan_is_safe_and_the_order_of_reading_does_not_matter(
        samples in prop::collection::vec((0..8_usize, 0..20_000_u32), 0..400),
    ) {
        use StepKind as K;
        const KINDS: [StepKind; 8] =
            [K::Preflight, K::Backup, K::Fix, K::Restart, K::Reboot, K::Verify, K::Restore, K::VerifyRestored];
        let mut fleet = fleet();
        let before = fleet.plan();
        let here: Vec<StepKind> = steps(&before.hosts["web-1"].steps).map(|step| step.kind).collect();
        let gathered = |samples: &mut dyn Iterator<Item = &(usize, u32)>| {
            let mut experience = Experience::default();
            for (kind, seconds) in samples.filter(|(kind, _)| here.contains(&KINDS[*kind])) {
                seen(&mut experience, &before, KINDS[*kind], *seconds, 1);
            }
            experience
        };
        fleet.experience = gathered(&mut samples.iter());
        let plan = fleet.plan();
        prop_assert_eq!(check(&plan), []);
        prop_assert_eq!(limits(&plan), limits(&before));
        fleet.experience = gathered(&mut samples.iter().rev());
        prop_assert_eq!(serde_json::to_vec(&fleet.plan()).unwrap(), serde_json::to_vec(&plan).unwrap());
    }
}
