//! The native inventory: hosts by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema, schema_for};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::backends::{RawProvider, RawSwitch};
use super::settings::{self, LabelValue, Wrong};
use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};
use crate::model::{Become, GroupName, Host, HostName, Importance, Os, printable};
use crate::yaml::{self, Size, Spanned};

/// The hosts of a fleet.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawInventory {
    /// The version of the format: 1.
    version: Spanned<u64>,
    /// The hosts by name.
    #[serde(default)]
    hosts: Entries<Option<RawHost>>,
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

/// A server that can be fixed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RawHost {
    /// Where to connect; the name where absent.
    address: Option<Spanned<String>>,
    /// Other names by which scanners know it: addresses, full names, instance ids.
    aliases: Vec<Spanned<String>>,
    /// Groups it belongs to.
    groups: BTreeSet<GroupName>,
    /// Labels, by which policies select hosts and know services and failure domains.
    labels: Option<Spanned<BTreeMap<String, LabelValue>>>,
    /// Its operating system; reports say it where it is absent.
    os: Option<RawOs>,
    /// How much it matters; policy decides where it is absent.
    importance: Option<Importance>,
    /// How to reach it; what is absent comes from the user's ssh configuration.
    ssh: RawSsh,
    /// How to become root.
    #[serde(rename = "become")]
    becomes: Become,
    /// What makes its backups.
    provider: Option<Spanned<RawProvider>>,
    /// What moves traffic to and from it.
    switch: Option<Spanned<RawSwitch>>,
}

/// An operating system.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawOs {
    /// `debian` for Debian, Ubuntu and their kin, `redhat`, `suse`, `alpine`, `windows`.
    family: Spanned<String>,
    /// `debian`, `ubuntu`, `rocky`, ... (`ID` of os-release).
    name: Option<String>,
    /// `"12"`, `"22.04"`, ... (`VERSION_ID` of os-release).
    version: Option<LabelValue>,
}

/// A connection.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RawSsh {
    /// Login user.
    user: Option<Spanned<String>>,
    /// Port.
    port: Option<Spanned<u16>>,
    /// Private key file.
    identity: Option<Spanned<String>>,
    /// Jump hosts, `[USER@]HOST[:PORT]`, several with commas.
    jump: Option<Spanned<String>>,
    /// An ssh_config file of its own.
    config: Option<Spanned<String>>,
    /// A known_hosts file of its own.
    known_hosts: Option<Spanned<String>>,
    /// The pinned host key, `TYPE BASE64`.
    host_key: Option<Spanned<String>>,
}

impl<T: JsonSchema> JsonSchema for Entries<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Entries_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": generator.subschema_for::<T>() })
    }
}

/// The JSON Schema by which editors complete and check inventories in YAML.
pub fn inventory_schema() -> serde_json::Value {
    let mut schema = schema_for!(RawInventory);
    schema.insert("title".to_owned(), "Switchback inventory".into());
    yaml::with_plain_texts(schema.to_value())
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
                let host = Checker { source, diagnostics }.host(checked, host.unwrap_or_default());
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
