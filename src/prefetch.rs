//! The one instruction that reads ahead.

#![allow(unsafe_code)]

/// Asks the caches for what is at an address, whatever the address. Nothing where the target has no such instruction, or none that is stable in Rust.
#[inline]
pub fn prefetch<T>(address: *const T) {
    #[cfg(all(target_arch = "x86_64", not(any(loom, shuttle)), not(miri)))]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: SSE is part of x86-64. A prefetch faults nowhere, and has no effect but on caches.
        unsafe { _mm_prefetch(address.cast(), _MM_HINT_T0) };
    }
    let _ = address;
}
