//! What pages for people have in common: one self-contained file that needs no script.

use std::fmt::{Display, Write as _};

use jiff::Timestamp;

use super::plan_text::{cell, count};

const STYLE: &str = include_str!("page.css");

/// Rows of one list. More cannot be read, and a page of thousands of hosts must still open on a phone.
pub(super) const MAX_ROWS: usize = 200;

/// A page being written.
pub(super) struct Page(String);

impl Page {
    /// A page with this title, which is ours.
    pub(super) fn titled(title: &str) -> Self {
        let mut page = Self(String::new());
        page.put(format_args!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{title}</title><style>{STYLE}</style></head><body><main>\n<h1>{title}</h1>\n",
        ));
        page
    }

    /// A part of a page, such as a cell.
    pub(super) const fn part() -> Self {
        Self(String::new())
    }

    /// The part.
    pub(super) fn into_text(self) -> String {
        self.0
    }

    /// The whole of it.
    pub(super) fn end(mut self) -> String {
        self.put(format_args!("</main></body></html>\n"));
        self.0
    }

    /// Writing to a String cannot fail.
    pub(super) fn put(&mut self, what: std::fmt::Arguments<'_>) {
        let _ = self.0.write_fmt(what);
    }

    /// A script of ours: the page is whole without it.
    pub(super) fn script(&mut self, script: &str) {
        self.put(format_args!("<script>\n{script}</script>\n"));
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.put(format_args!("<h2>{text}</h2>\n"));
    }

    /// A table that scrolls by itself where it is too wide; titles are ours, cells are HTML.
    pub(super) fn table<C: Into<Shown>>(&mut self, titles: &[&str], rows: impl IntoIterator<Item = Vec<C>>) {
        self.put(format_args!("<div class=\"scroll\"><table><thead><tr>"));
        for title in titles {
            self.put(format_args!("<th scope=\"col\">{title}</th>"));
        }
        self.put(format_args!("</tr></thead><tbody>\n"));
        for row in rows {
            self.put(format_args!("<tr>"));
            for (at, cell) in row.into_iter().enumerate() {
                let Shown { html, rank } = cell.into();
                let rank = rank.map_or_else(String::new, |rank| format!(" data-n=\"{rank}\""));
                match titles.get(at).filter(|_| at > 0) {
                    None => self.put(format_args!("<th scope=\"row\"{rank}>{html}</th>")),
                    // Narrow screens show a row as a card: each cell with its title.
                    Some(title) => self.put(format_args!("<td data-title=\"{title}\"{rank}><div>{html}</div></td>")),
                }
            }
            self.put(format_args!("</tr>\n"));
        }
        self.put(format_args!("</tbody></table></div>\n"));
    }

    /// Says how much of a list of a plan is not shown.
    pub(super) fn cut(&mut self, all: usize, what: &str) {
        self.cut_to(all, what, "the plan", "switchback show PLAN");
    }

    /// Says how much of a list of a campaign is not shown.
    pub(super) fn cut_of_campaign(&mut self, all: usize, what: &str) {
        self.cut_to(all, what, "the report", "switchback report");
    }

    fn cut_to(&mut self, all: usize, what: &str, of: &str, command: &str) {
        if all > MAX_ROWS {
            let more = count(all - MAX_ROWS, what);
            self.put(format_args!(
                "<p class=\"cut\">{more} more {are} in {of} and not on this page; \
                 <code>{command} --format json</code> has all.</p>\n",
                are = if all == MAX_ROWS + 1 { "is" } else { "are" },
            ));
        }
    }
}

/// Text from anywhere, as HTML and not too long.
pub(super) fn text(from: impl Display) -> String {
    escape(&cell(from))
}

/// `Sat 28 Nov 2026 21:00 UTC`.
pub(super) fn when(at: Timestamp) -> String {
    at.strftime("%a %-d %b %Y %H:%M UTC").to_string()
}

/// A cell of a table, and the number by which it is sorted where its text would mislead.
pub(super) struct Shown {
    html: String,
    rank: Option<u64>,
}

impl Shown {
    pub fn ranked(rank: u64, html: impl Display) -> Self {
        Self { html: html.to_string(), rank: Some(rank) }
    }
}

impl From<String> for Shown {
    fn from(html: String) -> Self {
        Self { html, rank: None }
    }
}

/// Names in a line, the first of many.
pub(super) fn names<T: Display>(names: impl ExactSizeIterator<Item = T>, most: usize) -> String {
    let all = names.len();
    let mut line = names.take(most).map(text).collect::<Vec<_>>().join(", ");
    if all > most {
        line.push_str(&format!(" and {} more", all - most));
    }
    line
}

/// Text in HTML, safe in elements and quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('\n'),
            c if crate::model::is_unprintable(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn markup_and_escapes_of_hosts_are_text() {
        assert_eq!(escape("<script>'\"&\u{1b}[2J"), "&lt;script&gt;&#39;&quot;&amp;\u{fffd}[2J");
    }
}
