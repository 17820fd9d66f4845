//! `switchback notify`, and campaigns that tell people.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use super::conform::conforms;
use super::run::{MISMATCH, replace_ssh, with_ssh};
use super::{Ran, World, first_plan_with};

/// A server on this machine that takes everything; its address, and the bodies it got.
fn server() -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hooks/s3cret", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(&mut stream);
            let (mut length, mut line) = (0, String::new());
            while reader.read_line(&mut line).unwrap() > 2 {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
            if sender.send(serde_json::from_slice(&body).unwrap()).is_err() {
                return;
            }
        }
    });
    (url, receiver)
}

const POLICY: &str = "version: 1\nnotify: [{webhook: {url_env: HOOK}}]\n";

/// Two hosts that cannot be reached, in a plan that tells a webhook.
fn fleet() -> World {
    let world = World::new();
    world.example("first-plan");
    world.write("policy.yaml", POLICY);
    replace_ssh(&world, MISMATCH);
    let ran = world.run(&first_plan_with("policies", "policy.yaml"));
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    world
}

fn telling(world: &World, url: &str, args: &[&str]) -> Ran {
    let mut command: Command = with_ssh(world, args);
    command.env("HOOK", url);
    let ran = world.finish(command, "");
    assert!(!ran.all().contains("s3cret"), "{}", ran.show());
    ran
}

fn told(bodies: &Receiver<Value>) -> Vec<Value> {
    let all: Vec<Value> = bodies.try_iter().collect();
    all.iter().for_each(|body| conforms("notification", body));
    all
}

fn moments(bodies: &[Value]) -> Vec<&str> {
    bodies.iter().map(|body| body["moment"].as_str().unwrap()).collect()
}

#[test]
fn a_campaign_tells_each_thing_once_however_often_it_is_taken_up() {
    let world = fleet();
    let (url, bodies) = server();
    let ran = telling(&world, &url, &["run", "plan.json"]);
    assert_eq!(ran.code, Some(7), "{}", ran.show());
    assert!(!ran.stderr.contains("notify:"), "{}", ran.show());
    let first = told(&bodies);
    assert_eq!(moments(&first), ["paused"]);
    assert!(first[0]["lines"][0].as_str().unwrap().contains("canary"), "{first:?}");
    let campaign = first[0]["campaign"].as_str().unwrap().to_owned();
    assert_eq!(world.run(&["abort", &campaign]).code, Some(0));
    let ran = telling(&world, &url, &["resume"]);
    assert_eq!(ran.code, Some(8), "{}", ran.show());
    let second = told(&bodies);
    assert_eq!(moments(&second), ["aborted", "finished"]);
    assert_eq!(second[1]["outcomes"]["untouched"], 2, "{second:?}");
    assert_eq!(telling(&world, &url, &["notify", "resend", &campaign]).code, Some(0));
    assert_eq!(told(&bodies), [Value::Null; 0]);
}

#[test]
fn a_server_that_is_down_changes_nothing_but_a_line_and_is_told_later() {
    let world = fleet();
    let nobody = TcpListener::bind("127.0.0.1:0").map(|gone| gone.local_addr().unwrap()).unwrap();
    let ran = telling(&world, &format!("http://{nobody}/s3cret"), &["run", "plan.json"]);
    assert_eq!(ran.code, Some(7), "{}", ran.show());
    assert!(ran.stderr.contains("notify: webhook ($HOOK) was not told of 1 events: "), "{}", ran.show());
    let status = world.run(&["status", "--format", "json"]).json();
    let campaign = status[0]["campaign"].as_str().unwrap();
    assert!(ran.stderr.contains(&format!("`switchback notify resend {campaign}`")), "{}", ran.show());
    let ran = world.run(&["notify", "resend", campaign]);
    assert_eq!(ran.code, Some(1), "{}", ran.show());
    assert!(ran.stderr.contains("will be told nothing: HOOK is not set in the environment"), "{}", ran.show());
    let (url, bodies) = server();
    let ran = telling(&world, &url, &["notify", "resend", campaign]);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    assert_eq!(moments(&told(&bodies)), ["paused"]);
}

#[test]
fn targets_can_be_tried_before_they_are_needed() {
    let world = World::new();
    world.write(
        "policy.yaml",
        "version: 1\nnotify:\n  - {webhook: {url_env: HOOK, template: '{\"text\": {{ title }}}'}, on: [stuck, finished]}\n  \
         - {command: {run: [\"false\"]}, on: paused}\n  \
         - {smtp: {server: localhost, tls: none, from: a@example.com, to: b@example.com}, on: paused}\n",
    );
    let ran = world.run(&["notify", "test", "-p", "policy.yaml", "--dry-run", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    let tried = ran.json();
    assert_eq!(tried[2]["would_send"], "{\"text\": \"This is a test of notifications\"}");
    assert_eq!(tried[2]["problem"], "HOOK is not set in the environment");
    assert!(tried[0]["would_send"].as_str().unwrap().contains("Subject: [switchback] This is a test"), "{tried}");
    let body: Value = serde_json::from_str(tried[1]["would_send"].as_str().unwrap()).unwrap();
    conforms("notification", &body);
    assert_eq!(body["test"], true);
    let (url, bodies) = server();
    world.write("policy.yaml", "version: 1\nnotify:\n  - {webhook: {url_env: HOOK}, on: [stuck, finished]}\n  - {command: {run: [\"false\"]}, on: paused}\n");
    let ran = telling(&world, &url, &["notify", "test", "-p", "policy.yaml"]);
    insta::assert_snapshot!(ran.show(), @r"
    exit: 1
    ----- stdout
    command (false) [paused] PROBLEM: it exited with 1
    webhook ($HOOK) [stuck finished] was told
    ");
    assert_eq!(told(&bodies).len(), 1);
}

#[test]
fn a_policy_names_one_target_an_entry_and_no_secret() {
    let world = World::new();
    for (entry, said) in [
        ("{on: stuck}", "tells nobody"),
        ("{slack: {url_env: A}, teams: {url_env: B}}", "has one target"),
        ("{slack: {}}", "one of `url_env` and `url_file`"),
        ("{slack: {url_env: \"https://hooks.example/s3cret\"}}", "names no variable"),
        ("{webhook: {url_env: A, template: \"{{ titel }}\"}}", "gives no JSON"),
        ("{webhook: {url_env: A, headers_env: {Host: B}}}", "no header to be set here"),
        ("{smtp: {server: mail.example.com, tls: none, from: a@b, to: c@d}}", "without encryption"),
        ("{smtp: {server: mail.example.com, from: \"a@b\\r\\nBcc: x@y\", to: c@d}}", "no address"),
        ("{smtp: {server: mail.example.com, password_env: A, from: a@b, to: c@d}}", "without a `user`"),
        ("{command: {run: []}}", "names no program"),
    ] {
        world.write("policy.yaml", &format!("version: 1\nnotify: [{entry}]\n"));
        let ran = world.run(&["check", "-p", "policy.yaml"]);
        assert_eq!(ran.code, Some(3), "{entry}: {}", ran.show());
        assert!(ran.all().contains(said), "{entry}: {}", ran.show());
    }
}
