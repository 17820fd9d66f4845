//! The recipes of applications: pip and npm for real against package sources on loopback, WordPress with a program that
//! says what wp-cli says.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::super::*;
use super::strings;
use crate::diagnostic::{Diagnostics, Source};

/// What serves packages, for as long as it lives.
struct Sources {
    server: Child,
    base: String,
}

impl Sources {
    fn start(folder: &Path) -> Self {
        let program = folder.join("sources.py");
        std::fs::write(&program, include_str!("applications/sources.py")).unwrap();
        let mut server =
            Command::new("python3").arg(&program).arg(folder.join("www")).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { server, base: format!("http://127.0.0.1:{}", port.trim()) }
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Whether the programs are here; says what is skipped where they are not.
#[expect(clippy::print_stderr, reason = "a skipped check must be visible")]
fn there_are(programs: &[&[&str]]) -> bool {
    let missing = programs.iter().find(|program| {
        let ran = Command::new(program[0]).args(&program[1..]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        !ran.is_ok_and(|status| status.success())
    });
    if let Some(missing) = missing {
        eprintln!("skipped: `{}` does not work here", missing.join(" "));
    }
    missing.is_none()
}

fn must(program: &str, argv: &[&str], folder: &Path) {
    let output = Command::new(program).args(argv).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{program} {argv:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What `ansible:` renders to is run by a shell as on the controller. `TARGET` is a file that the playbook writes.
#[test]
fn ansible_is_tried_for_real_on_this_machine() {
    let found = Command::new("sh").args(["-c", "command -v ansible-playbook"]).output().unwrap();
    let program = String::from_utf8(found.stdout).unwrap().trim().to_owned();
    if !there_are(&[&["ansible-playbook", "--version"]]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (book, target) = (dir.path().join("book.yml"), dir.path().join("target"));
    let play = "- hosts: web\n  gather_facts: false\n  tasks:\n    - copy:\n        dest: TARGET\n        content: \"{{ switchback.packages | map(attribute='to') | join(',') }}\"\n    - fail: {msg: asked to}\n      when: broken is defined\n";
    std::fs::write(&book, play.replace("TARGET", target.to_str().unwrap())).unwrap();
    let text = format!(
        "version: 1\nname: t\ndescription: d\nmatch: {{type: application}}\nvars: {{book: {}, ansible: {program}}}\nsteps:\n  \
         preflight: [&run {{ansible: '{{{{ vars.book }}}}', args: [-e, ansible_connection=local, -e, ansible_python_interpreter=auto_silent, \
         '{{{{ host.labels.more }}}}'], env: {{ANSIBLE: '{{{{ vars.ansible }}}}'}}, become: true}}]\n  fix: [*run]\n  verify: [*run]\n",
        book.display()
    );
    let mut diagnostics = Diagnostics::default();
    let playbook = Playbook::load(&Source::new("t.yaml", text), &mut diagnostics);
    let playbook = playbook.unwrap_or_else(|| panic!("{:?}", diagnostics.sorted()));
    let mut host = super::playbooks::host();
    let rendered = |host: &crate::model::Host| {
        let fix = super::playbooks::fix(&[("x", Some("2.0"))]);
        super::playbooks::render_on(&playbook, host, &fix)
    };
    let run =
        |host: &crate::model::Host, phase: fn(&Rendered) -> &Vec<crate::model::Command>, code: i32, told: &str| {
            let rendered = rendered(host).unwrap();
            let command = &phase(&rendered)[0];
            assert!(!command.root, "it needs no rights on this machine");
            let (ended, output) = shell(&command_payload(command, &rendered.scripts, &BTreeMap::new()).unwrap());
            let reason = output.reason.as_ref().map_or("", |reason| &reason.code);
            assert_eq!((ended, reason), (code, told), "{output:?}");
            output.facts["changed"].clone()
        };
    host.labels.insert("more".into(), "--diff".into());
    run(&host, |r| &r.fix, 4, "no-host-matched");
    host.groups.insert(crate::model::GroupName::new("web").unwrap());
    assert_eq!(run(&host, |r| &r.preflight, 0, ""), "1");
    run(&host, |r| &r.verify, 1, "not-fixed");
    assert!(!target.exists(), "check mode changes nothing");
    assert_eq!(run(&host, |r| &r.fix, 0, ""), "1");
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "2.0");
    assert_eq!(run(&host, |r| &r.verify, 0, ""), "0");
    host.labels.insert("more".into(), "--extra-vars=broken=yes".into());
    run(&host, |r| &r.fix, 1, "ansible-failed");
    host.labels.insert("more".into(), "--tags=nothing".into());
    run(&host, |r| &r.fix, 4, "no-host-matched");
    std::fs::write(&book, "- hosts: [").unwrap();
    run(&host, |r| &r.fix, 4, "ansible-refused");
    host.ssh.user = Some("{{ lookup('pipe', 'id') }}".into());
    assert!(matches!(rendered(&host), Err(RenderError::Template { .. })));
}

/// Exit code and words of a text that is fed to a shell as on a host.
fn shell(text: &str) -> (i32, ScriptOutput) {
    let mut shell = Command::new("sh").arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    (output.status.code().unwrap(), parse_output(&output.stdout))
}

/// A host: the environment that every script of a recipe gets.
struct Host(BTreeMap<String, String>);

impl Host {
    fn new(env: &[(&str, &str)]) -> Self {
        Self(env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    fn with(&self, name: &str, value: &str) -> Self {
        let mut env = self.0.clone();
        env.insert(name.to_owned(), value.to_owned());
        Self(env)
    }

    fn run(&self, script: &str, argv: &[&str]) -> (i32, ScriptOutput) {
        shell(&payload(builtin(script).unwrap(), &strings(argv), &self.0).unwrap())
    }

    /// Its facts; that it ended with this code and reason is held.
    fn ends(&self, script: &str, argv: &[&str], code: i32, reason: &str) -> BTreeMap<String, String> {
        let (ended, output) = self.run(script, argv);
        let told = output.reason.as_ref().map_or("", |reason| &reason.code);
        assert_eq!((ended, told), (code, reason), "{script} {argv:?}: {output:?}");
        output.facts
    }
}

#[test]
fn pip_is_tried_for_real() {
    if !there_are(&[&["python3", "-c", "import ensurepip, venv"], &["sha256sum", "--version"]]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let sources = Sources::start(dir.path());
    let index = format!("{}/simple", sources.base);
    let environment = dir.path().join("env");
    must("python3", &["-m", "venv", "env"], dir.path());
    let python = environment.join("bin/python");
    let install = ["-m", "pip", "--isolated", "install", "-q", "--index-url", &index];
    must(
        python.to_str().unwrap(),
        &[&install[..], &["demo==1.9", "user", "torn==1.0", "clash==1.0"]].concat(),
        dir.path(),
    );
    // The machine's own configuration of pip is not part of the test.
    let host = Host::new(&[
        ("FOLDER", environment.to_str().unwrap()),
        ("INDEX", &index),
        ("ONLY_BINARY", ":all:"),
        ("PIP_CONFIG_FILE", "/dev/null"),
    ]);
    let before = host.ends("pip/preflight", &["demo=1.10"], 0, "");
    assert_eq!(before["transaction"], "demo 1.9 -> 1.10");
    assert!(before["installed"].contains("demo==1.9 dep==1.0"), "{before:?}");

    // What is refused, and what passes by itself; none of it changes anything.
    host.ends("pip/preflight", &["demo=1.9"], 3, "nothing-to-do");
    host.ends("pip/preflight", &["demo=9.9"], 4, "fix-not-offered");
    host.ends("pip/preflight", &["nothere=1.0", "demo=1.10"], 4, "not-installed");
    host.ends("pip/preflight", &["dep=2.0"], 4, "transaction-impossible");
    host.ends("pip/preflight", &["torn=1.1"], 4, "package-broken");
    host.ends("pip/preflight", &["demo;reboot=1"], 4, "invalid-package");
    host.ends("pip/preflight", &["demo=.x"], 4, "invalid-version");
    host.with("FOLDER", "/nonexistent").ends("pip/preflight", &["demo=1.10"], 4, "no-folder");
    host.with("FOLDER", "/proc").ends("pip/preflight", &["demo=1.10"], 4, "no-python");
    let unplugged = host.with("INDEX", "http://127.0.0.1:9/simple");
    unplugged.ends("pip/preflight", &["demo=1.10"], 75, "source-unreachable");
    unplugged.ends("pip/fix", &["demo=1.10"], 75, "source-unreachable");
    host.ends("pip/fix", &["torn=1.1"], 4, "package-broken");
    let restored = host.with("PACKAGES_BEFORE", &before["packages"]);
    restored.ends("pip/verify-restored", &[], 0, "");
    host.ends("pip/verify", &["demo=1.10"], 1, "not-fixed");

    // Spelled otherwise it is the same package, and the higher version counts: 1.10 is above 1.9.
    let facts = host.ends("pip/fix", &["demo=1.10", "Demo=1.9.5"], 0, "");
    assert_eq!(facts["changed"], "1");
    host.ends("pip/verify", &["demo=1.10"], 0, "");
    restored.ends("pip/verify-restored", &[], 1, "packages-differ");
    assert_eq!(host.ends("pip/fix", &["demo=1.10"], 0, "")["changed"], "0");

    // What fails when files are already being moved is no refusal.
    host.ends("pip/fix", &["clash=1.1"], 1, "pip-failed");
    // Dependencies that fell apart are told, those that had before are not.
    must(python.to_str().unwrap(), &[&install[..], &["dep==2.0"]].concat(), dir.path());
    host.ends("pip/verify", &["demo=1.10"], 1, "dependencies-broken");
    let known = host.ends("pip/preflight", &["demo=2.0"], 0, "");
    assert_eq!(known["conflicts"], "user has requirement dep<2");
    host.with("CONFLICTS_BEFORE", &known["conflicts"]).ends("pip/verify", &["demo=1.10"], 0, "");
}

#[test]
fn npm_is_tried_for_real() {
    if !there_are(&[&["python3", "--version"], &["npm", "--version"], &["sha256sum", "--version"]]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let sources = Sources::start(dir.path());
    let project = dir.path().join("project");
    std::fs::create_dir(&project).unwrap();
    let manifest = r#"{"name": "p", "dependencies": {"direct": "1.9.0", "@scope/x": "^1.0.0", "broken": "1.0.0", "deep": "^1.0.0"}}"#;
    std::fs::write(project.join("package.json"), manifest).unwrap();
    let registry = format!("--registry={}", sources.base);
    let cache = dir.path().join("cache");
    let cache = cache.to_str().unwrap();
    let npm = |argv: &[&str]| {
        must("npm", &[&[&registry, "--no-audit", "--no-fund", "--cache", cache], argv].concat(), &project);
    };
    npm(&["install"]);
    npm(&["install", "--save-dev", "tool@1.0.0"]);
    // What is on the disk counts, not what the lock file says.
    npm(&["install", "--no-save", "@scope/x@1.0.0"]);
    let host =
        Host::new(&[("FOLDER", project.to_str().unwrap()), ("REGISTRY", &sources.base), ("NPM_CONFIG_CACHE", cache)]);
    let before = host.ends("npm/preflight", &["direct=1.10.0"], 0, "");
    assert_eq!(before["transaction"], "@scope/x 1.0.0 -> 1.0.1; direct 1.9.0 -> 1.10.0");
    assert!(before["installed"].contains("deep@1.0.0 deep@1.2.0 direct@1.9.0"), "{before:?}");

    host.ends("npm/preflight", &["direct=1.9.0"], 3, "nothing-to-do");
    host.ends("npm/preflight", &["direct=9.0.0"], 4, "fix-not-offered");
    host.ends("npm/preflight", &["nothere=1.0.0"], 4, "not-installed");
    // One of its dependents wants exactly the old one.
    host.ends("npm/preflight", &["deep=1.2.0"], 4, "transaction-incomplete");
    host.ends("npm/preflight", &["../x=1.0.0"], 4, "invalid-package");
    host.ends("npm/preflight", &["direct=1.x"], 4, "invalid-version");
    host.with("FOLDER", dir.path().to_str().unwrap()).ends("npm/preflight", &["direct=1.10.0"], 4, "no-project");
    let unplugged = host.with("REGISTRY", "http://127.0.0.1:9");
    unplugged.ends("npm/preflight", &["direct=1.10.0"], 75, "source-unreachable");
    let restored = host.with("PACKAGES_BEFORE", &before["packages"]);
    // npm learns only from the download that it is broken; it puts back what it moved, and so do we.
    host.ends("npm/fix", &["broken=1.0.1"], 4, "package-broken");
    restored.ends("npm/verify-restored", &[], 0, "");
    host.ends("npm/verify", &["direct=1.10.0"], 1, "not-fixed");

    let facts = host.ends("npm/fix", &["direct=1.10.0", "@scope/x=1.0.1"], 0, "");
    assert_eq!(facts["changed"], "2");
    host.ends("npm/verify", &["direct=1.10.0", "@scope/x=1.0.1"], 0, "");
    restored.ends("npm/verify-restored", &[], 1, "packages-differ");
    assert_eq!(host.ends("npm/fix", &["direct=1.10.0"], 0, "")["changed"], "0");
    let wanted = std::fs::read_to_string(project.join("package.json")).unwrap();
    let wanted = wanted.replace(' ', "");
    assert!(wanted.contains(r#""direct":"1.10.0""#) && wanted.contains(r#""tool":"^1.0.0""#), "{wanted}");

    std::fs::remove_dir_all(project.join("node_modules/deep")).unwrap();
    host.ends("npm/verify", &["direct=1.10.0"], 1, "dependencies-broken");
    // Where what is for development was left out, a fix does not bring it in.
    npm(&["install", "--omit=dev"]);
    host.ends("npm/fix", &["broken=1.0.2"], 0, "");
    host.ends("npm/verify", &["broken=1.0.2"], 0, "");
    assert!(!project.join("node_modules/tool").exists());
}

#[test]
fn wordpress_is_updated_by_what_wp_cli_says() {
    if !there_are(&[&["php", "--version"], &["sha256sum", "--version"]]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let write = |name: &str, text: &str| std::fs::write(at(name), text).unwrap();
    write("core", "6.4.1\n");
    write("offered", "6.4.3\n6.5.2\n");
    write(
        "plugin",
        "akismet,5.1,active,5.3\nhello,1.7.2,inactive,\nboth,1.0,active,2.0\nloader,1.0,must-use,\nobject-cache.php,,dropin,\n",
    );
    write("theme", "storefront,4.5.3,active,4.6.0\nboth,1.0,inactive,\n");
    write("wp", include_str!("applications/wp.sh"));
    must("chmod", &["755", "wp"], dir.path());
    let host =
        Host::new(&[("FOLDER", dir.path().to_str().unwrap()), ("WP", at("wp").to_str().unwrap()), ("PHP", "php")]);
    let before = host.ends("wordpress/preflight", &["akismet=5.2", "wordpress=6.4.2"], 0, "");
    // The core stays on its branch, and comes first.
    assert_eq!(before["transaction"], "wordpress 6.4.1 -> 6.4.3; akismet 5.1 -> 5.3");
    assert_eq!(before["active"], "core:wordpress plugin:akismet plugin:both theme:storefront");
    assert_eq!(before["core_unchanged"], "true");

    host.ends("wordpress/preflight", &["hello=1.7.1", "akismet=5.1"], 3, "nothing-to-do");
    host.ends("wordpress/preflight", &["hello=1.8"], 4, "fix-not-offered");
    host.ends("wordpress/preflight", &["wordpress=6.6"], 4, "fix-not-offered");
    host.ends("wordpress/preflight", &["nothere=1.0"], 4, "not-installed");
    host.ends("wordpress/preflight", &["both=2.0"], 4, "ambiguous-package");
    host.ends("wordpress/preflight", &["loader=2.0"], 4, "must-use");
    host.ends("wordpress/preflight", &["a;b=2.0"], 4, "invalid-package");
    host.with("WP", "/nonexistent/wp").ends("wordpress/preflight", &["akismet=5.2"], 4, "no-wp-cli");
    host.with("FOLDER", "/proc").ends("wordpress/preflight", &["akismet=5.2"], 4, "no-wordpress");
    write("unreachable", "");
    host.ends("wordpress/preflight", &["akismet=5.2"], 75, "source-unreachable");
    std::fs::remove_file(at("unreachable")).unwrap();
    write("offline", "");
    host.ends("wordpress/fix", &["akismet=5.2"], 75, "download-failed");
    // Behind the core there is no way to say that nothing was changed.
    host.ends("wordpress/fix", &["akismet=5.2", "wordpress=6.4.2"], 1, "update-failed");
    std::fs::remove_file(at("offline")).unwrap();

    let after = host.with("ACTIVE_BEFORE", &before["active"]).with("CORE_UNCHANGED", "true");
    after.ends("wordpress/verify", &["akismet=5.2"], 1, "not-fixed");
    assert_eq!(host.ends("wordpress/fix", &["akismet=5.2", "wordpress=6.4.2"], 0, "")["changed"], "1");
    after.ends("wordpress/verify", &["akismet=5.2", "core=6.4.2"], 0, "");
    host.with("PACKAGES_BEFORE", &before["packages"]).ends("wordpress/verify-restored", &[], 1, "packages-differ");
    write("fatal", "");
    after.ends("wordpress/verify", &["akismet=5.2"], 1, "does-not-load");
    std::fs::remove_file(at("fatal")).unwrap();
    write("breaks", "");
    host.ends("wordpress/fix", &["wordpress=6.5"], 0, "");
    after.ends("wordpress/verify", &["wordpress=6.5"], 1, "core-broken");
    write("deactivates", "");
    host.ends("wordpress/fix", &["storefront=4.6"], 0, "");
    after.ends("wordpress/verify", &["storefront=4.6.0"], 1, "deactivated");
}
