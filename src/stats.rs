//! Striped relaxed counters, and the [`Stats`] snapshot.
//!
//! A thread counts on the line of its stripe. Two threads share a stripe only when there are more threads than
//! stripes. No ordering is carried: the counters are plain `core` atomics, in models too.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use std::cell::Cell;
use std::sync::OnceLock;

use crossbeam_utils::CachePadded;

/// What a cache has done since it was built, and what it holds. All counts are of entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Reads that found a live entry.
    pub hits: u64,
    /// Reads that found none.
    pub misses: u64,
    /// Entries that came in under a key that had no live one.
    pub inserts: u64,
    /// Entries that a later write took the place of.
    pub replaced: u64,
    /// Entries that were removed by name, by a predicate, or by `clear`.
    pub removed: u64,
    /// Entries that left because their deadline had come.
    pub expired: u64,
    /// Entries that were evicted to make room. Always 0 until capacity bounds exist.
    pub evicted: u64,
    /// Writes that were refused (a token or data that is too long).
    pub rejected: u64,
    /// Entries held now, those included that have expired but have not been swept.
    pub entries: u64,
    /// Total weight of the entries: their number, until capacity bounds exist.
    pub weight: u64,
    /// Records that stand in the expiry index now.
    pub records: u64,
    /// Records that sweeps have looked at.
    pub records_handled: u64,
    /// Sweeps that ended.
    pub sweeps: u64,
    /// How long the last sweep took.
    pub last_sweep: Duration,
    /// Panics of callbacks that were contained.
    pub contained_panics: u64,
}

/// What is counted on stripes.
#[derive(Clone, Copy, Debug)]
pub enum Count {
    Hits,
    Misses,
    Inserts,
    Replaced,
    Removed,
    Expired,
    Rejected,
}

const COUNTS: usize = 7;

#[derive(Debug, Default)]
struct Stripe {
    counts: [AtomicU64; COUNTS],
    /// Signed, as two's complement: what one thread inserts another may remove.
    entries: AtomicU64,
    records: AtomicU64,
}

/// The counters of one cache.
#[derive(Debug)]
pub struct Counters {
    counting: bool,
    stripes: Box<[CachePadded<Stripe>]>,
    records_handled: AtomicU64,
    sweeps: AtomicU64,
    last_sweep: AtomicU64,
    contained_panics: AtomicU64,
}

impl Counters {
    /// `counting` false leaves the counts of operations at zero; entries and records are always counted.
    pub fn new(counting: bool) -> Self {
        Counters {
            counting,
            stripes: (0..stripes()).map(|_| CachePadded::default()).collect(),
            records_handled: AtomicU64::new(0),
            sweeps: AtomicU64::new(0),
            last_sweep: AtomicU64::new(0),
            contained_panics: AtomicU64::new(0),
        }
    }

    /// Counts one operation. Wait-free: one relaxed add on the thread's own line.
    #[inline]
    pub fn count(&self, what: Count) {
        if self.counting {
            self.stripe().counts[what as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// An entry came (1) or went (-1).
    #[inline]
    pub fn add_entries(&self, by: i64) {
        self.stripe().entries.fetch_add(by.cast_unsigned(), Ordering::Relaxed);
    }

    /// Records came or went.
    #[inline]
    pub fn add_records(&self, by: i64) {
        self.stripe().records.fetch_add(by.cast_unsigned(), Ordering::Relaxed);
    }

    /// Entries held.
    pub fn entries(&self) -> usize {
        self.sum(|stripe| &stripe.entries)
    }

    /// Records in the index.
    pub fn records(&self) -> usize {
        self.sum(|stripe| &stripe.records)
    }

    /// Records that a sweep looked at.
    pub fn add_handled(&self, records: u64) {
        self.records_handled.fetch_add(records, Ordering::Relaxed);
    }

    /// A sweep ended.
    pub fn swept(&self, took: Duration) {
        self.sweeps.fetch_add(1, Ordering::Relaxed);
        self.last_sweep.store(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// A callback panicked.
    pub fn contained_panic(&self) {
        self.contained_panics.fetch_add(1, Ordering::Relaxed);
    }

    /// The numbers of now. Each is exact when nothing else runs; together they are no snapshot.
    pub fn stats(&self) -> Stats {
        let count =
            |what: Count| self.stripes.iter().map(|stripe| stripe.counts[what as usize].load(Ordering::Relaxed)).sum();
        Stats {
            hits: count(Count::Hits),
            misses: count(Count::Misses),
            inserts: count(Count::Inserts),
            replaced: count(Count::Replaced),
            removed: count(Count::Removed),
            expired: count(Count::Expired),
            evicted: 0,
            rejected: count(Count::Rejected),
            entries: self.entries() as u64,
            weight: self.entries() as u64,
            records: self.records() as u64,
            records_handled: self.records_handled.load(Ordering::Relaxed),
            sweeps: self.sweeps.load(Ordering::Relaxed),
            last_sweep: Duration::from_nanos(self.last_sweep.load(Ordering::Relaxed)),
            contained_panics: self.contained_panics.load(Ordering::Relaxed),
        }
    }

    fn sum(&self, field: impl Fn(&Stripe) -> &AtomicU64) -> usize {
        let sum =
            self.stripes.iter().fold(0_u64, |sum, stripe| sum.wrapping_add(field(stripe).load(Ordering::Relaxed)));
        // A sum taken while others count may miss an arrival and see the departure.
        usize::try_from(sum.cast_signed().max(0)).unwrap_or(usize::MAX)
    }

    #[inline]
    fn stripe(&self) -> &Stripe {
        &self.stripes[lane() & (self.stripes.len() - 1)]
    }
}

/// A small number that differs between threads, as far as there are few.
#[inline]
pub fn lane() -> usize {
    thread_local! {
        static LANE: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let lane = LANE.get();
    if lane != usize::MAX {
        return lane;
    }
    let lane = NEXT.fetch_add(1, Ordering::Relaxed) % usize::MAX;
    LANE.set(lane);
    lane
}

/// A stripe for each core, 32 at most: a power of two.
fn stripes() -> usize {
    static STRIPES: OnceLock<usize> = OnceLock::new();
    *STRIPES.get_or_init(|| std::thread::available_parallelism().map_or(4, usize::from).next_power_of_two().min(32))
}
