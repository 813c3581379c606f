//! What a session store must do, asked of any store: [`CASES`], over the neutral [`Subject`].
//!
//! The suites of the frameworks themselves ask little: a deletion that does nothing, a creation that overwrites, an expiry that is ignored
//! or never moves, a session that comes back after its deletion all pass them. Here, [`Planted`] stores have one such fault each, and a test
//! says which cases must catch it.
//!
//! `cargo run --release -p fleeting-session-conformance` prints the tables.

mod adapters;
mod browser;
mod cases;
mod planted;
pub mod scenarios;
mod subject;
mod table;

pub use adapters::{ActixSubject, OldMokaStore, TowerSubject};
pub use browser::Browser;
pub use cases::{CASES, Case, Verdict};
pub use planted::{FAULTS, Fault, Planted};
pub use subject::{Inapplicable, Loaded, Subject, TestClock};
pub use table::{Peer, failed, fault_table, peer_table, peers};
