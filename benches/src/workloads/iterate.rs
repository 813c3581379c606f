//! Passing all of a million entries beside two thousand saves a second: how long it takes, and what a reader feels of it.
//!
//! The floor, *busy elsewhere*, is the same reader and writer beside a thread that burns its core for a while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::{Bench, TTL, single};
use crate::figures::{Row, histogram, percentile_rows};
use crate::kinds::{self, Boxed, Kind, Token};
use crate::load::DATA;
use crate::peers::{Store, Terms, Visitor, visit_sessions};
use crate::progress;
use crate::rounds;

const SAVES_A_SECOND: u32 = 2_000;
const BUSY: Duration = Duration::from_millis(200);

/// Time of a pass, and the reader's finds beside it and beside a busy thread.
struct Pass {
    took: Duration,
    beside: Histogram<u64>,
    floor: Histogram<u64>,
}

type Run<'a> = Box<dyn Fn() -> Pass + 'a>;

struct Build<'a> {
    keys: &'a [Token],
    runs: Vec<(&'static str, Run<'a>)>,
}

impl Visitor<Boxed> for Build<'_> {
    fn visit<S: Store<Kind = Boxed>>(&mut self) {
        progress::tell(&format!("iterate: filling {}", S::name()));
        let keys = self.keys;
        let store = S::new(keys.len());
        single::fill(&store, keys, DATA);
        let run = move || {
            let (_, floor) = beside(&store, keys, || {
                let start = Instant::now();
                while start.elapsed() < BUSY {}
                0
            });
            let ((took, count), beside) = beside(&store, keys, || {
                let mut sum = 0_u64;
                let count = store.iterate(|data| sum = sum.wrapping_add(u64::from(data[DATA - 1])));
                assert_eq!(sum, count as u64 * 7, "{}: data are whole", S::name());
                count
            });
            if S::name() == "fleeting" {
                assert_eq!(count, keys.len(), "what is there throughout is passed once");
            } else if count != keys.len() {
                println!("{} passed {count} of {} entries that were there throughout", S::name(), keys.len());
            }
            Pass { took, beside, floor }
        };
        self.runs.push((S::name(), Box::new(run)));
    }
}

/// Does something beside a reader and a writer; how long that took, what it gave, and the reader's finds meanwhile.
fn beside<S: Store<Kind = Boxed>>(
    store: &S,
    keys: &[Token],
    what: impl FnOnce() -> usize,
) -> ((Duration, usize), Histogram<u64>) {
    let stops = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| write(store, keys, &stops));
        let reader = scope.spawn(|| read(store, keys, &stops));
        // So that both run.
        thread::sleep(Duration::from_millis(5));
        let start = Instant::now();
        let result = what();
        let took = start.elapsed();
        stops.store(true, Ordering::Relaxed);
        ((took, result), reader.join().expect("a reader found what it should not have"))
    })
}

/// Replaces, at a steady pace.
fn write<S: Store<Kind = Boxed>>(store: &S, keys: &[Token], stops: &AtomicBool) {
    let (terms, mut draft, mut random) = (Terms::from_now(TTL), Boxed::draft(DATA), fastrand::Rng::new());
    let (start, mut saves) = (Instant::now(), 0);
    while !stops.load(Ordering::Relaxed) {
        while Duration::from_secs(1) * saves / SAVES_A_SECOND < start.elapsed() {
            let key = &keys[random.usize(..keys.len())];
            store.save(key, Boxed::mark(&mut draft, key), &terms);
            saves += 1;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn read<S: Store<Kind = Boxed>>(store: &S, keys: &[Token], stops: &AtomicBool) -> Histogram<u64> {
    let (mut random, mut latencies) = (fastrand::Rng::new(), histogram());
    let mut before = Instant::now();
    while !stops.load(Ordering::Relaxed) {
        single::find_checked(store, &keys[random.usize(..keys.len())]);
        let after = Instant::now();
        latencies.saturating_record(u64::try_from((after - before).as_nanos()).unwrap_or(u64::MAX).max(1));
        before = after;
    }
    latencies
}

pub fn run(bench: &mut Bench) -> Result<(), String> {
    for entries in bench.sizes(&[20_000], &[1_000_000]) {
        let keys = kinds::queries::<Boxed>(entries, &mut fastrand::Rng::with_seed(17));
        let mut build = Build { keys: &keys, runs: Vec::new() };
        visit_sessions(&mut build);
        let runs = build.runs;
        let label = format!("iterate, {entries} entries");
        let sample = |_, index: usize| (runs[index].1)();
        let measured = rounds::interleave(&label, &runs, bench.rounds(1, 5), |run| run.0, sample);
        let mut row = Row::new("iterate", "iterate", entries, 1, "ns");
        let time = |pass: &Pass| pass.took.as_nanos() as f64 / entries as f64;
        row.add_group(rounds::of_each(&measured, time));
        bench.push(row.clone())?;
        for (cell, is_floor) in [("find beside", false), ("find busy elsewhere", true)] {
            let finds = |pass: &Pass| if is_floor { pass.floor.clone() } else { pass.beside.clone() };
            let stores = rounds::of_each(&measured, finds);
            row.cell = cell.into();
            percentile_rows(&row, &stores).into_iter().try_for_each(|row| bench.push(row))?;
        }
    }
    Ok(())
}
