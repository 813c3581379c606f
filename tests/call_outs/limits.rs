//! What user code may do without end, and what not: chains of callbacks, closures that write to their own key, pins held.
//!
//! The limits, for the documentation:
//!
//! * A callback that removes or replaces is told of that after it has returned: a chain of them may be of any length.
//! * A closure of `update` or `compute`, or an `Eq`, that writes to its own key (its own bucket) *every* time never ends.
//! * Two loaders that load each other's keys, on two threads, wait for each other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use fleeting::{Cache, ManualClock, MemStore, Op, Outcome, RemovalCause, WeakCache};

use super::alone;
use super::common::counted::Ledger;
use super::common::{assert_sound, manual_cache, seconds, within_a_minute};

/// A chain of callbacks that no stack would hold if they nested.
const DEPTH: u64 = 100_000;

/// The same, of callbacks each of which walks through the cache.
const WALKS: u64 = 5_000;

/// A cache whose callback gets it.
fn with_callback(
    f: impl Fn(&Cache<u64, u64>, u64, u64, RemovalCause) + Send + Sync + 'static,
) -> (Cache<u64, u64>, ManualClock) {
    let slot: Arc<OnceLock<WeakCache<u64, u64>>> = Arc::default();
    let (found, clock) = (Arc::clone(&slot), ManualClock::new());
    let cache = Cache::builder()
        .clock(clock.clone())
        .cleanup_interval(Duration::ZERO)
        .on_removal(move |key: &u64, value: &u64, cause| {
            if let Some(cache) = found.get().and_then(WeakCache::upgrade) {
                f(&cache, *key, *value, cause);
            }
        })
        .build()
        .expect("valid");
    assert!(slot.set(cache.downgrade()).is_ok());
    (cache, clock)
}

/// Catches callbacks that cannot nest, that lose one of a chain, or that take more of the stack than they used to.
#[test]
fn callbacks_nest() {
    let _alone = alone();
    within_a_minute(|| {
        // Each removal removes the next, each replacement replaces anew, each clear clears the rest, each sweep sweeps the rest.
        let (cache, _) = with_callback(|cache, key, _, _| assert!(cache.remove(&(key + 1)) || key + 1 == DEPTH));
        (0..DEPTH).for_each(|key| assert!(cache.insert(key, key)));
        assert!(cache.remove(&0));
        assert_eq!((cache.len(), cache.stats().removed, cache.stats().contained_panics), (0, DEPTH, 0));

        let (cache, _) = with_callback(|cache, key, value, cause| {
            assert_eq!(cause, RemovalCause::Replaced);
            if value < DEPTH {
                assert!(!cache.insert(key, value + 2));
            }
        });
        cache.insert(1, 0);
        cache.insert(1, 1);
        assert_eq!(cache.stats().contained_panics, 0);
        assert_eq!(cache.stats().replaced, DEPTH + 1);
        assert_eq!(assert_sound(&cache).len(), 1);

        let (cache, _) = with_callback(|cache, _, _, _| cache.clear());
        (0..WALKS).for_each(|key| assert!(cache.insert(key, key)));
        cache.clear();
        assert_eq!((cache.len(), cache.stats().removed), (0, WALKS));

        let (cache, clock) = with_callback(|cache, _, _, _| {
            cache.sweep();
        });
        (0..WALKS).for_each(|key| assert!(cache.insert_with_ttl(key, key, seconds(1))));
        clock.advance(seconds(1));
        cache.sweep();
        assert_eq!((cache.len(), cache.stats().expired), (0, WALKS));
    });
}

/// Catches a callback that puts each entry back, so that a sweep, a clear or a walk follows its own tail.
#[test]
fn a_callback_that_puts_each_entry_back_ends() {
    let _alone = alone();
    within_a_minute(|| {
        let (cache, clock) = with_callback(|cache, key, value, cause| {
            if cause != RemovalCause::Replaced {
                cache.insert_with_ttl(key, value + 1, seconds(1));
            }
        });
        (0..1_000).for_each(|key| assert!(cache.insert_with_ttl(key, 0, seconds(1))));
        for round in 1..=5 {
            clock.advance(seconds(1));
            assert_eq!(cache.sweep(), 1_000, "each once in round {round}");
            assert_eq!(cache.len(), 1_000);
        }
        cache.clear();
        cache.retain(|_, _| false);
        let left = assert_sound(&cache);
        assert_eq!(left.len(), 1_000);
        assert!(left.values().all(|value| *value == 7), "{left:?}");
    });
}

/// Catches a write that loses what its own closure wrote to the key: the closure runs again, and sees it.
#[test]
fn a_closure_that_writes_to_its_own_key_runs_again() {
    let _alone = alone();
    within_a_minute(|| {
        let (cache, _) = manual_cache();
        cache.insert(1, 0_u64);
        let mut runs = 0;
        assert!(cache.update(&1, |value| {
            runs += 1;
            if *value < 100 {
                cache.insert(1, value + 1);
            }
            value + 1_000
        }));
        assert_eq!((runs, cache.get(&1)), (101, Some(1_100)));
        let mut runs = 0;
        let outcome = cache.compute(2, |value| {
            runs += 1;
            if runs <= 50 {
                cache.insert(2, runs);
            }
            Op::Put(value.copied().unwrap_or_default() + 1_000)
        });
        assert_eq!((outcome, cache.get(&2)), (Outcome::Replaced, Some(1_050)));
        assert!(cache.remove_if(&2, |value| {
            if *value > 1_000 {
                cache.insert(2, value - 10);
            }
            true
        }));
        assert_eq!(assert_sound(&cache).len(), 1);
    });
}

/// Catches chains of drops that do not end, or that are lost: the drop of each value puts another in.
#[test]
fn a_drop_that_inserts_ends_with_its_chain() {
    struct Link(WeakCache<u64, Link>, u64, Arc<AtomicU64>);
    impl Drop for Link {
        fn drop(&mut self) {
            self.2.fetch_add(1, Ordering::SeqCst);
            if self.1 > 0
                && let Some(cache) = self.0.upgrade()
            {
                cache.insert(1, Link(self.0.clone(), self.1 - 1, Arc::clone(&self.2)));
                cache.sweep();
            }
        }
    }
    let _alone = alone();
    within_a_minute(|| {
        let (cache, _) = manual_cache();
        let dropped = Arc::new(AtomicU64::new(0));
        cache.insert(1, Link(cache.downgrade(), 200, Arc::clone(&dropped)));
        assert!(cache.remove(&1));
        while dropped.load(Ordering::SeqCst) < 201 {
            cache.remove(&1);
            fleeting::release_thread_memory();
        }
        assert!(cache.is_empty());
    });
}

/// Catches memory that is held back where no pin is promised (a loader, the caller between two items), or freed where one is.
#[test]
fn memory_is_held_back_under_a_pin_and_nowhere_else() {
    let _alone = alone();
    within_a_minute(|| {
        let (cache, _) = manual_cache::<u64, super::common::counted::Counted>();
        let store = MemStore::builder().cleanup_interval(Duration::ZERO).build().expect("valid");
        store.save_for("1", "", seconds(9));
        let ledger = Ledger::new();
        let base = ledger.issue(0);
        cache.insert(0, base);
        // Makes garbage on another thread, and says how much of it can be freed.
        let freed = || {
            let before = ledger.alive();
            thread::scope(|scope| {
                scope.spawn(|| {
                    (1..=100).for_each(|key| assert!(cache.insert(key, ledger.issue(key)) && cache.remove(&key)));
                    (0..2_000).for_each(|_| fleeting::release_thread_memory());
                });
            });
            100 - (ledger.alive() - before)
        };
        assert_eq!(cache.read(&0, |_| freed()), Some(0), "read");
        assert_eq!(store.read("1", |_| freed()), Some(0), "a store's read");
        ledger.settles_at(1);
        let mut held = 1;
        cache.retain(|_, _| {
            held = freed();
            true
        });
        assert_eq!(held, 0, "retain");
        ledger.settles_at(1);
        let pinned = cache.pin();
        assert_eq!(freed(), 0, "pin");
        drop(pinned);
        ledger.settles_at(1);
        let loaded = cache.get_or_insert_with(7, || ledger.issue(freed() as u64));
        assert_eq!(loaded.tag(), 100, "a loader runs without a pin");
        drop(loaded);
        cache.remove(&7);
        ledger.settles_at(1);
        let mut items = cache.iter();
        let first = items.next();
        assert!(first.is_some() && freed() == 100, "an iterator holds no pin between items");
        drop((first, items));
        ledger.settles_at(1);
    });
}

/// Catches those who wait for a load left waiting: for the callback in it that blocks, the clone, or the loader.
#[test]
fn who_waits_for_a_load_waits_for_its_callback_only_as_long_as_it_blocks() {
    let _alone = alone();
    within_a_minute(|| {
        let (reach, reached) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let released = std::sync::Mutex::new(released);
        // The load meets an expired entry: its callback runs within the load.
        let (cache, clock) = with_callback(move |_, key, _, _| {
            if key == 1 && reach.send(()).is_ok() {
                let _ = super::common::lock(&released).recv();
            }
        });
        thread::scope(|scope| {
            let loader = || cache.get_or_insert_with(1, || 11);
            let leader = scope.spawn(|| {
                cache.get_or_insert_with(1, || {
                    cache.insert_with_ttl(1, 10, seconds(1));
                    clock.advance(seconds(2));
                    12
                })
            });
            reached.recv().expect("the load meets the expired entry");
            let waiter = scope.spawn(loader);
            (2..500).for_each(|key| assert_eq!(cache.get_or_insert_with(key, || key), key));
            assert_eq!(cache.get(&1), Some(12), "the callback runs when the load has put its value");
            drop(release);
            assert_eq!(leader.join().expect("no panic"), waiter.join().expect("no panic"));
        });
        assert_eq!(cache.stats().contained_panics, 0);
    });
}
