//! Two operations on one entry at the same moment, hundreds of thousands of times. Whatever the order, the answers and
//! what is left must fit one: each operation takes effect at one instant.

mod common;

use std::time::Duration;

use common::threads::duel;
use common::{assert_sound, assert_store_sound, ignore, manual_cache, manual_store, scaled, seconds};
use fleeting::{Cache, ManualClock, Op, Outcome};

fn rounds() -> u64 {
    scaled(40_000)
}

/// Catches an expiry that is decided against a touch which answered true, by whichever operation meets the dead entry.
#[test]
fn touch_against_expiry() {
    type Meeting = fn(&Cache<u64, u64>);
    let meetings: &[Meeting] = &[
        |cache| ignore(cache.get(&0)),
        |cache| assert!(cache.sweep() <= 1),
        |cache| ignore(cache.insert_if_absent(0, 2)),
        |cache| assert!(!cache.remove_if(&0, |_| false)),
        |cache| cache.retain(|_, _| true),
    ];
    let (mut lived, mut died) = (0, 0);
    for meet in meetings {
        let (cache, clock) = manual_cache();
        let prepare = |_| {
            cache.clear();
            cache.insert_with_ttl(0, 1, seconds(10));
        };
        let touch = |_| cache.touch(&0, seconds(100));
        let expire = |_| {
            clock.advance(seconds(10));
            meet(&cache);
        };
        duel(rounds() / 2, prepare, touch, expire, |round, touched, ()| {
            if touched {
                assert!(cache.contains_key(&0), "round {round}: a touch that succeeded was undone");
            }
            *if touched { &mut lived } else { &mut died } += 1;
        });
        assert_sound(&cache);
    }
    assert!(lived > 0 && died > 0, "{lived} lived, {died} died: one side always came first");
}

/// Catches an update that brings back the deadline from before a touch, or a touch lost on the value that is leaving.
#[test]
fn touch_against_update() {
    let (cache, clock) = manual_cache::<u64, u64>();
    let prepare = |_| ignore(cache.insert_with_ttl(0, 1, seconds(10)));
    let touch = |round| cache.touch(&0, seconds(50 + round % 2));
    let update = |round| match round % 3 {
        0 => cache.update(&0, |value| value + 1),
        1 => cache.increment(&0, 1) == Some(2),
        _ => cache.compute(0, |value| Op::Put(value.map_or(0, |value| value + 1))) == Outcome::Replaced,
    };
    duel(rounds(), prepare, touch, update, |round, touched, updated| {
        assert!(touched && updated, "round {round}: the entry was live throughout");
        let expected = (2, Some(clock.instant() + seconds(50 + round % 2)));
        assert_eq!(cache.get_with_deadline(&0), Some(expected), "round {round}");
    });
    assert_sound(&cache);
}

/// Catches the index forgetting an entry whose deadline moves closer while a sweep files its record anew.
#[test]
fn shorter_touch_against_sweep() {
    let (cache, clock) = manual_cache::<u64, u64>();
    let prepare = |_| {
        cache.insert_with_ttl(0, 1, seconds(10));
        cache.touch(&0, seconds(1_000));
        clock.advance(seconds(10));
    };
    let touch = |_| cache.touch(&0, seconds(3));
    duel(
        rounds(),
        prepare,
        touch,
        |_| cache.sweep(),
        |round, touched, swept| {
            assert!(touched && swept == 0, "round {round}");
            forgotten_never(&cache, &clock, seconds(3), round);
        },
    );
    assert_sound(&cache);
}

/// Catches the index forgetting an entry that is replaced while a sweep files the old one's record anew.
#[test]
fn replacement_against_sweep() {
    let (cache, clock) = manual_cache::<u64, u64>();
    let prepare = |_| {
        cache.insert_with_ttl(0, 1, seconds(10));
        cache.touch(&0, seconds(1_000));
        clock.advance(seconds(10));
    };
    let replace = |round| match round % 3 {
        0 => assert!(!cache.insert_with_ttl(0, 2, seconds(1_500))),
        1 => assert!(!cache.insert_with_ttl(0, 2, seconds(3))),
        _ => assert!(cache.update(&0, |value| value + 1)),
    };
    duel(
        rounds(),
        prepare,
        replace,
        |_| cache.sweep(),
        |round, (), swept| {
            assert_eq!((swept, cache.peek(&0)), (0, Some(2)), "round {round}");
            forgotten_never(&cache, &clock, seconds(1_500), round);
        },
    );
    assert_sound(&cache);
}

/// After its deadline, a sweep must find the entry: it does so by records only.
fn forgotten_never(cache: &Cache<u64, u64>, clock: &ManualClock, ttl: Duration, round: u64) {
    clock.advance(ttl);
    assert_eq!((cache.sweep(), cache.len()), (1, 0), "round {round}: forgotten by the expiry index");
}

/// Catches a touch or an update that brings back what was removed, and a removal that is lost to one.
#[test]
fn removal_against_touch_and_update() {
    let (cache, _) = manual_cache::<u64, u64>();
    let prepare = |_| ignore(cache.insert_with_ttl(0, 1, seconds(10)));
    let remove = |round| match round % 3 {
        0 => cache.remove(&0),
        1 => cache.take(&0).is_some(),
        _ => cache.remove_if(&0, |value| *value > 0),
    };
    let amend = |round| match round % 4 {
        0 => cache.touch(&0, seconds(50)),
        1 => cache.update(&0, |value| value + 1),
        2 => cache.replace(0, 5).is_ok(),
        _ => cache.persist(&0),
    };
    duel(rounds(), prepare, remove, amend, |round, removed, _| {
        assert!(removed, "round {round}: it was live until the removal");
        assert_eq!((cache.get(&0), cache.len()), (None, 0), "round {round}");
    });
    assert!(assert_sound(&cache).is_empty());
}

/// Catches a value handed out twice or lost between a removal and an insertion.
#[test]
fn take_against_insert() {
    let (cache, _) = manual_cache::<u64, u64>();
    let prepare = |round| ignore(cache.insert(0, 2 * round));
    let insert = |round| cache.insert(0, 2 * round + 1);
    duel(
        rounds(),
        prepare,
        |_| cache.take(&0),
        insert,
        |round, taken, inserted| {
            let (old, new) = (2 * round, 2 * round + 1);
            let left = cache.take(&0);
            let taken_first = (Some(old), true, Some(new));
            let inserted_first = (Some(new), false, None);
            let seen = (taken, inserted, left);
            assert!(seen == taken_first || seen == inserted_first, "round {round}: {seen:?}");
        },
    );
    assert!(assert_sound(&cache).is_empty());
}

/// Catches two entries of one key: both inserts publishing, in a fresh slot each.
#[test]
fn insert_against_insert() {
    let (cache, _) = manual_cache::<u64, u64>();
    let insert = |round: u64| cache.insert(round % 64, 1);
    let other = |round: u64| cache.insert_if_absent(round % 64, 2).is_ok();
    let prepare = |round: u64| ignore(cache.remove(&(round % 64)));
    duel(rounds(), prepare, insert, other, |round, inserted, other| {
        assert!(inserted != other, "round {round}: one of the two came first");
        assert_eq!(cache.get(&(round % 64)), Some(1), "round {round}");
        assert_eq!(
            cache.iter().filter(|(key, _)| *key == round % 64).count(),
            1,
            "round {round}: the key is there twice"
        );
    });
    assert_sound(&cache);
}

/// Catches a renewal of the token that revives, or loses, a session which is deleted at that moment.
#[test]
fn rename_against_delete() {
    let (store, clock) = manual_store();
    let expiry = clock.system_time() + seconds(60);
    let prepare = |_| {
        store.delete("new");
        store.save("old", "data", expiry);
    };
    let rename = |_| store.rename("old", "new", expiry);
    duel(
        rounds(),
        prepare,
        rename,
        |_| store.delete("old"),
        |round, renamed, deleted| {
            assert!(renamed != deleted, "round {round}: one of the two came first");
            assert!(store.find("old").is_none(), "round {round}");
            assert_eq!(store.find("new").is_some(), renamed, "round {round}");
        },
    );
    assert_store_sound(&store);
}

/// Catches a touch that makes a save fail, or is made to fail by one: it changes no version and removes nothing.
#[test]
fn touch_against_compare_and_save() {
    let (store, clock) = manual_store();
    let expiry = clock.system_time() + seconds(60);
    store.save("a", "data", expiry);
    let save = |_| {
        let (_, version) = store.find_versioned("a").expect("live");
        store.compare_and_save("a", version, "more", expiry).is_ok()
    };
    duel(
        rounds(),
        |_| (),
        |_| store.touch("a", expiry),
        save,
        |round, touched, saved| {
            assert!(touched && saved, "round {round}: {touched}, {saved}");
        },
    );
    assert_store_sound(&store);
}
