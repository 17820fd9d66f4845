//! Prisma Cloud (Twistlock) as CSV: one row a host (or image), package and CVE.

use super::error::IntakeError;
use super::format::{Format, Input};
use super::identity::{self, Identity};
use super::lenient::Text;
use super::prose;
use super::reports::Report;
use super::row::{self, Owner, Row, Sink};
use super::table::{self, Cells, Needs, Table};
use crate::model::{FixState, Os, PackageVersion, VulnerabilityType};

const SCANNER: &str = "prisma";

/// Tables of hosts and of images.
pub(super) const TABLE: Format = Format {
    name: "prisma-csv",
    title: "Prisma Cloud CSV of hosts or images",
    scanner: SCANNER,
    is: |peek| table::has_columns(peek, NEEDS),
    read,
};

const NEEDS: Needs =
    &[&["hostname", "repository", "id", "image id"], &["cve id"], &["compliance id"], &["packages"], &["fix status"]];

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let mut table = Table::open(input, NEEDS)?;
    let of_hosts = table.has("hostname");
    while let Some(cells) = table.next(sink)? {
        let get = |names: &[&str]| cells.get(names);
        let mut identity = Identity::default();
        identity.runs(&get(&["distro"]));
        let os = identity.os().cloned();
        let asset = if of_hosts {
            identity.call(&get(&["hostname"]));
            identity.settle(input, report)
        } else {
            let tag = get(&["tag"]);
            let image =
                format!("{}{}{tag}", get(&["repository", "id", "image id"]), if tag.is_empty() { "" } else { ":" });
            identity.about.kind = Some("container_image".to_owned());
            identity.settle_as(identity::thing(&image), input, report)
        };
        // Rows without a CVE are about compliance.
        if get(&["cve id"]).is_empty() {
            report.set_aside("compliance", 1);
            continue;
        }
        match check(&cells) {
            Ok(row) => {
                let (kind, ecosystem) = classify(&cells, os.as_ref());
                sink.add(row.into_finding(Owner { asset: &asset, kind, ecosystem, location: None, scanner: SCANNER }));
            }
            Err(why) => sink.leave_out(why, 1),
        }
    }
    Ok(())
}

fn check(cells: &Cells<'_>) -> Result<Row, &'static str> {
    let text = |names: &[&str]| match cells.get(names) {
        cell if cell.is_empty() => Text::Absent,
        cell => Text::Is(cell),
    };
    let vulnerability = row::vulnerability_id(&text(&["cve id"]))?;
    let (fix_state, fixed) = fix(&cells.get(&["fix status"]))?;
    let link = cells.get(&["vulnerability link"]);
    let score = cells.get(&["cvss"]);
    Ok(Row {
        aliases: prose::advisories(&link).into_iter().filter(|id| *id != vulnerability).collect(),
        package: Some(row::package_name(&text(&["packages", "package"]))?),
        installed: row::installed_version(&text(&["package version"]))?,
        fixed,
        fix_state,
        severity: prose::severity(&cells.get(&["severity"])),
        cvss: prose::cvss(SCANNER, "3.1", &score, "").into_iter().collect(),
        published: prose::time(&cells.get(&["published"])),
        title: row::title([cells.get(&["description"]).as_ref()]),
        references: row::references([link.as_ref()]),
        path: row::location(&cells.get(&["package path"])),
        ..Row::new(vulnerability)
    })
}

/// `fixed in 1.17.3, 1.16.10`, `will not fix`, `affected`, ...
fn fix(status: &str) -> Result<(FixState, Vec<PackageVersion>), &'static str> {
    let lower = status.to_ascii_lowercase();
    if let Some(versions) = lower.strip_prefix("fixed in").map(|rest| &status[status.len() - rest.len()..]) {
        return Ok((FixState::Fixed, row::fixed_versions(&Text::Is(versions.trim().into()))?));
    }
    let state = match lower.as_str() {
        "will not fix" | "won't fix" => FixState::WillNotFix,
        "affected" | "needed" | "pending" | "open" | "vulnerable" | "not fixed" => FixState::NotFixed,
        "deferred" | "fix deferred" | "postponed" => FixState::Deferred,
        "end of life" | "out of support scope" | "out of support" => FixState::EndOfLife,
        "not affected" => FixState::NotAffected,
        "fixed" | "released" => FixState::Fixed,
        _ => FixState::Unknown,
    };
    Ok((state, Vec::new()))
}

/// The check that found it says what kind of package it is.
fn classify(cells: &Cells<'_>, os: Option<&Os>) -> (VulnerabilityType, &'static str) {
    let application = |ecosystem| (VulnerabilityType::Application, ecosystem);
    let package = cells.get(&["packages", "package"]);
    if prose::is_web_cms(&package) {
        return (VulnerabilityType::WebCms, "unknown");
    }
    match cells.get(&["compliance id"]).as_ref() {
        "47" => application("maven"),
        "48" => application("gem"),
        "49" => application("npm"),
        "410" => application("pypi"),
        "411" => application("unknown"),
        "412" => application("nuget"),
        "416" => application("golang"),
        _ if os.is_some_and(|os| os.family == "windows") => (VulnerabilityType::Windows, "windows"),
        _ => match prose::ecosystem(os) {
            "unknown" => application("unknown"),
            ecosystem => (VulnerabilityType::Linux, ecosystem),
        },
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::super::reports::{ReadOptions, read_report};
    use super::*;

    const HEADER: &str = "Hostname,Distro,CVE ID,Compliance ID,Type,Severity,Packages,Package Version,CVSS,Fix Status,Published,Vulnerability Link\n";

    fn shown(text: &str) -> (Vec<String>, Report) {
        let report = read_report("r.csv", text.as_bytes(), &ReadOptions::default()).unwrap();
        let one = |f: &crate::model::Finding| {
            let fixed: Vec<_> = f.fixed.iter().map(ToString::to_string).collect();
            format!(
                "{} {} {} {:?} {:?} {}",
                f.kind.as_str(),
                f.ecosystem,
                f.id,
                f.severity.unwrap(),
                f.fix_state,
                fixed.join(",")
            )
        };
        (report.findings.iter().map(one).collect(), report)
    }

    #[test]
    fn rows_of_hosts_are_read() {
        let (findings, report) = shown(&format!(
            "{HEADER}h-1,redhat-RHEL7,,60522,linux,high,,,0.00,,,\n\
             h-1,redhat-RHEL7,CVE-2021-44142,46,image,important,samba-libs,4.10.16-17.el7_9,9.90,fixed in 4.10.16-18.el7_9,2022-01-31 \
             00:00:00.000,http://example.org/errata/RHSA-2022:0328\n\
             h-1,redhat-RHEL7,CVE-2021-41772,411,image,moderate,go,1.17.1,7.5,\"Fixed in 1.17.3, 1.16.10\",,\n\
             h-2,redhat-RHEL7,CVE-2019-9704,46,image,low,cronie,1.4.11-23.el7,,will not fix,,\n\
             h-2,redhat-RHEL7,CVE-2019-9705,46,image,low,cronie,1.4.11-23.el7,,deferred,,\n\
             h-2,redhat-RHEL7,CVE-2019-9706,46,image,low,cronie; reboot,1,,affected,,\n\
             h-2,redhat-RHEL7,CVE-2019-9707,46,image,low,cronie,1,,fixed in $(id),,\n"
        ));
        assert_eq!(
            findings,
            [
                "linux rpm h-1/CVE-2021-44142/samba-libs@4.10.16-17.el7_9 High Fixed 4.10.16-18.el7_9",
                "application unknown h-1/CVE-2021-41772/go@1.17.1 Medium Fixed 1.17.3,1.16.10",
                "linux rpm h-2/CVE-2019-9704/cronie@1.4.11-23.el7 Low WillNotFix ",
                "linux rpm h-2/CVE-2019-9705/cronie@1.4.11-23.el7 Low Deferred ",
            ]
        );
        assert_eq!(report.set_aside, [("compliance".to_owned(), 1)].into());
        assert_eq!(
            report.left_out.keys().map(String::as_str).collect::<Vec<_>>(),
            ["unsafe-package-name", "unsafe-version"]
        );
        assert_eq!(report.findings[0].aliases.first().unwrap().as_str(), "RHSA-2022:0328");
    }

    #[test]
    fn rows_of_images_are_read() {
        let (findings, report) = shown(
            "Registry,Repository,Tag,Id,Distro,CVE ID,Compliance ID,Severity,Packages,Package Version,Fix Status\n\
             r,app,1.2,sha256:1,Debian GNU/Linux 11,CVE-2020-1000,46,critical,openssl,1.1,affected\n",
        );
        assert_eq!(findings, ["linux deb app:1.2/CVE-2020-1000/openssl@1.1 Critical NotFixed "]);
        assert_eq!(report.assets.values().next().unwrap().kind.as_deref(), Some("container_image"));
    }
}
