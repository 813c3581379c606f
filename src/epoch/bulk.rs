//! Bulk removals: who removes many frees what it retires.
//!
//! The collector frees on whichever thread pins next, hundreds of objects at a pin: while a sweep retires a million, readers would free them. So a thread
//! that removes many keeps what it retires in a batch, and retires the batch as one object, which when its time has come is only brought back to the
//! remover's [`Yard`]. At its end the remover closes the yard; who brings a batch later frees it.
//!
//! Nothing is freed later than it would be: a batch waits for its remover only while that goes on removing.

#![allow(unsafe_code)]

use core::marker::PhantomData;
use std::sync::Arc;

use super::home::{self, Garbage, Gathered};
use super::yard::Yard;
use super::{flush, pin};

/// Objects of a batch: so many are held back.
const BATCH: usize = 256;

/// Flushes after which what was retired before the first is freed, if no thread is pinned.
const EPOCHS: usize = 4;

/// As long as it lives, what this thread retires comes back to it to be freed. Within another one, it does nothing.
#[derive(Debug)]
pub struct BulkRemoval {
    yard: Option<Arc<Yard<Garbage>>>,
    /// It stands for something that is the thread's.
    not_send: PhantomData<*mut ()>,
}

impl BulkRemoval {
    /// Begins one.
    pub fn begin() -> Self {
        let yard = home::begin_bulk().then(|| Arc::new(Yard::open(usize::MAX)));
        BulkRemoval { yard, not_send: PhantomData }
    }

    /// Frees what has come back, once in a while: for every few objects that were retired. The thread should not be pinned.
    pub fn step(&self) {
        if let Some(yard) = &self.yard
            && let Some(batch) = home::take_bulk(BATCH)
        {
            retire(batch, yard);
            yard.take(|garbage, _| drop(garbage));
        }
    }
}

impl Drop for BulkRemoval {
    fn drop(&mut self) {
        let Some(yard) = &self.yard else { return };
        home::end_bulk();
        if let Some(batch) = home::take_bulk(1) {
            retire(batch, yard);
        }
        // Until the last batches are back, as far as no other thread is in the way.
        (0..EPOCHS).for_each(|_| flush(&pin()));
        yard.close(|garbage, _| drop(garbage));
    }
}

/// Has a batch brought back, or freed, once nobody can reach what is in it.
fn retire(batch: Gathered, yard: &Arc<Yard<Garbage>>) {
    let guard = pin();
    // SAFETY: E2: each object of it was unlinked before.
    unsafe { home::retire_batch(batch, 0, yard, &guard) };
    flush(&guard);
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::super::{retire_home, retire_soon};
    use super::*;
    use crate::sync::{AtomicUsize, Ordering};

    static FREED: AtomicUsize = AtomicUsize::new(0);

    unsafe fn count(object: *mut ()) {
        // SAFETY: made below.
        drop(unsafe { Box::from_raw(object.cast::<u64>()) });
        FREED.fetch_add(1, Ordering::Relaxed);
    }

    fn retire_one() {
        let object = Box::into_raw(Box::new(7_u64)).cast();
        // SAFETY: E2: nobody else has it.
        unsafe { retire_home(object, size_of::<u64>(), count, &pin()) };
        let object = Box::into_raw(Box::new(8_u64)).cast();
        // SAFETY: E2: nobody else has it.
        unsafe { retire_soon(object, count, &pin()) };
    }

    /// Catches objects that are freed while somebody may reach them, by another thread although their remover still removes, or never.
    #[test]
    fn what_is_removed_in_bulk_is_freed_by_its_remover() {
        let freed = || FREED.load(Ordering::Relaxed);
        let (pinned, go) = (mpsc::channel(), mpsc::channel());
        let reader = thread::spawn(move || {
            let guard = pin();
            pinned.0.send(()).expect("received");
            go.1.recv().expect("sent");
            drop(guard);
            // What a reader does: it frees nothing of a remover that goes on.
            (0..2_000).for_each(|_| flush(&pin()));
            pinned.0.send(()).expect("received");
            go.1.recv().expect("sent");
        });
        pinned.1.recv().expect("sent");
        let outer = BulkRemoval::begin();
        let inner = BulkRemoval::begin();
        (0..BATCH).for_each(|_| retire_one());
        inner.step();
        drop(inner);
        outer.step();
        (0..10).for_each(|_| flush(&pin()));
        outer.step();
        assert_eq!(freed(), 0, "the reader may reach them");
        go.0.send(()).expect("received");
        pinned.1.recv().expect("sent");
        assert_eq!(freed(), 0, "they wait for their remover");
        // Another test's thread may be pinned meanwhile.
        let mut rounds = 1;
        while freed() == 0 {
            (0..BATCH).for_each(|_| retire_one());
            rounds += 1;
            outer.step();
            thread::yield_now();
        }
        retire_one();
        drop(outer);
        retire_one();
        while freed() < 2 * (BATCH * rounds + 2) {
            flush(&pin());
            thread::yield_now();
        }
        go.0.send(()).expect("received");
        reader.join().expect("no panic");
    }
}
