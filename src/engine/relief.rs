//! Keeping stale records bounded (F7): when there are too many, writers and sweeps take piles early, drop what is stale and file the rest again.

use std::cell::Cell;

use super::Engine;
use crate::expiry::{CHUNK, Timed, Which};
use crate::sync::{Ordering, TINY, thread_local};

/// Stale records are tolerated up to twice the entries and this many.
const STALE_SLACK: usize = if TINY { 1 } else { 1024 };

/// Records that a writer takes early when there are too many: more than it files in between.
pub(super) const RELIEF: usize = 2 * CHUNK;

impl<N: Timed> Engine<N> {
    /// Whether stale records have outgrown the entries (F7).
    pub(super) fn is_stale(&self) -> bool {
        self.counters.records() > 2 * self.counters.entries() + STALE_SLACK
    }

    /// A writer's share in keeping stale records bounded: amortized O(1) a record that it files.
    ///
    /// Runs no user code but the listener: the caller's operation may be half-way (a rename), so a clock must not panic here.
    #[cold]
    pub(super) fn relieve(&self, now: u64) {
        thread_local! {
            static RELIEVING: Cell<bool> = Cell::default();
        }
        /// Ends it whatever happens: the collector runs closures of other crates, too.
        struct End;
        impl Drop for End {
            fn drop(&mut self) {
                RELIEVING.with(|relieving| relieving.set(false));
            }
        }
        // A listener that writes must not nest here.
        if RELIEVING.with(|relieving| relieving.replace(true)) {
            return;
        }
        let _end = End;
        let mut records = Vec::with_capacity(CHUNK);
        let _ = (0..RELIEF.div_ceil(CHUNK)).all(|_| self.take_early(now, &mut records));
    }

    /// Takes one chunk of records early, where the last early take left off; false at the end of a walk.
    pub(super) fn take_early(&self, now: u64, records: &mut Vec<u64>) -> bool {
        let cursor = &self.early_cursor;
        // Ordering: Relaxed: walks that disturb each other only repeat work.
        let mut at = cursor.load(Ordering::Relaxed);
        let found = self.sweep_some(Which::Stale, &mut at, now, 1, records, &mut 0);
        cursor.store(if found { at } else { 0 }, Ordering::Relaxed);
        found
    }
}
