//! Files become a calendar: every event is read and checked, or the load fails with its place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::event::{Event, Reader};
use super::expand::{Calendar, Series};
use super::lines::{Broken, Component, components};
use super::zones::Zones;
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::policy::glob::Glob;
use crate::policy::windows::Reading;

/// No calendar has more events...
const MAX_EVENTS: usize = 10_000;
/// ... or more that repeat: each is searched on its own...
const MAX_REPEATING: usize = 1_000;
/// ... or opens more often: a window of each hour of a year, ten times over.
const MAX_YEARLY: u64 = 90_000;

/// The properties that are looked at.
const WANTED: [&str; 20] = [
    "DTEND",
    "DTSTART",
    "DURATION",
    "EXDATE",
    "EXRULE",
    "METHOD",
    "RDATE",
    "RECURRENCE-ID",
    "RRULE",
    "SEQUENCE",
    "STATUS",
    "SUMMARY",
    "TRANSP",
    "TZID",
    "TZNAME",
    "TZOFFSETFROM",
    "TZOFFSETTO",
    "UID",
    "X-LIC-LOCATION",
    "X-WR-TIMEZONE",
];

/// What a policy says beside the name of a calendar.
#[derive(Debug)]
pub(in crate::policy) struct Options<'a> {
    /// The zone of times that name none.
    pub floating: Option<TimeZone>,
    /// Which events, by their summary.
    pub summary: Option<&'a Glob>,
    /// Windows are read narrowly, freezes widely.
    pub reading: Reading,
}

/// Reads files into one calendar. What is wrong is reported; where anything is, there is none.
pub(in crate::policy) fn read(
    files: &[Arc<Source>],
    options: &Options<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Calendar> {
    let mut events = Vec::new();
    let mut fine = true;
    for file in files {
        match file_events(file, options) {
            Ok(found) => found.into_iter().for_each(|event| match event {
                Ok(event) => events.push(event),
                Err(broken) => {
                    fine = false;
                    push(diagnostics, broken);
                }
            }),
            Err(broken) => {
                fine = false;
                push(diagnostics, broken);
            }
        }
    }
    let series = combine(events, options, &mut fine, diagnostics);
    let file = files.first()?;
    let repeating = series.iter().filter(|series| series.yearly() > 1).count();
    let yearly: u64 = series.iter().map(Series::yearly).fold(0, u64::saturating_add);
    for (count, limit, what) in [
        (
            u64::try_from(repeating).unwrap_or(u64::MAX),
            u64::try_from(MAX_REPEATING).unwrap_or(u64::MAX),
            "events that repeat",
        ),
        (yearly, MAX_YEARLY, "openings a year"),
    ] {
        if count > limit {
            fine = false;
            let span = crate::diagnostic::Span { source: Arc::clone(file), offset: 0, length: 0 };
            push(
                diagnostics,
                Broken { span, message: format!("a calendar has at most {limit} {what}, and this has {count}") },
            );
        }
    }
    fine.then(|| Calendar { series, reading: options.reading, floating: options.floating.clone() })
}

fn push(diagnostics: &mut Diagnostics, broken: Broken) {
    diagnostics.push(
        Diagnostic::error("invalid-calendar", broken.message)
            .at(broken.span)
            .help("nothing of a calendar is skipped: a window or freeze would be missing and nobody would know"),
    );
}

fn file_events(file: &Arc<Source>, options: &Options<'_>) -> Result<Vec<Result<Event, Broken>>, Broken> {
    let roots = components(file, &WANTED)?;
    // What stands outside of any calendar belongs to all of them.
    let (calendars, loose): (Vec<&Component>, Vec<&Component>) =
        roots.iter().partition(|root| root.name == "VCALENDAR");
    let mut found = Vec::new();
    let common: Vec<&Component> = loose.iter().copied().filter(|root| root.name == "VTIMEZONE").collect();
    let mut groups: Vec<(Option<&Component>, Vec<&Component>)> = vec![(None, loose)];
    groups.extend(calendars.into_iter().map(|root| (Some(root), root.parts.iter().collect())));
    for (root, parts) in groups {
        let own = parts.iter().copied().filter(|part| part.name == "VTIMEZONE");
        let definitions: Vec<&Component> = own.chain(common.iter().copied()).collect();
        let property = |name: &str| root.and_then(|root| root.all(name).next()).map(|line| line.value.clone());
        let mut reader = Reader {
            zones: Zones::new(definitions),
            floating: options.floating.clone(),
            hint: property("X-WR-TIMEZONE"),
            cancels: property("METHOD").is_some_and(|method| method.eq_ignore_ascii_case("CANCEL")),
        };
        for part in parts.iter().filter(|part| part.name == "VEVENT") {
            if found.len() >= MAX_EVENTS {
                let message = format!("a calendar has at most {MAX_EVENTS} events");
                return Err(Broken { span: part.at.clone(), message });
            }
            found.push(reader.event(part));
        }
    }
    Ok(found)
}

/// Events of one UID become one series: the latest revision of each, and what it replaces taken out of the whole.
fn combine(events: Vec<Event>, options: &Options<'_>, fine: &mut bool, diagnostics: &mut Diagnostics) -> Vec<Series> {
    let mut wholes: Vec<Event> = Vec::new();
    let mut parts: Vec<Event> = Vec::new();
    for event in events {
        if event.replaces.is_some() { parts.push(event) } else { wholes.push(event) }
    }
    let mut newest: BTreeMap<String, i64> = BTreeMap::new();
    for event in &wholes {
        if let Some(uid) = &event.uid {
            let newest = newest.entry(uid.clone()).or_insert(event.sequence);
            *newest = event.sequence.max(*newest);
        }
    }
    wholes.retain(|event| event.uid.as_ref().is_none_or(|uid| newest.get(uid) == Some(&event.sequence)));
    let cancelled: BTreeSet<String> =
        wholes.iter().filter(|event| event.cancelled).filter_map(|event| event.uid.clone()).collect();
    wholes.retain(|event| event.uid.as_ref().is_none_or(|uid| event.cancelled || !cancelled.contains(uid)));
    // Without a UID it may belong to any series that has none either; where there is none, it stands for itself.
    let nameless =
        wholes.iter().any(|event| event.uid.is_none() && !(event.rules.is_empty() && event.dates.is_empty()));
    for part in parts.iter().filter(|part| nameless && part.uid.is_none()) {
        *fine = false;
        let message = "this event replaces an occurrence and has no UID that says of what".to_owned();
        push(diagnostics, Broken { span: part.at.clone(), message });
    }
    // Of revisions of one occurrence the highest holds, and of equals the last.
    let mut latest: BTreeMap<(String, String), Event> = BTreeMap::new();
    for event in parts {
        let Some((mark, _)) = &event.replaces else { continue };
        let uid = event.uid.clone().unwrap_or_default();
        let occurrence = mark.instant.map_or_else(|| mark.local.to_string(), |instant| instant.to_string());
        let key = (uid, occurrence);
        if latest.get(&key).is_none_or(|known| known.sequence <= event.sequence) {
            latest.insert(key, event);
        }
    }
    let selected = |event: &Event| options.summary.is_none_or(|glob| glob.matches(&event.summary));
    let opens = |event: &Event, selected: bool| {
        !event.cancelled && selected && (options.reading == Reading::Wide || !event.free)
    };
    let mut series = Vec::new();
    let mut free = Vec::new();
    let mut by_uid: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for ((uid, _), event) in latest {
        by_uid.entry(uid).or_default().push(event);
    }
    for whole in wholes {
        let of_whole = selected(&whole);
        let uid = whole.uid.clone();
        let whole_opens = opens(&whole, of_whole);
        if of_whole && whole.free && !whole.cancelled {
            free.push(whole.at.clone());
        }
        check_length(&whole, whole_opens, options, fine, diagnostics);
        let mut one = Series::new(whole);
        if let Some(parts) = uid.as_ref().and_then(|uid| by_uid.get(uid)) {
            for part in parts {
                let Some((mark, following)) = part.replaces.clone() else { continue };
                // A freeze that somebody renamed for a day is still one.
                let chosen = selected(part) || (of_whole && options.reading == Reading::Wide);
                one.replace(mark, following, part, opens(part, chosen));
            }
        }
        if whole_opens {
            series.push((uid, one));
        }
    }
    let chosen_wholes: BTreeSet<String> = series.iter().filter_map(|(uid, _)| uid.clone()).collect();
    let mut all: Vec<Series> = series.into_iter().map(|(_, series)| series).collect();
    for (uid, parts) in by_uid {
        for mut part in parts {
            let chosen = selected(&part) || (options.reading == Reading::Wide && chosen_wholes.contains(&uid));
            let part_opens = opens(&part, chosen);
            if chosen && part.free && !part.cancelled {
                free.push(part.at.clone());
            }
            check_length(&part, part_opens, options, fine, diagnostics);
            if part_opens && !(part.rules.is_empty() && part.dates.is_empty()) {
                let message = "an event that replaces one occurrence repeats itself";
                match options.reading {
                    Reading::Narrow => diagnostics.push(
                        Diagnostic::warning("repeated-replacement", message)
                            .at(part.at.clone())
                            .help("only its own time opens the window"),
                    ),
                    Reading::Wide => {
                        *fine = false;
                        let help = "it cannot be told when it freezes: give it a UID of its own";
                        diagnostics
                            .push(Diagnostic::error("repeated-replacement", message).at(part.at.clone()).help(help));
                    }
                }
                part.rules.clear();
                part.dates.clear();
            }
            if part_opens {
                all.push(Series::new(part));
            }
        }
    }
    if options.reading == Reading::Narrow
        && let Some(first) = free.first()
    {
        let message = match free.len() {
            1 => "an event of this calendar counts as free time (TRANSP:TRANSPARENT) and opens no window".to_owned(),
            many => {
                format!("{many} events of this calendar count as free time (TRANSP:TRANSPARENT) and open no window")
            }
        };
        diagnostics.push(
            Diagnostic::warning("free-event", message).at(first.clone()).help("mark them as busy if they are windows"),
        );
    }
    all
}

/// An event of no length opens nothing; as a freeze it would silently freeze nothing.
fn check_length(event: &Event, opens: bool, options: &Options<'_>, fine: &mut bool, diagnostics: &mut Diagnostics) {
    if !opens || !event.has_no_length() {
        return;
    }
    match options.reading {
        Reading::Narrow => diagnostics.push(
            Diagnostic::warning("event-without-length", "this event has no length: it opens nothing")
                .at(event.at.clone())
                .help("give it DTEND or DURATION"),
        ),
        Reading::Wide => {
            *fine = false;
            diagnostics.push(
                Diagnostic::error("event-without-length", "this event has no length: it would freeze nothing")
                    .at(event.at.clone())
                    .help("give it DTEND or DURATION"),
            );
        }
    }
}
