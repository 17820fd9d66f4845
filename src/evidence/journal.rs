//! Finds the first record of a journal that is not as its controller wrote it, and says what became of it.
//!
//! A line is a record, and every record names the digest of the one before: where that does not fit, the neighbours and
//! the signed digests tell whether a record was changed, removed, added or moved.

use std::collections::BTreeMap;

use super::bundle::count;
use crate::engine::{Chain, Record};
use crate::model::{CampaignId, Digest, printable};

/// Each record names a digest of as many digits.
const SHORTEST: usize = 64;

/// Something in a bundle that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Problem {
    /// Kebab-case, stable.
    pub code: String,
    /// In words.
    pub text: String,
    /// The number of the record it is about, or at whose place it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// The line of `journal.jsonl` or `checkpoints.jsonl`, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What should be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

/// A problem with its code.
pub(super) fn problem(code: &str, text: impl Into<String>) -> Problem {
    let (code, text) = (code.to_owned(), text.into());
    Problem { code, text, record: None, line: None, expected: None, found: None }
}

impl Problem {
    /// At this place of the journal, counted from 0.
    pub(super) fn at(mut self, record: u64, index: usize) -> Self {
        self.line = Some(number(index));
        self.of(record)
    }

    pub(super) fn of(mut self, record: u64) -> Self {
        self.record = Some(record);
        self
    }

    pub(super) fn line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    pub(super) fn instead(mut self, expected: impl ToString, found: impl ToString) -> Self {
        self.expected = Some(expected.to_string());
        self.found = Some(found.to_string());
        self
    }
}

/// What is left of a journal.
#[derive(Debug)]
pub struct Inspected {
    /// The records before the first problem.
    pub records: Vec<Record>,
    /// The first problem.
    pub problem: Option<Problem>,
}

/// Reads a journal, a canonical record a line, whose first record names `plan`. `signed` are the digests that verified
/// checkpoints give to records.
pub fn inspect_journal(
    campaign: &CampaignId,
    plan: Digest,
    journal: &[u8],
    signed: &BTreeMap<u64, Digest>,
) -> Inspected {
    let lines = lines(journal);
    let look = Look { campaign, signed, lines: &lines };
    let mut chain = Chain::new(campaign.clone(), plan);
    let mut records: Vec<Record> = Vec::new();
    for index in 0..lines.len() {
        let due = chain.seq().saturating_add(1);
        let previous = index.checked_sub(1).map_or(plan, |before| look.digest(before));
        match look.record(index) {
            Some(record) if chain.follow(&record).is_ok() => records.push(record),
            found => {
                let broken = match found {
                    Some(record) => look.misplaced(index, due, previous, &record),
                    None => look.unreadable(index, due, previous),
                };
                // A chain made anew may have been broken once more behind that.
                let held = count(records.len());
                let earlier = look.signed_otherwise(&records, held).filter(|other| other.record < broken.record);
                return Inspected { records, problem: Some(earlier.unwrap_or(broken)) };
            }
        }
    }
    let problem = look.signed_otherwise(&records, u64::MAX);
    Inspected { records, problem }
}

/// The lines of a journal. Where there are more than these, one of these is too short to be a record.
fn lines(journal: &[u8]) -> Vec<&[u8]> {
    journal.split_inclusive(|&b| b == b'\n').take(journal.len() / SHORTEST + 1).collect()
}

/// A journal that is looked at.
struct Look<'a> {
    campaign: &'a CampaignId,
    signed: &'a BTreeMap<u64, Digest>,
    lines: &'a [&'a [u8]],
}

impl Look<'_> {
    /// The record of a line, if the line is exactly what is written for it.
    fn record(&self, index: usize) -> Option<Record> {
        let line = self.lines.get(index)?.strip_suffix(b"\n")?;
        let record: Record = serde_json::from_slice(line).ok()?;
        (serde_json::to_vec(&record).ok()? == line).then_some(record)
    }

    fn digest(&self, index: usize) -> Digest {
        let line = self.lines.get(index).copied().unwrap_or_default();
        Digest::of(line.strip_suffix(b"\n").unwrap_or(line))
    }

    /// Whether the record of this line is as it was when the one behind it was written, or when it was signed.
    fn vouched(&self, index: usize, seq: u64) -> bool {
        self.is_signed(index, seq) || self.is_named(index)
    }

    fn is_signed(&self, index: usize, seq: u64) -> bool {
        self.signed.get(&seq) == Some(&self.digest(index))
    }

    fn is_named(&self, index: usize) -> bool {
        self.record(index + 1).is_some_and(|next| next.previous == self.digest(index))
    }

    /// The first line from here on that holds a record of this number.
    fn find(&self, from: usize, seq: u64) -> Option<usize> {
        (from..self.lines.len()).find(|&index| self.record(index).is_some_and(|record| record.seq == seq))
    }

    fn unreadable(&self, index: usize, due: u64, previous: Digest) -> Problem {
        let whole = self.lines.get(index).is_some_and(|line| line.ends_with(b"\n"));
        if !whole {
            return problem("audit-journal-cut", format!("the journal is cut off inside record {due}")).at(due, index);
        }
        if self.record(index + 1).is_some_and(|next| next.seq == due && next.previous == previous) {
            let text = format!("a line that holds no record was added before record {due}");
            return problem("audit-record-added", text).at(due, index);
        }
        let text = format!("record {due} was changed: its line is not what is written for any record");
        changed(text, due, index)
    }

    /// Says why a record does not follow the one before.
    fn misplaced(&self, index: usize, due: u64, previous: Digest, found: &Record) -> Problem {
        let follows = found.previous == previous;
        if found.campaign != *self.campaign && (!follows || self.vouched(index, found.seq)) {
            let text = format!("record {due} is of another campaign");
            return problem("audit-record-foreign", text).at(due, index).instead(self.campaign, &found.campaign);
        }
        if found.campaign != *self.campaign || (follows && found.seq != due) {
            return changed(format!("record {due} was changed: it names another campaign or number"), due, index)
                .instead(format!("{} {due}", self.campaign), format!("{} {}", found.campaign, found.seq));
        }
        if found.seq > due {
            if let Some(later) = self.find(index + 1, due) {
                let line = number(later);
                let text = format!("records were moved: record {} stands before record {due} (line {line})", found.seq);
                return problem("audit-record-moved", text).at(due, index).instead(due, found.seq);
            }
            let last = found.seq.saturating_sub(1);
            let which = if last == due { format!("record {due} was") } else { format!("records {due} to {last} were") };
            return problem("audit-record-removed", format!("{which} removed")).at(due, index).instead(due, found.seq);
        }
        if found.seq < due {
            let first = self.find(0, found.seq).filter(|&first| first < index);
            let same = first.is_some_and(|first| self.digest(first) == self.digest(index));
            // Two that follow the same record: the one that the next names was there first.
            let forged = match first {
                Some(first) if !same && first + 1 == index && self.vouched(index, found.seq) => first,
                _ => index,
            };
            let what = if same { "was added once more" } else { "was added: there is another one of this number" };
            return problem("audit-record-added", format!("record {} {what}", found.seq)).at(found.seq, forged);
        }
        let Some(before) = index.checked_sub(1) else {
            if self.vouched(index, due) {
                let text = "record 1 names another plan: the journal is of another campaign or its plan was exchanged";
                return problem("audit-record-foreign", text).at(1, 0).instead(previous, found.previous);
            }
            return changed("record 1 was changed: it does not name the plan", 1, 0).instead(previous, found.previous);
        };
        // Either this one names what it never named, or the one before is not any more what it names.
        let this = !self.is_signed(index, due)
            && (self.is_signed(before, due - 1) || (!self.is_named(index) && index + 1 < self.lines.len()));
        let (seq, at) = if this || self.signed.get(&due).is_some_and(|signed| *signed != self.digest(index)) {
            (due, index)
        } else {
            (due - 1, before)
        };
        let text = format!("record {seq} was changed: record {due} names another digest for the one before it");
        changed(text, seq, at).instead(found.previous, previous)
    }

    /// A chain that holds up to this record, and is not the one that was signed.
    fn signed_otherwise(&self, records: &[Record], up_to: u64) -> Option<Problem> {
        let mut last = 0;
        for (&seq, digest) in self.signed.range(1..).take_while(|(seq, _)| **seq <= up_to) {
            let index = usize::try_from(seq - 1).unwrap_or(usize::MAX);
            if index >= records.len() {
                let (end, total) = (records.len(), number(records.len()));
                let text =
                    format!("the journal was cut: a checkpoint signs record {seq}, and it ends with record {end}");
                return Some(problem("audit-journal-cut", text).of(total));
            }
            let found = self.digest(index);
            if found != *digest {
                let from = last + 1;
                let text = if from == seq {
                    format!("record {seq} was changed: a checkpoint signs another digest")
                } else {
                    format!(
                        "a checkpoint signs another digest for record {seq}: one of the records {from} to {seq} was \
                         changed, and all behind it were chained anew"
                    )
                };
                return Some(changed(text, seq, index).instead(digest, found));
            }
            last = seq;
        }
        None
    }
}

fn changed(text: impl Into<String>, seq: u64, index: usize) -> Problem {
    problem("audit-record-changed", text).at(seq, index)
}

/// From 1, as people count.
fn number(index: usize) -> u64 {
    count(index).saturating_add(1)
}

/// What is shown of bytes that somebody else wrote.
pub(super) fn shown(text: &str) -> String {
    printable(text, 200)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::RecordBody;

    const RECORDS: u32 = 9;

    fn id(name: &str) -> CampaignId {
        CampaignId::new(name).unwrap()
    }

    fn plan() -> Digest {
        Digest::of(b"plan")
    }

    /// Lines with their ends.
    fn chain(campaign: &str, plan: Digest, from: u32) -> Vec<Vec<u8>> {
        let mut chain = Chain::new(id(campaign), plan);
        let record = |wave| {
            let record = chain.push(jiff::Timestamp::UNIX_EPOCH, RecordBody::WaveStarted { wave: from + wave });
            [serde_json::to_vec(&record).unwrap(), b"\n".to_vec()].concat()
        };
        (0..RECORDS).map(record).collect()
    }

    fn signed(lines: &[Vec<u8>], seqs: &[u64]) -> BTreeMap<u64, Digest> {
        let digest = |seq: u64| Digest::of(lines[seq as usize - 1].strip_suffix(b"\n").unwrap());
        seqs.iter().map(|&seq| (seq, digest(seq))).collect()
    }

    fn look(lines: &[Vec<u8>], signed: &BTreeMap<u64, Digest>) -> Option<(String, Option<u64>, Option<u64>)> {
        let problem = inspect_journal(&id("c-1"), plan(), &lines.concat(), signed).problem;
        problem.map(|problem| (problem.code, problem.record, problem.line))
    }

    fn named(code: &str, record: u64, line: u64) -> Option<(String, Option<u64>, Option<u64>)> {
        Some((format!("audit-{code}"), Some(record), Some(line)))
    }

    #[test]
    fn every_flipped_bit_names_its_record() {
        let lines = chain("c-1", plan(), 0);
        for seals in [&[2, 9][..], &[9], &[1, 5, 9]] {
            let signed = signed(&lines, seals);
            assert_eq!(look(&lines, &signed), None);
            for (index, line) in lines.iter().enumerate() {
                for bit in 0..line.len() * 8 {
                    let mut lines = lines.clone();
                    lines[index][bit / 8] ^= 1 << (bit % 8);
                    let (code, record, at) = look(&lines, &signed).unwrap();
                    let cut = index + 1 == lines.len() && code == "audit-journal-cut";
                    assert!(code == "audit-record-changed" || cut, "{code}: bit {bit} of line {index}");
                    let seq = Some(index as u64 + 1);
                    assert_eq!((record, at), (seq, seq), "{code}: bit {bit} of line {index}, {seals:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_removed_added_or_moved_is_named() {
        let lines = chain("c-1", plan(), 0);
        let signed = signed(&lines, &[2, 9]);
        for at in 0..lines.len() {
            let seq = at as u64 + 1;
            let mut removed = lines.clone();
            removed.remove(at);
            let last = at + 1 == lines.len();
            let expected = if last {
                Some(("audit-journal-cut".to_owned(), Some(9), None))
            } else {
                named("record-removed", seq, seq)
            };
            assert_eq!(look(&removed, &signed), expected, "{at}");

            let mut doubled = lines.clone();
            doubled.insert(at, lines[at].clone());
            assert_eq!(look(&doubled, &signed), named("record-added", seq, seq + 1), "{at}");
            for to in at + 1..lines.len() {
                let mut swapped = lines.clone();
                swapped.swap(at, to);
                assert_eq!(look(&swapped, &signed), named("record-moved", seq, seq), "{at} {to}");
            }

            // A record that nobody wrote, chained to the one before.
            let mut chain = Chain::new(id("c-1"), plan());
            lines[..at].iter().for_each(|line| chain.follow(&serde_json::from_slice(line).unwrap()).unwrap());
            let forged = chain.push(jiff::Timestamp::UNIX_EPOCH, RecordBody::WaveEnded { wave: 7 });
            let mut added = lines.clone();
            added.insert(at, [serde_json::to_vec(&forged).unwrap(), b"\n".to_vec()].concat());
            assert_eq!(look(&added, &signed), named("record-added", seq, seq), "{at}");

            let mut nonsense = lines.clone();
            nonsense.insert(at, b"{}\n".to_vec());
            assert_eq!(look(&nonsense, &signed), named("record-added", seq, seq), "{at}");
        }
    }

    #[test]
    fn a_chain_made_anew_is_caught_by_the_next_signature() {
        let lines = chain("c-1", plan(), 0);
        for at in 0..RECORDS {
            let mut chain = Chain::new(id("c-1"), plan());
            let forged: Vec<Vec<u8>> = (0..RECORDS)
                .map(|wave| {
                    let wave = if wave == at { 99 } else { wave };
                    let record = chain.push(jiff::Timestamp::UNIX_EPOCH, RecordBody::WaveStarted { wave });
                    [serde_json::to_vec(&record).unwrap(), b"\n".to_vec()].concat()
                })
                .collect();
            let next = if at < 2 { 2 } else { 9 };
            let signed = signed(&lines, &[2, 9]);
            assert_eq!(look(&forged, &signed), named("record-changed", next, next), "{at}");
            assert_eq!(look(&forged, &BTreeMap::new()), None, "nothing but a signature shows it");
        }
    }

    #[test]
    fn records_of_other_campaigns_are_told_from_changed_ones() {
        let lines = chain("c-1", plan(), 0);
        let signed = signed(&lines, &[2, 9]);
        let mut mixed = lines.clone();
        mixed[4] = chain("c-2", plan(), 0)[4].clone();
        assert_eq!(look(&mixed, &signed), named("record-foreign", 5, 5));
        assert_eq!(look(&chain("c-2", plan(), 0), &signed), named("record-foreign", 1, 1));
        assert_eq!(look(&chain("c-1", Digest::of(b"other"), 0), &signed), named("record-foreign", 1, 1));
    }

    #[test]
    fn a_cut_is_named_wherever_it_is() {
        let lines = chain("c-1", plan(), 0);
        let signed = signed(&lines, &[2, 9]);
        let whole = lines.concat();
        for end in 0..whole.len() {
            let problem = inspect_journal(&id("c-1"), plan(), &whole[..end], &signed).problem.unwrap();
            assert_eq!(problem.code, "audit-journal-cut", "{end}");
            let left = whole[..end].iter().filter(|&&b| b == b'\n').count() as u64;
            assert_eq!(problem.record, Some(left + 1), "{end}");
        }
    }

    #[test]
    fn a_journal_of_line_ends_takes_no_more_memory_than_it_has_bytes() {
        let ends = vec![b'\n'; 1 << 20];
        assert!(size_of_val(lines(&ends).as_slice()) <= ends.len());
        assert_eq!(look(&[ends], &BTreeMap::new()), named("record-changed", 1, 1));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic_and_what_differs_is_noticed(
            cut in 0usize..3000, length in 0usize..400, with in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let lines = chain("c-1", plan(), 0);
            let signed = signed(&lines, &[9]);
            let whole = lines.concat();
            let start = cut.min(whole.len());
            let end = (start + length).min(whole.len());
            let edited = [&whole[..start], &with, &whole[end..]].concat();
            let found = inspect_journal(&id("c-1"), plan(), &edited, &signed);
            prop_assert_eq!(found.problem.is_none(), edited == whole);
        }
    }
}
