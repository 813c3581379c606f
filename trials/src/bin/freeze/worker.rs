//! A worker: operations of all kinds on the shared subjects, and a course of fixed length whenever somebody is frozen.
//!
//! | keys | |
//! |---|---|
//! | stable | put in at the start, never removed: a hit must hit. A few are hot |
//! | volatile | created, computed and removed by everyone. A few are hot |
//! | missing | never put in |
//! | fresh | each put in once |
//! | short-lived | each put in once, and gone after its worker's next sweep, but for those that are touched before |

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::freezer::Slot;
use crate::kinds::{self, EARLY_BATCH, GROW_BATCH, Kind};
use crate::random::Random;
use crate::subjects::{HOUR, Subject, is_of, value_of};

/// Keys that are always there.
pub const STABLE: u64 = 256;
const VOLATILE: u64 = 1 << 20;
const VOLATILE_END: u64 = VOLATILE + 64;
const MISSING: u64 = 1 << 40;
const FRESH: u64 = 1 << 42;
const SHORT_LIVED: u64 = 1 << 43;
const HOT: u64 = 4;

/// Fresh keys that a worker puts in before somebody is frozen, at most: all of them together make the table grow eight times.
const FRESH_MAX: u64 = 2_000;

/// What a round is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plan {
    /// All kinds of operations.
    All,
    /// Replacements of what is there, so many a course: what memory they leave is garbage.
    Replace(usize),
}

/// What the controller and all workers share.
pub struct Shared<S> {
    /// Before and after each round.
    pub barrier: Barrier,
    /// The round's subject, and the small one on which records go stale.
    pub subjects: Mutex<Option<(Arc<S>, Arc<S>)>>,
    /// What the workers do.
    pub plan: Plan,
    /// Odd while somebody is frozen, and a course is to be done.
    pub generation: AtomicU32,
    /// The kind that is chosen more often in this round, so that its operations are frozen too.
    pub favourite: AtomicU8,
    /// Fresh keys that the round's subject has got.
    pub fresh: AtomicU64,
    /// The round is over.
    pub over: AtomicBool,
    /// There is no further round.
    pub quit: AtomicBool,
}

impl<S: Subject> Shared<S> {
    /// For so many workers.
    pub fn new(workers: usize, plan: Plan) -> Self {
        Shared {
            barrier: Barrier::new(workers + 1),
            subjects: Mutex::new(None),
            plan,
            generation: AtomicU32::new(0),
            favourite: AtomicU8::new(kinds::NONE),
            fresh: AtomicU64::new(0),
            over: AtomicBool::new(false),
            quit: AtomicBool::new(false),
        }
    }

    /// The subjects of the round.
    pub fn subjects(&self) -> (Arc<S>, Arc<S>) {
        let subjects = self.subjects.lock().unwrap_or_else(PoisonError::into_inner);
        subjects.clone().expect("set before the round")
    }
}

/// A subject with its stable entries.
pub fn arena<S: Subject>() -> S {
    let subject = S::new();
    for key in 0..STABLE {
        subject.insert(key, value_of(key, 0), HOUR);
    }
    subject
}

/// A subject whose index is so full of stale records that the next ones make it take some early.
pub fn side<S: Subject>() -> S {
    let subject = S::new();
    for key in 0..1_100 {
        go_stale(&subject, VOLATILE + key % 64);
    }
    subject
}

/// Leaves one stale record.
fn go_stale<S: Subject>(subject: &S, key: u64) {
    subject.insert(key, value_of(key, 0), HOUR);
    subject.remove(key);
}

/// Runs rounds until there is none; on a thread of its own.
pub fn work<S: Subject>(shared: &Shared<S>, slot: &'static Slot, number: u64) {
    slot.occupy();
    // The controller may use the slot from now on.
    shared.barrier.wait();
    let mut worker =
        Worker { shared, slot, number, random: Random::new(number), unique: 0, fresh: 0, course: Vec::new() };
    loop {
        shared.barrier.wait();
        if shared.quit.load(Ordering::Acquire) {
            slot.vacate();
            return;
        }
        worker.round();
        shared.barrier.wait();
    }
}

struct Worker<'w, S> {
    shared: &'w Shared<S>,
    slot: &'w Slot,
    number: u64,
    random: Random,
    /// Counts this worker's keys that are used once.
    unique: u64,
    /// How many of them are fresh ones of this round.
    fresh: u64,
    /// What is left of the course.
    course: Vec<Kind>,
}

impl<S: Subject> Worker<'_, S> {
    fn round(&mut self) {
        let (arena, side) = self.shared.subjects();
        // Whoever comes late to a round does the course too.
        let mut known = None;
        self.course.clear();
        self.fresh = 0;
        while !self.shared.over.load(Ordering::Acquire) {
            let generation = self.shared.generation.load(Ordering::Acquire);
            if known != Some(generation) {
                known = Some(generation);
                self.begin_course(generation);
            }
            let is_done = is_frozen(generation) && self.course.is_empty();
            if self.shared.plan != Plan::All && is_done {
                // So many operations and no more, or the bytes that they cost could not be told.
                thread::yield_now();
                continue;
            }
            let in_course = self.course.pop();
            let kind = in_course.unwrap_or_else(|| self.any_kind());
            let start = Instant::now();
            self.slot.enter(kind);
            let is_right = self.operate(kind, &arena, &side);
            self.slot.leave();
            if !is_right {
                self.slot.wrong.fetch_add(1, Ordering::Relaxed);
            }
            // It overlapped a freeze if there was one at its start, or one has begun since.
            if is_frozen(generation) || self.shared.generation.load(Ordering::Acquire) != generation {
                let took = u64::try_from(start.elapsed().as_nanos()).expect("less than 500 years");
                self.slot.longest.fetch_max(took, Ordering::Relaxed);
            }
            if is_frozen(generation) && self.course.is_empty() {
                self.slot.done.store(generation, Ordering::Release);
                // Goes on, but lets those who have not finished go first.
                thread::yield_now();
            }
        }
    }

    fn begin_course(&mut self, generation: u32) {
        self.course.clear();
        if is_frozen(generation) {
            match self.shared.plan {
                Plan::All => {
                    self.course.extend(Kind::ALL.iter().flat_map(|&kind| (0..kind.in_course()).map(move |_| kind)));
                }
                Plan::Replace(operations) => self.course.extend((0..operations).map(|_| Kind::Replace)),
            }
            self.random.shuffle(&mut self.course);
        }
    }

    fn any_kind(&mut self) -> Kind {
        if self.shared.plan != Plan::All {
            return Kind::Replace;
        }
        let favourite = Kind::from_u8(self.shared.favourite.load(Ordering::Relaxed));
        let any = Kind::ALL[self.random.below(Kind::ALL.len() as u64) as usize];
        let kind = match favourite {
            Some(favourite) if self.random.below(8) != 0 => favourite,
            // Else nearly all time would pass in the long ones.
            _ if any.is_long() && self.random.below(32) != 0 => Kind::Hit,
            _ => any,
        };
        // In a round of growth, so much that a signal meets it.
        let most = if favourite == Some(Kind::Grow) { 3 * FRESH_MAX } else { FRESH_MAX };
        if kind == Kind::Grow && self.fresh >= most { Kind::Hit } else { kind }
    }

    /// One operation; false if its answer was wrong.
    fn operate(&mut self, kind: Kind, arena: &S, side: &S) -> bool {
        let payload = self.random.next() >> 33;
        match kind {
            Kind::Hit => {
                let key = self.stable();
                arena.find(key).is_some_and(|value| is_of(key, value))
            }
            Kind::Miss => arena.find(MISSING + payload).is_none(),
            Kind::Insert => {
                let key = self.unique(FRESH);
                arena.insert(key, value_of(key, payload), HOUR);
                self.shared.fresh.fetch_add(1, Ordering::Relaxed);
                arena.find(key).is_some_and(|value| value == value_of(key, payload))
            }
            Kind::Replace => {
                let key = self.stable();
                arena.insert(key, value_of(key, payload), self.hours());
                true
            }
            Kind::Update => arena.update(self.stable()),
            Kind::Compute => {
                let key = self.volatile();
                arena.compute(key, value_of(key, payload));
                true
            }
            Kind::Touch => arena.touch(self.stable(), self.hours()),
            Kind::Remove => {
                arena.remove(self.volatile());
                true
            }
            Kind::Create => {
                let key = self.volatile();
                arena.create(key, value_of(key, payload));
                true
            }
            Kind::Iterate => {
                let mut right = true;
                arena.iterate(500, &mut |key, value| right &= key >= STABLE || is_of(key, value));
                right
            }
            Kind::Retain => {
                arena.retain(|key| (VOLATILE..VOLATILE_END).contains(&key) && key % 2 == 1);
                true
            }
            Kind::Grow => {
                for _ in 0..GROW_BATCH {
                    let key = self.unique(FRESH);
                    arena.insert(key, value_of(key, payload), HOUR);
                }
                self.fresh += GROW_BATCH;
                self.shared.fresh.fetch_add(GROW_BATCH, Ordering::Relaxed);
                true
            }
            Kind::Sweep => self.sweep(arena),
            Kind::Early => {
                (0..EARLY_BATCH).for_each(|_| go_stale(side, self.volatile()));
                true
            }
        }
    }

    fn sweep(&mut self, arena: &S) -> bool {
        let keys: [u64; 8] = std::array::from_fn(|_| self.unique(SHORT_LIVED));
        for key in keys {
            arena.insert(key, value_of(key, 0), Duration::from_millis(1));
        }
        // Half of them are given more time, if others have not let theirs pass: their records come due early, and are filed anew.
        let lives = keys.map(|key| key % 2 == 0 && arena.touch(key, HOUR));
        arena.advance(Duration::from_millis(2));
        arena.sweep();
        keys.iter().zip(lives).all(|(&key, lives)| arena.find(key).is_some() == lives)
    }

    fn stable(&mut self) -> u64 {
        self.hot_or_any(STABLE)
    }

    fn volatile(&mut self) -> u64 {
        VOLATILE + self.hot_or_any(VOLATILE_END - VOLATILE)
    }

    fn hot_or_any(&mut self, bound: u64) -> u64 {
        let bound = if self.random.below(2) == 0 { HOT } else { bound };
        self.random.below(bound)
    }

    /// One hour to ten: a touch moves a deadline in either direction.
    fn hours(&mut self) -> Duration {
        HOUR * (1 + self.random.below(10) as u32)
    }

    fn unique(&mut self, range: u64) -> u64 {
        self.unique += 1;
        range + (self.number << 34) + self.unique
    }
}

/// Whether somebody is frozen in this generation.
pub fn is_frozen(generation: u32) -> bool {
    generation % 2 == 1
}
