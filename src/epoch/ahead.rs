//! Retiring small objects so that the cache misses of freeing them overlap.
//!
//! A collector frees what has been retired in bursts, on whichever thread comes by, and each object has left the caches by then: a burst of 64 is as many
//! misses, one after the other, in the middle of some find. So the function that frees one object asks for the one that will be freed
//! eight later. To know that one, a thread holds its last eight back, until it retires more, is told to [`flush`], or ends.
//!
//! Not for objects that run code of the user's when they are freed: who waits for a value's `Drop` must not wait for eight more.

#![allow(unsafe_code)]

use std::cell::Cell;

use super::{Guard, pin, retire};
use crate::prefetch::prefetch;

const AHEAD: usize = 8;

/// An object to be freed, and how; None if there is none yet.
type Pending = Option<(*mut (), unsafe fn(*mut ()))>;

/// What one thread holds back.
struct Ring {
    pending: [Cell<Pending>; AHEAD],
    next: Cell<usize>,
}

std::thread_local! {
    static RING: Ring = const { Ring { pending: [const { Cell::new(None) }; AHEAD], next: Cell::new(0) } };
}

/// [`retire`], a little later.
///
/// # Safety
///
/// E2, as for `retire`.
#[inline]
pub unsafe fn retire_ahead(object: *mut (), free: unsafe fn(*mut ()), guard: &Guard) {
    if RING.try_with(|ring| ring.push(object, free, guard)).is_err() {
        // The thread is ending.
        // SAFETY: E2, by the caller.
        unsafe { retire(object, free, guard) }
    }
}

/// Hands what this thread holds back to the collector, and has that free what can be freed.
pub fn flush(guard: &Guard) {
    // Nothing is held back by a thread that is ending.
    let _ = RING.try_with(|ring| ring.flush(guard));
    guard.flush();
}

impl Ring {
    #[inline]
    fn push(&self, object: *mut (), free: unsafe fn(*mut ()), guard: &Guard) {
        let next = self.next.get();
        self.next.set((next + 1) % AHEAD);
        let Some((earlier, free)) = self.pending[next].replace(Some((object, free))) else { return };
        let closure = move || {
            prefetch(object);
            // SAFETY: E2, by whoever retired it.
            unsafe { free(earlier) }
        };
        // SAFETY: E2: it was unlinked before, and has left the ring for good.
        unsafe { guard.defer_unchecked(closure) }
    }

    fn flush(&self, guard: &Guard) {
        for (object, free) in self.pending.iter().filter_map(Cell::take) {
            // SAFETY: E2, as in `push`.
            unsafe { retire(object, free, guard) }
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.flush(&pin());
    }
}
