//! `switchback history`: what became of every vulnerability on every host, from the journals.

use std::io::{self, Write};

use crate::policy::Glob;
use crate::report::{HistorySummary, Sheet, SummaryLine, history_table};
use crate::store::{LedgerEntry, LedgerFilter, SqliteJournal, StoreError, ledger, ledger_campaigns};

use super::args::{Global, History, ListFormat};
use super::drive::{open, store_failed};
use super::error::CommandError;
use super::exit::Exit;
use super::output::Output;
use super::printer::Printer;

pub(super) fn run(args: &History, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let out = Output::new(args.output.as_deref(), args.format, printer)?;
    let mut book = Book { journal: open(global.state())?, filter: filter(args), printer };
    match args.by {
        Some(by) => {
            let mut summary = HistorySummary::new(by.into());
            book.each(|entries| {
                entries.iter().for_each(|entry| summary.add(entry));
                Ok(())
            })
            .map_err(read_failed)?;
            out.write(|out| write_summary(&summary, args.format, out))?;
        }
        None => {
            // What cannot be read comes out of there as what cannot be written.
            let mut failed = None;
            let written = out.write(|out| {
                write_entries(&mut book, args.format, out).or_else(|error| match error {
                    Stopped::Store(error) => {
                        failed = Some(error);
                        Err(io::Error::other("the journal cannot be read"))
                    }
                    Stopped::Io(error) => Err(error),
                })
            });
            if let Some(error) = failed {
                return Err(store_failed(&error));
            }
            written?;
        }
    }
    Ok(Exit::Ok)
}

fn filter(args: &History) -> LedgerFilter {
    LedgerFilter {
        campaign: args.campaign.clone(),
        host: args.host.as_deref().map(Glob::new),
        vulnerability: args.vulnerability.as_ref().map(ToString::to_string),
        package: args.package.as_ref().map(ToString::to_string),
        statuses: args.status.clone(),
        strategy: args.strategy.map(Into::into),
        operator: args.operator.clone(),
        since: args.since,
        until: args.until,
    }
}

/// Why not all entries came.
enum Stopped {
    Store(StoreError),
    Io(io::Error),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn read_failed(stopped: Stopped) -> CommandError {
    match stopped {
        Stopped::Store(error) => store_failed(&error),
        Stopped::Io(error) => CommandError::caused(Exit::Failed, "cannot read the history", &error),
    }
}

/// The entries that are wanted; those of one campaign at a time are in memory.
struct Book {
    journal: SqliteJournal,
    filter: LedgerFilter,
    printer: Printer,
}

impl Book {
    fn each(&mut self, mut take: impl FnMut(&[LedgerEntry]) -> io::Result<()>) -> Result<(), Stopped> {
        for campaign in ledger_campaigns(&mut self.journal, &self.filter).map_err(Stopped::Store)? {
            match ledger(&mut self.journal, &campaign.id, &self.filter) {
                Ok(entries) => take(&entries)?,
                // One of many that is broken, or that another program has made, must not hide the others.
                Err(error) if self.filter.campaign.is_none() => {
                    self.printer.talk(format!("warning: campaign {} is left out: {error}", campaign.id));
                }
                Err(error) => return Err(Stopped::Store(error)),
            }
        }
        Ok(())
    }
}

fn write_entries(book: &mut Book, format: ListFormat, out: &mut (dyn Write + Send)) -> Result<(), Stopped> {
    let Some(format) = format.sheet() else {
        let (mut found, mut campaigns) = (0, 0);
        book.each(|entries| {
            found += entries.len();
            campaigns += usize::from(!entries.is_empty());
            out.write_all(history_table(entries).as_bytes())
        })?;
        return Ok(writeln!(out, "{found} entries of {campaigns} campaigns")?);
    };
    let mut sheet = Sheet::begin::<LedgerEntry>(format, "history", crate::env::now(), out)?;
    book.each(|entries| entries.iter().try_for_each(|entry| sheet.row(entry)))?;
    Ok(sheet.end()?)
}

fn write_summary(summary: &HistorySummary, format: ListFormat, out: &mut (dyn Write + Send)) -> io::Result<()> {
    let Some(format) = format.sheet() else { return out.write_all(summary.table().as_bytes()) };
    let mut sheet = Sheet::begin::<SummaryLine>(format, "history", crate::env::now(), out)?;
    summary.lines().try_for_each(|line| sheet.row(&line))?;
    sheet.end()
}
