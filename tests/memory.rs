//! Memory, by a counting allocator: what a cache costs, and what it gives back. One test, so that nothing else allocates meanwhile.
//! Catches a table that is presized, stale records that pile up (F7), entries that are not freed after they expired.

mod common;

use std::time::Duration;

use common::counting::{Counting, live};
use fleeting::{Cache, ManualClock, MemStore};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Frees what the collector holds back, as far as no other thread is pinned.
fn collect() {
    fleeting::release_thread_memory();
    for _ in 0..1_000 {
        fleeting::release_thread_memory();
    }
    fleeting::release_thread_memory();
}

fn store(clock: &ManualClock) -> MemStore {
    MemStore::builder().clock(clock.clone()).cleanup_interval(Duration::ZERO).build().expect("sane")
}

#[test]
fn memory_is_small_bounded_and_given_back() {
    collect();
    let clock = ManualClock::new();

    // Empty, janitor included.
    let before = live();
    let cache = Cache::<u64, u64>::new();
    let empty = live() - before;
    // A line of counters for two threads a core, 8 to 64 of them.
    let lines =
        std::thread::available_parallelism().map_or(1, |cores| (2 * cores.get()).next_power_of_two().clamp(8, 64));
    assert!(empty < 7 * 1024 + 128 * lines as i64, "an empty cache costs {empty} bytes");
    drop(cache);
    collect();

    // A million sessions come, expire and are swept: what stays is the table.
    let before = live();
    let sessions = store(&clock);
    for number in 0..1_000_000_u32 {
        sessions.save_for(number.to_be_bytes(), [7; 100], Duration::from_secs(60));
    }
    let full = live() - before;
    clock.advance(Duration::from_secs(60));
    assert_eq!(sessions.sweep(), 1_000_000);
    collect();
    let swept = live() - before;
    println!("1 M sessions of 104 bytes: {} bytes each beyond these; {swept} bytes stay", full / 1_000_000 - 104);
    assert!(full < 1_000_000 * (104 + 48 + 60), "{full}");
    assert!(swept < 50_000_000, "{swept} bytes are left after all expired");
    drop(sessions);
    collect();
    let after = live() - before;
    assert!(after < 100_000, "{after} bytes leaked");

    // Created and deleted at constant size: the records of the deleted stay bounded.
    let churned = store(&clock);
    for number in 0..1_000_000_u32 {
        churned.save_for(number.to_be_bytes(), [], Duration::from_secs(3600));
        if let Some(old) = number.checked_sub(1_000) {
            assert!(churned.delete(old.to_be_bytes()));
        }
    }
    let stats = churned.stats();
    assert_eq!(stats.entries, 1_000);
    assert!(stats.records <= 2 * 1_000 + 1_024 + 30, "{} records for 1,000 entries", stats.records);
    // The live ones are still found by the sweep when their time comes.
    clock.advance(Duration::from_secs(3600));
    assert_eq!(churned.sweep(), 1_000);
    assert!(churned.is_empty());
}
