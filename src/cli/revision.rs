//! Files of a git revision, read without touching the work tree.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::model::printable;

use super::error::CommandError;
use super::exit::Exit;

/// No file of a policy, inventory or report is read beyond this...
const MAX_FILE: u64 = 64 << 20;
/// ... nor more of them...
const MAX_FILES: usize = 10_000;
/// ... nor more together.
const MAX_TOTAL: u64 = 512 << 20;

/// Whether git knows this as a commit, here.
pub(super) fn is_revision(text: &str) -> bool {
    commit(text).is_some()
}

fn commit(text: &str) -> Option<String> {
    if text.is_empty() || text.len() > 256 || text.starts_with('-') {
        return None;
    }
    let wanted = format!("{text}^{{commit}}");
    let out = git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted]).output().ok()?;
    let id = String::from_utf8(out.stdout).ok()?.trim().to_owned();
    (out.status.success() && id.len() >= 40).then_some(id)
}

/// The files below a path of a revision, by the name that they have in the work tree.
pub(super) fn files(revision: &str, path: &str) -> Result<BTreeMap<String, Vec<u8>>, CommandError> {
    let shown = format!("{}:{}", printable(revision, 80), printable(path, 200));
    let failed = |what: &str| {
        CommandError::new(Exit::InvalidInput, format!("cannot read {shown}: {what}")).code("unreadable-revision")
    };
    let id = commit(revision).ok_or_else(|| failed("git knows no such revision here"))?;
    let listed = git(&["ls-tree", "-r", "-z", "-l", &id, "--", path]).output().map_err(|e| failed(&e.to_string()))?;
    if !listed.status.success() {
        return Err(failed(&printable(String::from_utf8_lossy(&listed.stderr).trim(), 300)));
    }
    let mut wanted: Vec<(String, String)> = Vec::new();
    let mut total = 0;
    for entry in listed.stdout.split(|&b| b == 0).filter(|entry| !entry.is_empty()) {
        let entry = String::from_utf8_lossy(entry).into_owned();
        let Some((meta, name)) = entry.split_once('\t') else { continue };
        let meta: Vec<&str> = meta.split_ascii_whitespace().collect();
        // Links and submodules are no files.
        let [mode, "blob", object, size] = meta.as_slice() else { continue };
        if !mode.starts_with("100") {
            continue;
        }
        let size: u64 = size.parse().map_err(|_| failed("git's answer is not understood"))?;
        total += size;
        if size > MAX_FILE || total > MAX_TOTAL || wanted.len() >= MAX_FILES {
            let limit = format!(
                "more than {} MiB in a file, {} MiB or {MAX_FILES} files in all",
                MAX_FILE >> 20,
                MAX_TOTAL >> 20
            );
            return Err(failed(&limit));
        }
        wanted.push(((*object).to_owned(), name.to_owned()));
    }
    if wanted.is_empty() {
        return Err(failed("there is no such file or folder in this revision"));
    }
    read(&wanted).map_err(|error| failed(&error.to_string()))
}

/// The content of objects, each under its name.
fn read(wanted: &[(String, String)]) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut child = git(&["cat-file", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(std::io::Error::other("git has no pipes"));
    };
    let mut stdout = BufReader::new(stdout);
    let mut files = BTreeMap::new();
    for (object, name) in wanted {
        writeln!(stdin, "{object}")?;
        stdin.flush()?;
        let mut header = String::new();
        stdout.read_line(&mut header)?;
        let size = header.trim().rsplit(' ').next().and_then(|size| size.parse::<usize>().ok());
        let size = size.filter(|size| u64::try_from(*size).is_ok_and(|size| size <= MAX_FILE));
        let Some(size) = size else { return Err(std::io::Error::other("git's answer is not understood")) };
        let mut bytes = vec![0; size + 1];
        stdout.read_exact(&mut bytes)?;
        bytes.pop();
        files.insert(name.clone(), bytes);
    }
    drop(stdin);
    child.wait()?;
    Ok(files)
}

/// The address that git puts on commits made in a folder.
pub(super) fn user_email(folder: &Path) -> Option<String> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let out = git(&["config", "--get", "user.email"]).current_dir(folder).output().ok()?;
    let email = String::from_utf8(out.stdout).ok()?.trim().to_owned();
    (out.status.success() && !email.is_empty()).then_some(email)
}

/// Writes the files below a path of a revision into a folder and gives the place of the path there.
pub(super) fn export(revision: &str, path: &str, folder: &Path) -> Result<std::path::PathBuf, CommandError> {
    let io = |error: std::io::Error| CommandError::caused(Exit::Failed, "cannot write a temporary file", &error);
    for (name, bytes) in files(revision, path)? {
        let relative = Path::new(&name);
        // `..` is how git names what lies above the folder it is asked in.
        if relative.components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
            return Err(CommandError::new(
                Exit::InvalidInput,
                format!("{} lies outside of this folder", printable(&name, 200)),
            ));
        }
        let target = folder.join(relative);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).map_err(io)?;
        }
        std::fs::write(&target, bytes).map_err(io)?;
    }
    Ok(folder.join(path.trim_end_matches('/')))
}

fn git(args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.args(["--no-pager", "-c", "core.quotepath=off"]).args(args).stdin(Stdio::null()).stderr(Stdio::piped());
    command
}
