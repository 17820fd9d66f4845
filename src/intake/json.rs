//! The first look at a JSON file from outside: bounds, and what its root is.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::IntakeError;
use super::lenient::otherwise;
use crate::model::printable;

/// No report and no inventory is larger than this.
pub const MAX_BYTES: u64 = 512 << 20;
/// Nor nested deeper.
const MAX_DEPTH: usize = 128;

/// Reads a file, but never more than the limit.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, IntakeError> {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| {
        IntakeError::new("unreadable-file", &name, format!("cannot be read: {error}"))
            .help("check the path and that you may read it")
    };
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.by_ref().take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    check_size(&name, &bytes)?;
    Ok(bytes)
}

/// Whether a text is JSON and not only YAML.
pub(super) fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn check_size(name: &str, bytes: &[u8]) -> Result<(), IntakeError> {
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_BYTES) {
        return Ok(());
    }
    Err(IntakeError::new("file-too-large", name, format!("`{name}` is larger than {} MiB", MAX_BYTES >> 20))
        .help("split it: one file per host"))
}

/// The bytes of a file within their bounds, without a byte order mark.
pub(super) fn check<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a [u8], IntakeError> {
    check_size(name, bytes)?;
    Ok(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))
}

/// Whether JSON nests within its bound.
pub(super) fn check_depth(name: &str, bytes: &[u8]) -> Result<(), IntakeError> {
    match too_deep(bytes) {
        None => Ok(()),
        Some(offset) => {
            let (line, column) = place(bytes, offset);
            Err(IntakeError::new("nesting-too-deep", name, format!("nested deeper than {MAX_DEPTH} levels"))
                .at(line, column)
                .help("no scanner writes such a file"))
        }
    }
}

/// Where brackets outside of strings nest too deeply.
fn too_deep(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0usize;
    let mut in_string = false;
    let mut escaped = false;
    for (offset, &byte) in bytes.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Some(offset);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Line and column of an offset, both from 1.
pub(super) fn place(bytes: &[u8], offset: usize) -> (usize, usize) {
    let before = &bytes[..offset.min(bytes.len())];
    let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
    (before.iter().filter(|&&b| b == b'\n').count() + 1, before.len() - line_start + 1)
}

/// Reads checked bytes.
pub(super) fn parse<'de, T: Deserialize<'de>>(name: &str, bytes: &'de [u8]) -> Result<T, IntakeError> {
    if bytes.trim_ascii().is_empty() {
        return Err(empty(name));
    }
    serde_json::from_slice(bytes).map_err(|error| explain(name, &error))
}

/// A file with nothing in it.
pub(super) fn empty(name: &str) -> IntakeError {
    let empty = IntakeError::new("invalid-json", name, "the file is empty").at(1, 1);
    empty.help("did the scanner fail? an empty report would be `{}` or `null`")
}

/// Reads the documents that stand behind each other in checked bytes, one after the other.
pub(super) fn documents<'de, T: Deserialize<'de>>(
    name: &str,
    bytes: &'de [u8],
    mut each: impl FnMut(T),
) -> Result<(), IntakeError> {
    for document in serde_json::Deserializer::from_slice(bytes).into_iter::<T>() {
        each(document.map_err(|error| explain(name, &error))?);
    }
    Ok(())
}

/// What the reader of JSON says, with its place in front.
pub(super) fn explain(name: &str, error: &serde_json::Error) -> IntakeError {
    // serde_json ends its messages with the place.
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text).to_lowercase();
    let (code, message, help) = if error.is_eof() {
        ("invalid-json", format!("the file ends in the middle: {what}"), "was its writing interrupted?")
    } else if error.is_data() {
        ("invalid-report", what, "the file does not have the shape that its format asks for")
    } else {
        ("invalid-json", what, "was the file changed by hand, or mixed with other output?")
    };
    IntakeError::new(code, name, message).at(error.line(), error.column().max(1)).help(help)
}

/// What the upper levels of a document are: enough to tell formats apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Null,
    Scalar,
    /// A text, if it is short; an empty one otherwise.
    Text(String),
    /// With its first element.
    List(Option<Box<Root>>),
    /// The keys with what they hold.
    Object(BTreeMap<String, Root>),
    /// Deeper than anybody looks.
    Deep,
}

impl Root {
    /// Levels that are looked at.
    const LEVELS: u8 = 5;

    /// What stands at a path of keys; `0` is the first element of a list.
    pub(super) fn at(&self, path: &str) -> Option<&Self> {
        path.split('/').try_fold(self, |node, key| match node {
            Self::Object(keys) => keys.get(key),
            Self::List(Some(first)) if key == "0" => Some(first.as_ref()),
            _ => None,
        })
    }

    /// Whether all these paths lead to something.
    pub(super) fn has(&self, paths: &[&str]) -> bool {
        paths.iter().all(|path| self.at(path).is_some())
    }

    /// The text at a path, or nothing.
    pub(super) fn text(&self, path: &str) -> &str {
        match self.at(path) {
            Some(Self::Text(text)) => text,
            _ => "",
        }
    }

    /// Whether a list stands at a path.
    pub(super) fn is_list(&self, path: &str) -> bool {
        matches!(self.at(path), Some(Self::List(_)))
    }

    /// For people.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Scalar | Self::Text(_) | Self::Deep => "a single value".to_owned(),
            Self::List(None) => "an empty list".to_owned(),
            Self::List(Some(first)) => format!("a list whose first element is {}", first.describe()),
            Self::Object(keys) if keys.is_empty() => "an empty object".to_owned(),
            Self::Object(keys) => {
                let shown: Vec<_> = keys.keys().take(8).map(|key| format!("`{}`", printable(key, 40))).collect();
                let more = if keys.len() > 8 { ", ..." } else { "" };
                format!("an object with {}{more}", shown.join(", "))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Root {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Level(Self::LEVELS).deserialize(deserializer)
    }
}

/// Reads so many levels more.
#[derive(Clone, Copy)]
struct Level(u8);

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Root;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Root, D::Error> {
        if self.0 == 0 {
            return IgnoredAny::deserialize(deserializer).map(|_| Root::Deep);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Root;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON document")
    }

    fn visit_unit<E: Error>(self) -> Result<Root, E> {
        Ok(Root::Null)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Root, E> {
        Ok(Root::Text(if text.len() <= 128 { text.to_owned() } else { String::new() }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Root, A::Error> {
        let first = seq.next_element_seed(Self(self.0 - 1))?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Root::List(first.map(Box::new)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Root, A::Error> {
        /// So many keys tell a format from another.
        const MAX_KEYS: usize = 64;
        let mut keys = BTreeMap::new();
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if keys.len() < MAX_KEYS && key.len() <= 64 {
                let below = map.next_value_seed(Self(self.0 - 1))?;
                keys.insert(key.into_owned(), below);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Root::Object(keys))
    }

    otherwise!('de, Root::Scalar, [scalars numbers]);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(check_depth("f", nested(128).as_bytes()).is_ok());
        assert_eq!(check_depth("f", nested(129).as_bytes()).unwrap_err().code, "nesting-too-deep");
        let text = format!("[\"{}\\\"{}\"]", "[".repeat(500), "{".repeat(500));
        assert!(check_depth("f", text.as_bytes()).is_ok());
        assert_eq!(check_depth("f", "[".repeat(10 << 20).as_bytes()).unwrap_err().place, Some((1, 129)));
    }

    #[test]
    fn truncation_is_told_with_its_place() {
        let error = parse::<Root>("r.json", b"{\n  \"Results\": [{\"Target\":").unwrap_err();
        assert_eq!((error.code, error.place), ("invalid-json", Some((2, 24))));
        assert!(error.to_string().starts_with("r.json:2:24: the file ends in the middle"), "{error}");
    }
}
