//! Single-flight loads, and callbacks that use the cache.
//!
//! Catches two loads of one key at once, a waiter that nobody wakes (a deadlock), a flight that outlives its panicking leader, a callback
//! that is told too much or too little.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fleeting::{Cache, WeakCache};
use fleeting_shuttle_tests::caches::{ALL, Fixed, Kind, World, join};
use fleeting_shuttle_tests::clock::{StepClock, ticks};
use fleeting_shuttle_tests::ledger::{Ledger, Value};
use fleeting_shuttle_tests::{explore, ignore};
use shuttle::thread;

/// Five threads ask for one key at once: one loads, whoever fails or panics hands over to the next, and the value is made once.
#[test]
fn one_load() {
    explore("one-load", || {
        let cache: Cache<u8, u32, Fixed> = Cache::builder()
            .hasher(Fixed::default())
            .cleanup_interval(Duration::ZERO)
            .clock(StepClock::default())
            .build()
            .expect("a plain configuration is accepted");
        let (loading, made) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let threads = (0..5_u32).map(|number| {
            let (cache, loading, made) = (cache.clone(), loading.clone(), made.clone());
            thread::spawn(move || {
                let load = || {
                    assert_eq!(loading.fetch_add(1, Ordering::SeqCst), 0, "two loads at once");
                    thread::yield_now();
                    loading.fetch_sub(1, Ordering::SeqCst);
                    match number {
                        0 => Err(()),
                        1 => resume_unwind(Box::new("provoked")),
                        _ => {
                            made.fetch_add(1, Ordering::SeqCst);
                            Ok(number)
                        }
                    }
                };
                let loaded = catch_unwind(AssertUnwindSafe(|| cache.try_get_or_insert_with(7, load)));
                match loaded {
                    Ok(Ok(value)) => assert_eq!(cache.get(&7), Some(value), "another value than is kept"),
                    Ok(Err(())) => assert_eq!(number, 0),
                    Err(payload) => {
                        assert_eq!(number, 1);
                        assert!(payload.is::<&str>());
                    }
                }
            })
        });
        let threads: Vec<_> = threads.collect();
        join(threads);
        assert_eq!(made.load(Ordering::SeqCst), 1, "the value was made more than once, or never");
    });
}

const LOADS: &[Kind] =
    &[Kind::GetOrInsertWith, Kind::GetOrInsertWith, Kind::LoadInVain, Kind::LoadAndPanic, Kind::Remove, Kind::Touch];

/// Loads that succeed, fail and panic, beside removals, expiry and growth.
#[test]
fn loads() {
    explore("loads", || {
        let fixed = |builder: fleeting::Builder<_, _>| builder.hasher(Fixed::default());
        let world = World::with(fixed, Some(ticks(2)), None);
        (10..16).for_each(|key| ignore(world.insert(key)));
        let loaders = [(); 4].map(|()| world.spawn(LOADS, 0..3, 6));
        let time = world.spawn(&[Kind::Sweep, Kind::Advance, Kind::Insert], 10..20, 6);
        join(loaders.into_iter().chain([time]));
        world.finish()
    });
}

/// A load that asks for its own key, and for another's, which asks back only after it is done.
#[test]
fn nested_loads() {
    explore("nested-loads", || {
        let world = World::new();
        let threads = [0, 1].map(|key| {
            let world = world.clone();
            thread::spawn(move || {
                let value = world.cache.get_or_insert_with(key, || {
                    // The same key nests.
                    let inner = world.cache.get_or_insert_with(key, || world.value(key));
                    // The other is asked for in one order by all, or two threads would wait for each other.
                    if key == 0 {
                        drop(world.cache.get_or_insert_with(1, || world.value(1)));
                    }
                    inner
                });
                assert_eq!(world.cache.get(&key), Some(value));
            })
        });
        join(threads);
        world.finish()
    });
}

/// The cache that a callback uses.
type Own = Arc<OnceLock<WeakCache<u8, Value, Fixed>>>;

/// A callback that inserts, removes and sweeps, and panics now and then, beside all operations.
#[test]
fn callbacks() {
    explore("callbacks", || {
        let (ledger, clock, own) = (Ledger::default(), StepClock::default(), Own::default());
        let (reports, depth, uses) = (ledger.clone(), Arc::new(AtomicUsize::new(0)), own.clone());
        let cache: Cache<u8, Value, Fixed> = Cache::builder()
            .hasher(Fixed::default())
            .cleanup_interval(Duration::ZERO)
            .clock(clock.clone())
            .on_removal(move |key: &u8, value: &Value, _| {
                reports.reported(value.number);
                let own = uses.get().and_then(WeakCache::upgrade);
                // No more than three deep: a callback that always writes would never end.
                if depth.fetch_add(1, Ordering::SeqCst) < 3
                    && let Some(cache) = own
                {
                    match value.number % 4 {
                        0 => ignore(cache.insert_with_ttl(key + 1, reports.value(key + 1), ticks(1))),
                        1 => ignore(cache.remove(&(key + 1))),
                        2 => ignore(cache.sweep()),
                        _ => {}
                    }
                }
                depth.fetch_sub(1, Ordering::SeqCst);
                if value.number.is_multiple_of(5) {
                    resume_unwind(Box::new("provoked"));
                }
            })
            .build()
            .expect("a plain configuration is accepted");
        assert!(own.set(cache.downgrade()).is_ok());
        let writers = [(); 3].map(|()| {
            let (cache, ledger, clock) = (cache.clone(), ledger.clone(), clock.clone());
            thread::spawn(move || {
                for round in 0..4 {
                    cache.insert_with_ttl(round % 2, ledger.value(round % 2), ticks(1 + u64::from(round)));
                    clock.advance(ticks(1));
                    cache.remove(&(round % 3));
                }
                cache.sweep();
            })
        });
        join(writers);
        clock.advance(ticks(1_000));
        cache.sweep();
        // What a sweep's callback inserts lives on for a tick.
        clock.advance(ticks(1_000));
        while cache.sweep() > 0 {
            clock.advance(ticks(1_000));
        }
        assert_eq!((cache.len(), cache.iter().count()), (0, 0));
        let stats = cache.stats();
        assert_eq!(stats.inserts, stats.removed + stats.expired);
        ledger.assert_settled([]);
        ledger
    });
}

/// All operations with a callback that is told of everything, and a handle that is dropped by its last user.
#[test]
fn last_handle() {
    explore("last-handle", || {
        let world = World::new();
        let ledger = world.ledger.clone();
        let threads = [(); 3].map(|()| world.spawn(ALL, 0..4, 4));
        // Whoever ends last drops the cache, with what is in it.
        drop(world);
        join(threads);
        ledger
    });
}
