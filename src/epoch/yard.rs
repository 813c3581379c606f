//! A yard: where batches of garbage wait for the thread that made them.
//!
//! ```text
//! open      head -> Batch -> Batch -> null
//! closed    head == CLOSED
//! ```
//!
//! * **bring** CASes a batch onto the head; a closed yard gives it back.
//! * **take**, **close** swap the head, by null or by CLOSED, and own what was there.
//!
//! # Invariants
//!
//! * **Y1** A batch belongs to whoever brings it, to the stack, or to whoever swapped it out: one of them, who drops it, once.
//! * **Y2** Only the yard's owner takes and closes, takes no more after that, and CLOSED is final.
//! * **Y3** A batch's weight is added before it is on the stack, and subtracted when its owner has done with it: so what waits never weighs more than the limit.
//!
//! # Orderings
//!
//! | label | release side | acquire side | carries |
//! |---|---|---|---|
//! | bring-back | the CAS of the head in `bring` | the swaps of `take` and `close` | the batch |
//!
//! # Progress
//!
//! `bring` is lock-free, `take` and `close` are wait-free but for what they do with what they took.

#![allow(unsafe_code)]

use core::ptr;
use core::sync::atomic::AtomicUsize;

use crate::sync::{AtomicPtr, Ordering};

/// A stack of batches, until it is closed.
#[derive(Debug)]
pub struct Yard<T: Send> {
    head: AtomicPtr<Batch<T>>,
    /// At least that of the batches that wait (Y3). It carries nothing, and is an atomic of `core` in models, too.
    weight: AtomicUsize,
    limit: usize,
}

/// A batch, made before it is known who will bring it.
#[derive(Debug)]
pub struct Batch<T> {
    next: *mut Batch<T>,
    weight: usize,
    content: T,
}

impl<T> Batch<T> {
    /// A batch of this, which weighs so much.
    pub fn new(content: T, weight: usize) -> Box<Batch<T>> {
        Box::new(Batch { next: ptr::null_mut(), weight, content })
    }
}

impl<T: Send> Yard<T> {
    /// An open yard, in which batches of so much weight may wait.
    pub fn open(limit: usize) -> Yard<T> {
        Yard { head: AtomicPtr::new(ptr::null_mut()), weight: AtomicUsize::new(0), limit }
    }

    /// Leaves a batch for the owner.
    ///
    /// # Errors
    ///
    /// Gives it back if the yard is closed, or full.
    pub fn bring(&self, mut batch: Box<Batch<T>>) -> Result<(), Box<Batch<T>>> {
        let weight = batch.weight;
        let with = |waiting: usize| waiting.checked_add(weight).filter(|sum| *sum <= self.limit);
        // Ordering: Relaxed, here and below: a number by itself (Y3).
        if self.weight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with).is_err() {
            return Err(batch);
        }
        // Ordering: Relaxed: the CAS decides; CLOSED carries nothing.
        let mut head = self.head.load(Ordering::Relaxed);
        while head != closed() {
            batch.next = head;
            let brought = Box::into_raw(batch);
            // Ordering: Release [bring-back] with the swap: carries the batch. (Each bringer's CAS goes on with the release sequences of those below.)
            match self.head.compare_exchange(head, brought, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(now) => head = now,
            }
            // SAFETY: Y1: the CAS failed, so it is still this thread's alone.
            batch = unsafe { Box::from_raw(brought) };
        }
        self.weight.fetch_sub(weight, Ordering::Relaxed);
        Err(batch)
    }

    /// Gives each batch that has been brought, and its weight, which waits until the owner says that it is [`done`](Self::done). For the owner.
    #[inline]
    pub fn take(&self, each: impl FnMut(T, usize)) {
        // Ordering: Relaxed: what is not seen yet is taken the next time.
        if !self.head.load(Ordering::Relaxed).is_null() {
            self.swap(ptr::null_mut(), each);
        }
    }

    /// What was taken and weighed so much waits no longer. For the owner.
    #[inline]
    pub fn done(&self, weight: usize) {
        self.weight.fetch_sub(weight, Ordering::Relaxed);
    }

    /// Gives each batch that has been brought, and no more come. For the owner, once.
    pub fn close(&self, each: impl FnMut(T, usize)) {
        self.swap(closed(), each);
    }

    fn swap(&self, head: *mut Batch<T>, mut each: impl FnMut(T, usize)) {
        // Ordering: Acquire [bring-back] with the CAS of each bringer.
        let mut next = self.head.swap(head, Ordering::Acquire);
        while !next.is_null() && next != closed() {
            // SAFETY: Y1: it came from `Box::into_raw`, and the swap made it this thread's.
            let batch = unsafe { Box::from_raw(next) };
            next = batch.next;
            each(batch.content, batch.weight);
        }
    }
}

impl<T: Send> Drop for Yard<T> {
    fn drop(&mut self) {
        self.close(|content, _| drop(content));
    }
}

/// The head of a closed yard.
fn closed<T>() -> *mut Batch<T> {
    ptr::without_provenance_mut(1)
}
