//! What a report calls a host: the best of its names, and all the others.

use std::net::IpAddr;

use super::format::Input;
use super::prose;
use super::reports::{Asset, Report};
use super::trivy::{given_asset, unnamed};
use crate::model::{AssetName, Os, printable};

/// A host has no more names.
const MAX_NAMES: usize = 64;

/// The names of a host and what else is known of it, as a parser collects them.
#[derive(Clone, Debug, Default)]
pub(super) struct Identity {
    /// The best one first.
    names: Vec<AssetName>,
    /// What the report says about it.
    pub(super) about: Asset,
}

impl Identity {
    /// One more name, or several between commas and spaces. What says nothing and what names every host is none.
    pub(super) fn call(&mut self, text: &str) {
        for name in text.split([',', ' ', '\n', '\t']).map(|name| name.trim().trim_end_matches('.')) {
            // Of a URL the host.
            let name =
                name.split_once("://").map_or(name, |(_, rest)| rest.split(['/', '?', ':']).next().unwrap_or_default());
            let is_own = matches!(name.parse::<IpAddr>(), Ok(ip) if ip.is_loopback() || ip.is_unspecified());
            let is_nothing = ["", "-", "n/a", "none", "unknown", "null"].iter().any(|n| name.eq_ignore_ascii_case(n));
            if is_own || is_nothing || self.names.len() >= MAX_NAMES {
                continue;
            }
            if let Ok(name) = AssetName::new(name)
                && !self.names.contains(&name)
            {
                self.names.push(name);
            }
        }
    }

    /// The names so far.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AssetName::as_str)
    }

    /// What it runs, in prose.
    pub(super) fn runs(&mut self, text: &str) {
        if self.about.os.is_none() {
            self.about.os = prose::os(text);
        }
    }

    /// What it runs.
    pub(super) fn os(&self) -> Option<&Os> {
        self.about.os.as_ref()
    }

    /// Puts the host into the report where it has a name: one without any finding.
    pub(super) fn settle_unless_unnamed(&mut self, input: &Input<'_>, report: &mut Report) {
        if !self.names.is_empty() {
            std::mem::take(self).settle(input, report);
        }
    }

    /// Puts a thing that is no host into the report, under its one name.
    pub(super) fn settle_as(mut self, name: Option<AssetName>, input: &Input<'_>, report: &mut Report) -> AssetName {
        let name = given_asset(input.given).or(name).unwrap_or_else(unnamed);
        self.names.clear();
        self.put(name, report)
    }

    /// Puts the host into the report, under the name that the user gives or else its best one.
    pub(super) fn settle(self, input: &Input<'_>, report: &mut Report) -> AssetName {
        let best = || self.names.iter().find(|name| name.as_str().parse::<IpAddr>().is_err() && !is_id(name.as_str()));
        let name =
            given_asset(input.given).or_else(|| best().or_else(|| self.names.first()).cloned()).unwrap_or_else(unnamed);
        self.put(name, report)
    }

    fn put(self, name: AssetName, report: &mut Report) -> AssetName {
        let asset = report.assets.entry(name.clone()).or_default();
        asset.names.extend(self.names.iter().filter_map(|name| short_name(name.as_str())));
        asset.names.extend(self.names);
        asset.names.remove(&name);
        let Asset { os, kind, scanned_at, .. } = self.about;
        asset.os = asset.os.take().or(os);
        asset.kind = asset.kind.take().or(kind);
        asset.scanned_at = asset.scanned_at.max(scanned_at);
        name
    }
}

/// The first part of an FQDN.
fn short_name(name: &str) -> Option<AssetName> {
    let (short, rest) = name.split_once('.')?;
    let fine = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    let named = short.bytes().any(|b| b.is_ascii_alphabetic());
    (named && fine(short) && fine(rest)).then(|| AssetName::new(short).ok()).flatten()
}

/// Whether a name is the id that a scanner or a cloud gave: `i-0123456789abcdef0`, a UUID, a number.
fn is_id(name: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    name.bytes().all(|b| b.is_ascii_digit())
        || (name.len() >= 32 && is_hex(name))
        || name.strip_prefix("i-").is_some_and(|rest| rest.len() >= 8 && is_hex(rest))
}

/// Free text as the only name of an asset: an image, a workload.
pub(super) fn thing(text: &str) -> Option<AssetName> {
    let text = text.trim();
    (!text.is_empty()).then(|| AssetName::new(text).or_else(|_| AssetName::new(&printable(text, 200))).ok()).flatten()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;
    use crate::intake::format::FORMATS;
    use crate::model::HostName;

    fn settled(names: &[&str], given: Option<&HostName>) -> (String, Vec<String>) {
        let mut identity = Identity::default();
        names.iter().for_each(|name| identity.call(name));
        let mut report = Report::new(FORMATS[0]);
        let input = Input { name: "f", bytes: b"", given };
        let name = identity.settle(&input, &mut report);
        let names = report.assets[&name].names.iter().map(ToString::to_string).collect();
        (name.to_string(), names)
    }

    #[test]
    fn a_name_is_better_than_an_address_and_an_id() {
        let id = "aecb524a-c10d-4d41-89d9-fa887ae8fb00";
        let (name, others) = settled(&[id, "10.0.0.1, 127.0.0.1", "web-1.example.org.", "-", "a\u{1b}[2J"], None);
        assert_eq!(name, "web-1.example.org");
        assert_eq!(others, ["10.0.0.1", id, "web-1"]);
        assert_eq!(settled(&["10.0.0.1"], None).0, "10.0.0.1");
        assert_eq!(
            settled(&["h", "https://www.example.org:8443/x?y", "192.168.1.1001"], None).1,
            ["192.168.1.1001", "www", "www.example.org"]
        );
        assert_eq!(settled(&[], None).0, "unnamed artifact");
        let given = HostName::new("db-1").unwrap();
        assert_eq!(settled(&["web-1"], Some(&given)), ("db-1".to_owned(), vec!["web-1".to_owned()]));
    }
}
