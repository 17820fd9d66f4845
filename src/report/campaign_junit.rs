//! A campaign as JUnit XML, as continuous integration reads it: a suite a wave, a case a host.

use std::fmt::Write as _;

use super::campaign::{CampaignReport, HostReport};
use super::campaign_words::{evidence, result};
use super::junit::{End, HEAD, end, numbers, xml};
use super::rehearsal::ended;
use crate::model::{HostName, HostOutcome};
use crate::plan::Plan;

/// Lines of what a step said, from its end.
const LINES: usize = 40;

/// The report as JUnit XML: what went back or is stuck has failed; what is untouched or has not ended is skipped.
pub fn campaign_junit(report: &CampaignReport, plan: &Plan) -> String {
    let mut out = HEAD.to_owned();
    let name = format!("switchback campaign {}", report.campaign);
    let all = sums(report.hosts.values());
    // Writing to a String cannot fail.
    let _ = writeln!(out, "<testsuites name=\"{}\" {}>", xml(&name), numbers(all.tests, all.failures, all.seconds));
    for wave in &plan.rollout.waves {
        let hosts: Vec<(&HostName, &HostReport)> =
            wave.hosts.iter().filter_map(|name| report.hosts.get_key_value(name)).collect();
        let sums = sums(hosts.iter().map(|(_, host)| *host));
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" {} skipped=\"{}\">",
            xml(&wave.name.to_string()),
            numbers(sums.tests, sums.failures, sums.seconds),
            sums.skipped
        );
        hosts.iter().for_each(|(name, host)| case(&mut out, &wave.name.to_string(), name, host));
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

#[derive(Default)]
struct Sums {
    tests: usize,
    failures: usize,
    skipped: usize,
    seconds: f64,
}

fn sums<'a>(hosts: impl Iterator<Item = &'a HostReport>) -> Sums {
    hosts.fold(Sums::default(), |sums, host| Sums {
        tests: sums.tests + 1,
        failures: sums.failures + usize::from(failed(host)),
        skipped: sums.skipped + usize::from(skipped(host)),
        seconds: sums.seconds + seconds(host),
    })
}

fn failed(host: &HostReport) -> bool {
    matches!(host.outcome, Some(HostOutcome::Restored | HostOutcome::SwitchedBack | HostOutcome::Stuck))
}

fn skipped(host: &HostReport) -> bool {
    matches!(host.outcome, None | Some(HostOutcome::Untouched))
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a campaign")]
fn seconds(host: &HostReport) -> f64 {
    host.took().map_or(0.0, |took| took.as_seconds() as f64)
}

fn case(out: &mut String, wave: &str, name: &HostName, host: &HostReport) {
    let _ = write!(
        out,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.6}\"",
        xml(wave),
        xml(name.as_str()),
        seconds(host)
    );
    let outcome = host.outcome.map_or("not ended", ended);
    let why = host.reason.as_ref().map(|reason| reason.text.as_str()).or(host.waiting.as_deref());
    let message = why.map_or(outcome.to_owned(), |why| format!("{outcome}: {why}"));
    let kind = host.reason.as_ref().map_or(outcome, |reason| reason.code.as_str());
    let step = host.failed_step();
    let told = step.into_iter().flat_map(|step| {
        let said: Vec<&str> = evidence(step).lines().collect();
        let last = said[said.len().saturating_sub(LINES)..].iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        std::iter::once(format!("step {}: {}", step.kind, result(step))).chain(last)
    });
    let how = match (failed(host), skipped(host)) {
        (true, _) => End::Failed { message: &message, kind },
        (_, true) => End::Skipped { message: &message },
        _ => End::Passed,
    };
    end(how, told, out);
}
