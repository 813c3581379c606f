//! Expiry under a moving clock: touches against sweeps, shortened deadlines, early takes.
//!
//! Catches an entry that the index forgets (it stays for ever) or files late, one that leaves early, a touch that a sweep undoes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fleeting::{Op, Outcome};
use fleeting_shuttle_tests::caches::{Fixed, Kind, World, join};
use fleeting_shuttle_tests::clock::ticks;
use fleeting_shuttle_tests::{explore, ignore};
use shuttle::thread;

const DEADLINES: &[Kind] = &[
    Kind::InsertWithTtl,
    Kind::InsertWithTtl,
    Kind::Touch,
    Kind::Touch,
    Kind::GetAndTouch,
    Kind::Persist,
    Kind::Update,
    Kind::ComputePutWithTtl,
    Kind::ComputePut,
    Kind::GetWithDeadline,
    Kind::Remove,
];

const TIME: &[Kind] = &[Kind::Sweep, Kind::Advance, Kind::Sweep];

/// Everything that moves deadlines, beside sweepers and the clock.
#[test]
fn deadlines() {
    explore("deadlines", || {
        let world = World::new();
        let writers = [(); 3].map(|()| world.spawn(DEADLINES, 0..2, 8));
        let sweepers = [(); 2].map(|()| world.spawn(TIME, 0..2, 6));
        join(writers.into_iter().chain(sweepers));
        world.finish()
    });
}

/// The same while the table grows.
#[test]
fn deadlines_while_growing() {
    explore("deadlines-while-growing", || {
        let world = World::new();
        (0..8).for_each(|key| ignore(world.insert_with_ttl(key, ticks(3))));
        let writers = [(); 3].map(|()| world.spawn(DEADLINES, 0..12, 8));
        let sweepers = [(); 2].map(|()| world.spawn(TIME, 0..12, 6));
        join(writers.into_iter().chain(sweepers));
        world.finish()
    });
}

/// A touch that returned true before the deadline came is never undone: the entry is there until its new deadline, and not after.
#[test]
fn touch_against_sweeps() {
    explore("touch-against-sweeps", || {
        let world = World::new();
        world.insert_with_ttl(0, ticks(2));
        let toucher = world.clone();
        let touch = thread::spawn(move || {
            for _ in 0..3 {
                let before = toucher.clock.now();
                if !toucher.cache.touch(&0, ticks(4)) {
                    return;
                }
                let found = toucher.cache.contains_key(&0);
                assert!(found || toucher.clock.now() >= before + ticks(4), "a touch that returned true was undone");
            }
        });
        let sweeps = world.spawn(TIME, 0..1, 8);
        let others = world.spawn(&[Kind::Touch, Kind::Update], 1..2, 3);
        join([touch, sweeps, others]);
        world.finish()
    });
}

/// Deadlines shortened again and again: stale records outnumber the entries, and writers take piles early.
#[test]
fn early_takes() {
    let (early, all) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (early.clone(), all.clone());
    explore("early-takes", move || {
        let world = World::new();
        (0..2).for_each(|key| ignore(world.insert_with_ttl(key, ticks(60))));
        let shorten = [0, 1, 0].map(|key| {
            let world = world.clone();
            thread::spawn(move || {
                for left in [40, 35, 30, 25, 20, 15] {
                    assert!(world.cache.touch(&key, ticks(left)), "gone early");
                }
            })
        });
        let others = world.spawn(&[Kind::InsertWithTtl, Kind::Remove], 2..4, 6);
        join(shorten.into_iter().chain([others]));
        // Nobody sweeps, and no time passes.
        counts.0.fetch_add(usize::from(world.cache.stats().records_handled > 0), Ordering::Relaxed);
        counts.1.fetch_add(1, Ordering::Relaxed);
        world.finish()
    });
    let (early, all) = (early.load(Ordering::Relaxed), all.load(Ordering::Relaxed));
    assert!(2 * early >= all, "piles were taken early in {early} of {all} executions only");
}

/// Entries of which each is replaced and re-filed at once: neither the sweeper nor the replacer may rely on the other.
#[test]
fn replacements_against_sweeps() {
    explore("replacements-against-sweeps", || {
        let world = World::new();
        (0..2).for_each(|key| ignore(world.insert_with_ttl(key, ticks(2))));
        // Extended, so that their records come due early and are filed anew.
        (0..2).for_each(|key| assert!(world.cache.touch(&key, ticks(9))));
        world.clock.advance(ticks(2));
        let replace = [0, 1].map(|key| {
            let world = world.clone();
            thread::spawn(move || {
                world.insert_with_ttl(key, ticks(6));
                world.insert_with_ttl(key, ticks(5));
            })
        });
        let sweep = [(); 2].map(|()| world.spawn(&[Kind::Sweep], 0..1, 2));
        join(replace.into_iter().chain(sweep));
        assert_eq!(world.cache.len(), 2, "gone early");
        world.clock.advance(ticks(5) - Duration::from_nanos(1));
        assert_eq!(world.cache.sweep(), 0, "gone early");
        world.clock.advance(Duration::from_nanos(1));
        assert_eq!(world.cache.sweep(), 2, "the index forgot one");
        world.finish()
    });
}

/// Hits keep an entry alive within its time to live, updates or not.
#[test]
fn idle_time() {
    explore("idle-time", || {
        let fixed = |builder: fleeting::Builder<_, _>| builder.hasher(Fixed::default());
        let world = World::with(fixed, Some(ticks(10)), Some(ticks(3)));
        world.insert(0);
        let (updater, toucher) = (world.clone(), world.clone());
        let update = thread::spawn(move || (0..2).for_each(|_| assert!(updater.update(0), "gone early")));
        let touch = thread::spawn(move || assert!(toucher.cache.touch(&0, ticks(8)), "gone early"));
        let hits = world.spawn(&[Kind::Get, Kind::Read], 0..1, 4);
        join([update, touch, hits]);
        // Eight ticks from now, that is, and three at most without a hit.
        for _ in 0..3 {
            assert!(world.cache.contains_key(&0), "gone early, idle for two ticks of three");
            world.clock.advance(ticks(2));
        }
        assert!(world.cache.contains_key(&0), "gone early, idle for two ticks of three");
        world.clock.advance(ticks(2));
        assert!(!world.cache.contains_key(&0), "there after its time to live");
        world.finish()
    });
}

/// What replaces a live entry begins to live before that one's end.
#[test]
fn a_time_to_live_begins_in_time() {
    explore("time-to-live", || {
        let world = World::new();
        world.insert_with_ttl(0, ticks(2));
        let end = world.clock.now() + ticks(2);
        let computer = world.clone();
        let compute = thread::spawn(move || {
            computer.cache.compute(0, |old| match old {
                Some(_) => Op::PutWithTtl(computer.value(0), ticks(9)),
                None => Op::Keep,
            })
        });
        let time = world.spawn(&[Kind::Advance], 0..1, 3);
        let outcome = compute.join().expect("it did not panic");
        if let Some((_, Some(deadline))) = world.cache.get_with_deadline(&0)
            && outcome == Outcome::Replaced
        {
            assert!(
                deadline < world.clock.instant(end) + ticks(9),
                "it began to live after the end of what it replaced"
            );
        }
        join([time]);
        world.finish()
    });
}
