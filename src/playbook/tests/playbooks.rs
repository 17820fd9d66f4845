//! Playbooks: what is refused when they are read, and what they render to.

use std::collections::BTreeMap;

use super::super::*;
use super::{SHELLS, feed, strings};
use crate::diagnostic::{Diagnostics, Source};
use crate::model::{
    Digest, Finding, Fix, Host, HostName, Os, PackageFix, PackageName, PackageVersion, PendingReboot, Program,
    VulnerabilityType,
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
    render_on(playbook, &host(), fix)
}

pub(super) fn render_on(playbook: &Playbook, host: &Host, fix: &Fix) -> Result<Rendered, RenderError> {
    playbook.render(&RenderInput {
        host,
        fix,
        allow_removals: false,
        restart_never: &["nginx.service".into(), "postgresql@*".into()],
        pending_reboot: PendingReboot::Refuse,
    })
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
fn each_linux_is_fixed_by_its_package_manager() {
    let playbooks = shipped();
    for (family, expected) in
        [("debian", "linux-apt"), ("redhat", "linux-dnf"), ("suse", "linux-zypper"), ("alpine", "linux-apk")]
    {
        let mut host = host();
        host.os.as_mut().unwrap().family = family.into();
        let fits = playbooks.iter().filter(|p| p.reach(&host, VulnerabilityType::Linux).is_some());
        assert_eq!(fits.map(|p| p.name().as_str()).collect::<Vec<_>>(), [expected]);
    }
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

/// A finding of an application.
fn finding(ecosystem: &str, package: Option<&str>, location: Option<&str>) -> Finding {
    serde_json::from_value(serde_json::json!({
        "id": "f", "asset": "web-1", "vulnerability": "CVE-2021-44228", "aliases": ["GHSA-jfh8-c2jp-5v3q"],
        "type": "application", "ecosystem": ecosystem, "package": package, "location": location,
        "fix_state": "fixed", "scanner": "test",
    }))
    .unwrap()
}

#[test]
fn a_recipe_reaches_what_lies_in_its_folder_only() {
    let playbooks = shipped();
    let pip = playbooks.iter().find(|p| p.name().as_str() == "pip").unwrap();
    let mut host = host();
    let kind = VulnerabilityType::Application;
    assert!(pip.reach(&host, kind).is_none(), "the host does not say where");
    assert!(
        pip.missed_by(&host, &finding("pypi", None, None)).is_some_and(|folder| folder.contains("pip_environment"))
    );
    assert_eq!(pip.missed_by(&host, &finding("npm", None, None)), None);
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
        assert_eq!(reach.takes(&finding(ecosystem, None, location)), takes, "{ecosystem} {location:?}");
    }
    let rendered = render_on(pip, &host, &fix(&[("requests", Some("2.1"))]));
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
        let rendered = render_on(&playbook, &host, &fix(&[("a", Some("1"))])).unwrap();
        let Program::Builtin { name, .. } = &rendered.preflight[0].program else { panic!("{:?}", rendered.preflight) };
        let preflight = builtin(name).unwrap();
        for command in rendered.restart.iter().chain(&rendered.verify).chain(&rendered.verify_restored) {
            for fact in command.env_facts.values().filter(|fact| fact.otherwise.is_none()) {
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
    let rendered = render_on(windows, &host, &fix).unwrap();
    let text = command_payload(&rendered.fix[0], &rendered.scripts, &BTreeMap::new()).unwrap();
    assert!(text.starts_with("$env:SOURCE = 'wsus'\n& {\n# What the scripts of windows-update share"), "{text}");
    assert!(text.ends_with("\nexit 0\n\n} 'KB5003169/KB5003171' 'KB5034441'\n"), "{text}");
}

#[test]
fn linux_playbooks_render_pinned_scripts_with_values_in_argv() {
    for playbook in shipped().into_iter().filter(|p| p.kind() == VulnerabilityType::Linux) {
        let rendered = render(&playbook, &fix(&[("libssl3", Some("3.0.22-1~deb12u2")), ("tzdata", None)])).unwrap();
        assert_eq!(rendered.fix[0].argv, strings(&["libssl3=3.0.22-1~deb12u2", "tzdata"]));
        assert_eq!(rendered.fix[0].env["ALLOW_REMOVALS"], "false");
        assert_eq!(rendered.preflight[0].env["REBOOT_PENDING_BEFORE"], "refuse");
        let reboot = rendered.reboot.as_ref().unwrap();
        for command in
            [&rendered.preflight[0], &rendered.restart[0], reboot.required.as_ref().unwrap(), &rendered.verify[0]]
        {
            assert_eq!(command.env["RESTART_NEVER"], "nginx.service postgresql@*", "{}", command.name);
        }
        let units = &rendered.verify[0].env_facts["UNITS_BEFORE"];
        assert_eq!((units.step.as_str(), units.key.as_str()), ("web-1/preflight", "units"));
        scripts_are_pinned(&playbook, &rendered);
    }
}

/// Every command is a script of ours under this playbook's name, runs as root, and asks only for facts that are reported.
fn scripts_are_pinned(playbook: &Playbook, rendered: &Rendered) {
    let reboot = rendered.reboot.as_ref();
    for command in [&rendered.preflight, &rendered.fix, &rendered.restart, &rendered.verify, &rendered.verify_restored]
        .into_iter()
        .flatten()
        .chain(reboot.into_iter().flat_map(|r| r.required.iter().chain([&r.command])))
    {
        let Program::Builtin { name, digest } = &command.program else { panic!("{:?}", command.program) };
        assert_eq!(name.split('/').next().unwrap(), playbook.name().as_str());
        assert_eq!(builtin(name), Some(rendered.scripts[digest].as_str()));
        assert!(command.root);
        // Every fact that is asked for is one that the preflight reports.
        let preflight = builtin(&format!("{}/preflight", playbook.name())).unwrap();
        for fact in command.env_facts.values().filter(|fact| fact.otherwise.is_none()) {
            assert!(reports(preflight, &fact.key), "{}", fact.key);
        }
    }
}

/// Whether a script for Linux reports this fact: by itself, or with the state that several of them tell.
fn reports(script: &str, key: &str) -> bool {
    let (told, shared) = (format!("\nfact {key} "), format!("\n    fact {key} "));
    let (_, body) = script.split_once("\ntell_state() {").unwrap();
    let body = body.split("\n}\n").next().unwrap();
    script.contains(&told) || (body.contains(&shared) && script.contains("\ntell_state\n"))
}

#[test]
fn what_a_drill_asks_of_a_clone_linux_playbooks_have_told_of_the_host() {
    for playbook in shipped().into_iter().filter(|p| p.kind() == VulnerabilityType::Linux) {
        assert!(playbook.tells_state(), "{}", playbook.name());
        let (host, nothing) = (host(), fix(&[]));
        let rendered = playbook
            .render_drill(&RenderInput {
                host: &host,
                fix: &nothing,
                allow_removals: false,
                restart_never: &[],
                pending_reboot: PendingReboot::Report,
            })
            .unwrap();
        assert!(rendered.fix.is_empty() && rendered.restart.is_empty() && rendered.reboot.is_none());
        let Program::Builtin { name, .. } = &rendered.preflight[0].program else { panic!("{:?}", rendered.preflight) };
        assert_eq!(*name, format!("{}/state", playbook.name()));
        let facts = rendered.verify_restored.iter().flat_map(|command| command.env_facts.values());
        let asked: Vec<&str> = facts.map(|fact| fact.key.as_str()).collect();
        assert_eq!(asked, ["packages", "units"]);
        for key in asked {
            assert!(reports(builtin(name).unwrap(), key), "{}: {key}", playbook.name());
        }
    }
}

#[test]
fn what_only_a_fix_tells_cannot_be_asked_in_a_drill() {
    let text = "version: 1\nname: t\ndescription: d\nmatch: {type: linux}\nsteps:\n  state: [{run: [x]}]\n  fix: [{run: [x]}]\n  \
                verify: [{run: [x]}]\n  verify_restored: [{run: [x], env_facts: {A: fix.a}}]\n";
    let mut diagnostics = Diagnostics::default();
    let playbook = Playbook::load(&Source::new("t.yaml", text), &mut diagnostics).unwrap();
    let (host, nothing) = (host(), fix(&[]));
    let input = RenderInput {
        host: &host,
        fix: &nothing,
        allow_removals: false,
        restart_never: &[],
        pending_reboot: PendingReboot::Report,
    };
    let error = playbook.render_drill(&input).unwrap_err();
    assert_eq!(error.to_string(), "step web-1/fix reported no fact \"a\"");
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

/// What the recipes are called, which are shipped to be copied.
const RECIPES: [&str; 2] = ["jar", "mitigation"];

/// The files of a folder, and of those in it, with this extension.
fn files(folder: &std::path::Path, extension: &str, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
}

#[test]
fn no_playbook_and_no_script_is_unwired() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks");
    let (mut scripts, mut playbooks) = (Vec::new(), Vec::new());
    files(&folder, "sh", &mut scripts);
    files(&folder, "ps1", &mut scripts);
    files(&folder, "yaml", &mut playbooks);
    assert!(scripts.len() > 40 && playbooks.len() >= 6, "{scripts:?} {playbooks:?}");
    let mut used: Vec<String> = Vec::new();
    for path in playbooks {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let shipped = shipped::PLAYBOOKS.iter().any(|(_, shipped)| *shipped == text);
        assert_ne!(shipped, RECIPES.contains(&name.as_str()), "{name} is either shipped or a recipe");
        used.extend(text.lines().filter_map(|l| l.split("builtin: ").nth(1)).map(str::to_owned));
    }
    for name in shipped::builtin_names() {
        assert!(used.iter().any(|u| u == name), "no playbook uses {name}");
    }
    for path in scripts {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut all = shipped::builtin_names().map(|name| builtin(name).unwrap()).chain([ansible::SCRIPT]);
        assert!(all.any(|script| script.contains(&text)), "{path:?} is in no script");
    }
}

/// The scripts of each playbook as functions behind the text that they share, so that it is looked at once.
#[test]
fn builtin_scripts_please_shellcheck() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks");
    let mut paths = Vec::new();
    files(&folder, "sh", &mut paths);
    let parts: Vec<String> = paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let mut together: BTreeMap<&str, String> = BTreeMap::new();
    let builtins = shipped::builtin_names().filter(|name| !payload::is_powershell(name));
    for (name, text) in builtins.map(|name| (name, builtin(name).unwrap())).chain([("ansible/run", ansible::SCRIPT)]) {
        let (playbook, script) = name.split_once('/').unwrap();
        let own = parts.iter().filter(|part| text.ends_with(part.as_str())).max_by_key(|part| part.len()).unwrap();
        let all = together.entry(playbook).or_insert_with(|| text[..text.len() - own.len()].to_owned());
        all.push_str(&format!("\n{}() {{\n{own}\n}}\n{0} \"$@\"\n", script.replace('-', "_")));
    }
    for (playbook, text) in together {
        // Not every playbook uses all that is shared, and some variables come from the environment. A function that
        // ends the script makes what follows unreachable, which is no news.
        let shellcheck = ["shellcheck", "--shell=sh", "--severity=warning", "--exclude=SC2034,SC2154", "-"];
        let Some((fine, said)) = feed(&shellcheck, &text) else { return };
        assert!(fine, "{playbook}: {said}");
    }
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

#[test]
fn constants_are_known_used_and_texts() {
    let with = |vars: &str, steps: &str| {
        let text = format!(
            "version: 1\nname: test\ndescription: d\nmatch: {{type: linux}}\nvars: {vars}\nsteps:\n{steps}{VERIFY}"
        );
        let mut diagnostics = Diagnostics::default();
        let playbook = Playbook::load(&Source::new("test.yaml", text), &mut diagnostics);
        (playbook, diagnostics.sorted().iter().map(|d| d.code).collect::<Vec<_>>())
    };
    let (playbook, codes) = with("{path: \"/o'pt/$(id)\"}", "  fix: [{run: [x, '{{ vars.path }}']}]\n");
    assert_eq!(codes, Vec::<&str>::new());
    let rendered = render(&playbook.unwrap(), &fix(&[("a", None)])).unwrap();
    assert_eq!(rendered.fix[0].argv, strings(&["x", "/o'pt/$(id)"]));
    assert_eq!(with("{path: x}", "  fix: [{run: [x, '{{ vars.pth }}']}]\n").1, ["unused-var", "unknown-variable"]);
    assert_eq!(with("{Path: x}", "  fix: [{run: [x]}]\n").1, ["invalid-name"]);
    // A constant is no template.
    let (playbook, _) = with("{path: '{{ host.name }}'}", "  fix: [{run: [x, '{{ vars.path }}']}]\n");
    assert_eq!(render(&playbook.unwrap(), &fix(&[("a", None)])).unwrap().fix[0].argv[1], "{{ host.name }}");
}

#[test]
fn a_playbook_takes_the_findings_that_it_names() {
    let with = |selector: &str| {
        let text = format!(
            "version: 1\nname: test\ndescription: d\nmatch: {selector}\nsteps:\n  fix: [{{run: [x]}}]\n{VERIFY}"
        );
        Playbook::load(&Source::new("test.yaml", text), &mut Diagnostics::default()).unwrap()
    };
    let takes = |playbook: &Playbook, package: Option<&str>| {
        let finding = finding("maven", package, None);
        playbook.reach(&host(), finding.kind).is_some_and(|reach| reach.takes(&finding))
    };
    let all = with("{type: application}");
    let log4j = with("{type: application, package: [log4j-core, log4j-api]}");
    let by_alias = with("{type: application, vulnerability: GHSA-jfh8-c2jp-5v3q}");
    assert!(takes(&all, None) && takes(&all, Some("x")));
    assert!(takes(&log4j, Some("log4j-core")) && !takes(&log4j, Some("x")) && !takes(&log4j, None));
    assert!(takes(&by_alias, None));
    assert!(!takes(&with("{type: application, vulnerability: CVE-2021-45046}"), None));
    assert!(!takes(&with("{type: linux}"), None));
    let maven = with("{type: application, ecosystem: maven}");
    assert!(takes(&maven, None) && !takes(&with("{type: application, ecosystem: npm}"), None));
    assert!(all.takes_all_of(&maven) && !maven.takes_all_of(&all));
    let folder = with("{type: application, folder: /opt}");
    assert!(all.takes_all_of(&folder) && !folder.takes_all_of(&all));
    assert!(all.takes_all_of(&log4j) && !log4j.takes_all_of(&all));
    assert!(log4j.takes_all_of(&with("{type: application, package: log4j-api}")) && !log4j.takes_all_of(&by_alias));
}
