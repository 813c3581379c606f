//! Shelves: where batches of retired objects wait to be freed, one shelf for each lane.
//!
//! A shelf belongs to no thread. The thread of its lane leaves objects there and takes them back, but every thread may: so nothing is lost with a thread
//! that ends, nothing waits for a thread that is idle, and no shelf has to be closed.
//!
//! ```text
//! pending   objects with a Drop, retired, on their way to the collector when there are enough of them, or when a sweep takes them
//! plain     objects whose grace period is over, without a Drop: for the thread that retired them
//! drops     objects whose grace period is over, with a Drop: for the thread that retired them, or a sweep
//! ```
//!
//! # Bounds
//!
//! | what | bound |
//! |---|---|
//! | plain objects that wait on one shelf | [`SHELF_BYTES`] |
//! | plain objects that wait on all shelves | [`WAITING_BYTES`] |
//! | objects on their way through the collector | none, since a pinned thread stops all freeing; from [`GRACE_BYTES`] on, threads that retire more yield |
//!
//! A batch that finds no room is freed by the thread that runs the collector: plain objects run no code of the user's.

#![allow(unsafe_code)]

use core::mem;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crossbeam_utils::CachePadded;

use super::Kind;
use super::collector::{Collector, Guard};
use super::inbox::{Inbox, Parcel};
use crate::lane::{LANES, lane};
use crate::prefetch::prefetch;

/// Bytes of plain objects that may wait on one shelf.
pub const SHELF_BYTES: usize = 1 << 20;

/// Bytes of plain objects that may wait on all shelves.
pub const WAITING_BYTES: usize = 16 << 20;

/// Bytes on their way through the collector from which on a thread that retires more lets others run first: one of them may be preempted while it
/// is pinned, and nothing is freed until it goes on.
pub const GRACE_BYTES: usize = 32 << 20;

/// How many objects before its own turn one is asked for.
const AHEAD: usize = 8;

/// An object to be freed, and how.
#[derive(Clone, Copy, Debug)]
pub struct Retired {
    object: *mut (),
    free: unsafe fn(*mut ()),
}

/// Objects that were retired together.
#[derive(Debug, Default)]
pub struct Batch {
    objects: Vec<Retired>,
    bytes: usize,
}

/// Batches that are being freed, from the end of the first one on.
#[derive(Debug, Default)]
pub struct Chain {
    objects: Vec<Retired>,
    bytes: usize,
    rest: Option<Box<Parcel<Batch>>>,
}

/// What waits for the threads of one lane.
#[derive(Debug, Default)]
pub struct Shelf {
    /// Retired, not handed over yet.
    pub pending: Inbox<Batch>,
    plain: Inbox<Batch>,
    /// Of the plain batches: those that wait, and the one that is being freed.
    weight: AtomicUsize,
    /// To be dropped at a safe point.
    pub drops: Inbox<Batch>,
}

/// What all threads share: the collector, the shelves, and what is counted.
#[derive(Debug)]
struct Process {
    collector: Collector,
    shelves: Box<[CachePadded<Shelf>]>,
    tables: Inbox<Batch>,
    /// Pieces of tables that were retired and are not freed yet.
    pieces: AtomicUsize,
    /// Bytes of plain objects that wait on shelves.
    waiting: CachePadded<AtomicUsize>,
    /// Bytes that were handed over, and have not come back.
    in_grace: CachePadded<AtomicUsize>,
    /// Janitors that run.
    janitors: AtomicUsize,
}

/// What all threads share. Lock-free: of several threads that need it first, each makes one, and one of these stays.
#[inline]
fn process() -> &'static Process {
    // Ordering: Acquire with the Release of the exchange below: carries what it points to.
    let process = PROCESS.load(Ordering::Acquire);
    // SAFETY: `process-stays`.
    unsafe { process.as_ref() }.unwrap_or_else(make_process)
}

/// `process-stays`: it is null, or leads to a `Process` that is never freed.
static PROCESS: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());

#[cold]
fn make_process() -> &'static Process {
    let mine = Box::into_raw(Box::new(Process {
        collector: Collector::new(),
        shelves: (0..LANES).map(|_| CachePadded::default()).collect(),
        tables: Inbox::default(),
        pieces: AtomicUsize::new(0),
        waiting: CachePadded::default(),
        in_grace: CachePadded::default(),
        janitors: AtomicUsize::new(0),
    }));
    // Ordering: Release with the load above, and Acquire in its place where another thread was faster.
    let stays = match PROCESS.compare_exchange(ptr::null_mut(), mine, Ordering::Release, Ordering::Acquire) {
        Ok(_) => mine,
        Err(other) => {
            // SAFETY: it was not published.
            drop(unsafe { Box::from_raw(mine) });
            other
        }
    };
    // SAFETY: `process-stays`.
    unsafe { &*stays }
}

/// Returns the collector.
pub fn shared_collector() -> &'static Collector {
    &process().collector
}

/// Returns all shelves.
pub fn shelves() -> impl Iterator<Item = &'static Shelf> {
    process().shelves.iter().map(|shelf| &**shelf)
}

/// Returns a shelf, by any number.
pub fn shelf(number: usize) -> &'static Shelf {
    &process().shelves[number % LANES]
}

/// Returns the shelf of this thread's lane.
pub fn own_shelf() -> &'static Shelf {
    shelf(lane())
}

/// Notes that tables of so many pieces have been retired.
pub fn expect_tables(pieces: usize) {
    // Ordering: Relaxed, here and below: a number by itself, which tells a thread whether it is worth a look.
    process().pieces.fetch_add(pieces, Ordering::Relaxed);
}

/// Frees one piece of a table whose grace period is over, unless a janitor runs, which will free all. True if none is left to wait for.
pub fn free_a_piece_for_changes() -> bool {
    let process = process();
    // A janitor that has just started, or ended, makes a table wait for it in vain once.
    if process.janitors.load(Ordering::Relaxed) > 0 {
        return true;
    }
    free_pieces(1);
    process.pieces.load(Ordering::Relaxed) == 0
}

/// Frees the tables whose grace period is over.
pub fn free_tables() {
    free_pieces(usize::MAX);
}

fn free_pieces(most: usize) {
    let (process, mut chain) = (process(), Chain::default());
    chain.add(process.tables.take());
    for retired in (0..most).map_while(|_| chain.pop()) {
        // SAFETY: E2: its grace period is over.
        unsafe { retired.free() }
        process.pieces.fetch_sub(1, Ordering::Relaxed);
    }
    if let Some(rest) = chain.into_parcels() {
        process.tables.push(rest);
    }
}

/// A janitor's thread: as long as one lives, it frees tables, and changes of caches need not.
#[derive(Debug)]
pub struct Housekeeper(());

impl Housekeeper {
    /// Counts this thread as one.
    pub fn begin() -> Self {
        // Ordering: Relaxed, here and below: see `free_a_piece_for_changes`.
        process().janitors.fetch_add(1, Ordering::Relaxed);
        Housekeeper(())
    }
}

impl Drop for Housekeeper {
    fn drop(&mut self) {
        process().janitors.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns whether so much is on its way through the collector that a thread should let others run.
pub fn is_crowded() -> bool {
    // Ordering: Relaxed: a number by itself, here and below.
    process().in_grace.load(Ordering::Relaxed) > GRACE_BYTES
}

/// Hands a batch to the collector, which brings it to the shelf when its grace period is over.
///
/// # Safety
///
/// E2, for each object of it.
pub unsafe fn hand_over(batch: Box<Parcel<Batch>>, kind: Kind, shelf: &'static Shelf, guard: &Guard) {
    let mut batch = batch;
    process().in_grace.fetch_add(batch.content().bytes, Ordering::Relaxed);
    let arrive = move || arrive(batch, kind, shelf);
    // SAFETY: E2, by the caller: the closure may run later, on any thread; a batch may change threads.
    unsafe { guard.defer_unchecked(arrive) };
    guard.flush();
}

fn arrive(mut batch: Box<Parcel<Batch>>, kind: Kind, shelf: &'static Shelf) {
    let (process, bytes) = (process(), batch.content().bytes);
    process.in_grace.fetch_sub(bytes, Ordering::Relaxed);
    match kind {
        Kind::Large => process.tables.push(batch),
        Kind::Drops => shelf.drops.push(batch),
        Kind::Plain => {
            if reserve(&shelf.weight, bytes, SHELF_BYTES) {
                if reserve(&process.waiting, bytes, WAITING_BYTES) {
                    shelf.plain.push(batch);
                    return;
                }
                shelf.weight.fetch_sub(bytes, Ordering::Relaxed);
            }
            free_plain(Some(batch));
        }
    }
}

fn reserve(weight: &AtomicUsize, bytes: usize, limit: usize) -> bool {
    let with = |sum: usize| sum.checked_add(bytes).filter(|sum| *sum <= limit);
    weight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with).is_ok()
}

fn free_plain(batches: Option<Box<Parcel<Batch>>>) {
    let mut chain = Chain::default();
    chain.add(batches);
    while let Some(retired) = chain.pop() {
        // SAFETY: E2: the grace period of each object on a shelf is over.
        unsafe { retired.free() }
    }
}

impl Shelf {
    /// Adds an object to those that are pending; returns the batch if it is to be handed over.
    pub fn gather(
        &self,
        retired: Retired,
        bytes: usize,
        is_full: impl Fn(&Batch) -> bool,
    ) -> Option<Box<Parcel<Batch>>> {
        let mut batch = self.pending.take().unwrap_or_else(|| Parcel::new(Batch::default()));
        batch.content().push(retired, bytes);
        if is_full(batch.content()) {
            return Some(batch);
        }
        self.pending.push(batch);
        None
    }

    /// Takes one plain object to be freed, out of `chain` or off the shelf.
    #[inline]
    pub fn next_plain(&self, chain: &mut Chain) -> Option<Retired> {
        if let Some(retired) = chain.objects.pop() {
            chain.prefetch();
            return Some(retired);
        }
        self.next_plain_batch(chain)
    }

    fn next_plain_batch(&self, chain: &mut Chain) -> Option<Retired> {
        let done = mem::take(&mut chain.bytes);
        if done > 0 {
            self.weight.fetch_sub(done, Ordering::Relaxed);
            process().waiting.fetch_sub(done, Ordering::Relaxed);
        }
        if chain.rest.is_none() {
            chain.rest = self.plain.take();
        }
        chain.pop()
    }
}

impl Batch {
    /// An empty one, with room for so many objects.
    pub fn with_capacity(objects: usize) -> Batch {
        Batch { objects: Vec::with_capacity(objects), bytes: 0 }
    }

    /// Adds an object of so many bytes.
    pub fn push(&mut self, retired: Retired, bytes: usize) {
        self.objects.push(retired);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Returns how many objects it has.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Returns how many bytes they have.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Chain {
    /// Puts batches before those that it has.
    pub fn add(&mut self, batches: Option<Box<Parcel<Batch>>>) {
        let Some(mut next) = batches else { return };
        if let Some(rest) = self.rest.take() {
            next.append(rest);
        }
        self.rest = Some(next);
    }

    /// Takes the next object, if there is one.
    pub fn pop(&mut self) -> Option<Retired> {
        while self.objects.is_empty() {
            let (mut first, rest) = self.rest.take()?.split();
            self.rest = rest;
            let batch = mem::take(first.content());
            self.bytes += batch.bytes;
            self.objects = batch.objects;
        }
        let retired = self.objects.pop();
        self.prefetch();
        retired
    }

    #[inline]
    fn prefetch(&self) {
        if let Some(later) = self.objects.len().checked_sub(AHEAD) {
            prefetch(self.objects[later].object);
        }
    }

    /// Makes parcels of what is left in it.
    pub fn into_parcels(self) -> Option<Box<Parcel<Batch>>> {
        let Chain { objects, bytes, rest } = self;
        if objects.is_empty() {
            return rest;
        }
        let mut first = Parcel::new(Batch { objects, bytes });
        if let Some(rest) = rest {
            first.append(rest);
        }
        Some(first)
    }
}

impl Retired {
    /// Notes an object, and how it is freed.
    #[inline]
    pub fn new<T>(pointer: *mut T, free: unsafe fn(*mut T)) -> Self {
        // SAFETY: pointers to sized types are passed alike whatever they point to ("ABI compatibility" of std's `fn`), and the object it is called with
        // is the pointer beside it.
        let free = unsafe { mem::transmute::<unsafe fn(*mut T), unsafe fn(*mut ())>(free) };
        Retired { object: pointer.cast(), free }
    }

    /// Frees the object.
    ///
    /// # Safety
    ///
    /// E2, its grace period is over, and this is called once. `drops-alone`, if it may run code of the user's.
    #[inline]
    pub unsafe fn free(self) {
        // SAFETY: by the caller.
        unsafe { (self.free)(self.object) }
    }
}

// SAFETY: E2: an object that was retired may be freed on any thread.
unsafe impl Send for Retired {}
