//! `switchback audit`: what a stranger needs to verify a campaign, and the verification.

use std::path::{Path, PathBuf};

use crate::evidence::{
    AuditBundle, BundleError, ControllerKey, SignatureError, Trust, Verdict, audit, controller_line, controllers,
};
use crate::model::CampaignId;
use crate::report::audit_text;

use super::args::{Audit, AuditExport, AuditVerify, Format, Global, Signs};
use super::drive::{find, open};
use super::error::CommandError;
use super::exit::Exit;
use super::printer::Printer;

/// Names the key file where no option does.
const KEY_VARIABLE: &str = "SWITCHBACK_CONTROLLER_KEY";

/// A file of public keys is a line or two.
const MAX_KEYS: u64 = 64 << 10;

pub(super) fn run(args: &Audit, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    match args {
        Audit::Export(args) => export(args, global, printer),
        Audit::Verify(args) => verify(args, global, printer),
        Audit::Key(args) => key(args, global, printer),
    }
}

fn export(args: &AuditExport, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let bundle = of_state(global.state(), &args.campaign)?;
    bundle.write(&args.output).map_err(|error| bundle_failed(&error, Exit::Failed))?;
    printer.talk(format!(
        "{} records and {} checkpoints of campaign {} are in {}",
        bundle.manifest.records,
        bundle.manifest.checkpoints,
        args.campaign,
        args.output.display()
    ));
    Ok(Exit::Ok)
}

fn verify(args: &AuditVerify, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let campaign = args.what.to_str().and_then(|text| CampaignId::new(text).ok());
    let bundle = match campaign.filter(|_| !args.what.exists()) {
        Some(campaign) => of_state(global.state(), &campaign)?,
        None => AuditBundle::read(&args.what).map_err(|error| bundle_failed(&error, Exit::InvalidInput))?,
    };
    let controller = args.controller_key.as_deref().map(read_keys).transpose()?.unwrap_or_default();
    if let Some(missing) = args.allowed_signers.as_ref().filter(|file| !file.is_file()) {
        return Err(CommandError::new(Exit::Usage, format!("there is no file {}", missing.display())));
    }
    let trust = Trust {
        controller,
        approvers: args.allowed_signers.clone(),
        unfinished: args.unfinished,
        without_policies: args.without_policies,
    };
    let report = audit(&bundle, &trust).map_err(|error| cannot_verify(&error))?;
    match args.format {
        Format::Json => printer.json(&report)?,
        Format::Table => printer.data(&audit_text(&report))?,
    }
    Ok(match report.verdict {
        Verdict::Verified => Exit::Ok,
        Verdict::Failed => Exit::NotVerified,
    })
}

fn key(args: &Signs, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let key = match controller_key(args.controller_key.as_deref())? {
        Some(file) => ControllerKey::file(&file),
        None => ControllerKey::of_state(global.state()),
    };
    let key = key.map_err(|error| CommandError::caused(Exit::Failed, "controller's key", &error))?;
    printer.data(&controller_line(key.public()))?;
    Ok(Exit::Ok)
}

/// The key file that was named, by the option or by the environment; it must be there.
pub(super) fn controller_key(given: Option<&Path>) -> Result<Option<PathBuf>, CommandError> {
    let named = given
        .map(Path::to_owned)
        .or_else(|| crate::env::var(KEY_VARIABLE).filter(|file| !file.is_empty()).map(PathBuf::from));
    match named {
        Some(file) if !file.is_file() => {
            Err(CommandError::new(Exit::Usage, format!("there is no controller's key {}", file.display())).hint(
                format!("--controller-key and ${KEY_VARIABLE} name an SSH key; without them the state folder gets one"),
            ))
        }
        named => Ok(named),
    }
}

fn of_state(state: &Path, campaign: &CampaignId) -> Result<AuditBundle, CommandError> {
    open(state)?;
    let campaign = find(state, campaign)?;
    AuditBundle::of_state(state, &campaign).map_err(|error| bundle_failed(&error, Exit::Failed))
}

fn read_keys(file: &Path) -> Result<Vec<String>, CommandError> {
    let refused = |why: String| {
        CommandError::new(Exit::Usage, format!("no controller's key can be read from {}: {why}", file.display()))
            .hint("--controller-key names what `switchback audit key` printed, or a .pub file")
    };
    let size = std::fs::metadata(file).map_err(|error| refused(error.to_string()))?.len();
    if size > MAX_KEYS {
        return Err(refused(format!("it has {size} bytes")));
    }
    let text = std::fs::read_to_string(file).map_err(|error| refused(error.to_string()))?;
    controllers(&text).map_err(|error| refused(error.to_string()))
}

fn bundle_failed(error: &BundleError, exit: Exit) -> CommandError {
    let told = CommandError::caused(exit, "bundle", error);
    if exit == Exit::InvalidInput {
        told.code("audit-unreadable").hint("give the folder that `switchback audit export` wrote")
    } else {
        told
    }
}

fn cannot_verify(error: &SignatureError) -> CommandError {
    let exit = if matches!(error, SignatureError::NotRun(_)) { Exit::Unsupported } else { Exit::Failed };
    CommandError::caused(exit, "signatures cannot be verified here", error)
}
