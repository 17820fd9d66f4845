//! linux-dnf and linux-zypper with the real dnf, zypper and rpm, on a root and a repository of the test's own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::linux::COMMON;
use super::{ScriptOutput, run, why};

const RPM: &str = include_str!("../../../playbooks/linux/rpm.sh");
const DNF: &str = include_str!("../../../playbooks/linux/dnf.sh");
const ZYPPER: &str = include_str!("../../../playbooks/linux/zypper.sh");

/// Wider than the table that dnf prints.
const LONG: &str = "a-package-with-a-name-that-is-much-too-long-for-any-table-of-eighty-columns";
const OLD_KERNEL: &str = "5.14.0-9.el9";
/// As text it is older.
const NEW_KERNEL: &str = "5.14.0-10.el9";

/// Makes a package with one file; `more` are lines of its preamble, `script` what stands behind its files.
fn build(folder: &Path, name: &str, version: &str, more: &str, script: &str) {
    let (version, release) = version.split_once('-').unwrap();
    let file = match name {
        "kernel-core" => format!("/lib/modules/{version}-{release}.x86_64/vmlinuz"),
        _ => format!("/usr/share/{name}/{version}"),
    };
    let spec = format!(
        "Name: {name}\nVersion: {version}\nRelease: {release}\nSummary: s\nLicense: MIT\nBuildArch: noarch\n{more}\n\
         %description\nd\n%install\nmkdir -p %{{buildroot}}$(dirname {file})\necho {version} >%{{buildroot}}{file}\n\
         %files\n{file}\n{script}\n"
    );
    std::fs::write(folder.join("s.spec"), spec).unwrap();
    let output = Command::new("rpmbuild")
        .args(["--quiet", "-bb", "--define", &format!("_topdir {}", folder.join("build").display())])
        .args(["--define", &format!("_rpmdir {}", folder.join("repo").display()), "s.spec"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A folder with a repository, and an empty root that has it as its only source.
struct Rig {
    folder: tempfile::TempDir,
    manager: &'static str,
}

impl Rig {
    /// None, with a word about it, where the package manager is not there or may not be used.
    #[expect(clippy::print_stderr, reason = "a skipped check must be visible")]
    fn new(manager: &'static str) -> Option<Self> {
        for program in [manager, "rpm", "rpmbuild", "createrepo_c"] {
            let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            if found.is_err() {
                eprintln!("skipped: there is no {program} here");
                return None;
            }
        }
        let id = Command::new("id").arg("-u").output().unwrap();
        if id.stdout != b"0\n" {
            eprintln!("skipped: only root can install into another root");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        for (name, old, new, more, script) in [
            ("hello", "1.9-1", "1.10-1", "", ""),
            (LONG, "1.0-1", "1.1-2.el9", "", ""),
            ("bad-pre", "1.0-1", "1.1-1", "", "%pre -p <lua>\nerror('boom')"),
            ("bad-post", "1.0-1", "1.1-1", "", "%post -p <lua>\nerror('boom')"),
            ("needy", "1.0-1", "1.1-1", "Requires: nowhere-to-be-found", ""),
            ("eater", "1.0-1", "1.1-1", "Obsoletes: eaten < 2", ""),
            ("eaten", "1.0-1", "", "", ""),
            ("kernel-core", OLD_KERNEL, NEW_KERNEL, "Provides: installonlypkg(kernel), multiversion(kernel)", ""),
        ] {
            let always = if name == "kernel-core" { more } else { "" };
            build(at, name, old, always, "");
            if !new.is_empty() {
                build(at, name, new, more, script);
            }
        }
        ok(Command::new("createrepo_c").args(["--quiet", "repo"]).current_dir(at));
        for folder in ["root/repos", "root/plugins", "root/log", "root/etc/zypp"] {
            std::fs::create_dir_all(at.join(folder)).unwrap();
        }
        std::fs::write(at.join("root/etc/zypp/zypp.conf"), "[main]\nmultiversion = provides:multiversion(kernel)\n")
            .unwrap();
        std::fs::write(at.join("dnf.conf"), "[main]\n").unwrap();
        let rig = Self { folder, manager };
        rig.repository(&rig.path("repo"), "");
        let old: Vec<String> =
            ["hello-1.9", "bad-pre-1.0", "bad-post-1.0", "needy-1.0", "eater-1.0", "eaten-1.0", &format!("{LONG}-1.0")]
                .iter()
                .map(|name| format!("{name}-1"))
                .chain([format!("kernel-core-{OLD_KERNEL}")])
                .map(|name| rig.path(&format!("repo/noarch/{name}.noarch.rpm")).display().to_string())
                .collect();
        ok(Command::new("rpm").args(["--root", &rig.root(), "--install"]).args(old));
        Some(rig)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn root(&self) -> String {
        self.path("root").display().to_string()
    }

    /// Where the packages come from, for both programs.
    fn repository(&self, at: &Path, more: &str) {
        let text =
            format!("[r]\nname=r\nbaseurl=file://{}\ngpgcheck=0\nenabled=1\nautorefresh=1\n{more}\n", at.display());
        std::fs::write(self.path("root/repos/r.repo"), &text).unwrap();
        std::fs::create_dir_all(self.path("root/etc/zypp/repos.d")).unwrap();
        std::fs::write(self.path("root/etc/zypp/repos.d/r.repo"), text).unwrap();
    }

    /// Runs a script against the root: the programs are real, what they work on is ours.
    fn step(&self, name: &str, argv: &[&str], env: &[(&str, &str)]) -> (i32, ScriptOutput) {
        let root = self.root();
        let at = self.folder.path().display();
        let manager = if self.manager == "dnf" { DNF } else { ZYPPER };
        let text =
            std::fs::read_to_string(format!("{}/playbooks/linux/{name}.sh", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let script = format!(
            r#"{COMMON}{RPM}{manager}
            rpm() {{ command rpm --root '{root}' "$@"; }}
            dnf() {{
                command dnf --installroot='{root}' --config='{at}/dnf.conf' --releasever=1 --setopt=reposdir='{root}/repos' \
                    --setopt=cachedir='{root}/cache' --setopt=persistdir='{root}/persist' --setopt=logdir='{root}/log' \
                    --setopt=pluginconfpath='{root}/plugins' "$@"
            }}
            zypper() {{ command zypper --root '{root}' "$@"; }}
            has_systemd() {{ false; }}
            stale_processes() {{ : >"$work/unreadable"; }}
            is_container() {{ return 1; }}
            boot_identity() {{ echo "${{BOOT_NOW:-one}}"; }}
            more_reboot_reasons() {{ :; }}
            uname() {{ case $1 in -r) echo "${{KERNEL:-{OLD_KERNEL}.x86_64}}" ;; *) command uname "$@" ;; esac; }}
            {text}"#
        );
        run(&["dash", "-s"], &script, argv, env).unwrap()
    }

    fn refused(&self, argv: &[&str]) -> (i32, String, String) {
        let (code, said) = self.step("preflight", argv, &[]);
        let text = said.reason.as_ref().map_or(String::new(), |reason| reason.text.clone());
        (code, why(&said).to_owned(), text)
    }

    fn installed(&self, name: &str) -> String {
        let output = Command::new("rpm").args(["--root", &self.root(), "-q", name]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

fn ok(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

fn fixes_verifies_and_refuses(manager: &'static str) {
    let Some(rig) = Rig::new(manager) else { return };
    let kernel = format!("kernel-core={NEW_KERNEL}");
    let long = format!("{LONG}=1.1");
    let wanted = ["hello=1.10", &long, &kernel];

    let (code, before) = rig.step("preflight", &wanted, &[]);
    assert_eq!(code, 0, "{before:?}");
    let transaction = &before.facts["transaction"];
    assert_eq!(transaction.matches(" -> ").count(), 3, "{transaction}");
    assert!(transaction.contains(&format!("{LONG} ")) && transaction.contains("1.1-2.el9"), "{transaction}");
    assert_eq!((before.facts["removals"].as_str(), before.facts["reboot_pending_before"].as_str()), ("", "false"));
    assert!(
        before.facts["download_kib"].parse::<u32>().unwrap() > 0
            && before.facts["installed_kib"].parse::<u32>().unwrap() > 0
    );
    let packages = before.facts["packages"].clone();
    let as_before = [("PACKAGES_BEFORE", packages.as_str())];
    assert_eq!(rig.step("verify-restored", &[], &as_before).0, 0);
    let (code, said) = rig.step("verify", &wanted, &[]);
    assert_eq!((code, why(&said)), (1, "not-fixed"));

    // What cannot be done is refused before anything is touched.
    assert_eq!(rig.refused(&["hello=1.11"]).1, "fix-not-offered");
    let (code, why_not, text) = rig.refused(&["eater=1.1"]);
    assert_eq!((code, why_not.as_str()), (4, "would-remove"));
    assert!(text.contains("eaten"), "{text}");
    let (code, why_not, text) = rig.refused(&["needy=1.1"]);
    assert_eq!((code, why_not.as_str()), (4, "transaction-impossible"));
    assert!(text.contains("nowhere-to-be-found"), "{text}");
    assert_eq!(rig.refused(&["absent=1"]).1, "nothing-to-do");
    assert_eq!(rig.refused(&["hello=1.9"]).1, "nothing-to-do");
    assert_eq!(rig.refused(&["hel*o"]).1, "invalid-package");
    assert_eq!(rig.refused(&["hello=1') os.exit(--"]).1, "invalid-version");
    rig.repository(Path::new("/nowhere"), "");
    let (code, why_not, text) = rig.refused(&["hello"]);
    assert_eq!((code, why_not.as_str()), (75, "source-unreachable"), "{text}");
    rig.repository(&rig.path("repo"), "");
    hold(&rig, "hello");
    let (code, why_not, text) = rig.refused(&["hello=1.10"]);
    assert_eq!((code, why_not.as_str()), (4, "package-held"), "{text}");
    release(&rig);
    assert_eq!(rig.step("verify-restored", &[], &as_before).0, 0, "nothing was changed");

    let (code, said) = rig.step("fix", &wanted, &[]);
    assert_eq!((code, said.facts["changed"].as_str()), (0, "3"), "{said:?}");
    assert_eq!(rig.installed("hello"), "hello-1.10-1.noarch");
    assert_eq!(rig.step("fix", &wanted, &[]).1.facts["changed"], "0");
    let (code, said) = rig.step("verify-restored", &[], &as_before);
    assert_eq!((code, why(&said)), (1, "packages-differ"));

    // The kernel: 10 is newer than 9 to rpm, and the old one may stay beside it.
    let (code, said) = rig.step("verify", &wanted, &[("BOOT_BEFORE", "one")]);
    assert_eq!((code, said.facts["reboot_pending"].as_str()), (0, "true"), "{said:?}");
    let (code, said) = rig.step("reboot-required", &[], &[]);
    let expected = format!("kernel {NEW_KERNEL}.x86_64 is installed, {OLD_KERNEL}.x86_64 runs");
    assert_eq!((code, said.facts["reboot_why"].as_str()), (0, expected.as_str()));
    let (code, said) = rig.step("verify", &wanted, &[("BOOT_BEFORE", "one"), ("BOOT_NOW", "two")]);
    assert_eq!((code, why(&said)), (1, "old-kernel-running"), "{said:?}");
    let (code, said) = rig.step("preflight", &["bad-pre"], &[("REBOOT_PENDING_BEFORE", "refuse")]);
    assert_eq!((code, why(&said)), (4, "reboot-pending"), "{said:?}");
    let booted = format!("{NEW_KERNEL}.x86_64");
    let env = [("BOOT_BEFORE", "one"), ("BOOT_NOW", "two"), ("KERNEL", booted.as_str())];
    assert!(rig.installed("kernel-core").contains(OLD_KERNEL), "the old kernel stays beside it");
    let (code, said) = rig.step("verify", &wanted, &env);
    assert_eq!((code, said.facts["reboot_pending"].as_str()), (0, "false"), "{said:?}");
    // A kernel that an update took away under the running host is told by its flavour.
    let (code, said) = rig.step("reboot-required", &[], &[("KERNEL", "5.3.18-1-core")]);
    assert_eq!(code, 0, "{said:?}");
    let (code, said) = rig.step("reboot-required", &[], &[("KERNEL", "5.3.18-custom")]);
    assert_eq!(code, 3, "{said:?}");

    // A scriptlet that fails before the files, and one that fails behind them, which is a warning to rpm.
    for (name, version) in [("bad-pre", "1.0"), ("bad-post", "1.1")] {
        let (code, said) = rig.step("fix", &[&format!("{name}=1.1")], &[]);
        assert_eq!((code, why(&said)), (1, "transaction-failed"), "{name}: {said:?}");
        assert!(said.reason.unwrap().text.contains("boom"));
        assert_eq!(rig.installed(name), format!("{name}-{version}-1.noarch"));
    }
    let (code, said) = rig.step("fix", &["eater=1.1"], &[("ALLOW_REMOVALS", "true")]);
    assert_eq!(code, 0, "{said:?}");
    assert!(rig.installed("eaten").contains("not installed"));
}

/// Keeps a package as it is, as an administrator would.
fn hold(rig: &Rig, package: &str) {
    match rig.manager {
        "dnf" => rig.repository(&rig.path("repo"), &format!("excludepkgs={package}")),
        _ => ok(Command::new("zypper").args([
            "--root",
            &rig.root(),
            "--non-interactive",
            "addlock",
            &format!("{package}*"),
        ])),
    }
}

fn release(rig: &Rig) {
    match rig.manager {
        "dnf" => rig.repository(&rig.path("repo"), ""),
        _ => std::fs::remove_file(rig.path("root/etc/zypp/locks")).unwrap(),
    }
}

#[test]
fn dnf_fixes_verifies_and_refuses() {
    fixes_verifies_and_refuses("dnf");
}

#[test]
fn zypper_fixes_verifies_and_refuses() {
    fixes_verifies_and_refuses("zypper");
}

#[test]
fn a_lock_of_dnf_is_waited_for_by_the_controller_and_not_by_dnf() {
    let Some(rig) = Rig::new("dnf") else { return };
    let mut holder = Command::new("sleep").arg("60").spawn().unwrap();
    std::fs::create_dir_all(rig.path("root/cache")).unwrap();
    std::fs::write(rig.path("root/cache/metadata_lock.pid"), holder.id().to_string()).unwrap();
    let (code, said) = rig.step("preflight", &["hello"], &[]);
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!((code, why(&said)), (75, "locked"), "{said:?}");
}

#[test]
fn versions_are_ordered_by_rpm_itself() {
    if Rig::new("rpm").is_none() {
        return;
    }
    let text = r#"
        for pair in '1.10-1 1.9-9' '1:1-1 2-1' '2-1 0:2-1' '2-1 2' '2 2-7' '1.0 1.0~rc1' '1.0^git1 1.0' '5.14.0-10.el9 5.14.0-9.el9'; do
            is_newer_or_same ${pair% *} ${pair#* } || echo "$pair"
        done
        for pair in '1.9 1.10' '2-1 1:1-1' '1.0~rc1 1.0' '1-1 1-2' "1') 1"; do
            is_newer_or_same ${pair% *} ${pair#* } && echo "not $pair"
        done
        echo done"#;
    let (code, said) = run(&["dash", "-s"], &format!("{COMMON}{RPM}{text}"), &[], &[]).unwrap();
    assert_eq!((code, said.text.as_str()), (0, "done"));
}
