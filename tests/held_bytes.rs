//! What threads hold back when they do no more than read, or nothing: counted in bytes, with values of a MiB and
//! many threads.
//!
//! Catches garbage that is counted by pieces (fault B5), pools without a total (fault B6), and the copies that
//! removing keys of one hash leaves (fault B4). `tests/leaks.rs` sees none of these, because each thread gives
//! everything back as it ends. Each case has a process of its own, so that nothing else allocates meanwhile.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use common::counting::{Counting, live, peak, restart_peak};
use common::{ConstantHasher, child, ignore, seconds};
use fleeting::{Cache, MemStore};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MIB: i64 = 1 << 20;

const INTERVAL: Duration = Duration::from_millis(50);

/// Sweeps of the janitor after which nothing may be held any more: three of its intervals, and the one that was
/// under way.
const SWEEPS: u64 = 4;

/// Waits until the janitor has swept so often again, and the level is below `limit` bytes: for a second more, since
/// a busy machine may have kept a thread from its core. Returns the level.
fn settle(before: i64, limit: i64, sweeps: impl Fn() -> u64) -> i64 {
    let wanted = sweeps() + SWEEPS;
    while sweeps() < wanted {
        thread::sleep(INTERVAL / 5);
    }
    let end = Instant::now() + seconds(1);
    while live() - before > limit && Instant::now() < end {
        thread::sleep(INTERVAL / 5);
    }
    live() - before
}

fn large_values() -> Cache<u64, Vec<u8>> {
    Cache::builder().cleanup_interval(INTERVAL).build().expect("sane")
}

/// Runs `begin` on each of `count` threads, then `rest` again and again, until the bytes were judged; returns how
/// many are held by then.
fn held_while_resting(
    count: usize,
    limit: i64,
    begin: impl Fn(u64) + Sync,
    rest: impl Fn(u64) + Sync,
    sweeps: impl Fn() -> u64,
) -> i64 {
    let before = live();
    let (begun, judged) = (Barrier::new(count + 1), AtomicBool::new(false));
    thread::scope(|scope| {
        for number in 0..count as u64 {
            let (begin, rest, begun, judged) = (&begin, &rest, &begun, &judged);
            let work = move || {
                begin(number);
                begun.wait();
                while !judged.load(Ordering::Relaxed) {
                    rest(number);
                    thread::sleep(INTERVAL / 5);
                }
            };
            thread::Builder::new().stack_size(128 << 10).spawn_scoped(scope, work).expect("a thread");
        }
        begun.wait();
        let held = settle(before, limit, sweeps);
        judged.store(true, Ordering::Relaxed);
        held
    })
}

/// One entry of 1 MiB, replaced 240 times by threads that then are idle: 240 MiB were held for good.
fn replaced_values_of_idle_threads(limit: i64) -> i64 {
    let cache = large_values();
    let begin = |_| (0..60).for_each(|_| ignore(cache.insert(1, vec![0; MIB as usize])));
    held_while_resting(4, limit, begin, |_| (), || cache.stats().sweeps)
}

/// Values of 2 MiB, removed by threads that then only read.
fn removed_values_of_reading_threads(limit: i64) -> i64 {
    let cache = large_values();
    let begin = |thread: u64| {
        (0..30).for_each(|number| ignore(cache.insert(thread * 1_000 + number, vec![0; 2 * MIB as usize])));
        (0..30).for_each(|number| assert!(cache.remove(&(thread * 1_000 + number))));
    };
    let read = |_| (0..100).for_each(|key| drop(cache.get(&key)));
    held_while_resting(8, limit, begin, read, || cache.stats().sweeps)
}

/// Sessions of 1,000 bytes, saved and deleted by 200 threads; half of them then read, half do nothing.
fn deleted_sessions_of_many_threads(limit: i64) -> i64 {
    let store = MemStore::new(INTERVAL);
    let begin = |thread: u64| {
        for number in 0..1_000_u64 {
            let token = [thread, number].map(u64::to_le_bytes).concat();
            store.save_for(&token, [7; 1_000], seconds(600));
            assert!(store.delete(&token));
        }
    };
    let read = |thread: u64| {
        if thread.is_multiple_of(2) {
            (0..50_u64).for_each(|number| drop(store.find(number.to_le_bytes())));
        }
    };
    held_while_resting(200, limit, begin, read, || store.stats().sweeps)
}

/// Removed values are dropped at the latest with the cache's last handle, and not with the thread: returns how many
/// are not.
fn values_that_outlive_their_cache() -> i64 {
    let cache: Cache<u64, Arc<()>> = Cache::builder().cleanup_interval(INTERVAL).build().expect("sane");
    let value = Arc::new(());
    for key in 0..10 {
        cache.insert(key, value.clone());
    }
    for key in 0..5 {
        assert!(cache.remove(&key));
    }
    drop(cache);
    // Other threads of the process may have been pinned at that moment; here there are none.
    let end = Instant::now() + seconds(1);
    while Arc::strong_count(&value) > 1 && Instant::now() < end {
        thread::sleep(INTERVAL / 5);
    }
    Arc::strong_count(&value) as i64 - 1
}

/// Highest bytes for each key while all of `keys` keys of one hash are removed.
fn peak_of_clearing_one_hash(keys: u64) -> i64 {
    let cache: Cache<u64, u64, ConstantHasher> =
        Cache::<u64, u64>::builder().hasher(ConstantHasher).cleanup_interval(Duration::ZERO).build().expect("sane");
    (0..keys).for_each(|key| assert!(cache.insert(key, key)));
    fleeting::release_thread_memory();
    restart_peak();
    let before = live();
    cache.clear();
    (peak() - before) / keys as i64
}

/// Catches faults B4, B5 and B6.
#[test]
fn threads_that_rest_hold_little_memory() {
    fn expect(what: &str, held: i64, limit: i64) {
        assert!(held <= limit, "{held} {what}, where {limit} are allowed");
    }
    child::run_each(
        "threads_that_rest_hold_little_memory",
        &[
            ("idle after replacements", &|| {
                expect("bytes of replaced values", replaced_values_of_idle_threads(8 * MIB), 8 * MIB);
            }),
            ("reading after removals", &|| {
                expect("bytes of removed values", removed_values_of_reading_threads(8 * MIB), 8 * MIB);
            }),
            ("many threads", &|| {
                expect("bytes of deleted sessions", deleted_sessions_of_many_threads(64 * MIB), 64 * MIB);
            }),
            ("the end of a cache", &|| expect("values outlive their cache", values_that_outlive_their_cache(), 0)),
            ("one hash", &|| {
                let [few, many] = [500, 2_000].map(peak_of_clearing_one_hash);
                expect("bytes at once for each of 2,000 keys of one hash that are removed", many, 2 * few + 64);
            }),
        ],
    );
}
