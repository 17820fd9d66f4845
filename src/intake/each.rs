//! Rows of a large JSON report one after another: each is taken as soon as it is read, and none is kept.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::IntakeError;
use super::format::Input;
use super::json::{self, Root};
use super::lenient::{Text, otherwise};
use super::peek::Peek;

/// No report has more rows.
pub(super) const MAX_ROWS: u64 = 5_000_000;

/// Where the rows of one shape of a report stand, and how the shape is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// What must be there (see [`Root::at`]).
    pub(super) has: &'static [&'static str],
    /// The keys that lead to the list of rows; `*` is every key. At their end stands a list, or one row alone.
    pub(super) rows: &'static [&'static str],
}

/// Whether a document, or the first of a stream, has one of these shapes.
pub(super) fn is_one(peek: &Peek, shapes: &[Shape]) -> bool {
    let (Peek::Json(root) | Peek::Stream(root)) = peek else { return false };
    shape_of(root, shapes).is_some()
}

fn shape_of<'s>(root: &Root, shapes: &'s [Shape]) -> Option<&'s Shape> {
    shapes.iter().find(|shape| root.has(shape.has))
}

/// Reads a document, or a stream of documents of one shape. What should be a row and is no object is `None`.
pub(super) fn each<'de, T: Deserialize<'de>>(
    input: &Input<'de>,
    shapes: &[Shape],
    mut take: impl FnMut(Option<T>),
) -> Result<(), IntakeError> {
    let bytes = input.bytes.trim_ascii_end();
    let mut documents = serde_json::Deserializer::from_slice(bytes).into_iter::<Root>();
    let root = match documents.next() {
        Some(Ok(root)) => root,
        // The usual reader says best what is wrong.
        _ => json::parse(input.name, input.bytes)?,
    };
    let (mut start, mut end) = (0, documents.byte_offset());
    let Some(shape) = shape_of(&root, shapes) else {
        let message = format!("{}: not of the shape that this format has", root.describe());
        return Err(IntakeError::new("invalid-report", input.name, message)
            .help("leave out `--from`, so that the content says which format it is"));
    };
    drop(root);
    // A reader of the rest knows its own places only.
    let explain = |error: &serde_json::Error, start: usize| {
        let explained = json::explain(input.name, error);
        let (line, column) = json::place(bytes, start);
        match explained.place {
            Some((1, within)) => explained.at(line, column + within - 1),
            Some((below, within)) => explained.at(line + below - 1, within),
            None => explained,
        }
    };
    let mut rows = 0;
    loop {
        let walk = Walk { path: shape.rows, take: &mut take, rows: &mut rows, row: PhantomData };
        let mut document = serde_json::Deserializer::from_slice(&bytes[start..end]);
        walk.deserialize(&mut document).map_err(|error| explain(&error, start))?;
        let mut rest = serde_json::Deserializer::from_slice(&bytes[end..]).into_iter::<IgnoredAny>();
        match rest.next() {
            None => return Ok(()),
            Some(Err(error)) => return Err(explain(&error, end)),
            Some(Ok(_)) => (start, end) = (end, end + rest.byte_offset()),
        }
    }
}

/// Goes down to the rows and takes them.
struct Walk<'w, T, F> {
    path: &'w [&'w str],
    take: &'w mut F,
    rows: &'w mut u64,
    row: PhantomData<T>,
}

impl<T, F> Walk<'_, T, F> {
    fn count<E: Error>(&mut self) -> Result<(), E> {
        *self.rows += 1;
        if *self.rows > MAX_ROWS {
            return Err(E::custom(format_args!("more than {MAX_ROWS} rows")));
        }
        Ok(())
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(Option<T>)> DeserializeSeed<'de> for Walk<'_, T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(Option<T>)> Visitor<'de> for Walk<'_, T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.first() {
            Some(key) => write!(f, "an object with `{key}`"),
            None => f.write_str("a list of rows"),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        if self.path.is_empty() {
            while let Some(Object(row)) = seq.next_element::<Object<T>>()? {
                self.count()?;
                (self.take)(row);
            }
            return Ok(());
        }
        // Pages in a list.
        loop {
            let walk = Walk { path: self.path, take: &mut *self.take, rows: &mut *self.rows, row: PhantomData::<T> };
            if seq.next_element_seed(walk)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let Some((first, rest)) = self.path.split_first() else {
            self.count()?;
            let row = T::deserialize(MapAccessDeserializer::new(map))?;
            (self.take)(Some(row));
            return Ok(());
        };
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if *first == "*" || key == *first {
                let walk = Walk { path: rest, take: &mut *self.take, rows: &mut *self.rows, row: PhantomData::<T> };
                map.next_value_seed(walk)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// An object, where one belongs; anything else says nothing.
#[derive(Clone, Debug)]
pub(super) struct Object<T>(pub(super) Option<T>);

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Default> Object<T> {
    pub(super) fn or_default(self) -> T {
        self.0.unwrap_or_default()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for V<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|object| Object(Some(object)))
            }
            fn visit_unit<E: Error>(self) -> Result<Object<T>, E> {
                Ok(Object(None))
            }
            otherwise!('de, Object(None), [scalars numbers text seq]);
        }
        deserializer.deserialize_any(V(PhantomData))
    }
}

/// The objects of a list, of which only the first are kept: the others are counted. Anything else is an empty list.
#[derive(Clone, Debug)]
pub(super) struct Objects<T> {
    /// What is no object is `None`.
    pub(super) first: Vec<Option<T>>,
    pub(super) beyond: u64,
}

impl<T> Objects<T> {
    /// No finding has so many packages or hosts.
    const MAX: usize = 4096;
}

impl<T> Default for Objects<T> {
    fn default() -> Self {
        Self { first: Vec::new(), beyond: 0 }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Objects<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for V<T> {
            type Value = Objects<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of objects")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut objects = Objects::default();
                while objects.first.len() < Objects::<T>::MAX {
                    let Some(Object(object)) = seq.next_element()? else { return Ok(objects) };
                    objects.first.push(object);
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    objects.beyond += 1;
                }
                Ok(objects)
            }
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Objects::default())
            }
            otherwise!('de, Objects::default(), [scalars numbers text map]);
        }
        deserializer.deserialize_any(V(PhantomData))
    }
}

/// A number, written as one or as text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Amount(pub(super) Option<f64>);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Amount;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_f64<E: Error>(self, number: f64) -> Result<Amount, E> {
                Ok(Amount(Some(number)))
            }
            #[expect(clippy::cast_precision_loss, reason = "scores are small, and times are below 2^53 milliseconds")]
            fn visit_u64<E: Error>(self, number: u64) -> Result<Amount, E> {
                Ok(Amount(Some(number as f64)))
            }
            fn visit_i64<E: Error>(self, _: i64) -> Result<Amount, E> {
                Ok(Amount(None))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Amount, E> {
                Ok(Amount::read(text))
            }
            fn visit_unit<E: Error>(self) -> Result<Amount, E> {
                Ok(Amount(None))
            }
            otherwise!('de, Amount(None), [scalars seq map]);
        }
        deserializer.deserialize_any(V)
    }
}

impl Amount {
    /// The number in a text.
    pub(super) fn read(text: &str) -> Self {
        Self(Some(text.trim()).filter(|text| text.len() <= 32).and_then(|text| text.parse().ok()))
    }
}

/// `true`, written as such or as text; everything else is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flag(pub(super) Option<bool>);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Flag;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false")
            }
            fn visit_bool<E: Error>(self, flag: bool) -> Result<Flag, E> {
                Ok(Flag(Some(flag)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Flag, E> {
                Ok(Flag(match text.trim() {
                    text if ["true", "yes"].iter().any(|t| text.eq_ignore_ascii_case(t)) => Some(true),
                    text if ["false", "no"].iter().any(|t| text.eq_ignore_ascii_case(t)) => Some(false),
                    _ => None,
                }))
            }
            fn visit_unit<E: Error>(self) -> Result<Flag, E> {
                Ok(Flag(None))
            }
            otherwise!('de, Flag(None), [numbers seq map]);
        }
        deserializer.deserialize_any(V)
    }
}

/// A text or a whole number, as text: ids are written as either.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word<'a>(pub(super) Text<'a>);

impl Word<'_> {
    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Word<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a whole number")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Word<'de>, E> {
                Ok(Word(if text.is_empty() { Text::Absent } else { Text::Is(text.into()) }))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Word<'de>, E> {
                Ok(Word(if text.is_empty() { Text::Absent } else { Text::Is(text.to_owned().into()) }))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Word<'de>, E> {
                Ok(Word(Text::Is(number.to_string().into())))
            }
            fn visit_i64<E: Error>(self, _: i64) -> Result<Word<'de>, E> {
                Ok(Word(Text::Wrong))
            }
            fn visit_f64<E: Error>(self, _: f64) -> Result<Word<'de>, E> {
                Ok(Word(Text::Wrong))
            }
            fn visit_unit<E: Error>(self) -> Result<Word<'de>, E> {
                Ok(Word(Text::Absent))
            }
            otherwise!('de, Word(Text::Wrong), [scalars seq map]);
        }
        deserializer.deserialize_any(V)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Raw {
        a: Amount,
        f: Flag,
    }

    const SHAPES: &[Shape] = &[
        Shape { has: &["p/q"], rows: &["p", "q"] },
        Shape { has: &["m"], rows: &["m", "*"] },
        Shape { has: &[], rows: &[] },
    ];

    fn read(text: &str) -> Result<Vec<Option<f64>>, IntakeError> {
        let mut rows = Vec::new();
        let input = Input { name: "f", bytes: text.as_bytes(), given: None };
        each(&input, SHAPES, |row: Option<Raw>| rows.push(row.and_then(|row| row.a.0))).map(|()| rows)
    }

    #[test]
    fn rows_are_found_in_every_shape() {
        assert_eq!(
            read(r#"{"p": {"x": [1], "q": [{"a": 1}, 7, {"a": "2.5"}, null]}}"#).unwrap(),
            [Some(1.0), None, Some(2.5), None]
        );
        assert_eq!(read(r#"{"m": {"H": [{"a": 1}], "L": [{"a": 2}]}}"#).unwrap(), [Some(1.0), Some(2.0)]);
        assert_eq!(read("{\"a\": 1}\n{\"a\": 2}\n").unwrap(), [Some(1.0), Some(2.0)]);
        assert_eq!(read(r#"[{"a": 1}, {"a": []}]"#).unwrap(), [Some(1.0), None]);
        assert_eq!(read(r#"{"p": {"q": null}}"#).unwrap(), []);
    }

    #[test]
    fn what_is_broken_is_told_with_its_place() {
        for (text, code, place) in [
            ("{\"p\": {\"q\": 7}}", "invalid-report", (1, 13)),
            ("{\"p\": {\"q\": []}}\n{\"p\": {\"q\": 7}}", "invalid-report", (2, 13)),
            ("{\"p\": {\"q\": [{\"a\"", "invalid-json", (1, 17)),
            ("{\"a\": 1}\n{\"a\" 2}", "invalid-json", (2, 6)),
            ("", "invalid-json", (1, 1)),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!((error.code, error.place.unwrap()), (code, place), "{text}: {error}");
        }
    }

    #[test]
    fn flags_are_read_in_words_too() {
        let flag = |text: &str| serde_json::from_str::<Raw>(text).unwrap().f.0;
        assert_eq!(flag(r#"{"f": true}"#), Some(true));
        assert_eq!(flag(r#"{"f": "No"}"#), Some(false));
        assert_eq!(flag(r#"{"f": [1]}"#), None);
    }

    #[test]
    fn lists_without_end_are_counted_and_not_kept() {
        let text = format!("[{}{{}}]", "{},".repeat(9999));
        let objects: Objects<Raw> = serde_json::from_str(&text).unwrap();
        assert_eq!((objects.first.len(), objects.beyond), (4096, 5904));
        assert_eq!(serde_json::from_str::<Objects<Raw>>("7").unwrap().first.len(), 0);
    }
}
