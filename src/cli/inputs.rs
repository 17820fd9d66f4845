//! Files that several subcommands read: policies, playbooks, inventories, findings. All problems come out in one go.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Diagnostics, Level, Source};
use crate::intake::{Inventory, Reports};
use crate::model::{AssetName, Digest, Finding, HostName};
use crate::plan::{InputRef, Plan, PlanId, Violation, check, read_plan};
use crate::playbook::{self, Playbook};
use crate::policy::{Bundle, Policy};

use super::error::CommandError;
use super::exit::Exit;
use super::printer::Printer;

/// No file that people write is larger.
const MAX_TEXT: u64 = 16 << 20;

/// Shows warnings; errors end the command.
pub(super) fn settle(diagnostics: Diagnostics, deny_warnings: bool, printer: Printer) -> Result<(), CommandError> {
    let found = diagnostics.sorted();
    if found.iter().any(|d| d.level == Level::Error)
        || (deny_warnings && found.iter().any(|d| d.level == Level::Warning))
    {
        return Err(CommandError::invalid(found));
    }
    printer.diagnostics(&found);
    Ok(())
}

/// Reads and checks policies; the built-in defaults where no path is given.
pub(super) fn load_policy(paths: &[PathBuf], diagnostics: &mut Diagnostics) -> Option<Policy> {
    const HELP: &str = "-p takes policy files, or folders of *.yaml";
    match Bundle::read(paths) {
        Ok(bundle) if bundle.policies.is_empty() && !paths.is_empty() => {
            let message = format!("{}: no policy file is in it", shown(paths));
            diagnostics.push(Diagnostic::error("no-policy-files", message).help(HELP));
            None
        }
        Ok(bundle) => Policy::load(bundle, diagnostics),
        Err(error) => {
            diagnostics.push(Diagnostic::error("unreadable-file", error.to_string()).help(HELP));
            None
        }
    }
}

/// The shipped playbooks, and those of the user in front of them.
pub(super) fn load_playbooks(paths: &[PathBuf], diagnostics: &mut Diagnostics) -> Vec<Playbook> {
    let mut playbooks = Vec::new();
    for path in paths {
        if let Some(text) = read_text(path, diagnostics) {
            playbooks.extend(Playbook::load(&Source::new(path.display().to_string(), text), diagnostics));
        }
    }
    playbooks.extend(playbook::shipped());
    playbooks
}

/// Matches findings to hosts, and learns from the reports which system a host runs where the inventory does not say.
/// A report about a host that the inventory does not have is an error, not a gap.
pub(super) fn match_findings(
    inventory: &mut Inventory,
    reports: Reports,
    diagnostics: &mut Diagnostics,
) -> Vec<(HostName, Finding)> {
    let file = |asset: &AssetName| reports.files.get(asset).map_or("", String::as_str);
    let assets = reports.assets.keys().chain(reports.findings.iter().map(|finding| &finding.asset));
    let assets: BTreeMap<&AssetName, &str> = assets.map(|asset| (asset, file(asset))).collect();
    let hosts = inventory.resolve_all(assets, diagnostics);
    for (asset, host) in &hosts {
        if let Some(host) = inventory.hosts.get_mut(host)
            && host.os.is_none()
        {
            host.os = reports.assets.get(asset).and_then(|asset| asset.os.clone());
        }
    }
    let matched = reports.findings.into_iter();
    matched.filter_map(|finding| hosts.get(&finding.asset).cloned().map(|host| (host, finding))).collect()
}

/// Reads a plan file and judges it.
pub(super) fn load_plan(path: &Path) -> Result<(PlanId, Plan), CommandError> {
    let refused = |error: &dyn std::error::Error| {
        CommandError::caused(Exit::PlanRefused, format!("plan {} is refused", path.display()), error)
    };
    let file = File::open(path)
        .map_err(|error| CommandError::caused(Exit::Failed, format!("cannot open {}", path.display()), &error))
        .map_err(|error| error.code("unreadable-file").hint("give the file that `switchback plan -o` wrote"))?;
    let (id, plan) = read_plan(file).map_err(|error| refused(&error).code(error.code()).hint(error.help()))?;
    judge(&plan)?;
    Ok((id, plan))
}

/// Lets the checker judge a plan.
pub(super) fn judge(plan: &Plan) -> Result<(), CommandError> {
    let violations: Vec<Violation> = check(plan);
    if violations.is_empty() {
        return Ok(());
    }
    let mut error = CommandError::new(
        Exit::PlanRefused,
        format!("the plan breaks {} invariants; nothing was done", violations.len()),
    )
    .code("plan-unsafe");
    for violation in violations.iter().take(10) {
        error = error.hint(format!("{violation}"));
    }
    Err(error)
}

/// The inputs of a plan, to be compared when it is run.
pub(super) fn input_ref(paths: &[PathBuf], digest: Digest) -> InputRef {
    InputRef { paths: paths.iter().map(|p| p.display().to_string()).collect(), digest }
}

/// The digest of files as they are.
pub(super) fn file_digest(paths: &[PathBuf]) -> Result<Digest, CommandError> {
    let mut lines = String::new();
    for path in paths {
        let bytes = std::fs::read(path)
            .map_err(|error| CommandError::caused(Exit::Failed, format!("cannot read {}", path.display()), &error))?;
        lines.push_str(&Digest::of(&bytes).to_string());
        lines.push('\n');
    }
    Ok(Digest::of(lines.as_bytes()))
}

fn read_text(path: &Path, diagnostics: &mut Diagnostics) -> Option<String> {
    let text = std::fs::metadata(path).and_then(|file| match file.len() {
        length if length > MAX_TEXT => {
            Err(std::io::Error::other(format!("it has {length} bytes, more than {MAX_TEXT}")))
        }
        _ => std::fs::read_to_string(path),
    });
    text.map_err(|error| {
        let message = format!("cannot read `{}`: {error}", path.display());
        diagnostics.push(Diagnostic::error("unreadable-file", message));
    })
    .ok()
}

fn shown(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}
