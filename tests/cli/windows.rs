//! `switchback windows`

use super::World;

const BOARD: &str = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Change window\r\nDTSTART:20270320T200000\r\nDURATION:PT4H\r\nRRULE:FREQ=WEEKLY;COUNT=2\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
const HOLIDAYS: &str = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Easter\r\nDTSTART;VALUE=DATE:20270328\r\nTRANSP:TRANSPARENT\r\nDTEND;VALUE=DATE:20270330\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

fn world() -> World {
    let world = World::new();
    world.write(
        "policies/p.yaml",
        "version: 1\nwindows:\n  - {name: nights, match: {groups: [web]}, schedule: {rrule: FREQ=WEEKLY;BYDAY=SA, start: \"22:00\", end: \"06:00\", timezone: Europe/Berlin}}\n  \
         - {name: board, match: {groups: [pay]}, calendar: cal/board.ics, timezone: Europe/Berlin, summary: Change*}\nfreezes:\n  \
         - {name: year-end, match: all, from: 2026-12-18T18:00, to: 2027-01-04T06:00, timezone: Europe/Berlin, reason: year-end close}\n  \
         - {name: holidays, match: {groups: [pay]}, calendar: cal/holidays.ics, timezone: Europe/Berlin, reason: nobody is there}\n",
    );
    world.write("policies/cal/board.ics", BOARD);
    world.write("policies/cal/holidays.ics", HOLIDAYS);
    world.write("inventory.yaml", "version: 1\nhosts:\n  web-1: {address: 10.0.0.1, groups: [web]}\n  pay-1: {address: 10.0.0.2, groups: [web, pay]}\n  db-1: {address: 10.0.0.3}\n");
    world
}

const BASE: [&str; 6] = ["windows", "-p", "policies", "-i", "inventory.yaml", "-q"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    BASE.iter().copied().chain(more.iter().copied()).collect()
}

#[test]
fn openings_are_listed_on_the_hosts_clock_with_what_takes_from_them() {
    let ran = world().run(&with(&["--for", "pay-1", "--from", "2027-03-20T00:00:00Z", "--until", "2027-04-03"]));
    insta::assert_snapshot!(ran.show(), @r"
    exit: 0
    ----- stdout
      OPENS                 CLOSES                ZONE           UTC                                     LENGTH  WINDOW          NOTE
      Sat 2027-03-20 20:00  Sun 2027-03-21 06:00  Europe/Berlin  2027-03-20 19:00Z to 2027-03-21 05:00Z  10h     board + nights
      Sat 2027-03-27 20:00  Sun 2027-03-28 00:00  Europe/Berlin  2027-03-27 19:00Z to 2027-03-27 23:00Z  4h      board + nights  freeze holidays takes Sun 2027-03-28 00:00 to Sun 2027-03-28 06:00: nobody is there; 7h instead of 8h: the clock change takes the rest
      Sat 2027-04-03 22:00  Sun 2027-04-04 06:00  Europe/Berlin  2027-04-03 20:00Z to 2027-04-04 04:00Z  8h      nights
    ");
    let ran = world().run(&with(&["--for", "web-1", "--from", "2026-12-12T00:00:00Z", "--until", "2027-01-10"]));
    assert_eq!(ran.stdout.matches("frozen").count(), 3, "{}", ran.show());
    assert!(ran.stdout.contains("freeze year-end takes Sat 2026-12-19 22:00"), "{}", ran.show());
}

#[test]
fn json_has_the_intervals_and_the_time_zone_data() {
    let args = ["--for", "pay-1", "--from", "2027-03-20T00:00:00Z", "--until", "2027-04-03", "--format", "json"];
    let json = world().run(&with(&args)).json();
    assert!(json["tzdata"].as_str().unwrap().contains(" of "), "{json}");
    assert_eq!(json["until"], "2027-04-04T00:00:00Z");
    let second = &json["windows"][1];
    assert_eq!(second["window"], "board + nights");
    assert_eq!(second["open"][0]["local_start"], "2027-03-27T20:00:00+01:00");
    assert_eq!(second["open"][0]["length"], "4h");
    assert_eq!(second["taken"][0]["freeze"], "holidays");
    assert_eq!(second["clock_change"], "7h instead of 8h: the clock change takes the rest");
}

#[test]
fn a_host_without_any_opening_ends_with_the_reason() {
    let world = world();
    let never = world.refused(3, &with(&["--for", "db-1"]));
    assert!(
        never
            .stderr
            .contains("db-1 has no window: policy has 2 windows, and none of them is for this host [no-window]"),
        "{}",
        never.show()
    );
    let frozen = world.run(&with(&["--for", "web-1", "--from", "2026-12-19T00:00:00Z", "--until", "2026-12-30"]));
    assert_eq!((frozen.code, frozen.stdout.matches("frozen").count()), (Some(3), 2), "{}", frozen.show());
    assert!(frozen.stderr.contains("freezes take all 2 openings"), "{}", frozen.show());
    let none = world.refused(3, &with(&["--for", "web-1", "--from", "2026-12-07T00:00:00Z", "--until", "2026-12-08"]));
    assert!(none.stderr.contains("none opens"), "{}", none.show());
    assert!(world.refused(3, &with(&["--for", "wbe-1"])).stderr.contains("did you mean web-1?"));
    world.refused(2, &with(&["--for", "web-1", "--from", "2026-12-07T00:00:00Z", "--until", "2026-12-01"]));
    world.refused(2, &with(&["--for", "web-1", "--until", "soon"]));
    world.write("policies/p.yaml", "version: 1\n");
    assert!(world.run(&with(&["--for", "web-1"])).stdout.starts_with("at any time"));
}

#[test]
fn check_proves_windows_and_says_with_which_time_zone_data() {
    let world = world();
    let ran = world.run(&["check", "-p", "policies", "--format", "json"]);
    let found = ran.json();
    let of = |code: &str| found.as_array().unwrap().iter().find(|d| d["code"] == code).cloned().unwrap();
    assert_eq!(of("windows-proven")["level"], "note");
    assert!(of("windows-proven")["message"].as_str().unwrap().contains("time zone data"));
    assert!(of("window-shortened")["help"].as_str().unwrap().contains("time zone data"), "{found}");
    world.write(
        "policies/p.yaml",
        "version: 1\nwindows:\n  - {name: w, match: all, calendar: cal/board.ics, timezone: Europe/Berlin}\n",
    );
    world.write("policies/cal/board.ics", &BOARD.replace("PT4H", "4 hours"));
    let ran = world.refused(3, &["check", "-p", "policies"]);
    assert!(
        ran.stderr.contains("policies/cal/board.ics:6:10") && ran.stderr.contains("`4 hours` is not a duration"),
        "{}",
        ran.show()
    );
}

#[test]
fn debug_windows_takes_what_a_policy_takes() {
    let world = world();
    let lines = "{cron: \"0 22 * * SAT#2\", duration: 4h, timezone: UTC}\n{calendar: policies/cal/board.ics, timezone: Europe/Berlin}\n{rrule: FREQ=WEEKLY;BYDAY=SA, exdate: [2027-03-06], start: \"22:00\", duration: 1h, timezone: UTC}\n";
    let ran = world.run_with(&["debug", "windows", "--from", "2027-03-01T00:00:00Z", "--horizon", "28d"], lines);
    let counts: Vec<usize> = ran
        .stdout
        .lines()
        .map(|line| {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            json["intervals"].as_array().unwrap_or_else(|| panic!("{json}")).len()
        })
        .collect();
    assert_eq!(counts, [1, 2, 3]);
}
