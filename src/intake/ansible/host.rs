//! Ansible's variables become our hosts: connection variables, and `switchback_*` for what Ansible has no word for.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::data::Vars;
use super::ini::split_words;
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::intake::settings::{self, RawProvider, RawSwitch, Wrong};
use crate::model::{Become, GroupName, Host, HostName, Os, printable};

/// Checks the text of what is named.
type TextCheck = fn(&str, &str) -> Result<(), Wrong>;

/// Variables of ours.
const OURS: [&str; 6] = [
    "switchback_aliases",
    "switchback_importance",
    "switchback_labels",
    "switchback_os",
    "switchback_provider",
    "switchback_switch",
];

/// Turns variables into the settings of one host.
struct Mapper<'a> {
    name: &'a HostName,
    vars: &'a Vars,
    span: &'a Span,
    diagnostics: &'a mut Diagnostics,
}

/// A host of an Ansible inventory.
pub(super) fn host(name: HostName, groups: &[&str], vars: &Vars, span: &Span, diagnostics: &mut Diagnostics) -> Host {
    let mut mapper = Mapper { name: &name, vars, span, diagnostics };
    let mut host = Host::named(name.clone());
    host.groups = groups.iter().filter_map(|group| GroupName::new(group).ok()).collect();
    mapper.connection(&mut host);
    mapper.ours(&mut host);
    host
}

impl Mapper<'_> {
    fn connection(&mut self, host: &mut Host) {
        if let Some(text) = self.text(&["ansible_host", "ansible_ssh_host"], settings::check_address)
            && text != host.name.as_str()
        {
            host.address = Some(text);
        }
        host.ssh.user = self.text(&["ansible_user", "ansible_ssh_user"], settings::check_user);
        host.ssh.identity =
            self.text(&["ansible_private_key_file", "ansible_ssh_private_key_file"], settings::check_path);
        if let Some((name, value)) = self.first(&["ansible_port", "ansible_ssh_port"]) {
            let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
            match number.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0) {
                Some(port) => host.ssh.port = Some(port),
                None => self.wrong(&name, "is no port", "write a number from 1 to 65535"),
            }
        }
        if let Some((name, value)) = self.first(&["ansible_become", "ansible_sudo"]) {
            match truth(&value) {
                Some(true) => host.becomes = Become::Sudo,
                Some(false) => {}
                None => self.wrong(&name, "is no truth value", "write true or false"),
            }
        }
        for (name, usual) in [
            ("ansible_become_method", &["sudo"][..]),
            ("ansible_become_user", &["root"]),
            ("ansible_connection", &["ssh", "smart", "openssh", "paramiko", "paramiko_ssh"]),
        ] {
            if let Some((_, value)) = self.first(&[name])
                && !usual.contains(&value.as_str().unwrap_or_default())
            {
                let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                self.ignored(name, &format!("is `{}`, which is not supported", printable(&shown, 40)));
            }
        }
        for name in ["ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args"] {
            if let Some((_, Value::String(args))) = self.first(&[name]) {
                self.ssh_arguments(name, &args, host);
            }
        }
    }

    /// A jump host and files are taken from ssh's arguments; others are left to the user's ssh configuration.
    fn ssh_arguments(&mut self, name: &str, args: &str, host: &mut Host) {
        let Ok(words) = split_words(args) else { return self.wrong(name, "has an open quote", "close it") };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = |flag: &str| {
                word.strip_prefix(flag)
                    .filter(|v| !v.is_empty())
                    .map_or_else(|| words.next().unwrap_or_default(), str::to_owned)
            };
            let (option, value) = match word.get(..2) {
                Some("-J") => ("proxyjump".to_owned(), value("-J")),
                Some("-F") => ("-f".to_owned(), value("-F")),
                Some("-i") => ("identityfile".to_owned(), value("-i")),
                Some("-o") => {
                    let option = value("-o");
                    let (key, value) = option.split_once(['=', ' ']).unwrap_or((&option, ""));
                    (key.trim().to_ascii_lowercase(), value.trim().to_owned())
                }
                _ => {
                    self.ignored(name, &format!("has `{}`, which is left out", printable(&word, 60)));
                    continue;
                }
            };
            let (field, check): (_, TextCheck) = match option.as_str() {
                "proxyjump" => (&mut host.ssh.jump, settings::check_jump),
                "-f" => (&mut host.ssh.config, settings::check_path),
                "identityfile" => (&mut host.ssh.identity, settings::check_path),
                "userknownhostsfile" if value != "/dev/null" => (&mut host.ssh.known_hosts, settings::check_path),
                "stricthostkeychecking" | "userknownhostsfile" | "controlmaster" | "controlpersist" => continue,
                _ => {
                    self.ignored(name, &format!("has `-o {}`, which is left out", printable(&option, 60)));
                    continue;
                }
            };
            match check(&format!("`{name}`"), &value) {
                Ok(()) => *field = Some(value),
                Err(wrong) => self.report(wrong),
            }
        }
    }

    fn ours(&mut self, host: &mut Host) {
        let unknown = |name: &&String| name.starts_with("switchback_") && !OURS.contains(&name.as_str());
        for name in self.vars.keys().filter(unknown) {
            let known = || OURS.map(|name| format!("`{name}`")).join(", ");
            let help = settings::did_you_mean(name, &OURS).unwrap_or_else(|| format!("known are {}", known()));
            self.report(Wrong { message: format!("`{}` is no variable of switchback", printable(name, 80)), help });
        }
        if let Some(labels) = self.typed("switchback_labels") {
            match settings::check_labels(labels) {
                Ok(labels) => host.labels = labels,
                Err(wrong) => self.report(wrong),
            }
        }
        host.importance = self.typed("switchback_importance");
        host.os = self.typed::<Os>("switchback_os").map(|os| Os {
            family: printable(&os.family, 64),
            name: printable(&os.name, 64),
            version: os.version.map(|version| printable(&version, 64)),
        });
        for alias in self.typed::<Vec<String>>("switchback_aliases").unwrap_or_default() {
            host.aliases.insert(printable(&alias, 253));
        }
        match self.typed::<RawProvider>("switchback_provider").map(RawProvider::check) {
            Some(Ok(provider)) => host.provider = Some(provider),
            Some(Err(wrong)) => self.report(wrong),
            None => {}
        }
        match self.typed::<RawSwitch>("switchback_switch").map(RawSwitch::check) {
            Some(Ok(switch)) => host.switch = Some(switch),
            Some(Err(wrong)) => self.report(wrong),
            None => {}
        }
    }

    /// The first of these variables that has a value, with `{{ inventory_hostname }}` filled in.
    fn first(&mut self, names: &[&str]) -> Option<(String, Value)> {
        let (name, value) = names.iter().find_map(|name| Some((*name, self.vars.get(*name)?)))?;
        if value.is_null() {
            return None;
        }
        let mut value = value.clone();
        if fill(&mut value, self.name.as_str()) {
            return Some((name.to_owned(), value));
        }
        self.report(Wrong {
            message: format!("`{name}` is a template, which cannot be evaluated here"),
            help: "write its value; only `{{ inventory_hostname }}` is filled in".to_owned(),
        });
        None
    }

    fn text(&mut self, names: &[&str], check: TextCheck) -> Option<String> {
        let (name, value) = self.first(names)?;
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => {
                self.wrong(&name, "is no text", "write a single value");
                return None;
            }
        };
        match check(&format!("`{name}`"), &text) {
            Ok(()) => Some(text),
            Err(wrong) => {
                self.report(wrong);
                None
            }
        }
    }

    fn typed<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let (_, value) = self.first(&[name])?;
        match serde_json::from_value(value) {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(name, &format!("cannot be read: {error}"), "write it as in a native inventory");
                None
            }
        }
    }

    fn wrong(&mut self, name: &str, what: &str, help: &str) {
        self.report(Wrong { message: format!("`{name}` {what}"), help: help.to_owned() });
    }

    fn report(&mut self, wrong: Wrong) {
        let message = format!("host `{}`: {}", self.name, wrong.message);
        self.diagnostics.push(Diagnostic::error("invalid-variable", message).at(self.span.clone()).help(wrong.help));
    }

    fn ignored(&mut self, name: &str, what: &str) {
        let message = format!("host `{}`: `{name}` {what}", self.name);
        let help = "hosts are reached over ssh, as root or through sudo; the rest comes from ~/.ssh/config";
        self.diagnostics.push(Diagnostic::warning("ignored-variable", message).at(self.span.clone()).help(help));
    }
}

/// As Ansible reads truth values.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => number.as_u64().filter(|n| *n <= 1).map(|n| n == 1),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "1" | "true" | "t" | "y" => Some(true),
            "no" | "off" | "0" | "false" | "f" | "n" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Fills in the one template that needs no Ansible; false if there is another.
fn fill(value: &mut Value, host: &str) -> bool {
    match value {
        Value::String(text) => {
            for spelling in ["{{ inventory_hostname }}", "{{inventory_hostname}}"] {
                *text = text.replace(spelling, host);
            }
            !text.contains("{{") && !text.contains("{%")
        }
        Value::Array(items) => items.iter_mut().all(|item| fill(item, host)),
        Value::Object(map) => map.values_mut().all(|item| fill(item, host)),
        _ => true,
    }
}
