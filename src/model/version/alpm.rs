//! pacman's version order: epoch, version, release. Older than rpm's: no `~` and no `^`, but letters at the end sort before it.

use std::cmp::Ordering;

use super::evr::Evr;
use super::number::{Number, split_run};

pub(super) fn parse(text: &str) -> Result<Evr<'_>, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    let usual = |b: u8| b.is_ascii_graphic() && b != b'/';
    if !text.bytes().all(usual) {
        return Err("it has a space, a slash or a character beyond ASCII");
    }
    Ok(Evr::parse(text, compare_segments))
}

/// What stands at one place, least first: `1.0a < 1.0 < 1.0.a < 1.0.1`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'t> {
    /// Letters right behind a number.
    Suffix(&'t str),
    End,
    /// A number at the start or right behind letters.
    Number(Number<'t>),
    /// Separators, by their count, and what follows them.
    Separated(usize, Run<'t>),
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Run<'t> {
    Letters(&'t str),
    Nothing,
    Number(Number<'t>),
}

fn compare_segments(mut a: &str, mut b: &str) -> Ordering {
    loop {
        let ((segment_a, rest_a), (segment_b, rest_b)) = (next(a), next(b));
        let order = segment_a.cmp(&segment_b);
        if order.is_ne() || segment_a == Segment::End {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
}

fn next(text: &str) -> (Segment<'_>, &str) {
    let (separators, rest) = split_run(text, |b| !b.is_ascii_alphanumeric());
    let (digits, after_digits) = split_run(rest, u8::is_ascii_digit);
    let (letters, after_letters) = split_run(rest, u8::is_ascii_alphabetic);
    let (run, rest) = match (Number::new(digits), letters) {
        (Some(number), _) => (Run::Number(number), after_digits),
        (None, "") => (Run::Nothing, rest),
        (None, letters) => (Run::Letters(letters), after_letters),
    };
    let segment = match (separators.len(), run) {
        (0, Run::Nothing) => Segment::End,
        (0, Run::Letters(letters)) => Segment::Suffix(letters),
        (0, Run::Number(number)) => Segment::Number(number),
        (count, run) => Segment::Separated(count, run),
    };
    (segment, rest)
}
