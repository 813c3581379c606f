//! migrate-bucket (`src/map/migrate.rs`): any number of helpers fill one destination; the first to come through publishes it,
//! and a late one changes nothing any more.
//!
//! Explored: two helpers of one growth, with spills on both sides; a late helper against a change of a destination; a find that follows.
//! Breaks caught: a destination published without its slots, a spill retired twice or too early.

use std::cmp::Ordering;

use fleeting_loom_tests::{Key, Map, Model, pair, trio};

const K: Key = Key::new(0, 7, 0);
const L: Key = Key::new(1, 9, 1);
const M: Key = Key::new(0, 11, 2);
const N: Key = Key::new(0, 13, 3);

#[test]
fn help_against_help() {
    Model::new("help_against_help").plain(2).rmw(3).explore(&[Ordering::Less, Ordering::Greater], || {
        let map = Map::of(&[K, L]);
        map.grow();
        let help = |map: &Map| {
            let steps = map.help();
            assert!(map.find(K).is_some(), "a key that was always there");
            steps
        };
        let (a, b) = pair(&map, help, help);
        map.assert_holds(&[K, L]);
        a.cmp(&b)
    });
}

/// The source has a spill, and so has one of its destinations.
#[test]
fn help_against_help_with_spills() {
    Model::new("help_against_help_with_spills").plain(2).rmw(3).explore(&[Ordering::Less, Ordering::Greater], || {
        let map = Map::of(&[K, M, N, L]);
        map.grow();
        let (a, b) = pair(&map, |map| map.help(), |map| map.help());
        map.assert_holds(&[K, L, M, N]);
        a.cmp(&b)
    });
}

/// A removal in a destination, while a late helper still fills it.
#[test]
fn late_help_against_remove() {
    Model::new("late_help_against_remove").plain(2).rmw(3).explore(&[Ordering::Less, Ordering::Greater], || {
        let map = Map::of(&[K]);
        map.grow();
        let (helped, steps) = pair(
            &map,
            |map| map.help(),
            |map| {
                assert_eq!(map.cut(K), Some(1));
                assert_eq!(map.find(K), None, "came back");
                assert_eq!(map.add(M, 2), Ok(()));
                map.help()
            },
        );
        map.assert_holds(&[M]);
        helped.cmp(&steps)
    });
}

/// A find beside a helper that moves the bucket and retires its spill.
#[test]
fn find_against_help() {
    Model::new("find_against_help").rmw(5).explore(&[2], || {
        let map = Map::of(&[K, M, N]);
        map.grow();
        let (steps, ()) = pair(
            &map,
            |map| map.help(),
            |map| {
                for (index, key) in [K, M, N].into_iter().enumerate() {
                    assert_eq!(map.find(key), Some(index as u64 + 1));
                }
            },
        );
        let _ = steps;
        map.help();
        map.assert_holds(&[K, M, N]);
        steps
    });
}

/// Two helpers and a writer.
#[test]
fn help_against_help_against_replace() {
    Model::new("help_against_help_against_replace").plain(1).rmw(2).explore(&[Some(1), Some(2)], || {
        let map = Map::of(&[K]);
        map.grow();
        let (_, found, ()) =
            trio(&map, |map| map.help(), |map| (map.help(), map.find(K)).1, |map| assert_eq!(map.set(K, 2), Some(1)));
        map.assert_holds(&[K]);
        assert_eq!(map.find(K), Some(2));
        found
    });
}
