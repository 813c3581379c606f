//! Values whose `Drop` uses a cache, takes a lock, or owns a cache: where and when the library drops them.
//!
//! Catches drops inside a read (fault A2), a drop inside another (A1), unbounded recursion and a deadlock as a
//! thread ends, and a wait for a thread under a pin (A3). Each case has a process of its own, because what it
//! catches ends the process, or hangs it.

mod common;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use common::{child, ignore, lock, seconds};
use fleeting::{Cache, MemStore};

/// Objects that are dropped in each case.
const OBJECTS: usize = 100_000;

/// Of a thread that ends: recursion of some hundred drops would exhaust it.
const STACK: usize = 256 << 10;

thread_local! {
    // Neither has a destructor, so that both are there until the thread is gone.
    static IN_READ: Cell<bool> = const { Cell::new(false) };
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Drops so far, of each object.
static DROPS: [AtomicU8; 2 * OBJECTS] = [const { AtomicU8::new(0) }; 2 * OBJECTS];
static MADE: AtomicUsize = AtomicUsize::new(0);
static DROPPED: AtomicUsize = AtomicUsize::new(0);
static DEEPEST: AtomicU32 = AtomicU32::new(0);
static DROPPED_IN_READ: AtomicUsize = AtomicUsize::new(0);

/// What the objects' `Drop` uses.
fn other() -> &'static Cache<u64, u64> {
    static OTHER: OnceLock<Cache<u64, u64>> = OnceLock::new();
    OTHER.get_or_init(unswept)
}

fn unswept<K: std::hash::Hash + Eq + Send + Sync + 'static, V: Send + Sync + 'static>() -> Cache<K, V> {
    Cache::builder().cleanup_interval(Duration::ZERO).build().expect("sane")
}

/// A value whose `Drop` uses a cache, as one that keeps an index beside does.
struct Indexed(u64);

impl Indexed {
    fn new(number: u64) -> Indexed {
        MADE.fetch_add(1, Ordering::Relaxed);
        Indexed(number)
    }
}

impl Drop for Indexed {
    fn drop(&mut self) {
        // Counted, and judged at the end: a panic here would be contained.
        let depth = DEPTH.get() + 1;
        DEPTH.set(depth);
        DEEPEST.fetch_max(depth, Ordering::Relaxed);
        DROPPED_IN_READ.fetch_add(IN_READ.get().into(), Ordering::Relaxed);
        if DROPS[self.0 as usize].fetch_add(1, Ordering::Relaxed) == 0 {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
        let number = self.0 % 1_000;
        ignore(other().get(&number));
        other().insert(number, self.0);
        DEPTH.set(depth - 1);
    }
}

/// Waits until all objects are dropped, and checks that each was dropped once and none inside another.
fn expect_all_dropped() {
    let count = MADE.load(Ordering::Relaxed);
    assert!(count >= OBJECTS, "{count} objects were made");
    let end = Instant::now() + seconds(30);
    while DROPPED.load(Ordering::Relaxed) < count && Instant::now() < end {
        fleeting::release_thread_memory();
        thread::yield_now();
    }
    let (dropped, deepest) = (DROPPED.load(Ordering::Relaxed), DEEPEST.load(Ordering::Relaxed));
    assert_eq!(dropped, count, "objects are dropped in the end");
    assert!(DROPS.iter().all(|drops| drops.load(Ordering::Relaxed) <= 1), "an object was dropped twice");
    assert!(deepest <= 1, "drops nest: {deepest} of them at once on one thread");
}

/// Fills `cache` with objects that leave it again while another thread is pinned, so that none of them is dropped;
/// calls `meanwhile`; unpins.
fn with_backlog<R>(cache: &Cache<u64, Indexed>, meanwhile: impl FnOnce() -> R) -> R {
    let (pinned, is_pinned) = mpsc::channel();
    let (unpin, told_to_unpin) = mpsc::channel::<()>();
    let holder = cache.clone();
    let reader = thread::spawn(move || {
        let pin = holder.pin();
        pinned.send(()).expect("the test waits");
        told_to_unpin.recv().expect("the test tells");
        drop(pin);
    });
    is_pinned.recv().expect("the reader is there");
    for number in 0..OBJECTS as u64 {
        cache.insert(number % 1_000, Indexed::new(number));
    }
    let result = meanwhile();
    unpin.send(()).expect("the reader waits");
    reader.join().expect("the reader does not panic");
    result
}

/// What a thread may do first with a cache or a store.
type First = (&'static str, fn(&Cache<u64, Indexed>, &MemStore));

#[rustfmt::skip]
const FIRST_CALLS: &[First] = &[
    ("nothing", |_, _| ()),
    ("read", |cache, _| ignore(cache.read(&1, |value| value.0))),
    ("insert", |cache, _| ignore(cache.insert(1, Indexed::new(OBJECTS as u64)))),
    ("remove", |cache, _| ignore(cache.remove(&1))),
    ("touch", |cache, _| ignore(cache.touch(&1, seconds(9)))),
    ("retain", |cache, _| cache.retain(|key, _| *key > 10)),
    ("clear", |cache, _| cache.clear()),
    ("sweep", |cache, _| ignore(cache.sweep())),
    ("iter", |cache, _| ignore(cache.pin().iter().count())),
    ("pin", |cache, _| drop(cache.pin())),
    ("load", |_, _| ignore(other().get_or_insert_with(1 << 40, || 1))),
    ("drop of a handle", |cache, _| drop(cache.clone())),
    ("drop of a last handle", |_, _| drop(unswept::<u64, u64>())),
    ("find", |_, store| ignore(store.find("token"))),
    ("save", |_, store| store.save_for("token", "data", seconds(9))),
    ("delete", |_, store| ignore(store.delete("token"))),
    ("rename", |_, store| ignore(store.rename("token", "other", SystemTime::now() + seconds(9)))),
    ("sweep of a store", |_, store| ignore(store.sweep())),
    ("iter of a store", |_, store| ignore(store.iter().count())),
    ("drop of a store's handle", |_, store| drop(store.clone())),
];

/// A thread-local of the user's, whose destructor uses caches.
struct AtExit(Cache<u64, Indexed>, MemStore);

impl Drop for AtExit {
    fn drop(&mut self) {
        let AtExit(cache, store) = self;
        assert_eq!(other().get_or_insert_with(1 << 41, || 5), 5);
        for number in 0..200_u64 {
            store.save_for(number.to_le_bytes(), [0; 100], seconds(5));
            ignore(store.find(number.to_le_bytes()));
            other().insert_with_ttl(number, number, seconds(1 + number % 3));
            ignore(cache.contains_key(&number));
        }
        ignore(other().sweep());
        ignore(store.sweep());
    }
}

thread_local! {
    static BEFORE: RefCell<Option<AtExit>> = const { RefCell::new(None) };
    static AFTER: RefCell<Option<AtExit>> = const { RefCell::new(None) };
}

/// A thread on a small stack makes its first call while a backlog waits, and ends when all of it may be dropped;
/// with `locals`, it has thread-locals, registered before and after those of the library, whose destructors use
/// caches.
fn end_a_thread(first: fn(&Cache<u64, Indexed>, &MemStore), locals: bool) {
    let cache = unswept::<u64, Indexed>();
    let store = MemStore::new(Duration::ZERO);
    let (called, has_called) = mpsc::channel();
    let (end, told_to_end) = mpsc::channel::<()>();
    let thread = with_backlog(&cache, || {
        let (cache, store) = (cache.clone(), store.clone());
        let work = move || {
            if locals {
                BEFORE.set(Some(AtExit(cache.clone(), store.clone())));
            }
            first(&cache, &store);
            if locals {
                AFTER.set(Some(AtExit(cache.clone(), store.clone())));
            }
            called.send(()).expect("the test waits");
            told_to_end.recv().expect("the test tells");
        };
        let thread = thread::Builder::new().stack_size(STACK).spawn(work).expect("a thread");
        has_called.recv().expect("the first call returns");
        thread
    });
    end.send(()).expect("the thread waits");
    thread.join().expect("the thread does not panic");
    drop(cache);
    expect_all_dropped();
}

/// Catches a drop within a drop, an overflow or a deadlock at the end of a thread, whatever the thread did first
/// (fault A1).
#[test]
fn thread_ends_on_a_small_stack_whatever_it_called_first() {
    let cases: Vec<_> = FIRST_CALLS.iter().map(|(name, first)| (*name, || end_a_thread(*first, false))).collect();
    let cases: Vec<_> = cases.iter().map(|(name, case)| (*name, case as &dyn Fn())).collect();
    child::run_each("thread_ends_on_a_small_stack_whatever_it_called_first", &cases);
}

/// Catches the same where the library's thread-locals are used when they are gone, by the destructors of the user's.
#[test]
fn thread_locals_may_use_a_cache_as_they_are_dropped() {
    let cases: Vec<_> = FIRST_CALLS.iter().map(|(name, first)| (*name, || end_a_thread(*first, true))).collect();
    let cases: Vec<_> = cases.iter().map(|(name, case)| (*name, case as &dyn Fn())).collect();
    child::run_each("thread_locals_may_use_a_cache_as_they_are_dropped", &cases);
}

/// Catches the same on a janitor's thread, which ends with a cache that has nothing to do with the backlog (fault
/// A1, `janitor_exit`).
#[test]
fn janitor_ends_beside_a_backlog() {
    child::run("janitor_ends_beside_a_backlog", || {
        let cache = unswept::<u64, Indexed>();
        let third: Cache<u64, u64> =
            Cache::builder().cleanup_interval(Duration::from_millis(20)).build().expect("sane");
        while third.stats().sweeps == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        with_backlog(&cache, || ());
        drop(third);
        drop(cache);
        expect_all_dropped();
    });
}

/// Marks what `call` does as a read.
fn reading<R>(call: impl FnOnce() -> R) -> R {
    IN_READ.set(true);
    let result = call();
    IN_READ.set(false);
    result
}

/// Catches values that a read drops, of its own cache or of another (fault A2), and drops that nest.
#[test]
fn no_value_is_dropped_inside_a_read() {
    child::run("no_value_is_dropped_inside_a_read", || {
        let cache = unswept::<u64, Arc<Indexed>>();
        let (unrelated, store) = (unswept::<u64, u64>(), MemStore::new(Duration::ZERO));
        store.save_for("token", "data", seconds(60));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut key = 0;
                    while !done.load(Ordering::Relaxed) {
                        key = (key + 1) % 100;
                        // A clone that is the last owner is dropped by this thread, outside.
                        let mut all = cache.iter();
                        let kept = reading(|| (cache.get(&key), cache.peek(&key), all.next()));
                        drop((kept, all));
                        reading(|| {
                            ignore(cache.contains_key(&key));
                            ignore(cache.read(&key, |value| value.0));
                            cache.get_many(&[key, key + 1], |_, value| ignore(value.map(|value| value.0)));
                            ignore(cache.pin().iter().take(10).count());
                            ignore(unrelated.get(&key));
                            ignore(store.read("token", <[u8]>::len));
                            ignore((cache.len(), cache.stats()));
                        });
                        drop(reading(|| store.find("token")));
                    }
                });
            }
            let removers: Vec<_> = (0..2_u64)
                .map(|remover| {
                    let cache = &cache;
                    scope.spawn(move || {
                        for number in (remover..OBJECTS as u64).step_by(2) {
                            cache.insert(number % 100, Arc::new(Indexed::new(number)));
                            if number % 4 < 2 {
                                cache.remove(&(number % 100));
                            }
                        }
                    })
                })
                .collect();
            let ends: Vec<_> = removers.into_iter().map(thread::ScopedJoinHandle::join).collect();
            done.store(true, Ordering::Relaxed);
            assert!(ends.iter().all(Result::is_ok), "no remover panics");
        });
        drop(cache);
        let in_reads = DROPPED_IN_READ.load(Ordering::Relaxed);
        assert_eq!(in_reads, 0, "objects were dropped inside a read");
        expect_all_dropped();
    });
}

/// Catches what the drop of a value inside a read leads to: a thread that holds a lock looks something up, and
/// waits for itself (fault A2, `drop_deadlock`).
#[test]
fn look_up_under_a_lock_that_a_value_takes_in_its_drop_returns() {
    static POOL: Mutex<Vec<u64>> = Mutex::new(Vec::new());
    struct Connection(u64);
    impl Drop for Connection {
        fn drop(&mut self) {
            lock(&POOL).push(self.0);
        }
    }
    child::run("look_up_under_a_lock_that_a_value_takes_in_its_drop_returns", || {
        let (connections, unrelated) = (unswept::<u64, Connection>(), unswept::<u64, u64>());
        let sessions = MemStore::new(Duration::ZERO);
        for round in 0..10 {
            for number in 0..1_000 {
                connections.insert(number, Connection(number));
                connections.remove(&number);
            }
            let pool = lock(&POOL);
            for number in 0..1_000 {
                ignore(unrelated.get(&(number + round)));
                ignore(connections.contains_key(&number));
                ignore(sessions.find("token"));
            }
            drop(pool);
        }
    });
}

/// Catches a janitor that is waited for under a pin: caches that are values end, with their janitors, inside the
/// collector, and two of them that wait for each other stop all freeing (fault A3, `cache_of_caches`).
#[test]
fn caches_as_values_end_with_their_janitors() {
    /// Threads of this process that are janitors.
    #[cfg(target_os = "linux")]
    fn janitors() -> usize {
        let tasks = std::fs::read_dir("/proc/self/task").expect("Linux has /proc");
        let names = tasks.flatten().map(|task| std::fs::read_to_string(task.path().join("comm")).unwrap_or_default());
        names.filter(|name| name.starts_with("fleeting-janito")).count()
    }
    #[cfg(not(target_os = "linux"))]
    fn janitors() -> usize {
        0
    }
    child::run("caches_as_values_end_with_their_janitors", || {
        let outer: Cache<u64, Cache<u64, u64>> = unswept();
        for _ in 0..12 {
            for tenant in 0..200 {
                let own = Cache::builder().cleanup_interval(Duration::from_millis(1)).build().expect("sane");
                outer.insert(tenant, own);
            }
            (0..200).for_each(|tenant| assert!(outer.remove(&tenant)));
            // The tenants' own janitors collect meanwhile, and drop each other.
            let end = Instant::now() + Duration::from_millis(200);
            while janitors() > 0 && Instant::now() < end {
                thread::sleep(Duration::from_millis(10));
            }
        }
        let end = Instant::now() + seconds(5);
        while janitors() > 0 {
            fleeting::release_thread_memory();
            thread::sleep(Duration::from_millis(1));
            assert!(Instant::now() < end, "{} janitors of caches that are gone are left", janitors());
        }
    });
}

/// Catches a load that stays open for ever, because what ends it pins first, and a panic in the collector, of a
/// closure that is not the library's, comes out of there (fault A4, `flight_hang`).
#[test]
fn load_ends_whatever_panics_in_the_collector() {
    child::run("load_ends_whatever_panics_in_the_collector", || {
        std::panic::set_hook(Box::new(|_| {}));
        let cache: Cache<u64, u64> = unswept();
        // A thread that does not end: the panic of a closure in a thread-local's destructor would end the process.
        fn on_a_thread(work: impl FnOnce() + Send + 'static) -> mpsc::Receiver<()> {
            let (done, is_done) = mpsc::channel();
            thread::spawn(move || {
                work();
                let _ = done.send(());
                loop {
                    thread::park();
                }
            });
            is_done
        }
        let limit = seconds(10);
        // The collector works at one pin in 128: so this many pins before the load make each of its own be that one.
        for pins in 0..128_u64 {
            let closure = on_a_thread(|| {
                // It may be the one who runs an earlier one.
                ignore(catch_unwind(|| {
                    let guard = crossbeam_epoch::pin();
                    guard.defer(|| panic!("another crate's"));
                    guard.flush();
                }));
            });
            closure.recv_timeout(limit).expect("the closure is deferred");
            let loader = cache.clone();
            let first = on_a_thread(move || {
                (0..pins).for_each(|_| ignore(catch_unwind(|| drop(crossbeam_epoch::pin()))));
                ignore(catch_unwind(AssertUnwindSafe(|| loader.get_or_insert_with(pins, || 1))));
            });
            first.recv_timeout(limit).expect("the first load returns");
            let loader = cache.clone();
            let second = on_a_thread(move || {
                ignore(catch_unwind(AssertUnwindSafe(|| {
                    loader.remove(&pins);
                    loader.get_or_insert_with(pins, || 2)
                })));
            });
            second.recv_timeout(limit).unwrap_or_else(|_| {
                eprintln!("a load of key {pins} waits for one that is over");
                std::process::exit(1);
            });
        }
    });
}
