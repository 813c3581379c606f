//! promote-table (`src/map/migrate.rs`): when every destination is READY, one thread moves the root on and retires the old table.
//!
//! Explored: helpers that verify and promote beside a walk, a find and a writer that hold the old table. Breaks caught: a root that
//! moves on before all is migrated, a walk that skips or repeats a bucket, a table retired before it is unlinked.

use fleeting_loom_tests::{Key, Map, Model, pair, pin, trio};

const K: Key = Key::new(0, 7, 0);
const L: Key = Key::new(1, 9, 1);
const M: Key = Key::new(2, 9, 2);
const N: Key = Key::new(3, 9, 3);

/// What is there throughout is visited once, in two steps over the old table, four over the new, or something between.
#[test]
fn visit_against_migration() {
    Model::new("visit_against_migration").plain(3).rmw(3).explore(&[2, 3, 4], || {
        let map = Map::of(&[K, L, M, N]);
        map.grow();
        let (_, steps) = pair(
            &map,
            |map| map.help(),
            |map| {
                let (keys, steps) = map.walk();
                assert_eq!(keys, [K, L, M, N]);
                steps
            },
        );
        map.assert_holds(&[K, L, M, N]);
        steps
    });
}

/// The same while an entry moves from slot to slot.
#[test]
fn visit_against_replace_and_migration() {
    Model::new("visit_against_replace_and_migration").plain(2).rmw(3).explore(&[2, 3, 4], || {
        let map = Map::of(&[K, L]);
        map.grow();
        let (_, steps) = pair(
            &map,
            |map| {
                assert_eq!(map.set(L, 3), Some(2));
                map.help();
            },
            |map| {
                let (keys, steps) = map.walk();
                assert!(keys.contains(&K) && keys.iter().filter(|&&key| key == K).count() == 1, "{keys:?}");
                steps
            },
        );
        map.assert_holds(&[K, L]);
        steps
    });
}

/// Two that promote: one retires the old table, and a second growth begins behind the first.
#[test]
fn promote_against_promote() {
    Model::new("promote_against_promote").plain(3).rmw(3).explore(&[(1, 1), (1, 0)], || {
        let map = Map::of(&[K]);
        map.grow();
        // Claims all buckets: what is left is to verify and to promote.
        assert!(map.0.help(&pin()));
        let help = |map: &Map| (0..2).filter(|_| map.0.help(&pin())).count();
        let (a, b) = pair(
            &map,
            move |map| {
                let steps = help(map);
                map.grow();
                steps
            },
            help,
        );
        map.assert_holds(&[K]);
        (a.min(1), b.min(1))
    });
}

/// A find and a write in a table that is being retired.
#[test]
fn replace_against_promote() {
    Model::new("replace_against_promote").on_real_epoch().explore(&[Some(1)], || {
        let map = Map::of(&[K]);
        map.grow();
        assert!(map.0.help(&pin()));
        let (_, replaced) = pair(&map, |map| map.help(), |map| (map.find(K), map.set(K, 2)).1);
        map.assert_holds(&[K]);
        assert_eq!(map.find(K), Some(2));
        replaced
    });
}

/// A reader stays in the first table while it is retired, and the one behind it too.
#[test]
fn find_against_two_promotions() {
    Model::new("find_against_two_promotions").plain(2).rmw(3).explore(&[()], || {
        let map = Map::of(&[K]);
        map.grow();
        assert!(map.0.help(&pin()));
        pair(
            &map,
            |map| {
                map.help();
                map.grow();
                map.help();
            },
            |map| {
                // One guard for both looks.
                let guard = pin();
                for _ in 0..2 {
                    let found = map.0.find(K.hash, |node| *node.key() == K, &guard);
                    assert_eq!(found.map(|node| node.value().get()), Some(1), "a key that was always there");
                }
            },
        );
        map.assert_holds(&[K]);
    });
}

/// A find, a write and a promotion.
#[test]
fn find_against_replace_against_promote() {
    Model::new("find_against_replace_against_promote").rmw(3).explore(&[Some(1), Some(2)], || {
        let map = Map::of(&[K]);
        map.grow();
        assert!(map.0.help(&pin()));
        let (_, replaced, found) = trio(&map, |map| map.help(), |map| map.set(K, 2), |map| map.find(K));
        assert_eq!(replaced, Some(1));
        assert_eq!(map.find(K), Some(2));
        map.assert_holds(&[K]);
        found
    });
}
