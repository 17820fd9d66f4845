//! What every VEX document is asked first, and the small pieces its reader needs.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::super::error::IntakeError;
use super::super::{json, row};
use super::{csaf, cyclonedx, openvex};
use crate::diagnostic::Source;
use crate::model::{ProductName, VexStatement, VexStatus, VulnerabilityId, printable};

/// A VEX document as it was read.
#[derive(Clone, Debug)]
pub struct VexDocument {
    /// `openvex`, `csaf` or `cyclonedx`.
    pub format: &'static str,
    /// Its own name for itself; empty where it has none.
    pub id: String,
    /// Who wrote it.
    pub author: String,
    /// What it states, in its order.
    pub statements: Vec<VexStatement>,
}

/// Reads a VEX document of any known format.
pub fn read_vex(source: &Source) -> Result<VexDocument, IntakeError> {
    let name = &source.name;
    let bytes = json::check(name, source.text.as_bytes())?;
    json::check_depth(name, bytes)?;
    let help = "known are OpenVEX, CSAF 2.0 and 2.1, and CycloneDX, each as JSON";
    if bytes.trim_ascii_start().starts_with(b"<") {
        let message = "the document is XML, which is not read as VEX";
        return Err(IntakeError::new("unknown-vex-format", name, message).help(help));
    }
    let root: Value = json::parse(name, bytes)?;
    let document = Document { source, root: &root };
    let context = text(&root, "@context");
    if context.starts_with("https://openvex.dev/ns") || (context.is_empty() && root.get("statements").is_some()) {
        openvex::read(&document)
    } else if root.get("document").is_some_and(Value::is_object) {
        csaf::read(&document)
    } else if text(&root, "bomFormat") == "CycloneDX" {
        cyclonedx::read(&document)
    } else {
        Err(IntakeError::new("unknown-vex-format", name, "the document is no VEX known here").help(help))
    }
}

/// A value with its line and column, from 1.
type Placed<'v> = (&'v Value, (u32, u32));

/// The document at hand.
pub(super) struct Document<'a> {
    pub source: &'a Source,
    pub root: &'a Value,
}

impl Document<'_> {
    /// An error of the document's content.
    pub fn wrong(&self, code: &'static str, message: impl AsRef<str>, place: Option<(u32, u32)>) -> IntakeError {
        let error = IntakeError::new(code, &self.source.name, message);
        match place {
            Some((line, column)) => error.at(line as usize, column as usize),
            None => error,
        }
    }

    /// The elements of a list at the top, with their places; none where it is no list.
    pub fn elements<'v>(&'v self, key: &str) -> Result<Vec<Placed<'v>>, IntakeError> {
        let elements = match self.root.get(key) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(elements)) => elements,
            Some(_) => return Err(self.wrong("invalid-report", format!("`{key}` is not a list"), None)),
        };
        let mut places = places(&self.source.text, key).into_iter();
        Ok(elements.iter().map(|element| (element, places.next().unwrap_or((1, 1)))).collect())
    }
}

/// The text at a key, or nothing.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The text at a path of keys, or nothing.
pub(super) fn text_at<'v>(value: &'v Value, path: &[&str]) -> &'v str {
    path.iter().try_fold(value, |value, key| value.get(key)).and_then(Value::as_str).unwrap_or_default()
}

/// The list at a key; anything else is an empty one.
pub(super) fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The first text of these that says anything, made printable.
pub(super) fn first<'t>(texts: impl IntoIterator<Item = &'t str>) -> Option<String> {
    const MAX: usize = 300;
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = texts.into_iter().find(|text| !text.trim().is_empty())?;
    // Whole chapters are not joined to be cut off again.
    let head = text.char_indices().nth(4 * MAX).map_or(text, |(end, _)| &text[..end]);
    Some(printable(&words(head), MAX))
}

/// The time at the first of these keys that has one.
pub(super) fn time(value: &Value, keys: &[&str]) -> Option<Timestamp> {
    keys.iter().find_map(|key| row::time(text(value, key)))
}

/// The names of a product, as far as they can be names.
pub(super) fn names<'t>(texts: impl IntoIterator<Item = &'t str>) -> Arc<[ProductName]> {
    let mut names: Vec<ProductName> = Vec::new();
    for name in texts.into_iter().filter_map(ProductName::of) {
        if names.len() < MAX_NAMES && !names.contains(&name) {
            names.push(name);
        }
    }
    names.into()
}

/// No product has more names.
const MAX_NAMES: usize = 32;

/// No document states more of products, groups and what is inherited counted each time.
const MAX_PRODUCTS: usize = 500_000;

/// Counts what a document states of products, so that a small one cannot mean too many.
#[derive(Debug, Default)]
pub(super) struct Budget(usize);

impl Budget {
    pub fn spend(&mut self, products: usize, document: &Document<'_>) -> Result<(), IntakeError> {
        self.0 = self.0.saturating_add(products);
        if self.0 <= MAX_PRODUCTS {
            return Ok(());
        }
        Err(document.wrong(
            "file-too-large",
            format!("the document names products more than {MAX_PRODUCTS} times"),
            None,
        ))
    }
}

/// The ids among these texts: what has no letter is the number of some bug tracker.
pub(super) fn ids<'t>(texts: impl IntoIterator<Item = &'t str>) -> BTreeSet<VulnerabilityId> {
    let named = |text: &str| text.bytes().any(|b| b.is_ascii_alphabetic()) && text.bytes().any(|b| b.is_ascii_digit());
    let read = texts.into_iter().map(str::trim).filter(|text| named(text)).take(row::MAX_ALIASES);
    read.filter_map(|text| VulnerabilityId::new(text).ok()).collect()
}

/// What a status means, in the words of OpenVEX.
pub(super) fn status(text: &str) -> Option<VexStatus> {
    Some(match text {
        "not_affected" => VexStatus::NotAffected,
        "affected" => VexStatus::Affected,
        "fixed" => VexStatus::Fixed,
        "under_investigation" => VexStatus::UnderInvestigation,
        _ => return None,
    })
}

/// Line and column of every element of the list at a key of the root object; the text is JSON.
fn places(text: &str, key: &str) -> Vec<(u32, u32)> {
    let bytes = text.as_bytes();
    let (mut places, mut depth, mut at) = (Vec::new(), 0usize, 0);
    let (mut line, mut line_start) = (1u32, 0);
    // Whether the key was just read, and whether the list is open.
    let (mut wanted, mut inside, mut expects) = (false, false, false);
    while let Some(&byte) = bytes.get(at) {
        let starts = inside && expects && depth == 2 && !byte.is_ascii_whitespace() && byte != b']';
        if starts {
            places.push((line, u32::try_from(at - line_start).unwrap_or(u32::MAX - 1) + 1));
            expects = false;
        }
        match byte {
            b'\n' => (line, line_start) = (line + 1, at + 1),
            b'"' => {
                let start = at + 1;
                at = start;
                while let Some(&byte) = bytes.get(at).filter(|&&byte| byte != b'"') {
                    at += if byte == b'\\' { 2 } else { 1 };
                }
                wanted = depth == 1 && bytes.get(start..at) == Some(key.as_bytes());
            }
            b'{' | b'[' => {
                depth += 1;
                if byte == b'[' && depth == 2 && wanted {
                    // Of a key that is there twice the last one counts.
                    places.clear();
                    (inside, expects) = (true, true);
                }
                wanted = false;
            }
            b'}' | b']' => {
                inside &= depth != 2;
                depth = depth.saturating_sub(1);
            }
            b',' => expects = inside && depth == 2,
            b':' => {}
            byte if byte.is_ascii_whitespace() => {}
            _ => wanted = false,
        }
        at += 1;
    }
    places
}

#[cfg(test)]
mod place_tests {
    use super::*;

    #[test]
    fn elements_are_found_where_they_stand() {
        let text = "{\"a\": [1, {\"s\": [9]}],\n \"x\\\"s\": 1,\n \"s\" : [ {\"s\": [2,3]},\n  {}, \"]\",[1]], \"t\": {\"s\":[1]}}";
        assert_eq!(places(text, "s"), [(3, 10), (4, 3), (4, 7), (4, 11)]);
        assert_eq!(places("{\"s\": \"s\", \"t\": [1]}", "s"), []);
        assert_eq!(places("{\"s\":[]}", "s"), []);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_walked_without_harm(text in "[\\[\\]{}\",:s\\\\\n a]{0,60}") {
            let _ = places(&text, "s");
        }
    }
}
