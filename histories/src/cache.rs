//! The specification of one key of a `Cache`, and how to ask a real one.
//!
//! * **Time** is the manual clock's, in ticks. [`CacheOperation::Advance`] stands in the history of every key; the clock moves by one tick each.
//!   No call takes effect before the time that its caller had read.
//! * A **time to live** begins when the operation reads the clock: at one of the times between its `clock` and its effect. A deadline given as
//!   such has no such freedom.
//! * An entry is **live** if and only if now < deadline. Expiry is no operation: it happens by itself.
//! * **Sweeps and growth** stand in no history: nobody may notice them.
//! * A **touch that shortens** to a time that comes while the touch runs may be overtaken: see [`Overtaken`].
//! * **`clear`, `retain` and iteration** are walks. They may miss only what came in meanwhile: what was put by a call that had not returned when
//!   the walk began. So an entry carries the return of the call that put it ([`Entry::born`]).

use std::hash::{BuildHasher, Hash};

use fleeting::{Cache, Clock, Op, Outcome};

use crate::overtaken::Overtaken;
use crate::specification::{Call, Specification, parity};
pub use crate::ticks::{NEVER, Ticks};

/// What `compute`'s closure decides.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Decision {
    /// `Op::Keep`.
    Keep,
    /// `Op::Put` of this value.
    Put(u64),
    /// `Op::PutWithTtl` of this value, for so many ticks.
    PutWithTtl(u64, u64),
    /// `Op::Remove`.
    Remove,
}

/// What is asked of one key. Values should be unique in a history. Times to live and deadlines are in ticks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "named as the methods of `Cache` that they stand for")]
pub enum CacheOperation {
    Insert(u64),
    InsertWithTtl(u64, u64),
    InsertUntil(u64, u64),
    InsertIfAbsent(u64),
    Replace(u64),
    /// By a closure that puts this value.
    Update(u64),
    Compute {
        live: Decision,
        absent: Decision,
    },
    GetOrInsertWith(u64),
    /// By a closure that gives this value, or fails.
    TryGetOrInsertWith(Option<u64>),
    Get,
    Read,
    ContainsKey,
    Peek,
    GetMany,
    PinnedGet,
    GetWithDeadline,
    GetAndTouch(u64),
    Touch(u64),
    Persist,
    Remove,
    Take,
    /// If [`parity`] of the value is this.
    RemoveIf(bool),
    Increment(u64),
    Decrement(u64),
    /// Keeps the values of which [`parity`] is this.
    Retain(bool),
    Clear,
    Iterate,
    /// The clock was moved on to this tick, by one.
    Advance(u64),
}

/// What a key answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CacheAnswer {
    /// Nothing to tell.
    Done,
    /// A bool; `Ok` of those that give key and value back.
    Did(bool),
    /// A value, or none; the value that a closure saw when it decided.
    Value(Option<u64>),
    /// A value and its deadline.
    Until(Option<(u64, u64)>),
    /// What `compute` did, and what its closure saw.
    Computed(Outcome, Option<u64>),
    /// The loader's error.
    Failed,
    /// The values that a walk showed for the key.
    Seen(Vec<u64>),
}

/// A live entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Entry {
    /// Its value.
    pub value: u64,
    /// The tick at which it is no longer live.
    pub deadline: u64,
    /// The stamp at which the call that put it returned.
    pub born: u64,
}

/// The clock and what the key has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct KeyState {
    /// In ticks.
    pub now: u64,
    /// A touch that was overtaken.
    pub overtaken: Option<Overtaken>,
    /// None if there is no live entry.
    pub entry: Option<Entry>,
}

/// The specification of one key.
#[derive(Clone, Copy, Debug, Default)]
pub struct CacheKey {
    /// The cache's time to live, in ticks; None: without.
    pub time_to_live: Option<u64>,
    /// Where the clock stands when the history begins.
    pub start: u64,
}

type CacheCall = Call<CacheOperation, CacheAnswer>;

/// Collects the states that a call's answer allows.
struct Effects<'a> {
    now: u64,
    overtaken: Option<Overtaken>,
    call: &'a CacheCall,
    time_to_live: Option<u64>,
    next: &'a mut Vec<KeyState>,
}

impl Effects<'_> {
    /// The call answers so, and leaves this.
    fn answer(&mut self, answer: CacheAnswer, entry: Option<Entry>) {
        if self.call.answer.as_ref().is_none_or(|given| *given == answer) {
            let entry = entry.filter(|entry| self.now < entry.deadline);
            self.next.push(KeyState { now: self.now, overtaken: self.overtaken, entry });
        }
    }

    /// The call answers so, and leaves this value with a deadline, which may already have come.
    fn put(&mut self, answer: &CacheAnswer, value: u64, deadline: u64) {
        let born = self.call.returned.unwrap_or(u64::MAX);
        self.answer(answer.clone(), Some(Entry { value, deadline, born }));
    }

    /// The deadlines that a time to live may lead to: it begins when the operation reads the clock.
    fn deadlines(&self, ttl: Option<u64>) -> impl Iterator<Item = u64> + use<> {
        let readings = match ttl {
            Some(_) => self.call.clock..=self.now,
            None => self.now..=self.now,
        };
        readings.map(move |now| ttl.map_or(NEVER, |ttl| now.saturating_add(ttl)))
    }

    fn put_for(&mut self, answer: &CacheAnswer, value: u64, ttl: Option<u64>) {
        self.deadlines(ttl).for_each(|deadline| self.put(answer, value, deadline));
    }

    /// A touch to this deadline was overtaken: it changes nothing.
    fn overtake(&mut self, answer: &CacheAnswer, entry: Entry, deadline: u64) {
        if let (None, Some(returned)) = (self.overtaken, self.call.returned) {
            self.overtaken = Some(Overtaken { returned, deadline });
            self.answer(answer.clone(), Some(entry));
            self.overtaken = None;
        }
    }

    fn compute(&mut self, entry: Option<Entry>, decision: Decision) {
        let seen = entry.map(|entry| entry.value);
        let computed = |outcome| CacheAnswer::Computed(outcome, seen);
        let (value, ttl) = match (decision, entry) {
            (Decision::Keep, Some(_)) => return self.answer(computed(Outcome::Kept), entry),
            (Decision::Keep | Decision::Remove, None) => return self.answer(computed(Outcome::Absent), None),
            (Decision::Remove, Some(_)) => return self.answer(computed(Outcome::Removed), None),
            (Decision::Put(value), Some(old)) => {
                return self.put(&computed(Outcome::Replaced), value, old.deadline);
            }
            (Decision::Put(value), None) => (value, self.time_to_live),
            (Decision::PutWithTtl(value, ttl), _) => (value, Some(ttl)),
        };
        for deadline in self.deadlines(ttl) {
            // What dies while it comes in was put, or was not.
            let (put, dead) = match entry {
                Some(_) => (Outcome::Replaced, Outcome::Removed),
                None => (Outcome::Inserted, Outcome::Absent),
            };
            self.put(&computed(put), value, deadline);
            if self.now >= deadline && self.call.answer.is_some() {
                self.put(&computed(dead), value, deadline);
            }
        }
    }

    /// A walk that removes the entry, or missed it because it came in meanwhile.
    fn doom(&mut self, entry: Option<Entry>, is_doomed: bool) {
        if !is_doomed || entry.is_some_and(|entry| entry.born > self.call.invoked) {
            self.answer(CacheAnswer::Done, entry);
        }
        if is_doomed {
            self.answer(CacheAnswer::Done, None);
        }
    }
}

impl Specification for CacheKey {
    type Operation = CacheOperation;
    type Answer = CacheAnswer;
    type State = KeyState;

    fn initial(&self) -> KeyState {
        KeyState { now: self.start, overtaken: None, entry: None }
    }

    fn step(&self, state: &KeyState, call: &CacheCall, next: &mut Vec<KeyState>) {
        use CacheAnswer::{Did, Done, Failed, Seen, Until, Value};
        if state.now < call.clock && !matches!(call.operation, CacheOperation::Advance(_)) {
            // The clock stood there before the call.
            return;
        }
        let Some(overtaken) = Overtaken::after(state.overtaken, state.now, call.invoked) else { return };
        let entry = state.entry;
        let value = entry.map(|entry| entry.value);
        let mut effects = Effects { now: state.now, overtaken, call, time_to_live: self.time_to_live, next };
        let is_absent = Did(entry.is_none());
        match call.operation {
            CacheOperation::Insert(new) => effects.put_for(&is_absent, new, self.time_to_live),
            CacheOperation::InsertWithTtl(new, ttl) => effects.put_for(&is_absent, new, Some(ttl)),
            CacheOperation::InsertUntil(new, deadline) => effects.put(&is_absent, new, deadline),
            CacheOperation::InsertIfAbsent(new) => match entry {
                None => effects.put_for(&Did(true), new, self.time_to_live),
                Some(_) => effects.answer(Did(false), entry),
            },
            CacheOperation::Replace(new) => match entry {
                Some(_) => effects.put_for(&Did(true), new, self.time_to_live),
                None => effects.answer(Did(false), entry),
            },
            CacheOperation::Update(new) => match entry {
                Some(old) => effects.put(&Value(value), new, old.deadline),
                None => effects.answer(Value(None), None),
            },
            CacheOperation::Compute { live, absent } => {
                effects.compute(entry, if entry.is_some() { live } else { absent });
            }
            CacheOperation::GetOrInsertWith(new) | CacheOperation::TryGetOrInsertWith(Some(new)) => match entry {
                Some(_) => effects.answer(Value(value), entry),
                None => effects.put_for(&Value(Some(new)), new, self.time_to_live),
            },
            CacheOperation::TryGetOrInsertWith(None) => match entry {
                Some(_) => effects.answer(Value(value), entry),
                None => effects.answer(Failed, None),
            },
            CacheOperation::Get
            | CacheOperation::Read
            | CacheOperation::Peek
            | CacheOperation::GetMany
            | CacheOperation::PinnedGet => effects.answer(Value(value), entry),
            CacheOperation::ContainsKey => effects.answer(Did(entry.is_some()), entry),
            CacheOperation::GetWithDeadline => {
                effects.answer(Until(entry.map(|entry| (entry.value, entry.deadline))), entry);
            }
            CacheOperation::GetAndTouch(ttl) | CacheOperation::Touch(ttl) => {
                let is_reading = matches!(call.operation, CacheOperation::GetAndTouch(_));
                let answer = if is_reading { Value(value) } else { Did(entry.is_some()) };
                match entry {
                    None => effects.answer(answer, None),
                    Some(old) => effects.deadlines(Some(ttl)).for_each(|deadline| {
                        effects.answer(answer.clone(), Some(Entry { deadline, ..old }));
                        if state.now < deadline && deadline < old.deadline {
                            effects.overtake(&answer, old, deadline);
                        }
                    }),
                }
            }
            CacheOperation::Persist => {
                effects.answer(Did(entry.is_some()), entry.map(|entry| Entry { deadline: NEVER, ..entry }));
            }
            CacheOperation::Remove => effects.answer(Did(entry.is_some()), None),
            CacheOperation::Take => effects.answer(Value(value), None),
            CacheOperation::RemoveIf(wanted) => match value {
                Some(found) if parity(found) == wanted => effects.answer(Value(value), None),
                _ => effects.answer(Value(None), entry),
            },
            CacheOperation::Increment(by) => calculate(&mut effects, entry, |value| value.checked_add(by)),
            CacheOperation::Decrement(by) => calculate(&mut effects, entry, |value| value.checked_sub(by)),
            CacheOperation::Retain(wanted) => effects.doom(entry, value.is_some_and(|value| parity(value) != wanted)),
            CacheOperation::Clear => effects.doom(entry, entry.is_some()),
            CacheOperation::Iterate => {
                if entry.is_none_or(|entry| entry.born > call.invoked) {
                    effects.answer(Seen(Vec::new()), entry);
                }
                if let Some(value) = value {
                    effects.answer(Seen(vec![value]), entry);
                }
            }
            CacheOperation::Advance(to) => {
                effects.now = to;
                effects.overtaken = overtaken.filter(|overtaken| to < overtaken.deadline);
                effects.answer(Done, entry);
            }
        }
    }
}

fn calculate(effects: &mut Effects<'_>, entry: Option<Entry>, f: impl Fn(u64) -> Option<u64>) {
    match entry.and_then(|old| Some((old, f(old.value)?))) {
        Some((old, new)) => effects.put(&CacheAnswer::Value(Some(new)), new, old.deadline),
        None => effects.answer(CacheAnswer::Value(None), entry),
    }
}

/// Asks a real cache, and gives its answer as the specification words it.
///
/// `Retain`, `Clear` and `Iterate` concern every key: they are asked for by [`walk`], once, and stand in each key's history.
///
/// # Panics
///
/// If asked for one of these.
pub fn ask<K, S>(cache: &Cache<K, u64, S>, ticks: &Ticks, key: &K, operation: &CacheOperation) -> CacheAnswer
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    S: BuildHasher,
{
    use CacheAnswer::{Computed, Did, Done, Failed, Until, Value};
    // What the closure saw when it ran last.
    let mut seen = None;
    match *operation {
        CacheOperation::Insert(value) => Did(cache.insert(key.clone(), value)),
        CacheOperation::InsertWithTtl(value, ttl) => {
            Did(cache.insert_with_ttl(key.clone(), value, ticks.duration(ttl)))
        }
        CacheOperation::InsertUntil(value, deadline) => {
            Did(cache.insert_until(key.clone(), value, ticks.clock().origin() + ticks.duration(deadline)))
        }
        CacheOperation::InsertIfAbsent(value) => Did(cache.insert_if_absent(key.clone(), value).is_ok()),
        CacheOperation::Replace(value) => Did(cache.replace(key.clone(), value).is_ok()),
        CacheOperation::Update(value) => {
            let is_updated = cache.update(key, |&old| {
                seen = Some(old);
                value
            });
            Value(seen.filter(|_| is_updated))
        }
        CacheOperation::Compute { live, absent } => {
            let outcome = cache.compute(key.clone(), |old| {
                seen = old.copied();
                match if old.is_some() { live } else { absent } {
                    Decision::Keep => Op::Keep,
                    Decision::Put(value) => Op::Put(value),
                    Decision::PutWithTtl(value, ttl) => Op::PutWithTtl(value, ticks.duration(ttl)),
                    Decision::Remove => Op::Remove,
                }
            });
            Computed(outcome, seen)
        }
        CacheOperation::GetOrInsertWith(value) => Value(Some(cache.get_or_insert_with(key.clone(), || value))),
        CacheOperation::TryGetOrInsertWith(value) => {
            cache.try_get_or_insert_with(key.clone(), || value.ok_or(())).map_or(Failed, |value| Value(Some(value)))
        }
        CacheOperation::Get => Value(cache.get(key)),
        CacheOperation::Read => Value(cache.read(key, |&value| value)),
        CacheOperation::ContainsKey => Did(cache.contains_key(key)),
        CacheOperation::Peek => Value(cache.peek(key)),
        CacheOperation::GetMany => {
            cache.get_many(std::slice::from_ref(key), |_, value| seen = value.copied());
            Value(seen)
        }
        CacheOperation::PinnedGet => Value(cache.pin().get(key).copied()),
        CacheOperation::GetWithDeadline => Until(cache.get_with_deadline(key).map(|(value, deadline)| {
            let since = |deadline: std::time::Instant| deadline.duration_since(ticks.clock().origin());
            (value, deadline.map_or(NEVER, |deadline| ticks.of(since(deadline))))
        })),
        CacheOperation::GetAndTouch(ttl) => Value(cache.get_and_touch(key, ticks.duration(ttl))),
        CacheOperation::Touch(ttl) => Did(cache.touch(key, ticks.duration(ttl))),
        CacheOperation::Persist => Did(cache.persist(key)),
        CacheOperation::Remove => Did(cache.remove(key)),
        CacheOperation::Take => Value(cache.take(key)),
        CacheOperation::RemoveIf(wanted) => {
            let is_removed = cache.remove_if(key, |&value| {
                seen = Some(value);
                parity(value) == wanted
            });
            Value(seen.filter(|_| is_removed))
        }
        CacheOperation::Increment(by) => Value(cache.increment(key, by)),
        CacheOperation::Decrement(by) => Value(cache.decrement(key, by)),
        CacheOperation::Advance(_) => {
            ticks.advance();
            Done
        }
        CacheOperation::Retain(_) | CacheOperation::Clear | CacheOperation::Iterate => {
            panic!("{operation:?} is asked for by `walk`")
        }
    }
}

/// Asks a real cache for a walk, and gives the answer for each of `keys`. All other keys' entries are spared.
///
/// # Panics
///
/// If the operation is no walk.
pub fn walk<K, S>(cache: &Cache<K, u64, S>, keys: &[K], operation: &CacheOperation) -> Vec<CacheAnswer>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    S: BuildHasher,
{
    match *operation {
        CacheOperation::Retain(wanted) => {
            cache.retain(|key, &value| !keys.contains(key) || parity(value) == wanted);
            vec![CacheAnswer::Done; keys.len()]
        }
        CacheOperation::Clear => {
            cache.clear();
            vec![CacheAnswer::Done; keys.len()]
        }
        CacheOperation::Iterate => {
            let mut seen = vec![Vec::new(); keys.len()];
            for (key, value) in cache.iter() {
                if let Some(at) = keys.iter().position(|other| *other == key) {
                    seen[at].push(value);
                }
            }
            seen.into_iter().map(CacheAnswer::Seen).collect()
        }
        _ => panic!("{operation:?} is no walk"),
    }
}
