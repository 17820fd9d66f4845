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

const SCRIPT: &str = include_str!("watch.sh");
const RUNNER: &str = include_str!("watch_runner.sh");
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
    let after_of = |after: TimeSpan| ("AFTER", after.as_seconds().to_string());
    let (op, more) = match ask {
        Ask::Arm { backup, after } => {
            // Under a key of its own: a restore by the controller is another one, whichever comes first.
            let values = scripted.to_restore(host, backup, key)?;
            let Script { text: script, mut values, limit, .. } = scripted.script(host, "restore", values, Call::Change);
            values.insert("LOCK_WAIT".to_owned(), limit.as_seconds().to_string());
            let restore = text(script, &values)?;
            ("arm", vec![after_of(after), ("RESTORE", restore), ("RUNNER", RUNNER.to_owned())])
        }
        Ask::Renew { after } => ("renew", vec![after_of(after)]),
        Ask::Disarm => ("disarm", vec![]),
    };
    let own = vec![("OP", op.to_owned()), ("MARK", mark(key))];
    let values: BTreeMap<_, _> = own.into_iter().chain(more).map(|(name, value)| (name.to_owned(), value)).collect();
    let machine = scripted.script(host, op, vec![], Call::Look).machine;
    let lines = machine.run(SCRIPT, values, TAKES, Call::Change).await?;
    Ok(match value(&lines, "watch") {
        Some("armed") => Watch::Armed,
        Some("disarmed") => Watch::Disarmed,
        Some("goes-back") => Watch::GoesBack,
        Some("went-back") => Watch::WentBack,
        Some("failed") => Watch::Failed(printable(value(&lines, "said").unwrap_or_default(), SHOWN)),
        _ => return Err(ProviderError::Unclear("it is not told how the watch stands".to_owned())),
    })
}
