//! Two threads at the same moment: walk and growth, touch and sweep, save and sweep, two removals of one entry.

mod common;

use std::collections::HashMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use common::threads::{WORKERS, beside, workers};
use common::{Random, assert_sound, ignore, manual_cache, scaled, seconds};
use fleeting::{Op, Outcome};

/// Catches entries that a walk misses or repeats while the table grows under it.
#[test]
fn iteration_sees_each_entry_that_is_there_throughout_exactly_once() {
    const STABLE: u64 = 700;
    let walks = AtomicUsize::new(0);
    for _ in 0..scaled(40) {
        let (cache, _) = manual_cache::<u64, u64>();
        for key in 0..STABLE {
            cache.insert_with_ttl(key, key, seconds(60));
        }
        let mut random = Random::new(5);
        let disturb = || {
            cache.touch(&random.below(STABLE), seconds(60 + random.below(60)));
            cache.sweep();
        };
        beside(disturb, || {
            let growing = AtomicUsize::new(2);
            workers(|worker| {
                if worker < 2 {
                    // New entries for the table to grow; the odd ones leave at once.
                    for number in 0..15_000 {
                        let key = STABLE + number * 2 + worker;
                        cache.insert(key, key);
                        if number % 2 == 1 {
                            cache.remove(&key);
                        }
                    }
                    growing.fetch_sub(1, Ordering::Relaxed);
                    return;
                }
                loop {
                    let last = growing.load(Ordering::Relaxed) == 0;
                    let mut seen = HashMap::new();
                    let mut note = |key: u64| *seen.entry(key).or_insert(0_u32) += 1;
                    if worker == 2 {
                        cache.iter().for_each(|(key, value)| {
                            assert_eq!(key, value);
                            note(key);
                        });
                    } else {
                        cache.pin().iter().for_each(|(key, _)| note(*key));
                    }
                    assert!(seen.values().all(|count| *count == 1), "an entry was seen twice");
                    assert!((0..STABLE).all(|key| seen.contains_key(&key)), "an entry was missed");
                    walks.fetch_add(1, Ordering::Relaxed);
                    if last {
                        assert_eq!(seen.len() as u64, STABLE + 15_000);
                        break;
                    }
                }
            });
        });
        assert_eq!(assert_sound(&cache).len() as u64, STABLE + 15_000);
    }
    assert!(walks.into_inner() as u64 > 2 * scaled(40), "hardly any walk met a growth");
}

/// Catches the same when values are replaced meanwhile: the key is there throughout, whichever value a walk meets.
#[test]
fn iteration_sees_each_key_whose_value_is_replaced_exactly_once() {
    const STABLE: u64 = 300;
    const MOST: u64 = 20_000;
    let mut walks = 0;
    for round in 0..scaled(8) {
        let (cache, _) = manual_cache::<u64, u64>();
        for key in 0..STABLE {
            cache.insert(key, 0);
        }
        let mut random = Random::new(round);
        let filled = AtomicU64::new(STABLE);
        let replace = || {
            for _ in 0..20 {
                cache.insert(random.below(STABLE), 1);
                cache.update(&random.below(STABLE), |value| value + 1);
                cache.insert(filled.fetch_add(1, Ordering::Relaxed), 0);
            }
        };
        beside(replace, || {
            while filled.load(Ordering::Relaxed) < MOST {
                let mut counts = vec![0_u32; STABLE as usize];
                for (key, _) in cache.iter().filter(|(key, _)| *key < STABLE) {
                    counts[key as usize] += 1;
                }
                assert!(counts.iter().all(|count| *count == 1), "{counts:?}");
                walks += 1;
            }
        });
        assert_sound(&cache);
    }
    assert!(walks > scaled(8), "hardly any walk met a growth");
}

/// Catches a sweep that undoes a touch which had already answered true (filing rule F2).
#[test]
fn a_touch_that_succeeded_is_not_undone_by_a_sweep() {
    const KEYS: u64 = 8;
    let ttl = seconds(10);
    let (cache, clock) = manual_cache::<u64, u64>();
    let start = clock.instant();
    let tick = || clock.advance(seconds(1));
    let sweep = || ignore(cache.sweep());
    let held = AtomicUsize::new(0);
    let changing: [AtomicUsize; KEYS as usize] = Default::default();
    beside(tick, || {
        beside(sweep, || {
            workers(|worker| {
                let mut random = Random::new(worker);
                for _ in 0..scaled(200_000) {
                    let key = random.below(KEYS);
                    let before = clock.instant();
                    // A change whose time to live began earlier, and has ended, may come yet, and ends this one's with its own.
                    let is_alone = changing[key as usize].load(Ordering::SeqCst) == 0;
                    changing[key as usize].fetch_add(1, Ordering::SeqCst);
                    let is_touched = cache.touch(&key, ttl);
                    if !is_touched {
                        cache.insert_with_ttl(key, key, ttl);
                    }
                    changing[key as usize].fetch_sub(1, Ordering::SeqCst);
                    if is_touched {
                        // Others only touch or insert, and began after this one, so the deadline is no earlier.
                        let found = cache.contains_key(&key);
                        let after = clock.instant();
                        if is_alone && after < before + ttl {
                            assert!(found, "lost {:?} before its deadline", before + ttl - after);
                            held.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        });
    });
    assert!(clock.instant() > start);
    assert!(held.into_inner() > 100, "hardly any touch was checked: the clock runs too fast for this test");
    clock.advance(ttl);
    cache.sweep();
    assert!(assert_sound(&cache).is_empty(), "forgotten by the index");
}

/// Catches the index losing an entry when a save replaces it while a sweep moves its record: the session would either
/// end early or never leave memory.
#[test]
fn an_entry_renewed_while_it_is_swept_is_neither_lost_nor_forgotten() {
    let (cache, clock) = manual_cache::<u64, u64>();
    for round in 0..scaled(600) {
        let keys = 1 + round % 3;
        (0..keys).for_each(|key| ignore(cache.insert_with_ttl(key, 0, seconds(10))));
        let sweep = || ignore(cache.sweep());
        beside(sweep, || {
            for step in 0..90 {
                for key in 0..keys {
                    match step % 3 {
                        0 => assert!(!cache.insert_with_ttl(key, step, seconds(10)), "lost before a save"),
                        1 => assert!(cache.touch(&key, seconds(10)), "lost before a touch"),
                        _ => assert!(cache.update(&key, |value| value + 1), "lost before an update"),
                    }
                }
                clock.advance(seconds(if step % 3 == 0 { 9 } else { 4 }));
            }
        });
        clock.advance(seconds(10));
        cache.sweep();
        assert!(cache.is_empty(), "round {round}: forgotten by the index");
    }
    assert_sound(&cache);
}

/// Catches two winners, or none, when threads remove one entry, or insert one absent key, at the same moment.
#[test]
fn exactly_one_thread_wins() {
    let (cache, _) = manual_cache::<u64, u64>();
    let rounds = scaled(8_000);
    let start = Barrier::new(WORKERS as usize);
    let inserted: Vec<AtomicU64> = (0..rounds).map(|_| AtomicU64::new(0)).collect();
    let removed: Vec<AtomicU64> = (0..rounds).map(|_| AtomicU64::new(0)).collect();
    workers(|worker| {
        for round in 0..rounds {
            start.wait();
            if cache.insert_if_absent(round, worker).is_ok() {
                inserted[round as usize].fetch_add(1, Ordering::Relaxed);
            }
            start.wait();
            let won = match (round + worker) % 4 {
                0 => cache.take(&round).is_some(),
                1 => cache.remove_if(&round, |_| true),
                2 => cache.compute(round, |_| Op::Remove) == Outcome::Removed,
                _ => cache.remove(&round),
            };
            removed[round as usize].fetch_add(u64::from(won), Ordering::Relaxed);
            // Nobody inserts now: once the removal is known, nothing may bring the entry back.
            assert!(!cache.touch(&round, seconds(9)));
            assert!(!cache.update(&round, |value| value + 1));
            assert_eq!(cache.get(&round), None);
        }
    });
    assert!(inserted.iter().all(|count| count.load(Ordering::Relaxed) == 1));
    assert!(removed.iter().all(|count| count.load(Ordering::Relaxed) == 1));
    assert!(assert_sound(&cache).is_empty());
}
