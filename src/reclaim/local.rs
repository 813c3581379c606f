//! What one thread has for reclamation: its handle of the collector, the batch that it gathers, what it frees, and its pool of memory.
//!
//! One thread-local word leads to all of it. The word has no destructor, so that reading it is one load; a second thread-local, which
//! nothing reads, ends the block when the thread does. A thread that uses a cache after that (in the destructor of a thread-local of the
//! user's) pins by a handle of its own for each call, and hands over at once what it retires.
//!
//! See [`reclaim`](super) for the life of a retired object.

#![allow(unsafe_code)]

use core::ptr;
use std::cell::{Cell, RefCell};

use super::Kind;
use super::collector::{Guard, LocalHandle, collector};
use super::inbox::Parcel;
use super::pool::Pool;
use super::shelf::{self, Batch, Chain, Retired, Shelf, hand_over};

/// Plain objects of a batch: as many as the collector handles at once.
const BATCH: usize = 64;

/// Objects with a `Drop` of a batch: fewer, since nobody knows how much memory a value holds.
const BATCH_OF_DROPS: usize = 16;

/// Objects of a bulk, whoever removes them.
const BULK_MAX: usize = 4_096;

/// Bytes of a batch, but for its last object.
const BATCH_BYTES: usize = 64 << 10;

/// Plain objects that are freed for each one that is retired: more than one, so that what came back in a burst does not stay.
const STEP: usize = 2;

/// Objects that are dropped at one safe point of a change: more than it can have retired, and few, so that no change takes long.
const DROPS_AT_ONCE: usize = 8;

/// How often a thread lets others run at one safe point, while too much waits for a thread that is pinned.
const YIELDS: usize = 16;

/// Flushes after which what was retired before the first has come back, if no thread is pinned.
const EPOCHS: usize = 4;

/// Rounds of dropping what has come back, each of which may retire more: a `Drop` that goes on for ever must not keep a thread for ever.
const ROUNDS: usize = 64;

/// One thread's part in reclamation.
#[derive(Debug)]
pub struct Local {
    handle: LocalHandle,
    shelf: &'static Shelf,
    /// Plain objects that are not handed over yet.
    filling: RefCell<Batch>,
    /// Plain objects that came back, and are freed a few at a time.
    freeing: RefCell<Chain>,
    /// What a bulk removal retires, of whatever kind.
    pub(super) bulk: RefCell<Batch>,
    pub(super) is_bulk: Cell<bool>,
    /// Whether it has handed something over, and should look, at the next safe point, whether too much waits.
    is_hasty: Cell<bool>,
    /// Whose objects it looks after next: those of a thread that has none of its own safe points.
    neighbour: Cell<usize>,
    /// Whether it has retired a table that is not freed yet, and no janitor runs.
    owes_table: Cell<bool>,
    pub(super) pool: Pool,
}

/// Marks a thread whose block has been freed.
const ENDED: *const Local = ptr::without_provenance(1);

std::thread_local! {
    /// `block-alive`.
    static BLOCK: Cell<*const Local> = const { Cell::new(ptr::null()) };

    /// Whether this thread is dropping something for the library. Without a destructor, so that it holds until the thread's very end.
    static IS_DROPPING: Cell<bool> = const { Cell::new(false) };

    static HELD: Held = const { Held };
}

/// Ends the thread's block as the thread ends.
struct Held;

impl Drop for Held {
    fn drop(&mut self) {
        if with(Local::finish).is_some() {
            let block = BLOCK.replace(ENDED);
            // SAFETY: `block-alive`: it came from `Box::into_raw`, and the thread's pointer has just been set to the mark.
            drop(unsafe { Box::from_raw(block.cast_mut()) });
        }
    }
}

/// Runs `f` on the thread's block; None if the thread's block is gone.
#[inline]
pub fn with<R>(f: impl FnOnce(&Local) -> R) -> Option<R> {
    let mut block = BLOCK.get();
    if block.is_null() {
        block = begin();
    }
    if ptr::eq(block, ENDED) {
        return None;
    }
    // SAFETY: `block-alive`: neither null nor the mark; nothing frees it within `f`, since the thread does not end there.
    Some(f(unsafe { &*block }))
}

#[cold]
fn begin() -> *const Local {
    let has_end = HELD.try_with(|_| ()).is_ok();
    let block: *const Local = if has_end { Box::into_raw(Box::new(Local::new())) } else { ENDED };
    BLOCK.set(block);
    block
}

/// Pins the thread: what it can reach from now on stays allocated until the guard is dropped. Runs no code of the user's.
#[inline]
pub fn pin() -> Guard {
    with(|local| local.handle.pin()).unwrap_or_else(pin_without_block)
}

#[cold]
fn pin_without_block() -> Guard {
    collector().register().pin()
}

/// Frees an object of so many bytes once no guard of now can reach it.
///
/// # Safety
///
/// E2; and `free` runs no code of the user's unless `kind` says so.
#[inline]
pub unsafe fn retire<T: 'static>(pointer: *mut T, bytes: usize, kind: Kind, free: unsafe fn(*mut T)) {
    let retired = Retired::new(pointer, free);
    if with(|local| local.retire(retired, bytes, kind)).is_none() {
        // SAFETY: E2, by the caller.
        unsafe { retire_without_block(retired, bytes, kind) }
    }
}

/// Frees a large object once no guard of now can reach it: first its `pieces`, one by one, by `free_piece`, and then the rest.
///
/// # Safety
///
/// E2, for the object and for its pieces, which are parts of it. Neither `free` nor `free_piece` runs code of the user's.
pub unsafe fn retire_in_pieces<T: 'static>(
    pointer: *mut T,
    bytes: usize,
    free: unsafe fn(*mut T),
    pieces: impl Iterator<Item = *mut ()>,
    free_piece: unsafe fn(*mut ()),
) {
    let mut batch = Batch::default();
    batch.push(Retired::new(pointer, free), bytes);
    // Freed from the end.
    pieces.for_each(|piece| batch.push(Retired::new(piece, free_piece), 0));
    shelf::expect_tables(batch.len());
    with(|local| local.owes_table.set(true));
    // SAFETY: E2, by the caller.
    unsafe { hand_over(Parcel::new(batch), Kind::Large, shelf::own_shelf(), &pin()) }
}

/// # Safety
///
/// E2, for the object.
#[cold]
unsafe fn retire_without_block(retired: Retired, bytes: usize, kind: Kind) {
    let mut batch = Batch::default();
    batch.push(retired, bytes);
    // SAFETY: E2, by the caller.
    unsafe { hand_over(Parcel::new(batch), kind, shelf::own_shelf(), &pin()) }
}

/// Drops an object that no other thread has ever seen, as if its grace period were over: at the next safe point.
///
/// # Safety
///
/// E2, and nobody can reach the object.
pub unsafe fn drop_later<T: 'static>(pointer: *mut T, bytes: usize, free: unsafe fn(*mut T)) {
    let mut batch = Batch::default();
    batch.push(Retired::new(pointer, free), bytes);
    shelf::own_shelf().drops.push(Parcel::new(batch));
}

/// Frees something large that holds objects with a `Drop`, and that no other thread can reach: now, or, within another such drop or under a pin, at the
/// next safe point.
///
/// # Safety
///
/// E2, and nobody can reach the object.
pub unsafe fn drop_alone<T: 'static>(pointer: *mut T, bytes: usize, free: unsafe fn(*mut T)) {
    if !is_calm() {
        // SAFETY: by the caller.
        unsafe { drop_later(pointer, bytes, free) };
        return;
    }
    let _alone = Alone::begin();
    // SAFETY: by the caller; `drops-alone`: a calm thread drops nothing else.
    unsafe { free(pointer) }
}

/// Returns whether the thread is not pinned, and does not drop anything for the library: whether it may wait for another one.
pub fn is_calm() -> bool {
    !IS_DROPPING.get() && with(|local| !local.handle.is_pinned()).unwrap_or(true)
}

/// Drops what has come back to this thread, a few objects; lets other threads run while too much waits for one that is pinned.
///
/// Called at the end of each change of a cache. Does nothing while the thread is pinned, or within a `Drop` that the library runs.
#[inline]
pub fn safe_point() {
    with(|local| {
        if !local.shelf.drops.is_empty() || local.is_hasty.get() || local.owes_table.get() {
            local.safe_point();
        }
    });
}

/// Gives back what this thread holds, and frees everything that any thread has retired, as far as no pinned thread is in the way.
pub fn flush() {
    with(Local::gather_all);
    if !is_calm() {
        flush_collector();
        return;
    }
    for _ in 0..ROUNDS {
        collect_pending();
        bring_back();
        let freed = free_returned();
        with(Local::gather_all);
        if !freed {
            break;
        }
    }
    with(|local| local.pool.drain());
}

/// Does for all threads what an idle one cannot do: hands over what they hold back, drops what has come back to them, frees tables.
///
/// Called at the end of each sweep, and when a cache has been dropped.
pub fn maintain() {
    with(Local::gather_all);
    if !is_calm() {
        return;
    }
    collect_pending();
    bring_back();
    drop_returned();
    shelf::free_tables();
}

/// Hands over what all threads hold back.
fn collect_pending() {
    let guard = pin();
    for shelf in shelf::shelves() {
        if let Some(batch) = shelf.pending.take() {
            // SAFETY: E2: `retire` was called for each object of it.
            unsafe { hand_over(batch, Kind::Drops, shelf, &guard) }
        }
    }
}

/// Has the collector bring back what can come back.
pub(super) fn flush_collector() {
    pin().flush();
}

/// Has the collector bring back all that was retired before, as far as no other thread is pinned.
pub(super) fn bring_back() {
    (0..EPOCHS).for_each(|_| flush_collector());
}

/// Drops what has come back, whosever it was; false if there was nothing, or this thread may not.
fn drop_returned() -> bool {
    let mut dropped = false;
    for shelf in shelf::shelves() {
        dropped |= drop_some(shelf, usize::MAX) > 0;
    }
    dropped
}

/// Frees all that has come back; false if there was nothing.
fn free_returned() -> bool {
    let dropped = drop_returned();
    let mut freed = dropped;
    for shelf in shelf::shelves() {
        let mut chain = Chain::default();
        while let Some(retired) = shelf.next_plain(&mut chain) {
            freed = true;
            // SAFETY: E2: its grace period is over.
            unsafe { retired.free() }
        }
    }
    shelf::free_tables();
    freed
}

/// Drops so many objects that have come back to a shelf, one after the other, and returns how many.
pub(super) fn drop_some(shelf: &Shelf, most: usize) -> usize {
    if shelf.drops.is_empty() {
        return 0;
    }
    let Some(_alone) = Alone::begin() else { return 0 };
    /// Puts what is left back, whatever happens.
    struct Rest<'s>(Chain, &'s Shelf);
    impl Drop for Rest<'_> {
        fn drop(&mut self) {
            if let Some(parcels) = std::mem::take(&mut self.0).into_parcels() {
                self.1.drops.push(parcels);
            }
        }
    }
    let (mut rest, mut dropped) = (Rest(Chain::default(), shelf), 0);
    while dropped < most {
        let next = rest.0.pop().or_else(|| {
            rest.0.add(shelf.drops.take());
            rest.0.pop()
        });
        let Some(retired) = next else { break };
        dropped += 1;
        // SAFETY: E2: its grace period is over; `drops-alone`: `Alone` has just begun.
        unsafe { retired.free() }
    }
    dropped
}

/// Upholds `drops-alone` as long as it lives.
struct Alone(());

impl Alone {
    fn begin() -> Option<Alone> {
        (!IS_DROPPING.replace(true)).then(|| Alone(()))
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        IS_DROPPING.set(false);
    }
}

impl Local {
    fn new() -> Local {
        Local {
            handle: collector().register(),
            shelf: shelf::own_shelf(),
            filling: RefCell::default(),
            freeing: RefCell::default(),
            bulk: RefCell::default(),
            is_bulk: Cell::new(false),
            is_hasty: Cell::new(false),
            neighbour: Cell::new(0),
            owes_table: Cell::new(false),
            pool: Pool::default(),
        }
    }

    #[inline]
    fn retire(&self, retired: Retired, bytes: usize, kind: Kind) {
        if self.is_bulk.get() {
            self.bulk.borrow_mut().push(retired, bytes);
            // A listener may do much within one piece of a sweep.
            self.hand_over_bulk(BULK_MAX);
        } else if kind == Kind::Plain {
            self.retire_plain(retired, bytes);
        } else {
            self.retire_drop(retired, bytes);
        }
    }

    #[inline]
    fn retire_plain(&self, retired: Retired, bytes: usize) {
        let mut filling = self.filling.borrow_mut();
        filling.push(retired, bytes);
        let is_full = filling.len() >= BATCH || filling.bytes() >= BATCH_BYTES;
        drop(filling);
        if is_full {
            self.hand_over_filling(Batch::with_capacity(BATCH));
        }
        for _ in 0..STEP {
            let next = self.shelf.next_plain(&mut self.freeing.borrow_mut());
            let Some(next) = next else { break };
            // SAFETY: E2: its grace period is over.
            unsafe { next.free() }
        }
    }

    fn retire_drop(&self, retired: Retired, bytes: usize) {
        let is_full = |batch: &Batch| batch.len() >= BATCH_OF_DROPS || batch.bytes() >= BATCH_BYTES;
        if let Some(batch) = self.shelf.gather(retired, bytes, is_full) {
            // SAFETY: E2: `retire` was called for each object of it.
            unsafe { self.hand_over(batch, Kind::Drops) }
        }
    }

    /// # Safety
    ///
    /// E2, for each object of the batch.
    #[cold]
    pub(super) unsafe fn hand_over(&self, batch: Box<Parcel<Batch>>, kind: Kind) {
        // SAFETY: E2, by the caller.
        unsafe { hand_over(batch, kind, self.shelf, &self.handle.pin()) };
        self.is_hasty.set(true);
    }

    #[cold]
    fn hand_over_filling(&self, next: Batch) {
        let batch = self.filling.replace(next);
        if batch.len() > 0 {
            // SAFETY: E2: `retire` was called for each object of it.
            unsafe { self.hand_over(Parcel::new(batch), Kind::Plain) }
        }
    }

    /// Hands over all that this thread has retired.
    fn gather_all(&self) {
        self.hand_over_filling(Batch::default());
        self.hand_over_bulk(1);
        if let Some(batch) = self.shelf.pending.take() {
            // SAFETY: E2: `retire` was called for each object of it.
            unsafe { self.hand_over(batch, Kind::Drops) }
        }
        // What has come back to it is freed, to the end.
        let mut freeing = self.freeing.take();
        while let Some(next) = self.shelf.next_plain(&mut freeing) {
            // SAFETY: E2: its grace period is over.
            unsafe { next.free() }
        }
    }

    /// Hands the bulk over if it has so many objects; false if it has not.
    pub(super) fn hand_over_bulk(&self, length: usize) -> bool {
        if self.bulk.borrow().len() < length {
            return false;
        }
        let next = if self.is_bulk.get() { Batch::with_capacity(length) } else { Batch::default() };
        let batch = self.bulk.replace(next);
        if batch.len() == 0 {
            return false;
        }
        // As objects with a `Drop`, whatever they are: they come back to this thread without a limit.
        // SAFETY: E2: `retire` was called for each object of it.
        unsafe { self.hand_over(Parcel::new(batch), Kind::Drops) };
        true
    }

    #[cold]
    fn safe_point(&self) {
        if self.handle.is_pinned() || IS_DROPPING.get() {
            return;
        }
        if self.is_hasty.take() {
            for _ in 0..YIELDS {
                if !shelf::is_crowded() {
                    break;
                }
                std::thread::yield_now();
                flush_collector();
            }
            let neighbour = self.neighbour.get();
            self.neighbour.set(neighbour.wrapping_add(1));
            drop_some(shelf::shelf(neighbour), DROPS_AT_ONCE);
        }
        drop_some(self.shelf, DROPS_AT_ONCE);
        if self.owes_table.get() {
            // Until the last piece is freed, it looks again after each change.
            self.owes_table.set(!shelf::free_a_piece_for_changes());
        }
    }

    /// Gives everything back as the thread ends. The block still works: what is dropped here may use a cache.
    fn finish(&self) {
        for _ in 0..ROUNDS {
            self.gather_all();
            bring_back();
            if drop_some(self.shelf, usize::MAX) == 0 {
                break;
            }
        }
        if self.owes_table.get() {
            shelf::free_tables();
        }
        self.gather_all();
    }
}
