//! Any YAML value as Ansible reads it (YAML 1.1), with the places of its keys.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use crate::yaml::Spanned;

/// A value of an Ansible file.
#[derive(Clone, Debug)]
pub(in crate::intake) enum Any {
    Null,
    /// A text and where it is written: whether it has quotes is seen there.
    Text(String, usize),
    Scalar(Value),
    List(Vec<Any>),
    Map(Vec<(Spanned<String>, Any)>),
}

impl Any {
    /// Without places; of a key that is there twice the last value.
    pub(in crate::intake) fn into_json(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Text(text, _) => Value::String(text),
            Self::Scalar(value) => value,
            Self::List(items) => Value::Array(items.into_iter().map(Self::into_json).collect()),
            Self::Map(entries) => {
                Value::Object(entries.into_iter().map(|(key, value)| (key.value, value.into_json())).collect())
            }
        }
    }

    /// Texts without quotes become what YAML 1.1 takes them for.
    pub(super) fn resolve(&mut self, source: &str) {
        match self {
            Self::Text(text, offset) => {
                // An alias shows no quotes; what it stands for hardly ever has them.
                let shown = source.get(*offset..).unwrap_or_default();
                let plain = shown.starts_with(text.as_str()) || shown.starts_with('*');
                if let Some(value) = if plain { yaml_1_1(text) } else { None } {
                    *self = Self::Scalar(value);
                }
            }
            Self::List(items) => items.iter_mut().for_each(|item| item.resolve(source)),
            Self::Map(entries) => entries.iter_mut().for_each(|(_, value)| value.resolve(source)),
            Self::Null | Self::Scalar(_) => {}
        }
    }

    /// For people.
    pub(in crate::intake) const fn describe(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Text(..) | Self::Scalar(_) => "a single value",
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
                Ok(Any::Text(text.to_owned(), 0))
            }
            fn visit_string<E: Error>(self, text: String) -> Result<Any, E> {
                Ok(Any::Text(text, 0))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Any, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element::<Spanned<Any>>()? {
                    items.push(placed(item));
                }
                Ok(Any::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Any, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<_, Spanned<Any>>()? {
                    entries.push((key, placed(value)));
                }
                Ok(Any::Map(entries))
            }
        }
        deserializer.deserialize_any(V)
    }
}

fn placed(value: Spanned<Any>) -> Any {
    match value.value {
        Any::Text(text, _) => Any::Text(text, value.offset),
        other => other,
    }
}

/// What YAML 1.1 reads into a text without quotes, beyond what YAML 1.2 does.
fn yaml_1_1(text: &str) -> Option<Value> {
    match text {
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Some(Value::Bool(true)),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Some(Value::Bool(false)),
        _ => {}
    }
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let plain = digits.replace('_', "");
    let radix = [("0x", 16), ("0b", 2), ("0", 8)].into_iter().find_map(|(p, r)| Some((plain.strip_prefix(p)?, r)));
    let number = match radix {
        Some((digits, radix)) => i64::from_str_radix(digits, radix).ok(),
        None => plain.split(':').enumerate().try_fold(0i64, |sum, (index, part)| {
            let fine = part.bytes().all(|b| b.is_ascii_digit()) && !part.is_empty() && (index == 0 || part.len() <= 2);
            let part: i64 = part.parse().ok().filter(|n| fine && (index == 0 || *n < 60))?;
            sum.checked_mul(60)?.checked_add(part)
        }),
    }?;
    Some(Value::Number(if negative { -number } else { number }.into()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;
    use crate::diagnostic::{Diagnostics, Source};
    use crate::yaml::{self, Size};
    use serde_json::json;

    #[test]
    fn values_are_what_ansible_reads() {
        let text = "a: yes\nb: 'yes'\nc: 0644\nd: \"0644\"\ne: 22:30\nf: 1_000\ng: 10.0.0.1\nh: true\ni: 1.5\nj: ~\n\
                    k: [off, 'off']\nl: 08\nm: |\n  yes\nn: !unsafe 'x'\no: -12\np: 1:2:3:4:5\nq: &x on\nr: *x\n";
        let source = Source::new("f", text);
        let mut diagnostics = Diagnostics::default();
        let any = yaml::parse::<Any>(&source, Size::Large, &mut diagnostics);
        let mut any = any.unwrap_or_else(|| panic!("{diagnostics:?}"));
        any.resolve(text);
        let expected = json!({
            "a": true, "b": "yes", "c": 420, "d": "0644", "e": 1350, "f": 1000, "g": "10.0.0.1", "h": true, "i": 1.5,
            "j": null, "k": [false, "off"], "l": "08", "m": "yes\n", "n": "x", "o": -12, "p": 13_403_045, "q": true,
            "r": true,
        });
        let found = any.into_json();
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&found[key], value, "{key}");
        }
    }
}
