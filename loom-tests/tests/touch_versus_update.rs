//! touch-versus-update (`src/engine.rs`, X4): an update that keeps the deadline closes the old entry's, so that a touch is inherited or
//! finds the successor.
//!
//! Explored: update against touch, update against update, and both beside a find and a sweep that meet the unsettled entry. Breaks
//! caught: a predecessor that is not closed, one that is retired before its successor is settled, a deadline inherited after it has come.

use std::hash::{BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use fleeting::{Cache, ManualClock};
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

/// A touch that sets a deadline which has come meanwhile ends the entry: an update that begins after that deadline comes before the touch,
/// or finds nothing (X10).
#[test]
fn update_against_late_touch() {
    Model::new("update_against_late_touch").plain(4).rmw(4).explore(&[(Some(1), false), (Some(2), true)], || {
        let world = World::with_visible_clock();
        world.insert(K, 1, 5);
        let (touched, updated) = pair(
            &world,
            |world| world.touch(K, 3),
            |world| {
                world.advance_to(3);
                world.increment(K, 1)
            },
        );
        assert_eq!(updated, touched == Some(2), "updated after the end: {touched:?}");
        assert_eq!(world.find(K), None);
        world.sweep();
        assert_eq!((world.expired(), world.entries()), (1, 0), "gone, and told of once");
        (touched, updated)
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

type Idle = (Cache<u64, u64, BuildHasherDefault<DefaultHasher>>, ManualClock);

/// A cache whose entries live for `ttl` seconds, or until nobody asks for them for three; with one entry.
fn idle_cache(ttl: u64) -> Idle {
    let clock = ManualClock::new();
    let builder = Cache::builder().cleanup_interval(Duration::ZERO).clock(clock.clone());
    let builder = builder.time_to_live(Duration::from_secs(ttl)).time_to_idle(Duration::from_secs(3));
    let cache = builder.hasher(BuildHasherDefault::new()).build().expect("a plain configuration");
    cache.insert(1, 10);
    (cache, clock)
}

/// Whether the entry is live for so many seconds, and no longer, if somebody asks for it each second.
fn assert_lives((cache, clock): &Idle, seconds: u64) {
    for second in 1..=seconds {
        assert!(cache.get(&1).is_some(), "gone after {second} of {seconds} s");
        clock.advance(Duration::from_secs(1));
    }
    assert_eq!(cache.get(&1), None, "lives for more than {seconds} s");
}

/// A hit on an entry that has just inherited its deadline postpones the end of idle time, and not beyond the inherited time to live.
#[test]
fn update_against_hit_under_idle_time() {
    Model::new("update_against_hit_under_idle_time").plain(3).rmw(3).explore(&[Some(10), Some(11)], || {
        let idle = idle_cache(4);
        idle.1.advance(Duration::from_secs(2));
        let (updated, hit) = pair(&idle, |(cache, _)| cache.update(&1, |value| value + 1), |(cache, _)| cache.get(&1));
        assert!(updated);
        assert_lives(&idle, 2);
        hit
    });
}

/// A hit that read the longer time to live before a touch shortened it does not postpone the end beyond the touch's.
#[test]
fn touch_against_hit_under_idle_time() {
    Model::new("touch_against_hit_under_idle_time").plain(5).rmw(3).explore(&[(true, Some(10))], || {
        let idle = idle_cache(4);
        idle.1.advance(Duration::from_secs(2));
        let touch = |(cache, _): &Idle| cache.touch(&1, Duration::from_secs(1));
        let done = pair(&idle, touch, |(cache, _)| cache.get(&1));
        assert_lives(&idle, 1);
        done
    });
}

/// The time to live of a touch is not lost on the entry that is being replaced, though the deadline, which the idle time decides,
/// looks the same.
#[test]
fn update_against_touch_under_idle_time() {
    Model::new("update_against_touch_under_idle_time").plain(3).rmw(3).explore(&[(true, true)], || {
        let idle = idle_cache(4);
        let touch = |(cache, _): &Idle| cache.touch(&1, Duration::from_secs(6));
        let done = pair(&idle, |(cache, _)| cache.update(&1, |value| value + 1), touch);
        assert_eq!(idle.0.peek(&1), Some(11));
        assert_lives(&idle, 6);
        done
    });
}

/// Nor is it lost if a third thread, which meets the entry between publication and settling, copies it over.
#[test]
fn update_against_touch_against_hit_under_idle_time() {
    let model = Model::new("update_against_touch_against_hit_under_idle_time").plain(1).rmw(1);
    model.explore(&[Some(10), Some(11)], || {
        let idle = idle_cache(4);
        let touch = |(cache, _): &Idle| cache.touch(&1, Duration::from_secs(6));
        let hit = |(cache, _): &Idle| cache.get(&1);
        let (updated, touched, hit) = trio(&idle, |(cache, _)| cache.update(&1, |value| value + 1), touch, hit);
        assert!(updated && touched);
        assert_lives(&idle, 6);
        hit
    });
}
