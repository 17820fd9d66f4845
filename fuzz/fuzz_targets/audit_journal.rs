//! Journals of audit bundles: whatever somebody has made of one, the first problem is named.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use switchback::evidence::inspect_journal;
use switchback::model::{CampaignId, Digest};

fuzz_target!(|data: &[u8]| {
    let campaign = CampaignId::new("c-1").expect("a valid name");
    let plan = Digest::of(b"plan");
    let found = inspect_journal(&campaign, plan, data, &BTreeMap::new());
    // What holds is the whole of it, byte for byte.
    let lines = found.records.iter().map(|record| serde_json::to_vec(record).expect("a record can be written"));
    let written: Vec<u8> = lines.flat_map(|line| [line, b"\n".to_vec()].concat()).collect();
    assert!(data.starts_with(&written));
    assert_eq!(found.problem.is_none(), data == written);
});
