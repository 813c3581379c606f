//! The node of `MemStore`: header, token and data in one allocation, with a reference count.
//!
//! ```text
//! | meta (deadline, filed, hash) | version | references | token length | data length | token ... | data ... |
//! ```
//!
//! The map holds one reference; each [`Shared`] handle another. The map gives its own up through the epoch
//! collector, so whoever reaches a record under a guard finds the count above zero, and may raise it (R1).
//!
//! With feature `zeroize`, whoever gives up the last reference overwrites token and data before the memory goes on to the pool or the allocator.
//!
//! | label | release side | acquire side | carries |
//! |---|---|---|---|
//! | drop-session | each decrement of the count | the loads before freeing | every use of the bytes |

#![allow(unsafe_code)]

use core::alloc::Layout;
use core::mem::offset_of;
use core::ptr::{self, NonNull};
use core::slice;

use super::node::{Node, Owned};
use crate::error::TooLong;
use crate::expiry::{Meta, Timed};
use crate::reclaim::{self, Guard, Ref, pool};
use crate::sync::{AtomicUsize, Ordering};

/// A session: the struct is followed by the bytes of the token and of the data.
#[repr(C)]
#[derive(Debug)]
pub struct Record {
    meta: Meta,
    version: u64,
    references: AtomicUsize,
    token_length: u32,
    data_length: u32,
    #[cfg(loom)]
    witness: crate::sync::Witness,
}

/// References that no program reaches without leaking handles; beyond it, the count could wrap.
const REFERENCES_MAX: usize = isize::MAX as usize;

impl Record {
    /// Copies token and data into a new record.
    ///
    /// # Errors
    ///
    /// One of them has more than `u32::MAX` bytes.
    #[inline]
    pub fn new(hash: u64, token: &[u8], data: &[u8], deadline: u64, version: u64) -> Result<Owned<Self>, TooLong> {
        let token_length = u32::try_from(token.len()).map_err(|_| TooLong::token(token.len()))?;
        let data_length = u32::try_from(data.len()).map_err(|_| TooLong::data(data.len()))?;
        let layout = layout(token.len(), data.len()).ok_or_else(|| TooLong::data(data.len()))?;
        let record = Record {
            meta: Meta::new(hash, deadline),
            version,
            references: AtomicUsize::new(1),
            token_length,
            data_length,
            #[cfg(loom)]
            witness: Default::default(),
        };
        let memory = pool::allocate(layout);
        let pointer = memory.cast::<Record>();
        // SAFETY: R2: the allocation begins with room for a record, aligned for it.
        unsafe { pointer.write(record) };
        // SAFETY: R2: token, then data, lie behind the struct, within the allocation.
        let bytes = unsafe { memory.add(size_of::<Record>()) };
        // SAFETY: R2; fresh memory does not overlap the caller's.
        unsafe { ptr::copy_nonoverlapping(token.as_ptr(), bytes.as_ptr(), token.len()) };
        // SAFETY: R2.
        let bytes = unsafe { bytes.add(token.len()) };
        // SAFETY: R2; fresh memory does not overlap the caller's.
        unsafe { ptr::copy_nonoverlapping(data.as_ptr(), bytes.as_ptr(), data.len()) };
        // SAFETY: N1: initialized, known to nobody else.
        Ok(unsafe { Owned::new(pointer) })
    }

    /// The version that this state of the session has.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The token.
    #[inline]
    pub fn token(record: Ref<'_, Self>) -> &[u8] {
        // SAFETY: R2: the record is alive for as long as the reference.
        unsafe { bytes(record.pointer(), 0, record.get().token_length) }
    }

    /// The token of a record that is not published.
    pub fn owned_token(record: &Owned<Self>) -> &[u8] {
        // SAFETY: R2: the record is alive for as long as the reference.
        unsafe { bytes(record.pointer(), 0, record.token_length) }
    }

    /// The data.
    #[inline]
    pub fn data(record: Ref<'_, Self>) -> &[u8] {
        // SAFETY: R2: the record is alive for as long as the reference.
        unsafe { bytes(record.pointer(), record.get().token_length as usize, record.get().data_length) }
    }
}

/// Bytes of a record, from `start` after its struct.
///
/// # Safety
///
/// R2: the record is alive for 'a, and the range lies within its bytes.
#[inline]
unsafe fn bytes<'a>(record: NonNull<Record>, start: usize, length: u32) -> &'a [u8] {
    #[cfg(loom)]
    // SAFETY: R2.
    unsafe { record.as_ref() }.witness.read();
    // SAFETY: R2: the pointer has the provenance of the whole allocation.
    let first = unsafe { record.cast::<u8>().add(size_of::<Record>() + start) };
    // SAFETY: R2: initialized when the record was made, and never written again.
    unsafe { slice::from_raw_parts(first.as_ptr(), length as usize) }
}

/// The bytes of a record, to be overwritten.
///
/// # Safety
///
/// R2: the record is as long as that, and nobody else uses it any more.
#[cfg(feature = "zeroize")]
unsafe fn bytes_mut<'a>(record: NonNull<Record>, length: usize) -> &'a mut [u8] {
    // SAFETY: R2: the pointer has the provenance of the whole allocation.
    let first = unsafe { record.cast::<u8>().add(size_of::<Record>()) };
    // SAFETY: R2: initialized when the record was made.
    unsafe { slice::from_raw_parts_mut(first.as_ptr(), length) }
}

fn layout(token: usize, data: usize) -> Option<Layout> {
    let size = size_of::<Record>().checked_add(token)?.checked_add(data)?;
    Layout::from_size_align(size, align_of::<Record>()).ok()
}

impl Node for Record {
    const IS_PLAIN: bool = true;

    #[inline]
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.token_length as usize + self.data_length as usize
    }

    #[inline]
    fn hash(&self) -> u64 {
        self.meta.hash()
    }

    unsafe fn release(this: NonNull<Self>) {
        // SAFETY: R1: the map's own reference keeps the record alive until here.
        let references = unsafe { &(*this.as_ptr()).references };
        // Ordering: Acquire [drop-session] with the Release of all other decrements: if this reference is the only one, nobody is left who could
        // raise the count, and no locked instruction is needed.
        if references.load(Ordering::Acquire) != 1 {
            // Ordering: Release [drop-session] with the loads: every use comes before the freeing.
            if references.fetch_sub(1, Ordering::Release) != 1 {
                return;
            }
            // Ordering: Acquire [drop-session]. A load of the count that was just brought to zero, of one release sequence with all decrements.
            // (No fence: ThreadSanitizer does not understand those.)
            references.load(Ordering::Acquire);
        }
        reclaim::died(this.as_ptr());
        // SAFETY: R1: the last reference is gone; the lengths are those it was made with.
        let record = unsafe { this.read() };
        #[cfg(loom)]
        record.witness.write();
        #[cfg(feature = "zeroize")]
        // SAFETY: R1, R2: all its bytes, and nobody is left who could look at them.
        zeroize::Zeroize::zeroize(unsafe {
            bytes_mut(this, record.token_length as usize + record.data_length as usize)
        });
        let layout = layout(record.token_length as usize, record.data_length as usize);
        // SAFETY: R2: the layout it was allocated for.
        unsafe { pool::free(this.cast(), layout.expect("as when it was made")) };
    }
}

impl Timed for Record {
    const META_AT: usize = offset_of!(Record, meta);

    #[inline]
    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn predecessor<'g>(&self, _guard: &'g Guard) -> Option<Ref<'g, Self>> {
        None
    }

    fn inherit(&self, _predecessor: &Self) {}
}

/// A handle that keeps a record's bytes alive, whatever becomes of the session.
pub struct Shared {
    record: NonNull<Record>,
}

// SAFETY: R1: the bytes are immutable, and the count is atomic.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// Takes a reference of a record that was reached under a guard.
    #[inline]
    pub fn new(record: Ref<'_, Record>) -> Shared {
        raise(&record.references);
        Shared { record: record.pointer() }
    }

    /// The token.
    pub fn token(&self) -> &[u8] {
        // SAFETY: R1: this handle keeps the record alive.
        let record = unsafe { self.record.as_ref() };
        // SAFETY: R1, R2.
        unsafe { bytes(self.record, 0, record.token_length) }
    }

    /// The data.
    #[inline]
    pub fn data(&self) -> &[u8] {
        // SAFETY: R1: this handle keeps the record alive.
        let record = unsafe { self.record.as_ref() };
        // SAFETY: R1, R2.
        unsafe { bytes(self.record, record.token_length as usize, record.data_length) }
    }
}

impl Clone for Shared {
    fn clone(&self) -> Self {
        // SAFETY: R1: this handle keeps the record alive.
        raise(unsafe { &(*self.record.as_ptr()).references });
        Shared { record: self.record }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: R1: one reference is this handle's, given up once.
        unsafe { Record::release(self.record) }
    }
}

#[inline]
fn raise(references: &AtomicUsize) {
    // Ordering: Relaxed: whoever raises the count holds a reference, or a guard, that keeps the record alive (R1).
    if references.fetch_add(1, Ordering::Relaxed) > REFERENCES_MAX {
        // As `Arc` does: only leaked handles get here.
        std::process::abort();
    }
}
