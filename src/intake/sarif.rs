//! SARIF 2.1.0: results whose rule is a vulnerability of a package. Findings of code analysis are set aside.

use serde::Deserialize;

use super::advisory;
use super::error::IntakeError;
use super::format::{Format, Input};
use super::json::{self, Root};
use super::lenient::{Few, Text};
use super::reports::{Asset, Report};
use super::row::{self, Owner, Row, Sink, reason};
use super::sarif_text::{Said, said_by};
use super::shapes::{Listed, Part, Plain};
use super::trivy::{asset_name, given_asset, unnamed};
use crate::model::{AssetName, FixState, VulnerabilityType, printable};

/// `--format sarif` of any scanner.
pub(super) const REPORT: Format = Format {
    name: "sarif",
    title: "SARIF 2.1.0 (Trivy, Grype, Snyk, OSV-Scanner, Docker Scout and others)",
    scanner: "sarif",
    is: |peek| {
        peek.root().is_some_and(|root| {
            let runs = matches!(root.at("runs"), Some(Root::List(_) | Root::Null));
            runs && (root.text("version").starts_with("2.") || root.text("$schema").contains("sarif"))
        })
    },
    read,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawLog<'a> {
    #[serde(borrow)]
    version: Text<'a>,
    runs: Listed<RawRun<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawRun<'a> {
    tool: Part<RawTool<'a>>,
    results: Listed<RawResult<'a>>,
    properties: Part<RawRunProperties<'a>>,
    invocations: Few<Part<RawInvocation<'a>>, 16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawRunProperties<'a> {
    #[serde(rename = "imageName", borrow)]
    image: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawInvocation<'a> {
    #[serde(borrow)]
    machine: Text<'a>,
    #[serde(rename = "endTimeUtc", borrow)]
    ended: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawTool<'a> {
    driver: Part<RawDriver<'a>>,
    extensions: Listed<RawDriver<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawDriver<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    rules: Listed<RawRule<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct RawRule<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(rename = "deprecatedIds", borrow)]
    pub(super) other_ids: Few<Text<'a>, 32>,
    #[serde(rename = "shortDescription")]
    pub(super) short: Part<RawMessage<'a>>,
    #[serde(rename = "fullDescription")]
    pub(super) full: Part<RawMessage<'a>>,
    pub(super) help: Part<RawMessage<'a>>,
    #[serde(rename = "helpUri", borrow)]
    pub(super) uri: Text<'a>,
    #[serde(rename = "defaultConfiguration")]
    default: Part<RawConfiguration<'a>>,
    pub(super) properties: Part<RawProperties<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct RawMessage<'a> {
    #[serde(borrow)]
    pub(super) text: Text<'a>,
    #[serde(borrow)]
    pub(super) markdown: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawConfiguration<'a> {
    #[serde(borrow)]
    level: Text<'a>,
}

/// What tools put into the bags of rules and results.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct RawProperties<'a> {
    #[serde(borrow)]
    pub(super) tags: Few<Text<'a>, 64>,
    #[serde(rename = "security-severity")]
    pub(super) score: Plain,
    // Trivy, Snyk and Dependency-Check.
    #[serde(rename = "cvssv2_score")]
    score2: Plain,
    #[serde(rename = "cvssv2_vector", borrow)]
    vector2: Text<'a>,
    #[serde(rename = "cvssv3_baseScore")]
    score3: Plain,
    #[serde(rename = "cvssv3_vector", borrow)]
    vector3: Text<'a>,
    #[serde(rename = "cvssv40_score")]
    score4: Plain,
    #[serde(rename = "cvssv40_vector", borrow)]
    vector4: Text<'a>,
    // Docker Scout.
    #[serde(rename = "cvssV3")]
    vector: Plain,
    #[serde(borrow)]
    pub(super) purls: Few<Text<'a>, 64>,
    #[serde(borrow)]
    pub(super) purl: Text<'a>,
    #[serde(rename = "fixed_version", borrow)]
    pub(super) fixed: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct RawResult<'a> {
    #[serde(rename = "ruleId", borrow)]
    rule_id: Text<'a>,
    #[serde(rename = "ruleIndex")]
    rule_index: Plain,
    rule: Part<RawRuleReference<'a>>,
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    level: Text<'a>,
    pub(super) message: Part<RawMessage<'a>>,
    pub(super) locations: Few<Part<RawLocation<'a>>, 8>,
    suppressions: Few<Part<RawSuppression<'a>>, 64>,
    #[serde(rename = "baselineState", borrow)]
    baseline: Text<'a>,
    pub(super) fixes: Few<Part<RawFix<'a>>, 32>,
    pub(super) properties: Part<RawProperties<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawRuleReference<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    index: Plain,
    #[serde(rename = "toolComponent")]
    component: Part<RawComponentReference>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawComponentReference {
    index: Plain,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct RawFix<'a> {
    pub(super) description: Part<RawMessage<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawSuppression<'a> {
    #[serde(borrow)]
    status: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct RawLocation<'a> {
    #[serde(rename = "physicalLocation")]
    pub(super) physical: Part<RawPhysical<'a>>,
    #[serde(rename = "logicalLocations")]
    pub(super) logical: Few<Part<RawLogical<'a>>, 1>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct RawPhysical<'a> {
    #[serde(rename = "artifactLocation")]
    pub(super) artifact: Part<RawArtifact<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct RawArtifact<'a> {
    #[serde(borrow)]
    pub(super) uri: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct RawLogical<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(rename = "fullyQualifiedName", borrow)]
    pub(super) full: Text<'a>,
}

impl RawResult<'_> {
    /// All suppressions must hold: one that is under review or rejected leaves the result in force.
    fn is_suppressed(&self) -> bool {
        let list = &self.suppressions.0;
        !list.is_empty() && list.iter().all(|Part(one)| matches!(one.status.as_str(), "" | "accepted"))
    }

    fn uri(&self) -> &str {
        let first = self.locations.0.first().map(|Part(location)| location.physical.0.artifact.0.uri.as_str());
        first.unwrap_or_default()
    }
}

impl RawProperties<'_> {
    fn scores(&self, scanner: &str) -> Vec<crate::model::Cvss> {
        let number = |text: &Plain| text.0.parse().ok();
        let named = [
            ("2.0", number(&self.score2), &self.vector2),
            ("3.1", number(&self.score3), &self.vector3),
            ("4.0", number(&self.score4), &self.vector4),
        ];
        let named = named.into_iter().filter(|(_, score, vector)| score.is_some() || **vector != Text::Absent);
        let named =
            named.filter_map(|(version, score, vector)| advisory::cvss(scanner, version, score, vector.as_str()));
        // A vector whose score stands beside it.
        let scout = advisory::cvss(scanner, "", number(&self.score), &self.vector.0);
        named.chain(scout).collect()
    }
}

/// The rules of a run by id and by place.
struct Rules<'a> {
    by_id: std::collections::BTreeMap<&'a str, &'a RawRule<'a>>,
    tool: &'a RawTool<'a>,
}

impl<'a> Rules<'a> {
    fn of(tool: &'a RawTool<'a>) -> Self {
        let components = std::iter::once(&tool.driver.0).chain(&tool.extensions.0);
        let all = components.flat_map(|component| &component.rules.0);
        Self { by_id: all.map(|rule| (rule.id.as_str(), rule)).collect(), tool }
    }

    fn find(&self, result: &RawResult<'_>) -> Option<&'a RawRule<'a>> {
        let ids = [result.rule_id.as_str(), result.rule.0.id.as_str()];
        let index = |text: &Plain| text.0.parse::<usize>().ok();
        let by_place = || {
            let component = match index(&result.rule.0.component.0.index) {
                Some(at) => self.tool.extensions.0.get(at)?,
                None => &self.tool.driver.0,
            };
            component.rules.0.get(index(&result.rule_index).or_else(|| index(&result.rule.0.index))?)
        };
        ids.iter().find_map(|id| self.by_id.get(id).copied()).or_else(by_place)
    }
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let raw: RawLog<'_> = json::parse(input.name, input.bytes)?;
    if !raw.version.as_str().starts_with("2.") && raw.version != Text::Absent {
        let message = format!("SARIF {} is another version than 2.1.0", printable(raw.version.as_str(), 20));
        let error = IntakeError::new("unsupported-version", input.name, message);
        return Err(error.help("write the report as SARIF 2.1.0"));
    }
    for run in &raw.runs.0 {
        take_run(run, input, report, sink);
    }
    Ok(())
}

fn take_run(run: &RawRun<'_>, input: &Input<'_>, report: &mut Report, sink: &mut Sink) {
    let tool = run.tool.0.driver.0.name.as_str();
    let scanner = if tool.is_empty() { "sarif".to_owned() } else { printable(&tool.to_lowercase(), 64) };
    report.scanner.clone_from(&scanner);
    let rules = Rules::of(&run.tool.0);
    // The first presenter of Grype suppressed whatever it wrote.
    let always_suppressed = tool.starts_with("Anchore Container Vulnerability Report");
    for result in &run.results.0 {
        let none = RawRule::default();
        let rule = rules.find(result).unwrap_or(&none);
        let suppressed = result.is_suppressed() && !always_suppressed;
        let id = if result.rule_id == Text::Absent { &result.rule.0.id } else { &result.rule_id };
        let id = if *id == Text::Absent { &rule.id } else { id };
        if matches!(result.kind.as_str(), "pass" | "notApplicable" | "informational") {
            report.set_aside("passed-check", 1);
            continue;
        }
        let Some(said) = said_by(id, rule, result) else {
            report.set_aside(if suppressed { "suppressed-by-scanner" } else { kind_of_rule(rule) }, 1);
            continue;
        };
        if suppressed || result.baseline.as_str() == "absent" {
            sink.leave_out(if suppressed { reason::SUPPRESSED } else { reason::CLOSED }, 1);
            continue;
        }
        let (asset, named) = asset_of(run, rule, result, input);
        let facts = report.assets.entry(asset.clone()).or_default();
        facts.names.extend(named.filter(|named| *named != asset));
        facts.scanned_at = run.invocations.0.iter().filter_map(|Part(one)| advisory::time(one.ended.as_str())).max();
        match to_row(rule, result, &said, &scanner) {
            Err(why) => sink.leave_out(why, 1),
            Ok(row) => {
                let ecosystem = row.purl_type.clone().unwrap_or_else(|| "unknown".to_owned());
                let linux = rule.name.as_str() == "OsPackageVulnerability"
                    || advisory::kind_of(&ecosystem) == VulnerabilityType::Linux;
                let kind = if linux { VulnerabilityType::Linux } else { advisory::kind_of(&ecosystem) };
                let location = row.path.clone().filter(|_| !linux);
                sink.add(row.into_finding(Owner {
                    asset: &asset,
                    kind,
                    ecosystem: &ecosystem,
                    location,
                    scanner: &scanner,
                }));
            }
        }
    }
    if report.assets.is_empty() {
        // A clean run of a named image is a result too.
        let named = asset_name(run.properties.0.image.as_str());
        report.assets.extend(given_asset(input.given).or(named).map(|asset| (asset, Asset::default())));
    }
}

/// What a result is that is no vulnerability of a package.
fn kind_of_rule(rule: &RawRule<'_>) -> &'static str {
    let has = |word: &str| {
        let tagged = rule.properties.0.tags.0.iter().any(|tag| tag.as_str().eq_ignore_ascii_case(word));
        tagged || rule.name.as_str().eq_ignore_ascii_case(word)
    };
    ["misconfiguration", "secret", "license"].into_iter().find(|word| has(word)).unwrap_or("static-analysis")
}

fn to_row(rule: &RawRule<'_>, result: &RawResult<'_>, said: &Said, scanner: &str) -> Result<Row, &'static str> {
    let (vulnerability, aliases) =
        advisory::identify(&advisory::text(&said.id), said.others.iter().map(String::as_str))?;
    let fixed = said.fixed()?;
    let properties = [&result.properties.0, &rule.properties.0];
    let tags = properties.iter().flat_map(|bag| &bag.tags.0).map(Text::as_str);
    let by_score = || {
        let score = properties.iter().find_map(|bag| bag.score.0.parse().ok())?;
        advisory::severity_of_score(score)
    };
    let level = [&result.level, &rule.default.0.level].into_iter().find(|level| **level != Text::Absent);
    let by_level = || advisory::severity(level.map(Text::as_str)?);
    let severity = advisory::severity(&said.severity)
        .or_else(|| tags.filter_map(row::severity).max())
        .or_else(by_score)
        .or_else(by_level);
    Ok(Row {
        aliases,
        package: advisory::named_package(&advisory::text(&said.package))?,
        installed: row::installed_version(&advisory::text(&said.installed))?,
        fix_state: if fixed.is_empty() { FixState::Unknown } else { FixState::Fixed },
        fixed,
        // A tool that says that it does not know is believed.
        severity: if said.severity.eq_ignore_ascii_case("unknown") { None } else { severity },
        cvss: advisory::scores(properties.iter().flat_map(|bag| bag.scores(scanner))),
        title: row::title([rule.short.0.text.as_str(), rule.full.0.text.as_str(), result.message.0.text.as_str()]),
        references: row::references(said.links.iter().map(String::as_str).chain([rule.uri.as_str()])),
        path: row::location(if said.path.is_empty() { result.uri() } else { &said.path }),
        purl_type: Some(said.ecosystem.clone()).filter(|ecosystem| !ecosystem.is_empty()),
        ..Row::new(vulnerability)
    })
}

/// The asset, and what the report calls it.
fn asset_of(
    run: &RawRun<'_>,
    rule: &RawRule<'_>,
    result: &RawResult<'_>,
    input: &Input<'_>,
) -> (AssetName, Option<AssetName>) {
    let image = run.properties.0.image.as_str();
    let machine = run.invocations.0.iter().map(|Part(one)| one.machine.as_str()).find(|name| !name.is_empty());
    let first = result.locations.0.first().map(|Part(location)| location);
    // Grype: `IMAGE@LAYER:PATH`; the name is that path or another link to it.
    let logical = || {
        let Part(logical) = first?.logical.0.first()?;
        let full = logical.full.as_str();
        let by_name = full.strip_suffix(logical.name.as_str()).and_then(|image| image.strip_suffix(':'));
        let image = by_name.or_else(|| full.rsplit_once(":/").map(|(image, _)| image))?;
        Some(image.rsplit_once("@sha256:").map_or(image, |(name, _)| name))
    };
    // Trivy before it named the image: the distribution's packages are "at" the image.
    let of_os = || Some(result.uri()).filter(|_| rule.name.as_str() == "OsPackageVulnerability");
    let name = Some(image).filter(|image| !image.is_empty()).or(machine).or_else(logical).or_else(of_os);
    let named = asset_name(name.unwrap_or_default());
    (given_asset(input.given).or_else(|| named.clone()).unwrap_or_else(unnamed), named)
}
