//! Reports: shapes, hostile rows, mutated files. Inventories: every problem told with its place.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::diagnostic::Diagnostics;
use crate::model::{
    AssetName, Become, HostName, Importance, ProviderSettings, SecretSource, SwitchSettings, TimeSpan, TsigAlgorithm,
    is_unprintable,
};

fn read(text: &str) -> Result<Report, IntakeError> {
    read_report("r.json", text.as_bytes(), &ReadOptions::default())
}

fn row(id: &str, package: &str, installed: &str) -> Value {
    json!({"VulnerabilityID": id, "PkgName": package, "InstalledVersion": installed, "FixedVersion": "9", "Severity": "HIGH"})
}

fn trivy(rows: &[Value]) -> String {
    json!({
        "SchemaVersion": 2, "ArtifactName": "web-1", "ArtifactType": "vm",
        "Metadata": {"OS": {"Family": "debian", "Name": "12.5"}},
        "Results": [{"Target": "web-1 (debian 12.5)", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": rows}],
    })
    .to_string()
}

#[test]
fn every_root_shape_is_read_or_named() {
    for (text, format) in [
        ("null", "trivy-legacy"),
        (" [] ", "trivy-legacy"),
        (r#"{"SchemaVersion": 2}"#, "trivy"),
        (r#"{"SchemaVersion": 2, "ArtifactName": "a", "Results": null}"#, "trivy"),
        (r#"{"Results": [{"Target": "a", "Vulnerabilities": null}]}"#, "trivy"),
        (r#"[{"Target": "a (debian 9)", "Vulnerabilities": null}]"#, "trivy-legacy"),
        (r#"{"ClusterName": "c", "Resources": null}"#, "trivy-kubernetes"),
        (r#"{"apiVersion": "v1", "kind": "List", "items": []}"#, "trivy-operator"),
    ] {
        let report = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((report.format, report.read, report.findings.len()), (format, 0, 0), "{text}");
    }
    for (text, code, words) in [
        ("{\"a\": 1}", "unknown-report-format", "an object with `a`"),
        ("{}", "unknown-report-format", "an object with nothing in it"),
        ("[1]", "unknown-report-format", "a list whose first element is a single value"),
        ("7", "unknown-report-format", "text that begins with `7`"),
        ("{\"spdxVersion\": \"2.3\"}", "unknown-report-format", "SPDX"),
        ("{\"SchemaVersion\": 3, \"Results\": []}", "unsupported-version", "3"),
        ("{\"SchemaVersion\": 2, \"Results\": {}}", "invalid-report", "expected a list"),
        ("{\"SchemaVersion\": 2, \"Results\": [7]}", "invalid-report", "integer"),
        ("{\"SchemaVersion\": 2, \"Results\": [{\"Vulnerabilities\": \"x\"}]}", "invalid-report", "list of vulnerab"),
        ("{\"SchemaVersion\": 2", "invalid-json", "ends in the middle"),
        ("{\"SchemaVersion\": 2} x", "invalid-json", "trailing"),
        ("Total: 3 (HIGH: 3)", "unknown-report-format", "Total: 3"),
    ] {
        let error = read(text).unwrap_err();
        assert_eq!(error.code, code, "{text}: {error}");
        assert!(error.message.contains(words), "{text}: {error}");
        assert!(error.help.is_some(), "{text}");
    }
}

#[test]
fn clusters_and_their_operator_are_read_in_every_shape() {
    let result = json!({"Target": "img (debian 12)", "Class": "os-pkgs", "Type": "debian",
        "Vulnerabilities": [row("CVE-2026-1", "bash", "5")], "Secrets": [{}, {}]});
    for key in ["Resources", "Findings", "Vulnerabilities"] {
        let resource = |name: &str| json!({"Namespace": "n", "Kind": "Pod", "Name": name, "Results": [result]});
        let text = json!({"ClusterName": "c", key: [resource("a"), resource("b"), {"Kind": "Node"}]}).to_string();
        let report = read(&text).unwrap();
        let assets: Vec<_> = report.findings.iter().map(|f| f.asset.as_str()).collect();
        assert_eq!((report.format, assets), ("trivy-kubernetes", vec!["n/Pod/a", "n/Pod/b"]), "{key}");
        assert_eq!(report.set_aside["secret"], 4);
        let options = ReadOptions { host: Some(HostName::new("node-1").unwrap()), ..ReadOptions::default() };
        let report = read_report("r", text.as_bytes(), &options).unwrap();
        assert_eq!((report.findings.len(), report.left_out.len()), (2, 0), "two images of one host are two places");
    }
    let vulnerabilities = json!([
        {"vulnerabilityID": "CVE-2026-1", "resource": "bash", "installedVersion": "5", "severity": "LOW", "score": 4.2,
         "class": "os-pkgs", "packageType": "debian"},
        {"vulnerabilityID": "CVE-2026-2", "resource": "lodash", "installedVersion": "4", "fixedVersion": "5",
         "class": "lang-pkgs", "packageType": "node-pkg", "packagePath": "app/package.json",
         "cvss": {"ghsa": {"V3Score": 9.8, "V3Vector": "CVSS:3.1/AV:N"}}},
    ]);
    let labels = json!({"trivy-operator.resource.kind": "ReplicaSet", "trivy-operator.resource.name": "r",
        "trivy-operator.resource.namespace": "n", "trivy-operator.container.name": "c"});
    let item = |kind: &str| json!({"kind": kind, "metadata": {"labels": labels}, "report": {"vulnerabilities": vulnerabilities}});
    let list =
        json!({"apiVersion": "v1", "kind": "List", "items": [item("VulnerabilityReport"), item("ConfigAuditReport")]});
    let report = read(&list.to_string()).unwrap();
    let shown: Vec<_> = report
        .findings
        .iter()
        .map(|f| (f.asset.as_str(), f.kind.as_str(), f.ecosystem.as_str(), f.cvss[0].score.to_string()))
        .collect();
    let asset = "n/ReplicaSet/r";
    assert_eq!(shown, [(asset, "linux", "deb", "4.2".into()), (asset, "application", "npm", "9.8".into())]);
    assert_eq!(report.set_aside["other-resource"], 1);
    let mut bare = item("");
    bare["kind"] = json!(null);
    let list = json!({"apiVersion": "x/v1", "kind": "VulnerabilityReportList", "items": [bare]});
    assert_eq!(read(&list.to_string()).unwrap().read, 2);
}

#[test]
fn rows_are_normalised_and_duplicates_counted() {
    let mut first = row("CVE-2026-1", "libssl3", "3.0.1-1");
    first["CVSS"] = json!({"nvd": {"V2Score": 5.0, "V3Score": 7.5, "V3Vector": "CVSS:3.0/AV:N", "V40Score": 99.0}});
    first["Status"] = json!("affected");
    first["VendorIDs"] = json!(["DSA-1-1", "a; reboot", 7]);
    let text = trivy(&[first.clone(), first, row("CVE-2026-2", "libssl3", "")]);
    let report = read(&text).unwrap();
    assert_eq!((report.read, report.findings.len(), report.left_out["duplicate"]), (3, 2, 1));
    let finding = &report.findings[0];
    assert_eq!((finding.asset.as_str(), finding.ecosystem.as_str()), ("web-1", "deb"));
    let scores: Vec<_> = finding.cvss.iter().map(|c| (c.version.as_str(), c.score.to_string())).collect();
    assert_eq!(scores, [("2.0", "5.0".to_owned()), ("3.0", "7.5".to_owned())]);
    assert_eq!(finding.aliases.iter().map(|a| a.as_str()).collect::<Vec<_>>(), ["DSA-1-1"]);
    assert_eq!(report.assets["web-1"].os.as_ref().unwrap().version.as_deref(), Some("12.5"));
    assert_eq!(report.findings[1].installed, None);

    let options = ReadOptions { host: Some(HostName::new("db-1").unwrap()), ..ReadOptions::default() };
    let report = read_report("r.json", text.as_bytes(), &options).unwrap();
    assert!(report.findings.iter().all(|finding| finding.asset.as_str() == "db-1"));
}

#[test]
fn reports_join_in_any_order() {
    let plain = row("CVE-2026-1", "libssl3", "3.0.1-1");
    let mut rich = plain.clone();
    rich["Title"] = json!("a flaw");
    rich["Severity"] = json!("CRITICAL");
    let other = trivy(&[row("CVE-2026-2", "bash", "5")]);
    let texts = [trivy(&[plain]), trivy(&[rich]), other];
    let joined = |order: [usize; 3]| Reports::join(order.map(|i| read(&texts[i]).unwrap()));
    let first = joined([0, 1, 2]);
    assert_eq!((first.read, first.findings.len(), first.left_out["duplicate"]), (3, 2, 1));
    assert_eq!(first.findings[0].title.as_deref(), Some("a flaw"));
    for order in [[1, 0, 2], [2, 1, 0], [1, 2, 0]] {
        assert_eq!(joined(order).findings, first.findings);
    }
}

#[test]
fn hostile_rows_are_left_out_and_counted() {
    let long = "a".repeat(10 << 20);
    let hostile = ["a; reboot", "$(id)", "`x`", "a\nb", "\u{1b}[31m", "-rf", "a b", &long];
    let mut rows = vec![row("CVE-2026-1", "bash", "5")];
    for text in hostile {
        rows.push(row(text, "bash", "5"));
        rows.push(row("CVE-2026-1", text, "5"));
        rows.push(row("CVE-2026-1", "bash", text));
    }
    rows.extend([
        json!({}),
        json!(null),
        json!({"VulnerabilityID": 7, "PkgName": "a"}),
        json!({"VulnerabilityID": "X"}),
    ]);
    let report = read(&trivy(&rows)).unwrap();
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.read, rows.len() as u64);
    let left_out: Vec<_> = report.left_out.iter().map(|(why, rows)| (why.as_str(), *rows)).collect();
    assert_eq!(
        left_out,
        [
            ("malformed-row", 2),
            ("missing-package-name", 1),
            ("missing-vulnerability-id", 1),
            ("unsafe-package-name", 8),
            ("unsafe-version", 8),
            ("unsafe-vulnerability-id", 8),
        ]
    );
}

#[test]
fn free_text_is_short_and_printable() {
    let mut hostile = row("CVE-2026-1", "bash", "5");
    let text = format!("\u{1b}[2J{}", "x".repeat(1 << 20));
    hostile["Title"] = json!(text);
    hostile["References"] = json!([text, "https://example.org/1"]);
    hostile["PkgPath"] = json!(text);
    hostile["CVSS"] = json!({text.clone(): {"V3Score": 5.0, "V3Vector": text}});
    let mut report: Value = serde_json::from_str(&trivy(&[hostile])).unwrap();
    report["ArtifactName"] = json!(text);
    report["Results"][0]["Class"] = json!("lang-pkgs");
    report["Results"][0]["Type"] = json!(text);
    report["Metadata"]["OS"] = json!({"Family": text, "Name": text});
    let report = read(&report.to_string()).unwrap();
    let shown = serde_json::to_string(&report.findings).unwrap();
    assert_eq!(report.findings.len(), 1);
    assert!(shown.len() < 8_000, "{}", shown.len());
    assert!(!shown.contains("\\u001b") && !shown.contains(is_unprintable));
    let assets = format!("{:?}", report.assets);
    assert!(assets.len() < 2_000 && !assets.contains("\\u{1b}"), "{assets}");
}

fn sample() -> String {
    let mut rich = row("CVE-2026-1", "bash", "5");
    rich["CVSS"] = json!({"nvd": {"V3Score": 7.5, "V3Vector": "CVSS:3.1/AV:N"}});
    rich["References"] = json!(["https://example.org/1"]);
    rich["PublishedDate"] = json!("2026-01-01T00:00:00Z");
    trivy(&[rich, row("CVE-2026-2", "libc6", "2.36")])
}

fn holds(report: &Report) -> bool {
    report.read == report.findings.len() as u64 + report.left_out.values().sum::<u64>()
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(report) = read_report("r", &bytes, &ReadOptions::default()) {
            prop_assert!(holds(&report));
        }
    }

    #[test]
    fn mutated_reports_never_panic_and_account_for_every_row(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..6),
    ) {
        let mut bytes = sample().into_bytes();
        for (index, byte, how) in edits {
            let at = index.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        if let Ok(report) = read_report("r", &bytes, &ReadOptions::default()) {
            prop_assert!(holds(&report));
        }
    }

    #[test]
    fn any_truncation_is_an_error(index in any::<prop::sample::Index>()) {
        let text = sample();
        let cut = index.index(text.len());
        let error = read_report("r", &text.as_bytes()[..cut], &ReadOptions::default()).unwrap_err();
        prop_assert_eq!(error.code, "invalid-json");
        prop_assert!(error.place.is_some());
    }

    #[test]
    fn rows_with_any_text_account_for_themselves(id in any::<String>(), package in ".*", version in any::<String>()) {
        let report = read(&trivy(&[row(&id, &package, &version)])).unwrap();
        prop_assert!(holds(&report) && report.read == 1);
    }

    #[test]
    fn any_inventory_text_is_read_or_refused(text in "[a-z0-9 :=\\[\\]{}'\"#\\n,.-]{0,80}") {
        let folder = tempfile::tempdir().unwrap();
        for name in ["i.ini", "i.yml", "i"] {
            let path = folder.path().join(name);
            std::fs::write(&path, &text).unwrap();
            let (mut diagnostics, mut in_memory) = (Diagnostics::default(), Diagnostics::default());
            let bytes = read_inventory_bytes(&path, text.clone().into_bytes(), None, &mut in_memory);
            let inventory = read_inventory(&[path], None, &mut diagnostics);
            prop_assert_eq!(inventory.is_none(), diagnostics.has_errors());
            prop_assert_eq!(inventory.map(|i| i.hosts), bytes.map(|i| i.hosts));
            let shown = |d: Diagnostics| d.sorted().iter().map(ToString::to_string).collect::<Vec<_>>();
            prop_assert_eq!(shown(diagnostics), shown(in_memory));
        }
    }
}

/// Reads files given by name and text.
fn inventory(files: &[(&str, &str)], read: &[&str]) -> (Option<Inventory>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let paths: Vec<PathBuf> = read.iter().map(|name| folder.path().join(name)).collect();
    let mut diagnostics = Diagnostics::default();
    let inventory = read_inventory(&paths, None, &mut diagnostics);
    let prefix = format!("{}/", folder.path().display());
    let shown = diagnostics.sorted().iter().map(|d| d.to_string().replace(&prefix, "")).collect();
    (inventory, shown)
}

const NATIVE: &str = "version: 1
hosts:
  web-1:
    address: 10.0.0.11
    aliases: [i-0123, web-1.example.com]
    groups: [web, payments]
    labels: {service: shop, rack: 7, stateful: true, tier: \"1.10\"}
    os: {family: debian, version: 12}
    importance: important
    ssh: {user: ops, port: 2222, identity: ~/.ssh/ops, jump: ops@bastion, host_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5}
    become: sudo
    provider: {kind: podman, name: web-1}
    switch: {kind: haproxy, socket: /run/haproxy/admin.sock, backend: shop, server: web-1}
  db-1:
    provider: {kind: exec, backup: [/bin/backup], restore: [/bin/restore], timeout: 10m}
    switch: {kind: command, drain: [/bin/drain], undrain: [/bin/undrain]}
  idle:
";

#[test]
fn the_native_inventory_is_read() {
    let (found, problems) = inventory(&[("hosts.yaml", NATIVE)], &["hosts.yaml"]);
    let found = found.unwrap_or_else(|| panic!("{problems:#?}"));
    assert!(problems.is_empty(), "{problems:?}");
    let host = &found.hosts["web-1"];
    assert_eq!(host.address(), "10.0.0.11");
    assert_eq!(host.groups.iter().map(|g| g.as_str()).collect::<Vec<_>>(), ["payments", "web"]);
    let labels: Vec<_> = host.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(labels, ["rack=7", "service=shop", "stateful=true", "tier=1.10"]);
    assert_eq!((host.importance, host.becomes), (Some(Importance::Important), Become::Sudo));
    assert_eq!((host.ssh.port, host.ssh.jump.as_deref()), (Some(2222), Some("ops@bastion")));
    assert!(matches!(&host.provider, Some(ProviderSettings::Podman { name, .. }) if name == "web-1"));
    assert!(matches!(&host.switch, Some(SwitchSettings::Haproxy { .. })));
    assert!(matches!(&found.hosts["db-1"].provider, Some(ProviderSettings::Exec(exec)) if exec.timeout.is_some()));
    assert_eq!(found.hosts.len(), 3);

    let (other, _) = inventory(&[("h.yml", &NATIVE.replace("  idle:\n", "  idle: {} # a comment\n"))], &["h.yml"]);
    assert_eq!(other.unwrap().digest, found.digest, "comments do not matter");
    let (other, _) = inventory(&[("h.yml", &NATIVE.replace("rack: 7", "rack: 8"))], &["h.yml"]);
    assert_ne!(other.unwrap().digest, found.digest);
}

#[test]
fn switches_by_dns_are_checked() {
    let host = |switch: &str| {
        let text = format!("version: 1\nhosts:\n  web-1:\n    switch: {{kind: dns, {switch}}}\n");
        let (found, problems) = inventory(&[("h.yml", &text)], &["h.yml"]);
        let problem = problems.first().cloned();
        (found.and_then(|found| found.hosts["web-1"].switch.clone()), problem.unwrap_or_default())
    };
    let zone = "zone: example.com, name: shop.example.com, key: switchback";
    let (switch, problem) =
        host(&format!("server: 10.0.0.53, {zone}, secret_env: DNS_KEY, ttl: 30s, address: 10.0.0.11"));
    let Some(SwitchSettings::Dns(dns)) = switch else { panic!("{problem}") };
    assert_eq!((dns.server.as_str(), dns.ttl), ("10.0.0.53:53", Some(TimeSpan::seconds(30))));
    assert_eq!((dns.secret, dns.algorithm), (SecretSource::Env("DNS_KEY".into()), TsigAlgorithm::HmacSha256));
    for (server, with_port) in [
        ("ns1.example.com", "ns1.example.com:53"),
        ("ns1:5353", "ns1:5353"),
        ("\"2001:db8::53\"", "[2001:db8::53]:53"),
        ("\"[2001:db8::53]:5353\"", "[2001:db8::53]:5353"),
    ] {
        let (switch, problem) =
            host(&format!("server: {server}, {zone}, algorithm: hmac-sha512, secret_file: /etc/key"));
        assert!(matches!(switch, Some(SwitchSettings::Dns(dns)) if dns.server == with_port), "{server}: {problem}");
    }
    for (wrong, says) in [
        (format!("server: ns1, {zone}"), "one of `secret_env` and `secret_file`"),
        (format!("server: ns1, {zone}, secret_env: A, secret_file: /b"), "one of `secret_env` and `secret_file`"),
        (format!("server: ns1, {zone}, secret_env: c2VjcmV0Cg=="), "`secret_env` names no variable"),
        (format!("server: \"ns1:http\", {zone}, secret_env: A"), "`server` `ns1:http` is no server"),
        (format!("server: ns1, {zone}, secret_env: A, address: web-1"), "`address` `web-1` is no address"),
        (format!("server: ns1, {zone}, secret_env: A, ttl: 30d"), "more than a week"),
        (format!("server: ns1, {zone}, secret_env: A, socket: /run/a"), "`socket` says nothing"),
        ("server: ns1, zone: example.com, name: shop.example.org, key: k, secret_env: A".into(), "not in the `zone`"),
        ("server: ns1, zone: example.com, name: xexample.com, key: k, secret_env: A".into(), "not in the `zone`"),
        ("server: ns1, zone: a..b, name: a..b, key: k, secret_env: A".into(), "no DNS name"),
    ] {
        let (_, problem) = host(&wrong);
        assert!(problem.contains(says), "{wrong}: {problem}");
    }
}

#[test]
fn assets_find_their_hosts() {
    let text = "version: 1\nhosts:\n  a: {address: 10.0.0.1}\n  b: {address: 10.0.0.1, aliases: [bee]}\n  bee2: {aliases: [a]}\n";
    let (found, _) = inventory(&[("h.yml", text)], &["h.yml"]);
    let found = found.unwrap();
    let asset = |name: &str| AssetName::new(name).unwrap();
    let resolve = |name: &str| found.resolve(&asset(name)).map(|host| host.map(|h| h.as_str().to_owned()));
    assert_eq!(resolve("bee"), Ok(Some("b".to_owned())));
    assert_eq!(resolve("a"), Ok(Some("a".to_owned())), "a name goes before an alias");
    assert_eq!(resolve("be"), Ok(None));
    assert!(resolve("10.0.0.1").is_err());
    let assets = ["a", "x", "y", "10.0.0.1"].map(asset);
    let mut diagnostics = Diagnostics::default();
    let none = std::collections::BTreeSet::new();
    assert_eq!(found.resolve_all(assets.iter().map(|asset| (asset, "r.json", &none)), &mut diagnostics).len(), 1);
    let problems: Vec<_> = diagnostics.iter().map(|d| (d.code, d.message.clone())).collect();
    assert_eq!(problems[0].0, "ambiguous-host");
    assert_eq!(problems[1].0, "unknown-host");
    assert!(problems[1].1.ends_with("`x` (r.json), `y` (r.json)"), "{problems:?}");
}

#[test]
fn every_problem_of_an_inventory_is_told_with_its_place() {
    let text = "version: 1
hosts:
  web-1:
    adress: 10.0.0.1
    ssh: {user: -oProxyCommand=id, port: 0, host_key: nonsense}
    provider: {kind: podmann, name: x}
  \"$(id)\": {}
  web-2:
    address: \"a; reboot\"
    switch: {kind: haproxy, socket: /s, backend: \"a;b\", server: c}
    provider: {kind: exec, backup: [/b], restore: []}
    importance: vital
";
    let (found, problems) = inventory(&[("h.yml", text)], &["h.yml"]);
    assert!(found.is_none());
    // A document whose keys are wrong is not looked at for its values.
    assert!(problems.iter().any(|p| p.starts_with("h.yml:4:5:") && p.ends_with("[unknown-key]")), "{problems:#?}");
    assert!(problems.iter().any(|p| p.starts_with("h.yml:12:17:")), "{problems:#?}");

    let values = text.replace("adress: ", "address: ").replace("importance: vital", "importance: test");
    let (_, problems) = inventory(&[("h.yml", &values)], &["h.yml"]);
    let starts: Vec<_> = problems.iter().filter_map(|p| p.split(": ").next()).collect();
    let lines = [
        "h.yml:5:17",
        "h.yml:5:42",
        "h.yml:5:55",
        "h.yml:6:15",
        "h.yml:7:3",
        "h.yml:9:14",
        "h.yml:10:13",
        "h.yml:11:15",
    ];
    assert_eq!(starts, lines, "{problems:#?}");
}

#[test]
fn a_host_twice_is_told_with_both_places() {
    let one = "version: 1\nhosts:\n  web-1: {}\n";
    let (found, problems) = inventory(&[("a.yml", one), ("b.yml", one)], &["a.yml", "b.yml"]);
    assert!(found.is_none());
    assert_eq!(problems, ["b.yml:3:3: host `web-1` is there twice [duplicate-host]"]);
    let (found, problems) = inventory(&[("a.yml", "version: 1\nhosts:\n  w: {}\n  w: {}\n")], &["a.yml"]);
    assert!(found.is_none());
    assert!(problems[0].starts_with("a.yml:4:3:"), "{problems:?}");
}

#[test]
fn what_is_no_inventory_is_named() {
    for (name, text, code) in [
        ("run.sh", "#!/bin/sh\necho {}\n", "executable-inventory"),
        ("aws_ec2.yml", "plugin: amazon.aws.aws_ec2\nregions: [eu-west-1]\n", "inventory-plugin"),
        ("list.yml", "- a\n- b\n", "unknown-inventory-format"),
        ("hosts.toml", "[web.hosts]\na = {}\n", "unknown-inventory-format"),
        ("v2.yml", "version: 2\nhosts: {}\n", "unsupported-version"),
    ] {
        let (found, problems) = inventory(&[(name, text)], &[name]);
        assert!(found.is_none() && problems.len() == 1 && problems[0].contains(code), "{name}: {problems:?}");
    }
    assert!(inventory(&[], &["nowhere.yml"]).1[0].contains("unreadable-file"));
}

const INI: &str = "lone ansible_host=10.0.0.9
[web]
web[1:2] ansible_port=2222 http='a b'   # two
[db]
db-1 ansible_user=\"postgres\"
[prod:children]
web
db
[prod:vars]
ansible_become=yes
ansible_ssh_common_args=-o StrictHostKeyChecking=no -J bastion.example.com
switchback_importance=important
switchback_labels={'env': 'prod', 'rack': 3}
switchback_provider={'kind': 'podman', 'name': '{{ inventory_hostname }}'}
";

#[test]
fn ansible_variables_become_settings() {
    let files = [
        ("hosts", INI),
        ("group_vars/all.yml", "ansible_user: ops\n"),
        ("group_vars/db/main.yml", "switchback_importance: test\nswitchback_switch: {kind: simulated}\n"),
        ("host_vars/web1.yaml", "ansible_host: 10.0.0.1\nansible_become: no\n"),
        ("host_vars/nobody.yml", "- broken\n"),
    ];
    let (found, problems) = inventory(&files, &["hosts"]);
    let found = found.unwrap_or_else(|| panic!("{problems:#?}"));
    assert!(problems.is_empty(), "{problems:?}");
    let web = &found.hosts["web1"];
    assert_eq!((web.address(), web.ssh.port, web.ssh.user.as_deref()), ("10.0.0.1", Some(2222), Some("ops")));
    assert_eq!((web.becomes, web.ssh.jump.as_deref()), (Become::None, Some("bastion.example.com")));
    assert_eq!(web.groups.iter().map(|g| g.as_str()).collect::<Vec<_>>(), ["prod", "web"]);
    assert_eq!((web.importance, web.labels["rack"].as_str()), (Some(Importance::Important), "3"));
    assert!(matches!(&web.provider, Some(ProviderSettings::Podman { name, .. }) if name == "web1"));
    let db = &found.hosts["db-1"];
    assert_eq!((db.becomes, db.importance), (Become::Sudo, Some(Importance::Test)), "files go before the inventory");
    assert_eq!(db.ssh.user.as_deref(), Some("postgres"), "a host's own variables go before its groups'");
    assert_eq!(db.switch, Some(SwitchSettings::Simulated));
    assert!(found.hosts["lone"].groups.is_empty());
    assert_eq!(found.hosts.len(), 4);
}

#[test]
fn folders_are_read_as_one_inventory() {
    let files = [
        ("inv/10-hosts.ini", "[web]\na\n"),
        ("inv/20-more.yml", "web: {hosts: {b: {ansible_user: x}}}\n"),
        ("inv/30-native.yaml", "version: 1\nhosts: {c: {}}\n"),
        ("inv/notes.txt", "not an [inventory\n"),
        ("inv/.hidden", "not an [inventory\n"),
        ("inv/group_vars/web.yml", "ansible_port: 2200\n"),
    ];
    let (found, problems) = inventory(&files, &["inv"]);
    let found = found.unwrap_or_else(|| panic!("{problems:#?}"));
    assert_eq!(found.hosts.keys().map(|h| h.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!((found.hosts["a"].ssh.port, found.hosts["b"].ssh.port), (Some(2200), Some(2200)));
}

#[test]
fn ansible_problems_are_told_with_their_line() {
    let text = "[web]
a; reboot
$(id)
b ansible_port=99999
c ansible_host=\"{{ lookup('x') }}\"
d novalue
e[1:
[nope:children]
ghost
[ghosts:vars]
x=1
[web:childs]
whatever
f switchback_lables={}
[loop:children]
loop
[web]
g ansible_connection=winrm switchback_provider=\"{'kind': 'tape'}\"
h switchback_lables={}
";
    let (found, problems) = inventory(&[("h.ini", text)], &["h.ini"]);
    assert!(found.is_none());
    let shown: Vec<_> = problems
        .iter()
        .map(|p| format!("{} {}", p.split(':').nth(1).unwrap(), p.rsplit_once('[').unwrap().1.trim_end_matches(']')))
        .collect();
    let expected = [
        "2 invalid-inventory-line",
        "3 invalid-host-name",
        "4 invalid-variable",
        "5 invalid-variable",
        "6 invalid-inventory-line",
        "7 invalid-host-range",
        "9 undefined-group",
        "10 undefined-group",
        "12 invalid-inventory-line",
        "16 group-loop",
        "18 ignored-variable",
        "18 invalid-variable",
        "19 invalid-variable",
    ];
    assert_eq!(shown, expected, "{problems:#?}");
}
