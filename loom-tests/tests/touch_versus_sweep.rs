//! touch-versus-sweep (`src/engine.rs`): one CAS on the deadline decides between a touch and an expiry, for everyone.
//!
//! Explored: touch against sweep, against a removal, and against another touch; a find of an entry that has expired against
//! writes of its key. Breaks caught: an expiry that cuts without deciding, an answer "absent" before the entry is cut, a touch
//! that does not check what it changes.

use fleeting_loom_tests::{Key, Model, World, pair, trio};

const K: Key = Key::new(0, 7, 0);

/// A touch that succeeded is never undone; one that did not leaves nothing.
#[test]
fn touch_against_sweep() {
    Model::new("touch_against_sweep").rmw(4).on_real_epoch().explore(&[(Some(1), 0), (None, 1), (None, 0)], || {
        let world = World::with_visible_clock();
        world.insert(K, 1, 5);
        let (swept, touched) = pair(
            &world,
            |world| {
                world.advance_to(5);
                world.sweep()
            },
            |world| world.touch(K, 9),
        );
        assert_eq!(world.find(K), touched);
        assert_eq!(world.expired(), usize::from(touched.is_none()), "each entry is told of once");
        if touched.is_some() {
            world.assert_goes_at(K, 9);
        }
        (touched, swept)
    });
}

/// Two sweeps: one of them removes.
#[test]
fn sweep_against_sweep() {
    Model::new("sweep_against_sweep").rmw(6).explore(&[(1, 0), (0, 1)], || {
        let world = World::default();
        world.insert(K, 1, 5);
        world.advance_to(5);
        let swept = pair(&world, World::sweep, World::sweep);
        assert_eq!((world.expired(), world.entries()), (1, 0));
        swept
    });
}

/// The later of two touches stays; both succeed.
#[test]
fn touch_against_touch() {
    Model::new("touch_against_touch").explore(&[8, 9], || {
        let world = World::default();
        world.insert(K, 1, 5);
        let touched = pair(&world, |world| world.touch(K, 8), |world| world.touch(K, 9));
        assert_eq!(touched, (Some(1), Some(1)));
        let deadline = world.deadline(K).expect("live");
        world.assert_goes_at(K, deadline);
        deadline
    });
}

/// A touch beside a replacement that sets a deadline: on the old entry it is gone with it, on the new one it stays.
#[test]
fn touch_against_replace() {
    Model::new("touch_against_replace").rmw(6).explore(&[(Some(1), 7), (Some(2), 9)], || {
        let world = World::default();
        world.insert(K, 1, 5);
        let (replaced, touched) = pair(&world, |world| world.insert(K, 2, 7), |world| world.touch(K, 9));
        assert!(replaced);
        assert_eq!(world.find(K), Some(2));
        let deadline = world.deadline(K).expect("live");
        world.assert_goes_at(K, deadline);
        (touched, deadline)
    });
}

/// Who has found nothing where an entry expired finds nothing until someone inserts; an update is no insert.
#[test]
fn find_of_expired_against_replace() {
    Model::new("find_of_expired_against_replace").plain(5).rmw(4).explore(&[(None, false), (Some(2), true)], || {
        let world = World::with_visible_clock();
        world.insert(K, 1, 5);
        let (found, replaced) = pair(
            &world,
            |world| {
                world.advance_to(5);
                world.find(K)
            },
            |world| world.replace(K, 2, 9),
        );
        assert_eq!(found.is_some(), replaced, "answered absent, and then it was updated");
        assert_eq!(world.find(K), found);
        assert_eq!(world.expired(), usize::from(!replaced));
        (found, replaced)
    });
}

/// A find that meets an expired entry does not take the new one away.
#[test]
fn find_of_expired_against_add() {
    Model::new("find_of_expired_against_add").plain(5).rmw(4).explore(&[None, Some(2)], || {
        let world = World::default();
        world.insert(K, 1, 5);
        world.advance_to(5);
        let (added, found) = pair(&world, |world| world.add(K, 2, 9), |world| world.find(K));
        assert!(added, "an expired entry is no live one");
        assert_eq!(world.find(K), Some(2));
        assert_eq!((world.expired(), world.entries()), (1, 1));
        world.assert_goes_at(K, 9);
        found
    });
}

/// A find, a sweep and a conditional write of one expired key.
#[test]
fn find_against_sweep_against_add() {
    Model::new("find_against_sweep_against_add").plain(2).rmw(2).explore(&[(1, None), (0, Some(2))], || {
        let world = World::default();
        world.insert(K, 1, 5);
        world.advance_to(5);
        let (swept, added, found) = trio(&world, World::sweep, |world| world.add(K, 2, 9), |world| world.find(K));
        assert!(added);
        assert_eq!(world.find(K), Some(2));
        assert_eq!((world.expired(), world.entries()), (1, 1));
        world.assert_goes_at(K, 9);
        (swept, found)
    });
}
