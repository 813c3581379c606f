//! Every method of `Cache` in `api.md`: what it answers, what it changes, and what it leaves alone.

mod common;

use std::time::Duration;

use common::{assert_sound, manual_cache, nanoseconds, recording_cache, seconds};
use fleeting::{Cache, ManualClock, Op, Outcome, RemovalCause};

/// Catches wrong answers of the simplest calls, and a `new` that fails without a builder.
#[test]
fn new_insert_get_remove() {
    let cache: Cache<String, u32> = Cache::new();
    assert!(cache.is_empty());
    assert!(cache.insert("a".to_owned(), 1));
    assert!(!cache.insert("a".to_owned(), 2), "the key was present");
    assert_eq!(cache.get("a"), Some(2), "found by a borrowed form");
    assert_eq!(cache.get("b"), None);
    assert_eq!(cache.len(), 1);
    assert!(cache.remove("a"));
    assert_eq!(cache.get("a"), None);
    assert!(assert_sound(&cache).is_empty());
}

/// Catches a clone that copies the entries instead of sharing them.
#[test]
fn a_clone_is_a_handle_to_the_same_cache() {
    let (cache, _) = manual_cache();
    let other = cache.clone();
    cache.insert("a", 1);
    assert_eq!(other.get(&"a"), Some(1));
    other.clear();
    assert!(cache.is_empty());
    let weak = cache.downgrade();
    assert!(weak.upgrade().is_some_and(|again| again.insert("b", 2)));
    assert_eq!(other.get(&"b"), Some(2));
    drop(cache);
    assert!(weak.upgrade().is_some(), "a handle is left");
    drop(other);
    assert!(weak.upgrade().is_none());
}

/// Catches a default TTL that is not applied, or applied over an entry's own.
#[test]
fn time_to_live_is_for_entries_without_their_own() {
    let clock = ManualClock::new();
    let cache = Cache::builder()
        .time_to_live(seconds(10))
        .cleanup_interval(Duration::ZERO)
        .clock(clock.clone())
        .build()
        .expect("valid");
    let start = clock.instant();
    cache.insert("default", 1);
    cache.insert_with_ttl("own", 1, seconds(20));
    cache.insert_until("until", 1, start + seconds(20));
    assert_eq!(cache.insert_if_absent("if absent", 1), Ok(()));
    assert_eq!(cache.get_or_insert_with("loaded", || 1), 1);
    assert_eq!(cache.compute("computed", |_| Op::Put(1)), Outcome::Inserted);
    for key in ["default", "if absent", "loaded", "computed"] {
        assert_eq!(cache.get_with_deadline(&key), Some((1, Some(start + seconds(10)))), "{key}");
    }
    for key in ["own", "until"] {
        assert_eq!(cache.get_with_deadline(&key), Some((1, Some(start + seconds(20)))), "{key}");
    }
    clock.advance(seconds(4));
    cache.insert("default", 2);
    clock.advance(seconds(6));
    assert_eq!(cache.sweep(), 3);
    assert_eq!(cache.get(&"default"), Some(2), "each insert starts the TTL anew");
    assert_eq!(assert_sound(&cache).len(), 3);
}

/// Catches an idle timer that hits do not move, that `peek` moves, or that outlives the TTL.
#[test]
fn time_to_idle_is_extended_by_hits_and_capped_by_the_ttl() {
    type Hit = fn(&Cache<&'static str, u32>);
    let hits: &[(&str, Hit)] = &[
        ("get", |cache| assert_eq!(cache.get(&"a"), Some(1))),
        ("read", |cache| assert_eq!(cache.read(&"a", |value| *value), Some(1))),
        ("get_many", |cache| cache.get_many(&["a"], |_, value| assert_eq!(value, Some(&1)))),
        ("get_or_insert_with", |cache| assert_eq!(cache.get_or_insert_with("a", || 2), 1)),
    ];
    for (name, hit) in hits {
        let clock = ManualClock::new();
        let cache = Cache::builder()
            .time_to_live(seconds(25))
            .time_to_idle(seconds(10))
            .cleanup_interval(Duration::ZERO)
            .clock(clock.clone())
            .build()
            .expect("valid");
        cache.insert("a", 1);
        cache.insert("idle", 1);
        cache.insert_with_ttl("short", 1, seconds(5));
        clock.advance(seconds(5));
        assert_eq!(cache.sweep(), 1, "short");
        clock.advance(seconds(4));
        hit(&cache);
        clock.advance(seconds(1));
        assert_eq!(cache.sweep(), 1, "idle; {name} moved the other");
        clock.advance(seconds(8));
        hit(&cache);
        clock.advance(seconds(7) - nanoseconds(1));
        assert_eq!(cache.sweep(), 0, "{name}");
        assert_eq!(cache.peek(&"a"), Some(1), "{name}");
        clock.advance(nanoseconds(1));
        assert_eq!(cache.sweep(), 1, "{name}: the TTL caps what hits can do");
        cache.insert("a", 1);
        clock.advance(seconds(9));
        assert_eq!(cache.peek(&"a"), Some(1));
        clock.advance(seconds(1));
        assert_eq!(cache.peek(&"a"), None, "peek moves no idle timer");
        assert!(assert_sound(&cache).is_empty());
    }
}

/// Catches an overwrite by `insert_if_absent`, a creation by `replace`, and a loss of the values handed back.
#[test]
fn insert_if_absent_and_replace() {
    let (cache, _, removals) = recording_cache();
    assert_eq!(cache.replace("a", 0), Err(("a", 0)));
    assert_eq!(cache.insert_if_absent("a", 1), Ok(()));
    assert_eq!(cache.insert_if_absent("a", 2), Err(("a", 2)));
    assert_eq!(cache.get(&"a"), Some(1));
    assert_eq!(removals.drain(), []);
    assert_eq!(cache.replace("a", 3), Ok(()));
    assert_eq!(cache.get(&"a"), Some(3));
    assert_eq!(removals.drain(), [("a", 1, RemovalCause::Replaced)]);
    assert_eq!(assert_sound(&cache).len(), 1);
}

/// Catches an update that loses the deadline, and one that runs on nothing.
#[test]
fn update_keeps_the_deadline() {
    let (cache, clock) = manual_cache();
    cache.insert_with_ttl("a", 1, seconds(10));
    let deadline = cache.get_with_deadline(&"a").and_then(|(_, deadline)| deadline);
    assert_eq!(deadline, Some(clock.instant() + seconds(10)));
    clock.advance(seconds(5));
    assert!(cache.update(&"a", |value| value * 10));
    assert!(!cache.update(&"b", |_| unreachable!("no such entry")));
    assert_eq!(cache.get_with_deadline(&"a"), Some((10, deadline)));
    clock.advance(seconds(5));
    assert_eq!(cache.sweep(), 1);
    assert!(assert_sound(&cache).is_empty());
}

/// Catches an update after which hits can extend the entry beyond its time to live, or cannot extend it any more.
#[test]
fn update_keeps_the_cap_of_idle_time() {
    let clock = ManualClock::new();
    let cache = Cache::builder()
        .time_to_live(seconds(10))
        .time_to_idle(seconds(4))
        .cleanup_interval(Duration::ZERO)
        .clock(clock.clone())
        .build()
        .expect("valid");
    cache.insert("a", 1);
    assert!(cache.update(&"a", |value| value + 1));
    for _ in 0..3 {
        clock.advance(seconds(3));
        assert_eq!(cache.get(&"a"), Some(2));
    }
    clock.advance(seconds(1) - nanoseconds(1));
    assert_eq!(cache.get(&"a"), Some(2));
    clock.advance(nanoseconds(1));
    assert_eq!(cache.get(&"a"), None);
}

/// Catches a write that keeps the time to live and does not begin the idle time anew: a busy counter would be reset.
/// And a `compute` that keeps, or a `peek`, which does.
#[test]
fn a_write_is_a_use() {
    type Write = fn(&Cache<&'static str, u32>);
    let writes: &[(&str, bool, Write)] = &[
        ("update", true, |cache| assert!(cache.update(&"a", |value| value + 1))),
        ("increment", true, |cache| assert!(cache.increment(&"a", 1).is_some())),
        ("decrement", true, |cache| assert!(cache.decrement(&"a", 0).is_some())),
        ("put", true, |cache| assert_eq!(cache.compute("a", |_| Op::Put(1)), Outcome::Replaced)),
        ("keep", false, |cache| assert_eq!(cache.compute("a", |_| Op::Keep), Outcome::Kept)),
        ("peek", false, |cache| assert!(cache.peek(&"a").is_some())),
    ];
    for (name, is_use, write) in writes {
        let clock = ManualClock::new();
        let builder = Cache::builder().time_to_live(seconds(10)).time_to_idle(seconds(4)).clock(clock.clone());
        let cache = builder.cleanup_interval(Duration::ZERO).build().expect("valid");
        cache.insert("a", 1);
        for _ in 0..3 {
            clock.advance(seconds(3));
            if cache.peek(&"a").is_some() {
                write(&cache);
            }
        }
        clock.advance(seconds(1) - nanoseconds(1));
        assert_eq!(cache.peek(&"a").is_some(), *is_use, "{name}");
        clock.advance(nanoseconds(1));
        assert_eq!(cache.peek(&"a"), None, "{name}: the time to live goes on");
        assert!(assert_sound(&cache).is_empty());
    }
}

/// Catches a load that answers what it computed although another value landed before it, or overwrites that.
#[test]
fn a_load_answers_what_landed_before_it() {
    let (cache, _) = manual_cache();
    let load = || {
        cache.insert("a", 10);
        Ok::<_, ()>(20)
    };
    assert_eq!(cache.try_get_or_insert_with("a", load), Ok(10));
    assert_eq!(cache.get(&"a"), Some(10));
}

/// Catches a wrong outcome or a wrong deadline for each decision on a live and on an absent entry.
#[test]
fn compute_does_what_the_closure_says() {
    let (cache, clock, removals) = recording_cache();
    let deadline =
        |key| cache.get_with_deadline(&key).map(|(value, deadline)| (value, deadline.map(|at| at - clock.instant())));
    assert_eq!(cache.compute("a", |value| if value.is_none() { Op::Keep } else { Op::Remove }), Outcome::Absent);
    assert_eq!(cache.compute("a", |_| Op::Remove), Outcome::Absent);
    assert!(cache.is_empty());
    assert_eq!(cache.compute("a", |_| Op::PutWithTtl(1, seconds(10))), Outcome::Inserted);
    assert_eq!(deadline("a"), Some((1, Some(seconds(10)))));
    assert_eq!(cache.compute("a", |value| if value == Some(&1) { Op::Keep } else { Op::Remove }), Outcome::Kept);
    clock.advance(seconds(4));
    assert_eq!(cache.compute("a", |value| value.map_or(Op::Keep, |value| Op::Put(value + 1))), Outcome::Replaced);
    assert_eq!(deadline("a"), Some((2, Some(seconds(6)))), "Put keeps the deadline");
    assert_eq!(cache.compute("a", |_| Op::PutWithTtl(3, seconds(60))), Outcome::Replaced);
    assert_eq!(deadline("a"), Some((3, Some(seconds(60)))));
    let expiry = clock.system_time() + seconds(30);
    assert_eq!(cache.compute("a", |_| Op::PutWithExpiry(3, expiry)), Outcome::Replaced);
    assert_eq!(deadline("a"), Some((3, Some(seconds(30)))));
    assert_eq!(cache.compute("c", |_| Op::PutWithExpiry(1, expiry)), Outcome::Inserted);
    assert_eq!(deadline("c"), Some((1, Some(seconds(30)))));
    let now = clock.system_time();
    assert_eq!(cache.compute("c", |_| Op::PutWithExpiry(2, now)), Outcome::Removed, "dead on arrival");
    assert_eq!(cache.compute("c", |_| Op::PutWithExpiry(2, now)), Outcome::Absent);
    assert_eq!(cache.compute("a", |_| Op::PutWithTtl(4, seconds(2))), Outcome::Replaced);
    clock.advance(seconds(2) - nanoseconds(1));
    assert_eq!(cache.sweep(), 0);
    assert_eq!(cache.compute("b", |_| Op::Put(1)), Outcome::Inserted);
    assert_eq!(deadline("b"), Some((1, None)));
    assert_eq!(cache.compute("b", |_| Op::Remove), Outcome::Removed);
    assert_eq!(removals.drain().last(), Some(&("b", 1, RemovalCause::Removed)));
    clock.advance(nanoseconds(1));
    assert_eq!(cache.sweep(), 1);
    assert!(assert_sound(&cache).is_empty());
}

/// Catches a touch that only lengthens, one that revives, and one whose answer is wrong.
#[test]
fn touch_and_get_and_touch_set_the_ttl_both_ways() {
    let (cache, clock) = manual_cache();
    assert!(!cache.touch(&"a", seconds(1)));
    assert_eq!(cache.get_and_touch(&"a", seconds(1)), None);
    assert!(cache.is_empty(), "neither creates");
    for touch in [
        (|cache: &Cache<&str, u32>, ttl| cache.touch(&"a", ttl)) as fn(&Cache<_, _>, _) -> _,
        |cache: &Cache<&str, u32>, ttl| cache.get_and_touch(&"a", ttl) == Some(1),
    ] {
        cache.insert_with_ttl("a", 1, seconds(10));
        assert!(touch(&cache, seconds(100)));
        clock.advance(seconds(99));
        assert_eq!(cache.sweep(), 0, "longer");
        assert!(touch(&cache, seconds(500)));
        assert!(touch(&cache, seconds(2)));
        clock.advance(seconds(2) - nanoseconds(1));
        assert_eq!(cache.sweep(), 0);
        clock.advance(nanoseconds(1));
        assert_eq!(cache.sweep(), 1, "shorter");
        cache.insert("a", 1);
        assert!(touch(&cache, seconds(3)), "an entry without a deadline gets one");
        clock.advance(seconds(3));
        assert_eq!(cache.sweep(), 1);
        assert!(!touch(&cache, seconds(3)), "expired");
    }
    assert!(assert_sound(&cache).is_empty());
}

/// Catches a persist that the old record undoes.
#[test]
fn persist_drops_the_deadline() {
    let (cache, clock) = manual_cache();
    assert!(!cache.persist(&"a"));
    cache.insert_with_ttl("a", 1, seconds(1));
    assert!(cache.persist(&"a"));
    assert!(cache.persist(&"a"), "true for an entry that has none already");
    assert_eq!(cache.get_with_deadline(&"a"), Some((1, None)));
    clock.advance(seconds(1_000_000));
    assert_eq!(cache.sweep(), 0);
    assert_eq!(cache.get(&"a"), Some(1));
    assert!(cache.touch(&"a", seconds(1)));
    clock.advance(seconds(1));
    assert_eq!(cache.sweep(), 1, "and a later touch gives it one again");
    assert!(assert_sound(&cache).is_empty());
}

/// Catches removal without its answer, its condition, its cause or its value.
#[test]
fn remove_take_remove_if() {
    let (cache, _, removals) = recording_cache();
    for key in ["a", "b", "c"] {
        cache.insert(key, 1);
    }
    assert!(cache.remove(&"a"));
    assert_eq!(cache.take(&"b"), Some(1));
    assert!(!cache.remove_if(&"c", |value| *value == 2));
    assert_eq!(cache.get(&"c"), Some(1));
    assert!(cache.remove_if(&"c", |value| *value == 1));
    assert!(!cache.remove_if(&"c", |_| unreachable!("no such entry")));
    let expected = ["a", "b", "c"].map(|key| (key, 1, RemovalCause::Removed));
    assert_eq!(removals.drain(), expected);
    assert!(assert_sound(&cache).is_empty());
}

/// Catches a walk that skips entries, visits one twice, or shows the dead to the closure.
#[test]
fn retain_keeps_what_the_closure_accepts() {
    let (cache, clock, removals) = recording_cache();
    for key in 0..3_000_u32 {
        let ttl = if key % 3 == 0 { seconds(1) } else { seconds(10) };
        cache.insert_with_ttl(key, key * 2, ttl);
    }
    clock.advance(seconds(1));
    let mut seen = Vec::new();
    cache.retain(|key, value| {
        assert_eq!(*value, key * 2);
        seen.push(*key);
        key % 2 == 0
    });
    seen.sort_unstable();
    assert!(seen.iter().copied().eq((0..3_000).filter(|key| key % 3 != 0)), "each live entry once");
    let removed = removals.drain().into_iter().filter(|(_, _, cause)| *cause == RemovalCause::Removed);
    assert_eq!(removed.count(), 1_000);
    assert_eq!(assert_sound(&cache).len(), 1_000);
}

/// Catches a clear that leaves entries or records behind, or that does not report.
#[test]
fn clear_empties_the_cache_and_it_works_on() {
    let (cache, clock, removals) = recording_cache();
    for round in 0..3_u32 {
        for key in 0..1_000_u32 {
            cache.insert_with_ttl(key, round, seconds(10));
        }
        cache.clear();
        assert!(cache.is_empty());
        assert_eq!(cache.iter().count(), 0);
        let reports = removals.drain();
        assert_eq!(reports.len(), 1_000);
        assert!(reports.iter().all(|report| report.1 == round && report.2 == RemovalCause::Cleared));
    }
    cache.insert_with_ttl(1, 9, seconds(20));
    clock.advance(seconds(10));
    assert_eq!(cache.sweep(), 0);
    assert_eq!(assert_sound(&cache).into_iter().collect::<Vec<_>>(), [(1, 9)]);
}

/// Catches unchecked arithmetic, a lost deadline, and creation.
#[test]
fn increment_and_decrement_are_checked_and_never_create() {
    let (cache, clock) = manual_cache::<&str, u8>();
    assert_eq!(cache.increment(&"a", 1), None);
    assert_eq!(cache.decrement(&"a", 1), None);
    assert!(cache.is_empty());
    cache.insert_with_ttl("a", 250, seconds(5));
    clock.advance(seconds(2));
    assert_eq!(cache.increment(&"a", 5), Some(255));
    assert_eq!(cache.increment(&"a", 1), None, "overflow");
    assert_eq!(cache.get_with_deadline(&"a"), Some((255, Some(clock.instant() + seconds(3)))));
    assert_eq!(cache.decrement(&"a", 255), Some(0));
    assert_eq!(cache.decrement(&"a", 1), None, "underflow");
    assert_eq!(cache.get(&"a"), Some(0));
    clock.advance(seconds(3));
    assert_eq!(cache.increment(&"a", 1), None, "expired");
    let (signed, _) = manual_cache::<&str, i128>();
    signed.insert("a", i128::MIN + 1);
    assert_eq!(signed.decrement(&"a", 1), Some(i128::MIN));
    assert_eq!(signed.decrement(&"a", 1), None);
    assert_eq!(signed.increment(&"a", i128::MAX), Some(-1));
    let (sizes, _) = manual_cache::<&str, usize>();
    sizes.insert("a", 1);
    assert_eq!(sizes.increment(&"a", 41), Some(42));
    assert!(assert_sound(&cache).is_empty());
}

/// Catches a batch that skips, reorders or repeats a key, at every size around the depth of its pipeline.
#[test]
fn get_many_calls_once_for_each_key_in_order() {
    let (cache, clock) = manual_cache::<u64, u64>();
    for key in 0..300 {
        cache.insert_with_ttl(key, key + 7, if key % 5 == 0 { seconds(1) } else { seconds(9) });
    }
    clock.advance(seconds(1));
    let mut random = common::Random::new(7);
    for size in (0..70).chain([127, 128, 129, 1_000]) {
        let keys: Vec<u64> = (0..size).map(|_| random.below(400)).collect();
        let mut answers = Vec::new();
        cache.get_many(&keys, |key: &u64, value| answers.push((*key, value.copied())));
        let expected: Vec<_> = keys.iter().map(|key| (*key, (*key < 300 && key % 5 != 0).then_some(key + 7))).collect();
        assert_eq!(answers, expected, "batch of {size}");
    }
    let keys = ["b".to_owned(), "a".to_owned(), "b".to_owned()];
    let (words, _) = manual_cache::<String, u32>();
    words.insert("b".to_owned(), 2);
    let mut borrowed: Vec<&String> = Vec::new();
    words.get_many(&keys, |key, _| borrowed.push(key));
    assert!(borrowed.iter().zip(&keys).all(|(got, key)| std::ptr::eq(*got, key)), "the caller's own keys come back");
    assert_eq!(borrowed.len(), 3);
    assert_eq!(assert_sound(&cache).len(), 240);
}

/// Catches hits and misses of a batch that the statistics do not see.
#[test]
fn statistics_count_what_happened() {
    let (cache, clock) = manual_cache();
    assert!(cache.insert("a", 1));
    assert!(!cache.insert("a", 2));
    assert!(cache.insert_with_ttl("b", 1, seconds(1)));
    assert!(cache.insert("c", 1));
    cache.get(&"a");
    cache.get(&"missing");
    cache.read(&"a", |_| ());
    cache.get_many(&["a", "missing", "b"], |_, _| ());
    let before = cache.stats();
    assert_eq!((before.hits, before.misses), (4, 2));
    cache.peek(&"a");
    cache.peek(&"missing");
    cache.iter().count();
    assert_eq!((cache.stats().hits, cache.stats().misses), (4, 2), "peek and iteration count in no statistic");
    cache.remove(&"c");
    cache.remove(&"c");
    clock.advance(seconds(1));
    assert_eq!(cache.sweep(), 1);
    let stats = cache.stats();
    assert_eq!((stats.inserts, stats.replaced, stats.removed, stats.expired), (3, 1, 1, 1));
    assert_eq!((stats.entries, stats.sweeps, stats.contained_panics, stats.evicted), (1, 1, 0, 0));
    assert!(stats.records_handled >= 1);
    let silent = Cache::builder().cleanup_interval(Duration::ZERO).without_stats().build().expect("valid");
    silent.insert("a", 1);
    silent.get(&"a");
    silent.get(&"b");
    assert_eq!((silent.stats().hits, silent.stats().misses), (0, 0), "turned off");
    assert_eq!(silent.len(), 1, "the length is no statistic");
}

/// Catches a pin whose reads differ from the cache's.
#[test]
fn a_pin_reads_and_iterates() {
    let (cache, clock) = manual_cache::<String, u32>();
    for key in 0..500_u32 {
        cache.insert_with_ttl(key.to_string(), key, seconds(1 + u64::from(key % 2)));
    }
    let pinned = cache.pin();
    assert_eq!(pinned.get("7"), Some(&7));
    assert_eq!(pinned.get("500"), None);
    assert_eq!(pinned.iter().count(), 500);
    clock.advance(seconds(1));
    assert_eq!(pinned.get("6"), None, "a long pin reads the clock anew");
    let mut odd: Vec<u32> = pinned
        .iter()
        .map(|(key, value)| {
            assert_eq!(*key, value.to_string());
            *value
        })
        .collect();
    odd.sort_unstable();
    assert!(odd.into_iter().eq((0..500).filter(|key| key % 2 == 1)));
    cache.insert("500".to_owned(), 500);
    assert_eq!(pinned.get("500"), Some(&500), "no snapshot");
    drop(pinned);
    assert_eq!(assert_sound(&cache).len(), 251);
}

/// Catches iteration over a table that grew from nothing: nothing missed, nothing twice, the dead left out.
#[test]
fn iter_yields_each_live_entry_once() {
    for size in [0, 1, 2, 7, 8, 9, 63, 64, 65, 1_000, 20_000_u32] {
        let (cache, clock) = manual_cache();
        for key in 0..size {
            cache.insert_with_ttl(key, !key, if key % 4 == 0 { seconds(1) } else { seconds(2) });
        }
        clock.advance(seconds(1));
        let mut seen: Vec<u32> = cache
            .iter()
            .map(|(key, value)| {
                assert_eq!(value, !key);
                key
            })
            .collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq((0..size).filter(|key| key % 4 != 0)), "size {size}");
        assert_sound(&cache);
    }
}

/// Catches nonsense accepted by the builder, an error that does not name its field, and room that is not used.
#[test]
fn the_builder_refuses_nonsense_by_name() {
    let builder = || Cache::<u32, u32>::builder().cleanup_interval(Duration::ZERO);
    for (built, field) in [
        (builder().time_to_live(Duration::ZERO).build(), "time_to_live"),
        (builder().time_to_idle(Duration::ZERO).build(), "time_to_idle"),
        (builder().capacity(usize::MAX).build(), "capacity"),
    ] {
        let error = built.err().unwrap_or_else(|| panic!("nonsense in {field} accepted"));
        assert!(error.to_string().contains(field), "`{error}` does not name {field}");
        assert!(error.to_string().len() > field.len() + 8, "`{error}` gives no reason");
    }
    let roomy =
        builder().capacity(10_000).time_to_live(Duration::MAX).time_to_idle(Duration::MAX).build().expect("valid");
    for key in 0..20_000 {
        assert!(roomy.insert(key, key));
    }
    assert_eq!(assert_sound(&roomy).len(), 20_000);
}
