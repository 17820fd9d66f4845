//! The ssh transport against a real sshd.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use crate::model::{Host, HostName, TimeSpan};

use super::testing::{Sshd, kill, masters};
use super::{Session, SshLimits, SshTransport, Transport, TransportError};

const LIMIT: TimeSpan = TimeSpan::seconds(20);

fn transport() -> SshTransport {
    SshTransport::new(SshLimits { connect_timeout: TimeSpan::seconds(5), ..SshLimits::default() }).unwrap()
}

pub(super) fn host(sshd: &Sshd) -> Host {
    let mut host = Host::named(HostName::new("web-1").unwrap());
    host.address = Some("127.0.0.1".into());
    host.ssh.port = Some(sshd.port);
    host.ssh.user = Some("root".into());
    host.ssh.identity = Some(sshd.file("user_key").display().to_string());
    host.ssh.host_key = Some(sshd.public_key("host_key.pub"));
    host
}

async fn say(session: &Arc<dyn Session>, script: &str) -> Result<String, TransportError> {
    let output = session.run(script, false, LIMIT).await?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

async fn refusal(transport: &SshTransport, host: &Host) -> TransportError {
    match transport.open(host).await {
        Ok(_) => panic!("a session was opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn commands_run_and_codes_come_back() {
    let Some(sshd) = Sshd::start() else { return };
    let (transport, host) = (transport(), host(&sshd));
    let session = transport.open(&host).await.unwrap();
    for code in [0, 3, 127, 255] {
        let output = session.run(&format!("echo out; echo err >&2; exit {code}"), false, LIMIT).await.unwrap();
        assert_eq!((output.code, &output.stdout[..]), (code, &b"out\n"[..]));
        assert!(String::from_utf8_lossy(&output.stderr).ends_with("err\n"));
    }
    let big = format!("cat >/dev/null <<'X'\n{}\nX\nhead -c 9000000 /dev/zero | wc -c", "y".repeat(300_000));
    assert_eq!(say(&session, &big).await.unwrap(), "9000000");
    let output = session.run("head -c 9000000 /dev/zero; echo; echo end", false, LIMIT).await.unwrap();
    assert!(output.stdout.len() < 5_000_000 && output.stdout.ends_with(b"\nend\n"));
    // More at once than sshd allows on one connection.
    let many: Vec<_> = (0..25)
        .map(|i| {
            let s = Arc::clone(&session);
            tokio::spawn(async move { say(&s, &format!("sleep 0.1; echo {i}")).await })
        })
        .collect();
    for (i, one) in many.into_iter().enumerate() {
        assert_eq!(one.await.unwrap().unwrap(), i.to_string());
    }
    assert_eq!(masters(transport.folder()).len(), 1, "one connection is shared");
    let folder = transport.folder().to_owned();
    drop((session, transport));
    for _ in 0..50 {
        if masters(&folder).is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(masters(&folder).is_empty() && !folder.exists(), "nothing is left behind");
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let Some(mut sshd) = Sshd::start() else { return };
    let (transport, good) = (transport(), host(&sshd));

    let mut wrong_key = good.clone();
    wrong_key.ssh.host_key = Some(sshd.public_key("other_key.pub"));
    let error = refusal(&transport, &wrong_key).await;
    assert!(matches!(error, TransportError::HostKey { .. }), "changed key: {error:?}");

    let mut unknown_key = good.clone();
    unknown_key.ssh.host_key = None;
    unknown_key.ssh.known_hosts = Some(sshd.file("nothing_known").display().to_string());
    let error = refusal(&transport, &unknown_key).await;
    assert!(matches!(error, TransportError::HostKey { .. }), "unknown key: {error:?}");
    assert!(!sshd.file("nothing_known").exists(), "an unknown key is not learned");

    let known = format!("[127.0.0.1]:{} {}\n", sshd.port, sshd.public_key("host_key.pub"));
    std::fs::write(sshd.file("known hosts"), known).unwrap();
    unknown_key.ssh.known_hosts = Some(sshd.file("known hosts").display().to_string());
    assert!(transport.open(&unknown_key).await.is_ok(), "a known_hosts file of the inventory's own");

    let mut wrong_user_key = good.clone();
    wrong_user_key.ssh.identity = Some(sshd.file("other_key").display().to_string());
    let error = refusal(&transport, &wrong_user_key).await;
    assert!(matches!(error, TransportError::Login { .. }), "wrong user key: {error:?}");

    let mut nologin = good.clone();
    nologin.ssh.user = Some("nobody".into());
    match transport.open(&nologin).await {
        // The distribution's nobody has no shell: the login succeeds and its shell refuses.
        Ok(session) => {
            let error = say(&session, "echo x").await.unwrap_err();
            assert!(matches!(error, TransportError::Login { .. }), "no shell: {error:?}");
        }
        Err(error) => assert!(matches!(error, TransportError::Login { .. }), "no shell: {error:?}"),
    }

    sshd.kill();
    let error = refusal(&transport, &{
        let mut h = good.clone();
        h.name = HostName::new("web-2").unwrap();
        h
    })
    .await;
    assert!(matches!(error, TransportError::Connect { .. }), "refused port: {error:?}");
    assert!(error.to_string().contains("refused"), "{error}");

    let mut hostile = good.clone();
    hostile.address = Some("-oProxyCommand=touch /tmp/pwned".into());
    assert!(matches!(refusal(&transport, &hostile).await, TransportError::Connect { .. }));
}

#[tokio::test]
async fn losses_are_told_and_the_next_session_is_new() {
    let Some(mut sshd) = Sshd::start() else { return };
    let (transport, host) = (transport(), host(&sshd));

    // The master is killed in the middle of a command.
    let session = transport.open(&host).await.unwrap();
    let folder = transport.folder().to_owned();
    let killer = async {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        let found = masters(&folder);
        assert_eq!(found.len(), 1);
        found.into_iter().for_each(kill);
    };
    let (answer, ()) = tokio::join!(say(&session, "sleep 5; echo done"), killer);
    assert!(matches!(answer, Err(TransportError::Lost { .. })), "{answer:?}");
    let session = transport.open(&host).await.unwrap();
    assert_eq!(say(&session, "echo again").await.unwrap(), "again");

    // The master is killed between two commands.
    masters(&folder).into_iter().for_each(kill);
    let answer = say(&session, "echo x").await;
    assert!(matches!(answer, Err(TransportError::Connect { .. })), "nothing was sent: {answer:?}");
    assert_eq!(say(&transport.open(&host).await.unwrap(), "echo again").await.unwrap(), "again");

    // The server and all its connections are killed in the middle of a command.
    let session = transport.open(&host).await.unwrap();
    let cut = async {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        sshd.kill();
    };
    let (answer, ()) = tokio::join!(say(&session, "sleep 5; echo done"), cut);
    assert!(matches!(answer, Err(TransportError::Lost { .. })), "{answer:?}");
    assert!(matches!(refusal(&transport, &host).await, TransportError::Connect { .. }));
    sshd.restart();
    assert_eq!(say(&transport.open(&host).await.unwrap(), "echo back").await.unwrap(), "back");

    // A command that takes too long does not cost the connection.
    let session = transport.open(&host).await.unwrap();
    let answer = session.run("sleep 3", false, TimeSpan::seconds(1)).await;
    assert!(matches!(answer, Err(TransportError::Timeout { .. })), "{answer:?}");
    let before = masters(&folder);
    assert_eq!(say(&transport.open(&host).await.unwrap(), "echo still").await.unwrap(), "still");
    assert_eq!(masters(&folder), before);
}

#[tokio::test]
async fn idle_connections_above_the_limit_are_closed() {
    let Some(sshd) = Sshd::start() else { return };
    let transport = SshTransport::new(SshLimits { sessions: 2, ..SshLimits::default() }).unwrap();
    for i in 0..5 {
        let mut host = host(&sshd);
        host.name = HostName::new(&format!("web-{i}")).unwrap();
        assert_eq!(say(&transport.open(&host).await.unwrap(), "echo x").await.unwrap(), "x");
    }
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert!(masters(transport.folder()).len() <= 2);
}

#[tokio::test]
async fn root_is_reached_through_sudo_or_refused_without_running_anything() {
    let Some(sshd) = Sshd::start() else { return };
    let (transport, host) = (transport(), host(&sshd));
    let session = transport.open(&host).await.unwrap();
    let has_sudo = say(&session, "command -v sudo || true").await.unwrap();
    let answer = session.run("id -u", true, LIMIT).await;
    if has_sudo.is_empty() {
        assert!(matches!(answer, Err(TransportError::Login { .. })), "{answer:?}");
    } else {
        assert_eq!(answer.unwrap().stdout, b"0\n");
    }
}
