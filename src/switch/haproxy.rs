//! HAProxy through the runtime API on its socket.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::engine::BoxFuture;
use crate::model::{Host, TimeSpan, printable};

use super::{Endpoint, Switch, SwitchError, TrafficState};

/// How long HAProxy may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Largest answer that is read: some hundred bytes a server.
const MAX_ANSWER: u64 = 16 << 20;
/// How often it is asked whether a server is idle.
const POLL: Duration = Duration::from_millis(500);
/// The bits of `srv_admin_state` that take a server out of service: forced, inherited and configured maintenance,
/// forced and inherited drain, and maintenance because its name does not resolve.
const OUT_OF_SERVICE: u32 = 0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x20;

/// One server in one backend.
#[derive(Clone, Debug)]
pub struct Haproxy {
    socket: String,
    backend: String,
    server: String,
}

impl Haproxy {
    /// This server behind this admin socket.
    pub fn new(socket: &str, backend: &str, server: &str) -> Self {
        Self { socket: socket.to_owned(), backend: backend.to_owned(), server: server.to_owned() }
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

    async fn ask(&self, command: &str) -> Result<String, SwitchError> {
        let failed = |why: String| SwitchError(format!("haproxy at {}: {why}", printable(&self.socket, 200)));
        let talk = async {
            let mut stream = UnixStream::connect(&self.socket).await?;
            stream.write_all(format!("{command}\n").as_bytes()).await?;
            let mut answer = Vec::new();
            stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
            Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
        };
        match tokio::time::timeout(ANSWER, talk).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed("no answer".to_owned())),
        }
    }

    /// Commands that change something answer with nothing, or with what is wrong.
    async fn set_state(&self, state: &str) -> Result<(), SwitchError> {
        let answer = self.ask(&format!("set server {} state {state}", self.target()?)).await?;
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
        let states = self.ask(&format!("show servers state {}", self.backend)).await?;
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

    async fn address(&self) -> Result<Endpoint, SwitchError> {
        let (address, port): (IpAddr, u16) =
            (self.server_state("srv_addr").await?, self.server_state("srv_port").await?);
        Ok(Endpoint(SocketAddr::new(address, port).to_string()))
    }

    async fn go_to(&self, to: &Endpoint) -> Result<(), SwitchError> {
        let target = self.target()?;
        let address: SocketAddr = to.0.parse().map_err(|_| {
            SwitchError(format!("{:?} is no address and port that HAProxy could send to", printable(&to.0, 80)))
        })?;
        // It answers this command with what it has changed; what counts is where it sends now.
        let said = self.ask(&format!("set server {target} addr {} port {}", address.ip(), address.port())).await?;
        let now = self.address().await?;
        if now != *to {
            return Err(SwitchError(format!(
                "{target} goes to {} and not to {}: {}",
                now.0,
                to.0,
                printable(&said, 200)
            )));
        }
        self.set_state("ready").await?;
        match self.state().await? {
            TrafficState::InService => Ok(()),
            TrafficState::Drained { .. } => Err(SwitchError(format!("{target} is still out of service"))),
        }
    }

    async fn state(&self) -> Result<TrafficState, SwitchError> {
        // Its administrative state: a server whose checks fail is down, but still in service.
        let admin: u32 = self.server_state("srv_admin_state").await?;
        if admin & OUT_OF_SERVICE == 0 {
            return Ok(TrafficState::InService);
        }
        let stats = self.ask("show stat").await?;
        let mut lines = stats.lines();
        let running = lines
            .next()
            .and_then(|header| self.value(header, lines, ',', ["pxname", "svname"], "scur"))
            .and_then(|value| value.parse().ok());
        Ok(TrafficState::Drained { running })
    }
}

impl Switch for Haproxy {
    fn status<'a>(&'a self, _host: &'a Host) -> BoxFuture<'a, Result<TrafficState, SwitchError>> {
        Box::pin(self.state())
    }

    fn drain<'a>(&'a self, _host: &'a Host, idle_within: TimeSpan) -> BoxFuture<'a, Result<(), SwitchError>> {
        Box::pin(async move {
            self.set_state("drain").await?;
            let until = Instant::now() + idle_within.to_std();
            loop {
                match self.state().await? {
                    TrafficState::Drained { running: Some(0) } => return Ok(()),
                    TrafficState::InService => {
                        return Err(SwitchError(format!("{} was put back into service meanwhile", self.target()?)));
                    }
                    TrafficState::Drained { running } if Instant::now() >= until => {
                        let running = running.map_or("an unknown number of".to_owned(), |n| n.to_string());
                        return Err(SwitchError(format!(
                            "{} is not idle after {idle_within}: {running} sessions",
                            self.target()?
                        )));
                    }
                    TrafficState::Drained { .. } => tokio::time::sleep(POLL).await,
                }
            }
        })
    }

    fn undrain<'a>(&'a self, _host: &'a Host) -> BoxFuture<'a, Result<(), SwitchError>> {
        Box::pin(async move {
            self.set_state("ready").await?;
            match self.state().await? {
                TrafficState::InService => Ok(()),
                TrafficState::Drained { .. } => Err(SwitchError(format!("{} is still out of service", self.target()?))),
            }
        })
    }

    fn endpoint<'a>(&'a self, _host: &'a Host) -> BoxFuture<'a, Result<Endpoint, SwitchError>> {
        Box::pin(self.address())
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
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use crate::model::HostName;

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
            "show stat" => {
                let left = sessions.load(Ordering::Relaxed);
                sessions.store(left.saturating_sub(1), Ordering::Relaxed);
                format!(
                    "# pxname,svname,qcur,qmax,scur,smax,slim,stot,status,weight,\n\
                     f,FRONTEND,,,7,0,9985,0,OPEN,,\nshop,web-1,0,0,{left},0,,0,no check,1,\n\
                     shop,web-2,0,0,5,0,,0,DOWN,1,\nshop,BACKEND,0,0,9,0,999,0,UP,1,\n\n"
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

    /// The same against the real one, where it is installed.
    #[tokio::test]
    async fn a_real_haproxy_keeps_the_contract() {
        let path = crate::env::var("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path).map(|dir: PathBuf| dir.join("haproxy")).find(|file| file.exists());
        let Some(program) = found else {
            crate::transport::testing::skip("haproxy is not installed");
            return;
        };
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name).display().to_string();
        let config = format!(
            "global\n  stats socket {} mode 600 level admin\ndefaults\n  mode http\n  timeout connect 2s\n  \
             timeout client 5s\n  timeout server 5s\nfrontend f\n  bind unix@{}\n  default_backend shop\n\
             backend shop\n  server web-1 127.0.0.1:1\n  server web-2 127.0.0.1:1\n",
            file("admin.sock"),
            file("front.sock"),
        );
        std::fs::write(file("haproxy.cfg"), config).unwrap();
        let mut child = std::process::Command::new(program).args(["-db", "-f", &file("haproxy.cfg")]).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while !Path::new(&file("admin.sock")).exists() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        contract(&file("admin.sock")).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
