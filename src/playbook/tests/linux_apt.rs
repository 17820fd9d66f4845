//! The scripts of linux-apt, with functions of the test in place of the programs they call.

use super::{SHELLS, feed};

const LIB: &str = include_str!("../../../playbooks/linux-apt/lib.sh");

/// What a text behind the library says, in every shell there is.
fn with_lib(text: &str) -> Vec<String> {
    let script = format!("{LIB}\nmake_work\n{text}\n");
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

#[test]
fn what_apt_would_pass_over_is_refused_before_anything_is_done() {
    let predict = |plan: &str| {
        with_lib(&format!("apt_get() {{ printf '%s\\n' {plan}; }}\ntargets=' libc6=2 g++=1:4'\npredict\necho fine"))
    };
    let both = "'Inst libc6:i386 [1] (2 Debian:12 [i386])' 'Inst g++ [1:3] (1:4 Debian:12 [amd64])'";
    for said in predict(both) {
        assert_eq!(said, "fine\n");
    }
    for said in predict("'Inst libc6 [1] (2 Debian:12 [amd64])' 'Conf libc6 (2 Debian:12 [amd64])'") {
        assert_eq!(said, "##switchback reason transaction-incomplete apt would not upgrade g++\n");
    }
}
