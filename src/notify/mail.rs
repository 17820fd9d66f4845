//! Mails over SMTP.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::time::{Duration, Instant, SystemTime};

use lettre::Message;
use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{SmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;

use crate::model::{Notification, SmtpTarget, SmtpTls, told};

use super::send::Failure;

/// The mail that tells it.
pub(super) fn compose(smtp: &SmtpTarget, notification: &Notification) -> Result<Message, Failure> {
    let lasting = |why: String| Failure::Lasting(why);
    let domain = smtp.from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let mut mail = Message::builder()
        .from(smtp.from.parse().map_err(|error| lasting(format!("its sender: {error}")))?)
        .subject(format!("[switchback] {}", notification.title))
        .date(SystemTime::from(notification.at))
        // The same for the same record: whoever gets it twice sees it once.
        .message_id(Some(format!("<{}.{}@{domain}>", notification.id.replace('/', "."), notification.moment.as_str())))
        // Nobody is to answer that he is on holiday.
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
    for address in &smtp.to {
        mail = mail.to(address.parse().map_err(|error| lasting(format!("its recipient {address}: {error}")))?);
    }
    let mut text = format!("{}\n\n", notification.title);
    for line in &notification.lines {
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(&format!("\n{}, campaign {}\n", notification.at, notification.campaign));
    mail.header(ContentType::TEXT_PLAIN).body(text).map_err(|error| lasting(error.to_string()))
}

/// One try to send it to everybody who does not have it yet. One who is refused keeps nobody else from it.
pub(super) fn send(
    smtp: &SmtpTarget,
    login: Option<(String, String)>,
    mail: &Message,
    limit: Duration,
    reached: &mut BTreeSet<String>,
) -> Result<(), Failure> {
    let login = login.map(|(user, password)| Credentials::new(user, password));
    let until = Instant::now() + limit;
    let bytes = mail.formatted();
    let (mut open, mut refused, mut lasting): (Option<SmtpConnection>, Vec<String>, bool) = (None, Vec::new(), true);
    for to in &smtp.to {
        if reached.contains(to) {
            continue;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::passing("it did not take all mails in time"));
        }
        let envelope = envelope(&smtp.from, to)?;
        let mut connection = match open.take() {
            Some(connection) => connection,
            None => connect(smtp, login.as_ref(), left)?,
        };
        // A time limit that cannot be set is the one of before.
        let _ = connection.set_timeout(Some(left));
        match connection.send(&envelope, &bytes) {
            Ok(_) => {
                reached.insert(to.clone());
                open = Some(connection);
            }
            Err(error) if error.is_permanent() || error.is_transient() => {
                lasting &= error.is_permanent();
                refused.push(format!("{to}: {}", told(&error.to_string(), 200)));
            }
            Err(error) => return Err(failed(&error)),
        }
    }
    if let Some(mut connection) = open {
        // What was taken is taken, whether or not it says goodbye.
        let _ = connection.quit();
    }
    match (refused.is_empty(), lasting) {
        (true, _) => Ok(()),
        (false, true) => Err(Failure::Lasting(refused.join("; "))),
        (false, false) => Err(Failure::passing(refused.join("; "))),
    }
}

fn envelope(from: &str, to: &str) -> Result<Envelope, Failure> {
    let address = |text: &str| Ok(text.parse::<Mailbox>().map_err(|error| error.to_string())?.email);
    let made = address(from).and_then(|from| Ok((from, address(to)?)));
    let made = made.and_then(|(from, to)| Envelope::new(Some(from), vec![to]).map_err(|error| error.to_string()));
    made.map_err(|why| Failure::Lasting(format!("{to}: {why}")))
}

/// What fails here fails for everybody.
fn connect(smtp: &SmtpTarget, login: Option<&Credentials>, limit: Duration) -> Result<SmtpConnection, Failure> {
    let parameters =
        || TlsParameters::new(smtp.server.clone()).map_err(|error| Failure::Lasting(told(&error.to_string(), 200)));
    let (wrapper, starttls) = match smtp.tls {
        SmtpTls::Starttls => (None, Some(parameters()?)),
        SmtpTls::Tls => (Some(parameters()?), None),
        SmtpTls::None => (None, None),
    };
    let (server, name) = ((smtp.server.as_str(), smtp.port), ClientId::default());
    let connect = || {
        let mut connection = SmtpConnection::connect(server, Some(limit), &name, wrapper.as_ref(), None)?;
        if let Some(parameters) = &starttls {
            connection.starttls(parameters, &name)?;
        }
        if let Some(login) = login {
            connection.auth(DEFAULT_MECHANISMS, login)?;
        }
        Ok(connection)
    };
    connect().map_err(|error| failed(&error))
}

fn failed(error: &lettre::transport::smtp::Error) -> Failure {
    // The system's word for a time limit is "temporarily unavailable".
    let mut causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let late = causes.any(|cause| {
        let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        matches!(kind, Some(ErrorKind::WouldBlock | ErrorKind::TimedOut))
    });
    let why = if late { "it did not answer in time".to_owned() } else { told(&error.to_string(), 200) };
    if error.is_permanent() { Failure::Lasting(why) } else { Failure::passing(why) }
}
