//! Mails over SMTP.

use std::io::ErrorKind;
use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Message, SmtpTransport, Transport as _};

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

/// One try to send it.
pub(super) fn send(
    smtp: &SmtpTarget,
    login: Option<(String, String)>,
    mail: &Message,
    limit: Duration,
) -> Result<(), Failure> {
    let parameters =
        || TlsParameters::new(smtp.server.clone()).map_err(|error| Failure::Lasting(told(&error.to_string(), 200)));
    let tls = match smtp.tls {
        SmtpTls::Starttls => Tls::Required(parameters()?),
        SmtpTls::Tls => Tls::Wrapper(parameters()?),
        SmtpTls::None => Tls::None,
    };
    let mut transport = SmtpTransport::builder_dangerous(&smtp.server).port(smtp.port).timeout(Some(limit)).tls(tls);
    if let Some((user, password)) = login {
        transport = transport.credentials(Credentials::new(user, password));
    }
    transport.build().send(mail).map(drop).map_err(|error| {
        // The system's word for a time limit is "temporarily unavailable".
        let mut causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
        let late = causes.any(|cause| {
            let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
            matches!(kind, Some(ErrorKind::WouldBlock | ErrorKind::TimedOut))
        });
        let why = if late { "it did not answer in time".to_owned() } else { told(&error.to_string(), 200) };
        if error.is_permanent() { Failure::Lasting(why) } else { Failure::passing(why) }
    })
}
