//! publish-entry (`src/map/mod.rs`): the CAS of a bucket's header publishes a node with its slot and its tag, and decides
//! between all changes of the bucket.
//!
//! Explored: two inserts of one key, replace against remove, two inserts into a bucket that overflows into a spill, two
//! changes of one spill, and one change that removes many; `remove_if` and `compare_and_save` against what changes
//! their entry. Breaks caught: a release that is none, a header without a version, a removal that does not ask who
//! won.

use fleeting::Version;
use fleeting_loom_tests::{Key, Map, Model, later, numbers, pair, store, trio};

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
    Model::new("insert_against_insert_spilling").plain(2).rmw(4).explore(&[(true, false), (false, true)], || {
        let map = Map::of(&[K, L]);
        let add = |map: &Map, key, other| {
            assert_eq!(map.add(key, 3), Ok(()));
            map.find(other).is_some()
        };
        let saw = pair(&map, move |map| add(map, M, N), move |map| add(map, N, M));
        assert_ne!(saw, (false, false), "each missed the other");
        map.assert_holds(&[K, L, M, N]);
        saw
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

/// Two removals of two entries that share a spill: the second drains it.
#[test]
fn remove_against_remove_in_a_spill() {
    Model::new("remove_against_remove_in_a_spill").plain(3).rmw(4).explore(&[(Some(1), Some(3))], || {
        let map = Map::of(&[K, L, M]);
        let results = pair(&map, |map| map.cut(K), |map| map.cut(M));
        map.assert_holds(&[L]);
        results
    });
}

/// A removal of all that a bucket holds, in one change, and one of a single entry of its spill.
#[test]
fn cut_all_against_remove() {
    let outcomes = [(vec![1, 2, 3], None), (vec![1, 2], Some(3))];
    Model::new("cut_all_against_remove").plain(3).rmw(3).explore(&outcomes, || {
        let map = Map::of(&[K, L, M]);
        let results = pair(&map, |map| map.cut_all(&[K, L, M]), |map| map.cut(M));
        map.assert_holds(&[]);
        results
    });
}

/// Two removals of many that share some: each entry is removed by one.
#[test]
fn cut_all_against_cut_all() {
    let outcomes = [(vec![1, 3], vec![2]), (vec![1], vec![2, 3])];
    Model::new("cut_all_against_cut_all").plain(2).rmw(3).explore(&outcomes, || {
        let map = Map::of(&[K, L, M, N]);
        let results = pair(&map, |map| map.cut_all(&[K, M]), |map| map.cut_all(&[L, M]));
        map.assert_holds(&[N]);
        results
    });
}

/// An entry that came in the place of one that was to be removed stays.
#[test]
fn cut_all_against_replace() {
    let outcomes = [(vec![1, 3], None), (vec![3], Some(1))];
    Model::new("cut_all_against_replace").plain(2).rmw(3).explore(&outcomes, || {
        let map = Map::of(&[K, L, M]);
        let nodes = |map: &Map| map.cut_all(&[K, M]);
        let (cut, replaced) = pair(&map, nodes, |map| map.set(K, 9));
        let kept = map.find(K);
        match kept {
            Some(9) => map.assert_holds(&[K, L]),
            _ => map.assert_holds(&[L]),
        }
        assert!(kept.is_some() || cut.contains(&9), "lost");
        (cut, replaced)
    });
}

/// A removal of many beside a growth that moves their bucket.
#[test]
fn cut_all_against_help() {
    Model::new("cut_all_against_help").plain(2).rmw(2).explore(&[vec![1, 3]], || {
        let map = Map::of(&[K, L, M]);
        map.grow();
        let (cut, _) = pair(&map, |map| map.cut_all(&[K, M]), |map| map.help());
        map.help();
        map.assert_holds(&[L]);
        cut
    });
}

/// A bucket that overflows, drains, and overflows again.
#[test]
fn insert_against_insert_against_remove() {
    Model::new("insert_against_insert_against_remove").plain(1).rmw(2).explore(&[(true, false), (false, true)], || {
        let map = Map::of(&[K, L]);
        let add = |map: &Map, key, other| {
            assert_eq!(map.add(key, 3), Ok(()));
            map.find(other).is_some()
        };
        let (saw_n, saw_m, removed) =
            trio(&map, move |map| add(map, M, N), move |map| add(map, N, M), |map| map.cut(K));
        assert_eq!(removed, Some(1));
        map.assert_holds(&[L, M, N]);
        (saw_n, saw_m)
    });
}

/// `Cache::remove_if`: a removal that judged the old value does not take the new one.
#[test]
fn remove_if_against_replace() {
    Model::new("remove_if_against_replace").explore(&[(true, true), (false, false)], || {
        let cache = numbers().build().expect("a cache");
        cache.insert(7, 1);
        let (removed, is_new) =
            pair(&cache, |cache| cache.remove_if(&7, |&value| value == 1), |cache| cache.insert(7, 2));
        assert_eq!(cache.peek(&7), Some(2), "removed what was not judged");
        (removed, is_new)
    });
}

/// A session's version, as both threads know it.
fn version() -> (std::sync::Arc<fleeting::MemStore>, Version) {
    let store = store();
    store.save("token", "1", later());
    let (_, version) = store.find_versioned("token").expect("just saved");
    (store, version)
}

/// `MemStore::compare_and_save`: a save that comes between makes it fail, and is not overwritten.
#[test]
fn compare_and_save_against_save() {
    Model::new("compare_and_save_against_save").rmw(5).explore(&[true, false], || {
        let (store, version) = version();
        let (compared, ()) = pair(
            &store,
            move |store| store.compare_and_save("token", version, "2", later()).is_ok(),
            |store| store.save("token", "3", later()),
        );
        assert_eq!(store.find("token").as_deref(), Some(&b"3"[..]), "the save was lost");
        compared
    });
}

/// Of two with one version, one succeeds.
#[test]
fn compare_and_save_against_compare_and_save() {
    Model::new("compare_and_save_against_compare_and_save").rmw(5).explore(&[(true, false), (false, true)], || {
        let (store, version) = version();
        let saved = pair(
            &store,
            move |store| store.compare_and_save("token", version, "2", later()).is_ok(),
            move |store| store.compare_and_save("token", version, "3", later()).is_ok(),
        );
        let expected = if saved.0 { b"2" } else { b"3" };
        assert_eq!(store.find("token").as_deref(), Some(&expected[..]));
        saved
    });
}

/// A deletion is not undone.
#[test]
fn compare_and_save_against_delete() {
    Model::new("compare_and_save_against_delete").rmw(6).explore(&[true, false], || {
        let (store, version) = version();
        let (compared, deleted) = pair(
            &store,
            move |store| store.compare_and_save("token", version, "2", later()).is_ok(),
            |store| store.delete("token"),
        );
        assert!(deleted && store.find("token").is_none());
        compared
    });
}
