//! The protocol of lease, fence, intent and job, explored: every interleaving of two controllers and one host with a few
//! faults of every kind, against what it promises. Controllers ask the real engine; the store, the network and the host
//! are small models whose steps name the code that they stand for. `docs/concepts/recovery.md` tells it in words.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may panic")]
#![expect(clippy::print_stdout, reason = "counts and traces are shown")]

mod code;
mod engine;
mod script;
mod search;
mod steps;
mod world;

use std::collections::BTreeSet;

use switchback::model::HostOutcome;

use engine::{Engines, Told};
use search::{Explored, explore, first_harm};
use world::{Bad, Folders, Guard, RestoreKind, Setting};

const FILES: Setting = Setting { restore: RestoreKind::Files, ..Setting::new(2) };

fn shown(name: &str, setting: &Setting, found: Explored) -> Explored {
    let Explored { states, transitions, ended, .. } = found;
    println!("{name}, at most {} faults: {states} states, {transitions} steps, {ended} ends", setting.faults);
    for (bad, way) in &found.bad {
        println!("  {bad:?} behind {} steps:", way.len());
        way.iter().for_each(|step| println!("    {step}"));
    }
    found
}

/// Nothing bad is met, every state leads to an end, and no kind of end was missed.
fn holds(name: &str, setting: &Setting) -> Engines {
    let mut engines = Engines::new();
    let found = shown(name, setting, explore(&mut engines, setting, &[]));
    assert!(found.bad.is_empty());
    let ends = [HostOutcome::Fixed, HostOutcome::Restored, HostOutcome::Untouched, HostOutcome::Stuck];
    assert_eq!(found.outcomes, BTreeSet::from(ends));
    engines
}

#[test]
fn the_protocol_keeps_its_promises() {
    let mut engines = holds("restores of the disk", &Setting::new(3));
    recovering_twice_is_recovering_once(&mut engines);
}

#[test]
fn and_where_a_restore_works_on_the_running_host() {
    holds("restores of files", &FILES);
}

/// A minute and some memory: `cargo test --release --test protocol -- --ignored`.
#[test]
#[ignore = "slow without --release"]
fn and_with_one_fault_more() {
    holds("restores of the disk", &Setting::new(4));
    holds("restores of files", &Setting { faults: 4, ..FILES });
    locks_are_lost(2);
    folders_are_copied(2);
}

/// Every journal that was met, and each part of one that a crash may leave: whoever reads it asks for the same step as
/// one who reads what he has written, and never starts what may have been started.
fn recovering_twice_is_recovering_once(engines: &mut Engines) {
    const LATER: u8 = 20;
    let journals = u16::try_from(engines.len()).unwrap();
    let mut again = 0;
    for journal in 1..journals {
        let view = engines.view(journal);
        if view.ended {
            continue;
        }
        let number = engines.ask(journal, Told::Recover, LATER);
        let first = engines.decision(number).clone();
        let begun = first.begin.map(|(step, _)| step);
        assert_eq!(begun.is_none(), first.finished, "somebody works or all is done");
        if let Some(open) = view.open {
            assert_eq!(first.begin, Some((open, true)), "an open intent is asked about, however late");
        }
        for part in &first.behind {
            let view = engines.view(*part);
            if view.ended {
                continue;
            }
            let number = engines.ask(*part, Told::Recover, LATER);
            let second = engines.decision(number);
            assert_eq!(second.begin, begun.map(|step| (step, view.open == Some(step))));
            again += 1;
        }
    }
    println!("{journals} journals, {again} recoveries of recoveries");
    assert!(again > 1000, "the journals that were met");
}

/// Each guard by itself: without it there is harm, and this is the first.
#[test]
fn every_guard_is_needed() {
    let needed = [
        (Guard::IntentFirst, 0, Bad::NoIntent),
        (Guard::DurableJournal, 1, Bad::NoIntent),
        (Guard::Attach, 1, Bad::NoIntent),
        (Guard::LostIsNoFailure, 1, Bad::NoIntent),
        (Guard::Doubt, 1, Bad::NoIntent),
        (Guard::AtomicClaim, 1, Bad::TwoAtOnce),
        (Guard::RunnerLock, 0, Bad::TwoAtOnce),
        (Guard::StartedMarker, 0, Bad::FixedTwice),
        (Guard::DurableMark, 1, Bad::FixedTwice),
        (Guard::DurableFolders, 2, Bad::FixedTwice),
        (Guard::DurableSpool, 1, Bad::FixedTwice),
        (Guard::Limit, 0, Bad::NoIntent),
        (Guard::EffectLock, 1, Bad::TwoAtOnce),
        (Guard::RestoreCuts, 2, Bad::FixedAgain),
        (Guard::StoreLock, 1, Bad::NoIntent),
    ];
    for (guard, faults, bad) in needed {
        let setting = Setting::new(faults).without(guard);
        let found = shown(&format!("without {guard:?}"), &setting, first_harm(&mut Engines::new(), &setting));
        assert_eq!(found.bad.iter().map(|(bad, _)| *bad).collect::<Vec<_>>(), [bad], "{guard:?}");
        if let Some(fewer) = faults.checked_sub(1) {
            let found = explore(&mut Engines::new(), &Setting { faults: fewer, ..setting }, &[]);
            assert!(found.bad.is_empty(), "{guard:?} is missed with fewer faults");
        }
    }
    // The fence is behind the lock: as long as that holds it is not missed.
    for guard in [Guard::Fence, Guard::NewFence] {
        let behind = Setting::new(1).without(guard);
        assert!(explore(&mut Engines::new(), &behind, &[]).bad.is_empty());
        let neither = behind.without(Guard::StoreLock);
        let name = format!("without StoreLock and {guard:?}");
        let found = shown(&name, &neither, first_harm(&mut Engines::new(), &neither));
        assert!(found.way_to(Bad::Overtaken).is_some());
    }
}

/// What the host and the journal still guarantee when two controllers do work at once: somebody has deleted the lock
/// file, or keeps the state folder where locks do not work.
#[test]
fn a_lost_lock_is_not_the_worst() {
    locks_are_lost(1);
}

fn locks_are_lost(faults: u8) {
    let setting = Setting::new(faults).without(Guard::StoreLock);
    let suffered = [Bad::NoIntent, Bad::FixedAgain, Bad::WrongEnd];
    let found = shown("without the lock", &setting, explore(&mut Engines::new(), &setting, &suffered));
    assert!(found.bad.iter().all(|(bad, _)| suffered.contains(bad)), "never two at once, twice, or two who write");
    assert!(found.way_to(Bad::FixedAgain).is_some(), "a slow controller may fix what a newer one has restored");
}

/// The same for two copies of a state folder on two machines.
#[test]
fn a_copied_folder_is_not_the_worst() {
    folders_are_copied(1);
}

fn folders_are_copied(faults: u8) {
    let setting = Setting { folders: Folders::Copied, ..Setting::new(faults) };
    let suffered = [Bad::NoIntent, Bad::FixedAgain, Bad::WrongEnd, Bad::TwoAtOnce];
    let found = shown("with a copied folder", &setting, explore(&mut Engines::new(), &setting, &suffered));
    assert!(found.bad.iter().all(|(bad, _)| suffered.contains(bad)), "never twice on one system");
    assert!(found.way_to(Bad::WrongEnd).is_some(), "two who do not know of each other");
}
