//! What single calls cost, at two sizes: bytes that the thread allocates, and the CPU time that it spends, within
//! one call.
//!
//! Catches work that one call does for the whole cache: a table that is zeroed, copied or freed within an insertion
//! or a look-up (faults B1, B3), a walk where a step would do, a copy of all that shares a hash. Throughput shows
//! none of these. CPU time, because a wait for a core must not count; medians, and the best of several rounds,
//! because interrupts do. One test, so that nothing else takes the caches of the core.

#![cfg(target_os = "linux")]

mod common;

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use common::counting::{Counting, allocated_by_thread};
use fleeting::{Cache, MemStore, Op};
use rustix::time::{ClockId, clock_gettime};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Entries of the small cache, and of the large one. Both fill their tables to the same share.
const SIZES: [u64; 2] = [1_000, 128_000];

/// Calls that are measured in each round, each by itself.
const CALLS: usize = 300;

/// Rounds, the best of which counts.
const ROUNDS: usize = 3;

/// At the large size a call may take so many times the CPU time of one at the small size. Most of it is for the
/// caches of the processor, in which the small one fits.
const TIME_RATIO: f64 = 4.0;

/// The same for an entry of a walk, in which nearly all is what the processor's caches take.
const WALK_TIME_RATIO: f64 = 8.0;

/// How many times as many bytes a call may allocate in the larger cache, which has over a hundred times the entries: a
/// call that meets some buckets (the first item of an iteration) meets up to twice as many entries in a fuller table,
/// and its vector may double once more for it.
const BYTES_RATIO: f64 = 4.0;

/// Bytes that do not count: a chunk of records, a batch of what was removed.
const BYTES_SLACK: f64 = 16_384.0;

const HOUR: Duration = Duration::from_secs(3_600);

/// CPU time of this thread.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What a call took.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
struct Cost {
    nanoseconds: f64,
    bytes: f64,
}

/// Measures one call.
fn measure(call: impl FnOnce()) -> Cost {
    let (bytes, start) = (allocated_by_thread(), cpu());
    call();
    let nanoseconds = (cpu() - start).as_nanos() as f64;
    Cost { nanoseconds, bytes: (allocated_by_thread() - bytes) as f64 }
}

/// The median time of a call, and the mean of the bytes, so that an allocation in one call of many counts, too.
fn typical(mut costs: Vec<Cost>) -> Cost {
    let bytes = costs.iter().map(|cost| cost.bytes).sum::<f64>() / costs.len() as f64;
    costs.sort_by(|left, right| left.nanoseconds.total_cmp(&right.nanoseconds));
    Cost { nanoseconds: costs[costs.len() / 2].nanoseconds, bytes }
}

/// One kind of call: what is measured, and what puts things right before and after it, unmeasured.
struct Call<S> {
    name: &'static str,
    before: fn(&S, u64),
    call: fn(&S, u64),
    after: fn(&S, u64),
}

fn plain<S>(name: &'static str, call: fn(&S, u64)) -> Call<S> {
    Call { name, before: |_, _| (), call, after: |_, _| () }
}

/// A key that is in, of a cache of `entries`, spread over all of it.
fn present(entries: u64, number: usize) -> u64 {
    number as u64 * 7_919 % entries
}

/// The key that is never in beside `key`.
const fn absent(key: u64) -> u64 {
    key + (1 << 32)
}

type Numbers = Cache<u64, u64>;

fn cache_of(entries: u64) -> Numbers {
    let cache = Cache::builder().cleanup_interval(Duration::ZERO).time_to_live(HOUR).build().expect("sane");
    (0..entries).for_each(|key| assert!(cache.insert(key, key)));
    cache
}

#[rustfmt::skip]
fn cache_calls() -> Vec<Call<Numbers>> {
    /// Of a call that brings `absent(key)` in.
    fn fresh(name: &'static str, call: fn(&Numbers, u64)) -> Call<Numbers> {
        Call { name, before: |_, _| (), call, after: |cache, key| assert!(cache.remove(&absent(key))) }
    }
    /// Of a call that takes `key` out.
    fn removal(name: &'static str, call: fn(&Numbers, u64)) -> Call<Numbers> {
        Call { name, before: |_, _| (), call, after: |cache, key| assert!(cache.insert(key, key)) }
    }
    vec![
        plain("get, a hit", |cache, key| assert!(cache.get(&key).is_some())),
        plain("get, a miss", |cache, key| assert!(cache.get(&absent(key)).is_none())),
        plain("contains_key", |cache, key| assert!(cache.contains_key(&key))),
        plain("peek", |cache, key| assert!(cache.peek(&key).is_some())),
        plain("read", |cache, key| assert!(cache.read(&key, |_| ()).is_some())),
        plain("get_with_deadline", |cache, key| assert!(cache.get_with_deadline(&key).is_some())),
        plain("get_and_touch", |cache, key| assert!(cache.get_and_touch(&key, HOUR).is_some())),
        plain("get_many", |cache, key| cache.get_many(&[key, absent(key)], |_, value| { black_box(value); })),
        plain("insert over", |cache, key| assert!(!cache.insert(key, 1))),
        plain("insert_with_ttl over", |cache, key| assert!(!cache.insert_with_ttl(key, 1, 2 * HOUR))),
        plain("insert_until over", |cache, key| assert!(!cache.insert_until(key, 1, Instant::now() + HOUR))),
        plain("replace", |cache, key| assert!(cache.replace(key, 1).is_ok())),
        plain("insert_if_absent, refused", |cache, key| assert!(cache.insert_if_absent(key, 1).is_err())),
        plain("update", |cache, key| assert!(cache.update(&key, |value| value + 1))),
        plain("compute", |cache, key| { cache.compute(key, |_| Op::Put(1)); }),
        plain("increment", |cache, key| assert!(cache.increment(&key, 1).is_some())),
        plain("decrement", |cache, key| assert!(cache.decrement(&key, 1).is_some())),
        plain("get_or_insert_with, a hit", |cache, key| { cache.get_or_insert_with(key, || 1); }),
        plain("try_get_or_insert_with, a hit", |cache, key| assert!(cache.try_get_or_insert_with(key, || Err(())).is_ok())),
        plain("touch", |cache, key| assert!(cache.touch(&key, 2 * HOUR))),
        plain("touch, shorter", |cache, key| assert!(cache.touch(&key, HOUR / 2))),
        plain("persist", |cache, key| assert!(cache.persist(&key))),
        plain("remove, a miss", |cache, key| assert!(!cache.remove(&absent(key)))),
        plain("remove_if, refused", |cache, key| assert!(!cache.remove_if(&key, |_| false))),
        plain("len", |cache, _| assert_ne!(cache.len(), 0)),
        plain("is_empty", |cache, _| assert!(!cache.is_empty())),
        plain("stats", |cache, _| { black_box(cache.stats()); }),
        plain("sweep of nothing", |cache, _| assert_eq!(cache.sweep(), 0)),
        plain("pin", |cache, _| drop(cache.pin())),
        plain("first of iter", |cache, _| { black_box(cache.iter().next()); }),
        plain("clone and drop of a handle", |cache, _| drop(cache.clone())),
        plain("downgrade and upgrade", |cache, _| assert!(cache.downgrade().upgrade().is_some())),
        fresh("insert", |cache, key| assert!(cache.insert(absent(key), 1))),
        fresh("insert_if_absent", |cache, key| assert!(cache.insert_if_absent(absent(key), 1).is_ok())),
        fresh("compute, an insertion", |cache, key| { cache.compute(absent(key), |_| Op::Put(1)); }),
        fresh("get_or_insert_with, a load", |cache, key| { cache.get_or_insert_with(absent(key), || 1); }),
        removal("remove", |cache, key| assert!(cache.remove(&key))),
        removal("take", |cache, key| assert!(cache.take(&key).is_some())),
        removal("remove_if", |cache, key| assert!(cache.remove_if(&key, |_| true))),
        removal("compute, a removal", |cache, key| { cache.compute(key, |_| Op::Remove); }),
    ]
}

fn token(key: u64) -> [u8; 8] {
    key.to_le_bytes()
}

fn in_an_hour() -> SystemTime {
    SystemTime::now() + HOUR
}

fn store_of(sessions: u64) -> MemStore {
    let store = MemStore::builder().cleanup_interval(Duration::ZERO).build().expect("sane");
    (0..sessions).for_each(|key| store.save_for(token(key), [7; 64], HOUR));
    store
}

#[rustfmt::skip]
fn store_calls() -> Vec<Call<MemStore>> {
    fn fresh(name: &'static str, call: fn(&MemStore, u64)) -> Call<MemStore> {
        Call { name, before: |_, _| (), call, after: |store, key| assert!(store.delete(token(absent(key)))) }
    }
    fn removal(name: &'static str, call: fn(&MemStore, u64)) -> Call<MemStore> {
        Call { name, before: |_, _| (), call, after: |store, key| store.save_for(token(key), [7; 64], HOUR) }
    }
    vec![
        plain("find, a hit", |store, key| assert!(store.find(token(key)).is_some())),
        plain("find, a miss", |store, key| assert!(store.find(token(absent(key))).is_none())),
        plain("find_with_expiry", |store, key| assert!(store.find_with_expiry(token(key)).is_some())),
        plain("find_versioned", |store, key| assert!(store.find_versioned(token(key)).is_some())),
        plain("read", |store, key| assert!(store.read(token(key), |_| ()).is_some())),
        plain("get_many", |store, key| store.get_many(&[token(key), token(absent(key))], |_, data| { black_box(data); })),
        plain("save over", |store, key| store.save(token(key), [8; 64], in_an_hour())),
        plain("try_save over", |store, key| assert!(store.try_save(token(key), [8; 64], in_an_hour()).is_ok())),
        plain("save_for over", |store, key| store.save_for(token(key), [8; 64], HOUR)),
        plain("update", |store, key| assert!(store.update(token(key), [8; 64], in_an_hour()))),
        plain("create, refused", |store, key| assert!(store.create(token(key), [8; 64], in_an_hour()).is_err())),
        plain("compare_and_save", |store, key| {
            let (_, version) = store.find_versioned(token(key)).expect("it is in");
            assert!(store.compare_and_save(token(key), version, [8; 64], in_an_hour()).is_ok());
        }),
        plain("touch", |store, key| assert!(store.touch(token(key), in_an_hour() + HOUR))),
        plain("touch, shorter", |store, key| assert!(store.touch(token(key), in_an_hour()))),
        plain("rename, a miss", |store, key| assert!(!store.rename(token(absent(key)), token(absent(key) + 1), in_an_hour()))),
        plain("delete, a miss", |store, key| assert!(!store.delete(token(absent(key))))),
        plain("len", |store, _| assert_ne!(store.len(), 0)),
        plain("is_empty", |store, _| assert!(!store.is_empty())),
        plain("stats", |store, _| { black_box(store.stats()); }),
        plain("sweep of nothing", |store, _| assert_eq!(store.sweep(), 0)),
        plain("first of iter", |store, _| { black_box(store.iter().next()); }),
        plain("clone and drop of a handle", |store, _| drop(store.clone())),
        plain("downgrade and upgrade", |store, _| assert!(store.downgrade().upgrade().is_some())),
        fresh("save_for", |store, key| store.save_for(token(absent(key)), [8; 64], HOUR)),
        fresh("create", |store, key| assert!(store.create(token(absent(key)), [8; 64], in_an_hour()).is_ok())),
        Call {
            name: "rename",
            before: |_, _| (),
            call: |store, key| assert!(store.rename(token(key), token(absent(key)), in_an_hour())),
            after: |store, key| assert!(store.rename(token(absent(key)), token(key), in_an_hour())),
        },
        removal("delete", |store, key| assert!(store.delete(token(key)))),
        removal("take", |store, key| assert!(store.take(token(key)).is_some())),
    ]
}

/// Compares what something costs at the two sizes; returns a line if it grows.
fn growth(what: &str, time_ratio: f64, [small, large]: [Cost; 2]) -> Option<String> {
    let line = format!(
        "{what}: {:.0} and {:.0} ns, {:.1} and {:.1} bytes",
        small.nanoseconds, large.nanoseconds, small.bytes, large.bytes
    );
    println!("{line}");
    let is_steady = large.nanoseconds <= time_ratio * small.nanoseconds
        && large.bytes <= BYTES_RATIO * small.bytes + BYTES_SLACK / CALLS as f64;
    (!is_steady).then_some(line)
}

/// Measures each call at both sizes; returns lines for those that grow.
fn calls_that_grow<S>(kind: &str, subject_of: fn(u64) -> S, calls: &[Call<S>]) -> Vec<String> {
    let subjects = SIZES.map(|entries| (entries, subject_of(entries)));
    let cost = |call: &Call<S>, (entries, subject): &(u64, S)| {
        let rounds = (0..ROUNDS).map(|_| {
            let one = |number| {
                let key = present(*entries, number);
                (call.before)(subject, key);
                let cost = measure(|| (call.call)(subject, key));
                (call.after)(subject, key);
                cost
            };
            typical((0..CALLS).map(one).collect())
        });
        let rounds: Vec<_> = rounds.collect();
        let least = |part: fn(&Cost) -> f64| rounds.iter().map(part).fold(f64::INFINITY, f64::min);
        Cost { nanoseconds: least(|cost| cost.nanoseconds), bytes: least(|cost| cost.bytes) }
    };
    let growing = |call: &Call<S>| {
        growth(&format!("{kind}, {}", call.name), TIME_RATIO, [cost(call, &subjects[0]), cost(call, &subjects[1])])
    };
    calls.iter().filter_map(growing).collect()
}

/// Walks, and what is done to all entries, for each entry.
fn walks_that_grow() -> Vec<String> {
    // Whether a handle is held, so that the end of the cache does not count, is what comes second.
    type Walk = (&'static str, bool, fn(Numbers));
    let walks: [Walk; 6] = [
        ("doubling", true, |cache| {
            let entries = cache.len() as u64;
            (0..entries).for_each(|key| assert!(cache.insert(absent(key), key)));
        }),
        ("iter", true, |cache| assert_eq!(cache.iter().count(), cache.len())),
        ("retain of all", true, |cache| cache.retain(|_, _| true)),
        ("retain of none", true, |cache| cache.retain(|_, _| false)),
        ("clear", true, |cache| cache.clear()),
        ("drop of the last handle", false, drop),
    ];
    let cost = |entries: u64, is_held: bool, walk: fn(Numbers)| {
        let rounds = (0..ROUNDS).map(|_| {
            let cache = cache_of(entries);
            let kept = is_held.then(|| cache.clone());
            let cost = measure(|| walk(cache));
            drop(kept);
            cost
        });
        let rounds: Vec<_> = rounds.collect();
        let least = |part: fn(&Cost) -> f64| rounds.iter().map(part).fold(f64::INFINITY, f64::min) / entries as f64;
        Cost { nanoseconds: least(|cost| cost.nanoseconds), bytes: least(|cost| cost.bytes) }
    };
    let growing = |(name, is_held, walk): &Walk| {
        growth(&format!("cache, {name}, an entry"), WALK_TIME_RATIO, SIZES.map(|size| cost(size, *is_held, *walk)))
    };
    walks.iter().filter_map(growing).collect()
}

/// The greatest CPU time of one call on the way to [`FILLED`] entries.
const SLOWEST: Duration = Duration::from_millis(2);
const FILLED: u64 = 2_000_000;

/// Fills a cache and returns where a call took more than [`SLOWEST`]. An interrupt may lengthen any call, so what is
/// looked for is what is slow in each of several runs at about the same number of entries.
fn slow_calls_while_growing() -> Vec<String> {
    let run = || {
        let cache: Numbers = Cache::builder().cleanup_interval(Duration::ZERO).build().expect("sane");
        let mut slow = Vec::new();
        let mut start = cpu();
        for key in 0..FILLED {
            cache.insert(key, key);
            let inserted = cpu();
            black_box(cache.get(&(key / 2)));
            let found = cpu();
            for (what, took) in [("insert", inserted - start), ("get", found - inserted)] {
                if took > SLOWEST {
                    slow.push((what, key, took));
                }
            }
            start = found;
        }
        slow
    };
    let mut slow = run();
    for _ in 1..ROUNDS {
        if slow.is_empty() {
            break;
        }
        let again = run();
        let is_near = |(what, key, _): &(&str, u64, Duration), other: &(&str, u64, Duration)| {
            *what == other.0 && key.abs_diff(other.1) <= 64 + key / 1_000
        };
        slow.retain(|call| again.iter().any(|other| is_near(call, other)));
    }
    let line = |(what, entries, took)| format!("one {what} among {entries} entries: {took:.2?} of CPU time");
    slow.into_iter().map(line).collect()
}

/// Catches faults B1 and B3, and each of their kind.
#[test]
fn no_call_costs_more_in_a_larger_cache() {
    let mut growing = calls_that_grow("cache", cache_of, &cache_calls());
    growing.extend(calls_that_grow("store", store_of, &store_calls()));
    growing.extend(walks_that_grow());
    growing.extend(slow_calls_while_growing());
    assert!(growing.is_empty(), "these cost more in a larger cache:\n{}", growing.join("\n"));
}
