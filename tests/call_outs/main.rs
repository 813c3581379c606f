//! Call-outs: user code that panics, re-enters or blocks in each place where the library runs it.

#![allow(
    clippy::mutable_key_type,
    reason = "keys that count their drops: neither their hash nor their equality changes"
)]

mod blocking;
mod cache;
#[path = "../common/mod.rs"]
mod common;
mod contained;
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
