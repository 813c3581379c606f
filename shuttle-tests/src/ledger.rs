//! What became of each value: published or not, reported how often, still alive or dropped.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::explore::After;

/// The values of one execution. Clones are handles to one.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    fates: Mutex<Vec<Fate>>,
    /// How often any value may be reported beyond the first time.
    copies: AtomicU32,
    alive: AtomicI64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    published: bool,
    withheld: bool,
    reports: u32,
}

/// A value of a cache: it knows its key and its number, and whether it is dropped.
pub struct Value {
    /// The key that it was made for.
    pub key: u8,
    /// Its number in the ledger; a clone has the same.
    pub number: u32,
    ledger: Ledger,
}

impl Ledger {
    /// A new value for a key.
    pub fn value(&self, key: u8) -> Value {
        self.0.alive.fetch_add(1, Ordering::SeqCst);
        Value { key, number: self.number(), ledger: self.clone() }
    }

    /// A new number, for a value of another kind.
    pub fn number(&self) -> u32 {
        let mut fates = self.fates();
        fates.push(Fate::default());
        fates.len() as u32 - 1
    }

    /// The value was surely there for a moment: it must be reported, or be left.
    pub fn published(&self, number: u32) {
        self.fates()[number as usize].published = true;
    }

    /// The value was surely never there: it must not be reported.
    pub fn withheld(&self, number: u32) {
        self.fates()[number as usize].withheld = true;
    }

    /// Some value, it is not known which, may have been copied, twice at most.
    pub fn copied(&self) {
        self.0.copies.fetch_add(2, Ordering::SeqCst);
    }

    /// The removal callback was given the value.
    pub fn reported(&self, number: u32) {
        self.fates()[number as usize].reports += 1;
    }

    /// Asserts that each value was reported once or is left, and that what was never there was not.
    pub fn assert_settled(&self, left: impl IntoIterator<Item = u32>) {
        let mut fates = self.fates();
        for number in left {
            fates[number as usize].reports += 1;
        }
        let most = 1 + self.0.copies.load(Ordering::SeqCst);
        for (number, fate) in fates.iter().enumerate() {
            assert!(fate.reports <= most, "value {number} was reported twice, or is left as well: {fate:?}");
            assert!(!fate.published || fate.reports > 0, "value {number} left without a report");
            assert!(!fate.withheld || fate.reports == 0, "value {number} was given back, and was there all the same");
        }
    }

    fn fates(&self) -> MutexGuard<'_, Vec<Fate>> {
        self.0.fates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl After for Ledger {
    /// Every value was dropped, once.
    fn check(self) {
        assert_eq!(self.0.alive.load(Ordering::SeqCst), 0, "values that were never dropped (or, below zero, twice)");
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        self.ledger.0.alive.fetch_add(1, Ordering::SeqCst);
        Value { key: self.key, number: self.number, ledger: self.ledger.clone() }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.ledger.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "value {} of key {}", self.number, self.key)
    }
}
