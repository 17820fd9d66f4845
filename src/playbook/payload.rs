//! The text that is fed to a constant remote `/bin/sh -s`: environment, arguments and script in one.

use std::collections::BTreeMap;

use crate::model::{Command, Digest, Program, StepId};

use super::{RenderError, quote, quote_powershell, quote_words};

/// No payload is longer than this; a script and its arguments are a few kilobytes.
const MAX_PAYLOAD: usize = 1 << 20;

/// The shell's own variables: read-only in some shell, or a change of how it reads what follows.
const SHELL_VARIABLES: [&str; 14] = [
    "_",
    "BASHOPTS",
    "BASH_ENV",
    "ENV",
    "EUID",
    "IFS",
    "LINENO",
    "OPTARG",
    "OPTIND",
    "PPID",
    "PS4",
    "SHELLOPTS",
    "UID",
    "POSIXLY_CORRECT",
];

/// What makes a shell run `script` with these arguments (`$1`, `$2`, ...) and this environment.
///
/// All of it is one brace group: the shell reads it whole before it runs any of it, so a text that was cut off on its
/// way is a syntax error and does nothing, and the script cannot eat its own text from standard input, which is empty.
pub fn payload(script: &str, argv: &[String], env: &BTreeMap<String, String>) -> Result<String, RenderError> {
    if script.contains('\0') {
        return Err(RenderError::ControlCharacter { shown: "a script with a NUL byte".to_owned() });
    }
    let mut body = String::from("set --");
    for argument in argv {
        body.push(' ');
        body.push_str(&quote(argument)?);
    }
    body.push('\n');
    body.push_str(script);
    group(&body, env)
}

/// What makes a shell replace itself by the program `argv[0]`.
pub fn payload_argv(argv: &[String], env: &BTreeMap<String, String>) -> Result<String, RenderError> {
    // `exec` never takes a builtin or a function of this name, but it takes options.
    match argv.first() {
        Some(program) if !program.is_empty() && !program.starts_with('-') => {}
        program => return Err(RenderError::Program { shown: crate::model::printable(program.map_or("", |p| p), 80) }),
    }
    group(&format!("exec {}", quote_words(argv.iter().map(String::as_str))?), env)
}

/// What makes PowerShell run `script` with these arguments (`$args`) and this environment. PowerShell, given the whole text,
/// reads all of it before it runs any: what was cut off on its way lacks the end of the block and does nothing.
pub fn payload_powershell(
    script: &str,
    argv: &[String],
    env: &BTreeMap<String, String>,
) -> Result<String, RenderError> {
    let mut text = String::new();
    for (name, value) in env {
        check_env_name(name)?;
        text.push_str(&format!("$env:{name} = {}\n", quote_powershell(value)?));
    }
    text.push_str(&format!("& {{\n{script}\n}}"));
    for argument in argv {
        text.push_str(&format!(" {}", quote_powershell(argument)?));
    }
    text.push('\n');
    bounded(text)
}

/// The payload of a planned command, with its script looked up by digest and the facts it asks for.
pub fn command_payload(
    command: &Command,
    scripts: &BTreeMap<Digest, String>,
    facts: &BTreeMap<(StepId, String), String>,
) -> Result<String, RenderError> {
    let mut env = command.env.clone();
    for (name, fact) in &command.env_facts {
        let value = facts
            .get(&(fact.step.clone(), fact.key.clone()))
            .or(fact.otherwise.as_ref())
            .ok_or_else(|| RenderError::MissingFact { step: fact.step.clone(), key: fact.key.clone() })?;
        env.insert(name.clone(), value.clone());
    }
    match &command.program {
        Program::Argv => payload_argv(&command.argv, &env),
        Program::Builtin { digest, .. } | Program::Ansible { digest } | Program::Shell { digest } => {
            let script = scripts.get(digest).ok_or(RenderError::MissingScript { digest: *digest })?;
            if Digest::of(script.as_bytes()) != *digest {
                return Err(RenderError::MissingScript { digest: *digest });
            }
            match &command.program {
                // The name of a script of ours says its language.
                Program::Builtin { name, .. } if is_powershell(name) => payload_powershell(script, &command.argv, &env),
                _ => payload(script, &command.argv, &env),
            }
        }
    }
}

/// Whether a built-in script of this name is one of PowerShell.
pub(super) fn is_powershell(name: &str) -> bool {
    name.ends_with(".ps1")
}

/// Whether a variable of this name may be given to a command.
pub(super) fn check_env_name(name: &str) -> Result<(), RenderError> {
    let fine =
        name.bytes().enumerate().all(|(i, b)| b.is_ascii_uppercase() || b == b'_' || (i > 0 && b.is_ascii_digit()));
    if !fine || name.is_empty() || name.len() > 64 || SHELL_VARIABLES.contains(&name) {
        return Err(RenderError::EnvName { shown: crate::model::printable(name, 80) });
    }
    Ok(())
}

fn group(body: &str, env: &BTreeMap<String, String>) -> Result<String, RenderError> {
    let mut text = String::from("{\n");
    for (name, value) in env {
        check_env_name(name)?;
        text.push_str(&format!("{name}={}\nexport {name}\n", quote(value)?));
    }
    text.push_str(body);
    text.push_str("\n} </dev/null\n");
    bounded(text)
}

fn bounded(text: String) -> Result<String, RenderError> {
    if text.len() > MAX_PAYLOAD {
        return Err(RenderError::TooLong { length: text.len(), limit: MAX_PAYLOAD });
    }
    Ok(text)
}
