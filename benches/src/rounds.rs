//! Slices side by side: contestant after contestant, in a fresh random order each round.
//!
//! Whoever runs after itself or after a small rival finds warm caches, and that alone made a factor of two. So all contestants stand first;
//! then each round gives every one of them a slice of 10 ms or more with the same queries, in an order of its own.
//!
//! Ours, moka and crossbeam-skiplist retire memory to the same collector, crossbeam-epoch's default one. So that nobody frees in its slice what
//! another left behind, it is drained after each slice, outside of the measured time.

use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::progress;

/// When one thread's part of a slice began and ended.
///
/// A slice lasts from its first thread's beginning to its last one's end. A thread's own time would not do: of more threads than cores, one may
/// begin when another has ended, and neither would know of it.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    start: Instant,
    end: Instant,
}

impl Span {
    pub fn since(start: Instant) -> Span {
        Span { start, end: Instant::now() }
    }

    pub fn took(self) -> Duration {
        self.end - self.start
    }

    fn with(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A store's slice: takes what was prepared, tells how long it took.
pub struct Entrant<'a, I> {
    pub name: &'static str,
    pub slice: Box<dyn Fn(&I) -> Span + Sync + 'a>,
}

/// In which order slices are given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Contestant after contestant, as a server's caches are: with other things.
    Cold,
    /// All rounds of one contestant, then those of the next: caches hold nothing else.
    Warm,
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub order: Order,
    pub threads: usize,
    pub rounds: usize,
    /// The fastest contestant's slice takes at least this.
    pub slice: Duration,
}

/// What was measured: nanoseconds an operation and thread, round by round, for each entrant as they came.
pub type Measured = Vec<(&'static str, Vec<f64>)>;

enum Command {
    Prepare(usize),
    Run(usize),
    Stop,
}

/// Runs all entrants. `prepare` makes so many operations for a thread, outside of the measured time.
pub fn slices<I>(
    label: &str,
    entrants: &[Entrant<'_, I>],
    shape: Shape,
    prepare: impl Fn(usize, &mut fastrand::Rng) -> I + Sync,
) -> Measured {
    let command = Mutex::new(Command::Stop);
    let whole: Mutex<Option<Span>> = Mutex::new(None);
    let barrier = Barrier::new(shape.threads + 1);
    let worker = |seed: usize| {
        let mut random = fastrand::Rng::with_seed(seed as u64 + 3);
        let mut input = prepare(1, &mut random);
        loop {
            barrier.wait();
            let todo = match *command.lock().expect("nobody panics with it") {
                Command::Prepare(operations) => Err(operations),
                Command::Run(entrant) => Ok(entrant),
                Command::Stop => return,
            };
            match todo {
                Err(operations) => input = prepare(operations, &mut random),
                Ok(entrant) => {
                    let mine = (entrants[entrant].slice)(&input);
                    let mut whole = whole.lock().expect("nobody panics with it");
                    *whole = Some(whole.map_or(mine, |others| others.with(mine)));
                    drop(whole);
                    drain();
                }
            }
            barrier.wait();
        }
    };
    let give = |todo: Command| {
        *command.lock().expect("nobody panics with it") = todo;
        barrier.wait();
        barrier.wait();
        whole.lock().expect("nobody panics with it").take().map_or(Duration::ZERO, Span::took)
    };
    thread::scope(|scope| {
        for seed in 0..shape.threads {
            // A failed check would leave the others waiting at the barrier.
            let worker = &worker;
            scope.spawn(move || {
                let aborts = AbortOnPanic;
                worker(seed);
                std::mem::forget(aborts);
            });
        }
        // More threads than cores get their turns by the scheduler's slices: there must be time for some.
        let wanted = shape.slice * u32::try_from(shape.threads.div_ceil(2)).expect("few");
        progress::tell(&format!("{label}: how many operations"));
        let mut operations = 512;
        loop {
            give(Command::Prepare(operations));
            let fastest = (0..entrants.len()).map(|entrant| give(Command::Run(entrant))).min().expect("there are some");
            if fastest >= wanted {
                break;
            }
            let factor = wanted.as_secs_f64() / fastest.as_secs_f64().max(1e-6) * 1.25;
            operations = (operations as f64 * factor.clamp(1.25, 10.0)) as usize;
        }
        let time = |entrant| give(Command::Run(entrant)).as_nanos() as f64 / operations as f64;
        let name = |entrant: &Entrant<'_, I>| entrant.name;
        let measured = match shape.order {
            Order::Cold => interleave(label, entrants, shape.rounds, name, |is_new_round, entrant| {
                if is_new_round {
                    give(Command::Prepare(operations));
                }
                time(entrant)
            }),
            Order::Warm => {
                let all_rounds = |entrant| -> Vec<f64> {
                    // The first one warms the caches.
                    give(Command::Run(entrant));
                    let round = |_| {
                        give(Command::Prepare(operations));
                        time(entrant)
                    };
                    (0..shape.rounds).map(round).collect()
                };
                let once = interleave(label, entrants, 1, name, |_, entrant| all_rounds(entrant));
                once.into_iter().map(|(name, rounds)| (name, rounds.concat())).collect()
            }
        };
        *command.lock().expect("nobody panics with it") = Command::Stop;
        barrier.wait();
        measured
    })
}

/// Something of each sample of each contestant.
pub fn of_each<V, R>(measured: &[(&'static str, Vec<V>)], of: impl Fn(&V) -> R) -> Vec<(&'static str, Vec<R>)> {
    measured.iter().map(|(name, all)| (*name, all.iter().map(&of).collect())).collect()
}

/// Asks for a sample of every contestant, round by round, in a fresh random order.
pub fn interleave<C, V>(
    label: &str,
    contestants: &[C],
    rounds: usize,
    name: impl Fn(&C) -> &'static str,
    mut sample: impl FnMut(bool, usize) -> V,
) -> Vec<(&'static str, Vec<V>)> {
    let mut measured: Vec<_> = contestants.iter().map(|contestant| (name(contestant), Vec::new())).collect();
    let mut order: Vec<usize> = (0..contestants.len()).collect();
    for round in 0..rounds {
        fastrand::shuffle(&mut order);
        for (index, &contestant) in order.iter().enumerate() {
            progress::tell(&format!("{label}, round {}/{rounds}: {}", round + 1, measured[contestant].0));
            measured[contestant].1.push(sample(index == 0, contestant));
            drain();
        }
    }
    progress::tell("");
    measured
}

/// Frees what this thread and those that have ended left to the collector that contestants share, as far as no thread is pinned. Not that of
/// `fleeting`, which is its own: what it frees when is part of what is measured.
pub fn drain() {
    // Each turn frees some 500 objects.
    (0..100).for_each(|_| crossbeam_epoch::pin().flush());
}

struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn every_entrant_gets_every_round_on_every_thread() {
        let (counts, began) = ([AtomicUsize::new(0), AtomicUsize::new(0)], Instant::now());
        let entrant = |index: usize, name| {
            let counts = &counts;
            let slice = move |operations: &usize| {
                counts[index].fetch_add(1, Ordering::Relaxed);
                let took = Duration::from_nanos(*operations as u64 * (index as u64 + 1) * 100);
                Span { start: began, end: began + took }
            };
            Entrant { name, slice: Box::new(slice) }
        };
        // One round to find out how many operations: 512 of them suffice. One more to warm up.
        for (order, rounds) in [(Order::Cold, 5 + 1), (Order::Warm, 5 + 2)] {
            let shape = Shape { order, threads: 3, rounds: 5, slice: Duration::from_micros(25) };
            let measured = slices("test", &[entrant(0, "one"), entrant(1, "two")], shape, |operations, _| operations);
            assert_eq!(measured, [("one", vec![100.0; 5]), ("two", vec![200.0; 5])]);
            assert!(counts.iter().all(|count| count.swap(0, Ordering::Relaxed) == 3 * rounds));
        }
    }

    #[test]
    fn a_slice_lasts_from_the_first_beginning_to_the_last_end() {
        let zero = Instant::now();
        let span = |from, to| Span { start: zero + Duration::from_millis(from), end: zero + Duration::from_millis(to) };
        assert_eq!(span(0, 3).with(span(5, 9)).took(), Duration::from_millis(9));
        assert_eq!(span(5, 9).with(span(6, 7)).took(), Duration::from_millis(4));
    }
}
