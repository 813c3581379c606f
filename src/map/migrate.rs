//! Growth: freeze, copy, publish, promote. Any thread can help; nobody waits.
//!
//! ```text
//! announce  CAS the number of announcements on by one: whoever does makes a table, others do not    [announce-growth]
//! start     link a table of twice the size (of the same size when slots ran out) behind the last    [publish-table]
//! migrate b fetch_or FROZEN on b's header: its content is final                         [freeze-bucket]
//!           for each destination, in order, unless it is READY already:
//!             fill the slots that it needs by CAS from UNSET, then its tags by CAS from 0, last
//!             CAS its header from 0 to READY | bits                                     [migrate-bucket]
//!           who publishes the last destination retires the source's spill
//! help      take a stride of buckets and migrate it; when all are taken, check them in order, migrate
//!           what a stopped thread left undone, and move `verified` on
//! promote   when all are verified: CAS the root to the next table; the winner retires the old  [promote-table]
//! ```
//!
//! # Invariants
//!
//! * **G1** A frozen header never changes, so every helper computes the same content for a destination.
//! * **G2** A destination's header leaves 0 once, and only after the slots of its content, and its tags, hold that; a late
//!   helper, which has the same content, fails in each CAS from UNSET or 0 from then on: those slots are vacated to EMPTY, tags
//!   are never 0 again. The other slots stay UNSET until they are claimed, and no helper touches them.
//! * **G3** Only READY buckets are frozen.
//! * **G4** The root moves on only when every destination is READY.
//! * **G5** A source's spill is not touched by a helper that found the last destination READY, and is retired
//!   after that: whoever touches it was pinned before.
//!
//! # Progress
//!
//! Lock-free. Strides are only a division of labour: what their owner does not do, the verifying pass does. An
//! announcement is only one, too: one that is not followed by a table is passed over when the entries have become
//! half as many again ([`makers`]), or a wait for a slot has ended ([`claim`](super::claim)). Until then inserts go
//! on in the old table, whose buckets spill.

#![allow(unsafe_code)]

use core::ptr::NonNull;

use super::bucket::{Head, Header, Line, PUBLISHED_MAX, SLOTS, Tags, find_bit};
use super::node::Node;
use super::spill::Spill;
use super::table::{AHEAD, BUCKETS_MIN, LOAD, Table, retire_table};
use super::{Map, Snapshot};
use crate::reclaim::{Guard, Ref};
use crate::sync::Ordering;

/// Buckets that one insert migrates beyond its own while a table grows: few, so that no insert takes long. Growth begins at a mean of four entries
/// a bucket, and so ends before it is four and a half.
const STRIDE: usize = 2;

/// Buckets that one step of the verifying pass looks at.
const VERIFY: usize = 32;

impl<N: Node> Map<N> {
    /// Whether an insert into a crowded bucket should ask for the number of entries (a sum over stripes): always while
    /// the table is small, else for one hash in eight.
    pub fn is_worth_a_look(&self, hash: u64, guard: &Guard) -> bool {
        hash >> 32 & 7 == 0 || self.root(guard).len() <= 512
    }

    /// Buckets for so many entries without growth.
    pub fn buckets_for(entries: usize) -> usize {
        (entries / LOAD + 1).next_power_of_two().max(BUCKETS_MIN)
    }

    /// Bytes of the first table of a map with room for so many entries; saturates.
    pub fn table_bytes(entries: usize) -> usize {
        let buckets = (entries / LOAD).saturating_add(1).checked_next_power_of_two().unwrap_or(usize::MAX);
        buckets.max(BUCKETS_MIN).saturating_mul(size_of::<Head>() + size_of::<Line<N>>())
    }

    /// Begins to grow to twice the size if `entries` are too many for the table, unless a growth is under way, or
    /// announced by as many threads as may make a table for so many ([`makers`]).
    pub fn grow_for(&self, entries: usize, guard: &Guard) {
        let root = self.root(guard);
        self.begin(root, makers(root.len(), entries), guard);
    }

    /// Begins to grow to twice the size, unless a growth is under way or so many threads have announced one; false
    /// then. For models and tests.
    #[cfg(any(test, loom, shuttle))]
    pub fn grow(&self, makers: usize, guard: &Guard) -> bool {
        self.begin(self.root(guard), makers, guard)
    }

    /// Announces a growth and makes no table: a thread that is stopped in between. For models.
    #[cfg(any(loom, shuttle))]
    pub fn stop_announced(&self, guard: &Guard) {
        assert!(self.root(guard).announce(0), "the first");
    }

    /// Claims every free slot of a bucket: threads that are stopped before they publish. For models.
    #[cfg(any(loom, shuttle))]
    pub fn stop_claiming(&self, hash: u64, guard: &Guard) {
        let table = self.root(guard);
        table.stop_claiming(table.index(hash));
    }

    /// Buckets of the table. For models and tests.
    #[cfg(any(test, loom, shuttle))]
    pub fn buckets(&self, guard: &Guard) -> usize {
        self.root(guard).len()
    }

    fn begin(&self, root: Ref<'_, Table<N>>, makers: usize, guard: &Guard) -> bool {
        let announced = root.announced();
        let begins = announced < makers && root.next(guard).is_none() && root.announce(announced);
        if begins {
            root.link(Box::new(Table::unset(root.len() * 2)));
        }
        begins
    }

    /// Leaves a table that has no free slot in a crowded bucket: for the next one, if growth is under way, else for
    /// one of the same size, unless more threads have announced that they make one than were `known`. Claims of
    /// stopped threads do not move along.
    #[cold]
    pub(super) fn renew(&self, table: Ref<'_, Table<N>>, bucket: usize, known: usize, guard: &Guard) {
        if table.next(guard).is_none() {
            // Not a third table behind the root: an earlier growth ends first.
            while !self.is_near(table, guard) && self.help(guard) {}
            if !table.announce(known) {
                return;
            }
            if table.link(Box::new(Table::unset(table.len()))) {
                self.renewals.add();
            }
        }
        // By a read-modify-write, which meets the newest header: the caller's next look at it cannot miss that the
        // bucket is frozen.
        table.bucket(bucket).0.freeze();
        migrate(&table, bucket, guard);
    }

    /// Whether a table is the root, or the one that it grows into.
    fn is_near(&self, table: Ref<'_, Table<N>>, guard: &Guard) -> bool {
        let root = self.root(guard);
        root.is(table) || root.next(guard).is_some_and(|next| next.is(table))
    }

    /// Does a bounded part of the growth under way; false if there is none.
    #[inline]
    pub fn help(&self, guard: &Guard) -> bool {
        let root = self.root(guard);
        let grows = root.next(guard).is_some();
        if grows {
            self.help_growth(root, guard);
        }
        grows
    }

    #[cold]
    fn help_growth<'g>(&self, root: Ref<'g, Table<N>>, guard: &'g Guard) {
        let Some(next) = root.next(guard) else { return };
        // Ordering: Relaxed: a division of labour; the headers decide what is done.
        if root.growth.claimed.load(Ordering::Relaxed) < root.len() {
            let start = root.growth.claimed.fetch_add(STRIDE, Ordering::Relaxed);
            let stride = start..root.len().min(start.saturating_add(STRIDE));
            // Each node is read, for its hash: ask for those that a later insert will move.
            stride.clone().for_each(|bucket| root.prefetch_nodes(bucket + AHEAD));
            stride.for_each(|bucket| _ = migrate(&root, bucket, guard));
            return;
        }
        // Ordering: Acquire [promote-table] with the Release below: what others verified happened before.
        // No model shows its Acquire: loom tries no stale headers behind a relaxed load of this, though it does where the Release is dropped.
        let from = root.growth.verified.load(Ordering::Acquire);
        let to = root.len().min(from.saturating_add(VERIFY));
        for bucket in from..to {
            migrate(&root, bucket, guard);
        }
        let _ = root.growth.verified.compare_exchange(from, to, Ordering::Release, Ordering::Relaxed);
        if to == root.len() {
            self.promote(root, next);
        }
    }

    fn promote<'g>(&self, root: Ref<'g, Table<N>>, next: Ref<'g, Table<N>>) {
        let (old, new) = (root.pointer().as_ptr(), next.pointer().as_ptr());
        // Ordering: Release [promote-table] with the Acquire load of the root: all headers are READY (G4).
        if self.root.compare_exchange(old, new, Ordering::Release, Ordering::Relaxed).is_ok() {
            // SAFETY: E2: the root was its only link (a table has no other predecessor), and one thread wins
            // this CAS. Its nodes belong to the next table now; its spills were retired one by one (G5).
            unsafe { retire_table(root) };
        }
    }

    /// Ends every growth. For whoever has the map to itself.
    pub(super) fn finish_growth(&self, guard: &Guard) {
        loop {
            let root = self.root(guard);
            let Some(next) = root.next(guard) else { return };
            for bucket in 0..root.len() {
                migrate(&root, bucket, guard);
            }
            self.promote(root, next);
        }
    }
}

/// How many threads may make the next table while one of `buckets` holds so many entries: none while these are not
/// too many, then one, and one more each time that they have become half as many again. So a thread that stops after
/// its announcement delays growth, and does not end it; and of many that find the table too small at once, one
/// allocates.
pub(super) fn makers(buckets: usize, entries: usize) -> usize {
    let (mut limit, mut makers) = (buckets * LOAD, 0);
    while entries > limit {
        (limit, makers) = (limit.saturating_add(limit / 2), makers + 1);
    }
    makers
}

/// Moves a bucket into the next table, or finds that it has been; returns that table.
///
/// The bucket must be READY (G3), and growth must have begun.
pub(super) fn migrate<'g, N: Node>(table: &Table<N>, bucket: usize, guard: &'g Guard) -> Ref<'g, Table<N>> {
    let next = table.next(guard).expect("growth has begun");
    let split = next.len() / table.len();
    let first = bucket * split;
    // Ordering: Relaxed: who goes on to a destination loads its header anew, and then cannot see an earlier one.
    let is_ready = |index: usize| next.bucket(index).0.load(Ordering::Relaxed).is_ready();
    if (first..first + split).all(is_ready) {
        return next;
    }
    let (head, line) = table.bucket(bucket);
    let header = head.freeze();
    debug_assert!(header.is_ready(), "G3");
    let content = Snapshot::of_frozen(header, line, guard);
    for index in first..first + split {
        if is_ready(index) {
            continue;
        }
        let published = fill(&next, index, &content);
        if published && index == first + split - 1 {
            retire_spill(header, table, bucket);
        }
    }
    next
}

/// Fills one destination from frozen content; true if this call published it.
fn fill<N: Node>(next: &Table<N>, index: usize, content: &Snapshot<'_, N>) -> bool {
    let (head, line) = next.bucket(index);
    let (mut mine, mut more, mut count) = ([None; SLOTS], Vec::new(), 0);
    for node in content.nodes().filter(|node| next.index(node.hash()) == index) {
        match mine.get_mut(count) {
            Some(place) => *place = Some(node),
            None => more.push(node),
        }
        count += 1;
    }
    // All fit, or all but one slot's worth do and the rest is spilled.
    let direct = if count <= PUBLISHED_MAX as usize { count } else { PUBLISHED_MAX as usize - 1 };
    let (mut tags, mut published, mut spill) = (Tags::NONE, 0, None);
    for (slot, node) in mine[..direct].iter().enumerate() {
        let node = node.expect("counted");
        tags = tags.with(slot, Tags::tag(node.hash()));
        published |= 1 << slot;
        line.fill(slot, node.pointer().as_ptr());
    }
    if direct < count {
        published |= 1 << direct;
        spill = Some(direct);
        let rest = mine[direct..].iter().flatten().chain(&more);
        let word = Spill::into_word(count - direct, rest.map(|node| (node.hash(), node.pointer())));
        if !line.fill(direct, word) {
            // SAFETY: another helper's spill took the slot, so nobody ever saw this one.
            unsafe { Spill::<N>::free(word.cast()) };
        }
    }
    head.fill_tags(tags);
    head.fill(Header::ready(published, spill))
}

fn retire_spill<N: Node>(header: Header, table: &Table<N>, bucket: usize) {
    let Some(slot) = header.spill() else { return };
    let spill = table.bucket(bucket).1.load(slot).cast::<Spill<N>>();
    // SAFETY: E2: every destination is READY, so nobody follows the frozen slot from now on (G5); the winner
    // of the last destination is one thread.
    unsafe { Spill::retire(spill) };
}

/// Releases every node of a table, in the order of the table, which asks for the nodes of later buckets ahead. Pins nothing: the nodes may
/// have a `Drop` of the user's.
///
/// # Safety
///
/// The caller has the map to itself, and no growth is under way.
pub(super) unsafe fn release_all<N: Node>(table: &Table<N>) {
    for bucket in 0..table.len() {
        table.prefetch_nodes(bucket + AHEAD);
        let (head, line) = table.bucket(bucket);
        // Ordering: Relaxed: exclusive.
        let header = head.load(Ordering::Relaxed);
        let release = |pointer: NonNull<N>| {
            // SAFETY: N4: a published node that nobody will reach again.
            unsafe { N::release(pointer) }
        };
        find_bit::<()>(header.nodes(), |slot| {
            NonNull::new(line.load(slot)).into_iter().for_each(release);
            None
        });
        if let Some(spill) = header.spill().and_then(|slot| NonNull::new(line.load(slot).cast::<Spill<N>>())) {
            // SAFETY: M5, E2: the header names the slot; exclusive, so it is alive, and freed below.
            let items = Spill::items(unsafe { Ref::unlinked(spill) });
            items.iter().for_each(|&(_, pointer)| release(pointer));
            // SAFETY: nobody will reach it again.
            unsafe { Spill::free(spill.as_ptr()) };
        }
    }
}
