//! A bundle: the policy files of a folder, their tests, and the files that policies may name.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::glob::Glob;
use crate::diagnostic::Source;
use crate::model::{Digest, printable};

/// No bundle has more files...
const MAX_FILES: usize = 10_000;
/// ... or deeper folders...
const MAX_DEPTH: usize = 16;
/// ... or larger files: the reader of YAML refuses less.
const MAX_BYTES: u64 = 16 << 20;

/// Policies, their tests, and where the files that they name are looked for.
#[derive(Clone, Debug, Default)]
pub struct Bundle {
    /// The policy files, sorted by path: `*.yaml` and `*.yml` without tests and hidden ones, and files named themselves.
    pub policies: Vec<Arc<Source>>,
    /// The tests of policies, sorted by path: `*.test.yaml`, `*.test.yml`.
    pub tests: Vec<Arc<Source>>,
    /// The folders in which all named files must lie.
    roots: Vec<String>,
    /// The files by path where they do not lie on disk.
    memory: Option<BTreeMap<String, Vec<u8>>>,
}

/// A change of one policy file at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The file.
    pub file: String,
    /// The first byte that goes.
    pub start: usize,
    /// The first byte that stays.
    pub end: usize,
    /// What comes instead.
    pub with: String,
}

impl From<Vec<Arc<Source>>> for Bundle {
    /// Policies that name no other files.
    fn from(policies: Vec<Arc<Source>>) -> Self {
        Self { policies, memory: Some(BTreeMap::new()), ..Self::default() }
    }
}

impl Bundle {
    /// Reads the policies and tests among these files and folders. A file that is named itself is always read.
    pub fn read(paths: &[PathBuf]) -> io::Result<Self> {
        let mut bundle = Self::default();
        let mut files = BTreeSet::new();
        for path in paths {
            if std::fs::metadata(path).map_err(|error| about(path, &error))?.is_dir() {
                bundle.roots.push(path.to_string_lossy().into_owned());
                collect(path, 0, &mut files)?;
            } else {
                let folder = path.parent().unwrap_or(Path::new(""));
                bundle.roots.push(folder.to_string_lossy().into_owned());
                // A test may be named itself; those of a policy lie beside it.
                if is_test(path) {
                    bundle.tests.push(read(path)?);
                } else {
                    bundle.policies.push(read(path)?);
                    let beside = ["test.yaml", "test.yml"].map(|end| path.with_extension(end));
                    files.extend(beside.into_iter().filter(|test| test.is_file()));
                }
            }
        }
        let named: BTreeSet<&PathBuf> = paths.iter().collect();
        for path in files.iter().filter(|path| !named.contains(path)) {
            let list = if is_test(path) { &mut bundle.tests } else { &mut bundle.policies };
            list.push(read(path)?);
        }
        bundle.sort();
        Ok(bundle)
    }

    /// The bundle of these files by path, such as those of a git revision, as far as they lie in the given folders.
    pub fn of_files(files: BTreeMap<String, Vec<u8>>, roots: &[String]) -> io::Result<Self> {
        let roots: Vec<String> =
            roots.iter().map(|root| root.trim_matches('/').trim_start_matches("./").to_owned()).collect();
        let mut bundle = Self::default();
        for (path, bytes) in &files {
            let named = roots.contains(path);
            let inside = roots.iter().any(|root| is_inside(path, root));
            let name = path.rsplit('/').next().unwrap_or(path);
            let hidden = path.split('/').any(|part| part.starts_with('.'));
            if named || (inside && !hidden && is_yaml(name)) {
                let list = if is_test(Path::new(path)) { &mut bundle.tests } else { &mut bundle.policies };
                list.push(source(path, bytes)?);
            }
        }
        let folder = |root: &String| root.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
        bundle.roots =
            roots.iter().map(|root| if files.contains_key(root) { folder(root) } else { root.clone() }).collect();
        bundle.memory = Some(files);
        bundle.sort();
        Ok(bundle)
    }

    /// The bundle with one change; the change of a file that is not there changes nothing.
    #[must_use]
    pub fn edited(&self, edit: &Edit) -> Self {
        let mut bundle = self.clone();
        for source in bundle.policies.iter_mut().filter(|source| source.name == edit.file) {
            if let (Some(before), Some(after)) = (source.text.get(..edit.start), source.text.get(edit.end..)) {
                *source = Source::new(source.name.clone(), format!("{before}{}{after}", edit.with));
            }
        }
        bundle
    }

    /// The same policies, which may name the files of a folder.
    #[must_use]
    pub fn with_files_of(mut self, folder: &str) -> Self {
        self.roots.push(folder.to_owned());
        self.memory = None;
        self
    }

    fn sort(&mut self) {
        for list in [&mut self.policies, &mut self.tests] {
            list.sort_by(|a, b| a.name.cmp(&b.name));
            list.dedup_by(|a, b| a.name == b.name);
        }
    }

    /// The files that a policy means by a path with `*` and `?`, sorted: first beside the policy file, else from the top
    /// of the bundle. Nothing outside of the bundle is ever read.
    pub fn find(&self, policy: &Source, pattern: &str) -> io::Result<Vec<Arc<Source>>> {
        if pattern.is_empty() || pattern.len() > 256 || pattern.starts_with('/') || pattern.contains(['\0', '\\']) {
            return Err(io::Error::other("a path is relative, with `/` between its parts, of 1 to 256 bytes"));
        }
        let beside = policy.name.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        for base in std::iter::once(&beside).chain(&self.roots) {
            let path = normal(&format!("{base}/{pattern}"), base.starts_with('/'));
            let Some(path) = path.filter(|path| self.roots.iter().any(|root| is_inside(path, root))) else {
                return Err(io::Error::other("the path leads out of the bundle"));
            };
            let found = match &self.memory {
                Some(files) => {
                    let mut found = Vec::new();
                    for (name, bytes) in files.iter().filter(|(name, _)| fits(&path, name)) {
                        found.push(source(name, bytes)?);
                    }
                    found
                }
                None => {
                    let mut found = BTreeSet::new();
                    walk(&path, &mut found)?;
                    found.iter().map(|path| read(Path::new(path))).collect::<io::Result<_>>()?
                }
            };
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }
}

/// A path without `.` and `..`; none where it leads above its beginning.
fn normal(path: &str, absolute: bool) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            // A bundle may itself be named by a path that goes up.
            ".." if absolute => return None,
            part => parts.push(part),
        }
    }
    Some(format!("{}{}", if absolute { "/" } else { "" }, parts.join("/")))
}

fn is_inside(path: &str, root: &str) -> bool {
    let root = normal(root, root.starts_with('/')).unwrap_or_default();
    if root.is_empty() {
        return !path.starts_with('/') && !path.starts_with("../") && path != "..";
    }
    path == root || path.strip_prefix(root.as_str()).is_some_and(|rest| rest.starts_with('/') || root == "/")
}

/// Whether a path fits a pattern, part by part.
fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    let part = |(pattern, name): (&&str, &&str)| {
        Glob::new(pattern).matches(name) && (!name.starts_with('.') || pattern.starts_with('.'))
    };
    pattern.len() == path.len() && pattern.iter().zip(&path).all(part)
}

/// The files on disk that fit a pattern; only folders that it names are opened, and links to folders only by name.
fn walk(pattern: &str, found: &mut BTreeSet<String>) -> io::Result<()> {
    let mut open = vec![if pattern.starts_with('/') { "/".to_owned() } else { String::new() }];
    let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
    let join = |folder: &str, name: &str| match folder {
        "" => name.to_owned(),
        "/" => format!("/{name}"),
        folder => format!("{folder}/{name}"),
    };
    for part in &parts {
        let mut next = Vec::new();
        for folder in &open {
            if !part.contains(['*', '?']) {
                next.push(join(folder, part));
                continue;
            }
            let here = if folder.is_empty() { "." } else { folder.as_str() };
            let Ok(entries) = std::fs::read_dir(here) else { continue };
            let glob = Glob::new(part);
            for entry in entries.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if glob.matches(&name) && (!name.starts_with('.') || part.starts_with('.')) {
                    next.push(join(folder, &name));
                }
            }
        }
        if next.len() > MAX_FILES {
            return Err(io::Error::other(format!("the path means more than {MAX_FILES} files")));
        }
        open = next;
    }
    found.extend(open.into_iter().filter(|path| Path::new(path).is_file()));
    Ok(())
}

fn collect(folder: &Path, depth: usize, files: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    if depth > MAX_DEPTH {
        return Err(about(folder, &io::Error::other(format!("more than {MAX_DEPTH} folders deep"))));
    }
    for entry in std::fs::read_dir(folder).map_err(|error| about(folder, &error))? {
        let entry = entry.map_err(|error| about(folder, &error))?;
        let path = entry.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        // Links to folders are not followed: they may lead in circles.
        let kind = entry.file_type().map_err(|error| about(&path, &error))?;
        if kind.is_dir() {
            collect(&path, depth + 1, files)?;
        } else if is_yaml(&name) && !path.is_dir() {
            files.insert(path);
        }
        if files.len() > MAX_FILES {
            return Err(about(folder, &io::Error::other(format!("more than {MAX_FILES} files"))));
        }
    }
    Ok(())
}

fn is_yaml(name: &str) -> bool {
    name.ends_with(".yaml") || name.ends_with(".yml")
}

fn is_test(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(".test"))
}

fn read(path: &Path) -> io::Result<Arc<Source>> {
    use std::io::Read as _;
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path)?;
        if file.take(MAX_BYTES + 1).read_to_end(&mut bytes)? as u64 > MAX_BYTES {
            return Err(io::Error::other(format!("larger than {} MiB", MAX_BYTES >> 20)));
        }
        Ok(bytes)
    };
    let bytes = read().map_err(|error| about(path, &error))?;
    source(&path.to_string_lossy(), &bytes)
}

fn source(path: &str, bytes: &[u8]) -> io::Result<Arc<Source>> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| about(Path::new(path), &io::Error::other("it is not UTF-8 text")))?;
    Ok(Source::new(printable(path, 4096), text))
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    let path = printable(&path.to_string_lossy(), 4096);
    io::Error::new(error.kind(), format!("policy {path}: {error}"))
}

/// The digest of the texts, whatever the files are called and in which order they come.
pub(super) fn digest<'a>(files: impl IntoIterator<Item = &'a Arc<Source>>) -> Digest {
    digest_of_texts(files.into_iter().map(|file| file.text.as_bytes()))
}

/// The digest of policies with these texts, in any order.
pub fn digest_of_texts<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Digest {
    let mut all: Vec<String> = texts.into_iter().map(|text| Digest::of(text).to_string()).collect();
    all.sort();
    Digest::of(all.join("\n").as_bytes())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_policies_and_tests_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        for name in ["b.yaml", "a.yml", "sub/c.yaml", "b.test.yaml", ".hidden.yaml", "readme.md"] {
            std::fs::write(at(name), name).unwrap();
        }
        let texts = |sources: &[Arc<Source>]| sources.iter().map(|s| s.text.clone()).collect::<Vec<_>>();
        let read = Bundle::read(&[folder.path().to_owned(), at("b.yaml")]).unwrap();
        assert_eq!(texts(&read.policies), ["a.yml", "b.yaml", "sub/c.yaml"]);
        assert_eq!(texts(&read.tests), ["b.test.yaml"]);
        let one = Bundle::read(&[at("b.yaml")]).unwrap();
        assert_eq!(
            (texts(&one.policies), texts(&one.tests)),
            (vec!["b.yaml".to_owned()], vec!["b.test.yaml".to_owned()])
        );
        let test = Bundle::read(&[at("b.test.yaml")]).unwrap();
        assert_eq!((texts(&test.policies), texts(&test.tests)), (vec![], vec!["b.test.yaml".to_owned()]));
        let missing = Bundle::read(&[at("nothing")]).unwrap_err().to_string();
        assert!(missing.contains("nothing"), "{missing}");
    }

    #[test]
    fn a_folder_that_contains_itself_ends() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("self")).unwrap();
        assert!(Bundle::read(&[folder.path().to_owned()]).unwrap().policies.is_empty());
    }

    #[test]
    fn the_digest_ignores_names_and_order() {
        let [a, b] = [("x", "1"), ("y", "2")].map(|(name, text)| Source::new(name, text));
        let [c, d] = [("p", "2"), ("q", "1")].map(|(name, text)| Source::new(name, text));
        assert_eq!(digest(&[a.clone(), b]), digest(&[c, d.clone()]));
        assert_ne!(digest(&[a]), digest(&[d.clone(), d]));
    }

    #[test]
    fn files_that_policies_name_are_found_beside_them_or_from_the_top_and_never_outside() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["p/a.yaml", "p/sub/b.yaml", "p/sub/c/x.ics", "p/c/x.ics", "p/c/y.ics", "p/c/.z.ics", "secret.ics"];
        let mut files = BTreeMap::new();
        for name in names {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, name).unwrap();
            files.insert(name.to_owned(), name.as_bytes().to_vec());
        }
        let disk = Bundle::read(&[folder.path().join("p")]).unwrap();
        let memory = Bundle::of_files(files, &["p/".to_owned()]).unwrap();
        for bundle in [&disk, &memory] {
            let [a, b] = bundle.policies.as_slice() else { panic!("{:?}", bundle.policies) };
            let found = |policy, pattern| {
                let found = bundle.find(policy, pattern).unwrap();
                found.iter().map(|s| s.text.clone()).collect::<Vec<_>>().join(" ")
            };
            assert_eq!(found(a, "c/*.ics"), "p/c/x.ics p/c/y.ics");
            assert_eq!(found(b, "c/*.ics"), "p/sub/c/x.ics");
            assert_eq!(found(b, "c/y.ics"), "p/c/y.ics");
            assert_eq!(found(b, "../c/x.ics"), "p/c/x.ics");
            assert_eq!(found(a, "c/nothing.ics"), "");
            for outside in ["../secret.ics", "/etc/passwd", "c/../../secret.ics", "../../../../../etc/passwd", ""] {
                assert!(bundle.find(a, outside).is_err(), "{outside}");
            }
        }
    }
}
