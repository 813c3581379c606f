//! The row "one million entries expire" of the API contract. It measures the memory of the whole process and takes
//! times, so it is alone in its file.

#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::time::{Duration, Instant};

use common::{Random, manual_store, reclaim_until, seconds};
use fleeting::MemStore;

const SESSIONS: u64 = 1_000_000;

/// The highest memory use of this process so far, in KiB.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the kernel reports it");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number of KiB")
}

fn fill(store: &MemStore, first: u64) {
    for number in first..first + SESSIONS {
        store.save_for(number.to_le_bytes(), [number as u8; 200], seconds(60));
    }
}

/// The shortest of some rounds of look-ups and of touches, for sessions that live.
fn fastest_requests(store: &MemStore, live: u64) -> Duration {
    let rounds = (0..9).map(|round| {
        let mut random = Random::new(round);
        let start = Instant::now();
        for _ in 0..20_000 {
            let token = (u64::MAX - random.below(live)).to_le_bytes();
            assert_eq!(store.read(token, <[u8]>::len), Some(200));
        }
        start.elapsed()
    });
    rounds.min().expect("nine rounds")
}

/// Catches expired sessions, records or tables that pile up, and a store that stays slow after a great purge.
#[test]
fn one_million_sessions_expire_and_their_memory_is_given_back() {
    let (store, clock) = manual_store();
    let live = 2_000;
    for number in 0..live {
        store.save_for((u64::MAX - number).to_le_bytes(), [7; 200], seconds(1_000_000));
    }
    let before = fastest_requests(&store, live);
    let mut peaks = Vec::new();
    for round in 0..4 {
        fill(&store, round * SESSIONS);
        assert_eq!(store.len() as u64, SESSIONS + live);
        clock.advance(seconds(60));
        assert_eq!(store.sweep() as u64, SESSIONS);
        assert_eq!(store.len() as u64, live);
        // Garbage may wait for a few epochs; drive them on, as the traffic of a server would.
        let mut rounds = 0;
        reclaim_until(|| {
            rounds += 1;
            rounds > 30_000
        });
        peaks.push(peak_memory());
    }
    let stats = store.stats();
    assert_eq!((stats.entries, stats.expired), (live, 4 * SESSIONS));
    assert!(stats.records < 3 * live, "{} records for {live} sessions", stats.records);
    assert!(peaks[3] < peaks[0] + peaks[0] / 4, "memory grew from purge to purge: {peaks:?} KiB");
    let after = fastest_requests(&store, live);
    assert!(after < before * 4, "look-ups took {before:?} before the purges and take {after:?} after them");
    let start = Instant::now();
    assert_eq!(store.sweep(), 0);
    assert!(start.elapsed() < Duration::from_millis(100), "a sweep with nothing due took {:?}", start.elapsed());
    assert_eq!(common::assert_store_sound(&store).len() as u64, live);
}
