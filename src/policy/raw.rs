//! Policy files as they are written, before anything is checked.
//!
//! Neither `flatten` nor untagged enums: a place must stay known for every value that may be wrong.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};

use super::{ExceptionKind, RebootPolicy, StrategyKind, TestFix};
use crate::model::{Importance, Priority, TimeSpan, VulnerabilityType};
use crate::yaml::{OneOrMany, Spanned};

/// One policy file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyRaw {
    pub version: Spanned<u32>,
    #[serde(default)]
    pub priority: PriorityRaw,
    #[serde(default)]
    pub importance: ImportanceRaw,
    #[serde(default)]
    pub scope: ScopeRaw,
    #[serde(default)]
    pub exceptions: Vec<ExceptionRaw>,
    #[serde(default)]
    pub windows: Vec<WindowRaw>,
    #[serde(default)]
    pub freezes: Vec<FreezeRaw>,
    #[serde(default)]
    pub strategy: StrategyRaw,
    #[serde(default)]
    pub backup: BackupRaw,
    #[serde(default)]
    pub rollout: RolloutRaw,
    #[serde(default)]
    pub reboot: Option<Spanned<RebootPolicy>>,
    #[serde(default)]
    pub verify: VerifyRaw,
    #[serde(default)]
    pub playbooks: PlaybooksRaw,
    #[serde(default)]
    pub vex: Option<Texts>,
    #[serde(default)]
    pub approvals: Vec<ApprovalRaw>,
    #[serde(default)]
    pub rules: Vec<Spanned<String>>,
    #[serde(default)]
    pub notify: Vec<NotifyRaw>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PriorityRaw {
    #[serde(default)]
    pub weights: Option<Spanned<WeightsRaw>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub age_full_at: Option<Spanned<TimeSpan>>,
    #[serde(default)]
    pub importance_points: Option<Spanned<ImportancePointsRaw>>,
    #[serde(default)]
    pub thresholds: Option<Spanned<ThresholdsRaw>>,
    #[serde(default)]
    pub unscored: Option<Spanned<Priority>>,
    #[serde(default)]
    pub overrides: Vec<OverrideRaw>,
    #[serde(default)]
    pub deadlines: Option<Spanned<DeadlinesRaw>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WeightsRaw {
    pub cvss: Spanned<f64>,
    pub exploitation: Spanned<f64>,
    pub importance: Spanned<f64>,
    pub age: Spanned<f64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportancePointsRaw {
    pub important: Spanned<f64>,
    pub general: Spanned<f64>,
    pub test: Spanned<f64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ThresholdsRaw {
    pub critical: Spanned<f64>,
    pub high: Spanned<f64>,
    pub medium: Spanned<f64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeadlinesRaw {
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub critical: Option<Spanned<TimeSpan>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub high: Option<Spanned<TimeSpan>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub medium: Option<Spanned<TimeSpan>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub low: Option<Spanned<TimeSpan>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OverrideRaw {
    pub name: Spanned<String>,
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
    pub priority: Priority,
    pub reason: Spanned<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportanceRaw {
    #[serde(default)]
    pub default: Option<Spanned<Importance>>,
    #[serde(default)]
    pub rules: Vec<ImportanceRuleRaw>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportanceRuleRaw {
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
    pub importance: Importance,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScopeRaw {
    #[serde(default)]
    pub fix: Option<Spanned<OneOrMany<Priority>>>,
    #[serde(default)]
    pub emergency: Option<Spanned<EmergencyRaw>>,
}

/// The lane of what cannot wait.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EmergencyRaw {
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
    #[serde(default)]
    pub bypass_freeze: bool,
    #[serde(default)]
    pub approvals: Option<Spanned<u32>>,
}

/// Who must say yes before a plan is run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApprovalRaw {
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
    pub required: Spanned<u32>,
    #[serde(default)]
    pub from: Option<Spanned<String>>,
    #[serde(default)]
    pub not_author: bool,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub valid_for: Option<Spanned<TimeSpan>>,
}

/// When to tell whom.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NotifyRaw {
    pub on: Spanned<OneOrMany<NotifyOn>>,
    pub webhook: WebhookRaw,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum NotifyOn {
    Started,
    Paused,
    Finished,
    Aborted,
    Stuck,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookRaw {
    pub url_env: Spanned<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExceptionRaw {
    pub name: Spanned<String>,
    pub kind: ExceptionKind,
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
    pub reason: Spanned<String>,
    pub owner: Spanned<String>,
    pub expires: Spanned<String>,
    #[serde(default)]
    pub justification: Option<Spanned<String>>,
    #[serde(default)]
    pub ticket: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowRaw {
    pub name: Spanned<String>,
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
    #[serde(default)]
    pub schedule: Option<Spanned<ScheduleRaw>>,
    #[serde(default)]
    pub calendar: Option<Spanned<String>>,
    #[serde(default)]
    pub summary: Option<Spanned<String>>,
    #[serde(default)]
    pub timezone: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScheduleRaw {
    #[serde(default)]
    pub rrule: Option<Spanned<String>>,
    #[serde(default)]
    pub dates: Option<Spanned<OneOrMany<Spanned<String>>>>,
    #[serde(default)]
    pub cron: Option<Spanned<String>>,
    #[serde(default)]
    pub rdate: Option<Texts>,
    #[serde(default)]
    pub exdate: Option<Texts>,
    #[serde(default)]
    pub from: Option<Spanned<String>>,
    #[serde(default)]
    pub start: Option<Spanned<String>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub duration: Option<Spanned<String>>,
    #[serde(default)]
    pub end: Option<Spanned<String>>,
    pub timezone: Spanned<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FreezeRaw {
    pub name: Spanned<String>,
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
    #[serde(default)]
    pub from: Option<Spanned<String>>,
    #[serde(default)]
    pub to: Option<Spanned<String>>,
    #[serde(default)]
    pub calendar: Option<Spanned<String>>,
    #[serde(default)]
    pub summary: Option<Spanned<String>>,
    #[serde(default)]
    pub timezone: Option<Spanned<String>>,
    pub reason: Spanned<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StrategyRaw {
    #[serde(default)]
    pub default: Option<Spanned<StrategyKind>>,
    #[serde(default)]
    pub rules: Vec<StrategyRuleRaw>,
    #[serde(default)]
    pub proven: Option<Spanned<ProvenRaw>>,
    #[serde(default)]
    pub test_fix: Option<Spanned<TestFix>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProvenRaw {
    pub successes: Spanned<u32>,
    #[schemars(with = "String")]
    pub within: Spanned<TimeSpan>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StrategyRuleRaw {
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
    #[serde(rename = "use")]
    pub uses: Spanned<StrategyKind>,
    pub reason: Spanned<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BackupRaw {
    #[serde(default)]
    pub required: Option<Spanned<bool>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub max_age: Option<Spanned<TimeSpan>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub keep: Option<Spanned<TimeSpan>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub drill_within: Option<Spanned<TimeSpan>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RolloutRaw {
    #[serde(default)]
    pub canary: Option<Spanned<CanaryRaw>>,
    #[serde(default)]
    pub waves: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    pub max_unavailable: Option<Spanned<MaxUnavailableRaw>>,
    #[serde(default)]
    pub failure_budget: Option<Spanned<FailureBudgetRaw>>,
    #[serde(default)]
    pub concurrency: Option<Spanned<ConcurrencyRaw>>,
    #[serde(default)]
    pub order: Vec<OrderRaw>,
    #[serde(default)]
    pub one_domain_at_a_time: Option<Spanned<PerRaw>>,
}

/// Hosts that are done before others.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderRaw {
    pub before: Spanned<MatchRaw>,
    pub after: Spanned<MatchRaw>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CanaryRaw {
    pub hosts: Spanned<u32>,
    #[schemars(with = "String")]
    pub soak: TimeSpan,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MaxUnavailableRaw {
    pub per: PerRaw,
    pub value: Spanned<String>,
    #[serde(default)]
    pub single_host: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PerRaw {
    pub label: Spanned<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FailureBudgetRaw {
    #[serde(default)]
    pub hosts: Option<Spanned<u32>>,
    #[serde(default)]
    pub share: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConcurrencyRaw {
    pub hosts: Spanned<u32>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyRaw {
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub soak: Option<Spanned<TimeSpan>>,
    #[serde(default)]
    pub probes: Vec<ProbeRaw>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProbeRaw {
    pub name: Spanned<String>,
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
    pub http: HttpRaw,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpRaw {
    pub url: Spanned<String>,
    #[serde(default)]
    pub status: Option<Spanned<u16>>,
    #[serde(default)]
    pub contains: Option<String>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Spanned<TimeSpan>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaybooksRaw {
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
    #[serde(default)]
    pub hosts: Option<Texts>,
    #[serde(default)]
    pub groups: Option<Texts>,
    #[serde(default)]
    pub labels: Option<Spanned<BTreeMap<String, Texts>>>,
    #[serde(default)]
    pub os: Option<Spanned<OsRaw>>,
    #[serde(default)]
    pub importance: Option<Spanned<OneOrMany<Importance>>>,
    #[serde(default, rename = "type")]
    pub kind: Option<Spanned<OneOrMany<VulnerabilityType>>>,
    #[serde(default)]
    pub vulnerability: Option<Texts>,
    #[serde(default)]
    pub package: Option<Texts>,
    #[serde(default)]
    pub ecosystem: Option<Texts>,
    #[serde(default)]
    pub installed: Option<Texts>,
    #[serde(default)]
    pub priority: Option<Spanned<OneOrMany<Priority>>>,
    #[serde(default)]
    pub cvss: Option<Spanned<String>>,
    #[serde(default)]
    pub epss: Option<Spanned<String>>,
    #[serde(default)]
    pub kev: Option<Spanned<bool>>,
    #[serde(default)]
    pub age: Option<Spanned<String>>,
    #[serde(default)]
    pub fix_available: Option<Spanned<bool>>,
    #[serde(default)]
    pub any: Option<Spanned<Vec<Spanned<MatchRaw>>>>,
    #[serde(default)]
    pub not: Option<Box<Spanned<MatchRaw>>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OsRaw {
    #[serde(default)]
    pub family: Option<Texts>,
    #[serde(default)]
    pub name: Option<Texts>,
    #[serde(default)]
    pub version: Option<Texts>,
}
