//! The command line of those who write and review policies.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;

use crate::model::{HostName, TimeSpan};

use super::args::{Format, Programs};

/// How problems are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// On stderr, with the source line underlined
    Table,
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of GitHub Actions
    Github,
    /// Code Quality report of GitLab
    Gitlab,
}

/// `check`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  switchback check -p policies/ -i inventory.yaml\n  \
    switchback check -p policies/ -i inventory.yaml -f findings.json --deny-warnings\n  \
    switchback check -p policies/ --format sarif > check.sarif\n  switchback check --explain unknown-key")]
pub struct Check {
    /// Policy files or folders
    #[arg(short, long, value_name = "POLICIES", num_args = 1..)]
    pub policies: Vec<PathBuf>,
    /// Inventory
    #[arg(short, long, value_name = "INVENTORY", num_args = 1..)]
    pub inventory: Vec<PathBuf>,
    /// Inventories that are programs
    #[command(flatten)]
    pub programs: Programs,
    /// Scanner report, or HOST=REPORT to say which host it is about; rules are then judged by its findings as well
    #[arg(short = 'f', long = "findings", value_name = "[HOST=]REPORT", requires = "inventory", num_args = 1..)]
    pub reports: Vec<String>,
    /// Read the reports as this format, whatever their content looks like
    #[arg(long, value_name = "FORMAT")]
    pub from: Option<String>,
    /// Playbooks beside the shipped ones
    #[arg(long, value_name = "PLAYBOOK", num_args = 1..)]
    pub playbooks: Vec<PathBuf>,
    /// The time ages and expiries refer to (default: now)
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<Timestamp>,
    /// Warnings are errors
    #[arg(long)]
    pub deny_warnings: bool,
    /// Explain a diagnostic code, or `all` of them
    #[arg(long, value_name = "CODE")]
    pub explain: Option<String>,
    /// List the diagnostic codes
    #[arg(long, conflicts_with = "explain")]
    pub codes: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = CheckFormat::Table)]
    pub format: CheckFormat,
}

/// `exceptions`
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  switchback exceptions list -p policies/\n  \
    switchback exceptions import .trivyignore --owner web-team --expires 2027-03-01 > policies/imported.yaml\n  \
    switchback exceptions export --format trivyignore -p policies/ > .trivyignore")]
pub enum Exceptions {
    /// List the exceptions of policies: whether they apply, for how long, and whose they are
    List(ExceptionsList),
    /// Print a policy made of scanners' ignore files
    Import(ExceptionsImport),
    /// Print the whitelist as an ignore file of a scanner
    Export(ExceptionsExport),
}

/// `exceptions list`
#[derive(Debug, Args)]
pub struct ExceptionsList {
    /// Policy files or folders
    #[arg(short, long, value_name = "POLICIES", required = true, num_args = 1..)]
    pub policies: Vec<PathBuf>,
    /// The time that dates are compared with (default: now)
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<Timestamp>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// What an imported exception does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportKind {
    /// Accepted: not reported and left out of scans
    Whitelist,
    /// Left for now; the next scan reports it again
    Ignore,
}

/// `exceptions import`
#[derive(Debug, Args)]
#[command(
    after_help = "Read are .trivyignore, .trivyignore.yaml, .grype.yaml, osv-scanner.toml and cargo-audit's audit.toml."
)]
pub struct ExceptionsImport {
    /// Ignore files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Who answers for what is imported
    #[arg(long, value_name = "NAME")]
    pub owner: String,
    /// When the exceptions end; an entry that ends earlier keeps its own date
    #[arg(long, value_name = "DATE")]
    pub expires: String,
    /// Why, for entries that give no reason
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// What the exceptions do
    #[arg(long, value_enum, default_value_t = ImportKind::Whitelist)]
    pub kind: ImportKind,
    /// The time that dates are compared with (default: now)
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<Timestamp>,
}

/// A scanner's format of ignore files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum IgnoreFormat {
    Trivyignore,
    Grype,
    OsvScanner,
    CargoAudit,
}

/// `exceptions export`
#[derive(Debug, Args)]
pub struct ExceptionsExport {
    /// Policy files or folders
    #[arg(short, long, value_name = "POLICIES", required = true, num_args = 1..)]
    pub policies: Vec<PathBuf>,
    /// The scanner's format
    #[arg(long, value_enum)]
    pub format: IgnoreFormat,
    /// The time that dates are compared with (default: now)
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<Timestamp>,
}

/// How tests are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TestFormat {
    Text,
    Json,
    /// JUnit XML
    Junit,
}

/// `test`
#[derive(Debug, Args)]
#[command(after_help = "Tests are *.test.yaml beside the policies.\n\nExamples:\n  switchback test -p policies/\n  \
    switchback test -p policies/ --min-coverage 90 --format junit > junit.xml\n  switchback test -p policies/ --mutants\n  \
    switchback test -p policies/default.yaml")]
pub struct Test {
    /// Policy files or folders, with their tests
    #[arg(short, long, value_name = "POLICIES", required = true, num_args = 1..)]
    pub policies: Vec<PathBuf>,
    /// Only tests whose name has this part; coverage and mutants are about all tests
    #[arg(long, value_name = "PART", conflicts_with_all = ["mutants", "min_coverage"])]
    pub run: Option<String>,
    /// Fail where less of the rules and lines is covered, in per cent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub min_coverage: Option<u8>,
    /// Change thresholds, comparisons, dates and selectors one at a time, and list the changes that no test notices
    #[arg(long)]
    pub mutants: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = TestFormat::Text)]
    pub format: TestFormat,
}

/// How a comparison is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    Text,
    Json,
    /// For a comment on a pull request
    Markdown,
}

/// `diff`
#[derive(Debug, Args)]
#[command(after_help = "Ends with 0 if nothing changes and with 11 if something does.\n\nExamples:\n  \
    switchback diff --base policies/ --head new-policies/ -i inventory.yaml -f findings.json\n  \
    switchback diff --base main --head HEAD -p policies/ -i inventory.yaml -f findings.json --format markdown\n  \
    switchback diff -p policies/ --base-inventory HEAD~1:inventory.yaml --head-inventory inventory.yaml -f findings.json")]
pub struct Diff {
    /// Policies before: a folder or file, or a git revision (REV, or REV:FOLDER); -p where absent
    #[arg(long, value_name = "REV|DIR")]
    pub base: Option<String>,
    /// Policies after
    #[arg(long, value_name = "REV|DIR")]
    pub head: Option<String>,
    /// Where policies are in a revision; the policies of a version that is not given
    #[arg(short, long, value_name = "POLICIES", num_args = 1..)]
    pub policies: Vec<PathBuf>,
    /// Inventory of both versions; a path, or REV:PATH
    #[arg(short, long, value_name = "INVENTORY", num_args = 1..)]
    pub inventory: Vec<String>,
    /// Inventory before
    #[arg(long, value_name = "INVENTORY", num_args = 1..)]
    pub base_inventory: Vec<String>,
    /// Inventory after
    #[arg(long, value_name = "INVENTORY", num_args = 1..)]
    pub head_inventory: Vec<String>,
    /// Scanner report of both versions, or HOST=REPORT; a path, or REV:PATH
    #[arg(short, long, value_name = "[HOST=]REPORT", num_args = 1..)]
    pub findings: Vec<String>,
    /// Scanner report before
    #[arg(long, value_name = "[HOST=]REPORT", num_args = 1..)]
    pub base_findings: Vec<String>,
    /// Scanner report after
    #[arg(long, value_name = "[HOST=]REPORT", num_args = 1..)]
    pub head_findings: Vec<String>,
    /// Read the reports as this format, whatever their content looks like
    #[arg(long, value_name = "FORMAT")]
    pub from: Option<String>,
    /// Inventories that are programs
    #[command(flatten)]
    pub programs: Programs,
    /// Playbooks beside the shipped ones
    #[arg(long, value_name = "PLAYBOOK", num_args = 1..)]
    pub playbooks: Vec<PathBuf>,
    /// The time both versions refer to (default: now)
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<Timestamp>,
    /// How far ahead windows are looked for
    #[arg(long, value_name = "SPAN", default_value = "35d")]
    pub horizon: TimeSpan,
    /// How to print
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    pub format: DiffFormat,
}

/// `windows`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  switchback windows -p policies/ -i inventory.yaml --for web-1 --until 2026-12-31\n  \
    switchback windows -p policies/ -i inventory.yaml --for web-1 --from 2027-03-20T00:00:00Z --format json"
)]
pub struct Windows {
    /// Policy files or folders
    #[arg(short, long, value_name = "POLICIES", required = true, num_args = 1..)]
    pub policies: Vec<PathBuf>,
    /// Inventory
    #[arg(short, long, value_name = "INVENTORY", required = true, num_args = 1..)]
    pub inventory: Vec<PathBuf>,
    /// Inventories that are programs
    #[command(flatten)]
    pub programs: Programs,
    /// The host
    #[arg(long = "for", value_name = "HOST")]
    pub host: HostName,
    /// From here [default: now]
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,
    /// Until this time, or the end of this day in UTC; at most five years [default: five weeks from there]
    #[arg(long, value_name = "DATE", value_parser = until)]
    pub until: Option<Timestamp>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// A time, or a day for its end.
fn until(text: &str) -> Result<Timestamp, String> {
    let day = || text.parse::<jiff::civil::Date>().ok().filter(|_| text.len() == 10)?.tomorrow().ok();
    let end = day().and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok()).map(|end| end.timestamp());
    end.or_else(|| text.parse().ok()).ok_or_else(|| "write a day such as 2026-12-31, or a time".to_owned())
}
