//! A cache under test: its operations, drawn by the schedule, and the invariants that an execution ends with.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hasher};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use fleeting::{Builder, Cache, Op, Outcome};
use shuttle::rand::RngCore;
use shuttle::thread::{self, JoinHandle};

use crate::clock::{StepClock, ticks};
use crate::ignore;
use crate::ledger::{Ledger, Value};

/// The same in each execution.
pub type Fixed = BuildHasherDefault<DefaultHasher>;

/// Gives every key one hash.
#[derive(Clone, Copy, Debug, Default)]
pub struct Colliding;

impl BuildHasher for Colliding {
    type Hasher = Colliding;

    fn build_hasher(&self) -> Colliding {
        Colliding
    }
}

impl Hasher for Colliding {
    fn write(&mut self, _bytes: &[u8]) {}

    fn finish(&self) -> u64 {
        7
    }
}

/// An operation on a cache; which key, and how long it is to live, the schedule says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "named as the methods are")]
pub enum Kind {
    Insert,
    InsertWithTtl,
    InsertUntil,
    InsertIfAbsent,
    Replace,
    Update,
    ComputeKeep,
    ComputePut,
    ComputePutWithTtl,
    ComputeRemove,
    GetOrInsertWith,
    LoadInVain,
    LoadAndPanic,
    Touch,
    GetAndTouch,
    Persist,
    Remove,
    Take,
    RemoveIf,
    Retain,
    Clear,
    Get,
    GetWithDeadline,
    Read,
    Peek,
    ContainsKey,
    GetMany,
    Pinned,
    Iterate,
    Sweep,
    Advance,
}

/// All of them.
pub const ALL: &[Kind] = &[
    Kind::Insert,
    Kind::InsertWithTtl,
    Kind::InsertUntil,
    Kind::InsertIfAbsent,
    Kind::Replace,
    Kind::Update,
    Kind::ComputeKeep,
    Kind::ComputePut,
    Kind::ComputePutWithTtl,
    Kind::ComputeRemove,
    Kind::GetOrInsertWith,
    Kind::LoadInVain,
    Kind::LoadAndPanic,
    Kind::Touch,
    Kind::GetAndTouch,
    Kind::Persist,
    Kind::Remove,
    Kind::Take,
    Kind::RemoveIf,
    Kind::Retain,
    Kind::Clear,
    Kind::Get,
    Kind::GetWithDeadline,
    Kind::Read,
    Kind::Peek,
    Kind::ContainsKey,
    Kind::GetMany,
    Kind::Pinned,
    Kind::Iterate,
    Kind::Sweep,
    Kind::Advance,
];

/// A cache, its clock, and the fates of its values. Clones are handles to one.
#[derive(Debug)]
pub struct World<S = Fixed> {
    /// The cache.
    pub cache: Cache<u8, Value, S>,
    /// Its clock.
    pub clock: StepClock,
    /// Its values.
    pub ledger: Ledger,
    /// The time after which a value that was put without a time to live may be gone.
    default_life: Option<Duration>,
    /// The time after which any value may be gone.
    idle: Option<Duration>,
}

impl<S> Clone for World<S> {
    fn clone(&self) -> Self {
        World {
            cache: self.cache.clone(),
            clock: self.clock.clone(),
            ledger: self.ledger.clone(),
            default_life: self.default_life,
            idle: self.idle,
        }
    }
}

impl World {
    /// A cache without a janitor and without default times.
    pub fn new() -> World {
        World::with(|builder| builder.hasher(Fixed::default()), None, None)
    }
}

impl Default for World {
    fn default() -> Self {
        World::new()
    }
}

impl<S: BuildHasher + Send + Sync + 'static> World<S> {
    /// A cache as `configure` says, with these defaults; every removal is reported to the ledger.
    pub fn with(
        configure: impl FnOnce(Builder<u8, Value>) -> Builder<u8, Value, S>,
        default_life: Option<Duration>,
        idle: Option<Duration>,
    ) -> World<S> {
        let (clock, ledger) = (StepClock::default(), Ledger::default());
        let mut builder = Cache::builder().cleanup_interval(Duration::ZERO);
        if let Some(ttl) = default_life {
            builder = builder.time_to_live(ttl);
        }
        if let Some(idle) = idle {
            builder = builder.time_to_idle(idle);
        }
        let reports = ledger.clone();
        let builder = builder.on_removal(move |key: &u8, value: &Value, _| {
            assert_eq!(*key, value.key, "a callback got another key's value");
            reports.reported(value.number);
        });
        let cache = configure(builder).clock(clock.clone()).build().expect("a plain configuration is accepted");
        World { cache, clock, ledger, default_life, idle }
    }

    /// A new value of a key.
    pub fn value(&self, key: u8) -> Value {
        self.ledger.value(key)
    }

    /// Notes that a value was published, if it cannot have been dead on arrival: time had not come when it was put.
    fn published(&self, number: u32, before: Duration, life: Option<Duration>) {
        let life = life.into_iter().chain(self.idle).min();
        if life.is_none_or(|life| self.clock.now() < before + life) {
            self.ledger.published(number);
        }
    }

    /// Inserts a new value.
    pub fn insert(&self, key: u8) -> bool {
        let (value, before) = (self.value(key), self.clock.now());
        let number = value.number;
        let is_new = self.cache.insert(key, value);
        self.published(number, before, self.default_life);
        is_new
    }

    /// Inserts a new value that lives that long.
    pub fn insert_with_ttl(&self, key: u8, ttl: Duration) -> bool {
        let (value, before) = (self.value(key), self.clock.now());
        let number = value.number;
        let is_new = self.cache.insert_with_ttl(key, value, ttl);
        self.published(number, before, Some(ttl));
        is_new
    }

    /// Adds or replaces; whether it did.
    fn insert_if(&self, key: u8, put: impl FnOnce(&Cache<u8, Value, S>, Value) -> Result<(), (u8, Value)>) -> bool {
        let (value, before) = (self.value(key), self.clock.now());
        let number = value.number;
        match put(&self.cache, value) {
            Ok(()) => {
                self.published(number, before, self.default_life);
                true
            }
            Err((_, back)) => {
                assert_eq!(back.number, number, "another value was given back");
                self.ledger.withheld(number);
                false
            }
        }
    }

    /// Adds unless a live value is there.
    pub fn insert_if_absent(&self, key: u8) -> bool {
        self.insert_if(key, |cache, value| cache.insert_if_absent(key, value))
    }

    /// Replaces a live value.
    pub fn replace(&self, key: u8) -> bool {
        self.insert_if(key, |cache, value| cache.replace(key, value))
    }

    /// Replaces a live value and keeps its deadline.
    pub fn update(&self, key: u8) -> bool {
        let mut last = None;
        let updated = self.cache.update(&key, |old| {
            assert_eq!(old.key, key);
            let value = self.value(key);
            last = Some(value.number);
            value
        });
        if updated {
            self.ledger.published(last.expect("an update calls its closure"));
        }
        updated
    }

    fn compute(&self, key: u8, life: Option<Duration>, op: impl Fn(Value) -> Op<Value>) -> Outcome {
        let (mut last, before) = (0, self.clock.now());
        let outcome = self.cache.compute(key, |old| {
            assert!(old.is_none_or(|old| old.key == key));
            let value = self.value(key);
            last = value.number;
            op(value)
        });
        if matches!(outcome, Outcome::Inserted | Outcome::Replaced) {
            self.published(last, before, life.or(self.default_life));
        }
        outcome
    }

    /// One operation; `draw` says on which of the keys, and the rest.
    pub fn run(&self, kind: Kind, keys: Range<u8>, draw: u64) {
        let span = u64::from(keys.end - keys.start);
        let key = keys.start + (draw % span) as u8;
        let ttl = TTLS[(draw >> 8) as usize % TTLS.len()];
        let cache = &self.cache;
        let owned = |value: Option<Value>| assert!(value.is_none_or(|value| value.key == key), "another key's value");
        match kind {
            Kind::Insert => ignore(self.insert(key)),
            Kind::InsertWithTtl => ignore(self.insert_with_ttl(key, ttl)),
            Kind::InsertUntil => {
                let (value, deadline) = (self.value(key), self.clock.now() + ttl);
                let number = value.number;
                cache.insert_until(key, value, self.clock.instant(deadline));
                self.published(number, deadline - ttl, Some(ttl));
            }
            Kind::InsertIfAbsent => ignore(self.insert_if_absent(key)),
            Kind::Replace => ignore(self.replace(key)),
            Kind::Update => ignore(self.update(key)),
            Kind::ComputeKeep => ignore(self.compute(key, None, |_| Op::Keep)),
            Kind::ComputePut => ignore(self.compute(key, None, Op::Put)),
            Kind::ComputePutWithTtl => ignore(self.compute(key, Some(ttl), |value| Op::PutWithTtl(value, ttl))),
            Kind::ComputeRemove => ignore(self.compute(key, None, |_| Op::Remove)),
            Kind::GetOrInsertWith => owned(Some(cache.get_or_insert_with(key, || self.load(key)))),
            Kind::LoadInVain => owned(cache.try_get_or_insert_with(key, || Err(())).ok()),
            Kind::LoadAndPanic => {
                // `resume_unwind` panics without the hook, which would print the schedule.
                let load = || cache.get_or_insert_with(key, || resume_unwind(Box::new(Provoked)));
                match catch_unwind(AssertUnwindSafe(load)) {
                    Ok(value) => owned(Some(value)),
                    Err(payload) if payload.is::<Provoked>() => {}
                    Err(payload) => resume_unwind(payload),
                }
            }
            Kind::Touch => ignore(cache.touch(&key, ttl)),
            Kind::GetAndTouch => owned(cache.get_and_touch(&key, ttl)),
            Kind::Persist => ignore(cache.persist(&key)),
            Kind::Remove => ignore(cache.remove(&key)),
            Kind::Take => owned(cache.take(&key)),
            Kind::RemoveIf => ignore(cache.remove_if(&key, |value| value.number.is_multiple_of(2))),
            Kind::Retain => cache.retain(|other, value| {
                assert_eq!(*other, value.key);
                *other != key
            }),
            Kind::Clear => cache.clear(),
            Kind::Get => owned(cache.get(&key)),
            Kind::GetWithDeadline => {
                let before = self.clock.instant(self.clock.now());
                if let Some((value, deadline)) = cache.get_with_deadline(&key) {
                    assert!(deadline.is_none_or(|deadline| deadline > before), "found at or after its deadline");
                    owned(Some(value));
                }
            }
            Kind::Read => ignore(cache.read(&key, |value| assert_eq!(value.key, key))),
            Kind::Peek => owned(cache.peek(&key)),
            Kind::ContainsKey => ignore(cache.contains_key(&key)),
            Kind::GetMany => {
                let all: Vec<u8> = keys.collect();
                let mut answers = 0;
                cache.get_many(&all, |key, value| {
                    answers += 1;
                    assert!(value.is_none_or(|value| value.key == *key));
                });
                assert_eq!(answers, all.len());
            }
            Kind::Pinned => {
                let pinned = cache.pin();
                let held = pinned.get(&key);
                for (key, value) in pinned.iter() {
                    assert_eq!(*key, value.key);
                }
                // Still readable, whatever became of it.
                assert!(held.is_none_or(|value| value.key == key));
            }
            Kind::Iterate => ignore(self.walk()),
            Kind::Sweep => ignore(cache.sweep()),
            Kind::Advance => self.clock.advance(ticks(1 + draw % 2)),
        }
    }

    fn load(&self, key: u8) -> Value {
        // A step, so that others meet the flight under way.
        thread::yield_now();
        self.value(key)
    }

    /// Iterates; each key once.
    pub fn walk(&self) -> BTreeMap<u8, Value> {
        let mut found = BTreeMap::new();
        for (key, value) in self.cache.iter() {
            assert_eq!(key, value.key, "iteration gave another key's value");
            found.insert(key, value);
        }
        found
    }

    /// A thread that does so many operations of these kinds.
    pub fn spawn(&self, kinds: &'static [Kind], keys: Range<u8>, operations: usize) -> JoinHandle<()> {
        let world = self.clone();
        thread::spawn(move || {
            for _ in 0..operations {
                let draw = shuttle::rand::thread_rng().next_u64();
                world.run(kinds[(draw >> 32) as usize % kinds.len()], keys.clone(), draw);
            }
        })
    }

    /// The end of an execution, when nothing else runs: iteration, look-up, lengths and counts tell the same story; at each
    /// deadline a sweep removes what is due, all of it and nothing else; every value was reported once, or is left.
    pub fn finish(self) -> Ledger {
        let left = self.assert_sound();
        if self.idle.is_some() {
            // A look-up would postpone the deadline that it tells.
            self.clock.advance(ticks(1_000_000));
            self.assert_sound();
        } else {
            self.assert_leaves_in_time(left.keys().copied());
        }
        let left: Vec<u32> = self.assert_sound().values().map(|value| value.number).collect();
        self.ledger.assert_settled(left);
        let World { ledger, .. } = self;
        ledger
    }

    /// Sweeps, and compares every way to count what is there.
    fn assert_sound(&self) -> BTreeMap<u8, Value> {
        let cache = &self.cache;
        cache.sweep();
        let mut found = BTreeMap::new();
        for (key, value) in cache.iter() {
            assert!(found.insert(key, value).is_none(), "iteration saw key {key} twice");
        }
        let stats = cache.stats();
        assert_eq!(cache.len(), found.len(), "after a sweep, len counts what iteration sees");
        assert_eq!(stats.entries, found.len() as u64);
        assert_eq!(
            stats.inserts,
            stats.removed + stats.expired + stats.entries,
            "what came left, or is there: {stats:?}"
        );
        assert_eq!(stats.contained_panics, 0, "a callback of the scenario's panicked");
        for (key, value) in &found {
            assert_eq!(cache.peek(key).as_ref(), Some(value), "iteration and look-up disagree about key {key}");
        }
        assert_eq!(cache.sweep(), 0, "a second sweep at the same moment finds nothing");
        found
    }

    /// F1 of the expiry index: at each deadline, in turn, a sweep removes exactly what is due then.
    fn assert_leaves_in_time(&self, keys: impl Iterator<Item = u8>) {
        let mut due: BTreeMap<Duration, usize> = BTreeMap::new();
        for key in keys {
            let (_, deadline) = self.cache.get_with_deadline(&key).expect("just seen, and time stands still");
            if let Some(deadline) = deadline {
                *due.entry(deadline - self.clock.instant(Duration::ZERO)).or_default() += 1;
            }
        }
        for (deadline, count) in due {
            let held = self.cache.len();
            self.clock.advance(deadline - self.clock.now());
            assert_eq!(self.cache.sweep(), count, "of what is due at {deadline:?}, a sweep forgot some");
            assert_eq!(self.cache.len(), held - count);
        }
    }
}

/// Times to live: short ones, that threads outlive, and a long one.
const TTLS: [Duration; 5] = [ticks(1), ticks(2), ticks(3), ticks(5), ticks(1_000)];

/// The payload of a loader's panic.
struct Provoked;

/// Joins all.
pub fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("a panic of a thread ends the execution before");
    }
}
