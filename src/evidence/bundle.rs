//! The bundle: a folder with all that is needed to verify a campaign, and nothing that changes when it is written again.
//!
//! ```text
//! manifest.json      what this is and how much of it there is
//! plan.json          the plan file
//! journal.jsonl      the records, one a line
//! checkpoints.jsonl  what the controller signed, and its signatures
//! controller.pub     its public keys, as the bundle has them
//! approvals/         statements of approvers, and their signatures
//! inputs/policies/   the texts whose digest the plan names
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::model::{CampaignId, Digest, printable};
use crate::plan::{MAX_PLAN_BYTES, plan_file};
use crate::store::{Journal as _, Proofs, SignedCheckpoint, SignedText, SqliteJournal, StoreError};

/// The version of the bundle's format.
pub const AUDIT_FORMAT: &str = "switchback.audit/v1";

/// A journal of ten thousand hosts has some 200 MB.
const MAX_JOURNAL: u64 = 2 << 30;
/// One a minute for a month, of 1 KB each.
const MAX_CHECKPOINTS: u64 = 64 << 20;
/// A manifest is one short line, a key another.
const MAX_SMALL: u64 = 64 << 10;
/// Files in a folder of the bundle: as many as a policy bundle may have.
const MAX_FILES: usize = 10_000;
/// All files of such a folder together; no more is kept of policies.
const MAX_FOLDER: u64 = 64 << 20;

const MANIFEST: &str = "manifest.json";
const PLAN: &str = "plan.json";
const JOURNAL: &str = "journal.jsonl";
const CHECKPOINTS: &str = "checkpoints.jsonl";
const CONTROLLER_PUB: &str = "controller.pub";
const APPROVALS: &str = "approvals";
const INPUTS: &str = "inputs";
const POLICIES: &str = "policies";

/// The inputs of a plan whose texts are kept.
pub const POLICY_ROLE: &str = POLICIES;

/// What a bundle is and how much of it there is. Nobody signs it: it tells what to look for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`AUDIT_FORMAT`].
    pub format: String,
    /// The campaign.
    pub campaign: CampaignId,
    /// The digest of its plan.
    pub plan: Digest,
    /// How many records there are.
    pub records: u64,
    /// The digest of the last record; of the plan where there is none.
    pub last: Digest,
    /// How many checkpoints there are.
    pub checkpoints: u64,
    /// How many files are in `approvals/`.
    pub approvals: u64,
    /// How many files are in `inputs/policies/`; none are there if the texts were not kept.
    pub policies: u64,
}

/// A line of `checkpoints.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckpointLine {
    /// The bytes that were signed.
    pub statement: String,
    /// The signature, as `ssh-keygen -Y sign` writes it.
    pub signature: String,
}

/// Everything there is about a campaign, as bytes that nobody has looked at yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditBundle {
    /// What it is.
    pub manifest: Manifest,
    /// The plan file.
    pub plan: Vec<u8>,
    /// The records, one a line.
    pub journal: Vec<u8>,
    /// The checkpoints, one a line.
    pub checkpoints: Vec<u8>,
    /// Public keys, one a line.
    pub controller: Vec<u8>,
    /// Statements and signatures by name.
    pub approvals: BTreeMap<String, Vec<u8>>,
    /// Texts of policies by name.
    pub policies: BTreeMap<String, Vec<u8>>,
    /// What lies in the folder and is no part of it.
    pub strays: Vec<String>,
}

/// Why there is no bundle to verify, or why none could be written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Reading or writing failed.
    #[error("cannot {what} {}", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A link, a device, or larger than any file of a bundle.
    #[error("{} is {why}", .path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What it is.
        why: String,
    },
    /// The manifest is not one.
    #[error("{} is no manifest of a bundle of format {}: {why}", .path.display(), AUDIT_FORMAT)]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The state folder cannot be read.
    #[error("state folder")]
    Store(#[from] StoreError),
}

impl AuditBundle {
    /// The bundle of a campaign in a state folder, whatever state its journal is in.
    pub fn of_state(dir: &Path, campaign: &CampaignId) -> Result<Self, BundleError> {
        let mut journal = SqliteJournal::open(dir)?;
        // In front of the journal: what a controller signs meanwhile is of records that were not read.
        let proofs = if dir.join(Proofs::FILE).exists() { Some(Proofs::open(dir)?) } else { None };
        let signed = proofs.as_ref().map(|proofs| proofs.checkpoints(campaign)).transpose()?.unwrap_or_default();
        let (canonical, lines) = journal.raw(campaign)?;
        let approvals = approval_files(&journal.approvals(campaign)?);
        let inputs = proofs.as_ref().map(|proofs| proofs.inputs(campaign)).transpose()?.unwrap_or_default();
        let mut controller: Vec<&str> = signed.iter().map(|checkpoint| checkpoint.key.as_str()).collect();
        controller.sort_unstable();
        controller.dedup();
        let policies = inputs.into_iter().filter(|input| input.role == POLICY_ROLE);
        let policies: BTreeMap<String, Vec<u8>> =
            (1..).zip(policies).map(|(n, input)| (file_name(n, &input.name), input.text.into_bytes())).collect();
        let plan = Digest::of(&canonical);
        let manifest = Manifest {
            format: AUDIT_FORMAT.to_owned(),
            campaign: campaign.clone(),
            plan,
            records: count(lines.len()),
            last: lines.last().map_or(plan, |line| Digest::of(line.as_bytes())),
            checkpoints: count(signed.len()),
            approvals: count(approvals.len()),
            policies: count(policies.len()),
        };
        Ok(Self {
            manifest,
            plan: plan_file(&canonical),
            journal: joined(&lines),
            checkpoints: joined(&signed.iter().map(checkpoint_line).collect::<Vec<_>>()),
            controller: joined(&controller),
            approvals,
            policies,
            strays: Vec::new(),
        })
    }

    /// Reads a folder that somebody else wrote: links are not followed, and nothing is larger than it may be.
    pub fn read(dir: &Path) -> Result<Self, BundleError> {
        let path = dir.join(MANIFEST);
        let bytes = read_file(&path, MAX_SMALL)?;
        let refused = |why: String| BundleError::Manifest { path: path.clone(), why };
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|error| refused(printable(&error.to_string(), 200)))?;
        if manifest.format != AUDIT_FORMAT {
            return Err(refused(format!("it has format {:?}", printable(&manifest.format, 60))));
        }
        if bytes != line_of(&manifest) {
            return Err(refused("it was changed: this is not how it is written".to_owned()));
        }
        let mut strays = Vec::new();
        let known = [MANIFEST, PLAN, JOURNAL, CHECKPOINTS, CONTROLLER_PUB, APPROVALS, INPUTS];
        // The folder itself may be named by a link, those in it may not.
        for (folder, known) in [(dir.join("."), &known[..]), (dir.join(INPUTS), &[POLICIES][..])] {
            let names = names(&folder)?;
            strays.extend(names.into_iter().filter(|name| !known.contains(&name.as_str())));
        }
        Ok(Self {
            manifest,
            plan: read_file(&dir.join(PLAN), MAX_PLAN_BYTES)?,
            journal: read_file(&dir.join(JOURNAL), MAX_JOURNAL)?,
            checkpoints: read_file(&dir.join(CHECKPOINTS), MAX_CHECKPOINTS)?,
            controller: read_file(&dir.join(CONTROLLER_PUB), MAX_SMALL)?,
            approvals: read_folder(&dir.join(APPROVALS))?,
            policies: read_folder(&dir.join(INPUTS).join(POLICIES))?,
            strays,
        })
    }

    /// Writes it into a folder that is not there yet, or empty: beside its place first, so that no half is ever found.
    pub fn write(&self, dir: &Path) -> Result<(), BundleError> {
        if !names(dir)?.is_empty() {
            return Err(BundleError::Refused { path: dir.to_owned(), why: "not empty".to_owned() });
        }
        // Without a slash at its end.
        let mut partial = dir.components().collect::<PathBuf>().into_os_string();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let files = self.files();
        let written = fs::create_dir(&partial)
            .map_err(|source| BundleError::Io { what: "make", path: partial.clone(), source })
            .and_then(|()| files.iter().try_for_each(|(name, bytes)| write_file(&partial.join(name), bytes)))
            .and_then(|()| {
                fs::rename(&partial, dir).map_err(|source| BundleError::Io {
                    what: "write",
                    path: dir.to_owned(),
                    source,
                })
            });
        let in_use = matches!(&written, Err(BundleError::Io { what: "make", .. }));
        if written.is_err() && !in_use {
            // What cannot be removed is called `.partial`.
            let _ = fs::remove_dir_all(&partial);
        }
        written
    }

    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let single = [
            (MANIFEST, line_of(&self.manifest)),
            (PLAN, self.plan.clone()),
            (JOURNAL, self.journal.clone()),
            (CHECKPOINTS, self.checkpoints.clone()),
            (CONTROLLER_PUB, self.controller.clone()),
        ];
        let in_folder = |folder: PathBuf, files: &BTreeMap<String, Vec<u8>>| {
            files.iter().map(|(name, bytes)| (folder.join(name), bytes.clone())).collect::<Vec<_>>()
        };
        let single = single.into_iter().map(|(name, bytes)| (PathBuf::from(name), bytes));
        let approvals = in_folder(PathBuf::from(APPROVALS), &self.approvals);
        let policies = in_folder(Path::new(INPUTS).join(POLICIES), &self.policies);
        single.chain(approvals).chain(policies).collect()
    }
}

fn checkpoint_line(checkpoint: &SignedCheckpoint) -> String {
    let SignedCheckpoint { statement, signature, .. } = checkpoint.clone();
    // Two strings: writing them cannot fail.
    serde_json::to_string(&CheckpointLine { statement, signature }).unwrap_or_default()
}

fn line_of(manifest: &Manifest) -> Vec<u8> {
    // Strings and numbers: writing them cannot fail.
    let mut bytes = serde_json::to_vec(manifest).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn joined(lines: &[impl AsRef<str>]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_ref(), "\n"]).collect::<String>().into_bytes()
}

pub(super) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Each statement as it was signed, its signature beside it as `ssh-keygen` names it.
fn approval_files(signed: &[SignedText]) -> BTreeMap<String, Vec<u8>> {
    let files = (1..).zip(signed).flat_map(|(number, SignedText { text, signature })| {
        let name = format!("{number:03}-{}.json", Digest::of(text.as_bytes()).short());
        [(format!("{name}.sig"), signature.clone().into_bytes()), (name, text.clone().into_bytes())]
    });
    files.collect()
}

/// `003-policies_web.yaml`: a name that is safe everywhere, tells where the file was, and keeps the order.
fn file_name(number: u32, name: &str) -> String {
    const LONGEST: usize = 80;
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' };
    let name: Vec<char> = name.trim_start_matches(['.', '/']).chars().map(safe).collect();
    let end: String = name[name.len().saturating_sub(LONGEST)..].iter().collect();
    format!("{number:03}-{end}")
}

/// The names in a folder, sorted; none where it is absent.
fn names(folder: &Path) -> Result<Vec<String>, BundleError> {
    let io = |source| BundleError::Io { what: "read", path: folder.to_owned(), source };
    match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
        Ok(found) if !found.is_dir() => {
            return Err(BundleError::Refused { path: folder.to_owned(), why: "no folder".to_owned() });
        }
        Ok(_) => {}
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        names.push(entry.map_err(io)?.file_name().to_string_lossy().into_owned());
        if names.len() > MAX_FILES {
            let why = format!("a folder of more than {MAX_FILES} files");
            return Err(BundleError::Refused { path: folder.to_owned(), why });
        }
    }
    names.sort();
    Ok(names)
}

/// The files of a folder in the bundle; none where it is absent.
fn read_folder(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, BundleError> {
    let mut left = MAX_FOLDER;
    let mut files = BTreeMap::new();
    for name in names(folder)? {
        let bytes = read_file(&folder.join(&name), left)?;
        left = left.saturating_sub(count(bytes.len()));
        files.insert(name, bytes);
    }
    Ok(files)
}

fn read_file(path: &Path, max: u64) -> Result<Vec<u8>, BundleError> {
    let io = |source| BundleError::Io { what: "read", path: path.to_owned(), source };
    // A link would lead out of the bundle, and a pipe would never end.
    if !fs::symlink_metadata(path).map_err(io)?.is_file() {
        return Err(BundleError::Refused { path: path.to_owned(), why: "no plain file".to_owned() });
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(io)?.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(io)?;
    if count(bytes.len()) > max {
        let why = format!("larger than {max} bytes");
        return Err(BundleError::Refused { path: path.to_owned(), why });
    }
    Ok(bytes)
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), BundleError> {
    let io = |source| BundleError::Io { what: "write", path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(io)?;
    }
    let mut file = File::create(path).map_err(io)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::engine::{Chain, RecordBody};

    fn bundle() -> AuditBundle {
        let manifest = Manifest {
            format: AUDIT_FORMAT.to_owned(),
            campaign: CampaignId::new("c-1").unwrap(),
            plan: Digest::of(b"plan"),
            records: 0,
            last: Digest::of(b"plan"),
            checkpoints: 0,
            approvals: 1,
            policies: 2,
        };
        let files = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), name.as_bytes().to_vec())).collect();
        AuditBundle {
            manifest,
            plan: b"p".to_vec(),
            journal: Vec::new(),
            checkpoints: Vec::new(),
            controller: b"k\n".to_vec(),
            approvals: files(&["a.json"]),
            policies: files(&["001-a", "002-b"]),
            strays: Vec::new(),
        }
    }

    #[test]
    fn what_is_written_is_read_and_written_the_same_again() {
        let dir = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| dir.path().join(name));
        bundle().write(&one).unwrap();
        let read = AuditBundle::read(&one).unwrap();
        assert_eq!(read, bundle());
        read.write(&two).unwrap();
        assert_eq!(AuditBundle::read(&two).unwrap(), bundle());
        assert!(matches!(bundle().write(&one), Err(BundleError::Refused { .. })), "nothing is written over");
        fs::write(one.join("notes.txt"), "of the auditor").unwrap();
        assert_eq!(AuditBundle::read(&one).unwrap().strays, ["notes.txt"]);
        let left: Vec<String> = names(dir.path()).unwrap();
        assert_eq!(left, ["one", "two"]);
    }

    #[test]
    fn nothing_outside_of_the_folder_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), "secret").unwrap();
        for name in [MANIFEST, PLAN, JOURNAL, CHECKPOINTS, CONTROLLER_PUB, "approvals/a.json", "inputs/policies/001-a"]
        {
            let folder = dir.path().join("bundle");
            bundle().write(&folder).unwrap();
            fs::remove_file(folder.join(name)).unwrap();
            symlink(outside.join("secret"), folder.join(name)).unwrap();
            let error = AuditBundle::read(&folder).unwrap_err();
            assert!(matches!(&error, BundleError::Refused { why, .. } if why == "no plain file"), "{name}: {error}");
            fs::remove_dir_all(&folder).unwrap();
        }
        for name in [APPROVALS, INPUTS, "inputs/policies"] {
            let folder = dir.path().join("bundle");
            bundle().write(&folder).unwrap();
            fs::remove_dir_all(folder.join(name)).unwrap();
            symlink(&outside, folder.join(name)).unwrap();
            let error = AuditBundle::read(&folder).unwrap_err();
            assert!(matches!(&error, BundleError::Refused { why, .. } if why == "no folder"), "{name}: {error}");
            fs::remove_dir_all(&folder).unwrap();
        }
    }

    #[test]
    fn manifests_that_were_touched_or_are_of_another_format_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("bundle");
        bundle().write(&folder).unwrap();
        let good = fs::read(folder.join(MANIFEST)).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(folder.join(MANIFEST), &bad).unwrap();
            // A digest may still be one; it is held against the plan later.
            if let Ok(read) = AuditBundle::read(&folder) {
                assert_ne!(read.manifest, bundle().manifest, "byte {at}");
            }
        }
        for bad in [&b""[..], b"{}", &[b' '; 70_000]] {
            fs::write(folder.join(MANIFEST), bad).unwrap();
            assert!(AuditBundle::read(&folder).is_err());
        }
    }

    #[test]
    fn what_is_written_meanwhile_does_not_look_like_a_cut() {
        let dir = tempfile::tempdir().unwrap();
        let campaign = CampaignId::new("c-1").unwrap();
        let mut journal = SqliteJournal::open(dir.path()).unwrap();
        journal.create(&campaign, b"plan", &[]).unwrap();
        let fence = journal.claim(&campaign, "tester").unwrap();
        let mut proofs = Proofs::open(dir.path()).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut chain = Chain::new(campaign.clone(), Digest::of(b"plan"));
                for wave in 0..100 {
                    let record = chain.push(jiff::Timestamp::UNIX_EPOCH, RecordBody::WaveStarted { wave });
                    journal.append(&campaign, fence, std::slice::from_ref(&record)).unwrap();
                    let (statement, signature, key) = (String::new(), String::new(), String::new());
                    let signed = SignedCheckpoint { seq: record.seq, statement, signature, key };
                    proofs.add_checkpoint(&campaign, &signed).unwrap();
                }
            });
            while !writer.is_finished() {
                let read = AuditBundle::of_state(dir.path(), &campaign).unwrap().manifest;
                assert!(read.checkpoints <= read.records, "{read:?}");
            }
        });
        assert_eq!(AuditBundle::of_state(dir.path(), &campaign).unwrap().manifest.checkpoints, 100);
    }

    #[test]
    fn names_of_files_are_safe() {
        for (name, safe) in [
            ("policies/web.yaml", "007-policies_web.yaml"),
            ("../../etc/passwd", "007-etc_passwd"),
            ("/a\u{1b}b c/ä.yaml", "007-a_b_c__.yaml"),
            ("", "007-"),
        ] {
            assert_eq!(file_name(7, name), safe);
        }
        assert_eq!(file_name(1, &"x".repeat(300)).len(), 84);
    }
}
