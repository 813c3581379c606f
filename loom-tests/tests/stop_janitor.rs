//! stop-janitor (`src/janitor.rs`): whoever has stopped a janitor, first or second, finds its thread gone, or the sweep of the one cache
//! ended; except on that thread itself, and where a limit was too short.
//!
//! Explored: two stops of one cache, a stop beside a sweep, with and without a limit, a stop beside a start, one and two caches that leave a
//! janitor, the last handle dropped beside a sweep, a stop and a drop by a callback on the janitor's thread. What the janitor's work writes is
//! no atomic: whoever returns from a stop too early races with it, and loom tells. Breaks caught: a stop that does not wait for the sweep, or
//! for the thread, a second one that does not wait for the first, one that waits for its own thread, one that wakes nobody, a limit that has
//! passed and is not told, a thread that ends beside a start and leaves the list unserved.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fleeting::janitor::{Cleanup, Janitor};
use fleeting::{ManualClock, MemStore, RemovalCause, WeakCache, WeakMemStore};
use fleeting_loom_tests::{Identity, Model, Numbers, Value, numbers, pair};
use loom::sync::{Condvar, Mutex};

const K: u64 = 7;
const INTERVAL: Duration = Duration::from_secs(1);

/// Work that changes a value, in two batches.
fn cleanup(janitor: &Janitor, value: &Arc<Value>) -> Arc<Cleanup> {
    let value = value.clone();
    let work = move |go_on: &dyn Fn() -> bool| {
        for _ in 0..2 {
            if go_on() {
                value.add(1);
            }
        }
    };
    let cleanup = Cleanup::new(Some(janitor.clone()), "janitor", work);
    cleanup.start().expect("a thread");
    Arc::new(cleanup)
}

fn janitor() -> Janitor {
    Janitor::new(INTERVAL).expect("valid")
}

/// Both find it gone.
#[test]
fn stop_against_stop() {
    Model::new("stop_against_stop").plain(4).rmw(4).explore(&[(0, 0), (2, 2)], || {
        let value = Arc::new(Value::new(0));
        let cleanup = cleanup(&janitor(), &value);
        let stop = |(cleanup, value): &(Arc<Cleanup>, Arc<Value>)| {
            cleanup.stop();
            value.get()
        };
        let seen = pair(&(cleanup, value), stop, stop);
        assert_eq!(seen.0, seen.1, "worked on after a stop");
        seen
    });
}

/// A stop between batches: it waits for the one that is begun, and no other begins.
#[test]
fn stop_against_work() {
    Model::new("stop_against_work").explore(&[0, 1, 2], || {
        let value = Arc::new(Value::new(0));
        cleanup(&janitor(), &value).stop();
        value.get()
    });
}

/// A stop with a limit, which may pass at any moment: true if the thread is gone. It is, in time, after a stop without one.
#[test]
fn limit_against_work() {
    Model::new("limit_against_work").rmw(5).explore(
        &[(true, 0), (true, 2), (false, 0), (false, 1), (false, 2)],
        || {
            let value = Arc::new(Value::new(0));
            let cleanup = cleanup(&janitor(), &value);
            let is_gone = cleanup.stop_within(INTERVAL);
            // Nothing orders this look but the answer: loom tells of a race if that is not true.
            let seen = is_gone.then(|| value.get());
            cleanup.stop();
            let end = value.get();
            assert!(seen.is_none_or(|seen| seen == end), "worked on after a stop");
            (is_gone, end)
        },
    );
}

/// Two caches of one janitor leave it: the first finds its own sweep ended, and the second the thread gone.
#[test]
fn two_leave() {
    Model::new("two_leave").plain(3).rmw(3).explore(&[(0, 0), (2, 0), (0, 2), (2, 2)], || {
        let values = [(); 2].map(|()| Arc::new(Value::new(0)));
        let janitor = janitor();
        let cleanups = values.each_ref().map(|value| cleanup(&janitor, value));
        drop(janitor);
        let shared = (cleanups, values);
        let stop = |(cleanups, values): &([Arc<Cleanup>; 2], [Arc<Value>; 2]), index: usize| {
            cleanups[index].stop();
            values[index].get()
        };
        pair(&shared, move |shared| stop(shared, 0), move |shared| stop(shared, 1))
    });
}

/// One of two caches leaves a janitor, and finds its own sweep ended, though the thread goes on.
#[test]
fn one_leaves() {
    Model::new("one_leaves").plain(5).rmw(5).explore(&[(0, 0), (1, 0), (2, 0), (0, 2), (2, 1), (2, 2)], || {
        let values = [(); 2].map(|()| Arc::new(Value::new(0)));
        let janitor = janitor();
        let cleanups = values.each_ref().map(|value| cleanup(&janitor, value));
        cleanups[0].stop();
        let seen = values[0].get();
        cleanups[1].stop();
        (seen, values[1].get())
    });
}

/// A start beside the stop of the only other cache, and so beside the end of the thread: it is served by a thread that goes on, or by a
/// new one. (The janitor asserts that a list with something in it has a thread.)
#[test]
fn start_against_end() {
    Model::new("start_against_end").plain(3).rmw(3).explore(&[(0, 0), (0, 2), (2, 0), (2, 2)], || {
        let values = [(); 2].map(|()| Arc::new(Value::new(0)));
        let janitor = janitor();
        let first = cleanup(&janitor, &values[0]);
        let start = {
            let value = values[1].clone();
            move |_: &()| cleanup(&janitor, &value)
        };
        let ((), second) = pair(&(), |()| first.stop(), start);
        let seen = values[0].get();
        second.stop();
        (seen, values[1].get())
    });
}

/// A cache; how often its listener was told; and the cache whose cleanup the listener stops.
type Watched = (Numbers, Arc<AtomicUsize>, Arc<OnceLock<WeakCache<u64, u64, Identity>>>);

/// A cache with a janitor, one entry of which is due.
fn watched() -> Watched {
    let (clock, expired, stopped) = (ManualClock::new(), Arc::<AtomicUsize>::default(), Arc::<OnceLock<_>>::default());
    let (told, to_stop) = (expired.clone(), stopped.clone());
    let listener = move |_: &u64, _: &u64, cause| {
        assert_eq!(cause, RemovalCause::Expired);
        told.fetch_add(1, Ordering::Relaxed);
        if let Some(cache) = to_stop.get().and_then(WeakCache::upgrade) {
            cache.stop_cleanup();
        }
    };
    let cache =
        numbers().clock(clock.clone()).cleanup_interval(INTERVAL).on_removal(listener).build().expect("a cache");
    cache.insert_with_ttl(K, 1, INTERVAL);
    // Past the tick that it is filed under.
    clock.advance(2 * INTERVAL);
    (cache, expired, stopped)
}

/// A handle for each thread, and the number of those that are gone.
type Handles = Rc<([Cell<Option<Numbers>>; 2], loom::sync::atomic::AtomicUsize)>;

/// Sweeps by hand and by the janitor, beside the drop of a handle: the last one stops the janitor, and frees all.
#[test]
fn drop_against_sweep() {
    Model::new("drop_against_sweep").plain(4).rmw(3).explore(&[1, 0], || {
        let (cache, expired, _) = watched();
        let weak = cache.downgrade();
        // A step before each drop, of which loom sees nothing by itself: so that either is the last.
        let handle = |cache: Numbers| Cell::new(Some(cache));
        let handles = Rc::new(([handle(cache.clone()), handle(cache)], loom::sync::atomic::AtomicUsize::new(0)));
        let drop_one = |handles: &Handles, cache: Numbers| {
            handles.1.fetch_add(1, Ordering::Relaxed);
            drop(cache);
        };
        let take = |handles: &Handles, index: usize| handles.0[index].take().expect("one a thread");
        let ((), swept) = pair(
            &handles,
            move |handles| drop_one(handles, take(handles, 0)),
            move |handles| {
                let cache = take(handles, 1);
                let swept = cache.sweep();
                drop_one(handles, cache);
                swept
            },
        );
        assert!(weak.upgrade().is_none());
        assert_eq!(expired.load(Ordering::Relaxed), 1, "each entry is told of once");
        swept
    });
}

/// A stop beside one by a callback on the janitor's own thread, which waits for nobody.
#[test]
fn stop_against_stop_by_a_callback() {
    Model::new("stop_against_stop_by_a_callback").plain(6).rmw(4).explore(&[0, 1], || {
        let (cache, expired, stopped) = watched();
        assert!(stopped.set(cache.downgrade()).is_ok());
        cache.stop_cleanup();
        // Whatever it was doing, it is over.
        let told = expired.load(Ordering::Relaxed);
        assert_eq!(cache.sweep(), 1 - told);
        told
    });
}

/// The last handle is dropped by a callback on the janitor's own thread, or by this one.
#[test]
fn drop_against_drop_by_a_callback() {
    Model::new("drop_against_drop_by_a_callback").plain(6).rmw(4).explore(&[true, false], || {
        let gone = Arc::new(Gone::default());
        let (clock, weak) = (ManualClock::new(), Arc::<OnceLock<WeakMemStore>>::default());
        let by_callback = Arc::<AtomicBool>::default();
        let step = Arc::new(loom::sync::atomic::AtomicUsize::new(0));
        let listener = {
            let (weak, step, by_callback, gone) = (weak.clone(), step.clone(), by_callback.clone(), Tell(gone.clone()));
            move |_: &[u8], _: &[u8], _| {
                let _tells_when_dropped = &gone;
                let store = weak.get().and_then(WeakMemStore::upgrade);
                step.fetch_add(1, Ordering::Relaxed);
                drop(store);
                by_callback.store(weak.get().is_some_and(|weak| weak.upgrade().is_none()), Ordering::Relaxed);
            }
        };
        let store = MemStore::builder().clock(clock.clone()).cleanup_interval(INTERVAL).on_removal(listener);
        let store = store.build().expect("a store");
        assert!(weak.set(store.downgrade()).is_ok());
        store.save_for("token", "data", INTERVAL);
        clock.advance(2 * INTERVAL);
        // A step of the model, so that the other thread may come before or after.
        step.fetch_add(1, Ordering::Relaxed);
        drop(store);
        gone.wait();
        by_callback.load(Ordering::Relaxed)
    });
}

/// Told when the listener is dropped: the store is gone, whose thread may be the janitor's.
#[derive(Default)]
struct Gone {
    is_gone: Mutex<bool>,
    wake: Condvar,
}

impl Gone {
    fn wait(&self) {
        let mut is_gone = self.is_gone.lock().expect("not poisoned");
        while !*is_gone {
            is_gone = self.wake.wait(is_gone).expect("not poisoned");
        }
    }
}

struct Tell(Arc<Gone>);

impl Drop for Tell {
    fn drop(&mut self) {
        *self.0.is_gone.lock().expect("not poisoned") = true;
        self.0.wake.notify_all();
    }
}
