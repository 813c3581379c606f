//! Arrays of zeroes from the allocator, aligned by hand.
//!
//! An allocator hands out large zeroed memory as fresh pages of the system's, which cost nothing until they are
//! used. It does so only for alignments that all its memory has: for a stricter one, the standard library asks for
//! plain memory and writes the zeroes itself (20 ns an entry of a map, all within the one insert that begins to
//! grow). So an array asks for an alignment of [`ALIGN`] and some bytes more, and begins at the first place that
//! suits it.
//!
//! # Invariants
//!
//! * **Z1** The elements lie within the allocation, aligned, all of them valid from the start: zeroes, which the
//!   maker vouches for.
//! * **Z2** The memory is that of [`layout`] for the number of elements, and is given back once, as the array is
//!   dropped.

#![allow(unsafe_code)]

use core::ops::Deref;
use core::ptr::NonNull;
use core::{mem, slice};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

/// Every allocator aligns to this, on every platform, whatever it is asked for.
const ALIGN: usize = 8;

/// An array whose elements need no drop.
#[derive(Debug)]
pub struct Zeroed<T> {
    first: NonNull<T>,
    length: usize,
    memory: NonNull<u8>,
}

impl<T> Zeroed<T> {
    /// Allocates an array. Aborts as `Box::new` does where there is no memory.
    ///
    /// # Safety
    ///
    /// Z1: all-zero bytes are a valid `T`.
    pub unsafe fn new(length: usize) -> Self {
        const { assert!(size_of::<T>() != 0 && !mem::needs_drop::<T>()) };
        assert!(length != 0);
        let layout = layout::<T>(length);
        // SAFETY: neither the length nor an element's size is 0.
        let memory = unsafe { alloc_zeroed(layout) };
        let memory = NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout));
        let offset = memory.align_offset(align_of::<T>());
        // SAFETY: Z1: the layout has room for as much before the elements.
        let first = unsafe { memory.add(offset) }.cast();
        Zeroed { first, length, memory }
    }
}

impl<T> Deref for Zeroed<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: Z1; nobody has a reference that excludes others.
        unsafe { slice::from_raw_parts(self.first.as_ptr(), self.length) }
    }
}

impl<T> Drop for Zeroed<T> {
    fn drop(&mut self) {
        // SAFETY: Z2.
        unsafe { dealloc(self.memory.as_ptr(), layout::<T>(self.length)) }
    }
}

/// Room for the elements, and for moving their begin to where they are aligned.
fn layout<T>(length: usize) -> Layout {
    let slack = align_of::<T>().saturating_sub(ALIGN);
    let size = size_of::<T>().checked_mul(length).and_then(|size| size.checked_add(slack));
    let layout = size.and_then(|size| Layout::from_size_align(size, ALIGN).ok());
    layout.expect("an array that fits the address space")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::{AtomicU64, Ordering};

    #[repr(align(64))]
    struct Wide(AtomicU64);

    /// Catches elements that are not aligned, not zero, overlap, or lie beyond the allocation (under a sanitizer).
    #[test]
    fn elements_are_zero_aligned_and_apart() {
        for length in [1, 2, 3, 8, 100, 5_000] {
            // SAFETY: Z1: an atomic number.
            let array = unsafe { Zeroed::<Wide>::new(length) };
            assert_eq!((array.len(), array.as_ptr().addr() % 64), (length, 0));
            for (index, element) in array.iter().enumerate() {
                assert_eq!(element.0.load(Ordering::Relaxed), 0);
                element.0.store(index as u64 + 1, Ordering::Relaxed);
            }
            assert!((1..).zip(&*array).all(|(number, element)| element.0.load(Ordering::Relaxed) == number));
        }
    }

    /// Catches an alignment for which the standard library does not ask the allocator for zeroes, but writes them.
    #[test]
    fn the_allocator_is_asked_for_what_all_its_memory_has() {
        assert_eq!((layout::<Wide>(3).align(), layout::<Wide>(3).size()), (8, 3 * 64 + 56));
        assert_eq!((layout::<u64>(3).align(), layout::<u64>(3).size()), (8, 24));
        assert!(std::panic::catch_unwind(|| layout::<Wide>(usize::MAX / 64)).is_err(), "overflows");
    }
}
