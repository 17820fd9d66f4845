//! A document as a tree of nodes that know their place.
//!
//! The tree lies between the YAML crate and the raw types, so that one wrong key does not hide the others
//! and that a scalar is still known as it was written.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::Spanned;

/// A value in a document.
#[derive(Debug)]
pub(super) struct Node {
    /// Unique in its document, in order of writing; a node's descendants follow it.
    pub id: u32,
    /// Byte offset of its first byte.
    pub offset: usize,
    /// Length in bytes.
    pub length: usize,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Kind {
    /// A text; `plain` if it stands there without quotes and so may mean something else.
    Scalar { text: String, plain: bool },
    /// A list.
    Seq(Vec<Node>),
    /// A mapping, duplicate keys included.
    Map(Vec<(Node, Node)>),
}

/// A node as the YAML crate hands it over.
enum Built {
    /// Something whose text must be taken from the source.
    Written,
    /// A text.
    Text(String),
    /// A list.
    Seq(Vec<Spanned<Built>>),
    /// A mapping.
    Map(Vec<(Spanned<Built>, Spanned<Built>)>),
}

/// Reads one document into a tree; also gives the number of its nodes.
pub(super) fn read(text: &str, options: serde_yaml::Options) -> Result<(Node, u32), serde_yaml::Error> {
    let built: Spanned<Built> = serde_yaml::from_str_with_options(text, options)?;
    let mut count = 0;
    let node = finish(built, text, &mut count);
    Ok((node, count))
}

/// The byte range of a place.
pub(super) fn range(location: &serde_yaml::Location) -> (usize, usize) {
    let span = location.span();
    let number = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    (number(span.byte_offset()), number(span.byte_len()))
}

fn finish(built: Spanned<Built>, source: &str, count: &mut u32) -> Node {
    let id = *count;
    *count += 1;
    let (offset, length) = range(&built.referenced);
    let (defined, defined_length) = range(&built.defined);
    let written = || source.get(defined..defined.saturating_add(defined_length)).unwrap_or_default();
    let kind = match built.value {
        Built::Written => Kind::Scalar { text: written().to_owned(), plain: true },
        Built::Text(text) => {
            let plain = written() == text;
            Kind::Scalar { text, plain }
        }
        Built::Seq(items) => Kind::Seq(items.into_iter().map(|item| finish(item, source, count)).collect()),
        Built::Map(entries) => Kind::Map(
            entries
                .into_iter()
                .map(|(key, value)| (finish(key, source, count), finish(value, source, count)))
                .collect(),
        ),
    };
    // A block collection has no end of its own: its first line is what a person looks for.
    let length = match &kind {
        Kind::Scalar { .. } => length,
        _ => source
            .get(offset..)
            .map_or(0, |rest| rest.lines().next().map_or(0, |line| line.trim_end().len()))
            .min(length.max(1)),
    };
    Node { id, offset, length, kind }
}

impl<'de> Deserialize<'de> for Built {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BuiltVisitor)
    }
}

struct BuiltVisitor;

macro_rules! written {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method<E>(self, _value: $type) -> Result<Built, E> { Ok(Built::Written) })*
    };
}

impl<'de> Visitor<'de> for BuiltVisitor {
    type Value = Built;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    written!(visit_bool: bool, visit_i64: i64, visit_i128: i128, visit_u64: u64, visit_u128: u128, visit_f64: f64);

    fn visit_unit<E>(self) -> Result<Built, E> {
        Ok(Built::Written)
    }

    fn visit_none<E>(self) -> Result<Built, E> {
        Ok(Built::Written)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Built, D::Error> {
        Built::deserialize(deserializer)
    }

    fn visit_str<E>(self, text: &str) -> Result<Built, E> {
        Ok(Built::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Built, E> {
        Ok(Built::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Built, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Built::Seq(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Built, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Built::Map(entries))
    }
}
