//! Memory of freed nodes, kept by the thread that freed them for the next nodes that it makes.
//!
//! Objects come back in bursts. An allocator's own cache of a thread holds less than such a burst (glibc's: seven
//! blocks a size), and beyond it takes a lock, two of which decide a contended save. With the pool, steady churn allocates nothing.
//!
//! ```text
//! class c    blocks of 16 c + 8 bytes: what glibc hands out anyway
//! list       free blocks of a class, each with the next one's address in its first word
//! ```
//!
//! * **K1** A block is allocated with its class's layout, whatever was asked for: any thread may keep it, and give it out again, by class.
//! * **K2** A block on a list is free memory, of which only the thread knows.
//! * A thread keeps [`KEPT_MAX`] bytes at most, and none once it ends. What threads keep beyond [`KEPT_FREELY`] each is at most [`KEPT_BY_ALL`] in
//!   the whole process. Larger nodes, and those with a stricter alignment, are not kept.
//!
//! Wait-free, but for the allocator, and for the count of the process, which is lock-free.

#![allow(unsafe_code)]

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;

/// Bytes that a thread keeps at most.
const KEPT_MAX: usize = 256 << 10;

/// Bytes that a thread may keep whatever others do.
const KEPT_FREELY: usize = 16 << 10;

/// Bytes that all threads may keep beyond that.
const KEPT_BY_ALL: usize = 16 << 20;

/// In such steps a thread asks for more of them.
const KEPT_STEP: usize = 16 << 10;

/// Of [`KEPT_BY_ALL`], what threads have asked for.
static RESERVED: AtomicUsize = AtomicUsize::new(0);

/// Up to 2,568 bytes: a session of 2 kB, with its token and header.
const CLASSES: usize = 161;

/// What sees whether memory is used after it was freed wants it freed.
const IS_POOLED: bool = cfg!(not(any(loom, shuttle, miri, fleeting_tiny, fleeting_unpooled)));

/// The free blocks of one thread.
#[derive(Debug)]
pub struct Pool {
    lists: [Cell<*mut Block>; CLASSES],
    bytes: Cell<usize>,
    /// Bytes that it may keep.
    quota: Cell<usize>,
}

#[derive(Debug)]
struct Block {
    next: *mut Block,
}

impl Default for Pool {
    fn default() -> Self {
        let lists = [const { Cell::new(ptr::null_mut()) }; CLASSES];
        Pool { lists, bytes: Cell::new(0), quota: Cell::new(KEPT_FREELY) }
    }
}

/// Runs `f` on this thread's pool; None if there is none.
#[inline]
fn with<R>(f: impl FnOnce(&Pool) -> R) -> Option<R> {
    #[cfg(not(any(loom, shuttle)))]
    return super::local::with(|local| f(&local.pool));
    #[cfg(any(loom, shuttle))]
    return Some(f).and(None);
}

/// Memory for a layout that is not empty. Aborts as `Box::new` does where there is none.
#[inline]
pub fn allocate(layout: Layout) -> NonNull<u8> {
    let class = class(layout);
    if let Some(class) = class
        && let Some(Some(block)) = with(|pool| pool.take(class))
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
        && with(|pool| unsafe { pool.keep(memory, class) }) == Some(true)
    {
        return;
    }
    // SAFETY: K1: with this layout it was allocated.
    unsafe { dealloc(memory.as_ptr(), class.map_or(layout, class_layout)) };
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
        if bytes > self.quota.get() && !self.may_keep_more() {
            return false;
        }
        let (list, block) = (&self.lists[class], memory.cast::<Block>());
        // SAFETY: K2; every class has room for a block's word, and its alignment.
        unsafe { block.write(Block { next: list.get() }) };
        list.set(block.as_ptr());
        self.bytes.set(bytes);
        true
    }

    /// Asks for a larger share of what all threads keep; false if there is none.
    #[cold]
    fn may_keep_more(&self) -> bool {
        let quota = self.quota.get() + KEPT_STEP;
        let more = |sum: usize| (sum + KEPT_STEP <= KEPT_BY_ALL).then_some(sum + KEPT_STEP);
        // Ordering: Relaxed, here and below: a number by itself.
        let is_granted = quota <= KEPT_MAX && RESERVED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        if is_granted {
            self.quota.set(quota);
        }
        is_granted
    }

    /// Frees what it keeps.
    pub fn drain(&self) {
        RESERVED.fetch_sub(self.quota.replace(KEPT_FREELY) - KEPT_FREELY, Ordering::Relaxed);
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
        with(|pool| pool.bytes.get()).expect("the thread has a block")
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
            with(Pool::drain);
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
