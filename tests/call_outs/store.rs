//! `MemStore` as a subject: what may be done to a session, and what it means.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use fleeting::{ManualClock, MemStore, Version};

use super::common::{assert_store_sound, seconds, wall_start};
use super::plan::{Place, at};
use super::probes::{ProbedClock, bytes, number};
use super::subject::{Act, Answer, FIRST, Start, State, Subject, end_of_time};

/// The token that the acts are about.
const TOKEN: u64 = 30;

/// Where [`rename`](acts) moves the session.
const RENAMED: u64 = 31;

/// Bystanders have numbers below this; odd ones are mortal.
const BYSTANDERS: u64 = 8;

const MANY: u64 = 70;

/// A store under test.
pub struct Subjected {
    store: MemStore,
    clock: ManualClock,
    /// Of the session that was there first; of a bystander if there was none.
    version: Version,
    others: AtomicU64,
}

impl Subjected {
    fn after(&self, time: u64) -> SystemTime {
        self.clock.system_time() + seconds(time)
    }
}

impl Subject for Subjected {
    fn new(start: Start, variant: usize) -> Self {
        let clock = ManualClock::starting_at(wall_start());
        let builder = MemStore::builder()
            .clock(ProbedClock(clock.clone()))
            .cleanup_interval(Duration::ZERO)
            .capacity(if variant.is_multiple_of(2) { 0 } else { 1_000 })
            .on_removal(|_, _, _| at(Place::Listener));
        let store = builder.build().expect("valid");
        for number in 0..BYSTANDERS {
            let ttl = if number % 2 == 1 { seconds(90) } else { seconds(100_000) };
            store.save_for(bytes(number), bytes(number), ttl);
        }
        if start != Start::Absent {
            let ttl = if start == Start::Due { seconds(1) } else { seconds(80) };
            store.save_for(bytes(TOKEN), bytes(FIRST), ttl);
        }
        let versioned = store.find_versioned(bytes(if start == Start::Absent { 0 } else { TOKEN }));
        let (_, version) = versioned.expect("just saved");
        clock.advance(seconds(1));
        Subjected { store, clock, version, others: AtomicU64::new(1_000) }
    }

    fn acts() -> Vec<Act<Self>> {
        acts()
    }

    fn state(&self) -> State {
        self.store.read(bytes(TOKEN), number)
    }

    fn check_bystanders(&self) {
        for token in 0..BYSTANDERS {
            assert_eq!(self.store.read(bytes(token), number), Some(token), "a bystander is lost, or changed");
        }
    }

    fn contained_panics(&self) -> u64 {
        self.store.stats().contained_panics
    }

    fn finish(self) {
        assert_store_sound(&self.store);
        end_of_time(&self.clock);
        let left = assert_store_sound(&self.store);
        assert!(left.len() as u64 <= BYSTANDERS / 2, "{left:?} should have expired");
        for token in 0..2 * BYSTANDERS {
            self.store.save(bytes(token), bytes(token), self.after(9));
            assert_eq!(self.store.read(bytes(token), number), Some(token));
            assert!(token % 2 == 0 || self.store.delete(bytes(token)));
        }
    }
}

fn yes(answer: bool) -> Answer {
    Some(u64::from(answer))
}

fn acts() -> Vec<Act<Subjected>> {
    [writes(), reads(), walks(), others()].into_iter().flatten().collect()
}

fn writes() -> Vec<Act<Subjected>> {
    fn save(on: &Subjected) -> Answer {
        on.store.save(bytes(TOKEN), bytes(1), on.after(50));
        None
    }
    fn save_for(on: &Subjected) -> Answer {
        on.store.save_for(bytes(TOKEN), bytes(8), seconds(50));
        None
    }
    fn save_dead(on: &Subjected) -> Answer {
        on.store.save(bytes(TOKEN), bytes(1), on.after(0));
        None
    }
    fn compare_and_save(on: &Subjected) -> Answer {
        yes(on.store.compare_and_save(bytes(TOKEN), on.version, bytes(4), on.after(50)).is_ok())
    }
    fn rename(on: &Subjected) -> Answer {
        let renamed = on.store.rename(bytes(TOKEN), bytes(RENAMED), on.after(50));
        on.store.delete(bytes(RENAMED));
        yes(renamed)
    }
    let is_live = |state: State| (yes(state.is_some()), state);
    vec![
        Act::new("save", save, |_| (None, Some(1))),
        Act::new("save_for", save_for, |_| (None, Some(8))),
        Act::new("save, dead on arrival", save_dead, |_| (None, None)),
        Act::new(
            "create",
            |on| yes(on.store.create(bytes(TOKEN), bytes(2), on.after(50)).is_ok()),
            |state| (yes(state.is_none()), state.or(Some(2))),
        ),
        Act::new(
            "update",
            |on| yes(on.store.update(bytes(TOKEN), bytes(3), on.after(50))),
            |state| (yes(state.is_some()), state.and(Some(3))),
        ),
        Act::new("compare_and_save", compare_and_save, |state| {
            let expected = state == Some(FIRST);
            (yes(expected), if expected { Some(4) } else { state })
        }),
        Act::new("touch", |on| yes(on.store.touch(bytes(TOKEN), on.after(50))), is_live),
        Act::new("touch, longer", |on| yes(on.store.touch(bytes(TOKEN), on.after(200))), is_live),
        Act::new(
            "touch, dead",
            |on| yes(on.store.touch(bytes(TOKEN), on.after(0))),
            |state| (yes(state.is_some()), None),
        ),
        Act::new("rename", rename, |state| (yes(state.is_some()), None)),
        Act::new("rename to itself", |on| yes(on.store.rename(bytes(TOKEN), bytes(TOKEN), on.after(50))), is_live),
        Act::new("delete", |on| yes(on.store.delete(bytes(TOKEN))), |state| (yes(state.is_some()), None)),
        Act::new("take", |on| on.store.take(bytes(TOKEN)).map(|data| number(&data)), |state| (state, None)),
    ]
}

fn reads() -> Vec<Act<Subjected>> {
    fn read(on: &Subjected) -> Answer {
        on.store.read(bytes(TOKEN), |data| {
            at(Place::Closure);
            number(data)
        })
    }
    let same = |state| (state, state);
    vec![
        Act::new("find", |on| on.store.find(bytes(TOKEN)).map(|data| number(&data)), same),
        Act::new("find_with_expiry", |on| on.store.find_with_expiry(bytes(TOKEN)).map(|(data, _)| number(&data)), same),
        Act::new("find_versioned", |on| on.store.find_versioned(bytes(TOKEN)).map(|(data, _)| number(&data)), same),
        Act::new("read", read, same),
    ]
}

fn walks() -> Vec<Act<Subjected>> {
    fn iterate(on: &Subjected) -> Answer {
        let mut found = Vec::new();
        for (token, data) in on.store.iter() {
            at(Place::Consumer);
            if number(&token) == TOKEN {
                found.push(number(&data));
            }
        }
        assert!(found.len() <= 1, "a walk saw the session twice: {found:?}");
        found.pop()
    }
    fn all(on: &Subjected) -> Answer {
        on.store.all().into_iter().find(|(token, _)| number(token) == TOKEN).map(|(_, data)| number(&data))
    }
    fn delete_where(on: &Subjected) -> Answer {
        on.store.delete_where(|token, _| {
            at(Place::Closure);
            number(token) == TOKEN
        });
        None
    }
    fn clear(on: &Subjected) -> Answer {
        on.store.clear();
        None
    }
    fn sweep(on: &Subjected) -> Answer {
        on.store.sweep();
        None
    }
    fn expire(on: &Subjected) -> Answer {
        on.clock.advance(seconds(250));
        on.store.sweep();
        None
    }
    vec![
        Act::new("iter", iterate, |state| (state, state)),
        Act::new("all", all, |state| (state, state)),
        Act { walks: true, ..Act::new("delete_where", delete_where, |_| (None, None)) },
        Act { clears: true, walks: true, ..Act::new("clear", clear, |_| (None, None)) },
        Act::new("sweep", sweep, |state| (None, state)),
        Act { clears: true, expires: true, ..Act::new("sweep of what expired", expire, |_| (None, None)) },
    ]
}

fn others() -> Vec<Act<Subjected>> {
    fn grow(on: &Subjected) -> Answer {
        let first = on.others.fetch_add(MANY, Ordering::Relaxed);
        for token in first..first + MANY {
            on.store.save_for(bytes(token), bytes(token), seconds(50));
        }
        for token in first..first + MANY {
            on.store.delete(bytes(token));
        }
        None
    }
    fn stop(on: &Subjected) -> Answer {
        assert!(on.store.stats().entries == on.store.len() as u64);
        on.store.stop_cleanup();
        on.store.downgrade().upgrade().expect("the caller holds it").stop_cleanup();
        None
    }
    fn drop_another(on: &Subjected) -> Answer {
        let other = MemStore::builder().clock(ProbedClock(on.clock.clone())).cleanup_interval(Duration::ZERO);
        let other = other.on_removal(|_, _, _| at(Place::Listener)).build().expect("valid");
        other.save_for(bytes(1), bytes(1), seconds(1));
        drop(other);
        None
    }
    let same = |state| (None, state);
    vec![
        Act::new("grow", grow, same),
        Act::new("count and stop_cleanup", stop, same),
        Act::new("drop another store", drop_another, same),
    ]
}
