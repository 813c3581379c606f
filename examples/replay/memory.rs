//! Counts the bytes in use: the system's allocator, with one counter.
//!
//! Bytes are those asked for; what the system's allocator adds for itself is not seen.

#![allow(unsafe_code, reason = "an allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

static IN_USE: AtomicU64 = AtomicU64::new(0);

/// The allocator.
pub struct Counting;

/// Bytes allocated and not freed.
pub fn in_use() -> u64 {
    // Ordering: Relaxed; a statistic, and read while the other threads stand at a barrier.
    IN_USE.load(Ordering::Relaxed)
}

// Ordering: Relaxed in both; a statistic, which carries nothing.
fn count(bytes: usize) {
    IN_USE.fetch_add(bytes as u64, Ordering::Relaxed);
}

fn discount(bytes: usize) {
    IN_USE.fetch_sub(bytes as u64, Ordering::Relaxed);
}

// SAFETY: Every call goes to `System` with the arguments as they came, and its answer is returned as it is; counting touches no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: The caller keeps the contract of `alloc`, which is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: The caller keeps the contract of `alloc_zeroed`, which is `System`'s.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        discount(layout.size());
        // SAFETY: The caller has the pointer from this allocator with this layout, so `System` gave it.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        discount(layout.size());
        // SAFETY: The caller has the pointer from this allocator with this layout, so `System` gave it; the size is the caller's to warrant.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
