//! What rounds have in common: their threads, what goes on beside the recorded operations, and what they add up to.
//!
//! ```text
//! workers   ask for operations on a few keys, and record them
//! mover     moves the clock on by a tick now and then: recorded in the history of every key
//! filler    puts other keys, so that the table grows all the time
//! sweeper   sweeps
//! ```

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;

use histories::{Call, Checked, Log, Specification, Stamps, check};

use super::random::Random;

/// All that was done.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Operations made and recorded.
    pub operations: usize,
    /// Calls in the histories that were checked: an operation on all keys stands in each key's.
    pub calls: usize,
    /// Of these, those that overlapped another one of the same history.
    pub overlapping: usize,
    pub keys: usize,
    pub histories: usize,
    pub rounds: usize,
    /// Puts of other keys, and sweeps, which went on beside.
    pub fillings: usize,
    pub sweeps: usize,
    pub configurations: usize,
}

impl Tally {
    /// Counts a history that was explained.
    pub fn explained(&mut self, checked: Checked) {
        self.histories += 1;
        self.calls += checked.calls;
        self.overlapping += checked.overlapping;
        self.configurations = self.configurations.max(checked.configurations);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = 100.0 * self.overlapping as f64 / self.calls.max(1) as f64;
        writeln!(f, "operations               {}", self.operations)?;
        writeln!(f, "keys                     {}", self.keys)?;
        writeln!(f, "histories                {}", self.histories)?;
        writeln!(f, "calls in them            {}", self.calls)?;
        writeln!(f, "overlapping operations   {} ({share:.1} % of the calls)", self.overlapping)?;
        writeln!(f, "rounds                   {}", self.rounds)?;
        writeln!(f, "puts of other keys       {}", self.fillings)?;
        writeln!(f, "sweeps                   {}", self.sweeps)?;
        write!(f, "most configurations      {}", self.configurations)
    }
}

/// What a worker does next.
pub enum Next<O> {
    /// An operation on the key of this index.
    On(usize, O),
    /// A walk over all keys.
    Walk(O),
    /// A sweep, which is not recorded.
    Sweep,
}

/// What a round is about.
pub trait Object: Sync {
    type Operation: Clone + fmt::Debug + Send;
    type Answer: Clone + fmt::Debug + Send;
    type Specification: Specification<Operation = Self::Operation, Answer = Self::Answer>;
    /// What a worker remembers between its operations.
    type Memory: Default;

    fn keys(&self) -> usize;
    fn specification(&self) -> Self::Specification;
    /// In ticks.
    fn now(&self) -> u64;
    /// Chooses; `value` is unique.
    fn next(&self, random: &mut Random, value: u64, memory: &mut Self::Memory) -> Next<Self::Operation>;
    fn ask(&self, key: usize, operation: &Self::Operation) -> Self::Answer;
    /// Called with the answer.
    fn learn(&self, key: usize, answer: &Self::Answer, memory: &mut Self::Memory);
    fn walk(&self, operation: &Self::Operation) -> Vec<Self::Answer>;
    /// The operation that moves the clock from this tick to the next; None if it stands still.
    fn advance(&self, now: u64) -> Option<Self::Operation>;
    /// Puts one of the keys that are in no history.
    fn fill(&self, random: &mut Random, number: u64);
    fn sweep(&self);
}

/// How large a round is.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub workers: usize,
    /// Of each worker.
    pub operations: usize,
    /// Stamps between two moves of the clock, at most.
    pub pace: u64,
    /// Stamps for each key of the filler's.
    pub filling: u64,
}

impl Plan {
    pub fn random(random: &mut Random) -> Plan {
        let workers = random.choose(&[3, 3, 4]);
        let operations = random.choose(&[500, 1_000, 2_000, 3_000]);
        Plan { workers, operations, pace: random.choose(&[20, 60, 200, 600]), filling: random.choose(&[2, 4, 16]) }
    }
}

/// The calls of a round, key by key.
pub type Histories<J> = Vec<Vec<Call<<J as Object>::Operation, <J as Object>::Answer>>>;

/// Lets the threads run, and returns what was recorded.
pub fn run<J: Object>(object: &J, plan: Plan, random: &mut Random, tally: &mut Tally) -> Histories<J> {
    let (stamps, running) = (Stamps::new(), AtomicUsize::new(plan.workers));
    let barrier = Barrier::new(plan.workers + 3);
    let histories = Mutex::new(vec![Vec::new(); object.keys()]);
    let (fillings, sweeps) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // Ordering: Relaxed: the end of the round is the end of the threads.
    let is_running = || running.load(Ordering::Relaxed) > 0;
    let hand_in = |log: Log<J::Operation, J::Answer>| {
        log.distribute(&mut histories.lock().unwrap_or_else(PoisonError::into_inner));
    };
    let (mut pace, mut filler) = (random.fork(), random.fork());
    thread::scope(|scope| {
        for worker in 0..plan.workers {
            let mut random = random.fork();
            let (stamps, running, barrier, hand_in) = (&stamps, &running, &barrier, &hand_in);
            scope.spawn(move || {
                // If it panics, the others end too, and the panic is told.
                let _ending = Ending(running);
                let (mut log, mut memory) = (Log::new(worker), J::Memory::default());
                barrier.wait();
                for number in 0..plan.operations as u64 {
                    let value = (worker as u64 + 1) << 48 | (number + 1) << 16;
                    work(object, stamps, &mut log, &mut random, value, &mut memory);
                }
                hand_in(log);
            });
        }
        scope.spawn(|| {
            let mut log = Log::new(plan.workers);
            barrier.wait();
            let mut at = 0;
            while is_running() {
                if stamps.given() < at {
                    thread::yield_now();
                    continue;
                }
                at = stamps.given() + 1 + pace.below(plan.pace);
                let clock = object.now();
                let Some(operation) = object.advance(clock) else { break };
                let invoked = stamps.next();
                let answer = object.ask(0, &operation);
                record_for_all(object, &stamps, &mut log, clock, invoked, &operation, vec![answer; object.keys()]);
            }
            hand_in(log);
        });
        scope.spawn(|| {
            barrier.wait();
            let mut number = 0;
            while is_running() {
                if number * plan.filling > stamps.given() {
                    thread::yield_now();
                    continue;
                }
                object.fill(&mut filler, number);
                number += 1;
            }
            // Ordering: Relaxed, as for `sweeps`: read when the threads have joined.
            fillings.fetch_add(number as usize, Ordering::Relaxed);
        });
        scope.spawn(|| {
            barrier.wait();
            while is_running() {
                object.sweep();
                sweeps.fetch_add(1, Ordering::Relaxed);
                thread::yield_now();
            }
        });
    });
    tally.operations += usize::try_from(stamps.given()).expect("a round is small") / 2;
    tally.fillings += fillings.into_inner();
    tally.sweeps += sweeps.into_inner();
    tally.keys += object.keys();
    tally.rounds += 1;
    histories.into_inner().unwrap_or_else(PoisonError::into_inner)
}

struct Ending<'a>(&'a AtomicUsize);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn work<J: Object>(
    object: &J,
    stamps: &Stamps,
    log: &mut Log<J::Operation, J::Answer>,
    random: &mut Random,
    value: u64,
    memory: &mut J::Memory,
) {
    let clock = object.now();
    match object.next(random, value, memory) {
        Next::On(key, operation) => log.call(stamps, clock, key, operation, |operation| {
            let answer = object.ask(key, operation);
            object.learn(key, &answer, memory);
            answer
        }),
        Next::Walk(operation) => {
            let invoked = stamps.next();
            let answers = object.walk(&operation);
            record_for_all(object, stamps, log, clock, invoked, &operation, answers);
        }
        Next::Sweep => object.sweep(),
    }
}

fn record_for_all<J: Object>(
    object: &J,
    stamps: &Stamps,
    log: &mut Log<J::Operation, J::Answer>,
    clock: u64,
    invoked: u64,
    operation: &J::Operation,
    answers: Vec<J::Answer>,
) {
    let returned = Some(stamps.next());
    debug_assert_eq!(answers.len(), object.keys());
    for (key, answer) in answers.into_iter().enumerate() {
        let (thread, operation) = (log.thread(), operation.clone());
        log.push(key, Call { thread, clock, invoked, returned, operation, answer: Some(answer) });
    }
}

/// Checks every key's history; the finding, printed, if one has no explanation.
pub fn check_all<J: Object>(object: &J, histories: &Histories<J>, tally: &mut Tally) -> Result<(), String> {
    for (key, history) in histories.iter().enumerate() {
        match check(&object.specification(), history) {
            Ok(checked) => tally.explained(checked),
            Err(violation) => return Err(format!("key {key} of {}: {violation}", histories.len())),
        }
    }
    Ok(())
}
