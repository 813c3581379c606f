//! Threads on one cache, all operations mixed, while the table grows from nothing. What they were told must add up.
//!
//! `FLEETING_STRESS=10` runs ten times the work.

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use common::fates::Fates;
use common::threads::{WORKERS, beside, workers};
use common::{Random, assert_sound, ignore, manual_cache, nanoseconds, scaled, seconds};
use fleeting::{Cache, ManualClock, Op, Outcome, RemovalCause};

/// A value that knows its key and when its writer made it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stamp {
    key: u64,
    count: u64,
}

/// Catches any write that is lost, doubled or seen late by its own thread while other threads make the table grow,
/// touch its entries and sweep: each thread owns some keys, and knows what each answer must be.
#[test]
fn owners_see_exactly_what_they_wrote() {
    for keys in [12, 300, 5_000, 40_000, 40_000, 40_000, 40_000, 40_000] {
        let (cache, clock) = manual_cache::<u64, Stamp>();
        let tick = || {
            clock.advance(nanoseconds(1_000_000));
            cache.sweep();
        };
        beside(tick, || workers(|worker| own(&cache, worker, keys)));
        assert_sound(&cache);
    }
}

/// One thread of [`owners_see_exactly_what_they_wrote`]: writes keys that leave its number by [`WORKERS`], reads all.
fn own(cache: &Cache<u64, Stamp>, worker: u64, keys: u64) {
    let hour = seconds(1_000_000);
    let mut random = Random::new(worker + keys);
    let mut twin: HashMap<u64, u64> = HashMap::new();
    let mut last_seen: HashMap<u64, u64> = HashMap::new();
    for count in 0..scaled(80_000) {
        let key = random.below(keys / WORKERS) * WORKERS + worker;
        let (stamp, held) = (Stamp { key, count }, twin.get(&key).copied());
        let old = held.map(|count| Stamp { key, count });
        match random.below(16) {
            0 | 1 => {
                assert_eq!(cache.insert(key, stamp), held.is_none());
                twin.insert(key, count);
            }
            2 | 3 => {
                assert_eq!(cache.insert_with_ttl(key, stamp, hour), held.is_none());
                twin.insert(key, count);
            }
            4 => {
                assert_eq!(cache.insert_if_absent(key, stamp).is_ok(), held.is_none());
                twin.entry(key).or_insert(count);
            }
            5 => {
                assert_eq!(cache.replace(key, stamp).is_ok(), held.is_some());
                twin.entry(key).and_modify(|held| *held = count);
            }
            6 => {
                assert_eq!(cache.update(&key, |_| stamp), held.is_some());
                twin.entry(key).and_modify(|held| *held = count);
            }
            7 => {
                let outcome = cache.compute(key, |seen| {
                    assert_eq!(seen.copied(), old);
                    if count % 2 == 0 { Op::Put(stamp) } else { Op::Remove }
                });
                let expected = match (count % 2, held) {
                    (0, None) => Outcome::Inserted,
                    (0, Some(_)) => Outcome::Replaced,
                    (_, None) => Outcome::Absent,
                    (_, Some(_)) => Outcome::Removed,
                };
                assert_eq!(outcome, expected);
                let _ = if count % 2 == 0 { twin.insert(key, count) } else { twin.remove(&key) };
            }
            8 => assert_eq!(cache.remove(&key), twin.remove(&key).is_some()),
            9 => {
                assert_eq!(cache.take(&key), old);
                twin.remove(&key);
            }
            10 => assert_eq!(cache.touch(&key, hour), held.is_some()),
            11 => assert_eq!(cache.persist(&key), held.is_some()),
            12 => assert_eq!(cache.get(&key), old),
            13 => assert_eq!(cache.contains_key(&key), held.is_some()),
            _ => {
                let other = random.below(keys);
                if let Some(seen) = cache.get(&other) {
                    assert_eq!(seen.key, other, "a value under another's key");
                    let last = last_seen.entry(other).or_default();
                    assert!(*last <= seen.count, "key {other} went back in time");
                    *last = seen.count;
                }
                cache.touch(&other, hour);
            }
        }
    }
    for key in (0..keys / WORKERS).map(|number| number * WORKERS + worker) {
        assert_eq!(cache.get(&key), twin.get(&key).map(|count| Stamp { key, count: *count }));
    }
}

/// Catches two threads that are both told they inserted, or both told they removed, the same entry: all threads write all
/// keys, and for each key the insertions minus the removals must be what is left.
#[test]
fn insertions_less_removals_are_what_is_left() {
    for keys in [3, 500, 30_000, 30_000, 30_000, 30_000] {
        let (cache, _) = manual_cache::<u64, Stamp>();
        let balance: Vec<AtomicI64> = (0..keys).map(|_| AtomicI64::new(0)).collect();
        let sweep = || ignore(cache.sweep());
        beside(sweep, || {
            workers(|worker| {
                let mut random = Random::new(worker * 31 + keys);
                for count in 0..scaled(80_000) {
                    let key = random.below(keys);
                    let stamp = Stamp { key, count };
                    let change = match random.below(11) {
                        0 | 1 => i64::from(cache.insert(key, stamp)),
                        2 => i64::from(cache.insert_with_ttl(key, stamp, seconds(9))),
                        3 => i64::from(cache.insert_if_absent(key, stamp).is_ok()),
                        4 => -i64::from(cache.remove(&key)),
                        5 => -i64::from(cache.take(&key).is_some_and(|taken| taken.key == key)),
                        6 => -i64::from(cache.remove_if(&key, |seen| seen.count % 2 == 0)),
                        7 => {
                            match cache.compute(key, |seen| if seen.is_none() { Op::Put(stamp) } else { Op::Remove }) {
                                Outcome::Inserted => 1,
                                Outcome::Removed => -1,
                                other => panic!("{other:?} from a closure that inserts or removes"),
                            }
                        }
                        8 => {
                            cache.touch(&key, seconds(9));
                            0
                        }
                        9 => {
                            cache.update(&key, |seen| Stamp { key: seen.key, count });
                            0
                        }
                        _ => {
                            assert!(cache.get(&key).is_none_or(|seen| seen.key == key));
                            0
                        }
                    };
                    balance[key as usize].fetch_add(change, Ordering::Relaxed);
                }
            });
        });
        let left = assert_sound(&cache);
        for (key, balance) in balance.iter().enumerate() {
            let present = i64::from(left.contains_key(&(key as u64)));
            assert_eq!(balance.load(Ordering::Relaxed), present, "key {key} of {keys}");
        }
    }
}

/// Catches an entry that leaves unreported or is reported twice, and one that the index forgets: with expiry, sweeps,
/// clears and retains beside all other writes, each value made ends up either reported once or in the cache.
#[test]
fn every_value_is_reported_once_or_still_there() {
    for keys in [4, 2_000, 30_000, 30_000, 30_000] {
        let fates = Arc::new(Fates::new(WORKERS * steps() * 4));
        let clock = ManualClock::new();
        let log = Arc::clone(&fates);
        let cache = Cache::builder()
            .cleanup_interval(Duration::ZERO)
            .clock(clock.clone())
            .on_removal(move |key: &u64, value: &Stamp, _: RemovalCause| {
                assert_eq!(*key, value.key);
                log.gone(value.count);
            })
            .build()
            .expect("valid");
        let tick = || clock.advance(nanoseconds(700_000));
        let sweep = || ignore(cache.sweep());
        beside(tick, || beside(sweep, || workers(|worker| write_for_a_while(&cache, &clock, worker, keys, &fates))));
        assert_eq!(cache.stats().contained_panics, 0);
        let left = assert_sound(&cache);
        fates.check(left.values().map(|stamp| stamp.count));
        // What is forgotten by the index would stay for ever: after the last deadline, only entries without one are left.
        let endless = left.keys().filter(|key| cache.get_with_deadline(key).is_some_and(|found| found.1.is_none()));
        let endless = endless.count();
        clock.advance(seconds(10_000));
        cache.sweep();
        assert_eq!(cache.len(), endless, "entries forgotten by the expiry index");
        assert_sound(&cache);
    }
}

fn steps() -> u64 {
    scaled(50_000)
}

/// One thread of [`every_value_is_reported_once_or_still_there`]. Deadlines are a few ticks of the clock ahead.
fn write_for_a_while(cache: &Cache<u64, Stamp>, clock: &ManualClock, worker: u64, keys: u64, fates: &Fates) {
    let mut random = Random::new(worker * 77 + keys);
    for _ in 0..steps() {
        let key = random.below(keys);
        let ttl = nanoseconds(random.below(200) * 1_000_000 + 1);
        let make = || Stamp { key, count: fates.next() };
        // An entry whose deadline comes before it is published never is.
        let deadline = clock.instant() + ttl;
        let published_in_time = |stamp: Stamp| {
            if clock.instant() < deadline {
                fates.published(stamp.count);
            }
        };
        match random.below(24) {
            0..=6 => {
                let stamp = make();
                cache.insert_with_ttl(key, stamp, ttl);
                published_in_time(stamp);
            }
            7 => {
                let stamp = make();
                cache.insert(key, stamp);
                fates.published(stamp.count);
            }
            8 => {
                let stamp = make();
                if cache.insert_if_absent(key, stamp).is_ok() {
                    fates.published(stamp.count);
                }
            }
            9 => {
                let stamp = make();
                if cache.replace(key, stamp).is_ok() {
                    fates.published(stamp.count);
                }
            }
            10 | 11 => {
                // A closure may run more than once; only its last value is published.
                let mut last = None;
                if cache.update(&key, |_| *last.insert(make())) {
                    fates.published(last.expect("the closure ran").count);
                }
            }
            12 => {
                let mut last = None;
                let keeps_the_deadline = random.below(2) == 0;
                let outcome = cache.compute(key, |_| {
                    let stamp = *last.insert(make());
                    if keeps_the_deadline { Op::Put(stamp) } else { Op::PutWithTtl(stamp, ttl) }
                });
                let stamp = last.expect("the closure ran");
                match outcome {
                    Outcome::Inserted | Outcome::Replaced if keeps_the_deadline => fates.published(stamp.count),
                    _ => published_in_time(stamp),
                }
            }
            // A load may lose to an insert, so its value is published or not: only a second report would be wrong.
            13 => assert_eq!(cache.get_or_insert_with(key, make).key, key),
            14 | 15 => ignore(cache.touch(&key, ttl)),
            16 => ignore(cache.get_and_touch(&key, ttl)),
            17 => ignore(cache.persist(&key)),
            18 => ignore(cache.remove(&key)),
            19 => ignore(cache.take(&key)),
            20 => ignore(cache.remove_if(&key, |stamp| stamp.count % 3 == 0)),
            21 if random.below(300) == 0 => cache.retain(|_, stamp| stamp.count % 2 == 0),
            21 if random.below(300) == 0 => cache.clear(),
            21 => ignore(cache.peek(&key)),
            _ => assert!(cache.get(&key).is_none_or(|stamp| stamp.key == key)),
        }
    }
}

/// Catches a lost update: increments of all threads must add up, through growth, touches and sweeps.
#[test]
fn no_update_is_lost() {
    const COUNTERS: u64 = 16;
    let (cache, _) = manual_cache::<u64, u64>();
    for key in 0..COUNTERS {
        cache.insert_with_ttl(key, 0, seconds(60));
    }
    let mut filler = COUNTERS;
    let grow = || {
        for _ in 0..50 {
            cache.insert(filler, 0);
            filler = if filler < 200_000 { filler + 1 } else { COUNTERS };
        }
        cache.sweep();
    };
    let steps = scaled(200_000);
    beside(grow, || {
        workers(|worker| {
            let mut random = Random::new(worker);
            for step in 0..steps {
                let key = step % COUNTERS;
                match random.below(3) {
                    0 => assert!(cache.update(&key, |count| count + 1)),
                    1 => assert!(cache.increment(&key, 1).is_some_and(|count| count > 0)),
                    _ => {
                        let outcome = cache.compute(key, |count| Op::Put(count.map_or(0, |count| count + 1)));
                        assert_eq!(outcome, Outcome::Replaced);
                    }
                }
                assert!(cache.touch(&key, seconds(60 + random.below(60))));
            }
        });
    });
    let sum: u64 = (0..COUNTERS).map(|key| cache.get(&key).expect("live")).sum();
    assert_eq!(sum, steps * WORKERS);
    assert_sound(&cache);
}
