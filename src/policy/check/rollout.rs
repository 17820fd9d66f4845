//! Section `rollout`: waves, budgets and how many hosts at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Check;
use crate::diagnostic::{Diagnostic, Source};
use crate::policy::decide::OrderRule;
use crate::policy::raw::{ConcurrencyRaw, RolloutRaw};
use crate::policy::selector::Context;
use crate::policy::{Amount, LabelLimit};
use crate::yaml::{Spanned, span};

impl Check<'_> {
    pub(super) fn rollout(&mut self, source: &Arc<Source>, raw: RolloutRaw) {
        for raw in raw.order {
            let at = span(source, &raw.before);
            let before = self.selector(source, Context::Host, &raw.before);
            let after = self.selector(source, Context::Host, &raw.after);
            self.policy.order.push(OrderRule { before, after, at, after_at: span(source, &raw.after) });
        }
        if let Some((domain, _)) = self.scalar("rollout.one_domain_at_a_time", source, raw.one_domain_at_a_time) {
            if domain.label.value.is_empty() {
                self.error("invalid-value", source, &domain.label, "a label has a name");
            }
            self.policy.rollout.domain = Some(domain.label.value);
        }
        if let Some((canary, _)) = self.scalar("rollout.canary", source, raw.canary) {
            self.policy.rollout.canary = (canary.hosts.value > 0).then_some((canary.hosts.value, canary.soak));
        }
        if let Some((waves, _)) = self.scalar("rollout.waves", source, raw.waves) {
            let mut sizes: Vec<Amount> = Vec::with_capacity(waves.len());
            for wave in &waves {
                let Some(size) = self.amount(source, wave) else { continue };
                let smaller = match (sizes.last(), size) {
                    (Some(Amount::Percent(last)), Amount::Percent(this)) => this <= *last,
                    (Some(Amount::Hosts(last)), Amount::Hosts(this)) => this <= *last,
                    _ => false,
                };
                if smaller {
                    self.push(
                        Diagnostic::error("waves-out-of-order", "this wave is not larger than the one before")
                            .at(span(source, wave))
                            .help("waves are cumulative: [\"10%\", \"50%\", \"100%\"]"),
                    );
                }
                sizes.push(size);
            }
            // What the last wave leaves over is a wave of its own.
            if !sizes.is_empty() && sizes.last() != Some(&Amount::Percent(100)) {
                sizes.push(Amount::Percent(100));
            }
            self.policy.rollout.waves = sizes;
        }
        if let Some((max, _)) = self.scalar("rollout.max_unavailable", source, raw.max_unavailable) {
            if max.per.label.value.is_empty() {
                self.error("invalid-value", source, &max.per.label, "a label has a name");
            }
            if let Some(amount) = self.amount(source, &max.value) {
                self.policy.rollout.max_unavailable = Some((max.per.label.value, amount));
                self.policy.rollout.single_host = max.single_host;
            }
        }
        if let Some((budget, at)) = self.scalar("rollout.failure_budget", source, raw.failure_budget) {
            if budget.hosts.is_none() && budget.share.is_none() {
                self.push(Diagnostic::error("invalid-value", "a failure budget has `hosts`, `share` or both").at(at));
            }
            if let Some(hosts) = budget.hosts.as_ref().filter(|hosts| hosts.value == 0) {
                self.error("invalid-value", source, hosts, "a budget of no hosts is reached before the first starts");
            }
            let share = budget.share.as_ref().and_then(|share| match self.amount(source, share)? {
                Amount::Percent(percent) => Some(percent),
                Amount::Hosts(_) => {
                    self.error("invalid-amount", source, share, "a share ends in %");
                    None
                }
            });
            self.policy.rollout.failure_hosts = budget.hosts.map(|hosts| hosts.value);
            self.policy.rollout.failure_percent = share;
        }
        if let Some((concurrency, _)) = self.scalar("rollout.concurrency", source, raw.concurrency) {
            self.concurrency(source, concurrency);
        }
    }

    fn concurrency(&mut self, source: &Arc<Source>, raw: ConcurrencyRaw) {
        let limits = raw.per.iter().flat_map(|per| [&per.value.hosts, &per.value.clones]);
        for limit in [Some(&raw.hosts), raw.clones.as_ref()].into_iter().chain(limits.map(Option::as_ref)).flatten() {
            if limit.value == 0 {
                self.error("invalid-value", source, limit, "with no host at once nothing is ever done");
            }
        }
        let mut labels: BTreeSet<&str> = BTreeSet::new();
        for per in &raw.per {
            let label = &per.value.label;
            if label.value.is_empty() {
                self.error("invalid-value", source, label, "a label has a name");
            } else if !labels.insert(&label.value) {
                self.error("invalid-value", source, label, "this label has its limits above");
            }
            if per.value.hosts.is_none() && per.value.clones.is_none() {
                self.error("invalid-value", source, per, "a label is limited by `hosts`, `clones` or both");
            }
        }
        let value = |limit: Option<Spanned<u32>>| limit.map(|limit| limit.value);
        let rollout = &mut self.policy.rollout;
        rollout.concurrency = raw.hosts.value;
        rollout.clones = value(raw.clones);
        let per = raw.per.into_iter().map(|per| per.value);
        rollout.per_label = per
            .map(|per| LabelLimit { label: per.label.value, hosts: value(per.hosts), clones: value(per.clones) })
            .collect();
    }
}
