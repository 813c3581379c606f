//! Linearizability: every call of an execution is recorded, and the checker of `histories/` looks for an order that explains all answers.
//!
//! Catches any answer that no order explains: a value read after it was replaced, "absent" where a later write still found it, a touch
//! that was undone, two winners. Growth, sweeps and the clock go on meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fleeting::{Cache, ManualClock};
use fleeting_shuttle_tests::caches::Fixed;
use fleeting_shuttle_tests::clock::{StepClock, ticks};
use fleeting_shuttle_tests::tally::Tally;
use fleeting_shuttle_tests::{explore, ignore};
use histories::cache::{CacheAnswer, CacheKey, CacheOperation, Decision, Ticks, ask, walk};
use histories::{Call, Log, Stamps};
use shuttle::rand::RngCore;
use shuttle::thread::{self, JoinHandle};

type CacheLog = Log<CacheOperation, CacheAnswer>;

/// A cache whose calls are recorded. Clones are handles to one.
#[derive(Clone)]
struct Recorded {
    cache: Cache<u64, u64, Fixed>,
    clock: StepClock,
    ticks: Ticks,
    stamps: Arc<Stamps>,
    values: Arc<AtomicU64>,
    keys: Vec<u64>,
    time_to_live: Option<u64>,
}

fn draw() -> u64 {
    shuttle::rand::thread_rng().next_u64()
}

impl Recorded {
    fn new(keys: u64, time_to_live: Option<u64>) -> Recorded {
        let ticks = Ticks::new(ManualClock::new(), ticks(1));
        let clock = StepClock::over(ticks.clock().clone());
        let builder = Cache::builder().hasher(Fixed::default()).clock(clock.clone()).cleanup_interval(Duration::ZERO);
        let builder = match time_to_live {
            Some(ttl) => builder.time_to_live(ticks.duration(ttl)),
            None => builder,
        };
        let cache = builder.build().expect("a plain configuration is accepted");
        let (stamps, values) = Default::default();
        Recorded { cache, clock, ticks, stamps, values, keys: (0..keys).collect(), time_to_live }
    }

    /// Unique, above what increments add.
    fn value(&self) -> u64 {
        (self.values.fetch_add(1, Ordering::Relaxed) + 1) << 16
    }

    /// An operation on one key; a walk now and then.
    fn operation(&self) -> CacheOperation {
        use CacheOperation as C;
        let (number, value) = (draw(), self.value());
        let ttl = 1 + (number >> 32) % 3;
        let decision = |bits: u64| match bits % 4 {
            0 => Decision::Keep,
            1 => Decision::Put(value),
            2 => Decision::PutWithTtl(value, ttl),
            _ => Decision::Remove,
        };
        match number % 36 {
            0 => C::Insert(value),
            1..=3 => C::InsertWithTtl(value, ttl),
            4 => C::InsertUntil(value, self.ticks.now() + ttl),
            5 | 6 => C::InsertIfAbsent(value),
            7 => C::Replace(value),
            8 | 9 => C::Update(value),
            10 | 11 => C::Compute { live: decision(number >> 40), absent: decision(number >> 48) },
            12 => C::GetOrInsertWith(value),
            13 => C::TryGetOrInsertWith(((number >> 40).is_multiple_of(2)).then_some(value)),
            14..=16 => C::Get,
            17 => C::Read,
            18 => C::ContainsKey,
            19 => C::Peek,
            20 => C::GetMany,
            21 => C::PinnedGet,
            22 => C::GetWithDeadline,
            23 => C::GetAndTouch(ttl),
            24..=26 => C::Touch(ttl),
            27 => C::Persist,
            28 => C::Remove,
            29 => C::Take,
            30 => C::RemoveIf((number >> 40).is_multiple_of(2)),
            31 => C::Increment(1 + (number >> 40) % 9),
            32 => C::Decrement(1 + (number >> 40) % 9),
            33 => C::Retain((number >> 40).is_multiple_of(2)),
            34 => C::Clear,
            _ => C::Iterate,
        }
    }

    /// Makes a call on every key at once.
    fn call_all(
        &self,
        log: &mut CacheLog,
        operation: CacheOperation,
        run: impl FnOnce(&CacheOperation) -> Vec<CacheAnswer>,
    ) {
        let (clock, invoked) = (self.ticks.now(), self.stamps.next());
        let answers = run(&operation);
        let returned = Some(self.stamps.next());
        for (key, answer) in answers.into_iter().enumerate() {
            let call = Call { thread: log.thread(), clock, invoked, returned, operation, answer: Some(answer) };
            log.push(key, call);
        }
    }

    /// A thread that makes so many calls.
    fn calls(&self, thread: usize, calls: usize) -> JoinHandle<CacheLog> {
        let recorded = self.clone();
        thread::spawn(move || {
            let mut log = Log::new(thread);
            for _ in 0..calls {
                let operation = recorded.operation();
                match operation {
                    CacheOperation::Retain(_) | CacheOperation::Clear | CacheOperation::Iterate => {
                        let run = |operation: &CacheOperation| walk(&recorded.cache, &recorded.keys, operation);
                        recorded.call_all(&mut log, operation, run);
                    }
                    _ => {
                        let at = draw() as usize % recorded.keys.len();
                        let key = recorded.keys[at];
                        log.call(&recorded.stamps, recorded.ticks.now(), at, operation, |operation| {
                            ask(&recorded.cache, &recorded.ticks, &key, operation)
                        });
                    }
                }
            }
            log
        })
    }

    /// The thread that moves the clock, sweeps, and makes the table grow by keys of its own.
    fn disturbances(&self, thread: usize, count: usize, others: bool) -> JoinHandle<CacheLog> {
        let recorded = self.clone();
        thread::spawn(move || {
            let mut log = Log::new(thread);
            for _ in 0..count {
                match draw() % 4 {
                    0 | 1 => {
                        recorded.clock.step();
                        let to = recorded.ticks.now() + 1;
                        recorded.call_all(&mut log, CacheOperation::Advance(to), |_| {
                            recorded.ticks.advance();
                            vec![CacheAnswer::Done; recorded.keys.len()]
                        });
                    }
                    2 if others => {
                        let key = 1_000 + draw() % 16;
                        (key..key + 5).for_each(|key| ignore(recorded.cache.insert_with_ttl(key, 0, ticks(2))));
                    }
                    _ => ignore(recorded.cache.sweep()),
                }
            }
            log
        })
    }

    /// Checks the history of each key.
    fn check(self, logs: impl IntoIterator<Item = JoinHandle<CacheLog>>, tally: &Tally) {
        let mut histories = vec![Vec::new(); self.keys.len()];
        for log in logs {
            log.join().expect("a panic of a thread ends the execution before").distribute(&mut histories);
        }
        let specification = CacheKey { time_to_live: self.time_to_live, start: 0 };
        histories.iter().for_each(|history| tally.check(&specification, history));
    }
}

/// Three threads and the clock's on one key: everything overlaps.
#[test]
fn cache_with_one_key() {
    let tally = Arc::new(Tally::default());
    let counted = tally.clone();
    explore("histories-cache-one-key", move || {
        let recorded = Recorded::new(1, None);
        let threads: Vec<_> = (0..3).map(|thread| recorded.calls(thread, 6)).collect();
        let disturbances = recorded.disturbances(3, 5, false);
        recorded.check(threads.into_iter().chain([disturbances]), &counted);
    });
    tally.finish("cache-one-key");
}

/// Four threads on two keys, under a default time to live, while the table grows.
#[test]
fn cache_with_two_keys() {
    let tally = Arc::new(Tally::default());
    let counted = tally.clone();
    explore("histories-cache-two-keys", move || {
        let recorded = Recorded::new(2, Some(3));
        let threads: Vec<_> = (0..3).map(|thread| recorded.calls(thread, 8)).collect();
        let disturbances = recorded.disturbances(3, 6, true);
        recorded.check(threads.into_iter().chain([disturbances]), &counted);
    });
    tally.finish("cache-two-keys");
}
