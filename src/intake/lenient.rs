//! JSON values of untrusted reports: one of the wrong type spoils its row, not the whole report, and nothing
//! beyond a bound is kept.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Visits every kind of value that the visitor at hand has no use for, and answers with the given value.
macro_rules! otherwise {
    ($lifetime:lifetime, $answer:expr, [$($kind:ident)*]) => { $(otherwise!(@$kind $lifetime, $answer);)* };
    (@scalars $lifetime:lifetime, $answer:expr) => {
        fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> { Ok($answer) }
    };
    (@numbers $lifetime:lifetime, $answer:expr) => {
        fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> { Ok($answer) }
        fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> { Ok($answer) }
        fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> { Ok($answer) }
    };
    (@text $lifetime:lifetime, $answer:expr) => {
        fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> { Ok($answer) }
    };
    (@seq $lifetime:lifetime, $answer:expr) => {
        fn visit_seq<A: SeqAccess<$lifetime>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
            Ok($answer)
        }
    };
    (@map $lifetime:lifetime, $answer:expr) => {
        fn visit_map<A: MapAccess<$lifetime>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {}
            Ok($answer)
        }
    };
}
pub(super) use otherwise;

/// A text, where one belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Text<'a> {
    /// Not given, or null, or empty.
    #[default]
    Absent,
    /// Given.
    Is(Cow<'a, str>),
    /// Something that is no text.
    Wrong,
}

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Is(text) => text,
            Self::Absent | Self::Wrong => "",
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(if text.is_empty() { Text::Absent } else { Text::Is(Cow::Borrowed(text)) })
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(if text.is_empty() { Text::Absent } else { Text::Is(Cow::Owned(text.to_owned())) })
            }
            fn visit_unit<E: Error>(self) -> Result<Text<'de>, E> {
                Ok(Text::Absent)
            }
            otherwise!('de, Text::Wrong, [scalars numbers seq map]);
        }
        deserializer.deserialize_any(V)
    }
}

/// A number, where one belongs and is one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Number(pub(super) Option<f64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
                Ok(Number(Some(number)))
            }
            #[expect(clippy::cast_precision_loss, reason = "scores are small")]
            fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number(Some(number as f64)))
            }
            fn visit_i64<E: Error>(self, _: i64) -> Result<Number, E> {
                Ok(Number(None))
            }
            fn visit_unit<E: Error>(self) -> Result<Number, E> {
                Ok(Number(None))
            }
            otherwise!('de, Number(None), [scalars text seq map]);
        }
        deserializer.deserialize_any(V)
    }
}

/// The first `MAX` elements of a list; anything else than a list is an empty one.
#[derive(Clone, Debug)]
pub(super) struct Few<T, const MAX: usize>(pub(super) Vec<T>);

impl<T, const MAX: usize> Default for Few<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Few<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V<T, const MAX: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for V<T, MAX> {
            type Value = Few<T, MAX>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut kept = Vec::new();
                while kept.len() < MAX {
                    let Some(element) = seq.next_element()? else { return Ok(Few(kept)) };
                    kept.push(element);
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Few(kept))
            }
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Few(Vec::new()))
            }
            otherwise!('de, Few(Vec::new()), [scalars numbers text map]);
        }
        deserializer.deserialize_any(V(PhantomData))
    }
}

/// How many elements a list has; null has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count(pub(super) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Count;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Count, A::Error> {
                let mut count = 0;
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Count(count))
            }
            fn visit_unit<E: Error>(self) -> Result<Count, E> {
                Ok(Count(0))
            }
        }
        deserializer.deserialize_any(V)
    }
}

/// All elements of a list that `keep` wants, of which `null` is an empty one: what a hostile file repeats a million
/// times does not stay in memory.
pub(super) trait Keep {
    /// Whether the element says anything.
    fn keep(&self) -> bool;
}

/// See [`Keep`].
#[derive(Clone, Debug)]
pub(super) struct Many<T>(pub(super) Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de> + Keep> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Keep> Visitor<'de> for V<T> {
            type Value = Many<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of objects")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Many<T>, A::Error> {
                let mut kept = Vec::new();
                while let Some(element) = seq.next_element::<Option<T>>()? {
                    kept.extend(element.filter(Keep::keep));
                }
                Ok(Many(kept))
            }
            fn visit_unit<E: Error>(self) -> Result<Many<T>, E> {
                Ok(Many(Vec::new()))
            }
        }
        deserializer.deserialize_any(V(PhantomData))
    }
}
