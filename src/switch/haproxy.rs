//! HAProxy through the runtime API on its socket.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::engine::BoxFuture;
use crate::model::{Host, TimeSpan, printable};

use super::{Switch, SwitchError, TrafficState};

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

    async fn state(&self) -> Result<TrafficState, SwitchError> {
        let target = self.target()?;
        let not_found = |said: &str| {
            let said = printable(said.lines().next().unwrap_or_default(), 200);
            SwitchError(format!("haproxy does not know {target}: {said}"))
        };
        // Its administrative state: a server whose checks fail is down, but still in service.
        let states = self.ask(&format!("show servers state {}", self.backend)).await?;
        // The first line is the format's version.
        let mut lines = states.lines().skip_while(|line| !line.starts_with('#'));
        let admin: u32 = lines
            .next()
            .and_then(|header| self.value(header, lines, ' ', ["be_name", "srv_name"], "srv_admin_state"))
            .and_then(|value| value.parse().ok())
            .ok_or_else(|| not_found(&states))?;
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
}
