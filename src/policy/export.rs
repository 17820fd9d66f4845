//! The whitelist as ignore files of scanners, so that what is accepted is left out of their scans.
//!
//! An exception that a format cannot express exactly is not written: a wider one would hide other vulnerabilities.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::exceptions::{Exception, shown};
use super::glob::Glob;
use super::selector::OfPackages;
use super::{ExceptionKind, Policy};
use crate::intake::{grype_type, osv_ecosystem};
use crate::model::printable;

/// A scanner's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// `.trivyignore`.
    TrivyIgnore,
    /// `.grype.yaml`.
    Grype,
    /// `osv-scanner.toml`.
    OsvScanner,
    /// `.cargo/audit.toml`.
    CargoAudit,
}

/// A whitelist in a scanner's format.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The file.
    pub text: String,
    /// How many exceptions are in it.
    pub written: usize,
    /// What is not in it, and why.
    pub notes: Vec<String>,
}

impl Policy {
    /// Writes the exceptions of the whitelist that apply at this time.
    pub fn export_whitelist(&self, format: ExportFormat, as_of: Timestamp) -> Exported {
        let active = self.exceptions.all.iter().filter(|e| e.kind == ExceptionKind::Whitelist && e.is_active(as_of));
        let mut entries = String::new();
        let mut notes = Vec::new();
        let mut first_end: Option<Timestamp> = None;
        let mut written = 0;
        for exception in active {
            let said = exception.selector.of_packages().map_err(|key| format!("the format knows no `{key}`"));
            let entry = said.and_then(|said| {
                let expires = exception.expires.ok_or_else(|| "it has no date".to_owned())?;
                entry(format, exception, said, expires, &mut notes).map(|entry| (entry, expires))
            });
            match entry {
                Ok((entry, expires)) => {
                    entries.push_str(&entry);
                    written += 1;
                    first_end = Some(first_end.map_or(expires, |first| first.min(expires)));
                }
                Err(why) => notes.push(format!("{} is not written: {why}", exception.name)),
            }
        }
        if let Some(end) = first_end.filter(|_| matches!(format, ExportFormat::Grype | ExportFormat::CargoAudit)) {
            notes.push(format!("the format knows no dates: export again before {}", shown(end)));
        }
        let text = match format {
            ExportFormat::TrivyIgnore | ExportFormat::OsvScanner => format!("{HEADER}{entries}"),
            ExportFormat::Grype if written == 0 => format!("{HEADER}ignore: []\n"),
            ExportFormat::Grype => format!("{HEADER}ignore:\n{entries}"),
            ExportFormat::CargoAudit => format!("{HEADER}[advisories]\nignore = [\n{entries}]\n"),
        };
        Exported { text, written, notes }
    }
}

const HEADER: &str =
    "# Written by `switchback exceptions export` from the whitelist of the policies; change it there.\n";

fn entry(
    format: ExportFormat,
    exception: &Exception,
    said: OfPackages<'_>,
    expires: Timestamp,
    notes: &mut Vec<String>,
) -> Result<String, String> {
    let ids = exact("vulnerability", said.vulnerability)?;
    if ids.is_empty() && said.package.is_empty() {
        return Err("it names neither vulnerabilities nor packages".to_owned());
    }
    // Dates of these formats are days, which must not end later than the exception.
    let day = expires.strftime("%Y-%m-%d").to_string();
    let about = comment(exception);
    let only_ids = || match (said.package, said.ecosystem, said.installed) {
        ([], [], []) => Ok(()),
        ([], ..) => Err("the format cannot tie a vulnerability to an ecosystem or a version".to_owned()),
        _ => Err("the format cannot tie a vulnerability to a package".to_owned()),
    };
    let mut text = String::new();
    // Writing to a String cannot fail.
    match format {
        ExportFormat::TrivyIgnore => {
            only_ids()?;
            let _ = writeln!(text, "# {about}");
            for id in ids {
                let _ = writeln!(text, "{id} exp:{day}");
            }
        }
        ExportFormat::CargoAudit => {
            only_ids()?;
            let known: Vec<&str> = ids.iter().copied().filter(|id| id.starts_with("RUSTSEC-")).collect();
            if known.is_empty() {
                return Err("the format knows ids of RUSTSEC only".to_owned());
            }
            if known.len() < ids.len() {
                let others = ids.iter().filter(|id| !known.contains(id)).copied().collect::<Vec<_>>().join(", ");
                let name = &exception.name;
                notes.push(format!("{name} is written without {others}: the format knows ids of RUSTSEC only"));
            }
            let _ = writeln!(text, "  # {about}");
            for id in known {
                let _ = writeln!(text, "  {}, # until {day}", quoted(id));
            }
        }
        ExportFormat::Grype => grype(&mut text, &ids, said, &about, &day)?,
        ExportFormat::OsvScanner => osv(&mut text, &ids, said, exception, &day)?,
    }
    Ok(text)
}

fn grype(text: &mut String, ids: &[&str], said: OfPackages<'_>, about: &str, day: &str) -> Result<(), String> {
    let names = said.package.iter().map(regex).collect::<Result<Vec<_>, _>>()?;
    let versions = exact("installed", said.installed)?;
    let mut types = Vec::new();
    for ecosystem in exact("ecosystem", said.ecosystem)? {
        types.push(grype_type(ecosystem).ok_or_else(|| format!("the format knows no ecosystem `{ecosystem}`"))?);
    }
    // A rule holds one of each: all combinations, of which nobody writes many.
    const MAX_RULES: usize = 1000;
    let or_none = |list: Vec<Option<String>>| if list.is_empty() { vec![None] } else { list };
    let ids = or_none(ids.iter().map(|id| Some((*id).to_owned())).collect());
    let names = or_none(names.into_iter().map(Some).collect());
    let versions = or_none(versions.into_iter().map(|v| Some(v.to_owned())).collect());
    let types = or_none(types.into_iter().map(|kind| Some(kind.to_owned())).collect());
    if [names.len(), versions.len(), types.len()]
        .iter()
        .try_fold(ids.len(), |n, m| n.checked_mul(*m))
        .is_none_or(|n| n > MAX_RULES)
    {
        return Err(format!("it would be more than {MAX_RULES} rules"));
    }
    let _ = writeln!(text, "  # {about}, until {day}");
    for id in &ids {
        for name in &names {
            for version in &versions {
                for kind in &types {
                    let mut lines: Vec<String> = Vec::new();
                    lines.extend(id.as_ref().map(|id| format!("vulnerability: {}", quoted(id))));
                    let package: Vec<String> = [("name", name), ("version", version), ("type", kind)]
                        .into_iter()
                        .filter_map(|(key, value)| Some(format!("{key}: {}", quoted(value.as_ref()?))))
                        .collect();
                    if !package.is_empty() {
                        lines.push(format!("package: {{{}}}", package.join(", ")));
                    }
                    lines.push(format!("reason: {}", quoted(about)));
                    let _ = writeln!(text, "  - {}", lines.join("\n    "));
                }
            }
        }
    }
    Ok(())
}

fn osv(text: &mut String, ids: &[&str], said: OfPackages<'_>, exception: &Exception, day: &str) -> Result<(), String> {
    let names = exact("package", said.package)?;
    let why = quoted(&comment(exception));
    if !ids.is_empty() {
        if !names.is_empty() || !said.ecosystem.is_empty() || !said.installed.is_empty() {
            return Err("the format cannot tie a vulnerability to a package".to_owned());
        }
        for id in ids {
            let _ = writeln!(text, "\n[[IgnoredVulns]]\nid = {}\nignoreUntil = {day}\nreason = {why}", quoted(id));
        }
        return Ok(());
    }
    let mut ecosystems = Vec::new();
    for ecosystem in exact("ecosystem", said.ecosystem)? {
        ecosystems.push(Some(
            osv_ecosystem(ecosystem).ok_or_else(|| format!("the format knows no ecosystem `{ecosystem}`"))?,
        ));
    }
    let versions: Vec<Option<&str>> = exact("installed", said.installed)?.into_iter().map(Some).collect();
    let or_none = |list: Vec<Option<_>>| if list.is_empty() { vec![None] } else { list };
    let (ecosystems, versions) = (or_none(ecosystems), or_none(versions));
    for name in names {
        for ecosystem in &ecosystems {
            for version in &versions {
                let _ = writeln!(text, "\n[[PackageOverrides]]\nname = {}", quoted(name));
                for (key, value) in [("ecosystem", *ecosystem), ("version", *version)] {
                    if let Some(value) = value {
                        let _ = writeln!(text, "{key} = {}", quoted(value));
                    }
                }
                let _ = writeln!(text, "vulnerability.ignore = true\neffectiveUntil = {day}\nreason = {why}");
            }
        }
    }
    Ok(())
}

/// Patterns without wildcards.
fn exact<'a>(key: &str, globs: &'a [Glob]) -> Result<Vec<&'a str>, String> {
    let each = globs.iter().map(|glob| match glob {
        Glob::Exact(text) => Ok(text.as_str()),
        _ => Err(format!("the format knows no patterns for `{key}`")),
    });
    each.collect()
}

/// A pattern for a whole name as a regular expression.
fn regex(glob: &Glob) -> Result<String, String> {
    let escape = |out: &mut String, c: char| {
        if !c.is_alphanumeric() && !matches!(c, '-' | '_' | '/' | '@' | ':') {
            out.push('\\');
        }
        out.push(c);
    };
    let mut out = String::new();
    match glob {
        Glob::Any => return Err("it names every package".to_owned()),
        Glob::Exact(text) => text.chars().for_each(|c| escape(&mut out, c)),
        Glob::Prefix(text) => {
            text.chars().for_each(|c| escape(&mut out, c));
            out.push_str(".*");
        }
        Glob::Pattern(chars) => {
            for &c in chars {
                match c {
                    '*' => out.push_str(".*"),
                    '?' => out.push('.'),
                    c => escape(&mut out, c),
                }
            }
        }
    }
    Ok(out)
}

fn comment(exception: &Exception) -> String {
    printable(&format!("{}: {}", exception.name, exception.reason()), 400)
}

/// A text in quotes as YAML and TOML both read it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
