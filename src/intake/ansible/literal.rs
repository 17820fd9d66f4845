//! Values in INI inventories: a Python literal where they are one, else the text as it stands.

use serde_json::{Map, Number, Value};

/// The value that Ansible reads.
pub(super) fn value(text: &str) -> Value {
    let mut reader = Reader { text, at: 0, depth: 0 };
    match reader.literal().filter(|_| reader.at_end()) {
        Some(value) => value,
        None => Value::String(text.to_owned()),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u8,
}

/// Every element of a set is compared with all others: larger ones stay texts.
const MAX_SET: usize = 1000;
/// Deeper literals stay texts.
const MAX_DEPTH: u8 = 32;

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        let space = self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
        self.at += space;
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Nothing but a comment follows.
    fn at_end(&mut self) -> bool {
        self.skip_space();
        self.rest().is_empty() || self.rest().starts_with('#')
    }

    fn literal(&mut self) -> Option<Value> {
        self.skip_space();
        match self.rest().chars().next()? {
            '\'' | '"' => self.strings(),
            '[' => self.list("[", "]").map(|(items, _)| Value::Array(items)),
            '(' => match self.list("(", ")")? {
                // Brackets around one value do not make a tuple.
                (mut items, false) if items.len() == 1 => items.pop(),
                (items, _) => Some(Value::Array(items)),
            },
            '{' => self.map(),
            '0'..='9' | '-' | '+' | '.' => self.number(),
            _ => {
                let length = self.rest().find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                let word = &self.rest()[..length.unwrap_or(self.rest().len())];
                let value = match word {
                    "True" => Value::Bool(true),
                    "False" => Value::Bool(false),
                    "None" => Value::Null,
                    _ => return None,
                };
                self.at += word.len();
                Some(value)
            }
        }
    }

    /// `'a' "b"` is `ab`.
    fn strings(&mut self) -> Option<Value> {
        let mut text = self.string()?;
        loop {
            self.skip_space();
            if !self.rest().starts_with(['\'', '"']) {
                return Some(Value::String(text));
            }
            text.push_str(&self.string()?);
        }
    }

    fn string(&mut self) -> Option<String> {
        let quote = self.rest().chars().next()?;
        // Triple quotes have no use on one line.
        if self.rest().starts_with(&String::from(quote).repeat(3)) {
            return None;
        }
        self.at += 1;
        let mut out = String::new();
        let mut chars = self.text[self.at..].char_indices();
        while let Some((offset, c)) = chars.next() {
            match c {
                c if c == quote => {
                    self.at += offset + 1;
                    return Some(out);
                }
                '\\' => match chars.next()?.1 {
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    'r' => out.push('\r'),
                    c @ ('\\' | '\'' | '"') => out.push(c),
                    // Codes are rare: such a text stays as it is.
                    'x' | 'u' | 'U' | 'N' | '0'..='7' | 'a' | 'b' | 'f' | 'v' => return None,
                    other => out.extend(['\\', other]),
                },
                c => out.push(c),
            }
        }
        None
    }

    fn number(&mut self) -> Option<Value> {
        let end = self.rest().find(|c: char| !c.is_ascii_alphanumeric() && !"+-._".contains(c));
        let word = &self.rest()[..end.unwrap_or(self.rest().len())];
        let value = number(word)?;
        self.at += word.len();
        Some(value)
    }

    /// The elements, and whether a comma was among them.
    fn list(&mut self, open: &str, close: &str) -> Option<(Vec<Value>, bool)> {
        let mut items = Vec::new();
        let comma = self.elements(open, close, |reader| {
            items.push(reader.literal()?);
            Some(())
        })?;
        Some((items, comma))
    }

    /// A dict, or a set, which becomes a list.
    fn map(&mut self) -> Option<Value> {
        let mut map = Map::new();
        let mut set: Vec<Value> = Vec::new();
        self.elements("{", "}", |reader| {
            let key = reader.literal()?;
            if map.is_empty() && !reader.rest().trim_start().starts_with(':') {
                if !set.contains(&key) {
                    set.push(key);
                }
                return (set.len() <= MAX_SET).then_some(());
            }
            if !set.is_empty() {
                return None;
            }
            let key = match key {
                Value::String(key) => key,
                key @ (Value::Number(_) | Value::Bool(_)) => key.to_string(),
                _ => return None,
            };
            if !reader.take(":") {
                return None;
            }
            map.insert(key, reader.literal()?);
            Some(())
        })?;
        Some(if set.is_empty() { Value::Object(map) } else { Value::Array(set) })
    }

    /// Elements between brackets; a comma may end them. Whether there was one.
    fn elements(&mut self, open: &str, close: &str, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<bool> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        self.take(open);
        let mut comma = false;
        while !self.take(close) {
            element(self)?;
            if self.take(",") {
                comma = true;
            } else if self.take(close) {
                break;
            } else {
                return None;
            }
        }
        self.depth -= 1;
        Some(comma)
    }
}

fn number(word: &str) -> Option<Value> {
    let (negative, digits) = match word.as_bytes() {
        [b'-', ..] => (true, &word[1..]),
        [b'+', ..] => (false, &word[1..]),
        _ => (false, word),
    };
    if digits.starts_with(['+', '-']) || digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    let plain = digits.replace('_', "");
    let lower = plain.to_ascii_lowercase();
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)].into_iter().find_map(|(p, r)| Some((lower.strip_prefix(p)?, r)));
    let integer = match radix {
        Some((digits, radix)) => Some(i64::from_str_radix(digits, radix).ok()?),
        None if plain.bytes().all(|b| b.is_ascii_digit()) => {
            // Python refuses leading zeroes, which leaves a text.
            if plain.len() > 1 && plain.starts_with('0') && plain.bytes().any(|b| b != b'0') {
                return None;
            }
            Some(plain.parse().ok()?)
        }
        None => None,
    };
    if let Some(integer) = integer {
        return Some(Value::Number(if negative { -integer } else { integer }.into()));
    }
    if !lower.bytes().all(|b| b.is_ascii_digit() || b".e+-".contains(&b)) || !lower.bytes().any(|b| b.is_ascii_digit())
    {
        return None;
    }
    let float: f64 = lower.parse().ok()?;
    Number::from_f64(if negative { -float } else { float }).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn literals_are_values_and_the_rest_is_text() {
        for (text, expected) in [
            ("1", json!(1)),
            ("-2", json!(-2)),
            ("1_000", json!(1000)),
            ("0x1F", json!(31)),
            ("0644", json!("0644")),
            ("00", json!(0)),
            ("1.50", json!(1.5)),
            ("1e3", json!(1000.0)),
            ("1.2.3.4", json!("1.2.3.4")),
            ("True", json!(true)),
            ("true", json!("true")),
            ("yes", json!("yes")),
            ("None", json!(null)),
            ("'a b'", json!("a b")),
            ("\"a\" 'b' # c", json!("ab")),
            ("\"~/.kube/config\"", json!("~/.kube/config")),
            ("word # kept", json!("word # kept")),
            ("1 # gone", json!(1)),
            ("['a', 1, (2, 3), (4), ()]", json!(["a", 1, [2, 3], 4, []])),
            ("[1,]", json!([1])),
            ("{'a': {'b': [True]}, 'c': None,}", json!({"a": {"b": [true]}, "c": null})),
            ("{{ template }}", json!("{{ template }}")),
            ("{}", json!({})),
            ("{1, 2, 1}", json!([1, 2])),
            ("{1, 'a': 2}", json!("{1, 'a': 2}")),
            ("{'a': 2, 1}", json!("{'a': 2, 1}")),
            ("[1", json!("[1")),
            ("[,]", json!("[,]")),
            ("", json!("")),
            ("'it''s", json!("'it''s")),
            ("99999999999999999999", json!("99999999999999999999")),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
        let bomb = "[".repeat(100_000);
        assert_eq!(value(&bomb), json!(bomb));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\[\\]{}(),:'\"\\\\ a0-9_.eé#+-]{0,30}") {
            let _ = value(&text);
        }
    }
}
