//! CSV of scanners that look into containers: Sysdig and Deepfence ThreatMapper.

use super::error::IntakeError;
use super::format::{Format, Input};
use super::identity::{self, Identity};
use super::lenient::Text;
use super::prose;
use super::reports::Report;
use super::row::{self, Owner, Row, Sink, reason};
use super::table::{self, Cells, Needs, Table};
use crate::model::{FixState, Os, VulnerabilityType};

/// Sysdig's reports of pipelines, registries and running workloads.
pub(super) const SYSDIG: Format = Format {
    name: "sysdig-csv",
    title: "Sysdig vulnerability report CSV",
    scanner: "sysdig",
    is: |peek| table::has_columns(peek, SYSDIG_NEEDS),
    read: read_sysdig,
};

/// Deepfence's reports.
pub(super) const DEEPFENCE: Format = Format {
    name: "deepfence-csv",
    title: "Deepfence ThreatMapper vulnerability CSV",
    scanner: "deepfence",
    is: |peek| table::has_columns(peek, DEEPFENCE_NEEDS),
    read: read_deepfence,
};

const SYSDIG_NEEDS: Needs = &[
    &["vulnerability name", "vulnerability id"],
    &["package name"],
    &["package version"],
    &["package type"],
    &["image name", "image", "host name"],
];
const DEEPFENCE_NEEDS: Needs =
    &[&["cve_id"], &["cve_caused_by_package"], &["cve_severity"], &["host_name", "cve_container_image"]];

fn text<'c>(cells: &Cells<'c>, names: &[&str]) -> Text<'c> {
    match cells.get(names) {
        cell if cell.is_empty() => Text::Absent,
        cell => Text::Is(cell),
    }
}

fn is_true(cells: &Cells<'_>, names: &[&str]) -> bool {
    ["true", "yes", "1"].iter().any(|yes| cells.get(names).eq_ignore_ascii_case(yes))
}

fn read_sysdig(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let mut table = Table::open(input, SYSDIG_NEEDS)?;
    while let Some(cells) = table.next(sink)? {
        let mut identity = Identity::default();
        identity.runs(&cells.get(&["os name"]));
        let os = identity.os().cloned();
        let image = cells.get(&["image name", "image"]);
        let asset = if image.is_empty() {
            identity.call(&cells.get(&["host name"]));
            identity.settle(input, report)
        } else {
            identity.about.kind = Some("container_image".to_owned());
            identity.settle_as(identity::thing(&image), input, report)
        };
        if is_true(&cells, &["risk accepted", "accepted risk"]) {
            sink.leave_out(reason::RISK_ACCEPTED, 1);
            continue;
        }
        match check_sysdig(&cells) {
            Ok(row) => {
                let kind = cells.get(&["package type"]);
                let (of, ecosystem) = classify(&kind, &cells.get(&["package name"]), os.as_ref());
                // The same image may run in several workloads, and each has to be rolled out.
                let workload = [
                    "kubernetes cluster name",
                    "kubernetes namespace name",
                    "kubernetes workload name",
                    "kubernetes container name",
                ];
                let old = ["k8s cluster name", "k8s namespace name", "k8s workload name", "k8s container name"];
                let parts: Vec<_> = workload
                    .iter()
                    .zip(old)
                    .map(|(new, old)| cells.get(&[new, old]))
                    .filter(|part| !part.is_empty())
                    .collect();
                let workload = parts.join("/");
                let location = match (workload.as_str(), row.path.as_deref().filter(|_| of != VulnerabilityType::Linux))
                {
                    ("", path) => path.and_then(row::location),
                    (workload, None) => row::location(workload),
                    (workload, Some(path)) => row::location(&format!("{workload}: {path}")),
                };
                sink.add(row.into_finding(Owner { asset: &asset, kind: of, ecosystem, location, scanner: "sysdig" }));
            }
            Err(why) => sink.leave_out(why, 1),
        }
    }
    Ok(())
}

fn check_sysdig(cells: &Cells<'_>) -> Result<Row, &'static str> {
    let vulnerability = row::vulnerability_id(&text(cells, &["vulnerability name", "vulnerability id"]))?;
    let fixed = row::fixed_versions(&text(cells, &["fix version", "package suggested fix"]))?;
    let available = cells.get(&["fix available"]);
    let generation = match cells.get(&["cvss version"]).as_ref() {
        version if version.starts_with('2') => "2.0",
        version if version.starts_with('4') => "4.0",
        "3.0" => "3.0",
        _ => "3.1",
    };
    Ok(Row {
        package: Some(row::package_name(&text(cells, &["package name"]))?),
        installed: row::installed_version(&text(cells, &["package version"]))?,
        fix_state: match () {
            () if !fixed.is_empty() || available.eq_ignore_ascii_case("true") => FixState::Fixed,
            () if available.eq_ignore_ascii_case("false") => FixState::NotFixed,
            () => FixState::Unknown,
        },
        fixed,
        severity: prose::severity(&cells.get(&["vulnerability severity", "severity"])),
        cvss: prose::cvss("sysdig", generation, &cells.get(&["cvss score"]), &cells.get(&["cvss vector"]))
            .into_iter()
            .collect(),
        epss: row::probability(cells.get(&["epss score"]).parse().ok()),
        kev: !cells.get(&["cisa kev publish date", "cisa kev due date"]).is_empty() || is_true(cells, &["cisa kev"]),
        published: prose::time(&cells.get(&["disclosure date", "vuln publish date"]))
            .filter(|time| time.as_second() > 0),
        references: row::references([cells.get(&["vuln link", "vulnerability link"]).as_ref()]),
        path: row::location(&cells.get(&["package path"])),
        ..Row::new(vulnerability)
    })
}

/// What kind of package a scanner's word for it means.
fn classify(kind: &str, name: &str, os: Option<&Os>) -> (VulnerabilityType, &'static str) {
    if prose::is_web_cms(name) {
        return (VulnerabilityType::WebCms, "unknown");
    }
    let application = |ecosystem| (VulnerabilityType::Application, ecosystem);
    match kind.to_ascii_lowercase().as_str() {
        "os" | "base" | "deb" | "dpkg" | "rpm" | "apk" => match (prose::ecosystem(os), kind) {
            ("unknown", "deb" | "dpkg") => (VulnerabilityType::Linux, "deb"),
            ("unknown", "rpm") => (VulnerabilityType::Linux, "rpm"),
            ("unknown", "apk") => (VulnerabilityType::Linux, "apk"),
            (ecosystem, _) => (VulnerabilityType::Linux, ecosystem),
        },
        "python" => application("pypi"),
        "javascript" | "js" | "nodejs" | "npm" => application("npm"),
        "java" | "maven" => application("maven"),
        "golang" | "go" => application("golang"),
        "ruby" | "gem" => application("gem"),
        "php" | "composer" => application("composer"),
        "rust" | "cargo" => application("cargo"),
        "c#" | "nuget" | ".net" | "dotnet" => application("nuget"),
        _ => application("unknown"),
    }
}

fn read_deepfence(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let mut table = Table::open(input, DEEPFENCE_NEEDS)?;
    while let Some(cells) = table.next(sink)? {
        let mut identity = Identity::default();
        identity.about.scanned_at = prose::time(&cells.get(&["@timestamp"]));
        let host = cells.get(&["host_name"]);
        let image = cells.get(&["cve_container_image"]);
        // The packages of a container are not those of the host on which it runs.
        let asset = if image.is_empty() || image == host {
            identity.call(&host);
            identity.settle(input, report)
        } else {
            identity.about.kind = Some("container_image".to_owned());
            identity.settle_as(identity::thing(&image), input, report)
        };
        if is_true(&cells, &["masked"]) {
            sink.leave_out(reason::SUPPRESSED, 1);
            continue;
        }
        match check_deepfence(&cells) {
            Ok(row) => {
                let package = row.package.as_ref().map_or("", crate::model::PackageName::as_str);
                let (kind, mut ecosystem) = classify(&cells.get(&["cve_type"]), package, None);
                if kind == VulnerabilityType::Linux {
                    let version = row.installed.as_ref().map_or("", crate::model::PackageVersion::as_str);
                    ecosystem = by_version(version);
                }
                sink.add(row.into_finding(Owner {
                    asset: &asset,
                    kind,
                    ecosystem,
                    location: None,
                    scanner: "deepfence",
                }));
            }
            Err(why) => sink.leave_out(why, 1),
        }
    }
    Ok(())
}

/// Distributions sign their versions.
fn by_version(version: &str) -> &'static str {
    const MARKS: [(&str, &str); 8] = [
        ("+deb", "deb"),
        ("ubuntu", "deb"),
        (".amzn", "rpm"),
        (".el", "rpm"),
        (".fc", "rpm"),
        (".suse", "rpm"),
        (".ph", "rpm"),
        ("-r", "apk"),
    ];
    MARKS.iter().find(|(mark, _)| version.contains(mark)).map_or("unknown", |(_, ecosystem)| ecosystem)
}

fn check_deepfence(cells: &Cells<'_>) -> Result<Row, &'static str> {
    let vulnerability = row::vulnerability_id(&text(cells, &["cve_id"]))?;
    // `openssl:1.1.1w-0+deb11u1`, `org.apache:log4j:2.1`, `zlib:1:1.2`: the version begins with the first digit behind a colon.
    let caused = cells.get(&["cve_caused_by_package"]);
    let at = caused
        .match_indices(':')
        .find(|(index, _)| caused[index + 1..].starts_with(|c: char| c.is_ascii_digit() || c == 'v'));
    let (package, installed) = at.map_or((caused.as_ref(), ""), |(index, _)| (&caused[..index], &caused[index + 1..]));
    let some = |text: &str| if text.is_empty() { Text::Absent } else { Text::Is(text.to_owned().into()) };
    let fixed = row::fixed_versions(&text(cells, &["cve_fixed_in"]))?;
    let vector = cells.get(&["cve_attack_vector"]);
    let score = cells.get(&["cve_cvss_score", "cve_overall_score"]);
    Ok(Row {
        package: Some(row::package_name(&some(package))?),
        installed: row::installed_version(&some(installed))?,
        fix_state: if fixed.is_empty() { FixState::Unknown } else { FixState::Fixed },
        fixed,
        severity: prose::severity(&cells.get(&["cve_severity"])),
        cvss: prose::cvss("deepfence", "3.1", &score, &vector).into_iter().collect(),
        title: row::title([cells.get(&["cve_description"]).as_ref()]),
        references: row::references([cells.get(&["cve_link"]).as_ref()]),
        ..Row::new(vulnerability)
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::super::reports::{ReadOptions, read_report};
    use super::*;

    fn shown(text: &str) -> (Vec<String>, Report) {
        let report = read_report("r.csv", text.as_bytes(), &ReadOptions::default()).unwrap();
        let one = |f: &crate::model::Finding| {
            let fixed: Vec<_> = f.fixed.iter().map(ToString::to_string).collect();
            format!(
                "{} {} {} {:?} {:?} {} {}",
                f.kind.as_str(),
                f.ecosystem,
                f.id,
                f.severity,
                f.fix_state,
                fixed.join(","),
                f.kev
            )
        };
        (report.findings.iter().map(one).collect(), report)
    }

    #[test]
    fn sysdig_is_read_with_new_and_old_columns() {
        let (findings, report) = shown(
            "Vulnerability Name,Vulnerability Severity,Package Name,Package Version,Package Type,Package Path,Image Name,OS Name,CVSS Version,CVSS \
             Score,CVSS Vector,Disclosure Date,Fix Version,Kubernetes Cluster Name,Kubernetes Namespace Name,Kubernetes Workload Name,Kubernetes \
             Container Name,Risk Accepted,CISA KEV Publish Date,Fix Available\n\
             CVE-2005-2541,Negligible,tar,1.34,OS,/var/lib/dpkg,app:1,debian 12.9,2,10,AV:N/AC:L/Au:N/C:C/I:C/A:C,2005-08-10T04:00:00Z,,c,n,w,k,false,,false\n\
             CVE-2025-48379,Critical,pillow,11.2,Python,/app/x,app:1,debian 12.9,3,9.8,CVSS:3.0/AV:N,1970-01-01T00:00:00Z,11.3.0,c,n,w,k,false,2025-01-01,true\n\
             CVE-2025-1,High,pillow,11.2,Python,/app/x,app:1,debian 12.9,3,9.8,CVSS:3.0/AV:N,,11.3.0,c,n,w,k,true,,true\n\
             CVE-2025-2,Other,a b,1,OS,,app:1,debian 12.9,3,9.8,,,,,,,,false,,false\n",
        );
        assert_eq!(
            findings,
            [
                "linux deb app:1/CVE-2005-2541/tar@1.34#c/n/w/k Some(Negligible) NotFixed  false",
                "application pypi app:1/CVE-2025-48379/pillow@11.2#c/n/w/k: /app/x Some(Critical) Fixed 11.3.0 true",
            ]
        );
        assert_eq!(
            report.left_out.keys().map(String::as_str).collect::<Vec<_>>(),
            ["risk-accepted", "unsafe-package-name"]
        );
        assert_eq!(report.findings[1].published, None);
        let (findings, _) = shown(
            "Vulnerability ID,Severity,Package name,Package version,Package type,Image,OS Name,CVSS version,CVSS score,Vuln link,K8S cluster name\n\
             CVE-2020-1000,High,openssl,1.1,os,app:2,ubuntu 22.04,3.1,7.5,https://example.org/1,\n",
        );
        assert_eq!(findings, ["linux deb app:2/CVE-2020-1000/openssl@1.1 Some(High) Unknown  false"]);
    }

    #[test]
    fn deepfence_is_read() {
        let (findings, report) = shown(
            "@timestamp,cve_attack_vector,cve_caused_by_package,cve_container_image,cve_cvss_score,cve_description,cve_fixed_in,cve_id,cve_link,\
             cve_severity,cve_type,host_name,masked\n\
             2024-02-22 15:54:17.939 +0000 UTC,cvss:3.1/av:l/ac:l/pr:n/ui:r/s:u/c:n/i:n/a:l,libsepol:2.5-8.1.amzn2.0.2,aws-node / h-1,3.3,x,\
             2.5-10.amzn2.0.1,CVE-2021-36084,https://example.org/1,low,base,h-1,False\n\
             ,av:l/ac:h/au:n/c:c/i:n/a:n,zlib1g:1:1.2.13+deb11u1,h-1,4.0,x,,CVE-2010-0928,,medium,base,h-1,False\n\
             ,,org.apache:log4j:2.1,h-1,4.0,x,,CVE-2010-0929,,medium,java,h-1,False\n,,x:1,h-1,4.0,x,,CVE-2010-1,,medium,base,h-1,True\n",
        );
        assert_eq!(
            findings,
            [
                "linux rpm aws-node / h-1/CVE-2021-36084/libsepol@2.5-8.1.amzn2.0.2 Some(Low) Fixed 2.5-10.amzn2.0.1 false",
                "linux deb h-1/CVE-2010-0928/zlib1g@1:1.2.13+deb11u1 Some(Medium) Unknown  false",
                "application maven h-1/CVE-2010-0929/org.apache:log4j@2.1 Some(Medium) Unknown  false",
            ]
        );
        let scores: Vec<_> = report.findings.iter().flat_map(|f| &f.cvss).map(|c| c.version.as_str()).collect();
        assert_eq!((scores, report.left_out["suppressed-by-scanner"]), (vec!["3.1", "2.0", "3.1"], 1));
    }
}
