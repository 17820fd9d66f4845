//! `switchback approve` and `approvals` with real keys, and what does not count as an approval.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::SignedDuration;
use switchback::evidence::{APPROVAL_NAMESPACE, Asking, SigningKey, Statement, StatementKind, sign, write_statement};
use switchback::model::{Principal, Ticket, TimeSpan};
use switchback::plan::{Plan, PlanId, read_plan, write_plan};

use super::run::{MISMATCH, replace_ssh, with_ssh};
use super::{World, first_plan_with};

const POLICY: &str = "version: 1
scope: {fix: [critical, high, medium]}
backup: {required: true}
approvals:
  - {match: {hosts: [web-1, web-2]}, required: 2, from: approvers, not_author: true, valid_for: 72h}
";

/// A world with a plan by dora that alice, bob and carol may approve; carol has two keys, mallory is nobody.
fn world(policy: &str) -> World {
    let world = World::new();
    world.example("first-plan");
    std::fs::remove_dir_all(world.path().join("policies")).unwrap();
    world.write("policies/policy.yaml", policy);
    let mut lines = String::from("# who may approve\n");
    for (name, file) in [("alice", "alice"), ("bob", "bob"), ("carol", "carol"), ("carol", "carol2"), ("dora", "dora")]
    {
        let public = new_key(&world, file);
        lines.push_str(&format!("{name}@example.com namespaces=\"switchback-*\" {public}\n"));
    }
    new_key(&world, "mallory");
    world.write("policies/approvers", &lines);
    replan(&world);
    world
}

fn new_key(world: &World, name: &str) -> String {
    let file = world.path().join(name);
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
        .arg(&file)
        .status()
        .unwrap();
    assert!(made.success());
    std::fs::read_to_string(file.with_extension("pub")).unwrap().trim().to_owned()
}

fn replan(world: &World) {
    let mut args = first_plan_with("policies", "policies");
    args.extend(["--author", "dora@corp.example", "--ticket", "CHG0012"]);
    let ran = world.run(&args);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
}

fn plan(world: &World) -> (PlanId, Plan) {
    read_plan(std::fs::File::open(world.path().join("plan.json")).unwrap()).unwrap()
}

fn folder(world: &World) -> PathBuf {
    world.path().join("plan.json.approvals")
}

fn approve(world: &World, key: &str, more: &[&str]) -> String {
    let ran = world.run(&[&["approve", "plan.json", "--yes", "--key", key], more].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    ran.all()
}

/// How the plan stands, and the codes of what does not count.
fn stands(world: &World) -> (bool, Vec<String>) {
    let ran = world.run(&["approvals", "plan.json", "--format", "json"]);
    let json = ran.json();
    let complete = json["complete"].as_bool().unwrap();
    assert_eq!(ran.code, Some(if complete { 0 } else { 4 }), "{}", ran.show());
    super::conform::conforms("approvals", &json);
    let void = json["void"].as_array().unwrap().iter();
    let mut codes: Vec<String> = void.map(|void| void["reason"]["code"].as_str().unwrap().to_owned()).collect();
    codes.sort();
    codes.dedup();
    (complete, codes)
}

fn codes(list: &[&str]) -> Vec<String> {
    list.iter().map(|&code| code.to_owned()).collect()
}

/// A statement as somebody could write it by hand.
fn forge(world: &World, by: &str, key: &str, namespace: &str, change: impl FnOnce(&mut Statement)) -> PathBuf {
    let (id, plan) = plan(world);
    let now = switchback::env::now();
    let by = Principal::new(by).unwrap();
    let until = TimeSpan::hours(72).after(now);
    let mut statement = Statement::new(StatementKind::Approve, (id, &plan), by, plan.hosts.keys(), (now, until));
    change(&mut statement);
    let key = SigningKey::file(&world.path().join(key));
    let signature = sign(&key, namespace, statement.to_text().as_bytes(), Asking::Nobody).unwrap();
    write_statement(&folder(world), &statement, &signature).unwrap()
}

fn clear(world: &World) {
    let _ = std::fs::remove_dir_all(folder(world));
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    files.sort();
    files
}

#[test]
fn two_people_approve_and_then_the_plan_runs() {
    let world = world(POLICY);
    let ran = world.refused(4, &["run", "plan.json"]);
    assert!(ran.stderr.contains("[approval-missing]"), "{}", ran.show());
    let hint = "approvals/1 wants 2 approvals of approvers for 2 hosts: missing for web-1, web-2";
    assert!(ran.stderr.contains(hint), "{}", ran.show());
    let dry = approve(&world, "alice", &["--dry-run"]);
    assert!(dry.contains("\"kind\":\"approve\"") && !folder(&world).exists(), "{dry}");
    let said = approve(&world, "alice", &["--comment", "seen in CAB"]);
    assert!(said.contains("alice@example.com approves 2 hosts"), "{said}");
    assert_eq!(stands(&world), (false, vec![]));
    assert!(approve(&world, "alice", &[]).contains("has approved all of it already"));
    let said = approve(&world, "bob", &[]);
    assert!(said.contains("is approved"), "{said}");
    assert_eq!(stands(&world), (true, vec![]));

    // The same command that any auditor has.
    for file in files(&folder(&world)) {
        let text = std::fs::read_to_string(&file).unwrap();
        let by = Statement::parse(&text).unwrap().principal;
        let verified = Command::new("ssh-keygen")
            .args(["-Y", "verify", "-f", "policies/approvers", "-I", by.as_str(), "-n", APPROVAL_NAMESPACE, "-s"])
            .arg(format!("{}.sig", file.display()))
            .current_dir(world.path())
            .stdin(std::fs::File::open(&file).unwrap())
            .output()
            .unwrap();
        assert!(verified.status.success(), "{verified:?}");
    }

    replace_ssh(&world, MISMATCH);
    let ran = world.finish(with_ssh(&world, &["run", "plan.json"]), "");
    assert!(ran.stderr.contains("2 hosts approved by alice@example.com"), "{}", ran.show());
    assert!(ran.stderr.contains("2 hosts approved by bob@example.com"), "{}", ran.show());
    let mut journal = switchback::store::SqliteJournal::open(&world.path().join(".switchback")).unwrap();
    use switchback::store::Journal as _;
    let campaign = journal.campaigns().unwrap().remove(0).id;
    let kept = journal.approvals(&campaign).unwrap();
    let texts: Vec<String> = files(&folder(&world)).iter().map(|f| std::fs::read_to_string(f).unwrap()).collect();
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|signed| texts.contains(&signed.text)));
}

#[test]
fn a_plan_that_does_not_ask_people_what_its_policy_asks_is_not_run() {
    let world = world(&format!("{POLICY}change: {{required: true}}\n"));
    let mallory = std::fs::read_to_string(world.path().join("mallory.pub")).unwrap();
    world.write("mine", &format!("m1@example.com {mallory}m2@example.com {mallory}"));
    let (_, good) = plan(&world);
    let ran = world.refused(4, &["run", "plan.json"]);
    assert!(ran.stderr.contains("[approval-missing]"), "{}", ran.show());
    for (change, code) in [
        (
            (|plan| {
                plan.approvals.clear();
                plan.signers.clear();
                plan.change = None;
            }) as fn(&mut Plan),
            "plan-not-as-policy",
        ),
        (|plan| plan.approvals[0].required = 1, "plan-not-as-policy"),
        (|plan| drop(plan.approvals[0].hosts.pop()), "plan-not-as-policy"),
        (|plan| plan.approvals[0].not_author = false, "plan-not-as-policy"),
        (|plan| plan.approvals[0].valid_for = TimeSpan::days(300), "plan-not-as-policy"),
        (|plan| plan.change = None, "plan-not-as-policy"),
        // Whoever may approve is named by somebody else.
        (
            |plan| {
                let text = std::mem::take(&mut plan.signers).into_values().next().unwrap();
                plan.signers.insert("mine".to_owned(), text);
                plan.approvals[0].signers = Some("mine".to_owned());
            },
            "plan-not-as-policy",
        ),
        // Rules of the policy are for hosts as the inventory has them.
        (
            |plan| {
                let host = plan.hosts_mut().next().unwrap();
                host.host.labels.insert("env".to_owned(), "test".to_owned());
            },
            "plan-not-as-policy",
        ),
        (
            |plan| {
                let os = plan.hosts_mut().next().unwrap().host.os.as_mut().unwrap();
                os.family = "redhat".to_owned();
            },
            "plan-not-as-policy",
        ),
        (|plan| drop(plan.inputs.remove("policies")), "plan-input-missing"),
        (|plan| drop(plan.inputs.remove("inventory")), "plan-input-missing"),
    ] {
        let mut bad = good.clone();
        change(&mut bad);
        write_plan(&bad, std::fs::File::create(world.path().join("plan.json")).unwrap()).unwrap();
        let ran = world.refused(4, &["run", "plan.json"]);
        assert!(ran.stderr.contains(&format!("[{code}]")), "{}", ran.show());
        let asks_less = bad.approvals != good.approvals || bad.change != good.change;
        let ran = world.run(&["approvals", "plan.json"]);
        assert_eq!(ran.code, Some(4), "{}", ran.show());
        assert_eq!(ran.stderr.contains("[plan-not-as-policy]"), asks_less, "{}", ran.show());
    }
    let mut bad = good.clone();
    bad.ticket = None;
    write_plan(&bad, std::fs::File::create(world.path().join("plan.json")).unwrap()).unwrap();
    let ran = world.refused(4, &["approvals", "plan.json"]);
    assert!(ran.stderr.contains("[ticket-missing]"), "{}", ran.show());
    // Where the policies are named by another path, they say the same.
    write_plan(&good, std::fs::File::create(world.path().join("plan.json")).unwrap()).unwrap();
    for policies in ["./policies", "policies/policy.yaml"] {
        let ran = world.refused(4, &["run", "plan.json", "-p", policies]);
        assert!(ran.stderr.contains("[approval-missing]"), "{}", ran.show());
    }
}

#[test]
fn nobody_signs_what_they_have_not_seen() {
    let world = world(POLICY);
    let (id, _) = plan(&world);
    let ran = world.refused(2, &["approve", "plan.json", "--key", "alice"]);
    assert!(ran.stderr.contains("there is nobody to ask; nothing was signed"), "{}", ran.show());
    assert!(ran.stderr.contains(&format!("plan {id} by dora@corp.example, ticket CHG0012")), "{}", ran.show());
    let dry = world.run(&["approve", "plan.json", "--key", "alice", "--revoke", "--dry-run"]);
    assert!(!dry.stderr.contains("good until "), "{}", dry.show());
    assert!(ran.stderr.contains("openssl 3.0.") && ran.stderr.contains("good until "), "{}", ran.show());
    let digest = id.to_string();
    let other = if digest.starts_with('0') { "1" } else { "0" }.repeat(12);
    let ran = world.refused(4, &["approve", "plan.json", "--key", "alice", "--plan-digest", &other]);
    assert!(ran.stderr.contains("[other-plan]"), "{}", ran.show());
    world.refused(2, &["approve", "plan.json", "--key", "alice", "--plan-digest", &digest[..3]]);
    world.refused(2, &["approve", "plan.json", "--key", "alice", "--yes", "--ticket", "CHG0099"]);
    let ran = world.run(&["approve", "plan.json", "--key", "alice", "--plan-digest", &digest[..12]]);
    assert!(ran.code == Some(0) && files(&folder(&world)).len() == 1, "{}", ran.show());

    // At a terminal, which `script` is, whoever sits there is asked.
    let answers = |answer: &str, code: i32| {
        let program = world.command(&["approve", "plan.json", "--key", "bob"]);
        let line: Vec<&str> =
            std::iter::once(program.get_program()).chain(program.get_args()).map(|arg| arg.to_str().unwrap()).collect();
        let mut terminal = Command::new("script");
        terminal.args(["-qec", &line.join(" "), "/dev/null"]).current_dir(world.path()).env("HOME", world.path());
        terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let ran = world.finish(terminal, answer);
        assert!(ran.code == Some(code) && ran.stdout.contains("sign this? [y/N]"), "{}", ran.show());
        files(&folder(&world)).len()
    };
    assert_eq!(answers("n\n", 1), 1);
    assert_eq!(answers("\n", 1), 1);
    assert_eq!(answers("y\n", 0), 2);
}

#[test]
fn a_host_is_done_only_when_every_rule_has_an_approval_that_is_good() {
    let short = "  - {match: {hosts: [web-1]}, required: 1, from: approvers, valid_for: 4h}\n";
    let world = world(&format!("{POLICY}{short}"));
    forge(&world, "alice@example.com", "alice", APPROVAL_NAMESPACE, |statement| {
        statement.signed_at -= SignedDuration::from_hours(5);
    });
    let said = approve(&world, "alice", &[]);
    assert!(said.contains("alice@example.com approves 1 host:") && said.contains("web-1"), "{said}");
    assert!(approve(&world, "alice", &[]).contains("has approved all of it already"));
}

#[test]
fn what_is_no_file_is_told_and_does_not_block() {
    let world = world(POLICY);
    approve(&world, "alice", &[]);
    let signature = format!("{}.sig", files(&folder(&world))[0].display());
    std::fs::remove_file(&signature).unwrap();
    assert!(Command::new("mkfifo").arg(&signature).status().unwrap().success());
    let ran = world.run(&["approvals", "plan.json"]);
    assert!(ran.code == Some(1) && ran.stderr.contains(".sig: no plain file"), "{}", ran.show());
}

#[test]
fn a_new_plan_keeps_the_approvals_of_hosts_that_did_not_change() {
    let world = world(POLICY);
    approve(&world, "alice", &[]);
    approve(&world, "bob", &[]);
    let inventory = std::fs::read_to_string(world.path().join("inventory.yaml")).unwrap();
    world.write("inventory.yaml", &inventory.replace("10.0.0.12", "10.0.0.22"));
    replan(&world);
    assert_eq!(stands(&world), (false, codes(&["plan-changed"])));
    let ran = world.run(&["approvals", "plan.json"]);
    assert!(ran.stdout.contains("missing for web-2"), "{}", ran.show());
    let said = approve(&world, "bob", &[]);
    assert!(said.contains("bob@example.com approves 1 host:"), "{said}");
    assert!(said.contains("web-2") && said.contains("what is planned has changed: host"), "{said}");
    assert!(!said.contains("web-1:"), "{said}");
    approve(&world, "carol", &[]);
    // Alice for web-1 only; carol for both.
    assert!(stands(&world).0);
}

#[test]
fn who_may_not_approve_does_not_count() {
    let world = world(POLICY);
    let refused = |key: &str, more: &[&str], code: &str| {
        let ran = world.run(&[&["approve", "plan.json", "--yes", "--key", key], more].concat());
        assert_eq!(ran.code, Some(4), "{}", ran.show());
        assert!(ran.stderr.contains(code), "{}", ran.show());
        assert!(!folder(&world).exists());
    };
    refused("mallory", &[], "[not-an-approver]");
    refused("dora", &[], "[approver-is-author]");
    let ran = world.run(&["approve", "plan.json", "--yes", "--key", "alice", "--as", "bob@example.com"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("[not-an-approver]"), "{}", ran.show());

    approve(&world, "bob", &[]);
    for (by, key, code) in [
        ("alice@example.com", "mallory", "not-an-approver"),
        ("alice@example.com", "bob", "not-an-approver"),
        ("mallory@example.com", "mallory", "not-an-approver"),
        ("dora@example.com", "dora", "author"),
    ] {
        let forged = forge(&world, by, key, APPROVAL_NAMESPACE, |_| {});
        assert_eq!(stands(&world), (false, codes(&[code])), "{by} {key}");
        std::fs::remove_file(forged).unwrap();
    }
    // Bob again, and carol with both of her keys: two people, and carol alone is one.
    forge(&world, "bob@example.com", "bob", APPROVAL_NAMESPACE, |statement| {
        statement.comment = Some("again".to_owned())
    });
    assert_eq!(stands(&world), (false, vec![]));
    clear(&world);
    approve(&world, "carol", &[]);
    approve(&world, "carol2", &["--renew"]);
    assert_eq!(stands(&world), (false, vec![]));
    assert_eq!(files(&folder(&world)).len(), 2);
    approve(&world, "bob", &[]);
    assert!(stands(&world).0);
}

#[test]
fn what_was_signed_for_something_else_does_not_count() {
    let world = world(POLICY);
    approve(&world, "bob", &[]);
    let hour = SignedDuration::from_hours(1);
    let voids = |code: &str, forge: &dyn Fn() -> PathBuf| {
        let file = forge();
        assert_eq!(stands(&world), (false, codes(&[code])));
        std::fs::remove_file(file).unwrap();
    };
    let alice = |change: &dyn Fn(&mut Statement)| {
        forge(&world, "alice@example.com", "alice", APPROVAL_NAMESPACE, |statement| change(statement))
    };
    voids("bad-signature", &|| forge(&world, "alice@example.com", "alice", "git", |_| {}));
    voids("signed-in-future", &|| alice(&|statement| statement.signed_at += hour));
    voids("expired", &|| alice(&|statement| statement.valid_until = statement.signed_at));
    voids("other-ticket", &|| alice(&|statement| statement.ticket = Some(Ticket::new("CHG0099").unwrap())));
    // Whatever the statement says, the rule ends it.
    voids("expired", &|| {
        alice(&|statement| {
            statement.signed_at -= hour * 73;
            statement.valid_until += hour * 1000;
        })
    });
    // Of another plan: the replayed statement has other sub-plans.
    voids("plan-changed", &|| {
        alice(&|statement| {
            for host in statement.hosts.values_mut() {
                host.sub_plan.digest = switchback::model::Digest::of(b"another plan");
            }
        })
    });
    // A byte changed, and the signature of another statement.
    voids("bad-signature", &|| {
        let file = alice(&|statement| statement.comment = Some("yes".to_owned()));
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("\"yes\"", "\"yet\"")).unwrap();
        file
    });
    voids("bad-signature", &|| {
        let file = alice(&|_| {});
        let bobs = files(&folder(&world)).into_iter().find(|other| *other != file).unwrap();
        std::fs::copy(format!("{}.sig", bobs.display()), format!("{}.sig", file.display())).unwrap();
        file
    });
    voids("unsigned", &|| {
        let file = alice(&|_| {});
        std::fs::remove_file(format!("{}.sig", file.display())).unwrap();
        file
    });
    voids("invalid-statement", &|| {
        let file = alice(&|_| {});
        std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + " ").unwrap();
        file
    });
    alice(&|_| {});
    assert!(stands(&world).0);
}

#[test]
fn what_is_taken_back_does_not_count_and_can_be_given_again() {
    let world = world(POLICY);
    approve(&world, "alice", &[]);
    approve(&world, "bob", &[]);
    // Mallory cannot take back what alice has signed.
    let forged = forge(&world, "alice@example.com", "mallory", APPROVAL_NAMESPACE, |statement| {
        statement.kind = StatementKind::Revoke;
    });
    assert_eq!(stands(&world), (true, codes(&["not-an-approver"])));
    std::fs::remove_file(forged).unwrap();
    // Nor can she herself take back what she will sign until the end of days.
    let forged = forge(&world, "alice@example.com", "alice", APPROVAL_NAMESPACE, |statement| {
        statement.kind = StatementKind::Revoke;
        statement.signed_at += SignedDuration::from_hours(24 * 365 * 70);
    });
    assert_eq!(stands(&world), (true, codes(&["signed-in-future"])));
    std::fs::remove_file(forged).unwrap();
    let said = approve(&world, "alice", &["--revoke", "--host", "web-1"]);
    assert!(said.contains("revokes what was signed of 1 host"), "{said}");
    assert_eq!(stands(&world), (false, codes(&["revoked"])));
    let said = approve(&world, "alice", &[]);
    assert!(said.contains("alice@example.com approves 1 host"), "{said}");
    assert!(stands(&world).0);

    // Whoever leaves the file of approvers stops counting without a new plan; whoever is added needs one.
    let approvers = std::fs::read_to_string(world.path().join("policies/approvers")).unwrap();
    let without: String = approvers.lines().filter(|line| !line.starts_with("bob")).map(|l| format!("{l}\n")).collect();
    let mallory = std::fs::read_to_string(world.path().join("mallory.pub")).unwrap();
    world.write("policies/approvers", &format!("{without}mallory@example.com {mallory}"));
    forge(&world, "mallory@example.com", "mallory", APPROVAL_NAMESPACE, |_| {});
    assert_eq!(stands(&world), (false, codes(&["approver-added-later", "no-approver-any-more", "revoked"])));
    let ran = world.run(&["run", "plan.json"]);
    assert!(ran.code == Some(4) && ran.stderr.contains("[approval-missing]"), "{}", ran.show());
    replan(&world);
    assert!(stands(&world).0, "the new plan has mallory, and nothing else has changed");
    std::fs::remove_file(world.path().join("policies/approvers")).unwrap();
    let ran = world.run(&["run", "plan.json"]);
    assert!(ran.code == Some(4) && ran.stderr.contains("[approvers-missing]"), "{}", ran.show());
    // Policies may lie elsewhere when the plan is run.
    world.write("moved/approvers", &approvers);
    world.write("moved/policy.yaml", POLICY);
    let ran = world.run(&["approvals", "plan.json", "-p", "moved"]);
    assert!(ran.stdout.contains("approver") && ran.code == Some(4), "{}", ran.show());
    // Where they are named, the old file does not count any more.
    world.write("policies/approvers", &approvers);
    world.write("emptied/policy.yaml", POLICY);
    for policies in ["emptied", "emptied/policy.yaml"] {
        let ran = world.run(&["approvals", "plan.json", "-p", policies]);
        assert!(ran.code == Some(4) && ran.stderr.contains("[approvers-missing]"), "{}", ran.show());
        assert!(ran.stderr.contains("emptied/approvers"), "{}", ran.show());
    }
    for policies in ["./policies", "policies/../policies", "policies/policy.yaml"] {
        assert_eq!(world.run(&["approvals", "plan.json", "-p", policies]).stderr, "", "{policies}");
    }
}

#[test]
fn a_host_without_a_backup_needs_a_word_of_its_own() {
    let world = world(&POLICY.replace("required: true", "required: false"));
    let inventory = std::fs::read_to_string(world.path().join("inventory.yaml")).unwrap();
    let bare = inventory.lines().filter(|line| !line.trim_start().starts_with("provider:"));
    world.write("inventory.yaml", &bare.map(|line| format!("{line}\n")).collect::<String>());
    replan(&world);
    approve(&world, "alice", &[]);
    approve(&world, "bob", &[]);
    let ran = world.run(&["approvals", "plan.json"]);
    assert!(ran.code == Some(4) && ran.stdout.contains("there is no backup of web-1, web-2"), "{}", ran.show());
    // One for both is none.
    let both = forge(&world, "carol@example.com", "carol", APPROVAL_NAMESPACE, |statement| {
        statement.kind = StatementKind::WithoutBackup;
    });
    assert_eq!(stands(&world), (false, codes(&["not-one-host"])));
    std::fs::remove_file(both).unwrap();
    approve(&world, "carol", &["--without-backup", "web-1"]);
    assert!(!stands(&world).0);
    let said = approve(&world, "alice", &["--without-backup", "web-2"]);
    assert!(said.contains("alice@example.com accepts that there is no backup of 1 host"), "{said}");
    assert!(stands(&world).0);
}

#[test]
fn whoever_keeps_tickets_is_asked_before_every_run() {
    let change = "change: {required: true, check: {command: [./ticket, \"{ticket}\", \"{plan}\"]}}\n";
    let world = world(&format!("version: 1\n{change}"));
    let (id, _) = plan(&world);
    let shown = world.run(&["show", "plan.json", "--format", "change"]).stdout;
    assert!(shown.starts_with("# CHG0012: Fixes ") && shown.contains("| web-2 | "), "{shown}");
    let request = world.run(&["show", "plan.json", "--format", "change-json"]).json();
    super::conform::conforms("change-request", &request);
    assert_eq!((&request["ticket"], &request["plan"]), (&"CHG0012".into(), &id.to_string().into()));
    world.write("ticket", "#!/bin/sh\necho \"$1 $2\" > asked\necho 'frozen until Monday'\nexit 1\n");
    let script = world.path().join("ticket");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let ran = world.run(&["run", "plan.json"]);
    assert_eq!(ran.code, Some(4), "{}", ran.show());
    assert!(ran.stderr.contains("ticket CHG0012 may not go on: frozen until Monday (exit code 1)"), "{}", ran.show());
    assert_eq!(std::fs::read_to_string(world.path().join("asked")).unwrap(), format!("CHG0012 {id}\n"));
    assert!(!world.path().join(".switchback").join("journal.db").exists());

    // Whoever is asked takes their time: what is revoked meanwhile does not count.
    let rule = "approvals:\n  - {match: all, required: 1, from: approvers}\n";
    world.write("policies/policy.yaml", &format!("version: 1\n{change}{rule}"));
    replan(&world);
    approve(&world, "alice", &[]);
    approve(&world, "alice", &["--revoke"]);
    let revocation = files(&folder(&world)).into_iter().find(|file| file.to_string_lossy().contains("-revoke-"));
    let revocation = revocation.unwrap();
    for name in [format!("{}.sig", revocation.display()), revocation.display().to_string()] {
        let aside = world.path().join(Path::new(&name).file_name().unwrap());
        std::fs::rename(&name, aside).unwrap();
    }
    assert!(stands(&world).0);
    world.write("ticket", "#!/bin/sh\nmv *-revoke-*.json *-revoke-*.json.sig plan.json.approvals/\n");
    let ran = world.run(&["run", "plan.json"]);
    assert!(ran.code == Some(4) && ran.stderr.contains("[approval-missing]"), "{}", ran.show());
    world.write("policies/policy.yaml", &format!("version: 1\n{change}"));

    let ran = world.run(&first_plan_with("policies", "policies"));
    assert!(ran.code == Some(0) && ran.stderr.contains("[ticket-missing]"), "{}", ran.show());
    let ran = world.run(&["run", "plan.json"]);
    assert!(ran.code == Some(4) && ran.stderr.contains("[ticket-missing]"), "{}", ran.show());
}

#[test]
fn a_campaign_that_goes_on_judges_its_approvals_again() {
    let world = world(POLICY);
    approve(&world, "alice", &[]);
    approve(&world, "bob", &[]);
    // The canary cannot be reached, so the campaign is paused before web-2.
    let policy = format!("{POLICY}rollout: {{canary: {{hosts: 1, soak: 0s}}}}\n");
    world.write("policies/policy.yaml", &policy);
    replan(&world);
    assert!(stands(&world).0, "waves are nobody's sub-plan");
    replace_ssh(&world, MISMATCH);
    let ran = world.finish(with_ssh(&world, &["run", "plan.json"]), "");
    assert_eq!(ran.code, Some(7), "{}", ran.show());
    approve(&world, "alice", &["--revoke"]);
    let ran = world.finish(with_ssh(&world, &["resume", "--approvals", "plan.json.approvals"]), "");
    assert_eq!(ran.code, Some(5), "{}", ran.show());
    assert!(ran.stderr.contains("does not count any more"), "{}", ran.show());
    assert!(ran.stderr.contains("web-2 ended as untouched: it does not have the 2 approvals"), "{}", ran.show());
}
