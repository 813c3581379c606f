//! Scenarios of one cache on one thread.

use std::hash::BuildHasher;
use std::time::Duration;

use fleeting::{Cache, ManualClock, Op};

use super::HalfConstant;
use crate::common::{ConstantHasher, Provoked, ignore, manual_cache, provoke, recording_cache, seconds, survive};

type Text = Cache<u64, String>;

/// A value of its own allocation, so that a value that is forgotten shows too.
fn value(number: u64) -> String {
    format!("value {number}")
}

fn with_hasher<S: BuildHasher + Send + Sync + 'static>(hasher: S) -> (Cache<u64, String, S>, ManualClock) {
    let clock = ManualClock::new();
    let builder = Cache::builder().hasher(hasher).cleanup_interval(Duration::ZERO).clock(clock.clone());
    (builder.build().expect("valid"), clock)
}

/// Catches tables that are not retired.
pub fn growth() {
    let (cache, _): (Text, _) = manual_cache();
    for key in 0..100_000 {
        cache.insert_with_ttl(key, value(key), seconds(60));
    }
    assert_eq!(cache.len(), 100_000);
}

/// Catches a table, or entries in two tables, that are forgotten when the last handle goes in the middle of a growth.
pub fn growth_under_way() {
    for size in (1..300).chain(4_095..4_105).chain(33_000..33_004) {
        let (cache, _): (Text, _) = manual_cache();
        for key in 0..size {
            cache.insert(key, value(key));
        }
    }
}

/// Catches spills that are not retired when they change, move in a growth, or empty.
pub fn spills_drained() {
    for size in [9, 33, 60, 200] {
        let (cache, clock) = with_hasher(ConstantHasher);
        (0..size).for_each(|key| ignore(cache.insert_with_ttl(key, value(key), seconds(1 + key % 3))));
        (0..size).for_each(|key| ignore(cache.insert_with_ttl(key, value(key + 1), seconds(1 + key % 3))));
        (0..size).for_each(|key| ignore(cache.update(&key, |old| old.clone() + "!")));
        (0..size).step_by(3).for_each(|key| assert!(cache.remove(&key)));
        clock.advance(seconds(2));
        cache.sweep();
        clock.advance(seconds(1));
        assert!((0..size).all(|key| cache.get(&key).is_none()));
        assert!(cache.is_empty());
    }
}

/// Catches a spill, or what is in it, that is forgotten when the map is dropped.
pub fn spills_left() {
    for size in [7, 8, 9, 40, 300] {
        let (cache, _) = with_hasher(ConstantHasher);
        (0..size).for_each(|key| ignore(cache.insert_with_ttl(key, value(key), seconds(60))));
    }
}

/// Catches a spill of a bucket that is half moved when the map is dropped.
pub fn spills_under_way() {
    for size in 1..160 {
        let (cache, _) = with_hasher(HalfConstant);
        (0..size).for_each(|key| ignore(cache.insert(key, value(key))));
        (0..size).step_by(5).for_each(|key| ignore(cache.remove(&key)));
    }
}

/// Catches a replaced node, an inherited deadline's predecessor, or a node that was made in vain.
pub fn replacements() {
    let (cache, clock): (Text, _) = manual_cache();
    for round in 0..5 {
        for key in 0..2_000 {
            cache.insert_with_ttl(key, value(round), seconds(10 + key % 5));
            cache.update(&key, |old| old.clone() + ".");
            ignore(cache.replace(key, value(key)));
            cache.compute(key, |old| match key % 4 {
                0 => Op::Keep,
                1 => Op::Put(old.cloned().unwrap_or_default()),
                2 => Op::PutWithTtl(value(key), seconds(5)),
                _ => Op::Remove,
            });
            cache.insert_with_ttl(key, value(key), Duration::ZERO);
        }
        clock.advance(seconds(1));
    }
    let (numbers, _) = manual_cache::<u64, u64>();
    numbers.insert(1, 0);
    assert!((1..=100).all(|sum| numbers.increment(&1, 1) == Some(sum)));
}

/// Catches chunks, emptied piles and replaced hints.
pub fn touches_and_sweeps() {
    let (cache, clock): (Text, _) = manual_cache();
    for key in 0..5_000 {
        cache.insert_with_ttl(key, value(key), seconds(100 + key % 100));
    }
    for key in 0..5_000 {
        match key % 4 {
            0 => assert!(cache.touch(&key, seconds(1 + key % 50))),
            1 => assert!(cache.touch(&key, seconds(1_000))),
            2 => assert!(cache.persist(&key) && cache.touch(&key, Duration::from_millis(1 + key))),
            _ => {}
        }
    }
    for _ in 0..400 {
        clock.advance(Duration::from_millis(700));
        cache.sweep();
    }
    assert_eq!(cache.len(), 1_250, "those that were extended are left");
    clock.advance(seconds(1_000));
    assert_eq!(cache.sweep(), 1_250);
    assert_eq!(cache.stats().records, 0);
}

/// Catches piles, chunks and hints that are forgotten when the index is dropped: open ones, a sealed one, many ticks.
pub fn piles_left() {
    for swept in [false, true] {
        let (cache, clock): (Text, _) = manual_cache();
        for key in 0..3_000 {
            cache.insert_with_ttl(key, value(key), Duration::from_millis(1 + key * key));
        }
        clock.advance(seconds(1_000));
        if swept {
            cache.sweep();
        }
    }
}

/// Catches what is retired when piles are taken early, because stale records outnumber entries (F7).
pub fn early_takes() {
    let (cache, _): (Text, _) = manual_cache();
    for key in 0..20_000 {
        cache.insert_with_ttl(key, value(key), seconds(3_600 + key % 600));
        if let Some(old) = key.checked_sub(500) {
            assert!(cache.remove(&old));
        }
    }
    let stats = cache.stats();
    assert!(stats.records < 3_000 && stats.records_handled > 10_000, "piles were taken early: {stats:?}");
}

/// Catches a removal, in any of its forms, that forgets its node.
pub fn removals() {
    let (cache, _, removals) = recording_cache::<u64, String>();
    for round in 0..3 {
        for key in 0..2_000 {
            cache.insert_with_ttl(key, value(key), seconds(60));
        }
        for key in 0..1_000 {
            match key % 4 {
                0 => assert!(cache.remove(&key)),
                1 => assert!(cache.take(&key).is_some()),
                2 => assert!(cache.remove_if(&key, |_| true)),
                _ => assert!(!cache.remove_if(&key, |_| false)),
            }
        }
        cache.retain(|key, _| key % 3 == 0);
        if round > 0 {
            cache.clear();
        }
    }
    assert!(cache.is_empty());
    assert!(removals.drain().len() >= 6_000);
}

/// Catches key and value of an insert that was refused.
pub fn refusals() {
    let (cache, _): (Cache<String, String>, _) = manual_cache();
    for number in 0..200 {
        let key = || format!("key {number}");
        cache.insert(key(), value(number));
        let (back, _) = cache.insert_if_absent(key(), value(number)).expect_err("there is one");
        assert_eq!(back, key());
        assert!(cache.replace(format!("no key {number}"), value(number)).is_err());
        cache.insert_with_ttl(format!("dead {number}"), value(number), Duration::ZERO);
        cache.compute(key(), |_| Op::Keep);
        assert!(cache.try_get_or_insert_with(format!("no load {number}"), || Err("no")).is_err());
    }
    assert_eq!(cache.len(), 200);
}

/// Catches an entry that a reader or a writer found expired.
pub fn met_expired() {
    let (cache, clock): (Text, _) = manual_cache();
    for _ in 0..3 {
        (0..900).for_each(|key| ignore(cache.insert_with_ttl(key, value(key), seconds(1))));
        clock.advance(seconds(1));
        for key in 0..600 {
            match key % 3 {
                0 => assert_eq!(cache.get(&key), None),
                1 => assert!(!cache.update(&key, String::clone)),
                _ => assert!(cache.insert(key, value(key))),
            }
        }
    }
}

/// Catches what a closure that panics leaves behind.
pub fn panics() {
    let (cache, _): (Text, _) = manual_cache();
    for key in 0..300 {
        cache.insert_with_ttl(key, value(key), seconds(60));
        assert!(survive(|| cache.update(&key, |_| provoke())).is_none());
        assert!(survive(|| cache.compute(key, |_| provoke())).is_none());
        assert!(survive(|| cache.remove_if(&key, |_| provoke())).is_none());
        assert!(survive(|| cache.read(&key, |_| -> () { provoke() })).is_none());
        assert!(survive(|| cache.get_or_insert_with(key + 1_000, || provoke())).is_none());
    }
    assert!(survive(|| cache.retain(|key, _| if *key == 7 { provoke() } else { key % 2 == 0 })).is_none());
    assert_eq!(cache.insert_if_absent(1_007, value(1)), Ok(()), "no load is left over");
}

/// Catches the payload of a panic that was contained, of a callback or a value's `Drop`.
pub fn contained_panics() {
    /// The payload, with memory of its own; its drop panics too, at times.
    struct Message(Vec<u8>);
    impl Drop for Message {
        fn drop(&mut self) {
            if self.0[0].is_multiple_of(5) {
                std::panic::resume_unwind(Box::new(Provoked));
            }
        }
    }
    fn fail(number: u64) -> ! {
        std::panic::resume_unwind(Box::new(Message(vec![number as u8; 100])))
    }
    struct Trap(u64);
    impl Drop for Trap {
        fn drop(&mut self) {
            if self.0.is_multiple_of(2) {
                fail(self.0 / 2);
            }
        }
    }
    let cache = Cache::builder()
        .cleanup_interval(Duration::ZERO)
        .on_removal(|key: &u64, _: &Trap, _| fail(*key))
        .build()
        .expect("valid");
    for key in 0..100 {
        cache.insert(key, Trap(key));
        cache.insert(key, Trap(key + 1));
        if key % 3 == 0 {
            assert!(cache.remove(&key));
        }
    }
    assert_eq!(cache.stats().contained_panics, 134);
}

/// Catches flights: those that landed, failed, panicked, or were nested.
pub fn loads() {
    let (cache, clock): (Text, _) = manual_cache();
    for key in 0..1_000 {
        assert_eq!(cache.get_or_insert_with(key, || value(key)), value(key));
        assert!(cache.try_get_or_insert_with(key + 5_000, || Err::<String, _>(value(key))).is_err());
        assert!(survive(|| cache.get_or_insert_with(key + 6_000, || provoke())).is_none());
        let nested = || cache.get_or_insert_with(key + 7_000, || value(key)) + "!";
        ignore(cache.get_or_insert_with(key + 7_000, nested));
        clock.advance(seconds(1));
    }
}

/// Catches clones, batches and pins of walks that are dropped half way.
pub fn walks() {
    let (cache, _): (Text, _) = manual_cache();
    (0..3_000).for_each(|key| ignore(cache.insert(key, value(key))));
    for most in [0, 1, 10, 1_000, 10_000] {
        assert_eq!(cache.iter().take(most).count(), most.min(3_000));
        let pinned = cache.pin();
        assert_eq!(pinned.iter().take(most).count(), most.min(3_000));
        assert!(pinned.get(&7).is_some());
        cache.insert(7, value(most as u64));
    }
    let mut walk = cache.iter();
    assert!(walk.next().is_some());
    cache.clear();
}

/// Catches what weak handles, clones, and builders that are refused hold.
pub fn handles() {
    let (cache, _): (Text, _) = manual_cache();
    let (clone, weak) = (cache.clone(), cache.downgrade());
    cache.insert(1, value(1));
    drop(cache);
    assert!(weak.upgrade().is_some_and(|cache| cache.get(&1).is_some()));
    drop(clone);
    assert!(weak.upgrade().is_none());
    let text = value(1);
    let refused = Cache::<u64, u64>::builder().on_removal(move |_, _, _| ignore(text.len()));
    assert!(refused.time_to_live(Duration::ZERO).build().is_err());
    let huge = Cache::<u64, u64>::builder().capacity(usize::MAX).cleanup_interval(Duration::ZERO);
    assert!(huge.build().is_err());
    let idle = Cache::builder().time_to_idle(seconds(9)).time_to_live(seconds(99)).cleanup_interval(Duration::ZERO);
    let idle: Text = idle.capacity(5_000).build().expect("valid");
    (0..100).for_each(|key| ignore(idle.insert(key, value(key))));
    assert!((0..100).all(|key| idle.get_and_touch(&key, seconds(1)).is_some()));
}
