//! A clock that jumps at each of its readings in turn: every operation, on two keys, while deadlines pass in the
//! midst of it.
//!
//! The clock shows one time, and from its n-th reading within an operation on a later one, by which some of the
//! deadlines have passed: for each n, until the operation reads it less often. What is answered, and what is there
//! afterwards, must be as if the operation had happened at once at the earlier time, or at the later one. A walk
//! over both keys is one operation for each.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use common::{seconds, wall_start};
use fleeting::{Cache, Clock, MemStore, Op as Decision, Outcome, Version};

/// In seconds: the time before, the deadlines, and the time after.
const BEFORE: u64 = 100;
const PAST: u64 = 50;
const MIDWAY: u64 = 500;
const AFTER: u64 = 1_000;
const FAR: u64 = 5_000;

/// Both keys.
const KEYS: [u8; 2] = [0, 1];

/// See above. Clones are handles to one clock.
#[derive(Clone)]
struct Jumping {
    origin: Instant,
    /// Readings until it jumps.
    left: Arc<AtomicU64>,
}

impl Jumping {
    fn new() -> Self {
        Jumping { origin: Instant::now(), left: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    /// Jumps at this reading from now on.
    fn jump_at(&self, reading: u64) {
        self.left.store(reading, Ordering::Relaxed);
    }

    fn has_jumped(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    fn read(&self) -> u64 {
        match self.left.load(Ordering::Relaxed) {
            u64::MAX => BEFORE,
            0 => AFTER,
            left => {
                self.left.store(left - 1, Ordering::Relaxed);
                if left == 1 { AFTER } else { BEFORE }
            }
        }
    }
}

impl Clock for Jumping {
    fn elapsed(&self) -> Duration {
        seconds(self.read())
    }

    fn origin(&self) -> Instant {
        self.origin
    }

    fn with_system_time(&self) -> (Duration, SystemTime) {
        let now = seconds(self.read());
        (now, wall_start() + now)
    }
}

fn wall(second: u64) -> SystemTime {
    wall_start() + seconds(second)
}

/// What a sequential store or cache holds: values, and when they expire.
#[derive(Clone, PartialEq, Debug)]
struct Model {
    now: u64,
    /// When times to live begin: in the operation, and no later than it happens.
    born: u64,
    kept: BTreeMap<u8, (u32, u64)>,
}

impl Model {
    fn new(kept: impl IntoIterator<Item = (u8, (u32, u64))>) -> Model {
        Model { now: BEFORE, born: BEFORE, kept: kept.into_iter().collect() }
    }

    fn jump(&mut self) {
        self.now = AFTER;
        self.kept.retain(|_, (_, expiry)| *expiry > AFTER);
    }

    fn value(&self, key: u8) -> Option<u32> {
        self.kept.get(&key).map(|kept| kept.0)
    }

    fn is_live(&self, key: u8) -> bool {
        self.kept.contains_key(&key)
    }

    /// Puts a value; whether the key was live.
    fn put(&mut self, key: u8, value: u32, expiry: u64) -> bool {
        let was_live = self.kept.remove(&key).is_some();
        if expiry > self.now {
            self.kept.insert(key, (value, expiry));
        }
        was_live
    }

    /// Puts a value if the key is live, or if it is not.
    fn put_if(&mut self, is_live: bool, key: u8, value: u32, expiry: u64) -> bool {
        let may = self.is_live(key) == is_live;
        if may {
            self.put(key, value, expiry);
        }
        may
    }

    fn touch(&mut self, key: u8, expiry: u64) -> bool {
        self.value(key).is_some_and(|value| self.put(key, value, expiry))
    }

    fn change(&mut self, key: u8, change: impl Fn(u32) -> u32) -> Option<u32> {
        let (value, _) = self.kept.get_mut(&key)?;
        *value = change(*value);
        Some(*value)
    }

    fn remove(&mut self, key: u8) -> Option<u32> {
        self.kept.remove(&key).map(|kept| kept.0)
    }

    fn rename(&mut self, from: u8, to: u8, expiry: u64) -> bool {
        if from == to {
            return self.touch(from, expiry);
        }
        if !self.is_live(from) || self.is_live(to) {
            return false;
        }
        let value = self.remove(from).expect("live");
        self.put(to, value, expiry);
        true
    }
}

/// One step of an operation: what the model does, and answers.
type Step = Box<dyn Fn(&mut Model) -> String>;

/// What is asked of the subject, which answers once for each step.
type Ask<S> = Box<dyn Fn(&S) -> Vec<String>>;

/// An operation.
struct Operation<S> {
    name: String,
    ask: Ask<S>,
    steps: Vec<Step>,
    /// Whether a later step takes effect at no earlier a time.
    in_order: bool,
}

impl<S> Operation<S> {
    fn one<A: std::fmt::Debug>(
        name: impl Into<String>,
        ask: impl Fn(&S) -> A + 'static,
        step: impl Fn(&mut Model) -> A + 'static,
    ) -> Self {
        Operation {
            name: name.into(),
            ask: Box::new(move |subject| vec![format!("{:?}", ask(subject))]),
            steps: vec![Box::new(move |model| format!("{:?}", step(model)))],
            in_order: true,
        }
    }

    /// One that does the same with each key.
    fn walk<A: std::fmt::Debug>(
        name: &str,
        ask: impl Fn(&S) -> [A; 2] + 'static,
        step: impl Fn(&mut Model, u8) -> A + Clone + 'static,
    ) -> Self {
        let steps = KEYS.map(|key| {
            let step = step.clone();
            Box::new(move |model: &mut Model| format!("{:?}", step(model, key))) as Step
        });
        Operation {
            name: name.into(),
            ask: Box::new(move |subject| ask(subject).iter().map(|answer| format!("{answer:?}")).collect()),
            steps: steps.into(),
            in_order: false,
        }
    }

    /// What may come of it: the answers, and what is there after the jump.
    fn outcomes(&self, start: &Model) -> Vec<(Vec<String>, Model)> {
        let mut outcomes = Vec::new();
        for (moments, is_born_late) in
            (0..1_u32 << self.steps.len()).flat_map(|moments| [(moments, false), (moments, true)])
        {
            let is_late = |step: usize| moments >> step & 1 == 1;
            if self.in_order && (1..self.steps.len()).any(|step| is_late(step - 1) && !is_late(step)) {
                continue;
            }
            let (mut model, mut answers) = (start.clone(), vec![String::new(); self.steps.len()]);
            for late in [false, true] {
                if late {
                    model.jump();
                    model.born = if is_born_late { AFTER } else { BEFORE };
                }
                for (step, answer) in self
                    .steps
                    .iter()
                    .zip(&mut answers)
                    .enumerate()
                    .filter(|(at, _)| is_late(*at) == late)
                    .map(|(_, pair)| pair)
                {
                    *answer = step(&mut model);
                }
            }
            model.born = AFTER;
            outcomes.push((answers, model));
        }
        outcomes
    }

    /// Runs it on fresh subjects, with a jump at each reading in turn.
    fn check(
        &self,
        start: &Model,
        fresh: impl Fn(&Jumping, &Model) -> S,
        contents: impl Fn(&S) -> BTreeMap<u8, (u32, u64)>,
    ) {
        let possible = self.outcomes(start);
        for reading in 1.. {
            assert!(reading < 100, "{}: it reads the clock for ever", self.name);
            let clock = Jumping::new();
            let subject = fresh(&clock, start);
            clock.jump_at(reading);
            let answers = (self.ask)(&subject);
            let has_jumped = clock.has_jumped();
            clock.jump_at(0);
            let found = (answers, Model { now: AFTER, born: AFTER, kept: contents(&subject) });
            // The first one is all of it at the earlier time.
            let moments = if has_jumped { &possible[..] } else { &possible[..1] };
            assert!(
                moments.contains(&found),
                "{}, from {:?}, with a jump at reading {reading}: {found:?}; possible: {moments:?}",
                self.name,
                start.kept
            );
            if !has_jumped {
                return;
            }
        }
    }
}

/// Each key absent, live until midway, or live for long.
fn starts() -> Vec<Model> {
    let fates = [None, Some(MIDWAY), Some(FAR)];
    let mut starts = Vec::new();
    for fate in fates.iter().flat_map(|first| fates.iter().map(move |second| [*first, *second])) {
        let kept = KEYS.into_iter().zip(fate).filter_map(|(key, expiry)| Some((key, (u32::from(key) + 1, expiry?))));
        starts.push(Model::new(kept));
    }
    starts
}

/// A store whose first token had this version before.
struct Store {
    store: MemStore,
    version: Option<Version>,
}

fn token(key: u8) -> [u8; 1] {
    [key]
}

fn data(value: u32) -> [u8; 4] {
    value.to_be_bytes()
}

fn number(data: &[u8]) -> u32 {
    u32::from_be_bytes(data.try_into().expect("four bytes"))
}

fn second(time: SystemTime) -> u64 {
    time.duration_since(wall_start()).expect("later").as_secs()
}

fn fresh_store(clock: &Jumping, start: &Model) -> Store {
    let store = MemStore::builder().cleanup_interval(Duration::ZERO).clock(clock.clone()).build().expect("plain");
    for (key, (value, expiry)) in &start.kept {
        store.save(token(*key), data(*value), wall(*expiry));
    }
    let version = store.find_versioned(token(0)).map(|(_, version)| version);
    Store { store, version }
}

/// What is there, by a look-up; and iteration, counts and sweeps must agree with it.
fn store_contents(subject: &Store) -> BTreeMap<u8, (u32, u64)> {
    let store = &subject.store;
    let peek = |key| Some((key, store.peek_with_expiry(token(key))?));
    let found: BTreeMap<_, _> =
        KEYS.into_iter().filter_map(peek).map(|(key, (data, expiry))| (key, (number(&data), second(expiry)))).collect();
    let listed = store.iter_with_expiry().map(|(token, data, expiry)| (token[0], (number(&data), second(expiry))));
    assert_eq!(listed.collect::<BTreeMap<_, _>>(), found);
    store.sweep();
    let stats = store.stats();
    assert_eq!(store.len(), found.len());
    assert_eq!(stats.inserts, stats.removed + stats.expired + stats.entries, "{stats:?}");
    found
}

fn store_operations() -> Vec<Operation<Store>> {
    let find = |subject: &Store, key| subject.store.find(token(key)).map(|data| number(&data));
    let mut operations = vec![
        Operation::one("find", move |subject| find(subject, 0), |model| model.value(0)),
        Operation::one("peek", |s: &Store| s.store.peek(token(0)).map(|data| number(&data)), |model| model.value(0)),
        Operation::one(
            "find_with_expiry",
            |s: &Store| s.store.find_with_expiry(token(0)).map(|(data, expiry)| (number(&data), second(expiry))),
            |model| model.kept.get(&0).copied(),
        ),
        Operation::one(
            "find_versioned",
            |s: &Store| s.store.find_versioned(token(0)).map(|(data, _)| number(&data)),
            |model| model.value(0),
        ),
        Operation::one("read", |s: &Store| s.store.read(token(0), number), |model| model.value(0)),
        Operation::one("delete", |s: &Store| s.store.delete(token(0)), |model| model.remove(0).is_some()),
        Operation::one("take", |s: &Store| s.store.take(token(0)).map(|data| number(&data)), |model| model.remove(0)),
        Operation::one(
            "save_for",
            |s: &Store| s.store.save_for(token(0), data(9), seconds(MIDWAY)),
            |model| {
                model.put(0, 9, model.born + MIDWAY);
            },
        ),
        Operation::walk(
            "all",
            |s: &Store| {
                let all: BTreeMap<_, _> = s.store.all().iter().map(|(token, data)| (token[0], number(data))).collect();
                KEYS.map(|key| all.get(&key).copied())
            },
            |model, key| model.value(key),
        ),
        Operation::walk(
            "iter_with_expiry",
            |s: &Store| {
                let all = s.store.iter_with_expiry();
                let all: BTreeMap<_, _> = all.map(|(token, _, expiry)| (token[0], second(expiry))).collect();
                KEYS.map(|key| all.get(&key).copied())
            },
            |model, key| model.kept.get(&key).map(|kept| kept.1),
        ),
        Operation::walk(
            "delete_where",
            |s: &Store| {
                let mut seen = [false; 2];
                s.store.delete_where(|token, _| {
                    seen[usize::from(token[0])] = true;
                    true
                });
                seen
            },
            |model, key| model.remove(key).is_some(),
        ),
        Operation::walk(
            "clear",
            |s: &Store| [s.store.clear(), ()],
            |model, key| {
                model.remove(key);
            },
        ),
        Operation {
            in_order: true,
            ..Operation::walk(
                "get_many",
                |s: &Store| {
                    let mut answers = Vec::new();
                    s.store.get_many(&KEYS.map(token), |_, data| answers.push(data.map(number)));
                    answers.try_into().expect("two")
                },
                |model, key| model.value(key),
            )
        },
    ];
    for expiry in [PAST, MIDWAY, FAR] {
        let name = |name: &str| format!("{name} until {expiry}");
        operations.extend([
            Operation::one(
                name("save"),
                move |s: &Store| s.store.save(token(0), data(9), wall(expiry)),
                move |model| {
                    model.put(0, 9, expiry);
                },
            ),
            Operation::one(
                name("create"),
                move |s: &Store| s.store.create(token(0), data(9), wall(expiry)).is_ok(),
                move |model| model.put_if(false, 0, 9, expiry),
            ),
            Operation::one(
                name("update"),
                move |s: &Store| s.store.update(token(0), data(9), wall(expiry)),
                move |model| model.put_if(true, 0, 9, expiry),
            ),
            Operation::one(
                name("compare_and_save"),
                move |s: &Store| {
                    let Some(version) = s.version else { return false };
                    s.store.compare_and_save(token(0), version, data(9), wall(expiry)).is_ok()
                },
                move |model| model.put_if(true, 0, 9, expiry),
            ),
            Operation::one(
                name("touch"),
                move |s: &Store| s.store.touch(token(0), wall(expiry)),
                move |model| model.touch(0, expiry),
            ),
        ]);
        for (from, to) in [(0, 1), (1, 0), (0, 0)] {
            operations.push(Operation::one(
                format!("rename {from} to {to} until {expiry}"),
                move |s: &Store| s.store.rename(token(from), token(to), wall(expiry)),
                move |model| model.rename(from, to, expiry),
            ));
        }
    }
    operations
}

/// Catches a session that gets a new life from a rename, and any answer of a store's that was true at no moment.
#[test]
fn operations_of_a_store_happen_at_one_moment() {
    for operation in store_operations() {
        for start in starts() {
            operation.check(&start, fresh_store, store_contents);
        }
    }
}

type Words = Cache<u8, u32>;

/// Counters of something: a cache, and the origin of its clock.
struct Counted {
    cache: Words,
    origin: Instant,
}

fn fresh_cache(clock: &Jumping, start: &Model) -> Counted {
    let builder = Cache::builder().cleanup_interval(Duration::ZERO).clock(clock.clone());
    let cache = builder.time_to_live(seconds(MIDWAY)).build().expect("plain");
    for (key, (value, expiry)) in &start.kept {
        cache.insert_until(*key, *value, clock.origin + seconds(*expiry));
    }
    Counted { cache, origin: clock.origin }
}

fn cache_contents(subject: &Counted) -> BTreeMap<u8, (u32, u64)> {
    let (cache, never) = (&subject.cache, subject.origin + seconds(NEVER));
    let told = |deadline: Option<Instant>| deadline.unwrap_or(never).duration_since(subject.origin).as_secs();
    let get = |key| cache.get_with_deadline(&key).map(|(value, deadline)| (key, (value, told(deadline))));
    let found: BTreeMap<_, _> = KEYS.into_iter().filter_map(get).collect();
    let values = found.iter().map(|(key, (value, _))| (*key, *value));
    assert_eq!(cache.iter().collect::<BTreeMap<_, _>>(), values.collect());
    cache.sweep();
    let stats = cache.stats();
    assert_eq!(cache.len(), found.len());
    assert_eq!(stats.inserts, stats.removed + stats.expired + stats.entries, "{stats:?}");
    found
}

/// An expiry that does not come, in seconds.
const NEVER: u64 = 1_000_000;

fn cache_operations() -> Vec<Operation<Counted>> {
    let mut operations = vec![
        Operation::one("get", |c: &Counted| c.cache.get(&0), |model| model.value(0)),
        Operation::one("peek", |c: &Counted| c.cache.peek(&0), |model| model.value(0)),
        Operation::one("read", |c: &Counted| c.cache.read(&0, |value| *value), |model| model.value(0)),
        Operation::one("contains_key", |c: &Counted| c.cache.contains_key(&0), |model| model.is_live(0)),
        Operation::one("pin", |c: &Counted| c.cache.pin().get(&0).copied(), |model| model.value(0)),
        Operation::one(
            "get_with_deadline",
            |c: &Counted| {
                let (value, deadline) = c.cache.get_with_deadline(&0)?;
                Some((value, deadline?.duration_since(c.origin).as_secs()))
            },
            |model| model.kept.get(&0).copied(),
        ),
        Operation::one("insert", |c: &Counted| c.cache.insert(0, 9), |model| !model.put(0, 9, model.born + MIDWAY)),
        Operation::one(
            "insert_if_absent",
            |c: &Counted| c.cache.insert_if_absent(0, 9).is_ok(),
            |model| model.put_if(false, 0, 9, model.born + MIDWAY),
        ),
        Operation::one(
            "replace",
            |c: &Counted| c.cache.replace(0, 9).is_ok(),
            |model| model.put_if(true, 0, 9, model.born + MIDWAY),
        ),
        Operation::one(
            "update",
            |c: &Counted| c.cache.update(&0, |value| value + 7),
            |model| model.change(0, |value| value + 7).is_some(),
        ),
        Operation::one("increment", |c: &Counted| c.cache.increment(&0, 7), |model| model.change(0, |value| value + 7)),
        Operation::one(
            "compute, keep",
            |c: &Counted| c.cache.compute(0, |_| Decision::Keep),
            |model| if model.is_live(0) { Outcome::Kept } else { Outcome::Absent },
        ),
        Operation::one(
            "compute, put",
            |c: &Counted| c.cache.compute(0, |value| Decision::Put(value.map_or(9, |value| value + 7))),
            |model| {
                if model.change(0, |value| value + 7).is_some() {
                    return Outcome::Replaced;
                }
                model.put(0, 9, model.born + MIDWAY);
                Outcome::Inserted
            },
        ),
        Operation::one(
            "compute, remove",
            |c: &Counted| c.cache.compute(0, |_| Decision::Remove),
            |model| if model.remove(0).is_some() { Outcome::Removed } else { Outcome::Absent },
        ),
        Operation::one(
            "get_or_insert_with",
            |c: &Counted| c.cache.get_or_insert_with(0, || 9),
            |model| {
                model.value(0).unwrap_or_else(|| {
                    model.put(0, 9, model.born + MIDWAY);
                    9
                })
            },
        ),
        Operation::one("persist", |c: &Counted| c.cache.persist(&0), |model| model.touch(0, NEVER)),
        Operation::one("remove", |c: &Counted| c.cache.remove(&0), |model| model.remove(0).is_some()),
        Operation::one("take", |c: &Counted| c.cache.take(&0), |model| model.remove(0)),
        Operation::one("remove_if", |c: &Counted| c.cache.remove_if(&0, |_| true), |model| model.remove(0).is_some()),
        Operation::walk(
            "iter",
            |c: &Counted| {
                let all: BTreeMap<_, _> = c.cache.iter().collect();
                KEYS.map(|key| all.get(&key).copied())
            },
            |model, key| model.value(key),
        ),
        Operation::walk(
            "retain",
            |c: &Counted| {
                let mut seen = [false; 2];
                c.cache.retain(|key, _| {
                    seen[usize::from(*key)] = true;
                    false
                });
                seen
            },
            |model, key| model.remove(key).is_some(),
        ),
        Operation::walk(
            "clear",
            |c: &Counted| [c.cache.clear(), ()],
            |model, key| {
                model.remove(key);
            },
        ),
        Operation {
            in_order: true,
            ..Operation::walk(
                "get_many",
                |c: &Counted| {
                    let mut answers = Vec::new();
                    c.cache.get_many(&KEYS, |_, value| answers.push(value.copied()));
                    answers.try_into().expect("two")
                },
                |model, key| model.value(key),
            )
        },
    ];
    for ttl in [0, MIDWAY, FAR] {
        let name = |name: &str| format!("{name} for {ttl}");
        operations.extend([
            Operation::one(
                name("insert_with_ttl"),
                move |c: &Counted| c.cache.insert_with_ttl(0, 9, seconds(ttl)),
                move |model| !model.put(0, 9, model.born + ttl),
            ),
            Operation::one(
                name("compute, put with a time to live"),
                move |c: &Counted| match c.cache.compute(0, |_| Decision::PutWithTtl(9, seconds(ttl))) {
                    // Dead as it comes in, it removes what was there: a removal, or nothing.
                    Outcome::Replaced | Outcome::Removed => true,
                    Outcome::Inserted | Outcome::Absent => false,
                    Outcome::Kept => unreachable!("it is not kept"),
                },
                move |model| model.put(0, 9, model.born + ttl),
            ),
            Operation::one(
                name("touch"),
                move |c: &Counted| c.cache.touch(&0, seconds(ttl)),
                move |model| model.touch(0, model.born + ttl),
            ),
            Operation::one(
                name("get_and_touch"),
                move |c: &Counted| c.cache.get_and_touch(&0, seconds(ttl)),
                move |model| {
                    let value = model.value(0);
                    model.touch(0, model.born + ttl);
                    value
                },
            ),
        ]);
    }
    for expiry in [PAST, MIDWAY, FAR] {
        operations.push(Operation::one(
            format!("insert_until {expiry}"),
            move |c: &Counted| c.cache.insert_until(0, 9, c.origin + seconds(expiry)),
            move |model| !model.put(0, 9, expiry),
        ));
    }
    operations
}

/// Catches any answer of a cache's that was true at no moment, since a deadline passed in the midst of it.
#[test]
fn operations_of_a_cache_happen_at_one_moment() {
    for operation in cache_operations() {
        for start in starts() {
            operation.check(&start, fresh_cache, cache_contents);
        }
    }
}
