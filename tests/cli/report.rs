//! `switchback report`

use super::World;
use super::conform::conforms;
use super::demo::demo;

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
fn without_a_journal_there_is_no_report() {
    insta::assert_snapshot!(World::new().refused(1, &["report"]).show(), @r"
    exit: 1
    ----- stderr
    error: there is no journal in .switchback [no-state]
    hint: --state names the folder in which `switchback run` was started
    ");
}
