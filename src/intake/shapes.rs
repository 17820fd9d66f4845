//! Shapes that tools write in more than one way: an object or nothing, an object or a list of them, a map by name.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::lenient::{Few, Text, otherwise};

/// An object, or what has no value in its place: anything else is an empty one.
#[derive(Clone, Debug, Default)]
pub(super) struct Part<T>(pub(super) T);

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Part<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for V<T> {
            type Value = Part<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Part<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Part)
            }
            fn visit_unit<E: Error>(self) -> Result<Part<T>, E> {
                Ok(Part(T::default()))
            }
            otherwise!('de, Part(T::default()), [scalars numbers text seq]);
        }
        deserializer.deserialize_any(V(PhantomData))
    }
}

/// A text, or an object that says more.
#[derive(Clone, Debug)]
pub(super) enum TextOr<'a, T> {
    /// A text, or nothing.
    Text(Text<'a>),
    /// An object.
    Object(T),
}

impl<T> Default for TextOr<'_, T> {
    fn default() -> Self {
        Self::Text(Text::Absent)
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for TextOr<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V<'a, T>(PhantomData<(&'a (), T)>);
        impl<'de: 'a, 'a, T: Deserialize<'de>> Visitor<'de> for V<'a, T> {
            type Value = TextOr<'a, T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(TextOr::Object)
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(TextOr::Text(if text.is_empty() { Text::Absent } else { Text::Is(Cow::Borrowed(text)) }))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(TextOr::Text(if text.is_empty() { Text::Absent } else { Text::Is(Cow::Owned(text.to_owned())) }))
            }
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(TextOr::default())
            }
            otherwise!('de, TextOr::Text(Text::Wrong), [scalars numbers seq]);
        }
        deserializer.deserialize_any(V(PhantomData))
    }
}

/// More containers of one kind are in no report: beyond, it is refused with the bound in the message.
const MAX_ENTRIES: usize = 500_000;

fn bounded<E: Error>(count: usize) -> Result<(), E> {
    if count < MAX_ENTRIES { Ok(()) } else { Err(E::custom(format_args!("more than {MAX_ENTRIES} entries"))) }
}

/// The entries of an object by their names, in the order of the file. Anything else has none.
#[derive(Clone, Debug)]
pub(super) struct Named<'a, T>(pub(super) Vec<(Cow<'a, str>, T)>);

impl<T> Default for Named<'_, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Named<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V<'a, T>(PhantomData<(&'a (), T)>);
        impl<'de: 'a, 'a, T: Deserialize<'de>> Visitor<'de> for V<'a, T> {
            type Value = Named<'a, T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut kept = Vec::new();
                while let Some(key) = map.next_key::<Key<'de>>()? {
                    bounded(kept.len())?;
                    kept.push((key.0, map.next_value()?));
                }
                Ok(Named(kept))
            }
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Named(Vec::new()))
            }
            otherwise!('de, Named(Vec::new()), [scalars numbers text seq]);
        }
        deserializer.deserialize_any(V(PhantomData))
    }
}

/// The name of an entry, not copied where the file has it as it is.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(V)
    }
}

/// The objects of a list, one object alone, or the values of an object whose names say nothing (what PHP makes of a
/// list with gaps). Elements that are no objects are empty ones, so that they are counted.
#[derive(Clone, Debug)]
pub(super) struct Listed<T>(pub(super) Vec<T>);

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Listed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for V<T> {
            type Value = Listed<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of objects")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Listed<T>, A::Error> {
                let mut kept = Vec::new();
                while let Some(element) = seq.next_element::<Part<T>>()? {
                    bounded(kept.len())?;
                    kept.push(element.0);
                }
                Ok(Listed(kept))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Listed<T>, A::Error> {
                let mut kept = Vec::new();
                while map.next_key::<IgnoredAny>()?.is_some() {
                    bounded(kept.len())?;
                    kept.push(map.next_value::<Part<T>>()?.0);
                }
                Ok(Listed(kept))
            }
            fn visit_unit<E: Error>(self) -> Result<Listed<T>, E> {
                Ok(Listed(Vec::new()))
            }
            otherwise!('de, Listed(Vec::new()), [scalars numbers text]);
        }
        deserializer.deserialize_any(V(PhantomData))
    }
}

/// One object, or a list of them.
#[derive(Clone, Debug)]
pub(super) struct OneOrMore<T>(pub(super) Vec<T>);

impl<T> Default for OneOrMore<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for OneOrMore<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for V<T> {
            type Value = OneOrMore<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or a list of objects")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|one| OneOrMore(vec![one]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut kept = Vec::new();
                while let Some(element) = seq.next_element::<Part<T>>()? {
                    bounded(kept.len())?;
                    kept.push(element.0);
                }
                Ok(OneOrMore(kept))
            }
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(OneOrMore(Vec::new()))
            }
            otherwise!('de, OneOrMore(Vec::new()), [scalars numbers text]);
        }
        deserializer.deserialize_any(V(PhantomData))
    }
}

/// How many elements a list has; anything else has none.
pub(super) type Tally = Few<IgnoredAny, { usize::MAX }>;

/// A yes or no; anything else is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flag(pub(super) Option<bool>);

impl Flag {
    /// Whether it is a yes.
    pub(super) const fn is_set(self) -> bool {
        matches!(self.0, Some(true))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Flag;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false")
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Flag, E> {
                Ok(Flag(Some(value)))
            }
            fn visit_unit<E: Error>(self) -> Result<Flag, E> {
                Ok(Flag(None))
            }
            otherwise!('de, Flag(None), [numbers text seq map]);
        }
        deserializer.deserialize_any(V)
    }
}

/// A text or a number, as text: some tools write ids and scores as either.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plain(pub(super) String);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// No id and no score is longer.
        const MAX: usize = 1024;
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Plain;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a number")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Plain, E> {
                Ok(Plain(if text.len() <= MAX { text.to_owned() } else { String::new() }))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Plain, E> {
                Ok(Plain(number.to_string()))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Plain, E> {
                Ok(Plain(number.to_string()))
            }
            fn visit_f64<E: Error>(self, number: f64) -> Result<Plain, E> {
                Ok(Plain(number.to_string()))
            }
            fn visit_unit<E: Error>(self) -> Result<Plain, E> {
                Ok(Plain::default())
            }
            otherwise!('de, Plain::default(), [scalars seq map]);
        }
        deserializer.deserialize_any(V)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct One {
        a: Plain,
    }

    fn shown<'de, T: Deserialize<'de> + IntoOnes>(text: &'de str, show: impl Fn(&One) -> String) -> String {
        serde_json::from_str::<T>(text).unwrap().ones().iter().map(show).collect::<Vec<_>>().join(" ")
    }

    trait IntoOnes {
        fn ones(self) -> Vec<One>;
    }
    impl IntoOnes for Listed<One> {
        fn ones(self) -> Vec<One> {
            self.0
        }
    }
    impl IntoOnes for OneOrMore<One> {
        fn ones(self) -> Vec<One> {
            self.0
        }
    }

    #[test]
    fn lists_objects_and_nothing_are_told_apart() {
        let show = |one: &One| if one.a.0.is_empty() { "-".to_owned() } else { one.a.0.clone() };
        for (text, listed, one_or_more) in [
            ("null", "", ""),
            ("7", "", ""),
            (r#""x""#, "", ""),
            (r#"[{"a":1},7,{"a":"x"}]"#, "1 - x", "1 - x"),
            (r#"{"0":{"a":1},"7":{"a":2.5}}"#, "1 2.5", "-"),
            (r#"{"a":3}"#, "-", "3"),
        ] {
            assert_eq!(shown::<Listed<One>>(text, show), listed, "{text}");
            assert_eq!(shown::<OneOrMore<One>>(text, show), one_or_more, "{text}");
        }
        let named: Named<'_, Part<One>> = serde_json::from_str(r#"{"a\u0041":{"a":-1},"b":[]}"#).unwrap();
        let names: Vec<_> = named.0.iter().map(|(name, one)| format!("{name}={}", one.0.a.0)).collect();
        assert_eq!(names, ["aA=-1", "b="]);
        let flags: Vec<Flag> = serde_json::from_str(r#"[true,false,null,"yes",1,[],{}]"#).unwrap();
        assert_eq!(flags.iter().map(|flag| flag.is_set()).filter(|set| *set).count(), 1);
    }

    #[test]
    fn a_text_or_an_object() {
        type Either<'a> = TextOr<'a, One>;
        assert!(matches!(serde_json::from_str(r#""x""#).unwrap(), Either::Text(Text::Is(text)) if text == "x"));
        assert!(matches!(serde_json::from_str(r#"{"a":1}"#).unwrap(), Either::Object(one) if one.a.0 == "1"));
        assert!(matches!(serde_json::from_str("[1]").unwrap(), Either::Text(Text::Wrong)));
    }

    #[test]
    fn endless_containers_are_refused_with_the_bound() {
        let text = format!("[{}{{}}]", "{},".repeat(MAX_ENTRIES));
        let error = serde_json::from_str::<Listed<One>>(&text).unwrap_err();
        assert!(error.to_string().contains("more than 500000 entries"), "{error}");
    }
}
