//! What moves the traffic of a host as inventories write it, checked.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::RawVia;
use crate::intake::settings::{Keys, Wrong, check_address, check_argv, check_path, check_timeout, plain, wrong};
use crate::model::{DnsSwitch, SecretSource, SwitchSettings, TimeSpan, TsigAlgorithm, printable};

/// Where DNS servers listen.
const DNS_PORT: u16 = 53;
/// The longest name, less what a name of our own in front of it takes.
const MAX_DNS_NAME: usize = 240;
/// Longer is never meant for a name whose addresses change.
const MAX_TTL: TimeSpan = TimeSpan::days(7);

/// What moves traffic.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::intake) struct RawSwitch {
    /// `haproxy`, `dns`, `command` or `simulated`.
    #[schemars(extend("enum" = ["haproxy", "dns", "command", "simulated"]))]
    kind: String,
    /// haproxy: path of the admin socket, on this machine or the one that `via` names.
    socket: Option<String>,
    /// haproxy: the backend.
    backend: Option<String>,
    /// haproxy: the server in the backend. dns: the zone's primary server, `ADDRESS` or `ADDRESS:PORT`.
    server: Option<String>,
    /// haproxy: the balancer on which the socket is, where it is not on this machine.
    via: Option<RawVia>,
    /// command: takes the host out of service.
    drain: Option<Vec<String>>,
    /// command: puts it back.
    undrain: Option<Vec<String>>,
    /// command: prints where the host's traffic goes now.
    endpoint: Option<Vec<String>>,
    /// command: sends the host's traffic to `{to}`.
    switch: Option<Vec<String>>,
    /// command: prints `in`, or `out` and how many requests still run.
    status: Option<Vec<String>>,
    /// command: how long each may take, such as `2m`.
    timeout: Option<TimeSpan>,
    /// dns: the zone.
    zone: Option<String>,
    /// dns: the name of the service.
    name: Option<String>,
    /// dns: the host's address behind this name; without it, the host's own.
    address: Option<String>,
    /// dns: how long others may remember what is put in, such as `30s`; without it, like the addresses that are there.
    ttl: Option<TimeSpan>,
    /// dns: the name of the TSIG key.
    key: Option<String>,
    /// dns: what it signs with: `hmac-sha256` if nothing is said.
    algorithm: Option<TsigAlgorithm>,
    /// dns: the variable of the environment in which the key's secret is, in base64.
    secret_env: Option<String>,
    /// dns: the file in which it is.
    secret_file: Option<String>,
}

impl RawSwitch {
    pub(in crate::intake) fn check(self) -> Result<SwitchSettings, Wrong> {
        let keys = Keys { what: "switch", kind: &printable(&self.kind, 40) };
        keys.known(&["haproxy", "dns", "command", "simulated"])?;
        if self.kind != "haproxy" {
            keys.none("socket", &self.socket)?;
            keys.none("backend", &self.backend)?;
            keys.none("via", &self.via)?;
        }
        if self.kind != "haproxy" && self.kind != "dns" {
            keys.none("server", &self.server)?;
        }
        if self.kind != "dns" {
            let texts = [
                ("zone", &self.zone),
                ("name", &self.name),
                ("address", &self.address),
                ("key", &self.key),
                ("secret_env", &self.secret_env),
                ("secret_file", &self.secret_file),
            ];
            texts.iter().try_for_each(|(key, text)| keys.none(key, text))?;
            keys.none("ttl", &self.ttl)?;
            keys.none("algorithm", &self.algorithm)?;
        }
        if self.kind != "command" {
            keys.none("drain", &self.drain)?;
            keys.none("undrain", &self.undrain)?;
            keys.none("endpoint", &self.endpoint)?;
            keys.none("switch", &self.switch)?;
            keys.none("status", &self.status)?;
            keys.none("timeout", &self.timeout)?;
        }
        match self.kind.as_str() {
            "haproxy" => {
                let socket = keys.need("socket", self.socket)?;
                check_path("`socket`", &socket)?;
                let backend = keys.need("backend", self.backend)?;
                let server = keys.need("server", self.server)?;
                // They travel in lines of HAProxy's runtime API, where `;` and spaces part commands and words.
                for (what, name) in [("`backend`", &backend), ("`server`", &server)] {
                    plain(what, name, |c| c.is_ascii_alphanumeric() || "._-:".contains(c))?;
                }
                let via = self.via.map(RawVia::check).transpose()?;
                Ok(SwitchSettings::Haproxy { socket, backend, server, via })
            }
            "command" => {
                let drain = keys.need("drain", self.drain)?;
                let undrain = keys.need("undrain", self.undrain)?;
                check_argv("drain", &drain)?;
                check_argv("undrain", &undrain)?;
                for (key, command) in [("endpoint", &self.endpoint), ("switch", &self.switch), ("status", &self.status)]
                {
                    command.as_ref().map_or(Ok(()), |argv| check_argv(key, argv))?;
                }
                let (endpoint, switch, status) = (self.endpoint, self.switch, self.status);
                let timeout = check_timeout(self.timeout)?;
                Ok(SwitchSettings::Command { drain, undrain, endpoint, switch, status, timeout })
            }
            "dns" => self.check_dns(&keys).map(SwitchSettings::Dns),
            _ => Ok(SwitchSettings::Simulated),
        }
    }

    fn check_dns(self, keys: &Keys<'_>) -> Result<DnsSwitch, Wrong> {
        let server = check_server(&keys.need("server", self.server)?)?;
        let zone = keys.need("zone", self.zone)?;
        let name = keys.need("name", self.name)?;
        let key = keys.need("key", self.key)?;
        for (what, text) in [("`zone`", &zone), ("`name`", &name), ("`key`", &key)] {
            check_dns_name(what, text)?;
        }
        let (zone_end, lower) =
            (zone.trim_end_matches('.').to_ascii_lowercase(), name.trim_end_matches('.').to_ascii_lowercase());
        if lower != zone_end && !lower.ends_with(&format!(".{zone_end}")) {
            return wrong(
                format!("`name` `{name}` is not in the `zone` `{zone}`"),
                format!("write the whole name, such as `shop.{zone_end}`"),
            );
        }
        let address = match &self.address {
            None => None,
            Some(text) => match text.parse::<IpAddr>() {
                Ok(address) => Some(address),
                Err(_) => {
                    let message = format!("`address` `{}` is no address", printable(text, 80));
                    return wrong(message, "write an address such as `10.0.0.11` or `2001:db8::11`");
                }
            },
        };
        if self.ttl.is_some_and(|ttl| ttl > MAX_TTL) {
            return wrong("a `ttl` of more than a week", "write a short one, such as `30s`: a drain waits for it");
        }
        let secret = match (self.secret_env, self.secret_file) {
            (Some(variable), None) => {
                let fine = |c: char| c.is_ascii_alphanumeric() || c == '_';
                if variable.is_empty()
                    || variable.starts_with(|c: char| c.is_ascii_digit())
                    || !variable.chars().all(fine)
                {
                    // Not shown: it may be the secret itself.
                    return wrong("`secret_env` names no variable", "write its name, such as `DNS_KEY`");
                }
                SecretSource::Env(variable)
            }
            (None, Some(path)) => {
                check_path("`secret_file`", &path)?;
                SecretSource::File(path)
            }
            _ => {
                return wrong(
                    "a switch of kind `dns` needs one of `secret_env` and `secret_file`",
                    "say where the key's secret is: the secret itself has no place in an inventory",
                );
            }
        };
        let algorithm = self.algorithm.unwrap_or_default();
        Ok(DnsSwitch { server, zone, name, address, ttl: self.ttl, key, algorithm, secret })
    }
}

/// A server with its port, 53 if none is written.
fn check_server(text: &str) -> Result<String, Wrong> {
    if text.parse::<std::net::SocketAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(std::net::SocketAddr::new(address, DNS_PORT).to_string());
    }
    let (name, port) = text.rsplit_once(':').map_or((text, Some(DNS_PORT)), |(name, port)| (name, port.parse().ok()));
    match port {
        Some(port) if !name.contains(':') => {
            check_address("`server`", name)?;
            Ok(format!("{name}:{port}"))
        }
        _ => wrong(
            format!("`server` `{}` is no server", printable(text, 80)),
            "write a name or an address, and a port where it is not 53: `10.0.0.53`, `[2001:db8::53]:5353`",
        ),
    }
}

/// A name as DNS has it: labels of up to 63 characters.
fn check_dns_name(what: &str, text: &str) -> Result<(), Wrong> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let labels = text.strip_suffix('.').unwrap_or(text).split('.');
    let mut labels = labels.map(|label| (1..=63).contains(&label.len()) && label.chars().all(fine));
    if text.len() > MAX_DNS_NAME || !labels.all(|fine| fine) {
        let message = format!("{what} `{}` is no DNS name", printable(text, 80));
        return wrong(message, "write a whole name, such as `shop.example.com`");
    }
    Ok(())
}
