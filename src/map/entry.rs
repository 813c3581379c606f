//! The node of `Cache`: a key, a value, and what the expiry protocol needs.

#![allow(unsafe_code)]

use core::alloc::Layout;
use core::mem;
use core::ptr::{self, NonNull};

use super::node::{Node, Owned};
use crate::contain::contain;
use crate::expiry::{Meta, Timed};
use crate::reclaim::{self, Guard, Ref, pool};
use crate::sync::{AtomicU64, Ordering};

/// The cap of an entry that has yet to inherit it.
const INHERITED: u64 = u64::MAX;

/// A key and its value.
#[derive(Debug)]
pub struct Entry<K, V> {
    meta: Meta,
    /// Where the time to live ends, when idle time may end the entry before.
    cap: AtomicU64,
    /// The entry that this one replaces and inherits its deadline from. Read only while unsettled.
    predecessor: *const Entry<K, V>,
    key: K,
    value: V,
}

// SAFETY: `predecessor` is another entry of the same kind, used like a shared reference.
unsafe impl<K: Send + Sync, V: Send + Sync> Send for Entry<K, V> {}
// SAFETY: as above.
unsafe impl<K: Send + Sync, V: Send + Sync> Sync for Entry<K, V> {}

impl<K, V> Entry<K, V>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// An entry with a deadline, and a cap for idle extension.
    pub fn new(hash: u64, key: K, value: V, deadline: u64, cap: u64) -> Owned<Self> {
        let entry =
            Entry { meta: Meta::new(hash, deadline), cap: AtomicU64::new(cap), predecessor: ptr::null(), key, value };
        let pointer = pool::allocate(Layout::new::<Self>()).cast::<Self>();
        // SAFETY: fresh memory of an entry's layout.
        unsafe { pointer.write(entry) };
        // SAFETY: N1: initialized, known to nobody else.
        unsafe { Owned::new(pointer) }
    }

    /// Makes the entry inherit the deadline of the one that it will replace, at the moment it does.
    pub fn inherit(entry: &mut Owned<Self>, from: Ref<'_, Self>) {
        let entry = entry.get_mut();
        entry.predecessor = from.pointer().as_ptr();
        entry.meta.unsettle();
        entry.cap = AtomicU64::new(INHERITED);
    }

    /// Key and value back, of an entry that was never published.
    pub fn into_parts(entry: Owned<Self>) -> (K, V) {
        let pointer = entry.into_pointer();
        reclaim::died(pointer.as_ptr());
        // SAFETY: N1: initialized, never published, and not used again.
        let Entry { key, value, .. } = unsafe { pointer.read() };
        // SAFETY: the layout it was allocated for.
        unsafe { pool::free(pointer.cast(), Layout::new::<Self>()) };
        (key, value)
    }

    /// The key.
    pub fn key(&self) -> &K {
        &self.key
    }

    /// The value.
    pub fn value(&self) -> &V {
        &self.value
    }

    /// Where the time to live ends.
    pub fn cap(&self) -> u64 {
        // Ordering: Relaxed: a bound for idle extension; the deadline alone decides.
        self.cap.load(Ordering::Relaxed)
    }

    /// Moves the end of the time to live; the deadline follows by another step.
    pub fn set_cap(&self, cap: u64) {
        self.cap.store(cap, Ordering::Relaxed);
    }
}

impl<K, V> Node for Entry<K, V>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    const IS_PLAIN: bool = !mem::needs_drop::<K>() && !mem::needs_drop::<V>();

    #[inline]
    fn bytes(&self) -> usize {
        size_of::<Self>()
    }

    #[inline]
    fn hash(&self) -> u64 {
        self.meta.hash()
    }

    unsafe fn release(this: NonNull<Self>) {
        reclaim::died(this.as_ptr());
        // SAFETY: N4: nobody else can reach it.
        let entry = unsafe { &mut *this.as_ptr() };
        let (key, value) = (&raw mut entry.key, &raw mut entry.value);
        // Dropped where they lie: a value may be larger than the stack. The user's `Drop` may panic, and nothing here must unwind. One by one: two
        // panics at once would end the process.
        // SAFETY: N4, N1: the last use of the key.
        contain(|| unsafe { ptr::drop_in_place(key) });
        // SAFETY: N4, N1: the last use of the value.
        contain(|| unsafe { ptr::drop_in_place(value) });
        // SAFETY: N1: the layout it was allocated for; its other fields have no drop.
        unsafe { pool::free(this.cast(), Layout::new::<Self>()) };
    }
}

impl<K, V> Timed for Entry<K, V>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    const META_AT: usize = core::mem::offset_of!(Self, meta);

    #[inline]
    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn predecessor<'g>(&self, guard: &'g Guard) -> Option<Ref<'g, Self>> {
        let pointer = NonNull::new(self.predecessor.cast_mut())?;
        // SAFETY: E1: asked for only while the entry is unsettled, and its predecessor is retired after it
        // was settled (engine.rs, X4).
        Some(unsafe { reclaim::reach(pointer, guard) })
    }

    fn inherit(&self, predecessor: &Self) {
        // Ordering: Relaxed: the deadline, settled next, carries it. The first of several settlers counts, so that
        // a late one cannot undo a touch.
        let _ = self.cap.compare_exchange(INHERITED, predecessor.cap(), Ordering::Relaxed, Ordering::Relaxed);
    }
}
