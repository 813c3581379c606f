//! An inbox: parcels that any thread may leave, and any thread may take, all at once.
//!
//! ```text
//! top -> Parcel -> Parcel -> Parcel        one word; the chain belongs to whoever takes it
//! ```
//!
//! * **push** CASes a parcel from null onto the top. Where something stands already, it takes that, chains it behind its own parcel, and tries again.
//! * **take** swaps the top with null, and owns the chain.
//!
//! # Invariants
//!
//! * `one-holder`: a parcel belongs to the thread that pushes it, to the inbox, or to the thread that swapped it out; never to two of them.
//!
//! The CAS compares with null only, and a parcel's link is written while its holder has it alone. So no step compares a pointer with one whose object may
//! have been freed meanwhile: there is nothing that could be mistaken for something older at the same address.
//!
//! # Orderings
//!
//! | label | release side | acquire side | carries |
//! |---|---|---|---|
//! | hand-back | the CAS of the top in `push` | the swap in `take` | the parcels, and what is in them |
//!
//! # Progress
//!
//! `take` is wait-free. `push` is lock-free: it repeats only if another thread has pushed or taken meanwhile.
//!
//! Rejected: a stack of parcels (its CAS compares a head that its owner may have freed and allocated anew: right by address, wrong by provenance).

#![allow(unsafe_code)]

use core::ptr;

use crate::sync::{AtomicPtr, Ordering};

/// Parcels that wait to be taken.
#[derive(Debug)]
pub struct Inbox<T: Send> {
    top: AtomicPtr<Parcel<T>>,
}

/// Something that is left in an inbox, and what lies behind it.
#[derive(Debug)]
pub struct Parcel<T> {
    content: T,
    next: Option<Box<Parcel<T>>>,
}

impl<T: Send> Default for Inbox<T> {
    fn default() -> Self {
        Inbox { top: AtomicPtr::new(ptr::null_mut()) }
    }
}

impl<T: Send> Inbox<T> {
    /// Leaves a parcel, and those behind it.
    pub fn push(&self, mut parcel: Box<Parcel<T>>) {
        loop {
            let mine = Box::into_raw(parcel);
            // Ordering: Release [hand-back] with the swap in `take`: carries the chain.
            if self.top.compare_exchange(ptr::null_mut(), mine, Ordering::Release, Ordering::Relaxed).is_ok() {
                return;
            }
            // SAFETY: `one-holder`: the CAS failed, so the chain is still this thread's alone.
            parcel = unsafe { Box::from_raw(mine) };
            if let Some(others) = self.take() {
                parcel.append(others);
            }
        }
    }

    /// Takes every parcel that is there.
    #[inline]
    pub fn take(&self) -> Option<Box<Parcel<T>>> {
        if self.is_empty() {
            return None;
        }
        // Ordering: Acquire [hand-back] with the CAS in `push`.
        let taken = self.top.swap(ptr::null_mut(), Ordering::Acquire);
        // SAFETY: `one-holder`: it came from `Box::into_raw`, and the swap made it this thread's.
        (!taken.is_null()).then(|| unsafe { Box::from_raw(taken) })
    }

    /// Returns whether nothing was there a moment ago.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // Ordering: Relaxed: what is not seen yet is taken the next time.
        self.top.load(Ordering::Relaxed).is_null()
    }
}

impl<T: Send> Drop for Inbox<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl<T> Parcel<T> {
    /// Wraps something, with nothing behind it.
    pub fn new(content: T) -> Box<Parcel<T>> {
        Box::new(Parcel { content, next: None })
    }

    /// Returns what is in it.
    pub fn content(&mut self) -> &mut T {
        &mut self.content
    }

    /// Takes the first parcel off a chain.
    pub fn split(mut self: Box<Self>) -> (Box<Parcel<T>>, Option<Box<Parcel<T>>>) {
        let next = self.next.take();
        (self, next)
    }

    /// Puts a chain behind this one.
    pub fn append(&mut self, others: Box<Parcel<T>>) {
        let mut end = &mut self.next;
        while let Some(parcel) = end {
            end = &mut parcel.next;
        }
        *end = Some(others);
    }
}

impl<T> Drop for Parcel<T> {
    fn drop(&mut self) {
        // One by one: a long chain must not take a long stack.
        let mut next = self.next.take();
        while let Some(mut parcel) = next {
            next = parcel.next.take();
        }
    }
}
