//! Call-outs: user code that panics, re-enters or blocks in each place where the library runs it.
//!
//! * `panics`, `reentry`, `blocking` are driven by a table: each act of a subject (`cache`, `store`), in each place (`plan`) where it runs user code.
//! * `contained`, `upkeep`, `janitor`, `limits` hold single promises, on which these say nothing.

// Keys count themselves in a ledger; hash and equality are of their number alone.
#![allow(clippy::mutable_key_type)]

mod blocking;
mod cache;
#[path = "../common/mod.rs"]
mod common;
mod contained;
mod janitor;
mod limits;
mod panics;
mod plan;
mod probes;
mod reentry;
mod store;
mod subject;
mod upkeep;

use std::sync::{Mutex, MutexGuard};

/// Runs the tests of this binary one at a time: they share the collector, and each wants what it frees to be its own.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    common::lock(&TURN)
}
