//! Playbooks: what is refused when they are read, and what they render to.

use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use super::{SHELLS, feed, strings};
use crate::diagnostic::{Diagnostics, Source};
use crate::model::{
    AssetName, Digest, Finding, Fix, FixState, Host, HostName, Os, PackageFix, PackageName, PackageVersion, Program,
    VulnerabilityId, VulnerabilityType,
};

pub(super) fn host() -> Host {
    let mut host = Host::named(HostName::new("web-1").unwrap());
    host.os = Some(Os { family: "debian".into(), name: "debian".into(), version: Some("12".into()) });
    host.labels.insert("role".into(), "it's $(id)".into());
    host
}

pub(super) fn fix(packages: &[(&str, Option<&str>)]) -> Fix {
    let packages = packages
        .iter()
        .map(|(name, to)| PackageFix {
            name: PackageName::new(name).unwrap(),
            from: None,
            to: to.map(|to| PackageVersion::new(to).unwrap()),
        })
        .collect();
    Fix { packages, findings: Vec::new() }
}

fn load(steps: &str) -> Result<Playbook, Vec<(&'static str, String)>> {
    let text = format!(
        "version: 1\nname: test\ndescription: for a test\nmatch: {{type: linux, os: {{family: debian, version: '>=11'}}}}\nsteps:\n{steps}\n"
    );
    let mut diagnostics = Diagnostics::default();
    Playbook::load(&Source::new("test.yaml", text), &mut diagnostics)
        .ok_or_else(|| diagnostics.sorted().iter().map(|d| (d.code, d.message.clone())).collect())
}

fn codes(steps: &str) -> Vec<&'static str> {
    load(steps).err().unwrap_or_default().into_iter().map(|(code, _)| code).collect()
}

fn render(playbook: &Playbook, fix: &Fix) -> Result<Rendered, RenderError> {
    playbook.render(&RenderInput { host: &host(), fix, allow_removals: false })
}

const VERIFY: &str = "  verify: [{run: ['true']}]\n";

#[test]
fn a_list_splices_only_as_a_whole_element() {
    let playbook = load(&format!(
        "  fix:\n    - run: [apt-get, --, '{{{{ fix.package_specs }}}}', 'on {{{{ host.name }}}}', '{{{{ fix.package_names | join(\",\") }}}}']\n{VERIFY}"
    ))
    .unwrap();
    let rendered = render(&playbook, &fix(&[("a", Some("1.0")), ("b", None)])).unwrap();
    assert_eq!(rendered.fix[0].argv, strings(&["apt-get", "--", "a=1.0", "b", "on web-1", "a,b"]));
    assert_eq!(rendered.fix[0].program, Program::Argv);
    // An empty list would be an apt-get without packages.
    assert!(matches!(render(&playbook, &fix(&[])), Err(RenderError::Template { .. })));
    let glued = load(&format!("  fix:\n    - run: [x, 'a{{{{ fix.package_names }}}}']\n{VERIFY}")).unwrap();
    assert!(matches!(render(&glued, &fix(&[("a", None), ("b", None)])), Err(RenderError::Template { .. })));
}

#[test]
fn a_shell_template_quotes_what_it_is_given() {
    let playbook = load(&format!(
        "  fix:\n    - shell: |\n        set -eu\n        for p in {{{{ fix.package_names }}}}; do\n          printf '<%s>' \"$p\"\n        done\n        role={{{{ host.labels.role }}}}\n        {{% if allow_removals %}}\n        echo removals\n        {{% endif %}}\n        echo \"$role\" # it's\n{VERIFY}"
    ))
    .unwrap();
    assert!(playbook.has_shell());
    let rendered = render(&playbook, &fix(&[("a", None), ("libstdc++6", None)])).unwrap();
    let Program::Shell { digest } = rendered.fix[0].program else { panic!("{:?}", rendered.fix[0].program) };
    let script = &rendered.scripts[&digest];
    assert_eq!(Digest::of(script.as_bytes()), digest);
    for shell in SHELLS {
        let text = command_payload(&rendered.fix[0], &rendered.scripts, &BTreeMap::new()).unwrap();
        let Some((_, said)) = feed(shell, &text) else { continue };
        assert_eq!(said, "<a><libstdc++6>it's $(id)\n", "{shell:?}");
    }
}

#[test]
fn a_list_is_not_glued_to_a_path() {
    let playbook = load(&format!("  fix:\n    - shell: 'rm -rf /x/{{{{ fix.package_names }}}}'\n{VERIFY}")).unwrap();
    assert!(render(&playbook, &fix(&[("a", None)])).is_ok());
    assert!(matches!(render(&playbook, &fix(&[("a", None), ("b", None)])), Err(RenderError::Template { .. })));
}

#[test]
fn endless_templates_run_out_of_fuel() {
    let context = template::value_of(&serde_json::json!({"items": vec!["x"; 100_000]}));
    let template = "echo {% for i in items %} {{ i }} {% endfor %} ";
    assert!(matches!(template::script(template, &context), Err(RenderError::Template { .. })));
}

#[test]
fn constants_of_a_playbook_are_values_like_others() {
    let text = "version: 1\nname: t\ndescription: d\nmatch: {type: application}\nvars: {PATH_OF_IT: \"/srv/it's\", b: x, C: '{{ host.name }}'}\nsteps:\n  fix: [{shell: 'rm {{ vars.PATH_OF_IT }}'}, {run: [x, '{{ vars.MISSING }}']}]\n  verify: [{run: [x]}]\n";
    let load = |text: &str| {
        let mut diagnostics = Diagnostics::default();
        let playbook = Playbook::load(&Source::new("t.yaml", text), &mut diagnostics);
        playbook.ok_or_else(|| diagnostics.sorted().iter().map(|d| d.code).collect::<Vec<_>>())
    };
    assert_eq!(load(text).err().unwrap(), ["invalid-variable", "invalid-variable", "unknown-variable"]);
    let right = text.replace(", b: x, C: '{{ host.name }}'", "").replace("MISSING", "PATH_OF_IT");
    let rendered = render(&load(&right).unwrap(), &fix(&[("a", None)])).unwrap();
    assert_eq!(rendered.fix[1].argv, strings(&["x", "/srv/it's"]));
    let Program::Shell { digest } = rendered.fix[0].program else { panic!("{:?}", rendered.fix[0].program) };
    assert_eq!(rendered.scripts[&digest], r"rm '/srv/it'\''s'");
}

#[test]
fn absent_values_are_errors() {
    let playbook = load(&format!("  fix:\n    - run: [x, '{{{{ host.labels.nothing }}}}']\n{VERIFY}")).unwrap();
    assert!(matches!(render(&playbook, &fix(&[("a", None)])), Err(RenderError::Template { .. })));
}

#[test]
fn values_stand_only_where_quoting_helps() {
    let bad = [
        ("echo \"pkg {{ x }}\"", "value-in-context"),
        ("echo 'pkg {{ x }}'", "value-in-context"),
        ("echo $(id {{ x }})", "value-in-context"),
        ("echo \"$(id {{ x }})\"", "value-in-context"),
        ("echo `id {{ x }}`", "value-in-context"),
        ("echo ${a:-{{ x }}}", "value-in-context"),
        ("echo $(( {{ x }} + 1 ))", "value-in-context"),
        ("# note {{ x }}", "value-in-context"),
        ("echo a;# note {{ x }}", "value-in-context"),
        ("cat <<E\n{{ x }}\nE\n", "value-in-context"),
        ("cat <<-'E' >f\n\t{{ x }}\n\tE\n", "value-in-context"),
        ("cat <<E {{ x }}\nE\n", "value-in-context"),
        ("cat <<{{ x }}", "too-complex"),
        ("echo ${{ x }}", "value-in-context"),
        ("echo \\{{ x }}", "value-in-context"),
        ("echo $'a' {{ x }}", "too-complex"),
        ("echo $\\\n{{ x }}", "too-complex"),
        ("cat <\\\n<E\n{{ x }}\nE\n", "too-complex"),
        ("a=$(case x in a) echo ';; esac) {{ x }}", "too-complex"),
        ("eval {{ x }}", "value-as-script"),
        ("v={{ x }}; eval \"$v\"", "value-as-script"),
        ("sh -c {{ x }}", "value-as-script"),
        ("/bin/bash -ec {{ x }}", "value-as-script"),
        ("su - root -c {{ x }}", "value-as-script"),
        ("su --command {{ x }}", "value-as-script"),
        ("python3 -c {{ x }}", "value-as-script"),
        ("trap {{ x }} EXIT", "value-as-script"),
        (". {{ x }}", "value-as-script"),
        ("{{ x }} -a", "value-as-command"),
        ("true && sudo {{ x }}", "value-as-command"),
        ("A=1 {{ x }}", "value-as-command"),
        ("echo {{- x }}", "tag-strips-space"),
        ("echo a{% if x %}b{% endif %}", "glued-tag"),
        ("echo {% raw %} a {% endraw %} ", "unknown-tag"),
        ("echo {{ x", "unfinished-tag"),
    ];
    for (template, code) in bad {
        let problems = shell::check(template);
        assert!(problems.iter().any(|p| p.code == code), "{template:?}: {problems:?}");
    }
    let good = [
        "echo {{ x }}",
        "echo a{{ x }}b={{ y }}",
        "v={{ x }}\nw=\"$v\"",
        "if [ {{ x }} = a ]; then echo 'it'\\''s' \"a'b\" # it's\nfi\necho {{ y }}",
        "cat <<E\nit's \"$(\nE\necho {{ x }}",
        "cat <<-'E' >f\n\tit's\n\tE\necho {{ x }}",
        "echo $# ${a#b} a#b $((16#ff)) {{ x }}",
        "case {{ x }} in a) echo b ;; esac\necho {{ x }}",
        "echo a >{{ x }} 2>&1",
        "echo {% if x %} {{ x }} {% else %} b {% endif %} c",
        "a=\"$(cat f)\"; b=`date`; echo {{ x }}",
        ". /etc/os-release\ntrap 'rm f' EXIT\necho {{ x }}",
        "sh script.sh --color {{ x }}",
        "eval \"$constant\"",
    ];
    for template in good {
        assert_eq!(shell::check(template), [], "{template:?}");
    }
}

#[test]
fn all_problems_of_a_file_are_reported_with_their_places() {
    let text = "version: 2\nname: t\ndescription: ''\nmatch: {type: linx, os: {version: '>=x'}}\nsteps:\n  fix:\n    - run: [apt-get]\n      shell: x\n    - {builtin: linux-apt/fixx}\n    - run: ['{{ fix.package_spec }}']\n    - {run: [a], env: {IFS: x}, env_facts: {A: verify.x, B: preflight.Y}, timeout: 5}\n    - {shell: 'echo \"{{ host.name }}\"'}\n  verify: []\n";
    let mut diagnostics = Diagnostics::default();
    assert!(Playbook::load(&Source::new("t.yaml", text), &mut diagnostics).is_none());
    let found: Vec<String> = diagnostics
        .sorted()
        .iter()
        .map(|d| format!("{} {}", d.place().map_or(String::new(), |p| format!("{}:{}", p.line, p.column)), d.code))
        .collect();
    for expected in [
        "1:10 unknown-version",
        "3:14 empty-description",
        "4:15 unknown-type",
        "7:7 which-command",
        "9:17 unknown-builtin",
        "10:13 value-as-command",
        "10:13 unknown-variable",
        "12:15 value-in-context",
        "invalid-variable",
        "unknown-step",
        "invalid-fact",
        "no-verify",
        "invalid-time-span",
    ] {
        assert!(found.iter().any(|f| f.contains(expected)), "{expected} in {found:#?}");
    }
}

#[test]
fn unknown_keys_are_errors() {
    assert_eq!(codes(&format!("  fix: [{{run: [a], becom: true}}]\n{VERIFY}")), ["unknown-key"]);
    assert_eq!(codes(&format!("  fix: [{{run: [a]}}]\n{VERIFY}  reboot: {{run: [x]}}\n")), ["missing-key"]);
    assert_eq!(codes(&format!("  fix: []\n{VERIFY}")), ["no-fix"]);
    assert_eq!(codes(&format!("  fix: [{{run: [a], args: [b]}}]\n{VERIFY}")), ["args-of-run"]);
}

#[test]
fn every_shipped_playbook_is_right() {
    for name in shipped::PLAYBOOKS.map(|(name, _)| name) {
        let text = shipped::PLAYBOOKS.iter().find(|(n, _)| *n == name).unwrap().1;
        let mut diagnostics = Diagnostics::default();
        assert!(Playbook::load(&Source::new(name, text), &mut diagnostics).is_some());
        assert_eq!(diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    }
    assert_eq!(shipped().len(), shipped::PLAYBOOKS.len());
}

#[test]
fn linux_apt_is_for_debian_hosts() {
    let playbooks = shipped();
    let apt = playbooks.iter().find(|p| p.name().as_str() == "linux-apt").unwrap();
    assert!(apt.reach(&host(), VulnerabilityType::Linux).is_some());
    assert!(apt.reach(&host(), VulnerabilityType::Application).is_none());
    let mut other = host();
    other.os.as_mut().unwrap().family = "redhat".into();
    assert!(apt.reach(&other, VulnerabilityType::Linux).is_none());
    other.os = None;
    assert!(apt.reach(&other, VulnerabilityType::Linux).is_none());
}

/// A finding of a Python package at this place.
fn finding(ecosystem: &str, location: Option<&str>) -> Finding {
    let (asset, vulnerability) = (AssetName::new("web-1").unwrap(), VulnerabilityId::new("CVE-2026-1").unwrap());
    Finding {
        id: Finding::make_id(&asset, &vulnerability, None, None, location),
        asset,
        vulnerability,
        aliases: BTreeSet::new(),
        kind: VulnerabilityType::Application,
        ecosystem: ecosystem.to_owned(),
        package: Some(PackageName::new("requests").unwrap()),
        location: location.map(str::to_owned),
        installed: None,
        fixed: Vec::new(),
        fix_state: FixState::Fixed,
        severity: None,
        cvss: Vec::new(),
        epss: None,
        kev: false,
        published: None,
        first_seen: None,
        title: None,
        references: Vec::new(),
        scanner: "test".to_owned(),
        claims: Vec::new(),
    }
}

#[test]
fn a_recipe_reaches_what_lies_in_its_folder_only() {
    let playbooks = shipped();
    let pip = playbooks.iter().find(|p| p.name().as_str() == "pip").unwrap();
    let mut host = host();
    let kind = VulnerabilityType::Application;
    assert!(pip.reach(&host, kind).is_none(), "the host does not say where");
    assert!(pip.missed_by(&host, &finding("pypi", None)).is_some_and(|folder| folder.contains("pip_environment")));
    assert_eq!(pip.missed_by(&host, &finding("npm", None)), None);
    for relative in ["opt/app", "", "/opt/../root"] {
        host.labels.insert("pip_environment".into(), relative.into());
        assert!(pip.reach(&host, kind).is_none(), "{relative:?}");
    }
    host.labels.insert("pip_environment".into(), "/opt/app/".into());
    let reach = pip.reach(&host, kind).unwrap();
    for (ecosystem, location, takes) in [
        ("pypi", None, true),
        ("pypi", Some("opt/app/lib/python3.11/site-packages/requests-2.0.dist-info/METADATA"), true),
        ("pypi", Some("/opt/app/lib"), true),
        ("pypi", Some("requirements.txt"), true),
        ("pypi", Some("opt/app2/lib/requests"), false),
        ("pypi", Some("/opt"), false),
        ("pypi", Some("opt/app/../other/requests"), false),
        ("pypi", Some("usr/lib/python3/dist-packages/requests"), false),
        ("npm", Some("/opt/app/node_modules/x"), false),
    ] {
        assert_eq!(reach.takes(&finding(ecosystem, location)), takes, "{ecosystem} {location:?}");
    }
    let rendered =
        pip.render(&RenderInput { host: &host, fix: &fix(&[("requests", Some("2.1"))]), allow_removals: false });
    assert_eq!(rendered.unwrap().fix[0].env["FOLDER"], "/opt/app/");
    assert_eq!(codes_of_match("{type: application, folder: '{{ fix.folder }}'}"), ["unknown-variable"]);
    assert_eq!(codes_of_match("{type: application, folder: '{{ host.label.x }}'}"), ["unknown-variable"]);
}

fn codes_of_match(selector: &str) -> Vec<&'static str> {
    let text = format!(
        "version: 1\nname: t\ndescription: d\nmatch: {selector}\nsteps:\n  fix: [{{run: [x]}}]\n  verify: [{{run: [x]}}]\n"
    );
    let mut diagnostics = Diagnostics::default();
    Playbook::load(&Source::new("t.yaml", text), &mut diagnostics);
    diagnostics.sorted().iter().map(|d| d.code).collect()
}

#[test]
fn facts_that_shipped_playbooks_ask_for_are_reported_by_their_preflight() {
    let mut host = host();
    for label in ["pip_environment", "npm_project", "wordpress"] {
        host.labels.insert(label.into(), "/srv/app".into());
    }
    for playbook in shipped() {
        let input = RenderInput { host: &host, fix: &fix(&[("a", Some("1"))]), allow_removals: false };
        let rendered = playbook.render(&input).unwrap();
        let Program::Builtin { name, .. } = &rendered.preflight[0].program else { panic!("{:?}", rendered.preflight) };
        let preflight = builtin(name).unwrap();
        for command in rendered.restart.iter().chain(&rendered.verify).chain(&rendered.verify_restored) {
            for fact in command.env_facts.values() {
                let told = [format!("fact {} ", fact.key), format!("Write-Fact '{}' ", fact.key)];
                assert!(told.iter().any(|told| preflight.contains(told)), "{}: {}", playbook.name(), fact.key);
            }
        }
    }
}

#[test]
fn windows_update_is_given_updates_as_arguments_of_powershell() {
    let playbooks = shipped();
    let windows = playbooks.iter().find(|p| p.name().as_str() == "windows-update").unwrap();
    let mut host = host();
    host.os = Some(Os { family: "windows".into(), name: "windows".into(), version: None });
    host.labels.insert("windows_source".into(), "wsus".into());
    let fix = fix(&[("KB5003169/KB5003171", None), ("KB5034441", None)]);
    let rendered = windows.render(&RenderInput { host: &host, fix: &fix, allow_removals: false }).unwrap();
    let text = command_payload(&rendered.fix[0], &rendered.scripts, &BTreeMap::new()).unwrap();
    assert!(text.starts_with("$env:SOURCE = 'wsus'\n& {\n# What the scripts of windows-update share"), "{text}");
    assert!(text.ends_with("\nexit 0\n\n} 'KB5003169/KB5003171' 'KB5034441'\n"), "{text}");
}

#[test]
fn linux_apt_renders_pinned_scripts_with_values_in_argv() {
    let playbooks = shipped();
    let apt = playbooks.iter().find(|p| p.name().as_str() == "linux-apt").unwrap();
    let rendered = render(apt, &fix(&[("libssl3", Some("3.0.22-1~deb12u2")), ("tzdata", None)])).unwrap();
    assert_eq!(rendered.fix[0].argv, strings(&["libssl3=3.0.22-1~deb12u2", "tzdata"]));
    assert_eq!(rendered.fix[0].env["ALLOW_REMOVALS"], "false");
    let units = &rendered.verify[0].env_facts["UNITS_BEFORE"];
    assert_eq!((units.step.as_str(), units.key.as_str()), ("web-1/preflight", "units"));
    let reboot = rendered.reboot.unwrap();
    for command in [&rendered.preflight, &rendered.fix, &rendered.restart, &rendered.verify, &rendered.verify_restored]
        .into_iter()
        .flatten()
        .chain(&reboot.required)
        .chain([&reboot.command])
    {
        let Program::Builtin { name, digest } = &command.program else { panic!("{:?}", command.program) };
        assert_eq!(builtin(name), Some(rendered.scripts[digest].as_str()));
        assert!(command.root);
        // Every fact that is asked for is one that the preflight reports.
        for fact in command.env_facts.values() {
            assert!(builtin("linux-apt/preflight").unwrap().contains(&format!("\nfact {} ", fact.key)), "{}", fact.key);
        }
    }
}

#[test]
fn a_missing_fact_and_a_changed_script_are_errors() {
    let playbooks = shipped();
    let mut rendered = render(&playbooks[0], &fix(&[("a", None)])).unwrap();
    let payload = command_payload(&rendered.verify[0], &rendered.scripts, &BTreeMap::new());
    assert!(matches!(payload, Err(RenderError::MissingFact { .. })), "{payload:?}");
    for text in rendered.scripts.values_mut() {
        text.push(' ');
    }
    let payload = command_payload(&rendered.fix[0], &rendered.scripts, &BTreeMap::new());
    assert!(matches!(payload, Err(RenderError::MissingScript { .. })), "{payload:?}");
}

#[test]
fn builtin_scripts_are_valid_for_every_posix_shell() {
    for name in shipped::builtin_names().filter(|name| !payload::is_powershell(name)) {
        for shell in [&["dash", "-n"][..], &["bash", "--posix", "-n"], &["busybox", "sh", "-n"]] {
            let Some((success, _)) = feed(shell, builtin(name).unwrap()) else { continue };
            assert!(success, "{name} in {shell:?}");
            assert!(feed(shell, ansible::SCRIPT).unwrap().0, "ansible in {shell:?}");
        }
    }
}

#[test]
fn releases_match_as_numbers() {
    let holds = |wanted: &str, is: &str| check::VersionMatch::parse(wanted).unwrap().holds(is);
    assert!(holds(">=9", "12") && holds("12", "12.4") && holds("<22.04", "20.10") && holds("<=12", "12.4"));
    assert!(!holds(">12", "12") && !holds("12", "1") && !holds(">=12", "sid") && !holds("<12", "12"));
    assert!(check::VersionMatch::parse(">=x").is_none());
}
