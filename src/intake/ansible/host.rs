//! Ansible's variables become our hosts: connection variables, and `switchback_*` for what Ansible has no word for.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::any::ENCRYPTED;
use super::data::Merged;
use super::ssh_args;
use super::template::Templates;
use super::vars::ENCRYPTED_HELP;
use crate::diagnostic::{Diagnostic, Diagnostics, Level, Span};
use crate::intake::backends::{RawProvider, RawSwitch};
use crate::intake::settings::{self, Wrong};
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

/// What is told of variables: once for all hosts that share it.
#[derive(Debug, Default)]
pub(super) struct Notes {
    found: BTreeMap<Note, (HostName, Span, usize)>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Note {
    level: Level,
    code: &'static str,
    message: String,
    help: String,
}

impl Notes {
    fn add(&mut self, note: Note, host: &HostName, span: &Span) {
        self.found.entry(note).or_insert_with(|| (host.clone(), span.clone(), 0)).2 += 1;
    }

    /// Each at the first host that it is about.
    pub(super) fn tell(self, diagnostics: &mut Diagnostics) {
        for (note, (host, span, count)) in self.found {
            let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
            let message = format!("host `{host}`{more}: {}", note.message);
            let diagnostic = match note.level {
                Level::Error => Diagnostic::error(note.code, message),
                Level::Warning | Level::Note => Diagnostic::warning(note.code, message),
            };
            diagnostics.push(diagnostic.at(span).help(note.help));
        }
    }
}

/// Turns variables into the settings of one host.
struct Mapper<'a> {
    name: &'a HostName,
    vars: &'a Merged<'a>,
    span: &'a Span,
    notes: &'a mut Notes,
}

/// A host of an Ansible inventory.
pub(super) fn host(name: HostName, groups: &[&str], vars: &Merged<'_>, span: &Span, notes: &mut Notes) -> Host {
    let mut mapper = Mapper { name: &name, vars, span, notes };
    let mut host = Host::named(name.clone());
    host.groups = groups.iter().filter_map(|group| GroupName::new(group).ok()).collect();
    mapper.connection(&mut host);
    mapper.becoming(&mut host);
    mapper.ours(&mut host);
    if host.os.is_none() {
        host.os = mapper.os();
    }
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
            let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
            match number.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0) {
                Some(port) => host.ssh.port = Some(port),
                None => self.wrong(&name, "is no port", "write a number from 1 to 65535"),
            }
        }
        if let Some((name, value)) = self.first(&["ansible_connection"]) {
            let kind = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match kind.rsplit('.').next().unwrap_or_default() {
                "ssh" | "smart" | "openssh" | "paramiko" | "paramiko_ssh" => {}
                "local" => self.ignored(&name, "is `local`: this machine, too, is reached over ssh", REACHED),
                "winrm" | "psrp" => {
                    self.ignored(&name, &format!("is `{kind}`: the host cannot be reached by scans and runs"), REACHED);
                }
                _ => {
                    let what = format!("is `{}`, which is not supported", printable(&kind, 40));
                    self.ignored(&name, &what, REACHED);
                }
            }
        }
        for name in ["ansible_password", "ansible_ssh_pass", "ansible_ssh_password"] {
            if self.has(name) {
                self.ignored(name, "is left out: nothing logs in with a password", "use a key or an agent");
            }
        }
        for name in ["ansible_private_key", "ansible_ssh_private_key"] {
            if self.has(name) {
                self.ignored(name, "is left out: keys are files", "name the file in `ansible_ssh_private_key_file`");
            }
        }
        // Ssh keeps the first value of an option, and Ansible gives them in this order.
        let mut taken = ssh_args::Taken::default();
        for name in ["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"] {
            let Some((_, value)) = self.first(&[name]) else { continue };
            let Value::String(args) = value else {
                self.wrong(name, "is no text", "write ssh's options as one text");
                continue;
            };
            match taken.read(&args) {
                Ok(left_out) => {
                    for what in left_out {
                        self.ignored(name, &format!("has {what}, which is left out"), REACHED);
                    }
                }
                Err(what) => self.wrong(name, what, "write ssh's options as for a shell"),
            }
        }
        let ssh_args::Taken { jump, config, identity, known_hosts, user, port } = taken;
        let mut take = |field: &mut Option<String>, value: Option<String>, what: &str, check: TextCheck| {
            if let (None, Some(value)) = (&field, value) {
                match check(what, &value) {
                    Ok(()) => *field = Some(value),
                    Err(wrong) => self.report(wrong),
                }
            }
        };
        take(&mut host.ssh.jump, jump, "the jump host of ssh's options", settings::check_jump);
        take(&mut host.ssh.config, config, "`-F` of ssh's options", settings::check_path);
        take(&mut host.ssh.identity, identity, "`IdentityFile` of ssh's options", settings::check_path);
        take(&mut host.ssh.known_hosts, known_hosts, "`UserKnownHostsFile` of ssh's options", settings::check_path);
        take(&mut host.ssh.user, user, "`User` of ssh's options", settings::check_user);
        host.ssh.port = host.ssh.port.or(port);
    }

    fn becoming(&mut self, host: &mut Host) {
        if let Some((name, value)) = self.first(&["ansible_sudo", "ansible_become"]) {
            match truth(&value) {
                Some(true) => host.becomes = Become::Sudo,
                Some(false) => {}
                None => self.wrong(&name, "is no truth value", "write true or false"),
            }
        }
        if host.becomes == Become::None {
            return;
        }
        for (names, usual) in [
            (&["ansible_become_method"][..], "sudo"),
            (&["ansible_sudo_user", "ansible_become_user", "ansible_sudo_become_user"], "root"),
        ] {
            if let Some((name, value)) = self.first(names)
                && value.as_str().is_none_or(|text| text.rsplit('.').next() != Some(usual))
            {
                let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let what = format!("is `{}`, which is not supported", printable(&shown, 40));
                self.ignored(&name, &what, REACHED);
            }
        }
        for name in ["ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"] {
            if self.has(name) {
                self.ignored(name, "is left out: sudo is asked without a password", "allow sudo with NOPASSWD");
            }
        }
        for name in ["ansible_become_exe", "ansible_become_flags"] {
            if self.has(name) {
                self.ignored(name, "is left out", REACHED);
            }
        }
    }

    /// The system as facts that people wrote down name it.
    fn os(&self) -> Option<Os> {
        let word = |name: &str| match self.vars.get(name)? {
            Value::String(text) if text.contains("{{") || text.contains("{%") => None,
            Value::String(text) => Some(printable(text.trim(), 64)).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let windows = || word("ansible_connection").filter(|kind| kind.ends_with("winrm") || kind.ends_with("psrp"));
        let (family, name) = (word("ansible_os_family"), word("ansible_distribution"));
        let version = word("ansible_distribution_version").or_else(|| word("ansible_distribution_major_version"));
        let family = match (family, &name) {
            (Some(family), _) => family.to_ascii_lowercase(),
            (None, Some(name)) => family_of(name)?.to_owned(),
            (None, None) => windows().map(|_| "windows".to_owned())?,
        };
        let name = name.map_or_else(|| family.clone(), |name| os_release_id(&name));
        Some(Os { family, name, version })
    }

    fn ours(&mut self, host: &mut Host) {
        let unknown = |name: &&&str| name.starts_with("switchback_") && !OURS.contains(*name);
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

    /// The last of these variables that has a value, as Ansible takes the newer name of two, with templates filled in.
    fn first(&mut self, names: &[&str]) -> Option<(String, Value)> {
        let set = |name: &&&str| self.vars.get(**name).is_some_and(|value| !value.is_null());
        let name = *names.iter().rev().find(set)?;
        let value = *self.vars.get(name)?;
        if value.get(ENCRYPTED).is_some() {
            let (message, help) = (format!("`{name}` is encrypted and left out"), ENCRYPTED_HELP.to_owned());
            let note = Note { level: Level::Warning, code: "encrypted-vars", message, help };
            self.notes.add(note, self.name, self.span);
            return None;
        }
        if let Some(filled) = Templates::new(self.name.as_str(), self.vars).fill(value) {
            return Some((name.to_owned(), filled));
        }
        self.report(Wrong {
            message: format!("`{name}` is a template, which cannot be evaluated here"),
            help: "write its value; only `{{ name }}` of another variable is filled in".to_owned(),
        });
        None
    }

    fn has(&self, name: &str) -> bool {
        self.vars.get(name).is_some_and(|value| !value.is_null())
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
        let note = Note { level: Level::Error, code: "invalid-variable", message: wrong.message, help: wrong.help };
        self.notes.add(note, self.name, self.span);
    }

    fn ignored(&mut self, name: &str, what: &str, help: &str) {
        let (message, help) = (format!("`{name}` {what}"), help.to_owned());
        let note = Note { level: Level::Warning, code: "ignored-variable", message, help };
        self.notes.add(note, self.name, self.span);
    }
}

/// What is done instead.
const REACHED: &str = "hosts are reached over ssh, as root or through sudo; the rest comes from ~/.ssh/config";

/// The `ID` of os-release for Ansible's `ansible_distribution`.
fn os_release_id(distribution: &str) -> String {
    match distribution.to_ascii_lowercase().as_str() {
        "redhat" => "rhel".to_owned(),
        "oraclelinux" => "ol".to_owned(),
        "amazon" => "amzn".to_owned(),
        "suse" => "sles".to_owned(),
        "archlinux" => "arch".to_owned(),
        other => other.replace(' ', "-"),
    }
}

/// `ansible_os_family` for `ansible_distribution`, where it is not given.
fn family_of(distribution: &str) -> Option<&'static str> {
    Some(match distribution.to_ascii_lowercase().as_str() {
        "debian" | "ubuntu" | "linux mint" | "kali" | "raspbian" => "debian",
        "redhat" | "centos" | "rocky" | "almalinux" | "oraclelinux" | "amazon" | "fedora" => "redhat",
        "sles" | "sled" | "suse" | "opensuse" | "opensuse leap" | "opensuse tumbleweed" => "suse",
        "alpine" => "alpine",
        _ => return None,
    })
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
