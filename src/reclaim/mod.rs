//! Memory reclamation: pinning, retiring, and who frees what was retired, and when.
//!
//! A *guard* keeps every object that its thread can reach allocated. An object that was unlinked is *retired*; it is freed once
//! every guard that was pinned at that moment is gone (its *grace period*). The collector is crossbeam-epoch, with a
//! [`Collector`](crossbeam_epoch::Collector) of our own, so that a pin runs no deferred code of other crates. What the collector runs for us only moves
//! *batches* of retired objects; it frees no object that may run code of the user's.
//!
//! ```text
//!            plain objects                     objects with a Drop             tables
//! retire --> batch of the thread               batch on the thread's shelf     a batch of its own
//!               | 64 objects, or 64 KiB           | 16 objects, or 64 KiB,        |
//!               |                                 | or a sweep, or `flush`        |
//!               v                                 v                               v
//!            collector ------------- grace period: no guard of before is left ----------
//!               |                                 |                               |
//!               v                                 v                               v
//!            the thread's shelf                the thread's shelf              the shelf of tables
//!               | two for each                    | at the end of the thread's    | by a sweep, or `flush`;
//!               v one retired                     v changes; a sweep; `flush`     v without a janitor, by changes, in pieces
//!            freed                             dropped                         freed
//! ```
//!
//! * **Plain objects** (sessions, entries of plain keys and values, spills, records' chunks) run no code of the user's when they are freed. They come back
//!   to the thread that retired them, so that their memory is used again on the core that used it last. What waits is bounded by bytes,
//!   for a thread and for the process: a batch that finds no room is freed by the thread that brings it.
//! * **Objects with a `Drop`** are dropped at *safe points* only: at the end of a change of a cache, when the thread has unpinned; at the end of a
//!   sweep; in `flush`; and as a thread ends. Never in a read, never while the thread is pinned, and never within another such `Drop`.
//!   Their batch is where other threads can take it, so that an idle thread holds nothing back for longer than a sweep's interval.
//! * **Tables** of the map are large: to give one back takes milliseconds. Sweeps do; where no janitor runs, the thread that retired it gives back
//!   a piece of it at the end of each change.
//!
//! # Invariants
//!
//! * **E1** An object that is reached through a guard was reachable at some moment since the guard was pinned, and the thread that unlinks it frees it
//!   through `retire` only.
//! * **E2** An object that is retired is unlinked from every shared structure, is retired once, and may be freed on any thread, at any later time.
//! * `drops-alone`: while a thread drops an object that may run code of the user's, its flag says so, and it begins no other such drop.
//! * `block-alive`: a thread's pointer to its [`local`] block is null, or marks the thread as ended, or leads to a block that only this thread
//!   uses, and that is freed after the pointer has been set to the mark.
//! * `process-stays`: what all threads share is made once, and never freed.
//!
//! In models (`--cfg loom` or `--cfg shuttle`) the *oracle* takes the collector's place: it frees nothing before the end, and panics when a guard pinned
//! after a retirement reaches what was retired, when something is retired twice, and when something is neither freed nor retired at the end. With
//! `--cfg fleeting_real_epoch` the models run over the real collector instead.

#![allow(unsafe_code)]

#[cfg(not(any(loom, shuttle)))]
mod bulk;
#[cfg(not(any(loom, shuttle)))]
mod collector;
pub mod inbox;
#[cfg(not(any(loom, shuttle)))]
mod local;
#[cfg(any(loom, shuttle))]
mod model;
pub mod pool;
#[cfg(not(any(loom, shuttle)))]
mod shelf;
#[cfg(all(test, not(any(loom, shuttle))))]
pub mod tests;

use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

#[cfg(not(any(loom, shuttle)))]
pub use self::{
    bulk::BulkRemoval,
    collector::{Guard, collector},
    local::{drop_alone, drop_later, flush, is_calm, maintain, pin, retire, retire_in_pieces, safe_point},
    shelf::Housekeeper,
};

#[cfg(any(loom, shuttle))]
pub use self::model::{
    BulkRemoval, Guard, Housekeeper, born, died, drop_alone, drop_later, flush, is_calm, maintain, pin, retire,
    retire_in_pieces, safe_point,
};

#[cfg(all(any(loom, shuttle), not(fleeting_real_epoch)))]
pub use self::model::{finish, start};

/// What an object is, for whoever frees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Freeing it runs no code of the user's.
    Plain,
    /// Freeing it may run a `Drop` of the user's.
    Drops,
    /// Freeing it runs no code of the user's, and may take milliseconds.
    Large,
}

/// A shared reference that a guard keeps allocated. It is a pointer and no `&T`, so that a node with bytes behind its struct can
/// reach them with the provenance of the whole allocation.
pub struct Ref<'g, T> {
    pointer: NonNull<T>,
    guard: PhantomData<&'g T>,
}

impl<T> Clone for Ref<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Ref<'_, T> {}

impl<'g, T> Ref<'g, T> {
    /// Makes a reference to an object that the caller has unlinked and has not retired yet.
    ///
    /// # Safety
    ///
    /// E2: the caller is the one who will retire the object, and does so after 'g.
    #[inline]
    pub unsafe fn unlinked(pointer: NonNull<T>) -> Ref<'g, T> {
        Ref { pointer, guard: PhantomData }
    }

    /// Returns the pointer, with the provenance of its allocation.
    #[inline]
    pub fn pointer(self) -> NonNull<T> {
        self.pointer
    }

    /// Returns whether both are the same object (not: equal ones).
    #[inline]
    pub fn is(self, other: Ref<'_, T>) -> bool {
        self.pointer == other.pointer
    }

    /// Returns the object, for as long as the guard.
    #[inline]
    pub fn get(self) -> &'g T {
        // SAFETY: E1: `reach` was called with a pointer that stays allocated for 'g, and shared objects
        // are only ever borrowed immutably.
        unsafe { self.pointer.as_ref() }
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.get()
    }
}

impl<T> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pointer.fmt(f)
    }
}

/// Makes a [`Ref`] of a pointer that was read from a structure under `guard`.
///
/// # Safety
///
/// E1, for the pointee and `guard`.
#[inline]
pub unsafe fn reach<'g, T>(pointer: NonNull<T>, guard: &'g Guard) -> Ref<'g, T> {
    #[cfg(all(any(loom, shuttle), not(fleeting_real_epoch)))]
    model::check(pointer.as_ptr().cast(), guard);
    let _ = guard;
    Ref { pointer, guard: PhantomData }
}

/// Tells the oracle of models that an object exists. Does nothing elsewhere.
#[cfg(not(any(loom, shuttle)))]
#[inline(always)]
pub fn born<T>(_pointer: *const T) {}

/// Tells the oracle of models that an object is freed. Does nothing elsewhere.
#[cfg(not(any(loom, shuttle)))]
#[inline(always)]
pub fn died<T>(_pointer: *const T) {}
