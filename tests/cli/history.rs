//! `switchback history`, and findings as sheets

use calamine::{Data, Reader as _};
use serde_json::Value;

use super::World;
use super::conform::conforms;
use super::demo::demo;

fn history(world: &World, more: &[&str]) -> super::Ran {
    let ran = world.run(&[&["history", "--state", "d/state"], more].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    ran
}

fn rows(world: &World, more: &[&str]) -> Vec<Value> {
    let json = history(world, &[more, &["--format", "json"]].concat()).json();
    conforms("history", &json);
    json.as_array().unwrap().clone()
}

#[test]
fn what_became_of_every_vulnerability_is_listed_filtered_and_summed_up() {
    let (world, _) = demo();
    let plan: Value = world.run(&["show", "d/plan.json", "--format", "json"]).json();
    let decisions = plan["report"]["decisions"].as_array().unwrap();
    let all = rows(&world, &[]);
    // Findings in = findings accounted for.
    let packages: usize = all.iter().map(|row| row["packages"].as_array().unwrap().len()).sum();
    assert_eq!(packages, decisions.len());
    let with = |status: &str| all.iter().filter(|row| row["status"] == status).count();
    assert!(with("fixed") > 0 && with("restored") > 0, "{all:?}");
    let restored = all.iter().find(|row| row["status"] == "restored").unwrap();
    let why = restored["code"].as_str().unwrap();
    assert!(!why.is_empty() && restored["seconds"].is_u64() && restored["operator"].is_string());
    let (host, vulnerability) = (restored["host"].as_str().unwrap(), restored["vulnerability"].as_str().unwrap());
    let one = rows(&world, &["--host", host, "--vulnerability", vulnerability, "--status", "restored"]);
    assert_eq!(one, std::slice::from_ref(restored));
    assert_eq!(rows(&world, &["--status", "fixed", "--status", "restored"]).len(), with("fixed") + with("restored"));
    let none = history(&world, &["--operator", "nobody-else"]);
    assert_eq!((none.stdout.as_str(), none.stderr.as_str()), ("0 entries of 0 campaigns\n", ""));
    assert_eq!(rows(&world, &["--until", "2020-01-01"]), Vec::<Value>::new());

    let table = history(&world, &["--status", "restored"]).stdout;
    assert!(table.starts_with("campaign ") && table.contains("HOST") && table.contains(why), "{table}");
    let json = history(&world, &["--by", "vulnerability", "--format", "json"]).json();
    conforms("history-summary", &json);
    let line = json.as_array().unwrap().iter().find(|line| line["name"] == vulnerability).unwrap();
    let hosts = all.iter().filter(|row| row["vulnerability"] == vulnerability).count();
    assert_eq!(line["total"].as_u64(), Some(hosts as u64));
    assert!(line["statuses"]["restored"].as_u64().unwrap() >= 1, "{line}");
    let by_campaign = history(&world, &["--by", "campaign", "--format", "json"]).json();
    assert_eq!(by_campaign[0]["total"].as_u64(), Some(all.len() as u64));
    let by_host = history(&world, &["--by", "host"]).stdout;
    assert_eq!(by_host.lines().count(), 1 + 4, "{by_host}");
}

#[test]
fn a_history_is_written_as_csv_markdown_and_workbook() {
    let (world, _) = demo();
    let all = rows(&world, &[]);
    history(&world, &["--format", "csv", "-o", "h.csv"]);
    let read = |name: &str| std::fs::read(world.path().join(name)).unwrap();
    let csv = read("h.csv");
    let mut csv = csv::Reader::from_reader(csv.as_slice());
    let hosts: Vec<String> = csv.records().map(|row| row.unwrap()[1].to_owned()).collect();
    let wanted: Vec<&str> = all.iter().map(|row| row["host"].as_str().unwrap()).collect();
    assert_eq!(hosts, wanted);
    let markdown = history(&world, &["--format", "markdown"]).stdout;
    assert_eq!(markdown.lines().count(), all.len() + 2);
    history(&world, &["--format", "xlsx", "-o", "h.xlsx"]);
    let mut book: calamine::Xlsx<_> = calamine::open_workbook_from_rs(std::io::Cursor::new(read("h.xlsx"))).unwrap();
    let sheet = book.worksheet_range("history").unwrap();
    assert_eq!(sheet.rows().count(), all.len() + 1);
    let row = sheet.rows().nth(1).unwrap();
    assert_eq!(row[1], Data::String(wanted[0].to_owned()));
    assert!(matches!(row[14], Data::DateTime(_)), "{row:?}");
    history(&world, &["--by", "host", "--format", "xlsx", "-o", "h.xlsx"]);
    assert!(!world.path().join("h.xlsx.partial").exists());

    insta::assert_snapshot!(world.refused(2, &["history", "--state", "d/state", "--format", "xlsx"]).show(), @r"
    exit: 2
    ----- stderr
    error: a workbook is not written to stdout
    hint: -o names the file that it is to be written to
    ");
    insta::assert_snapshot!(world.refused(1, &["history", "--state", "d/state", "-o", "no/h.csv"]).show(), @r"
    exit: 1
    ----- stderr
    error: cannot write no/h.csv: No such file or directory (os error 2)
    ");
    insta::assert_snapshot!(world.refused(1, &["history"]).show(), @r"
    exit: 1
    ----- stderr
    error: there is no journal in .switchback [no-state]
    hint: --state names the folder in which `switchback run` was started
    ");
    let wrong = world.refused(2, &["history", "--status", "broken", "--since", "yesterday"]);
    assert!(wrong.stderr.contains("possible values: not_affected"), "{}", wrong.show());
}

#[test]
fn findings_are_written_as_sheets() {
    let world = World::first_plan();
    let report = "web-1=reports/web-1.trivy.json";
    let json = world.run(&["findings", "-f", report, "--format", "json"]).json();
    let found = json["findings"].as_array().unwrap();
    for format in ["csv", "xlsx", "markdown", "json"] {
        let ran = world.run(&["findings", "-f", report, "--format", format, "-o", "out"]);
        assert_eq!((ran.code, ran.all().as_str()), (Some(0), ""), "{format}");
        let bytes = std::fs::read(world.path().join("out")).unwrap();
        let vulnerabilities: Vec<String> = match format {
            "csv" => {
                let mut csv = csv::Reader::from_reader(bytes.as_slice());
                csv.records().map(|row| row.unwrap()[1].to_owned()).collect()
            }
            "xlsx" => {
                let mut book: calamine::Xlsx<_> = calamine::open_workbook_from_rs(std::io::Cursor::new(bytes)).unwrap();
                book.worksheet_range("findings").unwrap().rows().skip(1).map(|row| row[1].to_string()).collect()
            }
            "markdown" => {
                let text = String::from_utf8(bytes).unwrap();
                text.lines().skip(2).map(|line| line.split(" | ").nth(1).unwrap().to_owned()).collect()
            }
            _ => {
                let json: Value = serde_json::from_slice(&bytes).unwrap();
                assert_eq!(json["read"], world.run(&["findings", "-f", report, "--format", "json"]).json()["read"]);
                let found = json["findings"].as_array().unwrap();
                found.iter().map(|finding| finding["vulnerability"].as_str().unwrap().to_owned()).collect()
            }
        };
        let wanted: Vec<&str> = found.iter().map(|finding| finding["vulnerability"].as_str().unwrap()).collect();
        assert_eq!(vulnerabilities, wanted, "{format}");
    }
}

#[test]
fn what_steps_took_goes_into_the_next_plan() {
    let world = World::new();
    let ran = world.run(&["demo", "--simulated", "--hosts", "24", "--dir", "d", "--format", "json"]);
    assert_eq!(ran.code, Some(5), "{}", ran.show());
    let demo = world.run(&["show", "d/plan.json", "--format", "json"]).json();
    let hosts = demo["hosts"].as_object().unwrap().keys().map(|name| {
        format!("  {name}: {{os: {{family: debian, name: debian, version: '12'}}, provider: {{kind: simulated}}}}\n")
    });
    world.write("d/inventory.yaml", &format!("version: 1\nhosts:\n{}", hosts.collect::<String>()));
    let plan = |state: &str, out: &str| {
        let files = ["-p", "d/policy.yaml", "-i", "d/inventory.yaml", "-f", "d/findings-before.json"];
        let when = ["--as-of", "2026-11-23T12:00:00Z", "--state", state, "-o", out];
        let ran = world.run(&[&["plan"], &files[..], &when[..]].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.show());
        (ran.stdout, world.run(&["show", out, "--format", "json"]).json())
    };
    let (told, learned) = plan("d/state", "learned.json");
    let (untold, estimated) = plan("nowhere", "estimated.json");
    assert!(told.contains("durations-from-history") && told.contains("preflight by linux-apt 5s (2"), "{told}");
    assert!(!untold.contains("durations-from-history"), "{untold}");
    assert!(learned["inputs"]["history"]["digest"].is_string() && estimated["inputs"]["history"].is_null());
    let preflight = |plan: &Value| plan["hosts"]["web-1"]["steps"][0]["expected"].as_str().unwrap().to_owned();
    assert_eq!(preflight(&learned), "5s");
    assert_ne!(preflight(&estimated), "5s");
    let rehearsed = world.run(&["rehearse", "learned.json", "--runs", "20", "--history", "--state", "d/state"]);
    assert_eq!(rehearsed.code, Some(0), "{}", rehearsed.show());
    assert!(rehearsed.stderr.contains("kinds of steps go by earlier campaigns"), "{}", rehearsed.show());
}

#[test]
fn a_broken_campaign_blocks_plans_by_its_name_and_is_missed_aloud() {
    let (world, ran) = demo();
    let last: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    let campaign = last["campaign"].as_str().unwrap();
    let database = rusqlite::Connection::open(world.path().join("d/state/journal.db")).unwrap();
    database.execute_batch("DROP TRIGGER record_no_delete; DROP TRIGGER campaign_no_update;").unwrap();
    for damage in ["DELETE FROM record WHERE seq = 5", "UPDATE campaign SET plan = x'7b7d'"] {
        database.execute(damage, []).unwrap();
        let ran = world.run(&["quarantine", "--state", "d/state"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.show());
        assert!(ran.stderr.contains(campaign) && ran.stderr.contains("[campaign-unreadable]"), "{}", ran.show());
        assert!(ran.stderr.contains("hint: bring back d/state/journal.db from a backup"), "{}", ran.show());
    }
    let ran = history(&world, &["-q"]);
    assert!(ran.stderr.contains(&format!("warning: campaign {campaign} is left out")), "{}", ran.show());
}
