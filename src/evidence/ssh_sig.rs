//! Signatures in the format of `ssh-keygen -Y`, made and checked by OpenSSH's own `ssh-keygen`.
//!
//! It knows agents, key files, hardware keys, certificates and `allowed_signers`, and whoever distrusts this program can
//! check the same files with the same command.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::model::told;
use crate::transport::PrivateDir;

/// An Ed25519 signature has 300 bytes, one by RSA 16384 some 4 KiB, one by a certificate somewhat more.
const MAX_SIGNATURE: usize = 32 << 10;

/// What `ssh-keygen` prints is a line or two; a list of principals may be longer.
const MAX_OUTPUT: u64 = 64 << 10;

/// Checking takes milliseconds; an agent may be far away.
const LIMIT: Duration = Duration::from_secs(30);

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// An armoured signature, as `ssh-keygen -Y sign` writes it. That it has this form says nothing of whose it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signature(String);

impl Signature {
    /// Takes the text of a signature file.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        let text = text.trim();
        let body = text.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '\n' | '\r');
        match body {
            Some(body) if text.len() <= MAX_SIGNATURE && body.chars().all(plain) => Ok(Self(format!("{text}\n"))),
            _ => Err(SignatureError::Form),
        }
    }

    /// The text of its file.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Signature {
    type Error = SignatureError;
    fn try_from(text: String) -> Result<Self, SignatureError> {
        Self::parse(&text)
    }
}

impl From<Signature> for String {
    fn from(signature: Signature) -> Self {
        signature.0
    }
}

/// Why there is no signature, or none that counts.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// Not an armoured signature.
    #[error("this is no signature of ssh-keygen")]
    Form,
    /// `ssh-keygen` said no.
    #[error("{0}")]
    Refused(String),
    /// It was not done in time, such as by an agent that does not answer.
    #[error("ssh-keygen did not end within {} seconds and was killed", LIMIT.as_secs())]
    Timeout,
    /// It could not be run at all.
    #[error("cannot run ssh-keygen: {0}")]
    NotRun(io::Error),
    /// What it needs could not be read or written.
    #[error("a file cannot be read or written: {0}")]
    Io(#[from] io::Error),
}

/// Whom a key may ask for a passphrase, a PIN or a touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// The person at the terminal, for as long as they take.
    Terminal,
    /// Nobody; it ends within a time.
    Nobody,
}

/// Where the key to sign with is.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// A private key, or a public one whose other half an agent has.
    pub file: PathBuf,
    /// Socket of the agent; the one of the environment if there is none.
    pub agent: Option<PathBuf>,
}

impl SigningKey {
    /// A key file, with the agent of the environment.
    pub fn file(file: &Path) -> Self {
        Self { file: file.to_owned(), agent: None }
    }
}

/// Signs a message. The namespace keeps signatures of one use from being taken for another.
pub fn sign(key: &SigningKey, namespace: &str, message: &[u8], asking: Asking) -> Result<Signature, SignatureError> {
    let dir = PrivateDir::create()?;
    // A file and not standard input: with that, ssh-keygen would not ask at the terminal.
    let file = dir.path().join("message");
    fs::write(&file, message)?;
    let mut command = keygen("sign");
    command.arg("-f").arg(&key.file).args(["-n", namespace]).arg(&file);
    if let Some(agent) = &key.agent {
        command.env("SSH_AUTH_SOCK", agent);
    }
    match asking {
        Asking::Terminal => {
            let status = command.status().map_err(SignatureError::NotRun)?;
            if !status.success() {
                return Err(SignatureError::Refused("ssh-keygen did not sign".to_owned()));
            }
        }
        Asking::Nobody => {
            command.stdin(Stdio::null()).env("SSH_ASKPASS_REQUIRE", "never");
            finish(command, dir.path())?;
        }
    }
    Signature::parse(&read_bounded(&file.with_extension("sig"), MAX_SIGNATURE as u64)?)
}

/// Checks that `principal` may sign in this namespace at this time and did sign this message. Gives the fingerprint of
/// the key that did.
///
/// Times in `allowed_signers` without a `Z` are read as UTC, so that a signature is as good on every machine.
pub fn verify(
    allowed_signers: &Path,
    principal: &str,
    namespace: &str,
    message: &[u8],
    signature: &Signature,
    at: Timestamp,
) -> Result<String, SignatureError> {
    let dir = PrivateDir::create()?;
    let mut command = keygen("verify");
    command.arg("-f").arg(allowed_signers).args(["-I", principal, "-n", namespace]);
    command.arg(verify_time(at)).stdin(message_file(dir.path(), message)?);
    signature_argument(&mut command, dir.path(), signature)?;
    fingerprint_in(&finish(command, dir.path())?)
}

/// Checks that the holder of some key signed this message, whoever that is. Gives the fingerprint of the key.
pub fn verify_unnamed(namespace: &str, message: &[u8], signature: &Signature) -> Result<String, SignatureError> {
    let dir = PrivateDir::create()?;
    let mut command = keygen("check-novalidate");
    command.args(["-n", namespace]).stdin(message_file(dir.path(), message)?);
    signature_argument(&mut command, dir.path(), signature)?;
    fingerprint_in(&finish(command, dir.path())?)
}

/// The public half of a key file as one line of text: `TYPE BASE64 [COMMENT]`.
pub fn public_key(file: &Path) -> Result<String, SignatureError> {
    let beside = PathBuf::from(format!("{}.pub", file.display()));
    let public = if file.extension().is_some_and(|e| e == "pub") { file } else { &beside };
    if let Ok(text) = read_bounded(public, MAX_OUTPUT)
        && let Some(line) = text.lines().find(|line| !line.trim().is_empty())
    {
        return Ok(line.trim().to_owned());
    }
    let dir = PrivateDir::create()?;
    let mut command = Command::new("ssh-keygen");
    command.arg("-y").arg("-f").arg(file).stdin(Stdio::null()).env("SSH_ASKPASS_REQUIRE", "never");
    Ok(finish(command, dir.path())?.trim().to_owned())
}

fn keygen(what: &str) -> Command {
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", what]).env("LC_ALL", "C").env("TZ", "UTC");
    command
}

fn verify_time(at: Timestamp) -> String {
    at.strftime("-Overify-time=%Y%m%d%H%M%S").to_string()
}

fn message_file(dir: &Path, message: &[u8]) -> io::Result<File> {
    let file = dir.join("message");
    fs::write(&file, message)?;
    File::open(file)
}

fn signature_argument(command: &mut Command, dir: &Path, signature: &Signature) -> io::Result<()> {
    let file = dir.join("signature");
    fs::write(&file, signature.as_str())?;
    command.arg("-s").arg(file);
    Ok(())
}

/// Runs it to its end within the limit, in a process group of its own; what it printed.
fn finish(mut command: Command, dir: &Path) -> Result<String, SignatureError> {
    let (out, err) = (dir.join("out"), dir.join("err"));
    command.stdout(File::create(&out)?).stderr(File::create(&err)?).process_group(0);
    let status = wait(&mut command.spawn().map_err(SignatureError::NotRun)?)?;
    let said = read_bounded(&out, MAX_OUTPUT)?;
    if status.success() {
        return Ok(said);
    }
    let complaint = read_bounded(&err, MAX_OUTPUT)? + &said;
    let complaint: Vec<&str> = complaint.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Err(SignatureError::Refused(told(&complaint.join("; "), 300)))
}

fn wait(child: &mut Child) -> Result<ExitStatus, SignatureError> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if started.elapsed() > LIMIT {
            let _ = child.kill();
            let _ = child.wait();
            return Err(SignatureError::Timeout);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

fn read_bounded(file: &Path, max: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(file)?.take(max).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn fingerprint_in(said: &str) -> Result<String, SignatureError> {
    let word = said.split_whitespace().rev().find(|word| word.starts_with("SHA256:"));
    word.map(str::to_owned).ok_or_else(|| SignatureError::Refused("ssh-keygen named no key".to_owned()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const NAMESPACE: &str = "switchback-test";

    struct Keys {
        dir: tempfile::TempDir,
        allowed: PathBuf,
    }

    fn new_key(dir: &Path, name: &str, passphrase: &str) -> PathBuf {
        let file = dir.join(name);
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", passphrase, "-C", name, "-f"])
            .arg(&file)
            .status()
            .unwrap();
        assert!(made.success());
        file
    }

    fn keys(options: &str) -> Keys {
        let dir = tempfile::tempdir().unwrap();
        let alice = public_key(&new_key(dir.path(), "alice", "")).unwrap();
        let bob = public_key(&new_key(dir.path(), "bob", "")).unwrap();
        new_key(dir.path(), "mallory", "");
        let allowed = dir.path().join("allowed");
        fs::write(&allowed, format!("alice@example.com {options}{alice}\nbob@example.com {bob}\n")).unwrap();
        Keys { dir, allowed }
    }

    impl Keys {
        fn key(&self, name: &str) -> SigningKey {
            SigningKey::file(&self.dir.path().join(name))
        }

        fn sign(&self, name: &str, message: &[u8]) -> Signature {
            sign(&self.key(name), NAMESPACE, message, Asking::Nobody).unwrap()
        }

        fn verify(&self, principal: &str, message: &[u8], signature: &Signature) -> Result<String, SignatureError> {
            verify(&self.allowed, principal, NAMESPACE, message, signature, at("2026-11-26T12:00:00Z"))
        }
    }

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    #[test]
    fn a_signature_counts_for_its_principal_and_message_only() {
        let keys = keys("");
        let signature = keys.sign("alice", b"message");
        let print = keys.verify("alice@example.com", b"message", &signature).unwrap();
        let listed = Command::new("ssh-keygen").args(["-l", "-f"]).arg(keys.dir.path().join("alice")).output().unwrap();
        assert_eq!(print, fingerprint_in(&String::from_utf8(listed.stdout).unwrap()).unwrap());
        assert_eq!(print, verify_unnamed(NAMESPACE, b"message", &signature).unwrap());
        assert!(keys.verify("bob@example.com", b"message", &signature).is_err());
        assert!(keys.verify("alice@example.com", b"messagf", &signature).is_err());
        assert!(verify_unnamed("other", b"message", &signature).is_err());
        let forged = keys.sign("mallory", b"message");
        let error = keys.verify("alice@example.com", b"message", &forged).unwrap_err();
        assert!(matches!(&error, SignatureError::Refused(why) if !why.is_empty()), "{error}");
    }

    #[test]
    fn a_key_counts_in_its_time_and_namespace() {
        let keys = keys("valid-before=\"20261126\",namespaces=\"switchback-*\" ");
        let signature = keys.sign("alice", b"m");
        let then = |time| verify(&keys.allowed, "alice@example.com", NAMESPACE, b"m", &signature, at(time));
        assert!(then("2026-11-25T23:59:59Z").is_ok());
        assert!(then("2026-11-26T00:00:01Z").is_err());
        let other = sign(&keys.key("alice"), "git", b"m", Asking::Nobody).unwrap();
        let now = at("2026-11-25T00:00:00Z");
        assert!(verify(&keys.allowed, "alice@example.com", "git", b"m", &other, now).is_err());
    }

    #[test]
    fn an_agent_signs_and_a_passphrase_that_nobody_can_be_asked_for_does_not() {
        let keys = keys("");
        let locked = new_key(keys.dir.path(), "locked", "secret phrase");
        let refused = sign(&SigningKey::file(&locked), NAMESPACE, b"m", Asking::Nobody);
        assert!(matches!(refused, Err(SignatureError::Refused(_))), "{refused:?}");

        let socket = keys.dir.path().join("agent");
        let mut agent =
            Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        let started = Instant::now();
        while !socket.exists() && started.elapsed() < LIMIT {
            std::thread::sleep(Duration::from_millis(10));
        }
        let added =
            Command::new("ssh-add").env("SSH_AUTH_SOCK", &socket).arg("-q").arg(keys.dir.path().join("bob")).status();
        // Only the agent has it now.
        fs::remove_file(keys.dir.path().join("bob")).unwrap();
        let key = SigningKey { file: keys.dir.path().join("bob.pub"), agent: Some(socket) };
        let signed = sign(&key, NAMESPACE, b"m", Asking::Nobody);
        agent.kill().unwrap();
        agent.wait().unwrap();
        assert!(added.unwrap().success());
        keys.verify("bob@example.com", b"m", &signed.unwrap()).unwrap();
        assert!(sign(&key, NAMESPACE, b"m", Asking::Nobody).is_err(), "the agent is gone");
    }

    #[test]
    fn what_is_no_signature_never_reaches_a_file() {
        let keys = keys("");
        let good = keys.sign("alice", b"m");
        assert_eq!(Signature::parse(good.as_str()).unwrap(), good);
        let cut = &good.as_str()[..good.as_str().len() - 3];
        let long = format!("{BEGIN}\n{}\n{END}", "A".repeat(MAX_SIGNATURE));
        for bad in ["", "x", cut, &long, &good.as_str().replace('\n', "\u{1b}")] {
            assert!(matches!(Signature::parse(bad), Err(SignatureError::Form)), "{bad:?}");
        }
        let nonsense = Signature::parse(&format!("{BEGIN}\nAAAA\n{END}")).unwrap();
        assert!(keys.verify("alice@example.com", b"m", &nonsense).is_err());
    }
}
