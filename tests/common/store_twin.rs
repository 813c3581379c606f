//! Random operations on a session store beside a naive twin.
//!
//! [`check`] runs a sequence of operations on the store and on the twin, compares every answer, and at the end compares
//! contents, counts and removal reports. `store_op.rs` makes the operations, `store_model.rs` is the twin.

mod store_model;
mod store_op;

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use fleeting::RemovalCause::{self, Cleared, Expired, Removed, Replaced};
use fleeting::{ManualClock, MemStore, SessionData, Stats};

use self::store_model::Twin;
pub use self::store_op::{Expiry, KINDS, Op, Setup, token};
use super::cache_twin::{MOST, NEVER};
use super::common::{self, Removals, assert_store_sound, wall_start};

type Reports = Vec<(Vec<u8>, Vec<u8>, RemovalCause)>;

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

/// Runs the operations on a store beside its twin.
///
/// # Panics
///
/// If an answer, the contents or the reports of the store differ from the twin's.
pub fn check(setup: Setup, ops: &[Op]) {
    let clock = ManualClock::starting_at(wall_start());
    let removals = Removals::new();
    let log = removals.clone();
    let mut builder =
        MemStore::builder().cleanup_interval(Duration::ZERO).capacity(setup.capacity).clock(clock.clone());
    if !setup.counting {
        builder = builder.without_stats();
    }
    let store = builder
        .on_removal(move |token: &[u8], data: &[u8], cause| log.record(token.to_vec(), data.to_vec(), cause))
        .build()
        .expect("valid");
    let mut twin = Twin::default();
    for (at, op) in ops.iter().enumerate() {
        step(&store, &clock, &mut twin, *op, at);
        assert!(store.len() >= twin.contents().len(), "step {at}, {op:?}: a session is lost");
    }
    // Before the finds of the comparison that follows.
    let Stats { hits, misses, .. } = store.stats();
    assert!(!setup.counting || (hits, misses) == (twin.hits, twin.misses), "{hits} hits, {misses} misses");
    compare_contents(&store, &mut twin);
    let reports = removals.drain();
    compare_counts(&store, setup, &reports);
    compare_reports(&twin, reports);
    drop(store);
    release(&mut twin);
}

/// Data that no other operation of the sequence saves, of various lengths.
fn bytes(data: u32) -> Vec<u8> {
    let mut bytes = data.to_le_bytes().to_vec();
    bytes.resize(4 + (data as usize * 7) % 50, b'd');
    bytes
}

fn number_of(data: &[u8]) -> u32 {
    let number = u32::from_le_bytes(data[..4].try_into().expect("four bytes at least"));
    assert_eq!(data, bytes(number), "damaged data");
    number
}

fn number_of_found(found: Option<SessionData>) -> Option<u32> {
    found.map(|data| number_of(&data))
}

/// The expiry for the store (wall clock) and the deadline for the twin (time elapsed).
fn resolve(clock: &ManualClock, twin: &Twin, expiry: Expiry) -> (SystemTime, Option<Duration>) {
    let wall = clock.system_time();
    let expiry = match expiry {
        Expiry::In(span) => wall + span,
        Expiry::Ago(span) => wall.checked_sub(span).unwrap_or(SystemTime::UNIX_EPOCH),
        Expiry::Epoch => SystemTime::UNIX_EPOCH,
        Expiry::Last => return (SystemTime::UNIX_EPOCH + Duration::from_secs(i64::MAX as u64), None),
    };
    // What is past already has the deadline zero, which every moment has reached.
    (
        expiry,
        Some(expiry.duration_since(wall).map_or(Duration::ZERO, |left| twin.now + left)).filter(|end| *end < NEVER),
    )
}

fn step(store: &MemStore, clock: &ManualClock, twin: &mut Twin, op: Op, at: usize) {
    match op {
        Op::Save(key, expiry) | Op::TrySave(key, expiry) => {
            let ((expiry, deadline), data) = (resolve(clock, twin, expiry), twin.fresh());
            twin.put(key, data, deadline);
            if matches!(op, Op::Save(..)) {
                store.save(token(key), bytes(data), expiry);
            } else {
                assert!(store.try_save(token(key), bytes(data), expiry).is_ok(), "step {at}, {op:?}");
            }
        }
        Op::SaveFor(key, ttl) => {
            let (deadline, data) = (twin.now.checked_add(ttl).filter(|end| *end < NEVER), twin.fresh());
            twin.put(key, data, deadline);
            store.save_for(token(key), bytes(data), ttl);
        }
        Op::Create(key, expiry) => {
            let ((expiry, deadline), data) = (resolve(clock, twin, expiry), twin.fresh());
            let expected = twin.put_if(twin.live(key).is_none(), key, data, deadline);
            assert_eq!(store.create(token(key), bytes(data), expiry).is_ok(), expected, "step {at}, {op:?}");
        }
        Op::Update(key, expiry) => {
            let ((expiry, deadline), data) = (resolve(clock, twin, expiry), twin.fresh());
            let expected = twin.put_if(twin.live(key).is_some(), key, data, deadline);
            assert_eq!(store.update(token(key), bytes(data), expiry), expected, "step {at}, {op:?}");
        }
        Op::Note(key) => {
            let found = store.find_versioned(token(key));
            assert_eq!(found.is_some(), twin.found(key).is_some(), "step {at}, {op:?}");
            if let Some((data, version)) = found {
                let kept = twin.live(key).expect("compared above");
                assert_eq!(number_of(&data), kept.data, "step {at}, {op:?}");
                let current = kept.version;
                if let Some((earlier, at_that_time)) = twin.noted.insert(key, (version, current)) {
                    assert_eq!(earlier == version, at_that_time == current, "step {at}, {op:?}: versions");
                }
            }
        }
        Op::CompareAndSave(key, expiry) => {
            let Some((version, noted)) = twin.noted.get(&key).copied() else { return };
            let ((expiry, deadline), data) = (resolve(clock, twin, expiry), twin.fresh());
            let current = twin.live(key).is_some_and(|kept| kept.version == noted);
            let expected = twin.put_if(current, key, data, deadline);
            let saved = store.compare_and_save(token(key), version, bytes(data), expiry);
            assert_eq!(saved.is_ok(), expected, "step {at}, {op:?}");
            if let (Ok(saved), Some(kept)) = (saved, twin.live(key)) {
                assert_ne!(saved, version, "step {at}, {op:?}");
                twin.noted.insert(key, (saved, kept.version));
            }
        }
        Op::Touch(key, expiry) => {
            let (expiry, deadline) = resolve(clock, twin, expiry);
            let expected = twin.live(key).is_some();
            if expected {
                twin.entries.get_mut(&key).expect("live").deadline = deadline;
            }
            assert_eq!(store.touch(token(key), expiry), expected, "step {at}, {op:?}");
        }
        Op::Rename(old, new, expiry) => {
            let (expiry, deadline) = resolve(clock, twin, expiry);
            let expected = twin.rename(old, new, deadline);
            assert_eq!(store.rename(token(old), token(new), expiry), expected, "step {at}, {op:?}");
            assert_eq!(number_of_found(store.find(token(new))), twin.found(new), "step {at}, {op:?}");
            assert_eq!(number_of_found(store.find(token(old))), twin.found(old), "step {at}, {op:?}");
        }
        Op::Delete(key) => assert_eq!(store.delete(token(key)), twin.remove(key).is_some(), "step {at}, {op:?}"),
        Op::Take(key) => assert_eq!(number_of_found(store.take(token(key))), twin.remove(key), "step {at}, {op:?}"),
        Op::DeleteWhere(divisor, remainder) => {
            let contents = twin.contents();
            let chosen = contents.into_iter().map(|(key, _)| key).filter(|key| key % divisor == remainder);
            let expected = chosen.filter(|key| twin.remove(*key).is_some()).count();
            let chosen = |token: &[u8]| token.last().copied().unwrap_or(0) % divisor == remainder;
            assert_eq!(store.delete_where(|token, _| chosen(token)), expected, "step {at}, {op:?}");
        }
        Op::Clear => {
            store.clear();
            for (key, data) in twin.contents() {
                twin.entries.remove(&key);
                twin.end(data, &[Cleared], true);
            }
            twin.bury(&[Cleared, Expired]);
            assert_eq!(store.len(), 0, "step {at}, {op:?}");
        }
        Op::Sweep => {
            let resident = store.len();
            let swept = store.sweep();
            assert_eq!(resident - swept, twin.contents().len(), "step {at}: swept {swept} of {resident}");
        }
        Op::Advance(span) => {
            clock.advance(span);
            twin.now += span;
        }
        Op::SetWall(back, span) => {
            let wall = clock.system_time();
            clock.set_system_time(if back { wall - span } else { wall + span });
        }
        Op::IterateWhileSaving(start, count) => iterate_while_saving(store, clock, twin, start, count, at),
        Op::Release => release(twin),
        Op::Find(_) | Op::FindWithExpiry(_) | Op::Read(_) | Op::Hold(_) | Op::Upgrade(_) | Op::All => {
            look(store, clock, twin, op, at)
        }
    }
}

/// Runs one reading operation on both sides and compares the answers.
fn look(store: &MemStore, clock: &ManualClock, twin: &mut Twin, op: Op, at: usize) {
    match op {
        Op::Find(key) => assert_eq!(number_of_found(store.find(token(key))), twin.found(key), "step {at}, {op:?}"),
        Op::FindWithExpiry(key) => {
            let answer = store.find_with_expiry(token(key));
            assert_eq!(answer.as_ref().map(|(data, _)| number_of(data)), twin.found(key), "step {at}, {op:?}");
            if let (Some((_, expiry)), Some(deadline)) = (answer, twin.live(key).and_then(|kept| kept.deadline)) {
                assert_eq!(expiry, clock.system_time() + (deadline - twin.now), "step {at}, {op:?}");
            }
        }
        Op::Read(key) => assert_eq!(store.read(token(key), number_of), twin.found(key), "step {at}, {op:?}"),
        Op::Hold(key) => {
            let found = store.find(token(key));
            let expected = twin.found(key);
            assert_eq!(found.as_deref().map(number_of), expected, "step {at}, {op:?}");
            twin.held.extend(found.zip(expected));
        }
        Op::Upgrade(key) => {
            let handle = store.downgrade().upgrade().expect("a handle is left");
            assert_eq!(number_of_found(handle.find(token(key))), twin.found(key), "step {at}, {op:?}");
        }
        _ => {
            let expected: HashMap<Vec<u8>, u32> =
                twin.contents().into_iter().map(|(key, data)| (token(key), data)).collect();
            let all: Vec<(Vec<u8>, u32)> =
                store.all().into_iter().map(|(token, data)| (token.to_vec(), number_of(&data))).collect();
            assert_eq!(all.len(), expected.len(), "step {at}, {op:?}");
            assert_eq!(all.into_iter().collect::<HashMap<_, _>>(), expected, "step {at}, {op:?}");
            assert_eq!(store.iter().count(), expected.len(), "step {at}, {op:?}");
        }
    }
}

/// Data that is held stays what it was, whatever became of its session.
fn release(twin: &mut Twin) {
    for (data, expected) in twin.held.drain(..) {
        let again = data.clone();
        drop(data);
        assert_eq!(number_of(&again), expected, "data that was held");
    }
}

/// What is there throughout an iteration is seen once, whatever is saved meanwhile; what is saved may be.
fn iterate_while_saving(store: &MemStore, clock: &ManualClock, twin: &mut Twin, start: u8, count: u8, at: usize) {
    let throughout = twin.contents();
    let mut saved = HashMap::new();
    let mut seen = HashMap::new();
    let (mut steps, mut keys) = (store.iter(), (0..count).map(|offset| start.wrapping_add(offset)));
    loop {
        let (session, key) = (steps.next(), keys.next());
        let is_over = session.is_none() && key.is_none();
        if let Some((token, data)) = session {
            assert!(seen.insert(token.to_vec(), data).is_none(), "step {at}: iteration saw {token:?} twice");
        }
        if let Some(key) = key {
            let ((expiry, deadline), data) = (resolve(clock, twin, Expiry::In(common::seconds(9))), twin.fresh());
            twin.put(key, data, deadline);
            store.save(token(key), bytes(data), expiry);
            saved.insert(key, data);
        }
        if is_over {
            break;
        }
    }
    for (key, data) in throughout {
        let data = [Some(data), saved.get(&key).copied()];
        let seen = seen.remove(&token(key)).map(|data| number_of(&data));
        assert!(seen.is_some() && data.contains(&seen), "step {at}: {data:?} under {key}, there throughout: {seen:?}");
    }
    for (unlisted, data) in seen {
        let data = number_of(&data);
        let fits = saved.iter().any(|(key, saved)| token(*key) == unlisted && *saved == data);
        assert!(fits, "step {at}: iteration saw {data} under {unlisted:?}");
    }
}

/// Sweeps and compares everything that can be looked up.
fn compare_contents(store: &MemStore, twin: &mut Twin) {
    let left = assert_store_sound(store);
    let expected: HashMap<Vec<u8>, Vec<u8>> =
        twin.contents().into_iter().map(|(key, data)| (token(key), bytes(data))).collect();
    assert_eq!(left, expected, "contents at the end");
    twin.bury(&[Expired]);
    assert_eq!(store.stats().contained_panics, 0);
}

/// The statistics tell what the twin and the reports tell.
fn compare_counts(store: &MemStore, setup: Setup, reports: &Reports) {
    let stats = store.stats();
    assert_eq!(stats.rejected, 0);
    if !setup.counting {
        assert_eq!((stats.hits, stats.misses, stats.inserts), (0, 0, 0), "counted without being told to");
        return;
    }
    assert_eq!(stats.inserts, stats.entries + stats.removed + stats.expired, "{stats:?}");
    let reported = |causes: &[RemovalCause]| reports.iter().filter(|report| causes.contains(&report.2)).count() as u64;
    assert_eq!(stats.replaced, reported(&[Replaced]), "replaced");
    assert_eq!(stats.removed, reported(&[Removed, Cleared]), "removed");
    assert_eq!(stats.expired, reported(&[Expired]), "expired");
}

/// Data that left was reported once, with a cause that fits; data that is left was not. Renamed data is passed over.
fn compare_reports(twin: &Twin, reports: Reports) {
    let mut reported = HashMap::new();
    for (_, data, cause) in reports {
        let data = number_of(&data);
        if twin.renamed.contains(&data) {
            continue;
        }
        if let Some(earlier) = reported.insert(data, cause) {
            panic!("data {data} reported twice: {earlier:?}, {cause:?}");
        }
        let fate = twin.fates.get(&data).map(|(causes, _)| *causes);
        assert!(
            fate.is_some_and(|causes| causes.contains(&cause)),
            "data {data} reported as {cause:?}, expected {fate:?}"
        );
    }
    for (data, (causes, required)) in &twin.fates {
        let missing = *required && !reported.contains_key(data) && !twin.renamed.contains(data);
        assert!(!missing, "data {data} left as {causes:?}, unreported");
    }
}
