//! HTTP probes from the controller: one GET, no redirects, bounded in time and size.

use std::io::Read as _;

use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use crate::model::{printable, told};
use crate::plan::Probe;

/// How much of the body is looked at.
const MAX_BODY: u64 = 1 << 20;

/// Asks once; why not, if it does not hold.
pub(super) async fn probe(probe: &Probe) -> Result<(), String> {
    let probe = probe.clone();
    match tokio::task::spawn_blocking(move || ask(&probe)).await {
        Ok(answer) => answer,
        Err(error) => Err(error.to_string()),
    }
}

fn ask(probe: &Probe) -> Result<(), String> {
    // What the environment says of proxies is meant for the way out, not for hosts of one's own.
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(probe.timeout.to_std()))
        .proxy(None)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent("switchback")
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .build()
        .into();
    let mut answer = agent.get(&probe.url).call().map_err(|e| told(&e.to_string(), 200))?;
    let status = answer.status().as_u16();
    if status != probe.status {
        return Err(format!("answered {status}, expected {}", probe.status));
    }
    if let Some(wanted) = &probe.contains {
        let mut body = Vec::new();
        let read = answer.body_mut().as_reader().take(MAX_BODY).read_to_end(&mut body);
        read.map_err(|e| told(&e.to_string(), 200))?;
        if !String::from_utf8_lossy(&body).contains(wanted.as_str()) {
            return Err(format!("the answer does not hold {:?}", printable(wanted, 80)));
        }
    }
    Ok(())
}
