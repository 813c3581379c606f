//! Single operations: `hit`, `miss`, `zipf`, `touch`, `save`, `create`, on the session store, and on other kinds for [`super::caches`].
//!
//! All stores of a size stand at once; of ten million entries, ours and two peers at a time, ours anew beside each pair. Queries are copied in
//! the order in which they are asked, so that reading them costs no cache miss of its own. Every find is checked.

use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::{Bench, TTL};
use crate::figures::{Row, histogram, percentile_rows};
use crate::kinds::{self, Boxed, Kind};
use crate::load::{Choice, DATA};
use crate::peers::{Ability, FleetingCache, Store, Terms, Visitor, visit_peers, visit_sessions};
use crate::progress;
use crate::rounds::{self, Entrant, Order, Shape, Span};

/// A cell's operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    Hit,
    Lend,
    Miss,
    Touch,
    FindTouch,
    Coalesced,
    Save,
    Create,
    Mixed,
}

impl Op {
    fn needs(self) -> Option<Ability> {
        match self {
            Op::Lend => Some(Ability::Lend),
            Op::Touch | Op::FindTouch | Op::Coalesced => Some(Ability::Touch),
            Op::Create => Some(Ability::Create),
            Op::Hit | Op::Miss | Op::Save | Op::Mixed => None,
        }
    }
}

/// Name, operation, whether skewed, threads.
pub type Cell = (&'static str, Op, bool, usize);

/// Read-only cells first, since saves scatter the memory, and a slice of creations makes the table grow.
pub const CELLS: [Cell; 14] = [
    ("hit", Op::Hit, false, 1),
    ("hit-read", Op::Lend, false, 1),
    ("miss", Op::Miss, false, 1),
    ("zipf", Op::Hit, true, 1),
    ("zipf", Op::Hit, true, 2),
    ("zipf", Op::Hit, true, 8),
    ("zipf", Op::Hit, true, 32),
    ("touch", Op::Touch, false, 1),
    ("touch-zipf", Op::Touch, true, 2),
    ("find-touch", Op::FindTouch, true, 2),
    ("find-touch-coalesced", Op::Coalesced, true, 2),
    ("save", Op::Save, false, 1),
    ("zipf-75-25", Op::Mixed, true, 2),
    ("create", Op::Create, false, 1),
];

/// A touch that moves the deadline by less than this is left out, where touches are coalesced.
const COALESCED: Duration = Duration::from_secs(60);

const WARM: &str = "warm";

/// From so many entries on, not all stores stand at once.
const MANY: usize = 5_000_000;

/// A store behind one pointer: a dynamic call a slice, none an operation.
trait Contestant<T: Kind>: Sync {
    fn lack(&self, needs: Ability) -> Option<&'static str>;
    fn fill(&self, queries: &[T::Query]);
    fn slice(&self, op: Op, queries: &[T::Query]) -> Span;
    fn timed(&self, queries: &[T::Query], into: &mut Histogram<u64>) -> Span;
    fn check(&self, queries: &[T::Query]);
}

impl<S: Store> Contestant<S::Kind> for S {
    fn lack(&self, needs: Ability) -> Option<&'static str> {
        S::lacks(needs)
    }

    fn fill(&self, queries: &[<S::Kind as Kind>::Query]) {
        fill(self, queries, DATA);
        assert_eq!(self.len(), queries.len(), "{}: what was added is there", S::name());
    }

    fn slice(&self, op: Op, queries: &[<S::Kind as Kind>::Query]) -> Span {
        let terms = Terms::from_now(TTL);
        let took = measured_slice(self, op, queries, &terms);
        if op == Op::Create {
            queries
                .iter()
                .for_each(|query| assert!(self.delete(<S::Kind as Kind>::key(query)), "{}: it was created", S::name()));
            self.sweep();
        }
        took
    }

    fn timed(&self, queries: &[<S::Kind as Kind>::Query], into: &mut Histogram<u64>) -> Span {
        let start = Instant::now();
        let mut before = start;
        for query in queries {
            find_checked(self, query);
            let after = Instant::now();
            into.saturating_record(u64::try_from((after - before).as_nanos()).unwrap_or(u64::MAX).max(1));
            before = after;
        }
        Span::since(start)
    }

    fn check(&self, queries: &[<S::Kind as Kind>::Query]) {
        assert_eq!(self.len(), queries.len(), "{}", S::name());
        queries.iter().step_by(1 + queries.len() / 10_000).for_each(|query| find_checked(self, query));
    }
}

/// Adds all, of so many bytes each.
pub fn fill<S: Store>(store: &S, queries: &[<S::Kind as Kind>::Query], bytes: usize) {
    let (terms, mut draft) = (Terms::from_now(TTL), S::Kind::draft(bytes));
    for query in queries {
        store.add(S::Kind::key(query), S::Kind::mark(&mut draft, query), &terms);
    }
}

#[inline]
pub fn find_checked<S: Store>(store: &S, query: &<S::Kind as Kind>::Query) {
    S::Kind::check(query, store.find(S::Kind::key(query)).as_ref().map(S::view));
}

/// Not inlined, so that callgrind can be told to collect here only.
#[inline(never)]
fn measured_slice<S: Store>(store: &S, op: Op, queries: &[<S::Kind as Kind>::Query], terms: &Terms) -> Span {
    let key = S::Kind::key;
    let mut draft = S::Kind::draft(DATA);
    let start = Instant::now();
    match op {
        Op::Hit => queries.iter().for_each(|query| find_checked(store, query)),
        Op::Lend => {
            for query in queries {
                let found = store.lend(key(query), |value| S::Kind::check(query, Some(value)));
                assert!(found.is_some(), "a read missed what is there");
            }
        }
        Op::Miss => {
            queries.iter().for_each(|query| assert!(store.find(key(query)).is_none(), "found what nobody saved"))
        }
        Op::Touch => queries.iter().for_each(|query| assert!(store.touch(key(query), terms), "a touch missed")),
        Op::FindTouch | Op::Coalesced => {
            let if_by = if op == Op::Coalesced { COALESCED } else { Duration::ZERO };
            for query in queries {
                let found = store.find_and_touch(key(query), terms, if_by);
                S::Kind::check(query, found.as_ref().map(S::view));
            }
        }
        Op::Save => {
            for query in queries {
                store.save(key(query), black_box(S::Kind::mark(&mut draft, query)), terms);
            }
        }
        Op::Create => {
            for query in queries {
                let is_new = store.create(key(query), black_box(S::Kind::mark(&mut draft, query)), terms);
                assert!(is_new, "a random key was taken");
            }
        }
        Op::Mixed => {
            for (index, query) in queries.iter().enumerate() {
                // One in four, by no pattern that a predictor could learn.
                if (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 62 == 0 {
                    store.save(key(query), black_box(S::Kind::mark(&mut draft, query)), terms);
                } else {
                    find_checked(store, query);
                }
            }
        }
    }
    Span::since(start)
}

type Make<T> = (&'static str, fn(usize) -> Box<dyn Contestant<T>>);

struct Makers<T: Kind>(Vec<Make<T>>);

impl<T: Kind> Visitor<T> for Makers<T> {
    fn visit<S: Store<Kind = T>>(&mut self) {
        self.0.push((S::name(), |room| Box::new(S::new(room))));
    }
}

fn sessions() -> Vec<Make<Boxed>> {
    let mut makers = Makers(Vec::new());
    visit_sessions(&mut makers);
    makers.0
}

pub fn run(bench: &mut Bench) -> Result<(), String> {
    let sizes = bench.sizes(&[1_000, 20_000], &[1_000, 100_000, 1_000_000, 10_000_000]);
    for entries in sizes {
        let only_hits = entries >= MANY;
        let cells = CELLS.iter().filter(|cell| !only_hits || ["hit", "miss"].contains(&cell.0));
        // A slice creates some ten thousand, and deletes them after it: beside less, that would be another size.
        let cells = cells.filter(|cell| cell.1 != Op::Create || entries >= 20_000);
        let cells: Vec<Cell> = cells.copied().filter(|cell| bench.wants(cell.0)).collect();
        run_cells::<Boxed>(bench, "single", &cells, entries, &sessions())?;
    }
    Ok(())
}

/// Some of the cells once more, with warm caches.
pub fn run_warm(bench: &mut Bench) -> Result<(), String> {
    let cells = CELLS.iter().filter(|cell| ["hit", "miss", "touch", "save"].contains(&cell.0) && bench.wants(cell.0));
    let cells: Vec<Cell> = cells.copied().collect();
    for entries in bench.sizes(&[1_000], &[1_000, 100_000, 1_000_000]) {
        run_cells::<Boxed>(bench, WARM, &cells, entries, &sessions())?;
    }
    Ok(())
}

/// The cells of another kind, on our typed cache.
pub fn run_kind<T: Kind>(bench: &mut Bench, cells: &[Cell], entries: usize) -> Result<(), String> {
    let mut makers = Makers(Vec::new());
    Visitor::<T>::visit::<FleetingCache<T>>(&mut makers);
    visit_peers(&mut makers);
    run_cells::<T>(bench, T::name(), cells, entries, &makers.0)
}

fn run_cells<T: Kind>(
    bench: &mut Bench,
    workload: &'static str,
    cells: &[Cell],
    entries: usize,
    makers: &[Make<T>],
) -> Result<(), String> {
    if cells.is_empty() {
        return Ok(());
    }
    let keys = kinds::queries::<T>(entries, &mut fastrand::Rng::with_seed(entries as u64));
    let (uniform, zipf) = (Choice::uniform(entries), Choice::zipf(if entries < MANY { entries } else { 2 }));
    let (ours, peers) = makers.split_first().expect("ours is there");
    let mut peers = peers.to_vec();
    if entries >= MANY {
        // It takes longest of all to fill.
        peers.retain(|(name, _)| {
            bench.notes_lack("the largest size", name, (*name == "skiplist").then_some("its finds are dashmap's"))
        });
    }
    let together = if entries < MANY { peers.len() } else { 2 };
    let mut rows: Vec<Row> = Vec::new();
    for group in peers.chunks(together) {
        let mut stores = Vec::new();
        for (name, make) in std::iter::once(ours).chain(group) {
            progress::tell(&format!("{workload}, {entries} entries: filling {name}"));
            let store = make(entries);
            store.fill(&keys);
            stores.push((*name, store));
        }
        for &(cell, op, is_zipf, threads) in cells {
            let label = format!("{workload} {cell}, {entries} entries, {threads} threads");
            let takes_part = |(name, store): &&(&'static str, Box<dyn Contestant<T>>)| {
                op.needs().is_none_or(|needs| bench.notes_lack(cell, name, store.lack(needs)))
            };
            let stores: Vec<_> = stores.iter().filter(takes_part).collect();
            let choice = if is_zipf { &zipf } else { &uniform };
            let prepare = |operations: usize, random: &mut fastrand::Rng| -> Vec<T::Query> {
                let mut query = || match op {
                    Op::Miss | Op::Create => T::query(random),
                    _ => keys[choice.pick(random)].clone(),
                };
                (0..operations).map(|_| query()).collect()
            };
            let order = if workload == WARM { Order::Warm } else { Order::Cold };
            let full = if entries < MANY && workload == "single" { 11 } else { 7 };
            let shape = Shape { order, ..bench.shape(threads, 3, full) };
            let entrants: Vec<_> = stores
                .iter()
                .map(|(name, store)| Entrant {
                    name,
                    slice: Box::new(move |queries: &Vec<_>| store.slice(op, queries)),
                })
                .collect();
            let measured = rounds::slices(&label, &entrants, shape, prepare);
            let at = rows.iter().position(|row| row.cell == cell && row.threads == threads).unwrap_or_else(|| {
                rows.push(Row::new(workload, cell, entries, threads, "ns"));
                rows.len() - 1
            });
            rows[at].add_group(measured);
            if cell == "zipf" && threads > 1 {
                let percentiles = latencies(&label, &stores, shape, prepare);
                rows.extend(percentile_rows(&rows[at], &percentiles));
            }
            stores.iter().for_each(|(_, store)| store.check(&keys));
        }
    }
    rows.into_iter().try_for_each(|row| bench.push(row))
}

/// The same finds once more, each of them timed: for each store a distribution a round.
fn latencies<T: Kind>(
    label: &str,
    stores: &[&(&'static str, Box<dyn Contestant<T>>)],
    shape: Shape,
    prepare: impl Fn(usize, &mut fastrand::Rng) -> Vec<T::Query> + Sync,
) -> Vec<(&'static str, Vec<Histogram<u64>>)> {
    /// The threads of one slice add up in the last of them.
    type Slices = Mutex<(usize, Vec<Histogram<u64>>)>;
    let slices: Vec<Slices> = stores.iter().map(|_| Mutex::default()).collect();
    let mut entrants: Vec<Entrant<'_, Vec<T::Query>>> = Vec::new();
    for (&(name, store), slices) in stores.iter().zip(&slices) {
        let slice = move |queries: &Vec<T::Query>| {
            let mut mine = histogram();
            let took = store.timed(queries, &mut mine);
            let mut slices = slices.lock().expect("nobody panics with it");
            if slices.0 % shape.threads == 0 {
                slices.1.push(mine);
            } else {
                let last = slices.1.last_mut().expect("one was pushed");
                last.add(&mine).expect("of the same bounds");
            }
            slices.0 += 1;
            took
        };
        entrants.push(Entrant { name, slice: Box::new(slice) });
    }
    let shape = Shape { rounds: shape.rounds.div_ceil(3), ..shape };
    rounds::slices(&format!("{label}, latencies"), &entrants, shape, prepare);
    drop(entrants);
    let names = stores.iter().map(|store| store.0);
    // The first ones were to find out how many operations a slice takes.
    let last = |slices: Slices| {
        let mut all = slices.into_inner().expect("nobody panics with it").1;
        all.split_off(all.len() - shape.rounds)
    };
    names.zip(slices.into_iter().map(last)).collect()
}

/// One store and one cell, for a profiler.
pub fn profile(store: &str, cell: &str, entries: usize, operations: usize) -> Option<f64> {
    let &(_, op, is_zipf, _) = CELLS.iter().find(|found| found.0 == cell)?;
    let (_, make) = sessions().into_iter().find(|found| found.0 == store)?;
    let mut random = fastrand::Rng::with_seed(1);
    let keys = kinds::queries::<Boxed>(entries, &mut random);
    let store = make(entries);
    store.fill(&keys);
    let choice = if is_zipf { Choice::zipf(entries) } else { Choice::uniform(entries) };
    let queries: Vec<_> = (0..operations)
        .map(|_| match op {
            Op::Miss | Op::Create => Boxed::query(&mut random),
            _ => keys[choice.pick(&mut random)],
        })
        .collect();
    if op.needs().is_some_and(|needs| store.lack(needs).is_some()) {
        return None;
    }
    Some(store.slice(op, &queries).took().as_nanos() as f64 / operations as f64)
}
