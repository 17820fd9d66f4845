//! What a plan is forecast to come to: by hand for small plans, by rules for all of them, in time for large ones.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use switchback::model::{Importance, SwitchSettings, TimeSpan};
use switchback::plan::{BreachCause, Forecast, HeldBy, Plan, check, forecast};
use switchback::policy::Amount;
use switchback::report::{forecast_line, plan_table};

use crate::fleet::{Fleet, as_of, harmless, host};

/// Findings were first seen ten days ago: critical ones are due `days` after that.
fn under(days: u32, rollout: &str) -> Fleet {
    let policy =
        format!("version: 1\npriority: {{deadlines: {{critical: {days}d, low: {days}d}}}}\nrollout: {rollout}\n");
    let window = "version: 1\nwindows:\n  - {name: saturday-night, match: all, schedule: {rrule: FREQ=WEEKLY;BYDAY=SA, \
                  start: \"22:00\", duration: 4h, timezone: Europe/Berlin}}\n";
    Fleet::under(&[("policy.yaml", &policy), ("windows.yaml", window)])
}

fn with_hosts(mut fleet: Fleet, hosts: usize) -> Fleet {
    for number in 1..=hosts {
        let name = format!("web-{number}");
        let mut host = host(&name);
        host.labels.insert("service".to_owned(), "shop".to_owned());
        fleet.add(host);
        fleet.finding(&name, "CVE-2026-1", "openssl", "1.3.0");
    }
    fleet
}

fn of(plan: &Plan) -> &Forecast {
    plan.report.forecast.as_ref().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The time from a host's first step to its end, and from its first disruptive one.
fn lengths(plan: &Plan, host: &str) -> (TimeSpan, TimeSpan) {
    let host = &plan.hosts[host];
    (host.steps.iter().fold(TimeSpan::ZERO, |sum, step| sum.plus(step.expected)), host.disruptive_chain())
}

#[test]
fn hosts_follow_each_other_through_their_window() {
    let fleet = with_hosts(under(60, "{waves: [\"100%\"], canary: {hosts: 1, soak: 30m}}"), 2);
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    let forecast = of(&plan);
    let (whole, chain) = lengths(&plan, "web-1");
    let opens = at("2026-11-28T21:00:00Z");
    let first = &forecast.hosts["web-1"];
    assert_eq!((first.disrupted, first.end, first.held_by), (Some(opens), chain.after(opens), None));
    assert_eq!(whole.after(first.start), first.end, "preparation is done when the window opens");
    let second = &forecast.hosts["web-2"];
    assert_eq!(second.start, TimeSpan::minutes(30).after(first.end), "the canary is watched first");
    assert_eq!(forecast.ends, Some(whole.after(second.start)));
    assert_eq!((forecast.windows, forecast.reboots, forecast.breaches.len()), (1, 2, 0));
    assert!(forecast_line(&plan).unwrap().ends_with("in 1 window, with at most 2 reboots; every deadline is met"));
}

#[test]
fn a_deadline_before_the_window_is_missed_and_one_more_window_would_do() {
    let fleet = with_hosts(under(12, "{waves: [\"100%\"], canary: {hosts: 1, soak: 30m}}"), 3);
    let plan = fleet.plan();
    let forecast = of(&plan);
    let due = at("2026-11-25T06:00:00Z");
    assert_eq!(forecast.breaches.len(), 3);
    assert!(forecast.breaches.iter().all(|b| b.due == due && b.cause == BreachCause::Late && b.findings == 1));
    let remedy = forecast.remedy.as_ref().unwrap();
    assert_eq!(remedy.before, due);
    let length = remedy.length.unwrap();
    // It does, and the next shorter one does not: planned with, not believed.
    for (length, misses) in [(length, false), (TimeSpan::seconds(length.as_seconds() - 1800), true)] {
        let mut better = plan.clone();
        for windows in better.windows.values_mut() {
            let mut window = windows[0].clone();
            (window.interval.start, window.interval.end) = (length.before(due), due);
            windows.insert(0, window);
        }
        let again = switchback::plan::forecast(&better);
        assert_eq!(again.breaches.iter().any(|breach| breach.cause == BreachCause::Late), misses, "{length}");
    }
    let line = forecast_line(&plan).unwrap();
    let told = format!(
        "3 hosts miss a deadline (3 findings) by 2026-11-25 06:00Z; one more window of {length} in `saturday-night` \
         before 2026-11-25 06:00Z would do"
    );
    assert!(line.ends_with(&told), "{line}");
    let table = plan_table(&plan, &switchback::plan::plan_id(&plan).unwrap());
    assert!(table.contains(&format!("\nForecast: {line}\n")) && table.contains("Deadlines missed (3)"), "{table}");
}

#[test]
fn what_no_window_can_help_is_told_apart() {
    // A canary that is watched for a week: no single window holds both waves.
    let plan = with_hosts(under(12, "{waves: [\"100%\"], canary: {hosts: 1, soak: 7d}}"), 2).plan();
    assert_eq!(of(&plan).remedy.as_ref().unwrap().length, None);
    assert!(forecast_line(&plan).unwrap().contains("no single window of up to 8h"));
    // What was overdue is overdue, and no remedy is looked for.
    let plan = with_hosts(under(3, "{waves: [\"100%\"]}"), 2).plan();
    assert!(of(&plan).breaches.iter().all(|breach| breach.cause == BreachCause::Overdue));
    assert_eq!((of(&plan).breaches.len(), &of(&plan).remedy), (2, &None));
    assert!(forecast_line(&plan).unwrap().ends_with("2 findings were overdue on 2 hosts when the plan was made"));
}

#[test]
fn blocked_and_deferred_findings_miss_their_deadlines_too() {
    let mut fleet = with_hosts(under(12, "{waves: [\"100%\"]}"), 3);
    fleet.hosts.get_mut("web-2").unwrap().provider = None;
    harmless(fleet.finding("web-3", "CVE-2026-9", "vim", "2.0"));
    let plan = fleet.plan();
    let causes: Vec<_> = of(&plan).breaches.iter().map(|b| (b.host.as_str(), b.cause)).collect();
    use BreachCause::{Blocked, Late, NotPlanned};
    assert_eq!(causes, [("web-1", Late), ("web-2", Blocked), ("web-3", Late), ("web-3", NotPlanned)]);
    // A deferred finding that is due when this plan is long done is left for the next one.
    let mut fleet = with_hosts(under(60, "{waves: [\"100%\"]}"), 1);
    harmless(fleet.finding("web-1", "CVE-2026-9", "vim", "2.0"));
    assert_eq!(of(&fleet.plan()).breaches, []);
}

#[test]
fn what_keeps_a_host_from_an_earlier_window_is_named() {
    let held = |rollout: &str| {
        let mut fleet = with_hosts(under(60, rollout), 40);
        if !rollout.contains("max_unavailable") {
            // The default policy has a budget for services.
            fleet.hosts.values_mut().for_each(|host| drop(host.labels.remove("service")));
        }
        of(&fleet.plan()).held()
    };
    // Forty hosts one after another do not fit into four hours.
    let budget = held("{waves: [\"100%\"], max_unavailable: {per: {label: service}, value: \"1\"}}");
    assert_eq!(budget.keys().collect::<Vec<_>>(), [&HeldBy::DisruptionBudget]);
    assert_eq!(held("{waves: [\"100%\"], concurrency: {hosts: 1}}").keys().collect::<Vec<_>>(), [&HeldBy::Concurrency]);
    let per_site =
        "{waves: [\"100%\"], concurrency: {hosts: 40, per: [{label: env, hosts: 1}]}, failure_budget: {hosts: 40}}";
    assert_eq!(held(per_site).keys().collect::<Vec<_>>(), [&HeldBy::Concurrency]);
    assert_eq!(held("{waves: [\"100%\"], canary: {hosts: 1, soak: 1d}}"), BTreeMap::from([(HeldBy::Waves, 39)]));
    assert_eq!(
        held("{waves: [\"100%\"], failure_budget: {hosts: 1}, concurrency: {hosts: 40}}").keys().collect::<Vec<_>>(),
        [&HeldBy::FailureBudget]
    );
    assert_eq!(held("{waves: [\"100%\"], failure_budget: {hosts: 40}, concurrency: {hosts: 40}}"), BTreeMap::new());
}

#[test]
fn without_a_host_there_is_nothing_to_forecast() {
    let plan = Fleet::empty().plan();
    assert_eq!((of(&plan).ends, of(&plan).hosts.len()), (None, 0));
    assert_eq!(forecast_line(&plan).unwrap(), "no finding has a deadline");
}

#[test]
fn ten_thousand_hosts_are_forecast_quickly() {
    let mut fleet = Fleet::of(10_000, 2);
    fleet.policy.rollout.max_unavailable = Some(("service".to_owned(), Amount::Percent(50)));
    let mut plan = fleet.plan();
    // Everybody is late, so that every length of window is tried.
    for decision in &mut plan.report.decisions {
        decision.due = Some(TimeSpan::days(2).after(as_of()));
    }
    let start = std::time::Instant::now();
    let forecast = forecast(&plan);
    eprintln!("forecast of 10,000 hosts with {} breaches: {:?}", forecast.breaches.len(), start.elapsed());
    assert!(forecast.breaches.len() >= 10_000 - forecast.no_room.len());
    if !cfg!(debug_assertions) {
        assert!(start.elapsed().as_millis() < 1_000, "{:?}", start.elapsed());
    }
}

fn fleets() -> impl Strategy<Value = Fleet> {
    let hosts = prop::collection::vec((0..3usize, any::<bool>(), 0..3usize, 0..3usize), 1..25);
    (hosts, 1..3u32, 1..5u32, 1..4u32, any::<bool>()).prop_map(|(hosts, down, concurrency, failures, auto)| {
        let strategy = if auto { "{default: auto, similar_by: [role]}" } else { "{default: in_place}" };
        let policy = format!(
            "version: 1\nstrategy: {strategy}\nrollout: {{waves: [\"30%\", \"100%\"], canary: {{hosts: 1, soak: 10m}}, \
             concurrency: {{hosts: {concurrency}, clones: 1, per: [{{label: role, hosts: 2}}]}}, failure_budget: {{hosts: {failures}}}, \
             max_unavailable: {{per: {{label: service}}, value: \"{down}\"}}}}\n"
        );
        let windows = "version: 1\nwindows:\n  - {name: nights, match: {labels: {env: prod}}, schedule: {rrule: FREQ=DAILY, \
                       start: \"22:00\", duration: 2h, timezone: UTC}}\n  - {name: noon, match: {labels: {env: test}}, \
                       schedule: {rrule: FREQ=DAILY, start: \"12:00\", duration: 1h, timezone: UTC}}\n";
        let mut fleet = Fleet::under(&[("policy.yaml", &policy), ("windows.yaml", windows)]);
        for (number, (service, switch, role, env)) in hosts.into_iter().enumerate() {
            let name = format!("web-{number:02}");
            let mut host = host(&name);
            host.labels.insert("service".to_owned(), format!("service-{service}"));
            host.labels.insert("role".to_owned(), format!("role-{role}"));
            host.labels.insert("env".to_owned(), ["prod", "prod", "test"][env].to_owned());
            host.importance = Some([Importance::General, Importance::Test, Importance::Important][role]);
            host.switch = switch.then_some(SwitchSettings::Simulated);
            fleet.add(host);
            fleet.finding(&name, "CVE-2026-1", "openssl", "1.3.0");
        }
        fleet
    })
}

/// How many of these overlap at most.
fn most_at_once(spans: impl Iterator<Item = (Timestamp, Timestamp)>) -> i64 {
    let mut changes: Vec<(Timestamp, i64)> = spans.flat_map(|(from, to)| [(from, 1), (to, -1)]).collect();
    // Who ends makes room for who begins at the same time.
    changes.sort();
    let mut now = 0;
    changes
        .into_iter()
        .map(|(_, change)| {
            now += change;
            now
        })
        .max()
        .unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Written apart from the schedule: every gate of the engine holds in it.
    #[test]
    fn a_forecast_keeps_every_limit(fleet in fleets()) {
        let plan = &fleet.plan();
        prop_assert_eq!(check(plan), []);
        let forecast = of(plan);
        prop_assert_eq!(forecast.hosts.len() + forecast.no_room.len(), plan.hosts.len());
        let rollout = &plan.rollout;
        let mut begins = plan.as_of;
        for wave in &rollout.waves {
            let hosts: Vec<_> = wave.hosts.iter().filter_map(|name| forecast.hosts.get(name)).collect();
            prop_assert!(hosts.iter().all(|host| host.start >= begins), "a wave begins before the one before is over");
            begins = wave.soak.after(hosts.iter().map(|host| host.end).max().unwrap_or(begins));
        }
        for (name, host) in &forecast.hosts {
            let planned = &plan.hosts[name];
            let disrupted = host.disrupted.unwrap();
            prop_assert_eq!(planned.disruptive_chain().after(disrupted), host.end);
            if let Some(set) = &planned.windows {
                let window = plan.windows[set].iter().find(|w| w.interval.contains(disrupted));
                prop_assert!(window.is_some(), "{} is disrupted outside its windows", name);
                let reserve = planned.disruptive_chain().plus(planned.way_back()).plus(rollout.margin);
                prop_assert!(reserve.after(disrupted) <= window.unwrap().interval.end, "{} has no time to go back", name);
            }
            for pilot in planned.steps.iter().flat_map(|step| step.foreign_needs()) {
                let pilot = forecast.hosts.get(pilot.host());
                prop_assert!(pilot.is_some_and(|pilot| pilot.start < host.start));
            }
        }
        let chains = |group: Option<&str>| {
            let of_group = move |name: &&switchback::model::HostName| {
                group.is_none_or(|group| plan.hosts[*name].group.as_ref().is_some_and(|g| g.as_str() == group))
            };
            most_at_once(forecast.hosts.keys().filter(of_group).map(|name| {
                let host = &forecast.hosts[name];
                (host.disrupted.unwrap(), host.end)
            }))
        };
        prop_assert!(chains(None) <= i64::from(rollout.failure_budget) + 1);
        for (name, group) in &rollout.groups {
            prop_assert!(chains(Some(name.as_str())) <= i64::from(group.max_unavailable), "{}", name);
        }
        let active = most_at_once(forecast.hosts.values().map(|host| (host.start, host.end)));
        prop_assert!(active <= i64::from(rollout.concurrency));
    }
}
