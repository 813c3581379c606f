//! Whole caches: all operations, growth, spills, walks, atomic updates, idle times.
//!
//! Catches what protocols do to each other: a value that is lost or reported twice, an entry that a growth forgets, an operation
//! that answers for another key, a node that is reached when it is freed, a count that is off.

use std::collections::BTreeSet;
use std::time::Duration;

use fleeting::Cache;
use fleeting_shuttle_tests::caches::{ALL, Colliding, Fixed, Kind, World, join};
use fleeting_shuttle_tests::clock::ticks;
use fleeting_shuttle_tests::{explore, ignore};
use shuttle::thread;

/// All operations, on few keys.
#[test]
fn everything() {
    explore("everything", || {
        let world = World::new();
        join([(); 4].map(|()| world.spawn(ALL, 0..3, 8)));
        world.finish()
    });
}

/// All operations by five threads, on so many keys that the table grows meanwhile.
#[test]
fn everything_while_growing() {
    explore("everything-while-growing", || {
        let world = World::new();
        (0..8).for_each(|key| ignore(world.insert(key)));
        join([(); 5].map(|()| world.spawn(ALL, 0..14, 8)));
        world.finish()
    });
}

/// All operations on keys with one hash: spills, flights that wait for each other.
#[test]
fn everything_with_one_hash() {
    explore("everything-with-one-hash", || {
        let world = World::with(|builder| builder.hasher(Colliding), None, None);
        join([(); 4].map(|()| world.spawn(ALL, 0..5, 8)));
        world.finish()
    });
}

/// All operations under a default time to live, and an idle time that each hit postpones.
#[test]
fn everything_with_idle_time() {
    explore("everything-with-idle-time", || {
        let fixed = |builder: fleeting::Builder<_, _>| builder.hasher(Fixed::default());
        let world = World::with(fixed, Some(ticks(5)), Some(ticks(2)));
        join([(); 4].map(|()| world.spawn(ALL, 0..3, 8)));
        world.finish()
    });
}

const WRITES: &[Kind] = &[Kind::Insert, Kind::InsertIfAbsent, Kind::Remove, Kind::Take, Kind::Update, Kind::Clear];

/// Keys that are there throughout are found, and seen exactly once by each walk, while the table grows twice and others come and go.
#[test]
fn growth() {
    const PRESENT: [u8; 7] = [0, 1, 2, 3, 4, 5, 6];
    explore("growth", || {
        let world = World::new();
        PRESENT.into_iter().for_each(|key| assert!(world.insert(key)));
        let walker = world.clone();
        let walk = thread::spawn(move || {
            for _ in 0..3 {
                let seen: Vec<u8> = walker.cache.iter().map(|(key, _)| key).collect();
                let distinct: BTreeSet<u8> = seen.iter().copied().collect();
                assert_eq!(seen.len(), distinct.len(), "a walk saw a key twice: {seen:?}");
                assert!(PRESENT.iter().all(|key| distinct.contains(key)), "a walk missed a key: {seen:?}");
            }
        });
        let reader = world.clone();
        let read = thread::spawn(move || {
            for key in PRESENT.into_iter().chain(PRESENT) {
                assert!(reader.cache.get(&key).is_some(), "key {key} was not found");
            }
        });
        let grow = [20..28, 28..36].map(|keys: std::ops::Range<u8>| {
            let world = world.clone();
            thread::spawn(move || {
                keys.clone().for_each(|key| assert!(world.insert(key), "key {key} was there already"));
                keys.step_by(2).for_each(|key| assert!(world.cache.remove(&key), "key {key} was lost"));
            })
        });
        join([walk, read].into_iter().chain(grow));
        assert_eq!(world.cache.len(), 7 + 8);
        world.finish()
    });
}

/// Writers on the keys of one bucket: spills are made, changed, and drained by growth.
#[test]
fn spills() {
    explore("spills", || {
        let world = World::with(|builder| builder.hasher(Colliding), None, None);
        (0..4).for_each(|key| ignore(world.insert(key)));
        let writers = [(); 3].map(|()| world.spawn(&WRITES[..5], 0..6, 8));
        let walker = world.spawn(&[Kind::Iterate, Kind::Get, Kind::Pinned], 0..6, 6);
        join(writers.into_iter().chain([walker]));
        world.finish()
    });
}

/// Walks that remove, beside writers: what is put under a key while the walk looks at its former value stays.
#[test]
fn walks() {
    explore("walks", || {
        let world = World::new();
        (0..6).for_each(|key| ignore(world.insert(key)));
        let walks = [Kind::Retain, Kind::Clear, Kind::Retain].map(|kind| match kind {
            Kind::Clear => world.spawn(&[Kind::Clear], 0..9, 1),
            _ => world.spawn(&[Kind::Retain, Kind::Iterate], 0..9, 3),
        });
        let writers = [(); 2].map(|()| world.spawn(WRITES, 0..9, 8));
        join(walks.into_iter().chain(writers));
        world.finish()
    });
}

/// Of several that add, or take, one does; and a taker's value is one that was put.
#[test]
fn one_winner() {
    explore("one-winner", || {
        let world = World::new();
        let threads = [(); 3].map(|()| {
            let world = world.clone();
            thread::spawn(move || {
                let (mut added, mut taken) = (0_u64, 0_u64);
                for _ in 0..4 {
                    added += u64::from(world.insert_if_absent(1));
                    taken += u64::from(world.cache.take(&1).is_some());
                }
                (added, taken)
            })
        });
        let sums = threads.map(|thread| thread.join().expect("it did not panic"));
        let (added, taken) = sums.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        assert_eq!(added, taken + world.cache.len() as u64, "one value was taken twice, or lost");
        world.finish()
    });
}

/// No update is lost, while touches move the deadline, the table grows, and sweeps go on.
#[test]
fn updates() {
    explore("updates", || {
        let clock = fleeting_shuttle_tests::clock::StepClock::default();
        let cache: Cache<u8, u64, Fixed> = Cache::builder()
            .hasher(Fixed::default())
            .cleanup_interval(Duration::ZERO)
            .clock(clock.clone())
            .build()
            .expect("a plain configuration is accepted");
        // 40 ticks are further than the clock goes.
        cache.insert_with_ttl(0, 0, ticks(40));
        let add = [1, 100].map(|by| {
            let cache = cache.clone();
            thread::spawn(move || (0..5).for_each(|_| assert!(cache.increment(&0, by).is_some(), "gone early")))
        });
        let (toucher, hand) = (cache.clone(), clock.clone());
        let touch = thread::spawn(move || {
            for left in [30, 60, 50, 45] {
                assert!(toucher.touch(&0, ticks(left)), "gone early");
                hand.advance(ticks(2));
            }
        });
        let grower = cache.clone();
        let grow = thread::spawn(move || {
            (1..10).for_each(|key| ignore(grower.insert_with_ttl(key, 0, ticks(1 + u64::from(key % 3)))));
            grower.sweep();
        });
        join(add.into_iter().chain([touch, grow]));
        assert_eq!(cache.get(&0), Some(505), "an update was lost");
        // The last touch, at tick 6 of the clock's own, prevails: whatever was updated meanwhile.
        let deadline = cache.get_with_deadline(&0).expect("there").1.expect("not for ever");
        assert_eq!(
            deadline,
            clock.instant(clock.now() - ticks(2) + ticks(45)),
            "a touch that returned true was undone"
        );
        clock.advance(ticks(43) - Duration::from_nanos(1));
        cache.sweep();
        assert_eq!((cache.len(), cache.get(&0)), (1, Some(505)), "gone early");
        clock.advance(Duration::from_nanos(1));
        assert_eq!((cache.sweep(), cache.len()), (1, 0), "the index forgot it");
    });
}
