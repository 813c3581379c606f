//! Memory of freed nodes, kept by the thread that freed them for the next nodes that it makes.
//!
//! A collector frees in bursts, on whichever thread comes by. An allocator's own cache of a thread holds less than such a burst (glibc's: seven
//! blocks a size), and beyond it takes a lock, two of which decide a contended save. With the pool, steady churn allocates nothing.
//!
//! ```text
//! class c    blocks of 16 c + 8 bytes: what glibc hands out anyway
//! list       free blocks of a class, each with the next one's address in its first word
//! ```
//!
//! * **K1** A block is allocated with its class's layout, whatever was asked for: any thread may keep it, and give it out again, by class.
//! * **K2** A block on a list is free memory, of which only the thread knows.
//! * A thread keeps [`KEPT_MAX`] bytes at most, and none once it ends. Larger nodes, and those with a stricter alignment, are not kept.
//!
//! Wait-free, but for the allocator.

#![allow(unsafe_code)]

use core::ptr::{self, NonNull};
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;

/// Bytes that a thread keeps.
const KEPT_MAX: usize = 256 << 10;

/// Up to 2,568 bytes: a session of 2 kB, with its token and header.
const CLASSES: usize = 161;

/// What sees whether memory is used after it was freed wants it freed.
const IS_POOLED: bool = cfg!(not(any(loom, shuttle, miri, fleeting_tiny, fleeting_unpooled)));

/// The free blocks of one thread.
struct Pool {
    lists: [Cell<*mut Block>; CLASSES],
    bytes: Cell<usize>,
}

struct Block {
    next: *mut Block,
}

std::thread_local! {
    static POOL: Pool = const { Pool { lists: [const { Cell::new(ptr::null_mut()) }; CLASSES], bytes: Cell::new(0) } };
}

/// Memory for a layout that is not empty. Aborts as `Box::new` does where there is none.
#[inline]
pub fn allocate(layout: Layout) -> NonNull<u8> {
    let class = class(layout);
    if let Some(class) = class
        && let Ok(Some(block)) = POOL.try_with(|pool| pool.take(class))
    {
        return block;
    }
    let layout = class.map_or(layout, class_layout);
    // SAFETY: the layout is not empty.
    let memory = unsafe { alloc(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Gives memory back.
///
/// # Safety
///
/// It came from [`allocate`] for this layout, on any thread, and nobody uses it any more.
#[inline]
pub unsafe fn free(memory: NonNull<u8>, layout: Layout) {
    let class = class(layout);
    if let Some(class) = class
        // SAFETY: K2, by the caller; K1.
        && POOL.try_with(|pool| unsafe { pool.keep(memory, class) }) == Ok(true)
    {
        return;
    }
    // SAFETY: K1: with this layout it was allocated.
    unsafe { dealloc(memory.as_ptr(), class.map_or(layout, class_layout)) };
}

/// Frees what this thread keeps. For tests that count what is allocated.
pub fn drain() {
    let _ = POOL.try_with(Pool::drain);
}

/// The class of a layout, if its memory is kept.
#[inline]
fn class(layout: Layout) -> Option<usize> {
    let class = layout.size().saturating_add(7) / 16;
    (IS_POOLED && class < CLASSES && layout.align() <= align_of::<Block>()).then_some(class)
}

#[inline]
fn class_layout(class: usize) -> Layout {
    const MAX: usize = 16 * (CLASSES - 1) + 8;
    const { assert!(Layout::from_size_align(MAX, align_of::<Block>()).is_ok()) };
    // SAFETY: a class is below CLASSES, so the size is at most MAX, for which this has just been asserted.
    unsafe { Layout::from_size_align_unchecked(16 * class + 8, align_of::<Block>()) }
}

impl Pool {
    #[inline]
    fn take(&self, class: usize) -> Option<NonNull<u8>> {
        let list = &self.lists[class];
        let block = NonNull::new(list.get())?;
        // SAFETY: K2: a block on a list begins with the next one's address.
        list.set(unsafe { block.as_ref() }.next);
        self.bytes.set(self.bytes.get() - class_layout(class).size());
        Some(block.cast())
    }

    /// False if it keeps enough.
    ///
    /// # Safety
    ///
    /// K2, K1: nobody else uses the memory, which was allocated with the class's layout.
    #[inline]
    unsafe fn keep(&self, memory: NonNull<u8>, class: usize) -> bool {
        let bytes = self.bytes.get() + class_layout(class).size();
        if bytes > KEPT_MAX {
            return false;
        }
        let (list, block) = (&self.lists[class], memory.cast::<Block>());
        // SAFETY: K2; every class has room for a block's word, and its alignment.
        unsafe { block.write(Block { next: list.get() }) };
        list.set(block.as_ptr());
        self.bytes.set(bytes);
        true
    }

    fn drain(&self) {
        for class in 0..CLASSES {
            while let Some(block) = self.take(class) {
                // SAFETY: K1, K2.
                unsafe { dealloc(block.as_ptr(), class_layout(class)) };
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.drain();
    }
}

#[cfg(all(test, not(any(loom, shuttle, fleeting_tiny, fleeting_unpooled))))]
mod tests {
    use super::*;
    use std::thread;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).expect("small")
    }

    fn kept() -> usize {
        POOL.with(|pool| pool.bytes.get())
    }

    /// Catches a class that is too small for what is asked of it, and one that glibc would round up.
    #[test]
    fn classes_are_wide_enough_and_no_wider() {
        for size in 1..=2_568 {
            let class = class_layout(class(layout(size)).expect("kept"));
            assert!(class.size() >= size && class.size() < size.max(9) + 16 && class.size() % 16 == 8, "{size}");
        }
        assert_eq!(class(layout(2_569)), None);
        assert_eq!(class(Layout::from_size_align(64, 16).expect("small")), None);
        assert_eq!(class(layout(isize::MAX as usize - 7)), None);
    }

    /// Catches a block that is given to another class, is not given again, or to two.
    #[test]
    fn a_block_is_given_again_in_its_class_only() {
        thread::spawn(|| {
            let (one, two) = (allocate(layout(100)), allocate(layout(90)));
            // SAFETY: just allocated, for this layout.
            unsafe { free(one, layout(100)) };
            assert_eq!(kept(), 104);
            let other = allocate(layout(200));
            assert!(other != one && allocate(layout(89)) == one && kept() == 0, "89 to 104 bytes are one class");
            let three = allocate(layout(104));
            assert!(three != one && three != two);
            for (block, size) in [(one, 89), (two, 90), (three, 104), (other, 200)] {
                // SAFETY: allocated for this layout.
                unsafe { free(block, layout(size)) };
            }
            assert_eq!(kept(), 3 * 104 + 200);
            drain();
            assert_eq!(kept(), 0);
        })
        .join()
        .expect("no panic");
    }

    /// Catches a thread that keeps more than its bound.
    #[test]
    fn a_thread_keeps_little() {
        thread::spawn(|| {
            let blocks: Vec<_> = (0..300).map(|_| allocate(layout(2_000))).collect();
            // SAFETY: allocated for this layout, each freed once.
            blocks.into_iter().for_each(|block| unsafe { free(block, layout(2_000)) });
            assert!(kept() <= KEPT_MAX && kept() > KEPT_MAX - 2_100);
        })
        .join()
        .expect("no panic");
    }
}
