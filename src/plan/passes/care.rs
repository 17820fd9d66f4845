//! How carefully: what policy asks for before production is touched, and what cannot be given blocks the host.

use crate::plan::draft::Draft;
use crate::plan::{PlanError, Reason};
use crate::policy::{StrategyKind, TestFix};

pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let policy = draft.input.policy;
    for host in draft.hosts.values_mut() {
        let choice = policy.strategy_for(host.host);
        match choice.kind {
            StrategyKind::InPlace => {}
            StrategyKind::Auto => {
                let note = "`auto` is `in_place`: no provider can make clones yet, and the canary goes first";
                draft.notes.insert(Reason::new("strategy", note));
            }
            StrategyKind::CloneAndSwitch => host.block(
                "strategy-not-supported",
                format!("{} wants `clone_and_switch`, and no provider can make clones yet", choice.rule.name),
            ),
        }
        if policy.test_fix != TestFix::Never {
            host.block(
                "test-fix-not-supported",
                "`strategy.test_fix` wants the fix tried on a clone first, and no provider can make clones yet: \
                 set it to `never` for a fix that the canary tries",
            );
        }
        if let Some(within) = policy.backup.drill_within {
            host.block(
                "backup-not-drilled",
                format!(
                    "`backup.drill_within` wants a restore proven within {within}, and drills cannot be recorded yet: \
                     take it out for a backup that was never tried"
                ),
            );
        }
    }
    if policy.notifies > 0 {
        let note = "`notify` is checked and nobody is told yet: watch the campaign, or ask `switchback status`";
        draft.notes.insert(Reason::new("notify-not-sent", note));
    }
    Ok(())
}
