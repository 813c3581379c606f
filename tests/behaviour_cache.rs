//! The table "Exact behaviour" of the API contract, held by `Cache`. Each test carries the name of its row.
//!
//! Rows about the janitor thread are in `janitor.rs`, about panics in `panics.rs`, about drops in `drops.rs`, and
//! about threads in `stress.rs`.

mod common;

use std::time::Duration;

use common::{assert_sound, manual_cache, nanoseconds, recording_cache, seconds, within_a_minute};
use fleeting::{Cache, Op, Outcome, RemovalCause};

type Words = Cache<&'static str, u32>;

/// An operation that tells whether the entry `"a"` is live, and its name.
type Sighting = (&'static str, fn(&Words) -> bool);

/// All such operations.
const SIGHTINGS: &[Sighting] = &[
    ("get", |cache| cache.get(&"a").is_some()),
    ("peek", |cache| cache.peek(&"a").is_some()),
    ("read", |cache| cache.read(&"a", |value| *value) == Some(1)),
    ("contains_key", |cache| cache.contains_key(&"a")),
    ("get_with_deadline", |cache| cache.get_with_deadline(&"a").is_some()),
    ("get_and_touch", |cache| cache.get_and_touch(&"a", seconds(9)).is_some()),
    ("get_many", |cache| {
        let mut seen = false;
        cache.get_many(&["a"], |_, value| seen = value.is_some());
        seen
    }),
    ("pin().get", |cache| cache.pin().get(&"a").is_some()),
    ("pin().iter", |cache| cache.pin().iter().count() == 1),
    ("iter", |cache| cache.iter().count() == 1),
    ("insert", |cache| !cache.insert("a", 2)),
    ("insert_with_ttl", |cache| !cache.insert_with_ttl("a", 2, seconds(9))),
    ("insert_if_absent", |cache| cache.insert_if_absent("a", 2).is_err()),
    ("replace", |cache| cache.replace("a", 2).is_ok()),
    ("update", |cache| cache.update(&"a", |value| value + 1)),
    ("increment", |cache| cache.increment(&"a", 1).is_some()),
    ("decrement", |cache| cache.decrement(&"a", 1).is_some()),
    ("compute, keep", |cache| cache.compute("a", |_| Op::Keep) == Outcome::Kept),
    ("compute, put", |cache| cache.compute("a", |_| Op::Put(2)) == Outcome::Replaced),
    ("compute, remove", |cache| cache.compute("a", |_| Op::Remove) == Outcome::Removed),
    ("compute, argument", |cache| {
        let mut seen = false;
        cache.compute("a", |value| {
            seen = value.is_some();
            Op::Keep
        });
        seen
    }),
    ("get_or_insert_with", |cache| cache.get_or_insert_with("a", || 2) == 1),
    ("try_get_or_insert_with", |cache| cache.try_get_or_insert_with("a", || Err(())) == Ok(1)),
    ("touch", |cache| cache.touch(&"a", seconds(9))),
    ("persist", |cache| cache.persist(&"a")),
    ("remove", |cache| cache.remove(&"a")),
    ("take", |cache| cache.take(&"a").is_some()),
    ("remove_if", |cache| cache.remove_if(&"a", |_| true)),
    ("retain", |cache| {
        let mut seen = false;
        cache.retain(|_, _| {
            seen = true;
            true
        });
        seen
    }),
    ("len after a sweep", |cache| {
        cache.sweep();
        cache.len() == 1
    }),
    ("sweep leaves it", |cache| cache.sweep() == 0),
];

/// Catches `<=` for `<` at the deadline, in any operation, and a deadline rounded up or down.
#[test]
fn now_equal_to_the_deadline_is_not_live() {
    for ttl in [nanoseconds(1), nanoseconds(1_500_000), seconds(10), seconds(86_400 * 365)] {
        for (name, sees_live) in SIGHTINGS {
            for (early, expected) in [(nanoseconds(1), true), (Duration::ZERO, false)] {
                let (cache, clock) = manual_cache();
                cache.insert_with_ttl("a", 1, ttl);
                clock.advance(ttl - early);
                assert_eq!(sees_live(&cache), expected, "{name}, {early:?} before a deadline at {ttl:?}");
                assert_sound(&cache);
            }
        }
    }
}

/// Catches a sweep that leaves, or counts wrongly, entries that are due at its very moment, and one that takes them early.
#[test]
fn a_sweep_removes_exactly_what_is_due() {
    let (cache, clock) = manual_cache();
    let mut deadlines: Vec<Duration> =
        (0..60).map(|power| nanoseconds(1 << (power % 57)) + nanoseconds(power)).collect();
    for (key, deadline) in deadlines.iter().enumerate() {
        cache.insert_with_ttl(key, (), *deadline);
    }
    deadlines.sort();
    let mut now = Duration::ZERO;
    let mut left = deadlines.len();
    for deadline in deadlines {
        let before = deadline - nanoseconds(1);
        if before > now {
            clock.advance(before - now);
            now = before;
            assert_eq!(cache.sweep(), 0, "1 ns before {deadline:?}");
        }
        clock.advance(deadline - now);
        now = deadline;
        assert_eq!(cache.sweep(), 1, "at {deadline:?}");
        left -= 1;
        assert_eq!(cache.len(), left);
    }
    assert_sound(&cache);
}

/// Catches a past deadline taken for "no deadline", and one that leaves the earlier entry in place.
#[test]
fn an_expiry_in_the_past_is_not_found_and_the_existing_entry_is_gone() {
    let (cache, clock) = manual_cache();
    clock.advance(seconds(100));
    let past = clock.instant() - seconds(1);
    let long_past = clock.instant() - seconds(100);
    for deadline in [past, long_past, clock.instant()] {
        cache.insert("a", 1);
        cache.insert_until("a", 2, deadline);
        assert_eq!(cache.get(&"a"), None);
        assert_eq!(cache.iter().count(), 0);
        clock.advance(seconds(1_000_000_000));
        assert_eq!(cache.get(&"a"), None, "never immortal");
    }
    cache.insert("a", 1);
    cache.insert_with_ttl("a", 2, Duration::ZERO);
    assert_eq!(cache.get(&"a"), None);
    cache.insert("b", 1);
    assert!(cache.touch(&"b", Duration::ZERO), "it was live when the touch came");
    assert_eq!(cache.get(&"b"), None);
    assert!(assert_sound(&cache).is_empty());
}

/// Catches an instant before the cache's origin that wraps around to the far future.
#[test]
fn a_deadline_before_the_cache_was_built_is_past() {
    let (cache, clock) = manual_cache();
    let Some(earlier) = clock.instant().checked_sub(seconds(5)) else {
        return; // The machine was started less than five seconds ago.
    };
    cache.insert("a", 1);
    cache.insert_until("a", 2, earlier);
    assert_eq!(cache.get(&"a"), None);
    assert!(assert_sound(&cache).is_empty());
}

/// Catches overflow on the way from a far-off expiry to a deadline: a panic, a wrap into the past, or a sweep that takes it.
#[test]
fn a_far_off_expiry_is_live_and_never_reached() {
    let (cache, clock) = manual_cache();
    let year = 365 * 86_400;
    cache.insert_with_ttl("longest", 1, Duration::MAX);
    cache.insert_with_ttl("longest seconds", 1, seconds(u64::MAX));
    cache.insert_with_ttl("u64 nanoseconds", 1, nanoseconds(u64::MAX));
    cache.insert_with_ttl("i64 nanoseconds", 1, nanoseconds(i64::MAX as u64 + 1));
    cache.insert_with_ttl("year 2300", 1, seconds(275 * year));
    cache.insert_with_ttl("year 9999", 1, seconds(7974 * year));
    cache.insert("touched", 1);
    assert!(cache.touch(&"touched", Duration::MAX));
    let mut expected = 7;
    if let Some(deadline) = clock.instant().checked_add(seconds(400 * year)) {
        cache.insert_until("far instant", 1, deadline);
        expected += 1;
    }
    assert_eq!(cache.get_with_deadline(&"longest"), Some((1, None)), "no deadline at all");
    for years in [0, 1, 99, 150] {
        clock.advance(seconds(years * year));
        assert_eq!(cache.sweep(), 0);
        assert_eq!(cache.iter().count(), expected);
    }
    assert_eq!(assert_sound(&cache).len(), expected);
}

/// Catches a clock that is already far on: deadline arithmetic must saturate there too.
#[test]
fn a_far_off_expiry_set_late_saturates() {
    let (cache, clock) = manual_cache();
    clock.advance(seconds(250 * 365 * 86_400));
    cache.insert_with_ttl("a", 1, nanoseconds(u64::MAX - 1));
    cache.insert_with_ttl("b", 1, Duration::MAX);
    cache.insert_with_ttl("c", 1, seconds(1));
    clock.advance(seconds(1));
    assert_eq!(cache.sweep(), 1);
    assert_eq!(assert_sound(&cache).len(), 2);
}

/// Catches an insert that keeps the deadline of the entry that it replaces, or files no record for the new one.
#[test]
fn saving_on_an_existing_key_replaces_value_and_expiry() {
    let (cache, clock) = manual_cache();
    cache.insert_with_ttl("longer", 1, seconds(10));
    assert!(!cache.insert_with_ttl("longer", 2, seconds(20)));
    cache.insert_with_ttl("shorter", 1, seconds(20));
    assert!(!cache.insert_with_ttl("shorter", 2, seconds(10)));
    cache.insert_with_ttl("endless", 1, seconds(10));
    assert!(!cache.insert("endless", 2));
    cache.insert("mortal", 1);
    assert!(!cache.insert_with_ttl("mortal", 2, seconds(10)));
    clock.advance(seconds(10));
    assert_eq!(cache.sweep(), 2, "shorter, mortal");
    assert_eq!(cache.get(&"longer"), Some(2));
    assert_eq!(cache.get(&"endless"), Some(2));
    clock.advance(seconds(10));
    assert_eq!(cache.sweep(), 1, "longer");
    assert_eq!(assert_sound(&cache).into_iter().collect::<Vec<_>>(), [("endless", 2)]);
}

/// Catches a save that takes a dead entry for a live one: the wrong answer, the wrong cause, or no report at all.
#[test]
fn saving_on_an_expired_but_resident_key_is_a_new_entry() {
    type Save = fn(&Words);
    let saves: &[(&str, Save)] = &[
        ("insert", |cache| assert!(cache.insert("a", 2))),
        ("insert_with_ttl", |cache| assert!(cache.insert_with_ttl("a", 2, seconds(5)))),
        ("insert_if_absent", |cache| assert_eq!(cache.insert_if_absent("a", 2), Ok(()))),
        ("get_or_insert_with", |cache| assert_eq!(cache.get_or_insert_with("a", || 2), 2)),
        ("compute", |cache| assert_eq!(cache.compute("a", |_| Op::Put(2)), Outcome::Inserted)),
    ];
    for (name, save) in saves {
        let (cache, clock, removals) = recording_cache();
        cache.insert_with_ttl("a", 1, seconds(1));
        clock.advance(seconds(1));
        assert_eq!(cache.len(), 1, "expired, and resident");
        save(&cache);
        assert_eq!(removals.drain(), [("a", 1, RemovalCause::Expired)], "{name}");
        assert_eq!(cache.get(&"a"), Some(2), "{name}");
        assert_eq!(cache.len(), 1, "{name}");
        assert_eq!(cache.stats().replaced, 0, "{name}");
        assert_eq!(assert_sound(&cache).len(), 1, "{name}");
        assert_eq!(removals.drain(), [], "{name}: reported once");
    }
}

/// Catches a sweep that goes by an old record and takes the entry that replaced the expired one.
#[test]
fn the_record_of_an_expired_entry_does_not_end_its_successor() {
    let (cache, clock) = manual_cache();
    cache.insert_with_ttl("a", 1, seconds(1));
    clock.advance(seconds(1));
    cache.insert_with_ttl("a", 2, seconds(5));
    cache.insert_with_ttl("b", 1, seconds(1));
    cache.remove(&"b");
    cache.insert("b", 2);
    clock.advance(seconds(1));
    assert_eq!(cache.sweep(), 0);
    assert_eq!(cache.get(&"a"), Some(2));
    clock.advance(seconds(3));
    assert_eq!(cache.sweep(), 0);
    clock.advance(seconds(1));
    assert_eq!(cache.sweep(), 1, "and its own record does");
    assert_eq!(assert_sound(&cache).into_keys().collect::<Vec<_>>(), ["b"]);
}

/// Catches empty keys or values taken for "absent".
#[test]
fn an_empty_key_and_an_empty_value_are_ordinary() {
    let (cache, clock) = manual_cache::<String, Vec<u8>>();
    assert!(cache.insert_with_ttl(String::new(), Vec::new(), seconds(1)));
    assert!(!cache.insert_with_ttl(String::new(), Vec::new(), seconds(2)));
    assert_eq!(cache.get(""), Some(Vec::new()));
    assert_eq!(cache.iter().collect::<Vec<_>>(), [(String::new(), Vec::new())]);
    clock.advance(seconds(2));
    assert_eq!(cache.get(""), None);
    cache.insert(String::new(), vec![1]);
    assert_eq!(cache.take(""), Some(vec![1]));
    assert!(assert_sound(&cache).is_empty());
    let (units, _) = manual_cache::<(), ()>();
    assert!(units.insert((), ()));
    assert!(units.remove(&()));
    assert!(assert_sound(&units).is_empty());
}

/// Catches a removal of nothing that panics, answers true, or is counted.
#[test]
fn removing_a_missing_key_twice_is_no_error() {
    let (cache, _, removals) = recording_cache::<&str, u32>();
    assert!(!cache.remove(&"a"));
    assert!(!cache.remove(&"a"));
    cache.insert("a", 1);
    assert!(cache.remove(&"a"));
    assert!(!cache.remove(&"a"));
    assert_eq!(cache.take(&"a"), None);
    assert!(!cache.remove_if(&"a", |_| true));
    assert_eq!(removals.drain(), [("a", 1, RemovalCause::Removed)]);
    assert_eq!(cache.stats().removed, 1);
    assert!(assert_sound(&cache).is_empty());
}

/// Catches a reference that dies with the entry: under a pin the value must outlive removal, replacement and sweep.
#[test]
fn a_value_found_under_a_pin_stays_valid_and_unchanged() {
    let (cache, clock) = manual_cache::<u64, String>();
    let text = |key: u64| format!("value {key}");
    for key in 0..4 {
        cache.insert_with_ttl(key, text(key), seconds(1));
    }
    let pinned = cache.pin();
    let found: Vec<&String> = (0..4).map(|key| pinned.get(&key).expect("live")).collect();
    cache.remove(&0);
    cache.insert(1, String::from("other"));
    cache.clear();
    clock.advance(seconds(1));
    cache.sweep();
    for key in 100..2_000 {
        cache.insert(key, text(key)); // Memory freed too early would be used again, and the table grows.
    }
    for (key, value) in (0..4).zip(found) {
        assert_eq!(*value, text(key));
    }
    drop(pinned);
    assert_eq!(assert_sound(&cache).len(), 1_900);
}

/// Catches a cache that leans on the janitor for correctness.
#[test]
fn interval_zero_expired_entries_are_never_returned_and_sweep_frees_them() {
    let (cache, clock) = manual_cache();
    for key in 0..1_000_u32 {
        cache.insert_with_ttl(key, key, seconds(1 + u64::from(key % 10)));
    }
    clock.advance(seconds(5));
    assert_eq!(cache.len(), 1_000, "nobody has looked");
    assert_eq!(cache.sweep(), 500);
    assert_eq!(cache.len(), 500);
    clock.advance(seconds(1));
    assert_eq!(cache.iter().count(), 400);
    assert_eq!(cache.len(), 400, "who meets what has expired removes it");
    cache.stop_cleanup();
    clock.advance(seconds(4));
    assert_eq!(cache.sweep(), 400, "without a thread, stopping changes nothing");
    assert!(assert_sound(&cache).is_empty());
}

/// Catches a callback run under a lock or a pin that it cannot share, and an operation that loses its entry to one.
#[test]
fn a_callback_that_inserts_and_removes_meets_no_deadlock_and_loses_no_entry() {
    within_a_minute(|| {
        let clock = fleeting::ManualClock::new();
        let slot = std::sync::Arc::new(std::sync::OnceLock::<fleeting::WeakCache<u32, u32>>::new());
        let from_callback = std::sync::Arc::clone(&slot);
        let cache = Cache::builder()
            .cleanup_interval(Duration::ZERO)
            .clock(clock.clone())
            .on_removal(move |key: &u32, value: &u32, _| {
                if *key < 1_000 {
                    let cache = from_callback.get().expect("set below").upgrade().expect("a caller holds it");
                    cache.insert(key + 1_000, *value);
                    cache.remove(&(key + 2_000));
                    cache.touch(&(key + 1_000), seconds(60));
                }
            })
            .build()
            .expect("valid");
        assert!(slot.set(cache.downgrade()).is_ok());
        for key in 0..400 {
            cache.insert_with_ttl(key, key, seconds(1));
            cache.insert(key + 2_000, 0);
        }
        for key in 0..100 {
            assert!(cache.remove(&key));
        }
        for key in 100..200 {
            cache.insert_with_ttl(key, key, seconds(1));
        }
        clock.advance(seconds(1));
        assert_eq!(cache.sweep(), 300);
        let left = assert_sound(&cache);
        assert_eq!(left.len(), 400);
        assert!((0..400).all(|key| left.get(&(key + 1_000)) == Some(&key)));
        for key in 0..200 {
            cache.insert(key, 7);
        }
        cache.clear();
        assert_eq!(cache.stats().contained_panics, 0);
    });
}

/// Catches a late update, touch or persist that brings a removed entry back.
#[test]
fn update_or_touch_after_a_removal_is_false_and_the_entry_stays_gone() {
    let (cache, _) = manual_cache();
    cache.insert_with_ttl("a", 1, seconds(9));
    cache.remove(&"a");
    assert!(!cache.update(&"a", |value| value + 1));
    assert!(!cache.touch(&"a", seconds(9)));
    assert!(!cache.persist(&"a"));
    assert_eq!(cache.get_and_touch(&"a", seconds(9)), None);
    assert_eq!(cache.increment(&"a", 1), None);
    assert_eq!(cache.replace("a", 2), Err(("a", 2)));
    assert_eq!(cache.compute("a", |value| if value.is_some() { Op::Put(3) } else { Op::Keep }), Outcome::Absent);
    assert_eq!(cache.get(&"a"), None);
    assert!(assert_sound(&cache).is_empty());
}

/// Catches the index growing without bound when entries leave before their deadline (filing rule F7).
#[test]
fn records_of_removed_entries_are_bounded() {
    let (cache, clock) = manual_cache();
    for round in 0..40 {
        for key in 0..5_000_u32 {
            cache.insert_with_ttl((round, key), (), seconds(3_600));
        }
        for key in 0..5_000_u32 {
            cache.remove(&(round, key));
        }
        clock.advance(seconds(1));
        cache.sweep();
    }
    let stats = cache.stats();
    assert_eq!(stats.entries, 0);
    assert!(stats.records < 20_000, "{} records for no entry at all, after 200,000 removals", stats.records);
    assert!(assert_sound(&cache).is_empty());
}

/// Catches a touch that files a record each time (filing rule F5), and a sweep that forgets the entry it re-filed (F1).
#[test]
fn a_sliding_deadline_costs_no_records_and_ends_when_it_should() {
    let (cache, clock) = manual_cache();
    for key in 0..100_u32 {
        cache.insert_with_ttl(key, key, seconds(30));
    }
    for second in 0..300 {
        for key in 0..100 {
            assert!(cache.touch(&key, seconds(30)), "second {second}");
        }
        clock.advance(seconds(1));
        assert_eq!(cache.sweep(), 0, "second {second}");
    }
    assert!(cache.stats().records <= 400, "{} records for 100 entries", cache.stats().records);
    clock.advance(seconds(29) - nanoseconds(1));
    assert_eq!(cache.sweep(), 0);
    clock.advance(nanoseconds(1));
    assert_eq!(cache.sweep(), 100);
    assert!(assert_sound(&cache).is_empty());
}

/// Catches deadlines that hang on the wall clock.
#[test]
fn a_wall_clock_set_back_or_forward_moves_no_deadline() {
    let (cache, clock) = manual_cache();
    cache.insert_with_ttl("a", 1, seconds(60));
    clock.set_system_time(clock.system_time() + seconds(86_400));
    assert_eq!(cache.sweep(), 0);
    clock.advance(seconds(30));
    clock.set_system_time(std::time::SystemTime::UNIX_EPOCH);
    clock.advance(seconds(30) - nanoseconds(1));
    assert_eq!(cache.get(&"a"), Some(1));
    clock.advance(nanoseconds(1));
    assert_eq!(cache.get(&"a"), None);
    assert!(assert_sound(&cache).is_empty());
}
