//! Removing many nodes of one bucket by one change of its header.
//!
//! A spill is immutable, so each removal of one of its entries copies the rest. A caller that removes many, under
//! one guard, would keep all these copies allocated: quadratic in the number of entries of one hash. So walks and
//! sweeps gather the spilled entries that they remove.

#![allow(unsafe_code)]

use super::migrate::migrate;
use super::node::{Node, Unlinked};
use super::spill::{Item, Spill};
use super::{Map, Place, Seat, Snapshot, retire_spill};
use crate::reclaim::{Guard, Ref};
use crate::sync::Ordering;

impl<N: Node> Map<N> {
    /// The nodes with this hash, as they were at one moment. Lock-free; may migrate the bucket.
    pub fn nodes<'g>(&self, hash: u64, guard: &'g Guard) -> Vec<Ref<'g, N>> {
        loop {
            let seat = self.bare_seat(hash, guard);
            if let Some(snapshot) = Snapshot::take(seat.header, seat.head, seat.line, guard) {
                return snapshot.nodes().filter(|node| node.hash() == hash).collect();
            }
        }
    }

    /// Removes those of `nodes` that are still there, all of a bucket at once; `removed` is given each that this
    /// call removed.
    ///
    /// Lock-free. O(n log n) for n nodes, beside one copy of a bucket's spill for each change of the bucket by
    /// others.
    pub fn cut_all<'g>(&self, nodes: &mut [Ref<'g, N>], guard: &'g Guard, mut removed: impl FnMut(Unlinked<'g, N>)) {
        nodes.sort_unstable_by_key(key);
        let mut rest = &*nodes;
        while let Some(first) = rest.first() {
            let seat = self.bare_seat(first.hash(), guard);
            // In the order of hashes, which is that of buckets.
            let here = rest.partition_point(|node| seat.table.index(node.hash()) == seat.bucket);
            if self.cut_here(&seat, &rest[..here], guard, &mut removed) {
                rest = &rest[here..];
            }
        }
    }

    /// Cuts those of `nodes`, sorted, that are in the seat's bucket; false if the bucket has changed.
    fn cut_here<'g>(
        &self,
        seat: &Seat<'g, N>,
        nodes: &[Ref<'g, N>],
        guard: &'g Guard,
        removed: &mut impl FnMut(Unlinked<'g, N>),
    ) -> bool {
        let header = seat.header;
        let Some(snapshot) = Snapshot::take(header, seat.head, seat.line, guard) else { return false };
        let is_doomed = |doomed: Key| nodes.binary_search_by_key(&doomed, key).is_ok();
        let mut clear = 0;
        for (slot, node) in snapshot.slots.iter().enumerate() {
            clear |= u64::from(node.is_some_and(|node| is_doomed(key(&node)))) << slot;
        }
        let items = snapshot.spill.map_or(&[][..], Spill::items);
        let is_kept = |&(hash, pointer): &Item<N>| !is_doomed((hash, pointer.addr().get()));
        let kept: Vec<_> = items.iter().copied().filter(is_kept).collect();
        let is_spill_cut = kept.len() < items.len();
        if clear == 0 && !is_spill_cut {
            return true;
        }
        let spill_bit = header.published() & !header.nodes();
        let done = match is_spill_cut {
            // All of the spill, too, or nothing of it.
            true if kept.is_empty() => self.clear(seat, clear | spill_bit, None),
            false => self.clear(seat, clear, header.spill()),
            true => self.publish_spill(seat, kept.len(), kept.into_iter(), clear | spill_bit, guard),
        };
        if !done {
            return false;
        }
        if is_spill_cut {
            snapshot.spill.into_iter().for_each(retire_spill);
        }
        // SAFETY: N4: this thread's header change unpublished the node (M6).
        let unlink = |node| unsafe { Unlinked::new(node, guard) };
        // All of them at first: whatever `removed` does, each is retired.
        let cut: Vec<_> = snapshot.nodes().filter(|node| is_doomed(key(node))).map(unlink).collect();
        cut.into_iter().for_each(removed);
        true
    }

    /// Unpublishes slots, and vacates them.
    fn clear(&self, seat: &Seat<'_, N>, slots: u64, spill: Option<usize>) -> bool {
        let done = seat.head.advance(seat.header, seat.header.changed(slots, 0, spill));
        if done {
            seat.vacate(slots);
        }
        done
    }

    /// A seat in the bucket of a hash, whoever is there.
    fn bare_seat<'g>(&self, hash: u64, guard: &'g Guard) -> Seat<'g, N> {
        let mut table = self.root(guard);
        loop {
            let bucket = table.index(hash);
            let (head, line) = table.get().bucket(bucket);
            // Ordering: Acquire [publish-entry] with `advance`.
            let header = head.load(Ordering::Acquire);
            if !header.is_frozen() {
                return Seat { table, bucket, head, line, header, place: Place::Absent };
            }
            table = migrate(&table, bucket, guard);
        }
    }
}

/// What nodes are sorted by, hash and address: buckets are ranges of it.
type Key = (u64, usize);

fn key<N: Node>(node: &Ref<'_, N>) -> Key {
    (node.hash(), node.pointer().addr().get())
}
