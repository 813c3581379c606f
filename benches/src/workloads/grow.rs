//! From empty to a million and ten millions: throughput, and the latency of single inserts. Nobody is presized.
//!
//! *refill* is the floor of the latencies: in the store that has grown, one session in ten is deleted, and added again in the same loop as
//! before. What is slow there is not growth.

use std::hint::black_box;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::{Bench, TTL};
use crate::figures::{Row, histogram, percentile_rows};
use crate::kinds::{self, Boxed, Kind, Token};
use crate::load::DATA;
use crate::peers::{Store, Terms, Visitor, visit_sessions};
use crate::rounds;

/// One growth whose inserts were timed, and the refilling after it.
struct Timed {
    took: Duration,
    growing: Histogram<u64>,
    refilling: Histogram<u64>,
}

/// A growth to so many is not done twice: its throughput is that of the inserts that were timed, the timer included.
const MANY: usize = 5_000_000;

struct Entrant {
    name: &'static str,
    grow: fn(&[Token], usize) -> Duration,
    timed: fn(&[Token]) -> Timed,
}

struct Entrants(Vec<Entrant>);

impl Visitor<Boxed> for Entrants {
    fn visit<S: Store<Kind = Boxed>>(&mut self) {
        self.0.push(Entrant { name: S::name(), grow: grow::<S>, timed: timed::<S> });
    }
}

/// So many stores, one after the other.
fn grow<S: Store<Kind = Boxed>>(keys: &[Token], times: usize) -> Duration {
    let stores: Vec<S> = (0..times).map(|_| S::new(keys.len())).collect();
    let took = measured_grow(&stores, keys);
    stores.iter().for_each(|store| assert_eq!(store.len(), keys.len(), "{}", S::name()));
    took
}

#[inline(never)]
fn measured_grow<S: Store<Kind = Boxed>>(stores: &[S], keys: &[Token]) -> Duration {
    let (terms, mut draft) = (Terms::from_now(TTL), Boxed::draft(DATA));
    let start = Instant::now();
    for store in stores {
        keys.iter().for_each(|key| store.add(key, black_box(Boxed::mark(&mut draft, key)), &terms));
    }
    start.elapsed()
}

fn timed<S: Store<Kind = Boxed>>(keys: &[Token]) -> Timed {
    let store = S::new(keys.len());
    let start = Instant::now();
    let growing = adds(&store, keys);
    let took = start.elapsed();
    assert_eq!(store.len(), keys.len(), "{}", S::name());
    let tenth = &keys[..keys.len() / 10];
    tenth.iter().for_each(|key| assert!(store.delete(key), "it was added"));
    store.sweep();
    Timed { took, growing, refilling: adds(&store, tenth) }
}

fn adds<S: Store<Kind = Boxed>>(store: &S, keys: &[Token]) -> Histogram<u64> {
    let (terms, mut draft) = (Terms::from_now(TTL), Boxed::draft(DATA));
    let mut latencies = histogram();
    let mut before = Instant::now();
    for key in keys {
        store.add(key, black_box(Boxed::mark(&mut draft, key)), &terms);
        let after = Instant::now();
        latencies.saturating_record(u64::try_from((after - before).as_nanos()).unwrap_or(u64::MAX).max(1));
        before = after;
    }
    latencies
}

pub fn run(bench: &mut Bench) -> Result<(), String> {
    let mut entrants = Entrants(Vec::new());
    visit_sessions(&mut entrants);
    let entrants = entrants.0;
    for entries in bench.sizes(&[20_000], &[1_000, 100_000, 1_000_000, 10_000_000]) {
        let keys = kinds::queries::<Boxed>(entries, &mut fastrand::Rng::with_seed(13));
        // A growth of a million is long, and long slices are steady.
        let full = [15, 9, 3, 1][[10_000, 500_000, 5_000_000].partition_point(|limit| *limit < entries)];
        let times = 20_000_usize.div_ceil(entries);
        let mut row = Row::new("grow", "grow", entries, 1, "ns");
        if bench.wants("grow") && entries < MANY {
            let operations = (times * entries) as f64;
            let sample = |_, index: usize| (entrants[index].grow)(&keys, times).as_nanos() as f64 / operations;
            let label = format!("grow to {entries}");
            row.add_group(rounds::interleave(&label, &entrants, bench.rounds(2, full), |one| one.name, sample));
            bench.push(row.clone())?;
        }
        if !bench.wants("grow-latency") || entries < 20_000 {
            continue;
        }
        let label = format!("grow to {entries}, latencies");
        let sample = |_, index: usize| (entrants[index].timed)(&keys);
        let measured = rounds::interleave(&label, &entrants, bench.rounds(2, full.div_ceil(2)), |one| one.name, sample);
        if entries >= MANY {
            let time = |timed: &Timed| timed.took.as_nanos() as f64 / entries as f64;
            row.add_group(rounds::of_each(&measured, time));
            bench.push(row.clone())?;
        }
        for (cell, is_growing) in [("grow", true), ("refill", false)] {
            let of = |timed: &Timed| if is_growing { timed.growing.clone() } else { timed.refilling.clone() };
            let stores = rounds::of_each(&measured, of);
            row.cell = cell.into();
            percentile_rows(&row, &stores).into_iter().try_for_each(|row| bench.push(row))?;
        }
    }
    Ok(())
}
