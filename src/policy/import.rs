//! Rules of foreign ignore files as a policy: one exception a rule, with an owner, a reason and an end.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::ExceptionKind;
use super::exceptions::shown;
use crate::intake::{IgnoreFile, IgnoreRule, IgnoredPackage, NotImported};
use crate::model::{Place, is_unprintable, printable};

/// What the files do not say.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// Who answers for what is imported.
    pub owner: String,
    /// When exceptions end; a rule that ends earlier keeps its own date.
    pub expires: Timestamp,
    /// Why, for rules that give no reason.
    pub reason: Option<String>,
    /// What the exceptions do.
    pub kind: ExceptionKind,
    /// Rules that ended before this time are left out.
    pub as_of: Timestamp,
}

/// A policy made of ignore files.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The policy file.
    pub policy: String,
    /// How many exceptions it has.
    pub exceptions: usize,
    /// What could not be taken over, by file and line.
    pub left_out: Vec<NotImported>,
}

/// Writes the rules of ignore files as a policy.
pub fn import_exceptions(files: &[IgnoreFile], options: &ImportOptions) -> Imported {
    let mut policy = String::from("version: 1\n");
    let mut entries = String::new();
    let mut left_out = Vec::new();
    let mut names: BTreeMap<String, u32> = BTreeMap::new();
    let mut exceptions = 0;
    // Writing to a String cannot fail.
    for file in files {
        left_out.extend(file.left_out.iter().cloned());
        for rule in &file.rules {
            if let Some(ended) = rule.expires.filter(|expires| *expires <= options.as_of) {
                let place = Place { file: file.file.clone(), line: rule.line, column: 1 };
                let why = format!("it ended {}", shown(ended));
                left_out.push(NotImported { place, what: title(rule), why });
                continue;
            }
            let name = unique(&title(rule), &mut names);
            let expires = rule.expires.map_or(options.expires, |own| own.min(options.expires));
            let _ = writeln!(entries, "  # {}:{}", printable(&file.file, 200), rule.line);
            let _ = writeln!(entries, "  - name: {}", quoted(&name));
            let _ = writeln!(entries, "    kind: {}", options.kind.as_str());
            let _ = writeln!(entries, "    match: {}", matched(rule));
            let _ = writeln!(entries, "    reason: {}", quoted(&reason(rule, file, options)));
            let _ = writeln!(entries, "    owner: {}", quoted(&options.owner));
            let _ = writeln!(entries, "    expires: {}", shown(expires));
            exceptions += 1;
        }
    }
    let origins: Vec<String> =
        files.iter().map(|file| format!("{} ({})", printable(&file.file, 200), file.format)).collect();
    let _ = writeln!(policy, "# Imported from {}. Say better why, and who answers for each.", origins.join(", "));
    if exceptions == 0 {
        policy.push_str("exceptions: []\n");
    } else {
        let _ = write!(policy, "exceptions:\n{entries}");
    }
    left_out.sort_by(|a, b| a.place.cmp(&b.place));
    Imported { policy, exceptions, left_out }
}

/// The rule's own reason, else the comment beside it, else what the user says, else the comment above all rules.
fn reason(rule: &IgnoreRule, file: &IgnoreFile, options: &ImportOptions) -> String {
    let given = [&rule.reason, &rule.comment, &options.reason, &rule.heading].into_iter().flatten().next();
    let name = file.file.rsplit('/').next().unwrap_or_default();
    given.cloned().unwrap_or_else(|| format!("no reason is given in {}:{}", printable(name, 120), rule.line))
}

/// What a rule is about, in short.
fn title(rule: &IgnoreRule) -> String {
    let package = |package: &IgnoredPackage| {
        let parts = [&package.name, &package.installed, &package.ecosystem];
        parts.into_iter().flatten().cloned().collect::<Vec<_>>().join(" ")
    };
    let packages = rule.packages.first().map(package).unwrap_or_default();
    let title = match &rule.vulnerability {
        Some(id) => id.clone(),
        None => packages,
    };
    printable(&title, 70)
}

/// The same name for the same rules, whatever stands around them.
fn unique(title: &str, names: &mut BTreeMap<String, u32>) -> String {
    let count = names.entry(title.to_owned()).or_default();
    *count += 1;
    if *count == 1 { title.to_owned() } else { format!("{title} ({count})") }
}

/// The selector.
fn matched(rule: &IgnoreRule) -> String {
    let mut keys: Vec<String> = Vec::new();
    if let Some(id) = &rule.vulnerability {
        keys.push(format!("vulnerability: {}", quoted(id)));
    }
    match rule.packages.as_slice() {
        [] => {}
        [package] => keys.extend(of_package(package)),
        packages => {
            let each: Vec<String> =
                packages.iter().map(|package| format!("{{{}}}", of_package(package).join(", "))).collect();
            keys.push(format!("any: [{}]", each.join(", ")));
        }
    }
    if let Some(available) = rule.fix_available {
        keys.push(format!("fix_available: {available}"));
    }
    format!("{{{}}}", keys.join(", "))
}

/// Distributions with two names.
const SYSTEMS: [[&str; 2]; 5] =
    [["rhel", "redhat"], ["ol", "oracle"], ["amzn", "amazon"], ["almalinux", "alma"], ["sles", "suse"]];

fn of_package(package: &IgnoredPackage) -> Vec<String> {
    let mut keys = Vec::new();
    for (key, value) in
        [("package", &package.name), ("ecosystem", &package.ecosystem), ("installed", &package.installed)]
    {
        keys.extend(value.as_ref().map(|value| format!("{key}: {}", quoted(value))));
    }
    keys.extend(package.os.as_ref().map(|os| {
        // Scanners and os-release differ in what they call these.
        let both = SYSTEMS.iter().find(|names| names.contains(&os.as_str()));
        match both {
            Some(names) => format!("os: {{name: [{}]}}", names.map(quoted).join(", ")),
            None => format!("os: {{name: {}}}", quoted(os)),
        }
    }));
    keys
}

/// A text as YAML, in quotes: nothing in it can mean anything else.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if is_unprintable(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
