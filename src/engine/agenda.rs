//! Who is to be looked at next: queues that make a decision cost the hosts it concerns and not the whole fleet.
//!
//! Nothing here is state. A recovered campaign begins with every waiting host on the list and comes to the same
//! decisions; what is kept between two inputs only says for which hosts nothing can have changed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

/// Where a host waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Park {
    /// For a time.
    Until(Timestamp),
    /// For a slot, or for its group's preparation.
    Slot,
    /// For a slot of this pool.
    Pool(usize),
    /// For a permit of its group, or for the failure budget.
    Permit,
    /// For somebody to resume.
    Resume,
    /// For another host to succeed.
    Pilot,
}

/// Whether hosts of a group may be woken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub slot: bool,
    pub permit: bool,
}

/// Hosts to be looked at, and hosts that wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Agenda {
    /// To be looked at now.
    due: BTreeSet<usize>,
    timers: BTreeSet<(Timestamp, usize)>,
    held: BTreeSet<usize>,
    /// Hosts that wait for a pool, by its number; none is empty.
    pools: BTreeMap<usize, BTreeSet<usize>>,
    /// One per group, and the first for hosts without one.
    lanes: Vec<Lane>,
    /// The first host of each lane that has room, so that the next in wave order is found at once.
    slot_fronts: BTreeSet<(usize, usize)>,
    permit_fronts: BTreeSet<(usize, usize)>,
}

#[derive(Clone, Debug, Default)]
struct Lane {
    slot: BTreeSet<usize>,
    permit: BTreeSet<usize>,
    slot_front: Option<usize>,
    permit_front: Option<usize>,
}

impl Agenda {
    /// Forgets everything and lists these hosts.
    pub(super) fn restart(&mut self, groups: usize, hosts: impl Iterator<Item = usize>) {
        *self =
            Self { due: hosts.collect(), lanes: vec![Lane::default(); groups.saturating_add(1)], ..Self::default() };
    }

    /// This host is to be looked at.
    pub(super) fn look_at(&mut self, host: usize) {
        self.due.insert(host);
    }

    /// The next host to be looked at, in wave order.
    pub(super) fn pop(&mut self) -> Option<usize> {
        self.due.pop_first()
    }

    /// A host waits.
    pub(super) fn park(&mut self, host: usize, group: Option<usize>, at: Park, room: Room) {
        let number = lane_number(group);
        match (at, self.lanes.get_mut(number)) {
            (Park::Until(time), _) => {
                self.timers.insert((time, host));
            }
            (Park::Slot, Some(lane)) => {
                lane.slot.insert(host);
            }
            (Park::Pool(pool), _) => {
                self.pools.entry(pool).or_default().insert(host);
            }
            (Park::Permit, Some(lane)) => {
                lane.permit.insert(host);
            }
            (Park::Pilot, _) => {}
            (Park::Resume, _) | (_, None) => {
                self.held.insert(host);
            }
        }
        self.refresh(group, room);
    }

    /// What a group has room for has changed.
    pub(super) fn refresh(&mut self, group: Option<usize>, room: Room) {
        let number = lane_number(group);
        let Some(lane) = self.lanes.get_mut(number) else { return };
        for (fronts, front, hosts, open) in [
            (&mut self.slot_fronts, &mut lane.slot_front, &lane.slot, room.slot),
            (&mut self.permit_fronts, &mut lane.permit_front, &lane.permit, room.permit),
        ] {
            let first = hosts.first().copied().filter(|_| open);
            if *front != first {
                front.take().map(|host| fronts.remove(&(host, number)));
                first.map(|host| fronts.insert((host, number)));
                *front = first;
            }
        }
    }

    /// Wakes the first host that waits for a slot in a group with room; says in which group.
    pub(super) fn wake_for_slot(&mut self) -> Option<Option<usize>> {
        let &(host, number) = self.slot_fronts.first()?;
        self.lanes.get_mut(number)?.slot.remove(&host);
        self.due.insert(host);
        Some(number.checked_sub(1))
    }

    /// Wakes the first host of each pool that has room; of each one: the others would find what it leaves.
    pub(super) fn wake_for_pools(&mut self, has_room: impl Fn(usize) -> bool) {
        let due = &mut self.due;
        self.pools.retain(|pool, hosts| {
            if has_room(*pool) {
                due.extend(hosts.pop_first());
            }
            !hosts.is_empty()
        });
    }

    /// Wakes the first host that waits for a permit in a group that has one; says in which group.
    pub(super) fn wake_for_permit(&mut self) -> Option<Option<usize>> {
        let &(host, number) = self.permit_fronts.first()?;
        self.lanes.get_mut(number)?.permit.remove(&host);
        self.due.insert(host);
        Some(number.checked_sub(1))
    }

    /// Wakes all hosts of a group: their answer has changed for good.
    pub(super) fn wake_group(&mut self, group: Option<usize>) {
        if let Some(lane) = self.lanes.get_mut(lane_number(group)) {
            self.due.append(&mut lane.slot);
            self.due.append(&mut lane.permit);
        }
    }

    /// Wakes all hosts that waited for somebody to resume.
    pub(super) fn wake_held(&mut self) {
        self.due.append(&mut self.held);
    }

    /// Wakes all hosts whose time has come.
    pub(super) fn wake_until(&mut self, now: Timestamp) {
        while let Some(&(time, host)) = self.timers.first()
            && time <= now
        {
            self.timers.pop_first();
            self.due.insert(host);
        }
    }

    /// The next time for which a host waits.
    pub(super) fn next_timer(&self) -> Option<Timestamp> {
        self.timers.first().map(|&(time, _)| time)
    }
}

fn lane_number(group: Option<usize>) -> usize {
    group.map_or(0, |group| group.saturating_add(1))
}
