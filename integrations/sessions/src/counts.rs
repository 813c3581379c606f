//! What tombstones add to the counts of the cache below, so that the sessions' own can be told.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use fleeting::{RemovalCause, Stats};

/// Counts of tombstones. Ordering: Relaxed, throughout: each is a number by itself.
#[derive(Default)]
pub struct Counts {
    /// Held now. Below zero for a moment, where one leaves before its deleter has counted it.
    tombstones: AtomicI64,
    /// Updates that were refused.
    pub refused: AtomicU64,
    /// Tombstones that were given up early.
    pub forgotten: AtomicU64,
    /// Loads that met a tombstone: hits of the cache.
    pub dead_loads: AtomicU64,
    /// Tombstones that took a session's place, and that came where there was none.
    took_place: AtomicU64,
    came: AtomicU64,
    /// Tombstones that a session took the place of, that expired, and that were removed.
    replaced: AtomicU64,
    expired: AtomicU64,
    removed: AtomicU64,
    /// Whether the cache counts operations.
    is_counting: bool,
}

pub fn add(count: &AtomicU64, by: u64) {
    count.fetch_add(by, Ordering::Relaxed);
}

fn get(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

impl Counts {
    pub fn new(is_counting: bool) -> Self {
        Counts { is_counting, ..Counts::default() }
    }

    pub fn tombstones(&self) -> usize {
        usize::try_from(self.tombstones.load(Ordering::Relaxed)).unwrap_or(0)
    }

    pub fn refused(&self) -> u64 {
        get(&self.refused)
    }

    pub fn forgotten(&self) -> u64 {
        get(&self.forgotten)
    }

    /// A tombstone came.
    pub fn buried(&self, took_place: bool) {
        self.tombstones.fetch_add(1, Ordering::Relaxed);
        add(if took_place { &self.took_place } else { &self.came }, 1);
    }

    /// A tombstone left.
    pub fn left(&self, cause: RemovalCause) {
        self.tombstones.fetch_sub(1, Ordering::Relaxed);
        let count = match cause {
            RemovalCause::Replaced => &self.replaced,
            RemovalCause::Expired => &self.expired,
            _ => &self.removed,
        };
        add(count, 1);
    }

    /// The cache's counts without those of tombstones: of what a session's user has called.
    pub fn of_sessions(&self, mut stats: Stats) -> Stats {
        let tombstones = self.tombstones() as u64;
        stats.entries = stats.entries.saturating_sub(tombstones);
        stats.weight = stats.weight.saturating_sub(tombstones);
        if !self.is_counting {
            return stats;
        }
        let [dead, took_place, came] = [&self.dead_loads, &self.took_place, &self.came].map(get);
        let [replaced, expired, removed] = [&self.replaced, &self.expired, &self.removed].map(get);
        stats.hits = stats.hits.saturating_sub(dead);
        stats.misses += dead;
        stats.inserts = (stats.inserts + replaced).saturating_sub(came);
        stats.replaced = stats.replaced.saturating_sub(took_place + replaced);
        stats.removed = (stats.removed + took_place).saturating_sub(removed);
        stats.expired = stats.expired.saturating_sub(expired);
        stats
    }
}
