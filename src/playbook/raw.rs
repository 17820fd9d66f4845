//! A playbook as people write it.

use std::collections::BTreeMap;

use crate::yaml::Spanned;

/// A whole file.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPlaybook {
    pub version: Spanned<u32>,
    pub name: Spanned<String>,
    pub description: Spanned<String>,
    #[serde(rename = "match")]
    pub selector: RawMatch,
    pub steps: Spanned<RawSteps>,
    #[serde(default)]
    pub expected: RawExpected,
}

/// What the playbook is for.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMatch {
    #[serde(rename = "type")]
    pub kind: Spanned<String>,
    #[serde(default)]
    pub os: Option<RawOs>,
}

/// Operating systems.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOs {
    #[serde(default)]
    pub family: Option<Spanned<String>>,
    #[serde(default)]
    pub name: Option<Spanned<String>>,
    #[serde(default)]
    pub version: Option<Spanned<String>>,
}

/// What is done when.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSteps {
    #[serde(default)]
    pub preflight: Vec<Spanned<RawCommand>>,
    #[serde(default)]
    pub fix: Vec<Spanned<RawCommand>>,
    #[serde(default)]
    pub restart: Vec<Spanned<RawCommand>>,
    #[serde(default)]
    pub reboot: Option<Spanned<RawReboot>>,
    #[serde(default)]
    pub verify: Vec<Spanned<RawCommand>>,
    #[serde(default)]
    pub verify_restored: Vec<Spanned<RawCommand>>,
}

/// One command: exactly one of `builtin`, `run` and `shell`.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCommand {
    #[serde(default)]
    pub name: Option<Spanned<String>>,
    #[serde(default)]
    pub builtin: Option<Spanned<String>>,
    #[serde(default)]
    pub run: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    pub shell: Option<Spanned<String>>,
    #[serde(default)]
    pub args: Vec<Spanned<String>>,
    #[serde(default)]
    pub env: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub env_facts: BTreeMap<String, Spanned<String>>,
    #[serde(default, rename = "become")]
    pub becomes: bool,
    #[serde(default)]
    pub timeout: Option<Spanned<String>>,
    #[serde(default)]
    pub repeatable: bool,
}

/// A command, when it is needed, and when the host must be back. (Its keys are those of [`RawCommand`] once more,
/// because flattened structures lose their spans.)
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReboot {
    #[serde(default)]
    pub required: Option<Spanned<RawCommand>>,
    pub back_within: Spanned<String>,
    #[serde(default)]
    pub name: Option<Spanned<String>>,
    #[serde(default)]
    pub builtin: Option<Spanned<String>>,
    #[serde(default)]
    pub run: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    pub shell: Option<Spanned<String>>,
    #[serde(default)]
    pub args: Vec<Spanned<String>>,
    #[serde(default)]
    pub env: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub env_facts: BTreeMap<String, Spanned<String>>,
    #[serde(default, rename = "become")]
    pub becomes: bool,
    #[serde(default)]
    pub timeout: Option<Spanned<String>>,
}

impl RawReboot {
    /// The command alone.
    pub(super) fn command(&self) -> RawCommand {
        RawCommand {
            name: self.name.clone(),
            builtin: self.builtin.clone(),
            run: self.run.clone(),
            shell: self.shell.clone(),
            args: self.args.clone(),
            env: self.env.clone(),
            env_facts: self.env_facts.clone(),
            becomes: self.becomes,
            timeout: self.timeout.clone(),
            repeatable: false,
        }
    }
}

/// How long each part usually takes.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExpected {
    #[serde(default)]
    pub preflight: Option<Spanned<String>>,
    #[serde(default)]
    pub fix: Option<Spanned<String>>,
    #[serde(default)]
    pub restart: Option<Spanned<String>>,
    #[serde(default)]
    pub reboot: Option<Spanned<String>>,
    #[serde(default)]
    pub verify: Option<Spanned<String>>,
}
