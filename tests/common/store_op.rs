//! Operations on a session store, and ways to build one, made from bytes: for the twin of `store_twin.rs`.
//!
//! The first byte is the setup, each four bytes after it an operation. Any bytes will do, so a property test and a fuzzer
//! share the generator.

use std::time::Duration;

use super::super::cache_twin::span;
use super::common::seconds;

/// When a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    In(Duration),
    Ago(Duration),
    Epoch,
    /// A time that no clock reaches.
    Last,
}

/// One operation. Tokens are made from a number; see [`token`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Save(u8, Expiry),
    TrySave(u8, Expiry),
    SaveFor(u8, Duration),
    Create(u8, Expiry),
    Update(u8, Expiry),
    /// Remember the version that the token has now.
    Note(u8),
    /// Save if the token still has the version remembered last.
    CompareAndSave(u8, Expiry),
    Touch(u8, Expiry),
    Rename(u8, u8, Expiry),
    Delete(u8),
    Take(u8),
    /// Delete the tokens whose number leaves this remainder (second) by this divisor (first).
    DeleteWhere(u8, u8),
    Find(u8),
    FindWithExpiry(u8),
    Read(u8),
    All,
    /// Iterate, and save a token of the range after each step.
    IterateWhileSaving(u8, u8),
    /// Find, and keep the handle to the data.
    Hold(u8),
    /// Look at all data that is held, and let go of it.
    Release,
    /// Find by a handle that was held weakly.
    Upgrade(u8),
    Clear,
    Sweep,
    Advance(Duration),
    /// Set the wall clock to this long before (`true`) or after its present time.
    SetWall(bool, Duration),
}

/// How many kinds of operations there are.
pub const KINDS: usize = 24;

impl Op {
    /// The generator: any four bytes are an operation, and most tokens are among the first few.
    pub fn from_bytes([kind, key, first, second]: [u8; 4]) -> Self {
        let key = if key < 200 { key % 8 } else { key };
        let ttl = span(first, second);
        let step = ttl.min(seconds(90 * 86_400));
        let expiry = match first {
            240..=249 => Expiry::Ago(span(second, first)),
            250..=252 => Expiry::Epoch,
            253..=255 => Expiry::Last,
            _ => Expiry::In(step),
        };
        match kind % 48 {
            0..=4 => Op::Save(key, expiry),
            5 => Op::TrySave(key, expiry),
            6 => Op::SaveFor(key, ttl),
            7..=8 => Op::Create(key, expiry),
            9..=10 => Op::Update(key, expiry),
            11..=12 => Op::Note(key),
            13..=14 => Op::CompareAndSave(key, expiry),
            15..=18 => Op::Touch(key, expiry),
            19..=21 => Op::Rename(key, second % 8, expiry),
            22..=23 => Op::Delete(key),
            24 => Op::Take(key),
            25 if first < 64 => Op::DeleteWhere(1 + first % 7, second % 7),
            25 => Op::All,
            26 if first < 32 => Op::Clear,
            26 | 27 => Op::Find(key),
            28 => Op::FindWithExpiry(key),
            29 => Op::Read(key),
            30..=31 => Op::Sweep,
            32 => Op::SetWall(second % 2 == 0, span(first, second).min(seconds(500 * 86_400))),
            33..=34 => Op::Hold(key),
            35 => Op::Release,
            36 => Op::IterateWhileSaving(key, first),
            37 => Op::Upgrade(key),
            _ => Op::Advance(step),
        }
    }
}

/// The token of this number: number 0 is the empty token, others have various lengths and alike beginnings.
pub fn token(number: u8) -> Vec<u8> {
    let mut token = vec![b's'; usize::from(number % 5) * 7];
    if number != 0 {
        token.push(number);
    }
    token
}

/// How the store under test is built.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub capacity: usize,
    pub counting: bool,
}

impl Setup {
    /// Any byte is a setup; zero is the plainest.
    pub fn from_byte(byte: u8) -> Self {
        Setup { capacity: [0, 0, 5, 200][usize::from(byte & 3)], counting: byte & 4 == 0 }
    }
}
