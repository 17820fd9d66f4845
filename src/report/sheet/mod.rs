//! Rows for spreadsheets and documents: what is exported says its columns, a format says how a cell is written.

mod csv;
mod json;
mod markdown;
#[cfg(test)]
mod tests;
mod xlsx;

use std::io::{self, Write};

use jiff::Timestamp;

use crate::model::printable;

pub(crate) use json::escape_json;

/// No text of a cell is longer: spreadsheets take 32,767 units of UTF-16, of which a character has at most two.
const MAX_TEXT: usize = 8_000;

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name, as in the first row.
    pub title: &'static str,
    /// About how many characters are to be seen of it.
    pub width: u16,
}

impl Column {
    pub(super) const fn new(title: &'static str, width: u16) -> Self {
        Self { title, width }
    }
}

/// What stands in a cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// One line of text, never a formula.
    Text(String),
    /// A number, not below zero.
    Number(f64),
    /// An instant, in UTC.
    Time(Timestamp),
}

impl Cell {
    /// Text from anywhere as one printable line; nothing where it is empty.
    pub fn text(text: impl AsRef<str>) -> Self {
        let line: String = text.as_ref().chars().map(|c| if c.is_ascii_whitespace() { ' ' } else { c }).collect();
        if line.is_empty() { Self::Empty } else { Self::Text(printable(&line, MAX_TEXT)) }
    }

    /// How many.
    #[expect(clippy::cast_precision_loss, reason = "spreadsheets know no other numbers")]
    pub fn count(count: u64) -> Self {
        Self::Number(count as f64)
    }

    /// A time, if there is one.
    pub fn time(time: Option<Timestamp>) -> Self {
        time.map_or(Self::Empty, Self::Time)
    }
}

/// What can be exported, one a row.
pub trait Tabular: serde::Serialize {
    /// The columns.
    fn columns() -> Vec<Column>;

    /// One cell a column.
    fn cells(&self) -> Vec<Cell>;
}

/// What an export is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum SheetFormat {
    Json,
    Csv,
    Xlsx,
    Markdown,
}

/// An export being written, row by row: none is kept.
pub struct Sheet<'a> {
    kind: Kind<'a>,
}

enum Kind<'a> {
    Json(json::Json<'a>),
    // Much larger than the others.
    Csv(Box<csv::Csv<'a>>),
    Xlsx(Box<xlsx::Xlsx<'a>>),
    Markdown(markdown::Markdown<'a>),
}

impl<'a> Sheet<'a> {
    /// Begins an export of `T`. What it is called and when it was made is told by formats that have a place for that.
    pub fn begin<T: Tabular>(
        format: SheetFormat,
        title: &str,
        made: Timestamp,
        out: &'a mut (dyn Write + Send),
    ) -> io::Result<Self> {
        let columns = T::columns();
        let kind = match format {
            SheetFormat::Json => Kind::Json(json::Json::begin(out)),
            SheetFormat::Csv => Kind::Csv(Box::new(csv::Csv::begin(&columns, out)?)),
            SheetFormat::Xlsx => Kind::Xlsx(Box::new(xlsx::Xlsx::begin(columns, title, made, out)?)),
            SheetFormat::Markdown => Kind::Markdown(markdown::Markdown::begin(&columns, out)?),
        };
        Ok(Self { kind })
    }

    /// Writes a row.
    pub fn row<T: Tabular>(&mut self, row: &T) -> io::Result<()> {
        match &mut self.kind {
            Kind::Json(json) => json.row(row),
            Kind::Csv(csv) => csv.row(&row.cells()),
            Kind::Xlsx(xlsx) => xlsx.row(&row.cells()),
            Kind::Markdown(markdown) => markdown.row(&row.cells()),
        }
    }

    /// Writes what is left.
    pub fn end(self) -> io::Result<()> {
        match self.kind {
            Kind::Json(json) => json.end(),
            Kind::Csv(csv) => csv.end(),
            Kind::Xlsx(xlsx) => xlsx.end(),
            Kind::Markdown(markdown) => markdown.end(),
        }
    }
}

impl std::fmt::Debug for Sheet<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sheet").finish_non_exhaustive()
    }
}
