//! `.trivyignore`, whose ids may be of anything, and `.trivyignore.yaml`, which says of what.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::read::{IgnoreRule, IgnoredPackage, Read, reason};
use crate::diagnostic::Diagnostics;
use crate::model::{PackageName, Purl, printable};
use crate::yaml::{self, Size, Spanned};

/// What ids of vulnerabilities begin with. Ids of checks (`AVD-AWS-0001`, `DS002`), of rules for secrets and of licences
/// do not.
const PREFIXES: &[&str] = &[
    "CVE-",
    "GHSA-",
    "CAN-",
    "RUSTSEC-",
    "PYSEC-",
    "GO-",
    "OSV-",
    "DSA-",
    "DLA-",
    "DTSA-",
    "TEMP-",
    "USN-",
    "UBUNTU-CVE-",
    "RHSA-",
    "RHBA-",
    "RHEA-",
    "ELSA-",
    "ALSA-",
    "ALBA-",
    "ALEA-",
    "RLSA-",
    "RXSA-",
    "ALAS",
    "SUSE-SU-",
    "OPENSUSE-SU-",
    "CESA-",
    "FEDORA-",
    "MGASA-",
    "ASA-",
    "AVG-",
    "ALPINE-CVE-",
    "ALPINE-",
    "DEBIAN-CVE-",
    "MAL-",
    "NSWG-ECO-",
    "NSWG-",
    "SNYK-",
    "TALOS-",
    "JVN",
    "JVNDB-",
    "CNVD-",
    "CNNVD-",
    "VU#",
    "GLSA-",
    "HSEC-",
    "CURL-CVE-",
    "PSF-",
    "RSEC-",
    "GSD-",
    "BIT-",
    "EEF-CVE-",
    "DRUPAL-",
    "ZSL-",
    "EDB-",
    "PHOTON-",
    "CGA-",
    "MINI-",
    "ECHO-",
    "ROOT-",
    "TOOLBX-",
    "UVI-",
];

/// Whether an id is of a vulnerability.
fn is_vulnerability(id: &str) -> bool {
    let upper = id.to_ascii_uppercase();
    // Checks of Azure and others are numbered within their group and bear no digit right behind the prefix.
    PREFIXES
        .iter()
        .any(|prefix| upper.strip_prefix(prefix).is_some_and(|rest| rest.bytes().any(|b| b.is_ascii_digit())))
        && !upper.starts_with("AVD-")
}

/// `ID [exp:DAY] [KEY:VALUE]...` in lines.
pub(super) fn read_plain(read: &mut Read<'_>) -> &'static str {
    let source = read.source.clone();
    let mut start = 0;
    for written in source.text.split_inclusive('\n') {
        let offset = start + (written.len() - written.trim_start().len());
        start += written.len();
        let line = written.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut fields = line.split_whitespace();
        let id = fields.next().unwrap_or_default();
        if !is_vulnerability(id) {
            read.leave_out(offset, id, "it is no id of a vulnerability: a check, a rule for secrets or a licence");
            continue;
        }
        let Some(id) = read.id(offset, id) else { continue };
        let expires =
            match fields.take_while(|field| !field.starts_with('#')).find_map(|field| field.strip_prefix("exp:")) {
                None => None,
                Some(day) => match read.date(offset, &id, day) {
                    None => continue,
                    date => date,
                },
            };
        read.rule(offset, IgnoreRule { vulnerability: Some(id), expires, ..IgnoreRule::default() });
    }
    "trivyignore"
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawFile {
    vulnerabilities: Option<Vec<Spanned<RawEntry>>>,
    misconfigurations: Option<Vec<Spanned<RawOther>>>,
    secrets: Option<Vec<Spanned<RawOther>>>,
    licenses: Option<Vec<Spanned<RawOther>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawEntry {
    id: Option<String>,
    paths: Option<Vec<IgnoredAny>>,
    purls: Option<Vec<String>>,
    expired_at: Option<String>,
    statement: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawOther {
    id: Option<String>,
}

pub(super) fn read_yaml(read: &mut Read<'_>, diagnostics: &mut Diagnostics) -> &'static str {
    const FORMAT: &str = "trivyignore-yaml";
    let Some(Some(file)) = yaml::parse::<Option<RawFile>>(read.source, Size::Small, diagnostics) else { return FORMAT };
    for entry in file.vulnerabilities.unwrap_or_default() {
        vulnerability(read, entry.offset, entry.value);
    }
    for (what, entries) in
        [("misconfiguration", file.misconfigurations), ("secret", file.secrets), ("licence", file.licenses)]
    {
        for entry in entries.unwrap_or_default() {
            let id = entry.value.id.unwrap_or_default();
            read.leave_out(entry.offset, &id, format!("it is about a {what}, not a vulnerability"));
        }
    }
    FORMAT
}

fn vulnerability(read: &mut Read<'_>, offset: usize, raw: RawEntry) {
    let Some(id) = raw.id.filter(|id| !id.trim().is_empty()) else {
        return read.leave_out(offset, "an entry", "it has no `id`");
    };
    let Some(id) = read.id(offset, &id) else { return };
    if raw.paths.is_some_and(|paths| !paths.is_empty()) {
        return read.leave_out(offset, &id, "it holds for some `paths` only, and an exception cannot ask for a path");
    }
    let mut packages = Vec::new();
    for text in raw.purls.unwrap_or_default() {
        match package(&text) {
            Some(package) => packages.push(package),
            None => {
                let why = format!("`{}` is not a package URL that can be read", printable(&text, 120));
                return read.leave_out(offset, &id, why);
            }
        }
    }
    let expires = match raw.expired_at {
        None => None,
        Some(day) => match read.date(offset, &id, &day) {
            None => return,
            date => date,
        },
    };
    let own = raw.statement.as_deref().and_then(reason);
    read.rule(offset, IgnoreRule { vulnerability: Some(id), packages, expires, reason: own, ..IgnoreRule::default() });
}

/// The package that a package URL means.
fn package(text: &str) -> Option<IgnoredPackage> {
    let purl = Purl::parse(text)?;
    let name = purl.package_name();
    PackageName::new(&name).ok()?;
    Some(IgnoredPackage {
        name: Some(name),
        os: purl.namespace.clone().filter(|_| purl.is_of_distribution()),
        installed: purl.version,
        ecosystem: Some(purl.kind),
    })
}
