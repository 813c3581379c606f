//! Single operations, side by side: all stores are built first, then slices of 10 ms and more go round in a fresh random order each round.

use std::hint::black_box;
use std::io::{self, IsTerminal, Write};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::adapters::{Dash, Fleeting, Key, Locked, Papaya, Store, Terms};
use crate::figures::Summary;
use crate::load::{self, DATA, Token, Zipf};

/// Longer than any run, so that a find of what is there always hits.
const TTL: Duration = Duration::from_secs(4 * 3600);

const SLICE_MIN: Duration = Duration::from_millis(10);

/// A cell's operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    Hit,
    Read,
    Miss,
    Touch,
    Save,
    Mixed,
    Grow,
}

/// A cell's operation, order of tokens, and threads; read-only ones first, since saves scatter the memory.
const CELLS: [(&str, Op, bool, usize); 9] = [
    ("hit", Op::Hit, false, 1),
    ("hit-read", Op::Read, false, 1),
    ("miss", Op::Miss, false, 1),
    ("zipf", Op::Hit, true, 2),
    ("zipf-read", Op::Read, true, 2),
    ("touch", Op::Touch, false, 1),
    ("save", Op::Save, false, 1),
    ("zipf-75-25", Op::Mixed, true, 2),
    ("grow", Op::Grow, false, 1),
];

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub sizes: Vec<usize>,
    pub rounds: usize,
    pub only: Option<String>,
    pub are_tokens_inline: bool,
}

/// A cell's figures: a sample (ns an operation and thread, round by round) for each store, ours first.
#[derive(Clone, Debug)]
pub struct Row {
    pub cell: &'static str,
    pub entries: usize,
    pub threads: usize,
    pub operations: usize,
    pub samples: Vec<(&'static str, Vec<f64>)>,
}

impl Row {
    /// Median over the rounds of a store's time by ours.
    pub fn ratio(&self, store: usize) -> f64 {
        let ours = &self.samples[0].1;
        let ratios: Vec<f64> = self.samples[store].1.iter().zip(ours).map(|(theirs, ours)| theirs / ours).collect();
        Summary::of(&ratios).median
    }

    /// The peer with the lowest ratio.
    pub fn best_peer(&self) -> (&'static str, f64) {
        let peers = (1..self.samples.len()).map(|store| (self.samples[store].0, self.ratio(store)));
        peers.min_by(|one, other| one.1.total_cmp(&other.1)).expect("there are peers")
    }
}

/// A store behind one pointer: a dynamic call a slice, none an operation.
trait Contestant: Sync {
    fn name(&self) -> &'static str;
    fn fill(&self, tokens: &[Token]);
    fn slice(&self, op: Op, queries: &[Token], terms: &Terms) -> Duration;
    fn grow(&self, tokens: &[Token], times: usize) -> Duration;
    fn check(&self, tokens: &[Token]);
}

impl<S: Store> Contestant for S {
    fn name(&self) -> &'static str {
        S::name()
    }

    fn fill(&self, tokens: &[Token]) {
        let terms = Terms::from_now(TTL);
        let mut data = [7; DATA];
        for token in tokens {
            load::mark(&mut data, token);
            assert!(self.create(token, &data, &terms), "a random token was taken");
            assert!(!self.create(token, &data, &terms), "a token was given twice");
        }
    }

    fn slice(&self, op: Op, queries: &[Token], terms: &Terms) -> Duration {
        measured_slice(self, op, queries, terms)
    }

    fn grow(&self, tokens: &[Token], times: usize) -> Duration {
        let stores: Vec<S> = (0..times).map(|_| S::new()).collect();
        let took = measured_grow(&stores, tokens);
        stores.iter().for_each(|store| assert_eq!(store.len(), tokens.len()));
        took
    }

    fn check(&self, tokens: &[Token]) {
        assert_eq!(self.len(), tokens.len());
        tokens
            .iter()
            .step_by(1 + tokens.len() / 10_000)
            .for_each(|token| load::check(token, self.find(token).as_deref()));
    }
}

/// Not inlined, so that callgrind can be told to collect here only.
#[inline(never)]
fn measured_slice<S: Store>(store: &S, op: Op, queries: &[Token], terms: &Terms) -> Duration {
    let mut data = [7; DATA];
    let start = Instant::now();
    match op {
        Op::Hit => queries.iter().for_each(|token| load::check(token, store.find(token).as_deref())),
        Op::Read => {
            for token in queries {
                let found = store.read(token, |data| load::check(token, Some(data)));
                assert!(found.is_some(), "a read missed a session that is there");
            }
        }
        Op::Miss => queries.iter().for_each(|token| assert!(store.find(token).is_none(), "found what nobody saved")),
        Op::Touch => queries.iter().for_each(|token| assert!(store.touch(token, terms), "a touch missed")),
        Op::Save => {
            for token in queries {
                load::mark(&mut data, token);
                store.save(token, black_box(&data), terms);
            }
        }
        Op::Mixed => {
            for (index, token) in queries.iter().enumerate() {
                // One in four, by no pattern that a predictor could learn.
                if (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 62 == 0 {
                    load::mark(&mut data, token);
                    store.save(token, black_box(&data), terms);
                } else {
                    load::check(token, store.find(token).as_deref());
                }
            }
        }
        Op::Grow => unreachable!("grows by `grow`"),
    }
    start.elapsed()
}

#[inline(never)]
fn measured_grow<S: Store>(stores: &[S], tokens: &[Token]) -> Duration {
    let terms = Terms::from_now(TTL);
    let mut data = [7; DATA];
    let start = Instant::now();
    for store in stores {
        for token in tokens {
            load::mark(&mut data, token);
            assert!(store.create(token, black_box(&data), &terms));
        }
    }
    start.elapsed()
}

fn contestants(are_tokens_inline: bool) -> Vec<Box<dyn Contestant>> {
    fn with<K: Key>() -> Vec<Box<dyn Contestant>> {
        vec![
            Box::new(Fleeting::new()),
            Box::new(Dash::<K>::new()),
            Box::new(Papaya::<K>::new()),
            Box::new(Locked::<K>::new()),
        ]
    }
    if are_tokens_inline { with::<[u8; 32]>() } else { with::<Box<[u8]>>() }
}

/// Runs the cells of a plan; `each` sees every row as it comes.
pub fn run(plan: &Plan, mut each: impl FnMut(&Row)) {
    for &entries in &plan.sizes {
        let tokens = load::tokens(entries, &mut fastrand::Rng::with_seed(entries as u64));
        progress(&format!("{entries} entries: building"));
        let stores = contestants(plan.are_tokens_inline);
        stores.iter().for_each(|store| store.fill(&tokens));
        let order = shuffled(entries);
        let zipf = Zipf::new(entries, 0.99);
        for (cell, op, is_zipf, threads) in CELLS {
            if plan.only.as_ref().is_some_and(|only| only != cell) {
                continue;
            }
            let inputs = Inputs { tokens: &tokens, order: &order, zipf: is_zipf.then_some(zipf) };
            let mut row = Row { cell, entries, threads, operations: 0, samples: Vec::new() };
            if op == Op::Grow {
                grow(&stores, &tokens, plan.rounds, &mut row);
            } else {
                rounds(&stores, op, inputs, plan.rounds, &mut row);
                stores.iter().for_each(|store| store.check(&tokens));
            }
            progress("");
            each(&row);
        }
    }
}

/// One store and one cell, for a profiler.
pub fn profile(store: &str, cell: &str, entries: usize, operations: usize) -> Option<f64> {
    let &(_, op, is_zipf, _) = CELLS.iter().find(|found| found.0 == cell)?;
    let stores = contestants(store.ends_with(" inline"));
    let store = stores.iter().find(|found| found.name() == store)?;
    let mut random = fastrand::Rng::with_seed(1);
    let tokens = load::tokens(entries, &mut random);
    let took = if op == Op::Grow {
        store.grow(&tokens, (operations / entries).max(1))
    } else {
        store.fill(&tokens);
        let order = shuffled(entries);
        let inputs = Inputs { tokens: &tokens, order: &order, zipf: is_zipf.then(|| Zipf::new(entries, 0.99)) };
        let queries = inputs.queries(op, operations, &mut random);
        store.slice(op, &queries, &Terms::from_now(TTL))
    };
    Some(took.as_nanos() as f64 / operations as f64)
}

/// Rank to token, so that what is asked for often does not lie together.
fn shuffled(entries: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..u32::try_from(entries).expect("few")).collect();
    fastrand::Rng::with_seed(2).shuffle(&mut order);
    order
}

#[derive(Clone, Copy)]
struct Inputs<'a> {
    tokens: &'a [Token],
    order: &'a [u32],
    zipf: Option<Zipf>,
}

impl Inputs<'_> {
    /// Copies, in order, so that reading the queries costs no cache miss of its own.
    fn queries(&self, op: Op, operations: usize, random: &mut fastrand::Rng) -> Vec<Token> {
        let mut query = || match (op, self.zipf) {
            (Op::Miss, _) => load::token(random),
            (_, Some(zipf)) => self.tokens[self.order[zipf.rank(random)] as usize],
            (_, None) => self.tokens[random.usize(..self.tokens.len())],
        };
        (0..operations).map(|_| query()).collect()
    }
}

enum Command {
    Prepare(usize),
    Run(usize),
    Stop,
}

fn rounds(stores: &[Box<dyn Contestant>], op: Op, inputs: Inputs<'_>, rounds: usize, row: &mut Row) {
    let threads = row.threads;
    let command = Mutex::new((Command::Stop, Terms::from_now(TTL)));
    let longest = Mutex::new(Duration::ZERO);
    let barrier = Barrier::new(threads + 1);
    let worker = |seed: usize| {
        let mut random = fastrand::Rng::with_seed(seed as u64 + 3);
        let mut queries = Vec::new();
        loop {
            barrier.wait();
            let (todo, terms) = {
                let command = command.lock().expect("nobody panics with it");
                match command.0 {
                    Command::Prepare(operations) => (Ok(operations), command.1),
                    Command::Run(store) => (Err(store), command.1),
                    Command::Stop => return,
                }
            };
            match todo {
                Ok(operations) => queries = inputs.queries(op, operations, &mut random),
                Err(store) => {
                    let took = stores[store].slice(op, &queries, &terms);
                    let mut longest = longest.lock().expect("nobody panics with it");
                    *longest = took.max(*longest);
                }
            }
            barrier.wait();
        }
    };
    let give = |todo: Command| {
        *command.lock().expect("nobody panics with it") = (todo, Terms::from_now(TTL));
        *longest.lock().expect("nobody panics with it") = Duration::ZERO;
        barrier.wait();
        barrier.wait();
        *longest.lock().expect("nobody panics with it")
    };
    thread::scope(|scope| {
        for seed in 0..threads {
            // A failed check would leave the others waiting at the barrier.
            let worker = &worker;
            scope.spawn(move || {
                let aborts = AbortOnPanic;
                worker(seed);
                std::mem::forget(aborts);
            });
        }
        let mut operations = 1024;
        loop {
            give(Command::Prepare(operations));
            let fastest = (0..stores.len()).map(|store| give(Command::Run(store))).min().expect("there are some");
            if fastest >= SLICE_MIN {
                break;
            }
            let factor = SLICE_MIN.as_secs_f64() / fastest.as_secs_f64().max(1e-6) * 1.25;
            operations = (operations as f64 * factor.clamp(1.25, 10.0)) as usize;
        }
        row.operations = operations;
        row.samples = stores.iter().map(|store| (store.name(), Vec::new())).collect();
        interleave(stores, rounds, row, |is_new_round, store| {
            if is_new_round {
                give(Command::Prepare(operations));
            }
            give(Command::Run(store)).as_nanos() as f64 / operations as f64
        });
        *command.lock().expect("nobody panics with it") = (Command::Stop, Terms::from_now(TTL));
        barrier.wait();
    });
}

struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        std::process::abort();
    }
}

fn grow(stores: &[Box<dyn Contestant>], tokens: &[Token], rounds: usize, row: &mut Row) {
    // A growth of a million is long, and long slices are steady.
    let rounds = if tokens.len() > 200_000 { rounds.div_ceil(3).max(3) } else { rounds };
    let times = 20_000_usize.div_ceil(tokens.len()) * 2;
    row.operations = times * tokens.len();
    row.samples = stores.iter().map(|store| (store.name(), Vec::new())).collect();
    let operations = row.operations as f64;
    interleave(stores, rounds, row, |_, store| stores[store].grow(tokens, times).as_nanos() as f64 / operations);
}

fn interleave(stores: &[Box<dyn Contestant>], rounds: usize, row: &mut Row, mut slice: impl FnMut(bool, usize) -> f64) {
    let mut order: Vec<usize> = (0..stores.len()).collect();
    for round in 0..rounds {
        progress(&format!("{} {} round {}/{rounds}", row.cell, row.entries, round + 1));
        fastrand::shuffle(&mut order);
        for (index, &store) in order.iter().enumerate() {
            let nanoseconds = slice(index == 0, store);
            row.samples[store].1.push(nanoseconds);
        }
    }
}

/// The line of what is being done; empty to clear it.
pub fn progress(what: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K{what}");
        // Nothing to be done about a closed terminal.
        let _ = io::stderr().flush();
    }
}
