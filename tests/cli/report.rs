//! `switchback report`

use super::World;
use super::conform::conforms;
use super::demo::demo;
use super::junit::Junit;

#[test]
fn a_campaign_is_reported_from_its_journal() {
    let (world, ran) = demo();
    let campaign = ran.stdout.lines().last().unwrap().parse::<serde_json::Value>().unwrap()["campaign"].clone();
    let ran = world.run(&["report", "--state", "d/state", "--format", "json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let report = ran.json();
    conforms("campaign-report", &report);
    assert_eq!(report["campaign"], campaign);
    assert_eq!(report["outcomes"], serde_json::json!({"fixed": 3, "restored": 1}));
    let named = world.run(&["report", campaign.as_str().unwrap(), "--state", "d/state", "-o", "r.html"]);
    assert_eq!((named.code, named.all().as_str()), (Some(0), ""));
    let html = std::fs::read_to_string(world.path().join("r.html")).unwrap();
    assert!(html.starts_with("<!doctype html>") || html.starts_with("<!DOCTYPE html>"), "{}", &html[..60]);
    assert_eq!(report["verdict"], "went_back");
    let total = &report["findings"]["total"];
    let left = total["before"].as_u64().unwrap() - total["fixed"].as_u64().unwrap();
    assert_eq!((total["after"].as_u64().unwrap(), report["findings"].get("later_scan")), (left, None));
    insta::assert_snapshot!(world.refused(1, &["report", "--state", "d/state", "-o", "no/r.html"]).show(), @r"
    exit: 1
    ----- stderr
    error: cannot write no/r.html: No such file or directory (os error 2)
    ");
    insta::assert_snapshot!(world.refused(1, &["report", "c-0", "--state", "d/state"]).show(), @r"
    exit: 1
    ----- stderr
    error: there is no campaign c-0 in d/state [unknown-campaign]
    hint: `switchback status` lists them
    ");
}

#[test]
fn tickets_and_continuous_integration_get_it_in_their_form() {
    let (world, _) = demo();
    let markdown = world.run(&["report", "--state", "d/state", "--format", "markdown"]);
    assert_eq!((markdown.code, markdown.stderr.as_str()), (Some(0), ""));
    for part in ["## Campaign c-", "**The campaign ended: 1 of 4 hosts is not as planned.**", "- **web-3** restored"] {
        assert!(markdown.stdout.contains(part), "{part}: {}", markdown.show());
    }
    let junit = world.run(&["report", "--state", "d/state", "--format", "junit"]).stdout;
    let read = Junit::read(&junit);
    assert_eq!((read.cases, read.failures, read.skipped), (4, 1, 0));
    let table = world.run(&["report", "--state", "d/state", "--format", "table"]).stdout;
    assert!(table.starts_with("The campaign ended: 1 of 4 hosts is not as planned.\n"), "{table}");
    assert!(table.contains("web-3  restored"), "{table}");
}

#[test]
fn a_later_scan_says_what_is_left() {
    let (world, ran) = demo();
    let summary: serde_json::Value = ran.stdout.lines().last().unwrap().parse().unwrap();
    let after = ["report", "--state", "d/state", "--after", "d/findings-after.json", "--format", "json"];
    let report = world.run(&after);
    assert_eq!((report.code, report.stderr.as_str()), (Some(0), ""));
    let report = report.json();
    conforms("campaign-report", &report);
    let findings = &report["findings"];
    assert_eq!(findings["total"]["after"], summary["findings_after"]);
    assert_eq!(findings["total"]["before"], summary["findings_before"]);
    assert_eq!(
        (findings["later_scan"]["new"].as_u64(), &findings["later_scan"]["not_scanned"]),
        (Some(0), &serde_json::json!([]))
    );
    // The scan from before as if it were made later: what was fixed is there again.
    let before =
        world.run(&["report", "--state", "d/state", "--after", "d/findings-before.json", "--format", "json"]).json();
    let fixed = before["findings"]["total"]["fixed"].as_u64().unwrap();
    let still = before["findings"]["later_scan"]["still_found"].as_object().unwrap();
    assert_eq!(still.values().map(|of| of.as_array().unwrap().len() as u64).sum::<u64>(), fixed);
    // Assets that the plan does not know are none of its business; a report that cannot be read is an error.
    let scan = std::fs::read_to_string(world.path().join("d/findings-after.json")).unwrap();
    world.write("other.json", &scan.replace("web-3", "other-3"));
    let other = world.run(&["report", "--state", "d/state", "--after", "other.json", "--format", "table"]);
    assert_eq!(other.code, Some(0), "{}", other.show());
    assert!(other.stderr.contains("note: 1 of 4 assets are no host of the plan and were left out"), "{}", other.show());
    assert!(other.stdout.contains("it does not speak of 1 host, for which the journal is taken"), "{}", other.show());
    world.write("broken.json", "{");
    assert_eq!(world.refused(3, &["report", "--state", "d/state", "--after", "broken.json"]).stdout, "");
}

#[test]
fn without_a_journal_there_is_no_report() {
    insta::assert_snapshot!(World::new().refused(1, &["report"]).show(), @r"
    exit: 1
    ----- stderr
    error: there is no journal in .switchback [no-state]
    hint: --state names the folder in which `switchback run` was started
    ");
}
