//! Watches: the machine that holds a host's disks puts it back by itself when it has not heard of the controller for so long.
//!
//! A runner there, detached from every session, waits by a clock that nobody sets. It restores with the very script and
//! under the very lock of a restore by the controller. Whether it has fired or was disarmed is decided once, under a lock
//! of the watch.

use std::collections::BTreeMap;

use super::machine::{Call, mark, text, value};
use super::snapshot::{Script, Scripted};
use super::{Ask, BackupRef, EffectKey, ProviderError, Watch};
use crate::model::{Digest, Host, TimeSpan, printable};

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
    let (op, after, restore) = match ask {
        Ask::Arm { backup, after } => ("arm", after, lines_of_restore(scripted, host, backup, key)?),
        Ask::Renew { after } => ("renew", after, vec![]),
        Ask::Disarm => ("disarm", TimeSpan::ZERO, vec![]),
    };
    // A host is told by its lock: that is what restores of it share.
    let of = Digest::of(scripted.lock(host).as_bytes()).to_string();
    let own = [
        ("OP", op.to_owned()),
        ("MARK", mark(key)),
        ("KEY", key.0.clone()),
        ("OF", of),
        ("AFTER", after.as_seconds().to_string()),
    ];
    let values: BTreeMap<_, _> = own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let machine = scripted.script(host, op, vec![], Call::Look).machine;
    let lines = machine.run_with(SCRIPT, &restore, values, TAKES, Call::Change).await?;
    let said = || printable(value(&lines, "said").unwrap_or_default(), SHOWN);
    Ok(match value(&lines, "watch") {
        Some("armed") => Watch::Armed,
        Some("disarmed") => Watch::Disarmed,
        Some("goes-back") => Watch::GoesBack,
        Some("went-back") => Watch::WentBack,
        Some("failed") => Watch::Failed(said()),
        Some("another") => Watch::Another(said()),
        _ => return Err(ProviderError::Unclear("it is not told how the watch stands".to_owned())),
    })
}

/// What the watch is to run, line by line: no value holds more than one.
fn lines_of_restore<S: Scripted>(
    scripted: &S,
    host: &Host,
    backup: &BackupRef,
    key: &EffectKey,
) -> Result<Vec<String>, ProviderError> {
    // Under a key of its own: a restore by the controller is another one, whichever comes first.
    let values = scripted.to_restore(host, backup, key)?;
    let Script { text: script, mut values, limit, .. } = scripted.script(host, "restore", values, Call::Change);
    values.insert("LOCK_WAIT".to_owned(), limit.as_seconds().to_string());
    Ok(text(script, &[], &values)?.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::model::{BtrfsProvider, HostName, LibvirtProvider, LvmProvider};
    use crate::provider::btrfs::Btrfs;
    use crate::provider::libvirt::Libvirt;
    use crate::provider::lvm::Lvm;
    use crate::transport::LocalTransport;

    use super::*;

    /// Arms a watch on nothing: what cannot be told line by line would be refused before it is run.
    fn told(scripted: &impl Scripted, uuid: &str) -> Vec<String> {
        let host = Host::named(HostName::new("web-1").unwrap_or_else(|error| unreachable!("{error}")));
        let backup = BackupRef(format!("{}:{uuid}", "a".repeat(32)));
        let lines = lines_of_restore(scripted, &host, &backup, &EffectKey("c1/web-1/arm/1".to_owned()));
        lines.unwrap_or_else(|error| unreachable!("{error}"))
    }

    #[test]
    fn every_restore_can_be_told_line_by_line() {
        let words = |text: &str| vec![text.to_owned(), "it's $(id)".to_owned()];
        let transport: Arc<dyn crate::transport::Transport> = Arc::new(LocalTransport);
        let btrfs = BtrfsProvider {
            subvolume: "/hosts/it's a host".into(),
            snapshots: "/hosts/kept".into(),
            stop: words("stop"),
            start: words("start"),
            start_clone: None,
            stop_clone: None,
            freeze: None,
            via: None,
            timeout: None,
        };
        let lvm = LvmProvider {
            group: "vg".into(),
            volume: "web".into(),
            stop: words("stop"),
            start: words("start"),
            freeze: None,
            via: None,
            timeout: None,
        };
        let libvirt = LibvirtProvider {
            domain: "web".into(),
            uri: None,
            backups: "/b".into(),
            freeze: None,
            via: None,
            timeout: None,
        };
        let plain = "8f1c5c91-e805-3947-83ee-f8fdea233a98";
        for lines in [
            told(&Btrfs::new(btrfs, &transport), plain),
            told(&Lvm::new(lvm, &transport), &"a".repeat(38)),
            told(&Libvirt::new(libvirt, &transport), plain),
        ] {
            assert!(lines.iter().any(|line| line == "OP='restore'"), "{lines:?}");
            assert!(lines.iter().any(|line| line.starts_with("LOCK_WAIT=")), "{lines:?}");
            assert!(text(SCRIPT, &lines, &BTreeMap::new()).is_ok());
        }
    }
}
