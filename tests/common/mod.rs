//! Helpers shared by the integration tests: caches under a manual clock, a record of removal callbacks, a watchdog
//! for deadlocks, a wait for the epoch collector, and the check that every test of the cache ends with.

#![allow(dead_code, reason = "each test file uses a part of this module")]

pub mod child;
pub mod counted;
pub mod counting;
pub mod fates;
pub mod janitors;
pub mod threads;

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::{BuildHasher, Hash};
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use fleeting::{Cache, ManualClock, MemStore, RemovalCause};

/// A whole number of seconds.
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A whole number of nanoseconds.
pub const fn nanoseconds(count: u64) -> Duration {
    Duration::from_nanos(count)
}

/// The wall-clock time that stores under test start from: a moment in November 2025.
pub fn wall_start() -> SystemTime {
    SystemTime::UNIX_EPOCH + seconds(1_763_000_000)
}

/// A cache without a janitor, and the clock that it reads.
pub fn manual_cache<K, V>() -> (Cache<K, V>, ManualClock)
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    let clock = ManualClock::new();
    let cache = Cache::builder()
        .cleanup_interval(Duration::ZERO)
        .clock(clock.clone())
        .build()
        .expect("a plain configuration is accepted");
    (cache, clock)
}

/// A session store without a janitor, and the clock that it reads.
pub fn manual_store() -> (MemStore, ManualClock) {
    let clock = ManualClock::starting_at(wall_start());
    let store = MemStore::builder()
        .cleanup_interval(Duration::ZERO)
        .clock(clock.clone())
        .build()
        .expect("a plain configuration is accepted");
    (store, clock)
}

/// What removal callbacks have reported so far, in order.
pub struct Removals<K, V>(Arc<Mutex<Vec<(K, V, RemovalCause)>>>);

impl<K, V> Removals<K, V> {
    pub fn new() -> Self {
        Removals(Arc::default())
    }

    pub fn record(&self, key: K, value: V, cause: RemovalCause) {
        lock(&self.0).push((key, value, cause));
    }

    /// Hands over the reports received since the last call.
    pub fn drain(&self) -> Vec<(K, V, RemovalCause)> {
        std::mem::take(&mut *lock(&self.0))
    }
}

impl<K, V> Clone for Removals<K, V> {
    fn clone(&self) -> Self {
        Removals(Arc::clone(&self.0))
    }
}

/// A cache without a janitor that records its removal callbacks.
pub fn recording_cache<K, V>() -> (Cache<K, V>, ManualClock, Removals<K, V>)
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    let clock = ManualClock::new();
    let removals = Removals::new();
    let log = removals.clone();
    let cache = Cache::builder()
        .cleanup_interval(Duration::ZERO)
        .clock(clock.clone())
        .on_removal(move |key: &K, value: &V, cause| log.record(key.clone(), value.clone(), cause))
        .build()
        .expect("a plain configuration is accepted");
    (cache, clock, removals)
}

/// A store without a janitor that records its removal callbacks.
pub fn recording_store() -> (MemStore, ManualClock, Removals<Vec<u8>, Vec<u8>>) {
    let clock = ManualClock::starting_at(wall_start());
    let removals = Removals::new();
    let log = removals.clone();
    let store = MemStore::builder()
        .cleanup_interval(Duration::ZERO)
        .clock(clock.clone())
        .on_removal(move |token: &[u8], data: &[u8], cause| log.record(token.to_vec(), data.to_vec(), cause))
        .build()
        .expect("a plain configuration is accepted");
    (store, clock, removals)
}

/// Locks a mutex whether or not an earlier test panicked while holding it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work` on a thread of its own and fails if it has not returned within 60 s: a deadlock becomes a failed test.
pub fn within_a_minute<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = mpsc::channel();
    let worker = thread::spawn(move || {
        let result = work();
        let _ = sender.send(());
        result
    });
    match receiver.recv_timeout(seconds(60)) {
        Err(RecvTimeoutError::Timeout) => panic!("no answer within a minute: a deadlock"),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => match worker.join() {
            Ok(result) => result,
            Err(payload) => panic::resume_unwind(payload),
        },
    }
}

/// Drives the epoch collector until `settled` holds; `false` if it still does not after 30 s.
pub fn reclaim_until(mut settled: impl FnMut() -> bool) -> bool {
    let limit = Instant::now() + seconds(30);
    while !settled() {
        if Instant::now() > limit {
            return false;
        }
        fleeting::release_thread_memory();
        thread::yield_now();
    }
    true
}

/// The payload of a panic that a test provokes; the panic hook keeps quiet about it.
pub struct Provoked;

/// Panics with a payload that [`quieten_provoked_panics`] silences.
pub fn provoke() -> ! {
    panic::panic_any(Provoked)
}

/// Installs a panic hook that prints nothing for [`Provoked`] panics and leaves all others as they were.
pub fn quieten_provoked_panics() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !info.payload().is::<Provoked>() {
                earlier(info);
            }
        }));
    });
}

/// Runs `work`; `None` if it ended in a provoked panic. Other panics go on.
pub fn survive<R>(work: impl FnOnce() -> R) -> Option<R> {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => Some(result),
        Err(payload) if payload.is::<Provoked>() => None,
        Err(payload) => panic::resume_unwind(payload),
    }
}

/// The check at the end of a test: iteration, look-up, length and statistics tell the same story. Sweeps first.
///
/// Returns what the cache holds.
pub fn assert_sound<K, V, S>(cache: &Cache<K, V, S>) -> HashMap<K, V>
where
    K: Hash + Eq + Clone + Debug + Send + Sync + 'static,
    V: Clone + Debug + PartialEq + Send + Sync + 'static,
    S: BuildHasher + Send + Sync + 'static,
{
    cache.sweep();
    let mut found = HashMap::new();
    for (key, value) in cache.iter() {
        assert_eq!(cache.peek(&key).as_ref(), Some(&value), "iteration and look-up disagree about {key:?}");
        if let Some(twice) = found.insert(key.clone(), value) {
            panic!("iteration saw {key:?} twice, once as {twice:?}");
        }
    }
    assert_eq!(cache.len(), found.len(), "after a sweep, len counts what iteration sees");
    assert_eq!(cache.is_empty(), found.is_empty());
    assert_eq!(cache.stats().entries, found.len() as u64);
    assert_eq!(cache.sweep(), 0, "a second sweep at the same moment finds nothing");
    found
}

/// The same check for a session store.
pub fn assert_store_sound(store: &MemStore) -> HashMap<Vec<u8>, Vec<u8>> {
    store.sweep();
    let mut found = HashMap::new();
    for (token, data) in store.all() {
        let seen = store.read(&token, |bytes| bytes == &*data);
        assert_eq!(seen, Some(true), "all() and read() disagree about {token:?}");
        assert!(found.insert(token.to_vec(), data.to_vec()).is_none(), "all() returned {token:?} twice");
    }
    assert_eq!(store.iter().count(), found.len());
    assert_eq!(store.len(), found.len(), "after a sweep, len counts what iteration sees");
    assert_eq!(store.is_empty(), found.is_empty());
    assert_eq!(store.stats().entries, found.len() as u64);
    assert_eq!(store.sweep(), 0, "a second sweep at the same moment finds nothing");
    found
}

/// A small repeatable generator (xorshift with a multiplier), so that a failing stress run can be run again.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 16) % bound
    }
}

/// A hasher that answers with a number of its own choosing, whatever the key.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConstantHasher;

impl BuildHasher for ConstantHasher {
    type Hasher = ConstantState;

    fn build_hasher(&self) -> ConstantState {
        ConstantState
    }
}

/// See [`ConstantHasher`].
pub struct ConstantState;

impl std::hash::Hasher for ConstantState {
    fn write(&mut self, _bytes: &[u8]) {}

    fn finish(&self) -> u64 {
        0xDEAD_BEEF_0BAD_CAFE
    }
}

/// How much of a workload is run: `count` times `FLEETING_STRESS` (1 by default, less under Miri), at least one.
pub fn scaled(count: u64) -> u64 {
    let usual = if cfg!(miri) { 0.001 } else { 1.0 };
    let factor = std::env::var("FLEETING_STRESS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    ((count as f64 * factor) as u64).max(1)
}

/// Discards an answer that does not matter here.
pub fn ignore<T>(_: T) {}
