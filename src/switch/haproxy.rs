//! HAProxy through its runtime API.

mod runtime;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::BoxFuture;
use crate::model::{Host, HostName, TimeSpan, Via, printable};
use crate::transport::Transport;

use super::{Endpoint, Switch, SwitchError, TrafficState};
use runtime::Runtime;

/// How often it is asked whether a server is idle or up.
const POLL: Duration = Duration::from_millis(500);
/// How long a server that is put into service may take to pass its health checks: by default three, two seconds apart.
const UP_WITHIN: Duration = Duration::from_secs(30);
/// The bits of `srv_admin_state` that take a server out of service: forced, inherited and configured maintenance,
/// forced and inherited drain, and maintenance because its name does not resolve.
const OUT_OF_SERVICE: u32 = 0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x20;
/// What the session with a balancer is called; which one it is tells its address.
const BALANCER: &str = "balancer";

/// One server in one backend.
#[derive(Clone)]
pub struct Haproxy {
    runtime: Runtime,
    backend: String,
    server: String,
}

/// What a server does, from the statistics.
struct Load {
    /// Requests that run.
    running: Option<u64>,
    /// Requests since HAProxy was started.
    total: Option<u64>,
    /// Connections that are kept open for further requests.
    idle: u64,
}

impl Haproxy {
    /// This server behind an admin socket on this machine.
    pub fn new(socket: &str, backend: &str, server: &str) -> Self {
        let runtime = Runtime::Local { socket: socket.to_owned() };
        Self { runtime, backend: backend.to_owned(), server: server.to_owned() }
    }

    /// The same on a balancer.
    pub fn via(transport: &Arc<dyn Transport>, via: &Via, socket: &str, backend: &str, server: &str) -> Option<Self> {
        let balancer = Host {
            address: Some(via.address.clone()),
            ssh: via.ssh.clone(),
            becomes: via.becomes,
            ..Host::named(HostName::new(BALANCER).ok()?)
        };
        let runtime =
            Runtime::Via { transport: Arc::clone(transport), balancer: Box::new(balancer), socket: socket.to_owned() };
        Some(Self { runtime, backend: backend.to_owned(), server: server.to_owned() })
    }

    /// `BACKEND/SERVER`. A space or a semicolon in a name would be another command.
    fn target(&self) -> Result<String, SwitchError> {
        for name in [&self.backend, &self.server] {
            let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
            if name.is_empty() || name.len() > 255 || !name.chars().all(fine) {
                return Err(SwitchError(format!("{:?} is not a name that HAProxy knows", printable(name, 80))));
            }
        }
        Ok(format!("{}/{}", self.backend, self.server))
    }

    /// Commands that change something answer with nothing, or with what is wrong.
    async fn set_state(&self, state: &str) -> Result<(), SwitchError> {
        let answer = self.runtime.ask(&format!("set server {} state {state}", self.target()?)).await?;
        match answer.trim() {
            "" => Ok(()),
            said => {
                Err(SwitchError(format!("haproxy refuses {state} of {}: {}", self.target()?, printable(said, 200))))
            }
        }
    }

    /// The value of a column in the row of our server. `names` are the columns that hold backend and server.
    fn value<'t>(
        &self,
        header: &str,
        rows: impl Iterator<Item = &'t str>,
        separator: char,
        names: [&str; 2],
        column: &str,
    ) -> Option<&'t str> {
        let columns: Vec<&str> = header.trim_start_matches("# ").trim().split(separator).collect();
        let at = |name: &str| columns.iter().position(|&c| c == name);
        let (backend, server, column) = (at(names[0])?, at(names[1])?, at(column)?);
        rows.map(|row| row.trim().split(separator).collect::<Vec<_>>()).find_map(|row| {
            let ours =
                row.get(backend) == Some(&self.backend.as_str()) && row.get(server) == Some(&self.server.as_str());
            if ours { row.get(column).copied() } else { None }
        })
    }

    /// What HAProxy says of our server in this column.
    async fn server_state<T: std::str::FromStr>(&self, column: &str) -> Result<T, SwitchError> {
        let target = self.target()?;
        let states = self.runtime.ask(&format!("show servers state {}", self.backend)).await?;
        // The first line is the format's version.
        let mut lines = states.lines().skip_while(|line| !line.starts_with('#'));
        lines
            .next()
            .and_then(|header| self.value(header, lines, ' ', ["be_name", "srv_name"], column))
            .and_then(|value| value.parse().ok())
            .ok_or_else(|| {
                let said = printable(states.lines().next().unwrap_or_default(), 200);
                SwitchError(format!("haproxy does not know {target}: {said}"))
            })
    }

    /// Where it sends.
    async fn address(&self) -> Result<Endpoint, SwitchError> {
        let address: String = self.server_state("srv_addr").await?;
        let port: u16 = self.server_state("srv_port").await?;
        let address: IpAddr = address
            .parse()
            .map_err(|_| SwitchError(format!("{} has no address that could be changed", self.named())))?;
        Ok(Endpoint(SocketAddr::new(address, port).to_string()))
    }

    /// The same, if it can be sent elsewhere and all of it would go there.
    async fn movable(&self) -> Result<Endpoint, SwitchError> {
        let fqdn: String = self.server_state("srv_fqdn").await?;
        if fqdn != "-" {
            return Err(SwitchError(format!(
                "{} is named {} in haproxy.cfg: what its name resolves to would take its traffic back; write an address",
                self.named(),
                printable(&fqdn, 253)
            )));
        }
        let address = self.address().await?;
        if self.load().await?.idle > 0 {
            return Err(SwitchError(format!(
                "HAProxy keeps connections to {} open, and would send further requests to the old address through \
                 those that are busy when it changes: set `option http-server-close` in the backend",
                self.named()
            )));
        }
        Ok(address)
    }

    async fn go_to(&self, to: &Endpoint) -> Result<(), SwitchError> {
        let target = self.target()?;
        let address: SocketAddr = to.0.parse().map_err(|_| {
            SwitchError(format!("{:?} is no address and port that HAProxy could send to", printable(&to.0, 80)))
        })?;
        // It answers this command with what it has changed; what counts is where it sends now.
        let command = format!("set server {target} addr {} port {}", address.ip(), address.port());
        let said = self.runtime.ask(&command).await?;
        let now = self.address().await?;
        if now.0 != address.to_string() {
            return Err(SwitchError(format!(
                "{target} goes to {} and not to {}: {}",
                now.0,
                to.0,
                printable(said.trim(), 200)
            )));
        }
        self.put_into_service().await
    }

    /// Into service, and until requests are sent there: no server is taken out before another takes its share.
    async fn put_into_service(&self) -> Result<(), SwitchError> {
        self.set_state("ready").await?;
        let until = Instant::now() + UP_WITHIN;
        loop {
            if self.admin_state().await? & OUT_OF_SERVICE != 0 {
                return Err(SwitchError(format!("{} is still out of service", self.named())));
            }
            if self.server_state::<u8>("srv_op_state").await? != 0 {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(SwitchError(format!(
                    "{} is in service, but does not pass HAProxy's health checks within {}s",
                    self.named(),
                    UP_WITHIN.as_secs()
                )));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Its administrative state: a server whose checks fail is down, but still in service.
    async fn admin_state(&self) -> Result<u32, SwitchError> {
        self.server_state("srv_admin_state").await
    }

    async fn load(&self) -> Result<Load, SwitchError> {
        // -1 stands for all proxies: a name alone may mean a frontend of the same name. 4 stands for servers.
        let stats = self.runtime.ask("show stat -1 4 -1").await?;
        let number = |column: &str| -> Option<u64> {
            let mut lines = stats.lines();
            self.value(lines.next()?, lines, ',', ["pxname", "svname"], column)?.parse().ok()
        };
        let idle = ["idle_conn_cur", "safe_conn_cur"].into_iter().filter_map(number).sum();
        Ok(Load { running: number("scur"), total: number("stot"), idle })
    }

    async fn state(&self) -> Result<TrafficState, SwitchError> {
        if self.admin_state().await? & OUT_OF_SERVICE == 0 {
            return Ok(TrafficState::InService);
        }
        Ok(TrafficState::Drained { running: self.load().await?.running })
    }

    /// Out of service and idle: nothing runs, and nothing has come since the last look. Who is bound to the server by a
    /// cookie comes back to it while it drains.
    async fn drain_within(&self, idle_within: TimeSpan) -> Result<(), SwitchError> {
        self.set_state("drain").await?;
        let until = Instant::now() + idle_within.to_std();
        let mut before = None;
        loop {
            if self.admin_state().await? & OUT_OF_SERVICE == 0 {
                return Err(SwitchError(format!("{} was put back into service meanwhile", self.named())));
            }
            let load = self.load().await?;
            if load.running == Some(0) && before == Some(load.total) {
                return Ok(());
            }
            if Instant::now() >= until && before.is_some() {
                let running = load.running.map_or("an unknown number of".to_owned(), |n| n.to_string());
                let come = if before == Some(load.total) { "" } else { ", and requests still come (persistence?)" };
                let named = self.named();
                return Err(SwitchError(format!("{named} is not idle after {idle_within}: {running} requests{come}")));
            }
            before = Some(load.total);
            tokio::time::sleep(POLL).await;
        }
    }

    fn named(&self) -> String {
        format!("{}/{}", printable(&self.backend, 80), printable(&self.server, 80))
    }
}

impl Switch for Haproxy {
    fn status<'a>(&'a self, _host: &'a Host) -> BoxFuture<'a, Result<TrafficState, SwitchError>> {
        Box::pin(self.state())
    }

    fn drain<'a>(&'a self, _host: &'a Host, idle_within: TimeSpan) -> BoxFuture<'a, Result<(), SwitchError>> {
        Box::pin(self.drain_within(idle_within))
    }

    fn undrain<'a>(&'a self, _host: &'a Host) -> BoxFuture<'a, Result<(), SwitchError>> {
        Box::pin(self.put_into_service())
    }

    fn endpoint<'a>(&'a self, _host: &'a Host) -> BoxFuture<'a, Result<Endpoint, SwitchError>> {
        Box::pin(self.movable())
    }

    fn switch<'a>(&'a self, _host: &'a Host, to: &'a Endpoint) -> BoxFuture<'a, Result<(), SwitchError>> {
        Box::pin(self.go_to(to))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::net::UnixListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn host() -> Host {
        Host::named(HostName::new("web-1").unwrap())
    }

    /// Says what HAProxy 2.6 was recorded to say, for one server whose sessions end one by one while it drains.
    struct Fake {
        dir: tempfile::TempDir,
        admin: Arc<AtomicU32>,
        sessions: Arc<AtomicU32>,
    }

    impl Fake {
        fn start(sessions: u32) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let listener = UnixListener::bind(dir.path().join("admin.sock")).unwrap();
            let (admin, sessions) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(sessions)));
            std::thread::spawn({
                let (admin, sessions) = (Arc::clone(&admin), Arc::clone(&sessions));
                move || {
                    for stream in listener.incoming() {
                        let mut stream = stream.unwrap();
                        let mut line = String::new();
                        BufReader::new(&stream).read_line(&mut line).unwrap();
                        let _ = stream.write_all(answer(line.trim(), &admin, &sessions).as_bytes());
                    }
                }
            });
            Self { dir, admin, sessions }
        }

        fn socket(&self) -> String {
            self.dir.path().join("admin.sock").display().to_string()
        }
    }

    fn answer(line: &str, admin: &AtomicU32, sessions: &AtomicU32) -> String {
        match line {
            "set server shop/web-1 state drain" => {
                admin.store(8, Ordering::Relaxed);
                "\n".to_owned()
            }
            "set server shop/web-1 state ready" => {
                admin.store(0, Ordering::Relaxed);
                "\n".to_owned()
            }
            "show servers state shop" => format!(
                "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight \
                 srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state \
                 srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl \
                 srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n\
                 3 shop 2 web-2 127.0.0.1 0 0 1 1 1 8 2 0 6 0 0 0 - 18082 - 0 0 - - 0\n\
                 3 shop 1 web-1 127.0.0.1 2 {} 1 1 0 1 0 2 0 0 0 0 - 18081 - 0 0 - - 0\n\n",
                admin.load(Ordering::Relaxed)
            ),
            "show stat -1 4 -1" => {
                let left = sessions.load(Ordering::Relaxed);
                sessions.store(left.saturating_sub(1), Ordering::Relaxed);
                format!(
                    "# pxname,svname,qcur,qmax,scur,smax,slim,stot,status,weight,\n\
                     shop,web-1,0,0,{left},0,,0,no check,1,\nshop,web-2,0,0,5,0,,0,DOWN,1,\n\n"
                )
            }
            _ if line.starts_with("set server shop/") => "No such server.\n\n".to_owned(),
            _ if line.starts_with("set server ") => "No such backend.\n\n".to_owned(),
            _ => "Can't find backend.\n\n".to_owned(),
        }
    }

    /// What holds for every HAProxy whose server is idle.
    async fn contract(socket: &str) {
        let switch = Haproxy::new(socket, "shop", "web-1");
        assert_eq!(switch.status(&host()).await.unwrap(), TrafficState::InService);
        for _ in 0..2 {
            switch.drain(&host(), TimeSpan::seconds(10)).await.unwrap();
            assert_eq!(switch.status(&host()).await.unwrap(), TrafficState::Drained { running: Some(0) });
        }
        for _ in 0..2 {
            switch.undrain(&host()).await.unwrap();
            assert_eq!(switch.status(&host()).await.unwrap(), TrafficState::InService);
        }
        for (backend, server) in [("shop", "web-9"), ("nope", "web-1")] {
            let wrong = Haproxy::new(socket, backend, server);
            assert!(wrong.status(&host()).await.unwrap_err().to_string().contains("does not know"));
            assert!(wrong.drain(&host(), TimeSpan::ZERO).await.unwrap_err().to_string().contains("No such"));
        }
    }

    #[tokio::test]
    async fn recorded_answers_are_understood() {
        contract(&Fake::start(2).socket()).await;
    }

    #[tokio::test]
    async fn a_server_that_does_not_get_idle_is_an_error() {
        let fake = Fake::start(1000);
        let switch = Haproxy::new(&fake.socket(), "shop", "web-1");
        let error = switch.drain(&host(), TimeSpan::seconds(1)).await.unwrap_err();
        assert!(error.to_string().contains("not idle after 1s"), "{error}");
        assert_eq!(fake.admin.load(Ordering::Relaxed), 8, "it stays drained: who undrains it knows why");
        assert!(fake.sessions.load(Ordering::Relaxed) < 1000);
    }

    #[tokio::test]
    async fn names_that_would_be_commands_are_refused() {
        let fake = Fake::start(0);
        for name in ["web-1; disable server shop/web-2", "web 1", "web\n1", "", "a/b"] {
            let switch = Haproxy::new(&fake.socket(), "shop", name);
            assert!(switch.drain(&host(), TimeSpan::ZERO).await.unwrap_err().to_string().contains("not a name"));
        }
        let absent = Haproxy::new("/nonexistent.sock", "shop", "web-1");
        assert!(absent.status(&host()).await.is_err());
    }
}
