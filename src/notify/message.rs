//! From records to what people are told.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::engine::{Gate, GateVerdict, Record, RecordBody};
use crate::model::{
    CampaignId, HostName, HostOutcome, Moment, NOTIFICATION_FORMAT, Notification, printable, told as redacted,
};
use crate::plan::{Plan, Reason};

/// More lines than this nobody reads in a message.
const MAX_LINES: usize = 20;
/// More hosts than this are counted: the report names all.
const MAX_HOSTS: usize = 100;
/// A line of a message.
const MAX_LINE: usize = 300;

/// What one record has to tell.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    /// The record.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What kind of thing happened.
    pub moment: Moment,
    /// In our own words.
    title: String,
    /// In words of others.
    line: Option<String>,
    /// The host it is about.
    host: Option<HostName>,
    outcomes: BTreeMap<HostOutcome, u32>,
}

/// What a record has to tell; most have nothing.
pub(super) fn notice(record: &Record, plan: &Plan) -> Option<Notice> {
    let mut notice = Notice {
        seq: record.seq,
        at: record.at,
        moment: Moment::Started,
        title: String::new(),
        line: None,
        host: None,
        outcomes: BTreeMap::new(),
    };
    let of_host = |notice: Notice, moment: Moment, host: &HostName, line: String| {
        Some(Notice { moment, line: Some(line), host: Some(host.clone()), ..notice })
    };
    let why = |by: &str, reason: &Reason| Some(format!("by {by}: {}", reason.text));
    let (moment, title, line) = match &record.body {
        RecordBody::CampaignStarted { operator, .. } => {
            let (hosts, waves) = (plan.hosts.len(), plan.rollout.waves.len());
            (Moment::Started, format!("has started: {hosts} hosts in {waves} waves"), Some(format!("by {operator}")))
        }
        RecordBody::WaveEnded { wave } => {
            let wave = plan.rollout.waves.get(*wave as usize)?;
            (Moment::WaveEnded, format!("{} has ended", wave.name), None)
        }
        RecordBody::Paused { by, reason } => (Moment::Paused, "is paused".to_owned(), why(by, reason)),
        RecordBody::Resumed { by } => (Moment::Resumed, "goes on".to_owned(), Some(format!("by {by}"))),
        RecordBody::Aborted { by, reason } => (Moment::Aborted, "is aborted".to_owned(), why(by, reason)),
        RecordBody::HostEnded { host, outcome, reason } => {
            let moment = match outcome {
                HostOutcome::Restored | HostOutcome::SwitchedBack => Moment::WentBack,
                HostOutcome::Stuck => Moment::Stuck,
                _ => return None,
            };
            let because = reason.as_ref().map_or_else(String::new, |reason| format!(": {}", reason.text));
            return of_host(notice, moment, host, format!("{host} ended as {}{because}", outcome.as_str()));
        }
        RecordBody::Gate { host, verdict: GateVerdict::Closed { gate: Gate::Window, why }, .. } => {
            return of_host(notice, Moment::WindowClosed, host, format!("{host}: {why}"));
        }
        RecordBody::Overrun { host, window_end } => {
            return of_host(notice, Moment::Overrun, host, format!("{host}: its window ended at {window_end}"));
        }
        RecordBody::CampaignEnded { outcomes } => {
            let parts: Vec<String> = outcomes.iter().map(|(outcome, n)| format!("{n} {}", outcome.as_str())).collect();
            notice.outcomes.clone_from(outcomes);
            (Moment::Finished, format!("has ended: {}", parts.join(", ")), None)
        }
        _ => return None,
    };
    Some(Notice { moment, title, line, ..notice })
}

/// One message of notices of one moment; none of no notices.
pub(super) fn compose(campaign: &CampaignId, notices: &[Notice]) -> Option<Notification> {
    let (first, last) = (notices.first()?, notices.last()?);
    // With another end it is another message, which a controller may fold that follows one that died.
    let records = if last.seq == first.seq { first.seq.to_string() } else { format!("{}-{}", first.seq, last.seq) };
    let mut lines: Vec<String> =
        notices.iter().filter_map(|notice| notice.line.as_deref()).take(MAX_LINES).map(clean).collect();
    if notices.len() > MAX_LINES {
        lines.push(format!("and {} more", notices.len() - MAX_LINES));
    }
    Some(Notification {
        format: NOTIFICATION_FORMAT,
        id: format!("{campaign}/{records}"),
        campaign: campaign.clone(),
        moment: first.moment,
        at: first.at,
        title: printable(&format!("Campaign {campaign}: {}", title(notices, first)), MAX_LINE),
        lines,
        hosts: notices.iter().filter_map(|notice| notice.host.clone()).take(MAX_HOSTS).collect(),
        outcomes: first.outcomes.clone(),
        test: false,
    })
}

fn clean(line: &str) -> String {
    redacted(line, MAX_LINE)
}

fn title(notices: &[Notice], first: &Notice) -> String {
    let who = match (&first.host, notices.len()) {
        (None, _) => return first.title.clone(),
        (Some(host), 1) => host.to_string(),
        (Some(_), many) => format!("{many} hosts"),
    };
    let one = notices.len() == 1;
    match first.moment {
        Moment::WentBack => format!("{who} went back"),
        Moment::Stuck => {
            format!("{who} {}", if one { "is stuck and needs a person" } else { "are stuck and need a person" })
        }
        Moment::WindowClosed => format!("no window is left for {who}"),
        _ => format!("{who} went on past the end of the window"),
    }
}
