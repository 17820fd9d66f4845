//! Reports of scanners: a first byte from 0x80 on forces a format (`--from`), else the content tells it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchback::intake::{ReadOptions, Reports, merge_scanners, read_report, report_formats};
use switchback::model::HostName;

fuzz_target!(|data: &[u8]| {
    let forced = data.first().and_then(|byte| report_formats().nth(usize::from(byte.checked_sub(0x80)?)));
    let format = forced.map(|(name, _)| name.to_owned());
    let bytes = if format.is_some() { &data[1..] } else { data };
    let host = HostName::new("web-1").ok().filter(|_| data.len() % 2 == 1);
    if let Ok(report) = read_report("report", bytes, &ReadOptions { host, format }) {
        let left_out: u64 = report.left_out.values().sum();
        assert_eq!(report.read, report.findings.len() as u64 + left_out, "a row is lost");
        let reports = Reports::join([report.clone(), report]);
        let host = HostName::new("web-1").expect("it is a name");
        let _ = merge_scanners(reports.findings.into_iter().map(|finding| (host.clone(), finding)).collect());
    }
});
