//! Random operations on a cache beside a naive twin.
//!
//! [`check`] runs a sequence of operations on the cache and on the twin, compares every answer, and at the end compares
//! contents, counts and removal reports. `cache_op.rs` makes the operations, `cache_model.rs` is the twin.

mod cache_model;
mod cache_op;

use std::collections::HashMap;
use std::time::Duration;

use fleeting::RemovalCause::{self, Cleared, Expired, Removed, Replaced};
use fleeting::{Cache, ManualClock, Op as Decision, Outcome};

pub use self::cache_model::NEVER;
use self::cache_model::Twin;
pub use self::cache_op::{Hashing, KINDS, Op, Setup, span};
use super::common::{self, Removals};

/// More operations than this are not run: the clock stays far from the end of time.
pub const MOST: usize = 1_000;

/// Runs what these bytes stand for: a setup, and operations.
///
/// # Panics
///
/// As [`check`].
pub fn check_bytes(bytes: &[u8]) {
    let Some((setup, rest)) = bytes.split_first() else { return };
    let ops: Vec<Op> = rest.as_chunks().0.iter().map(|bytes| Op::from_bytes(*bytes)).take(MOST).collect();
    check(Setup::from_byte(*setup), &ops);
}

/// Runs the operations on a cache beside its twin.
///
/// # Panics
///
/// If an answer, the contents or the reports of the cache differ from the twin's.
pub fn check(setup: Setup, ops: &[Op]) {
    let clock = ManualClock::new();
    let removals = Removals::new();
    let log = removals.clone();
    let mut builder = Cache::builder().cleanup_interval(Duration::ZERO).capacity(setup.capacity).clock(clock.clone());
    if let Some(ttl) = setup.time_to_live {
        builder = builder.time_to_live(ttl);
    }
    if let Some(idle) = setup.time_to_idle {
        builder = builder.time_to_idle(idle);
    }
    if !setup.counting {
        builder = builder.without_stats();
    }
    let cache: Cached = builder
        .on_removal(move |key: &u8, value: &u32, cause| log.record(*key, *value, cause))
        .hasher(setup.hashing)
        .build()
        .expect("valid");
    let mut twin = Twin::new(setup);
    for (at, op) in ops.iter().enumerate() {
        step(&cache, &clock, &mut twin, *op, at);
        assert!(cache.len() >= twin.contents().len(), "step {at}, {op:?}: an entry is lost");
    }
    compare_contents(&cache, &mut twin);
    let reports = removals.drain();
    compare_counts(&cache, setup, &twin, &reports);
    compare_reports(&twin, reports);
}

type Cached = Cache<u8, u32, Hashing>;

/// Runs one operation on both sides and compares the answers.
fn step(cache: &Cached, clock: &ManualClock, twin: &mut Twin, op: Op, at: usize) {
    let default = twin.time_to_live;
    match op {
        Op::Insert(key) => {
            let value = twin.fresh();
            assert_eq!(cache.insert(key, value), !twin.put_ttl(key, value, default), "step {at}, {op:?}");
        }
        Op::InsertWithTtl(key, ttl) => {
            let value = twin.fresh();
            assert_eq!(
                cache.insert_with_ttl(key, value, ttl),
                !twin.put_ttl(key, value, Some(ttl)),
                "step {at}, {op:?}"
            );
        }
        Op::InsertUntil(key, ttl) => {
            let value = twin.fresh();
            let Some(deadline) = clock.instant().checked_add(ttl) else { return };
            assert_eq!(
                cache.insert_until(key, value, deadline),
                !twin.put_ttl(key, value, Some(ttl)),
                "step {at}, {op:?}"
            );
        }
        Op::InsertSince(key, span) => {
            let value = twin.fresh();
            let Some(deadline) = clock.instant().checked_sub(span) else { return };
            let was_live = twin.put_until(key, value, Some(twin.now.saturating_sub(span)));
            assert_eq!(cache.insert_until(key, value, deadline), !was_live, "step {at}, {op:?}");
        }
        Op::InsertIfAbsent(key) => {
            let value = twin.fresh();
            let expected = if twin.live(key).is_some() { Err((key, value)) } else { Ok(()) };
            if expected.is_ok() {
                twin.put_ttl(key, value, default);
            }
            assert_eq!(cache.insert_if_absent(key, value), expected, "step {at}, {op:?}");
        }
        Op::Replace(key) => {
            let value = twin.fresh();
            let expected = if twin.live(key).is_none() { Err((key, value)) } else { Ok(()) };
            if expected.is_ok() {
                twin.put_ttl(key, value, default);
            }
            assert_eq!(cache.replace(key, value), expected, "step {at}, {op:?}");
        }
        Op::Update(key) => {
            let (value, before) = (twin.fresh(), twin.value(key));
            let updated = cache.update(&key, |old| {
                assert_eq!(Some(*old), before, "step {at}, {op:?}");
                value
            });
            assert_eq!(updated, twin.amend(key, value), "step {at}, {op:?}");
        }
        Op::UpdateBeside(key, other) => {
            let (value, beside) = (twin.fresh(), twin.fresh());
            let expected = twin.live(key).is_some();
            if expected {
                twin.put_ttl(other, beside, default);
                twin.amend(key, value);
            }
            // The closure runs again if its own insertion changed the bucket.
            let mut inserted = false;
            let updated = cache.update(&key, |_| {
                if !std::mem::replace(&mut inserted, true) {
                    cache.insert(other, beside);
                }
                value
            });
            assert_eq!(updated, expected, "step {at}, {op:?}");
        }
        Op::ComputeBeside(key, other) => {
            let value = twin.fresh();
            let expected = (twin.remove(other).is_some(), twin.live(key).is_some());
            if !twin.amend(key, value) {
                twin.put_ttl(key, value, default);
            }
            let mut removed = None;
            let outcome = cache.compute(key, |_| {
                removed.get_or_insert_with(|| cache.remove(&other));
                Decision::Put(value)
            });
            let expected = (expected.0, if expected.1 { Outcome::Replaced } else { Outcome::Inserted });
            assert_eq!((removed.unwrap_or(false), outcome), expected, "step {at}, {op:?}");
        }
        Op::Keep(key) | Op::Put(key) | Op::PutWithTtl(key, _) | Op::ComputeRemove(key) => {
            let (value, before) = (twin.fresh(), twin.value(key));
            let expected = match (op, before) {
                (Op::Keep(_), Some(_)) => Outcome::Kept,
                (Op::Put(_), Some(_)) => {
                    twin.amend(key, value);
                    Outcome::Replaced
                }
                (Op::Put(_), None) => {
                    twin.put_ttl(key, value, default);
                    Outcome::Inserted
                }
                (Op::PutWithTtl(_, ttl), _) => match (twin.put_ttl(key, value, Some(ttl)), ttl.is_zero()) {
                    (true, false) => Outcome::Replaced,
                    (false, false) => Outcome::Inserted,
                    // Dead on arrival: what was there is gone, and nothing came.
                    (true, true) => Outcome::Removed,
                    (false, true) => Outcome::Absent,
                },
                (Op::ComputeRemove(_), Some(_)) => {
                    twin.remove(key);
                    Outcome::Removed
                }
                _ => Outcome::Absent,
            };
            let outcome = cache.compute(key, |old| {
                assert_eq!(old.copied(), before, "step {at}, {op:?}");
                match op {
                    Op::Put(_) => Decision::Put(value),
                    Op::PutWithTtl(_, ttl) => Decision::PutWithTtl(value, ttl),
                    Op::ComputeRemove(_) => Decision::Remove,
                    _ => Decision::Keep,
                }
            });
            assert_eq!(outcome, expected, "step {at}, {op:?}");
        }
        Op::GetOrInsertWith(key) => {
            let value = twin.fresh();
            let before = twin.hit(key);
            if before.is_none() {
                twin.put_ttl(key, value, default);
            }
            assert_eq!(cache.get_or_insert_with(key, || value), before.unwrap_or(value), "step {at}, {op:?}");
        }
        Op::TryGetOrInsertWith(key, succeeds) => {
            let value = twin.fresh();
            let loaded = if succeeds { Ok(value) } else { Err("refused") };
            let before = twin.hit(key);
            if before.is_none() && succeeds {
                twin.put_ttl(key, value, default);
            }
            let answer = cache.try_get_or_insert_with(key, || loaded);
            assert_eq!(answer, before.map_or(loaded, Ok), "step {at}, {op:?}");
        }
        Op::Touch(key, ttl) => assert_eq!(cache.touch(&key, ttl), twin.touch(key, Some(ttl)), "step {at}, {op:?}"),
        Op::GetAndTouch(key, ttl) => {
            let expected = twin.hit(key);
            twin.touch(key, Some(ttl));
            assert_eq!(cache.get_and_touch(&key, ttl), expected, "step {at}, {op:?}");
        }
        Op::Persist(key) => assert_eq!(cache.persist(&key), twin.touch(key, None), "step {at}, {op:?}"),
        Op::Remove(key) => assert_eq!(cache.remove(&key), twin.remove(key).is_some(), "step {at}, {op:?}"),
        Op::Take(key) => assert_eq!(cache.take(&key), twin.remove(key), "step {at}, {op:?}"),
        Op::RemoveIf(key, accepts) => {
            let expected = if accepts { twin.remove(key).is_some() } else { false };
            assert_eq!(cache.remove_if(&key, |_| accepts), expected, "step {at}, {op:?}");
        }
        Op::Retain(divisor, remainder) => {
            let before = twin.contents();
            let mut seen = Vec::new();
            cache.retain(|key, value| {
                seen.push((*key, *value));
                key % divisor != remainder
            });
            seen.sort_unstable();
            assert_eq!(seen, before, "step {at}, {op:?}");
            twin.remove_each(&[Removed], |key, _| key % divisor == remainder);
        }
        Op::Clear => {
            cache.clear();
            twin.remove_each(&[Cleared], |_, _| true);
            twin.bury(&[Cleared, Expired]);
            assert_eq!(cache.len(), 0, "step {at}, {op:?}");
        }
        Op::Increment(key) => {
            let (value, before) = (twin.fresh(), twin.value(key));
            let expected = twin.amend(key, value).then_some(value);
            let by = value - before.unwrap_or(0);
            assert_eq!(cache.increment(&key, by), expected, "step {at}, {op:?}");
        }
        Op::Decrement(key) => {
            let (value, before) = (twin.fresh_below(), twin.value(key));
            let expected = twin.amend(key, value).then_some(value);
            let by = before.unwrap_or(value) - value;
            assert_eq!(cache.decrement(&key, by), expected, "step {at}, {op:?}");
        }
        Op::Underflow(key) => assert_eq!(cache.decrement(&key, u32::MAX), None, "step {at}, {op:?}"),
        Op::Fill(start, count, ttl) => {
            for key in range(start, count) {
                let value = twin.fresh();
                assert_eq!(
                    cache.insert_with_ttl(key, value, ttl),
                    !twin.put_ttl(key, value, Some(ttl)),
                    "step {at}, {op:?}"
                );
            }
        }
        Op::IterateWhileFilling(start, count) => iterate_while_filling(cache, twin, start, count, at),
        Op::Hold(key) => {
            let value = twin.fresh();
            let pinned = cache.pin();
            let held = pinned.get(&key);
            let expected = twin.hit(key);
            assert_eq!(cache.remove(&key), twin.remove(key).is_some(), "step {at}, {op:?}");
            assert_eq!(cache.insert(key, value), !twin.put_ttl(key, value, default), "step {at}, {op:?}");
            cache.sweep();
            twin.bury(&[Expired]);
            assert_eq!(held.copied(), expected, "step {at}, {op:?}");
        }
        Op::Sweep => {
            let resident = cache.len();
            let swept = cache.sweep();
            assert_eq!(resident - swept, twin.contents().len(), "step {at}: swept {swept} of {resident}");
            assert_eq!(cache.len(), resident - swept, "step {at}, {op:?}");
        }
        Op::Advance(span) => {
            clock.advance(span);
            twin.now += span;
        }
        _ => look(cache, clock, twin, op, at),
    }
}

/// Runs one reading operation on both sides and compares the answers.
fn look(cache: &Cached, clock: &ManualClock, twin: &mut Twin, op: Op, at: usize) {
    match op {
        Op::Get(key) => assert_eq!(cache.get(&key), twin.hit(key), "step {at}, {op:?}"),
        Op::GetWithDeadline(key) => {
            let answer = cache.get_with_deadline(&key);
            // The deadline as this read found it: an idle time begins anew after that.
            let deadline = twin.live(key).and_then(|kept| kept.deadline);
            assert_eq!(answer.map(|(value, _)| value), twin.hit(key), "step {at}, {op:?}");
            let expected = deadline.map(|deadline| clock.instant() + (deadline - twin.now));
            assert_eq!(answer.and_then(|(_, deadline)| deadline), expected, "step {at}, {op:?}");
        }
        Op::Read(key) => assert_eq!(cache.read(&key, |value| *value), twin.hit(key), "step {at}, {op:?}"),
        Op::Peek(key) => assert_eq!(cache.peek(&key), twin.value(key), "step {at}, {op:?}"),
        Op::ContainsKey(key) => assert_eq!(cache.contains_key(&key), twin.hit(key).is_some(), "step {at}, {op:?}"),
        Op::Pinned(key) => assert_eq!(cache.pin().get(&key).copied(), twin.hit(key), "step {at}, {op:?}"),
        Op::Upgrade(key) => {
            let handle = cache.downgrade().upgrade().expect("a handle is left");
            assert_eq!(handle.get(&key), twin.hit(key), "step {at}, {op:?}");
        }
        Op::GetMany(start, count) => {
            let keys: Vec<u8> = range(start, count).collect();
            let mut answers = Vec::new();
            cache.get_many(&keys, |key, value| answers.push((*key, value.copied())));
            let expected: Vec<_> = keys.iter().map(|key| (*key, twin.hit(*key))).collect();
            assert_eq!(answers, expected, "step {at}, {op:?}");
        }
        Op::Iterate => {
            let mut seen: Vec<(u8, u32)> = cache.iter().collect();
            seen.sort_unstable();
            assert_eq!(seen, twin.contents(), "step {at}, {op:?}");
            let mut pinned: Vec<(u8, u32)> = cache.pin().iter().map(|(key, value)| (*key, *value)).collect();
            pinned.sort_unstable();
            assert_eq!(pinned, seen, "step {at}, {op:?}");
        }
        _ => unreachable!("{op:?} is handled by step"),
    }
}

/// The keys of a range, which goes on at zero after the last key.
fn range(start: u8, count: u8) -> impl Iterator<Item = u8> {
    (0..count).map(move |offset| start.wrapping_add(offset))
}

/// What is there throughout an iteration is seen once, whatever comes in meanwhile; what comes in may be.
fn iterate_while_filling(cache: &Cached, twin: &mut Twin, start: u8, count: u8, at: usize) {
    let throughout = twin.contents();
    let mut inserted = HashMap::new();
    let mut seen = HashMap::new();
    let (mut steps, mut keys) = (cache.iter(), range(start, count));
    loop {
        let (entry, key) = (steps.next(), keys.next());
        if let Some((key, value)) = entry {
            let fits = twin.value(key) == Some(value) || throughout.contains(&(key, value));
            assert!(fits, "step {at}: iteration saw {value} under {key}");
            assert_eq!(seen.insert(key, value), None, "step {at}: iteration saw {key} twice");
        }
        if let Some(key) = key {
            let (value, ttl) = (twin.fresh(), twin.time_to_live);
            assert_eq!(cache.insert(key, value), !twin.put_ttl(key, value, ttl), "step {at}: {key}");
            inserted.insert(key, value);
        }
        if entry.is_none() && key.is_none() {
            break;
        }
    }
    for (key, value) in throughout {
        let fits = seen.get(&key).is_some_and(|seen| *seen == value || inserted.get(&key) == Some(seen));
        assert!(fits, "step {at}: {value} under {key} was there throughout, seen: {:?}", seen.get(&key));
    }
}

/// Sweeps and compares everything that can be looked up.
fn compare_contents(cache: &Cached, twin: &mut Twin) {
    let mut left: Vec<(u8, u32)> = common::assert_sound(cache).into_iter().collect();
    left.sort_unstable();
    assert_eq!(left, twin.contents(), "contents at the end");
    twin.bury(&[Expired]);
    assert_eq!(cache.stats().contained_panics, 0);
}

/// The statistics tell what the twin and the reports tell.
fn compare_counts(cache: &Cached, setup: Setup, twin: &Twin, reports: &[(u8, u32, RemovalCause)]) {
    let stats = cache.stats();
    assert_eq!(stats.rejected, 0);
    if !setup.counting {
        assert_eq!((stats.hits, stats.misses, stats.inserts), (0, 0, 0), "counted without being told to");
        return;
    }
    assert_eq!((stats.hits, stats.misses), (twin.hits, twin.misses), "hits and misses");
    assert_eq!(stats.inserts, stats.entries + stats.removed + stats.expired, "{stats:?}");
    let reported = |causes: &[RemovalCause]| reports.iter().filter(|report| causes.contains(&report.2)).count() as u64;
    assert_eq!(stats.replaced, reported(&[Replaced]), "replaced");
    assert_eq!(stats.removed, reported(&[Removed, Cleared]), "removed");
    assert_eq!(stats.expired, reported(&[Expired]), "expired");
}

/// Each value that left was reported once, with a cause that fits; each that is left was not.
fn compare_reports(twin: &Twin, reports: Vec<(u8, u32, RemovalCause)>) {
    let mut reported = HashMap::new();
    for (key, value, cause) in reports {
        if let Some(earlier) = reported.insert(value, cause) {
            panic!("value {value} of key {key} reported twice: {earlier:?}, {cause:?}");
        }
        let fate = twin.fates.get(&value);
        let fits = fate.is_some_and(|fate| fate.causes.contains(&cause));
        let expected = fate.map(|fate| fate.causes);
        assert!(fits, "value {value} of key {key} reported as {cause:?}, expected {expected:?}");
    }
    for (value, fate) in &twin.fates {
        assert!(!fate.required || reported.contains_key(value), "value {value} left as {:?}, unreported", fate.causes);
    }
}
