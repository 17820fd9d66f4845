//! RubyGems' version order: numbers and letters; letters anywhere make a pre-release.

use std::cmp::Ordering;

use super::number::{Number, split_run};

/// The segments that decide.
#[derive(Debug)]
pub(super) struct Gem<'t>(Vec<Segment<'t>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'t> {
    Text(&'t str),
    Number(Number<'t>),
}

impl Segment<'_> {
    const ZERO: Self = Self::Number(Number::ZERO);
}

pub(super) fn parse(text: &str) -> Result<Gem<'_>, &'static str> {
    let text = text.trim_ascii();
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("it does not start with a digit");
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-') {
        return Err("it has a character other than letters, digits, `.` and `-`");
    }
    if text.split(['.', '-']).any(str::is_empty) {
        return Err("something is missing between or behind its dots");
    }
    let mut segments = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.bytes().next() {
        let (segment, behind) = match first {
            b'.' => (None, &rest[1..]),
            // `-` is short for `.pre.`.
            b'-' => (Some(Segment::Text("pre")), &rest[1..]),
            b'0'..=b'9' => {
                let (digits, behind) = split_run(rest, u8::is_ascii_digit);
                (Number::new(digits).map(Segment::Number), behind)
            }
            _ => {
                let (letters, behind) = split_run(rest, u8::is_ascii_alphabetic);
                (Some(Segment::Text(letters)), behind)
            }
        };
        segments.extend(segment);
        rest = behind;
    }
    // Zeroes in front of the letters and at the end say nothing.
    let start = segments.iter().position(|segment| matches!(segment, Segment::Text(_))).unwrap_or(segments.len());
    let mut pre = segments.split_off(start);
    for part in [&mut segments, &mut pre] {
        while part.last() == Some(&Segment::ZERO) {
            part.pop();
        }
    }
    segments.append(&mut pre);
    Ok(Gem(segments))
}

impl Ord for Gem<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        // What is not there counts as zero.
        let length = self.0.len().max(other.0.len());
        let padded = |segments| std::iter::chain(segments, std::iter::repeat(&Segment::ZERO)).take(length);
        padded(&self.0).cmp(padded(&other.0))
    }
}

impl PartialOrd for Gem<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Gem<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Gem<'_> {}
