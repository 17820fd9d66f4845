//! The recipes, on real files; there is no systemd, and being root is not asked for.

use std::path::Path;

use super::linux::COMMON;
use super::{SHELLS, ScriptOutput, run, why};
use crate::model::Digest;

const JAR: &str = include_str!("../../../playbooks/jar/lib.sh");
const MITIGATION: &str = include_str!("../../../playbooks/mitigation/lib.sh");

macro_rules! steps {
    ($folder:literal) => {
        [
            ("preflight", include_str!(concat!("../../../playbooks/", $folder, "/preflight.sh"))),
            ("fix", include_str!(concat!("../../../playbooks/", $folder, "/fix.sh"))),
            ("verify", include_str!(concat!("../../../playbooks/", $folder, "/verify.sh"))),
            ("verify_restored", include_str!(concat!("../../../playbooks/", $folder, "/verify-restored.sh"))),
        ]
    };
}

/// Runs a step of a recipe, without systemd.
fn step(
    shell: &[&str],
    lib: &str,
    steps: [(&str, &str); 4],
    name: &str,
    env: &[(&str, &str)],
) -> Option<(i32, ScriptOutput)> {
    let text = steps.iter().find(|(step, _)| *step == name).unwrap().1;
    let script = format!("{COMMON}{lib}\nneed_root() {{ :; }}\nhas_systemd() {{ false; }}\n{text}");
    run(shell, &script, &[], env)
}

fn sum(text: &str) -> String {
    Digest::of(text.as_bytes()).to_string().trim_start_matches("sha256:").to_owned()
}

/// A hostile name is as good as any.
const NAME: &str = "app's $(core).jar";

struct Jar<'a> {
    shell: &'a [&'a str],
    folder: tempfile::TempDir,
    sha256: String,
}

impl<'a> Jar<'a> {
    fn new(shell: &'a [&'a str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(NAME), "old").unwrap();
        std::fs::write(folder.path().join("fixed"), "fixed").unwrap();
        set_mode(&folder.path().join(NAME), 0o640);
        Self { shell, folder, sha256: sum("fixed") }
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join(NAME)
    }

    fn step(&self, name: &str, more: &[(&str, &str)]) -> Option<(i32, ScriptOutput)> {
        let (file, source) =
            (self.file().display().to_string(), self.folder.path().join("fixed").display().to_string());
        let mut env = vec![("FILE", file.as_str()), ("SHA256", &self.sha256), ("SOURCE", &source), ("UNIT", "")];
        for (key, value) in more {
            env.retain(|(k, _)| k != key);
            env.push((key, value));
        }
        step(self.shell, JAR, steps!("jar"), name, &env)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o7777
}

#[test]
fn a_file_is_replaced_whole_and_the_old_one_is_kept_beside() {
    for shell in SHELLS {
        let jar = Jar::new(shell);
        let Some((code, before)) = jar.step("preflight", &[]) else { continue };
        assert_eq!(code, 0, "{shell:?} {before:?}");
        let owner = before.facts["owner_before"].clone();
        let facts = [("FILE_BEFORE", sum("old")), ("OWNER_BEFORE", owner)];
        let facts: Vec<(&str, &str)> = facts.iter().map(|(k, v)| (*k, v.as_str())).collect();
        assert_eq!(before.facts["file_before"], sum("old"));
        let (code, said) = jar.step("verify", &facts).unwrap();
        assert_eq!((code, why(&said)), (1, "not-fixed"));
        assert_eq!(jar.step("verify_restored", &facts).unwrap().0, 0);

        // A process has the old file open; it goes on with it, and that is seen.
        let held = std::fs::File::open(jar.file()).unwrap();
        let (code, said) = jar.step("fix", &[]).unwrap();
        assert_eq!((code, said.facts["changed"].as_str()), (0, "1"), "{said:?}");
        assert_eq!(std::fs::read_to_string(jar.file()).unwrap(), "fixed");
        assert_eq!(mode(&jar.file()), 0o640);
        let kept = format!("{NAME}.before-{}", &sum("old")[..12]);
        assert_eq!(jar.names(), [NAME.to_owned(), kept.clone(), "fixed".to_owned()], "nothing else is left");
        assert_eq!(std::fs::read_to_string(jar.folder.path().join(&kept)).unwrap(), "old");
        let (code, said) = jar.step("verify", &facts).unwrap();
        assert_eq!((code, why(&said)), (1, "stale-services"), "{said:?}");
        drop(held);
        let (code, said) = jar.step("verify", &facts).unwrap();
        assert_eq!((code, said.facts["stale_services"].as_str()), (0, ""), "{said:?}");

        // Again is nothing.
        assert_eq!(jar.step("fix", &[]).unwrap().1.facts["changed"], "0");
        let (code, said) = jar.step("preflight", &[]).unwrap();
        assert_eq!((code, why(&said)), (3, "nothing-to-do"));
        let (code, said) = jar.step("verify_restored", &facts).unwrap();
        assert_eq!((code, why(&said)), (1, "file-differs"));
        set_mode(&jar.file(), 0o666);
        let (code, said) = jar.step("verify", &facts).unwrap();
        assert_eq!((code, why(&said)), (1, "owner-differs"));
    }
}

#[test]
fn a_file_with_another_sum_changes_nothing() {
    for shell in SHELLS {
        let mut jar = Jar::new(shell);
        jar.sha256 = sum("something else");
        let Some((code, said)) = jar.step("fix", &[]) else { continue };
        assert_eq!((code, why(&said)), (4, "checksum-differs"), "{shell:?} {said:?}");
        assert_eq!(jar.names(), [NAME, "fixed"]);
        assert_eq!(std::fs::read_to_string(jar.file()).unwrap(), "old");
        let refused = [
            (("SHA256", "abc"), (4, "invalid-parameter")),
            (("FILE", "lib/x.jar"), (4, "invalid-parameter")),
            (("SOURCE", "--output=/etc/passwd"), (4, "invalid-parameter")),
            (("UNIT", "a b"), (4, "invalid-parameter")),
            (("UNIT", "x.service"), (4, "no-systemd")),
            (("FILE", "/nowhere/x.jar"), (3, "nothing-to-do")),
            (("SOURCE", "/nowhere/x.jar"), (4, "source-missing")),
        ];
        for (parameter, expected) in refused {
            let (code, said) = jar.step("preflight", &[parameter]).unwrap();
            assert_eq!((code, why(&said)), expected, "{shell:?} {parameter:?}");
        }
        let link = jar.folder.path().join("link");
        std::os::unix::fs::symlink(NAME, &link).unwrap();
        let (code, said) = jar.step("preflight", &[("FILE", &link.display().to_string())]).unwrap();
        assert_eq!((code, why(&said)), (4, "not-a-file"));
    }
}

#[test]
fn a_file_comes_from_a_server_and_a_server_that_is_gone_is_waited_for() {
    use std::io::{Read as _, Write as _};
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/fixed.jar", server.local_addr().unwrap());
    // Two requests a shell at most: one for the head, one for the file.
    std::thread::spawn(move || {
        for stream in server.incoming().take(2 * SHELLS.len()) {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let body = if request[..length].starts_with(b"HEAD") { "" } else { "fixed" };
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n{body}");
        }
    });
    for shell in SHELLS {
        let jar = Jar::new(shell);
        let Some((code, said)) = jar.step("preflight", &[("SOURCE", &url)]) else { continue };
        assert_eq!(code, 0, "{shell:?} {said:?}");
        let (code, said) = jar.step("fix", &[("SOURCE", &url)]).unwrap();
        assert_eq!(code, 0, "{shell:?} {said:?}");
        assert_eq!(std::fs::read_to_string(jar.file()).unwrap(), "fixed");
    }
    // The listener is closed by now, or was never asked: port 1 is nobody's.
    let jar = Jar::new(SHELLS[1]);
    let gone = [("SOURCE", "http://127.0.0.1:1/fixed.jar")];
    let (code, said) = jar.step("preflight", &gone).unwrap();
    assert_eq!((code, why(&said)), (75, "source-unreachable"), "{said:?}");
    let (code, said) = jar.step("fix", &gone).unwrap();
    assert_eq!((code, why(&said)), (75, "download-failed"), "{said:?}");
}

/// A mitigation of one key in a file, with its record in a folder of the test.
struct Setting<'a> {
    shell: &'a [&'a str],
    folder: tempfile::TempDir,
    key: &'a str,
    separator: &'a str,
    value: &'a str,
}

const FILE: &str = "# Port 1\nPort 22\nPorts 7\n  X11Forwarding yes  \nCiphers a,b\nMatch user x\n\tCiphers c\n";

impl<'a> Setting<'a> {
    fn new(shell: &'a [&'a str], text: &str, key: &'a str, separator: &'a str, value: &'a str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("conf"), text).unwrap();
        set_mode(&folder.path().join("conf"), 0o604);
        Self { shell, folder, key, separator, value }
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("conf")).unwrap()
    }

    fn step(&self, name: &str, action: &str, more: &[(&str, &str)]) -> Option<(i32, ScriptOutput)> {
        let file = self.folder.path().join("conf").display().to_string();
        // The record lies in the folder of the test, not in /var.
        let lib = MITIGATION.replace("/var/lib/switchback", &self.folder.path().join("state").display().to_string());
        let mut env = vec![("NAME", "CVE-2026-1"), ("DO", action), ("FILE", &file), ("UNIT", "")];
        env.extend([("KEY", self.key), ("SEPARATOR", self.separator), ("VALUE", self.value)]);
        env.extend_from_slice(more);
        step(self.shell, &lib, steps!("mitigation"), name, &env)
    }
}

#[test]
fn a_setting_is_changed_read_back_and_taken_back() {
    let changes = [
        (FILE, "Port", " ", "2222", "refuse", FILE.replace("\nPort 22", "\nPort 2222")),
        (FILE, "X11Forwarding", " ", "no", "refuse", FILE.replace("  X11Forwarding yes  ", "  X11Forwarding no")),
        (FILE, "Banner", " ", "none", "begin", format!("Banner none\n{FILE}")),
        ("a=1\nb = 2\n", "b", " = ", "$(id)\\n'x", "refuse", "a=1\nb = $(id)\\n'x\n".to_owned()),
        ("a: 1\n", "c", ": ", "3", "end", "a: 1\nc: 3\n".to_owned()),
    ];
    for shell in SHELLS {
        for (text, key, separator, value, if_absent, expected) in &changes {
            let setting = Setting::new(shell, text, key, separator, value);
            let absent = [("IF_ABSENT", *if_absent)];
            let Some((code, before)) = setting.step("preflight", "change", &absent) else { break };
            assert_eq!(code, 0, "{shell:?} {key} {before:?}");
            let state = [("IF_ABSENT", *if_absent), ("STATE_BEFORE", before.facts["state_before"].as_str())];
            let (code, said) = setting.step("verify", "change", &absent).unwrap();
            assert_eq!((code, why(&said)), (1, "not-fixed"));
            for changed in ["1", "0"] {
                let (code, said) = setting.step("fix", "change", &absent).unwrap();
                assert_eq!((code, said.facts["changed"].as_str()), (0, changed), "{shell:?} {key} {said:?}");
                assert_eq!(setting.text(), *expected, "{shell:?}");
            }
            assert_eq!(mode(&setting.folder.path().join("conf")), 0o604);
            let (code, said) = setting.step("verify", "change", &absent).unwrap();
            assert_eq!((code, said.facts["setting"].as_str()), (0, *value), "{shell:?} {said:?}");
            let (code, said) = setting.step("preflight", "change", &absent).unwrap();
            assert_eq!((code, why(&said)), (3, "nothing-to-do"));
            let (code, said) = setting.step("verify_restored", "change", &state).unwrap();
            assert_eq!((code, why(&said)), (1, "setting-differs"));

            assert_eq!(setting.step("preflight", "take_back", &absent).unwrap().0, 0);
            for _ in 0..2 {
                assert_eq!(setting.step("fix", "take_back", &absent).unwrap().0, 0);
                assert_eq!(setting.text(), *text, "{shell:?} is what it was");
            }
            assert_eq!(setting.step("verify", "take_back", &absent).unwrap().0, 0);
            assert_eq!(setting.step("verify_restored", "change", &state).unwrap().0, 0);
            let (code, said) = setting.step("preflight", "take_back", &absent).unwrap();
            assert_eq!((code, why(&said)), (3, "nothing-to-do"));
        }
    }
}

#[test]
fn what_is_not_clear_is_not_changed() {
    for shell in SHELLS {
        let twice = Setting::new(shell, FILE, "Ciphers", " ", "d");
        let Some((code, said)) = twice.step("preflight", "change", &[]) else { continue };
        assert_eq!((code, why(&said)), (4, "setting-ambiguous"));
        let absent = Setting::new(shell, FILE, "Banner", " ", "none");
        let (code, said) = absent.step("preflight", "change", &[]).unwrap();
        assert_eq!((code, why(&said)), (4, "setting-absent"));
        for parameter in
            [("NAME", "../x"), ("DO", "undo"), ("FILE", "conf"), ("KEY", "a b"), ("IF_ABSENT", "x"), ("VALUE", "")]
        {
            let (code, said) = absent.step("preflight", "change", &[parameter]).unwrap();
            assert_eq!((code, why(&said)), (4, "invalid-parameter"), "{parameter:?}");
        }
        // Somebody else has changed it since: it is not ours to take back.
        let port = Setting::new(shell, FILE, "Port", " ", "2222");
        assert_eq!(port.step("fix", "change", &[]).unwrap().0, 0);
        std::fs::write(port.folder.path().join("conf"), FILE.replace("\nPort 22\n", "\nPort 80\n")).unwrap();
        let (code, said) = port.step("preflight", "take_back", &[]).unwrap();
        assert_eq!((code, why(&said)), (4, "changed-since"), "{said:?}");
        let (code, said) = port.step("preflight", "change", &[]).unwrap();
        assert_eq!((code, why(&said)), (4, "changed-since"), "{said:?}");
    }
}

#[test]
fn a_key_of_the_kernel_is_set_for_now_and_for_the_next_boots() {
    // sysctl itself is replaced: the kernel of whoever runs the tests is not ours to change.
    let functions = r#"
        sysctl() {
            case $1 in -n) cat "$KERNEL/$3" 2>/dev/null ;; -q) printf '%s\n' "${4#*=}" >"$KERNEL/${4%%=*}" ;; esac
        }
        "#;
    for shell in SHELLS {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("kernel.x"), "2\t3\n").unwrap();
        std::fs::create_dir(path("sysctl.d")).unwrap();
        let lib = MITIGATION
            .replace("/var/lib/switchback", &path("state").display().to_string())
            .replace("/etc/sysctl.d", &path("sysctl.d").display().to_string());
        let kernel = folder.path().display().to_string();
        let env = |action| {
            [
                ("NAME", "n"),
                ("DO", action),
                ("FILE", ""),
                ("UNIT", ""),
                ("KEY", "kernel.x"),
                ("SEPARATOR", ""),
                ("VALUE", "1 1"),
                ("KERNEL", kernel.as_str()),
            ]
        };
        let lib = lib + functions;
        let step = |name, action| step(shell, &lib, steps!("mitigation"), name, &env(action));
        let Some((code, said)) = step("fix", "change") else { continue };
        assert_eq!((code, said.facts["changed"].as_str()), (0, "1"), "{shell:?} {said:?}");
        assert_eq!(std::fs::read_to_string(path("sysctl.d/99-switchback-n.conf")).unwrap(), "kernel.x = 1 1\n");
        assert_eq!(std::fs::read_to_string(path("kernel.x")).unwrap(), "1 1\n");
        assert_eq!(step("verify", "change").unwrap().0, 0);
        std::fs::write(path("sysctl.d/99-switchback-n.conf"), "").unwrap();
        let (code, said) = step("verify", "change").unwrap();
        assert_eq!((code, why(&said)), (1, "not-fixed"), "{said:?}");
        assert_eq!(step("fix", "take_back").unwrap().0, 0);
        assert_eq!(std::fs::read_to_string(path("kernel.x")).unwrap(), "2 3\n");
        assert_eq!(step("verify", "take_back").unwrap().0, 0);
        let (code, said) = step("preflight", "change").unwrap();
        assert_eq!((code, why(&said)), (4, "not-writable"), "the real kernel has no kernel.x: {said:?}");
    }
}
