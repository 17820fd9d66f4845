//! The first look at a report: what its bytes are, so that each format can recognise itself.

use std::collections::BTreeMap;

use quick_xml::events::Event;

use super::error::IntakeError;
use super::json::{self, Root};
use crate::model::printable;

/// What the beginning of a file shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Peek {
    /// One JSON document.
    Json(Root),
    /// Several JSON documents behind each other, with the first of them.
    Stream(Root),
    /// XML, with its root element: the name as written and the attributes.
    Xml { root: String, attributes: BTreeMap<String, String> },
    /// Lines of text; the first of them.
    Text(Vec<String>),
}

/// Lines that are shown to the formats: headers of tables stand within them.
const HEAD_LINES: usize = 20;
/// No header is longer.
const HEAD_BYTES: usize = 64 << 10;
/// Declarations, comments and white space in front of a root element.
const MAX_PROLOG: usize = 1000;

impl Peek {
    /// Looks at bytes that are within their bounds and have no byte order mark.
    pub(super) fn at(name: &str, bytes: &[u8]) -> Result<Self, IntakeError> {
        let wrong = |what: &str, help: &str| Err(IntakeError::new("unknown-report-format", name, what).help(help));
        match bytes.iter().copied().find(|b| !b.is_ascii_whitespace()) {
            None => Err(json::empty(name)),
            Some(0x1f) if bytes.starts_with(b"\x1f\x8b") => {
                wrong("the file is compressed with gzip", "decompress it first")
            }
            Some(b'P') if bytes.starts_with(b"PK\x03\x04") => {
                wrong("the file is a ZIP archive or a spreadsheet", "unpack it, or export it as CSV")
            }
            Some(0xff | 0xfe) => wrong("the file is UTF-16, not UTF-8", "save it as UTF-8"),
            Some(b'<') => Self::xml(name, bytes),
            Some(b'{' | b'[') => Self::json(name, bytes),
            Some(_) if bytes.trim_ascii() == b"null" => Ok(Self::Json(Root::Null)),
            Some(_) => Ok(Self::text(bytes)),
        }
    }

    /// The root of a JSON document.
    pub(super) fn root(&self) -> Option<&Root> {
        match self {
            Self::Json(root) => Some(root),
            _ => None,
        }
    }

    /// For people.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Json(root) => format!("a JSON document: {}", root.describe()),
            Self::Stream(root) => format!("a stream of JSON documents, the first of which is {}", root.describe()),
            Self::Xml { root, .. } => format!("an XML document with the root <{}>", printable(root, 60)),
            Self::Text(lines) => {
                let first = lines.iter().find(|line| !line.trim().is_empty()).map_or("", String::as_str);
                format!("text that begins with `{}`", printable(first.trim(), 80))
            }
        }
    }

    fn json(name: &str, bytes: &[u8]) -> Result<Self, IntakeError> {
        json::check_depth(name, bytes)?;
        let mut documents = serde_json::Deserializer::from_slice(bytes).into_iter::<Root>();
        match (documents.next(), documents.next()) {
            (Some(Ok(root)), None) => Ok(Self::Json(root)),
            (Some(Ok(root)), Some(Ok(_))) => Ok(Self::Stream(root)),
            // The usual reader says it best.
            _ => json::parse(name, bytes).map(Self::Json),
        }
    }

    fn xml(name: &str, bytes: &[u8]) -> Result<Self, IntakeError> {
        let mut reader = quick_xml::Reader::from_reader(bytes);
        for _ in 0..MAX_PROLOG {
            match reader.read_event() {
                Ok(Event::Start(element) | Event::Empty(element)) => {
                    let mut attributes = BTreeMap::new();
                    for attribute in element.attributes().with_checks(false).flatten().take(64) {
                        attributes.insert(attribute.key.as_ref().to_owned(), attribute.value.to_string());
                    }
                    return Ok(Self::Xml { root: element.name().as_ref().to_owned(), attributes });
                }
                Ok(Event::Eof) | Err(_) => break,
                Ok(_) => {}
            }
        }
        Err(IntakeError::new("unknown-report-format", name, "the file begins like XML and has no root element")
            .help("was its writing interrupted?"))
    }

    fn text(bytes: &[u8]) -> Self {
        let head = &bytes[..bytes.len().min(HEAD_LINES * HEAD_BYTES)];
        let lines = head.split(|&b| b == b'\n').take(HEAD_LINES);
        let shown = |line: &[u8]| String::from_utf8_lossy(&line[..line.len().min(HEAD_BYTES)]).trim_end().to_owned();
        Self::Text(lines.map(shown).collect())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_the_bytes_are_is_told() {
        let at = |text: &str| Peek::at("f", text.as_bytes()).unwrap();
        assert!(matches!(at("{\"a\": 1}\n{\"b\": 2}"), Peek::Stream(root) if root.has(&["a"])));
        assert!(matches!(at(" null\n"), Peek::Json(Root::Null)));
        let xml = at("<?xml version=\"1.0\"?><!-- x --><bom xmlns=\"http://cyclonedx.org/schema/bom/1.4\"><a/></bom>");
        assert!(matches!(xml, Peek::Xml { root, attributes } if root == "bom" && attributes["xmlns"].ends_with("1.4")));
        assert_eq!(at("a,b\r\n1,2\n"), Peek::Text(vec!["a,b".into(), "1,2".into(), String::new()]));
    }

    #[test]
    fn what_is_no_report_is_named() {
        for (bytes, word) in [
            (&b""[..], "empty"),
            (b" \n", "empty"),
            (b"\x1f\x8b\x08\x00", "gzip"),
            (b"PK\x03\x04", "ZIP"),
            (b"\xff\xfe{\x00", "UTF-16"),
            (b"<!-- only a comment -->", "no root element"),
        ] {
            let error = Peek::at("f", bytes).unwrap_err();
            assert!(error.message.contains(word), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_at_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Peek::at("f", &bytes);
        }
    }
}
