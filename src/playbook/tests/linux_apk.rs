//! linux-apk with a stand-in for apk: there is none to be had for the machines that run these tests. What it says is what
//! apk 2.14 says, and it changes its own database as apk does.

use super::linux::COMMON;
use super::{SHELLS, ScriptOutput, run, why};

const APK: &str = include_str!("../../../playbooks/linux/apk.sh");

/// `apk` over a folder: `installed` is its database, `offered` has lines NAME VERSION.
const STAND_IN: &str = r#"
installed_packages_of() { awk '/^P:/ { n = substr($0, 3) } /^V:/ { print n, substr($0, 3) }' "$AT/installed"; }
apk() {
    command=$1
    shift
    case $command in
        update)
            if [ -e "$AT/gone" ]; then
                echo 'fetch https://dl-cdn.alpinelinux.org/alpine/v3.19/main/x86_64/APKINDEX.tar.gz'
                echo 'WARNING: updating and opening https://dl-cdn.alpinelinux.org/alpine/v3.19/main: temporary error (try again later)'
                echo '1 unavailable, 0 stale; 15 distinct packages available'
                return 0
            fi
            if [ -e "$AT/locked" ]; then
                echo 'ERROR: Unable to lock database: Resource temporarily unavailable'
                echo 'ERROR: Failed to open apk database: Resource temporarily unavailable'
                return 99
            fi
            echo 'OK: 24000 distinct packages available'
            ;;
        # dpkg's order is near enough to apk's for these versions.
        version)
            if [ "$2" = "$3" ]; then echo =; elif dpkg --compare-versions "$2" gt "$3"; then echo '>'; else echo '<'; fi
            ;;
        policy)
            echo "$1 policy:"
            installed_packages_of | sed -n "s/^$1 \(.*\)/  \1:\n    lib\/apk\/db\/installed/p"
            sed -n "s/^$1 \(.*\)/  \1:\n    https:\/\/dl-cdn.alpinelinux.org\/alpine\/v3.19\/main/p" "$AT/offered"
            ;;
        upgrade)
            simulate=no
            for name; do
                case $name in
                    --simulate) simulate=yes ;;
                    [a-z]*)
                        old=$(installed_packages_of | sed -n "s/^$name //p")
                        new=$(sed -n "s/^$name //p" "$AT/offered")
                        [ "$name" != libnew ] || echo '(1/2) Installing extra (1.0-r0)'
                        [ "$name" != eater ] || echo '(1/2) Purging eaten (1.0-r0)'
                        echo "(1/1) Upgrading $name ($old -> $new)"
                        [ "$simulate" = no ] || continue
                        sed -i "/^P:$name$/,/^$/s/^V:.*/V:$new/" "$AT/installed"
                        if [ "$name" = bad ]; then
                            echo "Executing bad-$new.post-upgrade"
                            echo "ERROR: bad-$new.post-upgrade: script exited with error 1"
                            sed -i "/^P:bad$/s/$/\nf:s/" "$AT/installed"
                            return 1
                        fi
                        ;;
                esac
            done
            echo 'OK: 10 MiB in 15 packages'
            ;;
        info) printf 'lib/modules/6.6.32-0-lts/modules.alias\nlib/modules/6.6.32-0-lts/modules.dep\n' ;;
    esac
}
has_systemd() { false; }
stale_processes() { : >"$work/unreadable"; }
is_container() { return 1; }
need_root() { :; }
need_manager() { :; }
boot_identity() { echo "${BOOT_NOW:-one}"; }
uname() { case $1 in -r) echo "${KERNEL:-6.6.32-0-lts}" ;; *) command uname "$@" ;; esac; }
"#;

const INSTALLED: &str = "C:Q1abc=\nP:libcrypto3\nV:3.1.4-r5\nA:x86_64\nI:4000000\n\nC:Q1abc=\nP:bad\nV:1.0-r0\nI:4096\n\nP:eater\nV:1.0-r0\nI:4096\n\nP:pinned\nV:1.0-r0\nI:4096\n\nP:libnew\nV:1.0-r0\nI:4096\n";
const OFFERED: &str = "libcrypto3 3.1.4-r10\nbad 1.0-r1\neater 1.0-r1\npinned 1.0-r1\nlibnew 1.0-r1\n";

struct Rig<'a> {
    shell: &'a [&'a str],
    folder: tempfile::TempDir,
}

impl<'a> Rig<'a> {
    fn new(shell: &'a [&'a str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("installed", INSTALLED), ("offered", OFFERED), ("world", "alpine-base\npinned<1.0-r1\n")]
        {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Self { shell, folder }
    }

    fn set(&self, name: &str) {
        std::fs::write(self.folder.path().join(name), "").unwrap();
    }

    fn unset(&self, name: &str) {
        std::fs::remove_file(self.folder.path().join(name)).unwrap();
    }

    fn step(&self, name: &str, argv: &[&str], env: &[(&str, &str)]) -> Option<(i32, ScriptOutput)> {
        let at = self.folder.path().display().to_string();
        let apk = APK
            .replace("/lib/apk/db/installed /usr/lib/apk/db/installed", &format!("{at}/installed"))
            .replace("/etc/apk/world", &format!("{at}/world"))
            .replace("DATABASE=/lib/apk", "DATABASE=/");
        let text =
            std::fs::read_to_string(format!("{}/playbooks/linux/{name}.sh", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let mut all = vec![("AT", at.as_str())];
        all.extend_from_slice(env);
        run(self.shell, &format!("{COMMON}{apk}{STAND_IN}{text}"), argv, &all)
    }

    fn refused(&self, argv: &[&str]) -> (i32, String) {
        let (code, said) = self.step("preflight", argv, &[]).unwrap();
        (code, why(&said).to_owned())
    }
}

#[test]
fn apk_fixes_verifies_and_refuses() {
    for shell in SHELLS {
        let rig = Rig::new(shell);
        // As texts, r5 would be newer than r10.
        let wanted = ["libcrypto3=3.1.4-r10"];
        let Some((code, before)) = rig.step("preflight", &wanted, &[]) else { continue };
        assert_eq!(
            (code, before.facts["transaction"].as_str()),
            (0, "libcrypto3 3.1.4-r5 -> 3.1.4-r10"),
            "{shell:?} {before:?}"
        );
        assert_eq!(before.facts["removals"], "");
        let as_before = [("PACKAGES_BEFORE", before.facts["packages"].as_str())];
        assert_eq!(rig.step("verify-restored", &[], &as_before).unwrap().0, 0);
        let (code, said) = rig.step("verify", &wanted, &[]).unwrap();
        assert_eq!((code, why(&said)), (1, "not-fixed"), "{said:?}");

        assert_eq!(rig.refused(&["libcrypto3=3.1.4-r11"]), (4, "fix-not-offered".to_owned()));
        assert_eq!(rig.refused(&["libcrypto3=3.1.4-r5"]), (3, "nothing-to-do".to_owned()));
        assert_eq!(rig.refused(&["absent"]), (3, "nothing-to-do".to_owned()));
        assert_eq!(rig.refused(&["pinned=1.0-r1"]), (4, "package-held".to_owned()));
        assert_eq!(rig.refused(&["eater=1.0-r1"]), (4, "would-remove".to_owned()));
        assert_eq!(rig.refused(&["a b"]), (4, "invalid-package".to_owned()));
        for (fault, expected) in [("gone", "source-unreachable"), ("locked", "locked")] {
            rig.set(fault);
            assert_eq!(rig.refused(&["libcrypto3"]), (75, expected.to_owned()));
            rig.unset(fault);
        }
        let (_, said) = rig.step("preflight", &["libnew"], &[]).unwrap();
        assert_eq!(said.facts["transaction"], "extra - -> 1.0-r0; libnew 1.0-r0 -> 1.0-r1");

        let (code, said) = rig.step("fix", &wanted, &[]).unwrap();
        assert_eq!((code, said.facts["changed"].as_str()), (0, "1"), "{said:?}");
        let (code, said) = rig.step("verify", &wanted, &[]).unwrap();
        assert_eq!((code, said.facts["reboot_pending"].as_str()), (0, "false"), "{said:?}");
        assert_eq!(rig.step("fix", &wanted, &[]).unwrap().1.facts["changed"], "0");
        let (code, said) = rig.step("verify-restored", &[], &as_before).unwrap();
        assert_eq!((code, why(&said)), (1, "packages-differ"));

        // The kernel of this flavour is another one than that which runs.
        let old = [("KERNEL", "6.6.31-0-lts"), ("BOOT_BEFORE", "one")];
        let (code, said) = rig.step("reboot-required", &[], &old).unwrap();
        assert_eq!(
            (code, said.facts["reboot_why"].as_str()),
            (0, "kernel 6.6.32-0-lts is installed, 6.6.31-0-lts runs")
        );
        let (code, said) = rig.step("verify", &wanted, &[old[0], old[1], ("BOOT_NOW", "two")]).unwrap();
        assert_eq!((code, why(&said)), (1, "old-kernel-running"), "{said:?}");

        let (code, said) = rig.step("fix", &["bad=1.0-r1"], &[]).unwrap();
        assert_eq!((code, why(&said)), (1, "transaction-failed"), "{said:?}");
        let (code, said) = rig.step("verify", &["bad=1.0-r1"], &[]).unwrap();
        assert_eq!((code, why(&said)), (1, "packages-broken"), "{said:?}");
    }
}
