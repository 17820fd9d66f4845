//! A way back for every host, or the policy's word that none is needed.

use crate::plan::draft::{Draft, some_of};
use crate::plan::{PlanError, Reason};

pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let required = draft.input.policy.backup.required;
    let mut without = Vec::new();
    for (name, host) in &mut draft.hosts {
        if host.host.provider.is_some() {
            continue;
        }
        if required {
            host.block(
                "no-backup-provider",
                "the policy requires a backup and the inventory names no provider that could make one: \
                 give the host a `provider`, or set `backup: {required: false}` for a fix without a way back",
            );
        } else {
            host.without_backup = true;
            without.push(name.clone());
        }
    }
    if !without.is_empty() {
        draft.notes.insert(Reason::new(
            "without-backup",
            format!(
                "without a provider, and with `backup.required` false, {} no way back: {}",
                if without.len() == 1 { "1 host has".to_owned() } else { format!("{} hosts have", without.len()) },
                some_of(&without)
            ),
        ));
    }
    Ok(())
}
