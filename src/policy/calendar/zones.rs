//! What a `TZID` means: a zone of the IANA database, a Windows name of one, or what the file itself defines.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::lines::{Broken, Component};
use super::{vtimezone, windows_zones};
use crate::model::printable;
use crate::policy::schedule::ABBREVIATIONS;
use crate::yaml::nearest;

/// The zones that a root of a calendar knows, with those that were looked up.
pub(super) struct Zones<'a> {
    definitions: Vec<&'a Component>,
    known: BTreeMap<String, TimeZone>,
}

impl<'a> Zones<'a> {
    pub fn new(definitions: Vec<&'a Component>) -> Self {
        Self { definitions, known: BTreeMap::new() }
    }

    /// The zone of a name, else what is wrong with it.
    pub fn get(&mut self, written: &str, at: impl Fn(String) -> Broken) -> Result<TimeZone, Broken> {
        // Some writers put the key into its own value.
        let name = written.strip_prefix("TZID=").unwrap_or(written).trim();
        if let Some(zone) = self.known.get(name) {
            return Ok(zone.clone());
        }
        let zone = match by_name(name) {
            Some(zone) => zone,
            None => self.defined(name)?.or_else(|| bare(name)).ok_or_else(|| at(unknown(name)))?,
        };
        self.known.insert(name.to_owned(), zone.clone());
        Ok(zone)
    }

    fn defined(&self, name: &str) -> Result<Option<TimeZone>, Broken> {
        let of_name = |definition: &&&Component| definition.all("TZID").any(|line| line.value == name);
        let Some(definition) = self.definitions.iter().find(of_name) else { return Ok(None) };
        let location = definition.all("X-LIC-LOCATION").find_map(|line| by_name(&line.value));
        location.map_or_else(|| vtimezone::zone(name, definition), Ok).map(Some)
    }
}

/// The zone that a name alone says.
pub(super) fn by_name(name: &str) -> Option<TimeZone> {
    let db = jiff::tz::db();
    // An offset or an abbreviation as a name says too little to be taken for what the file may define.
    let names_place = |name: &str| {
        name.len() <= 64 && (name.contains('/') || name.eq_ignore_ascii_case("UTC") || name.eq_ignore_ascii_case("GMT"))
    };
    let direct = |name: &str| names_place(name).then(|| db.get(name).ok()).flatten();
    if let Some(zone) = direct(name) {
        return Some(zone);
    }
    if let Some(zone) = windows_zones::iana(name) {
        return db.get(zone).ok();
    }
    // `/freeassociation.sourceforge.net/Tzfile/Europe/Berlin`, `/mozilla.org/20070129_1/Europe/Berlin`
    let mut rest = name;
    while let Some((_, tail)) = rest.split_once('/') {
        if tail.contains('/')
            && let Some(zone) = direct(tail)
        {
            return Some(zone);
        }
        rest = tail;
    }
    // `US-Eastern`
    direct(&name.replacen('-', "/", 1))
}

/// `Japan` and the like, which the database has beside its places; `EST` and the like are refused.
fn bare(name: &str) -> Option<TimeZone> {
    let named = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
    let says_little = ABBREVIATIONS.contains(&name.to_ascii_uppercase().as_str());
    (named && !says_little).then(|| jiff::tz::db().get(name).ok()).flatten()
}

fn unknown(name: &str) -> String {
    let shown = printable(name, 80);
    let known: Vec<String> = jiff::tz::db().available().map(|zone| zone.as_str().to_owned()).collect();
    let near = if name.len() <= 64 { nearest(name, known.iter().map(String::as_str)) } else { None };
    let near = near.map_or(String::new(), |near| format!("; did they mean `{near}`?"));
    format!("time zone `{shown}` is neither a known name nor defined in this file{near}")
}
