//! The commands of the host's playbook and the probes of the policy, rendered.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::model::{Digest, Host, printable};
use crate::plan::draft::Draft;
use crate::plan::{CLONE_ADDRESS, PlanError, Probe, Reason};
use crate::playbook::{Playbook, RenderInput, Rendered, host_context, render_text};
use crate::policy::{Policy, ProbePolicy};

pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let policy = draft.input.policy;
    for host in draft.hosts.values_mut() {
        let Some(playbook) = host.playbook else { continue };
        if host.host.os.as_ref().is_some_and(|os| os.family == "windows") {
            host.block(
                "windows-not-supported",
                "commands cannot be run on Windows hosts yet: what reaches a host is read by a POSIX shell there",
            );
        }
        match playbook.render(&RenderInput {
            host: host.host,
            fix: &host.fix,
            allow_removals: policy.allow_removals,
            restart_never: &policy.restart_never,
            pending_reboot: policy.pending_reboot,
        }) {
            Ok(mut rendered) => {
                keep_scripts(&mut draft.scripts, &mut rendered, playbook)?;
                host.rendered = Some(rendered);
            }
            Err(error) => host.block(
                "render-failed",
                printable(&format!("playbook {} cannot be rendered for it: {error}", playbook.name()), 400),
            ),
        }
        let (probes, failed) = probes_of(host.host, policy);
        (host.probes, host.clone_probes) = probes;
        host.reasons.extend(failed);
    }
    Ok(())
}

/// Hosts share their scripts: each text is kept once.
pub(in crate::plan) fn keep_scripts(
    scripts: &mut BTreeMap<Digest, String>,
    rendered: &mut Rendered,
    playbook: &Playbook,
) -> Result<(), PlanError> {
    for (digest, text) in std::mem::take(&mut rendered.scripts) {
        if let Entry::Vacant(free) = scripts.entry(digest) {
            if Digest::of(text.as_bytes()) != digest {
                return Err(PlanError::ScriptDigest { playbook: playbook.name().to_string(), digest });
            }
            free.insert(text);
        }
    }
    Ok(())
}

/// The probes of a host, and of its clones; those that cannot be rendered as reasons against it.
pub(in crate::plan) fn probes_of(host: &Host, policy: &Policy) -> ((Vec<Probe>, Vec<Probe>), Vec<Reason>) {
    let on_clone = Host { address: Some(CLONE_ADDRESS.to_owned()), ..host.clone() };
    let ((mut probes, mut clone_probes), mut failed) = ((Vec::new(), Vec::new()), Vec::new());
    for probe in policy.probes_for(host) {
        match render_probe(host, &probe) {
            Ok(rendered) => {
                probes.push(rendered);
                clone_probes.extend(render_probe(&on_clone, &probe));
            }
            Err(error) => {
                let text = format!("probe {:?} cannot be rendered for it: {error}", probe.name.as_str());
                failed.push(Reason::new("probe-failed", printable(&text, 400)));
            }
        }
    }
    ((probes, clone_probes), failed)
}

fn render_probe(host: &Host, probe: &ProbePolicy) -> Result<Probe, crate::playbook::RenderError> {
    let context = serde_json::json!({ "host": host_context(host) });
    Ok(Probe {
        name: probe.name.clone(),
        url: render_text(&probe.url, &context)?,
        status: probe.status,
        contains: probe.contains.clone(),
        timeout: probe.timeout,
    })
}
