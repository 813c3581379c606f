//! The lock-free hash map: closed addressing in small buckets, every change one CAS on one header word.
//!
//! It is a set of [nodes](Node) found by hash and a caller's equality. It knows no time, no values and no user
//! code but the `eq` it is called with. Lineage: CLHT-LF (David, Guerraoui, Trigonakis, *Asynchronized
//! Concurrency*, ASPLOS 2015) and DLHT (HPDC 2024) for the bucket whose header linearizes everything; the
//! immutable spill and the order-preserving growth are ours.
//!
//! # Shape
//!
//! ```text
//! root -> Table ----------------------------- next -> Table (while it grows)
//!         heads[b]  header | tags                16 bytes: what every look-up reads first, dense
//!         lines[b]  slot 0 .. slot 7             one cache line, prefetched meanwhile
//!                     |            \
//!                     v             v
//!                   node          spill [(hash, node), ...]   only when a bucket outgrows its slots
//! ```
//!
//! # Operations
//!
//! * **find** load the header; compare the tags; load the slots that match; load the header again and start
//!   over if it changed; only then touch a node.
//! * **seek** is find for writers: it migrates a frozen bucket first, and returns a [`Seat`]: the header that
//!   vouches for what was found.
//! * **put** on a seat: claim a free slot (CAS UNSET or EMPTY to the word), set its tag, then CAS the seat's header to one
//!   with the new slot published and the old one, if any, not. If it moved: withdraw, seek again.
//! * **cut** on a seat: CAS the header to one without the slot, then vacate it.
//! * **spill** At most six of eight slots are published, so that a change finds one to claim beside a thread that
//!   was preempted while it holds the other. An insert that would exceed that moves one entry together with the new
//!   one into a spill: an immutable array behind one slot. A change of a spilled entry publishes a new array; a walk
//!   that removes many [publishes one](bulk) for all. New entries go to slots as these free up, so a spill drains by
//!   itself. With a mean load of 2 to 4, 1 bucket in 24 has one (at 4, 1 in 9); and any number of keys with one hash
//!   still works, in O(number).
//! * **growth** see [`migrate`].
//! * **visit** walks in hash order, bucket by bucket, and follows frozen ones into the next table.
//!
//! # Invariants
//!
//! * **M1** A slot counts only if the header's bit is set. Its word never changes while the bit is set.
//! * **M2** Every change of bits is one CAS that bumps the version (50 bits: no wrap in any process's life), so two
//!   equal loads of the header enclose an atomic snapshot of the bucket.
//! * **M3** A node is touched only after the header that vouches for its slot was loaded again, unchanged, under
//!   a guard pinned before: it was published at that moment, and is freed only after the guard.
//! * **M4** Whoever claims a slot owns its word and tag until it publishes or vacates.
//! * **M5** A word is read as a spill only if a validated header names its slot as the spill's.
//! * **M6** A header change that clears a node's bit is won by one thread; that one retires the node. Likewise a spill.
//! * **M7** No user code runs between a claim and its publication: a panic leaves no slot claimed.
//!
//! # Orderings
//!
//! | label | release side | acquire side | carries |
//! |---|---|---|---|
//! | publish-entry | `Head::advance` | header loads in `find`, `seek`, visits | node, slot word, tag |
//! | recycle-slot | `Line::vacate`, `Head::set_tag` | `Line::claim`, `Line::load`, tags in `find` | that the slot's last bit was cleared |
//! | freeze-bucket | `Head::advance` | `Head::freeze` | the final content |
//! | migrate-bucket | `Line::fill`, `Head::fill` | `Line::load`, header loads | slots, tags, spills of a destination |
//! | announce-growth | `Table::announce` | `Table::announced` | nothing: one thread makes each announcement, before it allocates |
//! | publish-table | `Table::link` | `Table::next` | the arrays |
//! | promote-table | `promote`, `verified` | loads of the root | that every destination is READY |
//!
//! # Progress
//!
//! Lock-free, growth included: a header CAS fails only because another succeeded. A find restarts only if the
//! bucket changed. A bucket whose free slots are all claimed by stopped threads is left for another table
//! ([`claim`]); a thread that stops after it announced a growth or a renewal delays the next, and does not end it
//! ([`migrate`]).
//!
//! # Rejected
//!
//! * Overflow blocks of eight more mutable slots (the plan): a link word a bucket, a second tag word, and a protocol to
//!   reuse blocks; full again at sixteen equal hashes. The spill needs none of these.
//! * Growing when a bucket is full: a weak hash, or many writers on one key, would double the table for ever.

#![allow(unsafe_code)]

mod bucket;
mod bulk;
mod claim;
mod entry;
mod migrate;
mod node;
mod record;
mod spill;
mod table;
#[cfg(test)]
mod tests;
#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
mod zeroed;

use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use self::bucket::{Head, Header, Line, PUBLISHED_MAX, Tags, find_bit};
pub use self::entry::Entry;
use self::migrate::migrate;
pub use self::node::{Gone, Node, Owned, Unlinked};
pub use self::record::{Record, Shared};
use self::spill::{Item, Spill};
use self::table::{AHEAD, Table, free_table};
use crate::prefetch::prefetch;
use crate::reclaim::{self, Guard, Ref, reach};
use crate::stats::Tally;
use crate::sync::{AtomicPtr, Ordering};

/// The map.
pub struct Map<N: Node> {
    root: AtomicPtr<Table<N>>,
    renewals: Tally,
    /// The map owns nodes and drops them on any thread.
    owns: PhantomData<N>,
}

/// Where a key is, or is not, in a bucket whose header was validated.
pub struct Seat<'g, N: Node> {
    table: Ref<'g, Table<N>>,
    bucket: usize,
    head: &'g Head,
    line: &'g Line<N>,
    header: Header,
    place: Place<'g, N>,
}

enum Place<'g, N: Node> {
    Absent,
    Slot(usize, Ref<'g, N>),
    Spilled { slot: usize, spill: Ref<'g, Spill<N>>, index: usize, node: Ref<'g, N> },
}

/// What a put did.
pub struct Put<'g, N: Node> {
    /// The node that was published.
    pub new: Ref<'g, N>,
    /// The node that it took the place of.
    pub old: Option<Unlinked<'g, N>>,
    /// Whether the bucket is fuller than the mean of a table that should grow.
    pub crowded: bool,
}

enum Looked<'g, N: Node> {
    Found(Ref<'g, N>),
    Absent,
    Moved(Ref<'g, Table<N>>),
}

impl<N: Node> Map<N> {
    /// A map with room for `entries` before it grows.
    pub fn with_capacity(entries: usize) -> Self {
        let root = Box::into_raw(Box::new(Table::empty(Self::buckets_for(entries))));
        reclaim::born(root);
        Map { root: AtomicPtr::new(root), renewals: Tally::default(), owns: PhantomData }
    }

    /// How often a table was left for one of the same size.
    pub fn renewals(&self) -> u64 {
        self.renewals.get()
    }

    #[inline]
    fn root<'g>(&self, guard: &'g Guard) -> Ref<'g, Table<N>> {
        // Ordering: Acquire [promote-table] with the Release of `promote`.
        let root = self.root.load(Ordering::Acquire);
        // SAFETY: the root is never null.
        let root = unsafe { NonNull::new_unchecked(root) };
        // SAFETY: E1: it is the root now, and is retired only after it was replaced.
        unsafe { reach(root, guard) }
    }

    /// The node with this hash for which `eq` holds.
    ///
    /// Lock-free; writes nothing. `eq` is called for nodes with an equal hash only.
    #[inline]
    pub fn find<'g>(&self, hash: u64, mut eq: impl FnMut(Ref<'g, N>) -> bool, guard: &'g Guard) -> Option<Ref<'g, N>> {
        let mut table = self.root(guard);
        loop {
            match look(&table, hash, &mut eq, guard) {
                Looked::Found(node) => return Some(node),
                Looked::Absent => return None,
                Looked::Moved(next) => table = next,
            }
        }
    }

    /// Asks the caches for what a find of this hash reads first.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64, guard: &Guard) {
        let table = self.root(guard);
        table.prefetch_bucket(table.index(hash));
        if let Some(next) = table.next(guard) {
            next.prefetch_bucket(next.index(hash));
        }
    }

    /// Asks the caches for these bytes of the nodes that a find of this hash looks at. Waits for the bucket, unless there is other work that the
    /// processor can do meanwhile.
    #[inline]
    pub fn prefetch_nodes(&self, hash: u64, parts: &[usize], guard: &Guard) {
        let mut table = self.root(guard);
        let mut bucket = table.index(hash);
        table.prefetch_line(bucket);
        // Ordering: Relaxed, here and below: a guess, on which nothing is built.
        let mut header = table.bucket(bucket).0.load(Ordering::Relaxed);
        if let Some(next) = moved_to(&table, header, hash, guard) {
            (table, bucket) = (next, next.index(hash));
            table.prefetch_line(bucket);
            header = table.bucket(bucket).0.load(Ordering::Relaxed);
        }
        let (head, line) = table.bucket(bucket);
        let tags = head.load_tags(Ordering::Relaxed);
        find_bit::<()>(tags.matching(Tags::tag(hash)) & header.nodes(), |slot| {
            let node = line.glance(slot).cast::<u8>();
            parts.iter().for_each(|&part| prefetch(node.wrapping_add(part)));
            None
        });
        if let Some(slot) = header.spill() {
            prefetch(line.glance(slot));
        }
    }

    /// Finds the seat of a key, to change it. Lock-free; may migrate the key's bucket.
    pub fn seek<'g>(&self, hash: u64, mut eq: impl FnMut(Ref<'g, N>) -> bool, guard: &'g Guard) -> Seat<'g, N> {
        let mut table = self.root(guard);
        loop {
            let bucket = table.index(hash);
            table.prefetch_line(bucket);
            let (head, line) = table.get().bucket(bucket);
            // Ordering: Acquire [publish-entry] with `advance`.
            let header = head.load(Ordering::Acquire);
            if header.is_frozen() {
                table = migrate(&table, bucket, guard);
                continue;
            }
            if let Some(place) = locate(header, head, line, hash, &mut eq, guard) {
                return Seat { table, bucket, head, line, header, place };
            }
        }
    }

    /// Publishes `node` on the seat, in place of what is there.
    ///
    /// # Errors
    ///
    /// Gives the node back if the bucket has changed since the seek: seek again.
    pub fn put<'g>(&self, seat: &Seat<'g, N>, node: Owned<N>, guard: &'g Guard) -> Result<Put<'g, N>, Owned<N>> {
        match seat.place {
            Place::Absent if seat.header.count() < PUBLISHED_MAX => {
                let new = self.publish(seat, node, 0, guard)?;
                Ok(Put { new, old: None, crowded: seat.is_crowded() })
            }
            Place::Absent => {
                let new = self.publish_spilling(seat, node, guard)?;
                Ok(Put { new, old: None, crowded: true })
            }
            Place::Slot(slot, old) => {
                let new = self.publish(seat, node, 1 << slot, guard)?;
                seat.line.vacate(slot);
                // SAFETY: N4: `publish` cleared the bit of `old` (M6).
                let old = unsafe { Unlinked::new(old, guard) };
                Ok(Put { new, old: Some(old), crowded: false })
            }
            Place::Spilled { slot, spill, index, node: old } => {
                let new = (node.hash(), node.pointer());
                let items = Spill::items(spill).iter().enumerate();
                let items = items.map(|(other, item)| if other == index { new } else { *item });
                if !self.publish_spill(seat, Spill::items(spill).len(), items, 1 << slot, guard) {
                    return Err(node);
                }
                retire_spill(spill);
                let new = node.publish(guard);
                // SAFETY: N4: the new spill no longer holds `old` (M6).
                let old = unsafe { Unlinked::new(old, guard) };
                Ok(Put { new, old: Some(old), crowded: false })
            }
        }
    }

    /// Removes what is on the seat. None if there is nothing, or the bucket has changed since the seek.
    pub fn cut<'g>(&self, seat: &Seat<'g, N>, guard: &'g Guard) -> Option<Unlinked<'g, N>> {
        let (header, head) = (seat.header, seat.head);
        let node = match seat.place {
            Place::Absent => return None,
            Place::Slot(slot, node) => {
                if !head.advance(header, header.changed(1 << slot, 0, header.spill())) {
                    return None;
                }
                seat.line.vacate(slot);
                node
            }
            Place::Spilled { slot, spill, index, node } => {
                let items = Spill::items(spill);
                let left = items.len() - 1;
                let done = if left == 0 {
                    let done = head.advance(header, header.changed(1 << slot, 0, None));
                    if done {
                        seat.line.vacate(slot);
                    }
                    done
                } else {
                    let items = items[..index].iter().chain(&items[index + 1..]).copied();
                    self.publish_spill(seat, left, items, 1 << slot, guard)
                };
                if !done {
                    return None;
                }
                retire_spill(spill);
                node
            }
        };
        // SAFETY: N4: this thread's header change unpublished the node (M6).
        Some(unsafe { Unlinked::new(node, guard) })
    }

    /// Claims a slot, publishes the node in it, and clears `clear` in the same step.
    fn publish<'g>(
        &self,
        seat: &Seat<'g, N>,
        node: Owned<N>,
        clear: u64,
        guard: &'g Guard,
    ) -> Result<Ref<'g, N>, Owned<N>> {
        let tag = Tags::tag(node.hash());
        // A slot that has the tag already need not be given it: one locked instruction less. Keys that are saved over and over come to have two
        // such slots each.
        // Ordering: Relaxed: which slot is taken does not matter.
        let preferred = seat.head.load_tags(Ordering::Relaxed).matching(tag);
        let Some(slot) = self.claim(seat, node.pointer().as_ptr(), preferred, guard) else { return Err(node) };
        seat.head.set_tag(slot, tag);
        let header = seat.header;
        if seat.head.advance(header, header.changed(clear, 1 << slot, header.spill())) {
            Ok(node.publish(guard))
        } else {
            seat.line.vacate(slot);
            Err(node)
        }
    }

    /// Publishes a spill in a fresh slot in place of the slots of `clear`, which hold a spill, entries that move
    /// there, or some that go.
    fn publish_spill(
        &self,
        seat: &Seat<'_, N>,
        length: usize,
        items: impl Iterator<Item = Item<N>>,
        clear: u64,
        guard: &Guard,
    ) -> bool {
        let word = Spill::into_word(length, items);
        let slot = self.claim(seat, word, 0, guard);
        let published = slot.is_some_and(|slot| {
            let header = seat.header.changed(clear, 1 << slot, Some(slot));
            seat.head.advance(seat.header, header)
        });
        if published {
            seat.vacate(clear);
        } else {
            slot.into_iter().for_each(|slot| seat.line.vacate(slot));
            // SAFETY: no header ever named its slot as the spill's, so nobody touched it (M5).
            unsafe { Spill::<N>::free(word.cast()) };
        }
        published
    }

    /// Adds a node to a bucket that has as many slots published as may be.
    #[cold]
    fn publish_spilling<'g>(
        &self,
        seat: &Seat<'g, N>,
        node: Owned<N>,
        guard: &'g Guard,
    ) -> Result<Ref<'g, N>, Owned<N>> {
        let added = (node.hash(), node.pointer());
        let header = seat.header;
        let slot = header.spill().unwrap_or(header.nodes().trailing_zeros() as usize);
        let word = seat.line.load(slot);
        // Ordering: Relaxed: as in `locate`.
        if seat.head.load(Ordering::Relaxed) != header {
            return Err(node);
        }
        let published = if header.spill().is_some() {
            // SAFETY: M5: the header was just validated.
            let spill = unsafe { Spill::reach(word, guard) };
            let items = Spill::items(spill);
            let length = items.len() + 1;
            let published = self.publish_spill(seat, length, items.iter().copied().chain([added]), 1 << slot, guard);
            if published {
                retire_spill(spill);
            }
            published
        } else {
            // SAFETY: M1, M3: a published slot holds a node's pointer, which is not null.
            let moved = unsafe { NonNull::new_unchecked(word) };
            // SAFETY: E1, M3: the header was just validated.
            let moved = unsafe { reach(moved, guard) };
            self.publish_spill(seat, 2, [(moved.hash(), moved.pointer()), added].into_iter(), 1 << slot, guard)
        };
        if published { Ok(node.publish(guard)) } else { Err(node) }
    }

    /// Visits the entries of some buckets, in hash order from `from` on; returns where to go on, or None at the end.
    /// `each` is told too whether the entry is in a spill: a visitor that removes many of those does so by
    /// [`cut_all`](Self::cut_all).
    ///
    /// A walk from 0 until None sees each entry that is present throughout exactly once, whatever is
    /// inserted, removed or grown meanwhile.
    pub fn visit<'g>(
        &self,
        from: u64,
        buckets: usize,
        guard: &'g Guard,
        mut each: impl FnMut(Ref<'g, N>, bool),
    ) -> Option<u64> {
        let table = self.root(guard);
        let first = table.index(from);
        let last = (first + buckets.max(1)).min(table.len()) - 1;
        for bucket in first..=last {
            table.prefetch_nodes(bucket + AHEAD);
            visit_bucket(&table, bucket, guard, &mut each);
        }
        table.after(last)
    }
}

impl<'g, N: Node> Seat<'g, N> {
    /// What is there.
    #[inline]
    pub fn node(&self) -> Option<Ref<'g, N>> {
        match self.place {
            Place::Absent => None,
            Place::Slot(_, node) | Place::Spilled { node, .. } => Some(node),
        }
    }

    /// Gives slots back that this thread unpublished.
    fn vacate(&self, slots: u64) {
        find_bit::<()>(slots, |slot| {
            self.line.vacate(slot);
            None
        });
    }

    fn is_crowded(&self) -> bool {
        self.header.count() as usize >= table::LOAD
    }
}

impl<N: Node> Drop for Map<N> {
    fn drop(&mut self) {
        let root = {
            let guard = reclaim::pin();
            self.finish_growth(&guard);
            self.root(&guard).pointer().as_ptr()
        };
        if N::IS_PLAIN {
            // SAFETY: `&mut self`: nobody else is in the map, and growth is finished.
            unsafe { free_whole::<N>(root) }
        } else {
            // SAFETY: E2, likewise.
            unsafe { reclaim::drop_alone(root, size_of::<Table<N>>(), free_whole::<N>) }
        }
    }
}

/// Frees a table and its nodes.
///
/// # Safety
///
/// Nobody else can reach the table, and it is not growing.
unsafe fn free_whole<N: Node>(root: *mut Table<N>) {
    // SAFETY: by the caller.
    let table = unsafe { &*root };
    // SAFETY: by the caller.
    unsafe { migrate::release_all(table) };
    // SAFETY: by the caller; it came from `Box::into_raw`.
    unsafe { free_table(root) };
}

impl<N: Node> fmt::Debug for Map<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").finish_non_exhaustive()
    }
}

/// One bucket's part of a find.
#[inline]
fn look<'g, N: Node>(
    table: &Table<N>,
    hash: u64,
    eq: &mut impl FnMut(Ref<'g, N>) -> bool,
    guard: &'g Guard,
) -> Looked<'g, N> {
    let bucket = table.index(hash);
    table.prefetch_line(bucket);
    let (head, line) = table.bucket(bucket);
    loop {
        // Ordering: Acquire [publish-entry] with `advance`.
        let header = head.load(Ordering::Acquire);
        if let Some(next) = moved_to(table, header, hash, guard) {
            return Looked::Moved(next);
        }
        match locate(header, head, line, hash, eq, guard) {
            Some(Place::Absent) => return Looked::Absent,
            Some(Place::Slot(_, node) | Place::Spilled { node, .. }) => return Looked::Found(node),
            None => {}
        }
    }
}

/// The table to which growth has moved what a bucket with this header holds of a hash. Frozen content is the truth until the destination is READY.
#[inline]
fn moved_to<'g, N: Node>(table: &Table<N>, header: Header, hash: u64, guard: &'g Guard) -> Option<Ref<'g, Table<N>>> {
    if !header.is_frozen() {
        return None;
    }
    let next = table.next(guard)?;
    // Ordering: Relaxed: the header is loaded anew there.
    let is_there = next.bucket(next.index(hash)).0.load(Ordering::Relaxed).is_ready();
    is_there.then_some(next)
}

/// Searches a bucket under one header; None if the header moved meanwhile.
#[inline]
fn locate<'g, N: Node>(
    header: Header,
    head: &Head,
    line: &Line<N>,
    hash: u64,
    eq: &mut impl FnMut(Ref<'g, N>) -> bool,
    guard: &'g Guard,
) -> Option<Place<'g, N>> {
    // Ordering: Relaxed: the loads before it are Acquire, so it cannot move before them; what it must not miss
    // is ordered by [recycle-slot].
    let is_valid = || head.load(Ordering::Relaxed) == header;
    // Ordering: Acquire [recycle-slot] with `set_tag`.
    // No model shows its Acquire: loom tries no stale header behind a relaxed load of the tags, though it does where `set_tag` is relaxed.
    let tags = head.load_tags(Ordering::Acquire);
    let mut matching = tags.matching(Tags::tag(hash)) & header.nodes();
    while matching != 0 {
        let slot = matching.trailing_zeros() as usize;
        matching &= matching - 1;
        let word = line.load(slot);
        if !is_valid() {
            return None;
        }
        // SAFETY: M1, M3: a published slot holds a node's pointer, which is not null.
        let pointer = unsafe { NonNull::new_unchecked(word) };
        // SAFETY: E1, M3: the header was just validated under `guard`.
        let node = unsafe { reach(pointer, guard) };
        if node.hash() == hash && eq(node) {
            return Some(Place::Slot(slot, node));
        }
    }
    if header.spill().is_some() {
        return locate_spilled(header, head, line, hash, eq, guard);
    }
    is_valid().then_some(Place::Absent)
}

#[cold]
fn locate_spilled<'g, N: Node>(
    header: Header,
    head: &Head,
    line: &Line<N>,
    hash: u64,
    eq: &mut impl FnMut(Ref<'g, N>) -> bool,
    guard: &'g Guard,
) -> Option<Place<'g, N>> {
    let slot = header.spill()?;
    let word = line.load(slot);
    if head.load(Ordering::Relaxed) != header {
        return None;
    }
    // SAFETY: M5: the header was just validated.
    let spill = unsafe { Spill::reach(word, guard) };
    for (index, &(other, pointer)) in Spill::items(spill).iter().enumerate() {
        if other == hash {
            // SAFETY: E1, M3: the spill was published at the validation, and so were its nodes.
            let node = unsafe { reach(pointer, guard) };
            if eq(node) {
                return Some(Place::Spilled { slot, spill, index, node });
            }
        }
    }
    Some(Place::Absent)
}

/// The nodes of a bucket under one header.
struct Snapshot<'g, N: Node> {
    slots: [Option<Ref<'g, N>>; bucket::SLOTS],
    spill: Option<Ref<'g, Spill<N>>>,
    guard: &'g Guard,
}

impl<'g, N: Node> Snapshot<'g, N> {
    /// Of a bucket that may change; None if it did.
    fn take(header: Header, head: &Head, line: &Line<N>, guard: &'g Guard) -> Option<Self> {
        let mut words = [core::ptr::null_mut(); bucket::SLOTS];
        find_bit::<()>(header.published(), |slot| {
            words[slot] = line.load(slot);
            None
        });
        if head.load(Ordering::Relaxed) != header {
            return None;
        }
        let mut slots = [None; bucket::SLOTS];
        find_bit::<()>(header.nodes(), |slot| {
            // SAFETY: E1, M3: the header was validated after the words were read.
            slots[slot] = NonNull::new(words[slot]).map(|word| unsafe { reach(word, guard) });
            None
        });
        // SAFETY: M5: as above.
        let spill = header.spill().map(|slot| unsafe { Spill::reach(words[slot], guard) });
        Some(Snapshot { slots, spill, guard })
    }

    /// Of a frozen bucket, whose header cannot change (G1).
    fn of_frozen(header: Header, line: &Line<N>, guard: &'g Guard) -> Self {
        let mut slots = [None; bucket::SLOTS];
        find_bit::<()>(header.nodes(), |slot| {
            // SAFETY: E1, M3: frozen content is reachable until the destinations are READY, and the caller saw one
            // that was not under this guard.
            slots[slot] = NonNull::new(line.load(slot)).map(|word| unsafe { reach(word, guard) });
            None
        });
        // SAFETY: M5, G5.
        let spill = header.spill().map(|slot| unsafe { Spill::reach(line.load(slot), guard) });
        Snapshot { slots, spill, guard }
    }

    fn nodes(&self) -> impl Iterator<Item = Ref<'g, N>> {
        self.slots.iter().flatten().copied().chain(self.spilled())
    }

    fn spilled(&self) -> impl Iterator<Item = Ref<'g, N>> {
        let spilled = self.spill.into_iter().flat_map(Spill::items);
        // SAFETY: E1, M3: the spill was published under the guard, and so were its nodes.
        spilled.map(|&(_, pointer)| unsafe { reach(pointer, self.guard) })
    }
}

/// Visits a bucket, in the next table as far as it has moved there.
fn visit_bucket<'g, N: Node>(
    table: &Table<N>,
    bucket: usize,
    guard: &'g Guard,
    each: &mut impl FnMut(Ref<'g, N>, bool),
) {
    let (head, line) = table.bucket(bucket);
    loop {
        // Ordering: Acquire [publish-entry].
        let header = head.load(Ordering::Acquire);
        if header.is_frozen() {
            // Moving it on is simpler than visiting a mixture of old and new, and has to be done anyway.
            let next = migrate(table, bucket, guard);
            let split = next.len() / table.len();
            for index in bucket * split..(bucket + 1) * split {
                visit_bucket(&next, index, guard, each);
            }
            return;
        }
        if let Some(snapshot) = Snapshot::take(header, head, line, guard) {
            snapshot.slots.iter().flatten().for_each(|&node| each(node, false));
            snapshot.spilled().for_each(|node| each(node, true));
            return;
        }
    }
}

fn retire_spill<N: Node>(spill: Ref<'_, Spill<N>>) {
    // SAFETY: E2, M6: the caller's header change unpublished it.
    unsafe { Spill::retire(spill.pointer().as_ptr()) }
}
