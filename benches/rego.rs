//! What rules cost on a fleet of a real shape: 5,000 hosts of 40 kinds, 1,200 vulnerable packages, 100,000 findings.
//! CPU seconds count this process and its children; more than ten for the usual rule is a failure.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that cannot unwrap has failed, and prints")]

#[path = "../tests/plan/fleet.rs"]
mod fleet;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use switchback::diagnostic::{Diagnostics, render_text};
use switchback::model::{Finding, Host, Importance, Probability, Score, TimeSpan};
use switchback::plan::summary;
use switchback::policy::{Bundle, ChildLauncher, Policy};

const HOSTS: usize = 5_000;
const KINDS: usize = 40;
const PACKAGES: usize = 1_200;
const PER_HOST: usize = 20;
const MAX_CPU: f64 = 10.0;

/// What people write: exposure, exploitation, age, versions and a helper package.
const USUAL: &str = r#"package switchback.priority

import data.fleet

default override := null

override := {"priority": "critical", "reason": "exploited and reachable"} if {
	input.finding.kev
	fleet.exposed
}

override := {"priority": "high", "reason": sprintf("epss %v on %s", [input.finding.epss, input.asset.labels.tier])} if {
	not input.finding.kev
	input.finding.epss > 0.5
	input.asset.labels.tier in {"gold", "silver"}
	deb.version_lt(input.finding.installed_version, input.finding.fixed_version)
}

override := {"priority": "low", "reason": "libraries of the build only"} if {
	not input.finding.kev
	not input.finding.epss > 0.5
	glob.match("*-dev*", [], input.finding.package)
	age := time.parse_rfc3339_ns(input.now) - time.parse_rfc3339_ns(input.finding.published)
	age < 90 * 24 * 3600 * 1000000000
	input.score < 8
}
"#;

const HELPERS: &str = "package fleet\n\nexposed if input.asset.labels.exposure == \"internet\"\n\nexposed if input.asset.labels.env == \"canary\"\n";

/// All labels, those that differ from host to host too: most inputs differ.
const LABELS: &str = "package switchback.priority\n\ndefault override := null\n\n\
                      override := \"critical\" if {\n\tinput.finding.kev\n\tinput.finding.vulnerability != \"\"\n\tinput.finding.epss > 0.5\n\texposed(input.asset.labels)\n}\n\n\
                      exposed(labels) if labels.exposure == \"internet\"\n";

/// Names each host, so that no two inputs are alike.
const BY_HOST: &str = "package switchback.priority\n\ndefault override := null\n\n\
                       override := \"critical\" if {\n\tstartswith(input.asset.name, \"web-00\")\n\tinput.finding.kev\n\tinput.finding.vulnerability != \"\"\n}\n";

fn hosts() -> Vec<Host> {
    let host = |i: usize| {
        let kind = i % KINDS;
        let mut host = fleet::host(&format!("web-{i:05}"));
        host.address = Some(format!("10.{}.{}.{}", i / 65_536, i / 256 % 256, i % 256));
        host.importance = Some([Importance::General, Importance::Important, Importance::Test][kind % 3]);
        for (key, value) in [
            ("service", format!("service-{kind}")),
            ("tier", ["gold", "silver", "bronze"][kind % 3].to_owned()),
            ("exposure", if kind.is_multiple_of(4) { "internet" } else { "internal" }.to_owned()),
            ("rack", format!("rack-{}", i % 97)),
        ] {
            host.labels.insert(key.to_owned(), value);
        }
        host
    };
    (0..HOSTS).map(host).collect()
}

/// Hosts of a kind run the same packages, and one in ten lags behind in one of them.
fn findings(hosts: &[Host]) -> Vec<(usize, Finding)> {
    let mut findings = Vec::new();
    for (i, host) in hosts.iter().enumerate() {
        for n in 0..PER_HOST {
            let lag = usize::from(i % 10 == 3 && n == 7);
            let package = (i % KINDS * 29 + n * 61 + lag) % PACKAGES;
            let suffix = if package.is_multiple_of(5) { "-dev" } else { "" };
            let id = format!("CVE-2026-{package:04}");
            let mut finding = fleet::finding(host.name.as_str(), &id, &format!("lib{package}{suffix}"), "1.2.3");
            finding.kev = package.is_multiple_of(50);
            finding.epss =
                (!package.is_multiple_of(3)).then(|| Probability::try_from(package as f64 / 1_200.0).unwrap());
            finding.cvss[0].score = Score::from_hundredths(u16::try_from(300 + package * 7 % 700).unwrap());
            finding.published = Some(TimeSpan::days(package as u64 % 400).before(fleet::as_of()));
            finding.first_seen = Some(TimeSpan::hours(i as u64 % 500).before(fleet::as_of()));
            findings.push((i, finding));
        }
    }
    findings
}

/// CPU seconds of this process and of the children that ended.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11..15].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

fn start(rules: &[(&str, &str)]) -> Policy {
    let mut files: BTreeMap<String, Vec<u8>> =
        rules.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
    files.insert("policy.yaml".to_owned(), b"version: 1\nrules: ['*.rego']\n".to_vec());
    let mut diagnostics = Diagnostics::default();
    let mut policy = Policy::load(Bundle::of_files(files, &[String::new()]).unwrap(), &mut diagnostics).unwrap();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_switchback"));
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    policy.start_rules(Arc::new(ChildLauncher::new(program, processors)), &mut diagnostics);
    assert!(!diagnostics.has_errors(), "{}", render_text(&diagnostics.sorted(), false));
    policy
}

/// The whole of a large plan, three times over.
fn judge() {
    let rules = include_str!("../examples/rego/policies/rules/plan.rego");
    let policy = start(&[("p.rego", rules)]);
    let plan = fleet::Fleet::of(10_000, 2).plan();
    let (begun, before) = (Instant::now(), cpu());
    let verdict = policy.judge_plan(&summary(&plan)).unwrap_or_else(|p| panic!("{}", render_text(&p, false)));
    let (wall, used) = (begun.elapsed().as_secs_f64(), cpu() - before);
    let count = verdict.deny.len() + verdict.warn.len();
    println!("rego/judge_plan: {} hosts, {count} messages, {used:.2} s of CPU, {wall:.2} s", plan.hosts.len());
}

fn main() {
    judge();
    let hosts = hosts();
    let findings = findings(&hosts);
    assert_eq!(findings.len(), 100_000);
    for (name, rules, limit) in [
        ("usual rule", &[("a.rego", USUAL), ("fleet.rego", HELPERS)][..], Some(MAX_CPU)),
        ("rule that takes all labels", &[("a.rego", LABELS)][..], None),
        ("rule that names each host", &[("a.rego", BY_HOST)][..], None),
    ] {
        let policy = start(rules);
        let (begun, before) = (Instant::now(), cpu());
        let all = findings.iter().map(|(host, finding)| (&hosts[*host], finding));
        let prepared = policy.prepare(all, fleet::as_of()).unwrap_or_else(|p| panic!("{}", render_text(&p, false)));
        let (wall, used) = (begun.elapsed(), cpu() - before);
        println!(
            "rego/prepare, {name}: {} findings, {} evaluations, {used:.2} s of CPU, {:.2} s",
            prepared.findings,
            prepared.evaluations,
            wall.as_secs_f64()
        );
        let before = cpu();
        let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
        for (host, finding) in &findings {
            let decision = policy.decide(finding, &hosts[*host], fleet::as_of());
            *kinds.entry(decision.assessment.priority.as_str()).or_default() += 1;
        }
        println!("rego/decide, {name}: {:.2} s of CPU, {kinds:?}", cpu() - before);
        assert!(limit.is_none_or(|limit| used < limit), "{used:.2} s of CPU");
    }
}
