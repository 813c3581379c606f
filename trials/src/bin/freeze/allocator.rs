//! The system's allocator, with its bytes counted: what a frozen thread holds back, and what is left at the end.
//!
//! A thread that is frozen in here holds no lock: the counting is one atomic add, before or after the call.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static BYTES: AtomicI64 = AtomicI64::new(0);

/// Bytes allocated now.
pub fn bytes() -> i64 {
    BYTES.load(Ordering::Relaxed)
}

fn count(layout: Layout, sign: i64) {
    let size = i64::try_from(layout.size()).expect("no layout is larger than isize::MAX");
    BYTES.fetch_add(sign * size, Ordering::Relaxed);
}

// SAFETY: everything is passed on to `System`, with the caller's promises.
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
        // SAFETY: by the caller.
        unsafe { System.dealloc(pointer, layout) };
        count(layout, -1);
    }
}
