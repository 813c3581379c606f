//! Linearizability of recorded histories: a checker of our own, and the specifications of `fleeting`'s operations.
//!
//! ```text
//! specification   what one key may do, one operation at a time                       (trait Specification)
//! record          who called what when, and what was answered                        Call, Log, Stamps
//! check           is there an order of the calls that explains all answers?          check -> Violation
//! shrink          the fewest calls that still have none
//! timeline        prints them, a column a thread
//! cache, store    the specifications of a key of `Cache` and of a token of `MemStore`, and how to call the real ones
//! rename          the specification of two tokens and `MemStore::rename`
//! ```
//!
//! It catches any answer that no order of the operations explains: a value read after it was replaced, a removal that
//! two threads won, an update that was lost, an entry that outlived its deadline or died before it.
//!
//! The library does not depend on `fleeting`'s cfgs: the native runs of `main.rs` and the schedules of `shuttle-tests/` share it.

pub mod cache;
mod check;
mod overtaken;
mod record;
pub mod rename;
mod shrink;
mod specification;
pub mod store;
mod ticks;
mod timeline;

pub use self::check::{Checked, Violation, check};
pub use self::overtaken::Overtaken;
pub use self::record::{Log, Stamps};
pub use self::specification::{Call, History, Specification, parity};
pub use self::ticks::{NEVER, Ticks};
