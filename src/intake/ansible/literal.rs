//! Values in INI inventories: a Python literal where they are one, else the text as it stands.

use serde_json::{Map, Number, Value};

/// The value that Ansible reads.
pub(super) fn value(text: &str) -> Value {
    Reader { text, at: 0, depth: 0 }.whole().unwrap_or_else(|| Value::String(text.to_owned()))
}

/// What a prefix says about a text.
#[derive(Clone, Copy)]
struct StringKind {
    bytes: bool,
    raw: bool,
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

    /// A value, or several with commas, which need no brackets.
    fn whole(&mut self) -> Option<Value> {
        let first = self.literal()?;
        if self.at_end() {
            return Some(first);
        }
        let mut items = vec![first];
        while !self.at_end() {
            if !self.take(",") {
                return None;
            }
            if !self.at_end() {
                items.push(self.literal()?);
            }
        }
        Some(Value::Array(items))
    }

    fn literal(&mut self) -> Option<Value> {
        self.skip_space();
        if self.string_kind().is_some() {
            return self.strings();
        }
        match self.rest().chars().next()? {
            '[' => self.list("[", "]").map(|(items, _)| Value::Array(items)),
            '(' => match self.list("(", ")")? {
                // Brackets around one value do not make a tuple.
                (mut items, false) if items.len() == 1 => items.pop(),
                (items, _) => Some(Value::Array(items)),
            },
            '{' => self.map(),
            sign @ ('-' | '+') => self.signed(sign),
            '0'..='9' | '.' => self.number(),
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

    /// One sign only, and a number behind it: brackets do not matter.
    fn signed(&mut self, sign: char) -> Option<Value> {
        self.at += 1;
        self.skip_space();
        if self.rest().starts_with(['-', '+']) {
            return None;
        }
        self.depth += 1;
        let value = if self.depth > MAX_DEPTH { None } else { self.literal() };
        self.depth -= 1;
        match value? {
            Value::Number(number) if sign == '-' => minus(&number),
            Value::Number(number) => Some(Value::Number(number)),
            _ => None,
        }
    }

    /// `'a' "b"` is `ab`.
    fn strings(&mut self) -> Option<Value> {
        let mut text = String::new();
        let mut bytes = None;
        loop {
            self.skip_space();
            let Some((prefix, kind)) = self.string_kind() else { return Some(Value::String(text)) };
            // Texts and bytes do not mix.
            if *bytes.get_or_insert(kind.bytes) != kind.bytes {
                return None;
            }
            self.at += prefix;
            text.push_str(&self.string(kind)?);
        }
    }

    /// How long the prefix of a text is (`r`, `b`, `u`, ...) and what it says; none if no text begins here.
    fn string_kind(&self) -> Option<(usize, StringKind)> {
        let prefix = self.rest().bytes().take(3).position(|b| b == b'\'' || b == b'"')?;
        let (bytes, raw) = match self.rest().get(..prefix)?.to_ascii_lowercase().as_str() {
            "" | "u" => (false, false),
            "r" => (false, true),
            "b" => (true, false),
            "br" | "rb" => (true, true),
            _ => return None,
        };
        Some((prefix, StringKind { bytes, raw }))
    }

    fn string(&mut self, kind: StringKind) -> Option<String> {
        let quote = self.rest().chars().next()?;
        let triple: String = std::iter::repeat_n(quote, 3).collect();
        let end = if self.rest().starts_with(&triple) { triple } else { String::from(quote) };
        self.at += end.len();
        let mut out = String::new();
        while !self.rest().starts_with(&end) {
            match self.next()? {
                '\\' if kind.raw => out.extend(['\\', self.next()?]),
                '\\' => self.escape(kind, &mut out)?,
                c if kind.bytes && !c.is_ascii() => return None,
                c => out.push(c),
            }
        }
        self.at += end.len();
        Some(out)
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn escape(&mut self, kind: StringKind, out: &mut String) -> Option<()> {
        let c = self.next()?;
        let code = match c {
            'n' => 0x0a,
            't' => 0x09,
            'r' => 0x0d,
            'a' => 0x07,
            'b' => 0x08,
            'f' => 0x0c,
            'v' => 0x0b,
            '\\' | '\'' | '"' => u32::from(c),
            'x' => self.hex(2)?,
            'u' if !kind.bytes => self.hex(4)?,
            'U' if !kind.bytes => self.hex(8)?,
            // A name of a character: such a text stays as it is.
            'N' if !kind.bytes => return None,
            '0'..='7' => {
                let more = self.rest().bytes().take(2).take_while(|b| (b'0'..b'8').contains(b)).count();
                let digits = &self.text[self.at - 1..self.at + more];
                self.at += more;
                u32::from_str_radix(digits, 8).ok()?
            }
            other => {
                out.extend(['\\', other]);
                return Some(());
            }
        };
        // Bytes beyond ASCII are UTF-8 only together: rare, and left as they stand.
        if kind.bytes && code > 0x7f {
            return None;
        }
        out.push(char::from_u32(code)?);
        Some(())
    }

    fn hex(&mut self, length: usize) -> Option<u32> {
        let digits = self.rest().get(..length).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let code = u32::from_str_radix(digits, 16).ok()?;
        self.at += length;
        Some(code)
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

fn minus(number: &Number) -> Option<Value> {
    if let Some(whole) = number.as_u64() {
        return 0i64.checked_sub_unsigned(whole).map(Value::from);
    }
    Number::from_f64(-number.as_f64()?).map(Value::Number)
}

fn number(digits: &str) -> Option<Value> {
    if digits.starts_with(['+', '-']) || digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    let plain = digits.replace('_', "");
    let lower = plain.to_ascii_lowercase();
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)].into_iter().find_map(|(p, r)| Some((lower.strip_prefix(p)?, r)));
    let integer = match radix {
        Some((digits, radix)) => Some(u64::from_str_radix(digits, radix).ok()?),
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
        return Some(Value::Number(integer.into()));
    }
    if !lower.bytes().all(|b| b.is_ascii_digit() || b".e+-".contains(&b)) || !lower.bytes().any(|b| b.is_ascii_digit())
    {
        return None;
    }
    let float: f64 = lower.parse().ok()?;
    Number::from_f64(float).map(Value::Number)
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
            ("1,2", json!([1, 2])),
            ("'a',", json!(["a"])),
            (",", json!(",")),
            ("1,,2", json!("1,,2")),
            ("- 1", json!(-1)),
            ("-(1)", json!(-1)),
            ("--1", json!("--1")),
            ("-True", json!("-True")),
            ("'''a'b'''", json!("a'b")),
            ("r'\\d' u'x'", json!("\\dx")),
            ("b'x' 'y'", json!("b'x' 'y'")),
            (r"'\x41\u00fc\101\t\d'", json!("A\u{fc}A\t\\d")),
            (r"'\x4'", json!(r"'\x4'")),
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
