//! `switchback diff`: what a change does, between folders and between revisions.

use std::path::Path;
use std::process::Command;

use super::World;

const AS_OF: [&str; 2] = ["--as-of", "2026-11-23T12:00:00Z"];

fn git(folder: &Path, args: &[&str]) -> String {
    let out = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"])
        .args(args)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// The example as a repository: one commit with the policies of `base`, one with those of `head`.
pub(super) fn repository() -> World {
    let world = World::new();
    world.example("pull-request");
    let at = |name: &str| world.path().join(name);
    git(world.path(), &["init", "-q", "-b", "main"]);
    for side in ["base", "head"] {
        let _ = std::fs::remove_dir_all(at("policies"));
        std::fs::rename(at(side).join("policies"), at("policies")).unwrap();
        std::fs::remove_dir(at(side)).unwrap();
        git(world.path(), &["add", "policies", "inventory.yaml"]);
        git(world.path(), &["commit", "-q", "-m", side]);
    }
    world
}

fn diff<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["diff", "-i", "inventory.yaml", "-f", "findings.json"][..], &AS_OF, more].concat()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test asks its own environment")]
fn the_comment_on_the_example_is_the_one_shown() {
    let world = World::new();
    world.example("pull-request");
    let ran = world.run(&diff(&["--base", "base/policies", "--head", "head/policies", "--format", "markdown"]));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(11), ""));
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pull-request/expected.md");
    if std::env::var("SWITCHBACK_BLESS").is_ok() {
        std::fs::write(&expected, &ran.stdout).unwrap();
    }
    assert_eq!(ran.stdout, std::fs::read_to_string(expected).unwrap());
}

#[test]
fn revisions_give_the_same_as_folders_and_the_work_tree_stays_as_it_is() {
    let world = repository();
    // What is checked out must not matter.
    world.write("policies/fleet.yaml", "broken: [");
    let before = world.files();
    let ran = world.run(&diff(&["--base", "HEAD~1", "--head", "HEAD", "-p", "policies", "--format", "markdown"]));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(11), ""), "{}", ran.show());
    let expected =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pull-request/expected.md"));
    let places = |text: &str| text.replace("base/policies/", "policies/").replace("head/policies/", "policies/");
    assert_eq!(places(&ran.stdout), places(&expected.unwrap()));
    assert_eq!(world.files(), before);
    // A revision and a folder; the folder of the revision is where the folder is.
    world.write("policies/fleet.yaml", &git(world.path(), &["show", "HEAD:policies/fleet.yaml"]));
    let ran = world.run(&diff(&["--base", "main", "--head", "policies"]));
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    assert!(ran.stdout.starts_with("Nothing changes: 27 findings on 7 hosts decided as before."), "{}", ran.show());
}

#[test]
fn a_host_that_changes_its_labels_changes_what_is_decided() {
    let world = repository();
    let inventory = std::fs::read_to_string(world.path().join("inventory.yaml")).unwrap();
    world.write("inventory.yaml", &inventory.replace("groups: [db]", "groups: [payments]"));
    let ran = world.run(
        &[
            &[
                "diff",
                "-p",
                "policies",
                "--base-inventory",
                "HEAD:inventory.yaml",
                "--head-inventory",
                "inventory.yaml",
            ][..],
            &["-f", "findings.json", "--format", "json"],
            &AS_OF,
        ]
        .concat(),
    );
    assert_eq!(ran.code, Some(11), "{}", ran.show());
    let impact: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(impact["compared"], 27);
    // Whoever goes first is another now; everything else is about the one host.
    let groups: Vec<_> =
        impact["groups"].as_array().unwrap().iter().filter(|group| group["aspect"] != "wave").collect();
    let aspects: Vec<&str> = groups.iter().map(|group| group["aspect"].as_str().unwrap()).collect();
    for aspect in ["decision", "priority", "window", "approval"] {
        assert!(aspects.contains(&aspect), "{aspects:?}");
    }
    for group in groups {
        assert!(group["findings"].as_array().unwrap().iter().all(|finding| finding["host"] == "db-1"));
    }
}

#[test]
fn findings_that_come_and_go_are_told() {
    let world = repository();
    let findings = std::fs::read_to_string(world.path().join("findings.json")).unwrap();
    world.write("later.json", &findings.replace("CVE-2026-1004", "CVE-2026-2004"));
    let ran = world.run(
        &[
            &["diff", "-p", "policies", "-i", "inventory.yaml", "--base-findings", "findings.json"][..],
            &["--head-findings", "later.json"],
            &AS_OF,
        ]
        .concat(),
    );
    assert_eq!(ran.code, Some(11), "{}", ran.show());
    assert!(ran.stdout.contains("presence: not there → whitelist (4 findings on 4 hosts)"), "{}", ran.stdout);
    assert!(ran.stdout.contains("presence: whitelist → not there (4 findings on 4 hosts)"), "{}", ran.stdout);
}

#[test]
fn problems_that_a_change_brings_are_told() {
    let world = repository();
    world.write(
        "new/fleet.yaml",
        &(git(world.path(), &["show", "HEAD:policies/fleet.yaml"]).replace("groups: web", "groups: wbe")),
    );
    let ran = world.run(&diff(&["--base", "HEAD:policies", "--head", "new", "--format", "markdown"]));
    assert_eq!(ran.code, Some(11), "{}", ran.show());
    assert!(
        ran.stdout.contains("**New problems**\n\n- this rule can match no host of the inventory"),
        "{}",
        ran.stdout
    );
}

#[test]
fn what_cannot_be_compared_is_named() {
    let world = repository();
    for (args, code, word) in [
        (diff(&["--base", "nowhere", "--head", "policies"]), 3, "`nowhere` is neither a folder nor a revision of git"),
        (diff(&["--base", "--upload-pack=x", "--head", "policies"]), 2, "unexpected argument"),
        (diff(&["--base", "HEAD:nothing", "--head", "policies"]), 3, "there is no such file or folder"),
        (diff(&["--base", "HEAD"]), 2, "one version has no policies"),
        (vec!["diff", "-p", "policies", "-i", "inventory.yaml"], 2, "has no findings (-f)"),
        (diff(&["--base", "HEAD:inventory.yaml", "--head", "policies"]), 3, "the base version"),
    ] {
        let ran = world.run(&args);
        assert_eq!(ran.code, Some(code), "{args:?}\n{}", ran.show());
        assert!(ran.stderr.contains(word), "{args:?}\n{}", ran.show());
        assert_eq!(ran.stdout, "");
    }
}
