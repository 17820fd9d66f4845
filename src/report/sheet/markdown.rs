//! A table in Markdown, as GitHub has it.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::{Cell, Column};

/// What would end the cell, or be markup or HTML.
const MARKUP: [char; 10] = ['\\', '|', '`', '*', '_', '[', ']', '<', '>', '~'];

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
        Cell::Text(text) => escaped(text),
        Cell::Number(number) => number.to_string(),
        Cell::Time(time) => time.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
    }
}

/// Text that is shown as it is. What begins a mention of a person or an issue, which no backslash stops, and what begins
/// an entity are entities.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Writing to a String cannot fail.
            '@' | '#' | '&' => drop(write!(out, "&#{};", u32::from(c))),
            c if MARKUP.contains(&c) => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}
