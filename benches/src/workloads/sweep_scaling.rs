//! What a sweep costs for each entry that is due, beside few and beside many live ones. Data are 64 bytes, so that all stores of all sizes stand
//! at once.

use std::time::{Duration, Instant};

use super::Bench;
use crate::clock;
use crate::figures::Row;
use crate::kinds::{self, Boxed, Kind, Token};
use crate::peers::{Ability, Store, Terms, Visitor, visit_sessions};
use crate::progress;
use crate::rounds;

const BYTES: usize = 64;

/// Sweeps once beside its live entries; nanoseconds for each that was due.
type Sweep = Box<dyn FnMut(&[Token]) -> f64>;

struct Build<'a> {
    bench: &'a mut Bench,
    keys: &'a [Token],
    sweeps: Vec<(&'static str, usize, Sweep)>,
}

impl Visitor<Boxed> for Build<'_> {
    fn visit<S: Store<Kind = Boxed>>(&mut self) {
        if !self.bench.takes_part::<S>("sweep-scaling", Ability::FollowClock) {
            return;
        }
        let live = self.keys.len();
        progress::tell(&format!("sweep-scaling: filling {} with {live}", S::name()));
        let (store, mut draft, mut random) = (S::with_skipping_clock(live), Boxed::draft(BYTES), fastrand::Rng::new());
        // Saved over half an hour, so that they lie under many ticks.
        let terms: Vec<Terms> = (0..1800).map(|second| Terms::from_now(Duration::from_secs(86_400 + second))).collect();
        for key in self.keys {
            store.add(key, Boxed::mark(&mut draft, key), &terms[random.usize(..terms.len())]);
        }
        let sweep = move |due: &[Token]| {
            for key in due {
                let terms = Terms::from_now(Duration::from_millis(1 + random.u64(..1000)));
                store.save(key, Boxed::mark(&mut draft, key), &terms);
            }
            assert_eq!(store.len(), live + due.len(), "{}", S::name());
            clock::skip(Duration::from_millis(1002));
            let start = Instant::now();
            let removed = store.sweep();
            let took = start.elapsed().as_nanos() as f64;
            assert_eq!(removed, due.len(), "{}: a sweep removes what is due, all of it and nothing else", S::name());
            assert_eq!(store.len(), live, "{}", S::name());
            assert!(due.iter().all(|key| store.find(key).is_none()), "{}", S::name());
            took / due.len() as f64
        };
        self.sweeps.push((S::name(), live, Box::new(sweep)));
    }
}

pub fn run(bench: &mut Bench) -> Result<(), String> {
    let sizes = bench.sizes(&[2_000, 20_000], &[10_000, 100_000, 1_000_000, 10_000_000]);
    let (rounds, due) = (bench.rounds(3, 7), if bench.is_quick { 500 } else { 5_000 });
    let mut random = fastrand::Rng::with_seed(16);
    let mut sweeps = Vec::new();
    for &live in &sizes {
        let keys = kinds::queries::<Boxed>(live, &mut random);
        let mut build = Build { bench, keys: &keys, sweeps: Vec::new() };
        visit_sessions(&mut build);
        sweeps.append(&mut build.sweeps);
    }
    let names: Vec<(&'static str, usize)> = sweeps.iter().map(|(name, live, _)| (*name, *live)).collect();
    let mut due_now = Vec::new();
    let measured = rounds::interleave(
        "sweep-scaling",
        &names,
        rounds,
        |name| name.0,
        |is_new_round, index| {
            if is_new_round {
                due_now = kinds::queries::<Boxed>(due, &mut random);
            }
            (sweeps[index].2)(&due_now)
        },
    );
    for live in sizes {
        let mut row = Row::new("sweep-scaling", "sweep", live, 1, "ns");
        let of_size = names.iter().zip(&measured).filter(|(name, _)| name.1 == live);
        row.add_group(of_size.map(|(_, measured)| measured.clone()).collect());
        bench.push(row)?;
    }
    Ok(())
}
