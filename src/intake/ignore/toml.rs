//! `osv-scanner.toml` and cargo-audit's `audit.toml`.

use toml::de::{DeTable, DeValue};

use super::super::error::IntakeError;
use super::comments;
use super::read::{IgnoreRule, IgnoredPackage, Read, reason};
use crate::model::{PackageName, printable};

/// Ecosystems of OSV: the type of the package URL, and the distribution where it is one's own.
const ECOSYSTEMS: &[(&str, &str, Option<&str>)] = &[
    ("npm", "npm", None),
    ("pypi", "pypi", None),
    ("maven", "maven", None),
    ("go", "golang", None),
    ("crates.io", "cargo", None),
    ("packagist", "composer", None),
    ("rubygems", "gem", None),
    ("nuget", "nuget", None),
    ("hex", "hex", None),
    ("pub", "pub", None),
    ("conancenter", "conan", None),
    ("swifturl", "swift", None),
    ("github actions", "github", None),
    ("cran", "cran", None),
    ("hackage", "hackage", None),
    ("bitnami", "bitnami", None),
    ("debian", "deb", Some("debian")),
    ("ubuntu", "deb", Some("ubuntu")),
    ("alpine", "apk", Some("alpine")),
    ("wolfi", "apk", Some("wolfi")),
    ("chainguard", "apk", Some("chainguard")),
    ("red hat", "rpm", Some("rhel")),
    ("rocky linux", "rpm", Some("rocky")),
    ("almalinux", "rpm", Some("almalinux")),
    ("suse", "rpm", Some("sles")),
    ("opensuse", "rpm", Some("opensuse")),
];

/// The ecosystem of OSV for the type of a package URL, where it needs no distribution.
pub fn osv_ecosystem(kind: &str) -> Option<&'static str> {
    const WRITTEN: [(&str, &str); 12] = [
        ("npm", "npm"),
        ("pypi", "PyPI"),
        ("maven", "Maven"),
        ("golang", "Go"),
        ("cargo", "crates.io"),
        ("composer", "Packagist"),
        ("gem", "RubyGems"),
        ("nuget", "NuGet"),
        ("hex", "Hex"),
        ("pub", "Pub"),
        ("conan", "ConanCenter"),
        ("swift", "SwiftURL"),
    ];
    WRITTEN.iter().find(|(known, _)| *known == kind).map(|(_, written)| *written)
}

pub(super) fn read(read: &mut Read<'_>) -> Result<&'static str, IntakeError> {
    let source = read.source.clone();
    let root = DeTable::parse(&source.text).map_err(|error| {
        let place = source.place(error.span().map_or(0, |span| span.start));
        IntakeError::new("invalid-toml", &source.name, error.message()).at(place.line as usize, place.column as usize)
    })?;
    let root = Table(root.get_ref());
    let (vulns, overrides) = (root.get("ignoredvulns"), root.get("packageoverrides"));
    let advisories = root.get("advisories").and_then(|(_, value)| value.as_table());
    if vulns.is_none() && overrides.is_none() && advisories.is_none() {
        // A configuration without any exception is one all the same, by the name of the file.
        return match source.name.rsplit('/').next().unwrap_or_default() {
            name if name.contains("osv-scanner") => Ok("osv-scanner"),
            name if name.contains("audit") => Ok("cargo-audit"),
            _ => Err(IntakeError::new("unknown-ignore-format", &source.name, "the file is no ignore file known here")
                .help("known are osv-scanner.toml (`IgnoredVulns`, `PackageOverrides`) and audit.toml (`advisories`)")),
        };
    }
    if let Some(table) = advisories.filter(|_| vulns.is_none() && overrides.is_none()) {
        cargo_audit(read, Table(table));
        return Ok("cargo-audit");
    }
    let tables = |found: Option<(usize, &DeValue<'_>)>, each: &mut dyn FnMut(usize, Table<'_, '_>)| {
        for entry in found.and_then(|(_, value)| value.as_array()).into_iter().flatten() {
            if let Some(table) = entry.get_ref().as_table() {
                each(entry.span().start, Table(table));
            }
        }
    };
    tables(vulns, &mut |offset, table| ignored(read, offset, table));
    tables(overrides, &mut |offset, table| override_of(read, offset, table));
    Ok("osv-scanner")
}

/// A table whose keys are found in any case, as the tool does.
#[derive(Clone, Copy)]
struct Table<'t, 'i>(&'t DeTable<'i>);

impl<'t, 'i> Table<'t, 'i> {
    /// The value of a key, with the place of the key.
    fn get(self, key: &str) -> Option<(usize, &'t DeValue<'i>)> {
        let exact = self.0.iter().find(|(name, _)| name.get_ref() == key);
        let found = exact.or_else(|| self.0.iter().find(|(name, _)| name.get_ref().eq_ignore_ascii_case(key)))?;
        Some((found.0.span().start, found.1.get_ref()))
    }

    fn text(self, key: &str) -> Option<&'t str> {
        self.get(key).and_then(|(_, value)| value.as_str()).filter(|text| !text.trim().is_empty())
    }

    fn table(self, key: &str) -> Option<Self> {
        self.get(key).and_then(|(_, value)| value.as_table()).map(Table)
    }

    fn is_true(self, key: &str) -> bool {
        self.get(key).and_then(|(_, value)| value.as_bool()) == Some(true)
    }

    /// A date, as TOML or as text.
    fn date(self, key: &str) -> Option<String> {
        self.get(key).map(|(_, value)| match value.as_datetime() {
            Some(date) => date.to_string(),
            None => value.as_str().unwrap_or("?").to_owned(),
        })
    }
}

fn ignored(read: &mut Read<'_>, start: usize, table: Table<'_, '_>) {
    let Some(id) = table.text("id") else { return read.leave_out(start, "an entry", "it has no `id`") };
    let offset = table.get("id").map_or(start, |(offset, _)| offset);
    let Some(id) = read.id(offset, id) else { return };
    let expires = match table.date("ignoreuntil") {
        None => None,
        Some(day) => match read.date(offset, &id, &day) {
            None => return,
            date => date,
        },
    };
    let own = table.text("reason").and_then(reason);
    read.rule(offset, IgnoreRule { vulnerability: Some(id), expires, reason: own, ..IgnoreRule::default() });
}

fn override_of(read: &mut Read<'_>, start: usize, table: Table<'_, '_>) {
    let (name, version, written) = (table.text("name"), table.text("version"), table.text("ecosystem"));
    let first = ["name", "ecosystem", "version"].iter().find_map(|key| table.get(key));
    let offset = first.map_or(start, |(offset, _)| offset);
    let what = name.or(written).unwrap_or("an override").to_owned();
    let ignored = table.is_true("ignore") || table.table("vulnerability").is_some_and(|table| table.is_true("ignore"));
    if !ignored {
        let about = if table.get("license").is_some() {
            "it is about licences, not vulnerabilities"
        } else {
            "it ignores nothing"
        };
        return read.leave_out(offset, &what, about);
    }
    if table.text("group").is_some() {
        return read.leave_out(offset, &what, "an exception cannot ask for a group of dependencies");
    }
    let (ecosystem, os) = match written {
        None => (None, None),
        Some(written) => match ECOSYSTEMS.iter().find(|(known, ..)| known.eq_ignore_ascii_case(written.trim())) {
            Some((_, kind, os)) => (Some((*kind).to_owned()), os.map(str::to_owned)),
            None => {
                let why = format!("the ecosystem `{}` is not known, or names one release", printable(written, 40));
                return read.leave_out(offset, &what, why);
            }
        },
    };
    if name.is_none() && version.is_none() && ecosystem.is_none() {
        return read.leave_out(offset, &what, "it would accept every vulnerability of every package");
    }
    if let Some(error) = name.and_then(|name| PackageName::new(name).err()) {
        return read.leave_out(offset, &what, error.to_string());
    }
    let expires = match table.date("effectiveuntil") {
        None => None,
        Some(day) => match read.date(offset, &what, &day) {
            None => return,
            date => date,
        },
    };
    let package =
        IgnoredPackage { name: name.map(str::to_owned), ecosystem, os, installed: version.map(str::to_owned) };
    let own = table.text("reason").and_then(reason);
    read.rule(offset, IgnoreRule { packages: vec![package], expires, reason: own, ..IgnoreRule::default() });
}

fn cargo_audit(read: &mut Read<'_>, advisories: Table<'_, '_>) {
    let heading = comments::heading(&read.source.text, "ignore");
    let entries = advisories.get("ignore").and_then(|(_, value)| value.as_array());
    for entry in entries.into_iter().flatten() {
        let offset = entry.span().start;
        // cargo-deny writes `{ id = "...", reason = "..." }` in the same place.
        let table = entry.get_ref().as_table().map(Table);
        let id = entry.get_ref().as_str().or_else(|| table.and_then(|table| table.text("id")));
        let Some(id) = id else {
            read.leave_out(offset, "an entry", "it is no id of an advisory");
            continue;
        };
        let Some(id) = read.id(offset, id) else { continue };
        let own = table.and_then(|table| table.text("reason")).and_then(reason);
        let heading = heading.clone();
        read.rule(offset, IgnoreRule { vulnerability: Some(id), reason: own, heading, ..IgnoreRule::default() });
    }
}
