//! `switchback report`: what became of a campaign, from its journal, at any time.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostics, Level};
use crate::intake::Inventory;
use crate::model::{AssetName, CampaignId, Host, HostName};
use crate::plan::Plan;
use crate::report::{CampaignReport, LaterScan, campaign_html, campaign_junit, campaign_markdown, campaign_table};
use crate::store::Journal as _;

use super::args::{Global, Report, ReportFormat};
use super::drive::{find, open, read, store_failed, stored_plan};
use super::error::CommandError;
use super::exit::Exit;
use super::findings::{read_reports, split};
use super::output::Output;
use super::printer::{Printer, escape_json};

pub(super) fn run(args: &Report, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let campaign = match &args.campaign {
        Some(named) => find(global.state(), named)?,
        None => latest(global)?,
    };
    let plan = stored_plan(global.state(), &campaign)?;
    let (digest, records) = read(global.state(), &campaign)?;
    let mut report = CampaignReport::new(&campaign, digest, &plan, &records);
    if !args.after.is_empty() {
        report.compare(&plan, &later_scan(&args.after, &plan, printer)?);
    }
    let text = match args.format {
        ReportFormat::Html => campaign_html(&report, &plan),
        ReportFormat::Markdown => campaign_markdown(&report, &plan),
        ReportFormat::Junit => campaign_junit(&report, &plan),
        ReportFormat::Table => campaign_table(&report),
        ReportFormat::Json => {
            let json = serde_json::to_string_pretty(&report)
                .map_err(|error| CommandError::caused(Exit::Failed, "cannot write JSON", &error))?;
            format!("{}\n", escape_json(&json))
        }
    };
    match &args.output {
        Some(path) => Output::to(path, printer).write(|out| Ok(out.write_all(text.as_bytes())?))?,
        None => printer.data(&text)?,
    }
    Ok(Exit::Ok)
}

fn latest(global: &Global) -> Result<CampaignId, CommandError> {
    let campaigns = open(global.state())?.campaigns().map_err(|error| store_failed(&error))?;
    campaigns.into_iter().max_by_key(|c| (c.started, c.id.clone())).map(|c| c.id).ok_or_else(|| {
        CommandError::new(Exit::Failed, format!("there is no campaign in {}", global.state().display()))
            .code("no-campaign")
    })
}

/// What scans that were made after a campaign say of the hosts of its plan. Other hosts are none of its business.
pub(super) fn later_scan(arguments: &[String], plan: &Plan, printer: Printer) -> Result<LaterScan, CommandError> {
    let reports = read_reports(arguments, None)?;
    // A plan knows hosts that it does not touch by their name only.
    let others =
        plan.report.decisions.iter().map(|decision| &decision.host).filter(|name| !plan.hosts.contains_key(*name));
    let others: BTreeSet<&HostName> = others.collect();
    let planned = plan.hosts.values().map(|planned| planned.host.clone());
    let inventory = Inventory::new(planned.chain(others.into_iter().cloned().map(Host::named)));
    let none = BTreeSet::new();
    let assets: BTreeSet<&AssetName> =
        reports.assets.keys().chain(reports.findings.iter().map(|finding| &finding.asset)).collect();
    let all = assets.len();
    let assets = assets.into_iter().map(|asset| {
        let file = reports.files.get(asset).map_or("", String::as_str);
        (asset, file, reports.assets.get(asset).map_or(&none, |asset| &asset.names))
    });
    let mut diagnostics = Diagnostics::default();
    let hosts: BTreeMap<AssetName, HostName> = inventory.resolve_all(assets, &mut diagnostics);
    let mut found = diagnostics.sorted();
    found.retain(|problem| problem.code != "unknown-host");
    if found.iter().any(|problem| problem.level == Level::Error) {
        return Err(CommandError::invalid(found));
    }
    if hosts.len() < all {
        printer.talk(format!("note: {} of {all} assets are no host of the plan and were left out", all - hosts.len()));
    }
    let at = hosts.keys().filter_map(|asset| reports.assets.get(asset)?.scanned_at).max();
    let files = arguments.iter().map(|argument| split(argument).1.to_owned()).collect();
    let findings = reports.findings.into_iter().filter_map(|f| Some((hosts.get(&f.asset)?.clone(), f))).collect();
    Ok(LaterScan { files, at, hosts: hosts.into_values().collect(), findings })
}
