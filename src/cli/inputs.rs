//! Files that several subcommands read: policies, playbooks, inventories, findings. All problems come out in one go.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics, Level, Source};
use crate::evidence::POLICY_ROLE;
use crate::intake::{self, Inventory, Reports, merge_scanners};
use crate::model::{AssetName, Digest, Finding, Host, HostName, Os, TimeSpan};
use crate::plan::{InputRef, Plan, PlanId, Violation, check, read_plan};
use crate::playbook::{self, Playbook};
use crate::policy::{Bundle, Policy};
use crate::store::InputText;
use crate::transport::run_argv_whole;

use super::drive::runtime;
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

/// The texts that an audit holds against the digest of a policy.
pub(super) fn policy_texts(policy: &Policy) -> Vec<InputText> {
    let text = |file: &Arc<Source>| InputText {
        role: POLICY_ROLE.to_owned(),
        name: file.name.clone(),
        text: file.text.clone(),
    };
    policy.texts().iter().map(text).collect()
}

/// Reads the policy files of a bundle.
pub(super) fn load_bundle(paths: &[PathBuf]) -> Result<Bundle, CommandError> {
    let bundle = Bundle::read(paths)
        .map_err(|error| CommandError::new(Exit::InvalidInput, error.to_string()).code("unreadable-file"))?;
    if bundle.policies.is_empty() {
        let message = format!("{}: no policy file is in it", shown(paths));
        return Err(CommandError::new(Exit::InvalidInput, message).code("no-policy-files"));
    }
    Ok(bundle)
}

/// How long an inventory program may take for one answer: those that ask a cloud take seconds.
const PROGRAM_LIMIT: u64 = 30;

/// Reads inventories; those that are programs are run only where the user allowed it.
pub(super) fn read_inventory(
    paths: &[PathBuf],
    run_programs: bool,
    diagnostics: &mut Diagnostics,
) -> Option<Inventory> {
    intake::read_inventory(paths, run_programs.then_some(&run_inventory_program), diagnostics)
}

/// No shell, nothing on stdin, a limit of time and of output; the environment is the user's, where credentials are.
fn run_inventory_program(program: &Path, arguments: &[&str]) -> Result<Vec<u8>, String> {
    // A bare name would be looked for in PATH.
    let program = if program.is_absolute() { program.to_owned() } else { Path::new(".").join(program) };
    let program = program.to_str().ok_or_else(|| "its name is not UTF-8".to_owned())?;
    let argv: Vec<String> = std::iter::once(program).chain(arguments.iter().copied()).map(str::to_owned).collect();
    let max_output = usize::try_from(intake::MAX_BYTES).unwrap_or(usize::MAX);
    let run = run_argv_whole(&argv, TimeSpan::seconds(PROGRAM_LIMIT), max_output);
    let printed = runtime().map_err(|error| error.message)?.block_on(run).map_err(|error| error.to_string())?;
    if printed.code == 0 {
        return Ok(printed.output);
    }
    let said = if printed.errors.is_empty() { String::new() } else { format!(": {}", printed.errors) };
    Err(format!("it exited with {}{said}", printed.code))
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
    let none = BTreeSet::new();
    let names = |asset: &AssetName| reports.assets.get(asset).map_or(&none, |asset| &asset.names);
    let assets: BTreeSet<&AssetName> =
        reports.assets.keys().chain(reports.findings.iter().map(|finding| &finding.asset)).collect();
    let assets = assets.into_iter().map(|asset| (asset, file(asset), names(asset)));
    let hosts = inventory.resolve_all(assets, diagnostics);
    for (asset, host) in &hosts {
        if let Some(host) = inventory.hosts.get_mut(host)
            && let Some(found) = reports.assets.get(asset).and_then(|asset| asset.os.as_ref())
            && leaves_open(host, found)
        {
            host.os = Some(found.clone());
        }
    }
    let matched = reports.findings.into_iter();
    let matched = matched.filter_map(|finding| hosts.get(&finding.asset).cloned().map(|host| (host, finding)));
    let (merged, again) = merge_scanners(matched.collect());
    let differ = merged.iter().filter(|(_, finding)| !finding.claims.is_empty()).count();
    if again > 0 && differ > 0 {
        let message = format!(
            "scanners disagree on {differ} findings that more than one of them reports: the worst that is said holds"
        );
        diagnostics.push(
            Diagnostic::warning("scanners-disagree", message)
                .help("`switchback findings -i INVENTORY -f ... --format json` shows what each says, under `claims`"),
        );
    }
    merged
}

/// Whether an inventory leaves it to reports that a host runs this system: it says nothing of it, or no more than its
/// kin, as `ansible_os_family` does.
pub(super) fn leaves_open(host: &Host, found: &Os) -> bool {
    let is_family_alone = |os: &Os| os.name == os.family && os.version.is_none();
    host.os.as_ref().is_none_or(|said| is_family_alone(said) && said.family == found.family)
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
        for (number, line) in (1..).zip(&violation.trace) {
            error = error.hint(format!("  {number}. {line}"));
        }
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

/// Reads a file that people wrote.
pub(super) fn read_text(path: &Path, diagnostics: &mut Diagnostics) -> Option<String> {
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use crate::intake::Asset;

    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn reports_complete_what_the_inventory_says_of_a_system() {
        let os = |family: &str, name: &str, version: Option<&str>| {
            Some(Os { family: family.into(), name: name.into(), version: version.map(str::to_owned) })
        };
        let ubuntu = os("debian", "ubuntu", Some("22.04"));
        for (said, known) in [
            (None, ubuntu.clone()),
            (os("debian", "debian", None), ubuntu.clone()),
            (os("redhat", "redhat", None), os("redhat", "redhat", None)),
            (os("debian", "debian", Some("12")), os("debian", "debian", Some("12"))),
        ] {
            let mut host = Host::named(HostName::new("web-1").unwrap());
            host.os = said;
            let mut inventory = Inventory::new([host]);
            let asset = Asset { os: ubuntu.clone(), ..Asset::default() };
            let assets = BTreeMap::from([(AssetName::new("web-1").unwrap(), asset)]);
            match_findings(&mut inventory, Reports { assets, ..Reports::default() }, &mut Diagnostics::default());
            assert_eq!(inventory.hosts["web-1"].os, known);
        }
    }
}
