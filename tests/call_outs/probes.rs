//! Keys, values, hashers, clocks and bytes that say where they are: see [`at`].

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, Hasher};
use std::time::{Duration, Instant, SystemTime};

use fleeting::{Clock, ManualClock};

use super::common::counted::{Counted, Ledger};
use super::plan::{Place, at};

/// What a key is looked up by.
#[derive(Debug)]
pub struct Probe(pub u64);

impl Hash for Probe {
    fn hash<H: Hasher>(&self, state: &mut H) {
        at(Place::Hash);
        self.0.hash(state);
    }
}

impl PartialEq for Probe {
    fn eq(&self, other: &Self) -> bool {
        at(Place::Eq);
        self.0 == other.0
    }
}

impl Eq for Probe {}

/// A key, counted in a ledger.
#[derive(Debug)]
pub struct Key {
    probe: Probe,
    counted: Counted,
    /// Its drop says nothing: the test drops it, not the cache.
    is_mute: bool,
}

impl Key {
    pub fn new(number: u64, ledger: &Ledger) -> Key {
        Key { probe: Probe(number), counted: ledger.issue(number), is_mute: false }
    }

    /// The number of a key that was handed back.
    pub fn number(mut self) -> u64 {
        self.is_mute = true;
        self.probe.0
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.probe.hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.probe == other.probe
    }
}

impl Eq for Key {}

impl Borrow<Probe> for Key {
    fn borrow(&self) -> &Probe {
        at(Place::Borrow);
        &self.probe
    }
}

impl Clone for Key {
    fn clone(&self) -> Self {
        at(Place::CloneKey);
        Key { probe: Probe(self.probe.0), counted: self.counted.clone(), is_mute: false }
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        if !self.is_mute {
            at(Place::DropKey);
        }
    }
}

/// A value, counted in a ledger.
#[derive(Debug)]
pub struct Value {
    counted: Counted,
    is_mute: bool,
}

impl Value {
    pub fn new(number: u64, ledger: &Ledger) -> Value {
        Value { counted: ledger.issue(number), is_mute: false }
    }

    /// Its number.
    pub fn peek(&self) -> u64 {
        self.counted.tag()
    }

    /// The number of a value that was handed out.
    pub fn number(mut self) -> u64 {
        self.is_mute = true;
        self.peek()
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.counted == other.counted
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        at(Place::CloneValue);
        Value { counted: self.counted.clone(), is_mute: false }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        if !self.is_mute {
            at(Place::DropValue);
        }
    }
}

/// A hasher that spreads keys, puts all of them into one bucket, or gives all of them one hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hashing {
    Spread,
    OneBucket,
    OneHash,
}

/// See [`Hashing`].
pub struct State {
    hashing: Hashing,
    number: u64,
}

/// The inverse of the factor by which the cache multiplies hashes (modulo 2^64): the number itself, small, is left.
const UNSPREAD: u64 = 0xF1DE_83E1_9937_733D;
const _: () = assert!(UNSPREAD.wrapping_mul(0x9E37_79B9_7F4A_7C15) == 1);

impl BuildHasher for Hashing {
    type Hasher = State;

    fn build_hasher(&self) -> State {
        at(Place::BuildHasher);
        State { hashing: *self, number: 0 }
    }
}

impl Hasher for State {
    fn write(&mut self, bytes: &[u8]) {
        at(Place::Hasher);
        self.number = bytes.iter().fold(self.number, |number, byte| number << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        at(Place::Hasher);
        self.number = number;
    }

    fn finish(&self) -> u64 {
        at(Place::Hasher);
        match self.hashing {
            Hashing::Spread => self.number,
            Hashing::OneBucket => self.number.wrapping_add(2).wrapping_mul(UNSPREAD),
            Hashing::OneHash => 7,
        }
    }
}

/// A manual clock that says where it is read.
#[derive(Debug)]
pub struct ProbedClock(pub ManualClock);

impl Clock for ProbedClock {
    fn elapsed(&self) -> Duration {
        at(Place::Clock);
        self.0.elapsed()
    }

    fn origin(&self) -> Instant {
        at(Place::ClockOrigin);
        self.0.origin()
    }

    fn coarse_elapsed(&self) -> Duration {
        at(Place::CoarseClock);
        self.0.elapsed()
    }

    fn with_system_time(&self) -> (Duration, SystemTime) {
        at(Place::WallClock);
        self.0.with_system_time()
    }
}

/// A token, or data: the bytes of a number.
#[derive(Debug)]
pub struct Bytes(pub [u8; 8]);

pub fn bytes(number: u64) -> Bytes {
    Bytes(number.to_le_bytes())
}

/// The number that bytes stand for.
pub fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        at(Place::Bytes);
        &self.0
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        at(Place::DropBytes);
    }
}
