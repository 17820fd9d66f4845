//! A table in Markdown, as GitHub has it.

use std::io::{self, Write};

use super::super::markdown::escaped;
use super::{Cell, Column};

/// A table being written.
pub(super) struct Markdown<'a> {
    out: &'a mut (dyn Write + Send),
}

impl<'a> Markdown<'a> {
    pub fn begin(columns: &[Column], out: &'a mut (dyn Write + Send)) -> io::Result<Self> {
        let titles: Vec<&str> = columns.iter().map(|column| column.title).collect();
        writeln!(out, "| {} |", titles.join(" | "))?;
        writeln!(out, "|{}", "---|".repeat(columns.len()))?;
        Ok(Self { out })
    }

    pub fn row(&mut self, cells: &[Cell]) -> io::Result<()> {
        let cells: Vec<String> = cells.iter().map(text).collect();
        writeln!(self.out, "| {} |", cells.join(" | "))
    }

    pub fn end(self) -> io::Result<()> {
        self.out.flush()
    }
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(text) => escaped(text, usize::MAX),
        Cell::Number(number) => number.to_string(),
        Cell::Time(time) => time.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
    }
}
