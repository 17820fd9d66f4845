//! Trivy's JSON: the report of one artifact (schema 2 and the list before it) and of a Kubernetes cluster.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::error::IntakeError;
use super::format::{Format, Input};
use super::json::{self, Root};
use super::lenient::{Count, Few, Keep, Many, Number, Text, otherwise};
use super::reports::{Asset, Report};
use super::row::{self, MAX_ALIASES, MAX_SCORES, Owner, Row, Sink, reason};
use crate::model::{AssetName, Cvss, FixState, HostName, Os, PackageVersion, VulnerabilityType, printable};

pub(super) const SCANNER: &str = "trivy";

/// The report of one artifact, schema 2.
pub(super) const ARTIFACT: Format = Format {
    name: "trivy",
    title: "Trivy's JSON of one artifact (`--format json`)",
    scanner: SCANNER,
    is: |peek| {
        peek.root().is_some_and(|root| {
            let keys = ["SchemaVersion", "Results", "ArtifactName", "ArtifactType"];
            let is_asff = root.has(&["ProductArn"]);
            !is_asff && !root.has(&["ClusterName"]) && keys.iter().any(|key| root.has(&[key]))
        })
    },
    read: read_artifact_or_cluster,
};

/// The report of a Kubernetes cluster.
pub(super) const CLUSTER: Format = Format {
    name: "trivy-kubernetes",
    title: "Trivy's JSON of a Kubernetes cluster (`trivy k8s --format json`)",
    scanner: SCANNER,
    is: |peek| peek.root().is_some_and(|root| root.has(&["ClusterName"])),
    read: read_artifact_or_cluster,
};

/// The list of results from before schema 2 (`null` and `[]` where nothing was found).
pub(super) const LEGACY: Format = Format {
    name: "trivy-legacy",
    title: "Trivy's JSON from before schema 2",
    scanner: SCANNER,
    is: |peek| match peek.root() {
        Some(Root::Null | Root::List(None)) => true,
        Some(root) => root.has(&["0/Target"]),
        None => false,
    },
    read: |input, report, sink| {
        let raw: Option<_> = json::parse(input.name, input.bytes)?;
        legacy(raw.unwrap_or_default(), input.given, report, sink);
        Ok(())
    },
};

fn read_artifact_or_cluster(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let raw: RawReport<'_> = json::parse(input.name, input.bytes)?;
    if let Some(version) = raw.schema_version.0.filter(|version| *version > 2.0) {
        let message = format!("Trivy's schema version {version} is newer than 2, the newest one known here");
        return Err(IntakeError::new("unsupported-version", input.name, message)
            .help("update switchback, or write the report with an older Trivy"));
    }
    artifact_or_cluster(raw, input.given, report, sink);
    Ok(())
}

/// The report of one artifact, or of a cluster.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawReport<'a> {
    #[serde(rename = "SchemaVersion")]
    schema_version: Number,
    #[serde(rename = "CreatedAt", borrow)]
    created_at: Text<'a>,
    #[serde(rename = "ArtifactName", borrow)]
    artifact_name: Text<'a>,
    #[serde(rename = "ArtifactType", borrow)]
    artifact_type: Text<'a>,
    #[serde(rename = "Metadata")]
    metadata: Option<RawMetadata<'a>>,
    #[serde(rename = "Results")]
    results: Many<RawResult<'a>>,
    // Of a cluster: `Resources` today (`Findings` in its summary), the other two in the first versions.
    #[serde(rename = "Resources")]
    resources: Many<RawResource<'a>>,
    #[serde(rename = "Findings")]
    findings: Many<RawResource<'a>>,
    #[serde(rename = "Vulnerabilities")]
    vulnerabilities: Many<RawResource<'a>>,
    #[serde(rename = "Misconfigurations")]
    misconfigurations: Many<RawResource<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawMetadata<'a> {
    #[serde(rename = "OS")]
    os: Option<RawOs<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct RawOs<'a> {
    #[serde(rename = "Family", alias = "family", borrow)]
    pub(super) family: Text<'a>,
    #[serde(rename = "Name", alias = "name", borrow)]
    pub(super) name: Text<'a>,
}

/// A resource of a cluster.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawResource<'a> {
    #[serde(rename = "Namespace", borrow)]
    namespace: Text<'a>,
    #[serde(rename = "Kind", borrow)]
    kind: Text<'a>,
    #[serde(rename = "Name", borrow)]
    name: Text<'a>,
    #[serde(rename = "Results")]
    results: Many<RawResult<'a>>,
}

impl Keep for RawResource<'_> {
    fn keep(&self) -> bool {
        !self.results.0.is_empty()
    }
}

/// What was found in one place of an artifact: its distribution's packages, a lock file, ...
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawResult<'a> {
    #[serde(rename = "Target", borrow)]
    target: Text<'a>,
    #[serde(rename = "Class", borrow)]
    class: Text<'a>,
    #[serde(rename = "Type", borrow)]
    kind: Text<'a>,
    #[serde(rename = "Vulnerabilities")]
    rows: Rows<RawVulnerability<'a>>,
    #[serde(rename = "Misconfigurations")]
    misconfigurations: Count,
    #[serde(rename = "Secrets")]
    secrets: Count,
    #[serde(rename = "Licenses")]
    licenses: Count,
    #[serde(rename = "ExperimentalModifiedFindings")]
    modified: Count,
}

impl Keep for RawResult<'_> {
    fn keep(&self) -> bool {
        !matches!(self.target, Text::Absent) || self.rows.read > 0
    }
}

/// A row that can be checked by itself.
pub(super) trait Check {
    fn check(&self) -> Result<Row, &'static str>;
}

/// The rows of a result, each checked as soon as it is read.
#[derive(Debug)]
pub(super) struct Rows<R> {
    read: u64,
    rows: Vec<Row>,
    left_out: BTreeMap<&'static str, u64>,
    raw: std::marker::PhantomData<R>,
}

impl<R> Default for Rows<R> {
    fn default() -> Self {
        Self { read: 0, rows: Vec::new(), left_out: BTreeMap::new(), raw: std::marker::PhantomData }
    }
}

impl<'de, R: Deserialize<'de> + Check> Deserialize<'de> for Rows<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// No report of one artifact has more rows.
        const MAX_ROWS: u64 = 5_000_000;
        struct V<R>(Rows<R>);
        impl<'de, R: Deserialize<'de> + Check> Visitor<'de> for V<R> {
            type Value = Rows<R>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of vulnerabilities")
            }
            fn visit_unit<E: Error>(self) -> Result<Rows<R>, E> {
                Ok(self.0)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Rows<R>, A::Error> {
                let mut rows = self.0;
                while let Some(raw) = seq.next_element::<Option<R>>()? {
                    rows.read += 1;
                    if rows.read > MAX_ROWS {
                        return Err(A::Error::custom(format_args!("more than {MAX_ROWS} rows in one result")));
                    }
                    match raw.map_or(Err(reason::MALFORMED), |raw| raw.check()) {
                        Ok(row) => rows.rows.push(row),
                        Err(why) => *rows.left_out.entry(why).or_default() += 1,
                    }
                }
                Ok(rows)
            }
        }
        deserializer.deserialize_any(V(Self::default()))
    }
}

impl<R> Rows<R> {
    /// The rows that are fine, for what only their surroundings say of them.
    pub(super) fn checked(&mut self) -> &mut [Row] {
        &mut self.rows
    }

    pub(super) fn pour<'o>(self, sink: &mut Sink, owner: impl Fn(&Row) -> Owner<'o>) {
        for (why, rows) in self.left_out {
            sink.leave_out(why, rows);
        }
        for row in self.rows {
            let owner = owner(&row);
            sink.add(row.into_finding(owner));
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVulnerability<'a> {
    #[serde(rename = "VulnerabilityID", borrow)]
    id: Text<'a>,
    #[serde(rename = "VendorIDs", borrow)]
    vendor_ids: Few<Text<'a>, MAX_ALIASES>,
    #[serde(rename = "PkgName", borrow)]
    package: Text<'a>,
    #[serde(rename = "PkgPath", borrow)]
    path: Text<'a>,
    #[serde(rename = "PkgIdentifier")]
    identifier: Option<RawIdentifier<'a>>,
    #[serde(rename = "InstalledVersion", borrow)]
    installed: Text<'a>,
    #[serde(rename = "FixedVersion", borrow)]
    fixed: Text<'a>,
    #[serde(rename = "Status", borrow)]
    status: Text<'a>,
    #[serde(rename = "Severity", borrow)]
    severity: Text<'a>,
    #[serde(rename = "CVSS")]
    cvss: Scores,
    #[serde(rename = "Title", borrow)]
    title: Text<'a>,
    #[serde(rename = "Description", borrow)]
    description: Text<'a>,
    #[serde(rename = "PrimaryURL", borrow)]
    primary_url: Text<'a>,
    #[serde(rename = "References", borrow)]
    references: Few<Text<'a>, 64>,
    #[serde(rename = "PublishedDate", borrow)]
    published: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawIdentifier<'a> {
    #[serde(rename = "PURL", borrow)]
    purl: Text<'a>,
}

impl Check for RawVulnerability<'_> {
    fn check(&self) -> Result<Row, &'static str> {
        let vulnerability = row::vulnerability_id(&self.id)?;
        let fixed = row::fixed_versions(&self.fixed)?;
        let urls = std::iter::once(&self.primary_url).chain(&self.references.0);
        Ok(Row {
            aliases: row::aliases(&self.vendor_ids.0, &vulnerability),
            package: Some(row::package_name(&self.package)?),
            installed: row::installed_version(&self.installed)?,
            fix_state: fix_state(self.status.as_str(), &fixed),
            fixed,
            severity: row::severity(self.severity.as_str()),
            cvss: self.cvss.0.clone(),
            published: row::time(self.published.as_str()),
            title: row::title([self.title.as_str(), self.description.as_str()]),
            references: row::references(urls.map(Text::as_str)),
            path: row::location(self.path.as_str()),
            purl_type: self.identifier.as_ref().and_then(|identifier| row::purl_type(identifier.purl.as_str())),
            ..Row::new(vulnerability)
        })
    }
}

/// Reports before `Status` only say whether there is a fixed version.
pub(super) fn fix_state(status: &str, fixed: &[PackageVersion]) -> FixState {
    match status {
        "fixed" => FixState::Fixed,
        "not_affected" => FixState::NotAffected,
        _ if !fixed.is_empty() => FixState::Fixed,
        "affected" => FixState::NotFixed,
        "will_not_fix" => FixState::WillNotFix,
        "fix_deferred" => FixState::Deferred,
        "end_of_life" => FixState::EndOfLife,
        _ => FixState::Unknown,
    }
}

/// `{SOURCE: {V2Vector, V2Score, V3Vector, V3Score, V40Vector, V40Score}}`, sorted.
#[derive(Clone, Debug, Default)]
pub(super) struct Scores(pub(super) Vec<Cvss>);

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawScores<'a> {
    #[serde(rename = "V2Vector", borrow)]
    v2_vector: Text<'a>,
    #[serde(rename = "V2Score")]
    v2_score: Number,
    #[serde(rename = "V3Vector", borrow)]
    v3_vector: Text<'a>,
    #[serde(rename = "V3Score")]
    v3_score: Number,
    #[serde(rename = "V40Vector", borrow)]
    v40_vector: Text<'a>,
    #[serde(rename = "V40Score")]
    v40_score: Number,
}

impl<'de> Deserialize<'de> for Scores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Scores;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("scores by source")
            }
            fn visit_unit<E: Error>(self) -> Result<Scores, E> {
                Ok(Scores::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scores, A::Error> {
                let mut scores = Vec::new();
                while let Some((source, raw)) = map.next_entry::<Cow<'de, str>, Option<RawScores<'de>>>()? {
                    let Some(raw) = raw else { continue };
                    let v3 = if raw.v3_vector.as_str().starts_with("CVSS:3.0") { "3.0" } else { "3.1" };
                    for (version, score, vector) in [
                        ("2.0", raw.v2_score, raw.v2_vector),
                        (v3, raw.v3_score, raw.v3_vector),
                        ("4.0", raw.v40_score, raw.v40_vector),
                    ] {
                        if scores.len() < MAX_SCORES {
                            scores.extend(score.0.and_then(|s| row::cvss(&source, version, s, vector.as_str())));
                        }
                    }
                }
                scores.sort();
                Ok(Scores(scores))
            }
            otherwise!('de, Scores::default(), [scalars numbers text seq]);
        }
        deserializer.deserialize_any(V)
    }
}

/// What a result's rows are about.
pub(super) fn classify(class: &str, kind: &str, target: &str) -> (VulnerabilityType, Cow<'static, str>) {
    let ecosystem = match kind {
        "debian" | "ubuntu" | "echo" => "deb",
        "alpine" | "wolfi" | "chainguard" | "minimos" => "apk",
        "arch" => "alpm",
        "redhat"
        | "centos"
        | "rocky"
        | "alma"
        | "oracle"
        | "amazon"
        | "fedora"
        | "photon"
        | "cbl-mariner"
        | "azurelinux"
        | "bottlerocket"
        | "suse linux enterprise server"
        | "suse linux enterprise micro"
        | "sles"
        | "slem"
        | "opensuse"
        | "opensuse-leap"
        | "opensuse-tumbleweed"
        | "opensuse.leap"
        | "opensuse.tumbleweed"
        | "openeuler"
        | "coreos" => "rpm",
        "npm" | "yarn" | "pnpm" | "bun" | "node-pkg" | "javascript" => "npm",
        "pip" | "pipenv" | "poetry" | "uv" | "pylock" | "python-pkg" => "pypi",
        "conda-pkg" | "conda-environment" => "conda",
        "gemspec" | "bundler" => "gem",
        "gomod" | "gobinary" => "golang",
        "jar" | "pom" | "gradle" | "sbt" => "maven",
        "cargo" | "rustbinary" | "rust-binary" => "cargo",
        "composer" | "composer-vendor" => "composer",
        "nuget" | "dotnet-core" | "packages-props" | "nuget-config" => "nuget",
        "conan" => "conan",
        "cocoapods" => "cocoapods",
        "swift" => "swift",
        "pub" => "pub",
        "hex" => "hex",
        "julia" => "julia",
        "bitnami" => "bitnami",
        "kubernetes" => "k8s",
        _ => "",
    };
    let is_os = match class {
        "os-pkgs" => true,
        // Reports before `Class`.
        "" => matches!(ecosystem, "deb" | "apk" | "alpm" | "rpm") || (kind.is_empty() && target.ends_with(')')),
        _ => false,
    };
    let vulnerability_type = match kind {
        _ if is_os => VulnerabilityType::Linux,
        "wordpress" | "drupal" | "joomla" => VulnerabilityType::WebCms,
        _ => VulnerabilityType::Application,
    };
    let ecosystem = match (ecosystem, kind) {
        ("", "") => Cow::Borrowed("unknown"),
        ("", other) => Cow::Owned(printable(other, 32)),
        (known, _) => Cow::Borrowed(known),
    };
    (vulnerability_type, ecosystem)
}

/// `NAME (debian 10.4)` without its end.
fn without_os(target: &str) -> &str {
    target.strip_suffix(')').and_then(|rest| rest.rsplit_once(" (")).map_or(target, |(name, _)| name)
}

/// Free text as the name of an asset.
pub(super) fn asset_name(text: &str) -> Option<AssetName> {
    if text.trim().is_empty() {
        return None;
    }
    AssetName::new(text).or_else(|_| AssetName::new(&printable(text, 200))).ok()
}

/// What nothing names. The user can: `-f HOST=PATH`.
pub(super) fn unnamed() -> AssetName {
    #[expect(clippy::unwrap_used, reason = "a constant that the tests read")]
    AssetName::new("unnamed artifact").unwrap()
}

pub(super) fn os(family: &str, name: &str) -> Option<Os> {
    if family.is_empty() || family == "none" {
        return None;
    }
    let kin = match classify("os-pkgs", family, "").1.as_ref() {
        "deb" => "debian",
        "apk" => "alpine",
        "alpm" => "arch",
        "rpm" if family.contains("suse") || family.starts_with("sle") => "suse",
        "rpm" => "redhat",
        _ => family,
    };
    Some(Os {
        family: printable(kin, 64),
        name: printable(family, 64),
        version: (!name.is_empty()).then(|| printable(name, 64)),
    })
}

/// Whose the rows are, where the user says it.
pub(super) type Given<'a> = Option<&'a HostName>;

pub(super) fn given_asset(given: Given<'_>) -> Option<AssetName> {
    given.and_then(|host| AssetName::new(host.as_str()).ok())
}

/// Rows that are no vulnerabilities, or that Trivy itself took back.
fn set_aside(report: &mut Report, result: &RawResult<'_>) {
    for (what, count) in [
        ("misconfiguration", result.misconfigurations),
        ("secret", result.secrets),
        ("license", result.licenses),
        ("suppressed-by-scanner", result.modified),
    ] {
        report.set_aside(what, count.0);
    }
}

/// The report of one artifact (or `{}`, of none), or of a cluster.
fn artifact_or_cluster(raw: RawReport<'_>, given: Given<'_>, report: &mut Report, sink: &mut Sink) {
    let cluster = [raw.resources, raw.findings, raw.vulnerabilities, raw.misconfigurations];
    for resource in cluster.into_iter().flat_map(|list| list.0) {
        let path = [&resource.namespace, &resource.kind, &resource.name].map(Text::as_str);
        let name = path.iter().copied().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        let asset = given_asset(given).or_else(|| asset_name(&name)).unwrap_or_else(unnamed);
        for result in resource.results.0 {
            // The same package may be in several images of a resource: the image says where.
            let prefix = given.map(|_| format!("{name}: ")).unwrap_or_default();
            let target = format!("{prefix}{}", result.target.as_str());
            take_result(result, &asset, row::location(&target), report, sink);
        }
        report.assets.entry(asset).or_default();
    }
    if raw.results.0.is_empty() && raw.artifact_name == Text::Absent && raw.artifact_type == Text::Absent {
        return;
    }
    let os_target = raw.results.0.iter().find(|result| result.class.as_str() == "os-pkgs").map(|r| &r.target);
    let asset = given_asset(given)
        .or_else(|| asset_name(raw.artifact_name.as_str()))
        .or_else(|| asset_name(without_os(os_target?.as_str())))
        .unwrap_or_else(unnamed);
    let raw_os = raw.metadata.unwrap_or_default().os.unwrap_or_default();
    let facts = Asset {
        os: os(raw_os.family.as_str(), raw_os.name.as_str()),
        kind: row::location(raw.artifact_type.as_str()),
        scanned_at: row::time(raw.created_at.as_str()),
        ..Asset::default()
    };
    report.assets.insert(asset.clone(), facts);
    for result in raw.results.0 {
        take_result(result, &asset, None, report, sink);
    }
}

/// The list of results that Trivy wrote before schema 2. It names no artifact: the distribution's result does.
fn legacy(results: Many<RawResult<'_>>, given: Given<'_>, report: &mut Report, sink: &mut Sink) {
    let mut asset = given_asset(given);
    if asset.is_none() {
        let is_os = |result: &&RawResult<'_>| {
            classify(result.class.as_str(), result.kind.as_str(), result.target.as_str()).0 == VulnerabilityType::Linux
        };
        let first = results.0.iter().find(is_os).or_else(|| results.0.first());
        asset = first.and_then(|result| asset_name(without_os(result.target.as_str())));
    }
    let mut asset = asset.unwrap_or_else(unnamed);
    for result in results.0 {
        let target = result.target.as_str();
        let (kind, _) = classify(result.class.as_str(), result.kind.as_str(), target);
        if given.is_none() && kind == VulnerabilityType::Linux {
            // Several artifacts in one list: each begins with its distribution.
            asset = asset_name(without_os(target)).unwrap_or(asset);
        }
        report.assets.entry(asset.clone()).or_default();
        take_result(result, &asset, None, report, sink);
    }
}

fn take_result(result: RawResult<'_>, asset: &AssetName, place: Option<String>, report: &mut Report, sink: &mut Sink) {
    set_aside(report, &result);
    let target = result.target.as_str();
    let (kind, ecosystem) = classify(result.class.as_str(), result.kind.as_str(), target);
    result.rows.pour(sink, |row| Owner {
        asset,
        kind,
        ecosystem: &ecosystem,
        location: match kind {
            VulnerabilityType::Linux => place.clone(),
            _ => match (&place, row.path.clone().or_else(|| row::location(target))) {
                (Some(place), Some(path)) if *place != path => Some(format!("{place}: {path}")),
                (Some(place), _) => Some(place.clone()),
                (None, path) => path,
            },
        },
        scanner: SCANNER,
    });
}
