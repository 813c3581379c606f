//! Linearizability of session stores: as `histories.rs` does for caches, on one and two tokens, with the versions of
//! `compare_and_save`; and renames, in the steps that they promise, while the clock moves.
//!
//! Catches a save that comes late and is kept, a version that was given twice, a find that answers for what was
//! deleted, a session that gets a new life from a rename.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fleeting::{ManualClock, MemStore, Version};
use fleeting_shuttle_tests::clock::{StepClock, ticks};
use fleeting_shuttle_tests::tally::Tally;
use fleeting_shuttle_tests::{explore, ignore};
use histories::rename::{self, FAR, PairOperation, TokenPair};
use histories::store::{StoreAnswer, StoreOperation, StoreToken, ambiguous_version, ask, walk};
use histories::{Call, Log, Stamps, Ticks};
use shuttle::rand::RngCore;
use shuttle::thread::{self, JoinHandle};

type StoreLog = Log<StoreOperation, StoreAnswer>;

/// A store whose calls are recorded. Clones are handles to one.
#[derive(Clone)]
struct Recorded {
    store: MemStore,
    clock: StepClock,
    ticks: Ticks,
    stamps: Arc<Stamps>,
    data: Arc<AtomicU64>,
    tokens: Vec<String>,
}

fn draw() -> u64 {
    shuttle::rand::thread_rng().next_u64()
}

impl Recorded {
    fn new(tokens: usize) -> Recorded {
        let ticks = Ticks::new(ManualClock::new(), ticks(1));
        let clock = StepClock::over(ticks.clock().clone());
        let builder = MemStore::builder().clock(clock.clone()).cleanup_interval(Duration::ZERO);
        let store = builder.build().expect("a plain configuration is accepted");
        let (stamps, data) = Default::default();
        let tokens = (0..tokens).map(|token| format!("token-{token}")).collect();
        Recorded { store, clock, ticks, stamps, data, tokens }
    }

    /// An operation on one token; a walk now and then. `version` is what the thread saw last.
    fn operation(&self, version: Option<Version>) -> StoreOperation {
        use StoreOperation as S;
        let number = draw();
        let data = (self.data.fetch_add(1, Ordering::Relaxed) + 1) << 16;
        let ttl = 1 + (number >> 32) % 3;
        // An expiry that is now has come, so that it deletes.
        let expiry = self.ticks.now() + (number >> 40) % 4;
        match number % 24 {
            0..=2 => S::Save(data, expiry),
            3 => S::SaveFor(data, ttl),
            4 | 5 => S::Create(data, expiry),
            6 | 7 => S::Update(data, expiry),
            8..=10 => match version {
                Some(version) => S::CompareAndSave(version, data, expiry),
                None => S::FindVersioned,
            },
            11..=13 => S::Touch(expiry),
            14 | 15 => S::Find,
            16 => S::Read,
            17 => S::FindWithExpiry,
            18 => S::FindVersioned,
            19 => S::Delete,
            20 => S::Take,
            21 => S::DeleteWhere((number >> 40).is_multiple_of(2)),
            22 => S::Clear,
            _ => S::All,
        }
    }

    /// Makes a call on every token at once.
    fn call_all(
        &self,
        log: &mut StoreLog,
        operation: StoreOperation,
        run: impl FnOnce(&StoreOperation) -> Vec<StoreAnswer>,
    ) {
        let (clock, invoked) = (self.ticks.now(), self.stamps.next());
        let answers = run(&operation);
        let returned = Some(self.stamps.next());
        for (token, answer) in answers.into_iter().enumerate() {
            let call = Call { thread: log.thread(), clock, invoked, returned, operation, answer: Some(answer) };
            log.push(token, call);
        }
    }

    /// A thread that makes so many calls.
    fn calls(&self, thread: usize, calls: usize) -> JoinHandle<StoreLog> {
        let recorded = self.clone();
        thread::spawn(move || {
            let (mut log, mut version) = (Log::new(thread), None);
            for _ in 0..calls {
                let operation = recorded.operation(version);
                if matches!(operation, StoreOperation::DeleteWhere(_) | StoreOperation::Clear | StoreOperation::All) {
                    recorded
                        .call_all(&mut log, operation, |operation| walk(&recorded.store, &recorded.tokens, operation));
                    continue;
                }
                let at = draw() as usize % recorded.tokens.len();
                log.call(&recorded.stamps, recorded.ticks.now(), at, operation, |operation| {
                    let answer = ask(&recorded.store, &recorded.ticks, &recorded.tokens[at], operation);
                    if let StoreAnswer::Versioned(Some((_, seen))) | StoreAnswer::Saved(Some(seen)) = answer {
                        version = Some(seen);
                    }
                    answer
                });
            }
            log
        })
    }

    /// The thread that moves the clock, sweeps, and makes the table grow by tokens of its own.
    fn disturbances(&self, thread: usize, count: usize, others: bool) -> JoinHandle<StoreLog> {
        let recorded = self.clone();
        thread::spawn(move || {
            let mut log = Log::new(thread);
            for _ in 0..count {
                match draw() % 4 {
                    0 | 1 => {
                        recorded.clock.step();
                        let to = recorded.ticks.now() + 1;
                        recorded.call_all(&mut log, StoreOperation::Advance(to), |_| {
                            recorded.ticks.advance();
                            vec![StoreAnswer::Done; recorded.tokens.len()]
                        });
                    }
                    2 if others => {
                        let token = draw() % 16;
                        let save = |token: u64| recorded.store.save_for(token.to_le_bytes(), [0; 8], ticks(2));
                        (token..token + 5).for_each(save);
                    }
                    _ => ignore(recorded.store.sweep()),
                }
            }
            log
        })
    }

    /// Checks the history of each token, and that no version was given twice.
    fn check(self, logs: impl IntoIterator<Item = JoinHandle<StoreLog>>, tally: &Tally) {
        let mut histories = vec![Vec::new(); self.tokens.len()];
        for log in logs {
            log.join().expect("a panic of a thread ends the execution before").distribute(&mut histories);
        }
        assert_eq!(ambiguous_version(histories.iter().flatten()), None, "two sessions have one version");
        histories.iter().for_each(|history| tally.check(&StoreToken { start: 0 }, history));
    }
}

/// Three threads and the clock's on one token: everything overlaps.
#[test]
fn store_with_one_token() {
    let tally = Arc::new(Tally::default());
    let counted = tally.clone();
    explore("histories-store-one-token", move || {
        let recorded = Recorded::new(1);
        let threads: Vec<_> = (0..3).map(|thread| recorded.calls(thread, 6)).collect();
        let disturbances = recorded.disturbances(3, 5, false);
        recorded.check(threads.into_iter().chain([disturbances]), &counted);
    });
    tally.finish("store-one-token");
}

/// Three threads and the clock's on two tokens, while the table grows.
#[test]
fn store_with_two_tokens() {
    let tally = Arc::new(Tally::default());
    let counted = tally.clone();
    explore("histories-store-two-tokens", move || {
        let recorded = Recorded::new(2);
        let threads: Vec<_> = (0..3).map(|thread| recorded.calls(thread, 8)).collect();
        let disturbances = recorded.disturbances(3, 6, true);
        recorded.check(threads.into_iter().chain([disturbances]), &counted);
    });
    tally.finish("store-two-tokens");
}

/// Renames between two tokens and back, other operations on both, and expiries that come meanwhile. Each call reads
/// the clock in steps.
#[test]
fn store_with_renames() {
    let tally = Arc::new(Tally::default());
    let counted = tally.clone();
    explore("histories-store-renames", move || {
        let recorded = Recorded::new(2);
        let pair = [recorded.tokens[0].clone(), recorded.tokens[1].clone()];
        let threads: Vec<_> = (0..3).map(|thread| pair_calls(&recorded, &pair, thread, 4)).collect();
        let clock = advances(&recorded, 3, 3);
        let mut histories = vec![Vec::new()];
        for log in threads.into_iter().chain([clock]) {
            log.join().expect("a panic of a thread ends the execution before").distribute(&mut histories);
        }
        counted.check(&TokenPair, &histories[0]);
    });
    tally.finish("store-renames");
}

type PairLog = Log<PairOperation, StoreAnswer>;

fn pair_calls(recorded: &Recorded, pair: &[String; 2], thread: usize, calls: usize) -> JoinHandle<PairLog> {
    let (recorded, pair) = (recorded.clone(), pair.clone());
    thread::spawn(move || {
        let mut log = Log::new(thread);
        for _ in 0..calls {
            let (number, data) = (draw(), (recorded.data.fetch_add(1, Ordering::Relaxed) + 1) << 16);
            let token = (number >> 8) as usize % 2;
            let expiry = if (number >> 16).is_multiple_of(3) { FAR } else { recorded.ticks.now() + (number >> 24) % 3 };
            let operation = match number % 8 {
                0 | 1 => PairOperation::On(token, StoreOperation::Save(data, expiry)),
                2 => PairOperation::On(token, StoreOperation::Create(data, expiry)),
                3..=5 => PairOperation::RenameFrom(token, expiry),
                _ => PairOperation::On(token, StoreOperation::Find),
            };
            log.call(&recorded.stamps, recorded.ticks.now(), 0, operation, |operation| {
                rename::ask(&recorded.store, &recorded.ticks, &pair, operation)
            });
        }
        log
    })
}

fn advances(recorded: &Recorded, thread: usize, count: usize) -> JoinHandle<PairLog> {
    let recorded = recorded.clone();
    thread::spawn(move || {
        let mut log = Log::new(thread);
        for _ in 0..count {
            recorded.clock.step();
            let now = recorded.ticks.now();
            log.call(&recorded.stamps, now, 0, PairOperation::Advance(now + 1), |_| {
                recorded.ticks.advance();
                StoreAnswer::Done
            });
        }
        log
    })
}
