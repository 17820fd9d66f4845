//! The first look at a JSON file from outside: bounds, and what its root is.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::IntakeError;
use super::lenient::{Text, otherwise};
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

/// The text of a JSON file within its bounds, without a byte order mark.
pub(super) fn check<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a [u8], IntakeError> {
    check_size(name, bytes)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first = bytes.iter().copied().find(|b| !b.is_ascii_whitespace());
    let wrong = |what: &str, help: &str| Err(IntakeError::new("invalid-json", name, what).at(1, 1).help(help));
    match first {
        None => return wrong("the file is empty", "did the scanner fail? an empty report would be `{}` or `null`"),
        Some(b'<') => return wrong("the file is XML or HTML, not JSON", "write the report as JSON"),
        Some(0x1f) if bytes.starts_with(b"\x1f\x8b") => {
            return wrong("the file is compressed with gzip", "decompress it first");
        }
        Some(0xff | 0xfe) => return wrong("the file is UTF-16, not UTF-8", "save it as UTF-8"),
        Some(_) => {}
    }
    if let Some(offset) = too_deep(bytes) {
        let (line, column) = place(bytes, offset);
        return Err(IntakeError::new("nesting-too-deep", name, format!("nested deeper than {MAX_DEPTH} levels"))
            .at(line, column)
            .help("no scanner writes such a file"));
    }
    Ok(bytes)
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

fn place(bytes: &[u8], offset: usize) -> (usize, usize) {
    let before = &bytes[..offset.min(bytes.len())];
    let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
    (before.iter().filter(|&&b| b == b'\n').count() + 1, before.len() - line_start + 1)
}

/// Reads checked bytes.
pub(super) fn parse<'de, T: Deserialize<'de>>(name: &str, bytes: &'de [u8]) -> Result<T, IntakeError> {
    serde_json::from_slice(bytes).map_err(|error| {
        // serde_json ends its messages with the place, which is shown in front.
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
    })
}

/// What the root of a document is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Root {
    Null,
    Scalar,
    /// With the root of its first element.
    List(Option<Box<Root>>),
    /// The keys, with the text of those that are short texts.
    Object(BTreeMap<String, String>),
}

impl Root {
    /// Whether it is an object with this key.
    pub(super) fn has(&self, key: &str) -> bool {
        matches!(self, Self::Object(keys) if keys.contains_key(key))
    }

    /// The text of this key, or nothing.
    pub(super) fn text(&self, key: &str) -> &str {
        match self {
            Self::Object(keys) => keys.get(key).map_or("", String::as_str),
            _ => "",
        }
    }

    /// For people.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Scalar => "a single value".to_owned(),
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
        /// So many keys tell a format from another.
        const MAX_KEYS: usize = 64;
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Root;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON document")
            }
            fn visit_unit<E: Error>(self) -> Result<Root, E> {
                Ok(Root::Null)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Root, A::Error> {
                let first = seq.next_element()?;
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Root::List(first))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Root, A::Error> {
                let mut keys = BTreeMap::new();
                while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
                    if keys.len() < MAX_KEYS && key.len() <= 64 {
                        let text: Text<'de> = map.next_value()?;
                        let short = if text.as_str().len() <= 128 { text.as_str() } else { "" };
                        keys.insert(key.into_owned(), short.to_owned());
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Root::Object(keys))
            }
            otherwise!('de, Root::Scalar, [scalars numbers text]);
        }
        deserializer.deserialize_any(V)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(check("f", nested(128).as_bytes()).is_ok());
        assert_eq!(check("f", nested(129).as_bytes()).unwrap_err().code, "nesting-too-deep");
        let text = format!("[\"{}\\\"{}\"]", "[".repeat(500), "{".repeat(500));
        assert!(check("f", text.as_bytes()).is_ok());
        assert_eq!(check("f", "[".repeat(10 << 20).as_bytes()).unwrap_err().place, Some((1, 129)));
    }

    #[test]
    fn truncation_is_told_with_its_place() {
        let error = parse::<Root>("r.json", b"{\n  \"Results\": [{\"Target\":").unwrap_err();
        assert_eq!((error.code, error.place), ("invalid-json", Some((2, 24))));
        assert!(error.to_string().starts_with("r.json:2:24: the file ends in the middle"), "{error}");
    }

    #[test]
    fn what_is_no_json_is_named() {
        for (bytes, word) in [
            (&b""[..], "empty"),
            (b" \n", "empty"),
            (b"<?xml version=\"1.0\"?>", "XML"),
            (b"\x1f\x8b\x08\x00", "gzip"),
            (b"\xff\xfe{\x00", "UTF-16"),
        ] {
            let error = check("f", bytes).unwrap_err();
            assert!(error.message.contains(word), "{error}");
            assert_eq!(error.code, "invalid-json");
        }
        assert_eq!(check("f", b"\xef\xbb\xbf{}").unwrap(), b"{}");
    }
}
