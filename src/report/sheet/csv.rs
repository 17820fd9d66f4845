//! CSV that no spreadsheet takes for formulas.

use std::io::{self, Write};

use super::{Cell, Column};

/// What a spreadsheet may take for the beginning of a formula, as OWASP lists it ("CSV Injection"), with the wide forms
/// that some take for the same.
const STARTS_A_FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// A CSV file being written, as RFC 4180 has it.
pub(super) struct Csv<'a> {
    writer: csv::Writer<&'a mut (dyn Write + Send)>,
}

impl<'a> Csv<'a> {
    pub fn begin(columns: &[Column], out: &'a mut (dyn Write + Send)) -> io::Result<Self> {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        writer.write_record(columns.iter().map(|column| column.title))?;
        Ok(Self { writer })
    }

    pub fn row(&mut self, cells: &[Cell]) -> io::Result<()> {
        Ok(self.writer.write_record(cells.iter().map(text))?)
    }

    pub fn end(mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(text) => guarded(text),
        Cell::Number(number) => number.to_string(),
        Cell::Time(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }
}

/// Text that begins like a formula gets a quote in front, as a person who types it would do.
pub(super) fn guarded(text: &str) -> String {
    if text.starts_with(STARTS_A_FORMULA) { format!("'{text}") } else { text.to_owned() }
}
