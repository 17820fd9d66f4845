//! One self-contained HTML file per plan, for those who approve it: summary first, then when, how, on what, and what is
//! left alone. No script is needed, and whatever there is thousands of is counted, cut and told.

mod lists;
mod procedure;
mod summary;
mod timeline;
mod waves;

use super::page::{MAX_ROWS, Page, names, text, when};
use crate::model::Digest;
use crate::plan::{HostPlan, Plan, StepKind};

use procedure::Procedures;

/// The page of a plan.
pub fn plan_html(plan: &Plan, id: &Digest) -> String {
    let mut page = Page::titled(&format!("Plan {}", id.short()));
    let procedures = Procedures::of(plan);
    summary::summary(&mut page, plan);
    timeline::timeline(&mut page, plan);
    waves::waves(&mut page, plan, &procedures);
    waves::cohorts(&mut page, plan, &procedures);
    procedures.draw(&mut page);
    lists::limits(&mut page, plan);
    lists::findings(&mut page, plan);
    lists::deadlines(&mut page, plan);
    lists::manual(&mut page, plan);
    lists::left_alone(&mut page, plan);
    lists::blocked(&mut page, plan);
    lists::notes(&mut page, plan);
    lists::origin(&mut page, plan, id);
    page.end()
}

/// Whether nothing can take back what is done to the host.
fn has_no_way_back(host: &HostPlan) -> bool {
    host.without_backup
        || host.steps.iter().any(|step| step.on.is_none() && step.kind == StepKind::Fix && step.undo.is_empty())
}
