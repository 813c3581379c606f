//! Every allocation is given back: after each scenario, when its last handle is dropped and the collector is flushed, exactly
//! as many bytes and blocks are allocated as before.
//!
//! Catches whatever is not retired, or not freed, once: nodes, tables (a growth that was under way), spills, chunks, piles, hints,
//! flights, janitors, panic payloads. One test, so that nothing else allocates meanwhile. Each scenario runs once to warm up: thread-locals, the
//! collector's own structures and lazy statics stay. What leaks is printed by size.

mod common;
mod scenarios;

use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use fleeting::MemStore;

use common::counting::{Counting, Level};
use common::quieten_provoked_panics;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Rounds that are measured, after the one that warms up.
const ROUNDS: usize = 2;

/// Flushes that free all that can be freed: many times what an epoch needs.
const FLUSHES: usize = 64;

/// How long the level is waited for. A janitor that was told to end by its own callback may take a moment.
const LIMIT: Duration = Duration::from_secs(5);

/// After so many scenarios that leak, the rest is not looked at: each waits for that long.
const LEAKS_MAX: usize = 3;

/// A store whose finds pin.
static PINS: LazyLock<MemStore> =
    LazyLock::new(|| MemStore::builder().cleanup_interval(Duration::ZERO).build().expect("valid"));

/// The level when the collector has freed what it can.
///
/// The collector frees the nodes of its own queue by way of that queue: each flush leaves one behind, and up to three of them may be
/// on their way for ever. Pins without a flush let them all arrive (a thread collects once in 128 pins); then one flush and more pins leave exactly one.
fn level() -> Level {
    fleeting::release_thread_memory();
    for _ in 0..FLUSHES {
        fleeting::release_thread_memory();
        thread::yield_now();
    }
    for _ in 0..3 {
        (0..16 * 128).for_each(|_| assert!(PINS.find("").is_none()));
        fleeting::release_thread_memory();
    }
    (0..16 * 128).for_each(|_| assert!(PINS.find("").is_none()));
    fleeting::release_thread_memory();
    Level::now()
}

/// Drives the collector until the level is the `wanted` one (if None: is the same twice); returns the level that it is at, and whether
/// that is so.
fn settle(wanted: Option<&Level>) -> (Level, bool) {
    let limit = Instant::now() + LIMIT;
    let mut before = level();
    loop {
        let now = level();
        if now == *wanted.unwrap_or(&before) {
            return (now, true);
        }
        if Instant::now() > limit {
            return (now, false);
        }
        before = now;
    }
}

#[test]
fn every_allocation_is_given_back() {
    quieten_provoked_panics();
    // FLEETING_LEAK runs those scenarios only whose name holds it.
    let only = std::env::var("FLEETING_LEAK").unwrap_or_default();
    let mut leaks = Vec::new();
    for (name, scenario) in scenarios::ALL.iter().filter(|(name, _)| name.contains(&only)) {
        let start = Instant::now();
        scenario();
        for round in 1..=ROUNDS {
            let (before, is_settled) = settle(None);
            assert!(is_settled, "{name}: the level before does not settle");
            scenario();
            let (after, is_back) = settle(Some(&before));
            if !is_back {
                leaks.push(format!("{name}, round {round}: {}", after.beyond(&before)));
                break;
            }
        }
        println!("{name}: {:.2?}", start.elapsed());
        if leaks.len() == LEAKS_MAX {
            break;
        }
    }
    assert!(leaks.is_empty(), "not given back:\n{}", leaks.join("\n"));
}
