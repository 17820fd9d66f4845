//! A real HAProxy with real servers behind it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::{Become, Ssh, SwitchSettings, TimeSpan, Via};
use crate::switch::{Endpoint, Haproxy, Switch as _, TrafficState};
use crate::transport::testing::Sshd;
use crate::transport::{LocalTransport, SshLimits, SshTransport};

use super::http::{Client, Load, SLOW, Server};
use super::{IDLE_WITHIN, Subject, endpoint, host, program};

/// Long enough that every server of a backend gets requests from every client.
const LOOK: Duration = Duration::from_millis(400);

/// HAProxy before the servers `a` and `c`; `b` is where traffic can be sent.
struct World {
    child: Child,
    dir: tempfile::TempDir,
    a: Server,
    b: Server,
    c: Server,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl World {
    fn start(backends: &str) -> Option<Self> {
        let haproxy = program("haproxy")?;
        let dir = tempfile::Builder::new().prefix("sb-haproxy").tempdir_in("/tmp").unwrap();
        let start = |letter, at: &str| Server::start(letter, at);
        let (a, c) = (start(b'a', "127.0.0.1:0").unwrap(), start(b'c', "127.0.0.1:0").unwrap());
        // Another family, where the machine has it.
        let b = start(b'b', "[::1]:0").or_else(|| start(b'b', "127.0.0.1:0")).unwrap();
        let mut config = format!(
            "global\n  stats socket {}/admin.sock mode 600 level admin\n  nbthread 2\ndefaults\n  mode http\n  \
             timeout connect 2s\n  timeout client 30s\n  timeout server 30s\n",
            dir.path().display()
        );
        for backend in backends.split("backend ").filter(|text| !text.trim().is_empty()) {
            let name = backend.split_whitespace().next().unwrap();
            let front = dir.path().join(name).display().to_string();
            config.push_str(&format!("frontend f-{name}\n  bind unix@{front}\n  default_backend {name}\n"));
            let servers = backend.replace("{a}", &a.address.to_string()).replace("{c}", &c.address.to_string());
            config.push_str(&format!("backend {servers}\n"));
        }
        let file = dir.path().join("haproxy.cfg");
        std::fs::write(&file, &config).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let child =
            Command::new(haproxy).args(["-db", "-f"]).arg(file).stdin(Stdio::null()).stderr(log).spawn().unwrap();
        let world = Self { child, dir, a, b, c };
        let until = Instant::now() + Duration::from_secs(20);
        while std::os::unix::net::UnixStream::connect(world.file("admin.sock")).is_err() {
            assert!(Instant::now() < until, "{}", std::fs::read_to_string(world.file("log")).unwrap());
            std::thread::sleep(Duration::from_millis(30));
        }
        Some(world)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn switch(&self, backend: &str) -> Haproxy {
        Haproxy::new(self.file("admin.sock").to_str().unwrap(), backend, "web-1")
    }

    /// Requests that each server got while we looked.
    async fn look(&self) -> [u64; 3] {
        let now = || [&self.a, &self.b, &self.c].map(Server::requests);
        let before = now();
        tokio::time::sleep(LOOK).await;
        let after = now();
        [after[0] - before[0], after[1] - before[1], after[2] - before[2]]
    }
}

const SHOP: &str = "backend shop\n  option http-server-close\n  server web-1 {a}\n  server web-2 {c}\n";

fn subject(
    via: Option<Via>,
    transport: Arc<dyn crate::transport::Transport>,
    more: Box<dyn std::any::Any>,
) -> Option<Subject> {
    let world = World::start(SHOP)?;
    let switch = SwitchSettings::Haproxy {
        socket: world.file("admin.sock").display().to_string(),
        backend: "shop".to_owned(),
        server: "web-1".to_owned(),
        via,
    };
    Some(Subject {
        host: host(switch),
        transport,
        at: Endpoint(world.a.address.to_string()),
        elsewhere: Endpoint(world.b.address.to_string()),
        nowhere: endpoint("shop.example.com:80"),
        _world: Box::new((world, more)),
    })
}

pub(super) fn here() -> Option<Subject> {
    subject(None, Arc::new(LocalTransport), Box::new(()))
}

pub(super) fn on_a_balancer() -> Option<Subject> {
    let sshd = Sshd::start()?;
    let ssh = Ssh {
        user: Some("root".to_owned()),
        port: Some(sshd.port),
        identity: Some(sshd.file("user_key").display().to_string()),
        host_key: Some(sshd.public_key("host_key.pub")),
        ..Ssh::default()
    };
    let via = Via { address: "127.0.0.1".to_owned(), ssh, becomes: Become::None };
    let transport = SshTransport::new(SshLimits::default()).unwrap();
    subject(Some(via), Arc::new(transport), Box::new(sshd))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_a_host_is_drained_switched_and_switched_back() {
    let solo = "backend solo\n  option http-server-close\n  server web-1 {a}\n";
    let Some(world) = World::start(&format!("{SHOP}{solo}")) else { return };
    let host = host(SwitchSettings::Simulated);
    let (at, elsewhere) = (Endpoint(world.a.address.to_string()), Endpoint(world.b.address.to_string()));

    // One of two servers.
    let switch = world.switch("shop");
    let load = Load::start(&world.file("shop"), 8);
    let [a, b, c] = world.look().await;
    assert!(a > 20 && b == 0 && c > 20, "both serve: {a} {b} {c}");
    switch.drain(&host, IDLE_WITHIN).await.unwrap();
    let [a, b, c] = world.look().await;
    assert!(a == 0 && b == 0 && c > 20, "nothing comes to a drained server: {a} {b} {c}");
    switch.undrain(&host).await.unwrap();
    let [a, _, c] = world.look().await;
    assert!(a > 20 && c > 20, "it is back: {a} {c}");
    switch.switch(&host, &elsewhere).await.unwrap();
    tokio::time::sleep(SLOW).await;
    let [a, b, c] = world.look().await;
    assert!(a == 0 && b > 20 && c > 20, "what came to one comes to the other: {a} {b} {c}");
    switch.switch(&host, &at).await.unwrap();
    tokio::time::sleep(SLOW).await;
    let [a, b, c] = world.look().await;
    assert!(a > 20 && b == 0 && c > 20, "and back: {a} {b} {c}");
    let (done, failed) = load.stop();
    assert!(done > 500, "only {done} requests were made");
    assert_eq!(failed, Vec::<String>::new(), "of {done}");

    // The only server: it is not drained, its requests change their way in one moment.
    let switch = world.switch("solo");
    let load = Load::start(&world.file("solo"), 8);
    for (to, rest, goes) in [(&elsewhere, 0, 1), (&at, 1, 0)] {
        tokio::time::sleep(LOOK).await;
        assert_eq!(switch.endpoint(&host).await.unwrap(), if goes == 1 { at.clone() } else { elsewhere.clone() });
        switch.switch(&host, to).await.unwrap();
        tokio::time::sleep(SLOW).await;
        let seen = world.look().await;
        assert!(seen[rest] == 0 && seen[goes] > 20 && seen[2] == 0, "{seen:?}");
    }
    let (done, failed) = load.stop();
    assert!(done > 300, "only {done} requests were made");
    assert_eq!(failed, Vec::<String>::new(), "of {done}");
}

#[tokio::test]
async fn what_cannot_be_moved_is_known_before_it_is_tried() {
    let backends = "backend named\n  option http-server-close\n  server web-1 localhost:80\n\
                    backend kept\n  server web-1 {a}\nbackend local\n  server web-1 unix@/run/none.sock\n";
    let Some(world) = World::start(backends) else { return };
    let host = host(SwitchSettings::Simulated);
    let error = world.switch("named").endpoint(&host).await.unwrap_err().to_string();
    assert!(error.contains("is named localhost in haproxy.cfg"), "{error}");
    let error = world.switch("local").endpoint(&host).await.unwrap_err().to_string();
    assert!(error.contains("no address"), "{error}");
    let to = Endpoint(world.b.address.to_string());
    let error = world.switch("local").switch(&host, &to).await.unwrap_err().to_string();
    assert!(error.contains("no address"), "{error}");

    let switch = world.switch("kept");
    assert_eq!(switch.endpoint(&host).await.unwrap(), Endpoint(world.a.address.to_string()));
    let mut client = Client::new(&world.file("kept"), true);
    client.get("/", "").unwrap();
    let error = switch.endpoint(&host).await.unwrap_err().to_string();
    assert!(error.contains("option http-server-close"), "{error}");

    // What the refusal is about: a connection that is busy at that moment goes on to the old address.
    let slow = std::thread::spawn(move || (client.get("/slow", ""), client.get("/", "")));
    tokio::time::sleep(SLOW / 2).await;
    switch.switch(&host, &to).await.unwrap();
    assert_eq!(slow.join().unwrap(), (Ok(b'a'), Ok(b'a')));
    assert_eq!(Client::new(&world.file("kept"), true).get("/", ""), Ok(b'b'), "new ones do not");
}

#[tokio::test]
async fn a_drained_server_that_still_gets_requests_is_not_idle() {
    let sticky = "backend sticky\n  option http-server-close\n  cookie S insert\n  server web-1 {a} cookie a\n  \
                  server web-2 {c} cookie c\n";
    let Some(world) = World::start(sticky) else { return };
    let (host, switch) = (host(SwitchSettings::Simulated), world.switch("sticky"));
    let mut client = Client::new(&world.file("sticky"), true);
    let stays = std::thread::spawn(move || {
        let until = Instant::now() + Duration::from_secs(4);
        while Instant::now() < until {
            assert_eq!(client.get("/", "Cookie: S=a\r\n"), Ok(b'a'));
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let error = switch.drain(&host, TimeSpan::seconds(2)).await.unwrap_err().to_string();
    assert!(error.contains("not idle after 2s") && error.contains("requests still come"), "{error}");
    assert!(matches!(switch.status(&host).await.unwrap(), TrafficState::Drained { .. }), "it stays drained");
    stays.join().unwrap();
    switch.drain(&host, IDLE_WITHIN).await.unwrap();
}

#[tokio::test]
async fn a_host_is_back_when_it_passes_its_checks() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let checked = format!(
        "backend checked\n  server web-1 127.0.0.1:{port} check inter 100ms rise 2 fall 1\n  server web-2 {{c}}\n"
    );
    let Some(world) = World::start(&checked) else { return };
    let (host, switch) = (host(SwitchSettings::Simulated), world.switch("checked"));
    switch.drain(&host, IDLE_WITHIN).await.unwrap();
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        Server::start(b'a', &format!("127.0.0.1:{port}")).unwrap()
    });
    let begun = Instant::now();
    switch.undrain(&host).await.unwrap();
    assert!(begun.elapsed() > Duration::from_millis(900), "it was waited for");
    let mut client = Client::new(&world.file("checked"), false);
    let answers: std::collections::BTreeSet<u8> = (0..4).map(|_| client.get("/", "").unwrap()).collect();
    assert_eq!(answers, [b'a', b'c'].into());
    late.join().unwrap();
}
