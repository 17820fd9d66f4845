//! rpm's version order: epoch, version, release; `~` sorts before the end, `^` right after it.

use std::cmp::Ordering;

use super::evr::Evr;
use super::number::{Number, split_run};

pub(super) fn parse(text: &str) -> Result<Evr<'_>, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.bytes().any(|b| b.is_ascii_whitespace() || b == 0) {
        return Err("it has spaces inside");
    }
    Ok(Evr::parse(text, compare_segments))
}

/// What `rpmbuild` would not have built.
pub(super) fn warning(text: &str) -> Option<&'static str> {
    let usual = |b: u8| b.is_ascii_alphanumeric() || b"._+~^:-".contains(&b);
    (!text.bytes().all(usual)).then_some("it has a character other than letters, digits and . _ + ~ ^ : -")
}

/// `rpmvercmp`: runs of digits and of letters, whatever separates them.
fn compare_segments(mut a: &str, mut b: &str) -> Ordering {
    let separator = |c: char| !c.is_ascii_alphanumeric() && c != '~' && c != '^';
    loop {
        (a, b) = (a.trim_start_matches(separator), b.trim_start_matches(separator));
        match (a.bytes().next(), b.bytes().next()) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => (a, b) = (&a[1..], &b[1..]),
            (Some(b'~'), _) | (None, Some(b'^')) => return Ordering::Less,
            (_, Some(b'~')) | (Some(b'^'), None) => return Ordering::Greater,
            (Some(b'^'), _) => return Ordering::Less,
            (_, Some(b'^')) => return Ordering::Greater,
            (None, b) => return if b.is_none() { Ordering::Equal } else { Ordering::Less },
            (Some(_), None) => return Ordering::Greater,
            (Some(first), Some(_)) => {
                let (order, rest_a, rest_b) = compare_run(first, a, b);
                if order.is_ne() {
                    return order;
                }
                (a, b) = (rest_a, rest_b);
            }
        }
    }
}

/// Numbers are newer than letters.
fn compare_run<'a, 'b>(first: u8, a: &'a str, b: &'b str) -> (Ordering, &'a str, &'b str) {
    let of = if first.is_ascii_digit() { u8::is_ascii_digit } else { u8::is_ascii_alphabetic };
    let ((run_a, rest_a), (run_b, rest_b)) = (split_run(a, of), split_run(b, of));
    let order = match (Number::new(run_a), Number::new(run_b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Greater,
        _ if run_b.is_empty() => Ordering::Less,
        _ => run_a.cmp(run_b),
    };
    (order, rest_a, rest_b)
}
