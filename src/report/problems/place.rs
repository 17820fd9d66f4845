//! Where a problem is, and by what it is known again after lines moved.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Span};
use crate::model::{Digest, Place};

/// From where to where, both from 1; the end column is the one behind the last.
pub(super) struct Region {
    pub start: Place,
    pub end: Place,
}

impl Region {
    pub fn of(span: &Span) -> Self {
        Self { start: span.place(), end: span.source.place(span.offset.saturating_add(span.length)) }
    }
}

/// A path without `./` in front of it and without empty parts.
pub(super) fn plain(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    format!("{}{}", if path.starts_with('/') { "/" } else { "" }, parts.join("/"))
}

/// The file a problem is in; for one without a place, what was checked.
pub(super) fn file(diagnostic: &Diagnostic, checked: &str) -> String {
    plain(diagnostic.span.as_ref().map_or(checked, |span| span.source.name.as_str()))
}

/// A name for each problem that stays when other lines come and go: of its code, its file and the text of its line. Where
/// that is not all, the how-manieth it is tells them apart.
pub(super) fn fingerprints(diagnostics: &[Diagnostic], checked: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    diagnostics
        .iter()
        .map(|diagnostic| {
            let text = diagnostic.span.as_ref().map_or(diagnostic.message.as_str(), line);
            let whole = format!("{}\0{}\0{text}", diagnostic.code, file(diagnostic, checked));
            let digest = Digest::of(whole.as_bytes()).to_string();
            let count = seen.entry(digest.clone()).and_modify(|count| *count += 1).or_insert(1);
            format!("{digest}:{count}")
        })
        .collect()
}

/// The line in which a span begins, without the space around it.
fn line(span: &Span) -> &str {
    let text = &span.source.text;
    let offset = text.floor_char_boundary(span.offset);
    let start = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
    text[start..].lines().next().unwrap_or_default().trim()
}
