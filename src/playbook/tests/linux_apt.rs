//! The part of apt, with functions of the test in place of the programs it calls.

use super::linux::with_lib;

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
        assert_eq!(said, "##switchback reason transaction-incomplete these would not be upgraded: g++\n");
    }
}

/// What is said of the kernel on a host where `running` runs, built as `build`.
fn kernel_behind(running: &str, build: &str, and: &str) -> Vec<String> {
    // As texts, 6.1.0-9 would be newer than 6.1.0-40.
    let text = r#"
        uname() { case $1 in -r) echo 'RUNNING' ;; -v) echo '#1 SMP Debian BUILD (2026-01-01)' ;; esac; }
        mkdir "$work/bin"
        cat >"$work/bin/dpkg-query" <<'EOF'
#!/bin/sh
for last; do :; done
list() { for release; do echo "installed linux-image-$release"; done; }
case $last in
    'linux-image-[0-9]*')
        list 6.1.0-9-amd64 6.1.0-40-amd64 6.1.0-40-amd64-dbg 6.1.0-41-rt-amd64 6.1.0-42-cloud-amd64
        list 6.12.9+deb13-cloud-amd64 6.12.48+deb13-cloud-amd64
        ;;
    linux-image-6.1.0-40-amd64) echo installed 6.1.153-1 ;;
esac
EOF
        chmod +x "$work/bin/dpkg-query"
        PATH=$work/bin:$PATH
        is_container() { return 1; }
        AND
        kernel_behind"#;
    let said = with_lib(&text.replace("RUNNING", running).replace("BUILD", build).replace("AND", and));
    said.into_iter().map(|said| said.trim().to_owned()).collect()
}

#[test]
fn the_newest_kernel_of_a_flavour_is_told_by_the_order_of_debian() {
    let cases = [
        ("6.1.0-9-amd64", "6.1.27-1", "kernel 6.1.0-40-amd64 is installed, 6.1.0-9-amd64 runs"),
        ("6.1.0-40-amd64", "6.1.153-1", ""),
        ("6.1.0-40-amd64", "6.1.147-1", "kernel package 6.1.153-1 is installed, a build of 6.1.147-1 runs"),
        (
            "6.12.9+deb13-cloud-amd64",
            "6.12.9-1",
            "kernel 6.12.48+deb13-cloud-amd64 is installed, 6.12.9+deb13-cloud-amd64 runs",
        ),
        // No package knows it.
        ("6.1.158-custom", "1", ""),
    ];
    for (running, build, expected) in cases {
        for said in kernel_behind(running, build, "") {
            assert_eq!(said, expected, "{running}");
        }
    }
    // A container runs the kernel of another host.
    for said in kernel_behind("6.1.0-9-amd64", "6.1.27-1", "is_container() { return 0; }") {
        assert_eq!(said, "");
    }
}
