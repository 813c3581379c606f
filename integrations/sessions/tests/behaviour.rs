//! What each operation does to a session that is live, was deleted, has expired, or never was; and how long tombstones stay.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use fleeting_sessions::fleeting::ManualClock;
use fleeting_sessions::{Lifetime, Sessions, Update};

type Map = Sessions<u32, &'static str>;

const MINUTE: Duration = Duration::from_secs(60);
const INSTANT: Duration = Duration::from_nanos(1);

fn sessions() -> (Map, ManualClock) {
    let clock = ManualClock::new();
    (Sessions::builder().cleanup_interval(Duration::ZERO).clock(clock.clone()).build().expect("a map"), clock)
}

fn for_minutes(minutes: u32) -> Lifetime {
    Lifetime::For(MINUTE * minutes)
}

fn load(sessions: &Map, key: u32) -> Option<&'static str> {
    sessions.load(&key).map(|session| *session)
}

/// Four keys, one in each state: live, deleted, expired but held, never there.
fn in_each_state() -> Map {
    let (sessions, clock) = sessions();
    sessions.create(EXPIRED, Arc::new("expired"), for_minutes(1));
    clock.advance(MINUTE);
    sessions.create(LIVE, Arc::new("live"), for_minutes(60));
    sessions.create(DELETED, Arc::new("deleted"), for_minutes(60));
    sessions.delete(DELETED);
    sessions
}

const LIVE: u32 = 1;
const DELETED: u32 = 2;
const EXPIRED: u32 = 3;
const UNKNOWN: u32 = 4;
const STATES: [u32; 4] = [LIVE, DELETED, EXPIRED, UNKNOWN];

/// Applies `operation` to each state: what it answers, and what is loaded after.
fn each<R>(operation: impl Fn(&Map, u32) -> R) -> Vec<(R, Option<&'static str>)> {
    let one = |key| {
        let sessions = in_each_state();
        (operation(&sessions, key), load(&sessions, key))
    };
    STATES.into_iter().map(one).collect()
}

/// The README's table. Catches an operation that makes, replaces or ends a session where it should not, or does not where it should.
#[test]
fn each_operation_does_as_the_table_says() {
    let hour = for_minutes(60);
    let new = || Arc::new("new");
    let (none, live, put) = (None, Some("live"), Some("new"));
    assert_eq!(each(|_, _| ()), [((), live), ((), none), ((), none), ((), none)]);
    assert_eq!(
        each(|sessions, key| sessions.create(key, new(), hour)),
        [(false, live), (false, none), (true, put), (true, put)]
    );
    assert_eq!(
        each(|sessions, key| sessions.update(key, new(), hour)),
        [(Update::Done, put), (Update::Deleted, none), (Update::Absent, none), (Update::Absent, none)]
    );
    assert_eq!(
        each(|sessions, key| sessions.put_unless_deleted(key, new(), hour)),
        [(true, put), (false, none), (true, put), (true, put)]
    );
    assert_eq!(each(|sessions, key| sessions.put(key, new(), hour)), [((), put), ((), put), ((), put), ((), put)]);
    assert_eq!(
        each(|sessions, key| sessions.extend(key, hour)),
        [(true, live), (false, none), (false, none), (false, none)]
    );
    assert_eq!(each(|sessions, key| sessions.delete(key)), [(true, none), (false, none), (false, none), (false, none)]);
    assert_eq!(
        each(|sessions, key| sessions.delete_or_bar(key, MINUTE)),
        [((), none), ((), none), ((), none), ((), none)]
    );
    // What bars: a deletion where there was a session, or one that says so.
    let late = |sessions: &Map, key| sessions.put_unless_deleted(key, new(), hour);
    let after_delete = each(|sessions, key| (sessions.delete(key), late(sessions, key)).1);
    assert_eq!(after_delete, [(false, none), (false, none), (true, put), (true, put)]);
    let after_bar = each(|sessions, key| (sessions.delete_or_bar(key, MINUTE), late(sessions, key)).1);
    assert_eq!(after_bar, [(false, none), (false, none), (false, none), (false, none)]);
}

/// Catches a lifetime that has ended and yet makes a session, or leaves one.
#[test]
fn a_lifetime_that_has_ended_ends_the_session() {
    let now = SystemTime::now() - MINUTE;
    for ended in [Lifetime::For(Duration::ZERO), Lifetime::Until(now), Lifetime::Until(SystemTime::UNIX_EPOCH)] {
        let new = || Arc::new("new");
        assert_eq!(each(|sessions, key| sessions.create(key, new(), ended))[2..], [(true, None), (true, None)]);
        assert_eq!(each(|sessions, key| sessions.update(key, new(), ended))[0], (Update::Done, None));
        assert_eq!(each(|sessions, key| sessions.extend(key, ended))[0], (true, None));
        each(|sessions, key| sessions.put(key, new(), ended)).iter().for_each(|(_, found)| assert_eq!(*found, None));
    }
}

/// Catches a tombstone that goes too early, so that a late update finds nothing, or stays too long, and one that is counted as a session.
#[test]
fn tombstones_stay_for_the_lifetime_and_no_longer() {
    let (sessions, clock) = sessions();
    let until = Lifetime::Until(clock.system_time() + MINUTE * 10);
    sessions.create(1, Arc::new("until"), until);
    sessions.create(2, Arc::new("for"), for_minutes(10));
    assert_eq!((sessions.len(), sessions.tombstones()), (2, 0));
    clock.advance(MINUTE * 4);
    assert!(sessions.delete(1) && sessions.delete(2) && sessions.is_empty());
    sessions.delete_or_bar(3, MINUTE * 6);
    let update = |key| sessions.update(key, Arc::new("late"), for_minutes(60));
    clock.advance(MINUTE * 6 - INSTANT);
    sessions.sweep();
    assert_eq!(([1, 2, 3].map(update), sessions.tombstones()), ([Update::Deleted; 3], 3));
    clock.advance(INSTANT);
    sessions.sweep();
    assert_eq!([1, 2, 3].map(update), [Update::Absent, Update::Deleted, Update::Absent]);
    assert_eq!((sessions.len(), sessions.tombstones()), (0, 1), "only the one with a time to live of its own");
    clock.advance(MINUTE * 4 - INSTANT);
    assert_eq!(update(2), Update::Deleted);
    clock.advance(INSTANT);
    assert_eq!((update(2), sessions.sweep(), sessions.tombstones()), (Update::Absent, 0, 0), "the update removed it");
    assert_eq!((sessions.refused(), sessions.stats().entries), (8, 0));
}

/// Catches a tombstone of a session that would have lived for ever, or for years, and itself stays as long.
#[test]
fn tombstones_of_long_sessions_stay_for_a_time() {
    let (_, clock) = sessions();
    let builder = Sessions::builder().cleanup_interval(Duration::ZERO).clock(clock.clone()).tombstone_time(MINUTE * 5);
    let sessions: Map = builder.build().expect("a map");
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    // The clock's now is not the system's.
    clock.advance(year);
    let now = clock.system_time();
    let lifetimes = [
        Lifetime::Until(now + year),
        Lifetime::Until(now + year * 8000),
        Lifetime::Until(now + MINUTE * 5 + INSTANT),
        Lifetime::For(year),
        Lifetime::For(Duration::MAX),
        Lifetime::Until(now + MINUTE * 5),
        Lifetime::Until(now + MINUTE * 5 - INSTANT),
    ];
    for (key, lifetime) in (0..).zip(lifetimes) {
        sessions.create(key, Arc::new("session"), lifetime);
        assert!(sessions.delete(key));
    }
    clock.advance(MINUTE * 5 - INSTANT);
    assert_eq!((sessions.sweep(), sessions.tombstones()), (1, 6), "the one that would have ended");
    clock.advance(INSTANT);
    assert_eq!((sessions.sweep(), sessions.tombstones()), (6, 0));
}

/// Catches a tombstone that never comes, and is counted.
#[test]
fn with_no_tombstone_time_there_are_none() {
    let sessions: Map = Sessions::builder().tombstone_time(Duration::ZERO).build().expect("a map");
    for lifetime in [for_minutes(1), Lifetime::Until(SystemTime::now() + MINUTE)] {
        sessions.create(1, Arc::new("session"), lifetime);
        assert!(sessions.delete(1));
        sessions.delete_or_bar(1, Duration::ZERO);
        assert_eq!((load(&sessions, 1), sessions.len(), sessions.tombstones()), (None, 0, 0));
    }
}

/// Catches an extension that loses the session, or whose lifetime the tombstone does not know.
#[test]
fn a_tombstone_knows_the_latest_lifetime() {
    let (sessions, clock) = sessions();
    sessions.create(1, Arc::new("session"), for_minutes(1));
    assert!(sessions.extend(1, for_minutes(30)));
    clock.advance(MINUTE * 29);
    assert_eq!(load(&sessions, 1), Some("session"));
    sessions.delete(1);
    clock.advance(MINUTE * 30 - INSTANT);
    assert_eq!(sessions.update(1, Arc::new("late"), for_minutes(1)), Update::Deleted);
}

/// Catches a deletion by predicate that misses a session, hits another, leaves no tombstone, or does not look again at what it is about to delete.
#[test]
fn delete_where_deletes_what_it_is_asked_to() {
    let (sessions, _) = sessions();
    for key in 0..1000 {
        sessions.create(key, Arc::new(if key % 3 == 0 { "ferris" } else { "corro" }), for_minutes(1));
    }
    assert_eq!(sessions.delete_where(|_, session| *session == "ferris"), 334);
    assert_eq!((sessions.len(), sessions.tombstones(), sessions.iter().count()), (666, 334, 666));
    assert!(sessions.iter().all(|(key, session)| key % 3 != 0 && *session == "corro"));
    assert_eq!(sessions.delete_where(|_, session| *session == "ferris"), 0);
    assert!(!sessions.create(0, Arc::new("again"), for_minutes(1)));
    // Changed between the look and the deletion.
    let deleted = sessions.delete_where(|key, session| {
        let is_first_look = *session == "corro";
        if *key == 1 && is_first_look {
            sessions.update(1, Arc::new("changed"), for_minutes(1));
        }
        *key == 1 && is_first_look
    });
    assert_eq!((deleted, load(&sessions, 1)), (0, Some("changed")));
    sessions.clear();
    assert_eq!((sessions.len(), sessions.tombstones()), (0, 0));
}

/// Catches tombstones that grow with every logout: a million logins and logouts, and a bound of some thousand. The
/// latest are those that are kept.
#[test]
fn tombstones_are_bounded() {
    const LOGINS: u32 = 1_000_000;
    let clock = ManualClock::new();
    let builder = Sessions::builder().cleanup_interval(Duration::ZERO).clock(clock.clone()).max_tombstones(5_000);
    let sessions: Map = builder.build().expect("a map");
    let session = Arc::new("session");
    for key in 0..LOGINS {
        assert!(sessions.create(key, session.clone(), for_minutes(60)) && sessions.delete(key));
        assert!(sessions.held() <= 5_000);
    }
    assert_eq!((sessions.len(), sessions.tombstones(), sessions.held()), (0, 5_000, 5_000));
    assert_eq!(sessions.forgotten(), u64::from(LOGINS) - 5_000);
    let update = |key| sessions.update(key, session.clone(), for_minutes(60));
    let (oldest, before) = (LOGINS - 5_000, LOGINS - 5_001);
    assert_eq!([LOGINS - 1, oldest, before].map(update), [Update::Deleted, Update::Deleted, Update::Absent]);
    // What has expired by itself is not counted as given up.
    clock.advance(MINUTE * 60);
    sessions.sweep();
    let forgotten = sessions.forgotten();
    for key in 0..5_000 {
        assert!(sessions.create(key, session.clone(), for_minutes(60)) && sessions.delete(key));
    }
    assert_eq!((sessions.tombstones(), sessions.forgotten()), (5_000, forgotten));
}

/// Catches a bound that several threads pass by more than their number.
#[test]
fn tombstones_are_bounded_under_contention() {
    let sessions: Map = Sessions::builder().max_tombstones(100).build().expect("a map");
    thread::scope(|scope| {
        for thread in 0..4 {
            let sessions = &sessions;
            scope.spawn(move || {
                for key in (thread..40_000).step_by(4) {
                    assert!(sessions.create(key, Arc::new("session"), for_minutes(60)) && sessions.delete(key));
                    assert!(sessions.tombstones() <= 104);
                }
            });
        }
    });
    assert!((96..=100).contains(&sessions.tombstones()), "{}", sessions.tombstones());
}

/// Catches an operation that is counted twice, or as something else than its caller calls it: a logout as a
/// replacement, a dead cookie as a hit, a listing as hits, an expired tombstone as an expired session.
#[test]
fn each_call_counts_once_and_as_what_it_is() {
    let (sessions, clock) = sessions();
    let counts = || {
        let stats = sessions.stats();
        [stats.hits, stats.misses, stats.inserts, stats.replaced, stats.removed, stats.expired, stats.entries]
    };
    for key in 0..10 {
        sessions.create(key, Arc::new("session"), for_minutes(10));
    }
    assert_eq!(counts(), [0, 0, 10, 0, 0, 0, 10], "logins");
    (0..10).for_each(|key| assert!(sessions.load(&key).is_some()));
    assert_eq!(counts(), [10, 0, 10, 0, 0, 0, 10], "loads");
    (0..4).for_each(|key| assert!(sessions.delete(key)));
    assert_eq!(counts(), [10, 0, 10, 0, 4, 0, 6], "logouts");
    (0..4).for_each(|key| assert!(sessions.load(&key).is_none() && sessions.load(&(key + 100)).is_none()));
    assert_eq!(counts(), [10, 8, 10, 0, 4, 0, 6], "dead cookies, and unknown ones");
    assert!(sessions.iter().count() == 6 && sessions.peek(&4).is_some() && sessions.peek(&0).is_none());
    assert_eq!(counts(), [10, 8, 10, 0, 4, 0, 6], "a listing, and two looks");
    sessions.update(4, Arc::new("updated"), for_minutes(10));
    sessions.update(0, Arc::new("late"), for_minutes(10));
    sessions.extend(5, for_minutes(10));
    assert_eq!(counts(), [10, 8, 10, 2, 4, 0, 6], "an update, a late one, an extension");
    sessions.delete_or_bar(100, MINUTE);
    sessions.put(0, Arc::new("put"), for_minutes(10));
    assert_eq!(counts(), [10, 8, 11, 2, 4, 0, 7], "a bar is none, and a session in a tombstone's place is new");
    assert_eq!(sessions.delete_where(|key, _| *key == 6), 1);
    assert_eq!(counts(), [10, 8, 11, 2, 5, 0, 6]);
    clock.advance(MINUTE * 10);
    assert_eq!(sessions.sweep(), 11, "sessions and tombstones");
    assert_eq!(counts(), [10, 8, 11, 2, 5, 6, 0], "expired sessions");
    sessions.create(1, Arc::new("session"), for_minutes(1));
    sessions.create(2, Arc::new("session"), for_minutes(1));
    sessions.delete(2);
    sessions.clear();
    assert_eq!(counts(), [10, 8, 13, 2, 7, 6, 0], "cleared");
    let silent: Map = Sessions::builder().without_stats().build().expect("a map");
    silent.create(1, Arc::new("session"), for_minutes(1));
    silent.delete(1);
    let stats = silent.stats();
    assert_eq!((stats.inserts, stats.removed, stats.entries), (0, 0, 0));
}

/// Catches an update that is decided by what is not there any more, or that counts no refusal.
#[test]
fn update_with_decides_by_what_is_there() {
    let hour = for_minutes(60);
    let put = |sessions: &Map, key| {
        sessions.update_with(key, hour, |current| {
            assert_eq!(*current, "live");
            Some(Arc::new("new"))
        })
    };
    let (none, live, new) = (None, Some("live"), Some("new"));
    assert_eq!(
        each(put),
        [(Update::Done, new), (Update::Deleted, none), (Update::Absent, none), (Update::Absent, none)]
    );
    let refuse = |sessions: &Map, key| {
        let update = sessions.update_with(key, hour, |_| None);
        assert_eq!(sessions.refused(), 1);
        update
    };
    assert_eq!(
        each(refuse),
        [(Update::Stale, live), (Update::Deleted, none), (Update::Absent, none), (Update::Absent, none)]
    );
}

/// Catches counts that drift while sessions come, go, expire and are deleted at once.
#[test]
fn counts_are_exact_after_a_storm() {
    let (sessions, clock) = sessions();
    thread::scope(|scope| {
        for thread in 0..4 {
            let (sessions, clock) = (&sessions, &clock);
            scope.spawn(move || {
                for round in 0..20_000_u32 {
                    let key = (round * 7 + thread) % 64;
                    let lifetime = for_minutes(1 + round % 3);
                    match round % 5 {
                        0 => drop(sessions.create(key, Arc::new("created"), lifetime)),
                        1 => drop(sessions.put_unless_deleted(key, Arc::new("put"), lifetime)),
                        2 => sessions.delete_or_bar(key, MINUTE),
                        3 => sessions.put(key, Arc::new("put"), lifetime),
                        _ if sessions.delete(key) => clock.advance(Duration::from_secs(1)),
                        _ => drop(sessions.sweep()),
                    }
                }
            });
        }
    });
    sessions.sweep();
    assert_eq!(sessions.len(), sessions.iter().count());
    assert!(sessions.len() + sessions.tombstones() <= 64);
    clock.advance(MINUTE * 60);
    sessions.sweep();
    assert_eq!((sessions.len(), sessions.tombstones(), sessions.stats().entries), (0, 0, 0));
}

/// Catches keys or sessions that are printed: a key is as good as a password.
#[test]
fn debug_prints_neither_keys_nor_sessions() {
    let (sessions, _) = sessions();
    sessions.create(4929, Arc::new("secret"), for_minutes(1));
    let printed = format!("{sessions:?}");
    assert!(printed.starts_with("Sessions(") && !printed.contains("4929") && !printed.contains("secret"), "{printed}");
}
