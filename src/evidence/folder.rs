//! The folder beside a plan in which statements and their signatures lie, fit for git.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::{MAX_STATEMENT, Signature, Statement};
use crate::model::Digest;

/// Twenty people who sign for every re-plan of a month.
const MAX_FILES: usize = 1_000;

/// All of them together: those for ten thousand hosts have 3 MiB each.
const MAX_FOLDER: usize = 256 << 20;

/// A statement as it was found, with whatever lies where its signature should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The name of its file, or where else it comes from.
    pub name: String,
    /// What it says.
    pub text: String,
    /// The text beside it.
    pub signature: Option<String>,
}

/// The folder of a plan file where nobody names another: `PLAN.approvals`.
pub fn approvals_folder(plan: &Path) -> PathBuf {
    let mut folder = plan.as_os_str().to_owned();
    folder.push(".approvals");
    PathBuf::from(folder)
}

/// Reads all statements of a folder, sorted by name; none where there is no folder.
pub fn read_folder(folder: &Path) -> io::Result<Vec<Found>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "json") && path.is_file() {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            return Err(io::Error::other(format!("more than {MAX_FILES} statements")));
        }
    }
    files.sort();
    let mut left = MAX_FOLDER;
    let mut found = Vec::new();
    for path in &files {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let text = read(path, &mut left)?;
        let signature = beside(path);
        let signature = if signature.exists() { Some(read(&signature, &mut left)?) } else { None };
        found.push(Found { name, text, signature });
    }
    Ok(found)
}

/// Writes a statement and its signature: the signature first, so that nobody ever finds a statement without.
pub fn write_statement(folder: &Path, statement: &Statement, signature: &Signature) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let text = statement.to_text();
    let time = statement.signed_at.strftime("%Y%m%dT%H%M%SZ");
    let digest = Digest::of(text.as_bytes()).short();
    let name = format!("{time}-{}-{}-{digest}.json", statement.principal, statement.kind);
    let path = folder.join(name);
    write(&beside(&path), signature.as_str())?;
    write(&path, &text)?;
    Ok(path)
}

/// The signature of a file, as `ssh-keygen` names it.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Reads a file, and takes its size from what may be read in all.
fn read(path: &Path, left: &mut usize) -> io::Result<String> {
    let about = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    // A pipe would never end.
    if !path.is_file() {
        return Err(about(io::Error::other("no plain file")));
    }
    let mut bytes = Vec::new();
    let limit = MAX_STATEMENT as u64 + 1;
    fs::File::open(path).map_err(about)?.take(limit).read_to_end(&mut bytes).map_err(about)?;
    *left = left
        .checked_sub(bytes.len())
        .ok_or_else(|| io::Error::other(format!("the statements have more than {} MiB", MAX_FOLDER >> 20)))?;
    // What is not text is no statement, and is told as such.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
