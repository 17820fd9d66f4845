//! Arguments of commands about approvals.

use std::path::PathBuf;

use clap::Args;

use super::args::Format;
use crate::model::{HostName, Principal, Ticket, TimeSpan};

/// Where approvals and the people who give them are.
#[derive(Debug, Args)]
pub struct ApprovalPlace {
    /// The policies now, where they are not where the plan has them: what they say, and who may approve
    #[arg(short, long, value_name = "POLICIES", num_args = 1..)]
    pub policies: Vec<PathBuf>,
    /// The folder of approvals; `PLAN.approvals` where absent
    #[arg(long, value_name = "DIR")]
    pub approvals: Option<PathBuf>,
}

/// `approve`
#[derive(Debug, Args)]
#[command(
    after_help = "The key may be a private key, or a public one whose other half is in an agent or a hardware key.\n\
    What is signed is a JSON file; `ssh-keygen -Y verify` verifies it as well (docs/guide/approvals.md).\n\nExamples:\n  \
    switchback approve plan.json --dry-run\n  switchback approve plan.json --key ~/.ssh/id_ed25519.pub --comment 'seen in CAB'\n  \
    switchback approve plan.json --plan-digest 7f0c5b2a91de\n  \
    switchback approve plan.json --without-backup db-1\n  switchback approve plan.json --revoke"
)]
pub struct Approve {
    /// The plan file
    pub plan: PathBuf,
    /// Where approvals are
    #[command(flatten)]
    pub place: ApprovalPlace,
    /// The key to sign with; without it the first of id_ed25519, id_ecdsa, id_ed25519_sk, id_ecdsa_sk, id_rsa in ~/.ssh
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Sign as this person, where the file of approvers gives the key to several
    #[arg(long = "as", value_name = "PRINCIPAL")]
    pub principal: Option<Principal>,
    /// Approve only these hosts
    #[arg(long = "host", value_name = "HOST")]
    pub hosts: Vec<HostName>,
    /// Sign that this host is fixed although there is no backup of it; approves nothing else
    #[arg(long, value_name = "HOST", conflicts_with_all = ["hosts", "revoke"])]
    pub without_backup: Vec<HostName>,
    /// Take back what you have signed so far
    #[arg(long)]
    pub revoke: bool,
    /// Sign again what you have approved already, to make it good for longer
    #[arg(long, conflicts_with = "revoke")]
    pub renew: bool,
    /// Good for at most this long; the policy may end it earlier
    #[arg(long, value_name = "SPAN")]
    pub valid_for: Option<TimeSpan>,
    /// The change request, where the plan names none
    #[arg(long, value_name = "TICKET")]
    pub ticket: Option<Ticket>,
    /// A word to whoever reads it
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
    /// Sign only if the digest of the plan begins so: 12 digits at least
    #[arg(long, value_name = "DIGEST")]
    pub plan_digest: Option<String>,
    /// Sign without asking
    #[arg(long)]
    pub yes: bool,
    /// Show what would be signed
    #[arg(long)]
    pub dry_run: bool,
}

/// `approvals`
#[derive(Debug, Args)]
#[command(
    after_help = "Exits with 0 if nothing is missing, with 4 otherwise.\n\nExamples:\n  switchback approvals plan.json\n  \
    switchback approvals plan.json --format json"
)]
pub struct Approvals {
    /// The plan file
    pub plan: PathBuf,
    /// Where approvals are
    #[command(flatten)]
    pub place: ApprovalPlace,
    /// Output
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}
