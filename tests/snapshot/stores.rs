//! Of session stores.

use std::time::{Duration, SystemTime};

use fleeting::snapshot::{Loaded, Saved};

use crate::common::{assert_store_sound, manual_store, nanoseconds, seconds};
use crate::{at, restarted, saved, sessions, small};

fn counts(loaded: Loaded) -> (u64, u64, u64) {
    (loaded.loaded, loaded.expired, loaded.already_present)
}

/// Catches a token, data or expiry that comes back otherwise, a record that is missing or doubled, and counts that do not say so.
#[test]
fn what_is_saved_comes_back() {
    let (store, _) = manual_store();
    for number in 0..5_000_u32 {
        let data = vec![number as u8; (number % 700) as usize];
        store.save(number.to_le_bytes(), data, at(100) + nanoseconds(u64::from(number)));
    }
    store.save("large", vec![7; 300_000], at(50));
    store.save(vec![8; 200_000], "", at(50));
    store.save("", "", at(1));
    store.save_for("never", "ends", Duration::MAX);
    let mut file = Vec::new();
    let Saved { records, bytes, .. } = store.save_to(&mut file).expect("saved");
    assert_eq!((records, bytes), (5_004, file.len() as u64));

    let (other, _) = restarted(0);
    assert_eq!(counts(other.load_from(&file[..]).expect("whole")), (5_004, 0, 0));
    let (mut before, mut after) = (sessions(&store), sessions(&other));
    // The furthest time there is depends on when the clock began.
    let never = b"never".as_slice();
    assert!(before.remove(never).expect("live").1 > SystemTime::now() + seconds(200 * 365 * 86_400));
    assert!(after.remove(never).expect("live").1 > SystemTime::now() + seconds(200 * 365 * 86_400));
    assert_eq!(before, after);
    assert_store_sound(&other);
    assert_eq!(saved(&other).len(), file.len());
}

/// Catches an empty store that has no snapshot.
#[test]
fn nothing_comes_back_as_nothing() {
    let file = saved(&manual_store().0);
    let (other, _) = restarted(0);
    assert_eq!(other.load_from(&file[..]).expect("whole"), Loaded::default());
    assert!(other.is_empty());
}

/// Catches deadlines on the monotonic clock, which begins anew, and an expiry that is off by one.
#[test]
fn what_expired_while_down_stays_dead() {
    let store = small();
    store.save("edge", "", at(150) + nanoseconds(1));
    store.save("over", "", at(150));
    let file = saved(&store);
    let (other, clock) = restarted(150);
    assert_eq!(counts(other.load_from(&file[..]).expect("whole")), (3, 2, 0));
    assert!(other.find("a").is_none() && other.find("over").is_none());
    assert!(other.find("token").is_some() && other.find("edge").is_some());
    clock.advance(nanoseconds(1));
    assert!(other.find("edge").is_none(), "its deadline is kept to the nanosecond");
    clock.advance(seconds(10_000));
    assert_eq!(other.sweep(), 1, "what was loaded is filed in the index");
    assert_eq!(assert_store_sound(&other).len(), 1, "and what has no deadline stays");
}

/// Catches what has expired, and was not swept, among what is saved.
#[test]
fn what_has_expired_is_not_saved() {
    let (store, clock) = manual_store();
    store.save("short", "", at(1));
    store.save("long", "", at(2));
    clock.advance(seconds(1));
    assert_eq!(store.save_to(std::io::sink()).expect("saved").records, 1);
}

/// Catches a load that overwrites, and one that brings back the version that a writer still holds.
#[test]
fn what_lives_wins() {
    let store = small();
    let (_, old) = store.find_versioned("token").expect("live");
    let file = saved(&store);
    let (other, clock) = restarted(0);
    other.save("a", "newer", at(7));
    other.save("token", "has expired", at(5));
    clock.advance(seconds(5));
    assert_eq!(counts(other.load_from(&file[..]).expect("whole")), (2, 0, 1));
    assert_eq!(
        other.find_with_expiry("a").map(|(data, expiry)| (data.to_vec(), expiry)),
        Some((b"newer".to_vec(), at(7)))
    );
    let (_, new) = other.find_versioned("token").expect("live");
    assert_ne!(old, new, "a loaded session has a version of its own");
    assert!(other.compare_and_save("token", old, "late", at(300)).is_err());
    assert!(other.compare_and_save("token", new, "fine", at(300)).is_ok());
    assert_eq!(counts(other.load_from(&file[..]).expect("whole")), (0, 0, 3), "a second time: all are there");
}

/// Catches a clock that is set between saving and loading, and moves only some of the deadlines.
#[test]
fn deadlines_are_wall_clock_time() {
    let (store, clock) = manual_store();
    store.save("a", "", at(100));
    clock.advance(seconds(10));
    // The operator sets the clock an hour ahead: the session ends in 90 seconds still.
    clock.set_system_time(at(3_610));
    let file = saved(&store);
    let (other, clock) = restarted(3_620);
    assert_eq!(other.load_from(&file[..]).expect("whole").loaded, 1);
    clock.advance(seconds(79));
    assert!(other.find("a").is_some());
    clock.advance(seconds(1));
    assert!(other.find("a").is_none());
}

/// Catches progress that goes back, skips the end, or is not reported on the way.
#[test]
fn progress_is_reported() {
    let (store, _) = manual_store();
    for number in 0..20_000_u32 {
        store.save(number.to_le_bytes(), [0; 100], at(100));
    }
    let (mut file, mut reports) = (Vec::new(), Vec::new());
    store.snapshot().on_progress(|records| reports.push(records)).save_to(&mut file).expect("saved");
    assert!(reports.len() > 10 && reports.is_sorted() && reports.last() == Some(&20_000), "{reports:?}");
    reports.clear();
    let (other, _) = restarted(0);
    other.snapshot().on_progress(|records| reports.push(records)).load_from(&file[..]).expect("whole");
    assert!(reports.len() > 10 && reports.is_sorted() && reports.last() == Some(&20_000), "{reports:?}");
}
