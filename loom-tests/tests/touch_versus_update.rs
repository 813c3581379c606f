//! touch-versus-update (`src/engine.rs`, X4): an update that keeps the deadline closes the old entry's, so that a touch is inherited or
//! finds the successor.
//!
//! Explored: update against touch, update against update, and both beside a find and a sweep that meet the unsettled entry. Breaks
//! caught: a predecessor that is not closed, one that is retired before its successor is settled.

use fleeting_loom_tests::{Key, Model, World, pair, trio};

const K: Key = Key::new(0, 7, 0);

/// Neither is lost, whichever came first.
#[test]
fn update_against_touch() {
    Model::new("update_against_touch").plain(5).rmw(5).explore(&[Some(1), Some(2)], || {
        let world = World::default();
        world.insert(K, 1, 5);
        let (updated, touched) = pair(&world, |world| world.increment(K, 1), |world| world.touch(K, 9));
        assert!(updated);
        assert_eq!((world.find(K), world.deadline(K)), (Some(2), Some(9)), "one was lost");
        world.assert_goes_at(K, 9);
        touched
    });
}

/// Neither is lost, and the deadline goes through both.
#[test]
fn update_against_update() {
    Model::new("update_against_update").plain(4).rmw(4).explore(&[()], || {
        let world = World::default();
        world.insert(K, 1, 5);
        let updated = pair(&world, |world| world.increment(K, 10), |world| world.increment(K, 100));
        assert_eq!(updated, (true, true));
        assert_eq!((world.find(K), world.deadline(K)), (Some(111), Some(5)));
        world.assert_goes_at(K, 5);
    });
}

/// Whoever meets an unsettled entry reaches its predecessor: it is alive.
#[test]
fn update_against_find() {
    Model::new("update_against_find").plain(6).rmw(5).explore(&[Some(1), Some(2)], || {
        let world = World::default();
        world.insert(K, 1, 5);
        let (updated, found) = pair(
            &world,
            |world| world.increment(K, 1),
            |world| {
                let found = world.find(K);
                assert_eq!(world.deadline(K), Some(5));
                found
            },
        );
        assert!(updated);
        found
    });
}

/// An update keeps a deadline that comes meanwhile: one of them wins.
#[test]
fn update_against_sweep() {
    Model::new("update_against_sweep").plain(6).rmw(4).explore(&[(true, 1), (false, 1)], || {
        let world = World::with_visible_clock();
        world.insert(K, 1, 5);
        let (swept, updated) = pair(
            &world,
            |world| {
                world.advance_to(5);
                world.sweep()
            },
            |world| world.increment(K, 1),
        );
        assert_eq!(world.find(K), None);
        world.advance_to(6);
        world.sweep();
        assert_eq!((world.expired(), world.entries()), (1, 0), "gone, and told of once");
        (updated, swept)
    });
}

/// All three at once.
#[test]
fn update_against_touch_against_find() {
    Model::new("update_against_touch_against_find").plain(2).rmw(3).explore(&[(1, 1), (2, 2)], || {
        let world = World::default();
        world.insert(K, 1, 5);
        let (updated, touched, found) =
            trio(&world, |world| world.increment(K, 1), |world| world.touch(K, 9), |world| world.find(K));
        assert!(updated);
        assert_eq!((world.find(K), world.deadline(K)), (Some(2), Some(9)), "one was lost");
        world.assert_goes_at(K, 9);
        (touched.expect("live"), found.expect("live"))
    });
}
