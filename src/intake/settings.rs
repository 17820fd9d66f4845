//! What settings of hosts have in common, checked: names, paths, commands, labels.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use crate::model::{TimeSpan, is_unprintable, printable};
use crate::yaml;

/// What is wrong with a setting, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) help: String,
}

pub(super) fn wrong<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { message: message.into(), help: help.into() })
}

/// Takes the keys of one kind: a missing one and one that belongs to another kind are wrong.
pub(super) struct Keys<'a> {
    pub(super) what: &'a str,
    pub(super) kind: &'a str,
}

impl Keys<'_> {
    pub(super) fn known(&self, kinds: &[&str]) -> Result<(), Wrong> {
        if kinds.contains(&self.kind) {
            return Ok(());
        }
        let list = kinds.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", ");
        let help = did_you_mean(self.kind, kinds).unwrap_or_else(|| format!("known are {list}"));
        wrong(format!("`{}` is no kind of {}", self.kind, self.what), help)
    }

    pub(super) fn need<T>(&self, key: &str, value: Option<T>) -> Result<T, Wrong> {
        match value {
            Some(value) => Ok(value),
            None => wrong(format!("a {} of kind `{}` needs `{key}`", self.what, self.kind), format!("add `{key}:`")),
        }
    }

    pub(super) fn none<T>(&self, key: &str, value: &Option<T>) -> Result<(), Wrong> {
        match value {
            None => Ok(()),
            Some(_) => wrong(
                format!("`{key}` says nothing in a {} of kind `{}`", self.what, self.kind),
                format!("remove `{key}`, or choose the kind that it belongs to"),
            ),
        }
    }
}

/// The known word that was probably meant.
pub(super) fn did_you_mean(given: &str, known: &[&str]) -> Option<String> {
    yaml::nearest(given, known.iter().copied()).map(|near| format!("did you mean `{near}`?"))
}

pub(super) fn check_timeout(timeout: Option<TimeSpan>) -> Result<Option<TimeSpan>, Wrong> {
    match timeout {
        Some(TimeSpan::ZERO) => {
            wrong("a `timeout` of nothing ends every command at once", "write a length such as `10m`")
        }
        timeout => Ok(timeout),
    }
}

pub(super) fn check_argv(key: &str, argv: &[String]) -> Result<(), Wrong> {
    let help = "write a program and its arguments: `[/usr/local/bin/backup, \"{{ host.name }}\"]`";
    match argv.first() {
        None => wrong(format!("the command `{key}` is empty"), help),
        Some(program) if program.trim().is_empty() => wrong(format!("the command `{key}` names no program"), help),
        _ if argv.iter().any(|word| word.contains('\0')) => {
            wrong(format!("the command `{key}` has a NUL inside"), help)
        }
        _ => Ok(()),
    }
}

/// A path on this machine.
pub(super) fn check_path(what: &str, path: &str) -> Result<(), Wrong> {
    if path.is_empty() || path.len() > 4096 || path.starts_with('-') || path.contains(is_unprintable) {
        let message = format!("{what} `{}` is no path", printable(path, 80));
        return wrong(message, "a path has no control characters and does not start with `-`");
    }
    Ok(())
}

/// A path on another machine: there is no folder that it could be relative to.
pub(super) fn check_absolute(what: &str, path: &str) -> Result<(), Wrong> {
    check_path(what, path)?;
    if !path.starts_with('/') || path.split('/').any(|part| part == "..") {
        let message = format!("{what} `{}` is not an absolute path", printable(path, 80));
        return wrong(message, "write the path from `/`, without `..`");
    }
    Ok(())
}

pub(super) fn plain(what: &str, text: &str, fine: impl Fn(char) -> bool) -> Result<(), Wrong> {
    if text.is_empty() || text.len() > 253 || text.starts_with(['-', '.']) || !text.chars().all(fine) {
        let message = format!("{what} `{}` is no such name", printable(text, 80));
        return wrong(message, "names have letters, digits and a few signs, and start with a letter or digit");
    }
    Ok(())
}

/// Where to connect: a host name or an address.
pub(super) fn check_address(what: &str, text: &str) -> Result<(), Wrong> {
    let fine = |c: char| c.is_ascii_alphanumeric() || ".-_:%".contains(c);
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == ':');
    if !starts || text.len() > 253 || !text.chars().all(fine) {
        let message = format!("{what} `{}` is no host name or address", printable(text, 80));
        return wrong(message, "write a name such as `web-1.example.com`, or an address such as `10.0.0.11`");
    }
    Ok(())
}

/// A login name.
pub(super) fn check_user(what: &str, text: &str) -> Result<(), Wrong> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-@\\+".contains(c);
    if text.is_empty() || text.len() > 128 || text.starts_with('-') || !text.chars().all(fine) {
        return wrong(format!("{what} `{}` is no login name", printable(text, 80)), "write a name such as `ops`");
    }
    Ok(())
}

/// `[USER@]HOST[:PORT]`, several with commas.
pub(super) fn check_jump(what: &str, text: &str) -> Result<(), Wrong> {
    for hop in text.split(',') {
        let (user, host) = hop.split_once('@').map_or((None, hop), |(user, host)| (Some(user), host));
        user.map_or(Ok(()), |user| check_user(what, user))?;
        check_address(what, host.strip_prefix('[').unwrap_or(host).replace(']', "").as_str())?;
    }
    Ok(())
}

/// `TYPE BASE64`, as in known_hosts.
pub(super) fn check_host_key(text: &str) -> Result<(), Wrong> {
    let mut words = text.split(' ');
    let (kind, key, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default(), words.next());
    let known = ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|prefix| kind.starts_with(prefix));
    let is_kind = known && kind.len() <= 64 && kind.chars().all(|c| c.is_ascii_alphanumeric() || "-@.".contains(c));
    let is_key = key.len() >= 16 && key.chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c));
    if is_kind && is_key && rest.is_none() && text.len() <= 8192 {
        return Ok(());
    }
    let message = format!("`host_key` `{}` is no host key", printable(text, 40));
    wrong(message, "write type and key as in known_hosts: `ssh-ed25519 AAAA...`")
}

/// The value of a label: a text, a whole number or a truth value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LabelValue(pub(super) String);

impl<'de> Deserialize<'de> for LabelValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = LabelValue;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a whole number, or true or false")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<LabelValue, E> {
                if text.len() > 256 || text.contains(is_unprintable) {
                    return Err(E::custom("a label is printable text of at most 256 bytes"));
                }
                Ok(LabelValue(text.to_owned()))
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<LabelValue, E> {
                Ok(LabelValue(value.to_string()))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<LabelValue, E> {
                Ok(LabelValue(value.to_string()))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<LabelValue, E> {
                Ok(LabelValue(value.to_string()))
            }
            fn visit_f64<E: Error>(self, _: f64) -> Result<LabelValue, E> {
                Err(E::custom("a number with a point is not kept as it is written: put it in quotes"))
            }
        }
        deserializer.deserialize_any(V)
    }
}

impl JsonSchema for LabelValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LabelValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer", "boolean"], "maxLength": 256 })
    }
}

/// Labels by name.
pub(super) fn check_labels(labels: BTreeMap<String, LabelValue>) -> Result<BTreeMap<String, String>, Wrong> {
    for name in labels.keys() {
        if name.is_empty() || name.len() > 253 || name.contains(is_unprintable) {
            return wrong(format!("`{}` is no label name", printable(name, 80)), "write printable text");
        }
    }
    Ok(labels.into_iter().map(|(name, value)| (name, value.0)).collect())
}
