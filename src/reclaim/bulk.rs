//! Bulk removals: a thread that removes many entries frees them itself, so that other threads do not have to.
//!
//! As long as a [`BulkRemoval`] lives, what its thread retires goes into larger batches of any kind, which come back to the thread without a
//! limit. At each step the thread drops what has come back.

use core::marker::PhantomData;

use super::local::{bring_back, drop_some, flush_collector, with};
use super::shelf;

/// Objects of a batch: so many are held back.
const BATCH: usize = 256;

/// A removal of many. Within another one, it does nothing.
#[derive(Debug)]
pub struct BulkRemoval {
    is_outermost: bool,
    /// It stands for something that is the thread's.
    not_send: PhantomData<*mut ()>,
}

impl BulkRemoval {
    /// Begins one.
    pub fn begin() -> Self {
        let is_outermost = with(|local| !local.is_bulk.replace(true)).unwrap_or(false);
        BulkRemoval { is_outermost, not_send: PhantomData }
    }

    /// Drops what has come back, once in a while. The thread should not be pinned.
    pub fn step(&self) {
        if self.is_outermost && with(|local| local.hand_over_bulk(BATCH)) == Some(true) {
            flush_collector();
            drop_own();
        }
    }
}

impl Drop for BulkRemoval {
    fn drop(&mut self) {
        if !self.is_outermost {
            return;
        }
        with(|local| {
            local.is_bulk.set(false);
            local.hand_over_bulk(0);
        });
        // Until the last batches are back, as far as no other thread is in the way.
        bring_back();
        drop_own();
    }
}

fn drop_own() {
    if super::is_calm() {
        drop_some(shelf::own_shelf(), usize::MAX);
    }
}
