//! Section `notify`: whom a campaign tells what.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Check;
use crate::diagnostic::{Diagnostic, Source};
use crate::model::{
    Moment, Notification, Notify, NotifyTarget, SecretSource, SmtpTarget, SmtpTls, TimeSpan, is_unprintable, printable,
};
use crate::yaml::{OneOrMany, Spanned, span};

/// No body that a template gives is larger: what chat systems take is much smaller.
const MAX_BODY: usize = 64 << 10;

/// Instructions one rendering may take: a list of a hundred hosts takes some thousand.
const FUEL: u64 = 50_000;

/// How long a command may take where policy does not say.
const COMMAND_TIMEOUT: TimeSpan = TimeSpan::seconds(30);

/// Longer than this, and a command is still at it when nobody waits for it any more.
const MAX_TIMEOUT: TimeSpan = TimeSpan::minutes(10);

/// More than this is a mailing list, which has an address of its own.
const MAX_RECIPIENTS: usize = 50;

/// Ports of mail submission, by STARTTLS and by TLS from the first byte, and of mail between servers.
const PORTS: [u16; 3] = [587, 465, 25];

/// Headers that say how the body is sent, which is not for policy to say.
const OWN_HEADERS: [&str; 5] = ["connection", "content-length", "content-type", "host", "transfer-encoding"];

/// When to tell whom.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NotifyRaw {
    /// Of what; where absent: of the end, and before that of what somebody may want to act on.
    #[serde(default)]
    pub on: Option<Spanned<OneOrMany<Moment>>>,
    /// Post JSON to a URL.
    #[serde(default)]
    pub webhook: Option<Spanned<WebhookRaw>>,
    /// Post to an incoming webhook of Slack.
    #[serde(default)]
    pub slack: Option<Spanned<HookRaw>>,
    /// Post a card to a workflow of Microsoft Teams that takes webhooks.
    #[serde(default)]
    pub teams: Option<Spanned<HookRaw>>,
    /// Post to an incoming webhook of Mattermost.
    #[serde(default)]
    pub mattermost: Option<Spanned<HookRaw>>,
    /// Send a mail.
    #[serde(default)]
    pub smtp: Option<Spanned<SmtpRaw>>,
    /// Run a command on this machine, which gets the notification as JSON on its standard input.
    #[serde(default)]
    pub command: Option<Spanned<CommandRaw>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HookRaw {
    /// The environment variable that holds the URL.
    #[serde(default)]
    pub url_env: Option<Spanned<String>>,
    /// The file that holds the URL.
    #[serde(default)]
    pub url_file: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookRaw {
    /// The environment variable that holds the URL.
    #[serde(default)]
    pub url_env: Option<Spanned<String>>,
    /// The file that holds the URL.
    #[serde(default)]
    pub url_file: Option<Spanned<String>>,
    /// A template whose text is the JSON to post; every value in it is written as JSON, such as `{"text": {{ title }}}`.
    #[serde(default)]
    pub template: Option<Spanned<String>>,
    /// Headers, each with the environment variable that holds its value.
    #[serde(default)]
    pub headers_env: BTreeMap<String, Spanned<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SmtpRaw {
    /// The mail server's name or address.
    pub server: Spanned<String>,
    /// Its port; where absent 587, with `tls: tls` 465, with `tls: none` 25.
    #[serde(default)]
    pub port: Option<Spanned<u16>>,
    /// How the connection is protected: `starttls`, `tls`, or `none` for a server on this machine.
    #[serde(default)]
    pub tls: Option<Spanned<SmtpTls>>,
    /// Who sends, where the server asks for a login.
    #[serde(default)]
    pub user: Option<Spanned<String>>,
    /// The environment variable that holds the password.
    #[serde(default)]
    pub password_env: Option<Spanned<String>>,
    /// The file that holds the password.
    #[serde(default)]
    pub password_file: Option<Spanned<String>>,
    /// The sender's address.
    pub from: Spanned<String>,
    /// Who gets it.
    pub to: Spanned<OneOrMany<Spanned<String>>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandRaw {
    /// The program and its arguments, as they are: no shell, no templates.
    pub run: Spanned<Vec<String>>,
    /// How long it may take, such as `30s`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Spanned<TimeSpan>>,
}

/// A chat's webhook as written, and the target that it makes.
type Hook = (Option<Spanned<HookRaw>>, fn(SecretSource) -> NotifyTarget);

/// Checks one entry.
pub(super) fn check(check: &mut Check<'_>, source: &Arc<Source>, raw: NotifyRaw) {
    if let Some(on) = raw.on.as_ref().filter(|on| on.value.0.is_empty()) {
        check.error("invalid-value", source, on, "this notifies of nothing");
    }
    let mut targets: Vec<(Spanned<()>, Option<NotifyTarget>)> = Vec::new();
    if let Some(raw) = raw.webhook {
        let at = place(&raw);
        targets.push((at, webhook(check, source, raw)));
    }
    let hooks: [Hook; 3] = [
        (raw.slack, |url| NotifyTarget::Slack { url }),
        (raw.teams, |url| NotifyTarget::Teams { url }),
        (raw.mattermost, |url| NotifyTarget::Mattermost { url }),
    ];
    for (raw, make) in hooks {
        if let Some(raw) = raw {
            let at = place(&raw);
            targets.push((at, secret(check, source, &at, "url", raw.value.url_env, raw.value.url_file).map(make)));
        }
    }
    if let Some(raw) = raw.smtp {
        let at = place(&raw);
        targets.push((at, smtp(check, source, raw)));
    }
    if let Some(raw) = raw.command {
        let at = place(&raw);
        targets.push((at, command(check, source, raw)));
    }
    let Some((_, target)) = targets.pop() else {
        check.push(
            Diagnostic::error("invalid-value", "an entry of `notify` tells nobody")
                .help("write one of webhook, slack, teams, mattermost, smtp, command"),
        );
        return;
    };
    if let Some((second, _)) = targets.first() {
        check.error("invalid-value", source, second, "an entry of `notify` has one target: write one entry for each");
    }
    let on = raw.on.map_or_else(|| Moment::QUIET.to_vec(), |on| on.value.0);
    if let Some(to) = target {
        check.policy.notify.push(Notify { on: on.into_iter().collect(), to });
    }
}

fn place<T>(raw: &Spanned<T>) -> Spanned<()> {
    Spanned { value: (), offset: raw.offset, length: raw.length }
}

/// One of `KEY_env` and `KEY_file`.
fn secret(
    check: &mut Check<'_>,
    source: &Arc<Source>,
    at: &Spanned<()>,
    key: &str,
    env: Option<Spanned<String>>,
    file: Option<Spanned<String>>,
) -> Option<SecretSource> {
    match (env, file) {
        (Some(name), None) => variable(check, source, &name),
        (None, Some(path)) if path.value.is_empty() || path.value.chars().any(is_unprintable) => {
            check.error("invalid-value", source, &path, "this names no file");
            None
        }
        (None, Some(path)) => Some(SecretSource::File(path.value)),
        _ => {
            check.push(
                Diagnostic::error("invalid-value", format!("this needs one of `{key}_env` and `{key}_file`"))
                    .at(span(source, at))
                    .help("secrets do not stand in policies: say where it is"),
            );
            None
        }
    }
}

fn variable(check: &mut Check<'_>, source: &Arc<Source>, name: &Spanned<String>) -> Option<SecretSource> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.value.is_empty() || !name.value.chars().all(plain) || name.value.starts_with(|c: char| c.is_ascii_digit()) {
        check.push(
            // Not shown: it may be the secret itself.
            Diagnostic::error("invalid-value", "this names no variable")
                .at(span(source, name))
                .help("name the environment variable that holds it: secrets do not stand in policies"),
        );
        return None;
    }
    Some(SecretSource::Env(name.value.clone()))
}

fn webhook(check: &mut Check<'_>, source: &Arc<Source>, raw: Spanned<WebhookRaw>) -> Option<NotifyTarget> {
    let at = place(&raw);
    let raw = raw.value;
    let mut headers = BTreeMap::new();
    for (name, value) in raw.headers_env {
        let token = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if name.is_empty() || !name.chars().all(token) || OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            let message = format!("`{}` is no header to be set here", printable(&name, 60));
            check.error("invalid-value", source, &value, message);
        } else if let Some(value) = variable(check, source, &value) {
            headers.insert(name, value);
        }
    }
    if let Some(template) = &raw.template
        && let Err(why) = render_notification(&template.value, &Notification::test(jiff::Timestamp::UNIX_EPOCH))
    {
        check.push(
            Diagnostic::error("invalid-value", format!("this template gives no JSON: {why}"))
                .at(span(source, template))
                .help("values are written as JSON, with their quotes: `{\"text\": {{ title }}}`"),
        );
    }
    let url = secret(check, source, &at, "url", raw.url_env, raw.url_file)?;
    Some(NotifyTarget::Webhook { url, template: raw.template.map(|template| template.value), headers })
}

fn smtp(check: &mut Check<'_>, source: &Arc<Source>, raw: Spanned<SmtpRaw>) -> Option<NotifyTarget> {
    let at = place(&raw);
    let raw = raw.value;
    let server = &raw.server.value;
    let fine = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
    if server.is_empty() || server.len() > 253 || !server.chars().all(fine) || server.starts_with(['-', '.']) {
        check.error("invalid-value", source, &raw.server, "this is no name or address of a server");
    }
    let tls = raw.tls.as_ref().map_or(SmtpTls::default(), |tls| tls.value);
    let here = server == "localhost" || server.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if let Some(tls) = raw.tls.as_ref().filter(|tls| tls.value == SmtpTls::None && !here) {
        check.push(
            Diagnostic::error("invalid-value", "mails to another machine are not sent without encryption")
                .at(span(source, tls))
                .help("write `starttls` or `tls`, or send by a server on this machine"),
        );
    }
    let [starttls, wrapped, plain] = PORTS;
    let port = raw.port.map_or(
        match tls {
            SmtpTls::Starttls => starttls,
            SmtpTls::Tls => wrapped,
            SmtpTls::None => plain,
        },
        |port| port.value,
    );
    let login = match (raw.user, raw.password_env, raw.password_file) {
        (None, None, None) => None,
        (Some(user), env, file) => {
            if user.value.is_empty() || user.value.chars().any(is_unprintable) {
                check.error("invalid-value", source, &user, "this names nobody");
            }
            Some((user.value, secret(check, source, &at, "password", env, file)?))
        }
        (None, ..) => {
            check.error("invalid-value", source, &at, "a password without a `user`");
            None
        }
    };
    let to = raw.to.value.0;
    if to.is_empty() || to.len() > MAX_RECIPIENTS {
        check.error("invalid-value", source, &at, format!("a mail goes to 1 to {MAX_RECIPIENTS} addresses"));
    }
    for address in to.iter().chain([&raw.from]).filter(|address| !is_address(&address.value)) {
        check.error("invalid-value", source, address, "this is no address such as `ops@example.com`");
    }
    let to = to.into_iter().map(|address| address.value).collect();
    Some(NotifyTarget::Smtp(SmtpTarget { server: server.clone(), port, tls, login, from: raw.from.value, to }))
}

/// `LOCAL@DOMAIN` in the characters that nobody has to quote: nothing that could end a header or begin another address.
fn is_address(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || ".-_+=/&'".contains(c);
    text.len() <= 254
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && local.chars().all(fine)
                && !domain.is_empty()
                && domain.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
        })
        // Whoever makes the mail has the last word.
        && text.parse::<lettre::message::Mailbox>().is_ok()
}

fn command(check: &mut Check<'_>, source: &Arc<Source>, raw: Spanned<CommandRaw>) -> Option<NotifyTarget> {
    let CommandRaw { run, timeout } = raw.value;
    if run.value.first().is_none_or(String::is_empty) {
        check.error("empty-run", source, &run, "this command names no program");
        return None;
    }
    if let Some(timeout) = timeout.as_ref().filter(|t| t.value == TimeSpan::ZERO || t.value > MAX_TIMEOUT) {
        check.error("invalid-value", source, timeout, format!("a command may take up to {MAX_TIMEOUT}"));
    }
    Some(NotifyTarget::Command { argv: run.value, timeout: timeout.map_or(COMMAND_TIMEOUT, |timeout| timeout.value) })
}

/// Values become JSON with their quotes: whatever a host says stays one text.
static JSON: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|_| AutoEscape::Json);
    environment.remove_filter("safe");
    environment
});

/// The JSON that a webhook's template makes of a notification; why not, if it makes none.
pub fn render_notification(template: &str, notification: &Notification) -> Result<String, String> {
    let parsed = JSON.template_from_str(template).map_err(|error| printable(&error.to_string(), 200))?;
    let context = minijinja::value::Value::from(minijinja::value::Serde(notification));
    let body = parsed.render(context).map_err(|error| printable(&error.to_string(), 200))?;
    if body.len() > MAX_BODY {
        return Err(format!("it has more than {MAX_BODY} bytes"));
    }
    match serde_json::from_str::<serde::de::IgnoredAny>(&body) {
        Ok(_) => Ok(body),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_template_gives_json_whatever_a_host_says() {
        let mut told = Notification::test(jiff::Timestamp::UNIX_EPOCH);
        told.lines = vec!["\"}, {\"admin\": true".to_owned(), "</script>\u{2028}\\".to_owned()];
        let body = render_notification("{\"text\": {{ title }}, \"more\": {{ lines }}}", &told).unwrap();
        let json: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(json.as_object().unwrap().len(), 2, "{body}");
        assert_eq!(json["more"], serde_json::json!(told.lines));
        for wrong in ["{{ titel }}", "{{ title", "{\"text\": \"{{ title }}\"}", "{{ lines|safe }}", "no"] {
            assert!(render_notification(wrong, &told).is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses_cannot_carry_headers() {
        for address in ["ops@example.com", "a.b+c@x-y.example"] {
            assert!(is_address(address), "{address}");
        }
        for address in [
            "",
            "ops",
            "@x",
            "a@",
            "a@b\r\nBcc: c@d",
            "a@b, c@d",
            "<a@b>",
            "a b@c",
            "a@b@c",
            "a..b@example.com",
            ".a@example.com",
            "a@-b.example",
        ] {
            assert!(!is_address(address), "{address:?}");
        }
    }
}
