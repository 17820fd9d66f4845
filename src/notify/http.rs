//! Posts JSON: https, or a server on this machine; no redirects, bounded in time; the URL is told to nobody.

use std::io::Read as _;
use std::time::Duration;

use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Error};

use crate::model::told;

use super::send::Failure;

/// How much of a refusal is looked at.
const MAX_ANSWER: u64 = 1024;
/// No server may put a try off for longer.
const MAX_AFTER: Duration = Duration::from_secs(120);

/// One post.
pub(super) fn post(url: &str, headers: &[(&str, String)], body: &str, limit: Duration) -> Result<(), Failure> {
    let parsed = url.parse::<Uri>().map_err(|_| Failure::Lasting("its URL is none".to_owned()))?;
    let host = parsed.host().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if parsed.scheme_str() != Some("https") && !(parsed.scheme_str() == Some("http") && here) {
        return Err(Failure::Lasting("its URL is not https, and not of this machine".to_owned()));
    }
    // What is told of a failure must not tell the way to post here.
    let path = parsed.path_and_query().map_or("", |path| path.as_str());
    let hide = |text: &str| {
        let mut text = text.replace(url, "[url]");
        for secret in headers.iter().map(|(_, value)| value.as_str()).chain([path]).filter(|secret| secret.len() > 1) {
            text = text.replace(secret, "[redacted]");
        }
        told(&text, 200)
    };
    // Proxies of the environment are the way out; they are not asked for what is on this machine.
    let mut config = Agent::config_builder()
        .timeout_global(Some(limit))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent("switchback")
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build());
    if here {
        config = config.proxy(None);
    }
    let agent: Agent = config.build().into();
    let mut request = agent.post(url).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let mut answer = request.send(body).map_err(|error| {
        let why = hide(&error.to_string());
        match error {
            Error::Http(_) | Error::BadUri(_) | Error::InvalidProxyUrl | Error::RequireHttpsOnly(_) => {
                Failure::Lasting(why)
            }
            _ => Failure::passing(why),
        }
    })?;
    let status = answer.status().as_u16();
    if (200..300).contains(&status) {
        return Ok(());
    }
    let after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    let mut said = Vec::new();
    // What cannot be read is not told.
    let _ = answer.body_mut().as_reader().take(MAX_ANSWER).read_to_end(&mut said);
    let said = hide(String::from_utf8_lossy(&said).trim());
    let why = if said.is_empty() { format!("it answered {status}") } else { format!("it answered {status}: {said}") };
    match status {
        300..400 => Err(Failure::Lasting(format!("{why} (no redirect is followed)"))),
        408 | 425 | 429 | 500.. => {
            Err(Failure::Passing { why, after: after.map(|seconds| Duration::from_secs(seconds).min(MAX_AFTER)) })
        }
        _ => Err(Failure::Lasting(why)),
    }
}
