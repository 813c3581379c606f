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
//! stopped there, or holds a [`Pinned`], delays the freeing for the whole process. Each thread may hold back some 64 removed entries until
//! it uses a cache again.
//!
//! # Async code
//!
//! All operations are short and never wait, so they may be called from async tasks; only [`Cache::get_or_insert_with`] waits. [`Pinned`] is not `Send`, so holding one
//! across an await does not compile in a task that may move between threads.

#![cfg_attr(docsrs, feature(doc_cfg))]
// Items of private modules are `pub`, so that models can be given the modules.
#![cfg_attr(loom, allow(missing_docs, dead_code, unused_imports))]

#[cfg(not(loom))]
mod builder;
#[cfg(not(loom))]
mod cache;
#[cfg(not(loom))]
mod integer;
#[cfg(not(loom))]
mod janitor;
#[cfg(not(loom))]
mod loading;
#[cfg(not(loom))]
mod store;

#[cfg(not(loom))]
mod clock;
#[cfg(not(loom))]
mod engine;
#[cfg(not(loom))]
mod epoch;
#[cfg(not(loom))]
mod error;
#[cfg(not(loom))]
mod expiry;
#[cfg(not(loom))]
mod map;
#[cfg(not(loom))]
mod stats;
#[cfg(not(loom))]
mod sync;

#[cfg(loom)]
pub mod clock;
#[cfg(loom)]
pub mod engine;
#[cfg(loom)]
pub mod epoch;
#[cfg(loom)]
pub mod error;
#[cfg(loom)]
pub mod expiry;
#[cfg(loom)]
pub mod map;
#[cfg(loom)]
pub mod stats;
#[cfg(loom)]
pub mod sync;

#[cfg(not(loom))]
pub use self::{
    builder::{Builder, MemStoreBuilder},
    cache::{Cache, Op, Outcome, Pinned, WeakCache},
    clock::{Clock, ManualClock, SystemClock},
    engine::RemovalCause,
    error::{BuildError, Conflict, TokenTaken, TooLong},
    integer::Integer,
    stats::Stats,
    store::{MemStore, SessionData, Token, Version, WeakMemStore},
};

/// The README's example, tested.
#[cfg(all(doctest, not(loom)))]
#[doc = include_str!("../README.md")]
struct Readme;
