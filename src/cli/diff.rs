//! `switchback diff`: what a change of policy, inventory or findings does to the fleet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::diagnostic::{Diagnostic, Diagnostics, Level};
use crate::intake::Inventory;
use crate::model::{Finding, History, HostName};
use crate::plan::{Impact, Origin, Plan, Version, impact, summary};
use crate::playbook::Playbook;
use crate::policy::{Bundle, Judged, Policy};
use crate::report::{impact_markdown, impact_text};

use super::args::{Diff, DiffFormat};
use super::error::CommandError;
use super::exit::Exit;
use super::findings::{read_reports, split};
use super::inputs::{load_bundle, load_playbooks, match_findings, read_inventory};
use super::plan::make;
use super::printer::Printer;
use super::{revision, rules};

/// One side, read and planned.
struct Side {
    policy: Policy,
    inventory: Inventory,
    findings: Vec<(HostName, Finding)>,
    plan: Plan,
    problems: Vec<Diagnostic>,
}

pub(super) fn run(args: &Diff, printer: Printer) -> Result<Exit, CommandError> {
    let as_of = args.as_of.unwrap_or_else(crate::env::now);
    let folder = Scratch::new()?;
    let base =
        read(args, &folder, "base", [&args.base, &args.head], [&args.base_inventory, &args.base_findings], as_of)?;
    let head =
        read(args, &folder, "head", [&args.head, &args.base], [&args.head_inventory, &args.head_findings], as_of)?;
    let mut found = impact(&side(&base, args), &side(&head, args));
    let (before, after) = (problems(&base.problems), problems(&head.problems));
    found.new_problems = after.iter().filter(|problem| !before.contains(problem)).cloned().collect();
    found.gone_problems = before.iter().filter(|problem| !after.contains(problem)).cloned().collect();
    print(&found, args.format, printer)?;
    Ok(if found.is_empty() { Exit::Ok } else { Exit::Changed })
}

fn side<'a>(side: &'a Side, args: &Diff) -> Version<'a> {
    Version {
        plan: &side.plan,
        policy: &side.policy,
        hosts: &side.inventory.hosts,
        findings: &side.findings,
        horizon: args.horizon,
    }
}

fn print(found: &Impact, format: DiffFormat, printer: Printer) -> Result<(), CommandError> {
    match format {
        DiffFormat::Text => printer.data(&impact_text(found)),
        DiffFormat::Json => printer.json(found),
        DiffFormat::Markdown => printer.data(&impact_markdown(found)),
    }
}

/// Messages with their codes; places move with every edit and would make old problems new.
fn problems(diagnostics: &[Diagnostic]) -> Vec<String> {
    diagnostics.iter().map(|d| format!("{} [{}]", d.message, d.code)).collect()
}

fn read(
    args: &Diff,
    folder: &Scratch,
    name: &str,
    [own, other]: [&Option<String>; 2],
    [inventory, findings]: [&[String]; 2],
    as_of: Timestamp,
) -> Result<Side, CommandError> {
    let mut diagnostics = Diagnostics::default();
    let bundle = bundle(args, own.as_deref(), other.as_deref())?;
    let mut policy = Policy::load(bundle, &mut diagnostics);
    if let Some(policy) = &mut policy {
        rules::start(policy, &mut diagnostics);
    }
    let playbooks = load_playbooks(&args.playbooks, &mut diagnostics);
    let inventory = if inventory.is_empty() { &args.inventory } else { inventory };
    let findings = if findings.is_empty() { &args.findings } else { findings };
    if inventory.is_empty() || findings.is_empty() {
        let what = if inventory.is_empty() { "inventory (-i)" } else { "findings (-f)" };
        return Err(CommandError::new(Exit::Usage, format!("the {name} version has no {what}")));
    }
    let inventory: Vec<PathBuf> = inventory.iter().map(|arg| folder.path(name, arg)).collect::<Result<_, _>>()?;
    let findings: Vec<String> = findings
        .iter()
        .map(|argument| {
            let (host, path) = split(argument);
            let path = folder.path(name, path)?.display().to_string();
            Ok(host.map_or(path.clone(), |host| format!("{host}={path}")))
        })
        .collect::<Result<_, CommandError>>()?;
    let mut inventory = read_inventory(&inventory, args.programs.run_inventory, &mut diagnostics);
    let reports = read_reports(&findings, args.from.as_deref())?;
    let mut matched = Vec::new();
    if let Some(inventory) = &mut inventory {
        matched = match_findings(inventory, reports, &mut diagnostics);
    }
    let (Some(policy), Some(inventory), false) = (policy, inventory, diagnostics.has_errors()) else {
        let mut error = CommandError::invalid(diagnostics.sorted());
        error.message = format!("the {name} version: {}", error.message);
        return Err(error);
    };
    rules::prepare(&policy, &inventory, &matched, as_of)?;
    let plan = plan_of(&policy, &inventory, &matched, &playbooks, as_of, args)?;
    let verdict = policy.judge_plan(&summary(&plan)).map_err(CommandError::invalid)?;
    for (messages, code) in [(verdict.deny, "plan-denied"), (verdict.warn, "rule-warning")] {
        diagnostics.extend_from(messages.iter().map(|m| Diagnostic::warning(code, m.to_string())).collect());
    }
    diagnostics.extend_from(policy.dead_rules(Judged {
        hosts: Some(&inventory.hosts),
        findings: Some(&matched),
        as_of,
    }));
    diagnostics.extend_from(policy.expired_exceptions(as_of));
    diagnostics.extend_from(policy.prove_windows(as_of));
    let problems = diagnostics.sorted().into_iter().filter(|d| d.level == Level::Warning).collect();
    Ok(Side { policy, inventory, findings: matched, plan, problems })
}

fn plan_of(
    policy: &Policy,
    inventory: &Inventory,
    findings: &[(HostName, Finding)],
    playbooks: &[Playbook],
    as_of: Timestamp,
    args: &Diff,
) -> Result<Plan, CommandError> {
    make(
        inventory,
        findings,
        policy,
        playbooks,
        as_of,
        0,
        args.horizon,
        BTreeMap::new(),
        &History::default(),
        Origin::default(),
    )
}

/// The policies of a version: a folder or file, a revision of git (`REV`, or `REV:PATH`), or else `-p`.
fn bundle(args: &Diff, own: Option<&str>, other: Option<&str>) -> Result<Bundle, CommandError> {
    let given: Vec<String> = args.policies.iter().map(|path| path.display().to_string()).collect();
    let Some(own) = own else {
        if given.is_empty() {
            return Err(CommandError::new(Exit::Usage, "one version has no policies")
                .hint("give --base and --head, or -p for both"));
        }
        return load_bundle(&args.policies);
    };
    // With -p a name means a revision where it is both.
    let is_revision = !given.is_empty() && revision::is_revision(own);
    if Path::new(own).exists() && !is_revision {
        return load_bundle(&[PathBuf::from(own)]);
    }
    let (revision, paths) = match own.split_once(':') {
        Some((revision, path)) if !path.is_empty() => (revision, vec![path.to_owned()]),
        _ if given.is_empty() => (own, default_paths(other)),
        _ => (own, given),
    };
    if !revision::is_revision(revision) {
        return Err(CommandError::new(
            Exit::InvalidInput,
            format!("`{own}` is neither a folder nor a revision of git"),
        )
        .code("unreadable-revision")
        .hint("give a folder of policies, a revision such as main or HEAD~1, or REVISION:FOLDER"));
    }
    let mut files = BTreeMap::new();
    for path in &paths {
        files.extend(revision::files(revision, path)?);
    }
    let bundle = Bundle::of_files(files, &paths)
        .map_err(|error| CommandError::caused(Exit::InvalidInput, format!("policies of {revision}"), &error))?;
    if bundle.policies.is_empty() {
        return Err(CommandError::new(
            Exit::InvalidInput,
            format!("{revision} has no policy file in {}", paths.join(", ")),
        )
        .code("no-policy-files"));
    }
    Ok(bundle)
}

/// Where policies are in a revision if nobody says so: where the other version's folder is, else in `policies`.
fn default_paths(other: Option<&str>) -> Vec<String> {
    let folder = other.filter(|other| Path::new(other).exists()).unwrap_or("policies");
    vec![folder.to_owned()]
}

/// A folder for files of revisions, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, CommandError> {
        let name = crate::env::random_hex()
            .map_err(|error| CommandError::caused(Exit::Failed, "cannot name a temporary folder", &error))?;
        Ok(Self(crate::env::temporary().join(format!("switchback-{name}"))))
    }

    /// A path as it is, or `REVISION:PATH` written here.
    fn path(&self, side: &str, argument: &str) -> Result<PathBuf, CommandError> {
        if let Some((revision, path)) = argument.split_once(':')
            && !Path::new(argument).exists()
            && revision::is_revision(revision)
        {
            return revision::export(revision, path, &self.0.join(side));
        }
        Ok(PathBuf::from(argument))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What was never made needs not be removed.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
