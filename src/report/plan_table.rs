//! A plan as a table by wave.

use super::plan_forecast::{cause, forecast_details, forecast_line};
use super::plan_text::{cell, columns, count, expected, minutes, start};
use crate::model::Digest;
use crate::plan::Plan;

/// Packages named in a row before the rest is counted.
const PACKAGES_SHOWN: usize = 3;

/// The plan as a table by wave, with what is not planned and why.
pub fn plan_table(plan: &Plan, id: &Digest) -> String {
    let rollout = &plan.rollout;
    let mut out = format!(
        "Plan {}, as of {}: {} in {}, {}\n",
        id.short(),
        minutes(plan.as_of),
        count(plan.hosts.len(), "host"),
        count(rollout.waves.len(), "wave"),
        findings(plan),
    );
    if !plan.hosts.is_empty() {
        out.push_str(&format!(
            "Pauses as soon as {} failed; works on at most {} at once\n",
            match rollout.failure_budget {
                1 => "1 host has".to_owned(),
                more => format!("{more} hosts have"),
            },
            count(rollout.concurrency as usize, "host"),
        ));
    }
    for (name, pool) in &rollout.pools {
        out.push_str(&format!("At once of {}: {}\n", cell(name), count(pool.hosts as usize, "host")));
    }
    for (name, group) in &rollout.groups {
        out.push_str(&format!(
            "Service {}: at most {} of {} down\n",
            cell(name),
            group.max_unavailable,
            count(group.size as usize, "host")
        ));
    }
    for approval in &plan.approvals {
        out.push_str(&format!(
            "Needs {}{} for {}, by {}\n",
            count(approval.required as usize, "approval"),
            approval.from.as_ref().map_or(String::new(), |from| format!(" of {}", cell(from))),
            count(approval.hosts.len(), "host"),
            cell(&approval.rule.name),
        ));
    }
    if let Some(line) = forecast_line(plan) {
        out.push_str(&format!("Forecast: {line}\n"));
    }
    for wave in &rollout.waves {
        out.push_str(&format!("\n{} ({}", cell(&wave.name), count(wave.hosts.len(), "host")));
        if wave.soak.as_seconds() > 0 {
            out.push_str(&format!(", then watched for {}", wave.soak));
        }
        out.push_str(")\n");
        let mut rows = vec![
            ["HOST", "PRIORITY", "FINDINGS", "PACKAGES", "STRATEGY", "FIRST START", "STEPS", "EXPECTED"]
                .map(str::to_owned)
                .to_vec(),
        ];
        for name in &wave.hosts {
            let Some(host) = plan.hosts.get(name) else { continue };
            rows.push(vec![
                cell(name),
                host.priority.to_string(),
                host.fix.findings.len().to_string(),
                packages(&host.fix.packages),
                host.strategy.as_str().to_owned(),
                start(plan, host),
                host.steps.len().to_string(),
                expected(host).to_string(),
            ]);
        }
        out.push_str(&columns(&rows));
    }
    if !plan.report.blocked.is_empty() {
        out.push_str(&format!("\nNot planned ({})\n", count(plan.report.blocked.len(), "host")));
        let mut rows = vec![["HOST", "CODE", "WHY"].map(str::to_owned).to_vec()];
        for (name, reasons) in &plan.report.blocked {
            rows.extend(reasons.iter().map(|r| vec![cell(name), cell(&r.code), cell(&r.text)]));
        }
        out.push_str(&columns(&rows));
    }
    if let Some(forecast) = &plan.report.forecast {
        if !forecast.breaches.is_empty() {
            out.push_str(&format!("\nDeadlines missed ({})\n", forecast.breaches.len()));
            let mut rows = vec![["DUE", "HOST", "FINDINGS", "WHY"].map(str::to_owned).to_vec()];
            rows.extend(forecast.breaches.iter().map(|breach| {
                let why = cause(breach.cause).to_owned();
                vec![minutes(breach.due), cell(&breach.host), breach.findings.to_string(), why]
            }));
            out.push_str(&columns(&rows));
        }
        for (at, line) in forecast_details(forecast).into_iter().enumerate() {
            out.push_str(&format!("{}{line}\n", if at == 0 { "\n" } else { "" }));
        }
    }
    if !plan.report.notes.is_empty() {
        out.push_str("\nNotes\n");
        let rows: Vec<_> = plan.report.notes.iter().map(|r| vec![cell(&r.code), cell(&r.text)]).collect();
        out.push_str(&columns(&rows));
    }
    out
}

/// `12 findings (10 fix, 2 defer)`.
fn findings(plan: &Plan) -> String {
    let parts: Vec<String> = plan.report.decided.iter().map(|(kind, n)| format!("{n} {}", kind.as_str())).collect();
    let total = count(usize::try_from(plan.report.findings).unwrap_or(usize::MAX), "finding");
    if parts.is_empty() { total } else { format!("{total} ({})", parts.join(", ")) }
}

fn packages(packages: &[crate::model::PackageFix]) -> String {
    let mut text = packages.iter().take(PACKAGES_SHOWN).map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ");
    if packages.len() > PACKAGES_SHOWN {
        text.push_str(&format!(" +{}", packages.len() - PACKAGES_SHOWN));
    }
    text
}
