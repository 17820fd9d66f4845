//! Whom a campaign tells what: frozen into the plan, with secrets by reference only.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{CampaignId, HostName, HostOutcome, SecretSource, TimeSpan};

/// What people may be told of.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// The campaign began.
    Started,
    /// A wave ended well.
    WaveEnded,
    /// The campaign was paused, by a person or by itself.
    Paused,
    /// It goes on.
    Resumed,
    /// A host is as it was before: restored or switched back.
    WentBack,
    /// A host needs a person.
    Stuck,
    /// A host's windows are over before its turn came.
    WindowClosed,
    /// A host was still worked on when its window ended.
    Overrun,
    /// The campaign was aborted.
    Aborted,
    /// Every host has ended.
    Finished,
}

impl Moment {
    /// What is told where policy does not say: that it ended, and before that only what somebody may want to act on.
    pub const QUIET: [Self; 7] =
        [Self::Paused, Self::WentBack, Self::Stuck, Self::WindowClosed, Self::Overrun, Self::Aborted, Self::Finished];

    /// The name as written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::WaveEnded => "wave_ended",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::WentBack => "went_back",
            Self::Stuck => "stuck",
            Self::WindowClosed => "window_closed",
            Self::Overrun => "overrun",
            Self::Aborted => "aborted",
            Self::Finished => "finished",
        }
    }

    /// Whether it is of one host, so that many of them within a short time are told at once.
    pub const fn is_of_a_host(self) -> bool {
        matches!(self, Self::WentBack | Self::Stuck | Self::WindowClosed | Self::Overrun)
    }
}

/// Whom to tell what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// Of what.
    pub on: BTreeSet<Moment>,
    /// To whom.
    pub to: NotifyTarget,
}

/// To whom, and how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum NotifyTarget {
    /// JSON to a URL.
    Webhook {
        /// Where the URL is: whoever knows it can post.
        url: SecretSource,
        /// The text that gives the body; none: the notification as it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        template: Option<String>,
        /// Headers, each with where its value is.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, SecretSource>,
    },
    /// An incoming webhook of Slack.
    Slack {
        /// Where the URL is.
        url: SecretSource,
    },
    /// A workflow of Microsoft Teams that takes webhooks.
    Teams {
        /// Where the URL is.
        url: SecretSource,
    },
    /// An incoming webhook of Mattermost.
    Mattermost {
        /// Where the URL is.
        url: SecretSource,
    },
    /// A mail.
    Smtp(SmtpTarget),
    /// A command on this machine, which gets the notification on its standard input.
    Command {
        /// The program and its arguments.
        argv: Vec<String>,
        /// How long it may take.
        timeout: TimeSpan,
    },
}

impl NotifyTarget {
    /// For people, without a secret: `slack ($SLACK_URL)`.
    pub fn shown(&self) -> String {
        match self {
            Self::Webhook { url, .. } => format!("webhook ({url})"),
            Self::Slack { url } => format!("slack ({url})"),
            Self::Teams { url } => format!("teams ({url})"),
            Self::Mattermost { url } => format!("mattermost ({url})"),
            Self::Smtp(smtp) => format!("smtp ({} to {})", smtp.server, smtp.to.join(", ")),
            Self::Command { argv, .. } => {
                format!("command ({})", super::printable(argv.first().map_or("", String::as_str), 120))
            }
        }
    }
}

/// A mail server and the mails it gets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmtpTarget {
    /// Its name or address.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// Who sends, and where the password is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<(String, SecretSource)>,
    /// The sender's address.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
}

/// How the connection to a mail server is protected.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SmtpTls {
    /// By STARTTLS; a server that does not offer it gets no mail.
    #[default]
    Starttls,
    /// By TLS from the first byte.
    Tls,
    /// Not at all: for a server on this machine only.
    None,
}

/// What is told: the JSON that webhooks and commands get.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Notification {
    /// [`NOTIFICATION_FORMAT`].
    pub format: &'static str,
    /// `CAMPAIGN/RECORD`, or `CAMPAIGN/FIRST-LAST` of several: whoever gets it twice can tell by this.
    pub id: String,
    /// The campaign.
    pub campaign: CampaignId,
    /// What happened.
    pub moment: Moment,
    /// When, by the controller's clock.
    pub at: Timestamp,
    /// What happened, in one line of our own words.
    pub title: String,
    /// More of it, a line each. Hosts and people have a say in these words: they are text and nothing else.
    pub lines: Vec<String>,
    /// The hosts it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostName>,
    /// How many hosts ended how, at the end.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outcomes: BTreeMap<HostOutcome, u32>,
    /// It is only a test: nothing has happened.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
}

/// The version of what webhooks and commands get.
pub const NOTIFICATION_FORMAT: &str = "switchback.notification/v1";

impl Notification {
    /// One to try targets with.
    pub fn test(at: Timestamp) -> Self {
        #[expect(clippy::unwrap_used, reason = "a valid id")]
        let campaign = CampaignId::new("test").unwrap();
        Self {
            format: NOTIFICATION_FORMAT,
            id: "test/1".to_owned(),
            campaign,
            moment: Moment::Finished,
            at,
            title: "This is a test of notifications".to_owned(),
            lines: vec!["No campaign has run: `switchback notify test` sent it.".to_owned()],
            hosts: Vec::new(),
            outcomes: BTreeMap::new(),
            test: true,
        }
    }
}
