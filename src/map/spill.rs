//! Spills: the entries that did not fit a bucket's slots.
//!
//! ```text
//! | length | hash, node | hash, node | ...        one allocation, from the pool of nodes' memory
//! ```
//!
//! Immutable: a change makes a new one, and retires the old. Who holds a slot's word may follow it only if a validated header names the slot as
//! the spill's (M5).
//!
//! * **S1** The items lie behind the struct, in the same allocation, all initialized before the spill is published; the layout follows from their number.

#![allow(unsafe_code)]

use core::alloc::Layout;
use core::ptr::NonNull;
use core::slice;

use super::node::Node;
use crate::reclaim::{self, Guard, Kind, Ref, pool, reach};

/// A node beside its hash, so that a search touches only those that match.
pub type Item<N> = (u64, NonNull<N>);

/// The struct is followed by the items.
#[repr(C)]
pub struct Spill<N> {
    length: usize,
    /// None by itself: it gives the struct the items' alignment, and a size that is a multiple of it.
    items: [Item<N>; 0],
    #[cfg(loom)]
    witness: crate::sync::Witness,
}

impl<N: Node> Spill<N> {
    /// Allocates it, as a slot's word.
    pub fn into_word(length: usize, items: impl IntoIterator<Item = Item<N>>) -> *mut N {
        let memory = pool::allocate(layout::<N>(length));
        let spill = memory.cast::<Spill<N>>();
        let value = Spill {
            length,
            items: [],
            #[cfg(loom)]
            witness: Default::default(),
        };
        // SAFETY: S1: fresh memory, with room for the struct.
        unsafe { spill.write(value) };
        // SAFETY: S1: the items' place is within the allocation.
        let first = unsafe { place::<N>(spill) };
        let mut written = 0;
        for (index, item) in items.into_iter().take(length).enumerate() {
            // SAFETY: S1: there is room for `length` of them.
            let place = unsafe { first.add(index) };
            // SAFETY: S1.
            unsafe { place.write(item) };
            written = index + 1;
        }
        assert_eq!(written, length, "S1");
        #[cfg(loom)]
        // SAFETY: just written.
        unsafe { spill.as_ref() }.witness.write();
        reclaim::born(spill.as_ptr());
        spill.as_ptr().cast()
    }

    /// The spill that a slot's word stands for.
    ///
    /// # Safety
    ///
    /// M5: a validated header names the slot that `word` was read from as the spill's.
    pub unsafe fn reach(word: *mut N, guard: &Guard) -> Ref<'_, Spill<N>> {
        // SAFETY: M5: a published slot's word is not null.
        let spill = unsafe { NonNull::new_unchecked(word.cast::<Spill<N>>()) };
        // SAFETY: E1: published at the validation, and freed through `retire`.
        let spill = unsafe { reach(spill, guard) };
        #[cfg(loom)]
        spill.witness.read();
        spill
    }

    /// What it holds.
    pub fn items<'g>(spill: Ref<'g, Spill<N>>) -> &'g [Item<N>] {
        // SAFETY: S1: the reference's pointer is that of the whole allocation.
        let first = unsafe { place::<N>(spill.pointer()) };
        // SAFETY: S1: initialized before it was published, and never written again; alive for as long as the reference.
        unsafe { slice::from_raw_parts(first.as_ptr(), spill.length) }
    }

    /// Frees it, not its nodes, once nobody can reach it.
    ///
    /// # Safety
    ///
    /// E2: it is unpublished, and this is called once.
    pub unsafe fn retire(spill: *mut Spill<N>) {
        // SAFETY: E2: nobody has freed it yet.
        let length = unsafe { &*spill }.length;
        // SAFETY: E2, by the caller.
        unsafe { reclaim::retire(spill, layout::<N>(length).size(), Kind::Plain, Spill::free) }
    }

    /// Frees it, not its nodes.
    ///
    /// # Safety
    ///
    /// It came from [`Spill::into_word`], and nobody can reach it any more.
    pub unsafe fn free(spill: *mut Spill<N>) {
        reclaim::died(spill);
        // SAFETY: by the caller.
        let length = unsafe { &*spill }.length;
        #[cfg(loom)]
        // SAFETY: by the caller; a witness may have something to drop.
        unsafe {
            spill.drop_in_place()
        }
        // SAFETY: a spill is never null.
        let memory = unsafe { NonNull::new_unchecked(spill.cast::<u8>()) };
        // SAFETY: S1: the layout it was allocated with; nobody uses it, by the caller.
        unsafe { pool::free(memory, layout::<N>(length)) }
    }
}

/// Where the items begin.
///
/// # Safety
///
/// S1: `spill` is an allocation of [`layout`].
unsafe fn place<N>(spill: NonNull<Spill<N>>) -> NonNull<Item<N>> {
    const { assert!(size_of::<Spill<N>>().is_multiple_of(align_of::<Item<N>>())) };
    // SAFETY: S1.
    unsafe { spill.add(1) }.cast()
}

fn layout<N>(length: usize) -> Layout {
    let items = Layout::array::<Item<N>>(length).expect("there are fewer nodes than that");
    let (layout, _) = Layout::new::<Spill<N>>().extend(items).expect("there are fewer nodes than that");
    layout
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::super::{Entry, Owned};
    use super::*;

    type TestEntry = Entry<u64, u64>;

    /// Catches items that overlap the struct or each other, are written beyond the allocation (under a sanitizer), or freed with another layout.
    #[test]
    fn a_spill_holds_what_it_was_given() {
        let guard = reclaim::pin();
        for length in 1..40_u64 {
            let nodes: Vec<Owned<TestEntry>> = (0..length).map(|key| Entry::new(key, key, key, 1, 1)).collect();
            let items: Vec<_> = nodes.iter().map(|node| (node.hash(), node.pointer())).collect();
            let word = Spill::into_word(items.len(), items.iter().copied());
            // SAFETY: M5: it is a spill's word.
            let spill = unsafe { Spill::reach(word, &guard) };
            assert_eq!(Spill::items(spill), items);
            // SAFETY: nobody else has it.
            unsafe { Spill::free(spill.pointer().as_ptr()) };
        }
    }
}
