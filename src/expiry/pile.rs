//! A pile: the records of one tick. Lock-free, append-only until it is sealed, emptied chunk by chunk.
//!
//! ```text
//! Pile  tick | start | head 0 .. head 7          a head for each group of threads
//!                        |
//!                        v        next
//!                      Chunk  ----------> Chunk ---> null
//!                      cursor | 30 records
//! ```
//!
//! * **push** takes a place in the head's chunk by `fetch_add` and CASes the record into it; when the chunk is full,
//!   CASes a new chunk onto the head.
//! * **seal** sets a bit in every head: no chunk is added from then on.
//! * **take** pops a chunk of a sealed pile, reads its records, and swaps TAKEN into each place that has none. A late pusher's
//!   CAS fails, so it learns that it must file again: a record is taken or its pusher knows (P1).
//!
//! # Invariants
//!
//! * **P1** Each place goes from FREE to a record or to TAKEN, once, by CAS or swap.
//! * **P2** A sealed head only ever loses chunks; who pops a chunk retires it. `next` never changes.
//! * **P3** Chunks are touched under a guard pinned before they were read from a head or a `next`.
//!
//! # Orderings
//!
//! | label | release side | acquire side | carries |
//! |---|---|---|---|
//! | publish-chunk | the CAS of a head | load of the head | the chunk |
//! | file-versus-take | the CAS of a place | load and swap of a place | the entry's claim, made before |
//!
//! # Progress
//!
//! Lock-free; wait-free but for the CAS of a head. Rejected: `SegQueue` (32 records a block too, but its pop waits
//! for a pusher that has taken a place); one list node a record (24 bytes and an allocation each).

#![allow(unsafe_code)]

use core::ptr::{self, NonNull};

use crate::reclaim::{self, Guard, Kind, Ref, reach};
use crate::sync::{AtomicPtr, AtomicU64, AtomicUsize, Ordering, TINY};

const HEADS: usize = if TINY { 1 } else { 8 };

/// Records in a chunk.
pub const CHUNK: usize = if TINY { 2 } else { 30 };

const FREE: u64 = 0;
const TAKEN: u64 = 1;

/// Hashes below this stand for the states of a place; the engine makes none such.
pub const RECORD_MIN: u64 = 2;

/// The records under one tick.
#[derive(Debug)]
pub struct Pile {
    tick: u64,
    start: AtomicU64,
    heads: [AtomicPtr<Chunk>; HEADS],
}

#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct Chunk {
    next: *mut Chunk,
    #[cfg(loom)]
    witness: crate::sync::Witness,
    cursor: AtomicUsize,
    places: [AtomicU64; CHUNK],
}

/// What a push found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Push {
    /// The record stands.
    Done,
    /// The record stands, in a chunk that had to be allocated.
    DoneInNewChunk,
    /// The pile is sealed: file under another tick.
    Sealed,
}

impl Pile {
    /// An empty pile for a tick; `start` is the earliest time that one of its entries may be due.
    pub fn new(tick: u64, start: u64) -> Pile {
        Pile { tick, start: AtomicU64::new(start), heads: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())) }
    }

    /// Its tick.
    pub fn tick(&self) -> u64 {
        self.tick
    }

    /// No entry filed here was due at or before this time.
    pub fn start(&self) -> u64 {
        // Ordering: Relaxed: who missed a lower start filed after this glance.
        self.start.load(Ordering::Relaxed)
    }

    /// Adds a record. `lane` spreads threads over the heads.
    pub fn push(&self, record: u64, start: u64, lane: usize, guard: &Guard) -> Push {
        debug_assert!(record >= RECORD_MIN);
        // Ordering: Relaxed: an ordering error shows as a pile that is looked at by its tick only, a little later.
        if self.start.load(Ordering::Relaxed) > start {
            self.start.fetch_min(start, Ordering::Relaxed);
        }
        let head = &self.heads[lane % HEADS];
        loop {
            // Ordering: Acquire [publish-chunk].
            let top = head.load(Ordering::Acquire);
            if is_sealed(top) {
                return Push::Sealed;
            }
            if let Some(chunk) = NonNull::new(top) {
                // SAFETY: E1, P3: read from the head under `guard`.
                let chunk = unsafe { reach(chunk, guard) };
                match chunk.push(record) {
                    Some(true) => return Push::Done,
                    // A taker has been here: the pile is sealed.
                    Some(false) => return Push::Sealed,
                    None => {}
                }
            }
            let chunk = Box::new(Chunk::new(record, top));
            #[cfg(loom)]
            chunk.witness.write();
            let chunk = Box::into_raw(chunk);
            reclaim::born(chunk);
            // Ordering: Release [publish-chunk] carries the chunk and its first record.
            if head.compare_exchange(top, chunk, Ordering::Release, Ordering::Relaxed).is_ok() {
                return Push::DoneInNewChunk;
            }
            // SAFETY: it was never published.
            unsafe { free_chunk(chunk) };
        }
    }

    /// Whether it takes no more records.
    pub fn is_sealed(&self) -> bool {
        // Ordering: Relaxed: a glance; `push` finds out for sure.
        is_sealed(self.heads[0].load(Ordering::Relaxed))
    }

    /// Ends the adding of chunks. Idempotent.
    pub fn seal(&self) {
        for head in &self.heads {
            loop {
                // Ordering: Relaxed, both: nothing behind the pointer is touched here, and a read-modify-write goes on with the release
                // sequence of the chunk that it finds (C++20 [intro.races]), which [publish-chunk] began.
                let top = head.load(Ordering::Relaxed);
                if is_sealed(top)
                    || head.compare_exchange(top, sealed(top), Ordering::Relaxed, Ordering::Relaxed).is_ok()
                {
                    break;
                }
            }
        }
    }

    /// Pops a chunk of a sealed pile and appends its records to `records`; false if no chunk is left.
    pub fn take(&self, records: &mut Vec<u64>, guard: &Guard) -> bool {
        self.heads.iter().any(|head| {
            loop {
                // Ordering: Acquire [publish-chunk].
                let top = head.load(Ordering::Acquire);
                debug_assert!(is_sealed(top), "P2");
                let Some(pointer) = NonNull::new(unsealed(top)) else { return false };
                // SAFETY: E1, P3: read from the head under `guard`.
                let chunk = unsafe { reach(pointer, guard) };
                // Ordering: Relaxed: as in `seal`; the load has acquired this chunk, and all that were pushed before it.
                if head.compare_exchange(top, sealed(chunk.next()), Ordering::Relaxed, Ordering::Relaxed).is_err() {
                    continue;
                }
                chunk.take(records);
                // SAFETY: E2, P2: this CAS unlinked it.
                unsafe { reclaim::retire(pointer.as_ptr(), size_of::<Chunk>(), Kind::Plain, free_chunk) };
                return true;
            }
        })
    }
}

impl Drop for Pile {
    fn drop(&mut self) {
        for head in &self.heads {
            // Ordering: Relaxed: exclusive.
            let mut top = unsealed(head.load(Ordering::Relaxed));
            while !top.is_null() {
                // SAFETY: `&mut self`: the pile's chunks belong to nobody else.
                let next = unsafe { (*top).next };
                // SAFETY: as above.
                unsafe { free_chunk(top) };
                top = next;
            }
        }
    }
}

// SAFETY: chunks are shared only through atomics, and `next` never changes once a chunk is published.
unsafe impl Send for Chunk {}
// SAFETY: as above.
unsafe impl Sync for Chunk {}

impl Chunk {
    fn new(first: u64, next: *mut Chunk) -> Chunk {
        let places = core::array::from_fn(|index| AtomicU64::new(if index == 0 { first } else { FREE }));
        Chunk {
            next,
            #[cfg(loom)]
            witness: Default::default(),
            cursor: AtomicUsize::new(1),
            places,
        }
    }

    /// The chunk that was on the head before it.
    fn next(&self) -> *mut Chunk {
        #[cfg(loom)]
        self.witness.read();
        self.next
    }

    /// None if the chunk is full, false if its records have been taken.
    fn push(&self, record: u64) -> Option<bool> {
        // Ordering: Relaxed: a glance, so that a full chunk's cursor does not run on.
        if self.cursor.load(Ordering::Relaxed) >= CHUNK {
            return None;
        }
        // Ordering: Relaxed: only divides the places.
        let place = self.places.get(self.cursor.fetch_add(1, Ordering::Relaxed))?;
        // Ordering: Release [file-versus-take] with the Acquire of `take`.
        Some(place.compare_exchange(FREE, record, Ordering::Release, Ordering::Relaxed).is_ok())
    }

    /// For whoever popped it (P2), once: a second time would give the same records again.
    fn take(&self, records: &mut Vec<u64>) {
        for place in &self.places {
            // Ordering: Acquire, both [file-versus-take]: the sweeper sees the entry that the record stands for. Nothing is released: a late
            // pusher only learns that it is late. A record is final (P1), and only a place without one costs a locked instruction.
            // No model shows its Acquire: their reclaimer fences as the chunk is retired, before anyone looks at what was taken. The real one need not.
            let mut record = place.load(Ordering::Acquire);
            if record == FREE {
                record = place.swap(TAKEN, Ordering::Acquire);
            }
            if record >= RECORD_MIN {
                records.push(record);
            }
        }
    }
}

/// # Safety
///
/// `chunk` came from `Box::into_raw`, and nobody can reach it any more.
unsafe fn free_chunk(chunk: *mut Chunk) {
    reclaim::died(chunk);
    // SAFETY: by the caller.
    drop(unsafe { Box::from_raw(chunk) });
}

fn is_sealed(top: *mut Chunk) -> bool {
    top.addr() & 1 == 1
}

fn sealed(top: *mut Chunk) -> *mut Chunk {
    top.map_addr(|addr| addr | 1)
}

fn unsealed(top: *mut Chunk) -> *mut Chunk {
    top.map_addr(|addr| addr & !1)
}

/// A hint to a pile: see `ExpiryIndex::pile`.
#[derive(Debug)]
pub(super) struct Hint {
    pile: AtomicPtr<std::sync::Arc<Pile>>,
}

impl Hint {
    pub(super) fn none() -> Hint {
        Hint { pile: AtomicPtr::new(ptr::null_mut()) }
    }

    /// The pile it points to.
    #[inline]
    pub(super) fn get<'g>(&self, guard: &'g Guard) -> Option<Ref<'g, std::sync::Arc<Pile>>> {
        // Ordering: Acquire [publish-hint].
        let pile = NonNull::new(self.pile.load(Ordering::Acquire))?;
        // SAFETY: E1: read from the hint under `guard`; replaced boxes are retired.
        Some(unsafe { reach(pile, guard) })
    }

    /// Points it to a pile that is newer than what it points to, or open where that one is sealed.
    pub(super) fn set(&self, pile: &std::sync::Arc<Pile>, guard: &Guard) {
        let old = self.get(guard);
        if old.is_some_and(|old| old.tick() >= pile.tick() && !old.is_sealed()) {
            return;
        }
        let old = old.map_or(ptr::null_mut(), |old| old.pointer().as_ptr());
        let new = Box::into_raw(Box::new(pile.clone()));
        reclaim::born(new);
        // Ordering: Release [publish-hint] carries the box and the pile.
        match self.pile.compare_exchange(old, new, Ordering::Release, Ordering::Relaxed) {
            // SAFETY: E2: this CAS unlinked it.
            Ok(old) if !old.is_null() => unsafe {
                reclaim::retire(old, size_of::<std::sync::Arc<Pile>>(), Kind::Plain, free_hint)
            },
            Ok(_) => {}
            // SAFETY: it was never published.
            Err(_) => unsafe { free_hint(new) },
        }
    }
}

impl Drop for Hint {
    fn drop(&mut self) {
        // Ordering: Relaxed: exclusive.
        let pile = self.pile.load(Ordering::Relaxed);
        if !pile.is_null() {
            // SAFETY: `&mut self`.
            unsafe { free_hint(pile) }
        }
    }
}

/// # Safety
///
/// `hint` came from `Box::into_raw`, and nobody can reach it any more.
unsafe fn free_hint(hint: *mut std::sync::Arc<Pile>) {
    reclaim::died(hint);
    // SAFETY: by the caller.
    drop(unsafe { Box::from_raw(hint) });
}

#[cfg(all(test, not(any(loom, shuttle, fleeting_tiny))))]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn records(pile: &Pile) -> Vec<u64> {
        let (mut records, guard) = (Vec::new(), reclaim::pin());
        let mut chunks = 0;
        while pile.take(&mut records, &guard) {
            chunks += 1;
            assert!(records.len() <= CHUNK * chunks && chunks < 100, "{records:?}");
        }
        records.sort_unstable();
        records
    }

    /// Catches records that are lost, or found twice, whatever head they were pushed to; and chunks that are larger or smaller than they are said to be.
    #[test]
    fn what_is_pushed_is_taken_once() {
        let (pile, guard) = (Pile::new(7, 100), reclaim::pin());
        let mut new_chunks = 0;
        for record in 0..1_000 {
            let push = pile.push(RECORD_MIN + record, 100, record as usize % 11, &guard);
            new_chunks += usize::from(push == Push::DoneInNewChunk);
            assert_ne!(push, Push::Sealed);
        }
        assert!((1_000 / CHUNK..=1_000 / CHUNK + HEADS).contains(&new_chunks), "{new_chunks}");
        assert!(!pile.is_sealed());
        pile.seal();
        pile.seal();
        assert!(pile.is_sealed());
        let taken = records(&pile);
        assert_eq!(taken, (RECORD_MIN..RECORD_MIN + 1_000).collect::<Vec<_>>());
        assert_eq!(records(&pile), [], "it is empty");
        // Every head is sealed, also one that nothing was pushed to.
        assert!((0..16).all(|lane| pile.push(5, 100, lane, &guard) == Push::Sealed));
        assert_eq!(pile.tick(), 7);
    }

    /// Catches a place that is filled after it was taken: the record would be lost.
    #[test]
    fn a_chunk_that_was_taken_takes_no_more() {
        let (pile, guard) = (Pile::new(7, 100), reclaim::pin());
        assert_eq!(pile.push(5, 100, 0, &guard), Push::DoneInNewChunk);
        assert_eq!(pile.push(6, 100, 0, &guard), Push::Done);
        // As a taker does that met the chunk in a sealed head, seen by a pusher who loaded the head before.
        let top = NonNull::new(pile.heads[0].load(Ordering::Acquire)).expect("a chunk");
        // SAFETY: E1, P3: read from the head under `guard`.
        let chunk = unsafe { reach(top, &guard) };
        let mut taken = Vec::new();
        chunk.take(&mut taken);
        assert_eq!(taken, [5, 6]);
        assert_eq!(chunk.push(7), Some(false));
        assert_eq!(pile.push(8, 100, 0, &guard), Push::Sealed);
        for _ in 0..CHUNK - 4 {
            assert_eq!(chunk.push(9), Some(false));
        }
        assert_eq!(chunk.push(10), None, "full");
        let places = chunk.places.each_ref().map(|place| place.load(Ordering::Relaxed));
        assert_eq!(places[..2], [5, 6]);
        assert!(places[2..].iter().all(|&place| place == TAKEN), "{places:?}");
    }

    /// Catches a pile that an exact sweep passes over, or looks at for nothing.
    #[test]
    fn a_pile_starts_at_the_earliest_of_its_records() {
        let (pile, guard) = (Pile::new(700, 100), reclaim::pin());
        for (start, expected) in [(100, 100), (200, 100), (50, 50), (51, 50)] {
            pile.push(5, start, 0, &guard);
            assert_eq!(pile.start(), expected);
        }
    }

    /// Catches a hint that goes back, sticks to a sealed pile, or keeps a pile for ever.
    #[test]
    fn a_hint_points_to_the_newest_open_pile() {
        let _alone = reclaim::tests::alone();
        let piles = [10, 20, 30].map(|tick| Arc::new(Pile::new(tick, 0)));
        let guard = reclaim::pin();
        let hint = Hint::none();
        let tick = || hint.get(&guard).map(|pile| pile.tick());
        assert_eq!(tick(), None);
        for (set, expected) in [(1, 20), (0, 20), (1, 20), (2, 30), (1, 30)] {
            hint.set(&piles[set], &guard);
            assert_eq!(tick(), Some(expected));
        }
        assert_eq!(piles.each_ref().map(Arc::strong_count), [1, 2, 2], "a box for each that it has pointed to");
        piles[2].seal();
        hint.set(&piles[0], &guard);
        assert_eq!(tick(), Some(10));
        drop(hint);
        assert_eq!(Arc::strong_count(&piles[0]), 1);
        drop(guard);
        for _ in 0..1_000_000 {
            if piles.iter().all(|pile| Arc::strong_count(pile) == 1) {
                return;
            }
            reclaim::flush();
            std::thread::yield_now();
        }
        panic!("a box of the hint is never freed");
    }
}
