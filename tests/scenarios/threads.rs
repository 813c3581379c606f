//! Scenarios of several threads. They are joined, not scoped: a scope ends before its threads' own storage is freed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use fleeting::{Cache, ManualClock, MemStore};

use super::HalfConstant;
use crate::common::{Random, ignore, lock, manual_cache, manual_store, provoke, reclaim_until, seconds, survive};

const THREADS: u64 = 3;

/// Runs `work` on some threads, which set out together, and waits until they are gone.
fn together(work: impl Fn(u64) + Send + Sync + 'static) {
    let shared = Arc::new((work, Barrier::new(THREADS as usize)));
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let shared = shared.clone();
            thread::spawn(move || {
                shared.1.wait();
                shared.0(number);
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
}

/// Catches what a janitor's thread holds: stopped, dropped, or both.
pub fn janitors() {
    for round in 0..20 {
        let cache = Cache::builder().cleanup_interval(Duration::from_millis(1)).build().expect("a thread");
        let store = MemStore::new(Duration::from_millis(1));
        for number in 0..200_u64 {
            cache.insert_with_ttl(number, format!("{number}"), Duration::from_millis(number % 5));
            store.save_for(number.to_le_bytes(), "data", Duration::from_millis(number % 5));
        }
        if round % 2 == 0 {
            cache.stop_cleanup();
            store.stop_cleanup();
            store.stop_cleanup();
        }
    }
}

/// Catches what is left over when the janitor itself drops the last handle, in a callback.
pub fn dropped_by_the_janitor() {
    let last: Arc<Mutex<Option<Cache<u64, String>>>> = Arc::default();
    let dropped = Arc::new(AtomicBool::new(false));
    let (mine, flag) = (last.clone(), dropped.clone());
    let cache = Cache::builder()
        .cleanup_interval(Duration::from_millis(1))
        .on_removal(move |_, _, _| {
            if let Some(cache) = lock(&mine).take() {
                flag.store(true, Ordering::Relaxed);
                drop(cache);
            }
        })
        .build()
        .expect("a thread");
    (0..100).for_each(|key| ignore(cache.insert(key, format!("{key}"))));
    *lock(&last) = Some(cache.clone());
    let weak = cache.downgrade();
    drop(cache);
    // The last to expire: when it does, the janitor has the only handle.
    if let Some(cache) = weak.upgrade() {
        cache.insert_with_ttl(1_000, "expires".into(), Duration::from_millis(5));
    }
    assert!(reclaim_until(|| dropped.load(Ordering::Relaxed)), "the callback did not come");
    assert!(reclaim_until(|| weak.upgrade().is_none()), "a handle is left");
}

/// Catches flights that others wait for: one that lands, one whose loader panics.
pub fn flights() {
    let (cache, _) = manual_cache::<u64, String>();
    together(move |number| {
        for key in 0..300 {
            let load = || {
                if key % 3 == number {
                    thread::yield_now();
                    provoke();
                }
                format!("{key}")
            };
            ignore(survive(|| cache.get_or_insert_with(key, load)));
            ignore(cache.try_get_or_insert_with(key + 1_000, || if number == 0 { Err(()) } else { Ok(String::new()) }));
        }
    });
}

/// Catches the table that loses the race to be the next, and content that two threads migrate at once.
pub fn growth() {
    for _ in 0..5 {
        let (cache, _) = manual_cache::<u64, String>();
        let shared = cache.clone();
        together(move |number| {
            for key in (0..20_000).filter(|key| key % THREADS == number) {
                shared.insert_with_ttl(key, format!("{key}"), seconds(60));
            }
        });
        assert_eq!(cache.len(), 20_000);
    }
}

/// Catches spills that lose their CAS, and those that several threads migrate.
pub fn spills() {
    for round in 0..10 {
        let clock = ManualClock::new();
        let builder = Cache::builder().hasher(HalfConstant).cleanup_interval(Duration::ZERO).clock(clock.clone());
        let cache: Cache<u64, String, HalfConstant> = builder.build().expect("valid");
        let shared = cache.clone();
        together(move |number| {
            let mut random = Random::new(round * THREADS + number);
            for turn in 0..2_000 {
                // More and more keys: the table grows now and then.
                let key = random.below(20 + turn / 10);
                match random.below(5) {
                    0 => ignore(shared.remove(&key)),
                    1 => ignore(shared.update(&key, |old| old.clone() + "!")),
                    2 => clock.advance(Duration::from_millis(1)),
                    _ => ignore(shared.insert_with_ttl(key, format!("{key}"), Duration::from_millis(500))),
                }
            }
        });
        ignore(cache.sweep());
    }
}

/// Catches what is lost between threads that write, read, walk and sweep one store, and end.
pub fn churn() {
    let (store, clock) = manual_store();
    together(move |number| {
        let mut random = Random::new(number);
        let mut kept = Vec::new();
        for turn in 0..10_000_u64 {
            let token = random.below(500).to_le_bytes();
            let expiry = clock.system_time() + Duration::from_millis(1 + random.below(300));
            match random.below(12) {
                0..3 => store.save(token, turn.to_le_bytes(), expiry),
                3 => ignore(store.create(token, turn.to_le_bytes(), expiry)),
                4 => kept.extend(store.find(token)),
                5 => ignore(store.touch(token, expiry)),
                6 => ignore(store.delete(token)),
                7 => ignore(store.rename(token, random.below(500).to_le_bytes(), expiry)),
                8 => {
                    if let Some((_, version)) = store.find_versioned(token) {
                        ignore(store.compare_and_save(token, version, token, expiry));
                    }
                }
                9 => clock.advance(Duration::from_micros(200)),
                10 if turn % 50 == 0 => ignore(store.sweep()),
                11 if turn % 50 == 0 => ignore(store.iter().take(100).count()),
                _ => {}
            }
        }
        assert!(!kept.is_empty());
    });
}

/// Catches chunks that two sweepers pop, a pile sealed under a filer, hints replaced at once, and early takes by all.
pub fn sweeps() {
    let (cache, clock) = manual_cache::<u64, String>();
    together(move |number| {
        for turn in 0..10_000_u64 {
            let key = turn * THREADS + number;
            cache.insert_with_ttl(key, format!("{key}"), Duration::from_millis(1 + key % 2_000));
            if turn % 3 > 0 {
                ignore(cache.remove(&(key - THREADS)));
            }
            if turn % 100 == number {
                clock.advance(Duration::from_millis(20));
                cache.sweep();
            }
        }
    });
}

/// Catches garbage that stays in the bags of threads that have ended.
pub fn ended() {
    let (cache, _) = manual_cache::<u64, String>();
    for round in 0..50 {
        let shared = cache.clone();
        let remover = move || {
            for key in 0..20 {
                shared.insert_with_ttl(key, format!("{round}"), seconds(60));
                ignore(shared.remove(&(key / 2)));
            }
        };
        thread::spawn(remover).join().expect("no panic");
    }
}
