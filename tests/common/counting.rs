//! A global allocator that counts what is allocated now: bytes, blocks, and blocks by size, so that a leak can be told by
//! the size of what was leaked. A test binary that wants it says `#[global_allocator] static ALLOCATOR: Counting = Counting;`.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

/// Counts, and lets the system's allocator do the work.
pub struct Counting;

/// Blocks up to this size are counted by size, larger ones by the power of two above.
const EXACT: usize = 2_048;
const CLASSES: usize = EXACT + 1 + usize::BITS as usize;

static BYTES: AtomicI64 = AtomicI64::new(0);
static BLOCKS: [AtomicI64; CLASSES] = [const { AtomicI64::new(0) }; CLASSES];

fn class(size: usize) -> usize {
    if size <= EXACT { size } else { EXACT + 1 + size.ilog2() as usize }
}

fn count(layout: Layout, sign: i64) {
    BYTES.fetch_add(sign * layout.size() as i64, Ordering::Relaxed);
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
