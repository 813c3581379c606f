//! publish-table (`src/map/table.rs`): one of those who begin a growth links the next table, and whoever sees the link sees the
//! arrays.
//!
//! Explored: two threads that begin to grow, and a find, an insert or a walk that meets the new table. Breaks caught: a link
//! without release, a loser who keeps its table.

use fleeting_loom_tests::{Key, Map, Model, pair};

const K: Key = Key::new(0, 7, 0);
const L: Key = Key::new(1, 9, 1);

#[test]
fn grow_against_grow() {
    Model::new("grow_against_grow").explore(&[()], || {
        let map = Map::of(&[K]);
        // Two that both make a table: the second has waited for the first for long enough.
        pair(&map, |map| map.grow_all_the_same(), |map| map.grow_all_the_same());
        map.assert_holds(&[K]);
        map.help();
        map.assert_holds(&[K]);
    });
}

#[test]
fn grow_against_help() {
    Model::new("grow_against_help").explore(&[true, false], || {
        let map = Map::of(&[K]);
        let (_, steps) = pair(&map, |map| map.grow(), |map| map.help());
        map.assert_holds(&[K]);
        steps > 0
    });
}

#[test]
fn insert_against_growth() {
    Model::new("insert_against_growth").plain(2).rmw(3).explore(&[true, false], || {
        let map = Map::of(&[K]);
        let ((), found) = pair(
            &map,
            |map| {
                map.grow();
                map.help();
            },
            |map| {
                let found = map.find(K).is_some();
                assert!(found, "a key that was always there");
                assert_eq!(map.add(L, 2), Ok(()));
                map.walk().1 > 2
            },
        );
        map.assert_holds(&[K, L]);
        found
    });
}
