//! Follows a running campaign to its end for `run`, `resume` and `demo`: shows it, obeys Ctrl-C, and tells the outcome.

use std::io::{sink, stderr, stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::{CampaignStatus, Engine, Event, Phase, Record, StepExecutor};
use crate::evidence::Judged;
use crate::model::{CampaignId, Digest};
use crate::notify::Notifier;
use crate::plan::Plan;
use crate::report::{CampaignReport, JsonLines, PlainLines, Reporter, Terminal, campaign_html};
use crate::run::{EmbeddedEngine, OnPause, RunError, Signing, obey_interrupts};
use crate::store::{self, InputText, Journal as _, Lessons, Notes, Proofs, SqliteJournal, StoreError};

use super::args::Format;
use super::error::CommandError;
use super::exit::Exit;
use super::output::Output;
use super::printer::Printer;

/// How long a campaign that is over waits for what is still to be told: long enough for a try at each server.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// What to run.
pub(super) enum Begin {
    /// A new campaign, with its approvals and the texts of what its plan was made from, as far as they are at hand.
    Start(Arc<Plan>, Judged, Vec<InputText>),
    /// One that has begun, with the approvals that count now; none: as they were.
    Resume(CampaignId, Arc<Plan>, Option<Judged>),
}

/// How a campaign stands when its controller stops.
pub(super) struct Driven {
    pub status: CampaignStatus,
    pub report: CampaignReport,
}

impl Driven {
    /// The exit code that tells it.
    pub(super) fn exit(&self) -> Exit {
        match self.status.phase {
            Phase::Paused => Exit::Paused,
            _ if self.report.stuck() > 0 => Exit::Stuck,
            _ if self.report.aborted => Exit::Aborted,
            Phase::Ended if self.report.went_back() > 0 => Exit::WentBack,
            Phase::Ended => Exit::Ok,
            _ => Exit::Failed,
        }
    }
}

/// Runs a campaign until it ends, is paused, or its journal fails.
pub(super) fn drive(
    begin: Begin,
    executor: Arc<dyn StepExecutor>,
    state: &Path,
    key: Option<PathBuf>,
    format: Format,
    printer: Printer,
) -> Result<Driven, CommandError> {
    let runtime = runtime()?;
    let signing = Signing { key, tell: Arc::new(move |text| printer.talk(text)) };
    let engine = EmbeddedEngine::new(state, executor, OnPause::Stop).signing(signing);
    let operator = crate::env::operator();
    let (campaign, plan, status, notifier) = runtime.block_on(async {
        let (campaign, plan, known) = match begin {
            Begin::Start(plan, judged, texts) => {
                let campaign = engine.start_with(Arc::clone(&plan), &operator, &judged).await.map_err(failed)?;
                let kept = Proofs::open(state).and_then(|mut proofs| proofs.keep_inputs(&campaign, &texts));
                if let Err(error) = kept {
                    // The campaign is as good without; an audit tells that they are not there.
                    printer.talk(format!("warning: {error}"));
                }
                (campaign, plan, 0)
            }
            Begin::Resume(campaign, plan, judged) => {
                let known = read(state, &campaign)?.1.last().map_or(0, |record| record.seq);
                engine.resume_with(&campaign, &operator, judged.as_ref()).await.map_err(failed)?;
                (campaign, plan, known)
            }
        };
        let mut reporter = reporter(&plan, format, printer);
        let (mut notifier, problems) = Notifier::start(&plan, &campaign, state);
        problems.iter().for_each(|problem| printer.talk(format!("notify: {problem}")));
        let status = follow(&engine, &campaign, known, &operator, &mut *reporter, &mut notifier, printer).await;
        reporter.finish();
        Ok::<_, CommandError>((campaign, plan, status, notifier))
    })?;
    tell_rest(notifier, &campaign, printer);
    let status = status?;
    let (digest, records) = read(state, &campaign)?;
    let report = CampaignReport::new(&campaign, digest, &plan, &records);
    Ok(Driven { status, report })
}

async fn follow(
    engine: &EmbeddedEngine,
    campaign: &CampaignId,
    known: u64,
    operator: &str,
    reporter: &mut dyn Reporter,
    notifier: &mut Notifier,
    printer: Printer,
) -> Result<CampaignStatus, CommandError> {
    let mut events = engine.events(campaign, 1).await.map_err(failed)?;
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let interrupts = obey_interrupts(engine, campaign, operator, |text| printer.talk(text));
    let mut interrupts = std::pin::pin!(interrupts);
    let mut listening = true;
    // A live display shows how things stand, not how they came about.
    let marks = known > 0 && !printer.is_live();
    if marks {
        printer.talk(format!("so far, in {known} records:"));
    }
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(event) => {
                    reporter.event(&event);
                    if let Event::Record(record) = &event {
                        notifier.record(record);
                        if marks && record.seq == known {
                            printer.talk("from here on:");
                        }
                    }
                }
                None => break,
            },
            _ = ticks.tick() => reporter.tick(crate::env::now()),
            Err(error) = &mut interrupts, if listening => {
                listening = false;
                printer.talk(failed(error).to_text());
            }
        }
    }
    engine.wait(campaign).await.map_err(failed)
}

/// Waits a little for what is still to be told, and says what could not be.
pub(super) fn tell_rest(notifier: Notifier, campaign: &CampaignId, printer: Printer) -> bool {
    let untold = notifier.finish(LAST_WORDS);
    untold.iter().for_each(|line| printer.warn(format!("notify: {line}")));
    if !untold.is_empty() {
        printer.warn(format!("notify: `switchback notify resend {campaign}` tries again what was not told"));
    }
    untold.is_empty()
}

fn reporter(plan: &Arc<Plan>, format: Format, printer: Printer) -> Box<dyn Reporter> {
    match format {
        Format::Json => Box::new(JsonLines(stdout())),
        Format::Table if printer.is_live() => Box::new(Terminal::new(Arc::clone(plan))),
        Format::Table if printer.is_quiet() => Box::new(PlainLines::new(sink(), Arc::clone(plan))),
        Format::Table => Box::new(PlainLines::new(stderr(), Arc::clone(plan))),
    }
}

/// A campaign's plan digest and records from the journal.
pub(super) fn read(state: &Path, campaign: &CampaignId) -> Result<(Digest, Vec<Record>), CommandError> {
    let mut journal = open(state)?;
    let digest = Digest::of(&journal.plan(campaign).map_err(|error| store_failed(&error))?);
    let records = journal.read(campaign).map_err(|error| store_failed(&error))?;
    Ok((digest, records))
}

/// A campaign's plan from the journal.
pub(super) fn stored_plan(state: &Path, campaign: &CampaignId) -> Result<Plan, CommandError> {
    let bytes = open(state)?.plan(campaign).map_err(|error| store_failed(&error))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        CommandError::caused(Exit::Failed, format!("cannot read the plan of campaign {campaign}"), &error)
    })
}

/// The journal of a state folder that exists.
pub(super) fn open(state: &Path) -> Result<SqliteJournal, CommandError> {
    if !state.join(SqliteJournal::FILE).exists() {
        return Err(CommandError::new(Exit::Failed, format!("there is no journal in {}", state.display()))
            .code("no-state")
            .hint("--state names the folder in which `switchback run` was started"));
    }
    SqliteJournal::open(state).map_err(|error| store_failed(&error))
}

/// What the campaigns of a state folder have shown; nothing where there is none.
pub(super) fn lessons(state: &Path) -> Result<Lessons, CommandError> {
    if !state.join(SqliteJournal::FILE).exists() {
        return Ok(Lessons::default());
    }
    let mut lessons = learned(state)?;
    let notes = Notes::open(state).and_then(|notes| notes.released()).map_err(|error| store_failed(&error))?;
    let mut names = lessons.digest.map_or_else(String::new, |digest| digest.to_string());
    for released in notes {
        lessons.history.release(&released.name, released.at);
        names.push_str(&format!("\n{} {}", released.name, released.at));
    }
    lessons.digest = (!names.is_empty()).then(|| Digest::of(names.as_bytes()));
    Ok(lessons)
}

/// What the campaigns of a journal have shown; one that cannot be read blocks, or what it put in quarantine would be planned.
pub(super) fn learned(state: &Path) -> Result<Lessons, CommandError> {
    store::lessons(&mut open(state)?).map_err(|error| match error {
        StoreError::Unreadable { .. } => store_failed(&error).code("campaign-unreadable").hint(format!(
            "bring back {} from a backup; or move {} away, and plan without anything that its campaigns have shown",
            state.join(SqliteJournal::FILE).display(),
            state.display()
        )),
        _ => store_failed(&error),
    })
}

/// The campaign that was named and has not ended, else the only one that has not.
pub(super) fn which_open(state: &Path, named: Option<&CampaignId>) -> Result<CampaignId, CommandError> {
    let campaigns = open(state)?.campaigns().map_err(|error| store_failed(&error))?;
    if let Some(named) = named {
        return match campaigns.iter().find(|c| c.id == *named) {
            Some(found) if found.ended => {
                Err(CommandError::new(Exit::Failed, format!("campaign {named} has ended; nothing was done"))
                    .code("campaign-ended")
                    .hint(format!("`switchback report {named}` tells what became of it")))
            }
            Some(found) => Ok(found.id.clone()),
            None => Err(unknown(state, named)),
        };
    }

    let open: Vec<_> = campaigns.into_iter().filter(|c| !c.ended).map(|c| c.id).collect();
    match open.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(CommandError::new(
            Exit::Failed,
            format!("no campaign in {} is still open; nothing was done", state.display()),
        )
        .code("no-open-campaign")
        .hint("`switchback status` lists all campaigns")),
        many => Err(CommandError::new(Exit::Usage, format!("{} campaigns have not ended", many.len()))
            .hint(format!("name one: {}", many.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")))),
    }
}

/// The named campaign, whether it has ended or not.
pub(super) fn find(state: &Path, named: &CampaignId) -> Result<CampaignId, CommandError> {
    let campaigns = open(state)?.campaigns().map_err(|error| store_failed(&error))?;
    campaigns.into_iter().find(|c| c.id == *named).map(|c| c.id).ok_or_else(|| unknown(state, named))
}

fn unknown(state: &Path, named: &CampaignId) -> CommandError {
    CommandError::new(Exit::Failed, format!("there is no campaign {named} in {}", state.display()))
        .code("unknown-campaign")
        .hint("`switchback status` lists them")
}

/// Refuses a place for a report that could not be written, before hours are spent on what it would tell.
pub(super) fn check_html(path: Option<&Path>) -> Result<(), CommandError> {
    let Some(path) = path else { return Ok(()) };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if path.is_dir() || folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(CommandError::new(Exit::Usage, format!("the report cannot be written to {}", path.display()))
            .hint("--html names a file in a folder that exists"));
    }
    Ok(())
}

/// Writes the HTML report.
pub(super) fn write_html(
    path: &Path,
    report: &CampaignReport,
    plan: &Plan,
    printer: Printer,
) -> Result<(), CommandError> {
    let page = campaign_html(report, plan);
    Output::to(path, printer).write(|out| Ok(out.write_all(page.as_bytes())?))?;
    printer.talk(format!("report: {}", path.display()));
    Ok(())
}

/// The runtime of commands that talk to hosts.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::caused(Exit::Failed, "cannot start threads", &error))
}

pub(super) fn failed(error: RunError) -> CommandError {
    let exit = match &error {
        RunError::Store(StoreError::Claimed { .. } | StoreError::HostBusy { .. }) => Exit::Busy,
        RunError::Plan(_) => Exit::PlanRefused,
        _ => Exit::Failed,
    };
    let told = CommandError::caused(exit, "campaign", &error);
    match &error {
        RunError::Store(StoreError::HostBusy { campaign, .. }) => {
            told.hint(format!("where nobody runs it any more, `switchback resume {campaign}` brings it to its end"))
        }
        _ => told,
    }
}

pub(super) fn store_failed(error: &StoreError) -> CommandError {
    CommandError::caused(Exit::Failed, "journal", error)
}
