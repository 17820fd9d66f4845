//! Diagnostics as text for people and as JSON for programs. Nothing here prints.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity};

use super::{Diagnostic, Level, Source, Span};
use crate::model::{is_unprintable, printable};

/// A line longer than this is not shown: it was not written for people.
const MAX_LINE: usize = 400;

/// Every problem with its source line underlined, in the order given.
pub fn render_text(diagnostics: &[Diagnostic], color: bool) -> String {
    let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false).with_context_lines(1);
    let mut sources: BTreeMap<*const Source, Arc<NamedSource<String>>> = BTreeMap::new();
    let mut out = String::new();
    for diagnostic in diagnostics {
        if !out.is_empty() {
            out.push('\n');
        }
        let shown = Shown::new(diagnostic, &mut sources);
        if handler.render_report(&mut out, &shown).is_err() {
            // Formatting into a string does not fail; a place outside its source would.
            let _ = writeln!(out, "{diagnostic}");
        }
    }
    out
}

/// `{code, level, message, file, line, column, help}`; what is not known is null.
pub fn to_json(diagnostic: &Diagnostic) -> serde_json::Value {
    let place = diagnostic.place();
    serde_json::json!({
        "code": diagnostic.code,
        "level": diagnostic.level,
        "message": diagnostic.message,
        "file": place.as_ref().map(|place| &place.file),
        "line": place.as_ref().map(|place| place.line),
        "column": place.as_ref().map(|place| place.column),
        "help": diagnostic.help,
    })
}

type Shared = Arc<NamedSource<String>>;

/// One problem in the renderer's terms.
#[derive(Debug)]
struct Shown<'a> {
    code: &'a str,
    severity: Severity,
    message: String,
    help: Option<&'a str>,
    source: Option<Shared>,
    labels: Vec<LabeledSpan>,
    related: Option<Box<Shown<'a>>>,
}

impl<'a> Shown<'a> {
    fn new(diagnostic: &'a Diagnostic, sources: &mut BTreeMap<*const Source, Shared>) -> Self {
        let severity = match diagnostic.level {
            Level::Error => Severity::Error,
            Level::Warning => Severity::Warning,
            Level::Note => Severity::Advice,
        };
        let mut message = diagnostic.message.clone();
        let mut source = None;
        let mut labels = Vec::new();
        let mut related = None;
        match &diagnostic.span {
            Some(span) if can_be_shown(span) => {
                source = Some(shared(span, sources));
                labels.push(label(None, span, true));
            }
            Some(span) => {
                let _ = write!(message, " (at {})", printable(&span.place().to_string(), 4200));
            }
            None => {}
        }
        if let Some((what, span)) = &diagnostic.related
            && can_be_shown(span)
        {
            let what = printable(what, 200);
            if diagnostic.span.as_ref().is_some_and(|main| Arc::ptr_eq(&main.source, &span.source)) {
                labels.push(label(Some(what), span, false));
            } else {
                related = Some(Box::new(Self {
                    code: "",
                    severity: Severity::Advice,
                    message: what,
                    help: None,
                    source: Some(shared(span, sources)),
                    labels: vec![label(None, span, true)],
                    related: None,
                }));
            }
        }
        Self { code: diagnostic.code, severity, message, help: diagnostic.help.as_deref(), source, labels, related }
    }
}

fn label(what: Option<String>, span: &Span, primary: bool) -> LabeledSpan {
    let end = span.source.text.len();
    let offset = span.offset.min(end);
    let span = (offset, span.length.min(end - offset));
    if primary { LabeledSpan::new_primary_with_span(what, span) } else { LabeledSpan::new_with_span(what, span) }
}

fn can_be_shown(span: &Span) -> bool {
    let text = span.source.text.as_bytes();
    let offset = span.offset.min(text.len());
    // The lines before and after are shown as well.
    let start = text[..offset].iter().rposition(|b| *b == b'\n').unwrap_or(0);
    let first = text[..start].iter().rposition(|b| *b == b'\n').unwrap_or(0);
    let mut lines = text[first..].split(|b| *b == b'\n').take(if first == 0 { 3 } else { 4 });
    lines.all(|line| line.len() <= MAX_LINE)
}

fn shared(span: &Span, sources: &mut BTreeMap<*const Source, Shared>) -> Shared {
    let source = &span.source;
    let shown = sources
        .entry(Arc::as_ptr(source))
        .or_insert_with(|| Arc::new(NamedSource::new(printable(&source.name, 4096), harmless(&source.text))));
    Arc::clone(shown)
}

/// The text with every character that could drive a terminal replaced by others of as many bytes, so that places hold.
fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' => out.push(' '),
            c if !is_unprintable(c) => out.push(c),
            c if c.len_utf8() == 3 => out.push('\u{fffd}'),
            c => (0..c.len_utf8()).for_each(|_| out.push('?')),
        }
    }
    out
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (!self.code.is_empty()).then(|| Box::new(self.code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source.as_deref().map(|source| source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty())
            .then(|| Box::new(self.labels.iter().cloned()) as Box<dyn Iterator<Item = LabeledSpan>>)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        let related = self.related.as_deref()?;
        Some(Box::new(std::iter::once(related as &dyn miette::Diagnostic)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(source: &Arc<Source>, offset: usize, length: usize) -> Span {
        Span { source: Arc::clone(source), offset, length }
    }

    #[test]
    fn a_problem_shows_its_line_its_help_and_the_other_place() {
        let source = Source::new("a.yaml", "ä: 1\nname: x\nname: y\n");
        let other = Source::new("b.yaml", "first: 1\n");
        let one = Diagnostic::error("duplicate-key", "key `name` is given twice")
            .at(span(&source, 14, 4))
            .related("given before here", span(&source, 6, 4))
            .help("keep one");
        let two = Diagnostic::warning("set-twice", "x is set twice")
            .at(span(&source, 0, 2))
            .related("here", span(&other, 0, 5));
        insta::assert_snapshot!(render_text(&[one, two, Diagnostic::error("no-place", "nowhere")], false), @r#"
    duplicate-key

      × key `name` is given twice
       ╭─[a.yaml:3:1]
     1 │ ä: 1
     2 │ name: x
       · ──┬─
       ·   ╰── given before here
     3 │ name: y
       · ────
       ╰────
      help: keep one

    set-twice

      ⚠ x is set twice
       ╭─[a.yaml:1:1]
     1 │ ä: 1
       · ─
     2 │ name: x
       ╰────

    Advice: 
      ☞ here
       ╭─[b.yaml:1:1]
     1 │ first: 1
       · ─────
       ╰────

    no-place

      × nowhere
    "#);
    }

    #[test]
    fn json_has_all_parts() {
        let source = Source::new("a.yaml", "a: \u{1b}[31m\n");
        let value = to_json(&Diagnostic::error("code", "bad \u{1b}").at(span(&source, 3, 1)).help("good"));
        assert_eq!(
            value,
            serde_json::json!({"code": "code", "level": "error", "message": "bad \u{fffd}", "file": "a.yaml", "line": 1, "column": 4, "help": "good"})
        );
        assert!(to_json(&Diagnostic::warning("w", "m"))["file"].is_null());
    }

    proptest! {
        #[test]
        fn no_text_drives_the_terminal(text in "(?s).{0,60}", name in "(?s).{0,20}", offset in 0usize..300, length in 0usize..300) {
            let source = Source::new(name.as_str(), text.as_str());
            let shown = render_text(&[
                Diagnostic::error("code", &text).help(&text).at(span(&source, offset, length)).related(text.as_str(), span(&source, length, offset)),
            ], false);
            prop_assert!(!shown.chars().any(|c| c != '\n' && is_unprintable(c)), "{shown:?}");
        }
    }

    #[test]
    fn a_line_of_megabytes_is_not_shown() {
        let source = Source::new("a.yaml", "x".repeat(5 << 20));
        let shown = render_text(&[Diagnostic::error("code", "long").at(span(&source, 100, 1))], false);
        assert!(shown.len() < 500 && shown.contains("a.yaml:1:101"), "{shown}");
    }
}
