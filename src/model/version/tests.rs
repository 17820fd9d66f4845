//! Every scheme: names, bounds, hostile texts, and that each order is total.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::cmp::Ordering;
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const SCHEMES: [VersionScheme; 10] = [
    VersionScheme::Alpm,
    VersionScheme::Apk,
    VersionScheme::Deb,
    VersionScheme::Maven,
    VersionScheme::Nuget,
    VersionScheme::Packagist,
    VersionScheme::Pep440,
    VersionScheme::Rpm,
    VersionScheme::Rubygems,
    VersionScheme::Semver,
];

#[test]
fn names_are_sorted_and_reach_every_scheme() {
    assert!(VersionScheme::ALL.is_sorted());
    let named: BTreeSet<_> = VersionScheme::ALL.iter().map(|(_, scheme)| *scheme).collect();
    assert_eq!(named, BTreeSet::from(SCHEMES));
    for scheme in SCHEMES {
        assert_eq!(VersionScheme::from_name(scheme.name()), Some(scheme));
        assert_eq!(serde_json::to_value(scheme).unwrap(), scheme.name());
    }
    assert_eq!(VersionScheme::from_name("bitnami"), None);
}

/// Each line in its scheme's order, which is also that of every pair in it.
#[test]
fn orders_as_the_ecosystems_do() {
    use VersionScheme::*;
    for (scheme, line) in [
        (Alpm, "1.0a 1.0b 1.0beta 1.0p 1.0pre 1.0rc 1.0 1.0.a 1.0.1 1.1-1 1.1-2 1:0.1-1"),
        (Apk, "1.0_alpha2 1.0_rc1 1.0 1.0-r1 1.0-r10 1.0_git20240101 1.0_p1 1.0a 1.0.01 1.0.1 1.9 1.10"),
        (Maven, "1-alpha-1 1-beta 1-m2 1-rc1 1-snapshot 1 1-sp 1-jre 1-1 1.0.1 1.9 1.10"),
        (Nuget, "1.0.0-alpha 1.0.0-BETA.2 1.0.0-beta.10 1.0 1.0.0.1 1.9 1.10"),
        (Packagist, "dev-master 1.0-dev 1.0-alpha1 1.0-b2 1.0RC1 1.0 1.0-pl1 1.0.0.1 1.0.5 1.0.x-dev 1.1 1.10"),
        (Pep440, "1.0.dev1 1.0a1.dev1 1.0a1 1.0b2 1.0rc1 1.0 1.0+abc 1.0+1 1.0-1 1.0.post2 1.1 1!0.1"),
        (Rpm, "1.0~rc1 1.0 1.0^git1 1.0a 1.0.1-1 1.0.1-2.el9 1.0.1-10.el9 1.10 1:0.1"),
        (Rubygems, "1.0.a.2 1.0.b1 1.0-1 1.0.rc1 1.0 1.0.1 1.9 1.10"),
        (Semver, "1.0.0-1 1.0.0-alpha v1.0.0-alpha.1 1.0.0-beta.2 1.0.0-beta.11 1.0.0 1.0.1 v1.9 1.10.0"),
    ] {
        let versions: Vec<&str> = line.split(' ').collect();
        for (i, a) in versions.iter().enumerate() {
            for (j, b) in versions.iter().enumerate() {
                assert_eq!(scheme.compare(a, b), Ok(i.cmp(&j)), "{} {a} {b}", scheme.name());
            }
        }
    }
}

#[test]
fn what_says_the_same_is_equal() {
    use VersionScheme::*;
    for (scheme, a, b) in [
        (Maven, "1.0.0-GA", "1"),
        (Nuget, "1.0", "1.0.0.0+build"),
        (Packagist, "v1.0", "1.0.0.0-stable+build"),
        (Pep440, "1.0-ALPHA_1", "1a1"),
        (Pep440, "v1.0.post", "1-0"),
        (Rpm, "0:1.0-1", "1_0-1"),
        (Rubygems, "1.0.a.0", "1.a"),
        (Semver, "v1.2.0+incompatible", "1.2"),
    ] {
        assert_eq!(scheme.compare(a, b), Ok(Ordering::Equal), "{} {a} {b}", scheme.name());
    }
}

#[test]
fn texts_that_are_no_versions_are_refused() {
    use VersionScheme::*;
    for (scheme, text) in [
        (Alpm, "1 2"),
        (Apk, "1 2"),
        (Maven, "1 2"),
        (Nuget, "1.x"),
        (Packagist, "1.0 2"),
        (Packagist, "+1"),
        (Pep440, "2004d"),
        (Pep440, "1.0+"),
        (Pep440, "1!!2"),
        (Rpm, "1.0 2"),
        (Rubygems, "1..2"),
        (Rubygems, "v1"),
        (Semver, "1.2-"),
        (Semver, "1.2.3-a..b"),
        (Semver, "latest"),
    ] {
        let error = scheme.validate(text).unwrap_err();
        assert_eq!(error.scheme, scheme.name(), "{text}");
        assert!(scheme.compare(text, "1").is_err(), "{text}");
    }
    for ordered in ["a1", "1.0bc", "1-r-1"] {
        assert!(VersionScheme::Apk.compare(ordered, "1.0").is_ok(), "{ordered}");
        assert_eq!(VersionScheme::Apk.validate(ordered).unwrap_err().scheme, "apk", "{ordered}");
    }
    assert!(VersionScheme::Semver.validate("01.2.3").unwrap().is_some());
    assert!(VersionScheme::Semver.validate("1.2.3.4").unwrap().is_some());
    assert_eq!(VersionScheme::Nuget.validate("1.2.3.4"), Ok(None));
}

#[test]
fn every_scheme_is_bounded() {
    for scheme in SCHEMES {
        assert!(scheme.validate("").is_err(), "{}", scheme.name());
        let longest = format!("1{}", "-a.1".repeat(63));
        let longer = format!("{longest}-a.1");
        let _ = scheme.compare(&longest, &longest);
        let error = scheme.compare(&longer, "1").unwrap_err();
        assert_eq!(error.rule, "it is longer than 256 bytes");
        assert!(VersionRange::parse(scheme, &">1,".repeat(200)).unwrap_err().to_string().contains("512"));
    }
}

#[test]
fn ranges_of_other_schemes_are_comparisons() {
    let contains = |scheme, range, version| VersionRange::parse(scheme, range).unwrap().contains(version).unwrap();
    for (version, expected) in [("1.9-1", false), ("2.0~rc1", true), ("2.3-1", true), ("2.4", false), ("3.1", true)] {
        assert_eq!(contains(VersionScheme::Deb, ">= 2.0~, <2.4 || = 3.1", version), expected, "{version}");
    }
    assert!(!contains(VersionScheme::Rpm, "!= 1:1.0-1", "1:1.0-1"));
    assert!(contains(VersionScheme::Apk, "~1.2 <1.2.4", "1.2.3-r4"));
    assert!(!contains(VersionScheme::Apk, "~1.2 <1.2.4", "1.3"));
    for bad in ["", " , ", "<", "< 1 <", ">= 1.0-", "1 || "] {
        let error = VersionRange::parse(VersionScheme::Deb, bad).unwrap_err();
        assert_eq!(error.scheme, "deb", "{bad}");
    }
    assert!(VersionRange::parse(VersionScheme::Deb, "<1").unwrap().contains("").is_err());
}

#[test]
fn ranges_with_mistakes_are_refused() {
    for bad in [">", "1.2.3.4", "1..2", ">=1.2.3-", "a.b", "^99999999999999999", "1 - 2 - "] {
        assert!(VersionRange::parse(VersionScheme::Semver, bad).is_err(), "{bad}");
    }
    for bad in ["1.0", "=1.0", ">=1.0.*", "~=1", ">1.0+a", "==1.0a1.*", "===", "==1.0.*.*", "> =1"] {
        assert!(VersionRange::parse(VersionScheme::Pep440, bad).is_err(), "{bad}");
    }
    let range = VersionRange::parse(VersionScheme::Semver, "*").unwrap();
    assert!(range.contains("1.2").is_err());
    assert!(VersionRange::parse(VersionScheme::Pep440, "").unwrap().contains("1.0").unwrap());
}

/// Close relatives of each scheme, so that equal parts are met often.
fn versions(scheme: VersionScheme) -> impl Strategy<Value = String> {
    let pattern = match scheme {
        VersionScheme::Alpm => "([01]:)?[0-2a]([.+]{0,2}[0-2ab]{1,2}){0,3}(-[12])?",
        VersionScheme::Apk => "[0-2]{0,2}(\\.0?[0-2]?){0,2}[ab]?[c]?(_(alpha|rc|p|git|foo)[0-2]?){0,2}(-r?[0-2]?){0,2}",
        VersionScheme::Deb => "([0-2]:)?[0-2][0-2ab.+~:]{0,5}(-[01a~.+]{1,4})?",
        VersionScheme::Maven => "[01.-]{0,2}[0-2]([.-]?([01]|a|rc|ga|sp|x|snapshot)){0,4}",
        VersionScheme::Nuget | VersionScheme::Semver => "v?[0-2](\\.[0-2]){0,3}(-[01aB]{1,2}(\\.[01ab]){0,2})?(\\+a)?",
        VersionScheme::Packagist => "(v|dev-)?[0-2]([._-]?([0-2]|dev|a|b|rc|p|x|#|foo|stable)){0,4}",
        VersionScheme::Pep440 => {
            "([01]!)?[0-2](\\.[0-2]){0,2}((a|b|rc)[01])?(\\.post[01])?(\\.dev[01])?(\\+[01a](\\.[01b])?)?"
        }
        VersionScheme::Rpm => "([01]:)?[0-2a]([.~^_é]{0,2}[0-2ab]{1,2}){0,3}[~^]?(-[12])?",
        VersionScheme::Rubygems => "[0-2]([.-]?[0-2a]|\\.b){0,4}",
    };
    proptest::string::string_regex(pattern)
        .unwrap()
        .prop_filter("it is a version", move |version| scheme.compare(version, version).is_ok())
}

/// Two versions, every start of them, and every start with one thing more: where orders break, they break among these.
fn relatives(scheme: VersionScheme) -> impl Strategy<Value = Vec<String>> {
    const MORE: [&str; 12] = ["", "0", "1", "a", "-1", "-2", ".0", ".1", "~1", "^1", "_p1", "-rc"];
    let starts = |version: String| -> Vec<String> {
        (1..=version.len()).filter_map(|end| version.get(..end).map(str::to_owned)).collect()
    };
    (versions(scheme), versions(scheme)).prop_map(move |(a, b)| {
        let starts: BTreeSet<String> = [a, b].into_iter().flat_map(starts).collect();
        let all = starts.iter().flat_map(|start| MORE.map(|more| format!("{start}{more}")));
        all.filter(|version| scheme.compare(version, version).is_ok()).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// An order is total exactly where it is that of the count of lesser ones.
    #[test]
    fn every_order_is_total(
        (scheme, versions) in proptest::sample::select(SCHEMES.to_vec()).prop_flat_map(|s| (Just(s), relatives(s)))
    ) {
        let order = |a: &String| versions.iter().map(|b| scheme.compare(a, b).unwrap()).collect::<Vec<_>>();
        let orders: Vec<_> = versions.iter().map(order).collect();
        let ranks: Vec<_> = orders.iter().map(|row| row.iter().filter(|order| order.is_gt()).count()).collect();
        for (i, row) in orders.iter().enumerate() {
            for (j, order) in row.iter().enumerate() {
                let expected = ranks[i].cmp(&ranks[j]);
                prop_assert_eq!(*order, expected, "{}: {} {}", scheme.name(), versions[i], versions[j]);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_ordered_or_refused(a in any::<String>(), b in "[-0-9a-cvx.~^+_:!#é]{0,12}") {
        for scheme in SCHEMES {
            let _ = scheme.compare(&a, &b);
            let _ = scheme.compare(&b, &b);
            let _ = scheme.validate(&b);
        }
    }

    #[test]
    fn any_range_is_read_or_refused(a in any::<String>(), b in "[-0-9ax.~^+=<>| ,*!é]{0,16}", version in "[0-9a.-]{1,6}") {
        for scheme in SCHEMES {
            for text in [&a, &b] {
                for prereleases in [Prereleases::Named, Prereleases::All] {
                    if let Ok(range) = VersionRange::parse_with(scheme, text, prereleases) {
                        let _ = range.contains(&version);
                        let _ = range.contains(&a);
                    }
                }
            }
        }
    }
}
