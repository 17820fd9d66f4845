//! What holds for every switch, tried against each kind.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

pub(super) mod dns;
mod haproxy;
mod http;

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use crate::model::{Host, HostName, SwitchSettings, TimeSpan};
use crate::transport::{LocalTransport, Transport, testing};

use super::{Endpoint, Switch, SwitchError, TrafficState, for_host};

const IDLE_WITHIN: TimeSpan = TimeSpan::seconds(20);

/// A switch of one kind and what there is behind it.
struct Subject {
    host: Host,
    transport: Arc<dyn Transport>,
    /// Where the host's traffic goes, where it could go, and where it cannot.
    at: Endpoint,
    elsewhere: Endpoint,
    nowhere: Endpoint,
    /// Kept as long as it is tried.
    _world: Box<dyn Any>,
}

type Kind = (&'static str, fn() -> Option<Subject>);

/// Every kind; one that cannot run here says so itself.
const KINDS: &[Kind] = &[
    ("command", command),
    ("haproxy on this machine", haproxy::here),
    ("haproxy on a balancer", haproxy::on_a_balancer),
    ("dns", dns::named),
];

#[tokio::test]
async fn every_kind_keeps_the_contract() {
    for (kind, subject) in KINDS {
        let Some(subject) = subject() else { continue };
        let switch = for_host(&subject.host, &subject.transport).unwrap_or_else(|| panic!("{kind} has no switch"));
        assert!(subject.host.switch.as_ref().unwrap().moves(), "{kind}");
        if let Err(error) = keeps_the_contract(&subject, &*switch).await {
            panic!("{kind}: {error}");
        }
    }
}

async fn keeps_the_contract(subject: &Subject, switch: &dyn Switch) -> Result<(), SwitchError> {
    let Subject { host, at, elsewhere, nowhere, .. } = subject;
    let is_in = async || Ok::<_, SwitchError>(switch.status(host).await? == TrafficState::InService);
    assert!(is_in().await?);
    for _ in 0..2 {
        switch.drain(host, IDLE_WITHIN).await?;
        assert!(matches!(switch.status(host).await?, TrafficState::Drained { running: None | Some(0) }));
    }
    for _ in 0..2 {
        switch.undrain(host).await?;
        assert!(is_in().await?);
    }
    assert_eq!(switch.endpoint(host).await?, *at);
    for to in [elsewhere, elsewhere, at, at] {
        switch.switch(host, to).await?;
        assert_eq!((switch.endpoint(host).await?, is_in().await?), (to.clone(), true));
    }
    assert!(switch.switch(host, nowhere).await.is_err());
    assert_eq!((switch.endpoint(host).await?, is_in().await?), (at.clone(), true), "a refusal changes nothing");

    // The clone serves, is taken out, and the original comes back: the order of a switchover.
    switch.switch(host, elsewhere).await?;
    switch.drain(host, IDLE_WITHIN).await?;
    assert_eq!((switch.endpoint(host).await?, is_in().await?), (elsewhere.clone(), false));
    switch.undrain(host).await?;
    assert_eq!((switch.endpoint(host).await?, is_in().await?), (elsewhere.clone(), true), "wherever its traffic goes");
    switch.drain(host, IDLE_WITHIN).await?;
    switch.switch(host, at).await?;
    assert_eq!((switch.endpoint(host).await?, is_in().await?), (at.clone(), true));
    Ok(())
}

pub(super) fn host(switch: SwitchSettings) -> Host {
    let mut host = Host::named(HostName::new("web-1").unwrap());
    host.address = Some("10.0.0.1".to_owned());
    host.switch = Some(switch);
    host
}

fn endpoint(text: &str) -> Endpoint {
    Endpoint(text.to_owned())
}

fn command() -> Option<Subject> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("state"), "in").unwrap();
    std::fs::write(dir.path().join("to"), "10.0.0.1:80").unwrap();
    let path = dir.path().display().to_string();
    let sh = |script: &str, word: &str| ["/bin/sh", "-c", script, "sh", &path, word].map(str::to_owned).to_vec();
    let switch = SwitchSettings::Command {
        drain: sh("echo out 0 >$1/state", ""),
        undrain: sh("echo in >$1/state", ""),
        endpoint: Some(sh("cat $1/to", "")),
        switch: Some(sh("case $2 in *:*) echo $2 >$1/to; echo in >$1/state;; *) exit 1; esac", "{to}")),
        status: Some(sh("cat $1/state", "")),
        timeout: None,
    };
    Some(Subject {
        host: host(switch),
        transport: Arc::new(LocalTransport),
        at: endpoint("10.0.0.1:80"),
        elsewhere: endpoint("10.0.0.9:80"),
        nowhere: endpoint("--all"),
        _world: Box::new(dir),
    })
}

/// A program, also where only root looks; where the real things must be tried, one that is missing fails the test.
fn program(name: &str) -> Option<PathBuf> {
    let path = crate::env::var("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
    dirs.push("/usr/sbin".into());
    let found = dirs.into_iter().map(|dir| dir.join(name)).find(|file| file.exists());
    if found.is_none() {
        assert_ne!(crate::env::var("SWITCHBACK_FLEET").as_deref(), Some("required"), "{name} is not installed");
        testing::skip(&format!("{name} is not installed"));
    }
    found
}
