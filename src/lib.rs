//! A lock-free, expiring, in-process cache ([`Cache`]), and a session store on top of it ([`MemStore`]).
//!
//! # Choosing
//!
//! * [`MemStore`] keeps web sessions: byte tokens to byte data, each with its own expiry.
//! * [`Cache`] keeps any key and value, with times to live, idle times, atomic updates and single-flight loading.
//!
//! # Promises
//!
//! * **Lock-free.** Every operation of the map and the expiry index, growth and sweeping included: stop any thread at any instruction, for
//!   ever, and all others still finish. (The allocator and your own code are outside this promise.)
//! * **Exact expiry.** At or after its deadline an entry is not returned, however late it is removed.
//! * **Cleaning costs what is due.** The janitor thread takes due records from an index ordered by time; it never scans the entries.
//! * **Linearizable.** Each operation on a key takes effect at one instant; iteration is weakly consistent.
//!
//! # Memory
//!
//! What is removed is freed once no thread is in the middle of an operation that began before (epoch-based reclamation). A thread that is
//! stopped there, or holds a [`Pinned`], delays the freeing for the whole process.
//!
//! **A value's `Drop` runs at a safe point only**: at the end of a change of a cache (any cache, on the thread that makes the change), in
//! a sweep, in [`Cache::flush`], when a cache is dropped, and when a thread ends. It never runs in a read, never while the thread is pinned, and never within another such `Drop`.
//! So do not change a cache while you hold a lock that a value's `Drop` takes; reads are free of that.
//!
//! Sessions and plain entries (without a `Drop`) come back to the thread that removed them, which makes its next ones of their memory. What waits for that is bounded:
//! 64 KiB and 64 entries that a thread has just removed; 1 MiB for one thread and 16 MiB for the process that have come back; 256 KiB for one thread
//! and 16 MiB for the process of free memory (beyond 16 KiB each). Values with a `Drop` wait for the next change of their thread, or for the next sweep of any cache, whichever is first.
//!
//! # Async code
//!
//! All operations are short and never wait, so they may be called from async tasks; only [`Cache::get_or_insert_with`] waits. [`Pinned`] is not `Send`, so holding one
//! across an await does not compile in a task that may move between threads.
//!
//! # Features
//!
//! `coarse-clock` is on by default: the kernel's coarse clock on Linux and Android; elsewhere, and without it, `Instant`. The others are off by default,
//! only add, and cost nothing when off.
//!
//! | feature | adds |
//! |---|---|
//! | `serde` | snapshots for a warm restart: module `snapshot`, `save_to`, `load_from` and their likes |
//! | `metrics` | statistics through the `metrics` facade: module `observe`, `publish_metrics`, `name` in the builders |
//! | `tracing` | events of sweeps and contained panics: module `observe`, `name` in the builders |
//! | `zeroize` | tokens and data of a [`MemStore`] are overwritten before their memory is freed or used again |
//! | `bytes` | `From<SessionData> for bytes::Bytes`, without a copy |

#![cfg_attr(docsrs, feature(doc_cfg))]
// Items of private modules are `pub`, so that models can be given the modules.
#![cfg_attr(any(loom, shuttle, fleeting_hooked), allow(missing_docs, dead_code, unused_imports))]

mod builder;
mod cache;
mod contain;
mod integer;
#[cfg(any(feature = "metrics", feature = "tracing"))]
pub mod observe;
mod prefetch;
#[cfg(feature = "serde")]
pub mod snapshot;
mod store;

#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
mod clock;
#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
mod engine;
#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
mod error;
#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
mod expiry;
#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
mod janitor;
#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
mod lane;
#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
mod loading;
#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
mod map;
#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
mod reclaim;
#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
mod stats;
#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
mod sync;

#[cfg(any(loom, shuttle, fleeting_hooked))]
pub mod clock;
#[cfg(any(loom, shuttle, fleeting_hooked))]
pub mod engine;
#[cfg(any(loom, shuttle, fleeting_hooked))]
pub mod error;
#[cfg(any(loom, shuttle, fleeting_hooked))]
pub mod expiry;
#[cfg(any(loom, shuttle, fleeting_hooked))]
pub mod janitor;
#[cfg(any(loom, shuttle, fleeting_hooked))]
pub mod lane;
#[cfg(any(loom, shuttle, fleeting_hooked))]
pub mod loading;
#[cfg(any(loom, shuttle, fleeting_hooked))]
pub mod map;
#[cfg(any(loom, shuttle, fleeting_hooked))]
pub mod reclaim;
#[cfg(any(loom, shuttle, fleeting_hooked))]
pub mod stats;
#[cfg(any(loom, shuttle, fleeting_hooked))]
pub mod sync;

pub use self::{
    builder::{Builder, MemStoreBuilder},
    cache::{Cache, Op, Outcome, Pinned, WeakCache},
    clock::{Clock, ManualClock, SystemClock},
    engine::RemovalCause,
    error::{BuildError, Conflict, TokenTaken, TooLong},
    integer::Integer,
    janitor::Janitor,
    stats::Stats,
    store::{MemStore, SessionData, Token, Version, WeakMemStore},
};

/// Gives up the memory that this thread holds back or keeps. For tests that count what is allocated; a thread that ends does so by itself.
#[doc(hidden)]
pub fn release_thread_memory() {
    reclaim::flush();
}

/// The README's example, tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The guides' examples, tested. Those of `axum.md`, `async.md` and `actix.md` are tested by the packages in `integrations/`.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../docs/from-dashmap.md")]
    struct FromDashMap;
    #[doc = include_str!("../docs/from-go.md")]
    struct FromGo;
    #[doc = include_str!("../docs/from-moka.md")]
    struct FromMoka;
    #[doc = include_str!("../docs/security.md")]
    struct Security;
}
