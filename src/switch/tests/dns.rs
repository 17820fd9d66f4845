//! A real name server with a zone of its own on the loopback.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::{DnsSwitch, Host, HostName, SecretSource, SwitchSettings, TimeSpan, TsigAlgorithm};
use crate::switch::{Dns, Endpoint, Switch as _, TrafficState};
use crate::transport::LocalTransport;

use super::{Subject, endpoint, host, program};

const SECRET: &str = "c3dpdGNoYmFjayBzd2l0Y2hiYWNrIHN3aXRjaGJhY2s=";
const LONG: TimeSpan = TimeSpan::seconds(30);

/// `named` with the zone `example.test`; killed when dropped.
pub(in crate::switch) struct Named {
    child: Child,
    dir: tempfile::TempDir,
    port: u16,
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Named {
    pub(in crate::switch) fn start() -> Option<Self> {
        let named = program("named")?;
        let dir = tempfile::Builder::new().prefix("sb-named").tempdir_in("/tmp").unwrap();
        let path = dir.path().display();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let key = |name: &str, algorithm: &str| {
            format!("key \"{name}\" {{ algorithm {algorithm}; secret \"{SECRET}\"; }};\n")
        };
        let keys = key("switchback", "hmac-sha256") + &key("longer", "hmac-sha512") + &key("reader", "hmac-sha256");
        let grant = |key: &str| {
            format!(
                "grant {key} name shop.example.test A AAAA; grant {key} name slow.example.test A; \
                 grant {key} name _switchback.shop.example.test TXT;"
            )
        };
        let config = format!(
            "options {{ directory \"{path}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; \
             pid-file none; session-keyfile none; recursion no; notify no; dnssec-validation no; \
             allow-transfer {{ none; }}; allow-query {{ localhost; }}; }};\ncontrols {{ }};\n{keys}\
             zone \"example.test\" {{ type primary; file \"zone\"; update-policy {{ {} {} }}; }};\n",
            grant("switchback"),
            grant("longer"),
        );
        let zone = "$ORIGIN example.test.\n$TTL 1\n@ SOA ns hostmaster 1 3600 600 86400 1\n@ NS ns\nns A 127.0.0.1\n\
                    shop A 10.0.0.1\nshop A 10.0.0.2\nshop AAAA 2001:db8::1\nshop AAAA 2001:db8::2\n\
                    slow 600 A 10.0.0.1\nslow 600 A 10.0.0.2\nalias CNAME shop\nonly A 10.0.0.1\n";
        std::fs::write(dir.path().join("named.conf"), config).unwrap();
        std::fs::write(dir.path().join("zone"), zone).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new(named)
            .args(["-g", "-n", "1", "-X", "none", "-c"])
            .arg(dir.path().join("named.conf"))
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let named = Self { child, dir, port };
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = std::fs::read_to_string(named.dir.path().join("log")).unwrap();
            assert!(Instant::now() < until && !log.contains("exiting"), "{log}");
            std::thread::sleep(Duration::from_millis(30));
        }
        Some(named)
    }

    pub(in crate::switch) fn settings(&self) -> DnsSwitch {
        let file = self.dir.path().join("secret");
        std::fs::write(&file, format!("{SECRET}\n")).unwrap();
        DnsSwitch {
            server: format!("127.0.0.1:{}", self.port),
            zone: "example.test".to_owned(),
            name: "shop.example.test".to_owned(),
            address: None,
            ttl: None,
            key: "switchback".to_owned(),
            algorithm: TsigAlgorithm::HmacSha256,
            secret: SecretSource::File(file.display().to_string()),
        }
    }

    /// What another program reads there; none where it is not installed.
    fn dig(&self, name: &str, rtype: &str) -> Option<Vec<String>> {
        let output = Command::new(program("dig")?)
            .args(["@127.0.0.1", "-p", &self.port.to_string(), "+short", "+tcp", name, rtype])
            .output()
            .unwrap();
        let mut lines: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        Some(lines)
    }

    async fn error(&self, change: impl FnOnce(&mut DnsSwitch)) -> String {
        let mut settings = self.settings();
        change(&mut settings);
        let host = host(SwitchSettings::Simulated);
        Dns::new(settings).drain(&host, LONG).await.unwrap_err().to_string()
    }
}

pub(super) fn named() -> Option<Subject> {
    let named = Named::start()?;
    Some(Subject {
        host: host(SwitchSettings::Dns(named.settings())),
        transport: Arc::new(LocalTransport),
        at: endpoint("10.0.0.1"),
        elsewhere: endpoint("10.0.0.9"),
        nowhere: endpoint("10.0.0.9:80"),
        _world: Box::new(named),
    })
}

#[tokio::test]
async fn others_see_what_is_changed() {
    let Some(named) = Named::start() else { return };
    let host = host(SwitchSettings::Simulated);
    let seen = |name: &str, rtype: &str, expected: &[&str]| {
        if let Some(found) = named.dig(name, rtype) {
            assert_eq!(found, expected, "{name} {rtype}");
        }
    };
    let switch = Dns::new(DnsSwitch { ttl: Some(TimeSpan::seconds(2)), ..named.settings() });
    let begun = Instant::now();
    switch.drain(&host, LONG).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1), "who remembers it is waited for");
    seen("shop.example.test", "A", &["10.0.0.2"]);
    seen("shop.example.test", "AAAA", &["2001:db8::1", "2001:db8::2"]);
    switch.switch(&host, &endpoint("10.0.0.9")).await.unwrap();
    seen("shop.example.test", "A", &["10.0.0.2", "10.0.0.9"]);
    seen("_switchback.shop.example.test", "TXT", &["\"web-1\" \"10.0.0.9\""]);
    switch.switch(&host, &endpoint("10.0.0.1")).await.unwrap();
    seen("shop.example.test", "A", &["10.0.0.1", "10.0.0.2"]);
    seen("_switchback.shop.example.test", "TXT", &[]);

    // Another kind of address, another kind of signature.
    let settings = DnsSwitch {
        address: Some("2001:db8::1".parse().unwrap()),
        key: "longer".to_owned(),
        algorithm: TsigAlgorithm::HmacSha512,
        ..named.settings()
    };
    let switch = Dns::new(settings);
    switch.switch(&host, &endpoint("2001:db8::9")).await.unwrap();
    seen("shop.example.test", "AAAA", &["2001:db8::2", "2001:db8::9"]);
    assert_eq!(switch.endpoint(&host).await.unwrap(), endpoint("2001:db8::9"));
    let error = switch.switch(&host, &endpoint("10.0.0.9")).await.unwrap_err().to_string();
    assert!(error.contains("another kind"), "{error}");
    let error = switch.switch(&host, &endpoint("2001:db8::2")).await.unwrap_err().to_string();
    assert!(error.contains("already"), "{error}");
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let Some(named) = Named::start() else { return };
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let other = named.dir.path().join("other");
    std::fs::write(&other, "b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXI=").unwrap();
    let other = other.display().to_string();
    let tried: [(&str, &str, Box<dyn FnOnce(&mut DnsSwitch)>); 12] = [
        ("an unknown key", "knows no key nobody", Box::new(|s| s.key = "nobody".into())),
        (
            "another secret",
            "another secret for key switchback",
            Box::new(move |s| s.secret = SecretSource::File(other)),
        ),
        ("another algorithm", "for hmac-sha384", Box::new(|s| s.algorithm = TsigAlgorithm::HmacSha384)),
        (
            "a key without rights",
            "key reader may not change shop.example.test A",
            Box::new(|s| s.key = "reader".into()),
        ),
        ("a part of the zone", "not the primary server of shop.example.test", Box::new(|s| s.zone = s.name.clone())),
        ("a zone of others", "example.org", Box::new(|s| s.name = "shop.example.org".into())),
        ("a name that is not there", "has no A record", Box::new(|s| s.name = "shup.example.test".into())),
        ("an alias", "is another name", Box::new(|s| s.name = "alias.example.test".into())),
        (
            "the only address",
            "the only address of only.example.test",
            Box::new(|s| s.name = "only.example.test".into()),
        ),
        (
            "no variable",
            "NO_SUCH_VARIABLE is not set",
            Box::new(|s| s.secret = SecretSource::Env("NO_SUCH_VARIABLE".into())),
        ),
        ("no file", "No such file", Box::new(|s| s.secret = SecretSource::File("/nonexistent".into()))),
        ("no server", "refused", Box::new(move |s| s.server = closed)),
    ];
    for (what, expected, change) in tried {
        let error = named.error(change).await;
        assert!(error.contains(expected), "{what}: {error}");
        assert!(!error.contains(SECRET), "{error}");
    }
    let hour_ago = || crate::env::now() - jiff::SignedDuration::from_hours(1);
    let late = Dns::with_clock(named.settings(), hour_ago);
    let error = late.status(&host(SwitchSettings::Simulated)).await.unwrap_err().to_string();
    let apart: u64 = error.split("ours are ").nth(1).and_then(|rest| rest.split('s').next()?.parse().ok()).unwrap_or(0);
    assert!((3590..=3610).contains(&apart), "{error}");
    let name = Host::named(HostName::new("web-1").unwrap());
    let error = Dns::new(named.settings()).status(&name).await.unwrap_err().to_string();
    assert!(error.contains("needs the `address` of web-1"), "{error}");
}

#[tokio::test]
async fn nothing_unsigned_is_believed() {
    let Some(named) = Named::start() else { return };
    let yes_to_all = |request: &[u8]| [&request[..2], &[0x84, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    let other_id = |request: &[u8]| [&[!request[0], request[1]], &[0x84, 0][..], &request[4..]].concat();
    // Its own signature back: that of a request does not hold for an answer.
    let mirror = |request: &[u8]| [&request[..2], &[request[2] | 0x84, 0], &request[4..]].concat();
    let answers: [(&str, fn(&[u8]) -> Vec<u8>); 6] = [
        ("without a signature", yes_to_all),
        ("something else", other_id),
        ("not to be believed", mirror),
        ("something else", |request| request.to_vec()),
        ("too little", |_| vec![1, 2, 3]),
        ("too little", |_| Vec::new()),
    ];
    for (expected, answer) in answers {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap().to_string();
        let one = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut request = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut request).unwrap();
            let answer = answer(&request);
            let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
            stream.write_all(&[&length[..], &answer].concat()).unwrap();
        });
        let error = named.error(|settings| settings.server = server).await;
        assert!(error.contains(expected), "{expected}: {error}");
        one.join().unwrap();
    }
}

#[tokio::test]
async fn what_others_remember_too_long_is_no_success() {
    let Some(named) = Named::start() else { return };
    let host = host(SwitchSettings::Simulated);
    let switch = Dns::new(DnsSwitch { name: "slow.example.test".to_owned(), ..named.settings() });
    for error in [switch.endpoint(&host).await.map(drop), switch.switch(&host, &endpoint("10.0.0.9")).await] {
        let error = error.unwrap_err().to_string();
        assert!(error.contains("for 10m") && error.contains("1m30s or less"), "{error}");
    }
    assert_eq!(switch.status(&host).await.unwrap(), TrafficState::InService);
    let error = switch.drain(&host, TimeSpan::seconds(1)).await.unwrap_err().to_string();
    assert!(error.contains("for 10m") && error.contains("lower the TTL"), "{error}");
    assert_eq!(switch.status(&host).await.unwrap(), TrafficState::Drained { running: None }, "nobody new learns of it");
}

#[tokio::test]
async fn hosts_of_one_name_do_not_undo_each_other() {
    let Some(named) = Named::start() else { return };
    // More at once than there are addresses that may go: the last of them stays, whoever that is.
    let addresses = ["10.0.0.1", "10.0.0.2"];
    let switches = addresses.map(|address| {
        let mut host = host(SwitchSettings::Simulated);
        host.name = HostName::new(&format!("at-{address}")).unwrap();
        host.address = Some(address.to_owned());
        (Arc::new(Dns::new(named.settings())), host)
    });
    for round in 0..2 {
        let drains = switches
            .clone()
            .map(|(switch, host)| tokio::spawn(async move { switch.drain(&host, TimeSpan::seconds(2)).await }));
        let mut outcomes = Vec::new();
        for drain in drains {
            outcomes.push(drain.await.unwrap());
        }
        let errors: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        assert!(errors.len() == 1 && errors[0].to_string().contains("the only address"), "{round}: {errors:?}");
        let moves = switches.clone().map(|(switch, host)| {
            let to = Endpoint(host.address().replace("10.0.0", "10.0.9"));
            tokio::spawn(async move { switch.switch(&host, &to).await })
        });
        for one in moves {
            one.await.unwrap().unwrap();
        }
        if let Some(found) = named.dig("shop.example.test", "A") {
            assert_eq!(found, ["10.0.9.1", "10.0.9.2"]);
        }
        for (switch, host) in &switches {
            switch.switch(host, &Endpoint(host.address().to_owned())).await.unwrap();
        }
    }
}
