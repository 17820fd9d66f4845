//! What campaigns have left with providers: clones, backups, originals; whose they are and until when they are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::engine::{Record, RecordBody, StepResult};
use crate::model::{CampaignId, Host, HostName, HostOutcome};
use crate::plan::{Action, Plan};
use crate::provider::{EffectKey, Held, ProviderError, for_host};
use crate::transport::Transport;

/// A campaign that may have left something.
pub struct Past {
    /// The campaign.
    pub id: CampaignId,
    /// Its plan.
    pub plan: Plan,
    /// Its journal.
    pub records: Vec<Record>,
}

/// Something that a provider holds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HeldItem {
    /// Of which host.
    pub host: HostName,
    /// `clone`, `backup` or `original`.
    pub kind: &'static str,
    /// Names it for its provider.
    pub reference: String,
    /// The campaign that made it; none where no journal here tells of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<CampaignId>,
    /// When it was made, where a journal tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Until when it is kept; none as long as its host is in a campaign or stuck, or where no journal tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Its host is in a campaign that has not ended.
    pub in_use: bool,
    /// Its host is stuck: this may be what puts it back, or what serves in its place.
    pub is_stuck: bool,
    #[serde(skip)]
    held: Held,
}

impl HeldItem {
    /// Whether its time is over.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        !self.in_use && self.until.is_some_and(|until| until <= now)
    }
}

/// What could not be asked, and why.
pub type Unasked = BTreeMap<HostName, String>;

/// Everything that the providers of these campaigns' hosts hold; `kept` are dates that people have set.
pub async fn held(
    past: &[Past],
    kept: &BTreeMap<String, Timestamp>,
    transport: &Arc<dyn Transport>,
) -> (Vec<HeldItem>, Unasked) {
    // The same host in two campaigns is the same host: the last one tells how to reach it.
    let hosts: BTreeMap<&HostName, &Host> =
        past.iter().flat_map(|past| &past.plan.hosts).map(|(name, planned)| (name, &planned.host)).collect();
    let (mut items, mut unasked) = (Vec::new(), Unasked::new());
    for (name, host) in hosts {
        let Some(provider) = for_host(host, transport) else { continue };
        match provider.list(host).await {
            Ok(list) => items.extend(list.into_iter().map(|(key, held)| item(past, kept, name, &key, held))),
            Err(error) => drop(unasked.insert(name.clone(), error.to_string())),
        }
    }
    (items, unasked)
}

/// Deletes it.
pub async fn discard(past: &[Past], item: &HeldItem, transport: &Arc<dyn Transport>) -> Result<(), ProviderError> {
    let host = past.iter().rev().find_map(|past| past.plan.hosts.get(&item.host)).map(|planned| &planned.host);
    let gone = || ProviderError::NoEffect(format!("{} has no provider any more", item.host));
    let host = host.ok_or_else(gone)?;
    let provider = for_host(host, transport).ok_or_else(gone)?;
    match &item.held {
        Held::Clone(clone) => provider.destroy(host, clone).await,
        Held::Backup(backup) => provider.delete_backup(host, backup).await,
        Held::Original(original) => provider.release(host, original).await,
    }
}

fn item(past: &[Past], kept: &BTreeMap<String, Timestamp>, name: &HostName, key: &EffectKey, held: Held) -> HeldItem {
    let (kind, reference) = match &held {
        Held::Clone(clone) => ("clone", clone.0.clone()),
        Held::Backup(backup) => ("backup", backup.0.clone()),
        Held::Original(original) => ("original", original.0.clone()),
    };
    let of = past.iter().find(|past| key.0.starts_with(&format!("{}/", past.id)));
    let told = of.map(|past| tell(past, name, key, kind));
    let Told { since, until, in_use, is_stuck } = told.unwrap_or_default();
    let until = kept.get(&reference).copied().or(until);
    HeldItem {
        host: name.clone(),
        kind,
        reference,
        campaign: of.map(|past| past.id.clone()),
        since,
        until,
        in_use,
        is_stuck,
        held,
    }
}

/// What a journal tells of something.
#[derive(Default)]
struct Told {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    in_use: bool,
    is_stuck: bool,
}

fn tell(past: &Past, name: &HostName, key: &EffectKey, kind: &str) -> Told {
    let (mut since, mut ended, mut kept_until, mut is_stuck) = (None, None, None, false);
    for record in &past.records {
        match &record.body {
            RecordBody::Intent { attempt, .. } if key.0.starts_with(&attempt.to_string()) => since = Some(record.at),
            RecordBody::HostEnded { host, outcome, .. } if host == name => {
                (ended, is_stuck) = (Some(record.at), *outcome == HostOutcome::Stuck);
            }
            RecordBody::Outcome { attempt, result: StepResult::Succeeded { facts, .. } }
                if attempt.step.host() == name.as_str() =>
            {
                kept_until = facts.get("kept_until").and_then(|until| until.parse().ok()).or(kept_until);
            }
            _ => {}
        }
    }
    let steps = past.plan.hosts.get(name).map(|planned| planned.steps.as_slice()).unwrap_or_default();
    let keep = steps.iter().find_map(|step| if let Action::Backup { keep } = step.action { Some(keep) } else { None });
    let lives = steps.iter().find_map(|step| match step.action {
        Action::Clone { time_to_live, .. } => Some(time_to_live),
        _ => None,
    });
    let until = match kind {
        "clone" => kept_until.or_else(|| Some(lives?.after(since?))),
        _ => ended.zip(keep).map(|(ended, keep): (Timestamp, _)| keep.after(ended)),
    };
    Told { since, until: until.filter(|_| !is_stuck), in_use: ended.is_none(), is_stuck }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use crate::engine::Chain;
    use crate::model::{Digest, TimeSpan};
    use crate::provider::BackupRef;

    use super::*;

    /// What is told of a backup whose host ended like this, or has not ended.
    fn told(outcome: Option<HostOutcome>) -> HeldItem {
        let plan: Plan = serde_json::from_value(serde_json::json!({
            "format": 3, "made_by": "test", "as_of": "2026-11-23T06:00:00Z", "seed": 0, "tzdata": "test", "inputs": {},
            "rollout": {"waves": [], "groups": {}, "failure_budget": 1, "concurrency": 1, "margin": "5m"},
            "windows": {}, "hosts": {}, "scripts": {},
            "report": {"findings": 0, "decided": {}, "decisions": [], "blocked": {}, "notes": []}
        }))
        .unwrap();
        let (id, host) = (CampaignId::new("c-1").unwrap(), HostName::new("web-1").unwrap());
        let mut chain = Chain::new(id.clone(), Digest::of(b"plan"));
        let ended = outcome.map(|outcome| RecordBody::HostEnded { host: host.clone(), outcome, reason: None });
        let records = ended.into_iter().map(|body| chain.push(Timestamp::UNIX_EPOCH, body)).collect();
        let kept = BTreeMap::from([("mine".to_owned(), TimeSpan::hours(1).after(Timestamp::UNIX_EPOCH))]);
        let past = [Past { id, plan, records }];
        let name = if outcome == Some(HostOutcome::Fixed) { "mine" } else { "b" };
        let key = EffectKey("c-1/web-1/backup/1".to_owned());
        item(&past, &kept, &host, &key, Held::Backup(BackupRef(name.to_owned())))
    }

    #[test]
    fn what_may_put_a_host_back_is_never_overdue() {
        let later = TimeSpan::days(400).after(Timestamp::UNIX_EPOCH);
        let of = |outcome| (told(outcome).in_use, told(outcome).is_stuck, told(outcome).is_overdue(later));
        assert_eq!(of(None), (true, false, false));
        assert_eq!(of(Some(HostOutcome::Stuck)), (false, true, false));
        assert_eq!(of(Some(HostOutcome::Fixed)), (false, false, true), "a person has set its date");
    }
}
