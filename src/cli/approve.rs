//! `switchback approve`: shows what a person has not approved yet, and signs it with their own key.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, stdin};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::engine::{Approval, Gives};
use crate::evidence::{
    APPROVAL_NAMESPACE, Asking, Judged, MAX_COMMENT, SigningKey, Statement, StatementKind, approvals_folder,
    public_key, same_person, sign, verify, write_statement,
};
use crate::model::{HostName, Principal, printable};
use crate::plan::{HostPlan, Plan, PlanApproval, PlanId};
use crate::report::{count, lines_of, wanted};

use super::approvals::{current, forecast, found, judged};
use super::args;
use super::error::CommandError;
use super::exit::Exit;
use super::inputs::load_plan;
use super::printer::Printer;

/// Where ssh-keygen writes keys, best first.
const KEYS: [&str; 5] = ["id_ed25519", "id_ecdsa", "id_ed25519_sk", "id_ecdsa_sk", "id_rsa"];

pub(super) fn run(args: &args::Approve, printer: Printer) -> Result<Exit, CommandError> {
    let (id, plan) = load_plan(&args.plan)?;
    is_meant(args, id, &plan)?;
    if plan.approvals.is_empty() {
        printer.talk("the plan needs no approval");
        return Ok(Exit::Ok);
    }
    let before = judged(
        &plan,
        found(Some(&args.plan), args.place.approvals.as_deref()).or_else(|error| {
            // The first approval makes the folder.
            if args.place.approvals.as_ref().is_some_and(|folder| !folder.exists()) {
                Ok(Vec::new())
            } else {
                Err(error)
            }
        })?,
        &args.place.policies,
    )?;
    let signer = Signer::new(args, &plan)?;
    let folder = args.place.approvals.clone().unwrap_or_else(|| approvals_folder(&args.plan));
    let now = Timestamp::from_millisecond(crate::env::now().as_millisecond()).unwrap_or_else(|_| crate::env::now());
    let mut statements = Vec::new();
    let asked = signer.asked(args, &plan, &before, now)?;
    if !asked.is_empty() {
        let author = plan.author.as_deref().map_or(String::new(), |author| format!(" by {author}"));
        let ticket =
            args.ticket.as_ref().or(plan.ticket.as_ref()).map_or(String::new(), |ticket| format!(", ticket {ticket}"));
        printer.talk(format!("plan {id}{author}{ticket}"));
    }
    for (kind, hosts) in asked {
        tell(kind, &hosts, &signer, &plan, &before, printer);
        let mut statement =
            Statement::new(kind, (id, &plan), signer.principal.clone(), &hosts, (now, signer.until(args, now)));
        statement.ticket = args.ticket.clone().or_else(|| plan.ticket.clone());
        if kind != StatementKind::Revoke {
            printer.talk(format!("good until {}", statement.valid_until));
        }
        statement.comment = args.comment.as_ref().map(|comment| printable(comment, MAX_COMMENT));
        statements.push(statement);
    }
    if args.dry_run {
        statements.iter().try_for_each(|statement| printer.data(&statement.to_text()))?;
        return Ok(Exit::Ok);
    }
    if !statements.is_empty() {
        agree(args, printer)?;
    }
    for statement in &statements {
        let path = signer.sign(statement, &folder, &plan, args)?;
        printer.data(&path.display().to_string())?;
    }
    if statements.is_empty() {
        printer.talk(format!("{} has approved all of it already; --renew signs it again", signer.principal));
    }
    remains(args, id, &plan, &folder, printer)
}

/// Refuses a plan that is not the one that is meant.
fn is_meant(args: &args::Approve, id: PlanId, plan: &Plan) -> Result<(), CommandError> {
    /// As many digits as plans are named by.
    const DIGITS: usize = 12;
    if let Some(digest) = &args.plan_digest {
        if digest.len() < DIGITS {
            return Err(CommandError::new(Exit::Usage, format!("--plan-digest takes {DIGITS} digits at least")));
        }
        if !id.to_string().starts_with(digest.as_str()) {
            let message = format!("this is plan {id}; nothing was signed");
            return Err(CommandError::new(Exit::PlanRefused, message).code("other-plan"));
        }
    }
    if let (Some(ticket), Some(other)) = (&plan.ticket, &args.ticket)
        && ticket != other
    {
        return Err(CommandError::new(Exit::Usage, format!("the plan is for ticket {ticket}; nothing was signed")));
    }
    Ok(())
}

/// Nobody signs what they have not seen: asks, or wants to be told that whoever calls has seen it.
fn agree(args: &args::Approve, printer: Printer) -> Result<(), CommandError> {
    let can_ask = !printer.is_quiet() && stdin().is_terminal();
    if args.yes || (args.plan_digest.is_some() && !can_ask) {
        return Ok(());
    }
    if !can_ask {
        return Err(CommandError::new(Exit::Usage, "there is nobody to ask; nothing was signed")
            .hint("--plan-digest signs the plan that was looked at and no other, --yes signs whatever it is"));
    }
    printer.talk("sign this? [y/N]");
    let mut answer = String::new();
    stdin()
        .read_line(&mut answer)
        .map_err(|error| CommandError::caused(Exit::Failed, "cannot read the answer; nothing was signed", &error))?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(CommandError::new(Exit::Failed, "nothing was signed")),
    }
}

/// Tells what is still missing.
fn remains(
    args: &args::Approve,
    id: PlanId,
    plan: &Plan,
    folder: &Path,
    printer: Printer,
) -> Result<Exit, CommandError> {
    let found = if folder.is_dir() { found(None, Some(folder))? } else { Vec::new() };
    let after = judged(plan, found, &args.place.policies)?;
    for rule in &after.rules {
        let state = if rule.is_complete() { "complete".to_owned() } else { lines_of(rule).join("; ") };
        printer.talk(format!("{} wants {}: {state}", rule.rule, wanted(rule)));
    }
    forecast(&after.rules, printer);
    if after.is_complete() {
        printer.talk(format!("plan {} is approved", id.short()));
    }
    Ok(Exit::Ok)
}

/// Whoever signs.
struct Signer<'a> {
    key: PathBuf,
    principal: Principal,
    /// The rules for which they count, by their place in the plan.
    rules: Vec<(u32, &'a PlanApproval)>,
}

impl<'a> Signer<'a> {
    fn new(args: &args::Approve, plan: &'a Plan) -> Result<Self, CommandError> {
        let key = args.key.clone().map_or_else(usual_key, Ok)?;
        let public = public_key(&key).map_err(|error| {
            CommandError::caused(Exit::Failed, format!("cannot read key {}", key.display()), &error)
        })?;
        let blob = public.split_whitespace().nth(1).unwrap_or_default();
        let names = |rule: &&PlanApproval| {
            let text = rule.signers.as_ref().and_then(|file| plan.signers.get(file)).map_or("", String::as_str);
            principals(text, blob)
        };
        let mut known: BTreeSet<String> = plan.approvals.iter().flat_map(|rule| names(&rule)).collect();
        // Patterns are nobody's name.
        known.retain(|name| Principal::new(name).is_ok());
        let principal = match (&args.principal, known.len()) {
            (Some(principal), _) => principal.clone(),
            (None, 1) => {
                known.pop_first().and_then(|name| Principal::new(&name).ok()).ok_or_else(|| not_named(&key))?
            }
            (None, 0) => return Err(not_named(&key)),
            (None, _) => {
                let names = known.into_iter().collect::<Vec<_>>().join(", ");
                return Err(CommandError::new(Exit::Usage, format!("key {} is of several people", key.display()))
                    .hint(format!("say who you are (--as): {names}")));
            }
        };
        let rules: Vec<(u32, &PlanApproval)> =
            (0..).zip(&plan.approvals).filter(|(_, rule)| !names(rule).is_empty()).collect();
        if rules.is_empty() {
            return Err(not_named(&key));
        }
        let is_author = |rule: &&PlanApproval| {
            let author = plan.author.as_deref();
            rule.not_author && author.is_none_or(|author| same_person(author, principal.as_str()))
        };
        let counts: Vec<(u32, &PlanApproval)> = rules.into_iter().filter(|(_, rule)| !is_author(rule)).collect();
        if counts.is_empty() {
            let author = plan.author.as_deref().unwrap_or("nobody knows who");
            let message = format!("{author} made the plan, and its author may not approve it; nothing was signed");
            return Err(CommandError::new(Exit::PlanRefused, message).code("approver-is-author"));
        }
        Ok(Self { key, principal, rules: counts })
    }

    /// What is to be signed: only what this person has not signed as it is planned now.
    fn asked(
        &self,
        args: &args::Approve,
        plan: &Plan,
        before: &Judged,
        now: Timestamp,
    ) -> Result<Vec<(StatementKind, Vec<HostName>)>, CommandError> {
        let theirs: BTreeSet<&HostName> = self.rules.iter().flat_map(|(_, rule)| &rule.hosts).collect();
        if let Some(unknown) = args.hosts.iter().chain(&args.without_backup).find(|host| !theirs.contains(host)) {
            let message = format!("no rule for which {} counts is for {unknown}; nothing was signed", self.principal);
            return Err(CommandError::new(Exit::Usage, message));
        }
        if let Some(backed_up) =
            args.without_backup.iter().find(|host| plan.hosts.get(*host).is_some_and(|host| !host.without_backup))
        {
            return Err(CommandError::new(Exit::Usage, format!("{backed_up} is backed up; nothing was signed")));
        }
        if !args.without_backup.is_empty() {
            return Ok(args
                .without_backup
                .iter()
                .map(|host| (StatementKind::WithoutBackup, vec![host.clone()]))
                .collect());
        }
        let kind = if args.revoke { StatementKind::Revoke } else { StatementKind::Approve };
        let own: Vec<&Approval> =
            before.accepted.iter().filter(|a| a.by == self.principal && a.gives == Gives::Approval).collect();
        // Each of their rules has one of their own that is still good by it.
        let is_done = |host: &HostName| {
            self.rules.iter().filter(|(_, rule)| rule.hosts.binary_search(host).is_ok()).all(|(number, rule)| {
                let good = |a: &&Approval| rule.valid_for.after(a.signed_at).min(a.until) > now;
                own.iter().any(|a| a.rules.contains(number) && a.hosts.contains(host) && good(a))
            })
        };
        let wanted = |host: &&&HostName| {
            let named = args.hosts.is_empty() || args.hosts.contains(host);
            named && (args.revoke || args.renew || !is_done(host))
        };
        let hosts: Vec<HostName> = theirs.iter().filter(wanted).map(|host| (*host).clone()).collect();
        Ok(if hosts.is_empty() { Vec::new() } else { vec![(kind, hosts)] })
    }

    /// As long as the rule that lets it be good for longest, or shorter.
    fn until(&self, args: &args::Approve, now: Timestamp) -> Timestamp {
        let longest = self.rules.iter().map(|(_, rule)| rule.valid_for).max().unwrap_or_default();
        args.valid_for.map_or(longest, |wanted| wanted.min(longest)).after(now)
    }

    /// Signs, checks the signature as `run` will, and only then writes it.
    fn sign(
        &self,
        statement: &Statement,
        folder: &Path,
        plan: &Plan,
        args: &args::Approve,
    ) -> Result<PathBuf, CommandError> {
        let text = statement.to_text();
        let failed = |what: &str, error: &dyn std::error::Error| {
            CommandError::caused(Exit::Failed, format!("{what}; nothing was written"), error)
        };
        let signature = sign(&SigningKey::file(&self.key), APPROVAL_NAMESPACE, text.as_bytes(), Asking::Terminal)
            .map_err(|error| failed("cannot sign", &error))?;
        let files: BTreeSet<&String> = self.rules.iter().filter_map(|(_, rule)| rule.signers.as_ref()).collect();
        let check = |file: &Path| {
            verify(file, self.principal.as_str(), APPROVAL_NAMESPACE, text.as_bytes(), &signature, statement.signed_at)
        };
        let checked: Vec<_> = files.iter().map(|file| check(&current(plan, file, &args.place.policies))).collect();
        if let (false, Some(Err(error))) = (checked.iter().any(Result::is_ok), checked.first()) {
            return Err(
                failed(&format!("{} may not approve with this key", self.principal), error).code("not-an-approver")
            );
        }
        write_statement(folder, statement, &signature)
            .map_err(|error| failed(&format!("cannot write into {}", folder.display()), &error))
    }
}

fn usual_key() -> Result<PathBuf, CommandError> {
    let folder = crate::env::home().unwrap_or_default().join(".ssh");
    KEYS.iter().map(|key| folder.join(key)).find(|key| key.is_file()).ok_or_else(|| {
        CommandError::new(Exit::Usage, format!("there is no key in {}", folder.display()))
            .hint("--key names a private key, or a public one whose other half is in an agent")
    })
}

fn not_named(key: &Path) -> CommandError {
    CommandError::new(Exit::PlanRefused, format!("no file of approvers of the plan names key {}", key.display()))
        .code("not-an-approver")
        .hint("who may approve is part of a plan: whoever is added needs a new one")
}

/// Whom a file in the format of `allowed_signers` gives a key to. A line of a certificate authority may give any key to
/// anybody of its patterns: whether it does is checked with the signature.
fn principals(text: &str, blob: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let named = lines.filter(|line| {
        let authority = line.to_ascii_lowercase().contains("cert-authority");
        authority || (!blob.is_empty() && line.split_whitespace().any(|word| word == blob))
    });
    let names = named.filter_map(|line| line.split_whitespace().next());
    names.flat_map(|names| names.trim_matches('"').split(',')).map(str::to_owned).collect()
}

/// Shows what is about to be signed.
fn tell(kind: StatementKind, hosts: &[HostName], signer: &Signer<'_>, plan: &Plan, before: &Judged, printer: Printer) {
    let what = match kind {
        StatementKind::Approve => "approves",
        StatementKind::WithoutBackup => "accepts that there is no backup of",
        StatementKind::Revoke => "revokes what was signed of",
    };
    printer.talk(format!("{} {what} {}:", signer.principal, count(hosts.len(), "host")));
    for host in hosts.iter().filter_map(|name| plan.hosts.get(name)) {
        printer.talk(format!("  {}", line(host, plan, &signer.principal, before)));
        if kind == StatementKind::Approve {
            printer.talk(format!("    {}", packages(host)));
        }
    }
}

/// What a host gets, as far as it can be read at a glance.
fn packages(host: &HostPlan) -> String {
    const SHOWN: usize = 10;
    let shown = host.fix.packages.iter().take(SHOWN).map(|package| match &package.to {
        Some(to) => format!("{} {to}", package.name),
        None => package.name.to_string(),
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    match host.fix.packages.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn line(host: &HostPlan, plan: &Plan, principal: &Principal, before: &Judged) -> String {
    let name = &host.host.name;
    let about = |own: bool| {
        let mut changed =
            before.void.iter().filter(|void| matches!(void.reason.code.as_str(), "plan-changed" | "windows-changed"));
        changed.find(|void| void.hosts.contains(name) && (!own || void.by.as_ref() == Some(principal)))
    };
    let since = match about(true).or_else(|| about(false)) {
        Some(void) => format!("; {}", void.reason.text),
        None => String::new(),
    };
    let backup = if host.without_backup { ", WITHOUT a backup" } else { "" };
    let reboots =
        if host.steps.iter().any(|step| step.kind == crate::plan::StepKind::Reboot) { ", may reboot" } else { "" };
    let first = host.first_window(plan).map_or(String::new(), |window| format!(", from {}", window.interval.start));
    format!(
        "{name}: {} and {}, {}{reboots}{backup}{first}{since}",
        count(host.fix.packages.len(), "package"),
        count(host.fix.findings.len(), "finding"),
        host.strategy.as_str(),
    )
}
