//! The command line.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;

pub use super::args_approve::*;
pub use super::args_audit::*;
pub use super::args_history::*;
pub use super::args_people::*;
pub use super::args_policy::*;
use crate::lab::{Fault, Prefix, Subnet};
use crate::model::{CampaignId, HostName, Ticket, TimeSpan, VulnerabilityId};
use crate::report::SheetFormat;

/// Policy-as-code remediation for fleets of servers: plan, fix, verify, and go back.
#[derive(Debug, Parser)]
#[command(
    name = "switchback",
    version,
    max_term_width = 120,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(after_help = "Start here:\n  switchback demo --simulated     see the main job on a simulated fleet\n  \
    switchback scan -i inventory.yaml -o findings.json\n  \
    switchback plan -p policies/ -i inventory.yaml -f findings.json -o plan.json\n  \
    switchback show plan.json\n  switchback run plan.json\n\nExit codes: docs/reference/exit-codes.md")]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// When to use colour on stderr
    #[arg(long, value_enum, default_value_t = Color::Auto, global = true, help_heading = GLOBAL)]
    pub color: Color,
    /// Say nothing on stderr but errors
    #[arg(long, short, global = true, help_heading = GLOBAL)]
    pub quiet: bool,
    /// Folder of the journal of campaigns [default: .switchback]
    #[arg(long, value_name = "DIR", global = true, help_heading = GLOBAL)]
    pub state: Option<PathBuf>,
}

const GLOBAL: &str = "Global options";

impl Global {
    /// The folder of the journal.
    pub fn state(&self) -> &Path {
        self.state.as_deref().unwrap_or(Path::new(".switchback"))
    }
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
}

/// How a list is printed, or written to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    Table,
    Json,
    /// For spreadsheets; what could be taken for a formula has a quote in front
    Csv,
    /// An Excel workbook
    Xlsx,
    Markdown,
}

impl ListFormat {
    /// How a sheet of it is written; none for the table.
    pub fn sheet(self) -> Option<SheetFormat> {
        match self {
            Self::Table => None,
            Self::Json => Some(SheetFormat::Json),
            Self::Csv => Some(SheetFormat::Csv),
            Self::Xlsx => Some(SheetFormat::Xlsx),
            Self::Markdown => Some(SheetFormat::Markdown),
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read scanner reports and print what was found
    Findings(Findings),
    /// Ask hosts over SSH for pending security updates
    Scan(Scan),
    /// Prove that hosts can be put back: restore a backup of each to a clone, look at it, destroy it
    Drill(Drill),
    /// Check policies, playbooks and inventory without planning
    Check(Check),
    /// Test policies, and find out what the tests do not notice
    Test(Test),
    /// Show what a change of policy, inventory or findings does to the fleet
    Diff(Diff),
    /// List exceptions, take them over from scanners' ignore files, or hand them to scanners
    #[command(subcommand)]
    Exceptions(Exceptions),
    /// Make a plan from policies, inventory and findings
    Plan(Plan),
    /// Show a plan
    Show(Show),
    /// Run a plan many times against a simulated fleet: when it ends, what goes back, what services have left
    Rehearse(Rehearse),
    /// List when a host may be disrupted, and what freezes take of it
    Windows(Windows),
    /// Explain why a host or a finding is, or is not, planned
    Explain(Explain),
    /// Approve a plan with your SSH key
    Approve(Approve),
    /// Show who has approved a plan, and what is missing
    Approvals(Approvals),
    /// Run a plan
    Run(Run),
    /// Go on with a campaign that was paused or whose controller died
    Resume(Resume),
    /// Ask a running campaign to start nothing new
    Pause(Control),
    /// Ask a running campaign to take back hosts in the middle and end
    Abort(Control),
    /// List what no playbook does; assign it, say that it is done, and let scans verify that
    #[command(subcommand)]
    Manual(Manual),
    /// Try the targets of `notify`, or tell again what could not be told
    #[command(subcommand)]
    Notify(Notify),
    /// Show where campaigns stand
    Status(Status),
    /// List clones, backups and originals that campaigns left with providers; keep them longer, or delete them
    Clones(Clones),
    /// End the watch that would put back a host which a campaign has left stuck
    Disarm(Disarm),
    /// List package versions that had to be rolled back and stay out of plans; let them in again
    Quarantine(Quarantine),
    /// Show what became of every vulnerability on every host
    History(History),
    /// Write the report of a campaign
    Report(Report),
    /// Prove a campaign to others, and verify what they prove
    #[command(subcommand)]
    Audit(Audit),
    /// Bring up a real fleet on this machine to try things on
    Lab(Lab),
    /// Run the main job from end to end on a fleet made for it
    Demo(Demo),
    /// Print JSON Schemas of the formats
    Schema(Schema),
    /// Answer single questions from stdin, line by line
    #[command(subcommand)]
    Debug(Debug),
    /// Print shell completions
    Completions(Completions),
    /// Write man pages into a folder
    Man(Man),
    /// Evaluate rules for the process that started this one
    #[command(hide = true)]
    RegoWorker,
}

/// `findings`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  switchback findings -f trivy.json\n  switchback findings -f web-1=trivy.json --format json\n  \
    switchback findings -f trivy.json --format xlsx -o findings.xlsx"
)]
pub struct Findings {
    /// Scanner report, or HOST=REPORT to say which host it is about
    #[arg(short = 'f', long = "findings", value_name = "[HOST=]REPORT", required_unless_present = "formats", num_args = 1..)]
    pub reports: Vec<String>,
    /// Match assets to the hosts of this inventory, and merge what several scanners report of one
    #[arg(short, long, value_name = "INVENTORY", num_args = 1..)]
    pub inventory: Vec<PathBuf>,
    /// Inventories that are programs
    #[command(flatten)]
    pub programs: Programs,
    /// Read the reports as this format, whatever their content looks like
    #[arg(long, value_name = "FORMAT")]
    pub from: Option<String>,
    /// Feed that findings are enriched with: KEV catalogue, EPSS scores, SSVC decision table
    #[arg(long = "feed", value_name = "FILE", num_args = 1..)]
    pub feeds: Vec<PathBuf>,
    /// List the formats that are read
    #[arg(long)]
    pub formats: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    pub format: ListFormat,
    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Where hosts come from, wherever `-i` is taken.
#[derive(Clone, Copy, Debug, Args)]
pub struct Programs {
    /// Run inventories that are programs, as Ansible does; refused otherwise
    #[arg(long)]
    pub run_inventory: bool,
}

/// `scan`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  switchback scan -i inventory.yaml -o findings.json\n  switchback scan -i hosts.ini --host web-1 --host web-2\n  \
    switchback scan -i hosts.ini --limit 'web:&eu:!web-3'"
)]
pub struct Scan {
    /// Inventory: our YAML, or Ansible's INI or YAML
    #[arg(short, long, value_name = "INVENTORY", required = true, num_args = 1..)]
    pub inventory: Vec<PathBuf>,
    /// Inventories that are programs
    #[command(flatten)]
    pub programs: Programs,
    /// Only these hosts
    #[arg(long = "host", value_name = "HOST")]
    pub hosts: Vec<HostName>,
    /// Only hosts that match this pattern of Ansible's, such as `web:&eu:!web-3`; `@FILE` has one a line
    #[arg(long, value_name = "PATTERN")]
    pub limit: Option<String>,
    /// Policy files or folders: what they whitelist is left out
    #[arg(short, long, value_name = "POLICIES", num_args = 1..)]
    pub policies: Vec<PathBuf>,
    /// Write the findings to this file
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How many hosts are asked at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// `plan`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  switchback plan -p policies/ -i inventory.yaml -f findings.json -o plan.json\n  \
    switchback plan -p policies/ -i hosts.ini -f web-1=trivy.json --as-of 2026-11-28T20:00:00Z -o plan.json")]
pub struct Plan {
    /// Policy files or folders; an empty policy (`version: 1`) stands for the built-in defaults
    #[arg(short, long, value_name = "POLICIES", required = true, num_args = 1..)]
    pub policies: Vec<PathBuf>,
    /// Inventory
    #[arg(short, long, value_name = "INVENTORY", required = true, num_args = 1..)]
    pub inventory: Vec<PathBuf>,
    /// Inventories that are programs
    #[command(flatten)]
    pub programs: Programs,
    /// Scanner report, or HOST=REPORT to say which host it is about
    #[arg(short = 'f', long = "findings", value_name = "[HOST=]REPORT", required = true, num_args = 1..)]
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
    /// Orders what is otherwise equal
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Who makes the plan; without it, git's `user.email` beside the policies, else the name of the user
    #[arg(long, value_name = "NAME")]
    pub author: Option<String>,
    /// The change request that the plan belongs to
    #[arg(long, value_name = "TICKET")]
    pub ticket: Option<Ticket>,
    /// How far ahead windows are looked for
    #[arg(long, value_name = "SPAN", default_value = "35d")]
    pub horizon: TimeSpan,
    /// Write the plan to this file
    #[arg(short, long, value_name = "PLAN")]
    pub output: PathBuf,
    /// How to print the summary
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// How a plan is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanView {
    /// By wave
    Table,
    /// By host, with every step
    Tree,
    /// Mermaid flowchart
    Mermaid,
    /// Graphviz
    Dot,
    /// One HTML file for those who approve it
    Html,
    /// The text of a change request, in Markdown
    Change,
    /// The same for machines
    ChangeJson,
    /// The plan itself
    Json,
}

/// `show`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  switchback show plan.json\n  switchback show plan.json --format html > plan.html\n  switchback show plan.json --format mermaid > plan.mmd"
)]
pub struct Show {
    /// The plan file
    pub plan: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value_t = PlanView::Table)]
    pub format: PlanView,
}

/// `rehearse`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  switchback rehearse plan.json\n  switchback rehearse plan.json --runs 10000 --profile faults.yaml\n  \
    switchback rehearse plan.json --history --format html > rehearsal.html"
)]
pub struct Rehearse {
    /// The plan file
    pub plan: PathBuf,
    /// How many runs
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub runs: u32,
    /// The seed of the first run; the same seed gives the same result
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,
    /// What goes wrong, how often, and how long things take: see docs/concepts/rehearsal.md
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Go by how long steps took and how often they failed in the campaigns of --state, where there were enough
    #[arg(long)]
    pub history: bool,
    /// When each run starts [default: when the plan was made]
    #[arg(long, value_name = "TIME")]
    pub start: Option<Timestamp>,
    /// How to print
    #[arg(long, value_enum, default_value_t = RehearsalFormat::Table)]
    pub format: RehearsalFormat,
}

/// How a rehearsal is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RehearsalFormat {
    Table,
    Json,
    Html,
}

/// `explain`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  switchback explain web-1 --plan plan.json\n  switchback explain web-1 CVE-2026-1234 --plan plan.json\n  \
    switchback explain web-1 CVE-2026-1234 -p policies/ -i inventory.yaml -f findings.json"
)]
pub struct Explain {
    /// The host
    pub host: HostName,
    /// The vulnerability
    pub vulnerability: Option<VulnerabilityId>,
    /// The plan file
    #[arg(long, value_name = "PLAN", default_value = "plan.json", conflicts_with_all = ["policies", "inventory", "reports"])]
    pub plan: PathBuf,
    /// Policy files or folders: explains without a plan file, and what change of policy would give another outcome
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
    #[arg(long, value_name = "FORMAT", requires = "policies")]
    pub from: Option<String>,
    /// Playbooks beside the shipped ones
    #[arg(long, value_name = "PLAYBOOK", num_args = 1.., requires = "policies")]
    pub playbooks: Vec<PathBuf>,
    /// The time all decisions refer to (default: now)
    #[arg(long, value_name = "TIME", requires = "policies")]
    pub as_of: Option<Timestamp>,
    /// How far ahead windows are looked for
    #[arg(long, value_name = "SPAN", default_value = "35d")]
    pub horizon: TimeSpan,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// `drill`
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing on the hosts is changed; the backups and clones that are made are deleted. What was proven is in the\n\
    journal, where `backup.drill_within` of a policy asks for it.\n\nExamples:\n  \
    switchback drill -p policies/ -i inventory.yaml --limit web\n  \
    switchback drill -i inventory.yaml --limit '@due.txt' --concurrency 8 --format json"
)]
pub struct Drill {
    /// Inventory: our YAML, or Ansible's INI or YAML
    #[arg(short, long, value_name = "INVENTORY", required = true, num_args = 1..)]
    pub inventory: Vec<PathBuf>,
    /// Inventories that are programs
    #[command(flatten)]
    pub programs: Programs,
    /// Only these hosts
    #[arg(long = "host", value_name = "HOST")]
    pub hosts: Vec<HostName>,
    /// Only hosts that match this pattern of Ansible's, such as `web:&eu:!web-3`; `@FILE` has one a line
    #[arg(long, value_name = "PATTERN")]
    pub limit: Option<String>,
    /// Policy files or folders: their probes are asked of the clones
    #[arg(short, long, value_name = "POLICIES", num_args = 1..)]
    pub policies: Vec<PathBuf>,
    /// Scanner report, or HOST=REPORT: says which system a host runs where the inventory does not
    #[arg(short = 'f', long = "findings", value_name = "[HOST=]REPORT", num_args = 1..)]
    pub reports: Vec<String>,
    /// Playbooks beside the shipped ones
    #[arg(long, value_name = "PLAYBOOK", num_args = 1..)]
    pub playbooks: Vec<PathBuf>,
    /// How many hosts are drilled at once; fewer where policy or a provider bears fewer clones
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// How a run is shown.
#[derive(Clone, Copy, Debug, Args)]
pub struct RunView {
    /// `table`: live on a terminal, lines elsewhere; `json`: one event a line on stdout
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// `run`
#[derive(Debug, Args)]
#[command(
    after_help = "Ctrl-C once pauses the campaign, twice aborts it.\n\nExamples:\n  switchback run plan.json\n  \
    switchback run plan.json -i inventory.yaml --html report.html"
)]
pub struct Run {
    /// The plan file
    pub plan: PathBuf,
    /// Compare the inventory with the plan's from here instead of the recorded path
    #[arg(short, long, value_name = "INVENTORY", num_args = 1..)]
    pub inventory: Vec<PathBuf>,
    /// Inventories that are programs
    #[command(flatten)]
    pub programs: Programs,
    /// Where approvals are
    #[command(flatten)]
    pub place: ApprovalPlace,
    /// Run the plan as it is: compared neither with its inputs nor with what its policies ask of people
    #[arg(long)]
    pub trust_plan: bool,
    /// Who signs
    #[command(flatten)]
    pub signs: Signs,
    /// Write the report to this HTML file at the end
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// How to show it
    #[command(flatten)]
    pub view: RunView,
}

/// `resume`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  switchback resume\n  switchback resume c-0123456789abcdef --html report.html")]
pub struct Resume {
    /// The campaign; the only one that has not ended where absent
    pub campaign: Option<CampaignId>,
    /// Who signs
    #[command(flatten)]
    pub signs: Signs,
    /// Where approvals are; without a folder those that the campaign began with are judged anew
    #[command(flatten)]
    pub place: ApprovalPlace,
    /// Write the report to this HTML file at the end
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// How to show it
    #[command(flatten)]
    pub view: RunView,
}

/// `pause`, `abort`
#[derive(Debug, Args)]
#[command(after_help = "It is durable when the command returns; a controller that runs takes it up within seconds.")]
pub struct Control {
    /// The campaign; the only one that has not ended where absent
    pub campaign: Option<CampaignId>,
}

/// `status`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  switchback status\n  switchback status c-0123456789abcdef --format json")]
pub struct Status {
    /// The campaign; all where absent
    pub campaign: Option<CampaignId>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// `clones`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  switchback clones\n  switchback clones extend lab-web-1-clone-0123456789ab 24h\n  switchback clones prune"
)]
pub struct Clones {
    #[command(subcommand)]
    pub command: Option<ClonesCommand>,
}

/// What is done with clones.
#[derive(Debug, Subcommand)]
pub enum ClonesCommand {
    /// List them (the default)
    List {
        /// How to print
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Keep one longer than its time
    Extend {
        /// As listed
        reference: String,
        /// How much longer, such as 24h
        length: TimeSpan,
    },
    /// Delete some now, whatever their time
    Destroy {
        /// As listed
        #[arg(required = true)]
        references: Vec<String>,
    },
    /// Delete all whose time is over
    Prune,
}

/// `disarm`
#[derive(Debug, Args)]
pub struct Disarm {
    /// The host
    pub host: HostName,
}

/// `quarantine`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  switchback quarantine\n  switchback quarantine release nginx --reason 'template mended'"
)]
pub struct Quarantine {
    #[command(subcommand)]
    pub command: Option<QuarantineCommand>,
}

/// What is done with the quarantine.
#[derive(Debug, Subcommand)]
pub enum QuarantineCommand {
    /// List it (the default)
    List {
        /// How to print
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Let something in again
    Release {
        /// PACKAGE, PACKAGE=VERSION or a cohort, as listed
        name: String,
        /// Why; kept with your name
        #[arg(long)]
        reason: String,
    },
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Html,
    Markdown,
    Json,
    Junit,
    Table,
}

/// `report`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  switchback report -o report.html\n  switchback report --after later.json -o report.html\n  \
    switchback report c-0123456789abcdef --format markdown"
)]
pub struct Report {
    /// The campaign; the latest where absent
    pub campaign: Option<CampaignId>,
    /// How to write it
    #[arg(long, value_enum, default_value_t = ReportFormat::Html)]
    pub format: ReportFormat,
    /// Reports of a scan that was made after the campaign: what they say is there is what is there
    #[arg(long, value_name = "[HOST=]REPORT", num_args = 1..)]
    pub after: Vec<String>,
    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `lab`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  switchback lab up --hosts 4\n  switchback lab plant web-2 nginx-broken\n  \
    switchback lab plant web-3 cut --for 20s --during-fix\n  switchback lab down")]
pub struct Lab {
    /// Folder of the lab's state, keys and inventory
    #[arg(long, value_name = "DIR", default_value = ".switchback-lab", global = true)]
    pub dir: PathBuf,
    /// What to do
    #[command(subcommand)]
    pub action: LabAction,
}

/// What to do with the lab.
#[derive(Debug, Subcommand)]
pub enum LabAction {
    /// Bring up real Debian hosts with pending security updates, and write an inventory
    Up {
        /// How many
        #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100))]
        hosts: u32,
        /// What names of its containers and its network start with; labs with different prefixes do not meet
        #[arg(long, default_value = "switchback-lab")]
        prefix: Prefix,
        /// Its network, such as 10.77.3.0/24; a free one where absent
        #[arg(long, value_name = "NETWORK")]
        network: Option<Subnet>,
    },
    /// Remove everything the lab made, except the cached image
    Down {
        /// Remove whatever carries this prefix, also where the lab's folder is lost
        #[arg(long)]
        prefix: Option<Prefix>,
        /// Remove the cached image too
        #[arg(long)]
        image: bool,
    },
    /// Show the lab's hosts
    Status {
        /// How to print
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Break something on purpose
    Plant {
        /// The host
        host: HostName,
        /// The fault
        #[arg(value_parser = clap::builder::PossibleValuesParser::new(Fault::NAMES))]
        fault: String,
        /// How long it lasts, or how late it comes
        #[arg(long = "for", value_name = "SPAN")]
        span: Option<TimeSpan>,
        /// Let it happen in the middle of the next fix
        #[arg(long)]
        during_fix: bool,
    },
    /// Take a fault back
    Heal {
        /// The host
        host: HostName,
        /// The fault
        #[arg(value_parser = clap::builder::PossibleValuesParser::new(Fault::NAMES))]
        fault: String,
    },
    /// Show which planted faults really happened on a host
    Evidence {
        /// The host
        host: HostName,
        /// How to print
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
}

/// `demo`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  switchback demo\n  switchback demo --simulated --hosts 20\n  \
    switchback status --state switchback-demo/state")]
pub struct Demo {
    /// Use the simulated fleet
    #[arg(long)]
    pub simulated: bool,
    /// How many hosts
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..=100))]
    pub hosts: u32,
    /// Folder for everything the demo writes; the journal goes to DIR/state where --state does not say otherwise
    #[arg(long, value_name = "DIR", default_value = "switchback-demo")]
    pub dir: PathBuf,
    /// Leave the lab's hosts running
    #[arg(long)]
    pub keep: bool,
    /// `json`: events a line and a summary object last, on stdout
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// `schema`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  switchback schema\n  switchback schema policy > policy.schema.json")]
pub struct Schema {
    /// Which; all names where absent
    pub name: Option<String>,
}

/// `debug`
#[derive(Debug, Subcommand)]
pub enum Debug {
    /// Order two versions a line (`A<TAB>B`): `{"order": -1|0|1}`
    VersionOrder {
        /// An ecosystem or its order, such as `deb`, `rpm`, `npm` or `pep440`
        scheme: String,
    },
    /// Look for a version in a range, one of each a line (`VERSION<TAB>RANGE`): `{"contains": true|false}`
    ///
    /// `<TAB>includePrerelease` behind an npm range makes it contain every pre-release in between.
    VersionRange {
        /// An ecosystem or its order: `npm` and `pep440` have a grammar of their own, others compare (`>= 1, < 2`)
        scheme: String,
    },
    /// Score CVSS vectors, one a line: `{"version", "base", "temporal", "environmental", "score", "severity"}`
    Cvss,
    /// Open intervals of a window, one a line as in a policy: `{rrule: ..., start: "22:00", duration: 4h, timezone: ...}`
    /// or `{calendar: FILE, timezone: ...}`
    Windows {
        /// From here
        #[arg(long, value_name = "TIME")]
        from: Timestamp,
        /// For this long
        #[arg(long, value_name = "SPAN", default_value = "35d")]
        horizon: TimeSpan,
    },
    /// Expand Ansible host ranges, one a line: `{"hosts": [...]}`; with an inventory, host patterns
    Hosts {
        /// Inventory
        #[arg(short, long, value_name = "INVENTORY", num_args = 1..)]
        inventory: Vec<PathBuf>,
        /// Inventories that are programs
        #[command(flatten)]
        programs: Programs,
    },
}

/// `completions`
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// `man`
#[derive(Debug, Args)]
pub struct Man {
    /// The folder
    pub dir: PathBuf,
}
