//! Asks whoever keeps change requests whether this one may go on. What cannot be asked blocks.

use std::io::Read as _;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use crate::model::{ChangeCheck, ChangePolicy, Digest, Ticket, TimeSpan, printable, told};
use crate::transport::{fill_values, run_argv};

/// Ticket systems take seconds.
const LIMIT: TimeSpan = TimeSpan::seconds(60);

/// An answer is a line.
const MAX_ANSWER: u64 = 64 << 10;

/// Why a change may not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The policy wants a ticket.
    #[error("plan names no ticket, and the policy wants one")]
    NoTicket,
    /// Somebody said no.
    #[error("ticket {ticket} may not go on: {why}")]
    Refused {
        /// The ticket.
        ticket: Ticket,
        /// In their words.
        why: String,
    },
    /// Nobody could be asked.
    #[error("cannot ask whether ticket {ticket} may go on: {why}")]
    NotAsked {
        /// The ticket.
        ticket: Ticket,
        /// Why.
        why: String,
    },
}

impl ChangeError {
    /// The kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoTicket => "ticket-missing",
            Self::Refused { .. } => "change-refused",
            Self::NotAsked { .. } => "change-not-checked",
        }
    }
}

/// What a webhook answers.
#[derive(serde::Deserialize)]
struct Answer {
    allowed: bool,
    #[serde(default)]
    reason: Option<String>,
}

/// Whether the change may go on, now.
pub async fn check_change(policy: &ChangePolicy, ticket: Option<&Ticket>, plan: Digest) -> Result<(), ChangeError> {
    let Some(ticket) = ticket else { return if policy.required { Err(ChangeError::NoTicket) } else { Ok(()) } };
    let not_asked = |why: String| ChangeError::NotAsked { ticket: ticket.clone(), why };
    let refused = |why: String| ChangeError::Refused { ticket: ticket.clone(), why };
    match &policy.check {
        None => Ok(()),
        Some(ChangeCheck::Command(argv)) => {
            let plan = plan.to_string();
            let argv = fill_values(argv, &[("ticket", ticket.as_str()), ("plan", &plan)]);
            let ran = match argv {
                Ok(argv) => run_argv(&argv, LIMIT).await,
                Err(error) => Err(error),
            };
            let ran = ran.map_err(|error| not_asked(error.to_string()))?;
            let said = if ran.last_line.is_empty() { ran.errors } else { ran.last_line };
            if ran.code == 0 { Ok(()) } else { Err(refused(format!("{} (exit code {})", told(&said, 300), ran.code))) }
        }
        Some(ChangeCheck::Webhook { url_env }) => {
            let url = crate::env::var(url_env).filter(|url| !url.is_empty());
            let url = url.ok_or_else(|| not_asked(format!("{url_env} is not set")))?;
            let body = serde_json::json!({ "ticket": ticket, "plan": plan }).to_string();
            let asked = tokio::task::spawn_blocking(move || ask(&url, &body)).await;
            match asked.unwrap_or_else(|error| Err(error.to_string())).map_err(not_asked)? {
                Answer { allowed: true, .. } => Ok(()),
                Answer { reason, .. } => {
                    Err(refused(reason.map_or_else(|| "no reason is given".to_owned(), |why| printable(&why, 300))))
                }
            }
        }
    }
}

/// The URL may hold a secret: it is in no message.
fn ask(url: &str, body: &str) -> Result<Answer, String> {
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(LIMIT.as_seconds())))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent("switchback")
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .build()
        .into();
    let sent = agent.post(url).header("content-type", "application/json").send(body);
    let mut answer = sent.map_err(|error| told(&error.to_string().replace(url, "the URL"), 200))?;
    let status = answer.status().as_u16();
    if !(200..300).contains(&status) {
        return Err(format!("it answered {status}"));
    }
    let mut text = Vec::new();
    answer.body_mut().as_reader().take(MAX_ANSWER).read_to_end(&mut text).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|_| "its answer is not {\"allowed\": ...}".to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;

    use super::*;

    fn ticket() -> Ticket {
        Ticket::new("CHG0012").unwrap()
    }

    fn command(script: &str) -> ChangePolicy {
        let argv = ["/bin/sh", "-c", script, "check", "{ticket}", "{plan}"].map(str::to_owned).to_vec();
        ChangePolicy { required: true, check: Some(ChangeCheck::Command(argv)) }
    }

    #[tokio::test]
    async fn a_command_says_yes_by_its_exit_code_alone() {
        let plan = Digest::of(b"plan");
        let check = async |script: &str| check_change(&command(script), Some(&ticket()), plan).await;
        check(&format!("test \"$1\" = CHG0012 && test \"$2\" = {plan}")).await.unwrap();
        let error = check("echo frozen until Monday; exit 3").await.unwrap_err();
        assert_eq!(error.to_string(), "ticket CHG0012 may not go on: frozen until Monday (exit code 3)");
        let argv = vec!["/nonexistent".to_owned()];
        let missing = ChangePolicy { required: false, check: Some(ChangeCheck::Command(argv)) };
        assert_eq!(check_change(&missing, Some(&ticket()), plan).await.unwrap_err().code(), "change-not-checked");
        assert_eq!(check_change(&command("true"), None, plan).await, Err(ChangeError::NoTicket));
        assert_eq!(check_change(&ChangePolicy { required: false, ..command("false") }, None, plan).await, Ok(()));
    }

    /// Answers one request and gives its body.
    fn serve(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://user:secret@{}/check", listener.local_addr().unwrap());
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut seen = Vec::new();
            let mut buffer = [0; 4096];
            while !seen.ends_with(b"}") {
                let read = stream.read(&mut buffer).unwrap();
                seen.extend_from_slice(&buffer[..read]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(seen).unwrap()
        });
        (url, served)
    }

    #[test]
    fn a_webhook_says_yes_in_so_many_words() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n{\"allowed\":true}", Ok(true)),
            ("HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{\"allowed\":false}", Ok(false)),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Err("its answer is not")),
            (
                "HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 16\r\n\r\n{\"allowed\":true}",
                Err("it answered 302"),
            ),
            ("HTTP/1.1 500 No\r\ncontent-length: 16\r\n\r\n{\"allowed\":true}", Err("it answered 500")),
        ] {
            let (url, served) = serve(answer);
            let got = ask(&url, "{\"ticket\":\"CHG0012\"}").map(|answer| answer.allowed);
            assert!(served.join().unwrap().contains("{\"ticket\":\"CHG0012\"}"));
            match expected {
                Ok(allowed) => assert_eq!(got, Ok(allowed)),
                Err(why) => assert!(got.as_ref().is_err_and(|error| error.contains(why)), "{got:?}"),
            }
        }
        let error = ask("http://user:secret@127.0.0.1:1/", "{}").map(|answer| answer.allowed).unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }

    #[tokio::test]
    async fn a_webhook_whose_url_is_not_set_blocks() {
        let check = Some(ChangeCheck::Webhook { url_env: "SWITCHBACK_NO_SUCH_VARIABLE".to_owned() });
        let error = check_change(&ChangePolicy { required: false, check }, Some(&ticket()), Digest::of(b"")).await;
        assert_eq!(error.unwrap_err().code(), "change-not-checked");
    }
}
