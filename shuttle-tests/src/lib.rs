//! Whole caches and stores under the schedules of shuttle: what the scenarios of `tests/` share.
//!
//! loom explores every schedule of a few steps of one protocol. Here three to five threads do some eight operations each through
//! the public API, with growth, spills, sweeps, early takes, callbacks, loads and the janitor, under schedules drawn at
//! random: what protocols do to each other is found here, or nowhere. Shuttle is sequentially consistent, so memory orderings are
//! loom's part.
//!
//! * [`explore`] runs a scenario under the random scheduler and under PCT (Burckhardt et al., ASPLOS 2010; depth 3).
//! * [`caches`] and [`stores`] hold the thing under test, its operations, and the invariants that each execution ends with.
//! * [`ledger`] knows what became of each value.
//! * [`clock`] is a clock that another thread may move between any two steps.
//! * [`tally`] counts recorded histories that were explained (the checker is that of `histories/`).
//! * [`freeze`] stops one thread for ever, and requires that the others finish.
//!
//! Everything that decides the course of an execution comes of the schedule: hashers are fixed, and chance is shuttle's. So a failure can be
//! run again: see [`explore`].

pub mod caches;
pub mod clock;
pub mod explore;
pub mod freeze;
pub mod ledger;
pub mod stores;
pub mod tally;

pub use explore::{After, explore};

/// Discards an answer that does not matter here.
pub fn ignore<T>(_: T) {}
