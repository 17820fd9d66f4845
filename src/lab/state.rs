//! What the lab knows of itself, in a file written before anything is made, so that a crash leaves nothing unknown.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::{LabError, Subnet};

/// The label on everything the lab makes; its value is the lab's prefix.
pub(crate) const LABEL: &str = "io.switchback.lab";
/// Changes with the meaning of the file.
const VERSION: u32 = 1;

/// What the names of everything in a lab start with; two labs with different prefixes do not meet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(String);

impl Prefix {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the network of the hosts' clones.
    pub fn clone_network(&self) -> String {
        format!("{self}-clones")
    }

    /// The name of the container of this host.
    pub(crate) fn container(&self, host: &str) -> String {
        format!("{}-{host}", self.0)
    }

    /// The label that says that something is this lab's.
    pub(crate) fn label(&self) -> String {
        format!("{LABEL}={}", self.0)
    }

    /// The lab's own table in nftables.
    pub(crate) fn table(&self) -> String {
        format!("switchback_lab_{}", self.0.replace('-', "_"))
    }
}

impl std::str::FromStr for Prefix {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self, LabError> {
        let fine = text.len() <= 20
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fine { Ok(Self(text.to_owned())) } else { Err(LabError::Prefix(crate::model::printable(text, 40))) }
    }
}

impl TryFrom<String> for Prefix {
    type Error = LabError;
    fn try_from(text: String) -> Result<Self, LabError> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> String {
        prefix.0
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The lab as it is meant to be.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct State {
    version: u32,
    pub(crate) prefix: Prefix,
    pub(crate) subnet: Subnet,
    /// The addresses of its hosts, by name.
    pub(crate) hosts: BTreeMap<String, Ipv4Addr>,
}

impl State {
    pub(crate) fn new(prefix: Prefix, subnet: Subnet) -> Self {
        Self { version: VERSION, prefix, subnet, hosts: BTreeMap::new() }
    }

    /// Hosts in the order of their numbers (`web-2` before `web-10`).
    pub(crate) fn in_order(&self) -> Vec<(&str, Ipv4Addr)> {
        let mut hosts: Vec<_> = self.hosts.iter().map(|(name, address)| (name.as_str(), *address)).collect();
        hosts.sort_by_key(|(_, address)| *address);
        hosts
    }
}

/// The files of a lab.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(path: &Path) -> Result<Self, LabError> {
        // podman wants absolute paths of volumes, and the folder may be named from elsewhere later.
        std::path::absolute(path).map(Self).map_err(LabError::io(path, "found"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Where the evidence of a host lies.
    pub(crate) fn evidence(&self, host: &str) -> PathBuf {
        self.0.join("evidence").join(host)
    }

    /// The state, if the lab was ever brought up here.
    pub(crate) fn load(&self) -> Result<Option<State>, LabError> {
        let path = self.file("lab.json");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LabError::io(&path, "read")(error)),
        };
        let wrong = |why: String| LabError::State { path: path.clone(), why };
        let state: State = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        if state.version != VERSION {
            return Err(wrong(format!("its version is {}, this program knows {VERSION}", state.version)));
        }
        Ok(Some(state))
    }

    /// Makes the state durable.
    pub(crate) fn save(&self, state: &State) -> Result<(), LabError> {
        let path = self.file("lab.json");
        let mut text = serde_json::to_vec_pretty(state)
            .map_err(|error| LabError::State { path: path.clone(), why: error.to_string() })?;
        text.push(b'\n');
        replace(&path, &text)
    }

    /// Keeps other processes from changing this lab until the answer is dropped.
    pub(crate) fn lock(&self) -> Result<File, LabError> {
        fs::create_dir_all(&self.0).map_err(LabError::io(&self.0, "made"))?;
        let path = self.file("lock");
        let file = File::create(&path).map_err(LabError::io(&path, "opened"))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(LabError::Busy(self.0.clone())),
            Err(fs::TryLockError::Error(error)) => Err(LabError::io(&path, "locked")(error)),
        }
    }

    /// Removes what the lab wrote here and nothing else; the folder too, if nothing else is in it.
    pub(crate) fn clear(&self) -> Result<(), LabError> {
        let gone = |path: &Path, result: std::io::Result<()>| match result {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LabError::io(path, "removed")(error)),
            _ => Ok(()),
        };
        let evidence = self.file("evidence");
        gone(&evidence, fs::remove_dir_all(&evidence))?;
        // The state goes last of what matters: without it nothing is left to be found by a second try.
        for name in
            ["inventory.yaml", "known_hosts", "id_ed25519", "id_ed25519.pub", "lab.json.new", "lab.json", "lock"]
        {
            let path = self.file(name);
            gone(&path, fs::remove_file(&path))?;
        }
        match fs::remove_dir(&self.0) {
            Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => Ok(()),
            result => gone(&self.0, result),
        }
    }
}

/// Writes a file so that either the old or the new text is there after a crash.
pub(crate) fn replace(path: &Path, text: &[u8]) -> Result<(), LabError> {
    let new = path.with_extension(match path.extension().and_then(|e| e.to_str()) {
        Some(extension) => format!("{extension}.new"),
        None => "new".to_owned(),
    });
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(LabError::io(path, "written"))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fallible = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn prefixes_are_safe_in_every_name() {
        for good in ["sblab", "t-1"] {
            assert!(good.parse::<Prefix>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "1a", "A", "a_b", "a b", "a/b", "a;b", "abcdefghijklmnopqrstu"] {
            assert!(bad.parse::<Prefix>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn state_survives_and_is_cleared_without_touching_others() -> Fallible {
        let dir = tempfile::tempdir()?;
        let folder = Folder::new(&dir.path().join("lab"))?;
        assert!(folder.load()?.is_none());
        let lock = folder.lock()?;
        assert!(matches!(folder.lock(), Err(LabError::Busy(_))));
        let mut state = State::new("t".parse()?, "10.77.9.0/24".parse()?);
        for number in [10, 2] {
            state.hosts.insert(format!("web-{number}"), state.subnet.host(number)?);
        }
        folder.save(&state)?;
        assert_eq!(folder.load()?.as_ref(), Some(&state));
        assert_eq!(state.in_order().iter().map(|(n, _)| *n).collect::<Vec<_>>(), ["web-2", "web-10"]);

        fs::write(folder.file("notes"), "mine")?;
        drop(lock);
        folder.clear()?;
        folder.clear()?;
        assert!(folder.file("notes").exists() && !folder.file("lab.json").exists());
        fs::remove_file(folder.file("notes"))?;
        folder.clear()?;
        assert!(!folder.path().exists());
        Ok(())
    }

    #[test]
    fn a_state_of_another_version_is_refused() -> Fallible {
        let dir = tempfile::tempdir()?;
        let folder = Folder::new(dir.path())?;
        fs::write(folder.file("lab.json"), r#"{"version":9,"prefix":"t","subnet":"10.77.9.0/24","hosts":{}}"#)?;
        assert!(matches!(folder.load(), Err(LabError::State { .. })));
        Ok(())
    }
}
