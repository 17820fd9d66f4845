//! `switchback show` and `switchback explain`.

use crate::plan::explain;
use crate::report::{explain_text, plan_dot, plan_mermaid, plan_table, plan_tree};

use super::args::{Explain, Format, PlanView, Show};
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
        PlanView::Json => printer.json(&plan)?,
    }
    Ok(Exit::Ok)
}

pub(super) fn run_explain(args: &Explain, printer: Printer) -> Result<Exit, CommandError> {
    let (_, plan) = load_plan(&args.plan)?;
    let explanation = explain(&plan, &args.host, args.vulnerability.as_ref())
        .map_err(|error| CommandError::caused(Exit::InvalidInput, "nothing to explain", &error).code(error.code()))?;
    match args.format {
        Format::Json => printer.json(&explanation)?,
        Format::Table => printer.data(&explain_text(&explanation))?,
    }
    Ok(Exit::Ok)
}
