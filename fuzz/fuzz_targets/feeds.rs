//! Feeds: KEV catalogues, EPSS scores and SSVC tables, told apart by content.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchback::intake::Feeds;

fuzz_target!(|data: &[u8]| {
    if let Ok(feeds) = Feeds::read_bytes("feed", data) {
        let _ = feeds.describe();
        for table in feeds.tables() {
            let answers = table.points.iter().filter_map(|point| Some((point.name.clone(), point.values.first()?.clone())));
            let _ = (table.missing(), table.outcomes(), table.decide(&answers.collect()));
        }
    }
});
