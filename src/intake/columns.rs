//! Tables with a header, as consoles export them: columns are known by any of their names, in any order.

use std::collections::BTreeMap;

use super::error::IntakeError;
use super::format::Input;
use super::peek::Peek;

/// No export has more records, and no header more columns.
const MAX_RECORDS: u64 = 5_000_000;
const MAX_COLUMNS: usize = 1000;

/// Names of columns without case, spaces and signs: `Host Name`, `host_name` and `hostName` are one.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(80).collect()
}

/// What stands between cells: whatever the header has most of outside of quotes.
fn delimiter(header: &str) -> u8 {
    let mut quoted = false;
    let mut plain = Vec::new();
    for byte in header.bytes() {
        quoted ^= byte == b'"';
        if !quoted {
            plain.push(byte);
        }
    }
    let count = |delimiter: u8| plain.iter().filter(|b| **b == delimiter).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|d| count(*d)).unwrap_or(b',')
}

/// The names of the columns, as they are looked for.
pub(super) fn header(peek: &Peek) -> Vec<String> {
    let Peek::Text(lines) = peek else { return Vec::new() };
    let Some(line) = lines.iter().find(|line| !line.trim().is_empty()) else { return Vec::new() };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter(line))
        .flexible(true)
        .from_reader(line.as_bytes());
    let cells = reader.records().next().and_then(Result::ok).unwrap_or_default();
    cells.iter().take(MAX_COLUMNS).map(plain).collect()
}

/// Whether the header has all these columns, each by one of its names.
pub(super) fn has(header: &[String], columns: &[&[&str]]) -> bool {
    columns.iter().all(|names| names.iter().any(|name| header.iter().any(|cell| *cell == plain(name))))
}

/// One record.
#[derive(Debug)]
pub(super) struct Record<'r> {
    columns: &'r BTreeMap<String, usize>,
    cells: &'r csv::StringRecord,
}

impl<'r> Record<'r> {
    /// The cell under the first of these names that says something.
    pub(super) fn get(&self, names: &[&str]) -> &'r str {
        let cell = |name: &&str| self.columns.get(&plain(name)).and_then(|column| self.cells.get(*column));
        names.iter().filter_map(cell).map(str::trim).find(|cell| !cell.is_empty()).unwrap_or_default()
    }
}

/// Reads a table.
pub(super) fn records(input: &Input<'_>, mut take: impl FnMut(&Record<'_>)) -> Result<(), IntakeError> {
    let first = input.bytes.split(|b| *b == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let delimiter = delimiter(&String::from_utf8_lossy(&first[..first.len().min(64 << 10)]));
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(input.bytes);
    let wrong = |error: &csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        let message = match error.kind() {
            csv::ErrorKind::Utf8 { .. } => "the record is not UTF-8".to_owned(),
            _ => error.to_string(),
        };
        IntakeError::new("invalid-report", input.name, message)
            .at(usize::try_from(line).unwrap_or(usize::MAX).max(1), 1)
            .help("export it again as CSV in UTF-8")
    };
    let header = reader.headers().map_err(|error| wrong(&error))?;
    // The first of two columns of one name counts.
    let mut columns = BTreeMap::new();
    for (column, name) in header.iter().enumerate().take(MAX_COLUMNS) {
        columns.entry(plain(name)).or_insert(column);
    }
    let mut cells = csv::StringRecord::new();
    let mut read = 0;
    while reader.read_record(&mut cells).map_err(|error| wrong(&error))? {
        read += 1;
        if read > MAX_RECORDS {
            return Err(IntakeError::new("invalid-report", input.name, format!("more than {MAX_RECORDS} records"))
                .help("split it: one file per host"));
        }
        take(&Record { columns: &columns, cells: &cells });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    fn read(text: &[u8]) -> Result<Vec<String>, IntakeError> {
        let mut rows = Vec::new();
        let input = Input { name: "t.csv", bytes: text, given: None };
        records(&input, |record| rows.push(format!("{}/{}", record.get(&["host name"]), record.get(&["x", "IP"]))))?;
        Ok(rows)
    }

    #[test]
    fn columns_are_known_by_their_names_behind_any_delimiter() {
        assert_eq!(read(b"ip,Host_Name\r\n10.0.0.1,\"a,b\"\r\n").unwrap(), ["a,b/10.0.0.1"]);
        assert_eq!(read(b"hostName;ip\n\"x;y\";1\nshort\n").unwrap(), ["x;y/1", "short/"]);
        assert_eq!(read(b"HOST NAME\tip\na\t1\textra\n").unwrap(), ["a/1"]);
        assert_eq!(read(b"").unwrap(), Vec::<String>::new());
        let peek = Peek::at("t", b"\"Host, Name\";IP\n").unwrap();
        assert!(has(&header(&peek), &[&["hostname"], &["address", "ip"]]) && !has(&header(&peek), &[&["mac"]]));
    }

    #[test]
    fn what_is_not_text_is_told_with_its_line() {
        let error = read(b"host name,ip\na,1\n\xff\xfe,2\n").unwrap_err();
        assert_eq!((error.code, error.place), ("invalid-report", Some((3, 1))), "{error}");
    }
}
