//! `switchback history`: what became of every vulnerability on every host, from the journals.

use std::io::{self, Write};

use crate::policy::Glob;
use crate::report::{HistorySummary, Sheet, SummaryLine, history_table};
use crate::store::{LedgerEntry, LedgerFilter, SqliteJournal, ledger, ledger_campaigns};

use super::args::{Global, History, ListFormat};
use super::drive::{open, store_failed};
use super::error::CommandError;
use super::exit::Exit;
use super::output::{Output, Stopped};
use super::printer::Printer;

pub(super) fn run(args: &History, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let out = Output::new(args.output.as_deref(), args.format, printer)?;
    let mut book = Book { journal: open(global.state())?, filter: filter(args), printer };
    out.write(|out| match args.by {
        Some(by) => {
            // Where something stands is known at the end only: an earlier entry must not stand for a later one.
            let statuses = std::mem::take(&mut book.filter.statuses);
            write_summary(&mut book, HistorySummary::new(by.into(), statuses), args.format, out)
        }
        None => write_entries(&mut book, args.format, out),
    })?;
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

/// The entries that are wanted; those of one campaign at a time are in memory.
struct Book {
    journal: SqliteJournal,
    filter: LedgerFilter,
    printer: Printer,
}

impl Book {
    fn each(&mut self, mut take: impl FnMut(&[LedgerEntry]) -> io::Result<()>) -> Result<(), Stopped> {
        let campaigns = ledger_campaigns(&mut self.journal, &self.filter).map_err(|error| store_failed(&error))?;
        for campaign in campaigns {
            match ledger(&mut self.journal, &campaign.id, &self.filter) {
                Ok(entries) => take(&entries)?,
                // One of many that is broken, or that another program has made, must not hide the others.
                Err(error) if self.filter.campaign.is_none() => {
                    self.printer.warn(format!("warning: campaign {} is left out: {error}", campaign.id));
                }
                Err(error) => return Err(store_failed(&error).into()),
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

fn write_summary(
    book: &mut Book,
    mut summary: HistorySummary,
    format: ListFormat,
    out: &mut (dyn Write + Send),
) -> Result<(), Stopped> {
    book.each(|entries| {
        entries.iter().for_each(|entry| summary.add(entry));
        Ok(())
    })?;
    let Some(format) = format.sheet() else { return Ok(out.write_all(summary.table().as_bytes())?) };
    let mut sheet = Sheet::begin::<SummaryLine>(format, "history", crate::env::now(), out)?;
    summary.lines().try_for_each(|line| sheet.row(&line))?;
    Ok(sheet.end()?)
}
