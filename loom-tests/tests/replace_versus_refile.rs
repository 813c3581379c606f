//! replace-versus-refile (`src/engine.rs`, X5): a replacement takes the old entry's claim over only if it still stands, and a sweeper
//! that voids a claim looks at the map again: the live entry always has a record at or before the tick of its deadline (F1).
//!
//! Explored: a replacement, with a deadline of its own or inherited, against a sweep that files the old entry anew; the same, a removal and an insert
//! against a sweep that takes a pile early (F7). Each execution ends
//! by sweeping at the deadline. Breaks caught: either fence left out, a claim that is read before the publication, a sweeper
//! that does not look again.

use fleeting_loom_tests::{Key, Model, World, pair, trio};

const K: Key = Key::new(0, 7, 0);
const L: Key = Key::new(1, 9, 1);
const M: Key = Key::new(2, 9, 2);
const N: Key = Key::new(3, 9, 3);

/// An entry filed under a tick that has come, and touched since: a sweep takes its record, and files it anew.
fn touched() -> World {
    let world = World::default();
    world.insert(K, 1, 5);
    assert_eq!(world.touch(K, 9), Some(1));
    world.advance_to(5);
    world
}

fn explore(name: &'static str, bound: usize, deadline: u64) {
    Model::new(name).plain(bound).rmw(bound).explore(&[()], move || {
        let world = touched();
        let (swept, replaced) = pair(&world, World::sweep, move |world| world.insert(K, 2, deadline));
        assert_eq!((swept, replaced), (0, true));
        assert_eq!(world.find(K), Some(2));
        world.assert_goes_at(K, deadline);
    });
}

/// The new deadline is the old one.
#[test]
fn replace_against_refile() {
    explore("replace_against_refile", 4, 9);
}

/// The new deadline is later than what the sweeper files.
#[test]
fn replace_later_against_refile() {
    explore("replace_later_against_refile", 4, 12);
}

/// The new deadline is earlier than what the sweeper files.
#[test]
fn replace_earlier_against_refile() {
    explore("replace_earlier_against_refile", 4, 7);
}

/// The deadline is inherited.
#[test]
fn update_against_refile() {
    Model::new("update_against_refile").plain(3).rmw(3).explore(&[()], || {
        let world = touched();
        let (swept, updated) = pair(&world, World::sweep, |world| world.increment(K, 1));
        assert_eq!((swept, updated), (0, true));
        assert_eq!(world.find(K), Some(2));
        world.assert_goes_at(K, 9);
    });
}

/// The old entry never expires, so that the sweeper files nothing for it: only the voided claim tells.
#[test]
fn replace_persistent_against_refile() {
    Model::new("replace_persistent_against_refile").plain(4).rmw(4).explore(&[()], || {
        let world = World::default();
        world.insert(K, 1, 5);
        assert_eq!(world.persist(K), Some(1));
        world.advance_to(5);
        let (swept, replaced) = pair(&world, World::sweep, |world| world.insert(K, 2, 9));
        assert_eq!((swept, replaced), (0, true));
        world.assert_goes_at(K, 9);
    });
}

/// Two replacements in a row: the claim is handed on twice.
#[test]
fn two_replacements_against_refile() {
    Model::new("two_replacements_against_refile").plain(3).rmw(3).explore(&[()], || {
        let world = touched();
        let (swept, ()) = pair(&world, World::sweep, |world| {
            assert!(world.insert(K, 2, 9));
            assert!(world.insert(K, 3, 9));
        });
        assert_eq!(swept, 0);
        assert_eq!(world.find(K), Some(3));
        world.assert_goes_at(K, 9);
    });
}

/// An insert files its first record beside a sweep that takes it before it is claimed.
#[test]
fn insert_against_sweep() {
    Model::new("insert_against_sweep").explore(&[0, 1], || {
        let world = World::with_visible_clock();
        let (swept, replaced) = pair(
            &world,
            |world| {
                world.advance_to(5);
                world.sweep()
            },
            |world| world.insert(K, 1, 5),
        );
        assert!(!replaced);
        world.advance_to(9);
        assert!(swept + world.sweep() <= 1);
        // It may be dead on arrival, which is no expiry.
        assert_eq!(world.entries(), 0, "F1: forgotten");
        assert!(world.expired() <= 1);
        swept
    });
}

/// K, and stale records of these keys under its tick, so many that a sweep takes the chunk with K's early (F7).
fn stale(keys: &[Key]) -> World {
    let world = World::default();
    for &key in keys.iter().chain(&[K]) {
        // A replacement would file nothing.
        world.remove(key);
        world.insert(key, 1, 9);
    }
    for &key in keys {
        world.remove(key);
    }
    assert_eq!((world.records(), world.entries()), (keys.len() + 1, 1));
    world
}

/// A record that is taken early leads to the entry, or to nothing.
#[test]
fn remove_against_early_take() {
    Model::new("remove_against_early_take").rmw(4).explore(&[2, 3], || {
        let world = stale(&[L, M, N]);
        let (removed, swept) = pair(&world, |world| world.remove(K), World::sweep);
        assert_eq!((swept, removed), (0, true));
        assert_eq!((world.find(K), world.entries(), world.expired()), (None, 0, 0));
        world.records()
    });
}

#[test]
fn replace_against_early_take() {
    Model::new("replace_against_early_take").plain(3).rmw(3).explore(&[()], || {
        let world = stale(&[L, M, N]);
        let (swept, replaced) = pair(&world, World::sweep, |world| world.insert(K, 2, 9));
        assert_eq!((swept, replaced), (0, true));
        assert_eq!(world.find(K), Some(2));
        world.assert_goes_at(K, 9);
    });
}

/// An insert that files into the pile that is taken early.
#[test]
fn insert_against_early_take() {
    Model::new("insert_against_early_take").plain(3).rmw(3).explore(&[()], || {
        // The newest chunk has room for one more.
        let world = stale(&[L, L, M, N]);
        let (swept, replaced) = pair(&world, World::sweep, |world| world.insert(N, 6, 9));
        assert_eq!((swept, replaced), (0, false));
        assert_eq!((world.find(K), world.find(N)), (Some(1), Some(6)));
        world.advance_to(8);
        assert_eq!(world.sweep(), 0, "swept early");
        world.advance_to(9);
        assert_eq!((world.sweep(), world.entries(), world.expired()), (2, 0, 2), "F1: forgotten");
    });
}

/// A replacement, a touch and a sweep that files anew.
#[test]
fn replace_against_touch_against_refile() {
    Model::new("replace_against_touch_against_refile").plain(3).rmw(2).explore(&[(Some(1), 12), (Some(2), 7)], || {
        let world = touched();
        let (swept, replaced, touched) =
            trio(&world, World::sweep, |world| world.insert(K, 2, 12), |world| world.touch(K, 7));
        assert_eq!((swept, replaced), (0, true));
        assert_eq!(world.find(K), Some(2));
        let deadline = world.deadline(K).expect("live");
        world.assert_goes_at(K, deadline);
        (touched, deadline)
    });
}
