//! Look-ups whose cache misses overlap: what a find will read is asked for while there is something else to do.
//!
//! A find waits for two lines, one after the other: the bucket's and the node's. A write asks for both while it makes its own node; a batch,
//! for those of many keys at once. (Group prefetching: Chen, Ailamaki, Gibbons, Mowry, *Improving Hash Join Performance through Prefetching*, ICDE 2004.)

use super::Engine;
use crate::epoch::{Guard, Ref};
use crate::expiry::Timed;

/// How many keys a batch is ahead with buckets of where it is with nodes, and with these of where it is with finds.
const STAGE: usize = 8;

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

    /// Looks many hashes up, so that their cache misses overlap: a pipeline that asks for a bucket, then, [`STAGE`] keys later, for its node, and
    /// looks the key up as many later. `each` is given the number of each and the node that `eq`, told of the number, finds.
    #[inline]
    pub fn find_many<'g>(
        &self,
        count: usize,
        hash: impl Fn(usize) -> u64,
        eq: impl Fn(usize, Ref<'g, N>) -> bool,
        guard: &'g Guard,
        mut each: impl FnMut(usize, Option<Ref<'g, N>>),
    ) {
        let mut hashes = [0; 4 * STAGE];
        for turn in 0..count.saturating_add(2 * STAGE) {
            if turn < count {
                let hash = hash(turn);
                hashes[turn % hashes.len()] = hash;
                self.map.prefetch_bucket(hash, guard);
            }
            if let Some(index) = turn.checked_sub(STAGE)
                && index < count
            {
                self.map.prefetch_nodes(hashes[index % hashes.len()], guard);
            }
            if let Some(index) = turn.checked_sub(2 * STAGE) {
                let hash = hashes[index % hashes.len()];
                each(index, self.find(hash, |node| eq(index, node), guard));
            }
        }
    }
}
