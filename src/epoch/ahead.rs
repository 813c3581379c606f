//! Retiring small objects so that the cache misses of freeing them overlap.
//!
//! A collector frees what has been retired in bursts, on whichever thread comes by, and each object has left the caches by then: a burst of 64 is as many
//! misses, one after the other, in the middle of some find. So the function that frees one object asks for the one that will be freed
//! eight later. To know that one, a thread holds its last eight back, until it retires more, is told to [`flush`], or ends.
//!
//! While the thread removes many (see `bulk`), what it retires goes into a batch instead.
//!
//! [`retire_ahead`] is not for objects that run code of the user's when they are freed: who waits for a value's `Drop` must not wait for eight more.

#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::mem;

use super::{Guard, pin, retire};
use crate::prefetch::prefetch;

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

/// What one thread holds back.
struct Local {
    pending: [Cell<Option<Retired>>; AHEAD],
    next: Cell<usize>,
    /// Whether what it retires goes into the batch.
    batches: Cell<bool>,
    batch: RefCell<Vec<Retired>>,
}

std::thread_local! {
    static LOCAL: Local = const {
        Local {
            pending: [const { Cell::new(None) }; AHEAD],
            next: Cell::new(0),
            batches: Cell::new(false),
            batch: const { RefCell::new(Vec::new()) },
        }
    };
}

/// [`retire`], a little later.
///
/// # Safety
///
/// E2, as for `retire`.
#[inline]
pub unsafe fn retire_ahead<T: 'static>(pointer: *mut T, free: unsafe fn(*mut T), guard: &Guard) {
    let retired = Retired::new(pointer, free);
    if LOCAL.try_with(|local| local.batch_or(retired, |retired| local.push(retired, guard))).is_err() {
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
    if LOCAL.try_with(|local| local.batch_or(retired, soon)).is_err() {
        soon(retired);
    }
}

/// Hands what this thread holds back to the collector, and has that free what can be freed.
pub fn flush(guard: &Guard) {
    // Nothing is held back by a thread that is ending.
    let _ = LOCAL.try_with(|local| local.flush(guard));
    guard.flush();
}

/// Has what this thread retires go into a batch; false if it does already, or the thread is ending.
pub fn begin_batches() -> bool {
    LOCAL.try_with(|local| !local.batches.replace(true)) == Ok(true)
}

/// Ends that. The last batch is still to be taken.
pub fn end_batches() {
    let _ = LOCAL.try_with(|local| {
        local.batches.set(false);
        let mut batch = local.batch.borrow_mut();
        if batch.is_empty() {
            *batch = Vec::new();
        }
    });
}

/// The batch, if it has so many objects; the next one is begun.
pub fn take_batch(length: usize) -> Option<Garbage> {
    LOCAL.try_with(|local| local.take_batch(length)).ok().flatten()
}

impl Retired {
    #[inline]
    fn new<T>(pointer: *mut T, free: unsafe fn(*mut T)) -> Self {
        // SAFETY: pointers to sized types are passed alike whatever they point to ("ABI compatibility" of std's `fn`), and the object it is called with
        // is the pointer beside it.
        let free = unsafe { mem::transmute::<unsafe fn(*mut T), unsafe fn(*mut ())>(free) };
        Retired { object: pointer.cast(), free }
    }
}

impl Local {
    #[inline]
    fn batch_or(&self, retired: Retired, retire: impl FnOnce(Retired)) {
        if self.batches.get() {
            self.batch.borrow_mut().push(retired);
        } else {
            retire(retired);
        }
    }

    #[inline]
    fn push(&self, retired: Retired, guard: &Guard) {
        let next = self.next.get();
        self.next.set((next + 1) % AHEAD);
        let Some(earlier) = self.pending[next].replace(Some(retired)) else { return };
        let closure = move || {
            prefetch(retired.object);
            // SAFETY: E2, by whoever retired it.
            unsafe { (earlier.free)(earlier.object) }
        };
        // SAFETY: E2: it was unlinked before, and has left the ring for good.
        unsafe { guard.defer_unchecked(closure) }
    }

    fn take_batch(&self, length: usize) -> Option<Garbage> {
        let mut batch = self.batch.borrow_mut();
        let is_long = batch.len() >= length;
        is_long.then(|| {
            let capacity = if self.batches.get() { batch.len() } else { 0 };
            Garbage(mem::replace(&mut *batch, Vec::with_capacity(capacity)))
        })
    }

    fn flush(&self, guard: &Guard) {
        for Retired { object, free } in self.pending.iter().filter_map(Cell::take) {
            // SAFETY: E2, as in `push`.
            unsafe { retire(object, free, guard) }
        }
        if let Some(batch) = self.take_batch(1) {
            // SAFETY: E2: each object of it was unlinked before.
            unsafe { guard.defer_unchecked(move || drop(batch)) }
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.flush(&pin());
    }
}

impl Drop for Garbage {
    fn drop(&mut self) {
        for (index, Retired { object, free }) in self.0.iter().enumerate() {
            if let Some(later) = self.0.get(index + AHEAD) {
                prefetch(later.object);
            }
            // SAFETY: E2, by whoever retired it: this is dropped after that.
            unsafe { free(*object) }
        }
    }
}

// SAFETY: E2: an object that was retired may be freed on any thread.
unsafe impl Send for Garbage {}
