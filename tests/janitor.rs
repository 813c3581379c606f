//! The janitor thread itself. The only test file in which time passes by itself: it waits by polling, with a limit.
//!
//! Threads are counted by name in `/proc`, so the tests of this file run one at a time: see [`alone`](common::janitors::alone).

#![cfg(target_os = "linux")]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use common::counted::{Counted, Ledger};
use common::janitors::{alone, eventually, janitors};
use common::{lock, provoke, seconds, within_a_minute};
use fleeting::{Cache, ManualClock, MemStore, WeakCache};

const OFTEN: Duration = Duration::from_millis(5);
const RARELY: Duration = Duration::from_secs(3_600);

fn cache_with<V: Send + Sync + 'static>(interval: Duration) -> Cache<u64, V> {
    Cache::builder().cleanup_interval(interval).build().expect("valid")
}

/// A place for a handle that a callback finds: it exists before the cache does.
type Slot<T> = Arc<OnceLock<T>>;

/// Catches a janitor that does not start, does not sweep, or keeps what it swept.
#[test]
fn expired_entries_leave_memory_without_any_call() {
    let _alone = alone();
    let ledger = Ledger::new();
    let cache = cache_with(OFTEN);
    assert!(eventually(|| janitors() == 1), "one thread a cache, by its name");
    for number in 0..1_000 {
        cache.insert_with_ttl(number, ledger.issue(number), Duration::from_millis(20 + number % 30));
    }
    cache.insert(5_000, ledger.issue(0));
    assert!(eventually(|| cache.len() == 1), "{} entries left", cache.len());
    ledger.settles_at(1);
    let stats = cache.stats();
    assert_eq!((stats.expired, stats.entries), (1_000, 1));
    assert!(stats.sweeps >= 1);
    let cached_again = cache.insert_with_ttl(1, ledger.issue(1), Duration::from_millis(1));
    assert!(cached_again && eventually(|| cache.len() == 1), "and it goes on sweeping");
    drop(cache);
    assert!(eventually(|| janitors() == 0));
}

/// Catches a janitor that does not go by the cache's own clock.
#[test]
fn the_janitor_follows_the_clock_of_the_cache() {
    let _alone = alone();
    let clock = ManualClock::new();
    let cache = Cache::builder().cleanup_interval(OFTEN).clock(clock.clone()).build().expect("valid");
    cache.insert_with_ttl(1, (), seconds(3_600));
    let sweeps = cache.stats().sweeps;
    assert!(eventually(|| cache.stats().sweeps > sweeps + 3));
    assert_eq!(cache.len(), 1, "an hour has not passed");
    clock.advance(seconds(3_600));
    assert_eq!(cache.get(&1), None);
    cache.insert_with_ttl(2, (), seconds(3_600));
    clock.advance(seconds(3_600 + 3_600 / 64 + 1)); // Memory is given back up to 1/64 of the lifetime later.
    assert!(eventually(|| cache.is_empty()));
}

/// Catches memory that the janitor's own thread holds back after a purge, when nothing else happens in the process.
#[test]
fn a_purge_is_freed_though_nothing_else_happens() {
    let _alone = alone();
    let ledger = Ledger::new();
    let cache = cache_with(OFTEN);
    for number in 0..20_000 {
        cache.insert_with_ttl(number, ledger.issue(number), Duration::from_millis(100));
    }
    assert!(eventually(|| cache.is_empty()));
    // No call into the collector here: only the janitor's own rounds may free. A few bags may wait for the next garbage.
    assert!(eventually(|| ledger.alive() < 1_000), "{} values still in memory", ledger.alive());
}

/// Catches a default interval other than a second's order, and a store without its janitor.
#[test]
fn new_starts_one_janitor_that_sweeps_every_second() {
    let _alone = alone();
    let cache: Cache<u32, u32> = Cache::new();
    let store = MemStore::builder().build().expect("valid");
    assert!(eventually(|| janitors() == 2));
    cache.insert_with_ttl(1, 1, Duration::from_millis(10));
    store.save_for("a", "data", Duration::from_millis(10));
    assert!(eventually(|| cache.is_empty() && store.is_empty()));
    drop((cache, store));
    assert!(eventually(|| janitors() == 0));
}

/// Catches a thread where none was asked for.
#[test]
fn interval_zero_starts_no_thread() {
    let _alone = alone();
    let cache = cache_with(Duration::ZERO);
    let store = MemStore::new(Duration::ZERO);
    cache.insert_with_ttl(1, (), Duration::from_millis(1));
    store.save("a", "data", SystemTime::now());
    cache.sweep();
    assert_eq!(janitors(), 0);
    cache.stop_cleanup();
    store.stop_cleanup();
    assert_eq!(janitors(), 0);
}

/// Catches a second stop that hangs or panics, and a cache that needs its janitor.
#[test]
fn stop_twice_leaves_no_thread_and_the_cache_works_on() {
    let _alone = alone();
    within_a_minute(|| {
        for interval in [OFTEN, RARELY, Duration::MAX] {
            let cache = cache_with(interval);
            cache.insert_with_ttl(1, 1, Duration::from_millis(1));
            cache.stop_cleanup();
            assert_eq!(janitors(), 0, "stop returns with the thread gone");
            cache.stop_cleanup();
            cache.clone().stop_cleanup();
            assert!(cache.insert(2, 2));
            assert!(eventually(|| cache.get(&1).is_none()));
            cache.sweep();
            assert_eq!(cache.len(), 1);
        }
    });
}

/// Catches a stop that misses a thread which has not started yet, or a wake-up sent before it parks.
#[test]
fn stop_at_once_after_new() {
    let _alone = alone();
    within_a_minute(|| {
        for _ in 0..300 {
            let cache = cache_with::<u32>(RARELY);
            cache.stop_cleanup();
            assert_eq!(janitors(), 0);
            let store = MemStore::new(RARELY);
            store.stop_cleanup();
            assert_eq!(janitors(), 0);
            assert!(cache.insert(1, 1));
        }
    });
}

/// Catches a stop that returns early, or not at all, while a sweep is under way.
#[test]
fn stop_during_a_sweep() {
    let _alone = alone();
    within_a_minute(|| {
        let (entered, has_entered) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let doors = Mutex::new((Some(entered), released));
        let cache = Cache::builder()
            .cleanup_interval(OFTEN)
            .on_removal(move |_: &u64, _: &(), _| {
                let mut doors = lock(&doors);
                if let Some(entered) = doors.0.take() {
                    entered.send(()).expect("the test waits");
                    doors.1.recv().expect("the test releases");
                }
            })
            .build()
            .expect("valid");
        for number in 0..100_000 {
            cache.insert_with_ttl(number, (), Duration::from_millis(1));
        }
        has_entered.recv().expect("the janitor sweeps");
        let stopping = cache.clone();
        let stop = thread::spawn(move || {
            stopping.stop_cleanup();
            janitors()
        });
        thread::sleep(Duration::from_millis(20)); // Time for the stop to be under way.
        assert!(!stop.is_finished(), "stop returned while the janitor was in a callback");
        release.send(()).expect("the callback waits");
        assert_eq!(stop.join().expect("no panic"), 0, "stop returns with the thread gone");
        assert!(eventually(|| cache.iter().count() == 0));
        cache.sweep();
        assert!(cache.is_empty(), "what the janitor left is swept by the caller");
        assert!(cache.insert(1, ()));
    });
}

/// Catches two stops that wait for each other.
#[test]
fn stop_from_several_threads_at_once() {
    let _alone = alone();
    within_a_minute(|| {
        for _ in 0..50 {
            let cache = cache_with::<u32>(OFTEN);
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        cache.stop_cleanup();
                        assert_eq!(janitors(), 0, "each returns with the thread gone");
                    });
                }
            });
        }
    });
}

/// Catches a janitor that waits for itself: stop called by a callback on its own thread.
#[test]
fn stop_from_a_callback_on_the_janitor_thread() {
    let _alone = alone();
    within_a_minute(|| {
        let slot: Slot<WeakCache<u64, ()>> = Slot::default();
        let stopped = Arc::new(AtomicUsize::new(0));
        let (in_callback, counter) = (Arc::clone(&slot), Arc::clone(&stopped));
        let cache = Cache::builder()
            .cleanup_interval(OFTEN)
            .on_removal(move |_: &u64, _: &(), _| {
                if let Some(cache) = in_callback.get().and_then(WeakCache::upgrade) {
                    cache.stop_cleanup();
                    counter.fetch_add(1, Ordering::SeqCst);
                }
            })
            .build()
            .expect("valid");
        assert!(slot.set(cache.downgrade()).is_ok());
        for number in 0..10 {
            cache.insert_with_ttl(number, (), Duration::from_millis(1));
        }
        assert!(eventually(|| stopped.load(Ordering::SeqCst) > 0));
        assert!(eventually(|| janitors() == 0), "the thread ends once the callback has returned");
        cache.stop_cleanup();
        assert!(cache.insert(100, ()));
        cache.sweep();
        assert_eq!(cache.iter().count(), 1);
    });
}

/// Catches the same for a callback on the caller's thread, where stop can wait for the janitor.
#[test]
fn stop_from_a_callback_on_the_callers_thread() {
    let _alone = alone();
    within_a_minute(|| {
        let slot: Slot<WeakCache<u64, ()>> = Slot::default();
        let in_callback = Arc::clone(&slot);
        let cache = Cache::builder()
            .cleanup_interval(RARELY)
            .on_removal(move |_: &u64, _: &(), _| {
                let cache = in_callback.get().and_then(WeakCache::upgrade).expect("the caller holds it");
                cache.stop_cleanup();
                assert_eq!(janitors(), 0);
            })
            .build()
            .expect("valid");
        assert!(slot.set(cache.downgrade()).is_ok());
        cache.insert(1, ());
        assert!(cache.remove(&1));
        assert_eq!(cache.stats().contained_panics, 0);
        assert_eq!(janitors(), 0);
    });
}

/// Catches a janitor that holds the cache alive, with or without a stop before the drop.
#[test]
fn dropping_the_last_handle_ends_the_thread_and_drops_the_entries() {
    let _alone = alone();
    within_a_minute(|| {
        for round in 0..100 {
            let ledger = Ledger::new();
            let cache = cache_with(if round % 2 == 0 { OFTEN } else { RARELY });
            for number in 0..50 {
                cache.insert_with_ttl(number, ledger.issue(number), Duration::from_millis(1 + number % 10));
            }
            if round % 4 >= 2 {
                cache.stop_cleanup();
            }
            let clone = cache.clone();
            drop(cache);
            assert!(clone.insert(1_000, ledger.issue(0)), "a handle is left");
            drop(clone);
            assert!(eventually(|| janitors() == 0), "round {round}");
            ledger.settles_at(0);
        }
    });
}

/// Catches a last handle that two threads drop at once, and both, or neither, end the janitor.
#[test]
fn dropping_handles_on_several_threads_at_once() {
    let _alone = alone();
    within_a_minute(|| {
        for _ in 0..100 {
            let ledger = Ledger::new();
            let cache = cache_with(OFTEN);
            cache.insert(1, ledger.issue(1));
            let store = MemStore::new(OFTEN);
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let handles = (cache.clone(), store.clone());
                    thread::spawn(move || drop(handles))
                })
                .collect();
            drop((cache, store));
            threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
            assert!(eventually(|| janitors() == 0));
            ledger.settles_at(0);
        }
    });
}

/// Catches a cycle: a callback that knows its cache must not keep it, or its thread, alive.
#[test]
fn a_callback_that_captures_a_weak_handle_keeps_nothing_alive() {
    let _alone = alone();
    within_a_minute(|| {
        for stop_first in [false, true] {
            let ledger = Ledger::new();
            let slot: Slot<WeakCache<u64, Counted>> = Slot::default();
            let in_callback = Arc::clone(&slot);
            let cache = Cache::builder()
                .cleanup_interval(OFTEN)
                .on_removal(move |key: &u64, value: &Counted, _| {
                    if let Some(cache) = in_callback.get().and_then(WeakCache::upgrade) {
                        cache.insert(key + 1_000_000, value.clone());
                    }
                })
                .build()
                .expect("valid");
            assert!(slot.set(cache.downgrade()).is_ok());
            for number in 0..200 {
                cache.insert_with_ttl(number, ledger.issue(number), Duration::from_millis(number % 20));
            }
            assert!(eventually(|| cache.stats().expired > 50));
            if stop_first {
                cache.stop_cleanup();
            }
            drop(cache);
            assert!(eventually(|| janitors() == 0));
            assert!(slot.get().is_some_and(|weak| weak.upgrade().is_none()));
            ledger.settles_at(0);
        }
    });
}

/// Catches a janitor that joins itself: a callback on its thread drops the last handle.
#[test]
fn the_last_handle_dropped_inside_a_callback_on_the_janitor_thread() {
    let _alone = alone();
    within_a_minute(|| {
        for _ in 0..20 {
            let ledger = Ledger::new();
            let slot: Arc<Mutex<Option<Cache<u64, Counted>>>> = Arc::default();
            let in_callback = Arc::clone(&slot);
            let cache = Cache::builder()
                .cleanup_interval(OFTEN)
                .on_removal(move |_: &u64, _: &Counted, _| {
                    let last = lock(&in_callback).take();
                    drop(last);
                })
                .build()
                .expect("valid");
            for number in 0..100 {
                cache.insert_with_ttl(number, ledger.issue(number), seconds(3_600));
            }
            let trigger = cache.clone();
            *lock(&slot) = Some(cache);
            // The callback's handle becomes the last one before anything can expire for longer than it takes to drop.
            trigger.insert_with_ttl(200, ledger.issue(200), Duration::from_millis(3));
            drop(trigger);
            assert!(eventually(|| lock(&slot).is_none()), "the janitor calls back");
            assert!(eventually(|| janitors() == 0));
            ledger.settles_at(0);
        }
    });
}

/// Catches a panic that ends the thread, or the sweep.
#[test]
fn a_panicking_callback_does_not_kill_the_janitor() {
    let _alone = alone();
    let cache =
        Cache::builder().cleanup_interval(OFTEN).on_removal(|_: &u64, _: &u64, _| provoke()).build().expect("valid");
    for round in 1..=3 {
        for number in 0..100 {
            cache.insert_with_ttl(number, number, Duration::from_millis(1));
        }
        // An entry is gone a moment before it is counted.
        let are_told = || cache.is_empty() && cache.stats().contained_panics == 100 * round;
        assert!(eventually(are_told), "round {round}: {:?}", cache.stats());
        assert_eq!(cache.stats().expired + cache.stats().replaced, 100 * round);
        assert_eq!(janitors(), 1);
    }
    let store = MemStore::builder().cleanup_interval(OFTEN).on_removal(|_, _, _| provoke()).build().expect("valid");
    store.save_for("a", "data", Duration::from_millis(1));
    assert!(eventually(|| store.is_empty() && store.stats().contained_panics == 1));
    store.save_for("a", "data", Duration::from_millis(1));
    assert!(eventually(|| store.is_empty() && store.stats().contained_panics == 2));
    drop((cache, store));
    assert!(eventually(|| janitors() == 0));
}

/// Catches an interval that overflows on its way to a deadline for the park.
#[test]
fn intervals_of_any_length() {
    let _alone = alone();
    within_a_minute(|| {
        for interval in [Duration::from_nanos(1), Duration::from_micros(50), RARELY, seconds(u64::MAX), Duration::MAX] {
            let cache = cache_with::<u64>(interval);
            cache.insert_with_ttl(1, 1, Duration::from_nanos(1));
            if interval < OFTEN {
                assert!(eventually(|| cache.is_empty()), "{interval:?}");
            }
            drop(cache);
            assert!(eventually(|| janitors() == 0), "{interval:?}");
        }
    });
}

/// Catches readers and writers that the janitor's sweeps disturb: entries that live on are never lost to it.
#[test]
fn sweeps_of_the_janitor_leave_live_entries_alone() {
    let _alone = alone();
    within_a_minute(|| {
        let store = MemStore::new(Duration::from_millis(1));
        thread::scope(|scope| {
            for worker in 0..2_u32 {
                let store = &store;
                scope.spawn(move || {
                    let start = Instant::now();
                    let mut number = 0_u32;
                    while start.elapsed() < Duration::from_millis(700) {
                        let stay = format!("stay {worker} {}", number % 50);
                        store.save_for(format!("go {worker} {number}"), "soon gone", Duration::from_millis(2));
                        store.save_for(&stay, number.to_le_bytes(), seconds(600));
                        assert_eq!(store.read(&stay, |data| data == number.to_le_bytes()), Some(true));
                        assert!(
                            store.touch(format!("stay {worker} {}", number % 50), SystemTime::now() + seconds(900))
                        );
                        number += 1;
                    }
                    assert!(number > 50);
                });
            }
        });
        assert!(eventually(|| store.len() == 100), "{} sessions left", store.len());
    });
}

/// A callback that enters, tells so, and waits to be let out; the first time only.
fn gate() -> (impl Fn() + Send + Sync, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (entered, has_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let doors = Mutex::new(Some((entered, released)));
    let pass = move || {
        let doors = lock(&doors).take();
        if let Some((entered, released)) = doors {
            entered.send(()).expect("the test waits");
            let _ = released.recv();
        }
    };
    (pass, has_entered, release)
}

/// Catches a limit that does not end a wait, an answer that is not true, and a cache that is of no use after it.
#[test]
fn a_stop_with_a_limit_returns_while_a_callback_runs() {
    let _alone = alone();
    within_a_minute(|| {
        let (pass, has_entered, release) = gate();
        let cache = Cache::builder().cleanup_interval(OFTEN).on_removal(move |_: &u64, _: &(), _| pass()).build();
        let cache = cache.expect("valid");
        (0..10).for_each(|number| {
            cache.insert_with_ttl(number, (), Duration::from_millis(1));
        });
        has_entered.recv().expect("the janitor sweeps");
        assert!(!cache.stop_cleanup_within(Duration::ZERO));
        let start = Instant::now();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert!(!cache.stop_cleanup_within(Duration::from_millis(50))));
            }
        });
        assert!((Duration::from_millis(50)..seconds(10)).contains(&start.elapsed()), "{:?}", start.elapsed());
        assert!(cache.insert(100, ()) && cache.get(&100).is_some(), "the cache works on");
        assert_eq!(janitors(), 1);
        release.send(()).expect("the callback waits");
        assert!(cache.stop_cleanup_within(seconds(50)));
        assert_eq!(janitors(), 0, "true: the thread is gone");
        assert!(cache.stop_cleanup_within(Duration::ZERO) && cache.stop_cleanup_within(Duration::MAX));
        cache.stop_cleanup();
        drop(cache);

        let store = MemStore::new(RARELY);
        assert!(store.stop_cleanup_within(seconds(50)));
        assert_eq!(janitors(), 0);
        assert!(MemStore::new(Duration::ZERO).stop_cleanup_within(Duration::ZERO), "there never was one");
    });
}

/// Catches a drop, under a lock that the callback takes, that cannot be made without a deadlock.
#[test]
fn a_limit_tells_that_a_lock_must_be_given_up_before_the_drop() {
    let _alone = alone();
    within_a_minute(|| {
        let log = Arc::new(Mutex::new(Vec::new()));
        let (writes, (pass, has_entered, release)) = (log.clone(), gate());
        let write = move |key: &u64, _: &(), _| {
            pass();
            lock(&writes).push(*key);
        };
        let cache = Cache::builder().cleanup_interval(OFTEN).on_removal(write).build().expect("valid");
        let guard = lock(&log);
        cache.insert_with_ttl(1, (), Duration::from_millis(1));
        has_entered.recv().expect("the janitor sweeps");
        release.send(()).expect("the callback waits");
        assert!(!cache.stop_cleanup_within(Duration::from_millis(20)), "the callback waits for the lock");
        drop(guard);
        drop(cache);
        assert_eq!((janitors(), &lock(&log)[..]), (0, &[1][..]));
    });
}

/// Catches a start that starts nothing, or a second thread, or one that a stop does not end; with stops and starts on several threads at once.
#[test]
fn a_janitor_is_started_again() {
    let _alone = alone();
    within_a_minute(|| {
        let cache = cache_with(OFTEN);
        for _ in 0..20 {
            cache.start_cleanup().expect("a thread");
            assert!(eventually(|| janitors() == 1), "a thread takes its name as it begins");
            cache.insert_with_ttl(1, 1, Duration::from_millis(1));
            assert!(eventually(|| cache.is_empty()));
            cache.stop_cleanup();
            assert_eq!(janitors(), 0);
        }
        thread::scope(|scope| {
            for number in 0..4 {
                let cache = &cache;
                scope.spawn(move || {
                    for round in 0..100 {
                        match (number + round) % 3 {
                            0 => cache.stop_cleanup(),
                            1 => assert!(cache.stop_cleanup_within(seconds(50))),
                            _ => cache.start_cleanup().expect("a thread"),
                        }
                    }
                });
            }
        });
        cache.start_cleanup().expect("a thread");
        cache.insert_with_ttl(1, 1, Duration::from_millis(1));
        assert!(eventually(|| cache.is_empty()));
        drop(cache);
        assert_eq!(janitors(), 0);
        let error = cache_with::<u64>(Duration::ZERO).start_cleanup().expect_err("it is to have none");
        assert_eq!(error.field(), "cleanup_interval");
    });
}

/// A handle that a callback drops.
type Handle = Cache<u64, Counted>;

/// Catches a janitor that joins another, which may join it: each drops the other's last handle, in a callback.
#[test]
fn two_janitors_that_drop_each_others_cache() {
    let _alone = alone();
    within_a_minute(|| {
        for _ in 0..20 {
            let ledger = Ledger::new();
            let handles: [Slot<Mutex<Option<Handle>>>; 2] = Default::default();
            let both = Arc::new(std::sync::Barrier::new(2));
            for own in 0..2 {
                let (other, both) = (handles[1 - own].clone(), both.clone());
                let first = std::sync::Once::new();
                let callback = move |_: &u64, _: &Counted, _| {
                    first.call_once(|| {
                        both.wait();
                        drop(other.get().and_then(|other| lock(other).take()));
                    });
                };
                let cache = Cache::builder().cleanup_interval(OFTEN).on_removal(callback).build().expect("valid");
                (0..100).for_each(|number| {
                    cache.insert(number, ledger.issue(number));
                });
                assert!(handles[own].set(Mutex::new(Some(cache))).is_ok());
            }
            for handle in &handles {
                let cache = handle.get().and_then(|handle| lock(handle).clone()).expect("just set");
                cache.insert_with_ttl(200, ledger.issue(200), Duration::from_millis(20));
            }
            drop(handles);
            assert!(eventually(|| janitors() == 0), "they wait for each other");
            ledger.settles_at(0);
        }
    });
}

/// Catches janitors that are left behind, or wait for each other, where caches are the values of caches.
#[test]
fn caches_as_values() {
    let _alone = alone();
    within_a_minute(|| {
        let ledger = Ledger::new();
        let outer = cache_with(OFTEN);
        let busy = cache_with(OFTEN);
        for round in 0..3 {
            for tenant in 0..60 {
                let inner = cache_with(Duration::from_millis(1));
                inner.insert(tenant, ledger.issue(tenant));
                outer.insert_with_ttl(tenant, inner, Duration::from_millis(20 * (tenant % 3)));
            }
            assert!(eventually(|| outer.is_empty()));
            // What is retired is freed as others go on.
            let are_gone = || {
                (0..300).for_each(|number| {
                    busy.insert_with_ttl(number, ledger.issue(number), OFTEN);
                });
                janitors() == 2
            };
            assert!(eventually(are_gone), "round {round}: {} janitors", janitors());
        }
        drop((outer, busy));
        assert!(eventually(|| janitors() == 0));
        ledger.settles_at(0);
    });
}

/// Dropped as its thread ends, after it was let go.
struct AtTheEnd(std::cell::OnceCell<Box<dyn Fn()>>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        if let Some(pass) = self.0.get() {
            pass();
        }
    }
}

thread_local! {
    static AT_THE_END: AtTheEnd = const { AtTheEnd(std::cell::OnceCell::new()) };
}

/// Catches a stop whose limit does not hold while the thread drops its locals, among them the user's, or which says that it is gone before.
#[test]
fn a_limit_holds_while_the_thread_drops_its_locals() {
    let _alone = alone();
    within_a_minute(|| {
        let (pass, has_entered, release) = gate();
        let pass = Arc::new(pass);
        let callback = move |_: &u64, _: &(), _| {
            let pass = pass.clone();
            AT_THE_END.with(|end| drop(end.0.set(Box::new(move || pass()))));
        };
        let cache = Cache::builder().cleanup_interval(OFTEN).on_removal(callback).build().expect("valid");
        cache.insert_with_ttl(1, (), Duration::from_millis(1));
        assert!(eventually(|| cache.is_empty()));
        assert!(!cache.stop_cleanup_within(OFTEN) || has_entered.try_recv().is_err());
        has_entered.recv().expect("the thread ends");
        let start = Instant::now();
        assert!(!cache.stop_cleanup_within(Duration::from_millis(50)), "it is not gone");
        assert!(start.elapsed() < seconds(10));
        release.send(()).expect("the destructor waits");
        cache.stop_cleanup();
        assert_eq!(janitors(), 0);
    });
}
