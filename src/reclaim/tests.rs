//! Who frees what was retired, on which thread, and when. Each test fails if an object is freed twice (a sender that is dropped twice), or never.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use super::shelf::SHELF_BYTES;
use super::*;

/// An object that tells who freed it.
struct Object {
    tells: Sender<ThreadId>,
    as_it_goes: fn(),
}

impl Drop for Object {
    fn drop(&mut self) {
        let _ = self.tells.send(thread::current().id());
        (self.as_it_goes)();
    }
}

unsafe fn free(object: *mut Object) {
    // SAFETY: made by `retire_one`, freed once.
    drop(unsafe { Box::from_raw(object) });
}

fn retire_one(tells: &Sender<ThreadId>, bytes: usize, kind: Kind) {
    retire_with(tells, bytes, kind, || {});
}

fn retire_with(tells: &Sender<ThreadId>, bytes: usize, kind: Kind, as_it_goes: fn()) {
    let object = Box::into_raw(Box::new(Object { tells: tells.clone(), as_it_goes }));
    // SAFETY: E2: nobody else has it.
    unsafe { retire(object, bytes, kind, free) };
}

/// An object with three pieces, each of which tells who freed it.
fn retire_large(tells: &Sender<ThreadId>) {
    unsafe fn free_piece(piece: *mut ()) {
        // SAFETY: made below, freed once.
        unsafe { free(piece.cast()) }
    }
    let object = || Box::into_raw(Box::new(Object { tells: tells.clone(), as_it_goes: || {} }));
    let pieces: Vec<_> = (0..3).map(|_| object().cast()).collect();
    // SAFETY: E2: nobody else has them.
    unsafe { retire_in_pieces(object(), 8, free, pieces.into_iter(), free_piece) };
}

/// One at a time: `flush` frees for all threads.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a thread does that only reads.
fn read() {
    (0..if cfg!(miri) { 8 } else { 200 }).for_each(|_| drop(pin()));
    pin().flush();
    thread::yield_now();
}

/// Waits until at least so many were freed; by whom.
fn freed(told: &Receiver<ThreadId>, count: usize, mut meanwhile: impl FnMut()) -> Vec<ThreadId> {
    let mut by = Vec::new();
    while by.len() < count {
        meanwhile();
        by.extend(told.try_iter());
    }
    by
}

/// Catches plain objects that another thread frees, that come back and stay, that come back before their time, or in bursts.
#[test]
fn plain_objects_come_back_to_the_thread_that_retired_them() {
    let _alone = alone();
    const OBJECTS: usize = if cfg!(miri) { 130 } else { 6_400 };
    let (tells, told) = channel();
    let (stop, stops) = channel::<()>();
    let reader = thread::spawn(move || {
        while stops.try_recv().is_err_and(|error| error == std::sync::mpsc::TryRecvError::Empty) {
            read();
        }
    });
    let me = thread::current().id();
    let guard = pin();
    (0..OBJECTS).for_each(|_| retire_one(&tells, 8, Kind::Plain));
    assert!(told.try_recv().is_err(), "this thread is pinned");
    drop(guard);
    let mut count = 0;
    while count < OBJECTS {
        read();
        retire_one(&tells, 8, Kind::Plain);
        let now = told.try_iter().inspect(|&by| assert_eq!(by, me)).count();
        assert!(now <= 2, "two for each that is retired");
        count += now;
    }
    drop(stop);
    reader.join().expect("no panic");
    drop(tells);
    while told.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {
        flush();
    }
}

/// Catches what waits for an idle thread without a bound, or is lost with a thread that ends.
#[test]
fn an_idle_thread_holds_little() {
    let _alone = alone();
    const BYTES: usize = 8 << 10;
    const MAY_WAIT: usize = (SHELF_BYTES + (64 << 10)) / BYTES;
    const OBJECTS: usize = 2 * MAY_WAIT;
    let ((tells, told), (idles, idle), (go, goes)) = (channel(), channel(), channel::<()>());
    let guard = pin();
    let retirer = thread::spawn(move || {
        (0..OBJECTS).for_each(|_| retire_one(&tells, BYTES, Kind::Plain));
        idles.send(()).expect("received");
        let _ = goes.recv();
    });
    idle.recv().expect("sent");
    drop(guard);
    let by = freed(&told, OBJECTS - MAY_WAIT, read);
    assert!(by.iter().all(|&by| by != retirer.thread().id()), "it is idle");
    drop(go);
    retirer.join().expect("no panic");
    // Its thread has ended, and freed what had come back by then; what had not is freed by a flush.
    freed(&told, OBJECTS - by.len(), flush);
    assert!(told.recv().is_err(), "each once");
}

/// Catches a `Drop` in a thread that reads, or that is pinned; and one that waits for its idle thread although another one sweeps.
#[test]
fn drops_run_at_safe_points_only() {
    let _alone = alone();
    const OBJECTS: usize = 100;
    let ((tells, told), (go, goes)) = (channel(), channel::<()>());
    let retirer = thread::spawn(move || {
        (0..OBJECTS).for_each(|_| retire_one(&tells, 8, Kind::Drops));
        for _ in 0..20 {
            read();
        }
        let guard = pin();
        (0..20).for_each(|_| safe_point());
        drop(guard);
    });
    drop(goes);
    let _ = go.send(());
    // Ends its thread, which drops what has come back, as far as no pin of another test is in the way.
    retirer.join().expect("no panic");
    freed(&told, OBJECTS, maintain);
    assert!(told.recv().is_err(), "each once");
}

/// Catches a read, a pinned thread, or a thread that is told of nothing, that drops what waits for a safe point.
#[test]
fn reads_drop_nothing() {
    let _alone = alone();
    thread_local!(static READS: Cell<bool> = const { Cell::new(false) });
    static IN_READS: AtomicUsize = AtomicUsize::new(0);
    let (tells, told) = channel();
    let as_it_goes = || {
        if READS.get() {
            IN_READS.fetch_add(1, Ordering::Relaxed);
        }
    };
    for _ in 0..20 {
        (0..64).for_each(|_| retire_with(&tells, 8, Kind::Drops, as_it_goes));
        READS.set(true);
        read();
        let guard = pin();
        safe_point();
        maintain();
        drop(guard);
        READS.set(false);
        safe_point();
    }
    freed(&told, 20 * 64, maintain);
    assert_eq!(IN_READS.load(Ordering::Relaxed), 0);
}

/// Catches a drop that begins within another one, at whatever call of the library a `Drop` makes; and one that is forgotten there.
#[test]
fn no_drop_runs_within_another() {
    let _alone = alone();
    thread_local!(static DEPTH: Cell<usize> = const { Cell::new(0) });
    static DEEPEST: AtomicUsize = AtomicUsize::new(0);
    fn enter() {
        DEEPEST.fetch_max(DEPTH.replace(DEPTH.get() + 1) + 1, Ordering::Relaxed);
        safe_point();
        maintain();
        flush();
        BulkRemoval::begin().step();
        DEPTH.set(DEPTH.get() - 1);
    }
    let (tells, told) = channel();
    let end = tells.clone();
    thread::spawn(move || (0..100).for_each(|_| retire_with(&end, 8, Kind::Drops, enter))).join().expect("no panic");
    (0..100).for_each(|_| retire_with(&tells, 8, Kind::Drops, enter));
    freed(&told, 200, safe_point_after_a_pin);
    assert_eq!(DEEPEST.load(Ordering::Relaxed), 1);
}

fn safe_point_after_a_pin() {
    read();
    safe_point();
    flush();
}

/// Catches what is retired where the thread's block is gone: lost, or dropped there.
#[test]
fn a_thread_that_has_ended_still_retires() {
    let _alone = alone();
    struct AtEnd(Sender<ThreadId>);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            for kind in [Kind::Plain, Kind::Drops] {
                (0..50).for_each(|_| retire_one(&self.0, 8, kind));
            }
            safe_point();
        }
    }
    thread_local!(static AT_END: Cell<Option<AtEnd>> = const { Cell::new(None) });
    let (tells, told) = channel();
    let (before, after) = (tells.clone(), tells);
    // Registered before the library's own thread-local, and after it: destroyed after it, and before.
    thread::spawn(move || {
        AT_END.set(Some(AtEnd(before)));
        drop(pin());
    })
    .join()
    .expect("no panic");
    thread::spawn(move || {
        drop(pin());
        AT_END.set(Some(AtEnd(after)));
    })
    .join()
    .expect("no panic");
    freed(&told, 200, flush);
    assert!(told.recv().is_err(), "each once");
}

/// Catches objects that are freed while somebody may reach them, or by another thread although their remover goes on.
#[test]
fn what_is_removed_in_bulk_comes_back_to_its_remover() {
    let _alone = alone();
    let (tells, told) = channel();
    let (pinned, go) = (channel(), channel::<()>());
    let reader = thread::spawn(move || {
        let guard = pin();
        pinned.0.send(()).expect("received");
        let _ = go.1.recv();
        drop(guard);
        (0..10).for_each(|_| read());
    });
    pinned.1.recv().expect("sent");
    let outer = BulkRemoval::begin();
    let inner = BulkRemoval::begin();
    for kind in [Kind::Plain, Kind::Drops] {
        // More than may wait for a thread that does not remove in bulk.
        (0..300).for_each(|_| retire_one(&tells, SHELF_BYTES / 128, kind));
        inner.step();
        outer.step();
    }
    drop(inner);
    (0..5).for_each(|_| outer.step());
    assert!(told.try_recv().is_err(), "the reader may reach them");
    drop(go.0);
    let reads = reader.thread().id();
    reader.join().expect("no panic");
    drop(outer);
    // (A sweep of another test may have been faster than this thread.)
    let by = freed(&told, 600, maintain);
    assert!(by.iter().all(|&by| by != reads));
    drop(tells);
    assert!(told.recv().is_err(), "each once");
}

/// Catches a table that a reader frees, that waits for a change although a janitor runs, or for a janitor although there is none.
#[test]
fn tables_are_freed_by_who_has_the_time() {
    let _alone = alone();
    let (tells, told) = channel();
    let janitor = Housekeeper::begin();
    retire_large(&tells);
    for _ in 0..10 {
        read();
        safe_point();
    }
    assert!(told.try_recv().is_err(), "the janitor will");
    freed(&told, 4, maintain);
    drop(janitor);
    // Another test's janitor may run meanwhile: then it is its turn.
    retire_large(&tells);
    (0..10).for_each(|_| read());
    assert!(told.try_recv().is_err(), "not a reader");
    let mut rounds = 0;
    freed(&told, 4, || {
        read();
        safe_point();
        rounds += 1;
        if rounds % 1_000 == 0 {
            maintain();
        }
    });
    drop(tells);
    assert!(told.recv().is_err(), "each once");
}
