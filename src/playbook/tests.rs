//! Tests of the room as a whole: what a hostile value can become on its way to a shell.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::diagnostic::{Diagnostics, Source};

mod applications;
mod linux;
mod linux_apk;
mod linux_apt;
mod linux_rpm;
mod playbooks;
mod recipes;

/// Feeds a text to a shell that reads its script from standard input, as a host does; None where there is no such shell.
fn feed(shell: &[&str], text: &str) -> Option<(bool, String)> {
    let output = feed_all(shell, text)?;
    Some((output.status.success(), String::from_utf8(output.stdout).unwrap()))
}

/// Runs a script as a host does, with this environment and these arguments; answers its exit code and what it said.
fn run(shell: &[&str], script: &str, argv: &[&str], env: &[(&str, &str)]) -> Option<(i32, ScriptOutput)> {
    let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let output = feed_all(shell, &payload(script, &strings(argv), &env).unwrap())?;
    Some((output.status.code().unwrap(), parse_output(&output.stdout)))
}

/// The code of the reason that it gave.
fn why(said: &ScriptOutput) -> &str {
    said.reason.as_ref().map_or("", |reason| &reason.code)
}

#[expect(clippy::print_stderr, reason = "a skipped check must be visible")]
fn feed_all(shell: &[&str], text: &str) -> Option<std::process::Output> {
    // Hostile scripts write files.
    let folder = tempfile::tempdir().unwrap();
    let mut child = match Command::new(shell[0])
        .args(&shell[1..])
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
    {
        Ok(child) => child,
        Err(_) => {
            eprintln!("skipped: there is no {} here", shell[0]);
            return None;
        }
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

const SHELLS: [&[&str]; 4] = [&["dash", "-s"], &["bash", "-s"], &["bash", "--posix", "-s"], &["busybox", "sh", "-s"]];

const HOSTILE: [&str; 22] = [
    "",
    "a; reboot",
    "$(id)",
    "`id`",
    "it's",
    "'",
    "''\\''",
    "\"",
    "\\",
    "\\'; id #",
    "!!",
    "*",
    "?[a-z]",
    "~root",
    "-rf",
    "--",
    "a b  c ",
    "# no comment",
    "{a,b}",
    "$'\\n'",
    "äöü 漢字 🦀",
    "&& exit 9",
];

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|v| (*v).to_owned()).collect()
}

/// Prints the number of arguments and each of them, and two variables.
const ECHO: &str =
    r#"printf '%s\n' "$#"; for a in "$@"; do printf '<%s>\n' "$a"; done; printf '[%s][%s]' "$ONE" "$TWO""#;

fn echoed(argv: &[String], one: &str, two: &str) -> String {
    let mut text = format!("{}\n", argv.len());
    for argument in argv {
        text.push_str(&format!("<{argument}>\n"));
    }
    text + &format!("[{one}][{two}]")
}

#[test]
fn hostile_arguments_arrive_as_they_are() {
    let argv = strings(&HOSTILE);
    for shell in SHELLS {
        for value in HOSTILE {
            let env = BTreeMap::from([("ONE".to_owned(), value.to_owned()), ("TWO".to_owned(), "x'y".to_owned())]);
            let Some((_, said)) = feed(shell, &payload(ECHO, &argv, &env).unwrap()) else { break };
            assert_eq!(said, echoed(&argv, value, "x'y"), "{shell:?} {value:?}");
        }
    }
}

/// What a template may be made of, hostile to the check rather than to the shell.
const PIECES: [&str; 36] = [
    "{{ x }}",
    "{{ x }}",
    "{{ x }}",
    " {{ x }} ",
    " {{ x }} ",
    " {{ x }}\n",
    "echo ",
    "echo ",
    "echo a",
    " ",
    "\n",
    ";",
    "\"",
    "\"",
    "'",
    "`",
    "$(",
    "$((",
    ")",
    "(",
    "${a:-",
    "}",
    "\\",
    "\\\n",
    "$",
    "#",
    " # ",
    "<<E\n",
    "<<-'E' ",
    "\nE\n",
    "case x in a) ",
    " esac",
    "{% if x %} ",
    " {% endif %} ",
    "<",
    "=",
];

proptest! {
    // Each case starts two shells.
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_value_arrives_as_it_is(
        argv in prop::collection::vec("[ -~]{0,12}|[^\\p{Cc}]{0,8}|['\"\\\\$`;&|<>(){}*?#!~ -]{0,10}", 0..6),
        value in "[ -~]{0,12}|['\"\\\\$`!]{0,8}|[^\\p{Cc}]{0,8}",
    ) {
        let env = BTreeMap::from([("ONE".to_owned(), value.clone()), ("TWO".to_owned(), value.clone())]);
        let text = payload(ECHO, &argv, &env).unwrap();
        for shell in &SHELLS[..2] {
            if let Some((_, said)) = feed(shell, &text) {
                prop_assert_eq!(said, echoed(&argv, &value, &value));
            }
        }
        // The same words through `exec`.
        let mut program = strings(&["printf", "<%s>\\n", "."]);
        program.extend(argv.iter().cloned());
        let text = payload_argv(&program, &BTreeMap::new()).unwrap();
        if let Some((_, said)) = feed(SHELLS[0], &text) {
            let expected: String = argv.iter().map(|a| format!("<{a}>\n")).collect();
            prop_assert_eq!(said, format!("<.>\n{expected}"));
        }
    }

    #[test]
    fn any_template_that_is_taken_keeps_values_whole(
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 2..12),
    ) {
        // What must not happen: the value becomes a command. `x` tries it from every context.
        let template = pieces.concat();
        if shell::check(&template).is_empty() && template::variables(&template, true).is_ok() {
            for x in ["';touch_pwn;'", "$(touch_pwn)", "\\';touch_pwn;#", "E"] {
                let context = template::value_of(&serde_json::json!({"x": x}));
                let Ok(script) = template::script(&template, &context) else { continue };
                let probe = format!("touch_pwn() {{ command printf 'PWNED' >&9; }}\nexec 9>&1 >/dev/null\nPATH=/nonexistent\n{script}\n");
                for shell in &SHELLS[..2] {
                    if let Some((_, said)) = feed(shell, &probe) {
                        prop_assert!(!said.contains("PWNED"), "{template:?} with {x:?} in {shell:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn no_output_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let output = parse_output(&bytes);
        prop_assert!(!output.text.chars().any(|c| c.is_control() && c != '\n'));
    }

    #[test]
    fn no_playbook_makes_the_reader_panic(text in "[ -~\n]{0,200}") {
        let _ = Playbook::load(&Source::new("p.yaml", text), &mut Diagnostics::default());
    }
}

/// A single-quoted word as PowerShell's tokenizer reads it (`ScanStringLiteral`): any of its five single quotes ends it,
/// unless another one follows, which then stands for itself. Gives the value and what is left.
fn powershell_word(text: &str) -> Option<(String, &str)> {
    let is_quote = |c: char| "'\u{2018}\u{2019}\u{201a}\u{201b}".contains(c);
    let mut rest = text.strip_prefix(is_quote)?.chars();
    let mut value = String::new();
    loop {
        let mut c = rest.next()?;
        if is_quote(c) {
            match rest.clone().next() {
                Some(next) if is_quote(next) => c = rest.next()?,
                _ => return Some((value, rest.as_str())),
            }
        }
        value.push(c);
    }
}

proptest! {
    #[test]
    fn any_value_is_one_word_of_powershell(value in "[^\\p{Cc}]{0,12}|['\u{2018}-\u{201b}\"`$;(){}@# a-]{0,12}") {
        let quoted = quote_powershell(&value).unwrap();
        prop_assert_eq!(powershell_word(&quoted), Some((value.clone(), "")));
        let env = BTreeMap::from([("ONE".to_owned(), value.clone())]);
        let text = payload_powershell("exit 0", &[value.clone(), value.clone()], &env).unwrap();
        let (one, rest) = powershell_word(text.strip_prefix("$env:ONE = ").unwrap()).unwrap();
        let (first, rest) = powershell_word(rest.strip_prefix("\n& {\nexit 0\n} ").unwrap()).unwrap();
        let (second, rest) = powershell_word(rest.strip_prefix(' ').unwrap()).unwrap();
        prop_assert_eq!((&one, &first, &second, rest), (&value, &value, &value, "\n"));
    }
}

#[test]
fn powershell_is_given_no_control_characters_and_no_strange_variables() {
    assert!(matches!(quote_powershell("a\nb"), Err(RenderError::ControlCharacter { .. })));
    assert_eq!(quote_powershell("it's \u{2019}").unwrap(), "'it''s \u{2019}\u{2019}'");
    let env = BTreeMap::from([("A;reboot".to_owned(), "x".to_owned())]);
    assert!(matches!(payload_powershell("", &[], &env), Err(RenderError::EnvName { .. })));
}

#[test]
fn control_characters_and_empty_lists_are_refused() {
    for value in ["a\0b", "a\nb", "\u{1b}[2J", "\u{7f}", "a\tb"] {
        assert!(matches!(quote(value), Err(RenderError::ControlCharacter { .. })), "{value:?}");
    }
    assert_eq!(quote_words([]), Err(RenderError::EmptyList));
    assert_eq!(quote("it's").unwrap(), r"'it'\''s'");
    assert!(matches!(quote(&"x".repeat(10 << 20)), Err(RenderError::TooLong { .. })));
}

#[test]
fn names_of_variables_are_checked() {
    for name in ["", "a", "A B", "A;reboot", "1A", "IFS", "BASH_ENV", "Ä"] {
        let env = BTreeMap::from([(name.to_owned(), "x".to_owned())]);
        assert!(matches!(payload("true", &[], &env), Err(RenderError::EnvName { .. })), "{name:?}");
    }
}

#[test]
fn the_script_cannot_eat_its_own_text() {
    let text = payload("cat; read -r line; echo \"<$line>\"\necho behind", &[], &BTreeMap::new()).unwrap();
    for shell in SHELLS {
        let Some((_, said)) = feed(shell, &text) else { continue };
        assert_eq!(said, "<>\nbehind\n", "{shell:?}");
    }
}

#[test]
fn a_text_that_was_cut_off_does_nothing() {
    let script = "echo one\nif true; then echo two; fi\nf() {\n  echo three\n}\nf\n";
    let text = payload(script, &strings(&["it's"]), &BTreeMap::new()).unwrap();
    for shell in &SHELLS[..2] {
        for end in 0..text.trim_end().len() - " </dev/null".len() {
            let Some((_, said)) = feed(shell, &text[..end]) else { break };
            assert_eq!(said, "", "{shell:?} cut at {end}");
        }
    }
}

#[test]
fn only_programs_are_executed() {
    for argv in [&[][..], &[""], &["-c", "x"]] {
        assert!(payload_argv(&strings(argv), &BTreeMap::new()).is_err(), "{argv:?}");
    }
    let text = payload_argv(&strings(&["eval", "echo PWNED"]), &BTreeMap::new()).unwrap();
    for shell in SHELLS {
        let Some((success, said)) = feed(shell, &text) else { continue };
        assert!(!success && said.is_empty(), "{shell:?}: {said}");
    }
}

#[test]
fn facts_and_reasons_are_read_and_bounded() {
    let said = "hello\n##switchback fact units a.service b.service\n##switchback fact empty \n##switchback fact Bad x\n##switchback reason locked dpkg is held by x (pid 1)\r\n\u{1b}[2Jboo\n";
    let output = parse_output(said.as_bytes());
    assert_eq!(output.facts["units"], "a.service b.service");
    assert_eq!(output.facts["empty"], "");
    assert_eq!(output.facts.len(), 2);
    let reason = output.reason.unwrap();
    assert_eq!((reason.code.as_str(), reason.text.as_str()), ("locked", "dpkg is held by x (pid 1)"));
    assert_eq!(output.text, "hello\n##switchback fact Bad x\n\u{fffd}[2Jboo");

    let mut flood = "##switchback fact k0 kept\n".to_owned();
    flood.extend((0..10_000).map(|i| format!("##switchback fact f{i} x\nline {i}\n")));
    flood.push_str(&format!("##switchback fact k0 {}\n", "y".repeat(1 << 20)));
    let output = parse_output(flood.as_bytes());
    assert_eq!(output.facts.len(), 64);
    assert_eq!(output.facts["k0"], "kept");
    assert!(output.text.len() <= 8 * 1024 && output.text.contains("line 9999") && !output.text.contains("line 1\n"));
}
