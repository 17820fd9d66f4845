//! Holds the approvals that a journal tells of against what people signed, at the time at which they were accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::engine::{Approval, Record, RecordBody};
use crate::model::Digest;
use crate::plan::Plan;
use crate::transport::PrivateDir;

use super::journal::{problem, shown};
use super::{Found, JudgeError, Judged, Problem, SignatureError, Statement, StatementKind};

/// As many as a folder of approvals has.
const MAX_STATEMENTS: usize = 1_000;

/// Approvals come with a controller's start: nobody starts one more often. Each time takes some milliseconds a statement.
const MAX_TIMES: usize = 100;

/// What is wrong with the approvals of a campaign. `allowed` is the auditor's own list of approvers: where it is given,
/// both it and the plan must name them.
pub(super) fn disagreements(
    plan: &Plan,
    records: &[Record],
    files: &BTreeMap<String, Vec<u8>>,
    allowed: Option<&Path>,
) -> Result<Vec<Problem>, SignatureError> {
    let mut problems = Vec::new();
    let found = statements(files, &mut problems);
    let mut by_time: BTreeMap<Timestamp, Vec<(u64, &Approval)>> = BTreeMap::new();
    let mut withdrawn: BTreeMap<Digest, u64> = BTreeMap::new();
    for record in records {
        match &record.body {
            RecordBody::Approved(approval) => by_time.entry(record.at).or_default().push((record.seq, approval)),
            RecordBody::Disapproved { statement, .. } => drop(withdrawn.insert(*statement, record.seq)),
            _ => {}
        }
    }
    if by_time.len() > MAX_TIMES {
        problems
            .push(problem("audit-approval-wrong", format!("approvals were accepted at more than {MAX_TIMES} times")));
    }
    if found.len() > MAX_STATEMENTS {
        problems.push(problem("audit-approval-wrong", format!("there are more than {MAX_STATEMENTS} statements")));
        return Ok(problems);
    }
    let dir = PrivateDir::create()?;
    let lists: BTreeMap<&str, PathBuf> =
        plan.signers.keys().zip(0..).map(|(file, n)| (file.as_str(), dir.path().join(format!("plan-{n}")))).collect();
    for (file, text) in &plan.signers {
        fs::write(&lists[file.as_str()], text)?;
    }
    let current = |file: &str| {
        let frozen = lists.get(file).cloned().unwrap_or_default();
        allowed.map_or(frozen, Path::to_owned)
    };
    let judge = |statements: &BTreeSet<Digest>, at| {
        let known: Vec<Found> =
            found.iter().filter(|(digest, _)| statements.contains(digest)).map(|(_, found)| found.clone()).collect();
        Judged::of(plan, &known, &current, at).map_err(|error| match error {
            JudgeError::Signature { error, .. } => error,
            JudgeError::Io(error) => SignatureError::Io(error),
            other @ JudgeError::Approvers { .. } => SignatureError::Io(io::Error::other(other.to_string())),
        })
    };
    let revocations: Vec<(Digest, Timestamp)> = found
        .iter()
        .filter_map(|(digest, found)| Some((*digest, Statement::parse(&found.text).ok()?)))
        .filter(|(_, statement)| statement.kind == StatementKind::Revoke)
        .map(|(digest, statement)| (digest, statement.signed_at))
        .collect();
    for (at, told) in by_time.into_iter().take(MAX_TIMES) {
        // A revocation may be signed with an earlier time: the controller learnt of it when the journal says so.
        let learnt_later = |(seq, approval): &(u64, &Approval)| {
            withdrawn.get(&approval.statement).is_some_and(|withdrawn| withdrawn > seq)
        };
        let accepted: BTreeSet<Digest> = told.iter().map(|(_, approval)| approval.statement).collect();
        // What was signed later did not count then.
        let earlier = revocations.iter().filter(|(_, signed_at)| *signed_at <= at).map(|(digest, _)| *digest);
        let with = judge(&accepted.iter().copied().chain(earlier).collect(), at)?;
        let without = if told.iter().any(learnt_later) { judge(&accepted, at)? } else { Judged::default() };
        for (seq, approval) in told {
            let judged = if learnt_later(&(seq, approval)) { &without } else { &with };
            if judged.accepted.iter().any(|accepted| covers(accepted, approval)) {
                continue;
            }
            let what = format!("the approval of {} in record {seq}", approval.by);
            let Some((_, file)) = found.iter().find(|(digest, _)| *digest == approval.statement) else {
                let text = format!("{what} is of a statement that is not there");
                problems.push(problem("audit-approval-missing", text).of(seq).instead(approval.statement, "none"));
                continue;
            };
            let void = judged.void.iter().find(|void| void.file == file.name);
            let why = void.map_or_else(
                || "it is for other hosts, rules or times than what was signed".to_owned(),
                |void| void.reason.text.clone(),
            );
            problems.push(problem("audit-approval-wrong", shown(&format!("{what} does not count: {why}"))).of(seq));
        }
    }
    Ok(problems)
}

/// Whether what counts gives at least what the journal says that it gave: who may approve may have become fewer since
/// the plan was made.
fn covers(accepted: &Approval, told: &Approval) -> bool {
    let same = |a: &Approval| (a.by.clone(), a.key.clone(), a.statement, a.gives, a.signed_at, a.ticket.clone());
    same(accepted) == same(told)
        && told.until <= accepted.until
        && told.rules.is_subset(&accepted.rules)
        && told.hosts.is_subset(&accepted.hosts)
}

/// The statements with their digests, each with the signature beside it.
fn statements(files: &BTreeMap<String, Vec<u8>>, problems: &mut Vec<Problem>) -> Vec<(Digest, Found)> {
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    let mut found = Vec::new();
    for (name, bytes) in files {
        let of = name.strip_suffix(".sig").unwrap_or(name);
        if !of.ends_with(".json") || !files.contains_key(of) {
            let text = format!("{} is neither a statement nor the signature of one", shown(name));
            problems.push(problem("audit-approval-wrong", text));
        } else if of == name {
            let signature = files.get(&format!("{name}.sig")).map(text);
            found.push((Digest::of(bytes), Found { name: name.clone(), text: text(bytes), signature }));
        }
    }
    found
}
