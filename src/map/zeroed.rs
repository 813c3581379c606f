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
//! * **Z3** A [`piece`](Zeroed::pieces) lies within the memory of an array that nobody reads or writes any more, and that
//!   is not dropped before its pieces have been emptied.

#![allow(unsafe_code)]

use core::ops::Deref;
use core::ptr::NonNull;
use core::{mem, slice};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

/// Every allocator aligns to this, on every platform, whatever it is asked for.
const ALIGN: usize = 8;

/// Bytes of a piece: what can be emptied in a small part of a millisecond.
const PIECE: usize = 2 << 20;

/// A multiple of every page's size.
const PAGE: usize = 64 << 10;

/// Whether the pages of a piece can be given back before the allocation is.
const HAS_PIECES: bool =
    cfg!(all(feature = "coarse-clock", any(target_os = "linux", target_os = "android"), not(miri)));

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

    /// Returns the parts of the memory that [`empty_piece`] may empty, one by one, before the array is dropped: to give
    /// hundreds of megabytes back at once takes milliseconds. A large array has a few small parts that are in no piece.
    pub fn pieces(&self) -> impl Iterator<Item = *mut ()> + use<T> {
        let size = if HAS_PIECES { layout::<T>(self.length).size() } else { 0 };
        let memory = self.memory.as_ptr();
        let offset = memory.align_offset(PAGE);
        (0..size.saturating_sub(offset) / PIECE).map(move |piece| memory.wrapping_add(offset + piece * PIECE).cast())
    }
}

/// Gives the pages of a piece back to the system.
///
/// # Safety
///
/// Z3.
#[cfg(all(feature = "coarse-clock", any(target_os = "linux", target_os = "android")))]
pub unsafe fn empty_piece(piece: *mut ()) {
    // SAFETY: Z3: whole pages of memory that is still allocated, and that nobody looks at. Should the system refuse, they
    // are given back with the rest.
    let _ = unsafe { rustix::mm::madvise(piece.cast(), PIECE, rustix::mm::Advice::LinuxDontNeed) };
}

/// There are no pieces.
///
/// # Safety
///
/// Z3.
#[cfg(not(all(feature = "coarse-clock", any(target_os = "linux", target_os = "android"))))]
pub unsafe fn empty_piece(_piece: *mut ()) {}

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

    /// Catches a piece that reaches beyond its array, or into another piece; and memory that cannot be given back once
    /// its pieces have been emptied.
    #[test]
    fn pieces_lie_within_their_array() {
        for length in [1, 1_000, 100_000, 1_000_000] {
            // SAFETY: Z1: an atomic number.
            let array = unsafe { Zeroed::<Wide>::new(length) };
            array.iter().for_each(|element| element.0.store(7, Ordering::Relaxed));
            let bytes = size_of_val(&*array);
            let range = array.memory.as_ptr().addr()..array.memory.as_ptr().addr() + layout::<Wide>(length).size();
            let pieces: Vec<_> = array.pieces().collect();
            assert!(pieces.len() * PIECE <= bytes && (!HAS_PIECES || (pieces.len() + 1) * PIECE + PAGE > bytes));
            let mut end = range.start;
            for piece in pieces {
                assert!(piece.addr() >= end && piece.addr() % PAGE == 0);
                end = piece.addr() + PIECE;
                // SAFETY: Z3: nobody looks at the elements from here on.
                unsafe { empty_piece(piece) };
            }
            assert!(end <= range.end);
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
