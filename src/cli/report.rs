//! `switchback report`: what became of a campaign, from its journal.

use crate::report::{CampaignReport, campaign_html};
use crate::store::Journal as _;

use super::args::{Global, Report, ReportFormat};
use super::drive::{find, open, read, store_failed, stored_plan};
use super::error::CommandError;
use super::exit::Exit;
use super::printer::{Printer, escape_json};

pub(super) fn run(args: &Report, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let campaign = match &args.campaign {
        Some(named) => find(global.state(), named)?,
        None => {
            let campaigns = open(global.state())?.campaigns().map_err(|error| store_failed(&error))?;
            campaigns.into_iter().max_by_key(|c| (c.started, c.id.clone())).map(|c| c.id).ok_or_else(|| {
                CommandError::new(Exit::Failed, format!("there is no campaign in {}", global.state().display()))
                    .code("no-campaign")
            })?
        }
    };
    let plan = stored_plan(global.state(), &campaign)?;
    let (digest, records) = read(global.state(), &campaign)?;
    let report = CampaignReport::new(&campaign, digest, &plan, &records);
    let text = match args.format {
        ReportFormat::Html => campaign_html(&report, &plan),
        ReportFormat::Json => {
            let json = serde_json::to_string_pretty(&report)
                .map_err(|error| CommandError::caused(Exit::Failed, "cannot write JSON", &error))?;
            format!("{}\n", escape_json(&json))
        }
    };
    match &args.output {
        Some(path) => std::fs::write(path, text)
            .map_err(|error| CommandError::caused(Exit::Failed, format!("cannot write {}", path.display()), &error))?,
        None => printer.data(&text)?,
    }
    Ok(Exit::Ok)
}
