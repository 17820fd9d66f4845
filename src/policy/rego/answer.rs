//! What rules may answer: everything else is an error, for a child is not believed.

use serde_json::Value;

use crate::model::{HostName, Priority, printable};
use crate::policy::StrategyKind;

/// No reason is longer.
const MAX_REASON: usize = 300;
/// No plan has more messages of one kind...
const MAX_MESSAGES: usize = 1_000;
/// ... and no message is longer.
const MAX_MESSAGE: usize = 1_000;

/// What a rule says of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PriorityAnswer {
    pub priority: Priority,
    pub reason: Option<String>,
}

/// What a rule says of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StrategyAnswer {
    pub kind: StrategyKind,
    pub reason: Option<String>,
}

/// A message of a rule about a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct PlanMessage {
    /// In words.
    pub msg: String,
    /// The hosts it is about; none means the plan as a whole.
    pub hosts: Vec<HostName>,
}

impl std::fmt::Display for PlanMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.msg)?;
        if !self.hosts.is_empty() {
            let names: Vec<&str> = self.hosts.iter().map(HostName::as_str).collect();
            write!(f, " ({})", names.join(", "))?;
        }
        Ok(())
    }
}

/// `null`, a priority, or `{"priority": .., "reason": ..}`.
pub(super) fn priority(value: &Value) -> Result<Option<PriorityAnswer>, String> {
    let Some((name, reason)) = choice(value, "priority")? else { return Ok(None) };
    let priority = Priority::ALL.into_iter().find(|priority| priority.as_str() == name);
    let priority = priority.ok_or_else(|| format!("`{}` is not a priority", printable(name, 40)))?;
    Ok(Some(PriorityAnswer { priority, reason }))
}

/// `null`, a strategy, or `{"use": .., "reason": ..}`.
pub(super) fn strategy(value: &Value) -> Result<Option<StrategyAnswer>, String> {
    let Some((name, reason)) = choice(value, "use")? else { return Ok(None) };
    let kind = match name {
        "in_place" => StrategyKind::InPlace,
        "clone_and_switch" => StrategyKind::CloneAndSwitch,
        "auto" => StrategyKind::Auto,
        other => return Err(format!("`{}` is not a strategy", printable(other, 40))),
    };
    Ok(Some(StrategyAnswer { kind, reason }))
}

fn choice<'a>(value: &'a Value, key: &str) -> Result<Option<(&'a str, Option<String>)>, String> {
    let wrong = || format!("an answer is null, a text, or an object with `{key}` and perhaps `reason`");
    match value {
        Value::Null => Ok(None),
        Value::String(name) => Ok(Some((name, None))),
        Value::Object(map) => {
            let name = map.get(key).and_then(Value::as_str).ok_or_else(wrong)?;
            let reason = match map.get("reason") {
                None => None,
                Some(Value::String(reason)) => Some(printable(reason, MAX_REASON)),
                Some(_) => return Err("`reason` is a text".to_owned()),
            };
            if let Some(other) = map.keys().find(|other| *other != key && *other != "reason") {
                return Err(format!("{}: `{}` is neither", wrong(), printable(other, 40)));
            }
            Ok(Some((name, reason)))
        }
        _ => Err(wrong()),
    }
}

/// A set or list of texts, or of `{"msg": .., "hosts": [..]}`; sorted.
pub(super) fn messages(value: &Value) -> Result<Vec<PlanMessage>, String> {
    let Value::Array(items) = value else {
        return Err("an answer is a set of texts or of objects with `msg` and perhaps `hosts`".to_owned());
    };
    if items.len() > MAX_MESSAGES {
        return Err(format!("{} messages: at most {MAX_MESSAGES} are read", items.len()));
    }
    let mut messages = items.iter().map(message).collect::<Result<Vec<_>, _>>()?;
    messages.sort();
    Ok(messages)
}

fn message(item: &Value) -> Result<PlanMessage, String> {
    let wrong = || "a message is a text or an object with `msg` and perhaps `hosts`".to_owned();
    match item {
        Value::String(msg) => Ok(PlanMessage { msg: printable(msg, MAX_MESSAGE), hosts: Vec::new() }),
        Value::Object(map) => {
            let msg = map.get("msg").and_then(Value::as_str).ok_or_else(wrong)?;
            let name =
                |host: &Value| HostName::new(host.as_str().ok_or_else(wrong)?).map_err(|error| error.to_string());
            let mut hosts = match map.get("hosts") {
                None => Vec::new(),
                Some(Value::Array(hosts)) => hosts.iter().map(name).collect::<Result<Vec<_>, _>>()?,
                Some(_) => return Err("`hosts` is a list or set of host names".to_owned()),
            };
            hosts.sort();
            hosts.dedup();
            if let Some(other) = map.keys().find(|key| *key != "msg" && *key != "hosts") {
                return Err(format!("{}: `{}` is neither", wrong(), printable(other, 40)));
            }
            Ok(PlanMessage { msg: printable(msg, MAX_MESSAGE), hosts })
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_documented_is_an_answer() {
        assert_eq!(priority(&json!(null)), Ok(None));
        assert_eq!(priority(&json!("low")).unwrap().unwrap().priority, Priority::Low);
        let with_reason = priority(&json!({"priority": "critical", "reason": "a\u{1b}b"})).unwrap().unwrap();
        assert_eq!(with_reason.reason.as_deref(), Some("a\u{fffd}b"));
        for wrong in [json!("urgent"), json!(1), json!(true), json!([]), json!({}), json!({"priority": "low", "x": 1})]
        {
            assert!(priority(&wrong).is_err(), "{wrong}");
        }
        assert_eq!(strategy(&json!("auto")).unwrap().unwrap().kind, StrategyKind::Auto);
        assert!(strategy(&json!({"use": "rebuild"})).is_err());
        let found = messages(&json!(["b", {"msg": "a", "hosts": ["h-2", "h-1", "h-2"]}])).unwrap();
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a (h-1, h-2)", "b"]);
        for wrong in [json!({}), json!([1]), json!([{"hosts": []}]), json!([{"msg": "a", "hosts": ["-x"]}])] {
            assert!(messages(&wrong).is_err(), "{wrong}");
        }
        assert!(messages(&json!(vec!["x"; MAX_MESSAGES + 1])).is_err());
    }
}
