//! What can be said of a rule file before anything evaluates it: nesting, package, and the functions and inputs it names.
//!
//! Parsing itself can hang on nested brackets, so that they are counted first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::builtins;
use super::input::Paths;
use super::tokens::{Kind, Token, tokens};
use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};
use crate::model::printable;
use crate::yaml::nearest;

/// The time to parse doubles with every bracket within a bracket.
const MAX_NESTING: usize = 12;
/// Whoever writes a longer file has generated it.
const MAX_FILE: usize = 512 << 10;
/// The evaluator refuses longer lines, in columns.
const MAX_LINE: usize = 1000;

/// The packages that decide something, with the rules that are asked for.
pub(super) const PRIORITY: &str = "switchback.priority";
pub(super) const STRATEGY: &str = "switchback.strategy";
pub(super) const PLAN: &str = "switchback.plan";
const PACKAGES: [(&str, &[&str]); 3] = [(PRIORITY, &["override"]), (STRATEGY, &["use"]), (PLAN, &["deny", "warn"])];

/// What a rule file says of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Its package, with dots.
    pub package: String,
    /// The parts of the input that it may look at.
    pub paths: Paths,
    /// Whether it may look at the other packages that decide something.
    pub wide: bool,
    /// What it defines, with offset and length of the first definition.
    pub heads: BTreeMap<String, (usize, usize)>,
    inputs: Vec<(Vec<String>, Span)>,
    aliases: BTreeSet<String>,
    calls: Vec<(String, Span)>,
}

/// Reads one file.
pub(super) fn scan(source: &Arc<Source>, is_test: bool, diagnostics: &mut Diagnostics) -> Facts {
    let mut facts = Facts::default();
    let at = |offset: usize, length: usize| Span { source: Arc::clone(source), offset, length };
    if source.text.len() > MAX_FILE {
        let message = format!("the file has {} bytes; a file of rules has at most {MAX_FILE}", source.text.len());
        diagnostics.push(Diagnostic::error("rego-too-large", message).at(at(0, 0)));
        return facts;
    }
    let mut offset = 0;
    for line in source.text.split_inclusive('\n') {
        if line.chars().count() > MAX_LINE {
            let message = format!("this line is longer than {MAX_LINE} characters");
            diagnostics.push(Diagnostic::error("rego-too-large", message).at(at(offset, 1)));
            return facts;
        }
        offset += line.len();
    }
    let tokens = tokens(&source.text);
    let mut depth = 0usize;
    for token in &tokens {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth > MAX_NESTING {
            let message = format!("brackets are nested more than {MAX_NESTING} deep here");
            diagnostics.push(
                Diagnostic::error("rego-nesting", message)
                    .at(at(token.offset, 1))
                    .help("give the inner part a rule or a variable of its own"),
            );
            return facts;
        }
    }
    read(&mut facts, &tokens, source, is_test, diagnostics);
    facts
}

fn read(facts: &mut Facts, tokens: &[Token<'_>], source: &Arc<Source>, is_test: bool, diagnostics: &mut Diagnostics) {
    let at = |offset: usize, length: usize| Span { source: Arc::clone(source), offset, length };
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        let before = index.checked_sub(1).map(|index| &tokens[index]);
        if token.kind != Kind::Word || before.is_some_and(|before| before.is(".")) {
            continue;
        }
        let chain = Chain::at(&tokens[index..]);
        let span = at(token.offset, chain.end - token.offset);
        let line = source.text[..token.offset].rsplit('\n').next().unwrap_or_default();
        let first_of_line = line.trim().is_empty();
        // `input.finding.package` is no statement.
        let behind = |keyword: &str| {
            before.is_some_and(|before| before.is(keyword)) && !(index > 1 && tokens[index - 2].is("."))
        };
        let behind_default = behind("default");
        if depth == 0 && (first_of_line || behind_default) && !builtins::KEYWORDS.contains(&token.text) {
            facts.heads.entry(token.text.to_owned()).or_insert((token.offset, token.text.len()));
        }
        let import = behind("import");
        if index == 1 && behind("package") {
            facts.package = chain.names.join(".");
        } else if import {
            let next = &tokens[index + chain.length..];
            let renamed = next.first().is_some_and(|next| next.is("as"));
            let alias =
                if renamed { next.get(1).map(|next| next.text.to_owned()) } else { chain.names.last().cloned() };
            facts.aliases.extend(alias);
        }
        match chain.names[0].as_str() {
            "input" => {
                facts.paths.mark(&chain.names[1..chain.sure]);
                facts.inputs.push((chain.names[1..chain.sure].to_vec(), span.clone()));
            }
            "data" if chain.sure < 2 || chain.names[1] == "switchback" => facts.wide = true,
            _ => {}
        }
        let name = chain.names.join(".");
        if let Some(why) = builtins::refused(&name).filter(|_| !import && (chain.names.len() > 1 || chain.called)) {
            let message = format!("rules may not call `{}`: {why}", printable(&name, 80));
            diagnostics.push(
                Diagnostic::error("forbidden-builtin", message)
                    .at(span)
                    .help("the same input must give the same answer, at any time and on any machine"),
            );
        } else if chain.called {
            facts.calls.push((name, span));
        }
    }
    package(facts, tokens, source, is_test, diagnostics);
}

/// Checks the package of a file, and that it says what its package is asked for.
fn package(facts: &Facts, tokens: &[Token<'_>], source: &Arc<Source>, is_test: bool, diagnostics: &mut Diagnostics) {
    let length = facts.package.len();
    let span = tokens
        .get(1)
        .filter(|_| length > 0)
        .map_or((0, 0), |token| (token.offset, length.min(source.text.len() - token.offset)));
    let at = Span { source: Arc::clone(source), offset: span.0, length: span.1 };
    if facts.package.is_empty() {
        let message = "a file of rules begins with its package";
        let help = "write `package switchback.priority`, `switchback.strategy` or `switchback.plan`";
        diagnostics.push(Diagnostic::error("invalid-rego", message).at(at).help(help));
        return;
    }
    let ours = facts.package == "switchback" || facts.package.starts_with("switchback.");
    if is_test || !ours || PACKAGES.iter().any(|(name, _)| *name == facts.package) {
        return;
    }
    let known = PACKAGES.map(|(name, _)| name);
    let message = format!("nothing asks package `{}`", printable(&facts.package, 80));
    let near = nearest(&facts.package, known);
    let help = near.map_or_else(|| format!("known: {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
    diagnostics.push(Diagnostic::error("unknown-rule-package", message).at(at).help(help));
}

/// What can only be said of all files together: functions that nobody defines, inputs that do not exist, packages that
/// decide nothing.
pub(super) fn judge(files: &[(Arc<Source>, &Facts)], production: usize, diagnostics: &mut Diagnostics) {
    let mut heads: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (_, facts) in files {
        heads.entry(&facts.package).or_default().extend(facts.heads.keys().map(String::as_str));
    }
    for (index, (_, facts)) in files.iter().enumerate() {
        let own = &heads[facts.package.as_str()];
        for (name, span) in &facts.calls {
            let first = name.split('.').next().unwrap_or(name);
            let known = builtins::allowed(name)
                || first == "data"
                || builtins::KEYWORDS.contains(&first)
                || own.contains(first)
                || facts.aliases.contains(first);
            if !known {
                let message = format!("there is no function `{}`", printable(name, 80));
                let help = builtins::meant(name).map(|near| format!("did you mean `{near}`?"));
                let problem = Diagnostic::error("unknown-function", message).at(span.clone());
                diagnostics.push(match help {
                    Some(help) => problem.help(help),
                    None => problem,
                });
            }
        }
        let about_findings = facts.package == PRIORITY;
        if index < production && (about_findings || facts.package == STRATEGY) {
            for (path, span) in &facts.inputs {
                if let Err(help) = super::input::known(path, about_findings) {
                    let message = format!("`input.{}` does not exist", printable(&path.join("."), 80));
                    diagnostics.push(Diagnostic::error("unknown-input", message).at(span.clone()).help(help));
                }
            }
        }
    }
    for (name, wanted) in PACKAGES {
        let mut of_package = files[..production].iter().filter(|(_, facts)| facts.package == name).peekable();
        if let Some((source, _)) = of_package.peek()
            && !of_package.clone().any(|(_, facts)| wanted.iter().any(|rule| facts.heads.contains_key(*rule)))
        {
            let rules = wanted.join("` or `");
            let at = Span { source: Arc::clone(source), offset: 0, length: 0 };
            let message = format!("package `{name}` does not define `{rules}`: it decides nothing");
            diagnostics.push(Diagnostic::error("rule-without-decision", message).at(at));
        }
    }
}

/// A name with what follows it: `input.asset["labels"].env`.
struct Chain {
    names: Vec<String>,
    /// How many of the names surely belong together: those with nothing between them.
    sure: usize,
    /// How many tokens.
    length: usize,
    end: usize,
    /// Whether it is called.
    called: bool,
}

impl Chain {
    fn at(tokens: &[Token<'_>]) -> Self {
        let first = &tokens[0];
        let mut chain =
            Self { names: vec![first.text.to_owned()], sure: 1, length: 1, end: first.end(), called: false };
        let mut close = true;
        loop {
            let rest = &tokens[chain.length..];
            let touches = |index: usize, end: usize| rest.get(index).is_some_and(|token| token.offset == end);
            match rest {
                [dot, name, ..] if dot.is(".") && name.kind == Kind::Word => {
                    close &= touches(0, chain.end) && touches(1, dot.end());
                    chain.push(name.text.to_owned(), 2, name.end(), close);
                }
                [open, text, shut, ..]
                    if open.is("[")
                        && shut.is("]")
                        && text.kind == Kind::Text
                        && text.text.len() >= 2
                        && !text.text.contains('\\') =>
                {
                    close &= touches(0, chain.end);
                    chain.push(text.text[1..text.text.len() - 1].to_owned(), 3, shut.end(), close);
                }
                [open, ..] => {
                    chain.called = open.is("(") && open.offset == chain.end;
                    return chain;
                }
                [] => return chain,
            }
        }
    }

    fn push(&mut self, name: String, tokens: usize, end: usize, sure: bool) {
        self.names.push(name);
        self.length += tokens;
        self.end = end;
        self.sure += usize::from(sure);
    }
}
