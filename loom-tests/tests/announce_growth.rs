//! announce-growth (`src/map/table.rs`): of all threads that want the next table, one announces that it makes it,
//! before it allocates; should that one stop, growth goes on without it, and a bucket whose free slots are all
//! claimed by stopped threads is left all the same.
//!
//! Explored: two announcements, growth and renewal beside one that was announced by a thread that stopped, two
//! writers in a bucket without a free slot, with and without a growth that they can move to. Breaks caught: an
//! announcement that two make, one that is waited for for ever, a bucket that is not left.

use fleeting_loom_tests::{Key, Map, Model, pair, pin};

const K: Key = Key::new(0, 7, 0);
const L: Key = Key::new(0, 9, 1);
const M: Key = Key::new(0, 11, 2);

#[test]
fn grow_against_grow_announced() {
    Model::new("grow_against_grow_announced").explore(&[(true, false), (false, true)], || {
        let map = Map::of(&[K]);
        let grown = pair(&map, |map| map.grow(), |map| map.grow());
        assert_ne!(grown, (true, true), "both made a table");
        map.assert_holds(&[K]);
        map.help();
        assert_eq!(map.buckets(), 4);
        map.assert_holds(&[K]);
        grown
    });
}

/// Who finds the table far too small makes the next one, if the first to announce one has stopped; and of two, one
/// does.
#[test]
fn grow_past_a_stopped_announcement() {
    let outcomes = [(true, false), (false, true)];
    Model::new("grow_past_a_stopped_announcement").explore(&outcomes, || {
        let map = Map::of(&[K]);
        map.0.stop_announced(&pin());
        assert!(!map.grow(), "announced");
        let grown = pair(&map, |map| map.grow_all_the_same(), |map| map.grow_all_the_same());
        map.help();
        assert_eq!(map.buckets(), 4);
        map.assert_holds(&[K]);
        grown
    });
}

/// A growth that is announced while another thread goes past it.
#[test]
fn grow_against_grow_all_the_same() {
    let outcomes = [(true, true), (true, false), (false, true)];
    Model::new("grow_against_grow_all_the_same").explore(&outcomes, || {
        let map = Map::of(&[K]);
        let grown = pair(&map, |map| map.grow(), |map| map.grow_all_the_same());
        map.help();
        assert_eq!(map.buckets(), 4);
        map.assert_holds(&[K]);
        grown
    });
}

/// Two writers in a bucket whose free slots are all claimed by threads that were stopped.
#[test]
fn stuck_against_stuck() {
    Model::new("stuck_against_stuck").plain(2).rmw(2).explore(&[(true, false), (false, true)], || {
        let map = Map::of(&[K]);
        map.0.stop_claiming(K.hash, &pin());
        let add = |map: &Map, key, other| {
            assert_eq!(map.add(key, 2), Ok(()));
            map.find(other).is_some()
        };
        let saw = pair(&map, move |map| add(map, L, M), move |map| add(map, M, L));
        assert_ne!(saw, (false, false), "each missed the other");
        assert_eq!(map.0.renewals(), 1);
        map.assert_holds(&[K, L, M]);
        map.help();
        assert_eq!(map.buckets(), 2);
        map.assert_holds(&[K, L, M]);
        saw
    });
}

/// The same where the renewal has been announced by a thread that stopped.
#[test]
fn stuck_past_a_stopped_announcement() {
    Model::new("stuck_past_a_stopped_announcement").plain(2).rmw(2).explore(&[Some(1)], || {
        let map = Map::of(&[K]);
        map.0.stop_claiming(K.hash, &pin());
        map.0.stop_announced(&pin());
        let (added, found) = pair(&map, |map| map.add(L, 2), |map| (map.set(K, 3), map.find(K)).0);
        assert_eq!((added, map.0.renewals()), (Ok(()), 1));
        assert_eq!(map.find(K), Some(3));
        map.assert_holds(&[K, L]);
        found
    });
}

/// A writer without a free slot moves along with a growth that is under way, and makes no table of its own.
#[test]
fn stuck_beside_growth() {
    Model::new("stuck_beside_growth").plain(2).rmw(2).explore(&[()], || {
        let map = Map::of(&[K]);
        map.0.stop_claiming(K.hash, &pin());
        assert!(map.grow());
        let (_, added) = pair(&map, |map| map.help(), |map| map.add(L, 2));
        map.help();
        assert_eq!((added, map.0.renewals(), map.buckets()), (Ok(()), 0, 4));
        map.assert_holds(&[K, L]);
    });
}

/// A growth and a renewal begin at once: one of them is the next table.
#[test]
fn stuck_against_growth() {
    Model::new("stuck_against_growth").plain(2).rmw(2).explore(&[(true, 0), (true, 1), (false, 1)], || {
        let map = Map::of(&[K]);
        map.0.stop_claiming(K.hash, &pin());
        let (grown, added) = pair(&map, |map| map.grow(), |map| map.add(L, 2));
        assert_eq!(added, Ok(()));
        map.help();
        map.assert_holds(&[K, L]);
        (grown, map.0.renewals())
    });
}
