//! The simulated journal's bytes: a record that was torn, what is read of it, and the trace of a run.

use jiff::Timestamp;

use crate::engine::{Chain, Record};
use crate::model::Digest;

use super::Observation;

/// The first bytes of a record, so many thousandths of it.
pub(super) fn torn(record: &Record, thousandths: u32) -> Vec<u8> {
    let mut bytes = bytes_of(record);
    let kept = bytes.len().saturating_mul(usize::try_from(thousandths).unwrap_or(1000)) / 1000;
    bytes.truncate(kept);
    bytes
}

/// A record as a journal of lines has it.
pub fn bytes_of(record: &Record) -> Vec<u8> {
    // It holds only strings, numbers and sorted maps.
    serde_json::to_vec(record).unwrap_or_default()
}

/// The record at the end of a journal, if it is whole and the next of its chain.
pub fn read_tail(chain: &Chain, tail: &[u8]) -> Option<Record> {
    let record: Record = serde_json::from_slice(tail).ok()?;
    chain.clone().follow(&record).ok()?;
    Some(record)
}

/// Everything that happened, as a number: equal runs have equal ones.
#[derive(Debug, Default)]
pub(super) struct Trace {
    line: String,
    digest: u64,
}

impl Trace {
    /// Takes in what was seen.
    pub fn saw(&mut self, at: Timestamp, observation: &Observation) {
        use std::fmt::Write as _;
        self.line.clear();
        // Writing to a string cannot fail.
        let _ = write!(self.line, "{} {observation:?}", at.as_nanosecond());
        // FNV-1a, over eight bytes at once.
        for chunk in self.line.as_bytes().chunks(8) {
            let word = chunk.iter().fold(0_u64, |word, byte| (word << 8) | u64::from(*byte));
            self.digest = (self.digest ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(29);
        }
    }

    /// All of it, with the digest of the last record, which names all before it.
    pub fn digest(&self, last: Option<Digest>) -> Digest {
        Digest::of(format!("{:016x} {last:?}", self.digest).as_bytes())
    }
}
