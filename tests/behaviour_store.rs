//! The table "Exact behaviour" of the API contract, held by `MemStore`. Each test carries the name of its row.
//!
//! Rows about the janitor thread are in `janitor.rs`, about panics in `panics.rs`, about drops in `drops.rs`, and
//! about threads in `stress.rs`.

mod common;

use std::time::{Duration, Instant, SystemTime};

use common::{assert_store_sound, manual_store, nanoseconds, recording_store, seconds, wall_start, within_a_minute};
use fleeting::{ManualClock, MemStore, RemovalCause, WeakMemStore};

/// An operation that tells whether the session `a` is live at the clock's wall time, and its name.
type Sighting = (&'static str, fn(&MemStore, SystemTime) -> bool);

/// All such operations.
const SIGHTINGS: &[Sighting] = &[
    ("find", |store, _| store.find("a").is_some()),
    ("find_with_expiry", |store, _| store.find_with_expiry("a").is_some()),
    ("find_versioned", |store, _| store.find_versioned("a").is_some()),
    ("read", |store, _| store.read("a", |data| data == b"one") == Some(true)),
    ("create", |store, now| store.create("a", "two", now + seconds(9)).is_err()),
    ("update", |store, now| store.update("a", "two", now + seconds(9))),
    ("touch", |store, now| store.touch("a", now + seconds(9))),
    ("rename from", |store, now| store.rename("a", "b", now + seconds(9))),
    ("rename to", |store, now| {
        store.save("b", "two", now + seconds(9));
        let refused = !store.rename("b", "a", now + seconds(9));
        store.delete("b");
        refused
    }),
    ("rename to itself", |store, now| store.rename("a", "a", now + seconds(9))),
    ("delete", |store, _| store.delete("a")),
    ("take", |store, _| store.take("a").is_some()),
    ("all", |store, _| store.all().len() == 1),
    ("iter", |store, _| store.iter().count() == 1),
    ("delete_where", |store, _| store.delete_where(|_, _| true) == 1),
    ("delete_where, argument", |store, _| {
        let mut seen = false;
        store.delete_where(|_, _| {
            seen = true;
            false
        });
        seen
    }),
    ("len after a sweep", |store, _| {
        store.sweep();
        store.len() == 1
    }),
    ("sweep leaves it", |store, _| store.sweep() == 0),
];

/// Catches `<=` for `<` at the deadline, in any operation, and an expiry rounded up or down.
#[test]
fn now_equal_to_the_deadline_is_not_live() {
    for ttl in [nanoseconds(1), nanoseconds(1_500_000), seconds(10), seconds(86_400 * 365)] {
        for (name, sees_live) in SIGHTINGS {
            for (early, expected) in [(nanoseconds(1), true), (Duration::ZERO, false)] {
                let (store, clock) = manual_store();
                store.save("a", "one", clock.system_time() + ttl);
                clock.advance(ttl - early);
                let answer = sees_live(&store, clock.system_time());
                assert_eq!(answer, expected, "{name}, {early:?} before a deadline at {ttl:?}");
                assert_store_sound(&store);
            }
        }
    }
}

/// Catches the same in `compare_and_save`, which needs a version taken before.
#[test]
fn now_equal_to_the_deadline_is_not_live_for_compare_and_save() {
    for (early, expected) in [(nanoseconds(1), true), (Duration::ZERO, false)] {
        let (store, clock) = manual_store();
        store.save("a", "one", clock.system_time() + seconds(5));
        let (_, version) = store.find_versioned("a").expect("live");
        clock.advance(seconds(5) - early);
        let later = clock.system_time() + seconds(5);
        assert_eq!(store.compare_and_save("a", version, "two", later).is_ok(), expected);
        assert_eq!(store.find("a").is_some(), expected);
        assert_store_sound(&store);
    }
}

/// Catches a past expiry taken for "never", and one that leaves the earlier session in place.
#[test]
fn an_expiry_in_the_past_is_not_found_and_the_existing_session_is_gone() {
    let (store, clock) = manual_store();
    clock.advance(seconds(50));
    let now = clock.system_time();
    for past in [
        now,
        now - nanoseconds(1),
        now - seconds(100),
        SystemTime::UNIX_EPOCH,
        SystemTime::UNIX_EPOCH - seconds(1),
        SystemTime::UNIX_EPOCH - seconds(100_000_000_000),
    ] {
        store.save("a", "one", now + seconds(60));
        assert!(store.find("a").is_some());
        store.save("a", "two", past);
        assert!(store.find("a").is_none(), "{past:?}");
        assert!(store.all().is_empty());
        store.save("b", "fresh", past);
        assert!(store.find("b").is_none());
        store.save("c", "one", now + seconds(60));
        assert!(store.touch("c", past), "it was live when the touch came");
        assert!(store.find("c").is_none());
    }
    store.save_for("a", "one", seconds(60));
    store.save_for("a", "two", Duration::ZERO);
    assert!(store.find("a").is_none());
    clock.advance(seconds(1_000_000_000));
    assert!(store.find("a").is_none(), "never immortal");
    assert!(assert_store_sound(&store).is_empty());
}

/// Catches overflow on the way from a far-off expiry to a deadline.
#[test]
fn a_far_off_expiry_is_live_and_never_reached() {
    let (store, clock) = manual_store();
    let year = 365 * 86_400;
    let epoch = SystemTime::UNIX_EPOCH;
    let last = epoch.checked_add(seconds(i64::MAX as u64)).unwrap_or(epoch + seconds(1 << 40));
    store.save("2300", "", epoch + seconds(10_413_792_000));
    store.save("9999", "", epoch + seconds(253_402_300_799));
    store.save("last", "", last);
    store.save_for("longest", "", Duration::MAX);
    store.save_for("u64 nanoseconds", "", nanoseconds(u64::MAX));
    store.save_for("touched", "", seconds(1));
    assert!(store.touch("touched", last));
    let (_, expiry) = store.find_with_expiry("longest").expect("live");
    assert!(expiry > clock.system_time() + seconds(250 * year), "never is far off: {expiry:?}");
    for years in [0, 1, 99, 150] {
        clock.advance(seconds(years * year));
        assert_eq!(store.sweep(), 0);
        assert_eq!(store.iter().count(), 6);
        assert!(store.find("9999").is_some());
    }
    assert_eq!(assert_store_sound(&store).len(), 6);
}

/// Catches a save that keeps the old data or the old expiry.
#[test]
fn saving_on_an_existing_token_replaces_data_and_expiry() {
    let (store, clock, removals) = recording_store();
    let at = |count| wall_start() + seconds(count);
    store.save("longer", "one", at(10));
    store.save("longer", "a longer text than before", at(20));
    store.save("shorter", "a longer text than after", at(20));
    store.save("shorter", "two", at(10));
    let replaced = removals.drain();
    assert_eq!(replaced.len(), 2);
    assert!(replaced.iter().all(|(_, _, cause)| *cause == RemovalCause::Replaced));
    assert_eq!(store.find_with_expiry("longer").expect("live").1, at(20));
    assert_eq!(&*store.find("shorter").expect("live"), b"two");
    clock.advance(seconds(10));
    assert!(store.find("shorter").is_none());
    assert_eq!(&*store.find("longer").expect("live"), b"a longer text than before");
    clock.advance(seconds(10));
    assert!(store.find("longer").is_none());
    assert!(assert_store_sound(&store).is_empty());
}

/// Catches a save that takes a dead session for a live one.
#[test]
fn saving_on_an_expired_but_resident_token_is_a_new_entry() {
    type Save = fn(&MemStore, SystemTime);
    let saves: &[(&str, Save)] = &[
        ("save", |store, expiry| store.save("a", "two", expiry)),
        ("save_for", |store, _| store.save_for("a", "two", seconds(9))),
        ("create", |store, expiry| assert!(store.create("a", "two", expiry).is_ok())),
        ("try_save", |store, expiry| assert!(store.try_save("a", "two", expiry).is_ok())),
    ];
    for (name, save) in saves {
        let (store, clock, removals) = recording_store();
        store.save_for("a", "one", seconds(1));
        clock.advance(seconds(1));
        assert_eq!(store.len(), 1, "expired, and resident");
        save(&store, clock.system_time() + seconds(9));
        assert_eq!(removals.drain(), [(b"a".to_vec(), b"one".to_vec(), RemovalCause::Expired)], "{name}");
        assert_eq!(&*store.find("a").expect("live"), b"two");
        clock.advance(seconds(8));
        assert_eq!(store.sweep(), 0, "the old record does not end the new session");
        assert_eq!(assert_store_sound(&store).len(), 1);
        assert_eq!(removals.drain(), [], "{name}: reported once");
    }
}

/// Catches empty tokens or data taken for "absent", or a layout that cannot hold them.
#[test]
fn an_empty_token_and_empty_data_are_ordinary() {
    let (store, clock) = manual_store();
    store.save_for("", "", seconds(1));
    assert_eq!(&*store.find("").expect("live"), b"");
    store.save_for("", "data", seconds(1));
    assert_eq!(&*store.find("").expect("live"), b"data");
    store.save_for("token", "", seconds(1));
    assert_eq!(store.read("token", <[u8]>::len), Some(0));
    assert!(store.rename("token", "other", clock.system_time() + seconds(1)));
    assert!(store.create("", "", clock.system_time() + seconds(1)).is_err());
    assert!(store.delete(""));
    assert!(store.find("").is_none());
    assert_eq!(assert_store_sound(&store).len(), 1);
    clock.advance(seconds(1));
    assert_eq!(store.sweep(), 1);
}

/// Catches a layout that mixes up token and data, at lengths around words, cache lines and size classes.
#[test]
fn tokens_and_data_of_any_length_come_back_whole() {
    let (store, _) = manual_store();
    let sizes = [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 4_095, 4_096, 100_000];
    let bytes = |length: usize, seed: usize| -> Vec<u8> { (0..length).map(|at| (at * 31 + seed) as u8).collect() };
    for (token_seed, token_length) in sizes.into_iter().enumerate() {
        for (data_seed, data_length) in sizes.into_iter().enumerate() {
            let token = bytes(token_length, token_seed);
            store.save_for(&token, bytes(data_length, data_seed), seconds(1));
            let found = store.find(&token).expect("live");
            assert!(*found == *bytes(data_length, data_seed), "token of {token_length}, data of {data_length}");
        }
    }
    assert_eq!(assert_store_sound(&store).len(), sizes.len());
}

/// Catches a store that keeps a reference to the caller's buffer.
#[test]
fn a_buffer_changed_after_the_save_leaves_the_store_unaffected() {
    let (store, _) = manual_store();
    let mut token = b"token".to_vec();
    let mut data = b"before".to_vec();
    store.save_for(&token, &data, seconds(1));
    token.copy_from_slice(b"other");
    data.copy_from_slice(b"after!");
    assert_eq!(&*store.find("token").expect("live"), b"before");
    assert!(store.find("other").is_none());
    assert_eq!(assert_store_sound(&store).len(), 1);
}

/// Catches a handle that dies, or changes, with its session.
#[test]
fn data_found_stays_valid_and_unchanged() {
    let (store, clock) = manual_store();
    let text = |key: usize| format!("data of {key}");
    let ends: &[fn(&MemStore, &ManualClock)] = &[
        |store, _| assert!(store.delete("t")),
        |store, _| assert!(store.take("t").is_some()),
        |store, _| store.save_for("t", "other", seconds(9)),
        |store, _| assert!(store.update("t", "other", wall_start() + seconds(1_000_000))),
        |store, _| assert!(store.rename("t", "u", wall_start() + seconds(1_000_000))),
        |store, _| assert_eq!(store.delete_where(|_, _| true), 1),
        |store, _| store.clear(),
        |store, clock| {
            clock.advance(seconds(9));
            assert_eq!(store.sweep(), 1);
        },
    ];
    let mut handles = Vec::new();
    for (key, end) in ends.iter().enumerate() {
        store.clear();
        store.save_for("t", text(key), seconds(9));
        let handle = store.find("t").expect("live");
        handles.push(handle.clone());
        handles.push(handle);
        end(&store, &clock);
    }
    for key in 0..10_000_u32 {
        store.save_for(key.to_le_bytes(), text(77), seconds(9)); // Memory freed too early would be used again.
    }
    drop(store);
    common::reclaim_until(|| true);
    for (at, handle) in handles.iter().enumerate() {
        assert_eq!(&**handle, text(at / 2).as_bytes());
    }
    let moved = std::thread::spawn(move || handles.iter().map(|handle| handle.len()).sum::<usize>());
    assert_eq!(moved.join().expect("handles are Send"), 16 * text(0).len());
}

/// Catches a store that leans on the janitor for correctness.
#[test]
fn interval_zero_expired_sessions_are_never_returned_and_sweep_frees_them() {
    let clock = ManualClock::starting_at(wall_start());
    let store = MemStore::builder().cleanup_interval(Duration::ZERO).clock(clock.clone()).build().expect("valid");
    for key in 0..1_000_u64 {
        store.save_for(key.to_le_bytes(), "data", seconds(1 + key % 10));
    }
    clock.advance(seconds(5));
    assert_eq!(store.len(), 1_000, "nobody has looked");
    assert_eq!(store.sweep(), 500);
    clock.advance(seconds(1));
    assert_eq!(store.all().len(), 400);
    assert_eq!(store.len(), 400, "who meets what has expired removes it");
    store.stop_cleanup();
    clock.advance(seconds(4));
    assert_eq!(store.sweep(), 400);
    assert!(assert_store_sound(&store).is_empty());
    let plain = MemStore::new(Duration::ZERO);
    plain.save("a", "data", SystemTime::now() + seconds(3_600));
    plain.save("b", "data", SystemTime::now() - seconds(3_600));
    assert_eq!(plain.all().len(), 1, "and under the system's clock");
}

/// Catches deletion of nothing that panics or answers true.
#[test]
fn deleting_a_missing_token_twice_is_no_error() {
    let (store, _) = manual_store();
    assert!(!store.delete("a"));
    assert!(!store.delete("a"));
    store.save_for("a", "data", seconds(1));
    assert!(store.delete("a"));
    assert!(!store.delete("a"));
    assert!(store.take("a").is_none());
    assert_eq!(store.delete_where(|_, _| true), 0);
    assert!(assert_store_sound(&store).is_empty());
}

/// Catches a callback that deadlocks, or whose writes are lost.
#[test]
fn a_callback_that_saves_and_deletes_meets_no_deadlock() {
    within_a_minute(|| {
        let clock = ManualClock::starting_at(wall_start());
        let slot = std::sync::Arc::new(std::sync::OnceLock::<WeakMemStore>::new());
        let from_callback = std::sync::Arc::clone(&slot);
        let store = MemStore::builder()
            .cleanup_interval(Duration::ZERO)
            .clock(clock.clone())
            .on_removal(move |token: &[u8], data: &[u8], cause| {
                if cause == RemovalCause::Expired {
                    let store = from_callback.get().expect("set below").upgrade().expect("a caller holds it");
                    store.save_for([b"archive/", token].concat(), data, seconds(1_000));
                    store.delete([b"extra/", token].concat());
                }
            })
            .build()
            .expect("valid");
        assert!(slot.set(store.downgrade()).is_ok());
        for key in 0..500_u32 {
            store.save_for(key.to_string(), "data", seconds(1));
            store.save_for(format!("extra/{key}"), "data", seconds(500));
        }
        clock.advance(seconds(1));
        assert_eq!(store.sweep(), 500);
        let left = assert_store_sound(&store);
        assert_eq!(left.len(), 500);
        assert!(left.keys().all(|token| token.starts_with(b"archive/")));
    });
}

/// Catches a late save that undoes a logout.
#[test]
fn update_or_touch_after_a_delete_is_false_and_the_session_stays_gone() {
    let (store, clock) = manual_store();
    let later = clock.system_time() + seconds(60);
    store.save("a", "one", later);
    let (_, version) = store.find_versioned("a").expect("live");
    assert!(store.delete("a"));
    assert!(!store.update("a", "two", later));
    assert!(!store.touch("a", later));
    assert!(!store.rename("a", "b", later));
    assert!(!store.rename("a", "a", later));
    assert!(store.compare_and_save("a", version, "two", later).is_err());
    assert!(store.find("a").is_none());
    assert!(store.find("b").is_none());
    assert!(assert_store_sound(&store).is_empty());
}

/// Catches deadlines that hang on the wall clock after they were set.
#[test]
fn a_wall_clock_set_back_or_forward_keeps_the_distance_of_deadlines() {
    for jump in [SystemTime::UNIX_EPOCH, wall_start() - seconds(3_600), wall_start() + seconds(86_400 * 365)] {
        let (store, clock) = manual_store();
        store.save("before", "data", clock.system_time() + seconds(60));
        clock.set_system_time(jump);
        assert_eq!(store.sweep(), 0);
        store.save("after", "data", clock.system_time() + seconds(60));
        clock.advance(seconds(60) - nanoseconds(1));
        assert!(store.find("before").is_some(), "{jump:?}");
        assert!(store.find("after").is_some(), "{jump:?}");
        clock.advance(nanoseconds(1));
        assert!(store.find("before").is_none(), "{jump:?}");
        assert!(store.find("after").is_none(), "{jump:?}");
        assert!(assert_store_sound(&store).is_empty());
    }
}

/// Catches a hash that hardly sees the last byte: look-ups would walk one bucket with thousands of tokens.
#[test]
fn tokens_that_differ_in_the_last_byte_only_spread_over_the_table() {
    let fastest = |tokens: &[Vec<u8>]| -> Duration {
        let (store, _) = manual_store();
        for token in tokens {
            store.save_for(token, token, seconds(1));
        }
        assert_eq!(store.len(), tokens.len());
        let rounds = (0..7).map(|_| {
            let start = Instant::now();
            for token in tokens {
                assert_eq!(store.read(token, |data| data == &token[..]), Some(true));
            }
            start.elapsed()
        });
        rounds.min().expect("seven rounds")
    };
    let random: Vec<Vec<u8>> = {
        let mut random = common::Random::new(3);
        (0..65_536).map(|_| (0..8).flat_map(|_| random.next().to_le_bytes()).collect()).collect()
    };
    let last_bytes: Vec<Vec<u8>> =
        (0..65_536_u32).map(|tail| [&[b's'; 62][..], &tail.to_be_bytes()[2..]].concat()).collect();
    let (spread, close) = (fastest(&random), fastest(&last_bytes));
    assert!(close < spread * 8, "{close:?} for tokens alike but for their end, {spread:?} for random ones");
    for prefix in ["", "s", "session:0123456789abcdef:"] {
        let (store, _) = manual_store();
        for last in 0..=255_u8 {
            store.save_for([prefix.as_bytes(), &[last]].concat(), [last], seconds(1));
        }
        for last in 0..=255_u8 {
            assert_eq!(&*store.find([prefix.as_bytes(), &[last]].concat()).expect("live"), [last]);
        }
        assert_eq!(assert_store_sound(&store).len(), 256);
    }
}
