//! `switchback windows`: when a host may be disrupted, on its clock and in UTC, and what takes the rest.

use serde_json::json;

use crate::diagnostic::Diagnostics;
use crate::model::TimeSpan;
use crate::policy::HostWindows;
use crate::report::{host_windows_json, host_windows_table};
use crate::yaml::nearest;

use super::args::{Format, Windows};
use super::error::CommandError;
use super::exit::Exit;
use super::inputs::{load_policy, read_inventory, settle};
use super::printer::{Printer, to_the_second};

/// What is shown where no end is given: the usual month and a little more.
const USUAL: TimeSpan = TimeSpan::days(35);

/// Nothing is worked out further ahead.
const MAX: TimeSpan = TimeSpan::days(5 * 366);

pub(super) fn run(args: &Windows, printer: Printer) -> Result<Exit, CommandError> {
    let mut diagnostics = Diagnostics::default();
    let policy = load_policy(&args.policies, &mut diagnostics);
    let inventory = read_inventory(&args.inventory, args.programs.run_inventory, &mut diagnostics);
    settle(diagnostics, false, printer)?;
    let (Some(policy), Some(inventory)) = (policy, inventory) else {
        return Err(CommandError::new(Exit::InvalidInput, "policies or inventory cannot be read"));
    };
    let Some(host) = inventory.hosts.get(&args.host) else {
        let near = nearest(args.host.as_str(), inventory.hosts.keys().map(|name| name.as_str()));
        let hint =
            near.map_or("--for names a host as the inventory names it".to_owned(), |n| format!("did you mean {n}?"));
        return Err(CommandError::new(Exit::InvalidInput, format!("the inventory does not have {}", args.host))
            .code("unknown-host")
            .hint(hint));
    };
    let from = args.from.unwrap_or_else(crate::env::now);
    let until = args.until.unwrap_or_else(|| USUAL.after(from));
    let span = TimeSpan::between(from, until);
    if span == TimeSpan::ZERO || span > MAX {
        return Err(CommandError::new(
            Exit::Usage,
            format!("{} is not after {}, or more than five years", to_the_second(until), to_the_second(from)),
        )
        .hint("--until lies behind --from"));
    }
    let (first, last) = (to_the_second(from), to_the_second(until));
    let tzdata = policy.tzdata_version();
    let listed = policy.list_windows(host, from, span);
    let (always, windows) = match listed {
        HostWindows::Always => (true, Vec::new()),
        HostWindows::Listed(windows) => (false, windows),
        HostWindows::None { why } => {
            return Err(CommandError::new(Exit::InvalidInput, format!("{} has no window: {why}", args.host))
                .code("no-window")
                .hint("write a window for it, or add it to the `match` of one"));
        }
    };
    match args.format {
        Format::Json => printer.json(&json!({
            "host": args.host,
            "from": from,
            "until": until,
            "tzdata": tzdata,
            "always": always,
            "windows": host_windows_json(&windows),
        }))?,
        Format::Table if always => printer.data("at any time: no windows are written, and no freeze lies ahead")?,
        Format::Table if windows.is_empty() => {}
        Format::Table => printer.data(&host_windows_table(&windows))?,
    }
    printer.talk(format!("{} from {first} to {last}, with time zone data {tzdata}", args.host));
    if !always && windows.iter().all(|window| window.open.is_empty()) {
        let frozen = windows.len();
        let why = if frozen == 0 { "none opens".to_owned() } else { format!("freezes take all {frozen} openings") };
        return Err(CommandError::new(Exit::InvalidInput, format!("{} has no window until {last}: {why}", args.host))
            .code("no-window")
            .hint("look further ahead with --until"));
    }
    Ok(Exit::Ok)
}
