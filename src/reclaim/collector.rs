//! The only file that names `crossbeam_epoch` in a build: the collector that all caches of the process share, and nobody else.
//!
//! The process's default collector would do as well, but a pin of it runs whatever other crates have deferred: code that may panic, block, or
//! use a cache, in the middle of our reads. Here everything that is deferred is ours (see [`shelf`](super::shelf)) or the skip list's.

pub use crossbeam_epoch::{Collector, Guard, LocalHandle};

/// Returns the collector.
pub fn collector() -> &'static Collector {
    super::shelf::shared_collector()
}
