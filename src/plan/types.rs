//! The plan: an immutable graph of steps and every decision behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::Forecast;
use crate::model::{
    ChangePolicy, Command, Decision, DecisionKind, Digest, Fix, Host, HostName, Importance, ManualItem, Notify,
    PackageName, Priority, RuleName, RuleRef, StepId, Ticket, TimeSpan,
};

pub use crate::model::{PlanWindow, Strategy};

/// The version of the plan format. A reader refuses any other.
pub const PLAN_FORMAT: u32 = 3;

/// The host part of a probe's URL on a clone: where the clone answers is known only when it has been made.
pub const CLONE_ADDRESS: &str = "clone.switchback.invalid";

/// The code of the reason of a host that waits until the first of its cohort was fixed and watched.
pub const AFTER_PILOT: &str = "after-pilot";

/// The code of the reason of a host that waits until the fix went well on a clone of another of its cohort.
pub const AFTER_TRIAL: &str = "after-trial";

/// An immutable plan; its name is the digest of its canonical JSON.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_FORMAT`].
    pub format: u32,
    /// The version of the program that made it.
    pub made_by: String,
    /// The time all decisions refer to.
    pub as_of: Timestamp,
    /// Orders what is otherwise equal.
    pub seed: u64,
    /// The version of the time zone data that resolved the windows.
    pub tzdata: String,
    /// Who made it: what the machine that made it says, not a proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The change request that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// What went in, by role (`policies`, `inventory`, `reports`, `playbooks`).
    pub inputs: BTreeMap<String, InputRef>,
    /// Waves, budgets and limits.
    pub rollout: Rollout,
    /// When disruptive steps may start, freezes taken out, by name of the set.
    pub windows: BTreeMap<RuleName, Vec<PlanWindow>>,
    /// Hosts that will be touched.
    pub hosts: BTreeMap<HostName, Arc<HostPlan>>,
    /// Who must approve the plan before it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<PlanApproval>,
    /// Who may approve: files in the format of `allowed_signers`, as they were when the plan was made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub signers: BTreeMap<String, String>,
    /// What its change request is held against before it is run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangePolicy>,
    /// Whom its campaign tells what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<Notify>,
    /// Texts of scripts.
    pub scripts: BTreeMap<Digest, String>,
    /// Why each thing is, is not, or is not yet planned.
    pub report: PlanReport,
}

/// An input and what it was.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputRef {
    /// The paths as given.
    pub paths: Vec<String>,
    /// The digest of their content.
    pub digest: Digest,
}

/// Waves, budgets and limits of the campaign.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// In order; the next starts when the one before has ended well and soaked.
    pub waves: Vec<Wave>,
    /// How many hosts of a group may be unavailable at once.
    pub groups: BTreeMap<RuleName, BudgetGroup>,
    /// The campaign pauses as soon as this many hosts have failed.
    pub failure_budget: u32,
    /// How many hosts are worked on at once.
    pub concurrency: u32,
    /// Hosts of which fewer than that are worked on at once.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pools: BTreeMap<RuleName, Pool>,
    /// Added to what the window gate reserves.
    pub margin: TimeSpan,
    /// The label whose value is a failure domain: no wave has hosts of two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
}

/// An approval that the plan needs.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanApproval {
    /// The rule that asks for it.
    pub rule: RuleRef,
    /// How many people must approve.
    pub required: u32,
    /// Where the people are named who may, as the policy says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The file that this is: key into [`Plan::signers`]. Nobody can approve where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signers: Option<String>,
    /// Whether who made the plan does not count.
    #[serde(default)]
    pub not_author: bool,
    /// How long an approval is good for.
    pub valid_for: TimeSpan,
    /// The hosts for which it is needed.
    pub hosts: Vec<HostName>,
}

/// Hosts that are started before the next wave.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// `canary`, `wave 1`, ...
    pub name: RuleName,
    /// In the order in which they are started.
    pub hosts: Vec<HostName>,
    /// How long the wave is watched after its last host has ended.
    pub soak: TimeSpan,
}

/// Hosts that share a disruption budget.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetGroup {
    /// How many of them may be unavailable at once.
    pub max_unavailable: u32,
    /// How many hosts of the inventory belong to it, planned or not.
    pub size: u32,
}

/// Hosts of which only so many are worked on at once: from a host's first step to its end.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// How many at once.
    pub hosts: u32,
    /// Who belongs to it.
    pub of: PoolOf,
    /// Only those that make a clone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clones: bool,
}

/// Who belongs to a pool.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PoolOf {
    /// All hosts.
    All,
    /// Hosts with a provider of this kind.
    Provider(String),
    /// Hosts with this value of a label.
    Label {
        /// The label.
        label: String,
        /// Its value.
        value: String,
    },
}

/// What is done on one host.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostPlan {
    /// The host as the inventory had it.
    pub host: Host,
    /// Its importance as policy sees it.
    pub importance: Importance,
    /// The most urgent priority among its findings.
    pub priority: Priority,
    /// How.
    pub strategy: Strategy,
    /// What.
    pub fix: Fix,
    /// Why so; its code tells whether another host must speak for this one ([`AFTER_PILOT`], [`AFTER_TRIAL`]).
    pub strategy_reason: Reason,
    /// Hosts with the same name here get the same fix on the same system.
    pub cohort: RuleName,
    /// The playbook that says how.
    pub playbook: RuleName,
    /// Index into [`Rollout::waves`].
    pub wave: u32,
    /// One of its findings goes by the emergency lane.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub emergency: bool,
    /// Key into [`Rollout::groups`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<RuleName>,
    /// Keys into [`Rollout::pools`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pools: BTreeSet<RuleName>,
    /// Key into [`Plan::windows`]; none means at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<RuleName>,
    /// How long what has to be rolled back here stays out of later plans for similar hosts.
    pub quarantine: TimeSpan,
    /// The policy does without a backup of this host (`backup.required: false`).
    #[serde(default)]
    pub without_backup: bool,
    /// The steps, each behind all it needs.
    pub steps: Vec<Step>,
}

/// What a step is for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum StepKind {
    Preflight,
    Backup,
    Clone,
    Bisect,
    Destroy,
    Switchover,
    Observe,
    SwitchBack,
    VerifyOriginal,
    Promote,
    Drain,
    Arm,
    Fix,
    Restart,
    Reboot,
    Verify,
    Disarm,
    Undrain,
    Soak,
    Release,
    Restore,
    VerifyRestored,
}

impl StepKind {
    /// The name as written in files and ids.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Backup => "backup",
            Self::Clone => "clone",
            Self::Bisect => "bisect",
            Self::Destroy => "destroy",
            Self::Switchover => "switchover",
            Self::Observe => "observe",
            Self::SwitchBack => "switch_back",
            Self::VerifyOriginal => "verify_original",
            Self::Promote => "promote",
            Self::Release => "release",
            Self::Drain => "drain",
            Self::Arm => "arm",
            Self::Disarm => "disarm",
            Self::Fix => "fix",
            Self::Restart => "restart",
            Self::Reboot => "reboot",
            Self::Verify => "verify",
            Self::Undrain => "undrain",
            Self::Soak => "soak",
            Self::Restore => "restore",
            Self::VerifyRestored => "verify_restored",
        }
    }

    /// Whether it may make the host it works on unavailable. On a clone that disrupts nobody: see
    /// [`Step::is_disruptive`]. A host whose watch is armed may go back at any time.
    pub const fn is_disruptive(self) -> bool {
        matches!(
            self,
            Self::Drain
                | Self::Arm
                | Self::Fix
                | Self::Restart
                | Self::Reboot
                | Self::Restore
                | Self::Switchover
                | Self::Promote
        )
    }

    /// Whether it only deletes what nobody needs any more: its failure changes nothing for the host, and what is left is
    /// listed by its provider.
    pub const fn is_tidying(self) -> bool {
        matches!(self, Self::Destroy | Self::Release)
    }

    /// Whether it changes the system it works on.
    pub const fn is_change(self) -> bool {
        matches!(self, Self::Fix | Self::Restart | Self::Reboot)
    }
}

impl std::fmt::Display for StepKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A node of the graph: one action on one host.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// `HOST/KIND`.
    pub id: StepId,
    /// What it is for.
    pub kind: StepKind,
    /// Steps that must have succeeded before: earlier ones of the host, and steps of other hosts that speak for this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<StepId>,
    /// The clone it works on, by the step that makes it; none: the host itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<StepId>,
    /// Steps of the host that it stands for: it is done instead of them when one of them fails, and only then. Who
    /// needs one of them may go on when it succeeds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stands_for: Vec<StepId>,
    /// What is done.
    pub action: Action,
    /// What takes it back, in order; run when this or a later step fails. Empty for a fix without a backup: nothing
    /// can take it back, and a failure parks the host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undo: Vec<Step>,
    /// How long it usually takes; what the window gate counts with.
    pub expected: TimeSpan,
    /// When it counts as failed.
    pub timeout: TimeSpan,
}

impl Step {
    /// Whether it may make the host unavailable, and so waits for a window and a permit.
    pub const fn is_disruptive(&self) -> bool {
        self.on.is_none() && self.kind.is_disruptive()
    }

    /// What it needs of other hosts.
    pub fn foreign_needs(&self) -> impl Iterator<Item = &StepId> {
        self.needs.iter().filter(|need| need.host() != self.id.host())
    }
}

/// What a step does.
#[expect(clippy::large_enum_variant, reason = "a reboot is one of ten steps; boxes would be in everybody's way")]
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Read-only commands and probes; all must hold.
    Check {
        /// Commands, in order.
        commands: Vec<Command>,
        /// Probes, after the commands.
        probes: Vec<Probe>,
    },
    /// Commands that change the host, as detached jobs, in order.
    Change {
        /// Commands, in order.
        commands: Vec<Command>,
    },
    /// A proven reboot.
    Reboot {
        /// Read-only: success means that a reboot is required, `NOTHING_TO_DO` that it is not. None: always.
        required: Option<Command>,
        /// What reboots.
        command: Command,
        /// When the host must answer again.
        back_within: TimeSpan,
    },
    /// The provider backs the host up and verifies the backup.
    Backup {
        /// How long it is kept.
        keep: TimeSpan,
    },
    /// The provider makes a clone from the backup that this step made and waits until it answers; where the host's
    /// traffic goes is noted for the way back.
    Clone {
        /// The backup step.
        backup: StepId,
        /// When it must answer.
        back_within: TimeSpan,
        /// What is not destroyed after this long is overdue.
        time_to_live: TimeSpan,
    },
    /// Finds the packages that break the host, by repeating the trial with fewer of them on fresh clones, and leaves a
    /// clone that has all the others.
    Bisect {
        /// The backup step.
        backup: StepId,
        /// The clone step.
        clone: StepId,
        /// The steps of the trial, in order.
        steps: Vec<StepId>,
        /// Packages that go together; the smallest that can be told apart.
        units: Vec<Vec<PackageName>>,
        /// The variable in which commands get the names of packages to leave out.
        variable: String,
        /// When a clone must answer.
        back_within: TimeSpan,
        /// No more trials than this.
        trials: u32,
    },
    /// The provider destroys the clone that this step made.
    Destroy {
        /// The clone step.
        clone: StepId,
        /// It is kept for so long after a failure, for people to look at.
        keep_failed: TimeSpan,
    },
    /// The switch sends the host's traffic to the clone.
    Switchover {
        /// The clone step.
        clone: StepId,
    },
    /// The switch sends the host's traffic to the host's own address again, and it is in service.
    SwitchBack {
        /// The clone step, which noted where the traffic went.
        clone: StepId,
    },
    /// The clone takes the place of its host; the original is shut down and kept.
    Promote {
        /// The clone step.
        clone: StepId,
        /// When the host must answer again.
        back_within: TimeSpan,
    },
    /// The backup, and the original that a clone has replaced, are deleted: policy keeps neither.
    Release {
        /// The backup step.
        backup: StepId,
        /// The promotion, if a clone took the host's place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        promote: Option<StepId>,
    },
    /// The provider restores the backup that this step made.
    Restore {
        /// The backup step.
        backup: StepId,
        /// When the host must answer again.
        back_within: TimeSpan,
    },
    /// The machine that holds the host's disks begins to watch: it restores the backup by itself when it has not heard of
    /// the controller for so long.
    Arm {
        /// The backup step.
        backup: StepId,
        /// How long.
        after: TimeSpan,
    },
    /// That machine watches no longer. On the way back: where it has restored the host already, the host is looked at.
    Disarm {
        /// The step that armed the watch.
        arm: StepId,
    },
    /// The switch takes the host out of service and waits until it is idle.
    Drain {
        /// How long to wait for running requests.
        idle_within: TimeSpan,
    },
    /// The switch puts the host back into service.
    Undrain,
    /// The host is watched.
    Soak {
        /// For how long.
        span: TimeSpan,
        /// How often.
        every: TimeSpan,
        /// Read-only commands, in order.
        commands: Vec<Command>,
        /// Probes.
        probes: Vec<Probe>,
    },
}

/// Something to be asked from the controller.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// For people.
    pub name: RuleName,
    /// The URL, rendered.
    pub url: String,
    /// The expected status.
    pub status: u16,
    /// Text the body must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// How long one try may take.
    pub timeout: TimeSpan,
}

/// Why each thing is, is not, or is not yet planned.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanReport {
    /// Findings that went in.
    pub findings: u64,
    /// How many were decided how; the sum is `findings`.
    pub decided: BTreeMap<DecisionKind, u64>,
    /// Every decision, by host and finding.
    pub decisions: Vec<Decision>,
    /// Hosts with findings to fix that are not in the plan, with all reasons.
    pub blocked: BTreeMap<HostName, Vec<Reason>>,
    /// What no playbook does, most urgent first: every finding decided `manual` is in one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manual: Vec<ManualItem>,
    /// What a person should know about the plan as a whole.
    pub notes: Vec<Reason>,
    /// What it will come to if all goes as usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
}

impl PlanReport {
    /// The decisions about a host; they are sorted by host.
    pub fn decisions_of(&self, host: &HostName) -> &[Decision] {
        let from = self.decisions.partition_point(|decision| &decision.host < host);
        let length = self.decisions[from..].partition_point(|decision| &decision.host == host);
        &self.decisions[from..from + length]
    }
}

/// A reason, for machines and for people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Kebab-case, stable.
    pub code: String,
    /// In words.
    pub text: String,
}

impl Reason {
    /// A reason.
    pub fn new(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.to_owned(), text: text.into() }
    }
}

impl Plan {
    /// A host, to be changed.
    pub fn host_mut<Q>(&mut self, name: &Q) -> Option<&mut HostPlan>
    where
        HostName: std::borrow::Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.hosts.get_mut(name).map(Arc::make_mut)
    }

    /// All hosts, to be changed.
    pub fn hosts_mut(&mut self) -> impl Iterator<Item = &mut HostPlan> {
        self.hosts.values_mut().map(Arc::make_mut)
    }

    /// A step or undo step by its id.
    pub fn step(&self, id: &StepId) -> Option<(&HostPlan, &Step)> {
        let (host, _) = id.as_str().rsplit_once('/')?;
        let plan = self.hosts.get(host)?;
        let step = plan.steps.iter().flat_map(|s| std::iter::once(s).chain(&s.undo)).find(|s| &s.id == id)?;
        Some((plan, step))
    }
}

impl Action {
    /// The same, to be changed.
    pub(in crate::plan) fn commands_mut(&mut self) -> impl Iterator<Item = &mut Command> {
        let (list, single): (&mut [Command], [Option<&mut Command>; 2]) = match self {
            Self::Check { commands, .. } | Self::Change { commands } | Self::Soak { commands, .. } => {
                (commands, [None, None])
            }
            Self::Reboot { required, command, .. } => (&mut [], [required.as_mut(), Some(command)]),
            _ => (&mut [], [None, None]),
        };
        list.iter_mut().chain(single.into_iter().flatten())
    }

    /// Every command it may run, in order.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        let (list, single): (&[Command], [Option<&Command>; 2]) = match self {
            Self::Check { commands, .. } | Self::Change { commands } | Self::Soak { commands, .. } => {
                (commands, [None, None])
            }
            Self::Reboot { required, command, .. } => (&[], [required.as_ref(), Some(command)]),
            Self::Backup { .. }
            | Self::Restore { .. }
            | Self::Arm { .. }
            | Self::Disarm { .. }
            | Self::Drain { .. }
            | Self::Undrain
            | Self::Clone { .. }
            | Self::Bisect { .. }
            | Self::Destroy { .. }
            | Self::Switchover { .. }
            | Self::SwitchBack { .. }
            | Self::Promote { .. }
            | Self::Release { .. } => (&[], [None, None]),
        };
        list.iter().chain(single.into_iter().flatten())
    }
}
