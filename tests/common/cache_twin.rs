//! Random operations on a cache beside a naive twin: a `HashMap` of value and deadline, and a number for the time.
//!
//! Four bytes make an operation, so a property test and a fuzzer can share the generator. [`check`] runs a sequence on
//! the cache and on the twin, compares every answer, and at the end compares contents, counts and removal reports.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::time::Duration;

use fleeting::{Cache, ManualClock, Op as Decision, Outcome, RemovalCause};

use super::common::{self, ConstantHasher, Removals};

/// One operation. The two numbers of `Retain` are a divisor and a remainder; those of `Fill` and `GetMany` a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Insert(u8),
    InsertWithTtl(u8, Duration),
    InsertUntil(u8, Duration),
    InsertIfAbsent(u8),
    Replace(u8),
    Update(u8),
    Keep(u8),
    Put(u8),
    PutWithTtl(u8, Duration),
    ComputeRemove(u8),
    GetOrInsertWith(u8),
    TryGetOrInsertWith(u8, bool),
    Touch(u8, Duration),
    GetAndTouch(u8, Duration),
    Persist(u8),
    Remove(u8),
    Take(u8),
    RemoveIf(u8, bool),
    Retain(u8, u8),
    Clear,
    Increment(u8),
    Underflow(u8),
    Get(u8),
    GetWithDeadline(u8),
    Read(u8),
    Peek(u8),
    ContainsKey(u8),
    GetMany(u8, u8),
    Pinned(u8),
    Iterate,
    Fill(u8, u8, Duration),
    Sweep,
    Advance(Duration),
}

impl Op {
    /// The generator: any four bytes are an operation, and most keys are among the first few.
    pub fn from_bytes([kind, key, first, second]: [u8; 4]) -> Self {
        let key = if key < 200 { key % 8 } else { key };
        let ttl = span(first, second);
        match kind % 48 {
            0..=2 => Op::Insert(key),
            3..=6 => Op::InsertWithTtl(key, ttl),
            7 => Op::InsertUntil(key, ttl),
            8 => Op::InsertIfAbsent(key),
            9 => Op::Replace(key),
            10 => Op::Update(key),
            11 => Op::Keep(key),
            12 => Op::Put(key),
            13 => Op::PutWithTtl(key, ttl),
            14 => Op::ComputeRemove(key),
            15 => Op::GetOrInsertWith(key),
            16 => Op::TryGetOrInsertWith(key, first % 2 == 0),
            17..=20 => Op::Touch(key, ttl),
            21 => Op::GetAndTouch(key, ttl),
            22 => Op::Persist(key),
            23..=24 => Op::Remove(key),
            25 => Op::Take(key),
            26 => Op::RemoveIf(key, first % 2 == 0),
            27 if first < 64 => Op::Retain(1 + first % 7, second % 7),
            27 => Op::Iterate,
            28 if first < 32 => Op::Clear,
            28 => Op::Get(key),
            29 => Op::Increment(key),
            30 => Op::Underflow(key),
            31 => Op::GetWithDeadline(key),
            32 => Op::Read(key),
            33 => Op::Peek(key),
            34 => Op::ContainsKey(key),
            35 => Op::GetMany(key, first % 40),
            36 => Op::Pinned(key),
            37 => Op::Fill(key, first, span(second, first)),
            38..=40 => Op::Sweep,
            // No clock runs for centuries: steps are kept under three months.
            _ => Op::Advance(ttl.min(common::seconds(90 * 86_400))),
        }
    }
}

/// A length of time: nothing, some nanoseconds up to years, or for ever.
pub fn span(unit: u8, count: u8) -> Duration {
    let nanoseconds: u64 = match unit % 10 {
        0 | 1 => 1,
        2 => 1_000,
        3 => 1_000_000,
        4 => 250_000_000,
        5 | 6 => 1_000_000_000,
        7 => 3_600_000_000_000,
        8 => 86_400_000_000_000,
        _ if count < 32 => return Duration::MAX,
        _ => 31_536_000_000_000_000,
    };
    Duration::from_nanos(nanoseconds) * u32::from(count)
}

/// How the cache under test is built.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub time_to_live: Option<Duration>,
}

struct Kept {
    value: u32,
    /// Elapsed time at which it stops being live; `None` for never.
    deadline: Option<Duration>,
}

/// What may be reported about a value that has left, and whether a report must come at all.
struct Fate {
    causes: &'static [RemovalCause],
    required: bool,
}

struct Twin {
    now: Duration,
    time_to_live: Option<Duration>,
    entries: HashMap<u8, Kept>,
    fates: HashMap<u32, Fate>,
    values: u32,
}

use RemovalCause::{Cleared, Expired, Removed, Replaced};

impl Twin {
    fn is_live(&self, kept: &Kept) -> bool {
        kept.deadline.is_none_or(|deadline| self.now < deadline)
    }

    fn live(&self, key: u8) -> Option<&Kept> {
        self.entries.get(&key).filter(|kept| self.is_live(kept))
    }

    fn value(&self, key: u8) -> Option<u32> {
        self.live(key).map(|kept| kept.value)
    }

    /// A value that no other operation of the sequence makes; increments stay below the next one.
    fn fresh(&mut self) -> u32 {
        self.values += 1 << 12;
        self.values
    }

    fn deadline_in(&self, ttl: Option<Duration>) -> Option<Duration> {
        ttl.and_then(|ttl| self.now.checked_add(ttl))
    }

    fn end(&mut self, value: u32, causes: &'static [RemovalCause], required: bool) {
        self.fates.insert(value, Fate { causes, required });
    }

    /// Puts a value in place of what is there; answers whether that was live.
    fn put(&mut self, key: u8, value: u32, deadline: Option<Duration>) -> bool {
        let dead_on_arrival = deadline.is_some_and(|deadline| deadline <= self.now);
        let was_live = self.live(key).is_some();
        let causes: &[RemovalCause] = match (was_live, dead_on_arrival) {
            (false, _) => &[Expired],
            (true, false) => &[Replaced],
            (true, true) => &[Replaced, Removed, Expired],
        };
        if let Some(old) = self.entries.remove(&key) {
            self.end(old.value, causes, true);
        }
        if dead_on_arrival {
            self.end(value, &[Expired, Removed], false);
        } else {
            self.entries.insert(key, Kept { value, deadline });
        }
        was_live
    }

    fn put_ttl(&mut self, key: u8, value: u32, ttl: Option<Duration>) -> bool {
        self.put(key, value, self.deadline_in(ttl))
    }

    /// Puts a value and keeps the deadline, if the key is live.
    fn amend(&mut self, key: u8, value: u32) -> bool {
        let Some(deadline) = self.live(key).map(|kept| kept.deadline) else { return false };
        self.put(key, value, deadline)
    }

    fn touch(&mut self, key: u8, ttl: Option<Duration>) -> bool {
        if self.live(key).is_none() {
            return false;
        }
        let deadline = self.deadline_in(ttl);
        self.entries.get_mut(&key).expect("live").deadline = deadline;
        true
    }

    fn remove(&mut self, key: u8) -> Option<u32> {
        let value = self.value(key)?;
        self.entries.remove(&key);
        self.end(value, &[Removed], true);
        Some(value)
    }

    fn remove_each(&mut self, causes: &'static [RemovalCause], condition: impl Fn(u8, u32) -> bool) {
        let chosen: Vec<u8> =
            self.contents().into_iter().filter(|(key, value)| condition(*key, *value)).map(|(key, _)| key).collect();
        for key in chosen {
            let kept = self.entries.remove(&key).expect("listed");
            self.end(kept.value, causes, true);
        }
    }

    /// The live entries, sorted.
    fn contents(&self) -> Vec<(u8, u32)> {
        let live = self.entries.iter().filter(|(_, kept)| self.is_live(kept));
        let mut contents: Vec<_> = live.map(|(key, kept)| (*key, kept.value)).collect();
        contents.sort_unstable();
        contents
    }
}

/// Runs the operations on caches of several kinds, each beside a twin.
///
/// # Panics
///
/// If an answer, the contents or the reports of a cache differ from the twin's.
pub fn check(ops: &[Op]) {
    let plain = Setup { time_to_live: None };
    let mortal = Setup { time_to_live: Some(common::seconds(40)) };
    run(ops, plain, ahash::RandomState::with_seeds(1, 2, 3, 4));
    run(ops, mortal, ConstantHasher);
}

fn run<S: BuildHasher + Send + Sync + 'static>(ops: &[Op], setup: Setup, hasher: S) {
    let clock = ManualClock::new();
    let removals = Removals::new();
    let log = removals.clone();
    let mut builder = Cache::builder();
    if let Some(ttl) = setup.time_to_live {
        builder = builder.time_to_live(ttl);
    }
    let cache: Cache<u8, u32, S> = builder
        .cleanup_interval(Duration::ZERO)
        .clock(clock.clone())
        .on_removal(move |key: &u8, value: &u32, cause| log.record(*key, *value, cause))
        .hasher(hasher)
        .build()
        .expect("valid");
    let mut twin = Twin {
        now: Duration::ZERO,
        time_to_live: setup.time_to_live,
        entries: HashMap::new(),
        fates: HashMap::new(),
        values: 0,
    };
    for (at, op) in ops.iter().enumerate() {
        step(&cache, &clock, &mut twin, *op, at);
    }
    compare_contents(&cache, &mut twin);
    compare_reports(&twin, removals.drain());
}

/// Runs one operation on both sides and compares the answers.
fn step<S>(cache: &Cache<u8, u32, S>, clock: &ManualClock, twin: &mut Twin, op: Op, at: usize)
where
    S: BuildHasher + Send + Sync + 'static,
{
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
            let before = twin.value(key);
            if before.is_none() {
                twin.put_ttl(key, value, default);
            }
            assert_eq!(cache.get_or_insert_with(key, || value), before.unwrap_or(value), "step {at}, {op:?}");
        }
        Op::TryGetOrInsertWith(key, succeeds) => {
            let value = twin.fresh();
            let loaded = if succeeds { Ok(value) } else { Err("refused") };
            let before = twin.value(key);
            if before.is_none() && succeeds {
                twin.put_ttl(key, value, default);
            }
            let answer = cache.try_get_or_insert_with(key, || loaded);
            assert_eq!(answer, before.map_or(loaded, Ok), "step {at}, {op:?}");
        }
        Op::Touch(key, ttl) => assert_eq!(cache.touch(&key, ttl), twin.touch(key, Some(ttl)), "step {at}, {op:?}"),
        Op::GetAndTouch(key, ttl) => {
            let expected = twin.value(key);
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
            let dead: Vec<u8> = twin.entries.keys().copied().collect();
            for key in dead {
                let kept = twin.entries.remove(&key).expect("listed");
                twin.end(kept.value, &[Cleared, Expired], true);
            }
            assert_eq!(cache.len(), 0, "step {at}, {op:?}");
        }
        Op::Increment(key) => {
            let expected = twin.value(key).map(|value| value + 1);
            if let Some(value) = expected {
                twin.amend(key, value);
            }
            assert_eq!(cache.increment(&key, 1), expected, "step {at}, {op:?}");
        }
        Op::Underflow(key) => assert_eq!(cache.decrement(&key, u32::MAX), None, "step {at}, {op:?}"),
        Op::Fill(start, count, ttl) => {
            for key in (0..count).map(|offset| start.wrapping_add(offset)) {
                let value = twin.fresh();
                assert_eq!(
                    cache.insert_with_ttl(key, value, ttl),
                    !twin.put_ttl(key, value, Some(ttl)),
                    "step {at}, {op:?}"
                );
            }
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
    assert!(cache.len() >= twin.contents().len(), "step {at}, {op:?}: an entry is lost");
}

/// Runs one reading operation on both sides and compares the answers.
fn look<S>(cache: &Cache<u8, u32, S>, clock: &ManualClock, twin: &Twin, op: Op, at: usize)
where
    S: BuildHasher + Send + Sync + 'static,
{
    match op {
        Op::Get(key) => assert_eq!(cache.get(&key), twin.value(key), "step {at}, {op:?}"),
        Op::GetWithDeadline(key) => {
            let answer = cache.get_with_deadline(&key);
            assert_eq!(answer.map(|(value, _)| value), twin.value(key), "step {at}, {op:?}");
            let left = twin.live(key).and_then(|kept| kept.deadline).map(|deadline| deadline - twin.now);
            // Beyond two centuries a deadline may be "never".
            if left.is_none_or(|left| left < common::seconds(200 * 31_536_000)) {
                let answered = answer.and_then(|(_, deadline)| deadline);
                assert_eq!(answered, left.map(|left| clock.instant() + left), "step {at}, {op:?}");
            }
        }
        Op::Read(key) => assert_eq!(cache.read(&key, |value| *value), twin.value(key), "step {at}, {op:?}"),
        Op::Peek(key) => assert_eq!(cache.peek(&key), twin.value(key), "step {at}, {op:?}"),
        Op::ContainsKey(key) => assert_eq!(cache.contains_key(&key), twin.live(key).is_some(), "step {at}, {op:?}"),
        Op::Pinned(key) => assert_eq!(cache.pin().get(&key).copied(), twin.value(key), "step {at}, {op:?}"),
        Op::GetMany(start, count) => {
            let keys: Vec<u8> = (0..count).map(|offset| start.wrapping_add(offset)).collect();
            let mut answers = Vec::new();
            cache.get_many(&keys, |key, value| answers.push((*key, value.copied())));
            let expected: Vec<_> = keys.iter().map(|key| (*key, twin.value(*key))).collect();
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

/// Sweeps and compares everything that can be looked up.
fn compare_contents<S: BuildHasher + Send + Sync + 'static>(cache: &Cache<u8, u32, S>, twin: &mut Twin) {
    let mut left: Vec<(u8, u32)> = common::assert_sound(cache).into_iter().collect();
    left.sort_unstable();
    assert_eq!(left, twin.contents(), "contents at the end");
    let dead: Vec<u8> = twin.entries.iter().filter(|(_, kept)| !twin.is_live(kept)).map(|(key, _)| *key).collect();
    for key in dead {
        let kept = twin.entries.remove(&key).expect("listed");
        twin.end(kept.value, &[Expired], true);
    }
    assert_eq!(cache.stats().contained_panics, 0);
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
