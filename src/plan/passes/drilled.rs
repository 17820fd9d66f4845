//! In place only where the way back is proven, if policy asks for that.
//!
//! A host whose fix is tried on a clone of its own first needs no drill: that clone is made from the very backup that
//! would put it back, and is looked at before anything is done to the host.

use jiff::Timestamp;

use crate::model::{History, printable};
use crate::plan::cannot_drill;
use crate::plan::draft::HostDraft;
use crate::policy::Policy;

/// Blocks a host whose way back was not proven lately.
pub(super) fn ask(host: &mut HostDraft<'_>, policy: &Policy, history: &History, as_of: Timestamp) {
    let Some(within) = policy.backup.drill_within else { return };
    if let Some(why) = cannot_drill(host.host) {
        let text = format!(
            "`backup.drill_within` wants a restore proven within {within}, and it cannot be drilled: {why}; fix it under \
             a policy that does without, or let it be fixed as a clone first"
        );
        host.block("cannot-drill", text);
        return;
    }
    let Some(why) = unproven(host, history, within.before(as_of)) else { return };
    let name = &host.host.name;
    let text = format!(
        "`backup.drill_within` wants a restore proven within {within}, and {why}: \
         `switchback drill -p POLICIES -i INVENTORY --limit {name}` proves it"
    );
    host.block("backup-not-drilled", text);
}

/// Why what is known of the host's drills does not prove its way back.
fn unproven(host: &HostDraft<'_>, history: &History, since: Timestamp) -> Option<String> {
    let Some(drill) = history.drilled(&host.host.name) else { return Some("it was never drilled".to_owned()) };
    let (at, campaign) = (drill.at, &drill.campaign);
    if let Some(failed) = &drill.failed {
        let failed = printable(failed, 200);
        return Some(format!("its last drill ({campaign}, {at}) found its way back broken: {failed}"));
    }
    if at < since {
        return Some(format!("its last drill was on {at}"));
    }
    if host.host.provider.as_ref().is_none_or(|provider| provider.digest() != drill.provider) {
        return Some(format!("its provider is set up otherwise than when it was drilled on {at}"));
    }
    let unasked = host.clone_probes.iter().find(|probe| !drill.probes.contains(&probe.name))?;
    Some(format!("probe {:?} was not asked when it was drilled on {at}", unasked.name.as_str()))
}
