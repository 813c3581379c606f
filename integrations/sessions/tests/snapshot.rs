//! A restart: what was deleted stays deleted, what comes late is refused, and nothing lives longer for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fleeting_sessions::fleeting::ManualClock;
use fleeting_sessions::fleeting::snapshot::LoadErrorKind;
use fleeting_sessions::{Lifetime, LoadedSessions, Sessions, Update};

type Map = Sessions<u32, String>;

const MINUTE: Duration = Duration::from_secs(60);
const INSTANT: Duration = Duration::from_nanos(1);

fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_763_000_000)
}

/// A map that begins so long after the first, by the wall clock.
fn after(time: Duration) -> (Map, ManualClock) {
    let clock = ManualClock::starting_at(start() + time);
    (Sessions::builder().cleanup_interval(Duration::ZERO).clock(clock.clone()).build().expect("a map"), clock)
}

fn session(name: &str) -> Arc<String> {
    Arc::new(name.to_owned())
}

fn saved(sessions: &Map) -> Vec<u8> {
    let mut file = Vec::new();
    sessions.snapshot().save_to(&mut file).expect("saved");
    file
}

fn counts(loaded: LoadedSessions) -> [u64; 4] {
    [loaded.sessions, loaded.tombstones, loaded.expired, loaded.already_present]
}

/// Live until and for a time; deleted; barred.
fn of_each_kind() -> Map {
    let (sessions, _) = after(Duration::ZERO);
    sessions.create(1, session("until"), Lifetime::Until(start() + 10 * MINUTE));
    sessions.create(2, session("for"), Lifetime::For(10 * MINUTE));
    sessions.create(3, session("deleted"), Lifetime::For(10 * MINUTE));
    sessions.create(4, session("deleted"), Lifetime::Until(start() + 5 * MINUTE));
    sessions.create(5, session("short"), Lifetime::For(MINUTE));
    assert!(sessions.delete(3) && sessions.delete(4));
    sessions.delete_or_bar(6, MINUTE);
    sessions
}

/// Catches tombstones that a restart loses, so that a late save or a creation brings the session back; counts that
/// are wrong then; and ends that move.
#[test]
fn what_was_deleted_stays_deleted_across_a_restart() {
    let file = saved(&of_each_kind());
    let (restarted, clock) = after(2 * MINUTE);
    assert_eq!(counts(restarted.snapshot().load_from(&file[..]).expect("whole")), [2, 2, 2, 0]);
    assert_eq!((restarted.len(), restarted.tombstones(), restarted.held()), (2, 2, 4));
    let late = |key| restarted.update(key, session("late"), Lifetime::For(MINUTE));
    assert_eq!([3, 4, 6].map(late), [Update::Deleted, Update::Deleted, Update::Absent]);
    assert!(!restarted.create(3, session("again"), Lifetime::For(MINUTE)));
    assert_eq!(restarted.load(&1).as_deref().map(String::as_str), Some("until"));
    // Each end is where it was: sessions and tombstones.
    clock.advance(3 * MINUTE - INSTANT);
    assert_eq!(late(4), Update::Deleted);
    clock.advance(INSTANT);
    assert_eq!(late(4), Update::Absent);
    clock.advance(5 * MINUTE - INSTANT);
    assert!(restarted.load(&1).is_some() && restarted.load(&2).is_some() && late(3) == Update::Deleted);
    clock.advance(INSTANT);
    assert!(restarted.load(&1).is_none() && restarted.load(&2).is_none() && late(3) == Update::Absent);
    restarted.sweep();
    assert_eq!((restarted.held(), restarted.tombstones()), (0, 0));
}

/// Catches a load over what is there: a live session yields to a tombstone, and to nothing else.
#[test]
fn what_is_there_stays_but_deletions_win() {
    let file = saved(&of_each_kind());
    let (sessions, _) = after(Duration::ZERO);
    for key in 1..=4 {
        sessions.create(key, session("mine"), Lifetime::For(MINUTE));
    }
    sessions.delete(2);
    sessions.delete(4);
    assert_eq!(counts(sessions.snapshot().load_from(&file[..]).expect("whole")), [1, 2, 0, 3]);
    let found = [1, 2, 3, 4, 5].map(|key| sessions.load(&key).map(|session| session.to_string()));
    assert_eq!(found, [Some("mine".into()), None, None, None, Some("short".into())]);
    assert_eq!((sessions.len(), sessions.tombstones()), (2, 4));
}

/// Catches records that are lost between two reports of progress, a bound that loading passes, and an old snapshot
/// of which something is loaded.
#[test]
fn many_come_back_within_the_bound() {
    let (sessions, _) = after(Duration::ZERO);
    for key in 0..10_000 {
        sessions.create(key, session("data"), Lifetime::For(10 * MINUTE));
        if key % 2 == 0 {
            sessions.delete(key);
        }
    }
    let folder = std::env::temp_dir().join(format!("fleeting-sessions-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("made");
    let path = folder.join("sessions");
    let mut reports = Vec::new();
    let save = sessions.snapshot().schema(7).on_progress(|records| reports.push(records));
    assert_eq!(save.save_to_path(&path).expect("saved").records, 10_000);
    assert_eq!(reports.last(), Some(&10_000));

    let clock = ManualClock::starting_at(start() + MINUTE);
    let builder = Sessions::builder().cleanup_interval(Duration::ZERO).clock(clock).max_tombstones(1_000);
    let restarted: Map = builder.build().expect("a map");
    let max_age = MINUTE - INSTANT;
    let error = restarted.snapshot().schema(7).max_age(max_age).load_from_path(&path).expect_err("too old");
    assert_eq!((error.kind(), restarted.held()), (LoadErrorKind::TooOld { age: MINUTE, max_age }, 0));
    let error = restarted.snapshot().load_from_path(&path).expect_err("no schema");
    assert_eq!(error.kind(), LoadErrorKind::OtherSchema(7));
    reports.clear();
    let load = restarted.snapshot().schema(7).max_age(MINUTE).on_progress(|records| reports.push(records));
    assert_eq!(counts(load.load_from_path(&path).expect("whole")), [5_000, 5_000, 0, 0]);
    assert!(reports.len() > 5 && reports.last() == Some(&10_000), "{reports:?}");
    assert_eq!((restarted.len(), restarted.tombstones(), restarted.forgotten()), (5_000, 1_000, 4_000));
    let keys: BTreeSet<u32> = restarted.iter().map(|(key, _)| key).collect();
    assert_eq!(keys, (1..10_000).step_by(2).collect());
    std::fs::remove_dir_all(&folder).expect("removed");
}

/// Catches what came before a fault and is lost, and a file that is not there and makes no error.
#[test]
fn what_came_before_a_fault_stays() {
    let file = saved(&of_each_kind());
    let (sessions, _) = after(Duration::ZERO);
    let error = sessions.snapshot().load_from(&file[..file.len() - 1]).expect_err("cut");
    assert_eq!((error.kind(), error.loaded().loaded, sessions.held()), (LoadErrorKind::Truncated, 6, 6));
    let error = sessions.snapshot().load_from_path("/nowhere/sessions").expect_err("none");
    assert_eq!(error.kind(), LoadErrorKind::Io(std::io::ErrorKind::NotFound));
}

/// Catches a wall clock that is behind at the restart, and gives sessions or tombstones more time; and system
/// clocks, which each map reads for itself.
#[test]
fn nothing_gains_time_by_a_restart() {
    let file = saved(&of_each_kind());
    let clock = ManualClock::starting_at(start() - 1_000_000 * MINUTE);
    let behind: Map = Sessions::builder().cleanup_interval(Duration::ZERO).clock(clock.clone()).build().expect("a map");
    assert_eq!(counts(behind.snapshot().load_from(&file[..]).expect("whole")), [3, 3, 0, 0]);
    clock.advance(10 * MINUTE);
    behind.sweep();
    assert_eq!(behind.held(), 0);

    let system = || Sessions::<u32, String>::builder().build().expect("a map");
    let sessions = system();
    sessions.create(1, session("live"), Lifetime::For(10 * MINUTE));
    sessions.create(2, session("endless"), Lifetime::For(Duration::MAX));
    sessions.create(3, session("deleted"), Lifetime::For(10 * MINUTE));
    sessions.delete(3);
    let restarted = system();
    assert_eq!(counts(restarted.snapshot().load_from(&saved(&sessions)[..]).expect("whole")), [2, 1, 0, 0]);
    assert!(restarted.load(&1).is_some() && restarted.load(&2).is_some());
    assert_eq!(restarted.update(3, session("late"), Lifetime::For(MINUTE)), Update::Deleted);
}
