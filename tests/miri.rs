//! A few threads over tiny caches and a tiny store, small enough for Miri; natively they take a moment.
//!
//! `.ci/miri` runs them under several schedules, and for a 32-bit and a big-endian target. Miri catches what no
//! test run sees: a pointer used beyond its provenance (fault C12), a read of uninitialized memory, a data race, a
//! use after free, and a leak. Most loops are a few rounds under Miri, and a hundred times that natively.

use std::hash::{Hash, Hasher};
use std::hint::black_box;
use std::thread;
use std::time::{Duration, SystemTime};

use fleeting::{Cache, ManualClock, MemStore, Op};

/// So many rounds for each of one under Miri.
const FACTOR: u32 = if cfg!(miri) { 1 } else { 100 };

/// What the wall clock says at first: Miri has none of its own, so that a seed is the same run each time.
const WALL_START: SystemTime = SystemTime::UNIX_EPOCH;

/// Threads of each test.
const THREADS: u32 = 3;

/// Runs `work` on each of [`THREADS`] threads, with its number and a copy of `subject`.
fn on_threads<T: Clone + Send + 'static>(subject: &T, work: impl Fn(u32, T) + Clone + Send + 'static) {
    let run = |number| {
        let (subject, work) = (subject.clone(), work.clone());
        thread::spawn(move || work(number, subject))
    };
    let threads: Vec<_> = (0..THREADS).map(run).collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
}

/// Times to live and to idle, so the expiry index with its skip list: boxes, atomics' in-place updates, claims and
/// sweeps.
#[test]
fn expiring_entries_of_a_cache_are_sound() {
    let clock = ManualClock::starting_at(WALL_START);
    let cache: Cache<u32, String> = Cache::builder()
        .clock(clock.clone())
        .cleanup_interval(Duration::ZERO)
        .time_to_live(Duration::from_secs(60))
        .time_to_idle(Duration::from_secs(30))
        .build()
        .expect("sane");
    let plain: Cache<u32, u64> =
        Cache::builder().clock(clock.clone()).cleanup_interval(Duration::ZERO).build().expect("sane");
    let subject = (cache.clone(), plain.clone(), clock.clone());
    on_threads(&subject, |thread, (cache, plain, clock)| {
        for round in 0..12 * FACTOR {
            let key = (round * 7 + thread) % 12;
            cache.insert(key, format!("v{round}"));
            cache.update(&key, |value| format!("{value}!"));
            cache.touch(&key, Duration::from_secs(u64::from(5 + round % 7)));
            black_box(cache.get(&key));
            let own = key + 100 * thread;
            plain.insert_with_ttl(own, 1, Duration::from_secs(10));
            plain.increment(&own, 1);
            if round % 5 == 0 {
                cache.remove(&key);
                plain.remove(&own);
            }
            if round % 8 == 7 {
                clock.advance(Duration::from_secs(2));
                cache.sweep();
                plain.sweep();
            }
            if round % 12 == 11 {
                black_box(cache.pin().iter().count());
            }
            if round % 12 == 9 && thread == 0 {
                plain.retain(|key, _| key % 2 == 0);
            }
        }
    });
    clock.advance(Duration::from_secs(3600));
    cache.sweep();
    plain.sweep();
    assert_eq!((cache.len(), plain.len()), (0, 0));
}

/// Records: header, token and data in one allocation, counted references that outlive the store's, versions, renames.
#[test]
fn records_of_a_store_are_sound() {
    let clock = ManualClock::starting_at(WALL_START);
    let store = MemStore::builder().clock(clock.clone()).cleanup_interval(Duration::ZERO).build().expect("sane");
    on_threads(&(store.clone(), clock.clone()), |_, (store, clock)| {
        let expiry = WALL_START + Duration::from_secs(9);
        for round in 0..12 * FACTOR {
            let token = format!("tok{}", round % 5);
            store.save_for(&token, format!("data{round}"), Duration::from_secs(20));
            let held = store.find(&token);
            store.touch(&token, expiry);
            store.rename(&token, format!("ren{}", round % 5), expiry);
            if let Some((_, version)) = store.find_versioned(&token) {
                let _ = store.compare_and_save(&token, version, "saved", expiry);
            }
            black_box(store.take(format!("ren{}", round % 3)).map(|data| data.len()));
            drop(held);
            if round % 5 == 0 {
                store.delete(&token);
            }
            if round % 8 == 7 {
                clock.advance(Duration::from_secs(2));
                store.sweep();
                black_box(store.iter().map(|(token, data)| token.len() + data.len()).sum::<usize>());
            }
        }
    });
    clock.advance(Duration::from_secs(3600));
    store.sweep();
    assert_eq!(store.len(), 0);
}

#[derive(Clone, PartialEq, Eq)]
struct Weak(u32, String);

impl Hash for Weak {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.0 % 2).hash(state);
    }
}

/// Of an alignment above an allocator's, and above that of a bucket.
#[repr(align(128))]
#[derive(Clone)]
struct Aligned(#[expect(dead_code, reason = "it fills the value")] u64, String);

/// No time to live, so no skip list: the map alone, with spills (two hashes for all keys), growth, and values
/// without size.
#[test]
fn entries_without_deadlines_are_sound() {
    fn cache<K: Hash + Eq + Send + Sync + 'static, V: Send + Sync + 'static>() -> Cache<K, V> {
        Cache::builder().cleanup_interval(Duration::ZERO).build().expect("sane")
    }
    let (weak, plain, sum) = (cache::<Weak, Aligned>(), cache::<u32, ()>(), cache::<u32, u64>());
    on_threads(&(weak.clone(), plain, sum), |thread, (weak, plain, sum)| {
        for round in 0..16 * FACTOR {
            let key = |number| Weak(number % 14, "k".into());
            weak.insert(key(round), Aligned(round.into(), "v".into()));
            weak.update(&key(round), Aligned::clone);
            if round % 3 == 0 {
                weak.remove(&key(round * 5));
            }
            for number in 0..2 {
                plain.insert((2 * round + number) * THREADS + thread, ());
            }
            sum.compute(round % 4, |value| match value {
                None => Op::Put(1),
                Some(9..) => Op::Remove,
                Some(value) => Op::Put(value + 1),
            });
            if round % 10 == 9 {
                black_box(weak.pin().iter().map(|(_, value)| value.1.len()).sum::<usize>());
            }
            if round % 16 == 15 {
                plain.retain(|key, _| key % 2 == 0);
            }
        }
    });
    weak.clear();
    assert_eq!(weak.len(), 0);
}

/// A load that others wait for, a callback, the janitor's thread, and the end of a cache whose handles several
/// threads hold.
#[test]
fn loads_callbacks_and_the_janitor_are_sound() {
    for _ in 0..if cfg!(miri) { 1 } else { 10 } {
        let cache = Cache::<u32, Box<u32>>::builder()
            .cleanup_interval(Duration::from_millis(1))
            .on_removal(|key, value, _| assert_eq!(*key, **value))
            .build()
            .expect("sane");
        on_threads(&cache.clone(), |thread, cache| {
            for round in 0..6 {
                let loaded = cache.get_or_insert_with(round % 2, || Box::new(round % 2));
                assert_eq!(*loaded, round % 2);
                cache.insert_with_ttl(10 + thread, Box::new(10 + thread), Duration::from_micros(1));
                if round % 3 == 2 {
                    cache.remove(&0);
                }
            }
        });
    }
}
