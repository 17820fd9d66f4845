//! `switchback show`.

use crate::report::{ChangeRequest, plan_dot, plan_html, plan_mermaid, plan_table, plan_tree};

use super::args::{PlanView, Show};
use super::error::CommandError;
use super::exit::Exit;
use super::inputs::load_plan;
use super::printer::Printer;

pub(super) fn show(args: &Show, printer: Printer) -> Result<Exit, CommandError> {
    let (id, plan) = load_plan(&args.plan)?;
    match args.format {
        PlanView::Table => printer.data(&plan_table(&plan, &id))?,
        PlanView::Tree => printer.data(&plan_tree(&plan, &id))?,
        PlanView::Mermaid => printer.data(&plan_mermaid(&plan))?,
        PlanView::Dot => printer.data(&plan_dot(&plan))?,
        PlanView::Html => printer.data(&plan_html(&plan, &id))?,
        PlanView::Change => printer.data(&ChangeRequest::new(&plan, id).to_markdown())?,
        PlanView::ChangeJson => printer.json(&ChangeRequest::new(&plan, id))?,
        PlanView::Json => printer.json(&plan)?,
    }
    Ok(Exit::Ok)
}
