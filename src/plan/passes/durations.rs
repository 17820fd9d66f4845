//! How long steps usually take: as in earlier campaigns where there were enough, else as playbook and provider say.
//!
//! A step that takes longer than it may has failed, so nothing is expected to take longer than its limit; that stays what
//! people have set.

use std::collections::BTreeMap;

use crate::model::TimeSpan;
use crate::plan::draft::{Draft, HostDraft};
use crate::plan::{Doing, Experience, Reason, Step, StepKind};

/// What was learned of one kind of step, by who does it.
pub(in crate::plan) type Learned = BTreeMap<(StepKind, bool, String), Range>;

/// What was learned for several hosts.
#[derive(Clone, Copy, Debug)]
pub(in crate::plan) struct Range {
    shortest: TimeSpan,
    longest: TimeSpan,
    /// Of so many attempts at least.
    attempts: usize,
    /// The shortest limit that it goes beyond.
    beyond: Option<TimeSpan>,
}

impl Range {
    fn join(&mut self, other: Self) {
        self.shortest = self.shortest.min(other.shortest);
        self.longest = self.longest.max(other.longest);
        self.attempts = self.attempts.min(other.attempts);
        self.beyond = self.beyond.into_iter().chain(other.beyond).min();
    }
}

/// Sets what the steps of a host take, and tells where that is from.
pub(super) fn apply(host: &mut HostDraft<'_>, experience: &Experience) -> Learned {
    let mut learned = Learned::new();
    let (Some(playbook), Some(cohort)) = (host.playbook.map(|playbook| playbook.name()), &host.cohort) else {
        return learned;
    };
    let mut expect = |step: &mut Step| {
        let (kind, on_clone) = (step.kind, step.on.is_some());
        let doing = Doing { kind, on_clone, host: host.host, playbook, cohort };
        let Some((usual, by)) = experience.usual(&doing).zip(doing.by()) else { return };
        step.expected = usual.span.min(step.timeout);
        let beyond = (usual.span > step.timeout).then_some(step.timeout);
        let range = Range { shortest: usual.span, longest: usual.span, attempts: usual.attempts, beyond };
        add(&mut learned, (kind, on_clone, by.to_owned()), range);
    };
    for step in &mut host.steps {
        step.undo.iter_mut().for_each(&mut expect);
        expect(step);
    }
    learned
}

/// Takes in what was learned for another host.
pub(super) fn join(all: &mut Learned, of_host: Learned) {
    of_host.into_iter().for_each(|(what, range)| add(all, what, range));
}

fn add(all: &mut Learned, what: (StepKind, bool, String), range: Range) {
    all.entry(what).and_modify(|known| known.join(range)).or_insert(range);
}

/// Tells in the plan what it goes by.
pub(super) fn tell(draft: &mut Draft<'_>, learned: &Learned) {
    if learned.is_empty() {
        return;
    }
    let mut parts = Vec::new();
    for ((kind, on_clone, by), range) in learned {
        let place = if *on_clone { " on a clone" } else { "" };
        let usual = match (range.shortest, range.longest) {
            (shortest, longest) if shortest == longest => shortest.to_string(),
            (shortest, longest) => format!("{shortest} to {longest}"),
        };
        parts.push(format!("{kind}{place} by {by} {usual} ({} seen)", range.attempts));
        if let Some(limit) = range.beyond {
            let longest = range.longest;
            let text = format!(
                "{kind}{place} by {by} has taken up to {longest} and may take {limit}: one that takes longer fails; \
                 raise its limit, or see why it takes so long"
            );
            draft.notes.insert(Reason::new("usual-beyond-limit", text));
        }
    }
    let text = format!("what steps take is from earlier campaigns (95 of 100 took no longer): {}", parts.join(", "));
    draft.notes.insert(Reason::new("durations-from-history", text));
}
