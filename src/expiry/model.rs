//! The stand-in for `skip.rs` in models. A plain `std` mutex: loom's would add edges that the skip list does not promise.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::pile::Pile;
use crate::epoch::Guard;

/// Tick -> pile.
#[derive(Debug)]
pub struct Ticks {
    list: Mutex<BTreeMap<u64, Arc<Pile>>>,
}

impl Ticks {
    pub fn new() -> Ticks {
        Ticks { list: Mutex::default() }
    }

    pub fn pile(&self, tick: u64, start: u64, _guard: &Guard) -> Arc<Pile> {
        self.lock().entry(tick).or_insert_with(|| Arc::new(Pile::new(tick, start))).clone()
    }

    pub fn after(&self, tick: u64, _guard: &Guard) -> Option<Arc<Pile>> {
        let list = self.lock();
        Some(list.range((Bound::Excluded(tick), Bound::Unbounded)).next()?.1.clone())
    }

    pub fn discard(&self, pile: &Arc<Pile>, _guard: &Guard) {
        let mut list = self.lock();
        if list.get(&pile.tick()).is_some_and(|found| Arc::ptr_eq(found, pile)) {
            list.remove(&pile.tick());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Pile>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
