//! The command line of those who prove, and of those who verify.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::model::CampaignId;

use super::args::Format;

/// The key with which a controller signs its journal.
#[derive(Clone, Debug, Args)]
pub struct Signs {
    /// Sign the journal with this SSH key, or with an agent's whose public half this is [default: the state folder's, or
    /// $SWITCHBACK_CONTROLLER_KEY]
    #[arg(long, value_name = "FILE")]
    pub controller_key: Option<PathBuf>,
}

/// `audit`
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Write a folder with which others can verify a campaign
    Export(AuditExport),
    /// Verify a campaign, from such a folder or from the state folder
    Verify(AuditVerify),
    /// Print the controller's public key as a line of `allowed_signers`, for auditors to keep
    Key(Signs),
}

/// `audit export`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  switchback audit export c-0123456789abcdef -o evidence/")]
pub struct AuditExport {
    /// The campaign
    pub campaign: CampaignId,
    /// The folder to write; it must not be there yet, or be empty
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}

/// `audit verify`
#[derive(Debug, Args)]
#[command(after_help = "Needs no network and no state folder, only ssh-keygen.\n\nExamples:\n  \
    switchback audit verify evidence/ --controller-key controller.pub\n  switchback audit verify c-0123456789abcdef")]
pub struct AuditVerify {
    /// Folder that `audit export` wrote, or campaign of the state folder
    #[arg(value_name = "DIR|CAMPAIGN")]
    pub what: PathBuf,
    /// The controller's public key as you know it: what `audit key` printed, or a .pub file. Lines of allowed_signers
    /// are for `controller`, and hold with all that they demand
    #[arg(long, value_name = "FILE")]
    pub controller_key: Option<PathBuf>,
    /// Who may approve, in the format of OpenSSH's allowed_signers: approvers must be in it, and in the plan
    #[arg(long, value_name = "FILE")]
    pub allowed_signers: Option<PathBuf>,
    /// Let pass a campaign that has not ended
    #[arg(long)]
    pub unfinished: bool,
    /// Let pass a campaign whose policies were not kept, as by `run --trust-plan`
    #[arg(long)]
    pub without_policies: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}
