//! Any YAML value as Ansible reads it (YAML 1.1), with the places of its keys.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value, json};

use crate::yaml::Spanned;

/// How every encrypted text begins.
pub(super) const VAULT: &str = "$ANSIBLE_VAULT;";
/// How `--list` marks an encrypted text.
pub(super) const ENCRYPTED: &str = "__ansible_vault";
/// How `--list` marks a text that is no template.
const UNSAFE: &str = "__ansible_unsafe";

/// A value of an Ansible file.
#[derive(Clone, Debug)]
pub(in crate::intake) enum Any {
    Null,
    /// A text and where it is written: whether it has quotes is seen there.
    Text(String, usize),
    /// A number or truth value, and where it is written with how many bytes.
    Scalar(Value, (usize, usize)),
    List(Vec<Any>),
    Map(Vec<(Spanned<String>, Any)>),
}

impl Any {
    /// Without places; of a key that is there twice the last value. Marks of Ansible's stay where they say something:
    /// what is encrypted is no text.
    pub(in crate::intake) fn into_json(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Text(text, _) if text.starts_with(VAULT) => json!({ (ENCRYPTED): text }),
            Self::Text(text, _) => Value::String(text),
            Self::Scalar(value, _) => value,
            Self::List(items) => Value::Array(items.into_iter().map(Self::into_json).collect()),
            Self::Map(mut entries) => {
                if entries.len() == 1 && entries[0].0.value == UNSAFE {
                    return entries.pop().map_or(Value::Null, |(_, value)| value.into_json());
                }
                // What is marked as encrypted already is not marked twice.
                if entries.len() == 1
                    && entries[0].0.value == ENCRYPTED
                    && let Self::Text(text, _) = &entries[0].1
                {
                    return json!({ (ENCRYPTED): text });
                }
                Value::Object(entries.into_iter().map(|(key, value)| (key.value, value.into_json())).collect())
            }
        }
    }

    /// Scalars without quotes become what YAML 1.1 takes them for.
    pub(super) fn resolve(&mut self, source: &str) {
        match self {
            Self::Text(text, offset) => {
                // An alias shows no quotes; what it stands for hardly ever has them.
                let shown = source.get(*offset..).unwrap_or_default();
                let plain = shown.starts_with(text.as_str()) || shown.starts_with('*');
                let plain = plain && !is_tagged_text(source, *offset);
                if let Some(value) = if plain { yaml_1_1(text) } else { None } {
                    *self = Self::Scalar(value, (*offset, text.len()));
                }
            }
            Self::Scalar(value, (offset, length)) => {
                let shown = source.get(*offset..*offset + *length).unwrap_or_default();
                if is_tagged_text(source, *offset) {
                    *self = Self::Text(shown.to_owned(), *offset);
                } else if !shown.is_empty() && !shown.starts_with(['*', '\'', '"']) {
                    *value = yaml_1_1(shown).unwrap_or_else(|| Value::String(shown.to_owned()));
                }
            }
            Self::List(items) => items.iter_mut().for_each(|item| item.resolve(source)),
            Self::Map(entries) => {
                for (key, value) in entries {
                    let plain = source.get(key.offset..).is_some_and(|shown| shown.starts_with(key.value.as_str()));
                    if let Some(Value::Bool(truth)) = if plain { yaml_1_1(&key.value) } else { None } {
                        key.value = truth.to_string();
                    }
                    value.resolve(source);
                }
            }
            Self::Null => {}
        }
    }

    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Null | Self::Scalar(..) => 32,
            Self::Text(text, _) => 32 + text.len(),
            Self::List(items) => 32 + items.iter().map(Self::weight).sum::<usize>(),
            Self::Map(entries) => {
                32 + entries.iter().map(|(key, value)| 64 + key.value.len() + value.weight()).sum::<usize>()
            }
        }
    }

    /// How many values are encrypted, and where the first is.
    pub(super) fn encrypted(&self) -> Option<(usize, usize)> {
        let mut found = None;
        self.count_encrypted(&mut found);
        found
    }

    fn count_encrypted(&self, found: &mut Option<(usize, usize)>) {
        match self {
            Self::Text(text, offset) if text.starts_with(VAULT) => found.get_or_insert((0, *offset)).0 += 1,
            Self::List(items) => items.iter().for_each(|item| item.count_encrypted(found)),
            Self::Map(entries) => entries.iter().for_each(|(_, value)| value.count_encrypted(found)),
            Self::Null | Self::Text(..) | Self::Scalar(..) => {}
        }
    }

    /// For people.
    pub(in crate::intake) const fn describe(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Text(..) | Self::Scalar(..) => "a single value",
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
                Ok(Any::Scalar(Value::Bool(value), (0, 0)))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Any, E> {
                Ok(Any::Scalar(Value::Number(value.into()), (0, 0)))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Any, E> {
                Ok(Any::Scalar(Value::Number(value.into()), (0, 0)))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Any, E> {
                let number = Number::from_f64(value).map_or(Value::String(value.to_string()), Value::Number);
                Ok(Any::Scalar(number, (0, 0)))
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
        Any::Scalar(scalar, _) => Any::Scalar(scalar, (value.offset, value.length)),
        other => other,
    }
}

/// Whether a tag makes a text of what stands there.
fn is_tagged_text(source: &str, offset: usize) -> bool {
    let before = source.get(..offset).unwrap_or_default();
    let line = before.trim_end_matches([' ', '\t']);
    line.len() < before.len() && (line.ends_with(" !!str") || line.ends_with("\t!!str"))
}

/// What YAML 1.1 reads into a text without quotes, if not a text.
fn yaml_1_1(text: &str) -> Option<Value> {
    match text {
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
        _ => {}
    }
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let plain = digits.replace('_', "");
    if digits.contains('.') {
        // Without a digit in front, no sign may be there.
        let signed = digits.len() < text.len();
        return if signed && digits.starts_with('.') { None } else { float(digits, &plain, negative) };
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit())
        || !plain.bytes().all(|b| b.is_ascii_hexdigit() || b"x:".contains(&b))
    {
        return None;
    }
    let radix = [("0x", 16), ("0b", 2), ("0", 8)].into_iter().find_map(|(p, r)| Some((plain.strip_prefix(p)?, r)));
    let number = match radix {
        Some(("", 8)) => Some(0),
        Some((digits, radix)) => u64::from_str_radix(digits, radix).ok(),
        None => plain.split(':').enumerate().try_fold(0u64, |sum, (index, part)| {
            let fine = part.bytes().all(|b| b.is_ascii_digit()) && !part.is_empty() && (index == 0 || part.len() <= 2);
            let part: u64 = part.parse().ok().filter(|n| fine && (index == 0 || *n < 60))?;
            sum.checked_mul(60)?.checked_add(part)
        }),
    }?;
    if negative { 0i64.checked_sub_unsigned(number).map(Value::from) } else { Some(Value::from(number)) }
}

/// `1.5`, `.5`, `3.`, `1.0e+3`: an exponent has a sign.
fn float(digits: &str, plain: &str, negative: bool) -> Option<Value> {
    let (mantissa, exponent) = plain.split_once(['e', 'E']).map_or((plain, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.')?;
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let fine = all_digits(whole) && all_digits(fraction) && !digits.starts_with('_');
    let signed = exponent.is_none_or(|e| e.len() > 1 && e.starts_with(['+', '-']) && all_digits(&e[1..]));
    if !fine || !signed || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let value: f64 = plain.parse().ok()?;
    Number::from_f64(if negative { -value } else { value }).map(Value::Number)
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
                    k: [off, 'off']\nl: 08\nm: |\n  yes\nn: !unsafe 'x'\no: -12\np: 1:2:3:4:5\nq: &x on\nr: *x\n\
                    s: 1e3\nt: .5\nu: 0o14\nv: 3.\nw: 1.0e+3\nx: +7\ny: 1.2.3\nz: 0\nyes: key\nta: !!str 12\ntb: !!str yes\n";
        let source = Source::new("f", text);
        let mut diagnostics = Diagnostics::default();
        let any = yaml::parse::<Any>(&source, Size::Large, &mut diagnostics);
        let mut any = any.unwrap_or_else(|| panic!("{diagnostics:?}"));
        any.resolve(text);
        let expected = json!({
            "a": true, "b": "yes", "c": 420, "d": "0644", "e": 1350, "f": 1000, "g": "10.0.0.1", "h": true, "i": 1.5,
            "j": null, "k": [false, "off"], "l": "08", "m": "yes\n", "n": "x", "o": -12, "p": 13_403_045, "q": true,
            "r": true, "s": "1e3", "t": 0.5, "u": "0o14", "v": 3.0, "w": 1000.0, "x": 7, "y": "1.2.3", "z": 0,
            "true": "key", "ta": "12", "tb": "yes",
        });
        let found = any.into_json();
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&found[key], value, "{key}");
        }
    }
}
