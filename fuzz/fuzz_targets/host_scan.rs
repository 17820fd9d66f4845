//! What hosts answer: the native scan, and the output of scripts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchback::intake::{parse_scan, write_scans};
use switchback::model::HostName;
use switchback::playbook::parse_output;

fuzz_target!(|data: &[u8]| {
    let host = HostName::new("web-1").expect("it is a name");
    let at = "2026-03-01T00:00:00Z".parse().expect("it is a time");
    if let Ok(scan) = parse_scan(&host, at, data) {
        write_scans(&[scan]).expect("a scan is JSON");
    }
    let _ = parse_output(data);
});
