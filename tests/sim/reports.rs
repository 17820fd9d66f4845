//! Reports of simulated campaigns: true to the journal at any time, the same in every form, bounded, and safe to read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use switchback::engine::{Chain, Effected, Record, RecordBody, Signal, StepResult};
use switchback::model::{
    AssetName, AttemptId, CampaignId, Digest, Finding, FixState, HostOutcome, PackageName, Priority, StepId, TimeSpan,
    VulnerabilityId, VulnerabilityType,
};
use switchback::plan::{Plan, Reason, StepKind, forecast};
use switchback::report::{
    CampaignReport, Deadlines, KeptKind, LaterScan, Verdict, campaign_html, campaign_junit, campaign_markdown,
    campaign_table,
};
use switchback::sim::{Disturbance, Fault, SimRun, WhenPaused};

use crate::junit::Junit;
use crate::page::{assert_well_formed, text};
use crate::plant;
use crate::support::{Shape, Way, host, sample, start};

/// A campaign that has come to its end, or not.
struct Ran {
    plan: Arc<Plan>,
    digest: Digest,
    records: Vec<Record>,
}

impl Ran {
    fn report(&self) -> CampaignReport {
        self.report_at(self.records.len())
    }

    fn report_at(&self, records: usize) -> CampaignReport {
        let campaign = self.records.first().map(|record| record.campaign.clone()).unwrap();
        CampaignReport::new(&campaign, self.digest, &self.plan, &self.records[..records])
    }

    fn forms(&self, report: &CampaignReport) -> Forms {
        Forms {
            html: campaign_html(report, &self.plan),
            markdown: campaign_markdown(report, &self.plan),
            junit: campaign_junit(report, &self.plan),
            table: campaign_table(report),
            json: serde_json::to_string(report).unwrap(),
        }
    }
}

struct Forms {
    html: String,
    markdown: String,
    junit: String,
    table: String,
    json: String,
}

/// Every finding of the plan was first seen ten days before, but those of data bases; all are due a day after the start.
fn with_deadlines(plan: &mut Plan) {
    for decision in &mut plan.report.decisions {
        let is_known = !decision.host.as_str().starts_with("db");
        decision.first_seen = is_known.then(|| TimeSpan::days(10).before(plan.as_of));
        decision.due = Some(TimeSpan::days(1).after(start()));
        decision.assessment.priority = if is_known { Priority::High } else { Priority::Critical };
    }
    plan.report.forecast = Some(forecast(plan));
}

fn run(shape: &Shape, faults: &[(&str, Fault)], disturbances: Vec<Disturbance>, change: fn(&mut Plan)) -> Ran {
    let (fleet, plan, _) = sample(shape, 3);
    let mut plan = Arc::unwrap_or_clone(plan);
    change(&mut plan);
    let digest = Digest::of(&serde_json::to_vec(&plan).unwrap());
    let mut world = fleet.world();
    plant(&mut world, faults);
    let plan = Arc::new(plan);
    let run = SimRun {
        plan: Arc::clone(&plan),
        digest,
        world,
        start: start(),
        disturbances,
        when_paused: WhenPaused::Resume,
    };
    let result = run.run();
    assert!(result.violations.is_empty(), "{:?}", result.violations);
    Ran { plan, digest, records: result.records }
}

/// Ten hosts: one is put back, one gets stuck, one is left untouched.
fn ran() -> Ran {
    let shape = Shape {
        hosts: 10,
        canary: Some(TimeSpan::minutes(20)),
        waves: vec![3],
        max_unavailable: Some(2),
        concurrency: 4,
        windows: Some(TimeSpan::hours(3)),
        ..Shape::default()
    };
    let faults = [
        ("web-3", Fault::FixBreaks),
        ("web-5", Fault::FixFails),
        ("web-5", Fault::RestoreFails),
        ("db-2", Fault::BackupFails),
    ];
    run(&shape, &faults, vec![], with_deadlines)
}

#[test]
fn every_form_says_what_became_of_each_host() {
    let ran = ran();
    let report = ran.report();
    let outcomes: Vec<(HostOutcome, u32)> = report.outcomes.clone().into_iter().collect();
    assert_eq!(
        outcomes,
        [(HostOutcome::Fixed, 7), (HostOutcome::Untouched, 1), (HostOutcome::Restored, 1), (HostOutcome::Stuck, 1)]
    );
    assert_eq!((report.verdict, report.went_back(), report.stuck()), (Verdict::Stuck, 3, 1));
    let forms = ran.forms(&report);
    assert_well_formed(&forms.html);
    let page = text(&forms.html);
    for fact in [
        "The campaign ended, and 1 host needs a person.",
        "7 hosts fixed",
        "3 hosts not as planned",
        "What is not as planned, and why",
        "Mean time to remediate: 10d",
        "since the plan was made, as nobody says when it was first seen",
        "What the plan foretold, and what came of it",
        "Hosts of services that were unavailable",
        "Findings before and after",
        "canary (1 host)",
    ] {
        assert!(page.contains(fact), "{fact}\n{page}");
    }
    for name in ran.plan.hosts.keys() {
        assert!(page.contains(name.as_str()) && forms.json.contains(name.as_str()));
        assert!(forms.html.contains(&format!("id=\"host-{name}\"")), "{name}");
    }
    for name in ["web-3", "web-5", "db-2"] {
        assert!(forms.table.contains(name) && forms.markdown.contains(&format!("**{name}**")), "{name}");
    }
    let junit = Junit::read(&forms.junit);
    assert_eq!((junit.cases, junit.failures, junit.skipped), (10, 2, 1));
    let steady = |text: &str| text.replace(&ran.digest.to_string(), "[DIGEST]");
    insta::assert_snapshot!("markdown", steady(&forms.markdown));
    insta::assert_snapshot!("junit", steady(&forms.junit));
    insta::assert_snapshot!("table", steady(&forms.table));
    // Each link leads somewhere, and each drawing that is used is there.
    for link in forms.html.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(forms.html.contains(&format!("id=\"{link}\"")), "{link}");
    }
    assert_eq!(forms.html.matches("<script>").count(), 1);
    for foreign in ["http:", "https:", "<link", "@import", "url(h", "src="] {
        assert!(!forms.html.contains(foreign), "{foreign}");
    }
}

#[test]
fn figures_are_those_of_the_journal() {
    let ran = ran();
    let report = ran.report();
    // Counted once more, from the records alone.
    let ended: BTreeMap<String, (Timestamp, HostOutcome)> = ran
        .records
        .iter()
        .filter_map(|record| match &record.body {
            RecordBody::HostEnded { host, outcome, .. } => Some((host.to_string(), (record.at, *outcome))),
            _ => None,
        })
        .collect();
    let decisions = &ran.plan.report.decisions;
    let fixed: Vec<_> = decisions
        .iter()
        .filter_map(|decision| Some((decision, ended.get(decision.host.as_str())?)))
        .filter(|(_, (_, outcome))| *outcome == HostOutcome::Fixed)
        .collect();
    let total = report.findings.total;
    assert_eq!((total.before, total.planned), (decisions.len() as u64, decisions.len() as u64));
    assert_eq!((total.fixed, total.after), (fixed.len() as u64, (decisions.len() - fixed.len()) as u64));
    let seen: Vec<u64> = fixed
        .iter()
        .filter_map(|(decision, (at, _))| Some(TimeSpan::between(decision.first_seen?, *at).as_seconds()))
        .collect();
    let told = report.sla.total.since_first_seen.unwrap();
    assert_eq!(
        (told.findings, told.mean.as_seconds()),
        (seen.len() as u64, seen.iter().sum::<u64>() / seen.len() as u64)
    );
    assert_eq!(told.longest.as_seconds(), *seen.iter().max().unwrap());
    assert_eq!(report.sla.total.since_plan.unwrap().findings as usize, fixed.len() - seen.len());
    // The window of the first night is behind the plan's start, within a day: all that was fixed is in time.
    let due = TimeSpan::days(1).after(start());
    let late = fixed.iter().filter(|(_, (at, _))| *at > due).count() as u64;
    let unfixed_is_late = report.as_of.unwrap() > due;
    let unfixed = (decisions.len() - fixed.len()) as u64;
    assert_eq!(
        report.sla.total.deadlines,
        Deadlines {
            met: fixed.len() as u64 - late,
            missed: late + if unfixed_is_late { unfixed } else { 0 },
            overdue: 0,
            ahead: if unfixed_is_late { 0 } else { unfixed },
        }
    );
    // Services: never more than the budget, and the stuck host is down to the end.
    for (name, service) in &report.services {
        assert!(service.most <= service.max_unavailable, "{name}");
        assert!(service.over_time.iter().map(|point| point.from).is_sorted(), "{name}");
    }
    let stuck = &report.services[report.hosts[&host("web-5")].service.as_ref().unwrap()];
    assert_eq!(stuck.over_time.last().unwrap().hosts, 1);
    let idle = report.services.values().filter(|service| service.over_time.last().is_some_and(|p| p.hosts == 0));
    assert!(idle.count() > 0);
    // The stuck host needs its backup as long as nobody has seen to it.
    let kept = |name: &str| report.kept.iter().find(|kept| kept.host.as_str() == name && kept.kind == KeptKind::Backup);
    assert_eq!(kept("web-5").unwrap().until, None);
    assert!(kept("web-1").unwrap().until.is_some() && kept("db-2").is_none());
    let forecast = report.forecast.unwrap();
    assert_eq!(forecast.hosts, 10);
    assert!(forecast.took > TimeSpan::ZERO && forecast.expected > TimeSpan::ZERO);
}

#[test]
fn the_page_sorts_times_and_urgency_by_what_they_are() {
    let ran = ran();
    let page = ran.forms(&ran.report()).html;
    for (name, host) in ran.report().hosts {
        let took = host.took().unwrap();
        assert!(page.contains(&format!(" data-n=\"{}\"><div>{took}</div>", took.as_seconds())), "{name}");
        assert!(page.contains(&format!(" data-n=\"{}\"><div>{}</div>", host.priority as u64, host.priority)));
    }
    assert!(page.contains("dataset.n"));
}

#[test]
fn an_open_campaign_can_be_reported_behind_every_record() {
    let ran = ran();
    let mut last = 0;
    for records in 1..=ran.records.len() {
        let report = ran.report_at(records);
        let ended: u32 = report.outcomes.values().sum();
        assert!(ended >= last && report.findings.total.before == ran.plan.report.findings);
        last = ended;
        // All forms of some of them: each takes its time.
        if records % 7 == 0 || records < 10 {
            let forms = ran.forms(&report);
            assert_well_formed(&forms.html);
            assert_eq!(Junit::read(&forms.junit).cases, 10);
            assert!(forms.html.contains("has not ended") && forms.markdown.contains("has not ended"));
        }
    }
    assert_eq!(last, 10);
    let none = CampaignReport::new(&CampaignId::new("c-1").unwrap(), ran.digest, &ran.plan, &[]);
    assert_well_formed(&ran.forms(&none).html);
}

#[test]
fn pauses_and_aborts_are_told() {
    let ask = |behind, signal| Disturbance::ask(behind, signal);
    let by = || "ann".to_owned();
    let shape = Shape { hosts: 6, waves: vec![2], ..Shape::default() };
    let paused = run(&shape, &[], vec![ask(9, Signal::Pause { by: by() }), Disturbance::take_over(30)], |_| {});
    let report = paused.report();
    assert_eq!(report.verdict, Verdict::AsPlanned);
    let told = report.operations.iter().map(|operation| operation.what.as_str()).collect::<Vec<_>>().join("\n");
    for fact in ["paused by ann", "resumed by", "taken over by controller 2"] {
        assert!(told.contains(fact), "{fact}: {told}");
    }
    let aborted = run(&shape, &[], vec![ask(20, Signal::Abort { by: by() })], |_| {}).report();
    assert_eq!((aborted.verdict, aborted.aborted), (Verdict::Aborted, true));
}

#[test]
fn clones_and_originals_that_are_kept_are_listed() {
    let shape = Shape { hosts: 6, way: Way::CloneAndSwitch, ..Shape::default() };
    let broken = [("web-2-clone", Fault::FixFails)];
    let ran = run(&shape, &broken, vec![], |_| {});
    let report = ran.report();
    assert_eq!(report.hosts[&host("web-2")].outcome, Some(HostOutcome::Untouched));
    let kinds: BTreeSet<(&str, KeptKind)> = report.kept.iter().map(|kept| (kept.host.as_str(), kept.kind)).collect();
    assert!(kinds.contains(&("web-1", KeptKind::Original)), "{kinds:?}");
    // What its campaign has promoted or destroyed is no clone any more.
    assert!(kinds.iter().all(|(_, kind)| *kind != KeptKind::Clone), "{kinds:?}");
    let report = run(&Shape { keep_failed: TimeSpan::days(2), ..shape }, &broken, vec![], |_| {}).report();
    let clone = report.kept.iter().find(|kept| kept.kind == KeptKind::Clone).unwrap();
    assert_eq!(clone.host, host("web-2"));
    assert!(clone.until.unwrap() > TimeSpan::days(1).after(start()));
}

/// A finding of a scan that was made later, in another version and under another name of its host.
fn found(asset: &str, vulnerability: &str, package: &str) -> Finding {
    let asset = AssetName::new(asset).unwrap();
    let vulnerability = VulnerabilityId::new(vulnerability).unwrap();
    let package = PackageName::new(package).ok();
    let version = switchback::model::PackageVersion::new("99").ok();
    Finding {
        id: Finding::make_id(&asset, &vulnerability, package.as_ref(), version.as_ref(), None),
        asset,
        vulnerability,
        aliases: BTreeSet::new(),
        kind: VulnerabilityType::Linux,
        ecosystem: "deb".to_owned(),
        package,
        location: None,
        installed: version,
        fixed: vec![],
        fix_state: FixState::Fixed,
        severity: None,
        cvss: vec![],
        epss: None,
        kev: false,
        published: None,
        first_seen: None,
        title: None,
        references: vec![],
        scanner: "test".to_owned(),
        claims: vec![],
    }
}

#[test]
fn a_later_scan_is_held_against_the_journal() {
    let ran = ran();
    let mut report = ran.report();
    let by_journal = report.findings.total;
    // One that was fixed on web-1 is there again; web-3, which was restored, has all but one; web-5 was not scanned.
    let of = |name: &str| ran.plan.report.decisions_of(&host(name)).to_vec();
    let parts = |decision: &switchback::model::Decision| {
        let text = decision.finding.as_str().to_owned();
        let (rest, package) = text.rsplit_once('/').unwrap();
        let package = package.split('@').next().unwrap().to_owned();
        (rest.rsplit_once('/').unwrap().1.to_owned(), package)
    };
    let mut findings = Vec::new();
    for (name, decisions) in [("web-1", &of("web-1")[..1]), ("web-3", &of("web-3")[1..])] {
        for decision in decisions {
            let (vulnerability, package) = parts(decision);
            findings.push((host(name), found(&format!("{name}.example.com"), &vulnerability, &package)));
        }
    }
    findings.push((host("web-1"), found("web-1", "CVE-2031-1", "brand-new")));
    findings.push((host("web-1"), found("again", "CVE-2031-1", "brand-new")));
    let hosts = ran.plan.hosts.keys().filter(|name| name.as_str() != "web-5").cloned().collect();
    report.compare(&ran.plan, &LaterScan { files: vec!["later.json".to_owned()], at: None, hosts, findings });
    let scan = report.findings.later_scan.as_ref().unwrap();
    assert_eq!(scan.new, 1);
    assert_eq!(scan.not_scanned, [host("web-5")].into());
    let still: Vec<_> = scan.still_found.iter().collect();
    assert_eq!(still, [(&host("web-1"), &[of("web-1")[0].finding.clone()].into())]);
    // db-2 is untouched and its findings are gone all the same: somebody else has fixed them.
    let expected = of("web-1").len().min(1) + of("web-3").len() - 1 + of("web-5").len();
    assert_eq!(report.findings.total.after, expected as u64);
    assert_eq!((report.findings.total.fixed, report.findings.total.before), (by_journal.fixed, by_journal.before));
    let page = text(&campaign_html(&report, &ran.plan));
    assert!(page.contains("⚠ The scan still reports 1 finding on 1 host that was fixed and verified"), "{page}");
    assert!(page.contains("does not speak of 1 host, for which the journal is taken"));
}

/// The plan's whole campaign, written without running it: every third host fails its verification, with much to say.
fn written(hosts: usize, say: &str) -> Ran {
    let shape = Shape { hosts, waves: vec![hosts / 10, hosts / 2], max_unavailable: Some(50), ..Shape::default() };
    let (_, plan, digest) = sample(&Shape { windows: Some(TimeSpan::hours(2)), ..shape }, 1);
    let campaign = CampaignId::new("c-1").unwrap();
    let mut chain = Chain::new(campaign.clone(), digest);
    let mut records = Vec::new();
    let mut at = start();
    let mut add = |at: Timestamp, body| records.push(chain.push(at, body));
    add(at, RecordBody::CampaignStarted { format: 1, plan: digest, operator: say.to_owned() });
    for (number, wave) in plan.rollout.waves.iter().enumerate() {
        let number = u32::try_from(number).unwrap();
        add(at, RecordBody::WaveStarted { wave: number });
        for (nth, name) in wave.hosts.iter().enumerate() {
            at = TimeSpan::seconds(7).after(at);
            let planned = &plan.hosts[name];
            let fails = nth % 3 == 1;
            let mut now = at;
            let mut step = |id: &StepId, undo: bool, result: StepResult| {
                let attempt = AttemptId { campaign: campaign.clone(), step: id.clone(), generation: 1 };
                add(now, RecordBody::Intent { attempt: attempt.clone(), undo });
                now = TimeSpan::minutes(1).after(now);
                add(now, RecordBody::Outcome { attempt, result });
            };
            let done = || StepResult::Succeeded { facts: BTreeMap::new(), note: Some(say.to_owned()) };
            for planned in &planned.steps {
                if fails && planned.kind == StepKind::Verify {
                    let reason = Reason::new("service-down", say);
                    let failed = StepResult::Failed { reason, effect: Effected::Possibly, evidence: say.to_owned() };
                    step(&planned.id, false, failed);
                    break;
                }
                step(&planned.id, false, done());
            }
            let fix = planned.steps.iter().find(|step| step.kind == StepKind::Fix).unwrap();
            fix.undo.iter().filter(|_| fails).for_each(|undo| step(&undo.id, true, done()));
            let outcome = if fails { HostOutcome::Restored } else { HostOutcome::Fixed };
            let reason = fails.then(|| Reason::new("service-down", say));
            add(now, RecordBody::HostEnded { host: name.clone(), outcome, reason });
        }
        add(at, RecordBody::WaveEnded { wave: number });
    }
    add(TimeSpan::hours(1).after(at), RecordBody::CampaignEnded { outcomes: BTreeMap::new() });
    Ran { plan, digest, records }
}

#[test]
fn what_hosts_say_stays_text_in_every_form() {
    let evil = "x\"><img src=x onerror=alert(1)></style></script></pre><!--'& ]]> | `b` ``` **c** @team #1 \
                [a](http://x) \u{1b}[2J\u{202e}\u{0}\u{ffff}\n~~~\n| row | \npassword=hunter2\n";
    let ran = written(12, &format!("{evil}{}", "long ".repeat(20_000)));
    let report = ran.report();
    let forms = ran.forms(&report);
    assert_well_formed(&forms.html);
    let junit = Junit::read(&forms.junit);
    assert_eq!((junit.cases, junit.failures), (12, 4));
    for (form, text) in [
        ("html", &forms.html),
        ("markdown", &forms.markdown),
        ("junit", &forms.junit),
        ("table", &forms.table),
        ("json", &forms.json),
    ] {
        for bad in ["\u{1b}", "\u{202e}", "\u{0}", "hunter2"] {
            assert!(!text.contains(bad), "{form}: {bad:?}");
        }
        assert!(text.len() < 600_000, "{form} has {} bytes", text.len());
    }
    for bad in ["<img", "</style></script>", "<!--'"] {
        assert!(!forms.html.contains(bad) && !forms.junit.contains(bad), "{bad}");
    }
    assert!(forms.html.contains("&lt;img src=x onerror") && forms.junit.contains("]]&gt;"));
    // In Markdown what hosts say stands escaped in lines, or in blocks that nothing in them ends.
    let mut fence: Option<String> = None;
    for line in forms.markdown.lines() {
        let bare = line.trim_start();
        match &fence {
            Some(open) if bare == open => fence = None,
            Some(_) => {}
            None if bare.starts_with("```") => fence = Some(bare.trim_end_matches("text").to_owned()),
            None => {
                for bad in ["<img", "@team", "](http://", " **c**"] {
                    assert!(!line.contains(bad), "{bad}: {line}");
                }
            }
        }
    }
    assert_eq!(fence, None);
}

#[test]
fn a_campaign_of_thousands_of_hosts_is_reported_in_seconds_on_a_page_that_opens() {
    let ran = written(5_000, &"a line of what went wrong, with some detail\n".repeat(100));
    let begun = Instant::now();
    let report = ran.report();
    let gathered = begun.elapsed();
    let forms = ran.forms(&report);
    let mib = |text: &str| text.len() as f64 / f64::from(1 << 20);
    println!(
        "5,000 hosts, {} records: gathered in {gathered:?}, all forms in {:?}; html {:.1} MiB, markdown {:.3}, junit {:.1}",
        ran.records.len(),
        begun.elapsed() - gathered,
        mib(&forms.html),
        mib(&forms.markdown),
        mib(&forms.junit)
    );
    assert_well_formed(&forms.html);
    assert!(mib(&forms.html) < 5.0 && forms.markdown.len() < 65_000);
    assert_eq!(forms.html.matches("<th scope=\"row\">").count() / 5_000, 1, "every host has its row");
    assert_eq!(Junit::read(&forms.junit).cases, 5_000);
    assert!(begun.elapsed().as_secs() < 60, "a debug build, on a busy machine");
}
