//! Any thread is stopped after any of its steps, for ever, and all others end their work: see `freeze`.
//!
//! Catches every wait for another thread: a lock, a spin, a growth that only its beginner can end, an entry that only its writer can
//! settle, a slot that stays claimed. That it does is shown at the end, on a mutex, a spin lock, and the one operation that waits.

use std::sync::Arc;

use fleeting::expiry::NEVER;
use fleeting::map::{Entry, Map};
use fleeting::reclaim::pin;
use fleeting_shuttle_tests::caches::{Colliding, Fixed, World};
use fleeting_shuttle_tests::clock::ticks;
use fleeting_shuttle_tests::freeze::{Report, Scene, freeze};
use fleeting_shuttle_tests::ignore;
use fleeting_shuttle_tests::ledger::Value;
use fleeting_shuttle_tests::stores;
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::thread;

/// A bit of every kind: on keys that the victim uses, and on keys of its own, which nobody disturbs but sweeps.
fn work<S: std::hash::BuildHasher + Send + Sync + 'static>(world: &World<S>, own: u8) {
    let cache = &world.cache;
    // Enough to make the table grow.
    (own..own + 4).for_each(|key| assert!(world.insert(key), "somebody else's key"));
    assert!(cache.get(&own).is_some() && world.update(own));
    assert!(cache.touch(&own, ticks(50)) && cache.touch(&own, ticks(20)) && cache.persist(&own));
    assert!(cache.remove(&own) && cache.take(&(own + 1)).is_some());
    assert!(world.insert_with_ttl(own, ticks(1)));
    world.clock.advance(ticks(1));
    assert!(cache.get(&own).is_none(), "found after its deadline");
    // The victim's.
    ignore(world.insert_with_ttl(0, ticks(3)));
    ignore(cache.touch(&1, ticks(2)));
    ignore(world.update(0));
    ignore(world.insert_if_absent(1));
    ignore(cache.remove(&2));
    ignore(cache.get_or_insert_with(own + 4, || world.value(own + 4)));
    // Everybody's.
    assert!(cache.iter().any(|(key, _)| key == own + 2), "a walk missed a key");
    cache.sweep();
    cache.retain(|&key, value| {
        assert_eq!(key, value.key);
        key != own + 3
    });
}

/// Keys 0 to 5, of which some are due, some were extended, and some have no deadline.
fn set_up<S: std::hash::BuildHasher + Send + Sync + 'static>(world: &World<S>) {
    for key in 0..4 {
        ignore(world.insert_with_ttl(key, ticks(1 + u64::from(key))));
    }
    ignore(world.cache.touch(&1, ticks(9)));
    (4..6).for_each(|key| ignore(world.insert(key)));
    // Due: 0; to be filed anew: 1.
    world.clock.advance(ticks(2));
}

/// The victim does one thing, and two others a bit of every kind.
fn beside_work<S: std::hash::BuildHasher + Send + Sync + 'static>(
    name: &str,
    victims: &[usize],
    world: fn() -> World<S>,
    victim: fn(&World<S>),
) -> Report {
    freeze(name, victims, move || {
        let world = world();
        set_up(&world);
        let (one, two, three) = (world.clone(), world.clone(), world.clone());
        Scene {
            threads: vec![
                Box::new(move || victim(&one)),
                Box::new(move || work(&two, 20)),
                Box::new(move || work(&three, 30)),
            ],
            finish: Box::new(|| ignore(world.finish())),
        }
    })
}

fn stop(name: &str, victim: fn(&World)) {
    beside_work(name, &[0], World::new, victim).assert_lock_free();
}

fn colliding() -> World<Colliding> {
    World::with(|builder| builder.hasher(Colliding), None, None)
}

#[test]
fn work_of_every_kind() {
    // Each of the three in turn; the third is the victim of the other tests, with as much to do.
    beside_work("work", &[0, 1, 2], World::new, |world| work(world, 10)).assert_lock_free();
}

#[test]
fn insert() {
    stop("insert", |world| ignore(world.insert_with_ttl(7, ticks(2))));
}

#[test]
fn insert_that_grows() {
    // The ninth entry of two buckets, and more while that growth is under way.
    stop("growth", |world| (7..14).for_each(|key| ignore(world.insert(key))));
}

#[test]
fn insert_into_a_spill() {
    let victim = |world: &World<Colliding>| {
        (7..10).for_each(|key| ignore(world.insert(key)));
        ignore(world.cache.remove(&8));
        ignore(world.insert(9));
    };
    beside_work("spill", &[0], colliding, victim).assert_lock_free();
}

#[test]
fn replace() {
    stop("replace", |world| {
        ignore(world.insert_with_ttl(2, ticks(1)));
        ignore(world.replace(1));
    });
}

#[test]
fn update() {
    stop("update", |world| {
        ignore(world.update(1));
        ignore(world.update(0));
    });
}

#[test]
fn remove() {
    stop("remove", |world| {
        ignore(world.cache.remove(&1));
        ignore(world.cache.take(&4));
        ignore(world.cache.remove_if(&0, |_| true));
    });
}

#[test]
fn touch() {
    stop("touch", |world| {
        ignore(world.cache.touch(&1, ticks(1)));
        ignore(world.cache.touch(&4, ticks(1)));
        ignore(world.cache.touch(&1, ticks(30)));
    });
}

#[test]
fn find() {
    stop("find", |world| {
        ignore(world.cache.get(&0));
        ignore(world.cache.get_with_deadline(&1));
        ignore(world.cache.contains_key(&9));
    });
}

#[test]
fn sweep() {
    stop("sweep", |world| ignore(world.cache.sweep()));
}

#[test]
fn early_take() {
    stop("early-take", |world| {
        for left in [40, 35, 30, 25, 20, 15, 10, 8] {
            ignore(world.cache.touch(&4, ticks(left)));
        }
    });
}

#[test]
fn iterate() {
    stop("iterate", |world| ignore(world.walk()));
}

#[test]
fn retain() {
    stop("retain", |world| world.cache.retain(|key, _| *key != 1 && *key != 4));
}

#[test]
fn load_of_another_key() {
    stop("load", |world| ignore(world.cache.get_or_insert_with(7, || world.value(7))));
}

#[test]
fn idle_time() {
    let idle = || World::with(|builder| builder.hasher(Fixed::default()), Some(ticks(1_000)), Some(ticks(500)));
    let victim = |world: &World| {
        ignore(world.cache.get(&4));
        ignore(world.cache.touch(&4, ticks(2)));
        ignore(world.update(4));
    };
    beside_work("idle-time", &[0], idle, victim).assert_lock_free();
}

/// `clear` beside others who only write and read.
#[test]
fn clear() {
    let report = freeze("clear", &[0, 1], || {
        let world = World::new();
        set_up(&world);
        let (clearer, others) = (world.clone(), [10, 20].map(|own| (world.clone(), own)));
        let mut threads: Vec<Box<dyn FnOnce() + Send>> = vec![Box::new(move || clearer.cache.clear())];
        for (world, own) in others {
            threads.push(Box::new(move || {
                for key in [0, own, own + 1, own + 2] {
                    ignore(world.insert_with_ttl(key, ticks(5)));
                    ignore(world.cache.get(&key));
                    ignore(world.update(key));
                }
                ignore(world.cache.sweep());
                ignore(world.walk());
            }));
        }
        Scene { threads, finish: Box::new(|| ignore(world.finish())) }
    });
    report.assert_lock_free();
}

fn store_work(world: &stores::World, own: u8) {
    let store = &world.store;
    (own..own + 4).for_each(|token| assert!(world.create(token, ticks(50)), "somebody else's token"));
    assert!(world.compare_and_save(own, ticks(40)) && world.update(own, ticks(30)));
    assert!(world.rename(own, own + 4, ticks(20)));
    let kept = store.find(stores::name(own + 4)).expect("just renamed");
    assert!(store.delete(stores::name(own + 4)) && store.take(stores::name(own + 1)).is_some());
    assert_eq!(kept.len(), 4);
    // The victim's.
    ignore(world.rename(0, 1, ticks(9)));
    world.save(0, ticks(3));
    ignore(world.compare_and_save(1, ticks(4)));
    ignore(store.touch(stores::name(1), world.clock.wall(world.clock.now() + ticks(2))));
    world.clock.advance(ticks(1));
    ignore(store.sweep());
    assert!(store.all().len() >= 2, "a walk missed sessions");
    ignore(store.delete_where(|token, _| token == stores::name(own + 2)));
}

fn stop_store(name: &str, victim: fn(&stores::World)) {
    let report = freeze(name, &[0], move || {
        let world = stores::World::default();
        (0..5).for_each(|token| world.save(token, ticks(1 + u64::from(token))));
        world.clock.advance(ticks(2));
        let (one, two, three) = (world.clone(), world.clone(), world.clone());
        Scene {
            threads: vec![
                Box::new(move || victim(&one)),
                Box::new(move || store_work(&two, 20)),
                Box::new(move || store_work(&three, 30)),
            ],
            finish: Box::new(|| world.finish()),
        }
    });
    report.assert_lock_free();
}

#[test]
fn save() {
    stop_store("save", |world| {
        world.save(1, ticks(2));
        ignore(world.create(0, ticks(2)));
        ignore(world.compare_and_save(4, ticks(2)));
    });
}

#[test]
fn rename() {
    stop_store("rename", |world| {
        ignore(world.rename(4, 7, ticks(5)));
        ignore(world.rename(0, 1, ticks(5)));
    });
}

#[test]
fn delete_where() {
    stop_store("delete-where", |world| {
        ignore(world.store.delete_where(|token, _| token < &stores::name(9)[..] && token != stores::name(3)));
        ignore(world.store.find(stores::name(3)));
    });
}

/// A map without an engine: keys are their own hashes.
#[derive(Clone)]
struct Plain(Arc<Map<Entry<u64, ()>>>);

impl Plain {
    fn of(keys: &[u64]) -> Plain {
        let map = Plain(Arc::new(Map::with_capacity(0)));
        keys.iter().for_each(|&key| map.put(key));
        map
    }

    /// Inserts a key, or replaces it.
    fn put(&self, key: u64) {
        let guard = pin();
        let mut node = Entry::new(key, key, (), NEVER, NEVER);
        loop {
            let seat = self.0.seek(key, |other| *other.key() == key, &guard);
            match self.0.put(&seat, node, &guard) {
                Ok(_) => return,
                Err(back) => node = back,
            }
        }
    }

    fn has(&self, key: u64) -> bool {
        self.0.find(key, |other| *other.key() == key, &pin()).is_some()
    }
}

/// The victim announces a growth, and makes the table, or is stopped in between; the others must see the table grow
/// twice.
#[test]
fn announcement() {
    let report = freeze("announcement", &[0], || {
        let map = Plain::of(&[]);
        let entries = Arc::new(std::sync::atomic::AtomicUsize::new(8));
        let (one, others) = (map.clone(), [1, 2].map(|number| (map.clone(), entries.clone(), number)));
        let mut threads: Vec<Box<dyn FnOnce() + Send>> = vec![Box::new(move || {
            one.0.grow_for(9, &pin());
            while one.0.help(&pin()) {}
        })];
        for (map, entries, number) in others {
            threads.push(Box::new(move || {
                let mut key = 0;
                while map.0.buckets(&pin()) < 8 {
                    key += 1;
                    map.put(key << 59 | number);
                    map.0.grow_for(1 + entries.fetch_add(1, Ordering::Relaxed), &pin());
                    ignore(map.0.help(&pin()));
                }
                assert!((1..=key).all(|key| map.has(key << 59 | number)), "lost");
            }));
        }
        Scene { threads, finish: Box::new(move || assert!(map.0.buckets(&pin()) >= 8)) }
    });
    report.assert_lock_free();
}

/// The victim holds the last free slot of a bucket, or one of two others do; or it has announced that it renews the
/// table.
#[test]
fn last_free_slot() {
    let renewals = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = renewals.clone();
    let report = freeze("last-free-slot", &[0, 1, 2], move || {
        // Two of three slots are published.
        let (map, seen) = (Plain::of(&[2, 3]), seen.clone());
        let threads = [2, 3, 4].map(|key| {
            let map = map.clone();
            let write = move || {
                (0..2).for_each(|_| map.put(key));
                assert!(map.has(key), "lost");
            };
            Box::new(write) as Box<dyn FnOnce() + Send>
        });
        let finish = move || {
            assert!([2, 3, 4].iter().all(|&key| map.has(key)));
            ignore(seen.fetch_add(map.0.renewals() as usize, Ordering::Relaxed));
        };
        Scene { threads: threads.into(), finish: Box::new(finish) }
    });
    report.assert_lock_free();
    assert!(renewals.load(Ordering::Relaxed) > 0, "no bucket was left: nobody held its last slot");
}

/// Two threads on one lock, beside the victim that may hold it.
fn contend(name: &str, lock: impl Fn() + Clone + Send + Sync + 'static) -> Report {
    freeze(name, &[0, 1, 2], move || {
        let lock = lock.clone();
        let locks = [lock.clone(), lock.clone(), lock];
        let threads = locks.map(|lock| -> Box<dyn FnOnce() + Send> { Box::new(move || (0..2).for_each(|_| lock())) });
        Scene { threads: threads.into(), finish: Box::new(|| ()) }
    })
}

/// The harness knows a mutex when it meets one.
#[test]
fn a_mutex_is_caught() {
    let mutex = Arc::new(Mutex::new(0));
    let report = contend("mutex", move || {
        let mut held = mutex.lock().expect("nobody panics");
        thread::yield_now();
        *held += 1;
    });
    assert!(report.blocked > report.freezes / 4 && report.spinning == 0, "{report}");
}

/// The harness knows a spin lock when it meets one.
#[test]
fn a_spin_lock_is_caught() {
    let is_taken = Arc::new(AtomicBool::new(false));
    let report = contend("spin-lock", move || {
        while is_taken.compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            thread::yield_now();
        }
        thread::yield_now();
        is_taken.store(false, Ordering::Release);
    });
    assert!(report.spinning > report.freezes / 4 && report.blocked == 0, "{report}");
}

/// Threads that ask for a key that another loads do wait for it, as the README says; and nobody else does.
#[test]
fn a_load_of_the_same_key_is_caught() {
    let report = freeze("same-load", &[0], || {
        let world = World::new();
        let (one, two) = (world.clone(), world.clone());
        let load = |world: World| {
            let value: Value = world.cache.get_or_insert_with(0, || world.value(0));
            assert_eq!(value.key, 0);
        };
        Scene {
            threads: vec![Box::new(move || load(one)), Box::new(move || load(two))],
            finish: Box::new(|| ignore(world.finish())),
        }
    });
    assert!(report.blocked > 0 && report.spinning == 0, "{report}");
}
