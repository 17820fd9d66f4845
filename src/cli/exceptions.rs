//! `switchback exceptions`: who accepts what until when, from and to the ignore files of scanners.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::intake::{IgnoreFile, read_ignore_file};
use crate::model::printable;
use crate::policy::{ExceptionKind, ExceptionView, ExportFormat, ImportOptions, Policy, expiry, import_exceptions};

use super::args::{Exceptions, ExceptionsExport, ExceptionsImport, ExceptionsList, Format, IgnoreFormat, ImportKind};
use super::error::CommandError;
use super::exit::Exit;
use super::inputs::{load_policy, settle};
use super::printer::Printer;

pub(super) fn run(args: &Exceptions, printer: Printer) -> Result<Exit, CommandError> {
    match args {
        Exceptions::List(args) => list(args, printer),
        Exceptions::Import(args) => import(args, printer),
        Exceptions::Export(args) => export(args, printer),
    }
}

fn policy(paths: &[PathBuf], printer: Printer) -> Result<Policy, CommandError> {
    let mut diagnostics = Diagnostics::default();
    let policy = load_policy(paths, &mut diagnostics);
    settle(diagnostics, false, printer)?;
    policy.ok_or_else(|| CommandError::new(Exit::InvalidInput, "policies cannot be read"))
}

fn list(args: &ExceptionsList, printer: Printer) -> Result<Exit, CommandError> {
    let policy = policy(&args.policies, printer)?;
    let exceptions = policy.exceptions(args.as_of.unwrap_or_else(crate::env::now));
    match args.format {
        Format::Json => printer.json(&exceptions)?,
        Format::Table => printer.data(&table(&exceptions))?,
    }
    let (documents, statements, _) = policy.vex_matches(std::iter::empty());
    if documents > 0 {
        printer.talk(format!("beside them: {statements} statements in {documents} VEX documents"));
    }
    Ok(Exit::Ok)
}

fn table(exceptions: &[ExceptionView]) -> String {
    let mut rows = vec![["NAME", "KIND", "STATE", "DAYS LEFT", "EXPIRES", "OWNER", "SOURCE"].map(str::to_owned)];
    rows.extend(exceptions.iter().map(|exception| {
        [
            exception.name.to_string(),
            exception.kind.as_str().to_owned(),
            exception.state.as_str().to_owned(),
            exception.days_left.map_or_else(|| "-".to_owned(), |days| days.to_string()),
            exception.expires.clone(),
            exception.owner.clone(),
            exception.source.to_string(),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{:<width$}", printable(cell, 300)));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}

fn import(args: &ExceptionsImport, printer: Printer) -> Result<Exit, CommandError> {
    let as_of = args.as_of.unwrap_or_else(crate::env::now);
    let usage = |message: String, hint: &str| Err(CommandError::new(Exit::Usage, message).hint(hint));
    let shown = printable(&args.expires, 60);
    let expires = match expiry(&args.expires) {
        Some(expires) if expires > as_of => expires,
        Some(_) => return usage(format!("--expires {shown} has passed"), "give a day in the future"),
        None => return usage(format!("--expires {shown} is not a date"), "write a day such as 2027-03-01"),
    };
    if args.owner.trim().is_empty() {
        return usage("--owner is empty".to_owned(), "an exception belongs to somebody");
    }
    let reason = args.reason.clone().filter(|reason| !reason.trim().is_empty()).map(|reason| printable(&reason, 280));
    let mut files: Vec<IgnoreFile> = Vec::new();
    let mut problems: Vec<Diagnostic> = Vec::new();
    for path in &args.files {
        match read_ignore_file(path) {
            Ok(file) => files.push(file),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(CommandError::invalid(problems));
    }
    let kind = match args.kind {
        ImportKind::Whitelist => ExceptionKind::Whitelist,
        ImportKind::Ignore => ExceptionKind::Ignore,
    };
    let options = ImportOptions { owner: printable(args.owner.trim(), 80), expires, reason, kind, as_of };
    let imported = import_exceptions(&files, &options);
    printer.data(&imported.policy)?;
    for entry in &imported.left_out {
        printer
            .talk(format!("{}:{}: {} is not imported: {}", entry.place.file, entry.place.line, entry.what, entry.why));
    }
    printer.talk(format!("{} exceptions, {} entries not imported", imported.exceptions, imported.left_out.len()));
    Ok(Exit::Ok)
}

fn export(args: &ExceptionsExport, printer: Printer) -> Result<Exit, CommandError> {
    let policy = policy(&args.policies, printer)?;
    let format = match args.format {
        IgnoreFormat::Trivyignore => ExportFormat::TrivyIgnore,
        IgnoreFormat::Grype => ExportFormat::Grype,
        IgnoreFormat::OsvScanner => ExportFormat::OsvScanner,
        IgnoreFormat::CargoAudit => ExportFormat::CargoAudit,
    };
    let exported = policy.export_whitelist(format, args.as_of.unwrap_or_else(crate::env::now));
    printer.data(&exported.text)?;
    exported.notes.iter().for_each(|note| printer.talk(note));
    printer.talk(format!("{} exceptions written", exported.written));
    Ok(Exit::Ok)
}
