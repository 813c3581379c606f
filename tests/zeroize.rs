//! Freed session bytes are overwritten (feature `zeroize`): the allocator looks into each block that it is given back.
//!
//! One test, since the allocator is the whole program's. Run it with `--cfg fleeting_unpooled` too: then no node's memory is kept for another.
#![cfg(feature = "zeroize")]
#![allow(unsafe_code)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::SystemTime;

use common::{manual_store, seconds, wall_start};
use fleeting::MemStore;

/// What stands in every token and all data of this test, and nowhere else in memory that is allocated: tests build it from `HALF`.
const LENGTH: usize = 12;
const HALF: [u8; LENGTH / 2] = *b"\xA7s3cR\xE9";

/// Looks for the secret in what is freed.
struct Looking;

#[global_allocator]
static ALLOCATOR: Looking = Looking;

static IS_LOOKING: AtomicBool = AtomicBool::new(false);
static BLOCKS: AtomicUsize = AtomicUsize::new(0);
static SECRETS: AtomicUsize = AtomicUsize::new(0);

/// Whether the secret stands in a block. Byte by byte and volatile, since some of it may never have been written.
fn holds_secret(block: *const u8, size: usize) -> bool {
    (0..(size + 1).saturating_sub(LENGTH)).any(|start| {
        (0..LENGTH).all(|index| {
            let place = block.wrapping_add(start + index);
            // SAFETY: within the block, which is freed only after this.
            let byte = unsafe { place.read_volatile() };
            byte == HALF[index % HALF.len()]
        })
    })
}

// SAFETY: every call goes to the system's allocator as it came. (Reallocations come as an allocation and a deallocation.)
unsafe impl GlobalAlloc for Looking {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if IS_LOOKING.load(Ordering::Acquire) {
            BLOCKS.fetch_add(1, Ordering::Relaxed);
            if holds_secret(pointer, layout.size()) {
                SECRETS.fetch_add(1, Ordering::Relaxed);
            }
        }
        // SAFETY: by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Bytes with the secret in them, on the stack, and never freed.
struct Secret {
    bytes: [u8; 600],
    length: usize,
}

impl Secret {
    fn new(number: usize, length: usize) -> Secret {
        let mut bytes = [0; 600];
        bytes[..8].copy_from_slice(&number.to_ne_bytes());
        bytes[8..length].iter_mut().enumerate().for_each(|(index, byte)| *byte = HALF[index % HALF.len()]);
        Secret { bytes, length }
    }
}

impl AsRef<[u8]> for Secret {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

fn at(count: u64) -> SystemTime {
    wall_start() + seconds(count)
}

fn token(number: usize) -> Secret {
    Secret::new(number, 32)
}

fn data(number: usize) -> Secret {
    Secret::new(number, 20 + number % 500)
}

/// All ways for a session's bytes to be given up.
fn use_up(store: &MemStore) {
    for number in 0..2_000 {
        store.save(token(number), data(number), at(100));
    }
    for number in 0..2_000 {
        match number % 8 {
            0 => store.save(token(number), data(number + 1), at(100)),
            1 => assert!(store.delete(token(number))),
            2 => assert!(store.create(token(number), data(number), at(100)).is_err(), "made in vain"),
            3 => assert!(!store.update(token(number + 10_000), data(number), at(100)), "made in vain"),
            4 => assert!(store.rename(token(number), token(number + 20_000), at(100))),
            5 => assert!(store.take(token(number)).is_some()),
            6 => store.save(token(number), data(number), at(1)),
            _ => {}
        }
    }
    let held = store.find(token(7)).expect("live");
    assert_eq!(&held[..], data(7).as_ref());
    assert!(store.delete(token(7)));
    assert_eq!(&held[..], data(7).as_ref(), "overwritten while it is held");
    drop(held);
    store.delete_where(|token, _| token[0] % 16 == 15);
}

/// Catches bytes that are freed, or kept for the next session, as they were.
#[test]
fn freed_session_bytes_are_overwritten() {
    IS_LOOKING.store(true, Ordering::Release);
    // That it looks: a copy of ours must be found.
    drop(token(1).as_ref().to_vec());
    assert_eq!(SECRETS.swap(0, Ordering::Relaxed), 1, "the allocator sees what is freed");

    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let (store, clock) = manual_store();
                use_up(&store);
                clock.advance(seconds(1));
                assert!(store.sweep() > 0);
                drop(store.all());
                store.clear();
                use_up(&store);
                drop(store);
                for _ in 0..64 {
                    fleeting::release_thread_memory();
                    thread::yield_now();
                }
            });
        }
    });
    for _ in 0..64 {
        fleeting::release_thread_memory();
    }
    IS_LOOKING.store(false, Ordering::Release);
    let blocks = BLOCKS.load(Ordering::Relaxed);
    assert!(blocks > 4_000, "{blocks} blocks were freed: sessions among them");
    assert_eq!(SECRETS.load(Ordering::Relaxed), 0, "freed as they were, of {blocks} blocks");
}
