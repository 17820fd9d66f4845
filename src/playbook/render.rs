//! Playbook and values become commands; pure.

use std::collections::BTreeMap;

use minijinja::value::Value;

use crate::model::{Command, Digest, FactRef, Host, Program, StepId, VulnerabilityType};

use super::check::{CommandTemplate, ProgramTemplate};
use super::{Playbook, RenderError, RenderInput, Rendered, RenderedReboot, host_context, template};

impl Playbook {
    /// Whether it is for this type of vulnerability on this host. A host whose system is unknown is matched by no
    /// playbook that asks for a system.
    pub fn matches(&self, host: &Host, kind: VulnerabilityType) -> bool {
        let system = self.os.as_ref().is_none_or(|wanted| {
            host.os.as_ref().is_some_and(|os| {
                wanted.family.as_ref().is_none_or(|family| *family == os.family)
                    && wanted.name.as_ref().is_none_or(|name| *name == os.name)
                    && wanted.version.as_ref().is_none_or(|v| os.version.as_deref().is_some_and(|os| v.holds(os)))
            })
        });
        kind == self.kind && system
    }

    /// The commands of this fix on this host.
    pub fn render(&self, input: &RenderInput<'_>) -> Result<Rendered, RenderError> {
        let mut renderer = Renderer { host: input.host, context: self.context(input), scripts: BTreeMap::new() };
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
                "packages": packages,
                "package_names": packages.iter().map(|p| &p.name).collect::<Vec<_>>(),
                "package_specs": specs.collect::<Vec<_>>(),
            },
            "vars": self.vars,
            "allow_removals": input.allow_removals,
        }))
    }
}

struct Renderer<'a> {
    host: &'a Host,
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
            ProgramTemplate::Shell { template } => {
                let script = template::script(template, &self.context)?;
                let digest = Digest::of(script.as_bytes());
                self.scripts.insert(digest, script);
                Program::Shell { digest }
            }
        };
        let mut argv = Vec::with_capacity(template.argv.len());
        for argument in &template.argv {
            argv.extend(template::arguments(argument, &self.context)?);
        }
        let mut env = BTreeMap::new();
        for (variable, value) in &template.env {
            env.insert(variable.clone(), template::text(value, &self.context)?);
        }
        let fact =
            |(step, key): &(String, String)| FactRef { step: StepId::of(self.host_name(), step), key: key.clone() };
        Ok(Command {
            name: template.name.clone(),
            program,
            argv,
            env,
            env_facts: template.env_facts.iter().map(|(variable, f)| (variable.clone(), fact(f))).collect(),
            root: template.root,
            timeout: template.timeout,
            repeatable: template.repeatable,
        })
    }

    fn host_name(&self) -> &crate::model::HostName {
        &self.host.name
    }
}
