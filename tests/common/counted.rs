//! Values that report to a ledger when they are made and when they are dropped.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::{lock, reclaim_until};

/// Knows which of the values it issued are alive, and how often one was dropped twice.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    alive: Mutex<HashSet<u64>>,
    issued: AtomicU64,
    double_drops: AtomicU64,
}

impl Ledger {
    pub fn new() -> Self {
        Ledger::default()
    }

    /// Makes a value that equals, and hashes like, the number `tag`.
    pub fn issue(&self, tag: u64) -> Counted {
        let id = self.0.issued.fetch_add(1, Ordering::Relaxed);
        lock(&self.0.alive).insert(id);
        // The allocation makes a second drop visible to the allocator's own checks and to the sanitizers.
        Counted { id, tag: Box::new(tag), ledger: self.clone() }
    }

    /// How many issued values have not been dropped.
    pub fn alive(&self) -> usize {
        lock(&self.0.alive).len()
    }

    /// Waits for the epoch collector until exactly `count` values are alive, and checks that none was dropped twice.
    #[track_caller]
    pub fn settles_at(&self, count: usize) {
        reclaim_until(|| self.alive() <= count);
        assert_eq!(self.alive(), count, "values alive after reclamation");
        assert_eq!(self.0.double_drops.load(Ordering::Relaxed), 0, "values dropped twice");
    }

    /// Reclaims until at most so many values are alive; panics if that never comes.
    #[allow(dead_code, reason = "not every program that shares this file needs it")]
    pub fn settles_below(&self, count: usize) {
        assert!(reclaim_until(|| self.alive() <= count), "{} values are alive, not {count}", self.alive());
    }
}

/// A value or key that exists once in its ledger; a clone is a value of its own.
#[derive(Debug)]
pub struct Counted {
    id: u64,
    tag: Box<u64>,
    ledger: Ledger,
}

impl Counted {
    pub fn tag(&self) -> u64 {
        *self.tag
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.ledger.issue(*self.tag)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if !lock(&self.ledger.0.alive).remove(&self.id) {
            self.ledger.0.double_drops.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl PartialEq for Counted {
    fn eq(&self, other: &Self) -> bool {
        self.tag == other.tag
    }
}

impl Eq for Counted {}

impl Hash for Counted {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.tag.hash(state);
    }
}

impl Borrow<u64> for Counted {
    fn borrow(&self) -> &u64 {
        &self.tag
    }
}
