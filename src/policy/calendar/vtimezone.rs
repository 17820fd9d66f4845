//! Time zones that a calendar defines itself: its rules become the transitions of a table, which the time crate reads
//! as it reads the tables of the system.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::lines::{Broken, Component, Line};
use super::values::{self, Written};
use crate::policy::rule::Rule;

/// Rules are followed to here: no policy looks further ahead.
const LAST: DateTime = DateTime::constant(2100, 1, 1, 0, 0, 0, 0);

/// No zone changes its clocks more often: twice a year since calendars began.
const MAX_TRANSITIONS: usize = 4_000;

/// What holds from an onset on: `STANDARD` or `DAYLIGHT`.
struct Observance {
    daylight: bool,
    start: DateTime,
    from: i32,
    to: i32,
    rules: Vec<Rule>,
    dates: Vec<DateTime>,
}

/// The zone that a `VTIMEZONE` defines.
pub(super) fn zone(name: &str, definition: &Component) -> Result<TimeZone, Broken> {
    let at_definition = |message: &str| Broken { span: definition.at.clone(), message: message.to_owned() };
    let parts = definition.parts.iter().filter(|part| matches!(part.name.as_str(), "STANDARD" | "DAYLIGHT"));
    let observances: Vec<Observance> = parts.map(observance).collect::<Result<_, _>>()?;
    let Some(first) = observances.iter().min_by_key(|o| (o.start, o.daylight)) else {
        return Err(at_definition("this time zone has neither STANDARD nor DAYLIGHT"));
    };
    let before = (first.from, false);
    let mut transitions = Vec::new();
    for observance in &observances {
        // Eras: a rule without an end holds until the next one of its kind begins.
        let same_kind = observances.iter().filter(|o| o.daylight == observance.daylight && !o.rules.is_empty());
        let next_era = same_kind.map(|o| o.start).filter(|start| *start > observance.start).min();
        let offset = observance.from;
        let to_utc = |local: DateTime| Offset::UTC.to_timestamp(local).map(|t| t.as_second() - i64::from(offset));
        let mut onsets = vec![observance.start];
        onsets.extend(&observance.dates);
        for rule in &observance.rules {
            for onset in rule.times(observance.start, LAST) {
                let instant = to_utc(onset).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
                if instant.is_some_and(|instant| rule.allows(onset, instant))
                    && next_era.is_none_or(|era| onset < era || rule.ends())
                {
                    onsets.push(onset);
                }
            }
        }
        onsets.sort();
        onsets.dedup();
        transitions.extend(
            onsets.into_iter().filter_map(|onset| Some((to_utc(onset).ok()?, observance.to, observance.daylight))),
        );
        if transitions.len() > MAX_TRANSITIONS {
            return Err(at_definition(&format!("this time zone changes its clocks more than {MAX_TRANSITIONS} times")));
        }
    }
    transitions.sort_unstable();
    transitions.dedup_by_key(|(second, ..)| *second);
    table(before, &transitions)
        .and_then(|table| TimeZone::tzif(name, &table).ok())
        .ok_or_else(|| at_definition("this time zone cannot be followed"))
}

fn observance(part: &Component) -> Result<Observance, Broken> {
    let missing = |what: &str| Broken { span: part.at.clone(), message: format!("{} has no {what}", part.name) };
    let offset = |name: &str| -> Result<i32, Broken> {
        let line = part.one(name)?.ok_or_else(|| missing(name))?;
        values::offset(&line.value).ok_or_else(|| line.broken(format!("{name} is an offset such as +0100")))
    };
    let start = part.one("DTSTART")?.ok_or_else(|| missing("DTSTART"))?;
    let local = |line: &Line, text: &str| match values::written(text) {
        Some(Written::Local(time)) => Ok(time),
        Some(Written::Day(day)) => Ok(day.to_datetime(jiff::civil::Time::midnight())),
        _ => Err(line.broken("the clocks of a time zone are changed at a local time")),
    };
    let begin = local(start, &start.value)?;
    let mut dates = Vec::new();
    for line in part.all("RDATE") {
        for text in line.value.split(',') {
            dates.push(local(line, text.trim())?);
        }
    }
    let rule = |line: &Line| Rule::of_event(&line.value, begin).map_err(|error| line.broken(error.to_string()));
    Ok(Observance {
        daylight: part.name == "DAYLIGHT",
        start: begin,
        from: offset("TZOFFSETFROM")?,
        to: offset("TZOFFSETTO")?,
        rules: part.all("RRULE").map(rule).collect::<Result<_, _>>()?,
        dates,
    })
}

/// Transitions in the format of zone files (RFC 8536).
fn table(before: (i32, bool), transitions: &[(i64, i32, bool)]) -> Option<Vec<u8>> {
    let mut kinds = vec![before];
    let mut used = Vec::with_capacity(transitions.len());
    for (_, offset, daylight) in transitions {
        let kind = (*offset, *daylight);
        let at = kinds.iter().position(|known| *known == kind).unwrap_or_else(|| {
            kinds.push(kind);
            kinds.len() - 1
        });
        used.push(u8::try_from(at).ok()?);
    }
    let header = |out: &mut Vec<u8>, times: usize, kinds: usize| -> Option<()> {
        out.extend_from_slice(b"TZif2");
        out.extend_from_slice(&[0; 15]);
        for count in [0, 0, 0, times, kinds, NAME.len()] {
            out.extend_from_slice(&u32::try_from(count).ok()?.to_be_bytes());
        }
        Some(())
    };
    let kind = |out: &mut Vec<u8>, (offset, daylight): (i32, bool)| {
        out.extend_from_slice(&offset.to_be_bytes());
        out.extend_from_slice(&[u8::from(daylight), 0]);
    };
    let mut out = Vec::new();
    // The part for readers of 32 bits, which nobody is.
    header(&mut out, 0, 1)?;
    kind(&mut out, before);
    out.extend_from_slice(NAME);
    header(&mut out, transitions.len(), kinds.len())?;
    transitions.iter().for_each(|(second, ..)| out.extend_from_slice(&second.to_be_bytes()));
    out.extend_from_slice(&used);
    kinds.into_iter().for_each(|each| kind(&mut out, each));
    out.extend_from_slice(NAME);
    out.extend_from_slice(b"\n\n");
    Some(out)
}

/// All its times are local to nobody but this calendar.
const NAME: &[u8] = b"LCL\0";
