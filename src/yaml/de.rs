//! Tree to raw types: a serde deserializer whose errors know the node they are about.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use serde::de::{self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::scalar;
use super::spanned::{ONE_OR_MANY, SPANNED};
use super::tree::{Kind, Node};
use crate::model::printable;

/// One problem, with the node it is about.
#[derive(Debug)]
pub(super) struct Error {
    pub code: &'static str,
    pub message: String,
    pub help: Option<String>,
    /// Where to point: offset and length.
    pub place: Option<(usize, usize)>,
    /// What to leave out to go on: the id of a list element or of an entry's value.
    pub prune: Option<u32>,
}

impl Error {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None, place: None, prune: None }
    }

    fn at(mut self, node: &Node, prune: &Node) -> Self {
        self.place.get_or_insert((node.offset, node.length));
        self.prune.get_or_insert(prune.id);
        self
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self::new("invalid-value", message.to_string())
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let mut error = Self::new("unknown-key", format!("unknown key `{}`", printable(field, 80)));
        error.help = Some(suggest(field, expected, "the keys here are"));
        error
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("missing-key", format!("key `{field}` is missing"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let mut error = Self::new("invalid-value", format!("unknown value `{}`", printable(variant, 80)));
        error.help = Some(suggest(variant, expected, "write one of"));
        error
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new("duplicate-key", format!("key `{field}` is given twice"))
    }
}

/// "did you mean", or all there is.
pub(super) fn suggest(given: &str, known: &[&str], introduction: &str) -> String {
    match nearest(given, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{introduction} {}", known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")),
    }
}

/// The known word nearest to what was given, if one is near enough to be meant.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A hostile key of megabytes is like nothing we know.
    if given.len() > 64 {
        return None;
    }
    let lower = given.to_lowercase();
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(&lower, &word.to_lowercase()), word))
        .filter(|(likeness, _)| *likeness > 0.82)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

/// A deserializer over one node; nodes in `pruned` do not exist.
#[derive(Clone, Copy)]
pub(super) struct NodeDe<'a> {
    pub node: &'a Node,
    pub pruned: &'a BTreeSet<u32>,
    /// A key of a mapping: there, words that are truth values to others are taken as they are.
    pub key: bool,
}

impl<'a> NodeDe<'a> {
    fn child(self, node: &'a Node) -> Self {
        Self { node, key: false, ..self }
    }

    /// The nodes that count as list elements.
    fn items(self, items: &'a [Node]) -> Vec<&'a Node> {
        items.iter().filter(|item| !self.pruned.contains(&item.id)).collect()
    }

    fn wrong(self, expected: impl Display) -> Error {
        let found = match &self.node.kind {
            Kind::Seq(_) => "a list".to_owned(),
            Kind::Map(_) => "a mapping".to_owned(),
            Kind::Scalar { text, plain: true } if scalar::is_null(text) => "nothing".to_owned(),
            Kind::Scalar { text, plain } => {
                let what = match (plain, scalar::as_bool(text), scalar::is_number(text)) {
                    (true, Some(_), _) => "the truth value",
                    (true, _, true) => "the number",
                    _ => "the text",
                };
                format!("{what} `{}`", printable(text, 60))
            }
        };
        Error::new("wrong-type", format!("expected {expected}, found {found}")).at(self.node, self.node)
    }

    fn surprise(self, text: &str, means: &str, help: impl Into<String>) -> Error {
        let mut error = Error::new(
            "ambiguous-scalar",
            format!("`{}` without quotes is {means} to other readers of YAML", printable(text, 40)),
        );
        error.help = Some(help.into());
        error.at(self.node, self.node)
    }

    fn plain(self) -> Option<&'a str> {
        match &self.node.kind {
            Kind::Scalar { text, plain: true } => Some(text),
            _ => None,
        }
    }

    fn text(self) -> Result<&'a str, Error> {
        match &self.node.kind {
            Kind::Scalar { text, plain: true } if !self.key => {
                if scalar::is_null(text) {
                    return Err(self.wrong("a text"));
                }
                match scalar::surprise(text) {
                    Some(means) => Err(self.surprise(text, means, format!("write \"{}\"", printable(text, 40)))),
                    None => Ok(text),
                }
            }
            Kind::Scalar { text, .. } => Ok(text),
            _ => Err(self.wrong("a text")),
        }
    }

    fn number(self, expected: &str) -> Result<&'a str, Error> {
        let text = self.plain().ok_or_else(|| {
            let mut error = self.wrong(expected);
            if matches!(&self.node.kind, Kind::Scalar { text, .. } if scalar::is_number(text)) {
                error.help = Some("write it without quotes".to_owned());
            }
            error
        })?;
        match scalar::surprise(text) {
            Some(means) if means != "a truth value" => Err(self.surprise(text, means, "write a plain decimal number")),
            _ if scalar::is_number(text) => Ok(text),
            _ => Err(self.wrong(expected)),
        }
    }

    fn here<T>(self, result: Result<T, Error>) -> Result<T, Error> {
        result.map_err(|error| error.at(self.node, self.node))
    }

    fn visit_map<'de, V: Visitor<'de>>(self, entries: &'a [(Node, Node)], visitor: V) -> Result<V::Value, Error> {
        let live = entries.iter().filter(|(_, value)| !self.pruned.contains(&value.id)).collect::<Vec<_>>();
        self.here(visitor.visit_map(Entries { de: self, entries: live.into_iter(), value: None }))
    }

    fn visit_seq<'de, V: Visitor<'de>>(self, items: Vec<&'a Node>, visitor: V) -> Result<V::Value, Error> {
        self.here(visitor.visit_seq(Items { de: self, items: items.into_iter() }))
    }
}

macro_rules! integers {
    ($($method:ident, $visit:ident, $type:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let expected = if <$type>::MIN == 0 { "a whole number from 0" } else { "a whole number" };
            let number = self.number(expected)?;
            match number.parse::<$type>() {
                Ok(value) => self.here(visitor.$visit(value)),
                Err(_) => Err(self.wrong(format!("{expected}, at most {}", <$type>::MAX))),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for NodeDe<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.kind {
            Kind::Seq(items) => self.visit_seq(self.items(items), visitor),
            Kind::Map(entries) => self.visit_map(entries, visitor),
            Kind::Scalar { text, plain: false } => self.here(visitor.visit_str(text)),
            Kind::Scalar { text, .. } if self.key => self.here(visitor.visit_str(text)),
            Kind::Scalar { text, .. } => self.here(if scalar::is_null(text) {
                visitor.visit_unit()
            } else if let Some(truth) = scalar::as_bool(text) {
                visitor.visit_bool(truth)
            } else if scalar::surprise(text).is_some() || !scalar::is_number(text) {
                visitor.visit_str(text)
            } else if let Ok(number) = text.parse::<u64>() {
                visitor.visit_u64(number)
            } else if let Ok(number) = text.parse::<i64>() {
                visitor.visit_i64(number)
            } else {
                visitor.visit_f64(text.parse().unwrap_or(0.0))
            }),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.plain().map(|text| (text, scalar::as_bool(text))) {
            Some((_, Some(truth))) => self.here(visitor.visit_bool(truth)),
            found => {
                let mut error = self.wrong("`true` or `false`");
                if found.is_some_and(|(text, _)| scalar::surprise(text) == Some("a truth value")) {
                    error.help = Some("only `true` and `false` are truth values here".to_owned());
                }
                Err(error)
            }
        }
    }

    integers! {
        deserialize_i8, visit_i8, i8;
        deserialize_i16, visit_i16, i16;
        deserialize_i32, visit_i32, i32;
        deserialize_i64, visit_i64, i64;
        deserialize_u8, visit_u8, u8;
        deserialize_u16, visit_u16, u16;
        deserialize_u32, visit_u32, u32;
        deserialize_u64, visit_u64, u64;
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let number = self.number("a number")?;
        self.here(visitor.visit_f64(number.parse().unwrap_or(0.0)))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let text = self.text()?;
        self.here(visitor.visit_str(text))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.plain() {
            Some(text) if scalar::is_null(text) && !self.key => self.here(visitor.visit_none()),
            _ => self.here(visitor.visit_some(self)),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.plain() {
            Some(text) if scalar::is_null(text) => self.here(visitor.visit_unit()),
            _ => Err(self.wrong("nothing")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        match (name, &self.node.kind) {
            (SPANNED, _) => self.here(visitor.visit_seq(SpannedParts { de: self, part: 0 })),
            (ONE_OR_MANY, Kind::Seq(items)) => self.visit_seq(self.items(items), visitor),
            (ONE_OR_MANY, _) => self.visit_seq(vec![self.node], visitor),
            _ => self.here(visitor.visit_newtype_struct(self)),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.kind {
            Kind::Seq(items) => self.visit_seq(self.items(items), visitor),
            _ => {
                let mut error = self.wrong("a list");
                if matches!(self.node.kind, Kind::Scalar { .. })
                    && self.plain().is_none_or(|text| !scalar::is_null(text))
                {
                    error.help = Some("put it in brackets: [ ... ]".to_owned());
                }
                Err(error)
            }
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.kind {
            Kind::Map(entries) => self.visit_map(entries, visitor),
            _ => Err(self.wrong("a mapping")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.node.kind {
            Kind::Map(entries) => self.visit_map(entries, visitor),
            _ => {
                let mut error = self.wrong("a mapping");
                let shown = fields.iter().take(12).map(|f| format!("`{f}`")).collect::<Vec<_>>().join(", ");
                error.help = Some(format!("its keys are {shown}"));
                Err(error)
            }
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let name = match &self.node.kind {
            Kind::Scalar { text, plain } if !plain || !scalar::is_null(text) => {
                return self.here(visitor.visit_enum(text.as_str().into_deserializer()));
            }
            Kind::Map(entries) => {
                let mut live = entries.iter().filter(|(_, value)| !self.pruned.contains(&value.id));
                match (live.next(), live.next()) {
                    (Some(entry), None) => Some(entry),
                    _ => None,
                }
            }
            _ => None,
        };
        match name {
            Some((key, value)) => self.here(visitor.visit_enum(Variant { de: self, key, value })),
            None => {
                let shown = variants.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(", ");
                Err(self.wrong(format!("one of {shown}")))
            }
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

impl<'de> IntoDeserializer<'de, Error> for NodeDe<'_> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

/// Offset, length and value of a node.
struct SpannedParts<'a> {
    de: NodeDe<'a>,
    part: u8,
}

impl<'de> SeqAccess<'de> for SpannedParts<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.part += 1;
        match self.part {
            1 => seed.deserialize(self.de.node.offset.into_deserializer()).map(Some),
            2 => seed.deserialize(self.de.node.length.into_deserializer()).map(Some),
            3 => seed.deserialize(self.de).map(Some),
            _ => Ok(None),
        }
    }
}

struct Items<'a> {
    de: NodeDe<'a>,
    items: std::vec::IntoIter<&'a Node>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some(node) = self.items.next() else { return Ok(None) };
        let de = self.de.child(node);
        de.here(seed.deserialize(de)).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Entries<'a> {
    de: NodeDe<'a>,
    entries: std::vec::IntoIter<&'a (Node, Node)>,
    value: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        let de = NodeDe { key: true, ..self.de.child(key) };
        seed.deserialize(de).map(Some).map_err(|mut error| {
            // A wrong key takes its whole entry along.
            error.prune = Some(value.id);
            error.at(key, value)
        })
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let node = self.value.take().ok_or_else(|| de::Error::custom("a value before its key"))?;
        let de = self.de.child(node);
        de.here(seed.deserialize(de))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// An externally tagged variant: a mapping of one key.
struct Variant<'a> {
    de: NodeDe<'a>,
    key: &'a Node,
    value: &'a Node,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Error;
    type Variant = NodeDe<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, NodeDe<'a>), Error> {
        let key = NodeDe { key: true, ..self.de.child(self.key) };
        let name = seed.deserialize(key).map_err(|error| error.at(self.key, self.de.node))?;
        Ok((name, self.de.child(self.value)))
    }
}

impl<'de> VariantAccess<'de> for NodeDe<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.plain() {
            Some(text) if scalar::is_null(text) => Ok(()),
            _ => Err(self.wrong("nothing behind this key")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        self.here(seed.deserialize(self))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_seq(self, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_struct(self, "", fields, visitor)
    }
}
