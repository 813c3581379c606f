//! User code that panics: `Hash`, `Eq`, `Clone`, `Drop`, closures and callbacks. The structure stays sound, nothing is
//! lost but what the operation was about, nothing is freed twice, and the cache works on.

// Keys count themselves in a ledger; hash and equality are of their number alone.
#![allow(clippy::mutable_key_type)]

mod common;

use std::cell::Cell;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use common::counted::{Counted, Ledger};
use common::{
    ConstantHasher, Random, assert_sound, ignore, manual_store, provoke, quieten_provoked_panics, seconds, survive,
};
use fleeting::{Cache, ManualClock, MemStore, Op, RemovalCause};

/// The calls into user code that can be made to panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Hash,
    Eq,
    CloneKey,
    CloneValue,
}

thread_local! {
    /// The call that will panic on this thread, after this many that do not.
    static FUSE: Cell<Option<(Call, u32)>> = const { Cell::new(None) };
}

fn arm(call: Call, countdown: u32) {
    FUSE.set(Some((call, countdown)));
}

/// Answers whether the fuse had not gone off.
fn disarm() -> bool {
    FUSE.take().is_some()
}

fn pass(call: Call) {
    match FUSE.get() {
        Some((armed, 0)) if armed == call => {
            FUSE.set(None);
            provoke();
        }
        Some((armed, left)) if armed == call => FUSE.set(Some((armed, left - 1))),
        _ => {}
    }
}

#[derive(Debug)]
struct Key(Counted);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        pass(Call::Hash);
        self.0.tag().hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        pass(Call::Eq);
        self.0 == other.0
    }
}

impl Eq for Key {}

impl Clone for Key {
    fn clone(&self) -> Self {
        pass(Call::CloneKey);
        Key(self.0.clone())
    }
}

/// A value that can panic when it is cloned, and, if `explosive`, does panic when it is dropped.
#[derive(Debug, PartialEq)]
struct Value {
    counted: Counted,
    explosive: bool,
}

impl Clone for Value {
    fn clone(&self) -> Self {
        pass(Call::CloneValue);
        Value { counted: self.counted.clone(), explosive: false }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        if self.explosive && !thread::panicking() {
            provoke();
        }
    }
}

/// A cache under test, with its clock and the ledger of its keys and values.
struct Bench<S> {
    cache: Cache<Key, Value, S>,
    clock: ManualClock,
    ledger: Ledger,
}

const FILLED: u64 = 60;

impl<S: BuildHasher + Send + Sync + 'static> Bench<S> {
    /// A cache with [`FILLED`] entries; those whose number ends in 7 expire after a second.
    fn new(hasher: S) -> Self {
        quieten_provoked_panics();
        let clock = ManualClock::new();
        let builder = Cache::builder().hasher(hasher).cleanup_interval(Duration::ZERO).clock(clock.clone());
        let bench = Bench { cache: builder.build().expect("valid"), clock, ledger: Ledger::new() };
        for number in 0..FILLED {
            let ttl = if number % 10 == 7 { seconds(1) } else { seconds(100) };
            bench.cache.insert_with_ttl(bench.key(number), bench.value(number), ttl);
        }
        bench
    }

    fn key(&self, number: u64) -> Key {
        Key(self.ledger.issue(number))
    }

    fn value(&self, number: u64) -> Value {
        Value { counted: self.ledger.issue(number), explosive: false }
    }

    /// Checks the structure, works with it, drops it, and checks the drops.
    fn finish(self) {
        let left = assert_sound(&self.cache);
        assert!(left.iter().all(|(key, value)| key.0.tag() == value.counted.tag() % 1_000));
        drop(left);
        for number in 0..2 * FILLED {
            self.cache.insert_with_ttl(self.key(number), self.value(number), seconds(100));
            assert!(self.cache.contains_key(&self.key(number)));
        }
        for number in 0..FILLED {
            assert!(self.cache.remove(&self.key(number)));
        }
        drop(self.cache);
        self.ledger.settles_at(0);
    }
}

type Operation<S> = (&'static str, fn(&Bench<S>));

/// What is done to a cache while the fuse burns. No operation touches the keys below 20, but for those of [`sweeping`].
fn operations<S: BuildHasher + Send + Sync + 'static>() -> Vec<Operation<S>> {
    vec![
        ("insert, new", |on| ignore(on.cache.insert(on.key(100), on.value(100)))),
        ("insert, existing", |on| ignore(on.cache.insert(on.key(30), on.value(1_030)))),
        ("insert, many", |on| {
            (0..300).for_each(|number| ignore(on.cache.insert(on.key(100 + number), on.value(100 + number))))
        }),
        ("insert_if_absent", |on| ignore(on.cache.insert_if_absent(on.key(101), on.value(101)))),
        ("insert_if_absent, refused", |on| ignore(on.cache.insert_if_absent(on.key(30), on.value(30)))),
        ("replace", |on| ignore(on.cache.replace(on.key(30), on.value(1_030)))),
        ("update", |on| ignore(on.cache.update(&on.key(30), |value| on.value(value.counted.tag() + 1_000)))),
        ("compute, put", |on| ignore(on.cache.compute(on.key(30), |_| Op::Put(on.value(1_030))))),
        ("compute, new", |on| ignore(on.cache.compute(on.key(102), |_| Op::Put(on.value(102))))),
        ("compute, remove", |on| ignore(on.cache.compute(on.key(30), |_| Op::Remove))),
        ("get_or_insert_with, hit", |on| ignore(on.cache.get_or_insert_with(on.key(30), || on.value(30)))),
        ("get_or_insert_with, miss", |on| ignore(on.cache.get_or_insert_with(on.key(103), || on.value(103)))),
        ("get", |on| ignore(on.cache.get(&on.key(30)))),
        ("get, miss", |on| ignore(on.cache.get(&on.key(104)))),
        ("peek", |on| ignore(on.cache.peek(&on.key(30)))),
        ("get_with_deadline", |on| ignore(on.cache.get_with_deadline(&on.key(30)))),
        ("get_and_touch", |on| ignore(on.cache.get_and_touch(&on.key(30), seconds(50)))),
        ("get_many", |on| on.cache.get_many(&[on.key(30), on.key(105), on.key(31)], |_, _| ())),
        ("touch", |on| ignore(on.cache.touch(&on.key(30), seconds(50)))),
        ("touch, shorter", |on| ignore(on.cache.touch(&on.key(30), seconds(2)))),
        ("persist", |on| ignore(on.cache.persist(&on.key(30)))),
        ("remove", |on| ignore(on.cache.remove(&on.key(30)))),
        ("take", |on| ignore(on.cache.take(&on.key(30)))),
        ("remove_if", |on| ignore(on.cache.remove_if(&on.key(30), |_| true))),
        ("retain", |on| on.cache.retain(|key, _| key.0.tag() < 20)),
        ("iter", |on| ignore(on.cache.iter().collect::<Vec<_>>())),
        ("pin", |on| ignore(on.cache.pin().get(&on.key(30)).map(|value| value.counted.tag()))),
        ("sweep", |on| {
            on.clock.advance(seconds(1));
            on.cache.sweep();
        }),
        ("a dead entry met", |on| {
            on.clock.advance(seconds(1));
            ignore(on.cache.get(&on.key(27)));
            ignore(on.cache.insert(on.key(37), on.value(37)));
        }),
    ]
}

/// Runs every operation with a panic in the first call, the second, and so on, until it gets by without one.
fn each_call_panics<S: BuildHasher + Copy + Send + Sync + 'static>(call: Call, hasher: S) {
    let mut panics = 0;
    for (name, operation) in operations::<S>() {
        let mut countdown = 0;
        loop {
            let bench = Bench::new(hasher);
            arm(call, countdown);
            let survived = survive(|| operation(&bench)).is_some();
            let untouched = disarm();
            assert!(survived || !untouched, "{name}: some other panic");
            for number in (0..20).filter(|number| number % 10 != 7) {
                let seen = bench.cache.read(&bench.key(number), |value| value.counted.tag());
                assert_eq!(seen, Some(number), "{name}, {call:?} panics after {countdown} calls: a bystander is lost");
            }
            bench.finish();
            if untouched {
                break;
            }
            panics += 1;
            countdown += 1 + countdown / 6;
        }
    }
    assert!(panics > 0, "{call:?} was never called: this test tests nothing");
}

#[derive(Clone, Copy)]
struct SeededHasher;

impl BuildHasher for SeededHasher {
    type Hasher = <ahash::RandomState as BuildHasher>::Hasher;

    fn build_hasher(&self) -> Self::Hasher {
        ahash::RandomState::with_seeds(1, 2, 3, 4).build_hasher()
    }
}

/// Catches a slot left claimed, a bucket left frozen, or a pin left behind when hashing a key panics, growth included.
#[test]
fn hash_panics() {
    each_call_panics(Call::Hash, SeededHasher);
}

/// Catches the same when comparing keys panics; with one hash for all, comparisons are many.
#[test]
fn eq_panics() {
    each_call_panics(Call::Eq, SeededHasher);
    each_call_panics(Call::Eq, ConstantHasher);
}

/// Catches the same when a key is cloned for a replacement or an iterator.
#[test]
fn clone_of_a_key_panics() {
    each_call_panics(Call::CloneKey, SeededHasher);
}

/// Catches the same when a value is cloned for the caller.
#[test]
fn clone_of_a_value_panics() {
    each_call_panics(Call::CloneValue, SeededHasher);
}

/// Catches a growth that a panicking helper leaves undone for all: threads insert while hashing panics at random.
#[test]
fn hash_panics_while_several_threads_grow_the_table() {
    quieten_provoked_panics();
    let (cache, _) = common::manual_cache::<Key, u64>();
    let ledger = Ledger::new();
    thread::scope(|scope| {
        for worker in 0..4_u64 {
            let (cache, ledger) = (&cache, &ledger);
            scope.spawn(move || {
                let mut random = Random::new(worker);
                for number in (0..2_000).map(|number| number * 4 + worker) {
                    loop {
                        arm(Call::Hash, random.below(4) as u32);
                        let inserted = survive(|| cache.insert(Key(ledger.issue(number)), number));
                        disarm();
                        if let Some(new) = inserted {
                            assert!(new || cache.contains_key(&Key(ledger.issue(number))));
                            break;
                        }
                    }
                }
            });
        }
    });
    let left = assert_sound(&cache);
    assert_eq!(left.len(), 8_000);
    assert!(left.iter().all(|(key, number)| key.0.tag() == *number));
    drop(left);
    drop(cache);
    ledger.settles_at(0);
}

/// Catches a value freed twice, or its neighbours leaked, when dropping it panics; and such a panic on a bystander.
#[test]
fn drop_panics() {
    type Ending = fn(&Bench<SeededHasher>);
    let endings: &[(&str, Ending)] = &[
        ("remove", |on| (0..FILLED).for_each(|number| ignore(survive(|| on.cache.remove(&on.key(number)))))),
        ("insert", |on| {
            (0..FILLED).for_each(|number| ignore(survive(|| on.cache.insert(on.key(number), on.value(number)))));
        }),
        ("update", |on| {
            (0..FILLED).for_each(|number| ignore(survive(|| on.cache.update(&on.key(number), |_| on.value(number)))));
        }),
        ("retain", |on| ignore(survive(|| on.cache.retain(|_, _| false)))),
        ("clear", |on| ignore(survive(|| on.cache.clear()))),
        ("sweep", |on| {
            on.clock.advance(seconds(200));
            ignore(survive(|| on.cache.sweep()));
        }),
        ("nothing but the cache's own drop", |_| ()),
    ];
    for (name, ending) in endings {
        let bench = Bench::new(SeededHasher);
        for number in (0..FILLED).step_by(3) {
            let explosive = Value { counted: bench.ledger.issue(number), explosive: true };
            ignore(survive(|| bench.cache.insert_with_ttl(bench.key(number), explosive, seconds(100))));
        }
        ending(&bench);
        // Whoever happens to run the collector must not be hit by a panic of somebody's value.
        let calm = survive(|| (0..2_000).for_each(|_| fleeting::release_thread_memory()));
        assert!(calm.is_some(), "{name}: a panicking Drop came out of the collector");
        if *name != "nothing but the cache's own drop" {
            bench.finish();
            continue;
        }
        let Bench { cache, ledger, .. } = bench;
        ignore(survive(|| drop(cache)));
        let calm = survive(|| ledger.settles_at(0));
        assert!(calm.is_some(), "{name}: a panicking Drop came out of the collector");
    }
}

/// Catches a closure's panic that leaves its entry changed, or the cache unusable.
#[test]
fn closures_panic() {
    let uses: Vec<Operation<SeededHasher>> = vec![
        ("read", |on| ignore(on.cache.read(&on.key(30), |_| provoke()))),
        ("update", |on| ignore(on.cache.update(&on.key(30), |_| provoke()))),
        ("compute", |on| ignore(on.cache.compute(on.key(30), |_| provoke()))),
        ("compute, new", |on| ignore(on.cache.compute(on.key(100), |_| provoke()))),
        ("remove_if", |on| ignore(on.cache.remove_if(&on.key(30), |_| provoke()))),
        ("retain", |on| on.cache.retain(|_, _| provoke())),
        ("get_many", |on| on.cache.get_many(&[on.key(30), on.key(31)], |_, _| provoke())),
        ("get_or_insert_with", |on| ignore(on.cache.get_or_insert_with(on.key(100), || provoke()))),
        ("try_get_or_insert_with", |on| {
            ignore(on.cache.try_get_or_insert_with(on.key(100), || -> Result<_, ()> { provoke() }))
        }),
    ];
    for (name, operation) in uses {
        let bench = Bench::new(SeededHasher);
        assert!(survive(|| operation(&bench)).is_none(), "{name}: the panic reaches the caller");
        assert_eq!(bench.cache.len() as u64, FILLED, "{name}");
        assert_eq!(bench.cache.read(&bench.key(30), |value| value.counted.tag()), Some(30), "{name}");
        assert!(survive(|| operation(&bench)).is_none(), "{name}, again: nothing was left locked");
        bench.finish();
    }
}

/// Catches a panic in `retain` or `delete_where` that undoes, or repeats, what was removed before it.
#[test]
fn a_walk_that_panics_half_way_leaves_each_entry_whole() {
    let bench = Bench::new(SeededHasher);
    let mut walked = 0;
    let walk = survive(|| {
        bench.cache.retain(|_, _| {
            walked += 1;
            if walked == 20 { provoke() } else { false }
        });
    });
    assert!(walk.is_none());
    assert_eq!(bench.cache.len() as u64, FILLED - 19);
    bench.finish();

    let (store, _) = manual_store();
    for number in 0..FILLED {
        store.save_for(number.to_le_bytes(), "data", seconds(1));
    }
    walked = 0;
    let walk = survive(|| {
        store.delete_where(|_, _| {
            walked += 1;
            if walked == 20 { provoke() } else { true }
        })
    });
    assert!(walk.is_none());
    assert!(survive(|| store.read(59_u64.to_le_bytes(), |_| walked += 1)).is_some());
    assert_eq!(common::assert_store_sound(&store).len() as u64, FILLED - 19);
}

/// Catches a callback's panic that reaches the caller, stops a sweep, is not counted, or loses an entry.
#[test]
fn callback_panics_are_contained_and_counted() {
    quieten_provoked_panics();
    let clock = ManualClock::new();
    let calls = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&calls);
    let cache = Cache::builder()
        .cleanup_interval(Duration::ZERO)
        .clock(clock.clone())
        .on_removal(move |_: &u64, _: &Counted, _| {
            counter.fetch_add(1, Ordering::Relaxed);
            provoke();
        })
        .build()
        .expect("valid");
    let ledger = Ledger::new();
    for number in 0..500 {
        cache.insert_with_ttl(number, ledger.issue(number), seconds(1));
    }
    for number in 0..500 {
        cache.insert_with_ttl(number, ledger.issue(number), seconds(1)); // 500 replaced
    }
    assert_eq!((0..100).filter(|number| cache.remove(number)).count(), 100);
    assert_eq!((100..150).filter_map(|number| cache.take(&number)).count(), 50);
    assert_eq!((150..160).filter(|number| cache.update(number, |_| ledger.issue(0))).count(), 10);
    clock.advance(seconds(1));
    assert!((200..250).all(|number| cache.get(&number).is_none()));
    assert!((250..260).all(|number| cache.insert(number, ledger.issue(number))));
    assert_eq!(cache.sweep(), 350 - 60, "the sweep goes on after each panic");
    assert_eq!(cache.len(), 10);
    cache.clear();
    let called = calls.load(Ordering::Relaxed);
    assert_eq!(called, 500 + 150 + 10 + 350 + 10, "each removal was reported once");
    assert_eq!(cache.stats().contained_panics, called);
    assert_sound(&cache);
    drop(cache);
    ledger.settles_at(0);
}

/// Catches the same in the store.
#[test]
fn callback_panics_of_a_store_are_contained_and_counted() {
    quieten_provoked_panics();
    let clock = ManualClock::starting_at(common::wall_start());
    let store = MemStore::builder()
        .cleanup_interval(Duration::ZERO)
        .clock(clock.clone())
        .on_removal(|_: &[u8], data: &[u8], cause| {
            if cause != RemovalCause::Replaced && data != b"calm" {
                provoke();
            }
        })
        .build()
        .expect("valid");
    for number in 0..200_u32 {
        store.save_for(number.to_le_bytes(), if number % 2 == 0 { "calm" } else { "wild" }, seconds(1));
    }
    assert_eq!((0..100_u32).filter(|number| store.delete(number.to_le_bytes())).count(), 100);
    assert_eq!(store.stats().contained_panics, 50);
    clock.advance(seconds(1));
    assert_eq!(store.sweep(), 100);
    assert_eq!(store.stats().contained_panics, 100);
    assert!(common::assert_store_sound(&store).is_empty());
}
