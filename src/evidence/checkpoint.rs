//! Checkpoints: what a controller signs of its journal while it writes it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;

use crate::engine::Record;
use crate::model::{CampaignId, Digest};
use crate::store::SignedCheckpoint;
use crate::transport::PrivateDir;

use super::{Asking, SignatureError, SigningKey, public_key, sign};

/// The version of the statement.
pub const CHECKPOINT_FORMAT: &str = "switchback.checkpoint/v1";

/// What keeps these signatures from being taken for others.
pub const CHECKPOINT_NAMESPACE: &str = "switchback-checkpoint";

/// No controller changes its key more often in one campaign.
const MAX_KEYS: usize = 20;

/// The name of a controller in `allowed_signers`.
pub const CONTROLLER: &str = "controller";

/// What is signed: that the journal of a campaign holds this record, and by its chain every one before.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// [`CHECKPOINT_FORMAT`].
    pub format: String,
    /// The campaign.
    pub campaign: CampaignId,
    /// The digest of its plan.
    pub plan: Digest,
    /// The number of the record.
    pub seq: u64,
    /// The digest of the record.
    pub record: Digest,
    /// When it was signed, by the controller's clock.
    pub at: Timestamp,
}

impl Checkpoint {
    /// A checkpoint behind this record.
    pub fn behind(record: &Record, plan: Digest, at: Timestamp) -> Self {
        let (format, campaign) = (CHECKPOINT_FORMAT.to_owned(), record.campaign.clone());
        Self { format, campaign, plan, seq: record.seq, record: record.digest(), at }
    }

    /// The bytes that are signed: canonical JSON.
    pub fn message(&self) -> String {
        // It holds only strings and a number: writing it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The key of a controller.
#[derive(Clone, Debug)]
pub struct ControllerKey {
    key: SigningKey,
    public: String,
}

impl ControllerKey {
    /// The file's name in a state folder.
    pub const FILE: &str = "controller_key";

    /// A key file: a private key, or a public one whose other half an agent has.
    pub fn file(file: &Path) -> Result<Self, SignatureError> {
        let public = public_key(file)?;
        let public = bare_key(&public.split_whitespace().collect::<Vec<_>>()).ok_or_else(|| {
            SignatureError::Io(io::Error::new(io::ErrorKind::InvalidData, "the public key has no known form"))
        })?;
        Ok(Self { key: SigningKey::file(file), public })
    }

    /// The key of a state folder; folder and key are made where absent.
    pub fn of_state(dir: &Path) -> Result<Self, SignatureError> {
        let file = dir.join(Self::FILE);
        if !file.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
            let new = NewFile(dir.join(format!("{}.{}", Self::FILE, crate::env::random_hex()?)));
            make_key(&new.0)?;
            // Of two controllers that make one at once, the first wins.
            match fs::hard_link(&new.0, &file) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
                // What it signs is worth nothing without it.
                _ => File::open(dir)?.sync_all()?,
            }
        }
        Self::file(&file)
    }

    /// The public half: `TYPE BASE64`.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// Signs a checkpoint; nobody is asked for anything.
    pub fn sign(&self, checkpoint: &Checkpoint) -> Result<SignedCheckpoint, SignatureError> {
        let statement = checkpoint.message();
        let signature = sign(&self.key, CHECKPOINT_NAMESPACE, statement.as_bytes(), Asking::Nobody)?;
        let (signature, key) = (signature.as_str().to_owned(), self.public.clone());
        Ok(SignedCheckpoint { seq: checkpoint.seq, statement, signature, key })
    }
}

/// A line of `allowed_signers` that lets a key sign checkpoints and nothing else.
pub fn controller_line(public: &str) -> String {
    format!("{CONTROLLER} namespaces=\"{CHECKPOINT_NAMESPACE}\" {public}")
}

/// Why a text does not say whose signatures are a controller's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControllersError {
    /// One line is something else.
    #[error("line {0} is neither a public key nor a line of `allowed_signers` for `{CONTROLLER}`")]
    Line(usize),
    /// No controller changes its key so often.
    #[error("there are more than {MAX_KEYS} keys")]
    TooMany,
    /// Comments at most.
    #[error("there is no key")]
    None,
}

/// Whose signatures are a controller's, as lines of `allowed_signers`: those lines as they are, with all that they
/// demand of a signature, and public keys as [`controller_line`] writes them.
pub fn controllers(text: &str) -> Result<Vec<String>, ControllersError> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_allowed = words[0] == CONTROLLER && (1..words.len()).any(|at| bare_key(&words[at..]).is_some());
        found.push(match bare_key(&words) {
            Some(key) => controller_line(&key),
            None if is_allowed => line.to_owned(),
            None => return Err(ControllersError::Line(number)),
        });
    }
    match found.len() {
        0 => Err(ControllersError::None),
        1..=MAX_KEYS => Ok(found),
        _ => Err(ControllersError::TooMany),
    }
}

/// `TYPE BASE64` in front of these words.
fn bare_key(words: &[&str]) -> Option<String> {
    let is_type = |word: &str| ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"].iter().any(|start| word.starts_with(start));
    let plain = |word: &str| word.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=-.@".contains(&b));
    match words {
        [kind, key, ..] if is_type(kind) && plain(kind) && plain(key) && key.len() > 16 => {
            Some(format!("{kind} {key}"))
        }
        _ => None,
    }
}

/// A key without a passphrase: whoever may read the state folder is root on the fleet anyway.
fn make_key(file: &Path) -> Result<(), SignatureError> {
    let private = PrivateDir::create()?;
    let made = private.path().join("key");
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", "switchback controller", "-f"]).arg(&made);
    let output = command.stdin(std::process::Stdio::null()).output().map_err(SignatureError::NotRun)?;
    if !output.status.success() {
        return Err(SignatureError::Refused("ssh-keygen made no key".to_owned()));
    }
    // Copied with its mode, 0600: the private folder may lie on another disk.
    fs::copy(&made, file)?;
    Ok(File::open(file)?.sync_all()?)
}

/// A file that goes when it is dropped.
struct NewFile(PathBuf);

impl Drop for NewFile {
    fn drop(&mut self) {
        // What cannot be removed is a spare key that nobody uses.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::super::{Signature, verify};
    use super::*;
    use crate::engine::{Chain, RecordBody};

    #[test]
    fn a_state_folder_has_one_key_and_what_it_signs_is_verified_by_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let key = ControllerKey::of_state(&state).unwrap();
        assert_eq!(ControllerKey::of_state(&state).unwrap().public(), key.public());
        assert_eq!(fs::metadata(state.join(ControllerKey::FILE)).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&state).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(&state).unwrap().count(), 1, "nothing else is left there");

        let now: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
        let plan = Digest::of(b"plan");
        let record = Chain::new(CampaignId::new("c-1").unwrap(), plan)
            .push(Timestamp::UNIX_EPOCH, RecordBody::WaveStarted { wave: 0 });
        let checkpoint = Checkpoint::behind(&record, plan, now);
        let signed = key.sign(&checkpoint).unwrap();
        assert_eq!(serde_json::from_str::<Checkpoint>(&signed.statement).unwrap(), checkpoint);
        let allowed = dir.path().join("allowed");
        fs::write(&allowed, controller_line(&signed.key)).unwrap();
        let signature = Signature::parse(&signed.signature).unwrap();
        let check =
            |namespace, message: &str| verify(&allowed, CONTROLLER, namespace, message.as_bytes(), &signature, now);
        check(CHECKPOINT_NAMESPACE, &signed.statement).unwrap();
        assert!(check(CHECKPOINT_NAMESPACE, "other").is_err());
        assert!(check("file", &signed.statement).is_err());
    }

    #[test]
    fn what_a_line_demands_is_kept_and_lines_of_others_are_refused() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ";
        for line in [key.to_owned(), format!("{key} ann@example.com")] {
            assert_eq!(controllers(&format!("# {key}\n\n{line}\n")).unwrap(), [controller_line(key)]);
        }
        for line in [controller_line(key), format!("controller valid-before=\"20260101\",namespaces=\"git\" {key}")] {
            assert_eq!(controllers(&line).unwrap(), [line]);
        }
        for bad in [
            "ssh-ed25519".to_owned(),
            "ssh-ed25519 \u{1b}[31mAAAAAAAAAAAAAAAAAAA".to_owned(),
            "controller x".to_owned(),
            format!("alice@example.com {key}"),
            format!("*,controller {key}"),
        ] {
            assert_eq!(controllers(&format!("{key}\n{bad}")), Err(ControllersError::Line(2)), "{bad:?}");
        }
        assert_eq!(controllers("# nobody\n"), Err(ControllersError::None));
        assert_eq!(controllers(&format!("{key}\n").repeat(MAX_KEYS + 1)), Err(ControllersError::TooMany));
    }
}
