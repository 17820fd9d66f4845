//! What all scripts for Linux share, with functions of the test in place of the programs they call.

use super::{SHELLS, feed, run, why};

pub(super) const COMMON: &str = include_str!("../../../playbooks/linux/common.sh");
const APT: &str = include_str!("../../../playbooks/linux/apt.sh");

/// What a text behind the shared texts says, in every shell there is.
pub(super) fn with_lib(text: &str) -> Vec<String> {
    let script = format!("{COMMON}{APT}\nmake_work\n{text}\n");
    let said: Vec<String> = SHELLS.iter().filter_map(|shell| feed(shell, &script)).map(|(_, said)| said).collect();
    assert!(!said.is_empty(), "there is a shell");
    said
}

#[test]
fn a_service_that_falls_over_at_every_start_does_not_pass_for_well() {
    // Sleeping is what makes time pass: by then `flaps` was started again.
    let text = r#"
        sleep() { touch "$work/later"; }
        systemctl() {
            again=0
            [ ! -e "$work/later" ] || again=1
            printf 'NRestarts=%s\nExecMainStartTimestampMonotonic=7\nId=flaps.service\n\n' "$again"
            printf 'NRestarts=3\nExecMainStartTimestampMonotonic=9\nId=well.service\n'
        }
        printf '<%s>' "$(unstable_services flaps.service well.service)" "$(unstable_services)""#;
    for said in with_lib(text) {
        assert_eq!(said, "<flaps.service><>");
    }
}

/// A host with systemd on which processes of four services and the first one use replaced files.
const STALE: &str = r#"
    has_systemd() { return 0; }
    stale_processes() {
        : >"$work/unreadable"
        printf '%s\n' '1 init.scope' '10 nginx.service' '11 postgresql@15-main.service' '12 dbus.service' '13 cron.service' '14 -'
    }
    systemctl() {
        case $* in
            *KillMode* | *RefuseManualStop*) echo no ;;
            restart*) echo "($3)" ;;
        esac
    }
    kernel_behind() { :; }
    more_reboot_reasons() { :; }
"#;

#[test]
fn what_policy_forbids_is_not_restarted_and_told() {
    let text = format!("{STALE} RESTART_NEVER='postgresql@* dbus.service [a-z]'; stale_services");
    for said in with_lib(&text) {
        let expected = "forbidden dbus.service\nforbidden postgresql@15-main.service\ninit\nrestart cron.service\nrestart nginx.service\n";
        assert_eq!(said, expected);
    }
    // A pattern is not a pattern of files: the working folder has one that fits.
    for said in with_lib(&format!(
        "{STALE} cd /; touch \"$work/nginx.service\"; cd \"$work\"; RESTART_NEVER='nginx*'; is_forbidden nginx.service && echo yes; is_forbidden cron.service || echo no"
    )) {
        assert_eq!(said, "yes\nno\n");
    }
    for said in with_lib(&format!("{STALE} stale_services | grep -c forbidden")) {
        assert_eq!(said, "0\n");
    }
}

/// Runs a whole script of the shared ones behind the texts and these functions.
fn script(functions: &str, text: &str, env: &[(&str, &str)]) -> Vec<(i32, super::ScriptOutput)> {
    let text = format!("{COMMON}{APT}\nneed_root() {{ :; }}\n{functions}\n{text}");
    SHELLS.iter().filter_map(|shell| run(shell, &text, &["libc6=2"], env)).collect()
}

#[test]
fn a_forbidden_service_asks_for_no_reboot() {
    const REQUIRED: &str = include_str!("../../../playbooks/linux/reboot-required.sh");
    let quiet = STALE.replace("'1 init.scope' ", "");
    for (code, said) in script(&quiet, REQUIRED, &[("RESTART_NEVER", "")]) {
        assert_eq!(
            (code, said.facts["reboot_why"].as_str()),
            (0, "dbus.service uses replaced files and cannot be restarted")
        );
    }
    for (code, said) in script(&quiet, REQUIRED, &[("RESTART_NEVER", "dbus.service")]) {
        assert_eq!((code, why(&said)), (3, "no-reboot-required"));
    }
}

#[test]
fn restart_leaves_forbidden_services_alone() {
    const RESTART: &str = include_str!("../../../playbooks/linux/restart.sh");
    for (code, said) in script(STALE, RESTART, &[("RESTART_NEVER", "postgresql@*")]) {
        assert_eq!(code, 0);
        assert_eq!(said.facts["restarted"], "cron.service nginx.service");
        assert_eq!(said.facts["restart_forbidden"], "postgresql@15-main.service");
        assert_eq!(said.facts["left_for_reboot"], "dbus.service");
        assert!(said.text.contains("(nginx.service)") && !said.text.contains("(postgres"), "{}", said.text);
    }
}

/// A host whose package is fixed.
const FIXED: &str = r#"
    need_manager() { :; }
    installed_versions() { echo 2; }
    package_trouble() { :; }
    manager_trouble() { :; }
    packages_digest() { echo abc; }
    boot_identity() { echo "${BOOT_NOW:-one}"; }
    failed_services() { :; }
    sleep() { :; }
"#;

const VERIFY: &str = include_str!("../../../playbooks/linux/verify.sh");

#[test]
fn verify_tells_of_services_that_policy_left_on_old_files_and_does_not_fail() {
    let only = |units: &str| format!("{STALE}{FIXED} stale_processes() {{ printf '%s\\n' {units}; }}");
    let env = [("RESTART_NEVER", "postgresql@*")];
    for (code, said) in script(&only("'11 postgresql@15-main.service'"), VERIFY, &env) {
        assert_eq!((code, said.facts["stale_services"].as_str()), (0, "postgresql@15-main.service"), "{said:?}");
        assert_eq!(said.facts["reboot_pending"], "false");
    }
    for (code, said) in script(&only("'11 postgresql@15-main.service' '10 nginx.service'"), VERIFY, &env) {
        assert_eq!((code, why(&said)), (1, "stale-services"));
        assert_eq!(said.facts["stale_services"], "nginx.service postgresql@15-main.service");
    }
}

#[test]
fn a_reboot_into_the_old_kernel_is_no_success() {
    let functions = format!(
        "{STALE}{FIXED} stale_processes() {{ :; }}\nkernel_behind() {{ echo 'kernel 7 is installed, 6 runs'; }}"
    );
    for (code, said) in script(&functions, VERIFY, &[("BOOT_BEFORE", "one"), ("BOOT_NOW", "two")]) {
        assert_eq!((code, why(&said)), (1, "old-kernel-running"), "{said:?}");
    }
    // Not rebooted, because policy forbids it: the engine makes `fixed_pending_reboot` of that.
    for (code, said) in script(&functions, VERIFY, &[("BOOT_BEFORE", "one"), ("BOOT_NOW", "one")]) {
        assert_eq!((code, said.facts["reboot_pending"].as_str()), (0, "true"), "{said:?}");
        assert_eq!(said.facts["reboot_why"], "kernel 7 is installed, 6 runs");
    }
}

#[test]
fn a_reboot_that_was_pending_before_is_told_or_refused() {
    const PREFLIGHT: &str = include_str!("../../../playbooks/linux/preflight.sh");
    let functions = format!(
        r#"{STALE}{FIXED}
        stale_processes() {{ : >"$work/unreadable"; }}
        active_services() {{ :; }}
        installed_versions() {{ echo 1; }}
        candidate_version() {{ echo 2; }}
        held_back() {{ :; }}
        lock_holders() {{ :; }}
        refresh() {{ :; }}
        simulate() {{ removed=; echo 'libc6 1 2' >"$work/changes"; }}
        sizes() {{ echo 1 1; }}
        writes_boot() {{ false; }}
        CACHE=/ DATABASE=/
        is_container() {{ return 1; }}
        kernel_behind() {{ [ "${{BEHIND:-}}" != yes ] || echo 'kernel 7 is installed, 6 runs'; }}"#
    );
    for (code, said) in script(&functions, PREFLIGHT, &[("BEHIND", "yes"), ("REBOOT_PENDING_BEFORE", "report")]) {
        assert_eq!((code, said.facts["reboot_pending_before"].as_str()), (0, "true"), "{said:?}");
        assert_eq!(said.facts["transaction"], "libc6 1 -> 2");
        assert_eq!(said.facts["kernel_shared"], "false");
    }
    for (code, said) in script(&functions, PREFLIGHT, &[("BEHIND", "yes"), ("REBOOT_PENDING_BEFORE", "refuse")]) {
        assert_eq!((code, why(&said)), (4, "reboot-pending"), "{said:?}");
    }
    for (code, said) in script(&functions, PREFLIGHT, &[("REBOOT_PENDING_BEFORE", "refuse")]) {
        assert_eq!((code, said.facts["reboot_pending_before"].as_str()), (0, "false"), "{said:?}");
    }
}

#[test]
fn without_systemd_what_uses_replaced_files_is_left_to_a_reboot() {
    let text = format!("{STALE} has_systemd() {{ false; }}\nstale_processes() {{ echo \"$$ -\"; }}\nreboot_reasons");
    for said in with_lib(&text) {
        assert!(said.ends_with(" uses replaced files, and there is no systemd to restart it\n"), "{said}");
    }
}
