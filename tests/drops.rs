//! Keys and values are dropped exactly once, whichever way they leave. Catches leaks and second drops.

mod common;

use std::time::Duration;

use common::counted::{Counted, Ledger};
use common::{manual_cache, seconds, wall_start};
use fleeting::{Cache, ManualClock, MemStore, Op, Outcome};

/// A cache whose keys and values are counted, without a janitor.
fn counted_cache() -> (Cache<Counted, Counted>, ManualClock, Ledger, Ledger) {
    let (cache, clock) = manual_cache();
    (cache, clock, Ledger::new(), Ledger::new())
}

/// Catches a replaced value, or the spare key of a replacement, that leaks.
#[test]
fn replaced_values_are_dropped_once() {
    let (cache, _, keys, values) = counted_cache();
    for round in 0..20 {
        for key in 0..100 {
            cache.insert(keys.issue(key), values.issue(round));
        }
    }
    keys.settles_at(100);
    values.settles_at(100);
    for key in 0..100 {
        assert!(cache.replace(keys.issue(key), values.issue(77)).is_ok());
        assert!(cache.update(&key, |value| values.issue(value.tag() + 1)));
        assert_eq!(cache.compute(keys.issue(key), |_| Op::Put(values.issue(78))), Outcome::Replaced);
    }
    keys.settles_at(100);
    values.settles_at(100);
    assert!(cache.iter().all(|(_, value)| value.tag() == 78));
    drop(cache);
    keys.settles_at(0);
    values.settles_at(0);
}

/// Catches removal in any of its forms that leaks, or that drops what it hands out.
#[test]
fn removed_values_are_dropped_once() {
    let (cache, _, keys, values) = counted_cache();
    for key in 0..1_000 {
        cache.insert(keys.issue(key), values.issue(key));
    }
    let mut taken = Vec::new();
    for key in 0..500 {
        match key % 5 {
            0 => assert!(cache.remove(&key)),
            1 => taken.extend(cache.take(&key)),
            2 => assert!(cache.remove_if(&key, |value| value.tag() == key)),
            3 => assert_eq!(cache.compute(keys.issue(key), |_| Op::Remove), Outcome::Removed),
            _ => assert!(cache.remove(&key)),
        }
    }
    keys.settles_at(500);
    values.settles_at(600);
    assert!(taken.iter().all(|value| value.tag() % 5 == 1));
    drop(taken);
    cache.retain(|key, _| key.tag() % 2 == 0);
    keys.settles_at(250);
    values.settles_at(250);
    cache.clear();
    keys.settles_at(0);
    values.settles_at(0);
}

/// Catches expired entries that leak: those swept, those met by a reader, and those written over.
#[test]
fn expired_values_are_dropped_once() {
    let (cache, clock, keys, values) = counted_cache();
    for key in 0..900 {
        cache.insert_with_ttl(keys.issue(key), values.issue(key), seconds(1));
    }
    clock.advance(seconds(1));
    for key in 0..300 {
        assert!(cache.get(&key).is_none());
    }
    for key in 300..600 {
        assert!(cache.insert(keys.issue(key), values.issue(key)));
    }
    cache.sweep();
    keys.settles_at(300);
    values.settles_at(300);
    for key in 0..50 {
        cache.insert_with_ttl(keys.issue(key), values.issue(key), Duration::ZERO);
        cache.insert_until(keys.issue(key + 300), values.issue(key), clock.instant());
    }
    cache.sweep();
    keys.settles_at(250);
    values.settles_at(250);
}

/// Catches entries that growth copies instead of moving, and tables that are never freed with what they hold.
#[test]
fn growth_moves_entries_and_drops_none() {
    let (cache, _, keys, values) = counted_cache();
    for key in 0..20_000 {
        cache.insert(keys.issue(key), values.issue(key));
        if key.is_power_of_two() {
            assert_eq!(values.alive(), key as usize + 1);
        }
    }
    keys.settles_at(20_000);
    values.settles_at(20_000);
    assert!((0..20_000).all(|key| cache.read(&key, Counted::tag) == Some(key)));
    drop(cache);
    keys.settles_at(0);
    values.settles_at(0);
}

/// Catches a refused insert that keeps, drops or duplicates what it hands back.
#[test]
fn refused_inserts_hand_key_and_value_back() {
    let (cache, _, keys, values) = counted_cache();
    cache.insert(keys.issue(1), values.issue(10));
    let (key, value) = cache.insert_if_absent(keys.issue(1), values.issue(11)).expect_err("present");
    assert_eq!((key.tag(), value.tag()), (1, 11));
    let (other, second) = cache.replace(keys.issue(2), values.issue(12)).expect_err("absent");
    assert_eq!((other.tag(), second.tag()), (2, 12));
    assert_eq!((keys.alive(), values.alive()), (3, 3));
    drop((key, value, other, second));
    keys.settles_at(1);
    values.settles_at(1);
    assert_eq!(cache.compute(keys.issue(1), |_| Op::Keep), Outcome::Kept);
    assert_eq!(cache.compute(keys.issue(3), |_| Op::Keep), Outcome::Absent);
    assert_eq!(cache.get_or_insert_with(keys.issue(1), || values.issue(99)).tag(), 10);
    assert!(cache.try_get_or_insert_with(keys.issue(3), || Err::<Counted, _>("no")).is_err());
    keys.settles_at(1);
    values.settles_at(1);
}

/// Catches values lost in a load: one stays with the cache, one goes to the caller.
#[test]
fn loaded_values_are_dropped_once() {
    let (cache, _, keys, values) = counted_cache();
    for key in 0..100 {
        let loaded = cache.get_or_insert_with(keys.issue(key), || values.issue(key));
        assert_eq!(loaded.tag(), key);
    }
    keys.settles_at(100);
    values.settles_at(100);
    cache.clear();
    keys.settles_at(0);
    values.settles_at(0);
}

/// Catches a cache that leaks when it is dropped at any stage of growth, with dead entries in it, or through a clone.
#[test]
fn dropping_the_cache_drops_everything() {
    for size in [0, 1, 7, 8, 9, 31, 32, 33, 100, 1_000, 5_000] {
        let (cache, clock, keys, values) = counted_cache();
        let clone = cache.clone();
        for key in 0..size {
            cache.insert_with_ttl(keys.issue(key), values.issue(key), seconds(1 + key % 2));
        }
        clock.advance(seconds(1));
        drop(cache);
        assert_eq!(values.alive(), size as usize, "a handle is left");
        drop(clone);
        keys.settles_at(0);
        values.settles_at(0);
    }
}

/// Catches an iterator or pin, dropped half-way, that leaks or keeps what it saw.
#[test]
fn iterators_dropped_half_way_leak_nothing() {
    let (cache, _, keys, values) = counted_cache();
    for key in 0..1_000 {
        cache.insert(keys.issue(key), values.issue(key));
    }
    let seen: Vec<_> = cache.iter().take(10).collect();
    assert_eq!((keys.alive(), values.alive()), (1_010, 1_010), "an iterator clones what it yields");
    drop(seen);
    {
        let pinned = cache.pin();
        assert_eq!(pinned.iter().take(10).count(), 10);
        cache.clear();
        assert_eq!(values.alive(), 1_000, "nothing is freed under the pin");
    }
    keys.settles_at(0);
    values.settles_at(0);
}

/// Catches entries that a dead thread's garbage holds for ever.
#[test]
fn values_removed_by_a_thread_that_ended_are_dropped() {
    let (cache, _, keys, values) = counted_cache();
    for round in 0..10 {
        for key in 0..100 {
            cache.insert(keys.issue(key), values.issue(round));
        }
        let cache = cache.clone();
        std::thread::spawn(move || (0..100).filter(|key| cache.remove(key)).count()).join().expect("no panic");
    }
    keys.settles_at(0);
    values.settles_at(0);
}

/// Catches a callback that gets a value already dropped, or a drop that comes twice with a callback.
#[test]
fn values_are_alive_in_the_callback_and_dropped_after_it() {
    let (keys, values) = (Ledger::new(), Ledger::new());
    let clock = ManualClock::new();
    let seen = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let sum = std::sync::Arc::clone(&seen);
    let cache = Cache::builder()
        .cleanup_interval(Duration::ZERO)
        .clock(clock.clone())
        .on_removal(move |key: &Counted, value: &Counted, _| {
            assert_eq!(key.tag() + 1, value.tag());
            sum.fetch_add(value.clone().tag(), std::sync::atomic::Ordering::Relaxed);
        })
        .build()
        .expect("valid");
    for key in 0..100 {
        cache.insert_with_ttl(keys.issue(key), values.issue(key + 1), seconds(1));
    }
    for key in 0..30 {
        cache.insert(keys.issue(key), values.issue(key + 1));
        assert!(cache.remove(&key));
    }
    clock.advance(seconds(1));
    assert_eq!(cache.sweep(), 70);
    assert_eq!(cache.stats().contained_panics, 0);
    let twice_the_first: u64 = (1..=30).sum::<u64>() * 2;
    assert_eq!(seen.load(std::sync::atomic::Ordering::Relaxed), twice_the_first + (31..=100).sum::<u64>());
    keys.settles_at(0);
    values.settles_at(0);
}

/// Catches a handle whose bytes go with the store.
#[test]
fn session_data_outlives_its_store() {
    let clock = ManualClock::starting_at(wall_start());
    let store = MemStore::builder().cleanup_interval(Duration::ZERO).clock(clock.clone()).build().expect("valid");
    let text = |key: u32| format!("session {key} {}", "x".repeat(key as usize % 300));
    for key in 0..2_000_u32 {
        store.save_for(key.to_le_bytes(), text(key), seconds(1 + u64::from(key % 4)));
    }
    let handles: Vec<_> = (0..2_000_u32).map(|key| store.find(key.to_le_bytes()).expect("live")).collect();
    for key in 0..200_u32 {
        store.delete(key.to_le_bytes());
        store.save_for((key + 200).to_le_bytes(), "other", seconds(9));
    }
    clock.advance(seconds(1));
    store.sweep();
    let check = |handles: &[fleeting::SessionData]| {
        for (key, handle) in handles.iter().enumerate() {
            assert_eq!(&**handle, text(key as u32).as_bytes());
        }
    };
    check(&handles);
    store.clear();
    check(&handles);
    drop(store);
    let other = MemStore::builder().cleanup_interval(Duration::ZERO).build().expect("valid");
    for key in 0..5_000_u32 {
        other.save_for(key.to_le_bytes(), text(7), seconds(60)); // Memory freed too early would be used again.
        fleeting::release_thread_memory();
    }
    check(&handles);
}

/// Catches a collector that is called by what it runs, level above level, until the stack is full: a value's `Drop` that writes to a store retires there.
#[test]
fn values_may_write_to_a_store_as_they_are_dropped() {
    const VALUES: u64 = 5_000;

    struct Saves(MemStore);

    impl Drop for Saves {
        fn drop(&mut self) {
            // Large enough for the store's own garbage to be handed over at once.
            self.0.save_for("last words", [7; 70_000], Duration::from_secs(60));
        }
    }

    let (store, cache) =
        (MemStore::new(Duration::ZERO), Cache::<u64, Saves>::builder().build().expect("nothing is refused"));
    let (theirs, stack) = (store.clone(), 256 << 10);
    let removes = move || {
        (0..VALUES).for_each(|key| assert!(cache.insert(key, Saves(theirs.clone()))));
        // All wait for the pin, and come to be dropped together.
        let pinned = cache.pin();
        (0..VALUES).for_each(|key| assert!(cache.remove(&key)));
        drop(pinned);
        for key in 0.. {
            assert!(!cache.remove(&key));
            if theirs.stats().replaced + 1 >= VALUES {
                return;
            }
        }
    };
    std::thread::Builder::new().stack_size(stack).spawn(removes).expect("a thread").join().expect("no panic");
    assert_eq!(store.find("last words").expect("saved").len(), 70_000);
}
