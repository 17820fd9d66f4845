//! Which hosts there are: native and Ansible sources become one inventory, and assets of reports find their hosts in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::ansible::{Ansible, AnsibleReader, Any, Members, PatternError, Selected, select};
use super::{IntakeError, inventory_native, json};
use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};
use crate::model::{AssetName, Digest, Host, HostName, printable};
use crate::yaml::{self, Size};

/// All hosts, and the ways to find them.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// The hosts.
    pub hosts: BTreeMap<HostName, Host>,
    /// Names what the inventory says: the same for files that differ in order and comments only.
    pub digest: Digest,
    /// Its Ansible sources with all their variables.
    ansible: Option<Arc<Ansible>>,
    /// Who is in which group.
    members: Members,
    /// Addresses and aliases.
    also: BTreeMap<String, BTreeSet<HostName>>,
}

/// Why an asset is not one host of the inventory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("asset `{asset}` may be any of the hosts {}", hosts.iter().map(|h| format!("`{h}`")).collect::<Vec<_>>().join(", "))]
pub struct AmbiguousAsset {
    /// The asset.
    pub asset: AssetName,
    /// The hosts that have it as their address or alias.
    pub hosts: BTreeSet<HostName>,
}

impl Inventory {
    /// An inventory of these hosts.
    pub fn new(hosts: impl IntoIterator<Item = Host>) -> Self {
        let hosts: BTreeMap<_, _> = hosts.into_iter().map(|host| (host.name.clone(), host)).collect();
        let mut also: BTreeMap<String, BTreeSet<HostName>> = BTreeMap::new();
        for host in hosts.values() {
            for name in host.address.iter().chain(&host.aliases) {
                also.entry(name.clone()).or_default().insert(host.name.clone());
            }
        }
        // Names and texts have nothing in them that JSON cannot hold.
        let digest = Digest::of(&serde_json::to_vec(&hosts).unwrap_or_default());
        let mut members = Members::default();
        hosts.values().for_each(|host| members.add(host));
        Self { hosts, digest, ansible: None, members, also }
    }

    /// What `ansible-inventory --list` would answer for its Ansible sources.
    pub fn ansible_list(&self) -> Option<Value> {
        self.ansible.as_ref().map(|ansible| ansible.list())
    }

    /// The hosts that a host pattern of Ansible's selects.
    pub fn select(&self, pattern: &str) -> Result<Selected, PatternError> {
        select(pattern, &self.members)
    }

    /// The host that a report calls by this name: its own name, else its address or an alias.
    pub fn resolve(&self, asset: &AssetName) -> Result<Option<&HostName>, AmbiguousAsset> {
        if let Some((name, _)) = self.hosts.get_key_value(asset.as_str()) {
            return Ok(Some(name));
        }
        match self.also.get(asset.as_str()) {
            Some(hosts) if hosts.len() > 1 => Err(AmbiguousAsset { asset: asset.clone(), hosts: hosts.clone() }),
            hosts => Ok(hosts.and_then(BTreeSet::first)),
        }
    }

    /// The host of an asset by its own name, or else the one host that all its other names lead to.
    fn resolve_any(&self, asset: &AssetName, names: &BTreeSet<AssetName>) -> Result<Option<&HostName>, AmbiguousAsset> {
        if let Some(host) = self.resolve(asset)? {
            return Ok(Some(host));
        }
        let mut hosts: BTreeSet<&HostName> = BTreeSet::new();
        for name in names {
            hosts.extend(self.resolve(name)?);
        }
        if hosts.len() > 1 {
            return Err(AmbiguousAsset { asset: asset.clone(), hosts: hosts.into_iter().cloned().collect() });
        }
        Ok(hosts.pop_first())
    }

    /// The host of every asset, each given with the file that speaks of it and with the other names that reports have for
    /// it; all that are unknown or ambiguous are told at once.
    pub fn resolve_all<'a>(
        &self,
        assets: impl IntoIterator<Item = (&'a AssetName, &'a str, &'a BTreeSet<AssetName>)>,
        diagnostics: &mut Diagnostics,
    ) -> BTreeMap<AssetName, HostName> {
        let mut known = BTreeMap::new();
        let mut unknown = BTreeMap::new();
        for (asset, file, names) in assets {
            match self.resolve_any(asset, names) {
                Ok(Some(host)) => drop(known.insert(asset.clone(), host.clone())),
                Ok(None) => drop(unknown.insert(asset, file)),
                Err(error) => diagnostics.push(
                    Diagnostic::error("ambiguous-host", format!("{file}: {error}"))
                        .help("say which one: `-f HOST=PATH`"),
                ),
            }
        }
        if !unknown.is_empty() {
            let shown: Vec<_> = unknown.iter().take(20).map(|(asset, file)| format!("`{asset}` ({file})")).collect();
            let more = unknown.len().saturating_sub(shown.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let message = format!("reports are about assets that are not in the inventory: {}{more}", shown.join(", "));
            diagnostics.push(Diagnostic::error("unknown-host", message).help(
                "add them to the inventory (as host, address or alias), or say which host a report is about: `-f HOST=PATH`",
            ));
        }
        known
    }
}

/// Runs an inventory program with its arguments and gives what it printed, or why it printed nothing of use. Reading
/// itself starts no program: whoever may do so decides, and passes this.
pub type RunProgram<'a> = &'a dyn Fn(&Path, &[&str]) -> Result<Vec<u8>, String>;

/// Reads all sources as one inventory; none is returned if there was an error. Without a way to run programs, an
/// inventory that is one is an error.
pub fn read_inventory(
    paths: &[PathBuf],
    run: Option<RunProgram<'_>>,
    diagnostics: &mut Diagnostics,
) -> Option<Inventory> {
    let mut reader = Reader::new(run);
    for path in paths {
        let folder = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
        reader.ansible.folder(folder.unwrap_or(Path::new("")).to_path_buf());
        reader.path(path, MAX_FOLDERS);
    }
    reader.finish(diagnostics)
}

/// Reads one source that is in memory already: what it is, its name tells as that of a file does, but nothing on disk
/// is asked, no `group_vars` either.
pub fn read_inventory_bytes(
    name: &Path,
    bytes: Vec<u8>,
    run: Option<RunProgram<'_>>,
    diagnostics: &mut Diagnostics,
) -> Option<Inventory> {
    let mut reader = Reader::new(run);
    reader.bytes(name, bytes);
    reader.finish(diagnostics)
}

struct Reader<'a> {
    ansible: AnsibleReader,
    hosts: Vec<(Host, Span)>,
    run: Option<RunProgram<'a>>,
    problems: Diagnostics,
}

/// Folders of inventories nest no deeper.
const MAX_FOLDERS: u8 = 4;
/// What in an inventory folder is none.
const IGNORED_FOLDERS: [&str; 3] = ["group_vars", "host_vars", "vars_plugins"];
const IGNORED_ENDS: [&str; 12] =
    [".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry"];
/// A program that leaves `_meta` out is asked for every host; no more often than this.
const MAX_ASKED: usize = 1000;

impl<'a> Reader<'a> {
    fn new(run: Option<RunProgram<'a>>) -> Self {
        Self { ansible: AnsibleReader::default(), hosts: Vec::new(), run, problems: Diagnostics::default() }
    }

    /// The hosts of everything that was read; none if there was an error.
    fn finish(self, diagnostics: &mut Diagnostics) -> Option<Inventory> {
        let Self { ansible, mut hosts, mut problems, .. } = self;
        let mut members = Members::default();
        let ansible = ansible.finish(&mut problems).map(|answer| {
            members = answer.members;
            hosts.iter().for_each(|(host, _)| members.add(host));
            hosts.extend(answer.hosts);
            Arc::new(answer.ansible)
        });
        let mut seen: BTreeMap<HostName, Span> = BTreeMap::new();
        for (host, span) in &hosts {
            if let Some(first) = seen.get(&host.name) {
                let message = format!("host `{}` is there twice", host.name);
                let diagnostic = Diagnostic::error("duplicate-host", message).at(span.clone());
                problems.push(diagnostic.related("it is here as well", first.clone()).help("keep one of them"));
            } else {
                seen.insert(host.name.clone(), span.clone());
            }
        }
        let failed = problems.has_errors();
        diagnostics.extend(problems);
        if failed {
            return None;
        }
        let inventory = Inventory::new(hosts.into_iter().map(|(host, _)| host));
        Some(if ansible.is_some() { Inventory { ansible, members, ..inventory } } else { inventory })
    }

    fn path(&mut self, path: &Path, depth: u8) {
        if !path.is_dir() {
            return self.file(path);
        }
        let entries = match std::fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => {
                let message = format!("cannot read the folder `{}`: {error}", path.display());
                return self.problems.push(Diagnostic::error("unreadable-file", message));
            }
        };
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        for name in names {
            let text = name.to_string_lossy();
            let ignored = text.starts_with('.')
                || IGNORED_FOLDERS.contains(&text.as_ref())
                || IGNORED_ENDS.iter().any(|end| text.ends_with(end));
            let entry = path.join(&name);
            if !ignored && (depth > 0 || !entry.is_dir()) {
                self.path(&entry, depth.saturating_sub(1));
            }
        }
    }

    fn file(&mut self, path: &Path) {
        match json::read_file(path) {
            Ok(bytes) => self.bytes(path, bytes),
            Err(error) => self.problems.push(error.into()),
        }
    }

    fn bytes(&mut self, path: &Path, bytes: Vec<u8>) {
        let name = path.display().to_string();
        if is_program(&bytes) {
            return self.program(path, &name);
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(bytes);
        let Ok(text) = String::from_utf8(bytes) else {
            let error = IntakeError::new("invalid-inventory", &name, "the file is not UTF-8 text");
            return self.problems.push(error.into());
        };
        if text.starts_with("$ANSIBLE_VAULT;") {
            let error =
                IntakeError::new("invalid-inventory", &name, "the inventory is encrypted: its hosts are not known");
            return self.problems.push(error.help("decrypt it, or keep only its variables in the vault").into());
        }
        let source = Source::new(name, text);
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("yml" | "yaml" | "json") => self.yaml(&source),
            Some("ini" | "cfg") => self.ansible.ini(&source, &mut self.problems),
            Some("toml") => {
                let message = format!("`{}` is an inventory in TOML, which is not read", source.name);
                let help = "keep its answer: `ansible-inventory -i FILE --list > hosts.json`";
                self.problems.push(Diagnostic::error("unknown-inventory-format", message).help(help));
            }
            _ if looks_like_ini(&source.text) => self.ansible.ini(&source, &mut self.problems),
            _ => self.yaml(&source),
        }
    }

    /// An inventory program: what it prints for `--list`, and for `--host NAME` where that has no `_meta`.
    fn program(&mut self, path: &Path, name: &str) {
        if self.run.is_none() {
            let error = IntakeError::new("executable-inventory", name, "the inventory is a program, and none is run");
            let help = format!(
                "allow it with `--run-inventory`, or keep its answer: `{} --list > hosts.json`",
                printable(name, 80)
            );
            return self.problems.push(error.help(help).into());
        }
        let Some((source, root)) = self.answer(path, &["--list"]) else { return };
        let hosts = self.ansible.answer(&source, root, &mut self.problems);
        if hosts.len() > MAX_ASKED {
            let message = format!("it has no `_meta`, and would be asked for more than {MAX_ASKED} hosts one by one");
            let error = IntakeError::new("inventory-program-failed", name, message);
            return self.problems.push(error.help("let it print `_meta` with `hostvars`").into());
        }
        for host in hosts {
            match self.answer(path, &["--host", &host]) {
                Some((_, vars)) => self.ansible.host_answer(&host, vars),
                // The next would fail alike.
                None => return,
            }
        }
    }

    fn answer(&mut self, path: &Path, args: &[&str]) -> Option<(Arc<Source>, Any)> {
        let name = format!("{} {}", path.display(), args.join(" "));
        let failed = |message: &str| IntakeError::new("inventory-program-failed", &name, message);
        let bytes = match self.run?(path, args) {
            Ok(bytes) => bytes,
            Err(why) => {
                self.problems.push(failed(&why).into());
                return None;
            }
        };
        let about_a_host = args.len() > 1;
        if about_a_host && bytes.trim_ascii().is_empty() {
            return Some((Source::new(name, ""), Any::Null));
        }
        let checked = json::check(&name, &bytes).and_then(|bytes| json::parse::<json::Root>(&name, bytes));
        match checked {
            Ok(json::Root::Object(_)) => {}
            Ok(other) => {
                let message = format!("it prints {}, no JSON object", other.describe());
                self.problems.push(failed(&message).into());
                return None;
            }
            Err(error) => {
                self.problems.push(error.into());
                return None;
            }
        }
        let source = Source::new(name, String::from_utf8_lossy(&bytes));
        let root = yaml::parse::<Any>(&source, Size::Large, &mut self.problems)?;
        Some((source, root))
    }

    fn yaml(&mut self, source: &Arc<Source>) {
        // Large inventories are not read twice to be told apart.
        let at_the_left = |key: &str| source.text.lines().any(|line| line.starts_with(key));
        if at_the_left("version:") && at_the_left("hosts:") {
            return self.hosts.extend(inventory_native::read(source, &mut self.problems));
        }
        let Some(root) = yaml::parse::<Any>(source, Size::Large, &mut self.problems) else { return };
        let at = |offset| Span { source: Arc::clone(source), offset, length: 0 };
        let Any::Map(entries) = &root else {
            let message = format!("`{}` is {}, no inventory", source.name, root.describe());
            let diagnostic = Diagnostic::error("unknown-inventory-format", message).at(at(0));
            return self
                .problems
                .push(diagnostic.help("write a mapping: `version: 1` and `hosts:`, or Ansible's groups"));
        };
        let key = |name: &str| entries.iter().find(|(key, _)| key.value == name);
        let is_list = |name: &str| matches!(key(name), Some((_, Any::List(_))));
        if key("version").is_some() && (is_list("groups") || is_list("targets")) && key("hosts").is_none() {
            let message = format!("`{}` is a Puppet Bolt inventory, which cannot be read", source.name);
            let diagnostic = Diagnostic::error("unknown-inventory-format", message).at(at(0));
            return self.problems.push(diagnostic.help("known are the native format and Ansible's"));
        }
        if let Some((plugin, Any::Text(..) | Any::Scalar(..))) = key("plugin") {
            let message = format!("`{}` configures an Ansible inventory plugin; none is run", source.name);
            let help = "keep its answer: `ansible-inventory -i FILE --list > hosts.json`";
            let diagnostic = Diagnostic::error("inventory-plugin", message).at(yaml::span(source, plugin)).help(help);
            return self.problems.push(diagnostic);
        }
        // A group of Ansible's may have any name, but is never a single value or without members of its own.
        let scalar_version = matches!(key("version"), Some((_, Any::Text(..) | Any::Scalar(..))));
        let bare_hosts = matches!(key("hosts"), Some((_, Any::Map(hosts))) if !is_group(hosts));
        if scalar_version || (bare_hosts && key("all").is_none() && key("_meta").is_none()) {
            self.hosts.extend(inventory_native::read(source, &mut self.problems));
        } else {
            self.ansible.yaml(source, root, &mut self.problems);
        }
    }
}

/// Scripts, and what compilers make.
fn is_program(bytes: &[u8]) -> bool {
    [&b"#!"[..], b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"].iter().any(|magic| bytes.starts_with(magic))
}

/// Whether a mapping is what Ansible writes for a group.
fn is_group(entries: &[(yaml::Spanned<String>, Any)]) -> bool {
    entries.iter().all(|(key, _)| ["hosts", "children", "vars"].contains(&key.value.as_str()))
}

/// Whether a text without an extension that says so is INI: its first line of substance is a section, or a host with
/// nothing or variables behind it, but neither YAML nor JSON.
fn looks_like_ini(text: &str) -> bool {
    let Some(line) = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with(['#', ';'])) else {
        return true;
    };
    if line.starts_with('{') || line == "---" || line.starts_with("--- ") || line.starts_with('%') {
        return false;
    }
    let word = line.split([' ', '\t']).next().unwrap_or_default();
    line.starts_with('[') || !(word.ends_with(':') || line.ends_with(':'))
}
