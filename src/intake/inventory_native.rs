//! The native inventory: hosts by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::settings::{self, LabelValue, RawProvider, RawSwitch, Wrong};
use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};
use crate::model::{Become, GroupName, Host, HostName, Importance, Os, printable};
use crate::yaml::{self, Size, Spanned};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInventory {
    version: Spanned<u64>,
    #[serde(default)]
    hosts: Entries<RawHost>,
}

/// A mapping in the order of the file, with the places of its keys.
#[derive(Debug)]
struct Entries<T>(Vec<(Spanned<String>, T)>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for V<T> {
            type Value = Entries<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping by name")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(V(PhantomData))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawHost {
    address: Option<Spanned<String>>,
    aliases: Vec<Spanned<String>>,
    groups: BTreeSet<GroupName>,
    labels: Option<Spanned<BTreeMap<String, LabelValue>>>,
    os: Option<RawOs>,
    importance: Option<Importance>,
    ssh: RawSsh,
    #[serde(rename = "become")]
    becomes: Become,
    provider: Option<Spanned<RawProvider>>,
    switch: Option<Spanned<RawSwitch>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOs {
    family: Spanned<String>,
    name: Option<String>,
    version: Option<LabelValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawSsh {
    user: Option<Spanned<String>>,
    port: Option<Spanned<u16>>,
    identity: Option<Spanned<String>>,
    jump: Option<Spanned<String>>,
    config: Option<Spanned<String>>,
    known_hosts: Option<Spanned<String>>,
    host_key: Option<Spanned<String>>,
}

/// The hosts of a source with where they are named; every problem is a diagnostic.
pub(super) fn read(source: &Arc<Source>, diagnostics: &mut Diagnostics) -> Vec<(Host, Span)> {
    let Some(raw) = yaml::parse::<RawInventory>(source, Size::Large, diagnostics) else { return Vec::new() };
    if raw.version.value != 1 {
        let message = format!("version {} of the inventory format is not known here", raw.version.value);
        let diagnostic = Diagnostic::error("unsupported-version", message).at(yaml::span(source, &raw.version));
        diagnostics.push(diagnostic.help("write `version: 1`"));
        return Vec::new();
    }
    let mut hosts = Vec::with_capacity(raw.hosts.0.len());
    for (name, host) in raw.hosts.0 {
        match HostName::new(&name.value) {
            Ok(checked) => {
                let host = Checker { source, diagnostics }.host(checked, host);
                hosts.push((host, yaml::span(source, &name)));
            }
            Err(error) => {
                let diagnostic = Diagnostic::error("invalid-host-name", error.to_string());
                diagnostics.push(diagnostic.at(yaml::span(source, &name)));
            }
        }
    }
    hosts
}

struct Checker<'a> {
    source: &'a Arc<Source>,
    diagnostics: &'a mut Diagnostics,
}

impl Checker<'_> {
    fn host(&mut self, name: HostName, raw: RawHost) -> Host {
        let mut host = Host::named(name);
        host.address = self.text("`address`", raw.address, settings::check_address);
        for alias in raw.aliases {
            let fine = |what: &str, text: &str| match printable(text, 253) {
                shown if shown == text && !text.is_empty() => Ok(()),
                shown => {
                    Err(Wrong { message: format!("{what} `{shown}` is no name"), help: "write printable text".into() })
                }
            };
            host.aliases.extend(self.text("`aliases`:", Some(alias), fine));
        }
        host.groups = raw.groups;
        host.labels = raw.labels.and_then(|labels| self.checked(labels, settings::check_labels)).unwrap_or_default();
        host.os = raw.os.map(|os| {
            let name = os.name.unwrap_or_else(|| os.family.value.clone());
            let shown = |text: &str| printable(text, 64);
            Os { family: shown(&os.family.value), name: shown(&name), version: os.version.map(|v| shown(&v.0)) }
        });
        host.importance = raw.importance;
        host.becomes = raw.becomes;
        host.provider = raw.provider.and_then(|provider| self.checked(provider, RawProvider::check));
        host.switch = raw.switch.and_then(|switch| self.checked(switch, RawSwitch::check));
        let ssh = raw.ssh;
        host.ssh.user = self.text("`user`", ssh.user, settings::check_user);
        host.ssh.port = ssh.port.and_then(|port| {
            let wrong = || Wrong { message: "0 is no port".into(), help: "write a number from 1 to 65535".into() };
            self.checked(port, |port| if port == 0 { Err(wrong()) } else { Ok(port) })
        });
        host.ssh.identity = self.text("`identity`", ssh.identity, settings::check_path);
        host.ssh.jump = self.text("`jump`", ssh.jump, settings::check_jump);
        host.ssh.config = self.text("`config`", ssh.config, settings::check_path);
        host.ssh.known_hosts = self.text("`known_hosts`", ssh.known_hosts, settings::check_path);
        host.ssh.host_key = self.text("", ssh.host_key, |_, text| settings::check_host_key(text));
        host
    }

    fn text(
        &mut self,
        what: &str,
        text: Option<Spanned<String>>,
        check: impl Fn(&str, &str) -> Result<(), Wrong>,
    ) -> Option<String> {
        self.checked(text?, |text| check(what, &text).map(|()| text))
    }

    fn checked<T, U>(&mut self, value: Spanned<T>, check: impl FnOnce(T) -> Result<U, Wrong>) -> Option<U> {
        let span = yaml::span(self.source, &value);
        match check(value.value) {
            Ok(value) => Some(value),
            Err(wrong) => {
                let diagnostic = Diagnostic::error("invalid-value", wrong.message).at(span).help(wrong.help);
                self.diagnostics.push(diagnostic);
                None
            }
        }
    }
}
