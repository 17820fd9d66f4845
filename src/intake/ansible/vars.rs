//! `group_vars/` and `host_vars/` beside an inventory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::AnsibleInventory;
use super::any::{Any, VAULT};
use super::data::Vars;
use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};
use crate::intake::json;
use crate::yaml::{self, Size};

/// Deeper folders hold no variables.
const MAX_FOLDERS: u8 = 8;

/// The files of all folders that hold an inventory, as far as a group or host of it owns them.
#[derive(Debug, Default)]
pub(super) struct VarsFiles {
    folders: Vec<Folder>,
}

#[derive(Debug, Default)]
struct Folder {
    groups: BTreeMap<String, Vec<Vars>>,
    hosts: BTreeMap<String, Vec<Vars>>,
}

impl VarsFiles {
    /// Reads what belongs to the groups and hosts of an inventory; `folders` in the order of their sources.
    pub(super) fn read(folders: &[PathBuf], inventory: &AnsibleInventory, diagnostics: &mut Diagnostics) -> Self {
        let read_all = |folder: &Path, names: &mut dyn Iterator<Item = &str>, diagnostics: &mut Diagnostics| {
            let mut found = BTreeMap::new();
            // Looking for the files of 10,000 hosts one by one takes longer than reading the folder.
            let stems = stems(folder);
            for name in names.filter(|name| stems.iter().any(|stem| stem == name)) {
                let layers: Vec<Vars> =
                    files_of(folder, name).iter().filter_map(|file| read_file(file, diagnostics)).collect();
                if !layers.is_empty() {
                    found.insert(name.to_owned(), layers);
                }
            }
            found
        };
        let mut read: Vec<Folder> = Vec::new();
        for folder in folders {
            let groups = read_all(&folder.join("group_vars"), &mut inventory.group_names(), diagnostics);
            let hosts = read_all(&folder.join("host_vars"), &mut inventory.host_names(), diagnostics);
            read.push(Folder { groups, hosts });
        }
        Self { folders: read }
    }

    /// Layers for these groups, weakest first.
    pub(super) fn of_groups<'a>(&'a self, groups: &[&str], merge: &mut impl FnMut(&'a Vars)) {
        for folder in &self.folders {
            groups.iter().filter_map(|group| folder.groups.get(*group)).flatten().for_each(&mut *merge);
        }
    }

    /// Layers for this host, weakest first.
    pub(super) fn of_host<'a>(&'a self, host: &str, merge: &mut impl FnMut(&'a Vars)) {
        self.folders.iter().filter_map(|folder| folder.hosts.get(host)).flatten().for_each(merge);
    }
}

/// Names in a folder without the extension of variable files.
fn stems(folder: &Path) -> std::collections::BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Default::default() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.map(|name| EXTENSIONS.iter().find_map(|ext| name.strip_suffix(ext)).unwrap_or(&name).to_owned()).collect()
}

const EXTENSIONS: [&str; 3] = [".yml", ".yaml", ".json"];

/// `NAME`, else `NAME.yml`, `NAME.yaml`, `NAME.json`; a folder stands for the files in it.
fn files_of(folder: &Path, name: &str) -> Vec<PathBuf> {
    let mut paths = [""].iter().chain(&EXTENSIONS).map(|extension| folder.join(format!("{name}{extension}")));
    match paths.find(|path| path.exists()) {
        Some(path) if path.is_dir() => files_in(&path, MAX_FOLDERS),
        Some(path) => vec![path],
        None => Vec::new(),
    }
}

fn files_in(folder: &Path, depth: u8) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    let mut files = Vec::new();
    for name in names.iter().filter(|name| !name.starts_with('.') && !name.ends_with('~')) {
        let path = folder.join(name);
        if path.is_dir() && !name.contains('.') {
            if depth > 0 {
                files.extend(files_in(&path, depth - 1));
            }
        } else if path.is_file() && (!name.contains('.') || EXTENSIONS.iter().any(|ext| name.ends_with(ext))) {
            files.push(path);
        }
    }
    files
}

/// One warning a file: a file may hold hundreds of encrypted values.
pub(super) fn tell_encrypted(any: &Any, source: &Arc<Source>, diagnostics: &mut Diagnostics) {
    if let Some((count, offset)) = any.encrypted() {
        let values = if count == 1 { "value that is" } else { "values that are" };
        let message = format!("`{}` has {count} {values} encrypted: not known here", source.name);
        let at = Span { source: Arc::clone(source), offset, length: 0 };
        diagnostics.push(Diagnostic::warning("encrypted-vars", message).at(at).help(ENCRYPTED_HELP));
    }
}

/// What to do about encrypted variables.
pub(super) const ENCRYPTED_HELP: &str = "keep what is needed to reach hosts outside of the vault";

fn read_file(path: &Path, diagnostics: &mut Diagnostics) -> Option<Vars> {
    let name = path.display().to_string();
    let bytes = match json::read_file(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            diagnostics.push(error.into());
            return None;
        }
    };
    let Ok(text) = String::from_utf8(bytes) else {
        diagnostics.push(Diagnostic::error("invalid-yaml", format!("`{name}` is not UTF-8")));
        return None;
    };
    if text.starts_with(VAULT) {
        let message = format!("`{name}` is encrypted: its variables are not known here");
        diagnostics.push(Diagnostic::warning("encrypted-vars", message).help(ENCRYPTED_HELP));
        return None;
    }
    let source = Source::new(name, text);
    let mut any = yaml::parse::<Any>(&source, Size::Large, diagnostics)?;
    if !json::is_json(&source.text) {
        any.resolve(&source.text);
    }
    tell_encrypted(&any, &source, diagnostics);
    match any {
        Any::Null => None,
        Any::Map(entries) => Some(entries.into_iter().map(|(key, value)| (key.value, value.into_json())).collect()),
        _ => {
            let message = format!("`{}` holds no mapping of variables", source.name);
            diagnostics.push(Diagnostic::error("invalid-vars-file", message).help("write `name: value` lines"));
            None
        }
    }
}
