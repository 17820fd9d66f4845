//! Tables of separated values from outside: the header found, columns by name, rows within bounds.

use std::borrow::Cow;
use std::collections::BTreeMap;

use csv::ByteRecord;

use super::error::IntakeError;
use super::format::Input;
use super::peek::Peek;
use super::row::{Sink, reason};
use super::xml::windows_1252;

/// What may stand between two cells.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
/// The header stands within so many records: reports begin with who made them and when.
const MAX_PREAMBLE: usize = 20;
/// No table has more columns.
const MAX_COLUMNS: usize = 1000;
/// No report has more rows.
const MAX_ROWS: u64 = 5_000_000;
/// A row is not larger: a quote that is never closed would make the rest of the file one cell.
const MAX_ROW: usize = 16 << 20;

/// The columns that a format needs: any of the names of each.
pub(super) type Needs = &'static [&'static [&'static str]];

/// A table, at its first row.
pub(super) struct Table<'a> {
    name: &'a str,
    reader: csv::Reader<&'a [u8]>,
    columns: Columns,
    record: ByteRecord,
    rows: u64,
}

/// Where each column is, by its name in lower case.
#[derive(Clone, Debug, Default)]
struct Columns {
    by_name: BTreeMap<String, usize>,
    count: usize,
}

/// A row of a table.
#[derive(Clone, Copy)]
pub(super) struct Cells<'t> {
    columns: &'t Columns,
    record: &'t ByteRecord,
}

/// Whether the first lines have a header with these columns and none that another format is known by.
pub(super) fn has_columns(peek: &Peek, needs: Needs) -> bool {
    let Peek::Text(lines) = peek else { return false };
    let text = lines.join("\n");
    DELIMITERS.iter().any(|&delimiter| find_header(text.as_bytes(), delimiter, needs).is_some())
}

fn reader(bytes: &[u8], delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(bytes)
}

/// The header, and how many records stand in front of it.
fn find_header(bytes: &[u8], delimiter: u8, needs: Needs) -> Option<(Columns, usize)> {
    // The header is near the beginning, whatever quote is left open there.
    let head = &bytes[..bytes.len().min(1 << 20)];
    let mut reader = reader(head, delimiter);
    let mut record = ByteRecord::new();
    for before in 0..MAX_PREAMBLE {
        if !reader.read_byte_record(&mut record).ok()? {
            break;
        }
        let columns = Columns::of(&record);
        if needs.iter().all(|names| names.iter().any(|name| columns.by_name.contains_key(*name))) {
            return Some((columns, before));
        }
    }
    None
}

impl Columns {
    fn of(record: &ByteRecord) -> Self {
        let mut by_name = BTreeMap::new();
        for (index, cell) in record.iter().enumerate().take(MAX_COLUMNS) {
            let name = text(cell).split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
            by_name.entry(name).or_insert(index);
        }
        Self { by_name, count: record.len() }
    }
}

/// A cell that is not UTF-8 comes from a spreadsheet.
fn text(cell: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(cell).map_or_else(|_| Cow::Owned(windows_1252(cell)), Cow::Borrowed)
}

impl<'a> Table<'a> {
    /// Finds the header with these columns.
    pub(super) fn open(input: &Input<'a>, needs: Needs) -> Result<Self, IntakeError> {
        let Input { name, bytes, .. } = *input;
        let found = DELIMITERS.iter().find_map(|&delimiter| Some((delimiter, find_header(bytes, delimiter, needs)?)));
        let Some((delimiter, (columns, before))) = found else {
            let names = needs.iter().map(|names| format!("`{}`", names[0])).collect::<Vec<_>>().join(", ");
            let message = format!("no header with the columns {names} within the first {MAX_PREAMBLE} rows");
            return Err(IntakeError::new("invalid-table", name, message)
                .at(1, 1)
                .help("cells are separated by `,`, `;` or tabs; export the report again with its header"));
        };
        let mut reader = reader(bytes, delimiter);
        let mut record = ByteRecord::new();
        for _ in 0..=before {
            reader.read_byte_record(&mut record).map_err(|error| broken(name, &error))?;
        }
        if columns.count > MAX_COLUMNS {
            let message = format!("the table has {} columns; more than {MAX_COLUMNS} are not read", columns.count);
            return Err(IntakeError::new("invalid-table", name, message).at(line(&record), 1));
        }
        Ok(Self { name, reader, columns, record, rows: 0 })
    }

    /// The next row. Rows with other cells than the header are left out.
    pub(super) fn next(&mut self, sink: &mut Sink) -> Result<Option<Cells<'_>>, IntakeError> {
        loop {
            if !self.reader.read_byte_record(&mut self.record).map_err(|error| broken(self.name, &error))? {
                return Ok(None);
            }
            self.rows += 1;
            let too_large = |message: String| {
                let error = IntakeError::new("invalid-table", self.name, message).at(line(&self.record), 1);
                Err(error.help("is a quote never closed?"))
            };
            if self.rows > MAX_ROWS {
                return too_large(format!("more than {MAX_ROWS} rows"));
            }
            if self.record.as_slice().len() > MAX_ROW {
                return too_large(format!("a row of more than {} MiB", MAX_ROW >> 20));
            }
            let cells = self.record.iter();
            if cells.clone().all(|cell| cell.trim_ascii().is_empty()) {
                continue;
            }
            let count = self.columns.count;
            let beyond_is_empty = cells.skip(count).all(|cell| cell.trim_ascii().is_empty());
            if self.record.len() >= count && beyond_is_empty {
                break;
            }
            sink.leave_out(reason::RAGGED, 1);
        }
        Ok(Some(Cells { columns: &self.columns, record: &self.record }))
    }

    /// Whether there is a column of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.columns.by_name.contains_key(name)
    }
}

fn line(record: &ByteRecord) -> usize {
    record.position().map_or(1, |position| usize::try_from(position.line()).unwrap_or(usize::MAX))
}

fn broken(name: &str, error: &csv::Error) -> IntakeError {
    let line = error.position().map_or(1, |position| usize::try_from(position.line()).unwrap_or(usize::MAX));
    IntakeError::new("invalid-table", name, "a row that cannot be read").at(line, 1)
}

impl<'t> Cells<'t> {
    /// The cell of the first of these columns that is there and says anything; names are in lower case. What says that
    /// nothing is known (`-`, `N/A`) says nothing.
    pub(super) fn get(&self, names: &[&str]) -> Cow<'t, str> {
        for name in names {
            let cell = self.columns.by_name.get(*name).and_then(|&index| self.record.get(index));
            let Some(cell) = cell.map(text) else { continue };
            let shown = unquoted(cell.trim());
            if !is_nothing(shown) {
                // Only a part of an owned text needs a copy.
                return match &cell {
                    Cow::Borrowed(text) => Cow::Borrowed(unquoted(text.trim())),
                    Cow::Owned(_) => Cow::Owned(shown.to_owned()),
                };
            }
        }
        Cow::Borrowed("")
    }
}

/// Exports put an apostrophe before what a spreadsheet would take for a formula.
fn unquoted(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['-', '+', '=', '@', '\n', '\r', '\t']) => rest.trim(),
        _ => text,
    }
}

fn is_nothing(text: &str) -> bool {
    text.is_empty() || ["-", "n/a", "none", "null"].iter().any(|nothing| text.eq_ignore_ascii_case(nothing))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;
    use proptest::prelude::*;

    const NEEDS: Needs = &[&["id", "plugin id"], &["host"]];

    fn read(bytes: &[u8]) -> Result<(Vec<String>, Sink), IntakeError> {
        let mut table = Table::open(&Input { name: "f", bytes, given: None }, NEEDS)?;
        let mut sink = Sink::default();
        let mut rows = Vec::new();
        while let Some(cells) = table.next(&mut sink)? {
            rows.push(format!("{}|{}|{}", cells.get(&["id", "plugin id"]), cells.get(&["host"]), cells.get(&["text"])));
        }
        Ok((rows, sink))
    }

    #[test]
    fn the_delimiter_and_the_header_are_found() {
        for text in [
            "Plugin ID,Host,Text\n1,a,x\n",
            "plugin  id;HOST;text\r\n1;a;x\r\n",
            "ID\t\"Host\"\tText\n1\ta\tx",
            "\"Report\",\"of today\"\n\n\"by me\"\nText,Host,Id\nx,a,1,\n\n , ,\n",
        ] {
            let (rows, sink) = read(text.as_bytes()).unwrap();
            assert_eq!((rows, sink.read), (vec!["1|a|x".to_owned()], 0), "{text:?}");
            assert!(has_columns(&Peek::at("f", text.as_bytes()).unwrap(), NEEDS), "{text:?}");
        }
    }

    #[test]
    fn cells_may_have_lines_and_foreign_letters() {
        let (rows, _) = read(b"id,host,text\n1,M\xfcller,\"x\n\"\"y\"\", z\"\n2,b,'-\n3,c,'=cmd\n").unwrap();
        assert_eq!(rows, ["1|Müller|x\n\"y\", z", "2|b|", "3|c|=cmd"]);
    }

    #[test]
    fn rows_of_another_shape_are_left_out() {
        let (rows, sink) = read(b"id,host,text\n1,a\n2,b,x,more\n3,c,y\n").unwrap();
        assert_eq!(rows, ["3|c|y"]);
        assert_eq!(sink.left_out, [(reason::RAGGED.to_owned(), 2)].into());
    }

    #[test]
    fn what_is_refused_is_named_with_its_place() {
        let error = read(b"a,b\n1,2\n").map(|(rows, _)| rows).unwrap_err();
        assert_eq!((error.code, error.place), ("invalid-table", Some((1, 1))));
        let endless = format!("id,host,text\n1,a,x\n2,b,\"{}", "x\n".repeat(MAX_ROW / 2 + 1));
        let error = read(endless.as_bytes()).map(|(rows, _)| rows).unwrap_err();
        assert_eq!((error.code, error.place), ("invalid-table", Some((3, 1))));
        assert!(error.message.contains("16 MiB"), "{error}");
        let wide = format!("id,host{}\n", ",x".repeat(MAX_COLUMNS));
        let error = read(wide.as_bytes()).map(|(rows, _)| rows).unwrap_err();
        assert!(error.message.contains("1000"), "{error}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            cells in prop::collection::vec(prop::collection::vec("[a-z0-9 ,;\"\n]{1,8}", 3), 1..8),
            delimiter in prop::sample::select(DELIMITERS.to_vec()),
        ) {
            let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
            writer.write_record(["ID", "Host", "Text"]).unwrap();
            for row in &cells {
                writer.write_record(row).unwrap();
            }
            let (rows, sink) = read(&writer.into_inner().unwrap()).unwrap();
            let shown = |cell: &String| if is_nothing(cell.trim()) { String::new() } else { cell.trim().to_owned() };
            let expected: Vec<String> = cells
                .iter()
                .filter(|row| row.iter().any(|cell| !cell.trim().is_empty()))
                .map(|row| row.iter().map(shown).collect::<Vec<_>>().join("|"))
                .collect();
            prop_assert_eq!((rows, sink.read), (expected, 0));
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
            let _ = read(&[b"id,host\n".as_slice(), &bytes].concat());
        }
    }
}
