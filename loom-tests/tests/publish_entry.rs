//! publish-entry (`src/map/mod.rs`): the CAS of a bucket's header publishes a node with its slot and its tag, and decides
//! between all changes of the bucket.
//!
//! Explored: two inserts of one key, replace against remove, two inserts into a bucket that overflows into a spill, two
//! changes of one spill. Breaks caught: a release that is none, a header without a version, a removal that does not ask who won.

use fleeting_loom_tests::{Key, Map, Model, pair};

const K: Key = Key::new(0, 7, 0);
const L: Key = Key::new(0, 7, 1);
const M: Key = Key::new(0, 9, 2);
const N: Key = Key::new(0, 11, 3);

/// One inserts, and the other finds that one's value.
#[test]
fn insert_against_insert() {
    Model::new("insert_against_insert").on_real_epoch().explore(&[(Ok(()), Err(1)), (Err(2), Ok(()))], || {
        let map = Map::default();
        let results = pair(&map, |map| map.add(K, 1), |map| map.add(K, 2));
        let winner = if results.0.is_ok() { 1 } else { 2 };
        assert_eq!(map.find(K), Some(winner));
        map.assert_holds(&[K]);
        results
    });
}

/// Neither of two keys that meet in a bucket is lost.
#[test]
fn insert_against_another() {
    Model::new("insert_against_another").rmw(5).explore(&[(true, true), (true, false), (false, true)], || {
        let map = Map::default();
        let saw =
            pair(&map, |map| (map.add(K, 1), map.find(L).is_some()).1, |map| (map.add(L, 2), map.find(K).is_some()).1);
        assert_ne!(saw, (false, false), "each missed the other");
        map.assert_holds(&[K, L]);
        saw
    });
}

/// The removal gets the old value or the new one, and the replacement the old one or none.
#[test]
fn replace_against_remove() {
    Model::new("replace_against_remove").on_real_epoch().explore(&[(Some(1), Some(2)), (None, Some(1))], || {
        let map = Map::of(&[K]);
        let results = pair(&map, |map| map.set(K, 2), |map| map.cut(K));
        let expected = if results.0.is_some() { None } else { Some(2) };
        assert_eq!(map.find(K), expected);
        results
    });
}

/// Two removals: one gets the value.
#[test]
fn remove_against_remove() {
    Model::new("remove_against_remove").explore(&[(Some(1), None), (None, Some(1))], || {
        let map = Map::of(&[K]);
        let results = pair(&map, |map| map.cut(K), |map| map.cut(K));
        map.assert_holds(&[]);
        results
    });
}

/// A reader beside a change that comes and goes: the version tells the second header from the first.
#[test]
fn find_against_two_changes() {
    Model::new("find_against_two_changes").rmw(6).explore(&[Some(1), Some(2), Some(3)], || {
        let map = Map::of(&[K]);
        let ((), found) = pair(
            &map,
            |map| {
                assert_eq!(map.set(K, 2), Some(1));
                assert_eq!(map.set(K, 3), Some(2));
            },
            |map| map.find(K),
        );
        assert!(found.is_some(), "a key that was always there");
        found
    });
}

/// A writer's seat beside a change that comes and goes.
#[test]
fn replace_against_two_changes() {
    Model::new("replace_against_two_changes").rmw(6).explore(&[Some(1), Some(2), None], || {
        let map = Map::of(&[K]);
        let ((), replaced) = pair(
            &map,
            |map| {
                let removed = map.cut(K);
                assert!(matches!(removed, Some(1 | 3)));
                if removed == Some(3) {
                    assert_eq!(map.set(K, 2), None);
                } else {
                    map.set(K, 2);
                }
            },
            |map| map.set(K, 3),
        );
        assert_eq!(map.walk().0, [K]);
        replaced
    });
}

/// Two inserts that both need the last free slot for a spill; the one that finds none renews the table.
#[test]
fn insert_against_insert_spilling() {
    Model::new("insert_against_insert_spilling").plain(3).rmw(5).explore(&[(true, true)], || {
        let map = Map::of(&[K, L]);
        let results = pair(&map, |map| map.add(M, 3).is_ok(), |map| map.add(N, 4).is_ok());
        map.assert_holds(&[K, L, M, N]);
        results
    });
}

/// A replacement and a removal of two entries that share a spill.
#[test]
fn replace_against_remove_in_a_spill() {
    Model::new("replace_against_remove_in_a_spill").plain(3).rmw(5).explore(&[(Some(1), Some(3))], || {
        // K was the first, so it moved into the spill with M.
        let map = Map::of(&[K, L, M]);
        let results = pair(&map, |map| map.set(K, 9), |map| map.cut(M));
        map.assert_holds(&[K, L]);
        assert_eq!(map.find(K), Some(9));
        results
    });
}
