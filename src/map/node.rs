//! Nodes: what the map holds, and who owns a node when.
//!
//! ```text
//!  Owned<N> --put--> published --cut, put over--> Unlinked<'g, N> --into_gone--> Gone<N> --drop--> retired --later--> released
//!     |                                            (one winner: N4)
//!     +--drop (never published)--> released, at the next safe point if that may run code of the user's
//! ```
//!
//! Only a successful header change makes an [`Unlinked`], and only dropping it, or the [`Gone`] that becomes of it, retires the node: that is
//! how a node is freed once (N4), whatever panics in between.

#![allow(unsafe_code)]

use core::fmt;
use core::mem;
use core::ops::Deref;
use core::ptr::NonNull;

use crate::reclaim::{self, Guard, Kind, Ref};

/// A node: an allocation of its own, immutable but for atomics once it is published.
///
/// Implemented by `Entry<K, V>` (for `Cache`) and `Record` (for `MemStore`). Nodes are aligned to at least
/// four bytes, since slots use the two low bits of the pointer.
pub trait Node: Send + Sync + Sized + 'static {
    /// Whether `release` runs no code of the user's, so that nobody waits for it.
    const IS_PLAIN: bool;

    /// Bytes of its allocation.
    fn bytes(&self) -> usize;

    /// The hash it is found by; always the same.
    fn hash(&self) -> u64;

    /// Gives the map's share of the node up.
    ///
    /// # Safety
    ///
    /// N4: called once a node, when no thread can reach the node through the map any more. May run on any
    /// thread. Must not unwind.
    unsafe fn release(this: NonNull<Self>);
}

/// A node that is not published: its holder is the only one who knows it.
pub struct Owned<N: Node> {
    pointer: NonNull<N>,
}

impl<N: Node> Owned<N> {
    /// Takes a fresh allocation over.
    ///
    /// # Safety
    ///
    /// N1: `pointer` is a fully initialized node that nobody else holds, and that `N::release` may release.
    pub unsafe fn new(pointer: NonNull<N>) -> Self {
        const { assert!(align_of::<N>() >= 4) };
        reclaim::born(pointer.as_ptr());
        Self { pointer }
    }

    /// The pointer to publish; the node stays owned by `self`.
    #[inline]
    pub fn pointer(&self) -> NonNull<N> {
        self.pointer
    }

    /// Exclusive access, before it is published.
    pub fn get_mut(&mut self) -> &mut N {
        // SAFETY: N1: nobody else holds the node.
        unsafe { self.pointer.as_mut() }
    }

    /// Ends this ownership: the map owns the node now, or the caller does.
    #[inline]
    pub fn into_pointer(self) -> NonNull<N> {
        let pointer = self.pointer;
        mem::forget(self);
        pointer
    }

    /// A published node that its publisher still looks at, under the guard it was published with.
    #[inline]
    pub fn publish(self, guard: &Guard) -> Ref<'_, N> {
        // SAFETY: E1: the guard was pinned before the node was published, so the node outlives it.
        unsafe { reclaim::reach(self.into_pointer(), guard) }
    }
}

impl<N: Node> Deref for Owned<N> {
    type Target = N;

    fn deref(&self) -> &N {
        // SAFETY: N1: the node is initialized, and lives as long as `self`.
        unsafe { self.pointer.as_ref() }
    }
}

impl<N: Node> Drop for Owned<N> {
    fn drop(&mut self) {
        if N::IS_PLAIN {
            // SAFETY: N4: it was never published, so nobody else can reach it.
            unsafe { N::release(self.pointer) }
        } else {
            // SAFETY: E2, N4, likewise.
            unsafe { reclaim::drop_later(self.pointer.as_ptr(), self.bytes(), release::<N>) }
        }
    }
}

impl<N: Node> fmt::Debug for Owned<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Owned").field(&self.pointer).finish()
    }
}

// SAFETY: it owns a node, and nodes are Send and Sync.
unsafe impl<N: Node> Send for Owned<N> {}

/// A node that this thread removed, readable under the guard that it was removed under; it is retired when this is dropped.
#[must_use]
#[derive(Debug)]
pub struct Unlinked<'g, N: Node> {
    node: Ref<'g, N>,
    gone: Gone<N>,
}

impl<'g, N: Node> Unlinked<'g, N> {
    /// Says that the caller's header change unpublished `node`.
    ///
    /// # Safety
    ///
    /// N4: no other header change did, or ever will.
    pub unsafe fn new(node: Ref<'g, N>, _guard: &'g Guard) -> Self {
        Self { node, gone: Gone { pointer: node.pointer() } }
    }

    /// The node, readable until the guard is dropped.
    pub fn node(&self) -> Ref<'g, N> {
        self.node
    }

    /// The node without the guard.
    pub fn into_gone(self) -> Gone<N> {
        self.gone
    }
}

/// A node that this thread removed, and owns as long as it is readable by this; it is retired when this is dropped.
#[must_use]
pub struct Gone<N: Node> {
    pointer: NonNull<N>,
}

impl<N: Node> Gone<N> {
    /// The node.
    pub fn node(&self) -> Ref<'_, N> {
        // SAFETY: E2: it is retired when `self` is dropped (N4).
        unsafe { Ref::unlinked(self.pointer) }
    }
}

impl<N: Node> Drop for Gone<N> {
    #[inline]
    fn drop(&mut self) {
        let kind = if N::IS_PLAIN { Kind::Plain } else { Kind::Drops };
        let bytes = self.node().bytes();
        // SAFETY: E2: it is unlinked, and there is one `Gone` a node (N4).
        unsafe { reclaim::retire(self.pointer.as_ptr(), bytes, kind, release::<N>) }
    }
}

impl<N: Node> fmt::Debug for Gone<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gone").field(&self.pointer).finish()
    }
}

/// `N::release`, for the collector.
unsafe fn release<N: Node>(pointer: *mut N) {
    // SAFETY: N1: node pointers are never null.
    let pointer = unsafe { NonNull::new_unchecked(pointer) };
    // SAFETY: N4: the collector calls this once, after the grace period.
    unsafe { N::release(pointer) }
}
