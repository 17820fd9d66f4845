//! `switchback explain`: why, and what would have to be written otherwise.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::diagnostic::Diagnostics;
use crate::model::{Decision, FindingId, History};
use crate::plan::{Explanation, Goal, Link, Origin, Plan, Question, WhatIf, chain, explain, what_if};
use crate::policy::Policy;
use crate::report::{explain_text, what_if_text};

use super::args::{Explain, Format};
use super::error::CommandError;
use super::exit::Exit;
use super::findings::read_reports;
use super::inputs::{load_bundle, load_plan, load_playbooks, match_findings, read_inventory, settle};
use super::plan::make;
use super::printer::Printer;
use super::rules;

/// All that is known of the question, for programs.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    explanation: Explanation<'a>,
    /// The shortest chain of reasons of each finding asked for.
    chains: BTreeMap<&'a FindingId, Vec<Link>>,
    /// The smallest change for each other outcome.
    what_if: Vec<WhatIf>,
    /// Outcomes that no single change gave that was tried.
    unreached: Vec<Goal>,
}

pub(super) fn run(args: &Explain, printer: Printer) -> Result<Exit, CommandError> {
    if !args.policies.is_empty() {
        return from_inputs(args, printer);
    }
    let (_, plan) = load_plan(&args.plan)?;
    let explanation = explained(&plan, args)?;
    match args.format {
        Format::Json => printer.json(&explanation)?,
        Format::Table => printer.data(&explain_text(&explanation))?,
    }
    Ok(Exit::Ok)
}

fn explained<'a>(plan: &'a Plan, args: &Explain) -> Result<Explanation<'a>, CommandError> {
    explain(plan, &args.host, args.vulnerability.as_ref())
        .map_err(|error| CommandError::caused(Exit::InvalidInput, "nothing to explain", &error).code(error.code()))
}

/// Plans in memory, explains, and looks for the smallest changes.
fn from_inputs(args: &Explain, printer: Printer) -> Result<Exit, CommandError> {
    let as_of = args.as_of.unwrap_or_else(crate::env::now);
    let mut diagnostics = Diagnostics::default();
    let bundle = load_bundle(&args.policies)?;
    let mut policy = Policy::load(bundle.clone(), &mut diagnostics);
    if let Some(policy) = &mut policy {
        rules::start(policy, &mut diagnostics);
    }
    let playbooks = load_playbooks(&args.playbooks, &mut diagnostics);
    let mut inventory = read_inventory(&args.inventory, args.programs.run_inventory, &mut diagnostics);
    let reports = read_reports(&args.reports, args.from.as_deref())?;
    let mut findings = Vec::new();
    if let Some(inventory) = &mut inventory {
        findings = match_findings(inventory, reports, &mut diagnostics);
    }
    settle(diagnostics, false, printer)?;
    let (Some(policy), Some(inventory)) = (policy, inventory) else {
        return Err(CommandError::new(Exit::InvalidInput, "policies or inventory cannot be read"));
    };
    rules::prepare(&policy, &inventory, &findings, as_of)?;
    let plan = make(
        &inventory,
        &findings,
        &policy,
        &playbooks,
        as_of,
        0,
        args.horizon,
        BTreeMap::new(),
        &History::default(),
        Origin::default(),
    )?;
    let explanation = explained(&plan, args)?;
    let about: Vec<FindingId> = explanation.decisions.iter().map(|decision| decision.finding.clone()).collect();
    findings.retain(|(host, _)| *host == args.host);
    let ready = |policy: &mut Policy| {
        let mut problems = Diagnostics::default();
        rules::start(policy, &mut problems);
        !problems.has_errors() && rules::prepare(policy, &inventory, &findings, as_of).is_ok()
    };
    let question = Question {
        bundle: &bundle,
        hosts: &inventory.hosts,
        playbooks: &playbooks,
        findings: &findings,
        host: &args.host,
        about: &about,
        as_of,
        horizon: args.horizon,
        ready: &ready,
    };
    let (changes, unreached) = what_if(&question);
    let links = |decision: &&'_ Decision| chain(decision, &bundle);
    let chains: Vec<(&FindingId, Vec<Link>)> = explanation.decisions.iter().map(|d| (&d.finding, links(d))).collect();
    match args.format {
        Format::Json => {
            let chains = chains.into_iter().collect();
            printer.json(&Answer { explanation, chains, what_if: changes, unreached })?;
        }
        Format::Table => {
            let said = what_if_text(&chains, &changes, &unreached);
            printer.data(&format!("{said}{}", explain_text(&explanation)))?;
        }
    }
    Ok(Exit::Ok)
}
