//! Inventories of Ansible's at the command line: programs, host patterns, `--limit`.

use std::os::unix::fs::PermissionsExt as _;

use super::World;

/// A program with the answers of an inventory; it leaves a trace of every call.
const PROGRAM: &str = "#!/bin/sh
echo \"$*|$(cat)|$PWD\" >> called
echo talk >&2
echo '{\"web\": {\"hosts\": [\"web-1\", \"web-2\"], \"vars\": {\"ansible_user\": \"ops\"}},
 \"db\": [\"db-1\"], \"_meta\": {\"hostvars\": {\"db-1\": {\"ansible_port\": 2222}}}}'
";

fn with_program(text: &str) -> World {
    let world = World::new();
    let path = world.write("hosts.sh", text);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    world
}

#[test]
fn programs_are_refused_unless_the_user_allows_them() {
    let world = with_program(PROGRAM);
    world.write("f.json", "{}");
    world.write("p.yaml", "version: 1\n");
    for command in [
        &["check", "-i", "hosts.sh"][..],
        &["scan", "-i", "hosts.sh"],
        &["plan", "-p", "p.yaml", "-i", "hosts.sh", "-f", "f.json", "-o", "plan.json"],
        &["debug", "hosts", "-i", "hosts.sh"],
    ] {
        let ran = world.refused(3, command);
        assert!(
            ran.stderr.contains("executable-inventory") && ran.stderr.contains("--run-inventory"),
            "{}",
            ran.show()
        );
    }
    assert!(!world.path().join("called").exists(), "it was run all the same");
    insta::assert_snapshot!(world.refused(3, &["check", "-i", "hosts.sh"]).show(), @r"
    exit: 3
    ----- stderr
    executable-inventory

      × hosts.sh: the inventory is a program, and none is run
      help: allow it with `--run-inventory`, or keep its answer: `hosts.sh --list > hosts.json`

    1 error, 0 warnings
    ");

    let ran = world
        .run_with(&["debug", "hosts", "-i", "hosts.sh", "--run-inventory"], "all\nweb:!web-1\ndb[0]\n~(\nx[1:2]\n");
    insta::assert_snapshot!(ran.show(), @r#"
    exit: 0
    ----- stdout
    {"hosts":["web-1","web-2","db-1"]}
    {"hosts":["web-2"]}
    {"hosts":["db-1"]}
    {"error":"`~(` is no regular expression: unclosed group"}
    {"hosts":[]}
    "#);
    let called = std::fs::read_to_string(world.path().join("called")).unwrap();
    assert_eq!(
        called,
        format!("--list||{}\n", world.path().canonicalize().unwrap().display()),
        "once, with nothing on stdin"
    );
    assert_eq!(world.run(&["check", "-i", "hosts.sh", "--run-inventory"]).code, Some(0));
}

#[test]
fn a_failing_program_is_told_with_what_it_said() {
    let world = with_program("#!/bin/sh\necho 'no credentials' >&2\nexit 3\n");
    insta::assert_snapshot!(world.refused(3, &["check", "-i", "hosts.sh", "--run-inventory"]).show(), @r"
    exit: 3
    ----- stderr
    inventory-program-failed

      × hosts.sh --list: it exited with 3: no credentials

    1 error, 0 warnings
    ");
    let world = with_program("#!/nowhere/python\n");
    let ran = world.refused(3, &["check", "-i", "./hosts.sh", "--run-inventory"]);
    assert!(ran.stderr.contains("inventory-program-failed") && ran.stderr.contains("cannot run"), "{}", ran.show());
}

#[test]
fn a_plan_from_a_program_is_compared_by_running_it_again() {
    let world = World::new();
    world.example("first-plan");
    let kept = std::fs::read_to_string(world.path().join("inventory.yaml")).unwrap();
    assert!(kept.contains("web-1"));
    let path = world.write(
        "hosts.sh",
        "#!/bin/sh\necho '{\"web\": {\"hosts\": [\"web-1\", \"web-2\"], \"vars\": {\"switchback_provider\": {\"kind\": \"podman\", \"name\": \"x\"}}}, \"_meta\": {\"hostvars\": {}}}'\n",
    );
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut plan = super::first_plan_with("inventory.yaml", "hosts.sh");
    plan.push("--run-inventory");
    let ran = world.run(&plan);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    let ran = world.run(&["run", "plan.json"]);
    assert_eq!(ran.code, Some(3), "{}", ran.show());
    assert!(ran.stderr.contains("executable-inventory"), "{}", ran.show());
}

#[test]
fn limits_that_select_nothing_are_refused() {
    let world = World::new();
    world.write("hosts.ini", "[web]\nweb-[1:2]\n[db]\ndb-1\n");
    world.write("retry", "web:1\nnobody\n");
    let refused = |more: &[&str]| world.refused(3, &[&["scan", "-i", "hosts.ini"], more].concat());
    insta::assert_snapshot!(refused(&["--limit", "wbe:!db"]).show(), @r#"
    exit: 3
    ----- stderr
    --limit: `wbe` matches no host and no group
    error: --limit "wbe:!db" selects no host of the inventory [empty-limit]
    hint: groups and hosts with `:` between them, `&` for both, `!` for not: web:&eu:!web-3
    "#);
    insta::assert_snapshot!(refused(&["--limit", "web[7]"]).show(), @r"
    exit: 3
    ----- stderr
    error: --limit cannot be used: `web[7]` matches 2 hosts, none of which has this number [invalid-pattern]
    hint: groups and hosts with `:` between them, `&` for both, `!` for not: web:&eu:!web-3
    ");
    insta::assert_snapshot!(refused(&["--limit", "web", "--host", "db-1"]).show(), @r"
    exit: 3
    ----- stderr
    error: no host is both in --host and in --limit [empty-limit]
    hint: leave one of them out
    ");
    insta::assert_snapshot!(refused(&["--limit", "@retry"]).show(), @r#"
    exit: 3
    ----- stderr
    --limit: `web:1` matches no host and no group
    --limit: `nobody` matches no host and no group
    error: --limit "@retry" selects no host of the inventory [empty-limit]
    hint: groups and hosts with `:` between them, `&` for both, `!` for not: web:&eu:!web-3
    "#);
    insta::assert_snapshot!(refused(&["--limit", "@nowhere"]).show(), @r"
    exit: 3
    ----- stderr
    unreadable-file

      × cannot read `nowhere`: No such file or directory (os error 2)

    error: 1 error in the input; nothing was done
    ");
}
