//! A table: a power of two of buckets, in two arrays, and the link to the table that replaces it.
//!
//! Its arrays are [zeroes](super::zeroed) from the allocator, which are a bucket that is not filled: making a table
//! costs the same at every size, and its memory comes page by page as buckets are filled.
//!
//! A bucket is chosen by the **top** bits of the hash, so that doubling splits bucket `b` into `2b` and
//! `2b + 1`: a walk in bucket order is a walk in hash order, at every size. That is what lets a visitor go on
//! in a larger table, and what makes migration run through both tables forwards.

#![allow(unsafe_code)]

use core::ptr::{self, NonNull};

use crossbeam_utils::CachePadded;

#[cfg(any(test, loom, shuttle))]
use super::bucket::SLOTS;
use super::bucket::{Head, Header, Line, Tags, find_bit};
use super::node::Node;
#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
use super::zeroed::{Zeroed, empty_piece};
use crate::prefetch::prefetch;
use crate::reclaim::{self, Guard, Kind, Ref, reach};
use crate::sync::{AtomicPtr, AtomicUsize, Ordering, TINY};

/// Buckets of the smallest table.
pub const BUCKETS_MIN: usize = if TINY { 2 } else { 8 };

/// How many buckets ahead nodes are asked for.
pub const AHEAD: usize = 8;

/// Mean entries a bucket above which a table grows.
pub const LOAD: usize = 4;

/// Bytes from which on it takes long to give memory back to the system.
const LARGE: usize = 1 << 20;

/// A table of buckets.
#[derive(Debug)]
pub struct Table<N> {
    shift: u32,
    heads: Array<Head>,
    lines: Array<Line<N>>,
    next: AtomicPtr<Table<N>>,
    /// Apart from what every look-up reads.
    pub growth: CachePadded<Growth>,
}

/// A table's array: a mapping of the system's whose pages come as they are used. Models construct each element.
#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
type Array<T> = Zeroed<T>;
#[cfg(any(loom, shuttle, fleeting_hooked))]
type Array<T> = Box<[T]>;

/// How far growth has come.
#[derive(Debug)]
pub struct Growth {
    /// How many threads have announced that they make the next table.
    announced: AtomicUsize,
    /// The next bucket that nobody has taken to migrate.
    pub claimed: AtomicUsize,
    /// All buckets below are known to be migrated.
    pub verified: AtomicUsize,
}

impl<N: Node> Table<N> {
    /// A table that growth will fill.
    pub fn unset(buckets: usize) -> Table<N> {
        debug_assert!(buckets.is_power_of_two() && buckets >= 2);
        Table {
            shift: u64::BITS - buckets.trailing_zeros(),
            heads: unset_heads(buckets),
            lines: unset_lines(buckets),
            next: AtomicPtr::new(ptr::null_mut()),
            growth: CachePadded::new(Growth {
                announced: AtomicUsize::new(0),
                claimed: AtomicUsize::new(0),
                verified: AtomicUsize::new(0),
            }),
        }
    }

    /// A table without entries, ready for use.
    pub fn empty(buckets: usize) -> Table<N> {
        let table = Table::unset(buckets);
        for head in table.heads.iter() {
            head.fill_tags(Tags::NONE);
            head.fill(Header::ready(0, None));
        }
        table
    }

    /// Number of buckets.
    #[inline]
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Bytes of its arrays.
    pub fn bytes(&self) -> usize {
        self.len() * (size_of::<Head>() + size_of::<Line<N>>())
    }

    /// How it is freed: a large one by somebody who has the time.
    pub fn kind(&self) -> Kind {
        if self.bytes() < LARGE { Kind::Plain } else { Kind::Large }
    }

    /// The parts of its arrays that can be given back one by one.
    fn pieces(&self) -> impl Iterator<Item = *mut ()> + use<N> {
        #[cfg(not(any(loom, shuttle, fleeting_hooked)))]
        return self.heads.pieces().chain(self.lines.pieces());
        #[cfg(any(loom, shuttle, fleeting_hooked))]
        return core::iter::empty();
    }

    /// The bucket of a hash.
    #[inline]
    pub fn index(&self, hash: u64) -> usize {
        (hash >> self.shift) as usize
    }

    /// The lowest hash of a bucket's successor; None after the last.
    pub fn after(&self, bucket: usize) -> Option<u64> {
        (bucket + 1 < self.len()).then(|| (bucket as u64 + 1) << self.shift)
    }

    /// A bucket, by a number that `index` returned.
    #[inline]
    pub fn bucket(&self, index: usize) -> (&Head, &Line<N>) {
        debug_assert!(index < self.len());
        // SAFETY: T1: `index` shifts a hash down to as many bits as the number of buckets has, and growth
        // derives its numbers from those: always below `len`, and both arrays have `len` elements.
        let head = unsafe { self.heads.get_unchecked(index) };
        // SAFETY: T1.
        let line = unsafe { self.lines.get_unchecked(index) };
        (head, line)
    }

    /// Asks for the slot line while the head is being read.
    #[inline]
    pub fn prefetch_line(&self, index: usize) {
        prefetch(self.bucket(index).1);
    }

    /// Asks for all of a bucket.
    #[inline]
    pub fn prefetch_bucket(&self, index: usize) {
        let (head, line) = self.bucket(index);
        prefetch(head);
        prefetch(line);
    }

    /// Asks for the first line of a bucket's nodes, if there is such a bucket: for whoever goes through the table, [`AHEAD`] of where it is.
    pub fn prefetch_nodes(&self, index: usize) {
        if index >= self.len() {
            return;
        }
        let (head, line) = self.bucket(index);
        // Ordering: Relaxed: a guess, on which nothing is built.
        find_bit::<()>(head.load(Ordering::Relaxed).nodes(), |slot| {
            prefetch(line.glance(slot));
            None
        });
    }

    /// Claims every free slot of a bucket: threads that are stopped before they publish. For models and tests.
    #[cfg(any(test, loom, shuttle))]
    pub fn stop_claiming(&self, bucket: usize) {
        let (head, line) = self.bucket(bucket);
        let published = head.load(Ordering::Relaxed).published();
        for slot in (0..SLOTS).filter(|slot| published >> slot & 1 == 0) {
            assert!(line.claim(slot, ptr::without_provenance_mut(64)));
        }
    }

    /// The table that replaces this one, once growth has begun.
    #[inline]
    pub fn next<'g>(&self, guard: &'g Guard) -> Option<Ref<'g, Table<N>>> {
        // Ordering: Acquire [publish-table] with the Release of `link`.
        let next = NonNull::new(self.next.load(Ordering::Acquire))?;
        // SAFETY: E1: a table is retired after its predecessor was unlinked from the root, and the caller
        // reached the predecessor under this guard.
        Some(unsafe { reach(next, guard) })
    }

    /// How many threads have announced that they make the next table.
    pub fn announced(&self) -> usize {
        // Ordering: Relaxed [announce-growth]: an announcement carries nothing, and nothing is built on there being
        // none: `announce` decides.
        self.growth.announced.load(Ordering::Relaxed)
    }

    /// Announces that this thread makes the next table; false if there have been other announcements than these
    /// `known` ones. Before the table is allocated: whoever finds that another has announced goes on without, and
    /// allocates nothing.
    pub fn announce(&self, known: usize) -> bool {
        // Ordering: Relaxed [announce-growth]: each number of announcements is left once, so one thread makes each.
        self.growth.announced.compare_exchange(known, known + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Begins the growth into `next`; false if another thread has begun one.
    pub fn link(&self, next: Box<Table<N>>) -> bool {
        let next = Box::into_raw(next);
        reclaim::born(next);
        // Ordering: Release [publish-table] carries the arrays.
        let is_first = self.next.compare_exchange(ptr::null_mut(), next, Ordering::Release, Ordering::Relaxed).is_ok();
        if !is_first {
            // SAFETY: the CAS failed, so nobody else ever saw it.
            unsafe { free_table(next) }
        }
        is_first
    }
}

/// Models' tables have no pieces.
#[cfg(any(loom, shuttle, fleeting_hooked))]
unsafe fn empty_piece(_piece: *mut ()) {}

/// Retires a table that growth has left. A large one in pieces, by somebody who has the time.
///
/// # Safety
///
/// E2, for the table.
pub unsafe fn retire_table<N: Node>(table: Ref<'_, Table<N>>) {
    let pointer = table.pointer().as_ptr();
    match table.kind() {
        // SAFETY: E2, by the caller; Z3: the pieces are emptied before the table is freed.
        Kind::Large => unsafe {
            reclaim::retire_in_pieces(pointer, table.bytes(), free_table::<N>, table.pieces(), empty_piece);
        },
        // SAFETY: E2, by the caller.
        kind => unsafe { reclaim::retire(pointer, table.bytes(), kind, free_table::<N>) },
    }
}

/// Frees a table, not its nodes.
///
/// # Safety
///
/// `table` came from `Box::into_raw`, and nobody can reach it any more.
pub unsafe fn free_table<N>(table: *mut Table<N>) {
    reclaim::died(table);
    // SAFETY: by the caller.
    drop(unsafe { Box::from_raw(table) });
}

#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
fn unset_heads(buckets: usize) -> Array<Head> {
    // SAFETY: Z1: all-zero bytes are valid atomics.
    unsafe { Zeroed::new(buckets) }
}

#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
fn unset_lines<N>(buckets: usize) -> Array<Line<N>> {
    // SAFETY: Z1: all-zero bytes are valid atomics: null pointers, which is UNSET.
    unsafe { Zeroed::new(buckets) }
}

#[cfg(any(loom, shuttle, fleeting_hooked))]
fn unset_heads(buckets: usize) -> Array<Head> {
    (0..buckets).map(|_| Head::unset()).collect()
}

#[cfg(any(loom, shuttle, fleeting_hooked))]
fn unset_lines<N>(buckets: usize) -> Array<Line<N>> {
    (0..buckets).map(|_| Line::unset()).collect()
}
