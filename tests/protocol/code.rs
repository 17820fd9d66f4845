//! The guards of the model are guards of the product: each is still where the model says.

use crate::world::Guard;

/// A guard, the file that has it, and its words there.
const GUARDS: [(Guard, &str, &str); 24] = [
    (Guard::StoreLock, include_str!("../../src/store/sqlite.rs"), "file.try_lock()"),
    (Guard::Fence, include_str!("../../src/store/sqlite.rs"), "if u64::try_from(lease) != Ok(fence)"),
    (Guard::Fence, include_str!("../../src/store/sqlite.rs"), "follow(&mut end, campaign, record)"),
    (Guard::NewFence, include_str!("../../src/store/sqlite.rs"), "DO UPDATE SET fence = fence + 1"),
    (Guard::DurableJournal, include_str!("../../src/store/sqlite.rs"), "PRAGMA synchronous = FULL;"),
    (Guard::IntentFirst, include_str!("../../src/run/dispatcher.rs"), "self.perform(batch.effects);"),
    (Guard::Attach, include_str!("../../src/engine/settle.rs"), "let mode = Mode::Attach;"),
    (Guard::Attach, include_str!("../../src/run/executor/change.rs"), "(true, _) => unknown(reason)"),
    (Guard::LostIsNoFailure, include_str!("../../src/transport/remote_job/drive.rs"), "sent |= !nothing_sent;"),
    (Guard::Doubt, include_str!("../../src/transport/remote_job/drive.rs"), "JobState::NotClaimed(_)) if sent =>"),
    (
        Guard::Doubt,
        include_str!("../../src/run/executor/change.rs"),
        "JobState::NotClaimed(why) if self.is_attach() =>",
    ),
    (Guard::AtomicClaim, include_str!("../../src/transport/remote_job/attach.sh"), r#"mv -T "$new" "$dir""#),
    (Guard::RunnerLock, include_str!("../../src/transport/remote_job/runner.sh"), "flock -n 9 || exit 0"),
    (Guard::StartedMarker, include_str!("../../src/transport/remote_job/runner.sh"), "[ -e started ] || [ -e rc ]"),
    (Guard::DurableMark, include_str!("../../src/transport/remote_job/runner.sh"), "durable started.tmp"),
    (Guard::DurableFolders, include_str!("../../src/transport/remote_job/runner.sh"), "durable . .. ../.. ../../.."),
    (Guard::DurableSpool, include_str!("../../src/transport/remote_job/attach.sh"), "base=/var/lib/switchback/jobs"),
    (Guard::Limit, include_str!("../../src/transport/remote_job/runner.sh"), r#"timeout -k 10 "$limit""#),
    (Guard::Limit, include_str!("../../src/transport/remote_job/runner.sh"), "limit=$((limit + called - $(seconds)))"),
    (Guard::Limit, include_str!("../../src/engine/host.rs"), ".plus(GRACE)"),
    (Guard::EffectLock, include_str!("../../src/provider/types.rs"), "match effect_lock(&key.0)"),
    (Guard::EffectLock, include_str!("../../src/provider/machine.sh"), "flock -n 9 || fail"),
    // The two kinds of restore: one stops the host, the other leaves the folder of jobs alone.
    (Guard::RestoreCuts, include_str!("../../src/provider/containers.rs"), r#"&["stop", STOP_SECONDS, name]"#),
    (Guard::RestoreCuts, include_str!("../../src/provider/restic/restic.sh"), "--exclude=/var/lib/switchback "),
];

#[test]
fn the_guards_are_in_the_code() {
    for (guard, file, words) in GUARDS {
        assert!(file.contains(words), "{guard:?}: {words:?} is not there any more; does the model still say what is?");
    }
}
