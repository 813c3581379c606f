//! The janitor as a thread among the others: sweeps between any two of their steps, stop, drop, and a callback that stops it.
//!
//! Catches a stop that waits for ever (a deadlock), a janitor that outlives its cache (its entries leak), a sweep that is cut short and
//! forgets records.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fleeting::{Cache, MemStore, WeakCache};
use fleeting_shuttle_tests::caches::{self, Fixed, Kind, join};
use fleeting_shuttle_tests::clock::{StepClock, ticks};
use fleeting_shuttle_tests::ledger::{Ledger, Value};
use fleeting_shuttle_tests::stores;
use fleeting_shuttle_tests::{explore, ignore};
use shuttle::thread;

fn world() -> caches::World {
    let configure = |builder: fleeting::Builder<u8, Value>| {
        builder.hasher(Fixed::default()).cleanup_interval(Duration::from_secs(1))
    };
    caches::World::with(configure, None, None)
}

const KINDS: &[Kind] = &[
    Kind::InsertWithTtl,
    Kind::InsertWithTtl,
    Kind::Touch,
    Kind::Persist,
    Kind::Update,
    Kind::Remove,
    Kind::Get,
    Kind::Sweep,
    Kind::Advance,
];

/// All that moves deadlines beside a janitor, which is then stopped: nothing is forgotten.
#[test]
fn cache_with_janitor() {
    explore("cache-with-janitor", || {
        let world = world();
        join([(); 3].map(|()| world.spawn(KINDS, 0..3, 6)));
        world.cache.stop_cleanup();
        world.finish()
    });
}

/// The same for a store.
#[test]
fn store_with_janitor() {
    explore("store-with-janitor", || {
        let world = stores::World::with(|builder| builder.cleanup_interval(Duration::from_secs(1)));
        join([(); 3].map(|()| world.spawn(stores::ALL, 3, 6)));
        world.store.stop_cleanup();
        world.finish();
    });
}

/// Stopped by three threads at once, in the middle of whatever it does; then used on.
#[test]
fn stops() {
    explore("stops", || {
        let world = world();
        (0..4).for_each(|key| ignore(world.insert_with_ttl(key, ticks(1))));
        world.clock.advance(ticks(1));
        let stops = [(); 3].map(|()| {
            let world = world.clone();
            thread::spawn(move || {
                world.cache.stop_cleanup();
                ignore(world.insert_with_ttl(7, ticks(1)));
                world.cache.stop_cleanup();
            })
        });
        join(stops);
        world.finish()
    });
}

/// The last handle is dropped by whichever thread is last, while the janitor sweeps.
#[test]
fn drops() {
    explore("drops", || {
        let world = world();
        let ledger = world.ledger.clone();
        (0..4).for_each(|key| ignore(world.insert_with_ttl(key, ticks(1))));
        world.clock.advance(ticks(1));
        let threads = [(); 3].map(|()| world.spawn(KINDS, 0..4, 2));
        drop(world);
        join(threads);
        // When the last handle is gone, so is the janitor: nothing more is reported or dropped after this.
        ledger
    });
}

/// A callback stops the janitor, from the janitor's thread or another's, and drops what may be the last handle.
#[test]
fn callback_stops_the_janitor() {
    explore("callback-stops-the-janitor", || {
        let (ledger, clock) = (Ledger::default(), StepClock::default());
        let own: Arc<OnceLock<WeakCache<u8, Value, Fixed>>> = Arc::default();
        let (reports, uses) = (ledger.clone(), own.clone());
        let cache: Cache<u8, Value, Fixed> = Cache::builder()
            .hasher(Fixed::default())
            .clock(clock.clone())
            .on_removal(move |_: &u8, value: &Value, _| {
                reports.reported(value.number);
                if let Some(cache) = uses.get().and_then(WeakCache::upgrade) {
                    cache.stop_cleanup();
                }
            })
            .build()
            .expect("a plain configuration is accepted");
        assert!(own.set(cache.downgrade()).is_ok());
        (0..3).for_each(|key| ignore(cache.insert_with_ttl(key, ledger.value(key), ticks(1))));
        let threads = [3, 4].map(|key| {
            let (cache, ledger, clock) = (cache.clone(), ledger.clone(), clock.clone());
            thread::spawn(move || {
                clock.advance(ticks(1));
                ignore(cache.insert_with_ttl(key, ledger.value(key), ticks(1)));
                ignore(cache.get(&0));
            })
        });
        drop(cache);
        join(threads);
        // The last handle may have been a callback's on the janitor's own thread, which ends when the callback has: it drops the
        // clock, and then the rest, in some dozen steps.
        while clock.handles() > 1 {
            thread::yield_now();
        }
        (0..100).for_each(|_| thread::yield_now());
        ledger
    });
}

/// Stores that are made and dropped at once, with nothing in them, and with something.
#[test]
fn starts() {
    explore("starts", || {
        let threads = [0, 2].map(|sessions| {
            thread::spawn(move || {
                let store = MemStore::new(Duration::from_secs(1));
                (0..sessions).for_each(|token| store.save_for(stores::name(token), [0; 4], Duration::from_secs(9)));
                let other = store.clone();
                thread::spawn(move || drop(other)).join().expect("it did not panic");
            })
        });
        join(threads);
    });
}
