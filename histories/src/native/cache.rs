//! A round on a `Cache`: all its operations on one to four keys.

use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use fleeting::{Cache, ManualClock};
use histories::cache::{CacheAnswer, CacheKey, CacheOperation, Decision, ask, walk};
use histories::{Ticks, parity};

use super::random::Random;
use super::round::{Next, Object, Plan, Tally, check_all, run};

/// What is asked, without its numbers. Each round uses some of them: where few kinds meet, they meet often.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Insert,
    InsertWithTtl,
    InsertUntil,
    InsertIfAbsent,
    Replace,
    Update,
    Compute,
    GetOrInsertWith,
    TryGetOrInsertWith,
    Get,
    Read,
    ContainsKey,
    Peek,
    GetMany,
    PinnedGet,
    GetWithDeadline,
    GetAndTouch,
    Touch,
    Persist,
    Remove,
    Take,
    RemoveIf,
    Increment,
    Decrement,
}

const KINDS: [Kind; 24] = [
    Kind::Insert,
    Kind::InsertWithTtl,
    Kind::InsertUntil,
    Kind::InsertIfAbsent,
    Kind::Replace,
    Kind::Update,
    Kind::Compute,
    Kind::GetOrInsertWith,
    Kind::TryGetOrInsertWith,
    Kind::Get,
    Kind::Read,
    Kind::ContainsKey,
    Kind::Peek,
    Kind::GetMany,
    Kind::PinnedGet,
    Kind::GetWithDeadline,
    Kind::GetAndTouch,
    Kind::Touch,
    Kind::Persist,
    Kind::Remove,
    Kind::Take,
    Kind::RemoveIf,
    Kind::Increment,
    Kind::Decrement,
];

/// Those of which each round has one at least: something must come in, and something must be seen.
const WRITERS: [Kind; 4] = [Kind::Insert, Kind::InsertWithTtl, Kind::InsertUntil, Kind::InsertIfAbsent];
const READERS: [Kind; 3] = [Kind::Get, Kind::GetWithDeadline, Kind::PinnedGet];

/// The first key that is in no history.
const FILLER: u64 = 1_000;

struct CacheRound {
    cache: Cache<u64, u64, Spread>,
    ticks: Ticks,
    keys: Vec<u64>,
    time_to_live: Option<u64>,
    kinds: Vec<Kind>,
    /// Once in so many operations, a walk.
    walks: u64,
}

/// A hasher of the round's choice.
#[derive(Clone, Copy, Debug)]
enum Spread {
    /// A good one.
    Even,
    /// All keys of the histories have one hash.
    Equal,
}

struct Number(Spread, u64);

impl BuildHasher for Spread {
    type Hasher = Number;

    fn build_hasher(&self) -> Number {
        Number(*self, 0)
    }
}

impl Hasher for Number {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(u64::from(byte)));
    }

    fn write_u64(&mut self, number: u64) {
        let number = if matches!(self.0, Spread::Equal) && number < FILLER { 0 } else { number };
        self.1 = Random::new(self.1 ^ number).next();
    }

    fn finish(&self) -> u64 {
        self.1
    }
}

impl CacheRound {
    fn random(random: &mut Random) -> CacheRound {
        // A fraction of the index's unit, about one, and many.
        let length = random.choose(&[Duration::from_micros(250), Duration::from_millis(1), Duration::from_secs(1)]);
        let ticks = Ticks::new(ManualClock::new(), length);
        let time_to_live = random.choose(&[None, Some(1), Some(3), Some(10)]);
        let janitor = if random.one_in(4) { Duration::from_millis(1) } else { Duration::ZERO };
        let spread = random.choose(&[Spread::Even, Spread::Even, Spread::Equal]);
        let mut builder = Cache::builder().hasher(spread).clock(ticks.clock().clone()).cleanup_interval(janitor);
        if let Some(ttl) = time_to_live {
            builder = builder.time_to_live(ticks.duration(ttl));
        }
        let cache = builder.build().expect("a cache");
        let mut kinds: Vec<Kind> = KINDS.into_iter().filter(|_| random.one_in(2)).collect();
        kinds.extend([random.choose(&WRITERS), random.choose(&READERS)]);
        let walks = random.choose(&[50, 200, u64::MAX]);
        CacheRound { cache, ticks, keys: (0..1 + random.below(4)).collect(), time_to_live, kinds, walks }
    }

    fn decision(random: &mut Random, value: u64) -> Decision {
        match random.below(6) {
            0 => Decision::Keep,
            1 | 2 => Decision::Put(value),
            3 | 4 => Decision::PutWithTtl(value, random.below(4)),
            _ => Decision::Remove,
        }
    }

    /// After all has expired that can, a sweep leaves what cannot, and nothing else: F1, seen from outside.
    fn check_sweep(&self) -> Result<(), String> {
        // What the janitor has in its hands would not be forgotten.
        self.cache.stop_cleanup();
        self.ticks.clock().advance(self.ticks.duration(1 << 20));
        self.cache.sweep();
        let (held, live) = (self.cache.len(), self.cache.iter().count());
        if held == live {
            return Ok(());
        }
        let records = self.cache.stats().records;
        // A walk removes what it finds expired.
        self.cache.retain(|_, _| true);
        Err(format!(
            "FORGOTTEN BY THE INDEX: a swept cache holds {held} entries ({} after a walk), of which {live} are live; the others expired long ago, and no \
             sweep removes them: {records} records are left ({:?}, time to live {:?}, kinds {:?}, {} keys)",
            self.cache.len(),
            self.ticks,
            self.time_to_live,
            self.kinds,
            self.keys.len()
        ))
    }
}

impl Object for CacheRound {
    type Operation = CacheOperation;
    type Answer = CacheAnswer;
    type Specification = CacheKey;
    type Memory = ();

    fn keys(&self) -> usize {
        self.keys.len()
    }

    fn specification(&self) -> CacheKey {
        CacheKey { time_to_live: self.time_to_live, start: 0 }
    }

    fn now(&self) -> u64 {
        self.ticks.now()
    }

    fn next(&self, random: &mut Random, value: u64, (): &mut ()) -> Next<CacheOperation> {
        if random.one_in(self.walks) {
            return Next::Walk(match random.below(4) {
                0 => CacheOperation::Clear,
                1 => CacheOperation::Retain(parity(random.next())),
                _ => CacheOperation::Iterate,
            });
        }
        if random.one_in(100) {
            return Next::Sweep;
        }
        let ttl = if random.one_in(8) { 1_000 } else { random.below(5) };
        let operation = match random.choose(&self.kinds) {
            Kind::Insert => CacheOperation::Insert(value),
            Kind::InsertWithTtl => CacheOperation::InsertWithTtl(value, ttl),
            Kind::InsertUntil => CacheOperation::InsertUntil(value, self.now() + ttl),
            Kind::InsertIfAbsent => CacheOperation::InsertIfAbsent(value),
            Kind::Replace => CacheOperation::Replace(value),
            Kind::Update => CacheOperation::Update(value),
            Kind::Compute => {
                CacheOperation::Compute { live: Self::decision(random, value), absent: Self::decision(random, value) }
            }
            Kind::GetOrInsertWith => CacheOperation::GetOrInsertWith(value),
            Kind::TryGetOrInsertWith => CacheOperation::TryGetOrInsertWith((!random.one_in(3)).then_some(value)),
            Kind::Get => CacheOperation::Get,
            Kind::Read => CacheOperation::Read,
            Kind::ContainsKey => CacheOperation::ContainsKey,
            Kind::Peek => CacheOperation::Peek,
            Kind::GetMany => CacheOperation::GetMany,
            Kind::PinnedGet => CacheOperation::PinnedGet,
            Kind::GetWithDeadline => CacheOperation::GetWithDeadline,
            Kind::GetAndTouch => CacheOperation::GetAndTouch(ttl),
            Kind::Touch => CacheOperation::Touch(ttl),
            Kind::Persist => CacheOperation::Persist,
            Kind::Remove => CacheOperation::Remove,
            Kind::Take => CacheOperation::Take,
            Kind::RemoveIf => CacheOperation::RemoveIf(random.one_in(2)),
            Kind::Increment => CacheOperation::Increment(random.choose(&[1, 2, u64::MAX])),
            Kind::Decrement => CacheOperation::Decrement(random.choose(&[1, 2, u64::MAX])),
        };
        Next::On(random.below(self.keys.len() as u64) as usize, operation)
    }

    fn ask(&self, key: usize, operation: &CacheOperation) -> CacheAnswer {
        ask(&self.cache, &self.ticks, &self.keys[key], operation)
    }

    fn learn(&self, _: usize, _: &CacheAnswer, (): &mut ()) {}

    fn walk(&self, operation: &CacheOperation) -> Vec<CacheAnswer> {
        walk(&self.cache, &self.keys, operation)
    }

    fn advance(&self, now: u64) -> Option<CacheOperation> {
        Some(CacheOperation::Advance(now + 1))
    }

    fn fill(&self, random: &mut Random, number: u64) {
        let ttl = self.ticks.duration(random.below(10));
        match random.below(8) {
            0 => drop(self.cache.remove(&(FILLER + random.below(number + 1)))),
            1 => drop(self.cache.touch(&(FILLER + random.below(number + 1)), ttl)),
            2..=4 => drop(self.cache.insert_with_ttl(FILLER + number, number, ttl)),
            _ => drop(self.cache.insert(FILLER + number, number)),
        }
    }

    fn sweep(&self) {
        self.cache.sweep();
    }
}

/// One round on a fresh cache.
pub fn round(random: &mut Random, tally: &mut Tally) -> Result<(), String> {
    let object = CacheRound::random(random);
    let histories = run(&object, Plan::random(random), random, tally);
    check_all(&object, &histories, tally)?;
    object.check_sweep()
}
