//! shorten-versus-refile (`src/engine.rs`, X6): a touch that moves the deadline forward and a sweeper that files by the former one:
//! one of them sees the other, and files by the earlier.
//!
//! Explored: a shortening touch against a sweep that files anew, and against a replacement that covers its entry. Each execution ends by
//! sweeping at the deadline (F1). Breaks caught: either fence left out, a cover that does not look at the deadline again.

use fleeting_loom_tests::{Key, Model, World, pair};

const K: Key = Key::new(0, 7, 0);
const L: Key = Key::new(1, 9, 1);
const M: Key = Key::new(2, 9, 2);
const N: Key = Key::new(3, 9, 3);

#[test]
fn shorten_against_refile() {
    Model::new("shorten_against_refile").plain(5).rmw(4).explore(&[()], || {
        let world = World::default();
        world.insert(K, 1, 5);
        assert_eq!(world.touch(K, 12), Some(1));
        world.advance_to(5);
        let (swept, touched) = pair(&world, World::sweep, |world| world.touch(K, 8));
        assert_eq!((swept, touched), (0, Some(1)));
        world.assert_goes_at(K, 8);
    });
}

/// The entry never expires, so that the sweeper files nothing for it: only the voided claim tells.
#[test]
fn shorten_persistent_against_refile() {
    Model::new("shorten_persistent_against_refile").plain(4).rmw(5).explore(&[()], || {
        let world = World::default();
        world.insert(K, 1, 5);
        assert_eq!(world.persist(K), Some(1));
        world.advance_to(5);
        let (swept, touched) = pair(&world, World::sweep, |world| world.touch(K, 8));
        assert_eq!((swept, touched), (0, Some(1)));
        world.assert_goes_at(K, 8);
    });
}

/// Two touches forward: the record is filed for the earlier that stays.
#[test]
fn shorten_against_shorten() {
    Model::new("shorten_against_shorten").plain(6).rmw(4).explore(&[7, 8], || {
        let world = World::default();
        world.insert(K, 1, 12);
        let touched = pair(&world, |world| world.touch(K, 8), |world| world.touch(K, 7));
        assert_eq!(touched, (Some(1), Some(1)));
        let deadline = world.deadline(K).expect("live");
        world.assert_goes_at(K, deadline);
        deadline
    });
}

/// An insert that covers its entry while a touch shortens it.
#[test]
fn shorten_against_insert() {
    Model::new("shorten_against_insert").plain(4).rmw(4).explore(&[12, 8], || {
        let world = World::default();
        let (_, touched) = pair(&world, |world| world.insert(K, 1, 12), |world| world.touch(K, 8));
        let deadline = world.deadline(K).expect("live");
        assert_eq!(deadline, if touched.is_some() { 8 } else { 12 });
        world.assert_goes_at(K, deadline);
        deadline
    });
}

/// A replacement that takes a claim over while a touch shortens the new entry.
#[test]
fn shorten_against_replace() {
    Model::new("shorten_against_replace").plain(6).rmw(4).explore(&[(Some(1), 15), (Some(2), 8)], || {
        let world = World::default();
        world.insert(K, 1, 12);
        let (replaced, touched) = pair(&world, |world| world.insert(K, 2, 15), |world| world.touch(K, 8));
        assert!(replaced);
        let deadline = world.deadline(K).expect("live");
        world.assert_goes_at(K, deadline);
        (touched, deadline)
    });
}

/// Two touches that both leave too many records behind, and so take some early (F7).
#[test]
fn shorten_against_shorten_with_relief() {
    Model::new("shorten_against_shorten_with_relief").plain(2).rmw(3).explore(&[7, 8], || {
        let world = World::default();
        world.insert(K, 1, 20);
        assert_eq!((world.touch(K, 15), world.touch(K, 12)), (Some(1), Some(1)));
        let touched = pair(&world, |world| world.touch(K, 8), |world| world.touch(K, 7));
        assert_eq!(touched, (Some(1), Some(1)));
        let deadline = world.deadline(K).expect("live");
        world.assert_goes_at(K, deadline);
        deadline
    });
}

/// A touch that moves the deadline forward beside a sweep that takes its record early (F7).
#[test]
fn shorten_against_early_take() {
    Model::new("shorten_against_early_take").plain(3).rmw(3).explore(&[()], || {
        let world = World::default();
        for (key, value) in [(L, 3), (M, 4), (N, 5), (K, 1)] {
            world.insert(key, value, 9);
        }
        assert!([L, M, N].iter().all(|&key| world.remove(key)));
        let (swept, touched) = pair(&world, World::sweep, |world| world.touch(K, 7));
        assert_eq!((swept, touched), (0, Some(1)));
        world.assert_goes_at(K, 7);
    });
}
