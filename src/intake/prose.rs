//! What scanners say in prose: ids in a text, dates of every fashion, operating systems, products, scores.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};

use super::row;
use crate::model::{Cvss, Os, PackageName, PackageVersion, Severity, VulnerabilityId, printable};

/// A plugin for a kernel names hundreds of CVEs, and a policy may ask for any of them.
const MAX_IDS: usize = 1024;

/// The CVE ids in a text, in their order, each once.
pub(super) fn cves(text: &str) -> Vec<VulnerabilityId> {
    marked(text, "CVE-", |rest| {
        let year = digits(rest);
        let number = rest.get(year + 1..).map_or(0, digits);
        (year == 4 && rest.as_bytes().get(4) == Some(&b'-') && (4..=12).contains(&number)).then_some(year + 1 + number)
    })
}

/// The ids of Microsoft's knowledge base in a text: `KB5003197`.
pub(super) fn kbs(text: &str) -> Vec<VulnerabilityId> {
    marked(text, "KB", |rest| Some(digits(rest)).filter(|n| (6..=8).contains(n)))
}

/// Ids that begin with a mark which is no part of a longer word; `length` says how much behind it belongs to it.
fn marked(text: &str, mark: &str, length: impl Fn(&str) -> Option<usize>) -> Vec<VulnerabilityId> {
    let mut found: Vec<VulnerabilityId> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut from = 0;
    let bytes = text.as_bytes();
    while from + mark.len() <= bytes.len() && found.len() < MAX_IDS {
        let here = bytes[from..from + mark.len()].eq_ignore_ascii_case(mark.as_bytes());
        let begins = from == 0 || !bytes[from - 1].is_ascii_alphanumeric();
        if here && begins {
            let behind = from + mark.len();
            if let Some(length) = length(&text[behind..]) {
                let id = VulnerabilityId::new(&format!("{mark}{}", &text[behind..behind + length]));
                found.extend(id.ok().filter(|id| seen.insert(id.clone())));
                from = behind + length;
                continue;
            }
        }
        from += 1;
    }
    found
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// The advisories of distributions and vendors in a text: `RHSA-2024:1234`, `USN-5897-1`, `DSA-5417-1`.
pub(super) fn advisories(text: &str) -> Vec<VulnerabilityId> {
    const MARKS: [&str; 22] = [
        "RHSA-",
        "RHBA-",
        "RHEA-",
        "CESA-",
        "ALSA-",
        "RLSA-",
        "ELSA-",
        "USN-",
        "DSA-",
        "DLA-",
        "GLSA-",
        "ALAS-",
        "ALAS2-",
        "ALAS2023-",
        "FEDORA-",
        "SUSE-SU-",
        "openSUSE-SU-",
        "VMSA-",
        "GHSA-",
        "MS",
        "ASA-",
        "SSA-",
    ];
    let words =
        text.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | ',' | ';' | '"' | '\'' | '/'));
    let words = words.map(|word| word.trim_matches(['.', ':']));
    let known = |word: &&str| {
        let mark = MARKS.iter().find(|mark| word.starts_with(**mark));
        mark.is_some_and(|mark| {
            let rest = &word[mark.len()..];
            // Microsoft's bulletins: `MS17-010`.
            let is_bulletin =
                || rest.len() == 6 && digits(rest) == 2 && rest.as_bytes()[2] == b'-' && digits(&rest[3..]) == 3;
            if *mark == "MS" { is_bulletin() } else { rest.bytes().any(|b| b.is_ascii_digit()) }
        })
    };
    let mut found: Vec<VulnerabilityId> = Vec::new();
    for id in words.filter(known).filter_map(|word| VulnerabilityId::new(word).ok()) {
        if found.len() < MAX_IDS && !found.contains(&id) {
            found.push(id);
        }
    }
    found
}

/// The id that names a row and its other ids: the first CVE, else the tool's own.
pub(super) fn named(cves: Vec<VulnerabilityId>, own: VulnerabilityId) -> (VulnerabilityId, BTreeSet<VulnerabilityId>) {
    let mut ids = cves.into_iter().chain([own]);
    #[expect(clippy::unwrap_used, reason = "the tool's own id is always there")]
    let first = ids.next().unwrap();
    let others = ids.filter(|id| *id != first).collect();
    (first, others)
}

/// A severity by any of its names; an informational row has the least there is.
pub(super) fn severity(text: &str) -> Option<Severity> {
    row::severity(text).or(match text.to_ascii_lowercase().as_str() {
        "important" | "serious" | "severe" => Some(Severity::High),
        "urgent" => Some(Severity::Critical),
        "minor" => Some(Severity::Low),
        "info" | "informational" | "information" | "unimportant" => Some(Severity::Negligible),
        _ => None,
    })
}

/// A date and time as people and programs write it. Times without a zone are taken for UTC.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > 64 {
        return None;
    }
    if let Some(time) = row::time(text) {
        return Some(time);
    }
    if text.len() >= 9 && text.bytes().all(|b| b.is_ascii_digit()) {
        let number = text.parse::<i64>().ok()?;
        return if text.len() >= 12 { Timestamp::from_millisecond(number) } else { Timestamp::from_second(number) }
            .ok();
    }
    // `20210211T163822649`
    if let Some((date, time)) = text.split_once('T')
        && date.len() == 8
        && time.len() >= 6
        && let (Ok(date), Some(time)) = (date.parse::<u32>(), time.get(..6).and_then(|time| time.parse::<u32>().ok()))
    {
        let part = |number: u32, divisor: u32, modulo: u32| i8::try_from(number / divisor % modulo).ok();
        let date = Date::new(i16::try_from(date / 10_000).ok()?, part(date, 100, 100)?, part(date, 1, 100)?).ok()?;
        let time = Time::new(part(time, 10_000, 100)?, part(time, 100, 100)?, part(time, 1, 100)?, 0).ok()?;
        return at(date, time);
    }
    let mut date = None;
    let mut clock = Time::midnight();
    let mut month = None;
    let mut numbers = Vec::new();
    for word in text.split([' ', ',', 'T']).filter(|word| !word.is_empty()) {
        if word.contains(':') && !word.starts_with(['+', '-']) {
            clock = time_of_day(word)?;
        } else if word.eq_ignore_ascii_case("pm") && clock.hour() < 12 {
            clock = clock.checked_add(jiff::Span::new().hours(12)).ok()?;
        } else if word.eq_ignore_ascii_case("am") && clock.hour() == 12 {
            clock = clock.checked_sub(jiff::Span::new().hours(12)).ok()?;
        } else if let Some(named) = month_of(word) {
            month = Some(named);
        } else if date.is_none() && word.contains(['/', '-', '.']) && word.starts_with(|c: char| c.is_ascii_digit()) {
            date = Some(date_of(word)?);
        } else if let Ok(number) = word.parse::<i16>()
            && !word.starts_with(['+', '-'])
        {
            numbers.push(number);
        }
    }
    let date = match (date, month, numbers[..].iter().partition::<Vec<i16>, _>(|&&number| number > 31)) {
        (Some(date), _, _) => date,
        (None, Some(month), (years, days)) => {
            Date::new(*years.first()?, month, i8::try_from(*days.first()?).ok()?).ok()?
        }
        _ => return None,
    };
    at(date, clock)
}

fn at(date: Date, time: Time) -> Option<Timestamp> {
    Some(DateTime::from_parts(date, time).to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

/// `10:48:42`, `07:00AM`, `11:08`.
fn time_of_day(word: &str) -> Option<Time> {
    let lower = word.to_ascii_lowercase();
    let shown = lower.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shown = shown.split('.').next()?;
    let shown = shown.split('+').next()?;
    let mut parts = shown.split(':').map(|part| part.parse::<i8>().ok());
    let mut hour = parts.next()??;
    if lower.ends_with("pm") && hour < 12 {
        hour += 12;
    } else if lower.ends_with("am") && hour == 12 {
        hour = 0;
    }
    Time::new(hour, parts.next()??, parts.next().flatten().unwrap_or(0), 0).ok()
}

fn month_of(word: &str) -> Option<i8> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let start = word.get(..3)?.to_ascii_lowercase();
    if !word.bytes().all(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    MONTHS.iter().position(|month| *month == start).and_then(|index| i8::try_from(index + 1).ok())
}

/// `2021-12-31`, `2013/07/01`, `23/11/2009`, `05/25/2021`, `24.12.2020`. Where day and month can be exchanged, slashes
/// are read as in the United States, where most of these tools come from.
fn date_of(word: &str) -> Option<Date> {
    let parts: Vec<i16> = word.split(['/', '-', '.']).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [a, b, c] = parts[..] else { return None };
    let (year, month, day) = match () {
        () if a > 31 => (a, b, c),
        () if a > 12 || word.contains('.') => (c, b, a),
        () => (c, a, b),
    };
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// The operating system that a text names; the last distribution in it, because the kernel stands in front.
pub(super) fn os(text: &str) -> Option<Os> {
    /// Word in lower case, family, name.
    const SYSTEMS: [(&str, &str, &str); 31] = [
        ("windows", "windows", "windows"),
        ("ubuntu", "debian", "ubuntu"),
        ("debian", "debian", "debian"),
        ("kali", "debian", "kali"),
        ("raspbian", "debian", "raspbian"),
        ("linux mint", "debian", "linuxmint"),
        ("red hat enterprise linux", "redhat", "rhel"),
        ("redhat", "redhat", "rhel"),
        ("red hat", "redhat", "rhel"),
        ("rhel", "redhat", "rhel"),
        ("centos", "redhat", "centos"),
        ("almalinux", "redhat", "almalinux"),
        ("alma linux", "redhat", "almalinux"),
        ("rocky", "redhat", "rocky"),
        ("oracle linux", "redhat", "ol"),
        ("oraclelinux", "redhat", "ol"),
        ("amazon linux", "redhat", "amzn"),
        ("amazon", "redhat", "amzn"),
        ("amzn", "redhat", "amzn"),
        ("fedora", "redhat", "fedora"),
        ("photon", "redhat", "photon"),
        ("euleros", "redhat", "euleros"),
        ("openeuler", "redhat", "openeuler"),
        ("opensuse", "suse", "opensuse"),
        ("suse", "suse", "sles"),
        ("sles", "suse", "sles"),
        ("alpine", "alpine", "alpine"),
        ("arch linux", "arch", "arch"),
        ("gentoo", "gentoo", "gentoo"),
        ("slackware", "slackware", "slackware"),
        ("freebsd", "freebsd", "freebsd"),
    ];
    let lower: String = text.chars().take(500).collect::<String>().to_lowercase();
    let mut best: Option<(usize, usize, &str, &str)> = None;
    for (word, family, name) in SYSTEMS {
        // Of two names at one place the longer one says more.
        if let Some(index) = lower.rfind(word)
            && best.is_none_or(|(at, length, ..)| (index + word.len(), word.len()) > (at + length, length))
        {
            best = Some((index, word.len(), family, name));
        }
    }
    let (index, length, family, name) = best?;
    let rest = &lower[index + length..];
    let version = if family == "windows" {
        let rest = rest.split(" - ").next().unwrap_or_default().trim();
        Some(rest).filter(|rest| !rest.is_empty()).map(|rest| printable(rest, 64))
    } else {
        // A version stands next to its name, with nothing but such words between them.
        const FILLERS: [&str; 14] = [
            "linux",
            "gnu",
            "release",
            "version",
            "server",
            "enterprise",
            "desktop",
            "workstation",
            "stream",
            "leap",
            "core",
            "ami",
            "os",
            "v",
        ];
        let words = rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).filter(|word| !word.is_empty());
        let version = words
            .take(8)
            .find(|word| !FILLERS.contains(word))
            .filter(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        version.map(|version| printable(version.trim_end_matches('.'), 64))
    };
    Some(Os { family: family.to_owned(), name: name.to_owned(), version })
}

/// The ecosystem of an operating system's own packages.
pub(super) fn ecosystem(os: Option<&Os>) -> &'static str {
    match os.map(|os| os.family.as_str()) {
        Some("debian") => "deb",
        Some("redhat" | "suse") => "rpm",
        Some("alpine") => "apk",
        Some("arch") => "alpm",
        _ => "unknown",
    }
}

/// Vendor, product and version of the application that a CPE names: `cpe:/a:php:php:5.6`, `cpe:2.3:a:php:php:5.6:*`.
pub(super) fn application(cpe: &str) -> Option<(PackageName, Option<PackageVersion>)> {
    let rest = cpe.trim().strip_prefix("cpe:/a:").or_else(|| cpe.trim().strip_prefix("cpe:2.3:a:"))?;
    let mut parts = rest.split([':', ' ']);
    let (_, product) = (parts.next()?, parts.next()?);
    let version = parts.next().filter(|version| !version.is_empty() && *version != "*");
    Some((PackageName::new(product).ok()?, version.and_then(|version| PackageVersion::new(version).ok())))
}

/// Whether a text is about a content management system or what is plugged into one.
pub(super) fn is_web_cms(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    words.clone().any(|word| matches!(word, "wordpress" | "drupal" | "joomla" | "typo3"))
}

/// A score as one source gave it, by the vector's own generation where it names one.
pub(super) fn cvss(source: &str, generation: &str, score: &str, vector: &str) -> Option<Cvss> {
    let vector = vector.trim().trim_start_matches("CVSS2#").trim_matches(['(', ')', '/']);
    let version = match vector.get(..8).unwrap_or_default() {
        "CVSS:3.0" | "cvss:3.0" => "3.0",
        "CVSS:3.1" | "cvss:3.1" => "3.1",
        "CVSS:4.0" | "cvss:4.0" => "4.0",
        _ if vector.contains("Au:") || vector.contains("au:") => "2.0",
        _ => generation,
    };
    // A zero without a vector is written where nothing is known.
    let number: f64 = score.trim().parse().ok().filter(|number| *number > 0.0 || !vector.is_empty())?;
    let bare = !vector.is_empty() && !vector.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("CVSS:"));
    let vector = vector.to_ascii_uppercase().replace("AU:", "Au:");
    let vector = if bare && version != "2.0" { format!("CVSS:{version}/{vector}") } else { vector };
    row::cvss(source, version, number, &vector)
}

/// `8.1 (AV:N/AC:H/...)`: a score with its vector behind it.
pub(super) fn score_and_vector(text: &str) -> (&str, &str) {
    text.trim()
        .split_once(' ')
        .map_or((text.trim(), ""), |(score, vector)| (score, vector.trim().trim_matches(['(', ')'])))
}

/// Versions of a list in prose: `5.3.12 / 5.4.2`, `1.16.5, 1.15.13`; what is no version is no fix.
pub(super) fn versions(text: &str) -> Vec<PackageVersion> {
    let mut found: Vec<PackageVersion> = Vec::new();
    for item in text.split([',', '/', ';', '|']).flat_map(|item| item.split(" or ")) {
        let item = item.trim().trim_end_matches("and later").trim_end_matches("later").trim_end_matches('+').trim();
        let item = item.split(" (").next().unwrap_or_default().trim_start_matches(['>', '=']).trim();
        if let Ok(version) = PackageVersion::new(item)
            && item.contains(|c: char| c.is_ascii_digit())
            && found.len() < 32
            && !found.contains(&version)
        {
            found.push(version);
        }
    }
    found
}

/// The URLs in a text with other words around them.
pub(super) fn urls(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')' | '<' | '>' | '"' | '\'' | '|'));
    words.filter(|word| word.starts_with("http://") || word.starts_with("https://"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;
    use proptest::prelude::*;

    fn shown<T: ToString>(items: &[T]) -> Vec<String> {
        items.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn ids_are_found_in_texts() {
        let text =
            "(cve-2021-44228), CVE-2021-44228; CVE-2021-12 XCVE-2020-1111 CVE-2020-123456é KB5003197 KB12 éKB500319";
        assert_eq!(shown(&cves(text)), ["CVE-2021-44228", "CVE-2020-123456"]);
        assert_eq!(shown(&kbs(text)), ["KB5003197", "KB500319"]);
        let text =
            "CentOS 7 : glibc (CESA-2020:3861), RHSA-2006:0117: vixie-cron (USN-5897-1) [MS17-010] MSOffice DSA-x";
        assert_eq!(shown(&advisories(text)), ["CESA-2020:3861", "RHSA-2006:0117", "USN-5897-1", "MS17-010"]);
        assert_eq!(cves(&"CVE-2020-1000 ".repeat(100_000)).len(), 1);
    }

    #[test]
    fn dates_of_every_fashion_are_read() {
        for (text, expected) in [
            ("2021-12-31 00:00:00.000", "2021-12-31T00:00:00Z"),
            ("2021-12-31", "2021-12-31T00:00:00Z"),
            ("2013/07/01", "2013-07-01T00:00:00Z"),
            ("05/13/2021 07:08:28", "2021-05-13T07:08:28Z"),
            ("23/11/2009", "2009-11-23T00:00:00Z"),
            ("24.12.2020", "2020-12-24T00:00:00Z"),
            ("Feb 9, 2024 10:48:42 UTC", "2024-02-09T10:48:42Z"),
            ("Feb 03, 2026 07:00 AM", "2026-02-03T07:00:00Z"),
            ("Dec 01, 2022 12:30 PM", "2022-12-01T12:30:00Z"),
            ("04 Feb 2026 10:00PM GMT-0500", "2026-02-04T22:00:00Z"),
            ("Mon Jul  1 11:40:48 2013", "2013-07-01T11:40:48Z"),
            ("2024-02-22 15:54:17.939 +0000 UTC", "2024-02-22T15:54:17Z"),
            ("2019-03-04T07:43:35", "2019-03-04T07:43:35Z"),
            ("20210211T163822649", "2021-02-11T16:38:22Z"),
            ("1648044472", "2022-03-23T14:07:52Z"),
        ] {
            assert_eq!(time(text).map(|time| time.to_string()).as_deref(), Some(expected), "{text}");
        }
        for text in
            ["", "N/A", "yesterday", "99/99/9999", "25:00:00", "Feb", "999999999999999999", "2021-13-45 10:00:00"]
        {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn operating_systems_are_recognised() {
        for (text, expected) in [
            ("Ubuntu 18.04.6 LTS (Bionic Beaver)", "debian ubuntu 18.04.6"),
            (
                "Linux Kernel 4.18.0-348.12.2.el8_5.x86_64 on AlmaLinux release 8.8 (Sapphire Caracal)",
                "redhat almalinux 8.8",
            ),
            ("CentOS Linux 7 (Core)", "redhat centos 7"),
            ("Red Hat Enterprise Linux 8.2 (Ootpa)", "redhat rhel 8.2"),
            ("redhat-RHEL7", "redhat rhel 7"),
            ("Microsoft Windows Server 2008 R2 Standard", "windows windows server 2008 r2 standard"),
            ("debian 12.9", "debian debian 12.9"),
            ("Amazon Linux 2", "redhat amzn 2"),
            ("Red Hat Enterprise Linux Server release 7.9", "redhat rhel 7.9"),
            ("SUSE Linux Enterprise Server 15 SP4", "suse sles 15"),
            ("Debian GNU/Linux 11", "debian debian 11"),
            ("Ubuntu / Tiny Core Linux / Linux 2.6.x", "debian ubuntu "),
        ] {
            let os = os(text).unwrap();
            assert_eq!(format!("{} {} {}", os.family, os.name, os.version.unwrap_or_default()), expected, "{text}");
        }
        assert_eq!(os("Cisco IOS 12"), None);
    }

    #[test]
    fn scores_have_their_generation() {
        let shown =
            |cvss: Option<Cvss>| cvss.map(|c| format!("{} {} {}", c.version, c.score, c.vector.unwrap_or_default()));
        let vector = "CVSS2#AV:N/AC:H/Au:N/C:P/I:N/A:N";
        assert_eq!(shown(cvss("s", "3.0", "2.6", vector)).unwrap(), "2.0 2.6 AV:N/AC:H/Au:N/C:P/I:N/A:N");
        assert_eq!(shown(cvss("s", "3.1", "9.8", "cvss:3.0/av:n")).unwrap(), "3.0 9.8 CVSS:3.0/AV:N");
        assert_eq!(shown(cvss("s", "3.1", "9.8", "AV:N/PR:N")).unwrap(), "3.1 9.8 CVSS:3.1/AV:N/PR:N");
        assert_eq!(
            shown(cvss("s", "2.0", "0.0", "AV:L/AC:L/Au:N/C:N/I:N/A:N")).unwrap(),
            "2.0 0.0 AV:L/AC:L/Au:N/C:N/I:N/A:N"
        );
        assert_eq!(
            (cvss("s", "2.0", "75", ""), cvss("s", "2.0", "x", ""), cvss("s", "2.0", "0.0", "")),
            (None, None, None)
        );
    }

    #[test]
    fn versions_and_products_are_taken_apart() {
        assert_eq!(shown(&versions("5.3.12 / 5.4.2 or later")), ["5.3.12", "5.4.2"]);
        assert_eq!(shown(&versions("Upgrade; $(id), 1.2 (build 3)")), ["1.2"]);
        let (name, version) = application("cpe:/a:php:php:5.1.6 -> PHP PHP").unwrap();
        assert_eq!((name.as_str(), version.unwrap().as_str()), ("php", "5.1.6"));
        assert!(application("cpe:/o:linux:linux_kernel").is_none());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text in ".{0,80}") {
            let _ = (cves(&text), kbs(&text), advisories(&text), time(&text), os(&text), application(&text));
            let _ = (cvss(&text, "3.1", "5", &text), versions(&text), is_web_cms(&text), score_and_vector(&text));
        }

        #[test]
        fn anything_like_a_date_is_read_without_harm(
            text in "[0-9]{0,4}[-/. T:]?[A-Za-z]{0,4}[-/. ,]?[0-9]{0,4}[-/. T:][0-9]{0,20}(:[0-9]{1,3}){0,3}( ?[APap][Mm])?",
        ) {
            let _ = time(&text);
        }
    }
}
