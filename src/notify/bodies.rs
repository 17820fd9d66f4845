//! What chat systems get. Words of hosts are data in each: no markup, no mentions, no links.

use serde_json::{Value, json};

use crate::model::{Moment, Notification};

/// Slack takes 150 characters in a header and 3000 in a section.
const SLACK_HEADER: usize = 140;
const SLACK_TEXT: usize = 2900;

/// The notification as it is.
pub(super) fn own(notification: &Notification) -> String {
    // Texts, numbers and lists of them: this cannot fail.
    serde_json::to_string(notification).unwrap_or_default()
}

/// An incoming webhook of Slack: blocks of plain text, in which nothing is markup. The text beside them is what a
/// notification on a phone shows; there the three characters are escaped that Slack reads.
pub(super) fn slack(notification: &Notification) -> Value {
    let escaped = notification.title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let plain = |text: String| json!({"type": "plain_text", "text": text, "emoji": false});
    let mut blocks = vec![json!({"type": "header", "text": plain(cut(&notification.title, SLACK_HEADER))})];
    if !notification.lines.is_empty() {
        blocks.push(json!({"type": "section", "text": plain(cut(&notification.lines.join("\n"), SLACK_TEXT))}));
    }
    json!({"text": escaped, "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

/// A message with an adaptive card, as workflows of Teams take it. Runs of text know no markup, unlike blocks of text;
/// a mention needs an entity beside the card.
pub(super) fn teams(notification: &Notification) -> Value {
    let run = |text: &str, weight: &str, color: &str| json!({"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, "weight": weight, "color": color}]});
    let color = match notification.moment {
        Moment::Stuck | Moment::Aborted => "attention",
        Moment::Paused | Moment::WentBack | Moment::WindowClosed | Moment::Overrun => "warning",
        _ => "default",
    };
    let mut body = vec![run(&notification.title, "bolder", color)];
    body.extend(notification.lines.iter().map(|line| run(line, "default", "default")));
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    });
    json!({
        "type": "message",
        "attachments": [
            {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card},
        ],
    })
}

/// An incoming webhook of Mattermost: its text is Markdown. Ours is escaped; what others said stands in a block of code,
/// where neither markup nor mentions are looked for.
pub(super) fn mattermost(notification: &Notification) -> Value {
    let mut text = String::from("**");
    for c in notification.title.chars() {
        if r"\`*_{}[]<>()#~|!&".contains(c) {
            text.push('\\');
        }
        // A title has no mention of its own.
        text.push(if c == '@' { '\u{ff20}' } else { c });
    }
    text.push_str("**");
    if !notification.lines.is_empty() {
        // No run of backticks can end the block.
        text.push_str(&format!("\n```\n{}\n```", notification.lines.join("\n").replace('`', "'")));
    }
    json!({"text": text})
}

fn cut(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
