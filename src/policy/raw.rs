//! Policy files as they are written, before anything is checked.
//!
//! Neither `flatten` nor untagged enums: a place must stay known for every value that may be wrong.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};

use super::manual::ManualRaw;
use super::notify::NotifyRaw;
use super::{ExceptionKind, RebootPolicy, StrategyKind, TestFix};
use crate::model::{Importance, PendingReboot, Priority, TimeSpan, VulnerabilityType};
use crate::yaml::{OneOrMany, Spanned};

/// One policy file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyRaw {
    /// The version of the format: 1.
    pub version: Spanned<u32>,
    /// How urgent findings are.
    #[serde(default)]
    pub priority: PriorityRaw,
    /// How much hosts matter.
    #[serde(default)]
    pub importance: ImportanceRaw,
    /// Which findings are fixed.
    #[serde(default)]
    pub scope: ScopeRaw,
    /// Findings that are not fixed: accepted risks, each with an owner and an end.
    #[serde(default)]
    pub exceptions: Vec<ExceptionRaw>,
    /// When hosts may be disrupted; without any, at any time.
    #[serde(default)]
    pub windows: Vec<WindowRaw>,
    /// When hosts may not be disrupted, whatever the windows say.
    #[serde(default)]
    pub freezes: Vec<FreezeRaw>,
    /// How hosts are fixed.
    #[serde(default)]
    pub strategy: StrategyRaw,
    /// What must be there to go back to.
    #[serde(default)]
    pub backup: BackupRaw,
    /// In which order, and how many hosts at once.
    #[serde(default)]
    pub rollout: RolloutRaw,
    /// Whether hosts are rebooted.
    #[serde(default)]
    pub reboot: Option<Spanned<RebootPolicy>>,
    /// What is done with a host that should have been rebooted already before its fix.
    #[serde(default)]
    pub reboot_pending_before: Option<Spanned<PendingReboot>>,
    /// Which services are restarted.
    #[serde(default)]
    pub restart: RestartRaw,
    /// How a fixed host is watched.
    #[serde(default)]
    pub verify: VerifyRaw,
    /// What playbooks may do.
    #[serde(default)]
    pub playbooks: PlaybooksRaw,
    /// VEX documents that say which findings are no risk.
    #[serde(default)]
    pub vex: Option<Texts>,
    /// Who must say yes before a plan is run.
    #[serde(default)]
    pub approvals: Vec<ApprovalRaw>,
    /// What the change request of a plan is held against before it is run.
    #[serde(default)]
    pub change: Option<Spanned<ChangeRaw>>,
    /// Rules in Rego.
    #[serde(default)]
    pub rules: Vec<Spanned<String>>,
    /// Who does what no playbook does, and until when; the first match wins.
    #[serde(default)]
    pub manual: Vec<ManualRaw>,
    /// Whom a campaign tells what happens.
    #[serde(default)]
    pub notify: Vec<NotifyRaw>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PriorityRaw {
    /// How much each factor counts; normalised, so that any unit will do.
    #[serde(default)]
    pub weights: Option<Spanned<WeightsRaw>>,
    /// From this age on, age has all its points, such as `90d`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub age_full_at: Option<Spanned<TimeSpan>>,
    /// Points, 0 to 10, for the importance of the host.
    #[serde(default)]
    pub importance_points: Option<Spanned<ImportancePointsRaw>>,
    /// From which score on, 0 to 10, a finding is critical, high, medium; below: low.
    #[serde(default)]
    pub thresholds: Option<Spanned<ThresholdsRaw>>,
    /// The priority of findings with neither score nor severity.
    #[serde(default)]
    pub unscored: Option<Spanned<Priority>>,
    /// Rules that set the priority; the first match wins.
    #[serde(default)]
    pub overrides: Vec<OverrideRaw>,
    /// Until when findings are due, from first seen on.
    #[serde(default)]
    pub deadlines: Option<Spanned<DeadlinesRaw>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WeightsRaw {
    /// The CVSS base score, or the severity.
    pub cvss: Spanned<f64>,
    /// Known exploitation, or its probability (EPSS).
    pub exploitation: Spanned<f64>,
    /// The importance of the host.
    pub importance: Spanned<f64>,
    /// The time since publication.
    pub age: Spanned<f64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportancePointsRaw {
    /// Of important hosts.
    pub important: Spanned<f64>,
    /// Of hosts of general importance.
    pub general: Spanned<f64>,
    /// Of test hosts.
    pub test: Spanned<f64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ThresholdsRaw {
    /// From this score on critical.
    pub critical: Spanned<f64>,
    /// From this score on high.
    pub high: Spanned<f64>,
    /// From this score on medium; below: low.
    pub medium: Spanned<f64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeadlinesRaw {
    /// For critical findings, such as `14d`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub critical: Option<Spanned<TimeSpan>>,
    /// For high findings, such as `14d`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub high: Option<Spanned<TimeSpan>>,
    /// For medium findings, such as `14d`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub medium: Option<Spanned<TimeSpan>>,
    /// For low findings, such as `14d`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub low: Option<Spanned<TimeSpan>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OverrideRaw {
    /// Its name, unique among overrides.
    pub name: Spanned<String>,
    /// Which findings, on which hosts.
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
    /// The priority they have.
    pub priority: Priority,
    /// Why; shown with every decision.
    pub reason: Spanned<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportanceRaw {
    /// The importance of hosts that no rule matches.
    #[serde(default)]
    pub default: Option<Spanned<Importance>>,
    /// Rules for hosts whose importance the inventory does not say; the first match wins.
    #[serde(default)]
    pub rules: Vec<ImportanceRuleRaw>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportanceRuleRaw {
    /// Which hosts.
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
    /// Their importance.
    pub importance: Importance,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScopeRaw {
    /// The priorities that are fixed; others wait.
    #[serde(default)]
    pub fix: Option<Spanned<OneOrMany<Priority>>>,
    /// The lane of what cannot wait.
    #[serde(default)]
    pub emergency: Option<Spanned<EmergencyRaw>>,
}

/// The lane of what cannot wait.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EmergencyRaw {
    /// Which findings, on which hosts.
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
    /// Whether freezes do not hold them up.
    #[serde(default)]
    pub bypass_freeze: bool,
    /// How many people must approve, instead of what `approvals` says.
    #[serde(default)]
    pub approvals: Option<Spanned<u32>>,
}

/// Who must say yes before a plan is run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApprovalRaw {
    /// For plans with any of these hosts.
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
    /// How many people must approve.
    pub required: Spanned<u32>,
    /// The file that names the people who may, in the format of `allowed_signers` of OpenSSH.
    #[serde(default)]
    pub from: Option<Spanned<String>>,
    /// Whether who made the plan may not approve it.
    #[serde(default)]
    pub not_author: bool,
    /// How long an approval is good for, such as `72h`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub valid_for: Option<Spanned<TimeSpan>>,
}

/// What the change request of a plan is held against before it is run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeRaw {
    /// Whether a plan without a ticket is refused.
    #[serde(default)]
    pub required: bool,
    /// Who is asked whether the change may go on, whenever a campaign starts or is resumed.
    #[serde(default)]
    pub check: Option<Spanned<ChangeCheckRaw>>,
}

/// Who is asked: one of the two.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeCheckRaw {
    /// A program and its arguments, without a shell; `{ticket}` and `{plan}` stand for the ticket and the plan's digest.
    /// Exit code 0 means yes.
    #[serde(default)]
    pub command: Option<Spanned<Vec<String>>>,
    /// A POST of ticket and plan; the answer `{"allowed": true}` means yes.
    #[serde(default)]
    pub webhook: Option<ChangeWebhookRaw>,
}

/// Who is asked over HTTP.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeWebhookRaw {
    /// The environment variable that holds the URL.
    pub url_env: Spanned<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExceptionRaw {
    /// Its name, unique among exceptions.
    pub name: Spanned<String>,
    /// `whitelist`: not reported again; `ignore`: reported again by the next scan.
    pub kind: ExceptionKind,
    /// Which findings, on which hosts.
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
    /// Why the risk is accepted.
    pub reason: Spanned<String>,
    /// Who answers for it.
    pub owner: Spanned<String>,
    /// When it ends: a day, as it begins in UTC, or an instant.
    pub expires: Spanned<String>,
    /// Why it is not affected, in the words of VEX.
    #[serde(default)]
    pub justification: Option<Spanned<String>>,
    /// Where it was decided.
    #[serde(default)]
    pub ticket: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowRaw {
    /// Its name, unique among windows.
    pub name: Spanned<String>,
    /// For which hosts.
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
    /// When it is open.
    #[serde(default)]
    pub schedule: Option<Spanned<ScheduleRaw>>,
    /// A calendar file that says when it is open.
    #[serde(default)]
    pub calendar: Option<Spanned<String>>,
    /// Only the events of the calendar whose summary matches this pattern.
    #[serde(default)]
    pub summary: Option<Spanned<String>>,
    /// The IANA time zone of events that name none: Europe/Berlin.
    #[serde(default)]
    pub timezone: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScheduleRaw {
    /// The days, as a recurrence rule of RFC 5545: `FREQ=WEEKLY;BYDAY=SA`.
    #[serde(default)]
    pub rrule: Option<Spanned<String>>,
    /// The days one by one: 2026-12-05.
    #[serde(default)]
    pub dates: Option<Spanned<OneOrMany<Spanned<String>>>>,
    /// The days as a cron expression.
    #[serde(default)]
    pub cron: Option<Spanned<String>>,
    /// More days, or local times, on which it opens.
    #[serde(default)]
    pub rdate: Option<Texts>,
    /// Days, or local times, on which it does not open.
    #[serde(default)]
    pub exdate: Option<Texts>,
    /// The first day from which `rrule` counts.
    #[serde(default)]
    pub from: Option<Spanned<String>>,
    /// The time of day at which it opens: "22:00".
    #[serde(default)]
    pub start: Option<Spanned<String>>,
    /// How long it is open: `4h`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub duration: Option<Spanned<String>>,
    /// The time of day at which it closes: "02:00".
    #[serde(default)]
    pub end: Option<Spanned<String>>,
    /// The IANA time zone that all times refer to: Europe/Berlin.
    pub timezone: Spanned<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FreezeRaw {
    /// Its name, unique among freezes.
    pub name: Spanned<String>,
    /// For which hosts.
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
    /// From this local time on: 2026-12-18T18:00.
    #[serde(default)]
    pub from: Option<Spanned<String>>,
    /// Up to this local time.
    #[serde(default)]
    pub to: Option<Spanned<String>>,
    /// A calendar file whose events are the freeze.
    #[serde(default)]
    pub calendar: Option<Spanned<String>>,
    /// Only the events of the calendar whose summary matches this pattern.
    #[serde(default)]
    pub summary: Option<Spanned<String>>,
    /// The IANA time zone that the times refer to: Europe/Berlin.
    #[serde(default)]
    pub timezone: Option<Spanned<String>>,
    /// Why; shown to people.
    pub reason: Spanned<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StrategyRaw {
    /// The strategy for hosts that no rule matches.
    #[serde(default)]
    pub default: Option<Spanned<StrategyKind>>,
    /// Rules that choose the strategy; the first match wins.
    #[serde(default)]
    pub rules: Vec<StrategyRuleRaw>,
    /// When `auto` takes a fix as proven.
    #[serde(default)]
    pub proven: Option<Spanned<ProvenRaw>>,
    /// Whether fixes are tried on a clone before production.
    #[serde(default)]
    pub test_fix: Option<Spanned<TestFix>>,
    /// Labels that similar hosts have in common, besides the OS release and the fix: `[role]`.
    #[serde(default)]
    pub similar_by: Option<Spanned<Vec<String>>>,
    /// Hosts that keep what is written to them: a switch back would lose it. Without it those with the label
    /// `stateful: "true"`.
    #[serde(default)]
    pub stateful: Option<Spanned<StatefulRaw>>,
    /// Whether, when a fix of several packages fails on a clone, the ones to blame are looked for, kept out of later
    /// plans, and the rest is fixed.
    #[serde(default)]
    pub bisect: Option<Spanned<bool>>,
    /// How long a package version that had to be rolled back stays out of plans for similar hosts, such as `30d`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub quarantine: Option<Spanned<TimeSpan>>,
    /// How long a clone is kept on which a fix has failed, such as `24h`; without it it is destroyed at once.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub keep_failed: Option<Spanned<TimeSpan>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatefulRaw {
    /// Which hosts.
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProvenRaw {
    /// So many successes on similar hosts ...
    pub successes: Spanned<u32>,
    /// ... within this time, such as `90d`.
    #[schemars(with = "String")]
    pub within: Spanned<TimeSpan>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StrategyRuleRaw {
    /// Which hosts.
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
    /// Their strategy.
    #[serde(rename = "use")]
    pub uses: Spanned<StrategyKind>,
    /// Why; shown to people.
    pub reason: Spanned<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BackupRaw {
    /// Whether a host without a backup provider is left out.
    #[serde(default)]
    pub required: Option<Spanned<bool>>,
    /// How old a backup may be that was made before the campaign, such as `1h`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub max_age: Option<Spanned<TimeSpan>>,
    /// How long a backup is kept behind the end of its host, such as `7d`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub keep: Option<Spanned<TimeSpan>>,
    /// Within this time a drill must have proven the restore of a host that is to be fixed in place, such as `30d`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub drill_within: Option<Spanned<TimeSpan>>,
    /// A host goes back by itself when its machine has not heard of the controller for so long while it is changed, such as
    /// `30m`; or `never`. For hosts whose provider can do that.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub dead_man: Option<Spanned<SpanOrNever>>,
}

/// A length of time, or `never`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct SpanOrNever(pub Option<TimeSpan>);

impl TryFrom<String> for SpanOrNever {
    type Error = crate::model::InvalidTimeSpan;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "never" { Ok(Self(None)) } else { text.parse().map(|span| Self(Some(span))) }
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RolloutRaw {
    /// The first wave.
    #[serde(default)]
    pub canary: Option<Spanned<CanaryRaw>>,
    /// Cumulative sizes of the waves that follow: ["10%", "50%", "100%"].
    #[serde(default)]
    pub waves: Option<Spanned<Vec<Spanned<String>>>>,
    /// How many hosts of a service may be unavailable at once.
    #[serde(default)]
    pub max_unavailable: Option<Spanned<MaxUnavailableRaw>>,
    /// When failures pause the campaign.
    #[serde(default)]
    pub failure_budget: Option<Spanned<FailureBudgetRaw>>,
    /// How many hosts are worked on at once.
    #[serde(default)]
    pub concurrency: Option<Spanned<ConcurrencyRaw>>,
    /// Hosts that are done before others.
    #[serde(default)]
    pub order: Vec<OrderRaw>,
    /// Hosts of two failure domains are never disrupted at once.
    #[serde(default)]
    pub one_domain_at_a_time: Option<Spanned<PerRaw>>,
}

/// Hosts that are done before others.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderRaw {
    /// These hosts ...
    pub before: Spanned<MatchRaw>,
    /// ... are done before these.
    pub after: Spanned<MatchRaw>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CanaryRaw {
    /// How many hosts; 0 for no canary.
    pub hosts: Spanned<u32>,
    /// How long they are watched before the next wave, such as `30m`.
    #[schemars(with = "String")]
    pub soak: TimeSpan,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MaxUnavailableRaw {
    /// The label whose value is the service.
    pub per: PerRaw,
    /// A number of hosts or a share: 1, "25%".
    pub value: Spanned<String>,
    /// Whether the only host of a service may be taken down.
    #[serde(default)]
    pub single_host: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PerRaw {
    /// The name of the label.
    pub label: Spanned<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FailureBudgetRaw {
    /// At so many failed hosts ...
    #[serde(default)]
    pub hosts: Option<Spanned<u32>>,
    /// ... or at this share of the planned hosts, whichever is less.
    #[serde(default)]
    pub share: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConcurrencyRaw {
    /// So many hosts at once.
    pub hosts: Spanned<u32>,
    /// So many hosts that make clones at once.
    #[serde(default)]
    pub clones: Option<Spanned<u32>>,
    /// The same for the hosts that have a value of a label in common.
    #[serde(default)]
    pub per: Vec<Spanned<LabelLimitRaw>>,
}

/// So many hosts at once of those with the same value of a label.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelLimitRaw {
    /// The name of the label.
    pub label: Spanned<String>,
    /// So many hosts at once.
    #[serde(default)]
    pub hosts: Option<Spanned<u32>>,
    /// So many hosts that make clones at once.
    #[serde(default)]
    pub clones: Option<Spanned<u32>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyRaw {
    /// How long a fixed host is watched, such as `5m`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub soak: Option<Spanned<TimeSpan>>,
    /// What is asked of a fixed host from outside.
    #[serde(default)]
    pub probes: Vec<ProbeRaw>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProbeRaw {
    /// Its name, unique among probes.
    pub name: Spanned<String>,
    /// For which hosts.
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
    /// The request.
    pub http: HttpRaw,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpRaw {
    /// The URL, a template over `host`: "http://{{ host.address }}/health".
    pub url: Spanned<String>,
    /// The expected status (200).
    #[serde(default)]
    pub status: Option<Spanned<u16>>,
    /// A text that the body must hold.
    #[serde(default)]
    pub contains: Option<String>,
    /// For one try, such as `10s`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Spanned<TimeSpan>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RestartRaw {
    /// Units that a fix never restarts, with `*` and `?`: "postgresql@*", nginx.service.
    #[serde(default)]
    pub never: Option<Texts>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaybooksRaw {
    /// Whether a fix may remove packages.
    #[serde(default)]
    pub allow_removals: Option<Spanned<bool>>,
}

/// `match`: the word `all`, or a selector.
#[derive(Debug)]
pub(super) enum MatchRaw {
    All,
    Keys(Box<SelectorRaw>),
}

impl<'de> Deserialize<'de> for MatchRaw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MatchVisitor;

        impl<'de> Visitor<'de> for MatchVisitor {
            type Value = MatchRaw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`all` or a mapping of what must hold")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<MatchRaw, E> {
                match text {
                    "all" => Ok(MatchRaw::All),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MatchRaw, A::Error> {
                SelectorRaw::deserialize(MapAccessDeserializer::new(map)).map(|keys| MatchRaw::Keys(Box::new(keys)))
            }
        }

        deserializer.deserialize_any(MatchVisitor)
    }
}

impl JsonSchema for MatchRaw {
    fn schema_name() -> Cow<'static, str> {
        "Match".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let keys = generator.subschema_for::<SelectorRaw>();
        json_schema!({ "anyOf": [{ "const": "all" }, keys] })
    }
}

/// A list of texts with their places.
pub(super) type Texts = Spanned<OneOrMany<Spanned<String>>>;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SelectorRaw {
    /// Names of hosts; `*` stands for any text, `?` for any character.
    #[serde(default)]
    pub hosts: Option<Texts>,
    /// Groups of hosts, with `*` and `?`.
    #[serde(default)]
    pub groups: Option<Texts>,
    /// Labels of hosts and their values, with `*` and `?`.
    #[serde(default)]
    pub labels: Option<Spanned<BTreeMap<String, Texts>>>,
    /// The operating system.
    #[serde(default)]
    pub os: Option<Spanned<OsRaw>>,
    /// The importance of the host.
    #[serde(default)]
    pub importance: Option<Spanned<OneOrMany<Importance>>>,
    /// The type of the vulnerability.
    #[serde(default, rename = "type")]
    pub kind: Option<Spanned<OneOrMany<VulnerabilityType>>>,
    /// Ids and aliases, with `*` and `?`: "CVE-2026-*".
    #[serde(default)]
    pub vulnerability: Option<Texts>,
    /// Names of packages, with `*` and `?`.
    #[serde(default)]
    pub package: Option<Texts>,
    /// Ecosystems of packages, with `*` and `?`: deb, rpm, npm, pypi, ...
    #[serde(default)]
    pub ecosystem: Option<Texts>,
    /// Installed versions as they are written, with `*` and `?`.
    #[serde(default)]
    pub installed: Option<Texts>,
    /// The priority of the finding.
    #[serde(default)]
    pub priority: Option<Spanned<OneOrMany<Priority>>>,
    /// The CVSS base score: ">=7.0".
    #[serde(default)]
    pub cvss: Option<Spanned<String>>,
    /// The probability of exploitation, 0 to 1: ">=0.5".
    #[serde(default)]
    pub epss: Option<Spanned<String>>,
    /// Whether it is known to be exploited.
    #[serde(default)]
    pub kev: Option<Spanned<bool>>,
    /// The time since publication: ">=30d".
    #[serde(default)]
    pub age: Option<Spanned<String>>,
    /// Whether there is a version that fixes it.
    #[serde(default)]
    pub fix_available: Option<Spanned<bool>>,
    /// At least one of these must match as well.
    #[serde(default)]
    pub any: Option<Spanned<Vec<Spanned<MatchRaw>>>>,
    /// This must not match.
    #[serde(default)]
    pub not: Option<Box<Spanned<MatchRaw>>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OsRaw {
    /// debian, redhat, suse, alpine, windows.
    #[serde(default)]
    pub family: Option<Texts>,
    /// debian, ubuntu, rocky, ...
    #[serde(default)]
    pub name: Option<Texts>,
    /// The release: "12", ">=20.04,<24.04".
    #[serde(default)]
    pub version: Option<Texts>,
}
