//! Arguments of the commands about people: what they do, and what they are told.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::args::{Format, ListFormat, Programs};
use crate::model::{CampaignId, ManualId};

/// `manual`
#[derive(Debug, Subcommand)]
pub enum Manual {
    /// List what people have to do
    #[command(after_help = "Examples:\n  switchback manual list -p policies/ -i inventory.yaml -f findings.json\n  \
        switchback manual list --plan plan.json --format csv > work.csv\n  switchback manual list")]
    List(ManualList),
    /// Say who does an item
    Assign(ManualAssign),
    /// Say that an item is done
    #[command(
        after_help = "Examples:\n  switchback manual done m-0123456789ab --evidence 'plugin removed, change 4711'\n  \
        switchback manual done m-0123456789ab --evidence @session.log --by ann"
    )]
    Done(ManualDone),
    /// Let later scans judge what is said to be done
    #[command(after_help = "Examples:\n  switchback manual verify -i inventory.yaml -f findings-new.json")]
    Verify(ManualVerify),
}

/// `manual list`
#[derive(Debug, Args)]
pub struct ManualList {
    /// Take in the items of this plan
    #[arg(long, value_name = "PLAN", conflicts_with = "policies")]
    pub plan: Option<PathBuf>,
    /// Policy files or folders, to take in what a plan from them would leave to people
    #[arg(short, long, value_name = "POLICIES", num_args = 1.., requires_all = ["inventory", "reports"])]
    pub policies: Vec<PathBuf>,
    /// Inventory
    #[arg(short, long, value_name = "INVENTORY", num_args = 1.., requires = "policies")]
    pub inventory: Vec<PathBuf>,
    /// Inventories that are programs
    #[command(flatten)]
    pub programs: Programs,
    /// Scanner report, or HOST=REPORT to say which host it is about
    #[arg(short = 'f', long = "findings", value_name = "[HOST=]REPORT", num_args = 1.., requires = "policies")]
    pub reports: Vec<String>,
    /// Read the reports as this format, whatever their content looks like
    #[arg(long, value_name = "FORMAT")]
    pub from: Option<String>,
    /// Feed that findings are enriched with: KEV catalogue, EPSS scores, SSVC decision table
    #[arg(long = "feed", value_name = "FILE", num_args = 1..)]
    pub feeds: Vec<PathBuf>,
    /// Playbooks beside the shipped ones
    #[arg(long, value_name = "PLAYBOOK", num_args = 1..)]
    pub playbooks: Vec<PathBuf>,
    /// The time all decisions refer to (default: now)
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<Timestamp>,
    /// Also show what is over: verified or closed
    #[arg(long)]
    pub all: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    pub format: ListFormat,
    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `manual assign`
#[derive(Debug, Args)]
pub struct ManualAssign {
    /// The item, as listed
    pub item: ManualId,
    /// A person or a team
    pub who: String,
    /// Until when [default: as before]
    #[arg(long, value_name = "TIME")]
    pub due: Option<Timestamp>,
}

/// `manual done`
#[derive(Debug, Args)]
pub struct ManualDone {
    /// The item, as listed
    pub item: ManualId,
    /// What was done, or @FILE with what shows it; the digest of a file and its beginning are kept
    #[arg(long, value_name = "TEXT|@FILE")]
    pub evidence: String,
    /// Who did it [default: you]
    #[arg(long)]
    pub by: Option<String>,
}

/// `manual verify`
#[derive(Debug, Args)]
pub struct ManualVerify {
    /// Inventory
    #[arg(short, long, value_name = "INVENTORY", required = true, num_args = 1..)]
    pub inventory: Vec<PathBuf>,
    /// Inventories that are programs
    #[command(flatten)]
    pub programs: Programs,
    /// Report of a scan made after the work, or HOST=REPORT to say which host it is about
    #[arg(short = 'f', long = "findings", value_name = "[HOST=]REPORT", required = true, num_args = 1..)]
    pub reports: Vec<String>,
    /// Read the reports as this format, whatever their content looks like
    #[arg(long, value_name = "FORMAT")]
    pub from: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// `notify`
#[derive(Debug, Subcommand)]
pub enum Notify {
    /// Send a test message to each target of the policies' `notify`
    #[command(
        after_help = "Examples:\n  switchback notify test -p policies/ --dry-run\n  switchback notify test -p policies/"
    )]
    Test(NotifyTest),
    /// Tell what a campaign could not tell
    Resend(NotifyResend),
}

/// `notify test`
#[derive(Debug, Args)]
pub struct NotifyTest {
    /// Policy files or folders
    #[arg(short, long, value_name = "POLICIES", required = true, num_args = 1..)]
    pub policies: Vec<PathBuf>,
    /// Send nothing: print what each target would get
    #[arg(long)]
    pub dry_run: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// `notify resend`
#[derive(Debug, Args)]
pub struct NotifyResend {
    /// The campaign
    pub campaign: CampaignId,
}
