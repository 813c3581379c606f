//! freeze-bucket (`src/map/migrate.rs`): freezing makes a bucket's content final; a change beside it is copied, or fails and
//! goes to the next table.
//!
//! Explored: insert, replace and remove against migration: nothing is lost, nothing doubled. Breaks caught: a bucket
//! that is copied without being frozen, a freeze that does not acquire the last change.

use fleeting_loom_tests::{Key, Map, Model, pair, trio};

const K: Key = Key::new(0, 7, 0);
const L: Key = Key::new(1, 9, 1);
const M: Key = Key::new(1, 11, 2);

#[test]
fn insert_against_migration() {
    Model::new("insert_against_migration").plain(3).rmw(5).on_real_epoch().explore(&[true, false], || {
        let map = Map::of(&[K]);
        map.grow();
        let ((), found) = pair(
            &map,
            |map| assert_eq!(map.add(L, 2), Ok(())),
            |map| {
                map.help();
                map.find(L).is_some()
            },
        );
        map.assert_holds(&[K, L]);
        found
    });
}

#[test]
fn replace_against_migration() {
    Model::new("replace_against_migration").plain(5).rmw(5).explore(&[Some(1), Some(2)], || {
        let map = Map::of(&[K]);
        map.grow();
        let ((), found) = pair(
            &map,
            |map| assert_eq!(map.set(K, 2), Some(1)),
            |map| {
                map.help();
                map.find(K)
            },
        );
        assert!(found.is_some(), "a key that was always there");
        map.assert_holds(&[K]);
        assert_eq!(map.find(K), Some(2));
        found
    });
}

#[test]
fn remove_against_migration() {
    Model::new("remove_against_migration").plain(3).rmw(5).explore(&[Some(1), None], || {
        let map = Map::of(&[K]);
        map.grow();
        let ((), found) = pair(
            &map,
            |map| assert_eq!(map.cut(K), Some(1)),
            |map| {
                map.help();
                map.find(K)
            },
        );
        map.assert_holds(&[]);
        found
    });
}

/// A find, a removal and a migration of one key.
#[test]
fn find_against_remove_against_migration() {
    Model::new("find_against_remove_against_migration").plain(2).rmw(3).explore(&[Some(1), None], || {
        let map = Map::of(&[K, L]);
        map.grow();
        let find = |map: &Map| {
            let found = map.find(K);
            assert!(map.find(L).is_some(), "a key that was always there");
            found
        };
        let (removed, found, _) = trio(&map, |map| map.cut(K), find, |map| map.help());
        assert_eq!(removed, Some(1));
        map.assert_holds(&[L]);
        found
    });
}

/// A find, a replacement and a migration of one key: it is always there.
#[test]
fn find_against_replace_against_migration() {
    Model::new("find_against_replace_against_migration").plain(2).rmw(3).explore(&[Some(1), Some(2)], || {
        let map = Map::of(&[K, L]);
        map.grow();
        let (replaced, found, _) = trio(&map, |map| map.set(K, 2), |map| map.find(K), |map| map.help());
        assert_eq!(replaced, Some(1));
        assert!(found.is_some(), "a key that was always there");
        map.assert_holds(&[K, L]);
        found
    });
}

/// An insert that makes a bucket overflow while it is copied.
#[test]
fn spilling_against_migration() {
    Model::new("spilling_against_migration").plain(4).rmw(4).explore(&[true, false], || {
        let map = Map::of(&[K, L]);
        map.grow();
        let ((), found) = pair(
            &map,
            |map| assert_eq!(map.add(M, 3), Ok(())),
            |map| {
                map.help();
                map.find(M).is_some()
            },
        );
        map.assert_holds(&[K, L, M]);
        found
    });
}
