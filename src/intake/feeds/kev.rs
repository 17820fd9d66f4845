//! CISA's catalogue of known exploited vulnerabilities (KEV), in both of its editions.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use crate::intake::columns;
use crate::intake::each::{Amount, Object};
use crate::intake::error::IntakeError;
use crate::intake::format::Input;
use crate::intake::json;
use crate::intake::lenient::Text;
use crate::intake::subject;
use crate::model::{VulnerabilityId, printable};

/// A vulnerability that is known to be exploited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KevEntry {
    /// When it was added.
    pub added: Option<Date>,
    /// When agencies must have fixed it.
    pub due: Option<Date>,
    /// Whether ransomware campaigns use it.
    pub ransomware: bool,
}

/// The catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KevCatalogue {
    /// `2025.08.25`; the CSV edition has none.
    pub version: Option<String>,
    /// When it was released; the CSV edition does not say it.
    pub released: Option<Timestamp>,
    /// How many entries it says that it has.
    pub declared: Option<u64>,
    /// Its entries.
    pub entries: BTreeMap<VulnerabilityId, KevEntry>,
    /// Rows that name no vulnerability, or one that is there already.
    pub left_out: u64,
}

/// The catalogue grows by a few hundred a year.
const MAX_ENTRIES: usize = 1_000_000;

impl KevCatalogue {
    /// How many of them ransomware campaigns use.
    pub fn ransomware(&self) -> usize {
        self.entries.values().filter(|entry| entry.ransomware).count()
    }

    fn add(&mut self, id: &str, added: &str, due: &str, ransomware: &str) {
        let entry = KevEntry {
            added: added.trim().parse().ok(),
            due: due.trim().parse().ok(),
            ransomware: ransomware.trim().eq_ignore_ascii_case("known"),
        };
        match VulnerabilityId::new(id.trim()) {
            Ok(id) if !self.entries.contains_key(&id) => drop(self.entries.insert(id, entry)),
            _ => self.left_out += 1,
        }
    }

    pub(super) fn read(input: &Input<'_>) -> Result<Self, IntakeError> {
        let raw: RawCatalogue<'_> = json::parse(input.name, input.bytes)?;
        let text = |text: &Text<'_>| Some(printable(text.as_str(), 40)).filter(|text| !text.is_empty());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded and whole")]
        let declared = raw.count.0.filter(|n| (0.0..1e12).contains(n) && n.fract() == 0.0).map(|n| n as u64);
        let catalogue = Self {
            version: text(&raw.version),
            released: subject::moment(raw.released.as_str()),
            declared,
            ..raw.entries.0
        };
        catalogue.check(input)
    }

    pub(super) fn read_table(input: &Input<'_>) -> Result<Self, IntakeError> {
        let mut catalogue = Self::default();
        columns::records(input, |record| {
            if catalogue.entries.len() < MAX_ENTRIES {
                let ransomware = record.get(&["knownRansomwareCampaignUse"]);
                catalogue.add(record.get(&["cveID"]), record.get(&["dateAdded"]), record.get(&["dueDate"]), ransomware);
            } else {
                catalogue.left_out += 1;
            }
        })?;
        catalogue.check(input)
    }

    /// A catalogue of nothing but rubbish says nothing of exploitation.
    fn check(self, input: &Input<'_>) -> Result<Self, IntakeError> {
        if self.entries.is_empty() && self.left_out > 0 {
            let message = format!("none of the {} entries names a vulnerability", self.left_out);
            return Err(IntakeError::new("invalid-feed", input.name, message)
                .help("each entry of the KEV catalogue has a `cveID`"));
        }
        Ok(self)
    }
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawCatalogue<'a> {
    #[serde(rename = "catalogVersion", borrow)]
    version: Text<'a>,
    #[serde(rename = "dateReleased", borrow)]
    released: Text<'a>,
    count: Amount,
    #[serde(rename = "vulnerabilities")]
    entries: Entries,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawEntry<'a> {
    #[serde(rename = "cveID", borrow)]
    id: Text<'a>,
    #[serde(rename = "dateAdded", borrow)]
    added: Text<'a>,
    #[serde(rename = "dueDate", borrow)]
    due: Text<'a>,
    #[serde(rename = "knownRansomwareCampaignUse", borrow)]
    ransomware: Text<'a>,
}

/// The entries, each checked as soon as it is read.
#[derive(Default)]
struct Entries(KevCatalogue);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Entries;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of vulnerabilities")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Entries, A::Error> {
                let mut catalogue = KevCatalogue::default();
                while let Some(Object(raw)) = seq.next_element::<Object<RawEntry<'de>>>()? {
                    let raw = raw.unwrap_or_default();
                    catalogue.add(raw.id.as_str(), raw.added.as_str(), raw.due.as_str(), raw.ransomware.as_str());
                    if catalogue.entries.len() > MAX_ENTRIES {
                        return Err(A::Error::custom(format_args!("more than {MAX_ENTRIES} entries")));
                    }
                }
                Ok(Entries(catalogue))
            }
        }
        deserializer.deserialize_any(V)
    }
}
