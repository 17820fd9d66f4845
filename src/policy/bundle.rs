//! A bundle: the policy files of a folder.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::Source;
use crate::model::Digest;

/// No bundle has more files...
const MAX_FILES: usize = 10_000;
/// ... or deeper folders...
const MAX_DEPTH: usize = 16;
/// ... or larger files: the reader of YAML refuses less.
const MAX_BYTES: u64 = 16 << 20;

/// Reads the policy files among these files and folders, sorted by path.
///
/// In folders these are `*.yaml` and `*.yml`, at any depth, without `*.test.yaml` and hidden ones; a file that is
/// named itself is always read.
pub fn read_bundle(paths: &[PathBuf]) -> io::Result<Vec<Arc<Source>>> {
    let mut files = Vec::new();
    for path in paths {
        if std::fs::metadata(path).map_err(|error| about(path, &error))?.is_dir() {
            collect(path, 0, &mut files)?;
        } else {
            files.push(path.clone());
        }
    }
    files.sort();
    files.dedup();
    files.iter().map(|path| read(path)).collect()
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
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
        } else if is_policy(&name) && !path.is_dir() {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            return Err(about(folder, &io::Error::other(format!("more than {MAX_FILES} files"))));
        }
    }
    Ok(())
}

fn is_policy(name: &str) -> bool {
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
    stem.is_some_and(|stem| !stem.ends_with(".test"))
}

fn read(path: &Path) -> io::Result<Arc<Source>> {
    use std::io::Read as _;
    let read = || -> io::Result<String> {
        let mut text = String::new();
        let file = std::fs::File::open(path)?;
        if file.take(MAX_BYTES + 1).read_to_string(&mut text)? as u64 > MAX_BYTES {
            return Err(io::Error::other(format!("larger than {} MiB", MAX_BYTES >> 20)));
        }
        Ok(text)
    };
    let text = read().map_err(|error| about(path, &error))?;
    Ok(Source::new(crate::model::printable(&path.to_string_lossy(), 4096), text))
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    let path = crate::model::printable(&path.to_string_lossy(), 4096);
    io::Error::new(error.kind(), format!("policy {path}: {error}"))
}

/// The digest of the texts, whatever the files are called and in which order they come.
pub(super) fn digest(files: &[Arc<Source>]) -> Digest {
    let mut all: Vec<String> = files.iter().map(|file| Digest::of(file.text.as_bytes()).to_string()).collect();
    all.sort();
    Digest::of(all.join("\n").as_bytes())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_policies_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        for name in ["b.yaml", "a.yml", "sub/c.yaml", "b.test.yaml", ".hidden.yaml", "readme.md"] {
            std::fs::write(at(name), name).unwrap();
        }
        let read = read_bundle(&[folder.path().to_owned(), at("b.yaml")]).unwrap();
        assert_eq!(read.iter().map(|s| s.text.as_str()).collect::<Vec<_>>(), ["a.yml", "b.yaml", "sub/c.yaml"]);
        let missing = read_bundle(&[at("nothing")]).unwrap_err().to_string();
        assert!(missing.contains("nothing"), "{missing}");
    }

    #[test]
    fn a_folder_that_contains_itself_ends() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("self")).unwrap();
        assert!(read_bundle(&[folder.path().to_owned()]).unwrap().is_empty());
    }

    #[test]
    fn the_digest_ignores_names_and_order() {
        let [a, b] = [("x", "1"), ("y", "2")].map(|(name, text)| Source::new(name, text));
        let [c, d] = [("p", "2"), ("q", "1")].map(|(name, text)| Source::new(name, text));
        assert_eq!(digest(&[a.clone(), b]), digest(&[c, d.clone()]));
        assert_ne!(digest(&[a]), digest(&[d.clone(), d]));
    }
}
