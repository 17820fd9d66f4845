//! How long steps took in earlier campaigns, and how often they failed.

use std::collections::BTreeMap;

use super::{HostPlan, Step, StepKind};
use crate::model::{Host, RuleName, TimeSpan, os_release};

/// Fewer steps than these say nothing of how long the next takes, or how often it fails: the 95th of a hundred is then
/// the longest but one.
pub const ENOUGH: usize = 20;

/// No more of the latest are kept: the 95th of a hundred would not move.
const MAX_SAMPLES: usize = 1_000;

/// Nothing is expected to take less: a busy controller takes a while to connect, and windows are reckoned with it.
const FLOOR: TimeSpan = TimeSpan::seconds(5);

/// What earlier campaigns have shown of steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Experience {
    /// How often each kind of step was tried.
    pub tried: BTreeMap<StepKind, Tried>,
    /// In milliseconds, ascending.
    took: BTreeMap<Alike, Vec<u32>>,
}

/// How often a kind of step was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// How many have a result.
    pub attempts: u64,
    /// How many of them failed.
    pub failures: u64,
}

/// Steps that take about as long as each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alike {
    kind: StepKind,
    /// On a clone.
    cloned: bool,
    /// The playbook, provider or switch that does it.
    by: String,
    among: Among,
}

/// On which hosts, the most similar first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Among {
    Cohort(RuleName),
    Os(String),
    All,
}

/// Which step of which host: what there is to compare.
#[derive(Clone, Copy, Debug)]
pub struct Doing<'a> {
    /// What the step is for.
    pub kind: StepKind,
    /// Whether it works on a clone.
    pub on_clone: bool,
    /// The host.
    pub host: &'a Host,
    /// The host's playbook.
    pub playbook: &'a RuleName,
    /// The host's cohort.
    pub cohort: &'a RuleName,
}

impl Doing<'_> {
    /// The playbook, provider or switch that does it; none where the plan itself says how long it takes.
    pub fn by(&self) -> Option<&str> {
        use StepKind as K;
        match self.kind {
            K::Soak | K::Observe | K::Bisect => None,
            K::Arm | K::Disarm | K::Backup | K::Clone | K::Destroy | K::Promote | K::Release | K::Restore => {
                Some(self.host.provider.as_ref()?.capabilities().kind)
            }
            K::Drain | K::Undrain | K::Switchover | K::SwitchBack => Some(self.host.switch.as_ref()?.kind()),
            K::Preflight | K::Fix | K::Restart | K::Reboot | K::Verify | K::VerifyRestored | K::VerifyOriginal => {
                Some(self.playbook.as_str())
            }
        }
    }

    /// The groups it belongs to, the closest first.
    fn alike(&self) -> impl Iterator<Item = Alike> {
        let among = [Some(Among::Cohort(self.cohort.clone())), os_release(self.host).map(Among::Os), Some(Among::All)];
        let alike = |among: Among, by: &str| Alike { kind: self.kind, cloned: self.on_clone, by: by.to_owned(), among };
        self.by().into_iter().flat_map(move |by| among.clone().into_iter().flatten().map(move |among| alike(among, by)))
    }
}

impl HostPlan {
    /// What one of its steps can be compared with.
    pub fn doing(&self, step: &Step) -> Doing<'_> {
        let (kind, on_clone) = (step.kind, step.on.is_some());
        Doing { kind, on_clone, host: &self.host, playbook: &self.playbook, cohort: &self.cohort }
    }
}

/// How long a step usually takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usual {
    /// 95 of 100 took no longer.
    pub span: TimeSpan,
    /// Of so many.
    pub attempts: usize,
}

impl Experience {
    /// Adds an attempt, and its length where that is known. The latest are added first: what was long ago does not count
    /// where there is enough.
    pub fn add(&mut self, doing: &Doing<'_>, millis: Option<u32>, failed: bool) {
        let tried = self.tried.entry(doing.kind).or_default();
        tried.attempts += 1;
        tried.failures += u64::from(failed);
        let Some(millis) = millis else { return };
        for alike in doing.alike() {
            let took = self.took.entry(alike).or_default();
            if took.len() < MAX_SAMPLES {
                took.insert(took.partition_point(|&known| known <= millis), millis);
            }
        }
    }

    /// How long such steps took, in milliseconds and ascending: on the most similar hosts of which there are enough.
    pub fn took(&self, doing: &Doing<'_>) -> Option<&[u32]> {
        if self.took.is_empty() {
            return None;
        }
        doing.alike().filter_map(|alike| self.took.get(&alike)).map(Vec::as_slice).find(|took| took.len() >= ENOUGH)
    }

    /// How long such a step usually takes; none where too few were seen.
    pub fn usual(&self, doing: &Doing<'_>) -> Option<Usual> {
        let took = self.took(doing)?;
        let at = (took.len() * 95).div_ceil(100).saturating_sub(1);
        let span = TimeSpan::seconds(u64::from(*took.get(at)?).div_ceil(1_000)).max(FLOOR);
        Some(Usual { span, attempts: took.len() })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::model::{HostName, Os, ProviderSettings};

    fn host(version: &str) -> Host {
        let mut host = Host::named(HostName::new("web-1").unwrap());
        host.os = Some(Os { family: "debian".into(), name: "debian".into(), version: Some(version.into()) });
        host.provider = Some(ProviderSettings::Simulated);
        host
    }

    #[test]
    fn the_closest_hosts_count_of_which_there_are_enough() {
        let (name, other) = (RuleName::new("linux-apt").unwrap(), RuleName::new("linux-dnf").unwrap());
        let (old, new) = (host("11"), host("12"));
        let of = |kind, host, cohort| Doing { kind, on_clone: false, host, playbook: &name, cohort };
        let (a, b) = (RuleName::new("a").unwrap(), RuleName::new("b").unwrap());
        let mut seen = Experience::default();
        for n in 1..=19 {
            seen.add(&of(StepKind::Fix, &new, &a), Some(n * 10_000), false);
        }
        assert_eq!(seen.usual(&of(StepKind::Fix, &new, &a)), None, "19 say nothing");
        seen.add(&of(StepKind::Fix, &new, &a), Some(200_000), true);
        let usual = |doing: &Doing<'_>| seen.usual(doing).map(|usual| (usual.span.as_seconds(), usual.attempts));
        for doing in [of(StepKind::Fix, &new, &a), of(StepKind::Fix, &new, &b), of(StepKind::Fix, &old, &b)] {
            assert_eq!(usual(&doing), Some((190, 20)), "the 19th of 20");
        }
        assert_eq!(usual(&of(StepKind::Verify, &new, &a)), None);
        assert_eq!(usual(&Doing { on_clone: true, ..of(StepKind::Fix, &new, &a) }), None);
        assert_eq!(usual(&Doing { playbook: &other, ..of(StepKind::Fix, &new, &a) }), None);
        (0..20).for_each(|_| seen.add(&of(StepKind::Fix, &old, &b), Some(1_001), false));
        let usual = |doing: &Doing<'_>| seen.usual(doing).map(|usual| (usual.span.as_seconds(), usual.attempts));
        assert_eq!(usual(&of(StepKind::Fix, &old, &b)), Some((5, 20)), "never less than the floor");
        assert_eq!(usual(&of(StepKind::Fix, &new, &a)), Some((190, 20)), "others do not count where own are enough");
        assert_eq!(usual(&of(StepKind::Fix, &host("13"), &RuleName::new("c").unwrap())), Some((180, 40)));
        assert_eq!(seen.tried[&StepKind::Fix], Tried { attempts: 40, failures: 1 });
    }

    #[test]
    fn what_policy_says_is_not_learned_and_old_samples_do_not_count() {
        let (name, new) = (RuleName::new("linux-apt").unwrap(), host("12"));
        let of = |kind| Doing { kind, on_clone: false, host: &new, playbook: &name, cohort: &name };
        let mut seen = Experience::default();
        for n in 0..5_000_u32 {
            let millis = if n < 1_000 { 60_000 } else { 600_000 };
            for kind in [StepKind::Soak, StepKind::Observe, StepKind::Bisect, StepKind::Drain, StepKind::Backup] {
                seen.add(&of(kind), Some(millis), false);
            }
        }
        assert_eq!(seen.usual(&of(StepKind::Backup)).unwrap().span, TimeSpan::minutes(1));
        for kind in [StepKind::Soak, StepKind::Observe, StepKind::Bisect, StepKind::Drain] {
            assert_eq!(seen.usual(&of(kind)), None, "{kind}: its length is the plan's, or nothing is known of it");
        }
    }
}
