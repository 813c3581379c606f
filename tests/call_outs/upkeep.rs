//! The upkeep that a write does beside its own work (filing a record, dropping stale ones) against user code that runs in the same write.

use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use fleeting::{Cache, ManualClock, MemStore, RemovalCause, WeakCache};

use super::alone;
use super::common::{
    assert_sound, assert_store_sound, lock, provoke, quieten_provoked_panics, seconds, survive, wall_start,
    within_a_minute,
};
use super::plan::{self, Place};
use super::probes::{ProbedClock, bytes};

/// Stale records are tolerated up to this many, and what is filed before a writer looks.
const TOLERATED: u64 = 1_024 + 300;

/// Catches a writer that never again drops stale records after a clock panicked while it did: the index would grow without bound.
#[test]
fn a_panic_while_stale_records_are_dropped_does_not_end_that() {
    let _alone = alone();
    quieten_provoked_panics();
    let builder = Cache::builder().clock(ProbedClock(ManualClock::new())).cleanup_interval(Duration::ZERO);
    let cache = builder.build().expect("valid");
    let churn = || {
        for key in 0..3_000 {
            cache.insert_with_ttl(key, (), seconds(100));
            cache.remove(&key);
        }
    };
    for place in [Place::Clock, Place::CoarseClock] {
        plan::plan(place, if place == Place::Clock { 0 } else { 2_500 }, || provoke());
        let _ = survive(churn);
        plan::cancel();
        churn();
        let records = cache.stats().records;
        assert!(records <= TOLERATED, "{records} records for no entry");
    }
    assert_sound(&cache);
}

/// Catches a rename that a panic in upkeep ends half-way: the old token must not find the session beside the new one.
#[test]
fn a_panic_while_stale_records_are_dropped_leaves_no_rename_half_done() {
    let _alone = alone();
    quieten_provoked_panics();
    let clock = ProbedClock(ManualClock::starting_at(wall_start()));
    let store = MemStore::builder().clock(clock).cleanup_interval(Duration::ZERO).build().expect("valid");
    let expiry = wall_start() + seconds(100);
    for _ in 0..2_000 {
        // Seven records a round, so that upkeep comes to each of the writes in turn.
        for other in 0..5 {
            store.save(bytes(other), bytes(other), expiry);
            store.delete(bytes(other));
        }
        store.save(bytes(10), bytes(1), expiry);
        plan::plan(Place::Clock, 0, || provoke());
        let _ = survive(|| store.rename(bytes(10), bytes(11), expiry));
        plan::cancel();
        assert!(!(store.find(bytes(10)).is_some() && store.find(bytes(11)).is_some()), "both tokens find the session");
        store.delete(bytes(10));
        store.delete(bytes(11));
    }
    assert_store_sound(&store);
}

/// A cache whose entry under 1 never expires, and calls `f` with the cache when it is replaced.
fn replacing(f: impl Fn(&Cache<u64, u64>, &ManualClock) + Send + Sync + 'static) -> Cache<u64, u64> {
    let clock = ManualClock::new();
    let slot: Arc<OnceLock<WeakCache<u64, u64>>> = Arc::default();
    let (found, time) = (Arc::clone(&slot), clock.clone());
    let cache = Cache::builder()
        .clock(clock)
        .cleanup_interval(Duration::ZERO)
        .on_removal(move |_: &u64, _: &u64, cause| {
            if cause == RemovalCause::Replaced {
                f(&found.get().and_then(WeakCache::upgrade).expect("the caller holds it"), &time);
            }
        })
        .build()
        .expect("valid");
    assert!(slot.set(cache.downgrade()).is_ok());
    cache.insert(1, 10);
    cache
}

/// Catches an entry that can be read, but that no sweep knows, for as long as the callback about its predecessor runs.
#[test]
fn a_callback_about_a_replaced_entry_finds_the_new_one_filed() {
    let _alone = alone();
    within_a_minute(|| {
        let cache = replacing(|cache, clock| {
            assert_eq!(cache.get(&1), Some(11));
            clock.advance(seconds(2));
            assert_eq!(cache.sweep(), 1, "the new entry has expired");
            assert_eq!(cache.len(), 0);
        });
        assert!(!cache.insert_with_ttl(1, 11, seconds(1)));
        assert_eq!(cache.stats().contained_panics, 0);
        assert!(assert_sound(&cache).is_empty());
    });
}

/// Catches the same for a sweep by another thread, while that callback blocks.
#[test]
fn a_callback_that_blocks_keeps_no_new_entry_from_a_sweep() {
    let _alone = alone();
    within_a_minute(|| {
        let (reach, reached) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let cache = replacing(move |_, clock| {
            clock.advance(seconds(2));
            let _ = reach.send(());
            let _ = lock(&released).recv();
        });
        thread::scope(|scope| {
            scope.spawn(|| cache.insert_with_ttl(1, 11, seconds(1)));
            reached.recv().expect("it is replaced");
            let swept = cache.sweep();
            drop(release);
            assert_eq!(swept, 1, "the new entry has expired");
        });
        assert!(assert_sound(&cache).is_empty());
    });
}
