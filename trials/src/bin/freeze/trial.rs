//! One subject's trial: rounds of freezing and thawing, and the checks after each.
//!
//! ```text
//! round   a new subject with its stable entries; the workers run
//!         after a random time: freeze one of them (in one round of four, two) in the middle of an operation
//!         every other worker does a course: a fixed number of operations of each kind. Blocked: one that has completed no operation
//!           for the limit
//!         thaw; the workers stop; the subject's invariants are checked
//! ```
//!
//! The limit counts time in which this process ran: the controller wakes every 50 us, and a longer gap than 5 ms counts as 5 ms.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::allocator;
use crate::freezer::{Frozen, Slot};
use crate::kinds::Kind;
use crate::random::Random;
use crate::subjects::{Expected, HOUR, Subject};
use crate::worker::{self, Plan, STABLE, Shared};

/// Workers; one or two of them are victims.
const WORKERS: usize = 5;

/// How long a victim is sought in the wanted kind of operation, before any kind will do; and then how long again.
const PATIENCE: Duration = Duration::from_millis(40);

/// Rounds after which the small subject is checked, and a new one taken.
const SIDE_ROUNDS: u32 = 50;

/// How much a trial does.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Freezes.
    pub freezes: u32,
    /// Ends after so many that blocked somebody.
    pub blocked: u32,
    /// Time without one completed operation after which a worker is blocked.
    pub limit: Duration,
    /// Freezes in this kind of operation as far as can be; None: in all in turn.
    pub kind: Option<Kind>,
    /// Decides the moments and the victims.
    pub seed: u64,
}

/// What a trial saw.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub freezes: u32,
    pub by_kind: [u32; Kind::ALL.len()],
    /// Signals that met a thread outside our text.
    pub outside: u32,
    /// Signals that met a thread in no operation, or in one that was not wanted.
    pub elsewhere: u32,
    /// Operations that others did while somebody was frozen.
    pub operations: u64,
    /// Growths that began and ended while somebody was frozen, and the freezes with one.
    pub growths: u32,
    pub freezes_with_growth: u32,
    pub blocked: u32,
    /// Where the victims were in these.
    pub blocked_at: Vec<(Kind, usize)>,
    /// The longest operation of another, and the longest course of all others, while somebody was frozen.
    pub longest_operation: Duration,
    pub longest_course: Duration,
    pub taken_early: u64,
    pub wrong: u64,
    /// Where the victims were.
    pub pcs: Vec<usize>,
    /// Invariants that did not hold.
    pub broken: Vec<String>,
    pub leaked_values: u64,
    pub leaked_bytes: i64,
    pub took: Duration,
}

/// The workers of one subject, and their controller.
pub struct Trial<S> {
    pub shared: Arc<Shared<S>>,
    pub slots: Vec<&'static Slot>,
    threads: Vec<JoinHandle<()>>,
    pub random: Random,
}

/// Runs the trial of one subject.
pub fn run<S: Subject>(extent: Extent) -> Outcome {
    let start = Instant::now();
    let mut outcome = Outcome { pcs: Vec::with_capacity(extent.freezes as usize + 1), ..Outcome::default() };
    let bytes = allocator::bytes();
    let mut trial = Trial::<S>::start(Plan::All, extent.seed);
    let (mut round, mut side) = (0, Arc::new(worker::side::<S>()));
    while outcome.freezes < extent.freezes && outcome.blocked < extent.blocked {
        let arena = Arc::new(worker::arena::<S>());
        let favourite = extent.kind.unwrap_or(Kind::ALL[round as usize % Kind::ALL.len()]);
        let victims = trial.victims(round % 4 == 3);
        // Growth takes place early in a round.
        let delay = Duration::from_micros(trial.random.below(if favourite == Kind::Grow { 300 } else { 1_500 }));
        trial.arm(victims[0], Some(favourite), delay);
        trial.begin_round(&arena, &side, Some(favourite));
        trial.freeze_and_wait(&victims, favourite, extent.limit, &mut outcome);
        trial.end_round(&mut outcome);
        // Before a blocked freeze is thawed, such a check would hang; now everyone is out.
        outcome.broken.extend(check(&*arena, true).err());
        round += 1;
        if round % SIDE_ROUNDS == 0 {
            end_side(&*side, &mut outcome);
            side = Arc::new(worker::side::<S>());
        }
    }
    end_side(&*side, &mut outcome);
    trial.stop();
    drop(side);
    outcome.leaked_values = S::leaked();
    // What messages took is not the subject's.
    let messages: usize = outcome.broken.iter().map(String::capacity).sum();
    outcome.leaked_bytes = allocator::bytes() - bytes - messages as i64;
    outcome.took = start.elapsed();
    outcome
}

fn end_side<S: Subject>(side: &S, outcome: &mut Outcome) {
    // Nothing swept it so far.
    let taken_early = side.taken_early();
    if S::EXPECTED == Expected::NeverBlocked && taken_early == 0 {
        outcome.broken.push("no stale record was taken early".to_string());
    }
    outcome.taken_early += taken_early;
    outcome.broken.extend(check(side, false).err());
}

/// What must hold when nobody is in the subject: iteration, length and look-up agree; nothing outlives all deadlines.
fn check<S: Subject>(subject: &S, has_stable: bool) -> Result<(), String> {
    let (mut seen, mut stable, mut wrong) = (0, 0, None);
    subject.iterate(usize::MAX, &mut |key, value| {
        seen += 1;
        stable += u64::from(key < STABLE);
        // Re-entry into a peer's iteration may wait for itself.
        if S::EXPECTED == Expected::NeverBlocked && subject.find(key) != Some(value) {
            wrong = Some(key);
        }
    });
    if let Some(key) = wrong {
        return Err(format!("iteration and look-up disagree on key {key:#x}"));
    }
    if seen != subject.len() {
        return Err(format!("iteration saw {seen} entries of {}", subject.len()));
    }
    if has_stable && stable != STABLE {
        return Err(format!("iteration saw {stable} stable entries of {STABLE}"));
    }
    subject.check()?;
    subject.advance(HOUR * 1_000);
    subject.sweep();
    if subject.len() != 0 {
        return Err(format!("a sweep after all deadlines left {} entries", subject.len()));
    }
    subject.check()
}

impl<S: Subject> Trial<S> {
    /// Starts the workers.
    pub fn start(plan: Plan, seed: u64) -> Self {
        let shared = Arc::new(Shared::new(WORKERS, plan));
        let slots: Vec<&'static Slot> = (0..WORKERS).map(|_| Slot::leak()).collect();
        let threads = slots.iter().zip(1..).map(|(&slot, number)| {
            let shared = shared.clone();
            thread::spawn(move || worker::work(&shared, slot, number))
        });
        let threads = threads.collect();
        shared.barrier.wait();
        Trial { threads, shared, slots, random: Random::new(seed) }
    }

    /// Lets the workers run on these.
    pub fn begin_round(&mut self, arena: &Arc<S>, side: &Arc<S>, favourite: Option<Kind>) {
        let shared = &self.shared;
        *shared.subjects.lock().expect("nothing panics while it is held") = Some((arena.clone(), side.clone()));
        shared.favourite.store(favourite.map_or(crate::kinds::NONE, |kind| kind as u8), Ordering::Relaxed);
        shared.fresh.store(0, Ordering::Relaxed);
        shared.over.store(false, Ordering::Release);
        shared.barrier.wait();
    }

    /// Stops the workers, once they have ended the operations that they are in.
    pub fn end_round(&mut self, outcome: &mut Outcome) {
        self.shared.over.store(true, Ordering::Release);
        self.shared.barrier.wait();
        *self.shared.subjects.lock().expect("nothing panics while it is held") = None;
        for slot in &self.slots {
            let longest = Duration::from_nanos(slot.longest.swap(0, Ordering::Relaxed));
            outcome.longest_operation = outcome.longest_operation.max(longest);
            outcome.wrong += slot.wrong.swap(0, Ordering::Relaxed);
            outcome.outside += slot.outside.swap(0, Ordering::Relaxed);
            outcome.elsewhere += slot.elsewhere.swap(0, Ordering::Relaxed);
        }
    }

    /// Ends the workers.
    pub fn stop(self) {
        self.shared.quit.store(true, Ordering::Release);
        self.shared.barrier.wait();
        for thread in self.threads {
            thread.join().expect("a worker that panics aborts the process");
        }
    }

    /// One or two of the workers.
    fn victims(&mut self, two: bool) -> Vec<usize> {
        let first = self.random.below(WORKERS as u64) as usize;
        let second = (first + 1 + self.random.below(WORKERS as u64 - 1) as usize) % WORKERS;
        if two { vec![first, second] } else { vec![first] }
    }

    /// Begins to signal a worker.
    pub fn arm(&mut self, victim: usize, wanted: Option<Kind>, delay: Duration) {
        // Not in step with what the victim does.
        let interval = Duration::from_nanos(15_000 + self.random.below(10_000));
        self.slots[victim].arm(wanted, delay, interval);
    }

    /// Waits for the victims' freezes (of which the first is armed), and until the others have done their courses, or are blocked.
    fn freeze_and_wait(&mut self, victims: &[usize], wanted: Kind, limit: Duration, outcome: &mut Outcome) {
        let mut frozen: Vec<Frozen> = Vec::new();
        for (index, &victim) in victims.iter().enumerate() {
            if index > 0 {
                self.arm(victim, Some(wanted), Duration::ZERO);
            }
            let found = self.slots[victim].await_frozen(PATIENCE);
            frozen.extend(found.or_else(|| {
                self.arm(victim, None, Duration::ZERO);
                self.slots[victim].await_frozen(PATIENCE)
            }));
        }
        if frozen.is_empty() {
            return;
        }
        for victim in &frozen {
            outcome.freezes += 1;
            outcome.by_kind[victim.kind.index()] += 1;
            outcome.pcs.push(victim.pc);
        }
        let others: Vec<&Slot> = (0..WORKERS).filter(|index| !victims.contains(index)).map(|i| self.slots[i]).collect();
        let operations = || others.iter().map(|slot| slot.operations.load(Ordering::Relaxed)).sum::<u64>();
        let (fresh, before) = (self.shared.fresh.load(Ordering::Relaxed), operations());
        let start = Instant::now();
        let blocked = !self.course(&others, limit);
        if blocked {
            outcome.blocked += 1;
            outcome.blocked_at.extend(frozen.iter().map(|victim| (victim.kind, victim.pc)));
        }
        outcome.longest_course = outcome.longest_course.max(start.elapsed());
        outcome.operations += operations() - before;
        let growths = growths(STABLE + fresh, STABLE + self.shared.fresh.load(Ordering::Relaxed));
        outcome.growths += growths;
        outcome.freezes_with_growth += u32::from(growths > 0);
        // Everyone begins anew; before the thaw, so that whoever was blocked knows that it was.
        self.shared.generation.fetch_add(1, Ordering::AcqRel);
        drop(frozen);
    }

    /// Has these workers do a course; false if one of them is blocked.
    pub fn course(&self, workers: &[&Slot], limit: Duration) -> bool {
        let generation = self.shared.generation.fetch_add(1, Ordering::AcqRel) + 1;
        assert!(worker::is_frozen(generation), "each freeze is thawed before the next");
        let mut quiet = vec![(0, Duration::ZERO); workers.len()];
        let (start, mut last) = (Instant::now(), Instant::now());
        loop {
            thread::sleep(Duration::from_micros(50));
            let gap = last.elapsed().min(Duration::from_millis(5));
            last = Instant::now();
            let mut all_done = true;
            for (slot, (operations, time)) in workers.iter().zip(&mut quiet) {
                if slot.done.load(Ordering::Acquire) == generation {
                    continue;
                }
                all_done = false;
                let now = slot.operations.load(Ordering::Relaxed);
                *time = if now == *operations { *time + gap } else { Duration::ZERO };
                *operations = now;
                // The second: it completes operations, but never its course.
                if *time >= limit || start.elapsed() >= limit * 30 {
                    return false;
                }
            }
            if all_done {
                return true;
            }
        }
    }
}

/// Growths of the table of ours that began and ended while the entries became so many: it grows whenever it has more than four entries a bucket,
/// eight buckets at first. A growth has ended when the next one begins, so the last of those that began is not counted.
fn growths(before: u64, after: u64) -> u32 {
    let begun = |entries: u64| (5..40).filter(|power| entries > 1 << power).count() as u32;
    (begun(after) - begun(before)).saturating_sub(1)
}
