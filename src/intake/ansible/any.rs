//! Any YAML value, with the places of its keys.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use crate::yaml::Spanned;

/// A value of an Ansible file.
#[derive(Clone, Debug)]
pub(in crate::intake) enum Any {
    Null,
    Scalar(Value),
    List(Vec<Any>),
    Map(Vec<(Spanned<String>, Any)>),
}

impl Any {
    /// Without places; of a key that is there twice the last value.
    pub(in crate::intake) fn into_json(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Scalar(value) => value,
            Self::List(items) => Value::Array(items.into_iter().map(Self::into_json).collect()),
            Self::Map(entries) => {
                Value::Object(entries.into_iter().map(|(key, value)| (key.value, value.into_json())).collect())
            }
        }
    }

    /// For people.
    pub(in crate::intake) const fn describe(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Scalar(_) => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Any;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E: Error>(self) -> Result<Any, E> {
                Ok(Any::Null)
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Any, E> {
                Ok(Any::Scalar(Value::Bool(value)))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Any, E> {
                Ok(Any::Scalar(Value::Number(value.into())))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Any, E> {
                Ok(Any::Scalar(Value::Number(value.into())))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Any, E> {
                Ok(Any::Scalar(Number::from_f64(value).map_or(Value::String(value.to_string()), Value::Number)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Any, E> {
                Ok(Any::Scalar(Value::String(text.to_owned())))
            }
            fn visit_string<E: Error>(self, text: String) -> Result<Any, E> {
                Ok(Any::Scalar(Value::String(text)))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Any, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Any::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Any, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Any::Map(entries))
            }
        }
        deserializer.deserialize_any(V)
    }
}
