//! What sharing costs us: each operation by one thread; by two threads, each on a store of its own; by two threads on one store, where both write
//! the same words. The second and the third differ by nothing but what is shared.
//!
//! On two cores this shows which words are shared, and what one transfer of a cache line costs; the rest is arithmetic (BENCHMARKS.md).

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use fleeting::MemStore;

use super::Bench;
use crate::figures::Row;
use crate::load::DATA;
use crate::rounds;

/// One operation, the `number`th of a thread.
type Operation = fn(&MemStore, thread: u64, number: u64, SystemTime);

const OPERATIONS: [(&str, Operation); 9] = [
    ("find of one session", |store, _, _, _| assert!(store.find("shared").is_some())),
    ("read of one session", |store, _, _, _| assert_eq!(store.read("shared", <[u8]>::len), Some(DATA))),
    ("miss", |store, _, _, _| assert!(store.find("none").is_none())),
    ("touch of one session", |store, _, _, expiry| assert!(store.touch("shared", expiry))),
    ("save of one session", |store, _, _, expiry| store.save("shared", [7; DATA], expiry)),
    ("save of neighbours", |store, thread, _, expiry| store.save(thread.to_le_bytes(), [7; DATA], expiry)),
    ("save far apart", |store, thread, number, expiry| {
        store.save((number * 2 % OTHERS + thread).to_le_bytes(), [7; DATA], expiry);
    }),
    ("create and delete under one expiry", |store, thread, number, expiry| {
        let token = (OTHERS + number * 2 + thread).to_le_bytes();
        assert!(store.create(token, [7; DATA], expiry).is_ok() && store.delete(token));
    }),
    ("create and delete under expiries apart", |store, thread, number, expiry| {
        let token = (OTHERS + number * 2 + thread).to_le_bytes();
        let expiry = expiry + Duration::from_secs(3_600 * (thread + 1));
        assert!(store.create(token, [7; DATA], expiry).is_ok() && store.delete(token));
    }),
];

/// Tokens that are there throughout, and after them those that come and go.
const OTHERS: u64 = 512;
const ENTRIES: usize = OTHERS as usize + 1;

const SHARING: [&str; 3] = ["alone", "apart", "together"];

fn store(expiry: SystemTime) -> MemStore {
    let store = MemStore::new(Duration::ZERO);
    store.save("shared", [7; DATA], expiry);
    (0..OTHERS).for_each(|token| store.save(token.to_le_bytes(), [7; DATA], expiry));
    store
}

/// Nanoseconds an operation, of `times` by each thread.
fn measure(sharing: &str, operation: Operation, times: u64) -> f64 {
    let expiry = SystemTime::now() + Duration::from_secs(4 * 3_600);
    let stores = [store(expiry), store(expiry)];
    let threads = if sharing == "alone" { 1 } else { 2 };
    let barrier = Barrier::new(threads);
    let work = |thread: usize| {
        let store = &stores[if sharing == "apart" { thread } else { 0 }];
        barrier.wait();
        let start = Instant::now();
        (0..times).for_each(|number| operation(store, thread as u64, number, expiry));
        start.elapsed()
    };
    let longest = thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        handles.into_iter().map(|handle| handle.join().expect("each operation did what it should")).max()
    });
    stores.iter().for_each(|store| assert_eq!(store.len(), ENTRIES, "nothing else came or went"));
    longest.expect("there are threads").as_nanos() as f64 / times as f64
}

pub fn run(bench: &mut Bench) -> Result<(), String> {
    let (rounds, times) = (bench.rounds(2, 11), if bench.is_quick { 2_000 } else { 200_000 });
    for (cell, operation) in OPERATIONS {
        if !bench.wants(cell) {
            continue;
        }
        let sample = |_, index: usize| measure(SHARING[index], operation, times);
        let mut row = Row::new("contention", cell, ENTRIES, 2, "ns");
        row.add_group(rounds::interleave(&format!("contention: {cell}"), &SHARING, rounds, |name| name, sample));
        bench.push(row)?;
    }
    Ok(())
}
