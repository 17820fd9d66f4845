//! The context check: proves that every expression of a shell template stands where a quoted word is one word.
//!
//! Quoting alone is not enough: `echo "pkg {{ x }}"` runs a `$(...)` inside the value. The check reads the template's
//! own text as a shell would and refuses a tag anywhere but in plain, unquoted text. Because this holds at every tag,
//! each piece between tags starts and ends in plain text, and so does whatever `if` and `for` make of the pieces.
//! What it cannot follow, it refuses.

use std::collections::VecDeque;

/// What is wrong with a template, and on which line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ShellProblem {
    /// Kebab-case.
    pub code: &'static str,
    /// In words.
    pub message: String,
    /// From 1.
    pub line: usize,
}

/// All problems of a template.
pub(super) fn check(template: &str) -> Vec<ShellProblem> {
    let mut checker = Checker::default();
    let mut rest = template;
    while let Some(start) = next_tag(rest) {
        checker.text(&rest[..start]);
        let tag = &rest[start..];
        let Some(end) = tag_end(tag) else {
            checker.problem("unfinished-tag", "a tag is not closed");
            return checker.problems;
        };
        checker.tag(&tag[..end], &rest[..start], &tag[end..]);
        rest = &tag[end..];
    }
    checker.text(rest);
    checker.finish()
}

fn next_tag(text: &str) -> Option<usize> {
    ["{{", "{%", "{#"].iter().filter_map(|open| text.find(open)).min()
}

/// The length of the tag that `text` starts with.
fn tag_end(text: &str) -> Option<usize> {
    let close = match text.get(..2)? {
        "{{" => "}}",
        "{%" => "%}",
        _ => return text.find("#}").map(|i| i + 2),
    };
    let mut quote = None;
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(2) {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(q), _) if q == c => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, _) if text[i..].starts_with(close) => return Some(i + 2),
            _ => {}
        }
    }
    None
}

/// Stands for the value of an expression in [`Checker::words`].
const VALUE: char = '\u{fffc}';

/// Where the shell is, innermost last; empty is plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Single,
    Double,
    Comment,
    Backquote,
    /// `${...}`.
    Parameter,
    /// `$(...)` or `$((...))`, with the number of open parentheses.
    Substitution(u32),
    /// The lines of a here-document.
    Here,
}

struct HereDocument {
    delimiter: String,
    strip_tabs: bool,
    quoted: bool,
}

#[derive(Default)]
struct Checker {
    problems: Vec<ShellProblem>,
    line: usize,
    frames: Vec<Frame>,
    /// Here-documents whose lines start behind the next newline.
    pending: VecDeque<HereDocument>,
    /// The words of the command so far, without quotes, and the one being read.
    words: Vec<String>,
    word: Option<String>,
    /// Lines with a word that makes a shell read a value as a script.
    interpreters: Vec<(usize, String)>,
    has_expression: bool,
}

impl Checker {
    fn problem(&mut self, code: &'static str, message: impl Into<String>) {
        let line = self.line + 1;
        // One problem of a kind a line says enough.
        if !self.problems.iter().any(|p| p.code == code && p.line == line) {
            self.problems.push(ShellProblem { code, message: message.into(), line });
        }
    }

    fn finish(mut self) -> Vec<ShellProblem> {
        self.end_command();
        if self.has_expression {
            for (line, word) in std::mem::take(&mut self.interpreters) {
                self.line = line;
                self.problem(
                    "value-as-script",
                    format!("`{word}` reads text as a script, and this script holds values: pass them as arguments"),
                );
            }
        }
        self.problems
    }

    fn tag(&mut self, tag: &str, before: &str, after: &str) {
        let inner = &tag[2..tag.len() - 2];
        let place = match self.frames.last() {
            None if !self.pending.is_empty() => Some("on the line of a here-document's start"),
            None => None,
            Some(Frame::Single | Frame::Double) => Some("inside quotes"),
            Some(Frame::Comment) => Some("inside a comment"),
            Some(Frame::Here) => Some("inside a here-document"),
            Some(Frame::Backquote | Frame::Parameter | Frame::Substitution(_)) => Some("inside a substitution"),
        };
        if let Some(place) = place {
            self.problem("value-in-context", format!("{tag} stands {place}, where quoting it does not help"));
        }
        // Stripped white space would join what the check saw apart.
        if inner.starts_with(['-', '+']) || inner.ends_with(['-', '+']) {
            self.problem("tag-strips-space", format!("{tag} changes the white space around it: leave out the sign"));
        }
        if tag.starts_with("{{") {
            self.has_expression = true;
            if before.ends_with(['$', '\\']) {
                self.problem("value-in-context", format!("{tag} follows a character that changes its quotes"));
            }
            if self.word.is_none() && self.at_command() {
                self.problem("value-as-command", format!("{tag} stands where the shell expects a command"));
            }
            self.push(VALUE);
        } else {
            let apart = |c: Option<char>| c.is_none_or(|c| c.is_whitespace() || "{}".contains(c));
            if !apart(before.chars().next_back()) || !apart(after.chars().next()) {
                self.problem("glued-tag", format!("{tag} must have white space on both sides"));
            }
            let keyword = inner.split_whitespace().next().unwrap_or("");
            let known = ["if", "elif", "else", "endif", "for", "endfor", "set"];
            if tag.starts_with("{%") && !known.contains(&keyword) {
                self.problem("unknown-tag", format!("{tag} is not of use in a script: if, for and set are"));
            }
            self.end_word();
        }
        self.line += tag.matches('\n').count();
    }

    /// Whether the next word is the name of a program.
    fn at_command(&self) -> bool {
        const TRANSPARENT: [&str; 19] = [
            "if", "then", "elif", "else", "do", "while", "until", "!", "{", "time", "exec", "command", "env", "sudo",
            "nohup", "builtin", "setsid", "xargs", "nice",
        ];
        self.words.iter().all(|w| TRANSPARENT.contains(&w.as_str()) || w.contains('='))
    }

    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take() {
            // Its patterns end with a parenthesis that would be taken for the end of the substitution.
            if word == "case" && self.frames.iter().any(|f| matches!(f, Frame::Substitution(_))) {
                self.problem("too-complex", "a `case` inside a substitution cannot be followed: use a function");
            }
            self.words.push(word);
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        let words = std::mem::take(&mut self.words);
        let base = |w: &str| w.rsplit('/').next().unwrap_or(w).to_owned();
        for (i, word) in words.iter().enumerate() {
            let name = base(word);
            let is_shell = matches!(
                name.as_str(),
                "sh" | "bash" | "dash" | "ash" | "ksh" | "mksh" | "zsh" | "fish" | "su" | "runuser" | "busybox"
            );
            let is_language =
                name.starts_with("python") || name.starts_with("perl") || name == "ruby" || name == "node";
            let takes_text = |flag: char| {
                words[i + 1..]
                    .iter()
                    .any(|w| w == "--command" || (w.starts_with('-') && !w.starts_with("--") && w.contains(flag)))
            };
            let has_value = words[i + 1..].iter().any(|w| w.contains(VALUE));
            let reads_value = matches!(name.as_str(), "trap" | "alias" | "source") || word == ".";
            if name == "eval" || (reads_value && has_value) {
                self.interpreters.push((self.line, name));
            } else if (is_shell && takes_text('c')) || (is_language && (takes_text('c') || takes_text('e'))) {
                self.interpreters.push((self.line, format!("{name} -c")));
            }
        }
    }

    /// Reads text of the template's own.
    fn text(&mut self, text: &str) {
        let mut chars = text.chars().peekable();
        let mut line = String::new();
        // In an unquoted here-document a backslash joins the next line to its own.
        let mut joined = false;
        while let Some(c) = chars.next() {
            if self.frames.last() == Some(&Frame::Here) {
                if c != '\n' {
                    line.push(c);
                    continue;
                }
                self.line += 1;
                let ends = self.ends_here(&line);
                if ends && joined {
                    self.problem("too-complex", "the end of a here-document is joined to the line above it");
                }
                if ends {
                    self.pending.pop_front();
                    if self.pending.is_empty() {
                        self.frames.pop();
                    }
                }
                joined = self.pending.front().is_some_and(|h| !h.quoted) && line.ends_with('\\');
                line.clear();
                continue;
            }
            let next = chars.peek().copied();
            match self.frames.last().copied() {
                Some(Frame::Single) => match c {
                    '\'' => _ = self.frames.pop(),
                    _ => self.push(c),
                },
                Some(Frame::Comment) => {
                    if c == '\n' {
                        self.frames.pop();
                        self.end_command();
                        self.start_here_documents();
                    }
                }
                Some(Frame::Backquote) => match c {
                    '\\' => _ = chars.next(),
                    '`' => {
                        self.frames.pop();
                        self.word.get_or_insert_default();
                    }
                    c if c.is_whitespace() => self.end_word(),
                    _ => self.push(c),
                },
                frame => match c {
                    '\\' => match chars.next() {
                        Some('\n') => self.line += 1,
                        Some(escaped) => self.push(escaped),
                        None => {}
                    },
                    '$' => match next {
                        Some('{') => {
                            chars.next();
                            self.push('$');
                            self.frames.push(Frame::Parameter);
                        }
                        Some('(') => {
                            chars.next();
                            self.end_word();
                            self.frames.push(Frame::Substitution(1));
                        }
                        Some('\'') if frame != Some(Frame::Double) => {
                            self.problem("too-complex", "$'...' is not the same in every shell");
                        }
                        // A special parameter, not a comment.
                        Some('#') => {
                            chars.next();
                            self.push('#');
                        }
                        _ => self.push(c),
                    },
                    '`' => self.frames.push(Frame::Backquote),
                    '"' if frame == Some(Frame::Double) => _ = self.frames.pop(),
                    '"' => {
                        if frame == Some(Frame::Parameter) && self.frames.contains(&Frame::Double) {
                            self.problem("too-complex", "a double quote inside \"${...}\" cannot be followed");
                        }
                        self.word.get_or_insert_default();
                        self.frames.push(Frame::Double);
                    }
                    '}' if frame == Some(Frame::Parameter) => _ = self.frames.pop(),
                    '\'' if frame == Some(Frame::Double) => self.push(c),
                    '\'' => {
                        // Shells disagree on whether it quotes there.
                        if frame == Some(Frame::Parameter) && self.frames.contains(&Frame::Double) {
                            self.problem("too-complex", "a single quote inside \"${...}\" cannot be followed");
                        }
                        self.word.get_or_insert_default();
                        self.frames.push(Frame::Single);
                    }
                    _ if matches!(frame, Some(Frame::Double | Frame::Parameter)) => self.push(c),
                    _ => self.plain(c, &mut chars, frame),
                },
            }
            if c == '\n' {
                self.line += 1;
            }
        }
        if self.frames.last() == Some(&Frame::Here) && !line.is_empty() && self.ends_here(&line) {
            self.frames.pop();
            self.pending.clear();
        }
    }

    /// A character outside all quotes, possibly in a command substitution.
    fn plain(&mut self, c: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>, frame: Option<Frame>) {
        let substitution = matches!(frame, Some(Frame::Substitution(_)));
        match c {
            '#' if self.word.is_none() => {
                if substitution {
                    self.problem("too-complex", "a comment inside a substitution cannot be followed");
                }
                self.frames.push(Frame::Comment);
            }
            '\n' => {
                if substitution && !self.pending.is_empty() {
                    self.problem("too-complex", "a here-document that starts inside a substitution cannot be followed");
                }
                self.end_command();
                self.start_here_documents();
            }
            ' ' | '\t' => self.end_word(),
            ';' | '&' | '|' => self.end_command(),
            '(' | ')' => {
                self.end_command();
                if let Some(Frame::Substitution(open)) = self.frames.last_mut() {
                    *open = if c == '(' { *open + 1 } else { *open - 1 };
                    if *open == 0 {
                        self.frames.pop();
                        // What follows belongs to the word of the substitution.
                        self.word = Some("$".to_owned());
                    }
                }
            }
            '<' if chars.peek() == Some(&'<') => {
                chars.next();
                self.end_word();
                if chars.peek() == Some(&'<') {
                    chars.next();
                    self.words.push("<<<".to_owned());
                } else if substitution {
                    self.problem("too-complex", "a here-document inside a substitution cannot be followed");
                } else {
                    self.here_document(chars);
                }
            }
            '<' | '>' => {
                self.end_word();
                self.words.push(c.to_string());
                // `>&2`, `>|file`: no end of the command.
                if chars.peek().is_some_and(|c| "&|".contains(*c)) {
                    chars.next();
                }
            }
            c => self.push(c),
        }
    }

    fn here_document(&mut self, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
        let strip_tabs = chars.next_if_eq(&'-').is_some();
        while chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        let quote = chars.next_if(|c| matches!(c, '\'' | '"'));
        let mut delimiter = String::new();
        while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
            delimiter.push(c);
        }
        let closed = quote.is_none_or(|q| chars.next_if_eq(&q).is_some());
        let apart = chars.peek().is_some_and(|c| c.is_whitespace() || ";&|<>)".contains(*c));
        if delimiter.is_empty() || !closed || !apart {
            self.problem("too-complex", "the delimiter of a here-document must be a plain word");
        }
        self.words.push("<<".to_owned());
        self.pending.push_back(HereDocument { delimiter, strip_tabs, quoted: quote.is_some() });
    }

    fn start_here_documents(&mut self) {
        if !self.pending.is_empty() {
            self.frames.push(Frame::Here);
        }
    }

    fn ends_here(&self, line: &str) -> bool {
        self.pending.front().is_some_and(|here| {
            let line = if here.strip_tabs { line.trim_start_matches('\t') } else { line };
            line == here.delimiter
        })
    }
}
