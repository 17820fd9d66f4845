//! OpenSSH as transport: one shared connection a host, opened again when it has died.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use openssh::{ControlPersist, Error as SshError, KnownHosts, SessionBuilder, Stdio};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use crate::engine::BoxFuture;
use crate::model::{Host, HostName, Ssh, TimeSpan, told};

use super::private_dir::PrivateDir;
use super::ssh_config::SshTarget;
use super::wire::{Answer, Heard, RECEIVER, converse};
use super::{Output, Session, Transport, TransportError};

/// How the transport spares the controller and the hosts.
#[derive(Clone, Copy, Debug)]
pub struct SshLimits {
    /// How many connections may be in the making at once: each costs both sides a key exchange.
    pub connects: usize,
    /// How many connections are kept open; above it those that nobody uses are closed. Each is an ssh process.
    pub sessions: usize,
    /// When a connection attempt is given up.
    pub connect_timeout: TimeSpan,
}

impl Default for SshLimits {
    fn default() -> Self {
        Self { connects: 16, sessions: 256, connect_timeout: TimeSpan::seconds(15) }
    }
}

/// sshd allows ten sessions on a connection unless told otherwise; two are left to spare.
const COMMANDS_PER_SESSION: usize = 8;
/// The longest pause before a connection that takes no more sessions is given up.
const CROWDED_LIMIT: Duration = Duration::from_secs(3);
/// An answering connection is believed to be alive for this long.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// How long a connection that has failed a command may take to prove itself.
const SUSPECT_LIMIT: Duration = Duration::from_secs(5);
/// A dead peer is noticed after three of these.
const ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// A connection that nobody uses goes away by itself, also when this process was killed.
const IDLE_FOR: NonZeroUsize = NonZeroUsize::new(120).unwrap();
/// Login, on top of the connection: slow directories, slow key exchange.
const LOGIN_LIMIT: Duration = Duration::from_secs(45);

type Key = (HostName, String, Ssh);
type Slot = Arc<AsyncMutex<Option<Arc<SshSession>>>>;

/// Opens sessions through the machine's own `ssh`.
pub struct SshTransport {
    limits: SshLimits,
    connects: Semaphore,
    slots: Mutex<BTreeMap<Key, Slot>>,
    // Behind the sessions: they are closed before their folder goes.
    dir: PrivateDir,
}

impl SshTransport {
    /// A transport with no connections yet.
    pub fn new(limits: SshLimits) -> io::Result<Self> {
        Ok(Self {
            limits,
            connects: Semaphore::new(limits.connects.max(1)),
            slots: Mutex::default(),
            dir: PrivateDir::create()?,
        })
    }

    /// Where the control sockets are: the command lines of this transport's ssh processes name it.
    #[cfg(test)]
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.dir.path()
    }

    async fn session(&self, host: &Host) -> Result<Arc<SshSession>, TransportError> {
        let slot = self.slots.lock().unwrap_or_else(PoisonError::into_inner).entry(key(host)).or_default().clone();
        let mut held = slot.lock().await;
        if let Some(session) = held.as_ref() {
            if session.is_alive().await {
                return Ok(Arc::clone(session));
            }
            *held = None;
        }
        let session = Arc::new(self.connect(host).await?);
        *held = Some(Arc::clone(&session));
        drop(held);
        self.close_idle();
        Ok(session)
    }

    async fn connect(&self, host: &Host) -> Result<SshSession, TransportError> {
        let refused = |why: String| TransportError::Connect { host: host.name.to_string(), why };
        let _permit = self.connects.acquire().await.map_err(|e| refused(e.to_string()))?;
        // One folder a connection: two hosts of one name (before and after a restore, say) never share a file.
        let unique = crate::env::random_hex().map_err(|e| refused(e.to_string()))?;
        let files = self.dir.path().join(format!("files-{unique}"));
        let known_hosts_file = files.join("known_hosts");
        let target = SshTarget::of(host, &known_hosts_file).map_err(refused)?;
        let write = || -> io::Result<()> {
            fs::create_dir(&files)?;
            fs::write(files.join("config"), &target.config)?;
            if let Some(text) = &target.known_hosts {
                fs::write(&known_hosts_file, text)?;
            }
            Ok(())
        };
        write().map_err(|e| refused(format!("cannot write {}: {e}", files.display())))?;

        let mut builder = SessionBuilder::default();
        builder
            .known_hosts_check(KnownHosts::Strict)
            .connect_timeout(self.limits.connect_timeout.to_std())
            .server_alive_interval(ALIVE_INTERVAL)
            .control_directory(self.dir.path())
            .control_persist(ControlPersist::IdleFor(IDLE_FOR))
            .config_file(files.join("config"));
        if let Some(user) = target.user {
            builder.user(user);
        }
        if let Some(port) = target.port {
            builder.port(port);
        }
        if let Some(identity) = target.identity {
            builder.keyfile(identity);
        }
        if let Some(jump) = target.jump {
            builder.jump_hosts([jump]);
        }
        let limit = self.limits.connect_timeout.to_std() + LOGIN_LIMIT;
        let opened = tokio::time::timeout(limit, builder.connect_mux(&target.address)).await;
        // ssh has read its files once it is connected.
        let _ = fs::remove_dir_all(&files);
        match opened {
            Ok(Ok(inner)) => Ok(SshSession {
                host: host.name.to_string(),
                inner,
                suspect: AtomicBool::new(false),
                commands: Semaphore::new(COMMANDS_PER_SESSION),
                last_answer: Mutex::new(Instant::now()),
            }),
            Ok(Err(error)) => Err(classify(&host.name, &error)),
            Err(_) => Err(refused(format!("no login within {}s", limit.as_secs()))),
        }
    }

    /// Closes connections that nobody uses, the longest idle first, until no more than the limit are left.
    fn close_idle(&self) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let mut idle = Vec::new();
        let mut open = 0usize;
        for (key, slot) in slots.iter() {
            let Ok(held) = slot.try_lock() else {
                open += 1;
                continue;
            };
            if let Some(session) = held.as_ref() {
                open += 1;
                if Arc::strong_count(session) == 1 {
                    idle.push((session.last_answer(), key.clone()));
                }
            }
        }
        idle.sort();
        for (_, key) in idle.into_iter().take(open.saturating_sub(self.limits.sessions)) {
            slots.remove(&key);
        }
    }
}

fn key(host: &Host) -> Key {
    (host.name.clone(), host.address().to_owned(), host.ssh.clone())
}

impl Transport for SshTransport {
    fn close(&self, host: &Host) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(&key(host));
    }

    fn open<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Arc<dyn Session>, TransportError>> {
        Box::pin(async move {
            let session: Arc<dyn Session> = self.session(host).await?;
            Ok(session)
        })
    }
}

struct SshSession {
    host: String,
    inner: openssh::Session,
    /// A command failed in a way that may be the connection's fault.
    suspect: AtomicBool,
    commands: Semaphore,
    last_answer: Mutex<Instant>,
}

impl SshSession {
    fn last_answer(&self) -> Instant {
        *self.last_answer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn is_alive(&self) -> bool {
        if self.suspect.load(Ordering::Relaxed) {
            // Only a full round trip acquits it: the local end may not have noticed yet.
            let proof = tokio::time::timeout(SUSPECT_LIMIT, self.converse(":", false)).await;
            let alive = matches!(proof, Ok(Ok(_)));
            self.suspect.store(!alive, Ordering::Relaxed);
            return alive;
        }
        self.last_answer().elapsed() < TRUSTED_FOR || self.inner.check().await.is_ok()
    }

    fn suspect(&self, error: TransportError) -> TransportError {
        self.suspect.store(true, Ordering::Relaxed);
        error
    }

    async fn converse(&self, script: &str, root: bool) -> Result<Output, TransportError> {
        let host = || self.host.clone();
        let connect = |why: String| TransportError::Connect { host: host(), why };
        let _slot = self.commands.acquire().await.map_err(|e| connect(e.to_string()))?;
        let nonce = crate::env::random_hex().map_err(|e| connect(e.to_string()))?;
        let mut command = if root { self.inner.command("sudo") } else { self.inner.command("/bin/sh") };
        if root {
            command.args(["-n", "/bin/sh"]);
        }
        command.args(["-c", RECEIVER]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Until here not a byte of the script has left this machine.
        let mut pause = Duration::from_millis(20);
        let mut child = loop {
            match command.spawn().await {
                Ok(child) => break child,
                // sshd counts a session that has just ended for a moment longer than we do.
                Err(error) if is_crowded(&error) && pause < CROWDED_LIMIT => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(error) => return Err(self.suspect(connect(chain(&error)))),
            }
        };
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin().take(), child.stdout().take(), child.stderr().take())
        else {
            return Err(connect("no pipes".to_owned()));
        };
        let Answer { heard, stdout, stderr } = converse(&nonce, script, stdin, stdout, stderr).await;
        match heard {
            Heard::Ended(code) => {
                *self.last_answer.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                Ok(Output { code, stdout, stderr })
            }
            Heard::Begun => Err(self.suspect(TransportError::Lost {
                host: host(),
                why: "the connection ended before the script did".to_owned(),
            })),
            Heard::Nothing => match child.wait().await {
                // The login shell or sudo ended by itself without running the receiver.
                Ok(_) | Err(SshError::Remote(_)) => {
                    let said = String::from_utf8_lossy(if stderr.is_empty() { &stdout } else { &stderr }).into_owned();
                    Err(TransportError::Login { host: host(), why: told(said.trim(), 300) })
                }
                Err(error) => Err(self.suspect(TransportError::Lost { host: host(), why: chain(&error) })),
            },
        }
    }
}

impl Session for SshSession {
    fn run<'a>(
        &'a self,
        script: &'a str,
        root: bool,
        limit: TimeSpan,
    ) -> BoxFuture<'a, Result<Output, TransportError>> {
        Box::pin(async move {
            match tokio::time::timeout(limit.to_std(), self.converse(script, root)).await {
                Ok(answer) => answer,
                Err(_) => Err(self.suspect(TransportError::Timeout { host: self.host.clone(), limit })),
            }
        })
    }
}

/// What a failed connection attempt means. ssh says it in words only; these have been stable for decades.
fn classify(host: &HostName, error: &SshError) -> TransportError {
    let said = chain(error);
    let why = told(&said.split_whitespace().collect::<Vec<_>>().join(" "), 600);
    let host = host.to_string();
    if said.contains("Host key verification failed") || said.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        return TransportError::HostKey { host, why };
    }
    if ["Permission denied (", "Too many authentication failures", "No more authentication methods"]
        .iter()
        .any(|text| said.contains(text))
    {
        return TransportError::Login { host, why };
    }
    TransportError::Connect { host, why }
}

/// The connection is well and takes no further session now.
fn is_crowded(error: &SshError) -> bool {
    matches!(error, SshError::SshMux(_)) && chain(error).contains("Session open refused")
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
