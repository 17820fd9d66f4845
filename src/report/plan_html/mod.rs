//! One self-contained HTML file per plan, for those who approve it: summary first, then when, how, on what, and what is
//! left alone. No script is needed, and whatever there is thousands of is counted, cut and told.

mod lists;
mod procedure;
mod summary;
mod timeline;
mod waves;

use std::fmt::{Display, Write as _};

use jiff::Timestamp;

use super::html::escape;
use super::plan_text::{cell, count};
use crate::model::Digest;
use crate::plan::{HostPlan, Plan, StepKind};

use procedure::Procedures;

const STYLE: &str = include_str!("plan.css");

/// Rows of one list. More cannot be read, and a page of thousands of hosts must still open on a phone.
const MAX_ROWS: usize = 200;

/// The page of a plan.
pub fn plan_html(plan: &Plan, id: &Digest) -> String {
    let mut page = Page::default();
    let title = format!("Plan {}", id.short());
    page.put(format_args!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main>\n<h1>{title}</h1>\n",
    ));
    let procedures = Procedures::of(plan);
    summary::summary(&mut page, plan);
    timeline::timeline(&mut page, plan);
    waves::waves(&mut page, plan, &procedures);
    waves::cohorts(&mut page, plan, &procedures);
    procedures.draw(&mut page);
    lists::limits(&mut page, plan);
    lists::findings(&mut page, plan);
    lists::deadlines(&mut page, plan);
    lists::left_alone(&mut page, plan);
    lists::blocked(&mut page, plan);
    lists::notes(&mut page, plan);
    lists::origin(&mut page, plan, id);
    page.put(format_args!("</main></body></html>\n"));
    page.0
}

/// A page being written.
#[derive(Default)]
struct Page(String);

impl Page {
    /// Writing to a String cannot fail.
    fn put(&mut self, what: std::fmt::Arguments<'_>) {
        let _ = self.0.write_fmt(what);
    }

    fn heading(&mut self, text: &str) {
        self.put(format_args!("<h2>{text}</h2>\n"));
    }

    /// A table that scrolls by itself where it is too wide; titles are ours, cells are HTML.
    fn table(&mut self, titles: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        self.put(format_args!("<div class=\"scroll\"><table><thead><tr>"));
        for title in titles {
            self.put(format_args!("<th scope=\"col\">{title}</th>"));
        }
        self.put(format_args!("</tr></thead><tbody>\n"));
        for row in rows {
            self.put(format_args!("<tr>"));
            for (at, cell) in row.iter().enumerate() {
                match titles.get(at).filter(|_| at > 0) {
                    None => self.put(format_args!("<th scope=\"row\">{cell}</th>")),
                    // Narrow screens show a row as a card: each cell with its title.
                    Some(title) => self.put(format_args!("<td data-title=\"{title}\"><div>{cell}</div></td>")),
                }
            }
            self.put(format_args!("</tr>\n"));
        }
        self.put(format_args!("</tbody></table></div>\n"));
    }

    /// Says how much of a list is not shown.
    fn cut(&mut self, all: usize, what: &str) {
        if all > MAX_ROWS {
            let more = count(all - MAX_ROWS, what);
            self.put(format_args!(
                "<p class=\"cut\">{more} more {are} in the plan and not on this page; \
                 <code>switchback show PLAN --format json</code> has all.</p>\n",
                are = if all == MAX_ROWS + 1 { "is" } else { "are" },
            ));
        }
    }
}

/// Text from anywhere, as HTML and not too long.
fn text(from: impl Display) -> String {
    escape(&cell(from))
}

/// `Sat 28 Nov 2026 21:00 UTC`.
fn when(at: Timestamp) -> String {
    at.strftime("%a %-d %b %Y %H:%M UTC").to_string()
}

/// Names in a line, the first of many.
fn names<T: Display>(names: impl ExactSizeIterator<Item = T>, most: usize) -> String {
    let all = names.len();
    let mut line = names.take(most).map(text).collect::<Vec<_>>().join(", ");
    if all > most {
        line.push_str(&format!(" and {} more", all - most));
    }
    line
}

/// Whether nothing can take back what is done to the host.
fn has_no_way_back(host: &HostPlan) -> bool {
    host.without_backup
        || host.steps.iter().any(|step| step.on.is_none() && step.kind == StepKind::Fix && step.undo.is_empty())
}
