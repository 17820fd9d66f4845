//! Verifies a bundle: without the network, without the state folder, and without trust in who wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::Source;
use crate::engine::{Gives, Phase, Record, RecordBody};
use crate::model::{CampaignId, Digest, HostOutcome, Principal, RuleName, printable};
use crate::plan::{Plan, Reason, asks_otherwise, check, read_plan};
use crate::policy::{Policy, digest_of_texts};
use crate::transport::PrivateDir;

use super::agreed::disagreements;
use super::bundle::count;
use super::journal::{problem, shown};
use super::meaning::meaning;
use super::{
    AuditBundle, CHECKPOINT_FORMAT, CHECKPOINT_NAMESPACE, CONTROLLER, Checkpoint, CheckpointLine, POLICY_ROLE, Problem,
    Signature, SignatureError, controllers, inspect_journal, verify,
};

/// More problems than these of one kind say nothing more.
const MAX_PROBLEMS: usize = 20;

/// One a minute for a month. Each takes some milliseconds to verify.
const MAX_CHECKPOINTS: usize = 43_200;

/// What whoever verifies knows beforehand.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Whose signatures are the controller's, as [`controllers`] gives it; if there is none, the bundle is taken at its
    /// word.
    pub controller: Vec<String>,
    /// Who may approve, in the format of `allowed_signers`, beside those whom the plan names: both must.
    pub approvers: Option<PathBuf>,
    /// Whether the campaign may be one that has not ended.
    pub unfinished: bool,
    /// Whether the policies may be missing, as they are of a campaign that was run without comparing its plan with them.
    pub without_policies: bool,
}

/// Whether everything is as it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is.
    Verified,
    /// Something is not.
    Failed,
}

/// Where the key comes from by which checkpoints were verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyFrom {
    /// From whoever verifies.
    Pinned,
    /// From the bundle: whoever wrote the bundle may have made it.
    Bundle,
}

/// What came of a verification.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct AuditReport {
    /// Whether everything is as it must be.
    pub verdict: Verdict,
    /// The campaign.
    pub campaign: CampaignId,
    /// The digest of its plan.
    pub plan: Digest,
    /// How many records are there and hold.
    pub records: u64,
    /// How many of them a signature covers.
    pub signed: u64,
    /// How many checkpoints are there and hold.
    pub checkpoints: u64,
    /// Fingerprints of the keys that signed them.
    pub keys: BTreeSet<String>,
    /// Where the keys come from.
    pub key_from: KeyFrom,
    /// Where the campaign stands by its records.
    pub phase: Phase,
    /// How many hosts ended in which state.
    pub outcomes: BTreeMap<HostOutcome, u32>,
    /// Who has agreed, as the records tell it.
    pub agreed: BTreeSet<Agreed>,
    /// What is not as it must be, the journal's first problem in front.
    pub problems: Vec<Problem>,
    /// What whoever reads this should know.
    pub notes: Vec<Reason>,
}

/// Somebody whose signature was accepted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
pub struct Agreed {
    /// The rule that wants it.
    pub rule: RuleName,
    /// Who.
    pub by: Principal,
    /// The fingerprint of their key.
    pub key: String,
    /// What they agreed to.
    pub gives: Gives,
    /// For how many hosts of the rule.
    pub hosts: usize,
}

fn agreed(plan: &Plan, records: &[Record]) -> BTreeSet<Agreed> {
    let approvals = records.iter().filter_map(|record| match &record.body {
        RecordBody::Approved(approval) => Some(approval),
        _ => None,
    });
    let of_rules = approvals.flat_map(|approval| {
        (0..).zip(&plan.approvals).filter(|(number, _)| approval.rules.contains(number)).map(|(_, rule)| Agreed {
            rule: rule.rule.name.clone(),
            by: approval.by.clone(),
            key: approval.key.clone(),
            gives: approval.gives,
            hosts: rule.hosts.iter().filter(|host| approval.hosts.contains(*host)).count(),
        })
    });
    of_rules.filter(|agreed| agreed.hosts > 0).collect()
}

/// Verifies a bundle. An error only where this machine cannot verify signatures; what is wrong with the bundle is in
/// the report.
pub fn audit(bundle: &AuditBundle, trust: &Trust) -> Result<AuditReport, SignatureError> {
    let manifest = &bundle.manifest;
    let campaign = &manifest.campaign;
    let mut problems = Vec::new();
    let mut notes = Vec::new();

    let plan = match read_plan(bundle.plan.as_slice()) {
        Ok((id, plan)) => Some((id, Arc::new(plan))),
        Err(error) => {
            problems.push(problem("audit-plan-changed", shown(&error.to_string())));
            None
        }
    };
    // What cannot be read has the digest that is claimed: the journal can be looked at all the same.
    let digest = plan.as_ref().map_or(manifest.plan, |(id, _)| *id);
    if digest != manifest.plan {
        let text = "the plan is not the one of the manifest";
        problems.push(problem("audit-plan-changed", text).instead(manifest.plan, digest));
    }

    let sealed = checkpoints(bundle, trust, campaign, digest)?;
    let journal = inspect_journal(campaign, digest, &bundle.journal, &sealed.digests);
    let records = &journal.records;
    let total = count(records.len());
    let broken = journal.problem.is_some();
    problems.splice(0..0, journal.problem);
    problems.extend(sealed.problems);

    let signs = |&(&seq, digest): &(&u64, &Digest)| {
        let record = usize::try_from(seq).ok().and_then(|seq| records.get(seq.checked_sub(1)?));
        record.is_some_and(|record| record.digest() == *digest)
    };
    let signed = sealed.digests.iter().rev().find(signs).map_or(0, |(&seq, _)| seq);

    let (mut phase, mut possible) = (Phase::New, false);
    let (mut outcomes, mut agreed) = (BTreeMap::new(), BTreeSet::new());
    if let Some((id, plan)) = &plan {
        let told = meaning(campaign, *id, Arc::clone(plan), records);
        (phase, possible, outcomes) = (told.phase, told.problem.is_none(), told.outcomes);
        agreed = self::agreed(plan, records);
        problems.extend(told.problem);
        let violations = check(plan).into_iter().take(MAX_PROBLEMS);
        problems.extend(violations.map(|violation| problem("audit-plan-unsafe", shown(&violation.to_string()))));
        problems.extend(disagreements(plan, records, &bundle.approvals, trust.approvers.as_deref())?);
        policies(bundle, plan, trust, &mut problems, &mut notes);
    }
    if !broken && (signed == 0 || signed < total) {
        let left = total - signed;
        let text = if signed == 0 {
            format!("nothing is signed: none of the {total} records is covered by a signature")
        } else {
            format!("the last {left} of {total} records are covered by no signature")
        };
        // A controller under way signs what it wrote within minutes.
        if signed > 0 && trust.unfinished && phase != Phase::Ended {
            notes.push(Reason::new("tail-unsigned", text + ": they prove nothing yet"));
        } else {
            problems.push(problem("audit-tail-unsigned", text).of(signed + 1));
        }
    }
    if !broken && possible && phase != Phase::Ended {
        let text = format!(
            "the campaign has not ended by record {total}: it was still under way, or what came later was left out"
        );
        if trust.unfinished {
            notes.push(Reason::new("unfinished", text));
        } else {
            problems.push(problem("audit-unfinished", text).of(total));
        }
    }
    manifest_counts(bundle, total, broken, sealed.lines, &mut problems);

    let key_from = if trust.controller.is_empty() { KeyFrom::Bundle } else { KeyFrom::Pinned };
    if key_from == KeyFrom::Bundle {
        let text = "the controller's key was taken from the bundle: whoever wrote the bundle may have made the key. \
                    --controller-key holds it against the one that you know";
        notes.push(Reason::new("key-not-pinned", text));
    }
    if trust.approvers.is_none() && plan.is_some_and(|(_, plan)| !plan.approvals.is_empty()) {
        let text = "who may approve was taken from the plan: whoever made the plan may have named them. \
                    --allowed-signers holds approvers against the list that you know";
        notes.push(Reason::new("approvers-not-pinned", text));
    }
    if !bundle.strays.is_empty() {
        let names: Vec<String> = bundle.strays.iter().take(MAX_PROBLEMS).map(|name| printable(name, 80)).collect();
        notes.push(Reason::new("not-evidence", format!("no part of the evidence: {}", names.join(", "))));
    }
    Ok(AuditReport {
        verdict: if problems.is_empty() { Verdict::Verified } else { Verdict::Failed },
        campaign: campaign.clone(),
        plan: digest,
        records: total,
        signed,
        checkpoints: sealed.held,
        keys: sealed.keys,
        key_from,
        phase,
        outcomes,
        agreed,
        problems,
        notes,
    })
}

/// What the checkpoints say.
#[derive(Debug, Default)]
struct Sealed {
    /// The digests that verified signatures give to records.
    digests: BTreeMap<u64, Digest>,
    lines: u64,
    held: u64,
    keys: BTreeSet<String>,
    problems: Vec<Problem>,
}

fn checkpoints(
    bundle: &AuditBundle,
    trust: &Trust,
    campaign: &CampaignId,
    plan: Digest,
) -> Result<Sealed, SignatureError> {
    let mut sealed = Sealed::default();
    let known = if trust.controller.is_empty() {
        // Where these are none, no signature holds.
        controllers(&String::from_utf8_lossy(&bundle.controller)).unwrap_or_default()
    } else {
        trust.controller.clone()
    };
    let dir = PrivateDir::create()?;
    let allowed = dir.path().join("controllers");
    fs::write(&allowed, known.join("\n") + "\n")?;
    let mut seen = BTreeSet::new();
    for (number, line) in (1..).zip(bundle.checkpoints.split_inclusive(|&b| b == b'\n')) {
        sealed.lines = number;
        if sealed.problems.len() >= MAX_PROBLEMS {
            continue;
        }
        if seen.len() >= MAX_CHECKPOINTS || !seen.insert(line) {
            let text = "a checkpoint is there twice, or there are more than any campaign has";
            sealed.problems.push(problem("audit-checkpoint-wrong", text).line(number));
            continue;
        }
        match checkpoint(line, campaign, plan, &allowed) {
            Ok((checkpoint, key)) => {
                sealed.keys.insert(key);
                sealed.held += 1;
                match sealed.digests.insert(checkpoint.seq, checkpoint.record) {
                    Some(other) if other != checkpoint.record => {
                        let text = format!("two checkpoints sign different digests for record {}", checkpoint.seq);
                        let told = problem("audit-checkpoint-wrong", text).of(checkpoint.seq).line(number);
                        sealed.problems.push(told.instead(other, checkpoint.record));
                    }
                    _ => {}
                }
            }
            Err(Unsealed::Wrong(told)) => sealed.problems.push((*told).line(number)),
            Err(Unsealed::Unverifiable(error)) => return Err(error),
        }
    }
    Ok(sealed)
}

/// Why a checkpoint does not hold.
enum Unsealed {
    Wrong(Box<Problem>),
    /// This machine cannot tell.
    Unverifiable(SignatureError),
}

/// A checkpoint, and the fingerprint of the key that signed it.
fn checkpoint(
    line: &[u8],
    campaign: &CampaignId,
    plan: Digest,
    allowed: &Path,
) -> Result<(Checkpoint, String), Unsealed> {
    let wrong = |text: &str| Unsealed::Wrong(Box::new(problem("audit-checkpoint-wrong", text)));
    let body = line.strip_suffix(b"\n").ok_or_else(|| wrong("the list of checkpoints is cut off"))?;
    let found: CheckpointLine = serde_json::from_slice(body).map_err(|_| wrong("a line holds no checkpoint"))?;
    if serde_json::to_vec(&found).ok().as_deref() != Some(body) {
        return Err(wrong("a line is not what is written for its checkpoint"));
    }
    let statement = serde_json::from_str::<Checkpoint>(&found.statement)
        .ok()
        .filter(|statement| statement.format == CHECKPOINT_FORMAT && statement.message() == found.statement);
    let statement = statement.filter(|statement| statement.seq > 0);
    let statement = statement.ok_or_else(|| wrong("what was signed is no checkpoint of this format"))?;
    let signature = Signature::parse(&found.signature).map_err(|_| wrong("a checkpoint has no signature"))?;
    if statement.campaign != *campaign || statement.plan != plan {
        let expected = format!("{campaign} with plan {}", plan.short());
        let found = format!("{} with plan {}", statement.campaign, statement.plan.short());
        let told = problem("audit-checkpoint-foreign", "a checkpoint is of another campaign or plan");
        return Err(Unsealed::Wrong(Box::new(told.of(statement.seq).instead(expected, found))));
    }
    let message = found.statement.as_bytes();
    match verify(allowed, CONTROLLER, CHECKPOINT_NAMESPACE, message, &signature, statement.at) {
        Ok(key) => Ok((statement, key)),
        Err(SignatureError::Refused(why)) => {
            let text = format!("the signature of the checkpoint at record {} does not hold: {why}", statement.seq);
            Err(Unsealed::Wrong(Box::new(problem("audit-signature-wrong", text).of(statement.seq))))
        }
        Err(error) => Err(Unsealed::Unverifiable(error)),
    }
}

/// Holds the texts of policies against the digest that the plan names, and the plan against what they ask of people.
fn policies(bundle: &AuditBundle, plan: &Plan, trust: &Trust, problems: &mut Vec<Problem>, notes: &mut Vec<Reason>) {
    let named = plan.inputs.get(POLICY_ROLE).map(|input| input.digest);
    let found = digest_of_texts(bundle.policies.values().map(Vec::as_slice));
    if named == Some(found) {
        let text = |(name, text): (&String, &Vec<u8>)| Source::new(name.clone(), String::from_utf8_lossy(text));
        let policy = Policy::of_known_texts(bundle.policies.iter().map(text).collect());
        problems.extend(asks_otherwise(plan, &policy).map(|why| problem("audit-not-as-policy", shown(&why))));
    } else if bundle.policies.is_empty() && bundle.manifest.policies == 0 {
        let text = "the texts of the policies were not kept or were taken out: nothing shows that the plan asks people \
                    for what they ask";
        if trust.without_policies {
            notes.push(Reason::new("policies-absent", text));
        } else {
            problems.push(problem("audit-policies-absent", text));
        }
    } else {
        let text = "the texts of the policies are not those from which the plan was made";
        let named = named.map_or("none".to_owned(), |named| named.to_string());
        problems.push(problem("audit-policies-changed", text).instead(named, found));
    }
}

/// The manifest tells what there was: a folder that was emptied is not one that was never filled.
fn manifest_counts(bundle: &AuditBundle, records: u64, broken: bool, checkpoints: u64, problems: &mut Vec<Problem>) {
    let manifest = &bundle.manifest;
    let counts = [
        // A journal that is broken holds more than was read of it.
        ("records", manifest.records, if broken { manifest.records } else { records }),
        ("checkpoints", manifest.checkpoints, checkpoints),
        ("files of approvals", manifest.approvals, count(bundle.approvals.len())),
        ("files of policies", manifest.policies, count(bundle.policies.len())),
    ];
    for (what, told, found) in counts.into_iter().filter(|(_, told, found)| told != found) {
        let text = format!("the manifest tells of {told} {what}, and there are {found}");
        problems.push(problem("audit-manifest-wrong", text).instead(told, found));
    }
    let last = bundle.journal.strip_suffix(b"\n").and_then(|lines| lines.rsplit(|&b| b == b'\n').next());
    let last = last.map_or(manifest.plan, Digest::of);
    if !broken && last != manifest.last {
        let text = "the last record is not the one of the manifest";
        problems.push(problem("audit-manifest-wrong", text).of(records).instead(manifest.last, last));
    }
}
