//! The check of the checker: random tiny programs, whose outcomes by brute force must be among those that loom finds.
//!
//! Two threads of two or three operations on one or two atomics, through the same wrappers as the models. Every interleaving of whole operations is an
//! outcome that loom must find, whatever the orderings (it may find more: stale reads). In the rmw pass it must find all. In the plain
//! pass it may miss some, which are counted and printed: that is tokio-rs/loom#166, and why there are two passes.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use fleeting::sync::{AtomicU64, Ordering};
use fleeting_loom_tests::{ALL, bound_name, pair};

const PROGRAMS: usize = 300;

#[derive(Clone, Copy, Debug)]
enum Operation {
    Load(usize),
    Store(usize, u64),
    CompareExchange(usize, u64, u64),
    FetchAdd(usize, u64),
}

use Operation::{CompareExchange, FetchAdd, Load, Store};

type Thread = Vec<Operation>;

/// What each thread's operations returned, and the atomics' last values.
type Outcome = (Vec<u64>, Vec<u64>, [u64; 2]);

/// Marsaglia's xorshift64: the same programs in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    fn operation(&mut self) -> Operation {
        // One atomic more often than the other, so that the threads meet.
        let atomic = usize::from(self.below(3) == 0);
        match self.below(4) {
            0 => Load(atomic),
            1 => Store(atomic, 1 + self.below(2)),
            2 => CompareExchange(atomic, self.below(3), 1 + self.below(2)),
            _ => FetchAdd(atomic, 1 + self.below(2)),
        }
    }

    fn program(&mut self) -> [Thread; 2] {
        [(); 2].map(|()| (0..2 + self.below(2)).map(|_| self.operation()).collect())
    }
}

/// All outcomes of whole operations in turn.
fn brute_force(program: &[Thread; 2]) -> BTreeSet<Outcome> {
    fn step(memory: &mut [u64; 2], operation: Operation) -> u64 {
        match operation {
            Load(atomic) => memory[atomic],
            Store(atomic, value) => {
                memory[atomic] = value;
                0
            }
            CompareExchange(atomic, from, to) => {
                let before = memory[atomic];
                if before == from {
                    memory[atomic] = to;
                }
                before
            }
            FetchAdd(atomic, by) => {
                memory[atomic] += by;
                memory[atomic] - by
            }
        }
    }
    fn go(program: &[Thread; 2], outcome: &Outcome, found: &mut BTreeSet<Outcome>) {
        let done = [outcome.0.len(), outcome.1.len()];
        if done == [program[0].len(), program[1].len()] {
            found.insert(outcome.clone());
        }
        for thread in [0, 1] {
            if let Some(&operation) = program[thread].get(done[thread]) {
                let mut outcome = outcome.clone();
                let result = step(&mut outcome.2, operation);
                if thread == 0 { &mut outcome.0 } else { &mut outcome.1 }.push(result);
                go(program, &outcome, found);
            }
        }
    }
    let mut found = BTreeSet::new();
    go(program, &Outcome::default(), &mut found);
    found
}

fn perform(memory: &[AtomicU64; 2], operation: Operation) -> u64 {
    match operation {
        Load(atomic) => memory[atomic].load(Ordering::Acquire),
        Store(atomic, value) => {
            memory[atomic].store(value, Ordering::Release);
            0
        }
        CompareExchange(atomic, from, to) => {
            match memory[atomic].compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(before) | Err(before) => before,
            }
        }
        FetchAdd(atomic, by) => memory[atomic].fetch_add(by, Ordering::Relaxed),
    }
}

/// All outcomes that loom finds, and in how many executions.
fn explore(program: &[Thread; 2], bound: usize) -> (BTreeSet<Outcome>, usize) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(bound);
    let found = Arc::new(Mutex::new((BTreeSet::new(), 0)));
    builder.check({
        let (program, found) = (program.clone(), found.clone());
        move || {
            let memory = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
            let [a, b] = program.clone().map(|thread| {
                move |memory: &Arc<[AtomicU64; 2]>| -> Vec<u64> {
                    thread.iter().map(|&operation| perform(memory, operation)).collect()
                }
            });
            let (a, b) = pair(&memory, a, b);
            let last = [0, 1].map(|atomic| memory[atomic].load(Ordering::Acquire));
            let mut found = found.lock().expect("not poisoned");
            found.0.insert((a, b, last));
            found.1 += 1;
        }
    });
    std::mem::take(&mut *found.lock().expect("not poisoned"))
}

/// Explores all programs, prints a line, and returns the outcomes that were missed, with their programs.
fn missed(name: &str, bound: usize) -> Vec<([Thread; 2], Outcome)> {
    let (mut random, started) = (Random(0x9E37_79B9_7F4A_7C15), Instant::now());
    let (mut missed, mut outcomes, mut executions) = (Vec::new(), 0, 0);
    for _ in 0..PROGRAMS {
        let program = random.program();
        let expected = brute_force(&program);
        let found = explore(&program, bound);
        outcomes += expected.len();
        executions += found.1;
        missed.extend(expected.difference(&found.0).map(|outcome| (program.clone(), outcome.clone())));
    }
    let (bound, seconds) = (bound_name(bound), started.elapsed().as_secs_f64());
    let end = format!("missed {} of {outcomes} outcomes of {PROGRAMS} programs", missed.len());
    let line = format!("model {name:<34} bound {bound:>3} {executions:>9} executions {seconds:>7.2} s  {end}\n");
    std::io::stdout().write_all(line.as_bytes()).expect("stdout");
    missed
}

#[test]
fn loom_finds_what_brute_force_finds() {
    let missed = missed("self_check", ALL);
    if cfg!(loom_rmw_loads) {
        assert!(missed.is_empty(), "the first of {}: {:?}", missed.len(), missed[0]);
    }
}

/// A check that cannot fail is none: with one preemption at most, loom misses some, and it shows.
#[test]
fn a_small_bound_is_found_out() {
    assert!(!missed("self_check_with_one_preemption", 1).is_empty());
}
