//! Excel workbooks: text stays text, times are dates, the first row stays in sight and filters.

use std::io::{self, Write};

use jiff::Timestamp;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, XlsxError};

use super::{Cell, Column};

/// How many rows a sheet holds, its first included; what is more goes to another sheet.
pub(super) const MAX_ROWS: u32 = 1_048_576;

/// A workbook being written; its rows wait in a file without a name.
pub(super) struct Xlsx<'a> {
    workbook: Workbook,
    columns: Vec<Column>,
    title: String,
    sheets: usize,
    /// The next of the sheet.
    row: u32,
    max_rows: u32,
    date: Format,
    out: &'a mut (dyn Write + Send),
}

impl<'a> Xlsx<'a> {
    pub fn begin(
        columns: Vec<Column>,
        title: &str,
        made: Timestamp,
        out: &'a mut (dyn Write + Send),
    ) -> io::Result<Self> {
        Self::with_sheets_of(MAX_ROWS, columns, title, made, out)
    }

    pub(super) fn with_sheets_of(
        max_rows: u32,
        columns: Vec<Column>,
        title: &str,
        made: Timestamp,
        out: &'a mut (dyn Write + Send),
    ) -> io::Result<Self> {
        let mut workbook = Workbook::new();
        let made = ExcelDateTime::from_timestamp(made.as_second()).map_err(failed)?;
        workbook.set_properties(&DocProperties::new().set_title(title).set_creation_datetime(&made));
        let date = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
        let mut xlsx = Self { workbook, columns, title: title.to_owned(), sheets: 0, row: 0, max_rows, date, out };
        xlsx.begin_sheet()?;
        Ok(xlsx)
    }

    pub fn row(&mut self, cells: &[Cell]) -> io::Result<()> {
        if self.row == self.max_rows {
            self.end_sheet()?;
            self.begin_sheet()?;
        }
        let sheet = self.workbook.worksheet_from_index(self.sheets - 1).map_err(failed)?;
        for (column, cell) in (0..).zip(cells) {
            let written = match cell {
                Cell::Empty => continue,
                Cell::Text(text) => sheet.write_string(self.row, column, text),
                Cell::Number(number) => sheet.write_number(self.row, column, *number),
                Cell::Time(time) => match ExcelDateTime::from_timestamp(time.as_second()) {
                    Ok(date) => sheet.write_datetime_with_format(self.row, column, &date, &self.date),
                    // A year that no spreadsheet knows.
                    Err(_) => sheet.write_string(self.row, column, time.to_string()),
                },
            };
            written.map_err(failed)?;
        }
        self.row += 1;
        Ok(())
    }

    pub fn end(mut self) -> io::Result<()> {
        self.end_sheet()?;
        let mut out = self.out;
        self.workbook.save_to_writer(&mut out).map_err(failed)?;
        out.flush()
    }

    fn begin_sheet(&mut self) -> io::Result<()> {
        self.sheets += 1;
        let bold = Format::new().set_bold();
        let name = if self.sheets == 1 { self.title.clone() } else { format!("{} {}", self.title, self.sheets) };
        let sheet = self.workbook.add_worksheet_with_constant_memory().map_err(failed)?;
        sheet.set_name(name).and_then(|sheet| sheet.set_freeze_panes(1, 0)).map_err(failed)?;
        for (index, column) in (0..).zip(&self.columns) {
            sheet.set_column_width(index, column.width).map_err(failed)?;
            sheet.write_string_with_format(0, index, column.title, &bold).map_err(failed)?;
        }
        self.row = 1;
        Ok(())
    }

    fn end_sheet(&mut self) -> io::Result<()> {
        let last = u16::try_from(self.columns.len().saturating_sub(1)).unwrap_or(u16::MAX);
        let sheet = self.workbook.worksheet_from_index(self.sheets - 1).map_err(failed)?;
        sheet.autofilter(0, 0, self.row - 1, last).map(drop).map_err(failed)
    }
}

fn failed(error: XlsxError) -> io::Error {
    match error {
        XlsxError::IoError(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
