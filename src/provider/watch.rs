//! Watches: the machine that holds a host's disks puts it back by itself when it has not heard of the controller for so long.
//!
//! A runner there, detached from every session, waits by a clock that nobody sets. It restores with the very script and
//! under the very lock of a restore by the controller. Whether it has fired or was disarmed is decided once, under a lock
//! of the watch.

use std::collections::BTreeMap;

use super::machine::{Call, mark, text, value};
use super::snapshot::{Script, Scripted};
use super::{Ask, EffectKey, ProviderError, Watch};
use crate::model::{Host, TimeSpan, printable};

/// With the runner in it, as it is written down.
const SCRIPT: &str =
    concat!("runner() {\ncat <<'RUNNER'\n", include_str!("watch_runner.sh"), "RUNNER\n}\n", include_str!("watch.sh"));
/// A call writes some lines, and waits for another one at most.
const TAKES: TimeSpan = TimeSpan::minutes(1);
/// How much is shown of what a restore said.
const SHOWN: usize = 200;

pub(super) async fn ask<S: Scripted>(
    scripted: &S,
    host: &Host,
    key: &EffectKey,
    ask: Ask<'_>,
) -> Result<Watch, ProviderError> {
    // What is to be run is told line by line: no value holds more than one.
    let (op, after, restore) = match ask {
        Ask::Arm { backup, after } => {
            // Under a key of its own: a restore by the controller is another one, whichever comes first.
            let values = scripted.to_restore(host, backup, key)?;
            let Script { text: script, mut values, limit, .. } = scripted.script(host, "restore", values, Call::Change);
            values.insert("LOCK_WAIT".to_owned(), limit.as_seconds().to_string());
            ("arm", after, text(script, &[], &values)?.lines().map(str::to_owned).collect())
        }
        Ask::Renew { after } => ("renew", after, vec![]),
        Ask::Disarm => ("disarm", TimeSpan::ZERO, vec![]),
    };
    let own = [("OP", op.to_owned()), ("MARK", mark(key)), ("AFTER", after.as_seconds().to_string())];
    let values: BTreeMap<_, _> = own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let machine = scripted.script(host, op, vec![], Call::Look).machine;
    let lines = machine.run_with(SCRIPT, &restore, values, TAKES, Call::Change).await?;
    Ok(match value(&lines, "watch") {
        Some("armed") => Watch::Armed,
        Some("disarmed") => Watch::Disarmed,
        Some("goes-back") => Watch::GoesBack,
        Some("went-back") => Watch::WentBack,
        Some("failed") => Watch::Failed(printable(value(&lines, "said").unwrap_or_default(), SHOWN)),
        _ => return Err(ProviderError::Unclear("it is not told how the watch stands".to_owned())),
    })
}
