//! `switchback check`: all problems of policies, playbooks and inventory in one go.

use crate::diagnostic::{self, Diagnostic, Diagnostics, Level, to_json};
use crate::model::printable;
use crate::yaml::nearest;

use super::args::{Check, Format};
use super::error::CommandError;
use super::exit::Exit;
use super::inputs::{load_playbooks, load_policy, read_inventory};
use super::printer::Printer;

pub(super) fn run(args: &Check, printer: Printer) -> Result<Exit, CommandError> {
    if let Some(code) = &args.explain {
        return match diagnostic::explain(code) {
            Some(text) => printer.data(text).map(|()| Exit::Ok),
            None => {
                let error = CommandError::new(Exit::Usage, format!("there is no code {:?}", printable(code, 60)));
                let near = nearest(code, diagnostic::CODES.iter().map(|(known, _)| *known));
                Err(near.into_iter().fold(error, |error, near| error.hint(format!("did you mean {near}?"))))
            }
        };
    }
    if args.policies.is_empty() && args.inventory.is_empty() && args.playbooks.is_empty() {
        return Err(CommandError::new(Exit::Usage, "there is nothing to check")
            .hint("give policies (-p), an inventory (-i) or playbooks (--playbooks)"));
    }
    let mut diagnostics = Diagnostics::default();
    let mut policy = load_policy(&args.policies, &mut diagnostics);
    if let Some(policy) = &mut policy {
        super::rules::start(policy, &mut diagnostics);
    }
    load_playbooks(&args.playbooks, &mut diagnostics);
    if !args.inventory.is_empty()
        && let Some(inventory) = read_inventory(&args.inventory, args.programs.run_inventory, &mut diagnostics)
        && let Some(policy) = &policy
    {
        for warning in policy.unmatched_selectors(inventory.hosts.values()) {
            diagnostics.push(warning);
        }
    }
    if let Some(policy) = &policy {
        let now = crate::env::now();
        let exceptions = policy.expired_exceptions(now).into_iter().chain(policy.expiring_exceptions(now));
        for found in exceptions.chain(policy.prove_windows(now)) {
            diagnostics.push(found);
        }
    }
    if args.format == Format::Json
        && let Some(policy) = policy.as_ref().filter(|policy| policy.has_windows())
    {
        diagnostics.push(Diagnostic::note(
            "windows-proven",
            format!("windows are proven for two years with time zone data {}", policy.tzdata_version()),
        ));
    }
    let mut found = diagnostics.sorted();
    // What is only worth knowing would hide from people what is wrong.
    found.retain(|d| args.format == Format::Json || d.level != Level::Note);
    let errors = found.iter().filter(|d| d.level == Level::Error).count();
    let warnings = found.iter().filter(|d| d.level == Level::Warning).count();
    let failed = errors > 0 || (args.deny_warnings && warnings > 0);
    match args.format {
        Format::Json => printer.json(&found.iter().map(to_json).collect::<Vec<_>>())?,
        Format::Table if failed => printer.problems(&found),
        Format::Table => printer.diagnostics(&found),
    }
    let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    printer.talk(format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")));
    Ok(if failed { Exit::InvalidInput } else { Exit::Ok })
}
