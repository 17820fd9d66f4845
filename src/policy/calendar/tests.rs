//! Calendars of our own making, and those of others against the facts that are stated of them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::*;
use crate::diagnostic::{Diagnostics, Source};
use crate::model::Interval;
use crate::policy::glob::Glob;
use crate::policy::vectors::corpus;
use crate::policy::windows::Reading;

fn load(text: &str, zone: Option<&str>, summary: Option<&str>, reading: Reading) -> (Option<Calendar>, Vec<String>) {
    let mut diagnostics = Diagnostics::default();
    let glob = summary.map(Glob::new);
    let floating = zone.map(|zone| TimeZone::get(zone).unwrap());
    let options = Options { floating, summary: glob.as_ref(), reading };
    let calendar = read(&[Source::new("c.ics", text)], &options, &mut diagnostics);
    (calendar, diagnostics.sorted().iter().map(ToString::to_string).collect())
}

fn events(bodies: &[&str]) -> String {
    let event = |body: &&str| format!("BEGIN:VEVENT\n{body}\nEND:VEVENT\n");
    format!("BEGIN:VCALENDAR\nVERSION:2.0\n{}END:VCALENDAR\n", bodies.iter().map(event).collect::<String>())
}

fn range(from: &str, to: &str) -> Interval {
    Interval { start: from.parse().unwrap(), end: to.parse().unwrap() }
}

/// What is open in 2026, as `start/end` in UTC.
fn open(text: &str, zone: Option<&str>, reading: Reading) -> Vec<String> {
    let (calendar, problems) = load(text, zone, None, reading);
    let calendar = calendar.unwrap_or_else(|| panic!("{problems:#?}"));
    let openings = calendar.openings(range("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"));
    let short = |t: Timestamp| t.strftime("%m-%dT%H:%M").to_string();
    openings.iter().filter_map(|o| o.open).map(|o| format!("{}/{}", short(o.start), short(o.end))).collect()
}

fn narrow(bodies: &[&str]) -> Vec<String> {
    open(&events(bodies), Some("Europe/Berlin"), Reading::Narrow)
}

fn refused(text: &str, zone: Option<&str>, reading: Reading) -> String {
    let (calendar, problems) = load(text, zone, None, reading);
    assert!(calendar.is_none(), "{text}");
    problems.join("\n")
}

#[test]
fn lines_are_unfolded_whatever_their_ends_and_files_may_begin_with_a_bom() {
    let text = "\u{feff}BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;TZID=\r\n Europe/Ber\r\n\tlin:20260105T2\r\n 20000\r\nDURATION\r\n :PT2H\r\n\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    for text in [text.to_owned(), text.replace('\r', "")] {
        assert_eq!(open(&text, None, Reading::Narrow), ["01-05T21:00/01-05T23:00"]);
    }
}

#[test]
fn times_are_of_their_zone_of_utc_or_of_the_zone_of_the_policy() {
    assert_eq!(narrow(&["DTSTART:20260105T220000Z\nDTEND:20260105T230000Z"]), ["01-05T22:00/01-05T23:00"]);
    assert_eq!(narrow(&["DTSTART:20260105T220000\nDTEND:20260105T230000"]), ["01-05T21:00/01-05T22:00"]);
    let zones = [
        "America/New_York",
        "america/new_york",
        "Eastern Standard Time",
        "\"(UTC-05:00) Eastern Time (US & Canada)\"",
        "(UTC-05:00) Eastern Time (US and Canada)",
        "/freeassociation.sourceforge.net/Tzfile/America/New_York",
        "/mozilla.org/20070129_1/America/New_York",
        "US-Eastern",
        "TZID=America/New_York",
    ];
    for zone in zones {
        let body = format!("DTSTART;TZID={zone}:20260105T220000\nDURATION:PT1H");
        assert_eq!(narrow(&[&body]), ["01-06T03:00/01-06T04:00"], "{zone}");
    }
    let (calendar, _) =
        load(&events(&["DTSTART;TZID=Japan:20260105T090000\nDURATION:PT1H"]), None, None, Reading::Narrow);
    assert_eq!(calendar.unwrap().zone().unwrap().iana_name(), Some("Japan"));
}

#[test]
fn times_of_no_zone_need_one_and_the_error_says_what_the_calendar_says_of_itself() {
    let text = events(&["DTSTART:20260105T220000\nDURATION:PT1H"]).replace("VERSION:2.0", "X-WR-TIMEZONE:Europe/Paris");
    assert_eq!(
        refused(&text, None, Reading::Narrow),
        "c.ics:4:9: this time is of no time zone: write `timezone` beside `calendar`; the calendar says of itself \
         X-WR-TIMEZONE:Europe/Paris [invalid-calendar]"
    );
    let day = events(&["DTSTART;VALUE=DATE:20260105"]);
    assert!(refused(&day, None, Reading::Wide).contains("c.ics:4:20: a whole day is of no time zone"));
}

#[test]
fn whole_days_end_before_their_end_and_follow_the_clock() {
    assert_eq!(narrow(&["DTSTART;VALUE=DATE:20260105\nDTEND;VALUE=DATE:20260107"]), ["01-04T23:00/01-06T23:00"]);
    assert_eq!(narrow(&["DTSTART;VALUE=DATE:20260105"]), ["01-04T23:00/01-05T23:00"]);
    assert_eq!(narrow(&["DTSTART:20260105\nDURATION:P1W"]), ["01-04T23:00/01-11T23:00"]);
    // The days on which the clocks change have 23 and 25 hours.
    assert_eq!(narrow(&["DTSTART;VALUE=DATE:20260329"]), ["03-28T23:00/03-29T22:00"]);
    assert_eq!(narrow(&["DTSTART;VALUE=DATE:20261025"]), ["10-24T22:00/10-25T23:00"]);
}

#[test]
fn an_end_means_the_clock_or_the_time_until_then_whichever_is_safer() {
    let nights = "DTSTART;TZID=Europe/Berlin:20260327T220000\nDTEND;TZID=Europe/Berlin:20260328T060000\nRRULE:FREQ=DAILY;COUNT=2";
    assert_eq!(narrow(&[nights]), ["03-27T21:00/03-28T05:00", "03-28T21:00/03-29T04:00"]);
    assert_eq!(open(&events(&[nights]), None, Reading::Wide)[1], "03-28T21:00/03-29T05:00");
    let autumn = nights.replace("0327", "1023").replace("0328", "1024");
    assert_eq!(narrow(&[&autumn])[1], "10-24T20:00/10-25T04:00");
    assert_eq!(open(&events(&[&autumn]), None, Reading::Wide)[1], "10-24T20:00/10-25T05:00");
    // A duration in hours elapses; one in days is counted on the clock.
    let hours = "DTSTART;TZID=Europe/Berlin:20260328T220000\nDURATION:PT8H";
    assert_eq!(narrow(&[hours]), ["03-28T21:00/03-29T05:00"]);
    assert_eq!(narrow(&[&hours.replace("PT8H", "P1D")]), ["03-28T21:00/03-29T20:00"]);
    // The start in the hour that comes twice, and in the one that does not come.
    let fold = "DTSTART;TZID=Europe/Berlin:20261025T023000\nDURATION:PT1H";
    assert_eq!(narrow(&[fold]), ["10-25T01:30/10-25T02:30"]);
    assert_eq!(open(&events(&[fold]), None, Reading::Wide), ["10-25T00:30/10-25T01:30"]);
    let gap = "DTSTART;TZID=Europe/Berlin:20260329T023000\nDURATION:PT1H";
    assert_eq!(narrow(&[gap]), ["03-29T01:30/03-29T02:30"]);
}

#[test]
fn rules_dates_and_exceptions_make_the_set() {
    let weekly = "DTSTART;TZID=Europe/Berlin:20260105T220000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=4";
    let days = |body: &str| narrow(&[body]).iter().map(|open| open[..5].to_owned()).collect::<Vec<_>>().join(" ");
    assert_eq!(days(weekly), "01-05 01-12 01-19 01-26");
    assert_eq!(days(&format!("{weekly}\nRRULE:FREQ=DAILY;COUNT=2")), "01-05 01-06 01-12 01-19 01-26");
    assert_eq!(days(&format!("{weekly}\nEXDATE;TZID=Europe/Berlin:20260112T220000,20260126T220000")), "01-05 01-19");
    assert_eq!(days(&format!("{weekly}\nEXDATE:20260112T210000Z")), "01-05 01-19 01-26");
    assert_eq!(days(&format!("{weekly}\nEXDATE:20260112T220000")), "01-05 01-19 01-26");
    assert_eq!(days(&format!("{weekly}\nEXDATE;VALUE=DATE:20260112")), "01-05 01-19 01-26");
    assert_eq!(days(&format!("{weekly}\nEXRULE:FREQ=WEEKLY;INTERVAL=2")), "01-12 01-26");
    assert_eq!(days(&format!("{weekly}\nRDATE;VALUE=DATE:20260301")), "01-05 01-12 01-19 01-26 03-01");
    assert_eq!(
        narrow(&[
            "DTSTART:20260105T220000Z\nDURATION:PT1H\nRDATE;VALUE=PERIOD:20260106T000000Z/20260106T030000Z,20260107T000000Z/PT30M,20260105T220000Z/PT3H"
        ]),
        ["01-05T22:00/01-06T01:00", "01-06T00:00/01-06T03:00", "01-07T00:00/01-07T00:30"]
    );
    // UNTIL in all its kinds, whatever kind DTSTART is.
    for until in ["20260119", "20260119T220000", "20260119T210000Z"] {
        assert_eq!(days(&weekly.replace("COUNT=4", &format!("UNTIL={until}"))), "01-05 01-12 01-19", "{until}");
    }
    // Finer than a day.
    assert_eq!(
        narrow(&["DTSTART:20260105T080000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;BYHOUR=8,20;COUNT=3"]),
        ["01-05T08:00/01-05T09:00", "01-05T20:00/01-05T21:00", "01-06T08:00/01-06T09:00"]
    );
    assert_eq!(narrow(&["DTSTART:20260105T080000Z\nDURATION:PT1H\nRRULE:FREQ=HOURLY;INTERVAL=6;COUNT=3"]).len(), 3);
    // Far from its start.
    assert_eq!(narrow(&["DTSTART:19900101T080000Z\nDURATION:PT1H\nRRULE:FREQ=HOURLY;INTERVAL=12"]).len(), 730);
}

#[test]
fn an_exception_that_names_no_occurrence_takes_its_day_from_a_window_and_nothing_from_a_freeze() {
    let body = "DTSTART;TZID=America/New_York:20260105T120000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE;TZID=America/Los_Angeles:20260106T120000";
    assert_eq!(narrow(&[body]), ["01-05T17:00/01-05T18:00", "01-07T17:00/01-07T18:00"]);
    assert_eq!(open(&events(&[body]), None, Reading::Wide).len(), 3);
}

const SERIES: &str = "UID:s\nDTSTART;TZID=Europe/Berlin:20260105T220000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=4";

#[test]
fn occurrences_are_moved_and_cancelled() {
    let moved = "UID:s\nRECURRENCE-ID:20260112T210000Z\nDTSTART:20260113T100000Z\nDURATION:PT30M";
    assert_eq!(
        narrow(&[SERIES, moved]),
        ["01-05T21:00/01-05T22:00", "01-13T10:00/01-13T10:30", "01-19T21:00/01-19T22:00", "01-26T21:00/01-26T22:00"]
    );
    assert_eq!(narrow(&[SERIES, &format!("{moved}\nSTATUS:CANCELLED")]).len(), 3);
    // The later revision of the same occurrence holds, in whatever order they stand.
    let again = moved.replace("T100000Z", "T120000Z") + "\nSEQUENCE:3";
    for order in [[SERIES, moved, again.as_str()], [again.as_str(), moved, SERIES]] {
        let found = narrow(&order);
        assert!(found.len() == 4 && found.contains(&"01-13T12:00/01-13T12:30".to_owned()), "{found:?}");
    }
    // Without the series it is an event like any other.
    assert_eq!(narrow(&[moved]), ["01-13T10:00/01-13T10:30"]);
    let nameless = moved.replace("UID:s\n", "");
    assert_eq!(narrow(&[&nameless, SERIES]).len(), 5);
    let series = SERIES.replace("UID:s\n", "");
    assert!(refused(&events(&[&series, &nameless]), None, Reading::Narrow).contains("no UID"));
}

#[test]
fn a_change_of_all_following_occurrences_moves_and_shortens_them() {
    let later = "UID:s\nRECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260112T220000\nDTSTART;TZID=Europe/Berlin:20260113T230000\nDURATION:PT30M";
    assert_eq!(
        narrow(&[SERIES, later]),
        ["01-05T21:00/01-05T22:00", "01-13T22:00/01-13T22:30", "01-20T22:00/01-20T22:30", "01-27T22:00/01-27T22:30"]
    );
    assert_eq!(narrow(&[SERIES, &format!("{later}\nSTATUS:CANCELLED")]), ["01-05T21:00/01-05T22:00"]);
    let one = "UID:s\nRECURRENCE-ID:20260119T210000Z\nDTSTART:20260119T080000Z\nDURATION:PT2H";
    assert_eq!(narrow(&[SERIES, later, one])[2], "01-19T08:00/01-19T10:00");
}

#[test]
fn what_is_cancelled_or_free_is_no_window_and_what_is_free_is_still_a_freeze() {
    let one = "UID:a\nDTSTART:20260105T220000Z\nDURATION:PT1H";
    let free = events(&[&format!("{one}\nTRANSP:TRANSPARENT")]);
    let (calendar, problems) = load(&free, None, None, Reading::Narrow);
    assert!(calendar.unwrap().is_empty());
    assert!(problems[0].contains("an event of this calendar counts as free time"), "{problems:?}");
    assert_eq!(open(&free, None, Reading::Wide).len(), 1);
    for reading in [Reading::Narrow, Reading::Wide] {
        assert!(open(&events(&[&format!("{one}\nSTATUS:CANCELLED")]), None, reading).is_empty());
        assert!(open(&events(&[one, &format!("{one}\nSEQUENCE:1\nSTATUS:CANCELLED")]), None, reading).is_empty());
        assert!(open(&events(&[one]).replace("VERSION:2.0", "METHOD:CANCEL"), None, reading).is_empty());
        let newer = one.replace("T22", "T20") + "\nSEQUENCE:1";
        assert_eq!(open(&events(&[&newer, one]), None, reading), ["01-05T20:00/01-05T21:00"]);
    }
}

#[test]
fn events_are_selected_by_their_summary() {
    let text = events(&[
        "SUMMARY:Patch window\\, payments\nDTSTART:20260105T220000Z\nDURATION:PT1H",
        "SUMMARY:Lunch\nDTSTART:20260106T120000Z\nDURATION:PT1H",
    ]);
    for (glob, count) in [("Patch window*", 1), ("*payments", 1), ("*, *", 1), ("*", 2), ("patch*", 0)] {
        let (calendar, _) = load(&text, None, Some(glob), Reading::Narrow);
        let found = calendar.unwrap().openings(range("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")).len();
        assert_eq!(found, count, "{glob}");
    }
    let renamed = events(&[
        "SUMMARY:Holiday\nUID:h\nDTSTART:20260105T000000Z\nDURATION:P1D\nRRULE:FREQ=DAILY;COUNT=3",
        "SUMMARY:Half day\nUID:h\nRECURRENCE-ID:20260106T000000Z\nDTSTART:20260106T000000Z\nDURATION:PT12H",
    ]);
    let count = |reading| {
        let (calendar, _) = load(&renamed, None, Some("Holiday"), reading);
        calendar.unwrap().openings(range("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")).len()
    };
    assert_eq!((count(Reading::Narrow), count(Reading::Wide)), (2, 3));
}

#[test]
fn a_zone_of_the_file_is_followed_by_its_own_rules() {
    let zone = |extra: &str| {
        format!(
            "BEGIN:VTIMEZONE\nTZID:Office\n{extra}BEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\nEND:VTIMEZONE\n"
        )
    };
    let event = "DTSTART;TZID=Office:20260105T220000\nDURATION:PT1H\nRRULE:FREQ=MONTHLY;COUNT=12";
    let with = |zone: &str| events(&[event]).replace("VERSION:2.0\n", &format!("VERSION:2.0\n{zone}"));
    let berlin = events(&[&event.replace("Office", "Europe/Berlin")]);
    assert_eq!(open(&with(&zone("")), None, Reading::Narrow), open(&berlin, None, Reading::Narrow));
    // What it says it is, it is.
    let tokyo = open(&with(&zone("X-LIC-LOCATION:Asia/Tokyo\n")), None, Reading::Narrow);
    assert_eq!(tokyo[0], "01-05T13:00/01-05T14:00");
    // Its own clock changes: gap and fold.
    let at = |time: &str| with(&zone("")).replace(event, &format!("DTSTART;TZID=Office:{time}\nDURATION:PT1H"));
    assert_eq!(open(&at("20260329T023000"), None, Reading::Narrow), ["03-29T01:30/03-29T02:30"]);
    assert_eq!(open(&at("20261025T023000"), None, Reading::Narrow), ["10-25T01:30/10-25T02:30"]);
    assert_eq!(open(&at("20261025T023000"), None, Reading::Wide), ["10-25T00:30/10-25T01:30"]);
    // Without any rule, by single dates, and with eras.
    let fixed = "BEGIN:VTIMEZONE\nTZID:Office\nBEGIN:STANDARD\nDTSTART:20000101T000000\nTZOFFSETFROM:+0300\nTZOFFSETTO:+0300\nEND:STANDARD\nEND:VTIMEZONE\n";
    assert_eq!(open(&with(fixed), None, Reading::Narrow)[0], "01-05T19:00/01-05T20:00");
    let dates = fixed.replace("END:VTIMEZONE", "BEGIN:DAYLIGHT\nDTSTART:20260401T000000\nRDATE:20260401T000000\nTZOFFSETFROM:+0300\nTZOFFSETTO:+0400\nEND:DAYLIGHT\nEND:VTIMEZONE");
    let found = open(&with(&dates), None, Reading::Narrow);
    assert_eq!((&found[2][..], &found[3][..]), ("03-05T19:00/03-05T20:00", "04-05T18:00/04-05T19:00"));
}

#[test]
fn broken_events_fail_the_load_with_their_place() {
    let one = |body: &str| refused(&events(&[body]), None, Reading::Narrow);
    let has = |body: &str, what: &str| {
        let said = one(body);
        assert!(said.contains(what) && said.contains("[invalid-calendar]"), "{body:?}: {said}");
    };
    has("SUMMARY:x", "c.ics:3:1: this event has no DTSTART");
    has("DTSTART:20260105T220000Z\nDTEND:20260105T230000Z\nDURATION:PT1H", "c.ics:6:1: this event has both");
    has("DTSTART:20260105T220000Z\nDTEND:20260105T210000Z", "c.ics:5:7: this event ends before it begins");
    has("DTSTART:20260105T220000Z\nDURATION:-PT1H", "c.ics:5:10: this event ends before");
    has("DTSTART:20260105T220000Z\nDURATION:PT1W1D", "c.ics:5:10: `PT1W1D` is not a duration");
    has("DTSTART:20260105T2200", "c.ics:4:9: `20260105T2200` is not a time");
    has("DTSTART;TZID=Europe/Germany:20260105T220000", "c.ics:4:1: time zone `Europe/Germany` is neither");
    has("DTSTART;TZID=EST:20260105T220000", "neither a known name");
    has("DTSTART;TZID=\"Europe/Berlin:20260105T220000", "c.ics:4:1: DTSTART has no value");
    has("DTSTART:20260105T220000Z\nRRULE:FREQ=SOMETIMES", "c.ics:5:7: ");
    has("DTSTART:20260105T220000Z\nRRULE:FREQ=SECONDLY", "c.ics:5:7: a rule that repeats every minute");
    has("DTSTART:20260105T220000Z\nRDATE:20260105T220000Z,\n 2026x", "c.ics:6:2: `2026x` is not a time");
    has("DTSTART:20260105T220000Z\nDTSTART:20260106T220000Z", "c.ics:5:1: a second DTSTART");
    has("DTSTART:20260105T220000Z\nDTEND;VALUE=DATE:20260106", "both days or both times");
    has("DTSTART:20260105T220000Z\nthis line was not folded", "c.ics:5:1: `this line was not folded` is not a line");
    has("DTSTART:20260105T220000Z\nDURATION:P400D", "at most 366 days");
    has("DTSTART:20260105T220000Z\nSEQUENCE:x", "SEQUENCE is a number");
    has("UID:a\nRECURRENCE-ID;RANGE=THISANDPRIOR:20260105T220000Z\nDTSTART:20260105T220000Z", "RANGE=THISANDPRIOR");
    let text = |text: &str, what: &str| {
        let said = refused(text, None, Reading::Narrow);
        assert!(said.contains(what), "{text:?}: {said}");
    };
    text("", "this is not a calendar");
    text("hello\nworld\n", "c.ics:1:1: this is not a calendar");
    text(
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260105T220000Z\n",
        "c.ics:2:1: VEVENT has no END: the file is cut off",
    );
    text("BEGIN:VCALENDAR\nEND:VEVENT\n", "c.ics:2:1: END:VEVENT within VCALENDAR");
    text("END:VCALENDAR\n", "without its BEGIN");
    text(&"BEGIN:X\n".repeat(40), "nested more than 16 deep");
    let zone = "BEGIN:VTIMEZONE\nTZID:Z\nEND:VTIMEZONE\n";
    let of_zone = events(&["DTSTART;TZID=Z:20260105T220000"]);
    text(&of_zone.replace("VERSION:2.0\n", zone), "c.ics:2:1: this time zone has neither STANDARD nor DAYLIGHT");
}

#[test]
fn events_of_no_length_open_nothing_and_are_refused_as_freezes() {
    let text = events(&["DTSTART:20260105T220000Z"]);
    let (calendar, problems) = load(&text, None, None, Reading::Narrow);
    assert!(
        calendar
            .unwrap()
            .openings(range("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"))
            .iter()
            .all(|o| o.open.is_none())
    );
    assert_eq!(problems, ["c.ics:3:1: this event has no length: it opens nothing [event-without-length]"]);
    assert!(refused(&text, None, Reading::Wide).contains("it would freeze nothing"));
}

#[test]
fn hostile_calendars_are_bounded() {
    let many = "DTSTART:20260105T220000Z\nDURATION:PT1H";
    assert!(refused(&events(&vec![many; 10_001]), None, Reading::Narrow).contains("at most 10000 events"));
    let daily = format!("{many}\nRRULE:FREQ=DAILY");
    assert!(
        refused(&events(&vec![daily.as_str(); 1_001]), None, Reading::Narrow)
            .contains("at most 1000 events that repeat")
    );
    assert!(
        refused(&events(&vec![daily.as_str(); 300]), None, Reading::Narrow).contains("at most 90000 openings a year")
    );
    let dates = format!("{many}\nRDATE:{}", vec!["20260105T220000Z"; 5_001].join(","));
    assert!(refused(&events(&[&dates]), None, Reading::Narrow).contains("at most 5000 single dates"));
    let never = format!("{many}\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30");
    assert_eq!(narrow(&[&never]).len(), 1);
    let zone = "BEGIN:VTIMEZONE\nTZID:Z\nBEGIN:STANDARD\nDTSTART:16010101T000000\nTZOFFSETFROM:+0000\nTZOFFSETTO:+0100\nRRULE:FREQ=HOURLY\nEND:STANDARD\nEND:VTIMEZONE\n";
    let text = events(&["DTSTART;TZID=Z:20260105T220000"]).replace("VERSION:2.0\n", zone);
    assert!(refused(&text, None, Reading::Narrow).contains("changes its clocks more than 4000 times"));
}

proptest::proptest! {
    #[test]
    fn no_text_brings_the_reader_down(text in "(BEGIN:|END:|VEVENT|VCALENDAR|\n|\r\n| |DTSTART|;|:|TZID=|\"|[0-9TZ]{1,8}|RRULE:FREQ=DAILY|é|\u{feff}){0,40}") {
        let _ = load(&text, Some("UTC"), None, Reading::Narrow);
        let body = events(&[&text]);
        let _ = load(&body, Some("UTC"), None, Reading::Wide);
    }
}

/// The files that are refused, with what is wrong with them.
const REFUSED: [(&str, &str); 9] = [
    // The README's library fails on this one as well.
    ("icalendar-invalid_rrule_freq.ics", "c.ics:7:7: "),
    // Its library finds no event either: RFC 5545 wants DTSTART in events of calendars without METHOD.
    ("icalendar-rfc_5545_RDATE_example.ics", "this event has no DTSTART"),
    // The library fails as well: `RDATE:20131210Z` is neither a day nor a time.
    ("icaljs-google_birthday.ics", "`20131210Z` is not a time of RDATE"),
    // The library fails as well.
    ("libical-restriction.ics", "this event has both DTEND and DURATION"),
    // The library skips what it cannot read of the rule `RRULE:RRULE:AnythingRandom;FREQ=...`; a window must not be guessed.
    ("node-ical-badRRULE.ics", ":50:"),
    // The library fails as well: a zone that nothing defines, and a negative duration.
    ("node-ical-bad_custom_ms_tz.ics", "`tzone://Microsoft/Custom` is neither"),
    // The library swaps start and end of an event that ends before it begins; nobody knows what was meant.
    ("node-ical-daily-count-exdate-recurrence-id.ics", "this event ends before it begins"),
    // The library takes a zone that does not exist for none at all; local to nobody is no window.
    ("node-ical-germany_at_end_of_day_repeating.ics", "time zone `Europe/Germany` is neither"),
    // The library fails as well: a quote is opened before the zone and closed behind the time.
    ("node-ical-ms_timezones.ics", "DTSTART has no value"),
];

/// Files where we count otherwise in one of the readings.
const OTHERWISE: [(&str, u64, u64); 2] = [
    // Two exceptions name 06:00 on days on which the event is at 14:00: the library ignores them, and so do freezes;
    // a window loses these days.
    ("node-ical-biweekly-exdate-until.ics", 47, 49),
    // The exceptions name noon in Los Angeles, the event is at noon in New York. The library takes both for the same;
    // a window loses these days, a freeze does not.
    ("node-ical-windows-quoted-tz-rrule.ics", 8, 10),
];

#[test]
fn every_calendar_of_others_is_read_with_its_facts_or_refused_with_the_reason() {
    let Some(folder) = corpus() else { return };
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let (mut read_files, mut counted) = (0, 0);
    for line in readme.lines().filter(|line| line.starts_with("| calendars/")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (path, facts) = (cells[1], cells[5]);
        let name = path.strip_prefix("calendars/").unwrap();
        let text = std::fs::read_to_string(folder.join(path)).unwrap();
        if let Some((_, reason)) = REFUSED.iter().find(|(file, _)| *file == name) {
            let said = refused(&text, Some("UTC"), Reading::Narrow);
            assert!(said.contains(reason), "{name}: {said}");
            continue;
        }
        read_files += 1;
        let fact = |key: &str| {
            let fact = facts.split("; ").find_map(|fact| fact.strip_prefix(key)?.strip_prefix('='));
            fact.map(|fact| fact.to_owned())
        };
        let counts = [Reading::Narrow, Reading::Wide].map(|reading| {
            let text = text.replace("TRANSP:TRANSPARENT", "TRANSP:OPAQUE");
            let mut diagnostics = Diagnostics::default();
            let options = Options { floating: Some(TimeZone::UTC), summary: None, reading };
            let sources: Vec<Arc<Source>> = vec![Source::new(name, text)];
            let calendar = read(&sources, &options, &mut diagnostics);
            let problems: Vec<String> = diagnostics.sorted().iter().map(ToString::to_string).collect();
            // Events without length and replacements that repeat are read as windows and refused as freezes.
            let Some(calendar) = calendar else {
                assert!(reading == Reading::Wide, "{name}: {problems:#?}");
                assert!(
                    problems.iter().all(|p| p.contains("freeze nothing") || p.contains("repeats itself")),
                    "{problems:#?}"
                );
                return None;
            };
            let occurrences = fact("occurrences_first_366_days")?;
            let first: Date = occurrences.split_once(" from ").unwrap().1.parse().unwrap();
            let last = first.checked_add(365.days()).unwrap();
            Some((
                calendar.starts(first, last).len() as u64,
                occurrences.split(' ').next().unwrap().parse::<u64>().unwrap(),
            ))
        });
        let other = OTHERWISE.iter().find(|(file, ..)| *file == name);
        for (found, ours) in counts.into_iter().zip([other.map(|o| o.1), other.map(|o| o.2)]) {
            let Some((found, stated)) = found else { continue };
            assert_eq!(found, ours.unwrap_or(stated), "{name}");
            counted += 1;
        }
    }
    assert!(read_files >= 20 && counted >= 40, "{read_files} files, {counted} counts");
}
