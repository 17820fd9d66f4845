//! One try to tell one target one thing.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::time::Duration;

use crate::model::{Notification, NotifyTarget, SecretSource, TimeSpan, printable};
use crate::policy::render_notification;

use super::{bodies, command, http, mail};

/// Largest secret that is read: URLs of workflows have some hundred bytes.
const MAX_SECRET: u64 = 8192;

/// Why a target was not told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It may work a little later.
    #[error("{why}")]
    Passing {
        /// Why.
        why: String,
        /// When it asks to be tried again.
        after: Option<Duration>,
    },
    /// Another try would end the same.
    #[error("{0}")]
    Lasting(String),
}

impl Failure {
    pub(super) fn passing(why: impl Into<String>) -> Self {
        Self::Passing { why: why.into(), after: None }
    }
}

/// What a target would get.
#[derive(Debug)]
pub enum Prepared {
    /// A body of JSON.
    Body(String),
    /// A mail.
    Mail(Box<lettre::Message>),
}

impl Prepared {
    /// As text, for people.
    pub fn text(&self) -> String {
        match self {
            Self::Body(body) => body.clone(),
            Self::Mail(mail) => String::from_utf8_lossy(&mail.formatted()).replace('\r', ""),
        }
    }
}

/// What a target would get.
pub fn prepare(target: &NotifyTarget, notification: &Notification) -> Result<Prepared, Failure> {
    Ok(Prepared::Body(match target {
        NotifyTarget::Webhook { template: Some(template), .. } => render_notification(template, notification)
            .map_err(|why| Failure::Lasting(format!("its template gives no JSON: {why}")))?,
        NotifyTarget::Webhook { template: None, .. } | NotifyTarget::Command { .. } => bodies::own(notification),
        NotifyTarget::Slack { .. } => bodies::slack(notification).to_string(),
        NotifyTarget::Teams { .. } => bodies::teams(notification).to_string(),
        NotifyTarget::Mattermost { .. } => bodies::mattermost(notification).to_string(),
        NotifyTarget::Smtp(smtp) => {
            return mail::compose(smtp, notification).map(|mail| Prepared::Mail(Box::new(mail)));
        }
    }))
}

/// How long one try may take: a command as long as policy lets it, all else as long as usual.
pub fn limit_of(target: &NotifyTarget, usual: Duration) -> Duration {
    match target {
        NotifyTarget::Command { timeout, .. } => timeout.to_std(),
        _ => usual,
    }
}

/// Tells a target; blocks for about `limit` at most.
pub fn deliver(target: &NotifyTarget, notification: &Notification, limit: Duration) -> Result<(), Failure> {
    deliver_to_rest(target, notification, limit, &mut BTreeSet::new())
}

/// The same for a further try: those of a mail who have it already do not get it again.
pub(super) fn deliver_to_rest(
    target: &NotifyTarget,
    notification: &Notification,
    limit: Duration,
    reached: &mut BTreeSet<String>,
) -> Result<(), Failure> {
    let prepared = prepare(target, notification)?;
    match (target, &prepared) {
        (NotifyTarget::Webhook { url, headers, .. }, Prepared::Body(body)) => {
            let headers = headers.iter().map(|(name, value)| Ok((name.as_str(), secret(value)?)));
            let headers = headers.collect::<Result<Vec<_>, String>>().map_err(Failure::Lasting)?;
            http::post(&secret(url).map_err(Failure::Lasting)?, &headers, body, limit)
        }
        (
            NotifyTarget::Slack { url } | NotifyTarget::Teams { url } | NotifyTarget::Mattermost { url },
            Prepared::Body(body),
        ) => http::post(&secret(url).map_err(Failure::Lasting)?, &[], body, limit),
        (NotifyTarget::Command { argv, timeout }, Prepared::Body(body)) => {
            command::run(argv, body, TimeSpan::seconds(limit.as_secs().max(1)).min(*timeout))
        }
        (NotifyTarget::Smtp(smtp), Prepared::Mail(mail)) => {
            let login = smtp.login.as_ref().map(|(user, password)| Ok((user.clone(), secret(password)?)));
            mail::send(smtp, login.transpose().map_err(Failure::Lasting)?, mail, limit, reached)
        }
        // Each target gets its own kind; see `prepare`.
        _ => Err(Failure::Lasting("it was given what it cannot take".to_owned())),
    }
}

/// Why a target will not be told, where that is known beforehand: a secret that is not there.
pub fn missing_secret(target: &NotifyTarget) -> Option<String> {
    let sources: Vec<&SecretSource> = match target {
        NotifyTarget::Webhook { url, headers, .. } => std::iter::once(url).chain(headers.values()).collect(),
        NotifyTarget::Slack { url } | NotifyTarget::Teams { url } | NotifyTarget::Mattermost { url } => vec![url],
        NotifyTarget::Smtp(smtp) => smtp.login.iter().map(|(_, password)| password).collect(),
        NotifyTarget::Command { .. } => Vec::new(),
    };
    sources.into_iter().find_map(|source| secret(source).err())
}

/// Read at each try, so that a file may be renewed while a campaign runs.
fn secret(source: &SecretSource) -> Result<String, String> {
    let text = match source {
        SecretSource::Env(variable) => {
            crate::env::var(variable).ok_or_else(|| format!("{variable} is not set in the environment"))?
        }
        SecretSource::File(path) => {
            let mut text = String::new();
            let read = std::fs::File::open(path).and_then(|file| file.take(MAX_SECRET).read_to_string(&mut text));
            read.map_err(|error| format!("{}: {error}", printable(path, 200)))?;
            text
        }
    };
    let text = text.trim();
    if text.is_empty() { Err(format!("{source} is empty")) } else { Ok(text.to_owned()) }
}
