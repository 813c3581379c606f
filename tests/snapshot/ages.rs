//! The wall clock between saving and loading: set back, set forward, and how long ago.

use std::time::{Duration, SystemTime};

use fleeting::snapshot::LoadErrorKind;
use fleeting::{Cache, ManualClock, MemStore};

use crate::common::{manual_store, nanoseconds, seconds};
use crate::{at, restarted, saved, sessions, small};

const YEAR: u64 = 365 * 86_400;

/// A store whose wall clock is behind.
fn behind(count: u64) -> (MemStore, ManualClock) {
    let clock = ManualClock::starting_at(at(0) - seconds(count));
    let store = MemStore::builder().cleanup_interval(seconds(0)).clock(clock.clone()).build().expect("plain");
    (store, clock)
}

/// Catches a clock that is behind at the load, by a nanosecond or by 20 years, and gives a session more time than
/// it had: here an hour became 20 years.
#[test]
fn nothing_gains_time_by_a_clock_that_is_behind() {
    let (store, _) = manual_store();
    store.save_for("hour", "", seconds(3_600));
    store.save_for("never", "", Duration::MAX);
    let file = saved(&store);
    for behind in [(0, 0), (0, 1), (1, 0), (3_600, 0), (20 * YEAR, 0)] {
        let clock = ManualClock::starting_at(at(0) - seconds(behind.0) - nanoseconds(behind.1));
        let other = MemStore::builder().cleanup_interval(seconds(0)).clock(clock.clone()).build().expect("plain");
        assert_eq!(other.load_from(&file[..]).expect("whole").loaded, 2, "{behind:?}");
        clock.advance(seconds(3_600) - nanoseconds(1));
        assert!(other.find("hour").is_some(), "{behind:?}: it has the hour that it had");
        clock.advance(nanoseconds(1));
        assert!(other.find("hour").is_none(), "{behind:?}: and no more");
        assert!(other.find("never").is_some());
    }
}

/// Catches the same of a cache, for the end of the idle time and for that of the time to live.
#[test]
fn neither_end_of_a_caches_entry_gains_time() {
    let build = |clock: &ManualClock| {
        let builder = Cache::<u32, char>::builder().cleanup_interval(seconds(0)).clock(clock.clone());
        builder.time_to_idle(seconds(10)).build().expect("plain")
    };
    let cache = build(&ManualClock::starting_at(at(0)));
    cache.insert_with_ttl(1, 'a', seconds(25));
    let mut file = Vec::new();
    cache.save_to(&mut file).expect("saved");
    let clock = ManualClock::starting_at(at(0) - seconds(20 * YEAR));
    let other = build(&clock);
    assert_eq!(other.load_from(&file[..]).expect("whole").loaded, 1);
    for _ in 0..4 {
        clock.advance(seconds(6));
        assert_eq!(other.get(&1), Some('a'), "read within each idle time");
    }
    clock.advance(seconds(1));
    assert_eq!(other.get(&1), None, "25 seconds are over");
    let idle = build(&ManualClock::starting_at(at(0) - seconds(20 * YEAR)));
    assert_eq!(idle.load_from(&file[..]).expect("whole").loaded, 1);
}

/// Catches a snapshot of the future that is refused, or held for old; and one that a set clock makes wrap.
#[test]
fn a_clock_that_is_ahead_expires_and_one_behind_does_not_age() {
    let file = saved(&small());
    let (store, _) = restarted(100 * YEAR);
    assert_eq!(store.load_from(&file[..]).expect("whole").expired, 2);
    let (store, _) = behind(20 * YEAR);
    assert_eq!(store.snapshot().max_age(Duration::ZERO).load_from(&file[..]).expect("age zero").loaded, 3);
}

/// Catches a greatest age that is off by one, loads something of what it refuses, or does not tell both ages.
#[test]
fn what_is_too_old_is_refused_whole() {
    let file = saved(&small());
    let (age, max_age) = (seconds(50), seconds(50) - nanoseconds(1));
    let (store, _) = restarted(50);
    let error = store.snapshot().max_age(max_age).load_from(&file[..]).expect_err("too old");
    assert_eq!((error.kind(), error.offset()), (LoadErrorKind::TooOld { age, max_age }, 0));
    assert_eq!(
        error.to_string(),
        "the snapshot is too old: it was saved 50s ago, and may be 49.999999999s old \
         (at byte 0, after 0 records that were loaded)"
    );
    assert!(store.is_empty() && error.loaded().loaded == 0);
    assert_eq!(store.snapshot().max_age(age).load_from(&file[..]).expect("just young enough").loaded, 3);
    // It is no property of the file: without the option any age is loaded.
    assert_eq!(restarted(90).0.load_from(&file[..]).expect("whole").loaded, 3);
}

/// Catches a save during which the wall clock is set, and half of whose deadlines move.
#[test]
fn a_clock_that_is_set_while_saving_moves_nothing() {
    let (store, clock) = manual_store();
    (0..2_000_u32).for_each(|number| store.save(number.to_le_bytes(), [0; 100], at(100)));
    let mut file = Vec::new();
    let set = |_| clock.set_system_time(SystemTime::UNIX_EPOCH);
    store.snapshot().on_progress(set).save_to(&mut file).expect("saved");
    let (other, _) = restarted(0);
    assert_eq!(other.load_from(&file[..]).expect("whole").loaded, 2_000);
    assert!(sessions(&other).values().all(|(_, expiry)| *expiry == at(100)));
}
