//! Removing many: by their records as these come due, or by a walk through the map.
//!
//! Both go in pieces, each under one pin, so that memory is freed meanwhile; what they removed comes back to them.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::doomed::Doomed;
use super::{Engine, RemovalCause, VISIT};
use crate::clock::Stopwatch;
use crate::expiry::{CHUNK, Timed, Which};
use crate::reclaim::{self, BulkRemoval, Ref};
use crate::sync::TINY;

/// Chunks of records that a sweep handles under one pin: enough that its cache misses overlap.
pub(super) const CHUNKS: usize = if TINY { 1 } else { 4 };

impl<N: Timed> Engine<N> {
    /// Removes the live nodes for which `doomed` holds, and returns how many; and what has expired on the way. Pins anew every
    /// few buckets.
    pub fn remove_where(&self, cause: RemovalCause, mut doomed: impl FnMut(Ref<'_, N>) -> bool) -> usize {
        let (mut removed, mut from, bulk) = (0, Some(0), BulkRemoval::begin());
        while let Some(start) = from {
            bulk.step();
            let guard = self.change();
            let (mut condemned, mut expired) = (Doomed::default(), Doomed::default());
            let visit = || {
                self.map.visit(start, VISIT, &guard, |node, is_spilled| {
                    if !self.is_live(node, &guard) {
                        self.doom(&mut expired, node, is_spilled, RemovalCause::Expired, &guard);
                    } else if doomed(node) {
                        // By identity, as it was judged: a node that came in its place stays.
                        removed += usize::from(self.doom(&mut condemned, node, is_spilled, cause, &guard));
                    }
                })
            };
            // What was judged before the caller's code panics goes all the same.
            let visited = catch_unwind(AssertUnwindSafe(visit));
            removed += self.cut_all(&mut condemned, cause, &guard);
            self.cut_all(&mut expired, RemovalCause::Expired, &guard);
            from = visited.unwrap_or_else(|panic| resume_unwind(panic));
        }
        removed
    }

    /// The janitor's sweep: removes what has expired by now, all of it if it is to be prompt, and else what stands
    /// under ticks that have come.
    ///
    /// A prompt one costs no more for entries that are far from their deadlines: a pile that straddles now is
    /// emptied once, and what lives goes to finer ones, each of them 1/64 as long. So a record is filed
    /// log64(lifetime) times at most, however often this runs.
    pub fn sweep_due(&self, go_on: impl Fn() -> bool) -> usize {
        self.sweep(self.is_prompt, go_on)
    }

    /// Removes every entry that has expired by now, piece by piece while `go_on` says so; returns how many it removed.
    ///
    /// O(records due + ticks). Pins anew for every few chunks of records, so that memory is freed meanwhile.
    pub fn sweep(&self, exact: bool, go_on: impl Fn() -> bool) -> usize {
        let stopwatch = Stopwatch::start();
        let now = self.time.now();
        let which = if exact { Which::Expired(now) } else { Which::Due(now) };
        let (mut removed, mut cursor) = (0, 0);
        let mut records = Vec::with_capacity(CHUNKS * CHUNK);
        let bulk = BulkRemoval::begin();
        while go_on() && self.sweep_some(which, &mut cursor, now, CHUNKS, &mut records, &mut removed) {
            bulk.step();
        }
        while go_on() && self.map.help(&reclaim::pin()) {}
        while go_on() && self.is_stale() && self.take_early(now, &mut records) {
            bulk.step();
        }
        drop(bulk);
        reclaim::maintain();
        self.counters.swept(stopwatch.elapsed(), removed);
        removed
    }

    /// Handles so many chunks of records; false if there is none.
    pub(super) fn sweep_some(
        &self,
        which: Which,
        cursor: &mut u64,
        now: u64,
        chunks: usize,
        records: &mut Vec<u64>,
        removed: &mut usize,
    ) -> bool {
        let guard = self.read();
        let Some(tick) = self.index.take(which, cursor, chunks, records, &guard) else { return false };
        self.counters.add_records(-(records.len() as i64));
        self.counters.add_handled(records.len() as u64);
        // Handling one record deals with all entries of its hash, so once will do for equal ones.
        records.sort_unstable();
        records.dedup();
        let each = |_, hash| *removed += self.handle(hash, tick, now, &guard);
        self.pipeline(records.len(), |index| records[index], &Self::META, &guard, each);
        records.clear();
        true
    }
}
