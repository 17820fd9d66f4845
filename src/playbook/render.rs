//! Playbook and values become commands; pure.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::value::Value;

use crate::model::{Command, Digest, FactRef, Finding, Fix, Host, Program, StepId, VulnerabilityType};

use super::check::{CommandTemplate, LEFT_OUT, ProgramTemplate};
use super::{Playbook, RenderError, RenderInput, Rendered, RenderedReboot, ansible, host_context, template};

/// The step whose place the look at a host has in a drill.
const PREFLIGHT: &str = "preflight";

impl Playbook {
    /// What it can fix on this host among vulnerabilities of this type. A host whose system is unknown is matched by no
    /// playbook that asks for a system, and one that does not say where its folder is by none that asks for a folder.
    pub fn reach(&self, host: &Host, kind: VulnerabilityType) -> Option<Reach<'_>> {
        if !self.suits(host, kind) {
            return None;
        }
        let folder = self.folder(host);
        (self.folder.is_some() == folder.is_some()).then_some(Reach { playbook: self, folder })
    }

    fn suits(&self, host: &Host, kind: VulnerabilityType) -> bool {
        let system = self.os.as_ref().is_none_or(|wanted| {
            host.os.as_ref().is_some_and(|os| {
                wanted.family.as_ref().is_none_or(|family| *family == os.family)
                    && wanted.name.as_ref().is_none_or(|name| *name == os.name)
                    && wanted.version.as_ref().is_none_or(|v| os.version.as_deref().is_some_and(|os| v.holds(os)))
            })
        });
        kind == self.kind && system
    }

    /// Whether this finding is one of those that it names, wherever it lies; all of its type are where it names none.
    fn names(&self, finding: &Finding) -> bool {
        let ids = || std::iter::once(&finding.vulnerability).chain(&finding.aliases);
        finding.kind == self.kind
            && self.ecosystem.as_ref().is_none_or(|ecosystem| *ecosystem == finding.ecosystem)
            && (self.packages.is_empty() || finding.package.as_ref().is_some_and(|p| self.packages.contains(p)))
            && (self.vulnerabilities.is_empty() || ids().any(|id| self.vulnerabilities.contains(id)))
    }

    /// Whether it takes every finding that the other takes, on hosts that both are for.
    pub fn takes_all_of(&self, other: &Self) -> bool {
        fn holds<T: Ord>(all: &BTreeSet<T>, some: &BTreeSet<T>) -> bool {
            all.is_empty() || (!some.is_empty() && some.is_subset(all))
        }
        self.kind == other.kind
            && (self.ecosystem.is_none() || self.ecosystem == other.ecosystem)
            && (self.folder.is_none() || self.folder == other.folder)
            && holds(&self.packages, &other.packages)
            && holds(&self.vulnerabilities, &other.vulnerabilities)
    }

    /// The folder that it is for, where nothing else keeps it from this finding.
    pub fn missed_by(&self, host: &Host, finding: &Finding) -> Option<&str> {
        self.folder.as_deref().filter(|_| self.suits(host, finding.kind) && self.names(finding))
    }

    /// The folder on this host; none where the host does not say it.
    fn folder(&self, host: &Host) -> Option<String> {
        let context = serde_json::json!({ "host": host_context(host), "vars": self.vars });
        let folder = template::text(self.folder.as_ref()?, &template::value_of(&context)).ok()?;
        (folder.starts_with('/') && !folder.contains("/../")).then_some(folder)
    }

    /// The commands of this fix on this host.
    pub fn render(&self, input: &RenderInput<'_>) -> Result<Rendered, RenderError> {
        let mut renderer =
            Renderer { host: input.host, fix: input.fix, context: self.context(input), scripts: BTreeMap::new() };
        let steps = &self.steps;
        let reboot = match &steps.reboot {
            Some(reboot) => Some(RenderedReboot {
                required: reboot.required.as_ref().map(|c| renderer.command(c)).transpose()?,
                command: renderer.command(&reboot.command)?,
                back_within: reboot.back_within,
            }),
            None => None,
        };
        Ok(Rendered {
            preflight: renderer.commands(&steps.preflight)?,
            fix: renderer.commands(&steps.fix)?,
            restart: renderer.commands(&steps.restart)?,
            reboot,
            verify: renderer.commands(&steps.verify)?,
            verify_restored: renderer.commands(&steps.verify_restored)?,
            scripts: renderer.scripts,
            expected: self.expected,
        })
    }

    /// Whether it can tell how a host is, so that a clone can be compared with it.
    pub fn tells_state(&self) -> bool {
        !self.steps.state.is_empty() && !self.steps.verify_restored.is_empty()
    }

    /// The commands that show how this host is, in place of the preflight, and whether what was restored is as it was.
    pub fn render_drill(&self, input: &RenderInput<'_>) -> Result<Rendered, RenderError> {
        let mut renderer =
            Renderer { host: input.host, fix: input.fix, context: self.context(input), scripts: BTreeMap::new() };
        let rendered = Rendered {
            preflight: renderer.commands(&self.steps.state)?,
            verify_restored: renderer.commands(&self.steps.verify_restored)?,
            expected: self.expected,
            ..Rendered::default()
        };
        // Nothing is fixed: no step but the first has facts.
        let asked = rendered.verify_restored.iter().flat_map(|command| command.env_facts.values());
        if let Some(fact) = asked.into_iter().find(|fact| fact.otherwise.is_none() && fact.step.step() != PREFLIGHT) {
            return Err(RenderError::MissingFact { step: fact.step.clone(), key: fact.key.clone() });
        }
        Ok(Rendered { scripts: renderer.scripts, ..rendered })
    }

    /// What templates see.
    fn context(&self, input: &RenderInput<'_>) -> Value {
        let packages = &input.fix.packages;
        let specs = packages.iter().map(|p| match &p.to {
            Some(version) => format!("{}={version}", p.name),
            None => p.name.to_string(),
        });
        template::value_of(&serde_json::json!({
            "host": host_context(input.host),
            "fix": {
                "folder": self.folder(input.host),
                "packages": packages,
                "package_names": packages.iter().map(|p| &p.name).collect::<Vec<_>>(),
                "package_specs": specs.collect::<Vec<_>>(),
            },
            "vars": self.vars,
            "allow_removals": input.allow_removals,
            "restart_never": input.restart_never.join(" "),
            "reboot_pending_before": input.pending_reboot,
        }))
    }
}

/// What of a host a playbook can fix.
#[derive(Clone, Debug)]
pub struct Reach<'a> {
    playbook: &'a Playbook,
    folder: Option<String>,
}

impl Reach<'_> {
    /// Whether this finding is one of it. One without a place may be anywhere: the preflight looks.
    pub fn takes(&self, finding: &Finding) -> bool {
        let place = match (&self.folder, &finding.location) {
            (Some(folder), Some(location)) => is_within(location, folder),
            _ => true,
        };
        place && self.playbook.names(finding)
    }
}

/// Whether a place that a scanner names lies in a folder. Scanners of whole hosts leave the first `/` out or not;
/// auditors of one project name places in it.
fn is_within(location: &str, folder: &str) -> bool {
    let of_project = location.starts_with("node_modules/") || !location.contains('/');
    let parts = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    let (location, folder) = (parts(location), parts(folder));
    !location.iter().any(|part| part == "..") && (of_project || location.starts_with(&folder))
}

struct Renderer<'a> {
    host: &'a Host,
    fix: &'a Fix,
    context: Value,
    scripts: BTreeMap<Digest, String>,
}

impl Renderer<'_> {
    fn commands(&mut self, templates: &[CommandTemplate]) -> Result<Vec<Command>, RenderError> {
        templates.iter().map(|template| self.command(template)).collect()
    }

    fn command(&mut self, template: &CommandTemplate) -> Result<Command, RenderError> {
        let program = match &template.program {
            ProgramTemplate::Builtin { name, digest, text } => {
                self.scripts.entry(*digest).or_insert_with(|| (*text).to_owned());
                Program::Builtin { name: name.clone(), digest: *digest }
            }
            ProgramTemplate::Argv => Program::Argv,
            ProgramTemplate::Ansible { .. } => {
                let digest = Digest::of(ansible::SCRIPT.as_bytes());
                self.scripts.entry(digest).or_insert_with(|| ansible::SCRIPT.to_owned());
                Program::Ansible { digest }
            }
            ProgramTemplate::Shell { template } => {
                let script = template::script(template, &self.context)?;
                let digest = Digest::of(script.as_bytes());
                self.scripts.insert(digest, script);
                Program::Shell { digest }
            }
        };
        let mut root = template.root;
        let mut ours = BTreeMap::new();
        if let ProgramTemplate::Ansible { playbook, mode } = &template.program {
            // On this machine it needs no rights; on the host it asks for them itself.
            ours = ansible::environment(self.host, self.fix, std::mem::take(&mut root))?;
            ours.insert("PLAYBOOK".to_owned(), template::text(playbook, &self.context)?);
            ours.insert("MODE".to_owned(), (*mode).to_owned());
        }
        let mut argv = Vec::with_capacity(template.argv.len());
        for argument in &template.argv {
            argv.extend(template::arguments(argument, &self.context)?);
        }
        let mut env = BTreeMap::new();
        for (variable, value) in &template.env {
            env.insert(variable.clone(), template::text(value, &self.context)?);
        }
        env.extend(ours);
        let fact = |(step, key): &(String, String)| FactRef {
            step: StepId::of(self.host_name(), step),
            key: key.clone(),
            otherwise: ((step.as_str(), key.as_str()) == LEFT_OUT).then(String::new),
        };
        Ok(Command {
            name: template.name.clone(),
            program,
            argv,
            env,
            env_facts: template.env_facts.iter().map(|(variable, f)| (variable.clone(), fact(f))).collect(),
            root,
            timeout: template.timeout,
            repeatable: template.repeatable,
        })
    }

    fn host_name(&self) -> &crate::model::HostName {
        &self.host.name
    }
}
