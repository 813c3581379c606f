//! Threads on one cache and one store, for ThreadSanitizer: `.ci/sanitizers thread`. Under plain `cargo test` it runs quickly.
//!
//! Catches a read or write of an entry, a table or a chunk that no release and acquire order after its making, or before its freeing: the
//! values are plain memory. Answers are checked elsewhere; here only each value's own consistency is.
//!
//! The std that comes with nightly is not instrumented, so ThreadSanitizer does not see what its slow paths order. Hence no libtest (`harness =
//! false`), no lock, no channel, no barrier and no thread scope here: only spawn, join, atomics and the library. Two threads never wait for one load, since
//! that is a condition variable.

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use common::{Random, scaled};
use fleeting::{Cache, Clock, MemStore, Op, SessionData};

/// Threads beside each other, more than the machine's cores at times.
const THREADS: u64 = 3;

/// Keys that all threads write, so that they meet.
const KEYS: u64 = 40;

/// How often each thread acts in each scenario.
fn steps() -> u64 {
    scaled(6_000)
}

/// Counts nanoseconds; any thread may move it. No lock, unlike [`fleeting::ManualClock`].
struct Counter {
    origin: Instant,
    elapsed: AtomicU64,
}

#[derive(Clone, Copy)]
struct CounterClock(&'static Counter);

impl CounterClock {
    /// Leaked: a few bytes a scenario.
    fn new() -> Self {
        CounterClock(Box::leak(Box::new(Counter { origin: Instant::now(), elapsed: AtomicU64::new(0) })))
    }

    fn advance(&self, nanoseconds: u64) {
        self.0.elapsed.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

impl Clock for CounterClock {
    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.0.elapsed.load(Ordering::Relaxed))
    }

    fn origin(&self) -> Instant {
        self.0.origin
    }
}

/// Plain memory behind a pointer, which its maker fills and everyone else reads.
#[derive(Clone)]
struct Value(Box<[u64; 3]>);

impl Value {
    fn new(key: u64, number: u64) -> Self {
        Value(Box::new([key, number, key ^ number]))
    }

    fn check(&self, key: u64) {
        let [its, number, both] = *self.0;
        assert_eq!((its, both), (key, key ^ number), "a value that is not this key's, or not whole");
    }
}

/// Runs `work` on threads of their own, numbered from 0, each with a handle of its own.
fn threads<H: Clone + Send + 'static>(handle: &H, work: fn(H, u64)) {
    let spawn = |number| {
        let handle = handle.clone();
        thread::spawn(move || work(handle, number))
    };
    let threads: Vec<_> = (0..THREADS).map(spawn).collect();
    for thread in threads {
        thread.join().expect("a thread of the scenario panicked");
    }
}

type Shared = (Cache<u64, Value>, CounterClock);

/// All operations on a few keys, sweeps and time included; some keys of the thread's own make the table grow.
fn mix((cache, clock): Shared, thread: u64) {
    let mut random = Random::new(thread + 1);
    for step in 0..steps() {
        let key = random.below(KEYS);
        let own = 1_000 + step * THREADS + thread;
        let value = Value::new(key, step);
        let ttl = Duration::from_nanos(random.below(4_000));
        match random.below(32) {
            0..=2 => common::ignore(cache.insert(key, value)),
            3..=5 => common::ignore(cache.insert_with_ttl(key, value, ttl)),
            6 => common::ignore(cache.insert_if_absent(key, value).map_err(|(key, value)| value.check(key))),
            7 => common::ignore(cache.replace(key, value)),
            8 | 9 => common::ignore(cache.update(&key, |old| {
                old.check(key);
                value.clone()
            })),
            10 => common::ignore(cache.compute(key, |old| {
                old.inspect(|old| old.check(key));
                [Op::Put(value.clone()), Op::PutWithTtl(value.clone(), ttl), Op::Remove, Op::Keep][step as usize % 4]
                    .clone()
            })),
            11 => cache.get_or_insert_with(own, || Value::new(own, step)).check(own),
            12..=14 => common::ignore(cache.touch(&key, ttl * 3)),
            15 => common::ignore(cache.persist(&key)),
            16 => common::ignore(cache.remove(&key)),
            17 => common::ignore(cache.take(&key).inspect(|value| value.check(key))),
            18 => common::ignore(cache.remove_if(&key, |value| {
                value.check(key);
                step % 2 == 0
            })),
            19 => cache
                .get_many(&[key, own, KEYS - 1], |key, value| common::ignore(value.inspect(|value| value.check(*key)))),
            20 => common::ignore(cache.pin().get(&key).inspect(|value| value.check(key))),
            21 if step % 8 == 0 => cache.iter().for_each(|(key, value)| value.check(key)),
            22 if step % 8 == 0 => cache.pin().iter().for_each(|(key, value)| value.check(*key)),
            23 if step % 64 == 0 => cache.retain(|key, value| {
                value.check(*key);
                key % 2 == 0
            }),
            24 if step % 256 == 0 => cache.clear(),
            25 => common::ignore(cache.sweep()),
            26 => clock.advance(random.below(1_000)),
            27..=28 => common::ignore(cache.insert_with_ttl(own, Value::new(own, step), ttl * 100)),
            _ => common::ignore(cache.get(&key).inspect(|value| value.check(key))),
        }
    }
}

/// The data of a session knows its token's number.
fn data(number: u64, step: u64) -> Vec<u8> {
    let mut data = number.to_le_bytes().to_vec();
    data.resize(8 + (step % 40) as usize, number as u8);
    data
}

fn check_data(data: &[u8], number: u64) {
    assert_eq!(data[..8], number.to_le_bytes(), "another session's data");
    assert!(data[8..].iter().all(|byte| *byte == number as u8), "data that is not whole");
}

/// All operations of the store. Handles to data go to other threads through a cache, and are dropped there.
fn serve((store, clock, handles): (MemStore, CounterClock, Cache<u64, SessionData>), thread: u64) {
    let mut random = Random::new(thread + 7);
    for step in 0..steps() {
        let number = random.below(KEYS);
        let (token, data) = (number.to_le_bytes(), data(number, step));
        let soon = SystemTime::now() + Duration::from_micros(1 + random.below(50));
        match random.below(24) {
            0..=3 => store.save_for(token, &data, Duration::from_nanos(random.below(6_000))),
            4 => store.save(token, &data, soon),
            5 => common::ignore(store.create(token, &data, soon)),
            6 | 7 => common::ignore(store.update(token, &data, soon)),
            8 => {
                if let Some((found, version)) = store.find_versioned(token) {
                    check_data(&found, number);
                    common::ignore(store.compare_and_save(token, version, &data, soon));
                }
            }
            9 | 10 => common::ignore(store.touch(token, soon)),
            // The data still names the old token, so the new one is one of its own that nobody else reads.
            11 => {
                let new = [&token[..], &step.to_le_bytes(), &[thread as u8]].concat();
                if store.rename(token, &new, soon)
                    && let Some(found) = store.take(&new)
                {
                    check_data(&found, number);
                }
            }
            12 => common::ignore(store.delete(token)),
            13 => common::ignore(store.take(token).inspect(|found| check_data(found, number))),
            14 | 15 => common::ignore(store.find(token).map(|found| handles.insert(number, found))),
            16 | 17 => common::ignore(handles.take(&number).inspect(|found| check_data(found, number))),
            18 => common::ignore(store.read(token, |data| check_data(data, number))),
            19 if step % 16 == 0 => store.iter().for_each(|(token, data)| assert_eq!(data[..8], token[..8])),
            20 if step % 64 == 0 => common::ignore(store.delete_where(|token, _| token[0] % 2 == 0)),
            21 => common::ignore(store.sweep()),
            22 => clock.advance(random.below(1_000)),
            _ => common::ignore(store.find_with_expiry(token).inspect(|(found, _)| check_data(found, number))),
        }
    }
}

/// A cache with this interval between sweeps, whose callback reads what leaves.
fn cache(interval: Duration) -> Shared {
    let clock = CounterClock::new();
    let cache = Cache::builder()
        .cleanup_interval(interval)
        .clock(clock)
        .on_removal(|key: &u64, value: &Value, _| value.check(*key))
        .build()
        .expect("valid");
    (cache, clock)
}

fn main() {
    let (quiet, busy) = (Duration::ZERO, Duration::from_millis(1));
    for interval in [quiet, busy] {
        let (cache, clock) = cache(interval);
        threads(&(cache.clone(), clock), mix);
        cache.stop_cleanup();
        cache.sweep();
        cache.iter().for_each(|(key, value)| value.check(key));
        assert_eq!(cache.len(), cache.iter().count());
        assert_eq!(cache.stats().contained_panics, 0, "a callback met a broken value");
    }
    for interval in [quiet, busy] {
        let clock = CounterClock::new();
        let store = MemStore::builder().cleanup_interval(interval).clock(clock).build().expect("valid");
        let handles = Cache::builder().cleanup_interval(quiet).build().expect("valid");
        threads(&(store.clone(), clock, handles.clone()), serve);
        store.stop_cleanup();
        store.sweep();
        assert_eq!(store.len(), store.iter().count());
        drop(store);
        handles.iter().for_each(|(number, found)| check_data(&found, number));
    }
    println!("tsan: {} operations on {THREADS} threads", 4 * THREADS * steps());
}

/// Under libtest `main` is never called; without it this is not compiled. Catches a manifest that lost its `harness = false`.
#[test]
fn the_manifest_says_that_this_test_has_no_harness() {
    panic!("Cargo.toml: [[test]] name = \"tsan\" needs harness = false");
}
