//! What rows of scanners that know hosts are about: the host by its best name, products, times and versions as people
//! and clouds write them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::format::Input;
use super::lenient::Text;
use super::reports::Report;
use super::row::{self, reason};
use super::trivy::{asset_name, given_asset, unnamed};
use crate::model::{AssetName, Os, PackageName, PackageVersion, Severity, VulnerabilityId};

/// What a row says of the host it is about.
#[derive(Clone, Debug, Default)]
pub(super) struct Subject<'a> {
    /// Its names, the best one first: host name, FQDN, address, id.
    pub(super) names: Vec<&'a str>,
    /// What it runs.
    pub(super) os: Option<Os>,
    /// `host`, `container_image`, ...
    pub(super) kind: &'a str,
    /// When it was looked at.
    pub(super) seen: Option<Timestamp>,
}

impl Subject<'_> {
    /// The asset: what the user says, else the best name, else nobody. All other names are kept with it.
    pub(super) fn enter(self, input: &Input<'_>, report: &mut Report) -> AssetName {
        /// A host has few names.
        const MAX_NAMES: usize = 32;
        let mut names = self.names.iter().filter_map(|name| asset_name(name.trim()));
        let asset = given_asset(input.given).or_else(|| names.next()).unwrap_or_else(unnamed);
        let known = report.assets.entry(asset.clone()).or_default();
        for name in names {
            if known.names.len() < MAX_NAMES && name != asset {
                known.names.insert(name);
            }
        }
        if known.os.is_none() {
            known.os = self.os;
        }
        if known.kind.is_none() && !self.kind.is_empty() {
            known.kind = Some(self.kind.to_owned());
        }
        known.scanned_at = known.scanned_at.max(self.seen);
        asset
    }
}

/// A time as clouds write it: with or without a zone (then it is UTC), or the day alone.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let utc = |time: DateTime| time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    if text.len() > 64 || text.starts_with("0001-01-01") {
        return None;
    }
    row::time(text)
        .or_else(|| text.parse::<DateTime>().ok().and_then(utc))
        .or_else(|| text.parse::<Date>().ok().and_then(|day| utc(day.at(0, 0, 0, 0))))
}

/// Milliseconds since 1970.
#[expect(clippy::cast_possible_truncation, reason = "the bounds of times are far below")]
pub(super) fn millis(number: Option<f64>) -> Option<Timestamp> {
    number.filter(|ms| (1.0..1e14).contains(ms)).and_then(|ms| Timestamp::from_millisecond(ms as i64).ok())
}

/// The name of a product: free text of a vendor, in which white space and brackets become `_`. One that begins with a
/// dot (`.net`) stands behind its vendor.
pub(super) fn product_name(vendor: &str, text: &Text<'_>) -> Result<PackageName, &'static str> {
    let plain = |text: &str| text.trim().replace([' ', '(', ')', ','], "_");
    match text {
        Text::Is(text) if text.trim().starts_with('.') => {
            PackageName::new(&plain(&format!("{vendor}/{}", text.trim())))
        }
        Text::Is(text) => PackageName::new(&plain(text)),
        Text::Absent => return Err(reason::NO_PACKAGE),
        Text::Wrong => return Err(reason::MALFORMED),
    }
    .map_err(|_| reason::UNSAFE_PACKAGE)
}

/// `KB5034441`, also where only the number is given.
pub(super) fn kb(text: &str) -> Option<PackageVersion> {
    let text = text.trim();
    let digits = text.strip_prefix("KB").or_else(|| text.strip_prefix("kb")).unwrap_or(text);
    let fine = (5..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    fine.then(|| PackageVersion::new(&format!("KB{digits}")).ok()).flatten()
}

/// The first CVE that a text mentions.
pub(super) fn cve_in(text: &str) -> Option<VulnerabilityId> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    text.match_indices("CVE-").find_map(|(start, _)| {
        let rest = text[start + 4..].get(..40).unwrap_or(&text[start + 4..]);
        let year = digits(rest);
        let number = digits(rest.get(year..)?.strip_prefix('-')?);
        let fine = year == 4 && (4..=19).contains(&number);
        fine.then(|| VulnerabilityId::new(&text[start..start + 5 + year + number]).ok()).flatten()
    })
}

/// An advisory with the CVEs that it is about: one CVE alone names the row, several stand behind the advisory.
pub(super) fn named_by(
    advisory: Option<VulnerabilityId>,
    cves: Vec<VulnerabilityId>,
) -> Option<(VulnerabilityId, std::collections::BTreeSet<VulnerabilityId>)> {
    let name = match (&advisory, &cves[..]) {
        (_, [cve]) => cve.clone(),
        (Some(advisory), _) => advisory.clone(),
        (None, [cve, ..]) => cve.clone(),
        (None, []) => return None,
    };
    let others = advisory.into_iter().chain(cves).filter(|id| *id != name).take(row::MAX_ALIASES).collect();
    Some((name, others))
}

/// Severities as vendors call them.
pub(super) fn severity(text: &str) -> Option<Severity> {
    match text.trim() {
        text if text.eq_ignore_ascii_case("important") => Some(Severity::High),
        text if text.eq_ignore_ascii_case("minimal") => Some(Severity::Negligible),
        text => row::severity(text),
    }
}

/// The version of CVSS by its vector, else by what the tool says, else 3.1, which tools give without saying so.
pub(super) fn cvss_version(vector: &str, said: &str) -> &'static str {
    const KNOWN: [&str; 4] = ["2.0", "3.0", "3.1", "4.0"];
    let by_vector = KNOWN.into_iter().find(|v| vector.strip_prefix("CVSS:").is_some_and(|rest| rest.starts_with(v)));
    by_vector.unwrap_or_else(|| match said.trim() {
        "2" | "2.0" | "CVSS_VERSION_2" => "2.0",
        "3.0" => "3.0",
        "4" | "4.0" => "4.0",
        _ if vector.starts_with("AV:") && vector.contains("Au:") => "2.0",
        _ => "3.1",
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    #[test]
    fn times_are_read_as_clouds_write_them() {
        for (text, expected) in [
            ("2024-02-02T16:30:33.045000+01:00", "2024-02-02T15:30:33.045Z"),
            ("2025-12-26 14:21:44.742000+01:00", "2025-12-26T13:21:44.742Z"),
            ("2020-11-03 10:13:34.847688", "2020-11-03T10:13:34.847688Z"),
            ("1980-04-22", "1980-04-22T00:00:00Z"),
            ("2024-10-25T00:00:00+0000", "2024-10-25T00:00:00Z"),
        ] {
            assert_eq!(moment(text).unwrap().to_string(), expected, "{text}");
        }
        for wrong in ["", "yesterday", "0001-01-01T00:00:00Z", "1999-10-sdffew"] {
            assert_eq!(moment(wrong), None, "{wrong}");
        }
        assert_eq!(millis(Some(1_661_752_185_836.0)).unwrap().to_string(), "2022-08-29T05:49:45.836Z");
        for wrong in [None, Some(f64::NAN), Some(-1.0), Some(1e300)] {
            assert_eq!(millis(wrong), None);
        }
    }

    #[test]
    fn cves_are_found_in_texts() {
        let found = |text: &str| cve_in(text).map(|id| id.to_string());
        assert_eq!(found("https://ubuntu.com/security/CVE-2022-27405").as_deref(), Some("CVE-2022-27405"));
        assert_eq!(found("CVE-2022-36 CVE-20-1234 CVE-2022-1234567: x").as_deref(), Some("CVE-2022-1234567"));
        for none in ["", "CVE-", "CVE-2022", "CVE-2022-", "CVE-é", "USN-1-1"] {
            assert_eq!(found(none), None, "{none}");
        }
    }

    #[test]
    fn products_become_names_and_hostile_ones_do_not() {
        let name = |vendor: &str, text: &str| product_name(vendor, &Text::Is(text.into())).map(|n| n.to_string());
        assert_eq!(name("microsoft", ".net_framework").unwrap(), "microsoft/.net_framework");
        assert_eq!(name("mozilla", "Mozilla Firefox (x64 en-US)").unwrap(), "Mozilla_Firefox__x64_en-US_");
        for hostile in ["a; reboot", "$(id)", "`x`", "-rf", "a\nb"] {
            assert_eq!(name("v", hostile), Err(reason::UNSAFE_PACKAGE), "{hostile}");
        }
        assert_eq!(name("$(id)", ".net"), Err(reason::UNSAFE_PACKAGE));
        assert_eq!(kb("5034441").unwrap().as_str(), "KB5034441");
        assert_eq!(kb("KB5034441").unwrap().as_str(), "KB5034441");
        assert_eq!(kb("KB50; id"), None);
    }

    #[test]
    fn one_cve_names_a_row_and_several_stand_behind_their_advisory() {
        let id = |text: &str| VulnerabilityId::new(text).unwrap();
        let named = |advisory: Option<&str>, cves: &[&str]| {
            named_by(advisory.map(id), cves.iter().map(|cve| id(cve)).collect())
                .map(|(name, others)| (name.to_string(), others.len()))
        };
        assert_eq!(named(Some("USN-1-1"), &["CVE-2022-1234"]), Some(("CVE-2022-1234".into(), 1)));
        assert_eq!(named(Some("USN-1-1"), &["CVE-2022-1", "CVE-2022-2"]), Some(("USN-1-1".into(), 2)));
        assert_eq!(named(None, &["CVE-2022-1", "CVE-2022-2"]), Some(("CVE-2022-1".into(), 1)));
        assert_eq!(named(None, &[]), None);
    }
}
