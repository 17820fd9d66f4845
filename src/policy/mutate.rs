//! Mutants of policies: one value, comparison, date or selector changed at a time. Tests that notice none of it test nothing.

mod values;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Bundle, Edit};
use crate::diagnostic::Source;
use crate::model::{Place, printable};
use crate::yaml::{Item, Part, outline};

/// A policy with one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// The change.
    pub edit: Edit,
    /// Where.
    pub place: Place,
    /// What, for people: `priority.thresholds.high: 6.0 -> 6.1`.
    pub what: String,
}

/// What policies decide; how carefully a campaign goes is none of the tests' business.
const SECTIONS: [&str; 9] =
    ["priority", "importance", "scope", "exceptions", "windows", "freezes", "strategy", "approvals", "verify"];

/// Lists of rules: each rule must matter.
const RULES: [&str; 8] = [
    "priority.overrides",
    "importance.rules",
    "exceptions",
    "windows",
    "freezes",
    "strategy.rules",
    "approvals",
    "verify.probes",
];

/// Lists in which the first match wins, with the key of what a rule gives: their order must matter.
const ORDERED: [(&str, Option<&str>); 3] = [
    // Overrides have names, so that a test sees which of two decided that say the same.
    ("priority.overrides", None),
    ("importance.rules", Some("importance")),
    ("strategy.rules", Some("use")),
];

/// What a host or finding has one value of: two rules that ask for different ones never meet.
const SINGLE: [&str; 7] = ["hosts", "importance", "type", "package", "priority", "kev", "fix_available"];

/// How many later rules are looked at for one that may win in the place of another: each is compared with each.
const MAX_BETWEEN: usize = 100;

/// Keys whose values decide nothing that a test can see.
const SILENT: [&str; 14] = [
    "name",
    "reason",
    "owner",
    "ticket",
    "justification",
    "from_group",
    "not_author",
    "valid_for",
    "proven",
    "test_fix",
    "soak",
    "http",
    "summary",
    "calendar",
];

const PRIORITIES: [&str; 4] = ["critical", "high", "medium", "low"];
const IMPORTANCES: [&str; 3] = ["important", "general", "test"];

/// Every mutant of the policies of a bundle, in order of writing.
pub fn mutants(bundle: &Bundle) -> Vec<Mutant> {
    let mut all = Vec::new();
    for source in &bundle.policies {
        let items = outline(source);
        for (index, item) in items.iter().enumerate() {
            Maker { source, items: &items, item, all: &mut all }.make(index);
        }
    }
    all
}

struct Maker<'a> {
    source: &'a Arc<Source>,
    items: &'a [Item],
    item: &'a Item,
    all: &'a mut Vec<Mutant>,
}

impl Maker<'_> {
    fn make(&mut self, index: usize) {
        let Some(Part::Key(section)) = self.item.path.first() else { return };
        // Inside of a selector a key may be called like these and decides all the same: a label `owner`, `os.name`.
        let way = self.item.path.iter().take_while(|part| !is_match(part));
        let silent = way.into_iter().any(|part| matches!(part, Part::Key(key) if SILENT.contains(&key.as_str())));
        if !SECTIONS.contains(&section.as_str()) || silent {
            return;
        }
        let name = self.item.name();
        // `approvals[0].from` names a group, `freezes[0].from` a time.
        if name.starts_with("approvals") && name.ends_with(".from") {
            return;
        }
        self.rule(&name, index);
        self.selector();
        if let Some(text) = &self.item.scalar {
            self.scalar(&name, text);
        }
    }

    fn push(&mut self, start: usize, end: usize, with: String, what: String) {
        let edit = Edit { file: self.source.name.clone(), start, end, with };
        self.all.push(Mutant { edit, place: self.source.place(self.item.start), what: printable(&what, 200) });
    }

    fn replace(&mut self, with: &str) {
        let (start, end) = (self.item.start, self.item.end);
        let old = self.source.text[start..end].to_owned();
        if with != old {
            self.push(start, end, with.to_owned(), format!("{}: {old} -> {with}", self.item.name()));
        }
    }

    fn remove(&mut self, what: String) {
        let (start, end) = self.item.removal(&self.source.text);
        self.push(start, end, String::new(), what);
    }

    fn key(&self) -> &str {
        self.item
            .path
            .iter()
            .rev()
            .find_map(|part| match part {
                Part::Key(key) => Some(key.as_str()),
                Part::Index(_) => None,
            })
            .unwrap_or_default()
    }

    /// A rule taken out, or put behind one that may win in its place.
    fn rule(&mut self, name: &str, index: usize) {
        if name == "scope.emergency" {
            self.take_out(name, "scope", "{}");
        }
        let Some((list, _)) = name.rsplit_once('[').filter(|(list, _)| RULES.contains(list)) else { return };
        if !matches!(self.item.path.last(), Some(Part::Index(_))) {
            return;
        }
        self.take_out(name, list, "[]");
        if let Some((_, gives)) = ORDERED.iter().find(|(ordered, _)| *ordered == list) {
            self.put_behind(name, index, *gives);
        }
    }

    /// Taken out; where it is alone, what holds it becomes empty.
    fn take_out(&mut self, name: &str, whole: &str, empty: &str) {
        if self.item.siblings > 1 {
            self.remove(format!("{name} taken out"));
        } else if let Some(whole) = self.items.iter().find(|item| item.name() == whole) {
            self.push(whole.start, whole.end, empty.to_owned(), format!("{name} taken out"));
        }
    }

    /// Behind the first later rule with which it may disagree: with those between, the order is nothing a test could see.
    fn put_behind(&mut self, name: &str, index: usize, gives: Option<&str>) {
        let depth = self.item.path.len();
        let is_sibling = |at: &usize| {
            let path = &self.items[*at].path;
            path.len() == depth && path[..depth - 1] == self.item.path[..depth - 1]
        };
        let indices: Vec<usize> = (index + 1..self.items.len()).filter(is_sibling).take(MAX_BETWEEN).collect();
        let (asked, given) = (self.asked(index), gives.map(|key| self.given(index, key)));
        let disagrees = |at: &usize| {
            let same = given.is_some() && gives.map(|key| self.given(*at, key)) == given;
            !same && !never_meet(&asked, &self.asked(*at))
        };
        let Some(at) = indices.iter().position(disagrees) else { return };
        let later: Vec<&Item> = indices.iter().map(|at| &self.items[*at]).collect();
        let text = &self.source.text;
        let mut places = vec![self.item];
        places.extend(&later[..=at]);
        let mut rules = later[..=at].to_vec();
        rules.push(self.item);
        let mut turned = String::new();
        for (nth, rule) in rules.iter().enumerate() {
            // What stands between two rules stays where it is.
            if nth > 0 {
                turned.push_str(&text[places[nth - 1].end..places[nth].start]);
            }
            turned.push_str(&text[rule.start..rule.end]);
        }
        let other = later[at].name();
        self.push(self.item.start, later[at].end, turned, format!("{name} put behind {other}"));
    }

    /// What lies in the rule at an index.
    fn within(&self, index: usize) -> impl Iterator<Item = (&[Part], &Item)> {
        let path = self.items[index].path.as_slice();
        self.items[index + 1..].iter().map_while(move |item| Some((item.path.strip_prefix(path)?, item)))
    }

    fn given(&self, index: usize, key: &str) -> Option<&str> {
        let mut inside = self.within(index);
        inside.find(|(way, _)| matches!(way, [Part::Key(k)] if k == key)).and_then(|(_, item)| item.scalar.as_deref())
    }

    /// What the selector of a rule asks of things that have one value, by the way there.
    fn asked(&self, index: usize) -> BTreeMap<Vec<Part>, BTreeSet<String>> {
        let mut asked: BTreeMap<Vec<Part>, BTreeSet<String>> = BTreeMap::new();
        for (way, item) in self.within(index) {
            let (Some(text), [Part::Key(word), way @ ..]) = (&item.scalar, way) else { continue };
            let way = match way {
                [way @ .., Part::Index(_)] => way,
                way => way,
            };
            let single = match way {
                [Part::Key(key)] => SINGLE.contains(&key.as_str()),
                [Part::Key(labels), Part::Key(_)] if labels == "labels" => true,
                [Part::Key(os), Part::Key(key)] => os == "os" && key != "version",
                _ => false,
            };
            if word == "match" && single {
                asked.entry(way.to_vec()).or_default().insert(text.clone());
            }
        }
        // A pattern may meet any other.
        asked.retain(|_, values| !values.iter().any(|value| value.contains(['*', '?'])));
        asked
    }

    /// A key of a selector taken out: does the test have a host or finding that it keeps out?
    fn selector(&mut self) {
        let Some(at) = self.item.path.iter().position(is_match) else { return };
        let name = self.item.name();
        if self.item.path.len() == at + 1 {
            if self.item.scalar.is_none() {
                self.replace("all");
            }
            return;
        }
        let in_labels = matches!(self.item.path.get(self.item.path.len() - 2), Some(Part::Key(key)) if key == "labels" || key == "os");
        let is_key = matches!(self.item.path.last(), Some(Part::Key(_)));
        let directly = self.item.path.len() == at + 2 || in_labels || is_nested(&self.item.path[at + 1..]);
        if is_key && directly && self.item.siblings > 1 {
            self.remove(format!("{name} taken out"));
        }
        if matches!(self.item.path.last(), Some(Part::Index(_))) && self.item.siblings > 1 {
            self.remove(format!("{name} taken out"));
        }
    }

    fn scalar(&mut self, name: &str, text: &str) {
        let key = self.key().to_owned();
        let in_match = self.item.path.iter().any(is_match);
        // Labels are called as people like, also `kev` or `priority`.
        if in_match && self.item.path.iter().any(|part| matches!(part, Part::Key(key) if key == "labels")) {
            return self.pattern(text);
        }
        match key.as_str() {
            "cvss" | "exploitation" | "importance" | "age" if name.contains("priority.weights") => self.weight(text),
            "critical" | "high" | "medium" if name.contains("priority.thresholds") => self.numbers(text, 0.1, 10.0),
            "important" | "general" | "test" if name.contains("importance_points") => self.numbers(text, 1.0, 10.0),
            "required" | "approvals" => self.numbers(text, 1.0, 20.0),
            "cvss" => self.comparison(text, |value| values::shift_number(value, 0.1)),
            "epss" => self.comparison(text, |value| values::shift_number(value, 0.01)),
            "age" => self.comparison(text, values::shift_span),
            "version" if in_match => self.comparison(text, |value| values::shift_number(value, 1.0)),
            "kev" | "fix_available" | "bypass_freeze" => self.replace(if text == "true" { "false" } else { "true" }),
            "kind" => self.replace(if text == "whitelist" { "ignore" } else { "whitelist" }),
            "default" | "use" if name.starts_with("strategy") => {
                self.replace(if text == "in_place" { "auto" } else { "in_place" });
            }
            "fix" => {
                if self.item.siblings > 1 && matches!(self.item.path.last(), Some(Part::Index(_))) {
                    self.remove(format!("{name} taken out"));
                }
                self.neighbours(text, &PRIORITIES);
            }
            "priority" | "unscored" => self.neighbours(text, &PRIORITIES),
            "importance" | "default" => self.neighbours(text, &IMPORTANCES),
            "age_full_at" | "duration" | "critical" | "high" | "medium" | "low" => {
                values::shift_span(text).iter().for_each(|span| self.replace(span));
            }
            "expires" | "from" | "to" | "dates" | "rdate" | "exdate" => self.quoted(values::shift_day(text)),
            "start" | "end" => self.quoted(values::shift_hour(text)),
            "timezone" => self.replace(if text == "UTC" { "Asia/Tokyo" } else { "UTC" }),
            "rrule" => self.quoted(values::shift_rule(text)),
            "type" if in_match => self.replace(if text == "linux" { "windows" } else { "linux" }),
            _ if in_match && text != "all" => self.pattern(text),
            _ => {}
        }
    }

    fn quoted(&mut self, texts: Vec<String>) {
        texts.iter().for_each(|text| self.replace(&format!("\"{text}\"")));
    }

    /// A tenth of it more and less, so that weights of 60 and of 0.6 change as visibly.
    fn weight(&mut self, text: &str) {
        let parent = &self.item.path[..self.item.path.len() - 1];
        let others = self.items.iter().filter(|item| item.path.starts_with(parent) && item.path != self.item.path);
        let weighs =
            |item: &Item| item.scalar.as_deref().and_then(|text| text.parse::<f64>().ok()).is_some_and(|w| w > 0.0);
        // The only weight counts for all, whatever it is.
        if others.into_iter().any(weighs) {
            let step = text.parse::<f64>().map_or(0.1, |weight| (weight / 10.0).max(0.1));
            self.numbers(text, step, 1000.0);
        }
    }

    fn numbers(&mut self, text: &str, step: f64, most: f64) {
        let Ok(number) = text.parse::<f64>() else { return };
        for changed in [number + step, number - step] {
            if (0.0..=most).contains(&changed) {
                let shown = format!("{changed:.3}");
                let shown = shown.trim_end_matches('0').trim_end_matches('.');
                self.replace(shown);
            }
        }
    }

    fn neighbours(&mut self, text: &str, all: &[&str]) {
        let Some(at) = all.iter().position(|known| *known == text) else { return };
        for other in [at.checked_sub(1), Some(at + 1)].into_iter().flatten() {
            if let Some(other) = all.get(other) {
                self.replace(other);
            }
        }
    }

    /// Of each of its parts another sign, and another bound on each side.
    fn comparison(&mut self, text: &str, shift: impl Fn(&str) -> Vec<String>) {
        let parts: Vec<&str> = text.split(',').collect();
        for (at, part) in parts.iter().enumerate() {
            let (sign, bound) = part.split_at(part.find(|c: char| c.is_ascii_digit()).unwrap_or(0));
            let other = match sign.trim() {
                ">=" => ">",
                ">" => ">=",
                "<=" => "<",
                "<" => "<=",
                _ => ">",
            };
            let signs = std::iter::once(format!("{other}{bound}"));
            for changed in signs.chain(shift(bound).into_iter().map(|changed| format!("{sign}{changed}"))) {
                let all: Vec<&str> =
                    parts.iter().enumerate().map(|(i, p)| if i == at { &changed } else { *p }).collect();
                self.replace(&format!("\"{}\"", all.join(",")));
            }
        }
    }

    /// A pattern that no longer matches, and one that matches all.
    fn pattern(&mut self, text: &str) {
        let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        self.replace(&quote(&format!("not-{text}")));
        if text != "*" {
            self.replace("\"*\"");
        }
    }
}

fn is_match(part: &Part) -> bool {
    matches!(part, Part::Key(key) if ["match", "before", "after"].contains(&key.as_str()))
}

/// Whether a way inside of a selector ends directly in a selector of its own: `any[0].KEY`, `not.KEY`.
fn is_nested(way: &[Part]) -> bool {
    match way {
        [.., Part::Key(not), Part::Key(_)] if not == "not" => true,
        [.., Part::Key(any), Part::Index(_), Part::Key(_)] if any == "any" => true,
        _ => false,
    }
}

/// Whether two selectors ask for different values of something that has one.
fn never_meet(one: &BTreeMap<Vec<Part>, BTreeSet<String>>, other: &BTreeMap<Vec<Part>, BTreeSet<String>>) -> bool {
    one.iter().any(|(way, values)| other.get(way).is_some_and(|others| values.is_disjoint(others)))
}
