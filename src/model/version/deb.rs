//! dpkg's version order: epoch, upstream version, revision; `~` sorts before the end.

use std::cmp::Ordering;

use super::InvalidVersion;
use crate::model::printable;

/// A version taken apart as dpkg does it.
#[derive(Debug)]
struct Parts<'a> {
    epoch: i32,
    upstream: &'a str,
    revision: &'a str,
    /// What dpkg warns of and still accepts.
    warning: Option<&'static str>,
}

pub(super) fn compare(a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
    let (a, b) = (parse(a)?, parse(b)?);
    Ok(a.epoch
        .cmp(&b.epoch)
        .then_with(|| compare_part(a.upstream.as_bytes(), b.upstream.as_bytes()))
        .then_with(|| compare_part(a.revision.as_bytes(), b.revision.as_bytes())))
}

pub(super) fn validate(text: &str) -> Result<Option<&'static str>, InvalidVersion> {
    parse(text).map(|parts| parts.warning)
}

fn parse(text: &str) -> Result<Parts<'_>, InvalidVersion> {
    let invalid = |rule| InvalidVersion { scheme: "deb", shown: printable(text, 80), rule };
    let is_space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c');
    let trimmed = text.trim_matches(is_space);
    if trimmed.is_empty() {
        return Err(invalid("it is empty"));
    }
    if trimmed.contains(|c| is_space(c) || c == '\0') {
        return Err(invalid("it has spaces inside"));
    }
    let (epoch, rest) = match trimmed.split_once(':') {
        None => (0, trimmed),
        Some((_, "")) => return Err(invalid("nothing follows the colon")),
        Some((epoch, rest)) => (parse_epoch(epoch).map_err(invalid)?, rest),
    };
    let (upstream, revision) = match rest.rsplit_once('-') {
        None => (rest, ""),
        Some((_, "")) => return Err(invalid("the revision is empty")),
        Some(parts) => parts,
    };
    let warning = match upstream.as_bytes() {
        [] => return Err(invalid("the upstream version is empty")),
        [first, ..] if !first.is_ascii_digit() => Some("the upstream version does not start with a digit"),
        bytes if !bytes.iter().all(|b| b.is_ascii_alphanumeric() || b".-+~:".contains(b)) => {
            Some("the upstream version has a character other than letters, digits and . - + ~ :")
        }
        _ if !revision.bytes().all(|b| b.is_ascii_alphanumeric() || b".+~".contains(&b)) => {
            Some("the revision has a character other than letters, digits and . + ~")
        }
        _ => None,
    };
    Ok(Parts { epoch, upstream, revision, warning })
}

/// As C's `strtol`, which takes a sign.
fn parse_epoch(text: &str) -> Result<i32, &'static str> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() {
        return Err("the epoch is empty");
    }
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("the epoch is not a number");
    }
    match digits.parse::<i32>() {
        Ok(epoch) if epoch == 0 || !negative => Ok(epoch),
        _ if negative => Err("the epoch is negative"),
        _ => Err("the epoch is too large"),
    }
}

/// Alternates between runs without digits, in [`weight`] order, and numbers of any length.
fn compare_part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    let digit = |text: &[u8]| text.first().is_some_and(u8::is_ascii_digit);
    while !a.is_empty() || !b.is_empty() {
        while (!a.is_empty() && !digit(a)) || (!b.is_empty() && !digit(b)) {
            let order = weight(a.first()).cmp(&weight(b.first()));
            if order.is_ne() {
                return order;
            }
            (a, b) = (&a[1..], &b[1..]);
        }
        let (number_a, rest_a) = split_number(a);
        let (number_b, rest_b) = split_number(b);
        let order = number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b));
        if order.is_ne() {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    Ordering::Equal
}

/// The digits at the start without leading zeroes, and what follows.
fn split_number(text: &[u8]) -> (&[u8], &[u8]) {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let zeroes = text.iter().take_while(|b| **b == b'0').count();
    (&text[zeroes..digits], &text[digits..])
}

/// `~`, then the end and digits, then letters, then bytes beyond ASCII (a signed `char` in dpkg), then the rest.
fn weight(byte: Option<&u8>) -> i32 {
    match byte {
        None => 0,
        Some(b'~') => -1,
        Some(b) if b.is_ascii_digit() => 0,
        Some(b) if b.is_ascii_alphabetic() => i32::from(*b),
        Some(b) => i32::from(b.cast_signed()) + 256,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;
    use proptest::prelude::*;

    fn order(a: &str, b: &str) -> Ordering {
        compare(a, b).unwrap()
    }

    #[test]
    fn orders_as_dpkg_does() {
        use Ordering::{Equal, Greater, Less};
        for (a, expected, b) in [
            ("1.0-1", Less, "2.0-2"),
            ("2.2~rc-4", Less, "2.2-1"),
            ("1.0000-1", Equal, "1.0-1"),
            ("1", Equal, "0:1"),
            ("1:0foo", Greater, "0foo"),
            ("0foo~~", Less, "0foo~"),
            ("0foo.bar", Greater, "0foo0bar"),
            ("1.2.3-1+deb12u10", Greater, "1.2.3-1+deb12u9"),
            ("99999999999999999999999999999999", Greater, "9"),
        ] {
            assert_eq!(order(a, b), expected, "{a} {b}");
            assert_eq!(order(b, a), expected.reverse(), "{b} {a}");
        }
    }

    #[test]
    fn refuses_what_dpkg_refuses() {
        for bad in ["", " ", "0:", ":1.0", "1.0-", "0:0 0-1", "-1:0-1", "a:0-0", "-0", "10a:5.2", "2147483648:1", "1\0"]
        {
            assert!(validate(bad).is_err(), "{bad:?}");
        }
        assert_eq!(validate(" 1:2.3-4\n"), Ok(None));
        assert_eq!(validate("2147483647:1"), Ok(None));
        assert!(validate("foo5.2").unwrap().is_some());
        assert!(validate("0:0-!").unwrap().is_some());
    }

    /// Close relatives, so that equal runs and zeroes are met often.
    fn version() -> impl Strategy<Value = String> {
        "([0-2]:)?[0-2a~][0-2ab.+~:é]{0,5}(-[01a~.+]{1,4})?"
            .prop_filter("dpkg takes it", |version| validate(version).is_ok())
    }

    proptest! {
        #[test]
        fn is_a_total_order(a in version(), b in version(), c in version()) {
            prop_assert_eq!(order(&a, &a), Ordering::Equal);
            prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
            if order(&a, &b).is_le() && order(&b, &c).is_le() {
                prop_assert!(order(&a, &c).is_le());
            }
            if order(&a, &b).is_eq() {
                prop_assert_eq!(order(&a, &c), order(&b, &c));
            }
        }

        #[test]
        fn any_text_is_ordered_or_refused(a in any::<String>(), b in any::<String>()) {
            let _ = compare(&a, &b);
        }
    }
}
