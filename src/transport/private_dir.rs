//! A short, private, per-process folder for control sockets and the files that go with them.
//!
//! Unix socket paths end at 108 bytes and ssh adds about 46 of its own, so the folder is never below the state folder.
//! What a killed process left behind is swept by the next one; what a living process uses is locked and left alone.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Longest folder that leaves room for ssh's own part of the socket path.
const MAX_LENGTH: usize = 60;

/// A folder that only this process uses; removed when dropped.
#[derive(Debug)]
pub(crate) struct PrivateDir {
    path: PathBuf,
    /// Held as long as the folder is used.
    _lock: File,
}

impl PrivateDir {
    /// A new folder at the usual place of this machine.
    pub(crate) fn create() -> io::Result<Self> {
        Self::create_in(&usual_base()?)
    }

    /// A new folder below `base`, which is made if it is absent.
    pub(super) fn create_in(base: &Path) -> io::Result<Self> {
        own(base)?;
        let guard = File::create(base.join("lock"))?;
        guard.lock()?;
        sweep(base);
        let name = crate::env::random_hex()?[..8].to_owned();
        let path = base.join(&name);
        if path.as_os_str().len() > MAX_LENGTH {
            return Err(io::Error::new(
                io::ErrorKind::InvalidFilename,
                format!("{} is too long for a socket: set XDG_RUNTIME_DIR to a shorter folder", path.display()),
            ));
        }
        let lock = File::create(base.join(format!("{name}.lock")))?;
        lock.lock()?;
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        // What cannot be removed now is swept by the next process.
        let _ = fs::remove_dir_all(&self.path);
        let _ = fs::remove_file(self.path.with_extension("lock"));
    }
}

/// A lock on an effect, for as long as this file or a copy of it that a child has got is open: also a child that has
/// outlived this process. None while somebody else has it. What is left of it is swept like a dead folder.
pub fn effect_lock(key: &str) -> io::Result<Option<File>> {
    effect_lock_in(&usual_base()?, key)
}

fn effect_lock_in(base: &Path, key: &str) -> io::Result<Option<File>> {
    own(base)?;
    // Nobody sweeps between the opening and the locking.
    let guard = File::create(base.join("lock"))?;
    guard.lock()?;
    let name = crate::model::Digest::of(key.as_bytes()).to_string();
    let file = File::options().create(true).truncate(false).read(true).write(true).open(base.join(name + ".lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

fn usual_base() -> io::Result<PathBuf> {
    let uid = fs::metadata("/proc/self")?.uid();
    let runtime = crate::env::var("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
    Ok(match runtime {
        // Root often inherits the variable of the user it came from.
        _ if uid == 0 => PathBuf::from("/run/switchback-0"),
        Some(dir) => dir.join("switchback"),
        None => PathBuf::from(format!("/tmp/switchback-{uid}")),
    })
}

/// Makes the folder, or makes sure that nobody else could have planted it.
fn own(base: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(base) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(base)?;
    if !found.is_dir() || found.uid() != fs::metadata("/proc/self")?.uid() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{} is not a folder of this user", base.display()),
        ));
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(base, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Removes what dead processes left. The caller holds the folder's lock, so nobody is half-way through making one.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let lock = entry.path();
        if lock.extension().is_none_or(|e| e != "lock") {
            continue;
        }
        let Ok(file) = File::open(&lock) else { continue };
        if file.try_lock().is_ok() {
            let _ = fs::remove_dir_all(lock.with_extension(""));
            let _ = fs::remove_file(&lock);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn dead_folders_are_swept_and_living_ones_are_not() {
        let base = tempfile::Builder::new().prefix("sb").tempdir_in("/tmp").unwrap();
        let living = PrivateDir::create_in(base.path()).unwrap();
        let dead = base.path().join("deadbeef");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join("socket"), "").unwrap();
        fs::write(base.path().join("deadbeef.lock"), "").unwrap();
        let other = PrivateDir::create_in(base.path()).unwrap();
        assert!(!dead.exists());
        assert!(living.path().exists() && other.path().exists());
        assert_eq!(fs::metadata(living.path()).unwrap().mode() & 0o777, 0o700);
        let path = living.path().to_owned();
        drop(living);
        assert!(!path.exists());
    }

    #[test]
    fn an_effect_is_locked_as_long_as_a_child_holds_it() {
        let base = tempfile::Builder::new().prefix("sb").tempdir_in("/tmp").unwrap();
        let held = effect_lock_in(base.path(), "c1/web-1/restore/1").unwrap().unwrap();
        assert!(effect_lock_in(base.path(), "c1/web-2/restore/1").unwrap().is_some());
        let mut child = std::process::Command::new("sleep").arg("30").stdin(held).spawn().unwrap();
        assert!(effect_lock_in(base.path(), "c1/web-1/restore/1").unwrap().is_none());
        drop(PrivateDir::create_in(base.path()).unwrap());
        assert!(effect_lock_in(base.path(), "c1/web-1/restore/1").unwrap().is_none(), "a sweep leaves it alone");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(effect_lock_in(base.path(), "c1/web-1/restore/1").unwrap().is_some());
    }

    #[test]
    fn a_folder_planted_by_a_link_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let link = base.path().join("link");
        std::os::unix::fs::symlink("/", &link).unwrap();
        assert!(PrivateDir::create_in(&link).is_err());
    }
}
