//! Rules in Rego: this program starts itself as the child that evaluates them.

use std::sync::Arc;

use jiff::Timestamp;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::intake::Inventory;
use crate::model::{Finding, HostName};
use crate::plan::{Plan, Reason, summary};
use crate::policy::{ChildLauncher, Policy, serve_rego_worker};

use super::error::CommandError;
use super::exit::Exit;

/// What starts children that evaluate rules.
pub(super) fn launcher() -> Result<ChildLauncher, std::io::Error> {
    Ok(ChildLauncher::new(crate::env::program()?, crate::env::processors()))
}

/// Starts the rules of a policy, if it has any; every problem becomes a diagnostic.
pub(super) fn start(policy: &mut Policy, diagnostics: &mut Diagnostics) {
    match launcher() {
        Ok(launcher) => policy.start_rules(Arc::new(launcher), diagnostics),
        Err(error) => diagnostics
            .push(Diagnostic::error("rego-unavailable", format!("this program does not find itself: {error}"))),
    }
}

/// Lets the rules judge all findings.
pub(super) fn prepare(
    policy: &Policy,
    inventory: &Inventory,
    findings: &[(HostName, Finding)],
    as_of: Timestamp,
) -> Result<(), CommandError> {
    let known = findings.iter().filter_map(|(host, finding)| Some((inventory.hosts.get(host)?, finding)));
    policy.prepare(known, as_of).map(drop).map_err(CommandError::invalid)
}

/// Lets the rules judge a plan: what they deny is refused, what they warn of becomes a note of the plan.
pub(super) fn judge(policy: &Policy, plan: &mut Plan) -> Result<(), CommandError> {
    let verdict = policy.judge_plan(&summary(plan)).map_err(CommandError::invalid)?;
    if !verdict.deny.is_empty() {
        let count = verdict.deny.len();
        let plural = if count == 1 { "rule denies" } else { "rules deny" };
        let error = CommandError::new(Exit::PlanRefused, format!("{count} {plural} this plan; nothing was written"));
        let error = error.code("plan-denied");
        return Err(verdict.deny.iter().fold(error, |error, message| error.hint(message.to_string())));
    }
    plan.report.notes.extend(verdict.warn.iter().map(|message| Reason::new("rule-warning", message.to_string())));
    Ok(())
}

/// What the child does.
pub(super) fn serve() -> Result<Exit, CommandError> {
    let served = serve_rego_worker();
    served.map(|()| Exit::Ok).map_err(|error| CommandError::caused(Exit::Failed, "cannot evaluate rules", &error))
}
