//! Mutants of policies: one value, comparison, date or selector changed at a time. Tests that notice none of it test nothing.

use std::sync::Arc;

use jiff::civil::{Date, Time};
use jiff::{Span as TimeAmount, ToSpan as _};

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

/// Lists in which the first match wins: their order must matter.
const ORDERED: [&str; 3] = ["priority.overrides", "importance.rules", "strategy.rules"];

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
const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

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
        let silent = self.item.path.iter().any(|part| matches!(part, Part::Key(key) if SILENT.contains(&key.as_str())));
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

    /// A rule taken out, or put behind the next one.
    fn rule(&mut self, name: &str, index: usize) {
        let Some((list, _)) = name.rsplit_once('[').filter(|(list, _)| RULES.contains(list)) else { return };
        if !matches!(self.item.path.last(), Some(Part::Index(_))) {
            return;
        }
        if self.item.siblings > 1 {
            self.remove(format!("{name} taken out"));
        } else if let Some(whole) = self.items.iter().find(|item| item.name() == list) {
            self.push(whole.start, whole.end, "[]".to_owned(), format!("{name} taken out"));
        }
        let depth = self.item.path.len();
        let next = self.items[index + 1..].iter().find(|item| item.path.len() == depth);
        let is_sibling = |next: &&Item| next.path[..depth - 1] == self.item.path[..depth - 1];
        if let Some(next) = next.filter(is_sibling).filter(|_| ORDERED.contains(&list)) {
            let text = &self.source.text;
            let swapped = format!(
                "{}{}{}",
                &text[next.start..next.end],
                &text[self.item.end..next.start],
                &text[self.item.start..self.item.end]
            );
            let (start, end) = (self.item.start, next.end);
            self.push(start, end, swapped, format!("{name} put behind the next"));
        }
    }

    /// A key of a selector taken out: does the test have a host or finding that it keeps out?
    fn selector(&mut self) {
        let Some(at) = self.item.path.iter().position(|part| is_match(part)) else { return };
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
        match key.as_str() {
            "cvss" | "exploitation" | "importance" | "age" if name.contains("priority.weights") => {
                self.numbers(text, 0.1, 1000.0)
            }
            "critical" | "high" | "medium" if name.contains("priority.thresholds") => self.numbers(text, 0.1, 10.0),
            "important" | "general" | "test" if name.contains("importance_points") => self.numbers(text, 1.0, 10.0),
            "required" | "approvals" => self.numbers(text, 1.0, 20.0),
            "cvss" => self.comparison(text, |value| shift_number(value, 0.1)),
            "epss" => self.comparison(text, |value| shift_number(value, 0.01)),
            "age" => self.comparison(text, shift_span),
            "version" if in_match => self.comparison(text, |value| shift_number(value, 1.0)),
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
            "age_full_at" | "duration" => shift_span(text).into_iter().for_each(|span| self.replace(&span)),
            "critical" | "high" | "medium" | "low" => shift_span(text).into_iter().for_each(|span| self.replace(&span)),
            "expires" | "from" | "to" | "dates" | "rdate" | "exdate" => self.days(text),
            "start" | "end" => self.hours(text),
            "timezone" => self.replace(if text == "UTC" { "Asia/Tokyo" } else { "UTC" }),
            "rrule" => self.rrule(text),
            "type" if in_match => self.replace(if text == "linux" { "windows" } else { "linux" }),
            _ if in_match && text != "all" => self.pattern(text),
            _ => {}
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

    /// Another sign, and another bound on each side.
    fn comparison(&mut self, text: &str, shift: impl Fn(&str) -> Vec<String>) {
        let digits = text.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
        let (sign, bound) = text.split_at(digits);
        let end = bound.find(',').unwrap_or(bound.len());
        let (bound, rest) = bound.split_at(end);
        let other = match sign.trim() {
            ">=" => ">",
            ">" => ">=",
            "<=" => "<",
            "<" => "<=",
            _ => ">",
        };
        self.replace(&format!("\"{other}{bound}{rest}\""));
        for changed in shift(bound) {
            self.replace(&format!("\"{sign}{changed}{rest}\""));
        }
    }

    fn days(&mut self, text: &str) {
        let (day, rest) = text.split_at(text.find('T').unwrap_or(text.len()));
        let Ok(date) = day.parse::<Date>() else { return };
        let by: [TimeAmount; 2] = [1.day(), -1.day()];
        for amount in by {
            if let Ok(changed) = date.checked_add(amount) {
                self.replace(&format!("\"{changed}{rest}\""));
            }
        }
    }

    fn hours(&mut self, text: &str) {
        let Ok(time) = Time::strptime("%H:%M", text) else { return };
        let by: [TimeAmount; 2] = [1.hour(), -1.hour()];
        for amount in by {
            self.replace(&format!("\"{}\"", time.wrapping_add(amount).strftime("%H:%M")));
        }
    }

    fn rrule(&mut self, text: &str) {
        for (at, day) in DAYS.iter().enumerate() {
            if let Some(start) = text.find("BYDAY=").filter(|start| text[*start..].starts_with(&format!("BYDAY={day}")))
            {
                let next = DAYS[(at + 1) % DAYS.len()];
                let place = start + "BYDAY=".len();
                self.replace(&format!("\"{}{next}{}\"", &text[..place], &text[place + 2..]));
            }
        }
        if text.contains("FREQ=WEEKLY") {
            self.replace(&format!("\"{}\"", text.replace("FREQ=WEEKLY", "FREQ=DAILY")));
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

fn shift_number(text: &str, step: f64) -> Vec<String> {
    let Ok(number) = text.trim().parse::<f64>() else { return Vec::new() };
    let decimals = text.split_once('.').map_or(0, |(_, rest)| rest.len()).max(if step < 0.1 {
        2
    } else {
        usize::from(step < 1.0)
    });
    let shown = [number + step, (number - step).max(0.0)].map(|changed| format!("{changed:.decimals$}"));
    shown.into_iter().filter(|changed| changed != text).collect()
}

/// One more and one less of its last unit.
fn shift_span(text: &str) -> Vec<String> {
    let Some(unit) = text.find(|c: char| c.is_ascii_alphabetic()) else { return Vec::new() };
    let Ok(number) = text[..unit].parse::<u64>() else { return Vec::new() };
    [Some(number + 1), number.checked_sub(1).filter(|n| *n > 0)]
        .into_iter()
        .flatten()
        .map(|changed| format!("{changed}{}", &text[unit..]))
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::diagnostic::Diagnostics;
    use crate::policy::Policy;

    const POLICY: &str = r#"version: 1
priority:
  thresholds: {critical: 8.0, high: 6.0, medium: 3.5}
  overrides:
    - {name: a, match: {kev: true, labels: {env: [prod, dev]}}, priority: critical, reason: x}
    - name: b
      match: {package: "vim*", cvss: ">=7.0", not: {groups: db}}
      priority: low
      reason: y
scope: {fix: [critical, high]}
exceptions:
  - {name: E, kind: ignore, match: {vulnerability: CVE-2026-1}, reason: r, owner: o, expires: 2027-03-01}
windows:
  - name: w
    match: all
    schedule: {rrule: FREQ=WEEKLY;BYDAY=SA, start: "22:00", duration: 4h, timezone: Europe/Berlin}
"#;

    #[test]
    fn each_mutant_changes_one_thing_and_most_are_policies() {
        let bundle = Bundle::from(vec![Source::new("p.yaml", POLICY)]);
        let all = mutants(&bundle);
        let what: Vec<&str> = all.iter().map(|mutant| mutant.what.as_str()).collect();
        for expected in [
            "priority.thresholds.high: 6.0 -> 6.1",
            "priority.thresholds.high: 6.0 -> 5.9",
            "priority.overrides[0] taken out",
            "priority.overrides[0] put behind the next",
            "priority.overrides[0].match.kev: true -> false",
            "priority.overrides[0].match.kev taken out",
            "priority.overrides[0].match.labels.env[1] taken out",
            "priority.overrides[1].match.package: \"vim*\" -> \"*\"",
            "priority.overrides[1].match.cvss: \">=7.0\" -> \">7.0\"",
            "priority.overrides[1].match.cvss: \">=7.0\" -> \">=7.1\"",
            "priority.overrides[1].match.not taken out",
            "priority.overrides[1].priority: low -> medium",
            "scope.fix[1] taken out",
            "scope.fix[1]: high -> medium",
            "exceptions[0] taken out",
            "exceptions[0].kind: ignore -> whitelist",
            "exceptions[0].expires: 2027-03-01 -> \"2027-03-02\"",
            "exceptions[0].match: {vulnerability: CVE-2026-1} -> all",
            "windows[0].schedule.start: \"22:00\" -> \"23:00\"",
            "windows[0].schedule.duration: 4h -> 3h",
            "windows[0].schedule.rrule: FREQ=WEEKLY;BYDAY=SA -> \"FREQ=WEEKLY;BYDAY=SU\"",
            "windows[0].schedule.timezone: Europe/Berlin -> UTC",
        ] {
            assert!(what.contains(&expected), "{expected} is not among {what:#?}");
        }
        assert!(!what.iter().any(|what| what.contains("reason") || what.contains("owner") || what.contains(".name")));
        let mut valid = 0;
        for mutant in &all {
            let text = bundle.edited(&mutant.edit).policies[0].text.clone();
            assert_ne!(text, POLICY, "{}", mutant.what);
            let mut diagnostics = Diagnostics::default();
            let policy = Policy::load(bundle.edited(&mutant.edit), &mut diagnostics);
            assert!(policy.is_some() || diagnostics.has_errors(), "{}", mutant.what);
            if policy.is_none() {
                let codes: Vec<_> = diagnostics.iter().map(|d| d.code).collect();
                assert!(!codes.contains(&"invalid-yaml"), "{}: {text}", mutant.what);
            }
            valid += usize::from(policy.is_some());
        }
        assert!(valid * 10 > all.len() * 9, "{valid} of {}", all.len());
    }
}
