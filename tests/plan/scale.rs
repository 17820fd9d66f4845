//! A hundred thousand findings on ten thousand hosts: seconds, and less than a gigabyte.

use std::time::Instant;

use switchback::plan::{check, write_plan};

use crate::fleet::Fleet;

/// The peak of this process's memory.
pub fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? / 1024)
}

#[test]
fn ten_thousand_hosts_are_planned_in_seconds_and_a_gigabyte() {
    let mut took = Vec::new();
    for hosts in [1_000, 10_000] {
        let mut fleet = Fleet::of(hosts, 10);
        fleet.policy.rollout.max_unavailable = Some(("service".to_owned(), switchback::policy::Amount::Percent(50)));
        let start = Instant::now();
        let plan = fleet.plan();
        let planned = start.elapsed();
        assert_eq!(plan.hosts.len(), hosts);
        let mut bytes = 0usize;
        write_plan(&plan, Count(&mut bytes)).unwrap();
        let written = start.elapsed();
        assert_eq!(check(&plan), []);
        eprintln!(
            "{hosts} hosts, {} findings: planned in {planned:?}, with digest and file of {} MiB {written:?}, checked {:?}, peak {:?} MiB",
            plan.report.findings,
            bytes >> 20,
            start.elapsed(),
            peak_mib()
        );
        took.push(planned.as_secs_f64());
    }
    // Ten times the hosts may take ten times as long, and a quarter more for the logarithm; the rest is for a machine
    // that is busy with something else. A quadratic pass would take a hundred times.
    assert!(took[1] < 40.0 * took[0].max(0.05), "{took:?}");
    if let Some(peak) = peak_mib() {
        assert!(peak < 1024, "{peak} MiB");
    }
}

struct Count<'a>(&'a mut usize);

impl std::io::Write for Count<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        *self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
