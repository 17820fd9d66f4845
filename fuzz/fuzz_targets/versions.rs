//! Versions and ranges of every scheme, and package URLs: a line each. An order must be one in both directions.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchback::model::{Prereleases, Purl, VersionRange, VersionScheme};

fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let (a, b) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let _ = Purl::parse(a).map(|purl| (purl.package_name(), purl.package_key(), purl.is_of_distribution()));
    for (_, scheme) in VersionScheme::ALL {
        let _ = scheme.validate(a);
        if let (Ok(forth), Ok(back)) = (scheme.compare(a, b), scheme.compare(b, a)) {
            assert_eq!(forth, back.reverse(), "{} {a:?} {b:?}", scheme.name());
        }
        for prereleases in [Prereleases::Named, Prereleases::All] {
            if let Ok(range) = VersionRange::parse_with(scheme, a, prereleases) {
                let _ = range.contains(b);
            }
        }
    }
});
