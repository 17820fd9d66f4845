//! A playbook as people write it.

use std::collections::BTreeMap;

use crate::yaml::{OneOrMany, Spanned};

/// A whole file.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPlaybook {
    /// The version of the format: 1.
    pub version: Spanned<u32>,
    /// For people.
    pub name: Spanned<String>,
    /// One sentence for people.
    pub description: Spanned<String>,
    /// What the playbook is for.
    #[serde(rename = "match")]
    pub selector: RawMatch,
    /// Constants that templates name as `vars.NAME`.
    #[serde(default)]
    pub vars: BTreeMap<String, Spanned<String>>,
    /// What is done when. Only `fix`, `restart` and `reboot` may change the host.
    pub steps: Spanned<RawSteps>,
    /// How long each part usually takes.
    #[serde(default)]
    pub expected: RawExpected,
}

/// What the playbook is for.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMatch {
    /// `linux`, `windows`, `web_cms`, `application` or `emergency`.
    #[serde(rename = "type")]
    pub kind: Spanned<String>,
    /// Which operating systems; every one where absent.
    #[serde(default)]
    pub os: Option<RawOs>,
    /// Packages of this ecosystem only, as findings name it: `pypi`, `npm`, `wordpress`.
    #[serde(default)]
    pub ecosystem: Option<Spanned<String>>,
    /// Only what lies in this folder of the host; a template of `host` and `vars`. A host that gives no value for it is
    /// not matched.
    #[serde(default)]
    pub folder: Option<Spanned<String>>,
    /// Names of packages; those of every package where absent.
    #[serde(default)]
    pub package: Option<OneOrMany<Spanned<String>>>,
    /// Ids of vulnerabilities, such as CVE-2021-44228; all where absent.
    #[serde(default)]
    pub vulnerability: Option<OneOrMany<Spanned<String>>>,
}

/// Operating systems.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOs {
    /// `debian`, `redhat`, `suse`, `alpine`, `windows`.
    #[serde(default)]
    pub family: Option<Spanned<String>>,
    /// For people.
    #[serde(default)]
    pub name: Option<Spanned<String>>,
    /// The release: `"12"`, `">=12"`, `"<22.04"`.
    #[serde(default)]
    pub version: Option<Spanned<String>>,
}

/// What is done when.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSteps {
    /// Checks before anything is touched; they report the facts that later steps name.
    #[serde(default)]
    pub preflight: Vec<Spanned<RawCommand>>,
    /// How the host is, as the facts of `preflight` that `verify_restored` asks for, whatever is to be fixed: what a drill
    /// looks at before it restores the host to a clone and asks `verify_restored` there.
    #[serde(default)]
    pub state: Vec<Spanned<RawCommand>>,
    /// The fix.
    #[serde(default)]
    pub fix: Vec<Spanned<RawCommand>>,
    /// Restart of services that still use what was replaced.
    #[serde(default)]
    pub restart: Vec<Spanned<RawCommand>>,
    /// The reboot.
    #[serde(default)]
    pub reboot: Option<Spanned<RawReboot>>,
    /// Checks that the fix is there and the host is well.
    #[serde(default)]
    pub verify: Vec<Spanned<RawCommand>>,
    /// Checks that a restored host is as before.
    #[serde(default)]
    pub verify_restored: Vec<Spanned<RawCommand>>,
}

/// One command: exactly one of `builtin`, `run`, `shell` and `ansible`.
#[derive(Clone, Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCommand {
    /// For people.
    #[serde(default)]
    pub name: Option<Spanned<String>>,
    /// A script that comes with the program.
    #[serde(default)]
    pub builtin: Option<Spanned<String>>,
    /// A program and its arguments; each template gives exactly one argument, a single list its elements.
    #[serde(default)]
    pub run: Option<Spanned<Vec<Spanned<String>>>>,
    /// A script; every value in it is quoted.
    #[serde(default)]
    pub shell: Option<Spanned<String>>,
    /// An Ansible playbook, by its path on the controller, where it runs against this host alone. Before and behind the
    /// fix it runs in check mode.
    #[serde(default)]
    pub ansible: Option<Spanned<String>>,
    /// Arguments of `builtin`, `shell` or `ansible-playbook`, as in `run`.
    #[serde(default)]
    pub args: Vec<Spanned<String>>,
    /// Environment variables; templates.
    #[serde(default)]
    pub env: BTreeMap<String, Spanned<String>>,
    /// Environment variables from facts of earlier steps, `STEP.KEY`.
    #[serde(default)]
    pub env_facts: BTreeMap<String, Spanned<String>>,
    /// Whether it needs root.
    #[serde(default, rename = "become")]
    pub becomes: bool,
    /// How long it may take, such as `20m`.
    #[serde(default)]
    pub timeout: Option<Spanned<String>>,
    /// Whether it may be started again after a failure that is known to pass (exit code 75).
    #[serde(default)]
    pub repeatable: bool,
}

/// A command, when it is needed, and when the host must be back. (Its keys are those of [`RawCommand`] once more,
/// because flattened structures lose their spans.)
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReboot {
    /// Whether a reboot is required: exit code 0 yes, 3 no; always where absent.
    #[serde(default)]
    pub required: Option<Spanned<RawCommand>>,
    /// When the host must answer again.
    pub back_within: Spanned<String>,
    /// For people.
    #[serde(default)]
    pub name: Option<Spanned<String>>,
    /// A script that comes with the program.
    #[serde(default)]
    pub builtin: Option<Spanned<String>>,
    /// A program and its arguments; each template gives exactly one argument, a single list its elements.
    #[serde(default)]
    pub run: Option<Spanned<Vec<Spanned<String>>>>,
    /// A script; every value in it is quoted.
    #[serde(default)]
    pub shell: Option<Spanned<String>>,
    /// Arguments of `builtin` or `shell`, as in `run`.
    #[serde(default)]
    pub args: Vec<Spanned<String>>,
    /// Environment variables; templates.
    #[serde(default)]
    pub env: BTreeMap<String, Spanned<String>>,
    /// Environment variables from facts of earlier steps, `STEP.KEY`.
    #[serde(default)]
    pub env_facts: BTreeMap<String, Spanned<String>>,
    /// Whether it needs root.
    #[serde(default, rename = "become")]
    pub becomes: bool,
    /// How long it may take, such as `20m`.
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
            ansible: None,
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
#[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExpected {
    /// The checks before, such as `30s`.
    #[serde(default)]
    pub preflight: Option<Spanned<String>>,
    /// The fix.
    #[serde(default)]
    pub fix: Option<Spanned<String>>,
    /// The restart of services.
    #[serde(default)]
    pub restart: Option<Spanned<String>>,
    /// The reboot, until the host is back.
    #[serde(default)]
    pub reboot: Option<Spanned<String>>,
    /// The checks behind.
    #[serde(default)]
    pub verify: Option<Spanned<String>>,
}
