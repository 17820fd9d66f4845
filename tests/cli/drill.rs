//! `switchback drill` with a provider made of shell scripts, whose clones cannot be reached.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::World;
use super::conform::conforms;
use super::run::{MISMATCH, SILENT, replace_ssh, with_ssh};

/// Backups and clones are files with their keys, in a folder.
fn provider(dir: &str) -> Value {
    let sh = |script: &str, value: Option<&str>| {
        let argv = ["/bin/sh", "-c", script, "sh", dir].into_iter().chain(value);
        argv.map(str::to_owned).collect::<Vec<_>>()
    };
    json!({
        "kind": "exec",
        "backup": sh("echo \"$2\" >\"$1/b.key\"; echo b", Some("{key}")),
        "restore": sh("exit 75", None),
        "delete": sh("rm -f \"$1/$2.key\"", Some("{ref}")),
        "clone": sh("echo \"$2\" >\"$1/c.key\"; echo c 127.0.0.1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA", Some("{key}")),
        "destroy": sh("rm -f \"$1/$2.key\"", Some("{ref}")),
        "list": sh(
            "cd \"$1\"; for k in b.key c.key; do [ ! -e $k ] || { case $k in b*) w=backup ;; *) w=clone ;; esac\n\
             echo $w $(cat $k) ${k%.key}; }; done",
            None,
        ),
    })
}

/// Answers every request with 200.
fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // A request of one line and a few headers comes in one piece.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    port
}

/// `web-1` can be drilled, `db-1` cannot.
fn world(ssh: &str) -> World {
    let world = World::new();
    world.example("first-plan");
    replace_ssh(&world, ssh);
    std::fs::create_dir(world.path().join("held")).unwrap();
    let os = json!({"family": "suse", "name": "sles"});
    let inventory = json!({"version": 1, "hosts": {
        "web-1": {"address": "127.0.0.1", "provider": provider(world.path().join("held").to_str().unwrap())},
        "db-1": {"os": os},
    }});
    world.write("inventory.yaml", &inventory.to_string());
    let probe = format!("http: {{url: \"http://{{{{ host.address }}}}:{}/\", status: 200}}", serve());
    let policy = format!(
        "version: 1\nbackup: {{drill_within: 30d}}\nstrategy: {{default: in_place}}\n\
         verify: {{probes: [{{name: answers, match: {{hosts: [web-1]}}, {probe}}}]}}\n"
    );
    world.write("policy.yaml", &policy);
    world
}

const DRILL: [&str; 5] = ["drill", "-p", "policy.yaml", "-i", "inventory.yaml"];

fn held(world: &World) -> Vec<String> {
    let names = std::fs::read_dir(world.path().join("held")).unwrap();
    let mut names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_clone_that_does_not_answer_proves_nothing_and_is_destroyed() {
    let world = world(MISMATCH);
    let ran = world.finish(with_ssh(&world, &[&DRILL[..], &["--format", "json"]].concat()), "");
    assert_eq!(ran.code, Some(5), "{}", ran.show());
    let told = ran.json();
    conforms("drill", &told);
    let of = |host: &str| (told["hosts"][host]["outcome"].clone(), told["hosts"][host]["reasons"][0]["code"].clone());
    assert_eq!(
        (of("web-1"), of("db-1")),
        (("not_proven".into(), "clone-not-up".into()), ("cannot_drill".into(), "cannot-drill".into()))
    );
    assert_eq!(told["proven"], 0);
    assert_eq!(held(&world), Vec::<String>::new(), "neither clone nor backup is left");
    assert_eq!(world.run(&["clones"]).stdout, "no clones, backups or originals\n");

    // The plan says what to do, and what the drill has found.
    let plan = "plan -p policy.yaml -i inventory.yaml -f web-1=reports/web-1.trivy.json -o plan.json --format json";
    let planned = world.run(&plan.split(' ').collect::<Vec<_>>());
    let why = &planned.json()["blocked"]["web-1"];
    assert_eq!(why[0]["code"], "backup-not-drilled", "{}", planned.show());
    let text = why[0]["text"].as_str().unwrap();
    assert!(text.contains("found its way back broken: clone-not-up"), "{text}");
    assert!(text.ends_with("`switchback drill -p POLICIES -i INVENTORY --limit web-1` proves it"), "{text}");
}

#[test]
fn the_table_has_a_line_for_every_host() {
    let world = world(MISMATCH);
    let ran = world.finish(with_ssh(&world, &[&DRILL[..], &["--quiet"]].concat()), "");
    let stdout = ran.stdout.lines().map(|line| line.split(" Host key").next().unwrap()).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(stdout, @r"
    db-1                     no drill   a drill restores its backup to a clone, and it has no provider that could make one [cannot-drill]
    web-1                    not proven clone c: host key of web-1-clone is not one that is known: failed to connect to the remote host:
    0 of 2 hosts proven
    ");
}

#[test]
fn a_killed_drill_is_accounted_for_and_brought_to_its_end() {
    let world = world(SILENT);
    let mut controller = with_ssh(&world, &DRILL).spawn().unwrap();
    let begun = Instant::now();
    while !world.path().join("held/c.key").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "there was never a clone");
        std::thread::sleep(Duration::from_millis(50));
    }
    controller.kill().unwrap();
    controller.wait().unwrap();
    assert_eq!(held(&world), ["b.key", "c.key"]);
    let listed = world.run(&["clones"]);
    assert_eq!(listed.stdout.matches("(in use)").count(), 2, "{}", listed.show());
    let ran = world.finish(with_ssh(&world, &DRILL), "");
    assert_eq!(ran.code, Some(9), "{}", ran.show());
    assert!(ran.stderr.contains("hint: where nobody runs it any more, `switchback resume "), "{}", ran.show());

    replace_ssh(&world, MISMATCH);
    let ran = world.finish(with_ssh(&world, &["resume"]), "");

    assert_eq!(ran.code, Some(5), "{}", ran.show());
    assert_eq!(held(&world), Vec::<String>::new());
}

#[test]
fn where_nothing_can_be_drilled_nothing_is_begun() {
    let world = world(MISMATCH);
    let ran = world.run(&[&DRILL[..], &["--host", "db-1"]].concat());
    insta::assert_snapshot!(ran.show(), @r"
    exit: 5
    ----- stdout
    db-1                     no drill   a drill restores its backup to a clone, and it has no provider that could make one [cannot-drill]
    0 of 1 hosts proven
    ");
    assert!(!world.path().join(".switchback").exists());
    let ran = world.refused(3, &[&DRILL[..], &["--limit", "web-9"]].concat());
    assert!(ran.stderr.contains("selects no host") && ran.stderr.contains("[empty-limit]"), "{}", ran.show());
}
