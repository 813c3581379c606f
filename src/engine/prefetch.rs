//! Look-ups whose cache misses overlap: what a find will read is asked for while there is something else to do.
//!
//! A find waits for two lines, one after the other: the bucket's and the node's. A write asks for both while it makes its own node; a batch,
//! for those of many keys at once. (Group prefetching: Chen, Ailamaki, Gibbons, Mowry, *Improving Hash Join Performance through Prefetching*, ICDE 2004.)

use super::{Engine, Operation};
use crate::expiry::{Meta, Timed};
use crate::reclaim::{Guard, Ref};

/// How many keys a batch is ahead with buckets of where it is with nodes, and with these of where it is with finds.
const STAGE: usize = 8;

/// Where what a find reads of a node may begin a cache line: key and deadline may lie on two; the first of a session's data, on a third.
const PARTS: [usize; 3] = [0, 64, 88];

impl<N: Timed> Engine<N> {
    /// What a sweep reads: deadline, claim and hash, which may lie on two lines.
    pub const META: [usize; 2] = [N::META_AT, N::META_AT + size_of::<Meta>() - 1];

    /// Asks the caches for all that a find of this hash reads.
    #[inline]
    pub fn prefetch_nodes(&self, hash: u64, guard: &Guard) {
        self.map.prefetch_nodes(hash, &PARTS, guard);
    }

    /// Looks many hashes up, so that their cache misses overlap. `each` is given the number of each and the node that `eq`, told of the number, finds.
    #[inline]
    pub fn find_many<'g>(
        &self,
        count: usize,
        hash: impl Fn(usize) -> u64,
        eq: impl Fn(usize, Ref<'g, N>) -> bool,
        guard: &'g Operation<'_, N>,
        mut each: impl FnMut(usize, Option<Ref<'g, N>>),
    ) {
        self.pipeline(count, hash, &PARTS, guard, |index, hash| {
            each(index, self.find(hash, |node| eq(index, node), guard));
        });
    }

    /// A pipeline that asks for the bucket of a hash, then, [`STAGE`] hashes later, for these parts of its node, and calls `each`, with the hash's
    /// number and the hash, as many later.
    #[inline]
    pub fn pipeline(
        &self,
        count: usize,
        hash: impl Fn(usize) -> u64,
        parts: &[usize],
        guard: &Guard,
        mut each: impl FnMut(usize, u64),
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
                self.map.prefetch_nodes(hashes[index % hashes.len()], parts, guard);
            }
            if let Some(index) = turn.checked_sub(2 * STAGE) {
                each(index, hashes[index % hashes.len()]);
            }
        }
    }
}
