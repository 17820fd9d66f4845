//! The commands of the host's playbook and the probes of the policy, rendered.

use std::collections::btree_map::Entry;

use crate::model::{Digest, Host, printable};
use crate::plan::draft::Draft;
use crate::plan::{CLONE_ADDRESS, PlanError, Probe};
use crate::playbook::{RenderInput, host_context, render_text};
use crate::policy::ProbePolicy;

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
                // Hosts share their scripts: each text is kept once.
                for (digest, text) in std::mem::take(&mut rendered.scripts) {
                    if let Entry::Vacant(free) = draft.scripts.entry(digest) {
                        if Digest::of(text.as_bytes()) != digest {
                            return Err(PlanError::ScriptDigest { playbook: playbook.name().to_string(), digest });
                        }
                        free.insert(text);
                    }
                }
                host.rendered = Some(rendered);
            }
            Err(error) => host.block(
                "render-failed",
                printable(&format!("playbook {} cannot be rendered for it: {error}", playbook.name()), 400),
            ),
        }
        let on_clone = Host { address: Some(CLONE_ADDRESS.to_owned()), ..host.host.clone() };
        for probe in policy.probes_for(host.host) {
            match render_probe(host.host, &probe) {
                Ok(rendered) => {
                    host.probes.push(rendered);
                    host.clone_probes.extend(render_probe(&on_clone, &probe));
                }
                Err(error) => host.block(
                    "probe-failed",
                    printable(&format!("probe {:?} cannot be rendered for it: {error}", probe.name.as_str()), 400),
                ),
            }
        }
    }
    Ok(())
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
