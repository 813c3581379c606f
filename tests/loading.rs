//! `get_or_insert_with` and `try_get_or_insert_with`: one caller computes, the others wait for it, and a loader that
//! panics or fails hands over to the next.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use common::{assert_sound, manual_cache, provoke, quieten_provoked_panics, seconds, survive, within_a_minute};
use fleeting::{Cache, ManualClock};

const CALLERS: usize = 8;

/// Threads that ask for one key at once. The first loader holds until all have set out, and a while longer, so that the
/// others meet a load under way.
struct Crowd {
    arrived: AtomicUsize,
    calls: AtomicUsize,
}

impl Crowd {
    /// Counts a call of the loader, and waits for the crowd in the first. Answers which call this is, from 0.
    fn load(&self) -> usize {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        while call == 0 && self.arrived.load(Ordering::SeqCst) < CALLERS {
            thread::yield_now();
        }
        for _ in 0..2_000 {
            thread::yield_now();
        }
        call
    }
}

/// Lets [`CALLERS`] threads run `ask` at once, and collects what they answer.
fn crowd<R: Send + 'static>(ask: impl Fn(&Crowd) -> R + Send + Sync + 'static) -> (Vec<R>, usize) {
    within_a_minute(move || {
        let crowd = Crowd { arrived: AtomicUsize::new(0), calls: AtomicUsize::new(0) };
        let answers = thread::scope(|scope| {
            let (crowd, ask) = (&crowd, &ask);
            let callers: Vec<_> = (0..CALLERS)
                .map(|_| {
                    scope.spawn(move || {
                        crowd.arrived.fetch_add(1, Ordering::SeqCst);
                        ask(crowd)
                    })
                })
                .collect();
            callers.into_iter().map(|caller| caller.join().expect("no panic leaves a caller")).collect()
        });
        (answers, crowd.calls.into_inner())
    })
}

/// Catches a stampede: each waiting caller computing for itself.
#[test]
fn one_caller_computes_and_the_others_wait_for_it() {
    for _ in 0..20 {
        let (cache, _) = manual_cache();
        let shared = cache.clone();
        let (answers, calls) = crowd(move |crowd| shared.get_or_insert_with("key", || 40 + crowd.load()));
        assert_eq!(calls, 1);
        assert_eq!(answers, [40; CALLERS]);
        assert_eq!(assert_sound(&cache).into_iter().collect::<Vec<_>>(), [("key", 40)]);
    }
}

/// Catches a call that counts twice, as a miss when it begins to wait and as a hit when it has waited; and a waiting
/// one that is no use of an entry under an idle time.
#[test]
fn each_call_counts_once() {
    let clock = ManualClock::new();
    let builder = Cache::<_, usize>::builder().cleanup_interval(Duration::ZERO).clock(clock.clone());
    let cache = builder.time_to_idle(seconds(10)).build().expect("valid");
    let shared = cache.clone();
    let (_, calls) = crowd(move |crowd| shared.get_or_insert_with("key", || 40 + crowd.load()));
    assert_eq!(calls, 1);
    let stats = cache.stats();
    assert_eq!(stats.hits + stats.misses, CALLERS as u64, "{stats:?}");
    assert!(stats.misses >= 1, "{stats:?}");
    assert_eq!(cache.get_or_insert_with("key", || unreachable!("it is there")), 40);
    assert_eq!(cache.stats().hits, stats.hits + 1);
    assert_eq!(cache.try_get_or_insert_with("another", || Err("no")), Err("no"));
    assert_eq!(cache.stats().misses, stats.misses + 1);
}

/// Catches the same in the fallible form.
#[test]
fn one_caller_tries_and_the_others_wait_for_it() {
    let (cache, _) = manual_cache();
    let (answers, calls) = crowd(move |crowd| cache.try_get_or_insert_with("key", || Ok::<_, &str>(40 + crowd.load())));
    assert_eq!(calls, 1);
    assert_eq!(answers, [Ok(40); CALLERS]);
}

/// Catches an error kept for the others, waiters that hang, and a second loader beside the next.
#[test]
fn a_failing_loader_hands_over_to_the_next() {
    let (cache, _) = manual_cache();
    let shared = cache.clone();
    let (answers, calls) = crowd(move |crowd| {
        shared.try_get_or_insert_with("key", || {
            let call = crowd.load();
            if call < 3 { Err(call) } else { Ok(call) }
        })
    });
    assert_eq!(calls, 4);
    let mut errors: Vec<usize> = answers.iter().filter_map(|answer| answer.err()).collect();
    errors.sort_unstable();
    assert_eq!(errors, [0, 1, 2], "each error goes to the caller whose loader failed");
    assert_eq!(answers.iter().filter(|answer| **answer == Ok(3)).count(), CALLERS - 3);
    assert_eq!(assert_sound(&cache).len(), 1);
}

/// Catches waiters stranded, or poisoned, by a loader that panics.
#[test]
fn a_panicking_loader_hands_over_to_the_next() {
    quieten_provoked_panics();
    let (cache, _) = manual_cache();
    let shared = cache.clone();
    let (answers, calls) = crowd(move |crowd| {
        survive(|| {
            shared.get_or_insert_with("key", || {
                let call = crowd.load();
                if call < 3 { provoke() } else { call }
            })
        })
    });
    assert_eq!(calls, 4);
    assert_eq!(answers.iter().filter(|answer| answer.is_none()).count(), 3);
    assert_eq!(answers.iter().filter(|answer| **answer == Some(3)).count(), CALLERS - 3);
    assert_eq!(assert_sound(&cache).len(), 1);
}

/// Catches callers left hanging when every loader fails.
#[test]
fn when_all_loaders_fail_all_callers_return() {
    let (cache, _) = manual_cache::<&str, usize>();
    let shared = cache.clone();
    let (answers, calls) = crowd(move |crowd| shared.try_get_or_insert_with("key", || Err::<usize, _>(crowd.load())));
    assert_eq!(calls, CALLERS);
    assert!(answers.iter().all(Result::is_err));
    assert!(assert_sound(&cache).is_empty());
}

/// Catches a loader that waits for itself.
#[test]
fn a_reentrant_loader_does_not_wait_for_itself() {
    within_a_minute(|| {
        let (cache, _) = manual_cache();
        let answer = cache.get_or_insert_with("key", || cache.get_or_insert_with("key", || 7) + 1);
        assert!(answer == 7 || answer == 8, "{answer}");
        assert!(matches!(cache.get(&"key"), Some(7 | 8)));
        let answer = cache.try_get_or_insert_with("other", || {
            let inner = cache.try_get_or_insert_with("other", || Err("inner"));
            assert_eq!(inner, Err("inner"));
            Err::<i32, _>("outer")
        });
        assert_eq!(answer, Err("outer"));
        assert_eq!(cache.get_or_insert_with("other", || 9), 9);
        assert_eq!(assert_sound(&cache).len(), 2);
    });
}

/// Catches a loader that cannot use the cache: its own key, other keys, a sweep, a clear.
#[test]
fn a_loader_may_use_the_cache() {
    within_a_minute(|| {
        let (cache, _) = manual_cache();
        let answer = cache.get_or_insert_with(0, || {
            for key in 1..500 {
                assert_eq!(cache.get_or_insert_with(key, || key * 2), key * 2);
            }
            assert_eq!(cache.get(&0), None);
            assert!(!cache.remove(&0));
            cache.sweep();
            cache.clear();
            cache.insert(900, 900);
            5
        });
        assert_eq!(answer, 5);
        assert_eq!(assert_sound(&cache).len(), 2);
    });
}

/// Catches one lock for several loads: while one key is loading, all others can be loaded and everything else goes on.
#[test]
fn a_slow_load_holds_up_no_other_key() {
    within_a_minute(|| {
        let (cache, _) = manual_cache();
        let (started, has_started) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let slow = cache.clone();
        let loader = thread::spawn(move || {
            slow.get_or_insert_with(0, || {
                started.send(()).expect("the test waits");
                released.recv().expect("the test releases");
                1
            })
        });
        has_started.recv().expect("the load starts");
        for key in 1..1_000 {
            assert_eq!(cache.get_or_insert_with(key, || key), key);
        }
        assert_eq!(cache.get(&0), None, "a look-up does not wait");
        assert_eq!(cache.sweep(), 0);
        release.send(()).expect("the loader waits");
        assert_eq!(loader.join().expect("no panic"), 1);
        assert_eq!(cache.get(&0), Some(1));
        assert_eq!(assert_sound(&cache).len(), 1_000);
    });
}

/// Catches loads for expired entries answered with the dead value, and a TTL that the loaded entry does not get.
#[test]
fn a_loaded_entry_expires_and_is_loaded_again() {
    let clock = ManualClock::new();
    let cache = Cache::builder()
        .time_to_live(seconds(10))
        .cleanup_interval(Duration::ZERO)
        .clock(clock.clone())
        .build()
        .expect("valid");
    let calls = AtomicUsize::new(0);
    let load = || cache.get_or_insert_with("key", || calls.fetch_add(1, Ordering::Relaxed));
    assert_eq!((load(), load()), (0, 0));
    clock.advance(seconds(9));
    assert_eq!(load(), 0);
    clock.advance(seconds(1));
    assert_eq!((load(), load()), (1, 1));
    cache.remove(&"key");
    assert_eq!(load(), 2);
    assert_eq!(assert_sound(&cache).len(), 1);
}

/// Catches loads lost or doubled under contention: each key is loaded at least once, and at most once at a time.
#[test]
fn many_threads_load_many_keys() {
    within_a_minute(|| {
        const KEYS: usize = 200;
        let (cache, _) = manual_cache();
        let loading: Arc<Vec<AtomicUsize>> = Arc::new((0..KEYS).map(|_| AtomicUsize::new(0)).collect());
        let calls = AtomicUsize::new(0);
        let start = Barrier::new(CALLERS);
        thread::scope(|scope| {
            for caller in 0..CALLERS {
                let (cache, loading, calls, start) = (&cache, &loading, &calls, &start);
                scope.spawn(move || {
                    start.wait();
                    for round in 0..5 {
                        for key in 0..KEYS {
                            let value = cache.get_or_insert_with(key, || {
                                assert_eq!(loading[key].fetch_add(1, Ordering::SeqCst), 0, "two loaders of one key");
                                calls.fetch_add(1, Ordering::Relaxed);
                                thread::yield_now();
                                loading[key].fetch_sub(1, Ordering::SeqCst);
                                key * 3
                            });
                            assert_eq!(value, key * 3);
                        }
                        if caller == 0 && round < 4 {
                            cache.clear();
                        }
                    }
                });
            }
        });
        let calls = calls.into_inner();
        assert!((KEYS..=5 * KEYS).contains(&calls), "{calls} loads");
        assert_eq!(assert_sound(&cache).len(), KEYS);
    });
}
