//! The only file that names atomics, threads and what is local to them, mutexes and condition variables of the protocols.
//!
//! ```text
//! a build                       core's atomics, std's threads: nothing in between
//! --cfg loom                    loom's: the models of loom-tests/
//! --cfg shuttle                 shuttle's: the random schedules of shuttle-tests/
//! --cfg fleeting_hooked         core's, with a hook before each step: native runs that are disturbed on purpose
//! ```
//!
//! The last three are *checked* builds: [`checked`] wraps their atomics, so that each site can be counted and weakened.
//! `--cfg fleeting_tiny` changes no atomic: it makes tables, chunks and hints as small as they can be (as models do), so
//! that growth, spills and sealed piles happen all the time.

pub use core::sync::atomic::Ordering;

#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
pub use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize};

#[cfg(any(loom, shuttle, fleeting_hooked))]
pub mod checked;

#[cfg(loom)]
pub use self::checked::Witness;
#[cfg(any(loom, shuttle, fleeting_hooked))]
pub use self::checked::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, fence as update_fence};

#[cfg(not(any(loom, shuttle)))]
pub use std::{
    sync::{Condvar, Mutex, MutexGuard},
    thread, thread_local,
};

#[cfg(loom)]
pub use loom::{
    sync::{Condvar, Mutex, MutexGuard},
    thread, thread_local,
};

#[cfg(shuttle)]
pub use shuttle::{
    sync::{Condvar, Mutex, MutexGuard},
    thread, thread_local,
};

/// Whether tables, chunks and hints are as small as they can be.
pub const TINY: bool = cfg!(any(loom, shuttle, fleeting_tiny));

/// The process that runs this. Where nothing forks (outside Unix), all are the same.
pub fn process() -> u32 {
    if cfg!(unix) { std::process::id() } else { 0 }
}

/// A fence behind a read-modify-write of this thread's (a compare-exchange that failed will do), which it orders before all that follows.
///
/// On x86-64 that instruction is such a fence itself (Intel 64 Software Developer's Manual, volume 3, 9.2.3.9: loads and stores are not reordered
/// with locked instructions), so only the compiler is told; a second one would cost some 10 ns. Elsewhere, and in models, it is a fence.
#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
#[inline]
pub fn update_fence(order: Ordering) {
    if cfg!(all(target_arch = "x86_64", not(miri))) {
        core::sync::atomic::compiler_fence(order);
    } else {
        core::sync::atomic::fence(order);
    }
}
