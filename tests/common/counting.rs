//! A global allocator that counts what is allocated now: bytes, blocks, and blocks by size, so that a leak can be told by
//! the size of what was leaked; and for each thread the bytes that it has ever allocated. A test binary that wants it says `#[global_allocator] static ALLOCATOR: Counting = Counting;`.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

/// Counts, and lets the system's allocator do the work.
pub struct Counting;

/// Blocks up to this size are counted by size, larger ones by the power of two above.
const EXACT: usize = 2_048;
const CLASSES: usize = EXACT + 1 + usize::BITS as usize;

static BYTES: AtomicI64 = AtomicI64::new(0);
static BLOCKS: [AtomicI64; CLASSES] = [const { AtomicI64::new(0) }; CLASSES];

/// The highest level of bytes since [`restart_peak`].
static PEAK: AtomicI64 = AtomicI64::new(0);

thread_local! {
    /// Without a destructor, and without a first use that allocates: so that the allocator itself may use it.
    static ALLOCATED: Cell<u64> = const { Cell::new(0) };
}

fn class(size: usize) -> usize {
    if size <= EXACT { size } else { EXACT + 1 + size.ilog2() as usize }
}

fn count(layout: Layout, sign: i64) {
    let change = sign * layout.size() as i64;
    let now = BYTES.fetch_add(change, Ordering::Relaxed) + change;
    if sign > 0 {
        ALLOCATED.set(ALLOCATED.get() + layout.size() as u64);
        // A read first: most of the time there is no new peak.
        if now > PEAK.load(Ordering::Relaxed) {
            PEAK.fetch_max(now, Ordering::Relaxed);
        }
    }
    BLOCKS[class(layout.size())].fetch_add(sign, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came. (Reallocations come as an allocation and a deallocation.)
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout, 1);
        // SAFETY: by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout, 1);
        // SAFETY: by the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout, -1);
        // SAFETY: by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Bytes that are allocated now.
pub fn live() -> i64 {
    BYTES.load(Ordering::Relaxed)
}

/// Bytes that this thread has allocated since it began, whether or not they were freed.
pub fn allocated_by_thread() -> u64 {
    ALLOCATED.get()
}

/// Forgets the highest level so far.
pub fn restart_peak() {
    PEAK.store(live(), Ordering::Relaxed);
}

/// The highest number of bytes that were allocated at once since the last [`restart_peak`].
pub fn peak() -> i64 {
    PEAK.load(Ordering::Relaxed)
}

/// What is allocated at one moment. Taking one allocates nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Level {
    bytes: i64,
    blocks: [i64; CLASSES],
}

impl Level {
    /// Of now.
    pub fn now() -> Level {
        Level { bytes: live(), blocks: std::array::from_fn(|class| BLOCKS[class].load(Ordering::Relaxed)) }
    }

    /// What is allocated here and was not `before`, or the other way round, to print.
    pub fn beyond(&self, before: &Level) -> Difference {
        let blocks = self.blocks.iter().zip(&before.blocks).enumerate();
        Difference {
            bytes: self.bytes - before.bytes,
            blocks: blocks.map(|(class, (now, then))| (class, now - then)).filter(|(_, count)| *count != 0).collect(),
        }
    }
}

/// The difference of two levels.
pub struct Difference {
    bytes: i64,
    blocks: Vec<(usize, i64)>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:+} bytes", self.bytes)?;
        for &(class, count) in &self.blocks {
            match class {
                ..=EXACT => write!(f, "; {count:+} blocks of {class} bytes")?,
                _ => write!(f, "; {count:+} blocks of {} bytes or more", 1_usize << (class - EXACT - 1))?,
            }
        }
        Ok(())
    }
}
