//! One janitor for many caches.

#![cfg(target_os = "linux")]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use common::counted::{Counted, Ledger};
use common::janitors::{alone, eventually, janitors};
use common::{lock, provoke, seconds, within_a_minute};
use fleeting::{Builder, Cache, Clock, Janitor, MemStore};

const OFTEN: Duration = Duration::from_millis(5);
const SOON: Duration = Duration::from_millis(10);

fn janitor() -> Janitor {
    Janitor::new(OFTEN).expect("valid")
}

fn builder<V: Send + Sync + 'static>(janitor: &Janitor) -> Builder<u64, V> {
    Cache::builder().janitor(janitor)
}

fn cache<V: Send + Sync + 'static>(janitor: &Janitor) -> Cache<u64, V> {
    builder(janitor).build().expect("valid")
}

/// Catches a thread a cache, a cache that is not swept, one that is dropped and swept on, and a thread that does not end with the last.
#[test]
fn one_thread_sweeps_a_hundred_caches() {
    let _alone = alone();
    within_a_minute(|| {
        let (ledger, janitor) = (Ledger::new(), janitor());
        assert_eq!(janitors(), 0, "no cache, no thread");
        let mut caches: Vec<_> = (0..100).map(|_| cache(&janitor)).collect();
        assert!(eventually(|| janitors() == 1));
        for _ in 0..3 {
            caches.iter().for_each(|cache| {
                cache.insert_with_ttl(1, ledger.issue(1), SOON);
            });
            caches.iter().for_each(|cache| {
                cache.insert(2, ledger.issue(2));
            });
            assert!(eventually(|| caches.iter().all(|cache| cache.len() == 1)));
            assert_eq!(janitors(), 1);
        }
        // In any order: the first, the last, the middle, again.
        while caches.len() > 1 {
            let index = [0, caches.len() - 1, caches.len() / 2][caches.len() % 3];
            drop(caches.swap_remove(index));
            let left = &caches[caches.len() / 3];
            if caches.len().is_multiple_of(10) {
                left.insert_with_ttl(3, ledger.issue(3), SOON);
                assert!(eventually(|| left.len() == 1));
            }
            assert_eq!(janitors(), 1);
        }
        drop(janitor);
        let last = caches.pop().expect("one is left");
        last.insert_with_ttl(3, ledger.issue(3), SOON);
        assert!(eventually(|| last.len() == 1), "it lives as long as a cache uses it");
        drop(last);
        assert_eq!(janitors(), 0, "the last cache waits for the thread");
        ledger.settles_at(0);
    });
}

/// Catches a janitor that is of no use once its thread has ended.
#[test]
fn a_janitor_outlives_its_thread() {
    let _alone = alone();
    within_a_minute(|| {
        let janitor = janitor();
        for _ in 0..50 {
            let store = MemStore::builder().janitor(&janitor).build().expect("valid");
            store.save_for("a", "data", Duration::from_millis(1));
            assert!(eventually(|| store.is_empty()));
            drop(store);
            assert_eq!(janitors(), 0);
        }
    });
}

/// Catches a stop that stops the others, does not wait for its own sweep, or waits for another cache's.
#[test]
fn a_stop_is_of_one_cache() {
    let _alone = alone();
    within_a_minute(|| {
        let janitor = janitor();
        let (entered, has_entered) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let doors = Mutex::new((entered, released));
        let slow = builder(&janitor).on_removal(move |_, _: &u64, _| {
            let doors = lock(&doors);
            if doors.0.send(()).is_ok() {
                let _ = doors.1.recv();
            }
        });
        let (slow, other) = (slow.build().expect("valid"), cache::<u64>(&janitor));
        slow.insert_with_ttl(1, 1, Duration::from_millis(1));
        has_entered.recv().expect("it is swept");
        // The sweep of the one is under way: the other leaves at once, and the one does not.
        other.stop_cleanup();
        drop(other.clone());
        assert!(!slow.stop_cleanup_within(SOON));
        other.start_cleanup().expect("a thread");
        let stopping = thread::spawn({
            let slow = slow.clone();
            move || slow.stop_cleanup()
        });
        assert!(!stopping.is_finished());
        drop(has_entered);
        release.send(()).expect("the callback waits");
        stopping.join().expect("no panic");
        other.insert_with_ttl(1, 1, Duration::from_millis(1));
        slow.insert_with_ttl(2, 2, Duration::from_millis(1));
        assert!(eventually(|| other.is_empty()), "the thread goes on for the other");
        assert_eq!((slow.len(), janitors()), (1, 1));
        slow.start_cleanup().expect("a thread");
        assert!(eventually(|| slow.is_empty()));
        drop((slow, other));
        assert_eq!(janitors(), 0);
    });
}

/// A clock that panics once it is told to.
#[derive(Clone, Default)]
struct Broken(Arc<OnceLock<()>>);

impl Clock for Broken {
    fn elapsed(&self) -> Duration {
        if self.0.get().is_some() {
            provoke()
        }
        Duration::ZERO
    }
    fn origin(&self) -> Instant {
        Instant::now()
    }
}

/// Catches a panic of one cache's clock or callback that ends the thread, or the round.
#[test]
fn panics_of_one_cache_leave_the_others_alone() {
    let _alone = alone();
    within_a_minute(|| {
        let (janitor, clock) = (janitor(), Broken::default());
        let before = cache::<u64>(&janitor);
        let panicking = builder(&janitor).on_removal(|_, _: &u64, _| provoke()).build().expect("valid");
        let broken = builder::<u64>(&janitor).clock(clock.clone()).build().expect("valid");
        let after = cache::<u64>(&janitor);
        clock.0.set(()).expect("once");
        for _ in 0..5 {
            for cache in [&before, &panicking, &after] {
                cache.insert_with_ttl(1, 1, Duration::from_millis(1));
            }
            assert!(eventually(|| [&before, &panicking, &after].iter().all(|cache| cache.is_empty())));
        }
        assert!(eventually(|| panicking.stats().contained_panics == 5));
        drop((before, panicking, broken, after));
        assert_eq!(janitors(), 0);
    });
}

/// Catches a janitor that waits for itself, or loses its way in its list: a callback drops other caches of it, its own among them.
#[test]
fn caches_that_are_dropped_and_built_by_callbacks() {
    let _alone = alone();
    within_a_minute(|| {
        for _ in 0..10 {
            let (ledger, janitor) = (Ledger::new(), janitor());
            let caches: Arc<Mutex<Vec<Cache<u64, Counted>>>> = Arc::default();
            let built = Arc::new(AtomicUsize::new(0));
            for _ in 0..20 {
                let (uses, its, built) = (caches.clone(), janitor.clone(), built.clone());
                let cache = builder(&janitor).on_removal(move |_, _: &Counted, _| {
                    let taken = lock(&uses).pop();
                    drop(taken);
                    drop(cache::<u64>(&its));
                    built.fetch_add(1, Ordering::Relaxed);
                });
                let cache = cache.build().expect("valid");
                cache.insert_with_ttl(1, ledger.issue(1), SOON);
                (2..9).for_each(|number| {
                    cache.insert(number, ledger.issue(number));
                });
                lock(&caches).push(cache);
            }
            drop(janitor);
            assert!(eventually(|| lock(&caches).len() < 20 && built.load(Ordering::Relaxed) > 0));
            let rest = std::mem::take(&mut *lock(&caches));
            drop(rest);
            drop(caches);
            assert!(eventually(|| janitors() == 0));
            ledger.settles_at(0);
        }
    });
}

/// Catches a list that several threads damage.
#[test]
fn caches_that_come_and_go_on_many_threads() {
    let _alone = alone();
    within_a_minute(|| {
        let (ledger, janitor) = (Ledger::new(), janitor());
        thread::scope(|scope| {
            for number in 0..4_u64 {
                let (ledger, janitor) = (&ledger, &janitor);
                scope.spawn(move || {
                    for round in 0..60 {
                        let cache = cache(janitor);
                        cache.insert_with_ttl(number, ledger.issue(number), Duration::from_millis(1));
                        match round % 4 {
                            0 => assert!(eventually(|| cache.is_empty())),
                            1 => cache.stop_cleanup(),
                            2 => cache.start_cleanup().expect("a thread"),
                            _ => {}
                        }
                    }
                });
            }
        });
        assert_eq!(janitors(), 0);
        ledger.settles_at(0);
    });
}

/// Catches what makes no sense and is accepted.
#[test]
fn what_is_refused() {
    let _alone = alone();
    assert_eq!(Janitor::new(Duration::ZERO).expect_err("zero").field(), "interval");
    let janitor = Janitor::new(Duration::MAX).expect("valid");
    let both = builder::<u64>(&janitor).cleanup_interval(OFTEN).build().expect_err("both");
    assert_eq!(both.field(), "cleanup_interval");
    let both = MemStore::builder().cleanup_interval(Duration::ZERO).janitor(&janitor).build().expect_err("both");
    assert_eq!(both.field(), "cleanup_interval");
    assert_eq!(format!("{janitor:?}"), format!("Janitor {{ interval: {:?}, .. }}", Duration::MAX));
    let cache = cache::<u64>(&janitor);
    assert!(eventually(|| janitors() == 1));
    assert!(cache.stop_cleanup_within(seconds(50)));
    assert_eq!(janitors(), 0);
}
