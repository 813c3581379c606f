//! Retiring small objects so that they come back to the thread that retired them.
//!
//! A collector frees what has been retired in bursts, on whichever thread comes by: 64 objects at a time, each of which has left that thread's caches or
//! never was there, in the middle of some find; and the freed memory is then on the wrong core for whoever allocates. So a thread gathers what it
//! retires in a batch, and retires the batch as one object, which when its time has come is only brought back to the thread's own [`Yard`].
//! For each object that it retires from then on, the thread frees [`STEP`] of those that came back, and asks for the one it will free eight later.
//!
//! ```text
//! retire --> filling --(64 objects, or 64 KiB)--> collector --(grace period)--> yard --> back --(two at a time)--> freed
//!                                                                                 \--(1 MiB waits already, or the thread has ended)--> freed by whoever brings it
//! ```
//!
//! What an idle thread holds is bounded: a batch, and what may wait. It ends with the thread.
//!
//! The collector works for a thread where it pins, and for one that has handed a batch over at the next [`safe_point`]: not in the midst of an operation,
//! since it runs closures of other crates and drops of values, which may panic, block, or use a cache themselves.
//!
//! [`retire_home`] is not for objects that run code of the user's when they are freed: who waits for a value's `Drop` must not wait for more of them.
//! Those go to the collector at once, unless the thread removes many (see `bulk`).

#![allow(unsafe_code)]

use std::cell::{Cell, OnceCell, RefCell};
use std::mem;
use std::sync::Arc;

use super::yard::{Batch, Yard};
use super::{Guard, pin, retire};
use crate::prefetch::prefetch;

/// Objects of a batch: as many as fill a bag of the collector's.
const BATCH: usize = 64;

/// Bytes of a batch, but for its last object.
const BATCH_BYTES: usize = 64 << 10;

/// Bytes that may wait for their thread. (More threads than cores could use more: what they retire while one of them is preempted within an operation
/// comes back at once. But an idle thread would hold it.)
const WAITING: usize = 1 << 20;

/// Objects that are freed for each one that is retired: more than one, so that what came back in a burst does not stay.
const STEP: usize = 2;

/// How many objects before its own turn one is asked for.
const AHEAD: usize = 8;

/// An object to be freed, and how.
#[derive(Clone, Copy, Debug)]
struct Retired {
    object: *mut (),
    free: unsafe fn(*mut ()),
}

/// Objects that were retired, and are freed when this is dropped: which must not be before nobody can reach them.
#[derive(Debug)]
pub struct Garbage(Vec<Retired>);

/// Objects that were retired, and are not freed: [`retire_batch`] makes garbage of them.
#[derive(Debug)]
pub struct Gathered(Vec<Retired>);

/// What one thread holds back.
struct Home {
    filling: RefCell<Vec<Retired>>,
    bytes: Cell<usize>,
    /// Whether the collector is to be told of what was handed over.
    is_handed_over: Cell<bool>,
    is_collecting: Cell<bool>,
    yard: OnceCell<Arc<Yard<Garbage>>>,
    /// What came back, and is freed from the end, and what it weighed.
    freeing: RefCell<(Garbage, usize)>,
    /// What came back and is freed later, and what it weighs.
    back: RefCell<Vec<(Garbage, usize)>>,
    /// Whether what it retires goes into the bulk.
    is_bulk: Cell<bool>,
    bulk: RefCell<Vec<Retired>>,
}

std::thread_local! {
    static HOME: Home = const {
        Home {
            filling: RefCell::new(Vec::new()),
            bytes: Cell::new(0),
            is_handed_over: Cell::new(false),
            is_collecting: Cell::new(false),
            yard: OnceCell::new(),
            freeing: RefCell::new((Garbage(Vec::new()), 0)),
            back: RefCell::new(Vec::new()),
            is_bulk: Cell::new(false),
            bulk: RefCell::new(Vec::new()),
        }
    };
}

/// [`retire`], a little later, for an object of so many bytes whose `free` runs no code of the user's.
///
/// # Safety
///
/// E2, as for `retire`.
#[inline]
pub unsafe fn retire_home<T: 'static>(pointer: *mut T, bytes: usize, free: unsafe fn(*mut T), guard: &Guard) {
    let retired = Retired::new(pointer, free);
    let at_home = |home: &Home| home.bulk_or(retired, |retired| home.push(retired, bytes, guard));
    if HOME.try_with(at_home).is_err() {
        // The thread is ending.
        // SAFETY: E2, by the caller.
        unsafe { retire(pointer, free, guard) }
    }
}

/// [`retire`], unless this thread removes many.
///
/// # Safety
///
/// E2, as for `retire`.
#[inline]
pub unsafe fn retire_soon<T: 'static>(pointer: *mut T, free: unsafe fn(*mut T), guard: &Guard) {
    let soon = |Retired { object, free }| {
        // SAFETY: E2, by the caller.
        unsafe { retire(object, free, guard) }
    };
    let retired = Retired::new(pointer, free);
    if HOME.try_with(|home| home.bulk_or(retired, soon)).is_err() {
        soon(retired);
    }
}

/// Where an operation is not in the midst of anything: tells the collector of the batches that this thread has handed over, if there are any.
#[inline]
pub fn safe_point(guard: &Guard) {
    let is_handed_over = HOME.try_with(|home| home.is_handed_over.get());
    if is_handed_over == Ok(true) {
        collect(guard);
    }
}

/// Has the collector work, unless this is called by what it runs: each level of that would free what the level below it has retired.
#[cold]
fn collect(guard: &Guard) {
    /// Ends it whatever happens: the collector runs closures of other crates, too.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            let _ = HOME.try_with(|home| home.is_collecting.set(false));
        }
    }
    let begins = |home: &Home| {
        let begins = !home.is_collecting.replace(true);
        home.is_handed_over.set(home.is_handed_over.get() && !begins);
        begins
    };
    // Nothing is held back by a thread that is ending.
    if HOME.try_with(begins).unwrap_or(true) {
        let _end = End;
        guard.flush();
    }
}

/// Hands what this thread holds back to the collector, has that free what can be freed, and frees what has come back.
pub fn flush(guard: &Guard) {
    let _ = HOME.try_with(|home| home.hand_over(guard));
    collect(guard);
    let _ = HOME.try_with(Home::free_all);
}

/// Retires a batch, which comes back to the yard, or is freed if it cannot.
///
/// # Safety
///
/// E2, for each object of it.
pub unsafe fn retire_batch(gathered: Gathered, bytes: usize, yard: &Arc<Yard<Garbage>>, guard: &Guard) {
    let (batch, yard) = (Batch::new(Garbage(gathered.0), bytes), yard.clone());
    let closure = move || drop(yard.bring(batch));
    // SAFETY: E2, by the caller; `Garbage` and `Yard` may go to any thread.
    unsafe { guard.defer_unchecked(closure) };
}

/// Has what this thread retires go into a bulk; false if it does already, or the thread is ending.
pub fn begin_bulk() -> bool {
    HOME.try_with(|home| !home.is_bulk.replace(true)) == Ok(true)
}

/// Ends that. The rest of the bulk is still to be taken.
pub fn end_bulk() {
    let _ = HOME.try_with(|home| {
        home.is_bulk.set(false);
        let mut bulk = home.bulk.borrow_mut();
        if bulk.is_empty() {
            *bulk = Vec::new();
        }
    });
}

/// The bulk, if it has so many objects; the next one is begun.
pub fn take_bulk(length: usize) -> Option<Gathered> {
    HOME.try_with(|home| home.take_bulk(length)).ok().flatten()
}

impl Retired {
    #[inline]
    fn new<T>(pointer: *mut T, free: unsafe fn(*mut T)) -> Self {
        // SAFETY: pointers to sized types are passed alike whatever they point to ("ABI compatibility" of std's `fn`), and the object it is called with
        // is the pointer beside it.
        let free = unsafe { mem::transmute::<unsafe fn(*mut T), unsafe fn(*mut ())>(free) };
        Retired { object: pointer.cast(), free }
    }

    /// Frees it: one that has left a [`Garbage`].
    #[inline]
    fn free(self) {
        // SAFETY: E2, by whoever retired it: nobody looks into a garbage before its time has come.
        unsafe { (self.free)(self.object) }
    }
}

impl Home {
    #[inline]
    fn bulk_or(&self, retired: Retired, retire: impl FnOnce(Retired)) {
        if self.is_bulk.get() {
            self.bulk.borrow_mut().push(retired);
        } else {
            retire(retired);
        }
    }

    #[inline]
    fn push(&self, retired: Retired, bytes: usize, guard: &Guard) {
        let mut filling = self.filling.borrow_mut();
        filling.push(retired);
        let bytes = self.bytes.get() + bytes;
        self.bytes.set(bytes);
        let is_full = filling.len() >= BATCH || bytes >= BATCH_BYTES;
        drop(filling);
        if is_full {
            self.hand_over(guard);
        }
        for _ in 0..STEP {
            if !self.free_one() {
                break;
            }
        }
    }

    /// Frees one of those that came back; false if there is none.
    #[inline]
    fn free_one(&self) -> bool {
        let mut freeing = self.freeing.borrow_mut();
        if freeing.0.0.is_empty() && !self.look_back(&mut freeing) {
            return false;
        }
        let last = freeing.0.pop();
        drop(freeing);
        last.map(Retired::free).is_some()
    }

    /// Whether anything came back. It is freed next.
    #[inline]
    fn look_back(&self, freeing: &mut (Garbage, usize)) -> bool {
        let mut back = self.back.borrow_mut();
        let Some(yard) = self.yard.get() else { return false };
        if back.is_empty() {
            yard.take(|garbage, bytes| back.push((garbage, bytes)));
        }
        let next = back.pop();
        let is_there = next.is_some();
        if is_there || freeing.1 > 0 {
            let (_, freed) = mem::replace(freeing, next.unwrap_or((Garbage(Vec::new()), 0)));
            yard.done(freed);
        }
        is_there
    }

    fn free_all(&self) {
        while self.free_one() {}
    }

    #[cold]
    fn hand_over(&self, guard: &Guard) {
        let mut filling = self.filling.borrow_mut();
        if !filling.is_empty() {
            let yard = self.yard.get_or_init(|| Arc::new(Yard::open(WAITING)));
            let batch = Gathered(mem::replace(&mut *filling, Vec::with_capacity(BATCH)));
            // SAFETY: E2: each object of it was unlinked before.
            unsafe { retire_batch(batch, self.bytes.take(), yard, guard) };
            self.is_handed_over.set(true);
        }
        drop(filling);
        if let Some(bulk) = self.take_bulk(1) {
            // SAFETY: E2: each object of it was unlinked before.
            unsafe { guard.defer_unchecked(move || drop(Garbage(bulk.0))) }
        }
    }

    fn take_bulk(&self, length: usize) -> Option<Gathered> {
        let mut bulk = self.bulk.borrow_mut();
        let is_long = bulk.len() >= length;
        is_long.then(|| {
            let capacity = if self.is_bulk.get() { bulk.len() } else { 0 };
            Gathered(mem::replace(&mut *bulk, Vec::with_capacity(capacity)))
        })
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.hand_over(&pin());
        if let Some(yard) = self.yard.get() {
            yard.close(|garbage, _| drop(garbage));
        }
    }
}

impl Garbage {
    /// The last one, to be freed.
    #[inline]
    fn pop(&mut self) -> Option<Retired> {
        let last = self.0.pop();
        if let Some(later) = self.0.len().checked_sub(AHEAD) {
            prefetch(self.0[later].object);
        }
        last
    }
}

impl Drop for Garbage {
    fn drop(&mut self) {
        while let Some(last) = self.pop() {
            last.free();
        }
    }
}

// SAFETY: E2: an object that was retired may be freed on any thread.
unsafe impl Send for Garbage {}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::mpsc::{Sender, TryRecvError, channel};
    use std::thread::{self, ThreadId};

    use super::*;

    /// Tells who freed it.
    type Object = Sender<ThreadId>;

    unsafe fn tell(object: *mut Object) {
        // SAFETY: made by `retire_one`, freed once.
        let tell = unsafe { Box::from_raw(object) };
        // Nobody may listen any more.
        let _ = tell.send(thread::current().id());
    }

    fn retire_one(tells: &Object, bytes: usize) {
        let object = Box::into_raw(Box::new(tells.clone()));
        // SAFETY: E2: nobody else has it.
        unsafe { retire_home(object, bytes, tell, &pin()) };
        // As the next change would.
        safe_point(&pin());
    }

    /// What a reader does in a while.
    fn collect() {
        pin().flush();
        thread::yield_now();
    }

    /// Catches objects that another thread frees, that come back and stay there, or that come back before their time.
    #[test]
    fn what_a_thread_retires_comes_back_to_it() {
        let (tells, told) = channel();
        let (stop, stops) = channel::<()>();
        let reader = thread::spawn(move || {
            while stops.try_recv().is_err() {
                collect();
            }
        });
        let me = thread::current().id();
        let guard = pin();
        (0..100 * BATCH).for_each(|_| retire_one(&tells, 8));
        assert!(told.try_recv().is_err(), "this thread is pinned");
        drop(guard);
        // What it retires next frees what came back, and no more than that.
        let mut freed = 0;
        while freed < 100 * BATCH {
            collect();
            retire_one(&tells, 8);
            let now = told.try_iter().inspect(|&by| assert_eq!(by, me)).count();
            assert!(now <= STEP);
            freed += now;
        }
        stop.send(()).expect("received");
        reader.join().expect("no panic");
        drop(tells);
        while told.try_recv().inspect(|&by| assert_eq!(by, me)) != Err(TryRecvError::Disconnected) {
            flush(&pin());
        }
    }

    /// Catches objects that are freed by whoever only holds them, as when a pin panics: the collector runs closures of other crates.
    #[test]
    fn what_is_gathered_is_not_freed_yet() {
        let (tells, told) = channel();
        assert!(begin_bulk());
        retire_one(&tells, 8);
        end_bulk();
        let gathered = take_bulk(1).expect("one was retired");
        let later = Garbage(gathered.0.clone());
        drop(gathered);
        assert!(told.try_recv().is_err(), "readers may reach it");
        drop(later);
        assert!(told.try_recv().is_ok());
    }

    /// Catches what waits for an idle thread without a bound, or is never freed; and what is lost with a thread that ends.
    #[test]
    fn an_idle_thread_holds_little() {
        const BYTES: usize = BATCH_BYTES / 8;
        const MAY_WAIT: usize = WAITING / BYTES;
        const OBJECTS: usize = 50 * MAY_WAIT;
        let ((tells, told), (idles, idle), (go, goes)) = (channel(), channel(), channel::<()>());
        let guard = pin();
        let retirer = thread::spawn(move || {
            (0..OBJECTS).for_each(|_| retire_one(&tells, BYTES));
            idles.send(()).expect("received");
            goes.recv().expect("sent");
            let returned = (0..MAY_WAIT).filter(|_| HOME.with(Home::free_one)).count();
            (0..3).for_each(|_| retire_one(&tells, BYTES));
            returned
        });
        idle.recv().expect("sent");
        drop(guard);
        let mut freed = 0;
        while freed < OBJECTS - MAY_WAIT {
            collect();
            freed += told.try_iter().inspect(|&by| assert_ne!(by, retirer.thread().id())).count();
        }
        go.send(()).expect("received");
        assert!(retirer.join().expect("no panic") > 0, "some waited");
        // Its thread has ended: all are freed by whoever collects.
        while freed < OBJECTS + 3 {
            collect();
            freed += told.try_iter().count();
        }
        assert!(told.recv().is_err(), "each once");
    }
}
