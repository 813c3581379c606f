//! What shows of the engine from inside only: when tables grow, and which writes file records.

#![cfg(not(any(loom, shuttle, fleeting_tiny)))]

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::relief::RELIEF;
use super::sweep::CHUNKS;
use super::*;
use crate::clock::{Clock, ManualClock};
use crate::expiry::CHUNK;
use crate::map::Entry;

type TestEngine = Engine<Entry<u64, u64>>;

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * SECOND;

fn engine() -> (TestEngine, ManualClock) {
    let clock = ManualClock::new();
    (Engine::new(0, Time::custom(clock.clone()), Counters::new(true), None), clock)
}

/// Inserts or replaces; the key is its own hash.
fn put(engine: &TestEngine, key: u64, deadline: u64) {
    let guard = engine.change();
    let node = Entry::new(key, key, 0, deadline, NEVER);
    let eq = |other: Ref<'_, Entry<u64, u64>>, _: Option<&_>| *other.key() == key;
    engine.write(key, eq, &guard, Some(node), |_, spare| Step::Put(spare.expect("given, or given back")));
}

fn remove(engine: &TestEngine, key: u64) -> bool {
    let guard = engine.change();
    let eq = |other: Ref<'_, Entry<u64, u64>>, _: Option<&_>| *other.key() == key;
    matches!(engine.write(key, eq, &guard, None, |_, _| Step::Cut), Written::Removed(_))
}

fn touch(engine: &TestEngine, key: u64, deadline: u64) -> bool {
    engine.touch(key, |other| *other.key() == key, || (deadline, engine.time().coarse()), &engine.change()).is_some()
}

/// The deadline of a live key, and the tick that its claim names.
fn state(engine: &TestEngine, key: u64) -> Option<(u64, Option<u64>)> {
    let guard = engine.change();
    let found = engine.find_with_deadline(key, |other| *other.key() == key, &guard);
    found.map(|(node, deadline)| (deadline, node.meta().filed().tick()))
}

/// A hash in a bucket of the smallest table.
fn hash(bucket: u64, number: u64) -> u64 {
    bucket << 61 | (number + 1) << 40
}

/// Catches a growth that begins while there is room, or does not when there is none.
#[test]
fn the_table_grows_when_four_entries_a_bucket_are_exceeded() {
    let (engine, _) = engine();
    let guard = engine.change();
    for number in 0..4 {
        for bucket in 0..8 {
            put(&engine, hash(bucket, number), NEVER);
        }
    }
    assert!(!engine.map.help(&guard), "32 entries in 8 buckets: nothing to do");
    // Replacements are no more entries.
    put(&engine, hash(0, 0), NEVER);
    assert!(!engine.map.help(&guard));
    put(&engine, hash(3, 4), NEVER);
    // That insertion began it, and helped with the first of four strides. Then all is checked and promoted.
    assert_eq!(engine.map.buckets(&guard), 8);
    (0..4).for_each(|_| assert!(engine.map.buckets(&guard) == 8 && engine.map.help(&guard)));
    assert_eq!(engine.map.buckets(&guard), 16);
    assert!(!engine.map.help(&guard));
    assert_eq!(engine.counters().entries(), 33);
}

/// Catches a growth that begins for crowded buckets alone: a weak hasher's table would double for ever.
#[test]
fn a_crowded_bucket_alone_grows_nothing() {
    let (engine, _) = engine();
    (0..32).for_each(|number| put(&engine, hash(3, number), NEVER));
    assert!(!engine.map.help(&engine.change()));
}

/// Catches growth that only insertions finish: replacements help too.
#[test]
fn a_replacement_helps_a_growth() {
    let (engine, _) = engine();
    let guard = engine.change();
    put(&engine, hash(0, 0), NEVER);
    assert!(engine.map.grow(1, &guard));
    // Four strides and a check.
    (0..5).for_each(|_| put(&engine, hash(0, 0), NEVER));
    assert!(!engine.map.help(&guard) && engine.map.buckets(&guard) == 16);
}

/// Catches a replacement that files a record although its predecessor's will do, or does not although it comes too late; and the same of touches.
#[test]
fn a_record_is_filed_when_the_one_that_stands_is_too_late() {
    let (engine, _) = engine();
    let records = || engine.counters().records();
    put(&engine, 7, HOUR);
    let filed = state(&engine, 7).expect("live").1;
    assert_eq!((filed, records()), (Some(tick(HOUR, 0).0), 1));
    // The same deadline, and a later one: the claim is taken over.
    for deadline in [HOUR, 2 * HOUR] {
        put(&engine, 7, deadline);
        assert_eq!((state(&engine, 7), records()), (Some((deadline, filed)), 1));
    }
    for deadline in [HOUR, 3 * HOUR] {
        assert!(touch(&engine, 7, deadline));
        assert_eq!((state(&engine, 7), records()), (Some((deadline, filed)), 1));
    }
    // An earlier one.
    let earlier = Some(tick(SECOND, 0).0);
    put(&engine, 7, SECOND);
    assert_eq!((state(&engine, 7), records()), (Some((SECOND, earlier)), 2));
    let earliest = Some(tick(SECOND / 2, 0).0);
    assert!(touch(&engine, 7, SECOND / 2));
    assert_eq!((state(&engine, 7), records()), (Some((SECOND / 2, earliest)), 3));
    // None at all: nothing is filed, nor claimed, and a touch files the first.
    put(&engine, 7, NEVER);
    assert_eq!((state(&engine, 7), records()), (Some((NEVER, None)), 3));
    assert!(touch(&engine, 7, HOUR));
    assert_eq!((state(&engine, 7), records()), (Some((HOUR, filed)), 4));
    // To never: the record stays, as it is of use to a later touch.
    assert!(touch(&engine, 7, NEVER) && touch(&engine, 7, HOUR));
    assert_eq!((state(&engine, 7), records()), (Some((HOUR, filed)), 4));
}

/// Catches an update that loses the deadline's record, or files another.
#[test]
fn an_update_inherits_the_claim() {
    let (engine, clock) = engine();
    put(&engine, 7, HOUR);
    let before = state(&engine, 7);
    let guard = engine.change();
    let eq = |other: Ref<'_, Entry<u64, u64>>, _: Option<&_>| *other.key() == 7;
    let written = engine.write(7, eq, &guard, None, |current, _| {
        let mut node = Entry::new(7, 7, 1, NEVER, NEVER);
        Entry::inherit(&mut node, current.expect("live"));
        Step::PutInheriting(node)
    });
    assert!(matches!(written, Written::Replaced(_)));
    assert_eq!((state(&engine, 7), engine.counters().records()), (before, 1));
    clock.advance(Duration::from_nanos(HOUR));
    assert_eq!(engine.sweep(true, || true), 1);
    assert_eq!((engine.counters().records(), engine.counters().entries()), (0, 0));
}

/// Catches records that are taken early while they are few, and none that are taken when they are many.
#[test]
fn records_are_taken_early_above_twice_the_entries() {
    let (engine, _) = engine();
    (0..100).for_each(|key| put(&engine, hash(key % 8, key), HOUR));
    let churn = |count: u64| {
        for key in 0..count {
            put(&engine, hash(key % 8, 1_000), HOUR);
            assert!(remove(&engine, hash(key % 8, 1_000)));
        }
    };
    churn(1_100);
    assert_eq!((engine.counters().records(), engine.counters().stats().records_handled), (1_200, 0));
    churn(80);
    let stats = engine.counters().stats();
    assert!(stats.records_handled > 0 && stats.records <= 1_224 + 2 * RELIEF as u64, "{stats:?}");
    churn(10_000);
    let stats = engine.counters().stats();
    assert!(stats.records <= 1_224 + 2 * RELIEF as u64, "{stats:?}");
    // Not many more than are filed: about twice.
    assert!(stats.records_handled < 3 * 11_180, "{stats:?}");
    assert_eq!(stats.entries, 100);
}

/// A clock that counts how often it is read.
#[derive(Clone, Default)]
struct Counting {
    readings: Arc<AtomicU64>,
    stands: ManualClock,
}

impl Clock for Counting {
    fn elapsed(&self) -> Duration {
        self.readings.fetch_add(1, Ordering::Relaxed);
        self.stands.elapsed()
    }
    fn origin(&self) -> Instant {
        self.stands.origin()
    }
}

/// Catches a hit that takes the long way, and reads the clock more than once.
#[test]
fn a_hit_reads_the_clock_once_at_most() {
    let clock = Counting::default();
    let engine = TestEngine::new(0, Time::custom(clock.clone()), Counters::new(true), None);
    put(&engine, 7, HOUR);
    put(&engine, 8, NEVER);
    for (key, readings) in [(7, 1), (8, 0), (9, 0)] {
        clock.readings.store(0, Ordering::Relaxed);
        assert_eq!(engine.find(key, |_| true, &engine.change()).is_some(), key < 9);
        assert_eq!(clock.readings.load(Ordering::Relaxed), readings, "{key}");
    }
}

/// Catches an answer "absent" while the entry is still there: a conditional write could find it live (X1).
#[test]
fn whoever_finds_an_entry_expired_removes_it() {
    let finds: [fn(&TestEngine) -> bool; 4] = [
        |engine| engine.find(7, |_| true, &engine.change()).is_some(),
        |engine| state(engine, 7).is_some(),
        |engine| touch(engine, 7, 2 * HOUR),
        |engine| remove(engine, 7),
    ];
    for find in finds {
        let (engine, clock) = engine();
        put(&engine, 7, HOUR);
        clock.advance(Duration::from_nanos(HOUR - 1));
        assert!(engine.find(7, |_| true, &engine.change()).is_some());
        clock.advance(Duration::from_nanos(1));
        assert!(!find(&engine));
        let stats = engine.counters().stats();
        assert_eq!((stats.entries, stats.expired, stats.removed), (0, 1, 0));
    }
}

/// Catches an expiry that ends what lives, or what belongs to a successor.
#[test]
fn an_expiry_ends_only_what_is_due() {
    let (engine, clock) = engine();
    put(&engine, 7, HOUR);
    let guard = engine.change();
    let node = engine.find(7, |_| true, &guard).expect("live");
    let has_come = |deadline| engine.time().has_come(deadline);
    assert!(!engine.expire(node, has_come, &guard));
    assert_eq!((node.meta().deadline().time(), engine.counters().entries()), (HOUR, 1));
    clock.advance(Duration::from_nanos(HOUR));
    assert!(node.meta().close_deadline(node.meta().deadline()));
    assert!(!engine.expire(node, has_come, &guard), "its successor inherits the deadline");
    assert_eq!(engine.counters().entries(), 1);
    // Another one, which somebody else has decided about, and which is then removed once.
    put(&engine, 8, 2 * HOUR);
    let node = engine.find(8, |_| true, &guard).expect("live");
    assert!(node.meta().change_deadline(node.meta().deadline(), DEAD));
    assert!(engine.expire(node, has_come, &guard) && !engine.expire(node, has_come, &guard));
    assert_eq!(engine.counters().entries(), 1);
}

/// Catches a decision that is not made again although the entry has changed since, or is although only its neighbours have.
#[test]
fn a_decision_holds_for_one_state_of_the_entry() {
    let (engine, _) = engine();
    let guard = engine.change();
    for (disturbed, expected) in [(7, &[false, true][..]), (8, &[false][..])] {
        let mut seen = Vec::new();
        let node = Entry::new(7, 7, 1, NEVER, NEVER);
        let eq = |other: Ref<'_, Entry<u64, u64>>, _: Option<&_>| *other.key() == 7;
        let written = engine.write(7, eq, &guard, Some(node), |current, spare| {
            if seen.is_empty() {
                put(&engine, disturbed, NEVER);
            }
            seen.push(current.is_some());
            Step::Put(spare.expect("given, or given back"))
        });
        assert_eq!(seen, expected);
        assert_eq!(matches!(written, Written::Replaced(_)), disturbed == 7);
        assert!(remove(&engine, 7));
    }
}

/// Catches an heir that takes the deadline of what is closed or dead for its own to close, or does not find out that it has come.
#[test]
fn an_heir_settles_on_what_its_predecessor_came_to() {
    type Fate = fn(&TestEngine, Ref<'_, Entry<u64, u64>>, &ManualClock);
    fn close(old: Ref<'_, Entry<u64, u64>>) {
        assert!(old.meta().close_deadline(old.meta().deadline()));
    }
    let fates: [(Fate, u64); 5] = [
        (|_, _, _| {}, HOUR),
        (|_, old, _| close(old), HOUR),
        (
            |_, old, clock| {
                close(old);
                clock.advance(Duration::from_nanos(HOUR));
            },
            HOUR,
        ),
        (|_, old, _| assert!(old.meta().change_deadline(old.meta().deadline(), DEAD)), DEAD),
        (|_, _, clock| clock.advance(Duration::from_nanos(HOUR)), DEAD),
    ];
    for (fate, expected) in fates {
        let (engine, clock) = engine();
        put(&engine, 7, HOUR);
        let guard = engine.change();
        let old = engine.find(7, |_| true, &guard).expect("live");
        let mut heir = Entry::new(7, 7, 1, NEVER, NEVER);
        Entry::inherit(&mut heir, old);
        fate(&engine, old, &clock);
        engine.settle(&heir, &guard);
        let deadline = heir.meta().deadline();
        assert_eq!((deadline.time(), deadline.is_unsettled(), deadline.is_closed()), (expected, false, false));
        assert_eq!(old.meta().deadline().is_closed(), expected == HOUR);
    }
}

/// Catches idle time that is moved back, or not moved.
#[test]
fn an_extension_moves_a_deadline_forward_only() {
    let (engine, clock) = engine();
    put(&engine, 7, HOUR);
    let guard = engine.change();
    let node = engine.find(7, |_| true, &guard).expect("live");
    assert!(!engine.extend(node, HOUR, &guard) && !engine.extend(node, SECOND, &guard));
    assert_eq!(state(&engine, 7).expect("live").0, HOUR);
    assert!(engine.extend(node, 2 * HOUR, &guard));
    assert_eq!(state(&engine, 7).expect("live").0, 2 * HOUR);
    clock.advance(Duration::from_nanos(2 * HOUR));
    assert!(!engine.extend(node, 3 * HOUR, &guard), "it has expired");
    assert_eq!(state(&engine, 7), None);
}

/// Catches a janitor's sweep that files again what is not due yet: it takes piles whose time has come only.
#[test]
fn a_due_sweep_leaves_ticks_that_have_not_come() {
    let (engine, clock) = engine();
    let (at, _) = tick(HOUR, 0);
    put(&engine, 7, HOUR);
    clock.advance(Duration::from_nanos(at - 1));
    assert_eq!(engine.sweep(false, || true), 0);
    assert_eq!((engine.counters().records(), engine.counters().stats().records_handled), (1, 0));
    clock.advance(Duration::from_nanos(1));
    assert_eq!(engine.sweep(false, || true), 1);
    assert_eq!((engine.counters().records(), engine.counters().stats().records_handled), (0, 1));
}

/// Catches a sweep that goes on when it was told to stop, or removes more or less than is due.
#[test]
fn a_sweep_stops_between_batches() {
    let (engine, clock) = engine();
    (0..400).for_each(|key| put(&engine, hash(key % 8, key), SECOND));
    put(&engine, hash(0, 1_000), HOUR);
    clock.advance(Duration::from_nanos(SECOND));
    assert_eq!(engine.sweep(true, || false), 0);
    let left = Cell::new(2_u32);
    let removed = engine.sweep(true, || left.replace(left.get().saturating_sub(1)) > 0);
    assert!((1..=2 * CHUNKS * CHUNK).contains(&removed), "{removed}");
    assert_eq!(engine.sweep(true, || true), 400 - removed);
    assert_eq!((engine.counters().entries(), engine.counters().records()), (1, 1));
    assert_eq!(engine.counters().stats().sweeps, 3);
}
