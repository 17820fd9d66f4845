//! Epoch, version and release, as rpm and pacman take a version apart.

use std::cmp::Ordering;

use super::number::{Number, split_run};

/// `EPOCH:VERSION-RELEASE` with the order of its segments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evr<'t> {
    epoch: Number<'t>,
    version: &'t str,
    release: Option<&'t str>,
    segments: fn(&str, &str) -> Ordering,
}

impl<'t> Evr<'t> {
    pub(super) fn parse(text: &'t str, segments: fn(&str, &str) -> Ordering) -> Self {
        // Digits before the first colon are the epoch; any other colon belongs to the version.
        let (digits, rest) = split_run(text, u8::is_ascii_digit);
        let (epoch, rest) = match rest.strip_prefix(':') {
            Some(rest) => (Number::new(digits).unwrap_or_default(), rest),
            None => (Number::ZERO, text),
        };
        let (version, release) = match rest.rsplit_once('-') {
            Some((version, release)) => (version, Some(release)),
            None => (rest, None),
        };
        Self { epoch, version, release, segments }
    }
}

impl Ord for Evr<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        // pacman leaves the release out where one has none, which orders no three versions; here none is before any.
        let release = || match (self.release, other.release) {
            (Some(a), Some(b)) => (self.segments)(a, b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        };
        self.epoch.cmp(&other.epoch).then_with(|| (self.segments)(self.version, other.version)).then_with(release)
    }
}

impl PartialOrd for Evr<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Evr<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Evr<'_> {}
