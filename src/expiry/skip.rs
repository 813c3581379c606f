//! Ticks in order: `crossbeam_skiplist`'s base list, with our guards.
//!
//! Rules for version 0.1.3 (each a bug or a cost met by others): `get` on the base list counts no references;
//! never `range` (it leaks nodes); never `remove(&key)` (two threads may both get the entry), but the entry's own;
//! never insert over an existing key (it is absent for a moment), but `get_or_insert`.

use std::ops::Bound;
use std::sync::Arc;

use crossbeam_skiplist::base::SkipList;

use super::pile::Pile;
use crate::reclaim::{self, Guard};

/// Tick -> pile.
#[derive(Debug)]
pub struct Ticks {
    list: SkipList<u64, Arc<Pile>>,
}

impl Ticks {
    pub fn new() -> Ticks {
        Ticks { list: SkipList::new(reclaim::collector().clone()) }
    }

    /// The pile of a tick; made if there is none.
    pub fn pile(&self, tick: u64, start: u64, guard: &Guard) -> Arc<Pile> {
        if let Some(entry) = self.list.get(&tick, guard) {
            return entry.value().clone();
        }
        let entry = self.list.get_or_insert_with(tick, || Arc::new(Pile::new(tick, start)), guard);
        let pile = entry.value().clone();
        entry.release(guard);
        pile
    }

    /// The first pile whose tick is above `tick`.
    pub fn after(&self, tick: u64, guard: &Guard) -> Option<Arc<Pile>> {
        Some(self.list.lower_bound(Bound::Excluded(&tick), guard)?.value().clone())
    }

    /// Drops a pile that has been emptied.
    pub fn discard(&self, pile: &Arc<Pile>, guard: &Guard) {
        if let Some(entry) = self.list.get(&pile.tick(), guard)
            && Arc::ptr_eq(entry.value(), pile)
        {
            entry.remove();
        }
    }
}
