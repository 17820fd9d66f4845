//! Numbers of any length inside versions, and how their texts are taken apart.

use std::cmp::Ordering;

/// A number of any length: its digits without leading zeroes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Number<'t>(&'t str);

impl<'t> Number<'t> {
    pub(super) const ZERO: Self = Self("");
    pub(super) const ONE: Self = Self("1");

    /// From digits; nothing else is a number.
    pub(super) fn new(digits: &'t str) -> Option<Self> {
        let only_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        only_digits.then(|| Self(digits.trim_start_matches('0')))
    }

    pub(super) fn is_zero(self) -> bool {
        self.0.is_empty()
    }
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(other.0))
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Without zeroes at the end, so that what is not written counts as zero.
pub(super) fn without_zeroes(mut numbers: Vec<Number<'_>>) -> Vec<Number<'_>> {
    while numbers.last().is_some_and(|number| number.is_zero()) {
        numbers.pop();
    }
    numbers
}

/// The longest start of the text whose bytes are of one kind, and the rest. The kind must be of ASCII only.
pub(super) fn split_run(text: &str, of: impl Fn(&u8) -> bool) -> (&str, &str) {
    text.split_at(text.bytes().take_while(|b| b.is_ascii() && of(b)).count())
}
