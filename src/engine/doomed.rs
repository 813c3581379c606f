//! Removals of many entries of one bucket: those in a spill are gathered, and cut by one change of its header.

use super::handled::Handled;
use super::{Engine, Operation, RemovalCause};
use crate::expiry::Timed;
use crate::reclaim::Ref;

/// Nodes that are to be cut together. They have been judged already: expiry is decided, or the caller has.
pub(super) type Doomed<'g, N> = Vec<Ref<'g, N>>;

impl<N: Timed> Engine<N> {
    /// Cuts a node that was judged, at once or, if it is spilled, with the others; whether it has been cut by this
    /// call.
    pub(super) fn doom<'g>(
        &self,
        doomed: &mut Doomed<'g, N>,
        node: Ref<'g, N>,
        is_spilled: bool,
        cause: RemovalCause,
        guard: &'g Operation<'_, N>,
    ) -> bool {
        if is_spilled {
            doomed.push(node);
        }
        !is_spilled && self.cut_node(node, cause, guard)
    }

    /// Cuts these nodes, by identity, all of a bucket at once; returns how many were still there.
    pub(super) fn cut_all<'g>(
        &self,
        doomed: &mut Doomed<'g, N>,
        cause: RemovalCause,
        guard: &'g Operation<'_, N>,
    ) -> usize {
        let mut removed = 0;
        self.map.cut_all(doomed, guard, |unlinked| {
            removed += 1;
            self.counters.add_entries(-1);
            self.left(unlinked, cause, guard);
        });
        doomed.clear();
        removed
    }

    /// Deals with one record as `handle` does, in passes over all entries of its hash: in O(n), where n finds take
    /// O(n^2).
    #[cold]
    pub(super) fn handle_many(
        &self,
        hash: u64,
        tick: u64,
        now: u64,
        mut handled: Handled,
        guard: &Operation<'_, N>,
    ) -> usize {
        let (mut removed, mut due) = (0, Doomed::default());
        loop {
            let mut is_done = true;
            for node in self.map.nodes(hash, guard) {
                let (claim, address) = (node.meta().filed(), node.pointer().addr().get());
                if !claim.is_due_at(tick) || handled.contains(address) {
                    continue;
                }
                is_done = false;
                if self.decide_expiry(node, |deadline| deadline <= now, guard) {
                    due.push(node);
                } else if self.settled_deadline(node, guard).time() <= now {
                    // Replaced: look for its successor.
                    handled.insert(address);
                } else if self.void(node, claim) {
                    self.cover(node, now, guard);
                    handled.insert(address);
                }
            }
            if is_done {
                return removed;
            }
            removed += self.cut_all(&mut due, RemovalCause::Expired, guard);
        }
    }
}
