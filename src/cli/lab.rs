//! `switchback lab`: a real fleet on this machine to try things on.

use std::fmt::Write as _;

use crate::lab::{Fault, HostState, Lab, LabError, LabHost, Trigger, UpOptions, default_cache};
use crate::model::printable;

use super::args::{Format, Lab as Args, LabAction};
use super::error::CommandError;
use super::exit::Exit;
use super::printer::Printer;

pub(super) fn run(args: &Args, printer: Printer) -> Result<Exit, CommandError> {
    let lab = Lab::open(&args.dir, &default_cache()).map_err(failed)?;
    match &args.action {
        LabAction::Up { hosts, prefix, network } => {
            let options = UpOptions { hosts: *hosts, prefix: prefix.clone(), subnet: *network, refresh: true };
            let hosts = lab.up(&options, &|note| printer.talk(note)).map_err(failed)?;
            let up = hosts.iter().filter(|host| host.state == HostState::Up).count();
            printer.talk(format!(
                "{up} of {} hosts are up; inventory: {}",
                hosts.len(),
                lab.inventory_path().display()
            ));
            Ok(if up == hosts.len() { Exit::Ok } else { Exit::Failed })
        }
        LabAction::Down { prefix, image } => {
            let was_up = lab.down().map_err(failed)?;
            if let Some(prefix) = prefix {
                Lab::sweep(prefix).map_err(failed)?;
            }
            if *image {
                lab.purge().map_err(failed)?;
            }
            printer.talk(if was_up { "the lab is down" } else { "no lab was up here" });
            Ok(Exit::Ok)
        }
        LabAction::Status { format } => {
            let hosts = lab.status().map_err(failed)?;
            print(printer, *format, &hosts, table)
        }
        LabAction::Plant { host, fault, span, during_fix } => {
            let seconds = span.map(|span| u32::try_from(span.as_seconds()).unwrap_or(u32::MAX));
            let trigger = if *during_fix { Trigger::DuringFix } else { Trigger::Now };
            lab.plant(host.as_str(), named(fault, seconds)?, trigger).map_err(failed)?;
            printer.talk(format!("planted {fault} on {host}, {trigger}"));
            Ok(Exit::Ok)
        }
        LabAction::Heal { host, fault } => {
            lab.heal(host.as_str(), named(fault, None)?).map_err(failed)?;
            printer.talk(format!("healed {fault} on {host}"));
            Ok(Exit::Ok)
        }
        LabAction::Evidence { host, format } => {
            let evidence = lab.evidence(host.as_str()).map_err(failed)?;
            print(printer, *format, &evidence, |evidence| {
                let mut text = String::new();
                for e in evidence {
                    let at = i64::try_from(e.at).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
                    let at = at.map_or_else(|| e.at.to_string(), |at| at.to_string());
                    let event = format!("{:?}", e.event).to_lowercase();
                    let _ = writeln!(text, "{at:<24}  {:<16}  {event:<7}  {}", e.fault, e.detail);
                }
                text
            })
        }
    }
}

fn named(fault: &str, seconds: Option<u32>) -> Result<Fault, CommandError> {
    Fault::named(fault, seconds)
        .ok_or_else(|| CommandError::new(Exit::Usage, format!("there is no fault {:?}", printable(fault, 40))))
}

fn print<T: serde::Serialize>(
    printer: Printer,
    format: Format,
    rows: &[T],
    table: impl FnOnce(&[T]) -> String,
) -> Result<Exit, CommandError> {
    match format {
        Format::Table => printer.data(&table(rows))?,
        Format::Json => printer.json(&rows)?,
    }
    Ok(Exit::Ok)
}

fn table(hosts: &[LabHost]) -> String {
    let mut text = String::new();
    for host in hosts {
        let state = match host.state {
            HostState::Up => "up",
            HostState::Unreachable => "unreachable",
            HostState::Stopped => "stopped",
            HostState::Missing => "missing",
        };
        let (name, address, container) = (&host.name, host.address.to_string(), &host.container);
        let _ = writeln!(text, "{name:<10}  {address:<15}  {state:<11}  {container}");
    }
    text
}

fn failed(error: LabError) -> CommandError {
    let exit = match &error {
        LabError::Missing(_) => Exit::Unsupported,
        LabError::Busy(_) => Exit::Busy,
        LabError::UnknownHost(_) | LabError::Trigger { .. } | LabError::Differs { .. } | LabError::Hosts(_) => {
            Exit::Usage
        }
        _ => Exit::Failed,
    };
    let hint = match &error {
        LabError::Missing(missing) => Some(missing.help.clone()),
        LabError::NotUp(_) => Some("switchback lab up".to_owned()),
        LabError::Differs { .. } => Some("take it down first, or name another folder with --dir".to_owned()),
        _ => None,
    };
    let failed = CommandError::caused(exit, "lab", &error);
    match hint {
        Some(hint) => failed.hint(hint),
        None => failed,
    }
}
