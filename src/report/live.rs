//! A running campaign for eyes: a live display on a terminal, plain lines elsewhere, or events as JSON lines.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use crate::engine::{Approval, Event, GateVerdict, Gives, Record, RecordBody, StepResult};
use crate::model::{HostName, HostOutcome, StepId, TimeSpan, printable};
use crate::plan::Plan;

/// Consumes the events of a campaign.
pub trait Reporter: Send {
    /// One event.
    fn event(&mut self, event: &Event);
    /// Time has passed.
    fn tick(&mut self, _now: Timestamp) {}
    /// No event follows.
    fn finish(&mut self) {}
}

/// Every event as one JSON object a line.
pub struct JsonLines<W>(pub W);

impl<W: Write + Send> Reporter for JsonLines<W> {
    fn event(&mut self, event: &Event) {
        // A reader that went away must not end a campaign.
        if serde_json::to_writer(&mut self.0, event).is_ok() {
            let _ = writeln!(self.0).and_then(|()| self.0.flush());
        }
    }
}

/// One plain line an event that matters to a person.
pub struct PlainLines<W> {
    out: W,
    plan: Arc<Plan>,
}

impl<W: Write + Send> PlainLines<W> {
    /// Lines go to `out`.
    pub fn new(out: W, plan: Arc<Plan>) -> Self {
        Self { out, plan }
    }
}

impl<W: Write + Send> Reporter for PlainLines<W> {
    fn event(&mut self, event: &Event) {
        let Event::Record(record) = event else { return };
        if let Some(line) = line(record, &self.plan) {
            let _ = writeln!(self.out, "{} {line}", record.at.strftime("%H:%M:%SZ"));
        }
    }
}

/// The line of a record; none for those that only the journal needs.
pub fn line(record: &Record, plan: &Plan) -> Option<String> {
    let wave = |index: u32| plan.rollout.waves.get(index as usize).map_or_else(String::new, |w| w.name.to_string());
    Some(match &record.body {
        RecordBody::CampaignStarted { operator, .. } => {
            format!("campaign {} started by {operator}: {} hosts", record.campaign, plan.hosts.len())
        }
        RecordBody::ControllerStarted { fence: 1, .. } => return None,
        RecordBody::ControllerStarted { fence, operator } => {
            format!("campaign {} taken up again by {operator} (controller {fence})", record.campaign)
        }
        RecordBody::WaveStarted { wave: index } => {
            let hosts = plan.rollout.waves.get(*index as usize).map_or(0, |w| w.hosts.len());
            format!("{} started: {hosts} hosts", wave(*index))
        }
        RecordBody::WaveSoaking { wave: index, until } => {
            format!("{} is watched until {}", wave(*index), until.strftime("%H:%M:%SZ"))
        }
        RecordBody::WaveEnded { wave: index } => format!("{} ended", wave(*index)),
        RecordBody::Gate { host, step, verdict } => match verdict {
            GateVerdict::Open => return None,
            GateVerdict::Waiting { why, .. } => format!("{host} waits before {}: {why}", step.step()),
            GateVerdict::Closed { why, .. } => format!("{host} cannot start {}: {why}", step.step()),
        },
        RecordBody::Intent { attempt, undo } => {
            let verb = if *undo { "goes back" } else { "starts" };
            format!("{} {verb}: {}", host_of(&attempt.step), attempt.step.step())
        }
        RecordBody::Outcome { attempt, result } => {
            format!("{} {}: {}", host_of(&attempt.step), attempt.step.step(), result_text(result))
        }
        RecordBody::Probing { attempt, probe } => {
            format!("{} {}: asking the host what became of it ({probe})", host_of(&attempt.step), attempt.step.step())
        }
        RecordBody::UndoStarted { host, reason } => format!("{host} goes back: {}", reason.text),
        RecordBody::HostEnded { host, outcome, reason } => match reason {
            Some(reason) => format!("{host} ended as {}: {}", outcome.as_str(), reason.text),
            None => format!("{host} ended as {}", outcome.as_str()),
        },
        RecordBody::Overrun { host, window_end } => {
            format!("{host} went on past the end of its window at {window_end}")
        }
        RecordBody::Paused { by, reason } => format!("paused by {by}: {}", reason.text),
        RecordBody::Resumed { by } => format!("resumed by {by}"),
        RecordBody::Aborted { by, reason } => format!("aborted by {by}: {}", reason.text),
        RecordBody::ClockJump { from, to } => format!("the clock jumped from {from} to {to}"),
        RecordBody::Approved(approval) => approval_text(approval),
        RecordBody::Disapproved { statement, reason } => {
            format!("approval {} does not count any more: {}", statement.short(), reason.text)
        }
        RecordBody::CampaignEnded { outcomes } => {
            let parts: Vec<String> = outcomes.iter().map(|(o, n)| format!("{n} {}", o.as_str())).collect();
            format!("campaign {} ended: {}", record.campaign, parts.join(", "))
        }
    })
    .map(|text| printable(&text, 500))
}

/// An approval in a few words.
pub(super) fn approval_text(approval: &Approval) -> String {
    let what = match approval.gives {
        Gives::Approval => "approved",
        Gives::WithoutBackup => "accepted as without a backup",
    };
    let hosts = super::plan_text::count(approval.hosts.len(), "host");
    format!("{hosts} {what} by {} until {}, with key {}", approval.by, approval.until, approval.key)
}

/// A result in a few words.
pub fn result_text(result: &StepResult) -> String {
    match result {
        StepResult::Succeeded { note: Some(note), .. } => format!("done, {note}"),
        StepResult::Succeeded { note: None, .. } => "done".to_owned(),
        StepResult::NothingToDo { note } => format!("nothing to do, {note}"),
        StepResult::Failed { reason, .. } => format!("FAILED, {}", reason.text),
        StepResult::Unknown { reason } => format!("unknown, {}", reason.text),
    }
}

fn host_of(step: &StepId) -> &str {
    step.as_str().rsplit_once('/').map_or("", |(host, _)| host)
}

/// More lines than this say less, not more.
const MAX_HOST_LINES: usize = 20;

/// A line an active host and one for the whole, redrawn in place; what is final scrolls above them.
pub struct Terminal {
    plan: Arc<Plan>,
    bars: MultiProgress,
    whole: ProgressBar,
    hosts: BTreeMap<HostName, ProgressBar>,
    ended: BTreeMap<HostOutcome, u32>,
    wave: String,
}

impl Terminal {
    /// Draws on stderr.
    pub fn new(plan: Arc<Plan>) -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        let whole = bars.add(ProgressBar::new(plan.hosts.len() as u64));
        if let Ok(style) = ProgressStyle::with_template("[{elapsed_precise}] {bar:30} {pos}/{len} hosts {msg}") {
            whole.set_style(style);
        }
        whole.enable_steady_tick(Duration::from_secs(1));
        Self { plan, bars, whole, hosts: BTreeMap::new(), ended: BTreeMap::new(), wave: String::new() }
    }

    fn show(&mut self, host: &HostName, text: String) {
        if !self.hosts.contains_key(host) {
            if self.hosts.len() >= MAX_HOST_LINES {
                return;
            }
            let bar = self.bars.insert_before(&self.whole, ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {prefix} {msg}") {
                bar.set_style(style);
            }
            bar.set_prefix(format!("{host:<20}"));
            bar.enable_steady_tick(Duration::from_millis(250));
            self.hosts.insert(host.clone(), bar);
        }
        if let Some(bar) = self.hosts.get(host) {
            bar.set_message(printable(&text, 100));
        }
    }

    fn window_left(&self, now: Timestamp) -> Option<String> {
        let open = self.plan.windows.values().flatten().filter(|w| w.interval.contains(now));
        let end = open.map(|w| w.interval.end).min()?;
        Some(format!("{} left in the window", TimeSpan::between(now, end)))
    }
}

impl Reporter for Terminal {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Progress { host, step, note } => self.show(host, format!("{}: {note}", step.step())),
            Event::Record(record) => {
                match &record.body {
                    RecordBody::WaveStarted { wave } => {
                        self.wave = self
                            .plan
                            .rollout
                            .waves
                            .get(*wave as usize)
                            .map_or_else(String::new, |w| w.name.to_string());
                    }
                    RecordBody::Intent { attempt, undo } => {
                        if let Ok(host) = HostName::new(host_of(&attempt.step)) {
                            let back = if *undo { "going back: " } else { "" };
                            self.show(&host, format!("{back}{}", attempt.step.step()));
                        }
                        return;
                    }
                    RecordBody::Gate { host, verdict, .. } => {
                        if let GateVerdict::Waiting { why, .. } = verdict {
                            self.show(host, format!("waits: {why}"));
                        }
                        return;
                    }
                    RecordBody::Outcome { result: StepResult::Succeeded { .. }, .. } => return,
                    RecordBody::HostEnded { host, outcome, .. } => {
                        *self.ended.entry(*outcome).or_default() += 1;
                        if let Some(bar) = self.hosts.remove(host) {
                            bar.finish_and_clear();
                            self.bars.remove(&bar);
                        }
                        self.whole.inc(1);
                    }
                    _ => {}
                }
                if let Some(line) = line(record, &self.plan) {
                    let _ = self.bars.println(format!("{} {line}", record.at.strftime("%H:%M:%SZ")));
                }
            }
        }
    }

    fn tick(&mut self, now: Timestamp) {
        let mut parts: Vec<String> = Vec::new();
        if !self.wave.is_empty() {
            parts.push(self.wave.clone());
        }
        parts.extend(self.ended.iter().map(|(outcome, count)| format!("{count} {}", outcome.as_str())));
        parts.extend(self.window_left(now));
        self.whole.set_message(parts.join(" · "));
    }

    fn finish(&mut self) {
        for bar in self.hosts.values() {
            bar.finish_and_clear();
        }
        self.whole.finish_and_clear();
    }
}
