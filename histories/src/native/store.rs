//! A round on a `MemStore`: all its operations but `rename` on one to four tokens.

use std::time::Duration;

use fleeting::{ManualClock, MemStore, Version};
use histories::store::{StoreAnswer, StoreOperation, StoreToken, ambiguous_version, ask, walk};
use histories::{Ticks, parity};

use super::random::Random;
use super::round::{Next, Object, Plan, Tally, check_all, run};

/// What is asked, without its numbers. Each round uses some of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Save,
    SaveFor,
    Create,
    Update,
    CompareAndSave,
    Touch,
    Find,
    Read,
    FindWithExpiry,
    FindVersioned,
    Delete,
    Take,
}

const KINDS: [Kind; 12] = [
    Kind::Save,
    Kind::SaveFor,
    Kind::Create,
    Kind::Update,
    Kind::CompareAndSave,
    Kind::Touch,
    Kind::Find,
    Kind::Read,
    Kind::FindWithExpiry,
    Kind::FindVersioned,
    Kind::Delete,
    Kind::Take,
];

const WRITERS: [Kind; 3] = [Kind::Save, Kind::SaveFor, Kind::Create];
const READERS: [Kind; 3] = [Kind::Find, Kind::Read, Kind::FindWithExpiry];

struct StoreRound {
    store: MemStore,
    ticks: Ticks,
    tokens: Vec<String>,
    kinds: Vec<Kind>,
    /// Once in so many operations, a walk.
    walks: u64,
}

impl StoreRound {
    fn random(random: &mut Random) -> StoreRound {
        let length = random.choose(&[Duration::from_micros(250), Duration::from_millis(1), Duration::from_secs(1)]);
        let ticks = Ticks::new(ManualClock::new(), length);
        let janitor = if random.one_in(4) { Duration::from_millis(1) } else { Duration::ZERO };
        let store =
            MemStore::builder().clock(ticks.clock().clone()).cleanup_interval(janitor).build().expect("a store");
        let mut kinds: Vec<Kind> = KINDS.into_iter().filter(|_| random.one_in(2)).collect();
        kinds.extend([random.choose(&WRITERS), random.choose(&READERS)]);
        let walks = random.choose(&[50, 200, u64::MAX]);
        let tokens = (0..1 + random.below(4)).map(|token| format!("token {token}")).collect();
        StoreRound { store, ticks, tokens, kinds, walks }
    }

    /// After all has expired, a sweep leaves nothing: F1, seen from outside.
    fn check_sweep(&self) -> Result<(), String> {
        // What the janitor has in its hands would not be forgotten.
        self.store.stop_cleanup();
        self.ticks.clock().advance(self.ticks.duration(1 << 20));
        self.store.sweep();
        match self.store.len() {
            0 => Ok(()),
            held => {
                let records = self.store.stats().records;
                // A walk removes what it finds expired.
                self.store.delete_where(|_, _| false);
                Err(format!(
                    "FORGOTTEN BY THE INDEX: a swept store holds {held} sessions that expired long ago ({} after a walk), and no sweep removes them: \
                     {records} records are left ({:?}, kinds {:?}, {} tokens)",
                    self.store.len(),
                    self.ticks,
                    self.kinds,
                    self.tokens.len()
                ))
            }
        }
    }
}

impl Object for StoreRound {
    type Operation = StoreOperation;
    type Answer = StoreAnswer;
    type Specification = StoreToken;
    /// The token and version that were read last.
    type Memory = Option<(usize, Version)>;

    fn keys(&self) -> usize {
        self.tokens.len()
    }

    fn specification(&self) -> StoreToken {
        StoreToken { start: 0 }
    }

    fn now(&self) -> u64 {
        self.ticks.now()
    }

    fn next(&self, random: &mut Random, value: u64, memory: &mut Self::Memory) -> Next<StoreOperation> {
        if random.one_in(self.walks) {
            return Next::Walk(match random.below(4) {
                0 => StoreOperation::Clear,
                1 => StoreOperation::DeleteWhere(parity(random.next())),
                _ => StoreOperation::All,
            });
        }
        if random.one_in(100) {
            return Next::Sweep;
        }
        let ttl = if random.one_in(8) { 1_000 } else { random.below(5) };
        let expiry = self.now() + ttl;
        let token = random.below(self.tokens.len() as u64) as usize;
        let operation = match random.choose(&self.kinds) {
            Kind::Save => StoreOperation::Save(value, expiry),
            Kind::SaveFor => StoreOperation::SaveFor(value, ttl),
            Kind::Create => StoreOperation::Create(value, expiry),
            Kind::Update => StoreOperation::Update(value, expiry),
            Kind::CompareAndSave => match *memory {
                // Mostly of the token that it was read from.
                Some((from, version)) => {
                    let token = if random.one_in(8) { token } else { from };
                    return Next::On(token, StoreOperation::CompareAndSave(version, value, expiry));
                }
                None => StoreOperation::FindVersioned,
            },
            Kind::Touch => StoreOperation::Touch(expiry),
            Kind::Find => StoreOperation::Find,
            Kind::Read => StoreOperation::Read,
            Kind::FindWithExpiry => StoreOperation::FindWithExpiry,
            Kind::FindVersioned => StoreOperation::FindVersioned,
            Kind::Delete => StoreOperation::Delete,
            Kind::Take => StoreOperation::Take,
        };
        Next::On(token, operation)
    }

    fn ask(&self, token: usize, operation: &StoreOperation) -> StoreAnswer {
        ask(&self.store, &self.ticks, &self.tokens[token], operation)
    }

    fn learn(&self, token: usize, answer: &StoreAnswer, memory: &mut Self::Memory) {
        match *answer {
            StoreAnswer::Versioned(Some((_, version))) | StoreAnswer::Saved(Some(version)) => {
                *memory = Some((token, version));
            }
            // Read it again.
            StoreAnswer::Saved(None) => *memory = None,
            _ => {}
        }
    }

    fn walk(&self, operation: &StoreOperation) -> Vec<StoreAnswer> {
        walk(&self.store, &self.tokens, operation)
    }

    fn advance(&self, now: u64) -> Option<StoreOperation> {
        Some(StoreOperation::Advance(now + 1))
    }

    fn fill(&self, random: &mut Random, number: u64) {
        let some = format!("filler {}", random.below(number + 1));
        let ttl = self.ticks.duration(random.below(10));
        match random.below(8) {
            0 => drop(self.store.delete(some)),
            1 => drop(self.store.touch(some, self.ticks.system_time(self.now() + random.below(10)))),
            2..=4 => self.store.save_for(format!("filler {number}"), number.to_le_bytes(), ttl),
            _ => self.store.save_for(format!("filler {number}"), number.to_le_bytes(), self.ticks.duration(1_000)),
        }
    }

    fn sweep(&self) {
        self.store.sweep();
    }
}

/// One round on a fresh store.
pub fn round(random: &mut Random, tally: &mut Tally) -> Result<(), String> {
    let object = StoreRound::random(random);
    let histories = run(&object, Plan::random(random), random, tally);
    check_all(&object, &histories, tally)?;
    if let Some((version, first, second)) = ambiguous_version(histories.iter().flatten()) {
        return Err(format!("TWO SESSIONS WITH ONE VERSION: {version:?} was read with data {first} and with {second}"));
    }
    object.check_sweep()
}
