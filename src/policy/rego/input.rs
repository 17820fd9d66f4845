//! The documents that rules look at, cut down to the parts that they name.
//!
//! A rule sees nothing else, so that two findings whose cut documents are equal cannot be judged differently: each is
//! evaluated once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::model::{Assessment, Finding, Host, Importance};
use crate::policy::selector::fix_available;
use crate::yaml::nearest;

/// No path is followed further: the whole rest is given.
const MAX_PATH: usize = 6;

/// Parts of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Paths {
    whole: bool,
    parts: BTreeMap<String, Paths>,
}

static WHOLE: Paths = Paths { whole: true, parts: BTreeMap::new() };

impl Paths {
    /// Adds what lies at a path.
    pub fn mark(&mut self, path: &[String]) {
        let mut here = self;
        for part in path.iter().take(MAX_PATH) {
            here = here.parts.entry(part.clone()).or_default();
        }
        here.whole = true;
    }

    pub fn merge(&mut self, other: &Self) {
        self.whole |= other.whole;
        for (part, below) in &other.parts {
            self.parts.entry(part.clone()).or_default().merge(below);
        }
    }

    fn at(&self, part: &str) -> Option<&Self> {
        if self.whole { Some(&WHOLE) } else { self.parts.get(part) }
    }

    /// A value without the parts that nobody looks at.
    fn cut(&self, value: Value) -> Value {
        match value {
            Value::Object(map) if !self.whole => {
                let kept = map.into_iter().filter_map(|(key, value)| {
                    let below = self.at(&key)?;
                    Some((key, below.cut(value)))
                });
                Value::Object(kept.collect())
            }
            value => value,
        }
    }
}

/// An object of which only the parts are made that somebody looks at.
struct Parts<'a> {
    paths: &'a Paths,
    map: Map<String, Value>,
}

impl<'a> Parts<'a> {
    fn of(paths: &'a Paths) -> Self {
        Self { paths, map: Map::new() }
    }

    /// What is not known is left out, never null: null counts as true in a rule.
    fn put<T: Into<Value>>(&mut self, name: &str, value: impl FnOnce() -> Option<T>) {
        if let Some(paths) = self.paths.at(name)
            && let Some(value) = value()
        {
            self.map.insert(name.to_owned(), paths.cut(value.into()));
        }
    }
}

const FINDING: &[&str] = &[
    "aliases",
    "cvss",
    "cvss_scores",
    "ecosystem",
    "epss",
    "first_seen",
    "fix_available",
    "fix_state",
    "fixed_version",
    "fixed_versions",
    "installed_version",
    "kev",
    "location",
    "package",
    "published",
    "references",
    "scanner",
    "severity",
    "title",
    "type",
    "vulnerability",
];
const ASSET: &[&str] = &["address", "aliases", "groups", "importance", "labels", "name", "os"];
const OS: &[&str] = &["family", "name", "version"];

/// Whether this path can exist in the input of a rule about findings (else: about hosts); if not, what may be meant.
pub(super) fn known(path: &[String], about_findings: bool) -> Result<(), String> {
    const TOP: &[&str] = &["asset", "finding", "importance", "now", "priority", "score"];
    const OF_HOSTS: &[&str] = &["asset", "importance", "now"];
    let check = |part: Option<&String>, fields: &[&str]| match part {
        Some(part) if !fields.contains(&part.as_str()) => Err(nearest(part, fields.iter().copied())
            .map_or_else(|| format!("known: {}", fields.join(", ")), |near| format!("did you mean `{near}`?"))),
        _ => Ok(()),
    };
    check(path.first(), if about_findings { TOP } else { OF_HOSTS })?;
    match path.first().map(String::as_str) {
        Some("finding") => check(path.get(1), FINDING),
        Some("asset") if path.get(1).is_some_and(|part| part == "os") => check(path.get(2), OS),
        Some("asset") => check(path.get(1), ASSET),
        _ => Ok(()),
    }
}

/// What a rule about findings sees. `assessment` is what the rest of the policy says.
pub(super) fn about_finding(
    paths: &Paths,
    finding: &Finding,
    host: &Host,
    assessment: &Assessment,
    as_of: Timestamp,
) -> Value {
    let mut top = Parts::of(paths);
    top.put("finding", || Some(finding_parts(paths.at("finding")?, finding)));
    top.put("score", || assessment.score.map(f64::from));
    top.put("priority", || Some(assessment.priority.as_str()));
    host_parts(&mut top, host, assessment.importance, as_of);
    Value::Object(top.map)
}

/// What a rule about hosts sees.
pub(super) fn about_host(paths: &Paths, host: &Host, importance: Importance, as_of: Timestamp) -> Value {
    let mut top = Parts::of(paths);
    host_parts(&mut top, host, importance, as_of);
    Value::Object(top.map)
}

fn host_parts(top: &mut Parts<'_>, host: &Host, importance: Importance, as_of: Timestamp) {
    let paths = top.paths;
    top.put("asset", || Some(asset_parts(paths.at("asset")?, host, importance)));
    top.put("importance", || Some(importance.as_str()));
    top.put("now", || Some(as_of.to_string()));
}

fn asset_parts(paths: &Paths, host: &Host, importance: Importance) -> Value {
    let mut parts = Parts::of(paths);
    parts.put("name", || Some(host.name.as_str()));
    parts.put("address", || Some(host.address()));
    parts.put("aliases", || Some(json!(host.aliases)));
    parts.put("groups", || Some(json!(host.groups)));
    parts.put("labels", || Some(json!(host.labels)));
    parts.put("os", || host.os.as_ref().map(|os| json!(os)));
    parts.put("importance", || Some(importance.as_str()));
    Value::Object(parts.map)
}

fn finding_parts(paths: &Paths, finding: &Finding) -> Value {
    let mut parts = Parts::of(paths);
    parts.put("vulnerability", || Some(finding.vulnerability.as_str()));
    parts.put("aliases", || Some(json!(finding.aliases)));
    parts.put("type", || Some(finding.kind.as_str()));
    parts.put("ecosystem", || Some(finding.ecosystem.as_str()));
    parts.put("package", || finding.package.as_ref().map(|name| name.as_str()));
    parts.put("location", || finding.location.as_deref());
    parts.put("installed_version", || finding.installed.as_ref().map(|version| version.as_str()));
    parts.put("fixed_version", || finding.fixed.first().map(|version| version.as_str()));
    parts.put("fixed_versions", || Some(json!(finding.fixed)));
    parts.put("fix_available", || Some(fix_available(finding)));
    parts.put("fix_state", || Some(json!(finding.fix_state)));
    parts.put("severity", || finding.severity.map(|severity| json!(severity)));
    parts.put("cvss", || finding.base_score().map(|cvss| f64::from(cvss.score)));
    parts.put("cvss_scores", || Some(json!(finding.cvss)));
    parts.put("epss", || finding.epss.map(f64::from));
    parts.put("kev", || Some(finding.kev));
    parts.put("published", || finding.published.map(|time| time.to_string()));
    parts.put("first_seen", || finding.first_seen.map(|time| time.to_string()));
    parts.put("title", || finding.title.as_deref());
    parts.put("references", || Some(json!(finding.references)));
    parts.put("scanner", || Some(finding.scanner.as_str()));
    Value::Object(parts.map)
}
