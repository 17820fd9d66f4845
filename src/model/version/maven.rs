//! Maven 4's version order (`ComparableVersion`): numbers, qualifiers, and lists that nest at every `-` and every change between
//! digits and letters.

use std::cmp::Ordering;

use super::number::Number;

/// The whole version is a list.
#[derive(Debug)]
pub(super) struct Maven(Vec<Item>);

#[derive(Debug)]
enum Item {
    Number(Digits),
    Text(String),
    /// `rc1` and `rc-1`: letters with the number right behind them.
    Combined(String, Digits),
    List(Vec<Item>),
}

#[derive(Debug, PartialEq, Eq)]
struct Digits(String);

impl Digits {
    fn number(&self) -> Number<'_> {
        Number::new(&self.0).unwrap_or_default()
    }

    /// Against nothing.
    fn sign(&self) -> Ordering {
        if self.number().is_zero() { Ordering::Equal } else { Ordering::Greater }
    }
}

/// Qualifiers with a place; everything else comes after these, by its letters.
const QUALIFIERS: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", RELEASE, "sp"];
const RELEASE: &str = "";

pub(super) fn parse(text: &str) -> Result<Maven, &'static str> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("it has spaces inside");
    }
    Ok(Maven(Reader::new().read(&text.to_lowercase())))
}

/// The lists that are open; only the last one grows.
struct Reader {
    open: Vec<Vec<Item>>,
}

impl Reader {
    fn new() -> Self {
        Self { open: vec![Vec::new()] }
    }

    fn add(&mut self, item: Item) {
        if let Some(list) = self.open.last_mut() {
            list.push(item);
        }
    }

    /// A list inside the last one, unless that is empty.
    fn nest(&mut self) {
        if self.open.last().is_some_and(|list| !list.is_empty()) {
            self.open.push(Vec::new());
        }
    }

    fn read(mut self, text: &str) -> Vec<Item> {
        let (mut start, mut digits, mut combined) = (0, false, false);
        for (at, c) in text.char_indices() {
            match c {
                '.' => {
                    self.add(if at == start { zero() } else { item(combined, digits, &text[start..at]) });
                    (start, combined) = (at + 1, false);
                }
                '-' => {
                    if at == start {
                        self.add(zero());
                    } else if !digits && text[at + 1..].starts_with(|c: char| c.is_ascii_digit()) {
                        combined = true;
                        continue;
                    } else {
                        self.add(item(combined, digits, &text[start..at]));
                    }
                    self.nest();
                    (start, combined) = (at + 1, false);
                }
                '0'..='9' => {
                    if !digits && at > start {
                        combined = true;
                        self.nest();
                    }
                    digits = true;
                }
                _ => {
                    if digits && at > start {
                        self.add(item(combined, true, &text[start..at]));
                        self.nest();
                        (start, combined) = (at, false);
                    }
                    digits = false;
                }
            }
        }
        if text.len() > start {
            if !digits {
                self.nest();
            }
            self.add(item(combined, digits, &text[start..]));
        }
        // Innermost first: each becomes the last item of the list around it.
        let mut inner = None;
        for mut list in self.open.into_iter().rev() {
            list.extend(inner.take().map(Item::List));
            inner = Some(normalized(list));
        }
        inner.unwrap_or_default()
    }
}

fn zero() -> Item {
    Item::Number(Digits("0".to_owned()))
}

fn item(combined: bool, digits: bool, text: &str) -> Item {
    if combined {
        let text = text.replace('-', "");
        let (letters, digits) = text.split_at(text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len()));
        let letters = match letters {
            "a" => "alpha",
            "b" => "beta",
            "m" => "milestone",
            letters => letters,
        };
        Item::Combined(qualifier(letters), Digits(digits.to_owned()))
    } else if digits {
        Item::Number(Digits(text.to_owned()))
    } else {
        Item::Text(qualifier(text))
    }
}

fn qualifier(letters: &str) -> String {
    if letters == "cr" { "rc".to_owned() } else { letters.to_owned() }
}

/// Without zeroes at the end and before qualifiers.
fn normalized(mut list: Vec<Item>) -> Vec<Item> {
    for index in (0..list.len()).rev() {
        let empty = match &list[index] {
            Item::Number(digits) => digits.number().is_zero(),
            Item::Text(text) => text.is_empty(),
            Item::Combined(..) => false,
            Item::List(list) => list.is_empty(),
        };
        let redundant = match list.get(index + 1) {
            None | Some(Item::Text(_)) => true,
            Some(Item::List(inner)) => matches!(inner.first(), Some(Item::Text(_) | Item::Combined(..))),
            Some(_) => false,
        };
        if empty && redundant {
            list.remove(index);
        }
    }
    if let [Item::List(_)] = &list[..]
        && let Some(Item::List(inner)) = list.pop()
    {
        return inner;
    }
    list
}

/// A qualifier's place.
fn place(text: &str) -> (usize, &str) {
    match text {
        "ga" | "final" | "release" => place(RELEASE),
        _ => match QUALIFIERS.iter().position(|known| *known == text) {
            Some(index) => (index, ""),
            None => (QUALIFIERS.len(), text),
        },
    }
}

/// An item against nothing: `1-rc < 1 < 1-sp`.
fn sign(item: &Item) -> Ordering {
    match item {
        Item::Number(digits) => digits.sign(),
        Item::Text(text) => place(text).cmp(&place(RELEASE)),
        Item::Combined(text, digits) => place(text).cmp(&place(RELEASE)).then_with(|| digits.sign()),
        Item::List(list) => list.iter().map(sign).find(|order| order.is_ne()).unwrap_or(Ordering::Equal),
    }
}

fn compare(a: &Item, b: &Item) -> Ordering {
    match (a, b) {
        (Item::Number(a), Item::Number(b)) => a.number().cmp(&b.number()),
        (Item::Number(_), _) => Ordering::Greater,
        (_, Item::Number(_)) => Ordering::Less,
        (Item::List(a), Item::List(b)) => compare_lists(a, b),
        (Item::List(list), scalar) => {
            let first = list.first().map_or_else(|| sign(scalar).reverse(), |first| compare(first, scalar));
            let rest = || list.iter().skip(1).map(sign).find(|order| order.is_ne()).unwrap_or(Ordering::Equal);
            first.then_with(rest)
        }
        (_, Item::List(_)) => compare(b, a).reverse(),
        (Item::Text(a), Item::Text(b)) => place(a).cmp(&place(b)),
        (Item::Combined(a, a_digits), Item::Combined(b, b_digits)) => {
            place(a).cmp(&place(b)).then_with(|| a_digits.number().cmp(&b_digits.number()))
        }
        (Item::Text(a), Item::Combined(b, digits)) => place(a).cmp(&place(b)).then_with(|| match a_release(a) {
            true => digits.sign().reverse(),
            false => Ordering::Less,
        }),
        (Item::Combined(..), Item::Text(_)) => compare(b, a).reverse(),
    }
}

fn a_release(text: &str) -> bool {
    place(text) == place(RELEASE)
}

fn compare_lists(a: &[Item], b: &[Item]) -> Ordering {
    let at = |index: usize| match (a.get(index), b.get(index)) {
        (Some(a), Some(b)) => compare(a, b),
        (Some(a), None) => sign(a),
        (None, Some(b)) => sign(b).reverse(),
        (None, None) => Ordering::Equal,
    };
    (0..a.len().max(b.len())).map(at).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

impl Ord for Maven {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_lists(&self.0, &other.0)
    }
}

impl PartialOrd for Maven {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Maven {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Maven {}
