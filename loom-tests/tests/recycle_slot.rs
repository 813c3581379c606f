//! recycle-slot (`src/map/bucket.rs`, `src/map/mod.rs`): a slot that was vacated is claimed again; whoever still reads it under
//! an old header sees its new tag or word only together with a newer header.
//!
//! Explored: find against an insert that claims a vacated slot and withdraws, against a replacement that moves a key to
//! another slot whose old one is taken by another key, and two writers that pass a slot on. Breaks caught: a validation that is
//! left out, a claim and a tag without release, a tag that comes after the header.

use fleeting::map::{Put, Seat};
use fleeting::reclaim::Guard;
use fleeting_loom_tests::{Key, Map, Model, NEVER, Node, node, pair, pin, trio};

const K: Key = Key::new(0, 7, 0);
const L: Key = Key::new(0, 7, 1);
const M: Key = Key::new(0, 9, 2);
const N: Key = Key::new(0, 11, 3);

fn seek<'g>(map: &Map, key: Key, guard: &'g Guard) -> Seat<'g, Node> {
    map.0.seek(key.hash, |node| *node.key() == key, guard)
}

fn put<'g>(map: &Map, key: Key, value: u64, guard: &'g Guard) -> Put<'g, Node> {
    map.0.put(&seek(map, key, guard), node(key, value, NEVER), guard).expect("nobody else writes")
}

/// An insert that fails for certain, in a slot that has just been vacated: nobody may ever meet its node.
///
/// One pin, and nothing retired before the end: both are fences, which would order what a slot must order by itself.
#[test]
fn find_against_withdrawal() {
    Model::new("find_against_withdrawal").plain(4).rmw(5).explore(&[(Some(1), None), (None, None)], || {
        let map = Map::of(&[K]);
        let ((), found) = pair(
            &map,
            |map| {
                let guard = pin();
                let first = map.0.cut(&seek(map, K, &guard), &guard);
                let stale = seek(map, L, &guard);
                put(map, M, 3, &guard);
                let second = map.0.cut(&seek(map, M, &guard), &guard);
                // Claims the slot that held K and M, and gives it up: the header has moved twice.
                let withdrawn = map.0.put(&stale, node(L, 2, NEVER), &guard).err().expect("the seat is stale");
                drop(withdrawn);
                assert!(first.is_some() && second.is_some());
            },
            |map| (map.find(K), map.find(L)),
        );
        map.assert_holds(&[]);
        found
    });
}

/// The same as it happens: an insert whose seat a removal makes stale, or not.
#[test]
fn find_against_insert_against_remove() {
    Model::new("find_against_insert_against_remove").plain(4).rmw(4).explore(
        &[(true, None), (true, Some(2)), (false, None)],
        || {
            let map = Map::of(&[K]);
            let (inserted, removed, found) = trio(
                &map,
                |map| {
                    let guard = pin();
                    let seat = seek(map, L, &guard);
                    map.0.put(&seat, node(L, 2, 1), &guard).is_ok()
                },
                |map| map.cut(K),
                |map| map.find(L),
            );
            assert_eq!(removed, Some(1));
            assert!(inserted || found.is_none(), "found what was withdrawn");
            map.assert_holds(if inserted { &[L] } else { &[] });
            (inserted, found)
        },
    );
}

/// K moves from slot 0 to slot 1, then M takes slot 0, with another tag: who looks for K must not miss it.
#[test]
fn find_against_reuse() {
    Model::new("find_against_reuse").rmw(6).explore(&[Some(1), Some(2)], || {
        let map = Map::of(&[K]);
        let ((), found) = pair(
            &map,
            |map| {
                let guard = pin();
                let first = put(map, K, 2, &guard);
                put(map, M, 3, &guard);
                // Retired here: a fence, as another pin would be.
                assert!(first.old.is_some());
            },
            |map| map.find(K),
        );
        assert!(found.is_some(), "a key that was always there");
        map.assert_holds(&[K, M]);
        found
    });
}

/// M claims slot 1 in vain, and leaves its tag there; P, which comes after, must have its own: tags are changed by what they were.
#[test]
fn insert_after_withdrawal() {
    const O: Key = Key::new(0, 11, 3);
    const P: Key = Key::new(0, 13, 4);
    Model::new("insert_after_withdrawal").plain(4).rmw(4).explore(&[true, false], || {
        let map = Map::of(&[K]);
        let (inserted, ()) = pair(
            &map,
            |map| {
                let guard = pin();
                let seat = seek(map, M, &guard);
                map.0.put(&seat, node(M, 2, 1), &guard).is_ok()
            },
            |map| {
                assert_eq!(map.cut(K), Some(1));
                assert_eq!((map.add(O, 3), map.add(P, 4)), (Ok(()), Ok(())));
                assert_eq!(map.find(P), Some(4), "it has another's tag");
            },
        );
        map.assert_holds(if inserted { &[O, P, M] } else { &[O, P] });
        inserted
    });
}

/// K gives a slot up and M takes it: who finds M finds all of it.
#[test]
fn insert_into_a_vacated_slot() {
    Model::new("insert_into_a_vacated_slot").rmw(6).explore(
        &[(Some(1), Some(3)), (None, Some(3)), (Some(1), None)],
        || {
            let map = Map::of(&[K]);
            let ((), found) = pair(
                &map,
                |map| {
                    assert_eq!(map.cut(K), Some(1));
                    assert_eq!(map.add(M, 3), Ok(()));
                },
                |map| {
                    let k = map.find(K);
                    (k, map.find(M))
                },
            );
            map.assert_holds(&[M]);
            found
        },
    );
}

/// One thread vacates the slot that another claims.
#[test]
fn claim_against_vacate() {
    Model::new("claim_against_vacate").rmw(6).explore(&[(true, Some(3)), (true, None)], || {
        let map = Map::of(&[K, L]);
        let results = pair(
            &map,
            |map| map.cut(K).is_some(),
            |map| {
                assert_eq!(map.cut(L), Some(2));
                let before = map.find(K).map(|_| 3);
                assert_eq!(map.add(M, 3), Ok(()));
                before
            },
        );
        map.assert_holds(&[M]);
        results
    });
}

/// A spill drains, and its slot becomes a node's: who read the former header must not take the one for the other.
#[test]
fn find_against_drain_of_a_spill() {
    Model::new("find_against_drain_of_a_spill").rmw(5).explore(&[Some(3), None], || {
        // K was the first, so it moved into the spill with M.
        let map = Map::of(&[K, L, M]);
        let ((), found) = pair(
            &map,
            |map| {
                assert_eq!((map.cut(K), map.cut(M)), (Some(1), Some(3)));
                assert_eq!(map.add(N, 4), Ok(()));
            },
            |map| map.find(M),
        );
        map.assert_holds(&[L, N]);
        found
    });
}
