//! How much memory a snapshot takes that lies about its lengths (feature `serde`): no more than its bytes deserve.
//!
//! One test, since the allocator is the whole program's.
#![cfg(feature = "serde")]
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crc32fast::Hasher;
use fleeting::MemStore;
use fleeting::snapshot::LoadErrorKind;

/// Remembers the largest block that was asked for.
struct Largest;

#[global_allocator]
static ALLOCATOR: Largest = Largest;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came. (Reallocations come as an allocation and a deallocation.)
unsafe impl GlobalAlloc for Largest {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Catches a length that is believed before its bytes are there: this claims eight gigabytes, with the right checksum, and has `bytes` of them.
#[test]
fn memory_is_taken_as_bytes_arrive() {
    let header = [&b"\x89FLT\r\n\x1A\n"[..], &[2, 0, 1, 0, 0, 0, 0, 0], &[0; 8]].concat();
    let record = [&[1][..], &[0xFF; 24]].concat();
    let mut hasher = Hasher::new();
    let mut file = Vec::new();
    for piece in [header, record] {
        hasher.update(&piece);
        file.extend_from_slice(&piece);
        file.extend_from_slice(&hasher.clone().finalize().to_le_bytes());
    }
    let store = MemStore::new(Duration::ZERO);
    for bytes in [0, 1_000, 100_000, 3_000_000] {
        let mut file = file.clone();
        file.resize(file.len() + bytes, 7);
        LARGEST.store(0, Ordering::Relaxed);
        let error = store.load_from(&file[..]).expect_err("not whole");
        let largest = LARGEST.load(Ordering::Relaxed);
        assert_eq!(error.kind(), LoadErrorKind::Truncated);
        assert!(largest <= 2 * bytes + 3 * 65_536, "a block of {largest} bytes for {bytes}");
        assert!(largest >= 65_536, "the allocator sees what is asked for");
    }
}
