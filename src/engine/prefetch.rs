//! Look-ups whose cache misses overlap: what a find will read is asked for while there is something else to do.
//!
//! A find waits for two lines, one after the other: the bucket's and the node's. A write asks for both while it makes its own node; a batch,
//! for those of many keys at once. (Group prefetching: Chen, Ailamaki, Gibbons, Mowry, *Improving Hash Join Performance through Prefetching*, ICDE 2004.)

use super::Engine;
use crate::epoch::{Guard, Ref};
use crate::expiry::Timed;

/// Keys of a batch whose misses overlap: about as many as a core can have outstanding.
const BATCH: usize = 16;

impl<N: Timed> Engine<N> {
    /// Asks the caches for all that a find of this hash reads.
    #[inline]
    pub fn prefetch_nodes(&self, hash: u64, guard: &Guard) {
        self.map.prefetch_nodes(hash, guard);
    }

    /// Asks for what finds of all these hashes read: buckets, then nodes.
    #[inline]
    pub fn prefetch_many(&self, hashes: &[u64], guard: &Guard) {
        hashes.iter().for_each(|&hash| self.map.prefetch_bucket(hash, guard));
        hashes.iter().for_each(|&hash| self.map.prefetch_nodes(hash, guard));
    }

    /// Looks many hashes up, some at a time, so that their cache misses overlap: first all buckets are asked for, then all nodes. `each` is given the
    /// number of each and the node that `eq`, told of the number, finds.
    #[inline]
    pub fn find_many<'g>(
        &self,
        count: usize,
        hash: impl Fn(usize) -> u64,
        eq: impl Fn(usize, Ref<'g, N>) -> bool,
        guard: &'g Guard,
        mut each: impl FnMut(usize, Option<Ref<'g, N>>),
    ) {
        for start in (0..count).step_by(BATCH) {
            let batch = BATCH.min(count - start);
            let mut hashes = [0; BATCH];
            for (index, slot) in hashes[..batch].iter_mut().enumerate() {
                *slot = hash(start + index);
            }
            self.prefetch_many(&hashes[..batch], guard);
            for (index, &hash) in hashes[..batch].iter().enumerate() {
                each(start + index, self.find(hash, |node| eq(start + index, node), guard));
            }
        }
    }
}
