//! Random operations on a session store beside a naive twin: a `HashMap` of data and deadline, and two clocks.
//!
//! Four bytes make an operation, so a property test and a fuzzer can share the generator. [`check`] runs a sequence on
//! the store and on the twin, compares every answer, and at the end compares contents, counts and removal reports.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use fleeting::RemovalCause::{self, Cleared, Expired, Removed, Replaced};
use fleeting::{ManualClock, MemStore, SessionData, Version};

use super::cache_twin::span;
use super::common::{self, Removals, assert_store_sound, recording_store};

/// When a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    In(Duration),
    Ago(Duration),
    Epoch,
    /// A time that no clock reaches.
    Last,
}

/// One operation. Tokens are made from a number; see [`token`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Save(u8, Expiry),
    TrySave(u8, Expiry),
    SaveFor(u8, Duration),
    Create(u8, Expiry),
    Update(u8, Expiry),
    /// Remember the version that the token has now.
    Note(u8),
    /// Save if the token still has the version remembered last.
    CompareAndSave(u8, Expiry),
    Touch(u8, Expiry),
    Rename(u8, u8, Expiry),
    Delete(u8),
    Take(u8),
    /// Delete the tokens whose number leaves this remainder (second) by this divisor (first).
    DeleteWhere(u8, u8),
    Find(u8),
    FindWithExpiry(u8),
    Read(u8),
    All,
    Clear,
    Sweep,
    Advance(Duration),
    /// Set the wall clock to this long before (`true`) or after its present time.
    SetWall(bool, Duration),
}

impl Op {
    /// The generator: any four bytes are an operation, and most tokens are among the first few.
    pub fn from_bytes([kind, key, first, second]: [u8; 4]) -> Self {
        let key = if key < 200 { key % 8 } else { key };
        let ttl = span(first, second);
        let step = ttl.min(common::seconds(90 * 86_400));
        let expiry = match first {
            240..=249 => Expiry::Ago(span(second, first)),
            250..=252 => Expiry::Epoch,
            253..=255 => Expiry::Last,
            _ => Expiry::In(step),
        };
        match kind % 40 {
            0..=4 => Op::Save(key, expiry),
            5 => Op::TrySave(key, expiry),
            6 => Op::SaveFor(key, ttl),
            7..=8 => Op::Create(key, expiry),
            9..=10 => Op::Update(key, expiry),
            11..=12 => Op::Note(key),
            13..=14 => Op::CompareAndSave(key, expiry),
            15..=18 => Op::Touch(key, expiry),
            19..=21 => Op::Rename(key, second % 8, expiry),
            22..=23 => Op::Delete(key),
            24 => Op::Take(key),
            25 if first < 64 => Op::DeleteWhere(1 + first % 7, second % 7),
            25 => Op::All,
            26 if first < 32 => Op::Clear,
            26 | 27 => Op::Find(key),
            28 => Op::FindWithExpiry(key),
            29 => Op::Read(key),
            30..=31 => Op::Sweep,
            32 => Op::SetWall(second % 2 == 0, span(first, second).min(common::seconds(500 * 86_400))),
            _ => Op::Advance(step),
        }
    }
}

/// The token of this number: number 0 is the empty token, others have various lengths and alike beginnings.
pub fn token(number: u8) -> Vec<u8> {
    let mut token = vec![b's'; usize::from(number % 5) * 7];
    if number != 0 {
        token.push(number);
    }
    token
}

struct Kept {
    data: u32,
    deadline: Option<Duration>,
    /// Changes whenever a version must.
    version: u64,
}

#[derive(Default)]
struct Twin {
    now: Duration,
    entries: HashMap<u8, Kept>,
    noted: HashMap<u8, (Version, u64)>,
    /// What may be reported of data that has left; `true` if it must be.
    fates: HashMap<u32, (&'static [RemovalCause], bool)>,
    /// Data that was renamed lives under two tokens; nothing is said about its reports.
    renamed: HashSet<u32>,
    made: u32,
}

impl Twin {
    fn is_live(&self, kept: &Kept) -> bool {
        kept.deadline.is_none_or(|deadline| self.now < deadline)
    }

    fn live(&self, key: u8) -> Option<&Kept> {
        self.entries.get(&key).filter(|kept| self.is_live(kept))
    }

    fn data(&self, key: u8) -> Option<u32> {
        self.live(key).map(|kept| kept.data)
    }

    fn fresh(&mut self) -> u32 {
        self.made += 1;
        self.made
    }

    fn end(&mut self, data: u32, causes: &'static [RemovalCause], required: bool) {
        self.fates.insert(data, (causes, required));
    }

    fn put(&mut self, key: u8, data: u32, deadline: Option<Duration>) {
        let dead_on_arrival = deadline.is_some_and(|deadline| deadline <= self.now);
        let causes: &[RemovalCause] = match (self.live(key).is_some(), dead_on_arrival) {
            (false, _) => &[Expired],
            (true, false) => &[Replaced],
            (true, true) => &[Replaced, Removed, Expired],
        };
        if let Some(old) = self.entries.remove(&key) {
            self.end(old.data, causes, true);
        }
        if dead_on_arrival {
            self.end(data, &[Expired, Removed], false);
        } else {
            self.made += 1;
            let version = u64::from(self.made);
            self.entries.insert(key, Kept { data, deadline, version });
        }
    }

    fn put_if(&mut self, condition: bool, key: u8, data: u32, deadline: Option<Duration>) -> bool {
        if condition {
            self.put(key, data, deadline);
        }
        condition
    }

    fn remove(&mut self, key: u8) -> Option<u32> {
        let data = self.data(key)?;
        self.entries.remove(&key);
        self.end(data, &[Removed], true);
        Some(data)
    }

    fn rename(&mut self, old: u8, new: u8, deadline: Option<Duration>) -> bool {
        let Some(data) = self.data(old) else { return false };
        if old == new {
            self.entries.get_mut(&old).expect("live").deadline = deadline;
            return true;
        }
        if self.live(new).is_some() {
            return false;
        }
        self.entries.remove(&old);
        self.renamed.insert(data);
        self.put(new, data, deadline);
        true
    }

    /// The live sessions by number, sorted.
    fn contents(&self) -> Vec<(u8, u32)> {
        let live = self.entries.iter().filter(|(_, kept)| self.is_live(kept));
        let mut contents: Vec<_> = live.map(|(key, kept)| (*key, kept.data)).collect();
        contents.sort_unstable();
        contents
    }
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

/// Runs the operations on a store beside its twin.
///
/// # Panics
///
/// If an answer, the contents or the reports of the store differ from the twin's.
pub fn check(ops: &[Op]) {
    let (store, clock, removals) = recording_store();
    let mut twin = Twin::default();
    for (at, op) in ops.iter().enumerate() {
        step(&store, &clock, &mut twin, *op, at);
        assert!(store.len() >= twin.contents().len(), "step {at}, {op:?}: a session is lost");
    }
    compare_contents(&store, &mut twin);
    compare_reports(&twin, removals);
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
    (expiry, Some(expiry.duration_since(wall).map_or(Duration::ZERO, |left| twin.now + left)))
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
            let (deadline, data) = (twin.now.checked_add(ttl), twin.fresh());
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
            assert_eq!(found.is_some(), twin.live(key).is_some(), "step {at}, {op:?}");
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
            assert_eq!(number_of_found(store.find(token(new))), twin.data(new), "step {at}, {op:?}");
            assert_eq!(number_of_found(store.find(token(old))), twin.data(old), "step {at}, {op:?}");
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
            for (_, kept) in std::mem::take(&mut twin.entries) {
                let live = twin.is_live(&kept);
                twin.end(kept.data, if live { &[Cleared] } else { &[Cleared, Expired] }, true);
            }
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
        Op::Find(_) | Op::FindWithExpiry(_) | Op::Read(_) | Op::All => look(store, clock, twin, op, at),
    }
}

/// Runs one reading operation on both sides and compares the answers.
fn look(store: &MemStore, clock: &ManualClock, twin: &Twin, op: Op, at: usize) {
    match op {
        Op::Find(key) => assert_eq!(number_of_found(store.find(token(key))), twin.data(key), "step {at}, {op:?}"),
        Op::FindWithExpiry(key) => {
            let answer = store.find_with_expiry(token(key));
            assert_eq!(answer.as_ref().map(|(data, _)| number_of(data)), twin.data(key), "step {at}, {op:?}");
            if let (Some((_, expiry)), Some(deadline)) = (answer, twin.live(key).and_then(|kept| kept.deadline)) {
                let left = deadline - twin.now;
                // Beyond two centuries an expiry may be "never".
                if left < common::seconds(200 * 31_536_000) {
                    assert_eq!(expiry, clock.system_time() + left, "step {at}, {op:?}");
                }
            }
        }
        Op::Read(key) => assert_eq!(store.read(token(key), number_of), twin.data(key), "step {at}, {op:?}"),
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

/// Sweeps and compares everything that can be looked up.
fn compare_contents(store: &MemStore, twin: &mut Twin) {
    let left = assert_store_sound(store);
    let expected: HashMap<Vec<u8>, Vec<u8>> =
        twin.contents().into_iter().map(|(key, data)| (token(key), bytes(data))).collect();
    assert_eq!(left, expected, "contents at the end");
    let dead: Vec<u8> = twin.entries.iter().filter(|(_, kept)| !twin.is_live(kept)).map(|(key, _)| *key).collect();
    for key in dead {
        let kept = twin.entries.remove(&key).expect("listed");
        twin.end(kept.data, &[Expired], true);
    }
    assert_eq!(store.stats().contained_panics, 0);
}

/// Data that left was reported once, with a cause that fits; data that is left was not. Renamed data is passed over.
fn compare_reports(twin: &Twin, removals: Removals<Vec<u8>, Vec<u8>>) {
    let mut reported = HashMap::new();
    for (_, data, cause) in removals.drain() {
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
