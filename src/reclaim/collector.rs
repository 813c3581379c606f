//! The only file that names `crossbeam_epoch` in a build: the collector that all caches of the process share, and nobody else.
//!
//! The process's default collector would do as well, but a pin of it runs whatever other crates have deferred: code that may panic, block, or
//! use a cache, in the middle of our reads. Here everything that is deferred is ours (see [`shelf`](super::shelf)) or the skip list's.

use std::sync::OnceLock;

use crossbeam_epoch::Collector;
pub use crossbeam_epoch::{Guard, LocalHandle};

static COLLECTOR: OnceLock<Collector> = OnceLock::new();

/// Returns the collector. Waits only in the moment at which the process's first cache is made.
pub fn collector() -> &'static Collector {
    COLLECTOR.get_or_init(Collector::new)
}
