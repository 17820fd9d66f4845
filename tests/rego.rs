//! Rules in a child of the real program: what they say, what they cost, and how hostile ones end.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stderr, reason = "a hostile rule's end is worth seeing")]

#[path = "plan/fleet.rs"]
mod fleet;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use switchback::diagnostic::{Diagnostic, Diagnostics, render_text};
use switchback::model::{DecisionKind, Finding, Host, Priority};
use switchback::policy::{
    Bundle, ChildLauncher, Launcher, Policy, Prepared, RegoOutcome, StrategyKind, run_rego_tests,
};

fn launcher() -> ChildLauncher {
    ChildLauncher::new(PathBuf::from(env!("CARGO_BIN_EXE_switchback")), 2)
}

/// A policy with these rule files, read and started.
fn start(yaml: &str, rules: &[(&str, &str)]) -> Result<Policy, Vec<Diagnostic>> {
    let mut files: BTreeMap<String, Vec<u8>> =
        rules.iter().map(|(name, text)| (format!("rules/{name}"), text.as_bytes().to_vec())).collect();
    files.insert("policy.yaml".to_owned(), format!("version: 1\nrules: [rules/*.rego]\n{yaml}").into_bytes());
    let mut diagnostics = Diagnostics::default();
    let policy = Policy::load(Bundle::of_files(files, &[String::new()]).unwrap(), &mut diagnostics);
    let Some(mut policy) = policy else { return Err(diagnostics.sorted()) };
    policy.start_rules(Arc::new(launcher()), &mut diagnostics);
    if diagnostics.has_errors() { Err(diagnostics.sorted()) } else { Ok(policy) }
}

fn rule(body: &str) -> String {
    format!("package switchback.priority\n\ndefault override := null\n\n{body}\n")
}

fn sample() -> (Host, Finding) {
    (fleet::host("web-1"), fleet::finding("web-1", "CVE-2026-0001", "openssl", "3.0.2"))
}

fn ask(policy: &Policy) -> Result<Prepared, Vec<Diagnostic>> {
    let (host, finding) = sample();
    policy.prepare([(&host, &finding)], fleet::as_of())
}

fn show(problems: &[Diagnostic]) -> String {
    render_text(problems, false)
}

/// The priority that a rule gives to the sample.
fn priority(body: &str) -> Priority {
    let policy = start("", &[("a.rego", &rule(body))]).unwrap_or_else(|problems| panic!("{}", show(&problems)));
    ask(&policy).unwrap_or_else(|problems| panic!("{}", show(&problems)));
    let (host, finding) = sample();
    policy.assess(&finding, &host, fleet::as_of()).priority
}

#[test]
fn a_rule_has_the_last_word_and_its_reason_is_told() {
    let yaml = "priority:\n  overrides: [{name: all, match: all, priority: low, reason: because}]\n";
    let text = rule(
        "override := {\"priority\": \"critical\", \"reason\": sprintf(\"was %v\", [input.priority])} if {\n\
         \tinput.finding.kev\n\tinput.asset.labels.env == \"prod\"\n\tinput.score > 5\n\
         \tdeb.version_lt(\"1.2.0\", input.finding.fixed_version)\n\
         \tswitchback.version_compare(\"deb\", \"1:1\", \"2\") == 1\n\
         \ttime.parse_rfc3339_ns(input.now) > time.parse_rfc3339_ns(input.finding.published)\n}",
    );
    let policy = start(yaml, &[("a.rego", &text)]).unwrap_or_else(|problems| panic!("{}", show(&problems)));
    let (host, finding) = sample();
    let unprepared = policy.decide(&finding, &host, fleet::as_of());
    assert_eq!((unprepared.kind, unprepared.assessment.priority), (DecisionKind::Manual, Priority::Low));
    assert!(unprepared.reason.contains("not evaluated"), "{}", unprepared.reason);
    assert_eq!(ask(&policy).unwrap(), Prepared { findings: 1, evaluations: 1 });
    let decision = policy.decide(&finding, &host, fleet::as_of());
    assert_eq!((decision.kind, decision.assessment.priority), (DecisionKind::Fix, Priority::Critical));
    assert_eq!(decision.reason, "priority critical is in scope: was low");
    let rule = decision.assessment.rule;
    assert_eq!(
        (rule.name.as_str(), rule.place.unwrap().to_string().as_str()),
        ("rules/priority.override", "rules/a.rego:3:9")
    );
    // Nothing is asked twice.
    assert_eq!(ask(&policy).unwrap(), Prepared { findings: 1, evaluations: 0 });
}

#[test]
fn what_is_absent_is_left_out_and_null_is_no_opinion() {
    assert_eq!(priority("override := \"low\" if not input.finding.epss"), Priority::Low);
    assert_eq!(priority("override := null if input.finding.kev"), Priority::Critical);
}

#[test]
fn findings_that_look_the_same_to_the_rules_are_evaluated_once() {
    let text = rule(
        "override := \"low\" if {\n\tinput.asset.labels[\"env\"] == \"prod\"\n\tinput.finding.package == \"openssl\"\n}",
    );
    let policy = start("", &[("a.rego", &text)]).unwrap();
    let hosts: Vec<Host> = (0..500).map(|i| fleet::host(&format!("web-{i}"))).collect();
    let findings: Vec<Finding> = ["openssl", "bash", "openssl"]
        .iter()
        .enumerate()
        .map(|(i, package)| fleet::finding("web-1", &format!("CVE-2026-{i:04}"), package, "2"))
        .collect();
    let all = || hosts.iter().flat_map(|host| findings.iter().map(move |finding| (host, finding)));
    let prepared = policy.prepare(all(), fleet::as_of()).unwrap();
    assert_eq!(prepared, Prepared { findings: 1500, evaluations: 2 });
    // A reference that only shows when it runs: everything is given, and every host is another one.
    let dynamic =
        rule("override := \"low\" if {\n\tsome key in [\"name\", \"env\"]\n\tinput.asset[key] == \"web-7\"\n}");
    let policy = start("", &[("a.rego", &dynamic)]).unwrap();
    assert_eq!(policy.prepare(all(), fleet::as_of()).unwrap().evaluations, 500);
    let low = all().filter(|(host, finding)| policy.assess(finding, host, fleet::as_of()).priority == Priority::Low);
    assert_eq!(low.count(), 3);
}

#[test]
fn strategy_is_chosen_and_what_was_not_asked_is_manual() {
    let text = "package switchback.strategy\n\ndefault use := null\n\n\
                use := {\"use\": \"in_place\", \"reason\": \"stateful\"} if input.asset.name == \"web-1\"\n";
    let policy = start("strategy: {default: auto}\n", &[("s.rego", text)]).unwrap();
    let (host, finding) = sample();
    assert_eq!(policy.decide(&finding, &host, fleet::as_of()).kind, DecisionKind::Manual);
    ask(&policy).unwrap();
    assert_eq!(policy.decide(&finding, &host, fleet::as_of()).kind, DecisionKind::Fix);
    let choice = policy.strategy_for(&host);
    assert_eq!((choice.rule.name.as_str(), choice.kind), ("rules/strategy.use", StrategyKind::InPlace));
}

#[test]
fn rules_judge_a_plan() {
    let text = "package switchback.plan\n\n\
        deny contains {\"msg\": sprintf(\"%d prod hosts in %v\", [count(hosts), wave]), \"hosts\": hosts} if {\n\
        \tsome wave in {w | some h in input.hosts; w := h.wave}\n\
        \thosts := {name | some name, h in input.hosts; h.wave == wave; h.labels.env == \"prod\"}\n\
        \tcount(hosts) > 1\n}\n\n\
        warn contains \"no blocked host\" if input.totals.blocked == 0\n";
    let policy = start("", &[("p.rego", text)]).unwrap_or_else(|problems| panic!("{}", show(&problems)));
    let plan = fleet::Fleet::of(6, 2).plan();
    let verdict = policy.judge_plan(&switchback::plan::summary(&plan)).unwrap_or_else(|p| panic!("{}", show(&p)));
    assert!(
        verdict.deny.iter().any(|message| message.hosts.len() > 1 && message.msg.contains("prod hosts in wave")),
        "{verdict:?}"
    );
    assert_eq!(verdict.warn.len(), 1);
    let none = Policy::default().judge_plan(&serde_json::json!({})).unwrap();
    assert!(none.deny.is_empty() && none.warn.is_empty());
}

#[test]
fn mistakes_are_shown_with_their_place() {
    let cases: &[(&str, &str, &str)] = &[
        ("override := \"low\" if {", "invalid-rego", "rules/a.rego:6:1"),
        ("override := x", "invalid-rego", "rules/a.rego:5:13"),
        ("override := \"low\" if 3 > y", "invalid-rego", "rules/a.rego:5:26"),
        ("override := \"low\" if to_number(\"abc\") == 1", "rego-error", "rules/a.rego:5:33"),
        ("override := 1 / 0", "rego-error", "rules/a.rego:5:"),
        ("override := \"urgent\"", "invalid-rule-decision", "rules/a.rego:3:9"),
        ("override := deb.version_lt(\"1\", \"b c\")", "rego-error", "rules/a.rego:5:"),
        ("override := \"low\"\n\noverride := \"high\"", "rego-error", "rules/a.rego:"),
        ("override := f(1)", "unknown-function", "rules/a.rego:5:13"),
        ("override := \"low\" if input.finding.kve", "unknown-input", "rules/a.rego:5:22"),
        ("override := \"low\" if time.now_ns() > 1", "forbidden-builtin", "rules/a.rego:5:22"),
        ("override := \"low\" if time[\"now_ns\"]() > 1", "forbidden-builtin", "rules/a.rego:5:22"),
        ("import rego.v0\n\noverride := 1", "invalid-rego", "rules/a.rego:"),
    ];
    for (body, code, place) in cases {
        let problems = start("", &[("a.rego", &rule(body))]).and_then(|policy| ask(&policy).map(|_| ()));
        let problems = problems.expect_err(body);
        let found: Vec<_> =
            problems.iter().map(|p| (p.code, p.place().map(|p| p.to_string()).unwrap_or_default())).collect();
        assert!(found.iter().any(|(c, p)| c == code && p.starts_with(place)), "{body}\n{found:?}\n{}", show(&problems));
    }
    let undefined = "package switchback.priority\n\noverride := \"low\" if not input.finding.kev\n";
    let problems = ask(&start("", &[("a.rego", undefined)]).unwrap()).unwrap_err();
    assert_eq!(problems[0].code, "undefined-rule-decision");
    assert!(problems[0].message.ends_with("for CVE-2026-0001 on web-1"), "{}", problems[0].message);
    let empty = start("", &[("a.rego", "package switchback.priority\n\nx := 1\n")]).unwrap_err();
    assert_eq!(empty[0].code, "rule-without-decision");
    let typo = start("", &[("a.rego", "package switchback.priorities\n\noverride := 1\n")]).unwrap_err();
    assert_eq!(
        (typo[0].code, typo[0].place().unwrap().to_string().as_str()),
        ("unknown-rule-package", "rules/a.rego:1:9")
    );
}

/// Each ends with one of these codes, in less than a quarter of a minute, and the next policy works.
fn hostile(body: &str, codes: &[&str]) {
    hostile_file(&rule(body), codes);
}

fn hostile_file(text: &str, codes: &[&str]) {
    let begun = Instant::now();
    let problems = start("", &[("a.rego", text)]).and_then(|policy| ask(&policy).map(|_| ()));
    let shown: String = text.chars().take(200).collect();
    let problems = problems.expect_err(&shown);
    let took = begun.elapsed();
    eprintln!("{took:?} {}: {}", problems[0].code, shown.lines().last().unwrap_or_default());
    assert!(codes.contains(&problems[0].code), "{shown}: {took:?}\n{}", show(&problems));
    assert!(took < Duration::from_secs(15), "{shown}: {took:?}");
    assert!(problems.iter().all(|problem| problem.place().is_some()), "{}", show(&problems));
    assert_eq!(priority("override := \"low\""), Priority::Low, "the controller lives");
}

const TIME: &str = "rego-timeout";
const MEMORY: &str = "rego-memory";

#[test]
fn nested_loops_end() {
    hostile(
        "override := \"low\" if {\n\tsome a in numbers.range(1, 1000)\n\tsome b in numbers.range(1, 1000)\n\
         \tsome c in numbers.range(1, 1000)\n\ta + b + c == 7\n\tfalse\n}",
        &[TIME],
    );
}

#[test]
fn a_builtin_that_makes_much_ends() {
    hostile("override := \"low\" if count(numbers.range(1, 50000000)) > 0", &[TIME, MEMORY]);
}

#[test]
fn a_huge_concatenation_ends() {
    hostile(
        "override := \"low\" if count(concat(\"\", [\"x\" | some i in numbers.range(1, 30000000)])) > 0",
        &[TIME, MEMORY],
    );
}

#[test]
fn endless_recursion_ends() {
    hostile("f(x) := f(x + 1)\n\noverride := f(1)", &[TIME, "rego-recursion", "rego-error", "invalid-rego"]);
    hostile(
        "f(x) := g(x)\n\ng(x) := f(x)\n\noverride := f(1)",
        &[TIME, "rego-recursion", "rego-error", "invalid-rego"],
    );
}

#[test]
fn deep_nesting_is_refused_before_it_is_parsed() {
    let nested = |open: &str, close: &str, depth: usize| format!("x := {}1{}", open.repeat(depth), close.repeat(depth));
    hostile(&nested("[", "]", 24), &["rego-nesting"]);
    hostile(&nested("{\"a\": ", "}", 30), &["rego-nesting"]);
    hostile(&nested("(", ")", 400), &["rego-nesting"]);
    hostile(&nested("abs(", ")", 40), &["rego-nesting"]);
    let begun = Instant::now();
    assert_eq!(priority(&format!("{}\n\noverride := \"low\"", nested("[", "]", 12))), Priority::Low);
    assert!(begun.elapsed() < Duration::from_secs(5), "twelve are fine: {:?}", begun.elapsed());
    // What is quoted is not nested.
    assert_eq!(
        priority("x := \"[[[[[[[[[[[[[[[[\" # [[[[[[[[[[[[[[[[\n\ny := `((((((((((((((((`\n\noverride := \"low\""),
        Priority::Low
    );
}

#[test]
fn deep_operators_end() {
    // No line may be long, so that the chain is broken.
    let chain = format!("override := \"low\" if 1 == {}1", "1 +\n".repeat(20_000));
    hostile(&chain, &[TIME, MEMORY, "rego-recursion", "rego-too-large", "invalid-rego", "rego-crashed", "rego-error"]);
    let minus = format!("override := 1 - {}1", "-\n".repeat(100_000));
    hostile(&minus, &[TIME, MEMORY, "rego-recursion", "rego-too-large", "invalid-rego", "rego-crashed", "rego-error"]);
}

#[test]
fn patterns_that_explode_end() {
    hostile(
        "override := \"low\" if regex.match(\"(((a{1,1000}){1,1000}){1,1000})\", \"a\")",
        &[TIME, MEMORY, "rego-error"],
    );
    hostile(
        "override := \"low\" if {\n\tsome i in numbers.range(1, 1000000)\n\
         \tglob.match(sprintf(\"{a,b}{c,d}*%d*{e,f}**\", [i]), [], \"acxxx\")\n\tfalse\n}",
        &[TIME],
    );
    hostile("override := \"low\" if regex.match(\"(\", \"a\")", &["rego-error"]);
}

#[test]
fn texts_that_explode_end() {
    hostile(
        "override := sprintf(\"%999999999d\", [1])",
        &[TIME, MEMORY, "rego-error", "rego-too-large", "invalid-rule-decision"],
    );
    hostile(
        "a := concat(\"\", [\"xxxxxxxxxx\" | some i in numbers.range(1, 100)])\n\n\
         b := concat(\"\", [a | some i in numbers.range(1, 1000)])\n\n\
         c := concat(\"\", [b | some i in numbers.range(1, 1000)])\n\noverride := \"low\" if count(c) > 1",
        &[TIME, MEMORY],
    );
    hostile(
        "a := replace(\"xxxxxxxxxxxxxxxxxxxxxxxxx\", \"x\", \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\")\n\n\
         b := replace(a, \"x\", a)\n\nc := replace(b, \"x\", b)\n\noverride := \"low\" if count(c) > 1",
        &[TIME, MEMORY],
    );
}

#[test]
fn walking_what_is_deep_ends() {
    hostile(
        "a := [walk(numbers.range(1, 1000)) | some i in numbers.range(1, 10)]\n\n\
         override := \"low\" if {\n\twalk([a, a, a, a], [p, v])\n\twalk([a, a, a, a], [q, w])\n\tp == w\n\tq == v\n}",
        &[TIME, MEMORY, "rego-error", "invalid-rego"],
    );
    hostile(
        "deep := json.unmarshal(concat(\"\", array.concat([\"[\" | some i in numbers.range(1, 100000)], [\"]\" | some i in numbers.range(1, 100000)])))\n\n\
         override := \"low\" if walk(deep, [p, v])",
        &[TIME, MEMORY, "rego-error", "rego-recursion"],
    );
    hostile(
        "override := \"low\" if count(graph.reachable({n: [m | some m in numbers.range(1, 5000)] | some n in numbers.range(1, 5000)}, {1})) < 0",
        &[TIME, MEMORY],
    );
}

#[test]
fn answers_that_are_large_are_refused() {
    hostile(
        "a := concat(\"\", [\"xxxxxxxxxx\" | some i in numbers.range(1, 10000)])\n\n\
         override := concat(\"\", [a | some i in numbers.range(1, 1000)])",
        &["rego-too-large", TIME, MEMORY],
    );
    hostile(
        "override := {\"priority\": \"low\", \"reason\": \"x\", \"more\": numbers.range(1, 10)}",
        &["invalid-rule-decision"],
    );
}

#[test]
fn files_that_are_large_are_refused() {
    hostile(&"x := 1 # filler\n".repeat(70_000), &["rego-too-large"]);
    hostile(&format!("x := \"{}\"", "y".repeat(2_000)), &["rego-too-large"]);
    hostile(&"x".repeat(1_000_000), &["rego-too-large"]);
    // As much as a file may hold is read in time, or refused in time.
    let many: String = (0..19_000).map(|i| format!("a{i} := {i}\n")).collect();
    assert_eq!(priority(&format!("{many}\noverride := \"low\"")), Priority::Low);
}

#[test]
fn what_is_no_rego_is_refused() {
    hostile_file("\u{feff}package switchback.priority\n\ndefault override := null\n", &["invalid-rego"]);
    hostile_file("", &["invalid-rego", "rule-without-decision"]);
    hostile_file("}{\u{1b}[31m\"", &["invalid-rego"]);
    hostile_file(
        "package switchback.priority\n\ndefault override := null\n\nallow = true { true }\n",
        &["invalid-rego"],
    );
}

#[test]
fn a_program_that_is_no_evaluator_is_told() {
    let launchers =
        [("/nonexistent/switchback", "rego-unavailable"), ("/bin/false", "rego-crashed"), ("/bin/cat", "rego-crashed")];
    for (program, code) in launchers {
        let mut diagnostics = Diagnostics::default();
        let files = BTreeMap::from([
            ("policy.yaml".to_owned(), b"version: 1\nrules: [a.rego]\n".to_vec()),
            ("a.rego".to_owned(), rule("override := \"low\"").into_bytes()),
        ]);
        let mut policy = Policy::load(Bundle::of_files(files, &[String::new()]).unwrap(), &mut diagnostics).unwrap();
        let launcher: Arc<dyn Launcher> = Arc::new(ChildLauncher::new(PathBuf::from(program), 1));
        policy.start_rules(launcher, &mut diagnostics);
        let found: Vec<_> = diagnostics.iter().map(|d| d.code).collect();
        assert_eq!(found, [code], "{program}");
        assert_eq!(ask(&policy).unwrap_err()[0].code, "rego-unavailable");
        let (host, finding) = sample();
        assert_eq!(policy.decide(&finding, &host, fleet::as_of()).kind, DecisionKind::Manual);
    }
}

#[test]
fn tests_of_rules_pass_fail_and_break_and_lines_are_counted() {
    let text = rule(
        "override := \"low\" if input.finding.type == \"application\"\n\noverride := \"high\" if {\n\tinput.finding.kev\n}",
    );
    let tests = "package switchback.priority_test\n\nimport data.switchback.priority\n\n\
        test_low if priority.override == \"low\" with input.finding.type as \"application\"\n\n\
        test_fails if {\n\tprint(\"it is\", priority.override)\n\tpriority.override == \"high\"\n}\n\n\
        test_breaks if to_number(\"x\") == 1\n\n\
        test_kills if count(numbers.range(1, 100000000)) > 0\n\n\
        test_null if priority.override == null with input as {}\n";
    let policy = start("", &[("a.rego", &text), ("a_test.rego", tests)]).unwrap();
    let bare = start("", &[("a.rego", &text)]).unwrap();
    assert_eq!(policy.digest(), bare.digest(), "tests are no part of what a policy says");
    let suite = run_rego_tests(policy.rules(), &launcher()).unwrap_or_else(|problems| panic!("{}", show(&problems)));
    let found: Vec<(&str, String)> = suite
        .tests
        .iter()
        .map(|test| {
            let outcome = match &test.outcome {
                RegoOutcome::Pass => "pass".to_owned(),
                RegoOutcome::Fail { output } => format!("fail {}", output.join("|")),
                RegoOutcome::Error { problem } => format!("error {} {}", problem.code, problem.place().unwrap()),
            };
            (test.name.as_str(), outcome)
        })
        .collect();
    assert_eq!(found[0], ("test_breaks", "error rego-error rules/a_test.rego:12:27".to_owned()));
    assert!(found[1].1.starts_with("fail ") && found[1].1.contains("it is"), "{found:?}");
    assert!(found[2].0 == "test_kills" && found[2].1.starts_with("error rego-"), "{found:?}");
    assert_eq!(found[3..], [("test_low", "pass".to_owned()), ("test_null", "pass".to_owned())]);
    assert_eq!(suite.tests[0].place.to_string(), "rules/a_test.rego:12:1");
    let lines = &suite.coverage["rules/a.rego"];
    assert!(lines.covered.contains(&5) && !lines.not_covered.contains(&5), "{lines:?}");
    assert_eq!(suite.coverage.len(), 1, "tests are not counted");
}

#[test]
fn the_example_passes_its_tests_and_they_cover_every_line() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/rego/policies");
    let mut diagnostics = Diagnostics::default();
    let policy = Policy::load(Bundle::read(&[folder]).unwrap(), &mut diagnostics).unwrap();
    let suite = run_rego_tests(policy.rules(), &launcher()).unwrap_or_else(|problems| panic!("{}", show(&problems)));
    let failed: Vec<_> = suite.tests.iter().filter(|test| !matches!(test.outcome, RegoOutcome::Pass)).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!((suite.tests.len(), suite.coverage.len()), (10, 4));
    for (file, lines) in &suite.coverage {
        assert!(lines.not_covered.is_empty() && !lines.covered.is_empty(), "{file}: {lines:?}");
    }
}

/// What the kernel says of a running child.
#[test]
fn a_child_has_its_limits() {
    use std::io::{BufRead as _, Write as _};
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_switchback"));
    command.arg("rego-worker").stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(b"{\"compile\":{\"coverage\":false}}\n").unwrap();
    let mut answer = String::new();
    std::io::BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut answer).unwrap();
    assert_eq!(answer, "\"done\"\n");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    for (name, soft, hard) in [
        ("Max cpu time", "60", "61"),
        ("Max file size", "0", "0"),
        ("Max core file size", "0", "0"),
        ("Max open files", "16", "16"),
        ("Max address space", "805306368", "805306368"),
    ] {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        let words: Vec<&str> = line[name.len()..].split_whitespace().collect();
        assert_eq!(words[..2], [soft, hard], "{line}");
    }
}

#[test]
fn one_problem_of_many_inputs_is_told_once() {
    let text = rule(
        "override := \"low\" if to_number(input.asset.name) == 1\n\noverride := 7 if input.asset.name == \"web-3\"",
    );
    let policy = start("", &[("a.rego", &text)]).unwrap_or_else(|problems| panic!("{}", show(&problems)));
    let hosts: Vec<Host> = (0..300).map(|i| fleet::host(&format!("web-{i}"))).collect();
    let (_, finding) = sample();
    let problems = policy.prepare(hosts.iter().map(|host| (host, &finding)), fleet::as_of()).unwrap_err();
    assert_eq!(problems.len(), 1, "{}", show(&problems));
    let told = "could not parse string as number; for CVE-2026-0001 on web-0 and 299 other inputs";
    assert!(problems[0].message.ends_with(told), "{}", problems[0].message);
}

#[test]
fn what_is_no_strategy_is_refused() {
    let answer = |name: &str| format!("package switchback.strategy\n\nuse := \"{name}\"\n");
    let problems = ask(&start("", &[("s.rego", &answer("sideways"))]).unwrap()).unwrap_err();
    assert_eq!(problems[0].code, "invalid-rule-decision");
    let policy = start("", &[("s.rego", &answer("clone_and_switch"))]).unwrap();
    ask(&policy).unwrap();
    assert_eq!(policy.strategy_for(&sample().0).kind, StrategyKind::CloneAndSwitch);
}

#[test]
fn the_guide_names_everything_that_rules_see() {
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide/rego.md")).unwrap();
    let seen = |name: &str| [format!("`{name}`"), format!(".{name}`")].iter().any(|shown| guide.contains(shown));
    let mut plan = fleet::Fleet::of(8, 2).plan();
    let name = plan.hosts.keys().next().unwrap().clone();
    plan.report.blocked.insert(name, vec![switchback::plan::Reason::new("a", "b")]);
    let summary = switchback::plan::summary(&plan);
    let mut names: Vec<String> = summary.as_object().unwrap().keys().cloned().collect();
    names.retain(|name| !["hosts", "waves", "blocked", "totals"].contains(&name.as_str()));
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    names.extend(keys(&summary["totals"]));
    names.extend(keys(&summary["waves"][0]));
    let host = summary["hosts"].as_object().unwrap().values().next().unwrap();
    assert!(host["first_start"].is_string() && host["window"].is_string() && host["wave"].is_string(), "{host}");
    names.extend(keys(host));
    names.retain(|name| name != "decided");
    let missing: Vec<&String> = names.iter().filter(|name| !seen(name)).collect();
    assert!(names.len() > 25 && missing.is_empty(), "{missing:?}");
}
