//! What a diagnostic is made of.

use std::sync::Arc;

use crate::model::{Place, printable};

/// A file as it was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The name to show.
    pub name: String,
    /// The text.
    pub text: String,
}

impl Source {
    /// A named text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into() })
    }

    /// The place of a byte offset.
    pub fn place(&self, offset: usize) -> Place {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place {
            file: self.name.clone(),
            line: number(before.matches('\n').count() + 1),
            column: number(before[line_start..].chars().count() + 1),
        }
    }
}

/// A stretch of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The file.
    pub source: Arc<Source>,
    /// Byte offset of the first byte.
    pub offset: usize,
    /// Length in bytes.
    pub length: usize,
}

impl Span {
    /// Where it starts, for people.
    pub fn place(&self) -> Place {
        self.source.place(self.offset)
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Level {
    Note,
    Warning,
    Error,
}

/// One problem.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Kebab-case name of the kind of problem; documented, stable.
    pub code: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What is wrong: a lowercase fragment that names the object.
    pub message: String,
    /// Where.
    pub span: Option<Span>,
    /// What would be right.
    pub help: Option<String>,
    /// A second place that matters, with what it is.
    pub related: Option<(String, Span)>,
}

impl Diagnostic {
    /// An error; the message is made printable.
    pub fn error(code: &'static str, message: impl AsRef<str>) -> Self {
        Self {
            code,
            level: Level::Error,
            message: printable(message.as_ref(), 600),
            span: None,
            help: None,
            related: None,
        }
    }

    /// A warning; the message is made printable.
    pub fn warning(code: &'static str, message: impl AsRef<str>) -> Self {
        Self { level: Level::Warning, ..Self::error(code, message) }
    }

    /// A note: nothing is wrong, and somebody may want to know; the message is made printable.
    pub fn note(code: &'static str, message: impl AsRef<str>) -> Self {
        Self { level: Level::Note, ..Self::error(code, message) }
    }

    /// With its place.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// With what would be right.
    #[must_use]
    pub fn help(mut self, help: impl AsRef<str>) -> Self {
        self.help = Some(printable(help.as_ref(), 600));
        self
    }

    /// With a second place.
    #[must_use]
    pub fn related(mut self, what: impl Into<String>, span: Span) -> Self {
        self.related = Some((what.into(), span));
        self
    }

    /// Where, for people.
    pub fn place(&self) -> Option<Place> {
        self.span.as_ref().map(Span::place)
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(place) = self.place() {
            write!(f, "{place}: ")?;
        }
        write!(f, "{} [{}]", self.message, self.code)
    }
}

/// All problems found so far.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
}

/// No run shows more problems than this: a hostile file must not fill the memory with them.
const MAX_ITEMS: usize = 1_000;

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.items.len() < MAX_ITEMS || diagnostic.level == Level::Error && !self.has_errors() {
            self.items.push(diagnostic);
        }
    }

    /// Whether any is an error.
    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|d| d.level == Level::Error)
    }

    /// All, by file and place.
    pub fn sorted(mut self) -> Vec<Diagnostic> {
        self.items.sort_by(|a, b| {
            let key = |d: &Diagnostic| d.span.as_ref().map(|s| (s.source.name.clone(), s.offset));
            key(a).cmp(&key(b)).then_with(|| a.code.cmp(b.code)).then_with(|| a.message.cmp(&b.message))
        });
        self.items
    }

    /// All, as they came.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.items.iter()
    }

    /// Adds all of a list.
    pub fn extend_from(&mut self, items: Vec<Diagnostic>) {
        items.into_iter().for_each(|item| self.push(item));
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: Self) {
        for item in other.items {
            self.push(item);
        }
    }
}
