//! The stand-in for `skip.rs` in models. A plain `std` mutex: loom's would add edges that the skip list does not promise.
//!
//! What it does promise, an atomic of the model's says: who finds a pile sees it made. (Somewhat more: who looks sees all piles
//! made that were inserted by then.) Discarded piles are kept until the end, as the oracle keeps what was retired: the last handle's drop
//! would read a head without the order between threads that `Arc` gives, of which loom knows nothing.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::pile::Pile;
use crate::reclaim::Guard;
use crate::sync::{AtomicUsize, Ordering};

/// Tick -> pile.
#[derive(Debug)]
pub struct Ticks {
    list: Mutex<BTreeMap<u64, Arc<Pile>>>,
    discarded: Mutex<Vec<Arc<Pile>>>,
    inserted: AtomicUsize,
}

impl Ticks {
    pub fn new() -> Ticks {
        Ticks { list: Mutex::default(), discarded: Mutex::default(), inserted: AtomicUsize::new(0) }
    }

    pub fn pile(&self, tick: u64, start: u64, _guard: &Guard) -> Arc<Pile> {
        self.looked();
        let found = self.lock().get(&tick).cloned();
        found.unwrap_or_else(|| {
            // As in the list: others may look, and insert, between the search and the insertion.
            let pile = Arc::new(Pile::new(tick, start));
            self.inserted.fetch_add(1, Ordering::AcqRel);
            // Bound to a name, so that a pile that lost is dropped after the lock: its drop is a step of the model.
            let kept = self.lock().entry(tick).or_insert_with(|| pile.clone()).clone();
            kept
        })
    }

    pub fn after(&self, tick: u64, _guard: &Guard) -> Option<Arc<Pile>> {
        self.looked();
        let list = self.lock();
        Some(list.range((Bound::Excluded(tick), Bound::Unbounded)).next()?.1.clone())
    }

    pub fn discard(&self, pile: &Arc<Pile>, _guard: &Guard) {
        self.looked();
        let mut list = self.lock();
        if list.get(&pile.tick()).is_some_and(|found| Arc::ptr_eq(found, pile)) {
            let removed = list.remove(&pile.tick());
            self.discarded.lock().unwrap_or_else(PoisonError::into_inner).extend(removed);
        }
    }

    /// A look at the list: a step of its own, after all insertions before it.
    fn looked(&self) {
        self.inserted.fetch_add(0, Ordering::Acquire);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Pile>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
