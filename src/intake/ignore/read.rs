//! Ignore files: which tool's a file is, and what its rules say in our words.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::super::error::IntakeError;
use super::super::json;
use super::{comments, grype, toml, trivy};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::model::{Place, VulnerabilityId, printable};

/// No ignore file is larger.
const MAX_BYTES: usize = 4 << 20;
/// ... or has more rules.
const MAX_RULES: usize = 100_000;

/// An ignore file as it was read: every entry is a rule or is not imported.
#[derive(Clone, Debug)]
pub struct IgnoreFile {
    /// The file as it was named.
    pub file: String,
    /// `trivyignore`, `trivyignore-yaml`, `grype`, `osv-scanner` or `cargo-audit`.
    pub format: &'static str,
    /// Its rules, in order.
    pub rules: Vec<IgnoreRule>,
    /// Entries that no exception can express.
    pub left_out: Vec<NotImported>,
}

/// A rule about vulnerabilities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoreRule {
    /// Its line, from 1.
    pub line: u32,
    /// The vulnerability; none means any of the packages.
    pub vulnerability: Option<String>,
    /// The packages, any of which is meant; none means any package.
    pub packages: Vec<IgnoredPackage>,
    /// Whether it holds for findings with or without a fix only.
    pub fix_available: Option<bool>,
    /// Why, as the tool's own key says it.
    pub reason: Option<String>,
    /// What a comment beside or above the entry says.
    pub comment: Option<String>,
    /// What a comment above the whole list says.
    pub heading: Option<String>,
    /// When it ends.
    pub expires: Option<Timestamp>,
}

/// A package that a rule is about; what is absent may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoredPackage {
    /// Its name, with `*` for any text.
    pub name: Option<String>,
    /// The type of its package URL.
    pub ecosystem: Option<String>,
    /// The distribution it is of, by `ID` of os-release.
    pub os: Option<String>,
    /// The installed version.
    pub installed: Option<String>,
}

/// An entry that no exception can express.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotImported {
    /// Where it stands.
    pub place: Place,
    /// What it is, as it is called there.
    pub what: String,
    /// Why it is left out.
    pub why: String,
}

/// Reads an ignore file; the format is told by the content, else by the name.
pub fn read_ignore_file(path: &Path) -> Result<IgnoreFile, Vec<Diagnostic>> {
    let name = path.display().to_string();
    let one = |error: IntakeError| vec![Diagnostic::from(error)];
    let bytes = json::read_file(path).map_err(one)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(one(IntakeError::new("invalid-ignore-file", &name, "the file is not UTF-8 text")));
    };
    read_ignore(&Source::new(name, text))
}

/// Reads an ignore file that is a text already.
pub fn read_ignore(source: &Arc<Source>) -> Result<IgnoreFile, Vec<Diagnostic>> {
    if source.text.len() > MAX_BYTES {
        let message = format!("the file is larger than {} MiB", MAX_BYTES >> 20);
        return Err(vec![IntakeError::new("file-too-large", &source.name, message).into()]);
    }
    let mut read = Read { source, rules: Vec::new(), left_out: Vec::new() };
    let mut diagnostics = Diagnostics::default();
    let format = match kind(source) {
        Kind::Toml => toml::read(&mut read).map_err(|error| vec![error.into()])?,
        Kind::GrypeYaml => grype::read(&mut read, &mut diagnostics),
        Kind::TrivyYaml => trivy::read_yaml(&mut read, &mut diagnostics),
        Kind::Plain => trivy::read_plain(&mut read),
        Kind::Unknown => {
            let message = "the file is no ignore file known here";
            let help = "known are .trivyignore, .trivyignore.yaml, .grype.yaml, osv-scanner.toml and audit.toml";
            return Err(vec![IntakeError::new("unknown-ignore-format", &source.name, message).help(help).into()]);
        }
    };
    if diagnostics.has_errors() {
        return Err(diagnostics.sorted());
    }
    let Read { rules, left_out, .. } = read;
    if rules.len() + left_out.len() > MAX_RULES {
        let message = format!("the file has more than {MAX_RULES} entries");
        return Err(vec![IntakeError::new("file-too-large", &source.name, message).into()]);
    }
    Ok(IgnoreFile { file: source.name.clone(), format, rules, left_out })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    TrivyYaml,
    GrypeYaml,
    Toml,
    Unknown,
}

fn kind(source: &Source) -> Kind {
    let lines = || source.text.lines().map(str::trim_end).filter(|line| !line.trim_start().starts_with('#'));
    let key = |keys: &[&str]| {
        lines().any(|line| keys.iter().any(|key| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':'))))
    };
    let table = |line: &str| {
        let name = line.trim_start_matches('[').trim_end_matches(']').trim().to_lowercase();
        line.starts_with('[')
            && (["ignoredvulns", "packageoverrides"].contains(&name.as_str())
                || name == "advisories"
                || name.starts_with("advisories."))
    };
    let file = source.name.rsplit('/').next().unwrap_or_default().to_lowercase();
    let is_yaml = file.ends_with(".yaml") || file.ends_with(".yml");
    if lines().any(table) || file.ends_with(".toml") {
        Kind::Toml
    } else if key(&["ignore"]) {
        Kind::GrypeYaml
    } else if key(&["vulnerabilities", "misconfigurations", "secrets", "licenses"]) {
        Kind::TrivyYaml
    } else if is_yaml {
        match file.as_str() {
            name if name.contains("trivy") => Kind::TrivyYaml,
            name if name.contains("grype") => Kind::GrypeYaml,
            _ => Kind::Unknown,
        }
    } else {
        Kind::Plain
    }
}

/// What is being read.
pub(super) struct Read<'a> {
    pub source: &'a Arc<Source>,
    pub rules: Vec<IgnoreRule>,
    pub left_out: Vec<NotImported>,
}

impl Read<'_> {
    /// A rule at a byte offset, with what the comments around it say.
    pub fn rule(&mut self, offset: usize, rule: IgnoreRule) {
        if self.rules.len() > MAX_RULES {
            return;
        }
        let line = self.source.place(offset).line;
        let comment = comments::of(&self.source.text, offset);
        self.rules.push(IgnoreRule { line, comment, ..rule });
    }

    pub fn leave_out(&mut self, offset: usize, what: &str, why: impl Into<String>) {
        if self.left_out.len() > MAX_RULES {
            return;
        }
        let place = self.source.place(offset);
        self.left_out.push(NotImported { place, what: printable(what, 120), why: why.into() });
    }

    /// A vulnerability's id, or the entry is left out.
    pub fn id(&mut self, offset: usize, text: &str) -> Option<String> {
        match VulnerabilityId::new(text.trim()) {
            Ok(id) => Some(id.to_string()),
            Err(error) => {
                self.leave_out(offset, text, error.to_string());
                None
            }
        }
    }

    /// A date, or the entry is left out: one that cannot be read might have passed.
    pub fn date(&mut self, offset: usize, what: &str, text: &str) -> Option<Timestamp> {
        let date = date(text);
        if date.is_none() {
            self.leave_out(offset, what, format!("its date `{}` cannot be read", printable(text, 40)));
        }
        date
    }
}

/// A day as it begins in UTC, or an instant.
pub(super) fn date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    match text.len() {
        0..10 | 65.. => None,
        10 => text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp()),
        _ => text.parse().ok().or_else(|| {
            // TOML and YAML know times without a zone.
            let local: jiff::civil::DateTime = text.replace(' ', "T").parse().ok()?;
            local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
        }),
    }
}

/// A text of a tool as a reason: on one line, and none where it says nothing.
pub(super) fn reason(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    (!words.is_empty()).then(|| printable(&words.join(" "), 280))
}
