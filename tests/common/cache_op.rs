//! Operations on a cache, and ways to build one, made from bytes: for the twin of `cache_twin.rs`.
//!
//! The first byte is the setup, each four bytes after it an operation. Any bytes will do, so a property test and a fuzzer
//! share the generator.

use std::hash::{BuildHasher, DefaultHasher, Hasher};
use std::time::Duration;

use super::common::seconds;

/// One operation. The two numbers of `Retain` are a divisor and a remainder; two keys are a key and another one that may be the
/// same; a key and a count are a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Insert(u8),
    InsertWithTtl(u8, Duration),
    InsertUntil(u8, Duration),
    /// Insert until a moment that is past.
    InsertSince(u8, Duration),
    InsertIfAbsent(u8),
    Replace(u8),
    Update(u8),
    /// Update by a closure that inserts another key.
    UpdateBeside(u8, u8),
    Keep(u8),
    Put(u8),
    PutWithTtl(u8, Duration),
    ComputeRemove(u8),
    /// Compute by a closure that removes another key.
    ComputeBeside(u8, u8),
    GetOrInsertWith(u8),
    TryGetOrInsertWith(u8, bool),
    Touch(u8, Duration),
    GetAndTouch(u8, Duration),
    Persist(u8),
    Remove(u8),
    Take(u8),
    RemoveIf(u8, bool),
    Retain(u8, u8),
    Clear,
    Increment(u8),
    Decrement(u8),
    Underflow(u8),
    Get(u8),
    GetWithDeadline(u8),
    Read(u8),
    Peek(u8),
    ContainsKey(u8),
    GetMany(u8, u8),
    Pinned(u8),
    /// Hold a pinned reference while its entry is removed and its memory retired.
    Hold(u8),
    /// Get by a handle that was held weakly.
    Upgrade(u8),
    Iterate,
    /// Iterate, and insert a key of the range after each step.
    IterateWhileFilling(u8, u8),
    Fill(u8, u8, Duration),
    Sweep,
    Advance(Duration),
}

/// How many kinds of operations there are.
pub const KINDS: usize = 40;

impl Op {
    /// The generator: any four bytes are an operation, and most keys are among the first few.
    pub fn from_bytes([kind, key, first, second]: [u8; 4]) -> Self {
        let key = if key < 200 { key % 8 } else { key };
        let ttl = span(first, second);
        match kind % 56 {
            0..=2 => Op::Insert(key),
            3..=6 => Op::InsertWithTtl(key, ttl),
            7 => Op::InsertUntil(key, ttl),
            8 => Op::InsertIfAbsent(key),
            9 => Op::Replace(key),
            10 => Op::Update(key),
            11 => Op::Keep(key),
            12 => Op::Put(key),
            13 => Op::PutWithTtl(key, ttl),
            14 => Op::ComputeRemove(key),
            15 => Op::GetOrInsertWith(key),
            16 => Op::TryGetOrInsertWith(key, first % 2 == 0),
            17..=20 => Op::Touch(key, ttl),
            21 => Op::GetAndTouch(key, ttl),
            22 => Op::Persist(key),
            23..=24 => Op::Remove(key),
            25 => Op::Take(key),
            26 => Op::RemoveIf(key, first % 2 == 0),
            27 if first < 64 => Op::Retain(1 + first % 7, second % 7),
            27 => Op::Iterate,
            28 if first < 32 => Op::Clear,
            28 => Op::Get(key),
            29 => Op::Increment(key),
            30 => Op::Underflow(key),
            31 => Op::GetWithDeadline(key),
            32 => Op::Read(key),
            33 => Op::Peek(key),
            34 => Op::ContainsKey(key),
            35 => Op::GetMany(key, first % 40),
            36 => Op::Pinned(key),
            37 => Op::Fill(key, first, span(second, first)),
            38..=40 => Op::Sweep,
            41 => Op::InsertSince(key, ttl),
            42 => Op::UpdateBeside(key, first % 16),
            43 => Op::ComputeBeside(key, first % 16),
            44 => Op::Decrement(key),
            45 => Op::Hold(key),
            46 => Op::Upgrade(key),
            47 => Op::IterateWhileFilling(key, first),
            // No clock runs for centuries: steps are kept under three months.
            _ => Op::Advance(ttl.min(seconds(90 * 86_400))),
        }
    }
}

/// A length of time: nothing, some nanoseconds up to years, or for ever.
pub fn span(unit: u8, count: u8) -> Duration {
    let nanoseconds: u64 = match unit % 10 {
        0 | 1 => 1,
        2 => 1_000,
        3 => 1_000_000,
        4 => 250_000_000,
        5 | 6 => 1_000_000_000,
        7 => 3_600_000_000_000,
        8 => 86_400_000_000_000,
        _ if count < 32 => return Duration::MAX,
        _ => 31_536_000_000_000_000,
    };
    Duration::from_nanos(nanoseconds) * u32::from(count)
}

/// How the cache under test is built.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub hashing: Hashing,
    pub time_to_live: Option<Duration>,
    pub time_to_idle: Option<Duration>,
    pub capacity: usize,
    pub counting: bool,
}

impl Setup {
    /// Any byte is a setup; zero is the plainest.
    pub fn from_byte(byte: u8) -> Self {
        let choose = |shift: u8| usize::from(byte >> shift & 3);
        Setup {
            hashing: [Hashing::Keyed, Hashing::Constant, Hashing::FewBits, Hashing::Identity][choose(0)],
            time_to_live: [None, Some(seconds(40)), Some(Duration::from_nanos(3)), Some(Duration::MAX)][choose(2)],
            time_to_idle: [None, None, Some(seconds(10)), Some(Duration::from_nanos(200))][choose(4)],
            capacity: [0, 0, 5, 200][choose(6)],
            counting: choose(6) != 1,
        }
    }
}

/// How keys are hashed: well, and in ways that no table likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hashing {
    Keyed,
    Constant,
    /// Four hashes in all.
    FewBits,
    Identity,
}

impl BuildHasher for Hashing {
    type Hasher = HashingState;

    fn build_hasher(&self) -> HashingState {
        HashingState { hashing: *self, keyed: DefaultHasher::new(), plain: 0 }
    }
}

/// See [`Hashing`].
pub struct HashingState {
    hashing: Hashing,
    keyed: DefaultHasher,
    plain: u64,
}

impl Hasher for HashingState {
    fn write(&mut self, bytes: &[u8]) {
        self.keyed.write(bytes);
        self.plain = bytes.iter().fold(self.plain, |plain, byte| plain << 8 | u64::from(*byte));
    }

    fn finish(&self) -> u64 {
        match self.hashing {
            Hashing::Keyed => self.keyed.finish(),
            Hashing::Constant => 0xDEAD_BEEF_0BAD_CAFE,
            Hashing::FewBits => self.plain & 3,
            Hashing::Identity => self.plain,
        }
    }
}
