//! Content lines of RFC 5545 and the components that they form, every part with its place in the file.

use std::sync::Arc;

use crate::diagnostic::{Source, Span};
use crate::model::printable;

/// No component is nested deeper: RFC 5545 knows three levels.
const MAX_DEPTH: usize = 16;

/// A problem with its place.
#[derive(Debug)]
pub(super) struct Broken {
    pub span: Span,
    pub message: String,
}

/// A property, unfolded.
#[derive(Debug)]
pub(super) struct Line {
    /// In capitals.
    pub name: String,
    pub params: Vec<(String, String)>,
    pub value: String,
    /// Where the value starts in the unfolded text.
    value_at: usize,
    text: Unfolded,
}

impl Line {
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The whole line.
    pub fn span(&self) -> Span {
        self.text.span(0, self.text.text.len())
    }

    /// A part of the value.
    pub fn part(&self, at: usize, length: usize) -> Span {
        self.text.span(self.value_at + at, length)
    }

    /// The value.
    pub fn value_span(&self) -> Span {
        self.part(0, self.value.len())
    }

    /// A problem with the value.
    pub fn broken(&self, message: impl Into<String>) -> Broken {
        Broken { span: self.value_span(), message: message.into() }
    }
}

/// A component with its properties and parts.
#[derive(Debug)]
pub(super) struct Component {
    /// In capitals.
    pub name: String,
    /// Its `BEGIN`.
    pub at: Span,
    pub lines: Vec<Line>,
    pub parts: Vec<Component>,
}

impl Component {
    pub fn all(&self, name: &str) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.name == name)
    }

    /// The only property of this name.
    pub fn one(&self, name: &str) -> Result<Option<&Line>, Broken> {
        let mut all = self.all(name);
        let first = all.next();
        match all.next() {
            None => Ok(first),
            Some(second) => Err(Broken { span: second.span(), message: format!("a second {name}") }),
        }
    }
}

/// A line with its folds taken out, and where its parts stand in the file.
#[derive(Clone, Debug)]
struct Unfolded {
    text: String,
    /// Where a piece starts in the text, and in the file.
    pieces: Vec<(usize, usize)>,
    source: Arc<Source>,
}

impl Unfolded {
    fn offset(&self, at: usize) -> usize {
        let piece = self.pieces.iter().rev().find(|(start, _)| *start <= at);
        piece.map_or(0, |(start, offset)| offset + (at - start))
    }

    fn span(&self, at: usize, length: usize) -> Span {
        let offset = self.offset(at);
        let end = if length == 0 { offset } else { self.offset(at + length - 1) + 1 };
        Span { source: Arc::clone(&self.source), offset, length: end.saturating_sub(offset) }
    }
}

fn unfold(source: &Arc<Source>) -> Vec<Unfolded> {
    let mut lines: Vec<Unfolded> = Vec::new();
    let bom = if source.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut offset = bom;
    for physical in source.text.get(bom..).unwrap_or_default().split_inclusive('\n') {
        let line = physical.strip_suffix('\n').unwrap_or(physical);
        let line = line.strip_suffix('\r').unwrap_or(line);
        match line.strip_prefix([' ', '\t']) {
            // A file may start with blanks; nothing is folded there.
            Some(rest) if !lines.is_empty() => {
                if let Some(last) = lines.last_mut() {
                    last.pieces.push((last.text.len(), offset + 1));
                    last.text.push_str(rest);
                }
            }
            _ => {
                let text = line.trim_start();
                if !text.is_empty() {
                    let pieces = vec![(0, offset + line.len() - text.len())];
                    lines.push(Unfolded { text: text.to_owned(), pieces, source: Arc::clone(source) });
                }
            }
        }
        offset += physical.len();
    }
    lines
}

/// Properties whose values hold no colon: the last one parts the value from parameters that forgot their quotes.
const WITHOUT_COLON: [&str; 5] = ["DTSTART", "DTEND", "RDATE", "EXDATE", "RECURRENCE-ID"];

fn parse(text: Unfolded) -> Result<Line, Broken> {
    let whole = &text.text;
    let broken = |message: String| Broken { span: text.span(0, whole.len()), message };
    let end = whole.find([':', ';']).unwrap_or(whole.len());
    let name = whole.get(..end).unwrap_or_default().trim_end();
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(broken(format!("`{}` is not a line of a calendar: NAME:VALUE", printable(whole, 60))));
    }
    let name = name.to_ascii_uppercase();
    // Colons and semicolons in quotes belong to a parameter.
    let mut quoted = false;
    let mut bounds = Vec::new();
    let mut colon = None;
    for (at, c) in whole.char_indices().skip_while(|(at, _)| *at < end) {
        match c {
            '"' => quoted = !quoted,
            ';' if !quoted => bounds.push(at),
            ':' if !quoted => {
                colon = Some(at);
                if !WITHOUT_COLON.contains(&name.as_str()) {
                    break;
                }
            }
            _ => {}
        }
    }
    let Some(colon) = colon else {
        return Err(broken(format!("{name} has no value: there is no colon outside of quotes")));
    };
    bounds.retain(|at| *at < colon);
    let mut params = Vec::new();
    for (i, start) in bounds.iter().enumerate() {
        let stop = bounds.get(i + 1).copied().unwrap_or(colon);
        let param = whole.get(start + 1..stop).unwrap_or_default();
        let Some((key, value)) = param.split_once('=') else {
            return Err(broken(format!("`{}` is not a parameter: KEY=VALUE", printable(param, 60))));
        };
        params.push((key.trim().to_ascii_uppercase(), value.trim().trim_matches('"').to_owned()));
    }
    let value = whole.get(colon + 1..).unwrap_or_default();
    let value_at = colon + 1 + (value.len() - value.trim_start().len());
    let value = value.trim().to_owned();
    Ok(Line { name, params, value, value_at, text })
}

/// The top of a file: whole components, and what stands in none.
pub(super) fn components(source: &Arc<Source>, wanted: &[&str]) -> Result<Vec<Component>, Broken> {
    let mut open: Vec<Component> = Vec::new();
    let mut roots: Vec<Component> = Vec::new();
    for text in unfold(source) {
        let end = text.text.find([':', ';']).unwrap_or(text.text.len());
        let name = text.text.get(..end).unwrap_or_default().trim().to_ascii_uppercase();
        let value = || text.text.get(end + 1..).unwrap_or_default().trim().to_ascii_uppercase();
        let broken = |message: String| Broken { span: text.span(0, text.text.len()), message };
        match name.as_str() {
            "BEGIN" => {
                if open.len() >= MAX_DEPTH {
                    return Err(broken(format!("components are nested more than {MAX_DEPTH} deep")));
                }
                let at = text.span(0, text.text.len());
                open.push(Component { name: value(), at, lines: Vec::new(), parts: Vec::new() });
            }
            "END" => {
                let Some(done) = open.pop() else {
                    return Err(broken(format!("END:{} without its BEGIN", printable(&value(), 40))));
                };
                if done.name != value() {
                    let (ends, open) = (printable(&value(), 40), printable(&done.name, 40));
                    return Err(broken(format!("END:{ends} within {open}")));
                }
                match open.last_mut() {
                    Some(parent) => parent.parts.push(done),
                    None => roots.push(done),
                }
            }
            _ => {
                // Of other components, and of properties that say nothing of time, nothing is asked.
                let Some(inside) = open.last_mut() else { continue };
                let is_line = !name.is_empty() && end < text.text.len();
                if wanted.contains(&name.as_str()) || (inside.name == "VEVENT" && !is_line) {
                    inside.lines.push(parse(text)?);
                }
            }
        }
    }
    match open.pop() {
        Some(unclosed) => Err(Broken {
            message: format!("{} has no END: the file is cut off", printable(&unclosed.name, 40)),
            span: unclosed.at,
        }),
        None if roots.is_empty() => Err(Broken {
            span: Span {
                source: Arc::clone(source),
                offset: 0,
                length: source.text.lines().next().map_or(0, str::len),
            },
            message: "this is not a calendar: it has no BEGIN:VCALENDAR".to_owned(),
        }),
        None => Ok(roots),
    }
}
