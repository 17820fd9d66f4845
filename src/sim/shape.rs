//! What simulated plans are like: drawn from a seed, so that every shape comes up.

use crate::model::TimeSpan;

use super::Rng;

/// What a plan is to be like.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// How many hosts.
    pub hosts: usize,
    /// How long the canary wave is watched, where there is one; it has one host.
    pub canary: Option<TimeSpan>,
    /// Sizes of the waves; the last takes the rest.
    pub waves: Vec<usize>,
    /// How many of a service may be unavailable at once; none: as many as there are.
    pub max_unavailable: Option<u32>,
    /// So many failed hosts pause the campaign.
    pub failure_budget: u32,
    /// So many hosts are worked on at once.
    pub concurrency: u32,
    /// So many hosts that make clones; none: as many as of all.
    #[serde(default)]
    pub clones: Option<u32>,
    /// The length of the nightly window, where there is one.
    pub windows: Option<TimeSpan>,
    /// Whether hosts have a switch.
    pub switch: bool,
    /// Whether they are rebooted.
    pub reboot: Reboots,
    /// Whether they are backed up; else the plan says that it does without.
    pub backup: bool,
    /// How long they are watched.
    pub soak: TimeSpan,
    /// How they are fixed, and who goes first.
    pub way: Way,
    /// Whether what breaks a clone is searched for.
    pub bisect: bool,
    /// Data bases hold data: no clone may take their traffic.
    pub stateful: bool,
    /// Whether backups and originals are kept; else they are released in the end.
    pub keep: bool,
    /// How long a clone on which something failed is kept.
    pub keep_failed: TimeSpan,
    /// How long approvals are good, where the plan wants some.
    #[serde(default)]
    pub approvals: Option<TimeSpan>,
}

/// How hosts are fixed, and who goes first. Hosts of one role are a cohort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// In place, each for itself.
    InPlace,
    /// In place; the fix is tried on a clone of the first of each cohort, and the others wait for that.
    FirstTried,
    /// In place, tried on a clone of each host.
    EachTried,
    /// By clone and switch, or tried on a clone if that cannot be.
    CloneAndSwitch,
    /// The first of each cohort by clone and switch, or tried if that cannot be; the others wait for it.
    Auto,
}

/// Whether hosts are rebooted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Reboots {
    Never,
    WhenRequired,
    Always,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            hosts: 3,
            canary: None,
            waves: vec![],
            max_unavailable: Some(1),
            failure_budget: 5,
            concurrency: 10,
            clones: None,
            windows: None,
            switch: true,
            reboot: Reboots::WhenRequired,
            backup: true,
            soak: TimeSpan::minutes(5),
            way: Way::InPlace,
            bisect: false,
            stateful: true,
            keep: true,
            keep_failed: TimeSpan::ZERO,
            approvals: None,
        }
    }
}

impl Shape {
    /// A shape drawn from all kinds, of up to nine hosts; one in a hundred has up to fifty.
    pub fn draw(rng: &mut Rng) -> Self {
        let reboots = [Reboots::Never, Reboots::WhenRequired, Reboots::WhenRequired, Reboots::Always];
        let ways = [Way::InPlace, Way::FirstTried, Way::EachTried, Way::CloneAndSwitch, Way::CloneAndSwitch, Way::Auto];
        Self {
            hosts: number(if rng.percent(99) { rng.between(1, 9) } else { rng.between(10, 50) }),
            canary: rng.percent(50).then(|| TimeSpan::minutes(rng.between(0, 30))),
            waves: if rng.percent(50) { vec![number(rng.between(1, 3))] } else { vec![] },
            max_unavailable: rng.percent(80).then(|| number(rng.between(1, 3))),
            failure_budget: number(rng.between(1, 5)),
            concurrency: number(rng.between(1, 6)),
            windows: rng.percent(50).then(|| TimeSpan::minutes(rng.between(30, 120))),
            switch: rng.percent(70),
            reboot: rng.pick(&reboots).copied().unwrap_or(Reboots::Never),
            backup: !rng.percent(7),
            soak: TimeSpan::minutes(rng.between(0, 10)),
            way: if rng.percent(25) { Way::Auto } else { rng.pick(&ways).copied().unwrap_or(Way::InPlace) },
            bisect: rng.percent(60),
            stateful: rng.percent(70),
            keep: rng.percent(70),
            clones: rng.percent(30).then(|| number(rng.between(1, 2))),
            keep_failed: if rng.percent(50) { TimeSpan::days(2) } else { TimeSpan::ZERO },
            approvals: None,
        }
    }
}

/// A small number as another type.
pub(super) fn number<T: TryFrom<u64> + Default>(small: u64) -> T {
    T::try_from(small).unwrap_or_default()
}
