//! User code on the janitor's thread, and last handles that user code drops. Time passes by itself here: the tests poll, with a limit.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use fleeting::{Cache, Clock, ManualClock, MemStore, SystemClock, WeakCache};

use super::alone;
use super::common::counted::{Counted, Ledger};
use super::common::{lock, provoke, quieten_provoked_panics, reclaim_until, seconds, within_a_minute};

const OFTEN: Duration = Duration::from_millis(1);

/// Records that a sweep takes at once: those behind the one whose callback blocks wait with it.
const TAKEN: usize = 120;

fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let limit = Instant::now() + seconds(20);
    while !condition() {
        if Instant::now() > limit {
            return false;
        }
        thread::sleep(OFTEN);
    }
    true
}

fn is_janitor() -> bool {
    thread::current().name() == Some("fleeting-janitor")
}

/// Panics when it is dropped: a payload that ends a thread that only catches the panic.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        provoke();
    }
}

/// The system's clock, which panics every third time that the janitor reads it.
struct Moody {
    clock: SystemClock,
    reads: AtomicU64,
}

impl Clock for Moody {
    fn elapsed(&self) -> Duration {
        if is_janitor() && !self.reads.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
            std::panic::resume_unwind(Box::new(Payload));
        }
        self.clock.elapsed()
    }

    fn origin(&self) -> Instant {
        self.clock.origin()
    }
}

/// Catches a janitor that a clock's panic ends, or the drop of its payload; and entries that it forgets.
#[test]
fn a_clock_panics_on_the_janitors_thread() {
    let _alone = alone();
    quieten_provoked_panics();
    within_a_minute(|| {
        let clock = || Moody { clock: SystemClock::new(), reads: AtomicU64::new(0) };
        let cache = Cache::builder().clock(clock()).cleanup_interval(OFTEN).build().expect("valid");
        let store = MemStore::builder().clock(clock()).cleanup_interval(OFTEN).build().expect("valid");
        for round in 0..3 {
            for number in 0..100_u64 {
                cache.insert_with_ttl(number, number, Duration::from_millis(1 + number % 20));
                store.save_for(number.to_le_bytes(), "", Duration::from_millis(1 + number % 20));
            }
            assert!(eventually(|| cache.is_empty() && store.is_empty()), "round {round}");
        }
    });
}

/// A callback that blocks on the janitor's thread, once, until it is released.
struct Gate {
    reached: mpsc::Receiver<()>,
    release: mpsc::Sender<()>,
}

fn gate() -> (Gate, impl Fn() + Send + Sync + 'static) {
    let ((reach, reached), (release, released)) = (mpsc::channel(), mpsc::channel::<()>());
    let (once, released) = (AtomicBool::new(false), Mutex::new(released));
    let pass = move || {
        if is_janitor() && !once.swap(true, Ordering::SeqCst) {
            let _ = reach.send(());
            let _ = lock(&released).recv();
        }
    };
    (Gate { reached, release }, pass)
}

/// Catches a janitor whose callback blocks, and all others with it; a sweep that waits for it, or finds less than all but what that took; a stop
/// that returns before the janitor is gone, or never.
#[test]
fn a_callback_blocks_on_the_janitors_thread() {
    let _alone = alone();
    within_a_minute(|| {
        const ENTRIES: u64 = 500;
        let (gate, pass) = gate();
        let clock = ManualClock::new();
        let ledger = Ledger::new();
        let builder = Cache::builder().clock(clock.clone()).cleanup_interval(OFTEN);
        let cache = builder.on_removal(move |_: &u64, _: &Counted, _| pass()).build().expect("valid");
        for number in 0..ENTRIES {
            cache.insert_with_ttl(number, ledger.issue(number), seconds(1));
        }
        clock.advance(seconds(10));
        gate.reached.recv().expect("the janitor calls back");
        let swept = cache.sweep();
        assert!(swept + TAKEN >= ENTRIES as usize, "{swept} of {ENTRIES}");
        assert!(cache.len() < TAKEN, "the janitor holds what it took, but for the entry that it is at");
        for number in 0..ENTRIES {
            assert!(cache.get(&number).is_none(), "it has expired, whoever holds its record");
        }
        assert!(cache.is_empty(), "a reader removes what it finds expired");
        for number in 0..2_000 {
            assert!(cache.insert_with_ttl(number, ledger.issue(number), seconds(1)));
        }
        assert_eq!(cache.iter().count(), 2_000);
        clock.advance(seconds(10));
        assert_eq!(cache.sweep(), 2_000);
        // The janitor is in a callback, and so not pinned: only what it has yet to tell of is not freed.
        ledger.settles_below(TAKEN);
        let (cache, has_stopped) = (&cache, AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    cache.stop_cleanup();
                    has_stopped.store(true, Ordering::SeqCst);
                });
            }
            cache.insert(1, ledger.issue(1));
            (0..1_000).for_each(|_| thread::yield_now());
            assert!(!has_stopped.load(Ordering::SeqCst), "the janitor is still in its callback");
            drop(gate.release);
        });
        assert!(has_stopped.into_inner());
        assert!(cache.remove(&1));
        ledger.settles_at(0);
    });
}

/// Catches a store whose janitor's callback blocks, and all others with it; and a last handle's drop that does not wait, or never returns.
#[test]
fn the_last_handle_of_a_store_is_dropped_while_a_callback_blocks() {
    let _alone = alone();
    within_a_minute(|| {
        let (gate, pass) = gate();
        let clock = ManualClock::new();
        let builder = MemStore::builder().clock(clock.clone()).cleanup_interval(OFTEN);
        let store = builder.on_removal(move |_, _, _| pass()).build().expect("valid");
        store.save_for("go", "", seconds(1));
        clock.advance(seconds(10));
        gate.reached.recv().expect("the janitor calls back");
        for number in 0..1_000_u64 {
            store.save_for(number.to_le_bytes(), "data", seconds(5));
            assert!(store.find(number.to_le_bytes()).is_some());
        }
        assert_eq!(store.sweep(), 0);
        let weak = store.downgrade();
        let (dropped, is_dropped) = mpsc::channel();
        let dropper = thread::spawn(move || {
            drop(store);
            dropped.send(()).expect("the test waits");
        });
        assert!(eventually(|| weak.upgrade().is_none()));
        assert!(is_dropped.try_recv().is_err(), "the janitor is still in its callback");
        drop(gate.release);
        is_dropped.recv().expect("it returns");
        dropper.join().expect("no panic");
    });
}

/// A place for a handle that user code takes, and drops.
type Slot<V> = Arc<Mutex<Option<Cache<u64, V>>>>;

/// Catches a janitor that waits for itself, and what the cache holds leaked, when a clock on its thread drops the last handle.
#[test]
fn a_clock_on_the_janitors_thread_drops_the_last_handle() {
    struct Dropper(SystemClock, Slot<Counted>);
    impl Clock for Dropper {
        fn elapsed(&self) -> Duration {
            if is_janitor() {
                let last = lock(&self.1).take();
                drop(last);
            }
            self.0.elapsed()
        }

        fn origin(&self) -> Instant {
            self.0.origin()
        }
    }
    let _alone = alone();
    within_a_minute(|| {
        for _ in 0..20 {
            let (slot, ledger) = (Slot::default(), Ledger::new());
            let clock = Dropper(SystemClock::new(), Arc::clone(&slot));
            let cache = Cache::builder().clock(clock).cleanup_interval(OFTEN).build().expect("valid");
            (0..50).for_each(|number| assert!(cache.insert(number, ledger.issue(number))));
            let weak = cache.downgrade();
            *lock(&slot) = Some(cache);
            assert!(eventually(|| weak.upgrade().is_none()));
            assert!(eventually(|| ledger.alive() == 0), "{} values are left", ledger.alive());
        }
    });
}

/// A value that owns a handle, perhaps the last one, to a cache with a janitor.
struct Owner(#[expect(dead_code, reason = "owned")] Cache<u64, Counted>);

/// Catches a last handle that cannot be dropped where the collector drops a value: on any thread, in the middle of any operation.
#[test]
fn the_drop_of_a_value_drops_the_last_handle_of_another_cache() {
    let _alone = alone();
    within_a_minute(|| {
        let ledger = Ledger::new();
        let outer = Cache::builder().cleanup_interval(OFTEN).build().expect("valid");
        for number in 0..40_u64 {
            let inner = Cache::builder().cleanup_interval(OFTEN).build().expect("valid");
            (0..20).for_each(|key| assert!(inner.insert(key, ledger.issue(key))));
            outer.insert_with_ttl(number, Owner(inner), Duration::from_millis(1 + number));
        }
        // Some go by the janitor's hand, some by this thread's.
        for number in (0..40).step_by(3) {
            outer.remove(&number);
        }
        assert!(eventually(|| outer.is_empty()));
        assert!(reclaim_until(|| ledger.alive() == 0), "{} values are left", ledger.alive());
    });
}

/// Catches a cache whose entries own it: when they expire, the last handle goes by the janitor's own hand.
#[test]
fn an_entry_that_owns_its_cache_drops_it_when_it_expires() {
    struct Knot(
        #[expect(dead_code, reason = "owned")] Cache<u64, Knot>,
        #[expect(dead_code, reason = "counted")] Counted,
    );
    let _alone = alone();
    within_a_minute(|| {
        for _ in 0..20 {
            let ledger = Ledger::new();
            let cache = Cache::builder().cleanup_interval(OFTEN).build().expect("valid");
            for number in 0..20 {
                let knot = Knot(cache.clone(), ledger.issue(number));
                cache.insert_with_ttl(number, knot, Duration::from_millis(2));
            }
            let weak = cache.downgrade();
            drop(cache);
            assert!(reclaim_until(|| weak.upgrade().is_none() && ledger.alive() == 0), "it is still there");
        }
    });
}

/// Catches a last handle that cannot be dropped while its thread ends, when thread locals are gone or going.
#[test]
fn a_thread_local_drops_the_last_handle() {
    thread_local! {
        static HANDLE: std::cell::RefCell<Option<(Cache<u64, Counted>, MemStore)>> = const { std::cell::RefCell::new(None) };
    }
    let _alone = alone();
    within_a_minute(|| {
        let ledger = Ledger::new();
        for early in [true, false] {
            let ledger = ledger.clone();
            let ended = thread::spawn(move || {
                // Locals are dropped in the order of their first use, or against it: both orders are tried.
                if early {
                    HANDLE.set(None);
                }
                let cache = Cache::builder().cleanup_interval(OFTEN).build().expect("valid");
                let store = MemStore::new(OFTEN);
                (0..100).for_each(|number| assert!(cache.insert(number, ledger.issue(number))));
                (0..50).for_each(|number| assert!(cache.remove(&number)));
                store.save_for("1", "", seconds(9));
                HANDLE.set(Some((cache, store)));
            });
            ended.join().expect("no panic");
        }
        ledger.settles_at(0);
    });
}

/// Catches a weak handle that brings a cache back to life while its last handle is being dropped, half of it gone.
#[test]
fn a_callback_upgrades_while_the_last_handle_is_dropped() {
    let _alone = alone();
    within_a_minute(|| {
        for _ in 0..100 {
            let slot: Arc<Mutex<Option<WeakCache<u64, u64>>>> = Arc::default();
            let found = Arc::clone(&slot);
            let cache = Cache::builder()
                .cleanup_interval(OFTEN)
                .on_removal(move |key: &u64, _: &u64, _| {
                    if let Some(cache) = lock(&found).as_ref().and_then(WeakCache::upgrade) {
                        assert!(cache.insert(key + 1_000, 1) && cache.get(&(key + 1_000)) == Some(1));
                    }
                })
                .build()
                .expect("valid");
            *lock(&slot) = Some(cache.downgrade());
            for key in 0..20 {
                cache.insert_with_ttl(key, key, Duration::from_micros(500 + 100 * key));
            }
            thread::sleep(OFTEN);
            drop(cache);
            // A callback may be the last to hold it, for a moment.
            assert!(eventually(|| lock(&slot).as_ref().is_some_and(|weak| weak.upgrade().is_none())));
        }
    });
}
