//! Targets against servers that fail, dawdle, are down or listen to everything.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::bodies;
use super::courier::Patience;
use super::message::{self, compose, notice};
use super::send::deliver_to_rest;
use super::*;
use crate::engine::{Chain, Gate, GateVerdict, Record, RecordBody};
use crate::model::{
    CampaignId, Digest, HostName, HostOutcome, Moment, Notification, Notify, NotifyTarget, SecretSource, SmtpTarget,
    SmtpTls, StepId, TimeSpan,
};
use crate::plan::{Plan, Reason};

const QUICK: Patience = Patience {
    fold: Duration::from_millis(200),
    once: Duration::from_secs(5),
    pause: Duration::from_millis(50),
    longest: Duration::from_millis(200),
    give_up: Duration::from_secs(20),
};

fn campaign() -> CampaignId {
    CampaignId::new("c-1").unwrap()
}

fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

/// A plan that tells these targets of everything.
fn plan(targets: &[NotifyTarget]) -> Arc<Plan> {
    let mut plan: Plan = serde_json::from_value(json!({
        "format": crate::plan::PLAN_FORMAT, "made_by": "test", "as_of": "2026-11-23T06:00:00Z", "seed": 0,
        "tzdata": "test", "inputs": {},
        "rollout": {"waves": [{"name": "canary", "hosts": ["web-1"], "soak": "1m"}], "groups": {},
            "failure_budget": 1, "concurrency": 1, "margin": "5m"},
        "windows": {}, "hosts": {}, "scripts": {},
        "report": {"findings": 0, "decided": {}, "decisions": [], "blocked": {}, "notes": []}
    }))
    .unwrap();
    let on = [Moment::Started, Moment::WaveEnded, Moment::Resumed].into_iter().chain(Moment::QUIET);
    plan.notify = targets.iter().map(|to| Notify { on: on.clone().collect(), to: to.clone() }).collect();
    Arc::new(plan)
}

/// What a host said that wants to be more than text.
const HOSTILE: &str =
    "</b> <!channel> @channel @all [click](https://evil.example) **x** ``` <at>all</at> \"}]\r\nBcc: x@y \u{1b}[31m";

fn records() -> Vec<Record> {
    let mut chain = Chain::new(campaign(), Digest::of(b"plan"));
    let at = Timestamp::from_second(1_795_000_000).unwrap();
    let ended = |name: &str, outcome| RecordBody::HostEnded {
        host: host(name),
        outcome,
        reason: Some(Reason::new("service-down", format!("nginx is down: {HOSTILE}"))),
    };
    [
        RecordBody::CampaignStarted { format: 1, plan: Digest::of(b"plan"), operator: "ann".into() },
        RecordBody::WaveStarted { wave: 0 },
        RecordBody::WaveEnded { wave: 0 },
        ended("web-1", HostOutcome::Restored),
        ended("web-2", HostOutcome::SwitchedBack),
        ended("web-3", HostOutcome::Stuck),
        ended("web-4", HostOutcome::Fixed),
        RecordBody::Gate {
            host: host("web-5"),
            step: StepId::of(&host("web-5"), "fix"),
            verdict: GateVerdict::Closed { gate: Gate::Window, why: "its windows are over".into() },
        },
        RecordBody::Overrun { host: host("web-6"), window_end: at },
        RecordBody::Paused { by: "failure_budget".into(), reason: Reason::new("failure-budget", HOSTILE) },
        RecordBody::Resumed { by: "ann".into() },
        RecordBody::Aborted { by: "ann".into(), reason: Reason::new("asked", "enough") },
        RecordBody::CampaignEnded { outcomes: BTreeMap::from([(HostOutcome::Fixed, 1), (HostOutcome::Stuck, 1)]) },
    ]
    .into_iter()
    .map(|body| chain.push(at, body))
    .collect()
}

fn told(records: &[Record]) -> Vec<Notification> {
    let plan = plan(&[]);
    records.iter().filter_map(|record| compose(&campaign(), &[notice(record, &plan)?])).collect()
}

fn stuck() -> Notification {
    told(&records()).into_iter().find(|told| told.moment == Moment::Stuck).unwrap()
}

/// A request as a server saw it.
struct Asked {
    head: String,
    body: String,
}

fn read_request(stream: &mut TcpStream) -> Asked {
    let mut reader = BufReader::new(stream);
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line).unwrap() > 2 {
        head.push_str(&line);
        line.clear();
    }
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    Asked { head, body: String::from_utf8(body).unwrap() }
}

/// A server on this machine that gives these answers, the last for ever; and what it was asked.
fn server(answers: &'static [&'static str]) -> (String, Receiver<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hooks/s3cret", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut answers = answers.iter();
        let mut answer = answers.next().unwrap();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let asked = read_request(&mut stream);
            let status = answer;
            answer = answers.next().unwrap_or(answer);
            let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            if sender.send(asked).is_err() {
                return;
            }
        }
    });
    (url, receiver)
}

/// Secrets come by file in tests: nobody may set the environment of a process with threads.
fn secret(dir: &Path, name: &str, text: &str) -> SecretSource {
    let path = dir.join(name);
    std::fs::write(&path, format!("{text}\n")).unwrap();
    SecretSource::File(path.display().to_string())
}

fn hook(url: SecretSource) -> NotifyTarget {
    NotifyTarget::Webhook { url, template: None, headers: BTreeMap::new() }
}

fn bodies_of(asked: &Receiver<Asked>, count: usize) -> Vec<Value> {
    (0..count)
        .map(|_| serde_json::from_str(&asked.recv_timeout(Duration::from_secs(20)).unwrap().body).unwrap())
        .collect()
}

#[test]
fn each_record_that_matters_is_told_in_our_words() {
    let titles: Vec<String> = told(&records()).into_iter().map(|told| told.title).collect();
    insta::assert_snapshot!(titles.join("\n"), @r"
    Campaign c-1: has started: 0 hosts in 1 waves
    Campaign c-1: canary has ended
    Campaign c-1: web-1 went back
    Campaign c-1: web-2 went back
    Campaign c-1: web-3 is stuck and needs a person
    Campaign c-1: no window is left for web-5
    Campaign c-1: web-6 went on past the end of the window
    Campaign c-1: is paused
    Campaign c-1: goes on
    Campaign c-1: is aborted
    Campaign c-1: has ended: 1 fixed, 1 stuck
    ");
}

#[test]
fn a_server_that_fails_twice_is_told_at_the_third_try_and_never_again() {
    let dir = tempfile::tempdir().unwrap();
    let (url, asked) = server(&["500 Oops", "429 Slow\r\nretry-after: 0", "204 Fine"]);
    let plan = plan(&[hook(secret(dir.path(), "url", &url))]);
    let start = || Notifier::with_patience(&plan, &campaign(), dir.path(), QUICK);
    let (mut notifier, problems) = start();
    assert_eq!(problems, [""; 0]);
    let all = records();
    notifier.record(&all[0]);
    let bodies = bodies_of(&asked, 3);
    assert!(bodies.iter().all(|body| *body == bodies[0] && body["moment"] == "started"), "{bodies:?}");
    all[1..].iter().for_each(|record| notifier.record(record));
    assert_eq!(notifier.finish(Duration::from_secs(10)), [""; 0]);
    // Two hosts went back within a moment: one message.
    let bodies = bodies_of(&asked, 9);
    let moments: Vec<&str> = bodies.iter().map(|body| body["moment"].as_str().unwrap()).collect();
    insta::assert_snapshot!(moments.join(" "), @"wave_ended went_back stuck window_closed overrun paused resumed aborted finished");
    assert_eq!(
        (&bodies[1]["hosts"], &bodies[1]["title"]),
        (&json!(["web-1", "web-2"]), &json!("Campaign c-1: 2 hosts went back"))
    );
    // The journal is told from its first record when a campaign is taken up again.
    let (mut notifier, _) = start();
    all.iter().for_each(|record| notifier.record(record));
    assert_eq!(notifier.finish(Duration::from_secs(10)), [""; 0]);
    assert!(asked.try_recv().is_err(), "nothing was told twice");
}

#[test]
fn a_slow_server_and_one_that_is_down_hold_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let slow = format!("http://{}/s3cret", silent.local_addr().unwrap());
    let down = {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/s3cret", gone.local_addr().unwrap())
    };
    let (url, asked) = server(&["200 Fine"]);
    let targets =
        [("slow", &slow), ("down", &down), ("fine", &url)].map(|(name, url)| hook(secret(dir.path(), name, url)));
    let (mut notifier, _) = Notifier::with_patience(&plan(&targets), &campaign(), dir.path(), QUICK);
    let begun = Instant::now();
    for _ in 0..1000 {
        records().iter().for_each(|record| notifier.record(record));
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    bodies_of(&asked, 5);
    let begun = Instant::now();
    let untold = notifier.finish(Duration::from_secs(2));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(untold.len(), 3, "{untold:?}");
    assert!(untold.iter().any(|line| line.contains("/down) was not told of 11000 events: ")), "{untold:?}");
    assert!(untold.iter().all(|line| !line.contains("s3cret")), "{untold:?}");
}

#[test]
fn what_a_server_refuses_for_good_is_not_tried_again_and_no_secret_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let test = Notification::test(Timestamp::UNIX_EPOCH);
    let limit = Duration::from_secs(5);
    for (answer, lasting) in [
        (&["404 Gone"] as &[&str], true),
        (&["302 There\r\nlocation: http://127.0.0.1:1/s3cret"], true),
        (&["503 Busy"], false),
    ] {
        let (url, asked) = server(match answer[0] {
            "404 Gone" => &["404 Gone"],
            "503 Busy" => &["503 Busy"],
            _ => &["302 There\r\nlocation: http://127.0.0.1:1/s3cret"],
        });
        let failure = deliver(&hook(secret(dir.path(), "u", &url)), &test, limit).unwrap_err();
        assert_eq!(matches!(failure, Failure::Lasting(_)), lasting, "{failure}");
        assert!(!failure.to_string().contains("s3cret"), "{failure}");
        asked.recv_timeout(limit).unwrap();
    }
    for (url, why) in [
        ("http://hooks.example.com/s3cret", "not https"),
        ("ftp://127.0.0.1/s3cret", "not https"),
        ("s3cret s3cret", "URL is none"),
        ("", "is empty"),
    ] {
        let failure = deliver(&hook(secret(dir.path(), "u", url)), &test, limit).unwrap_err().to_string();
        assert!(failure.contains(why) && !failure.contains("s3cret"), "{failure}");
    }
    let gone = SecretSource::Env("SWITCHBACK_NO_SUCH_VARIABLE".into());
    assert_eq!(missing_secret(&hook(gone)).unwrap(), "SWITCHBACK_NO_SUCH_VARIABLE is not set in the environment");
}

#[test]
fn a_webhook_has_headers_and_a_body_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (url, asked) = server(&["200 Fine"]);
    let target = NotifyTarget::Webhook {
        url: secret(dir.path(), "url", &url),
        template: Some("{\"summary\": {{ title }}, \"details\": {{ lines }}, \"severity\": \"{% if moment == 'stuck' %}critical{% else %}info{% endif %}\"}".into()),
        headers: BTreeMap::from([("Authorization".to_owned(), secret(dir.path(), "token", "Bearer t0ken"))]),
    };
    deliver(&target, &stuck(), Duration::from_secs(5)).unwrap();
    let asked = asked.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(asked.head.to_ascii_lowercase().contains("authorization: bearer t0ken"), "{}", asked.head);
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(body["severity"], "critical");
    assert!(body["details"][0].as_str().unwrap().contains("</b> <!channel>"), "as it was, as data: {body}");
    let NotifyTarget::Webhook { url, template, .. } = target else { panic!() };
    let headers = BTreeMap::from([("X-A".to_owned(), secret(dir.path(), "bad", "a\u{1}t0ken"))]);
    let failure = deliver(&NotifyTarget::Webhook { url, template, headers }, &stuck(), Duration::from_secs(5));
    assert!(!failure.unwrap_err().to_string().contains("t0ken"));
}

#[test]
fn hostile_words_are_text_in_every_chat() {
    let stuck = stuck();
    let title = "Campaign c-1: web-3 is stuck and needs a person";
    // Control characters and ends of lines are gone already.
    let line = "web-3 ended as stuck: nginx is down: </b> <!channel> @channel @all [click](https://evil.example) **x** ``` \
        <at>all</at> \"}]\u{fffd}\u{fffd}Bcc: x@y \u{fffd}[31m";
    let plain = |text: &str| json!({"type": "plain_text", "text": text, "emoji": false});
    assert_eq!(
        bodies::slack(&stuck),
        json!({
            "text": title,
            "blocks": [{"type": "header", "text": plain(title)}, {"type": "section", "text": plain(line)}],
            "unfurl_links": false,
            "unfurl_media": false,
        })
    );
    let run = |text: &str, weight: &str, color: &str| json!({"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, "weight": weight, "color": color}]});
    assert_eq!(
        bodies::teams(&stuck),
        json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "body": [run(title, "bolder", "attention"), run(line, "default", "default")],
                },
            }],
        })
    );
    let block = line.replace('`', "'");
    assert_eq!(bodies::mattermost(&stuck), json!({"text": format!("**{title}**\n```\n{block}\n```")}));
    let hostile = Notification { title: "<!here> @all _a_ [b](c)".into(), lines: Vec::new(), ..stuck.clone() };
    assert_eq!(bodies::slack(&hostile)["text"], "&lt;!here&gt; @all _a_ [b](c)");
    assert_eq!(bodies::mattermost(&hostile)["text"], "**\\<\\!here\\> \u{ff20}all \\_a\\_ \\[b\\]\\(c\\)**");
    let many = Notification { lines: vec!["x".repeat(3000); 20], title: "y".repeat(1000), ..stuck };
    let slack = bodies::slack(&many);
    let length = |at: &str| slack.pointer(at).unwrap().as_str().unwrap().chars().count();
    assert!(length("/blocks/0/text/text") <= 150 && length("/blocks/1/text/text") <= 3000);
}

#[test]
fn a_command_gets_it_on_its_input_and_is_not_waited_for_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("got");
    let run = |script: &str, seconds| {
        let argv = ["/bin/sh", "-c", script, "sh", file.to_str().unwrap()].map(str::to_owned).to_vec();
        let target = NotifyTarget::Command { argv, timeout: TimeSpan::seconds(seconds) };
        deliver(&target, &stuck(), Duration::from_secs(5)).map_err(|failure| (failure.to_string(), failure))
    };
    run("cat >\"$1\"", 5).unwrap();
    let got: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!((got["id"].as_str(), got["hosts"][0].as_str()), (Some("c-1/6"), Some("web-3")));
    // One that reads nothing is fine, too.
    run("true", 5).unwrap();
    let (why, failure) = run("echo no >&2; exit 3", 5).unwrap_err();
    assert!(why == "it exited with 3: no" && matches!(failure, Failure::Lasting(_)), "{why}");
    let (why, failure) = run("exit 75", 5).unwrap_err();
    assert!(matches!(failure, Failure::Passing { .. }), "{why}");
    let begun = Instant::now();
    let (why, failure) = run("sleep 30", 1).unwrap_err();
    assert!(matches!(failure, Failure::Passing { .. }), "{why}");
    assert!(why.contains("did not end within 1s") && begun.elapsed() < Duration::from_secs(10), "{why}");
}

/// A mail server that speaks as much SMTP as is needed and answers so to the second recipient: what it was told, line by
/// line.
fn mail_server(refuse: Option<&'static str>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hearing = Arc::clone(&heard);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.write_all(b"220 test ESMTP\r\n");
            let mut in_data = false;
            for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                let Ok(line) = line else { break };
                hearing.lock().unwrap().push(line.clone());
                let answer = match line.split([' ', ':']).next().unwrap() {
                    _ if in_data && line != "." => continue,
                    "." => {
                        in_data = false;
                        "250 taken"
                    }
                    "EHLO" => "250-test\r\n250 AUTH PLAIN",
                    "AUTH" => "235 known",
                    "RCPT" if line.contains("night@") => refuse.unwrap_or("250 fine"),
                    "DATA" => {
                        in_data = true;
                        "354 go on"
                    }
                    "QUIT" => "221 bye",
                    _ => "250 fine",
                };
                let _ = stream.write_all(format!("{answer}\r\n").as_bytes());
            }
        }
    });
    (port, heard)
}

fn mail(port: u16, login: Option<(String, SecretSource)>) -> NotifyTarget {
    NotifyTarget::Smtp(SmtpTarget {
        server: "127.0.0.1".into(),
        port,
        tls: SmtpTls::None,
        login,
        from: "switchback@example.com".into(),
        to: vec!["ops@example.com".into(), "night@example.com".into()],
    })
}

#[test]
fn a_mail_reaches_its_server_with_headers_that_nobody_else_writes() {
    let dir = tempfile::tempdir().unwrap();
    let (port, heard) = mail_server(None);
    let target = mail(port, Some(("ann".into(), secret(dir.path(), "password", "pa55"))));
    deliver(&target, &stuck(), Duration::from_secs(5)).unwrap();
    let heard = heard.lock().unwrap().clone();
    let has = |wanted: &str| heard.iter().any(|line| line == wanted);
    assert!(
        has("MAIL FROM:<switchback@example.com>")
            && has("RCPT TO:<ops@example.com>")
            && has("RCPT TO:<night@example.com>"),
        "{heard:#?}"
    );
    // `\0ann\0pa55` in base64.
    assert!(has("AUTH PLAIN AGFubgBwYTU1"), "{heard:#?}");
    let (head, body) = heard.split_at(heard.iter().position(String::is_empty).unwrap());
    for wanted in [
        "Subject: [switchback] Campaign c-1: web-3 is stuck and needs a person",
        "Message-ID: <c-1.6.stuck@example.com>",
        "Auto-Submitted: auto-generated",
    ] {
        assert!(head.iter().any(|line| line == wanted), "{wanted}: {head:#?}");
    }
    assert!(!head.iter().any(|line| line.starts_with("Bcc")), "{head:#?}");
    assert!(body.concat().contains("nginx is down"), "{body:#?}");
    // A title is ours; if it were not, it would be one line of one header all the same.
    let hostile = Notification { title: format!("a{HOSTILE}\n\nb"), ..stuck() };
    let text = prepare(&target, &hostile).unwrap().text();
    let (head, _) = text.split_once("\n\n").unwrap();
    assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
}

#[test]
fn a_mail_server_says_whether_another_try_makes_sense() {
    let limit = Duration::from_secs(5);
    let (port, _) = mail_server(Some("550 no such user"));
    let failure = deliver(&mail(port, None), &stuck(), limit).unwrap_err();
    assert!(matches!(failure, Failure::Lasting(_)) && failure.to_string().contains("no such user"), "{failure}");
    let (port, _) = mail_server(Some("451 greylisted"));
    let failure = deliver(&mail(port, None), &stuck(), limit).unwrap_err();
    assert!(matches!(failure, Failure::Passing { .. }), "{failure}");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let failure = deliver(&mail(port, None), &stuck(), Duration::from_millis(300)).unwrap_err();
    assert_eq!(failure.to_string(), "it did not answer in time");
    // A server without STARTTLS gets no mail where policy asks for it.
    let (port, heard) = mail_server(None);
    let NotifyTarget::Smtp(target) = mail(port, None) else { panic!() };
    let target = NotifyTarget::Smtp(SmtpTarget { tls: SmtpTls::Starttls, server: "localhost".into(), ..target });
    deliver(&target, &stuck(), limit).unwrap_err();
    assert!(!heard.lock().unwrap().iter().any(|line| line.starts_with("MAIL")));
}

#[test]
fn one_recipient_who_is_refused_keeps_the_mail_from_nobody_else() {
    let limit = Duration::from_secs(5);
    let (port, heard) = mail_server(Some("451 greylisted"));
    let target = mail(port, None);
    let mut reached = BTreeSet::new();
    let failure = deliver_to_rest(&target, &stuck(), limit, &mut reached).unwrap_err();
    assert!(matches!(&failure, Failure::Passing { why, .. } if why.contains("night@example.com")), "{failure}");
    assert_eq!(reached, ["ops@example.com".to_owned()].into());
    deliver_to_rest(&target, &stuck(), limit, &mut reached).unwrap_err();
    let heard = heard.lock().unwrap().clone();
    let count = |wanted: &str| heard.iter().filter(|line| line.starts_with(wanted)).count();
    assert_eq!((count("RCPT TO:<ops@"), count("RCPT TO:<night@"), count("DATA")), (1, 2, 1), "{heard:#?}");
}

#[test]
fn a_server_that_asks_for_no_pause_gets_one_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (url, asked) = server(&["429 Slow\r\nretry-after: 0"]);
    let plan = plan(&[hook(secret(dir.path(), "url", &url))]);
    let (mut notifier, _) = Notifier::with_patience(&plan, &campaign(), dir.path(), QUICK);
    notifier.record(&records()[0]);
    assert_eq!(notifier.finish(Duration::from_secs(2)).len(), 1);
    let tries = asked.try_iter().count();
    assert!((2..=20).contains(&tries), "{tries}");
}

#[test]
fn a_command_has_the_time_that_policy_gives_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("got");
    let argv = ["/bin/sh", "-c", "sleep 1.5; cat >\"$1\"", "sh", file.to_str().unwrap()].map(str::to_owned).to_vec();
    let plan = plan(&[NotifyTarget::Command { argv, timeout: TimeSpan::seconds(10) }]);
    let patience = Patience { once: Duration::from_millis(200), ..QUICK };
    let (mut notifier, _) = Notifier::with_patience(&plan, &campaign(), dir.path(), patience);
    notifier.record(&records()[0]);
    assert_eq!(notifier.finish(Duration::from_secs(10)), [""; 0]);
    assert!(std::fs::read_to_string(&file).unwrap().contains("c-1/1"));
}

#[test]
fn what_is_folded_otherwise_has_another_id() {
    let plan = plan(&[]);
    let stuck: Vec<_> = records().iter().filter_map(|record| notice(record, &plan)).collect();
    let id = |notices: &[message::Notice]| compose(&campaign(), notices).unwrap().id;
    let (first, last) = (stuck[2].seq, stuck[3].seq);
    assert_eq!(id(&stuck[2..3]), format!("c-1/{first}"));
    assert_eq!(id(&stuck[2..4]), format!("c-1/{first}-{last}"));
}
