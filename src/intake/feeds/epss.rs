//! FIRST's exploit prediction scores (EPSS), as the daily CSV file.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::intake::columns;
use crate::intake::each::Amount;
use crate::intake::error::IntakeError;
use crate::intake::format::Input;
use crate::intake::row;
use crate::intake::subject;
use crate::model::{Probability, VulnerabilityId, printable};

/// The scores of one day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpssScores {
    /// `v2023.03.01`.
    pub model: Option<String>,
    /// The day that the scores are of; files without it are read with the day unknown.
    pub scored: Option<Timestamp>,
    /// The chance of exploitation within 30 days.
    pub scores: BTreeMap<VulnerabilityId, Probability>,
    /// Rows that name no vulnerability or no probability.
    pub left_out: u64,
}

impl EpssScores {
    pub(super) fn read(input: &Input<'_>) -> Result<Self, IntakeError> {
        /// Comments stand in front of the header, and are short.
        const MAX_COMMENTS: usize = 20;
        let mut feed = Self::default();
        let mut rest = input.bytes;
        let mut line = 1;
        while rest.first() == Some(&b'#') && line <= MAX_COMMENTS {
            let end = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |end| end + 1);
            let comment = String::from_utf8_lossy(&rest[1..end.min(1000)]);
            for (key, value) in comment.trim().split(',').filter_map(|item| item.split_once(':')) {
                match key.trim() {
                    "model_version" => feed.model = Some(printable(value.trim(), 40)),
                    "score_date" => feed.scored = subject::moment(value),
                    _ => {}
                }
            }
            rest = &rest[end..];
            line += 1;
        }
        let header = rest.split(|b| *b == b'\n').next().unwrap_or_default();
        let header = String::from_utf8_lossy(&header[..header.len().min(200)]).trim().to_ascii_lowercase();
        let names: Vec<&str> = header.split(',').map(str::trim).collect();
        if !names.contains(&"cve") || !names.contains(&"epss") {
            let message = format!("the header is `{}` and not `cve,epss,percentile`", printable(&header, 80));
            return Err(IntakeError::new("invalid-feed", input.name, message)
                .at(line, 1)
                .help("take the file as FIRST publishes it, and decompress it"));
        }
        let table = Input { bytes: rest, ..*input };
        columns::records(&table, |record| {
            let id = VulnerabilityId::new(record.get(&["cve"]));
            let score = row::probability(Amount::read(record.get(&["epss"])).0);
            match (id, score) {
                (Ok(id), Some(score)) => {
                    let known = feed.scores.entry(id).or_insert(score);
                    *known = score.max(*known);
                }
                _ => feed.left_out += 1,
            }
        })?;
        if feed.scores.is_empty() && feed.left_out > 0 {
            let message = format!("none of the {} rows has a CVE with a probability from 0 to 1", feed.left_out);
            return Err(IntakeError::new("invalid-feed", input.name, message).help("is it the file of another tool?"));
        }
        Ok(feed)
    }
}
