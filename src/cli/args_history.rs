//! The command line of `history`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::model::{CampaignId, PackageName, Strategy, VulnerabilityId};
use crate::report::SummaryBy;
use crate::store::Standing;

use super::args::ListFormat;

/// `history`
#[derive(Debug, Args)]
#[command(
    after_help = "All filters must hold. A date stands for the whole day in UTC.\n\nExamples:\n  switchback history --status failed --status restored\n  \
    switchback history --vulnerability CVE-2026-1234 --by vulnerability\n  \
    switchback history --host 'web-*' --since 2026-11-01 --format xlsx -o history.xlsx"
)]
pub struct History {
    /// Only hosts whose name matches, such as `web-*`
    #[arg(long, value_name = "GLOB")]
    pub host: Option<String>,
    /// Only this vulnerability
    #[arg(long, value_name = "ID")]
    pub vulnerability: Option<VulnerabilityId>,
    /// Only this package
    #[arg(long, value_name = "NAME")]
    pub package: Option<PackageName>,
    /// Only what stands so; may be given several times
    #[arg(long, value_name = "STATUS", value_parser = statuses())]
    pub status: Vec<Standing>,
    /// Only campaigns that this person has started
    #[arg(long, value_name = "NAME")]
    pub operator: Option<String>,
    /// From this day or time on
    #[arg(long, value_name = "DATE", value_parser = since)]
    pub since: Option<Timestamp>,
    /// Up to the end of this day, or to this time
    #[arg(long, value_name = "DATE", value_parser = until)]
    pub until: Option<Timestamp>,
    /// Only hosts that were to be fixed so
    #[arg(long, value_enum)]
    pub strategy: Option<HistoryStrategy>,
    /// Only this campaign
    #[arg(long, value_name = "ID")]
    pub campaign: Option<CampaignId>,
    /// Sum up
    #[arg(long, value_enum)]
    pub by: Option<HistoryBy>,
    /// How to print
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    pub format: ListFormat,
    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What is summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HistoryBy {
    /// Where the vulnerabilities of each host stand
    Host,
    /// Where the hosts of each vulnerability stand
    Vulnerability,
    /// What each campaign has come to
    Campaign,
}

impl From<HistoryBy> for SummaryBy {
    fn from(by: HistoryBy) -> Self {
        match by {
            HistoryBy::Host => Self::Host,
            HistoryBy::Vulnerability => Self::Vulnerability,
            HistoryBy::Campaign => Self::Campaign,
        }
    }
}

/// How hosts were to be fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum HistoryStrategy {
    InPlace,
    CloneAndSwitch,
}

impl From<HistoryStrategy> for Strategy {
    fn from(strategy: HistoryStrategy) -> Self {
        match strategy {
            HistoryStrategy::InPlace => Self::InPlace,
            HistoryStrategy::CloneAndSwitch => Self::CloneAndSwitch,
        }
    }
}

fn statuses() -> impl TypedValueParser<Value = Standing> {
    let names = Standing::ALL.map(Standing::as_str);
    // The parser lets no other name through.
    PossibleValuesParser::new(names)
        .try_map(|name| Standing::ALL.into_iter().find(|status| status.as_str() == name).ok_or("no such status"))
}

fn since(text: &str) -> Result<Timestamp, String> {
    read(text, Some)
}

/// The first instant that no longer belongs to it.
fn until(text: &str) -> Result<Timestamp, String> {
    read(text, |day| day.tomorrow().ok())
}

fn read(text: &str, day: impl Fn(Date) -> Option<Date>) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).ok();
    // The parser of days takes times as well, and drops them.
    let date = text.parse().ok().filter(|date: &Date| date.to_string() == text).and_then(day).and_then(midnight);
    date.map(|date| date.timestamp()).ok_or_else(|| {
        if text.parse::<DateTime>().is_ok() && text.contains(':') {
            return "a time needs its zone, such as 2026-11-28T20:00:00Z or 2026-11-28T20:00:00+01:00".to_owned();
        }
        "a day such as 2026-11-28, or a time such as 2026-11-28T20:00:00Z".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_and_ends_at_midnight_in_utc() {
        let text = |read: Result<Timestamp, String>| read.map(|time| time.to_string());
        assert_eq!(text(since("2026-11-28")).as_deref(), Ok("2026-11-28T00:00:00Z"));
        assert_eq!(text(until("2026-11-28")).as_deref(), Ok("2026-11-29T00:00:00Z"));
        assert_eq!(text(until("2026-11-28T20:00:00+01:00")).as_deref(), Ok("2026-11-28T19:00:00Z"));
        for bad in ["", "yesterday", "2026-13-01", "9999-12-31x"] {
            assert!(since(bad).is_err(), "{bad}");
        }
        assert!(until("9999-12-31").is_err());
        for local in ["2026-11-28T20:00:00", "2026-11-28 20:00"] {
            assert!(since(local).is_err_and(|why| why.contains("needs its zone")), "{local}");
        }
        assert!(since("20261128").is_err());
    }
}
