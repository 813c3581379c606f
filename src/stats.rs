//! Striped relaxed counters, and the [`Stats`] snapshot.
//!
//! A thread whose [lane](crate::lane) has a stripe of its own counts there by a load and a store, without a locked instruction (L1);
//! the others share some stripes, and add. No ordering is carried: the counters are plain `core` atomics, in models too.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::{Arc, OnceLock};

use crossbeam_utils::CachePadded;

use crate::lane::{LANES, lane};
#[cfg(any(feature = "metrics", feature = "tracing"))]
use crate::{contain::contain, observe::Observer};

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
    /// Times that the table was exchanged for one of the same size, because every free slot of a bucket stayed
    /// claimed for 40 ms by threads that did not run. Each costs memory for a table, and some work of the inserts
    /// after it; many say that the machine has far too few cores for its threads.
    pub renewals: u64,
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
    /// Those of one lane each, then the shared ones.
    stripes: Box<[CachePadded<Stripe>]>,
    own: usize,
    records_handled: AtomicU64,
    sweeps: AtomicU64,
    last_sweep: AtomicU64,
    panics: Arc<Panics>,
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    observer: Observer,
}

/// Counts the panics of one cache's callbacks. Shared with what tells callbacks, which may outlive the cache.
#[derive(Debug, Default)]
pub struct Panics {
    count: AtomicU64,
    #[cfg(feature = "tracing")]
    observer: OnceLock<Observer>,
}

impl Panics {
    /// A callback panicked.
    pub fn note(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        #[cfg(feature = "tracing")]
        if !contain(|| self.observer.get_or_init(Observer::default).contained_panic()) {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Counters {
    /// `counting` false leaves the counts of operations at zero; entries and records are always counted.
    pub fn new(counting: bool) -> Self {
        let own = own_stripes();
        Counters {
            counting,
            stripes: (0..own + SHARED).map(|_| CachePadded::default()).collect(),
            own,
            records_handled: AtomicU64::new(0),
            sweeps: AtomicU64::new(0),
            last_sweep: AtomicU64::new(0),
            panics: Arc::default(),
            #[cfg(any(feature = "metrics", feature = "tracing"))]
            observer: Observer::default(),
        }
    }

    /// Those of a cache with a name, under which they are published.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub(crate) fn named(mut self, name: Option<std::sync::Arc<str>>) -> Self {
        self.observer = name.map_or_else(Observer::default, Observer::new);
        #[cfg(feature = "tracing")]
        let _ = self.panics.observer.set(self.observer.of_the_same_name());
        self
    }

    /// Publishes what was counted.
    #[cfg(feature = "metrics")]
    pub(crate) fn publish(&self) {
        self.observer.publish(&self.stats());
    }

    /// Runs code of a recorder's or subscriber's, which may panic.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    fn observe(&self, f: impl FnOnce(&Observer)) {
        if !contain(|| f(&self.observer)) {
            self.panics.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts one operation. Wait-free: a load and a store on the thread's own line.
    #[inline]
    pub fn count(&self, what: Count) {
        if self.counting {
            self.add(|stripe| &stripe.counts[what as usize], 1);
        }
    }

    /// An entry came (1) or went (-1).
    #[inline]
    pub fn add_entries(&self, by: i64) {
        self.add(|stripe| &stripe.entries, by.cast_unsigned());
    }

    /// Records came or went.
    #[inline]
    pub fn add_records(&self, by: i64) {
        self.add(|stripe| &stripe.records, by.cast_unsigned());
    }

    #[inline]
    fn add(&self, field: impl Fn(&Stripe) -> &AtomicU64, by: u64) {
        let lane = lane();
        if lane < self.own {
            // L1: nobody else writes here.
            let count = field(&self.stripes[lane]);
            count.store(count.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
        } else {
            self.add_shared(field, lane, by);
        }
    }

    #[cold]
    fn add_shared(&self, field: impl Fn(&Stripe) -> &AtomicU64, lane: usize, by: u64) {
        field(&self.stripes[self.own + lane % SHARED]).fetch_add(by, Ordering::Relaxed);
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

    /// A sweep ended, that removed so many entries. The observers are told, with nothing pinned.
    #[cfg_attr(not(any(feature = "metrics", feature = "tracing")), expect(unused_variables))]
    pub fn swept(&self, took: Duration, removed: usize) {
        self.sweeps.fetch_add(1, Ordering::Relaxed);
        self.last_sweep.store(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        #[cfg(any(feature = "metrics", feature = "tracing"))]
        self.observe(|observer| observer.swept(took, removed, &self.stats()));
    }

    /// Where panics of callbacks are counted.
    pub fn panics(&self) -> &Arc<Panics> {
        &self.panics
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
            contained_panics: self.panics.count.load(Ordering::Relaxed),
            // The map's: see `Engine::stats`.
            renewals: 0,
        }
    }

    fn sum(&self, field: impl Fn(&Stripe) -> &AtomicU64) -> usize {
        let sum =
            self.stripes.iter().fold(0_u64, |sum, stripe| sum.wrapping_add(field(stripe).load(Ordering::Relaxed)));
        // A sum taken while others count may miss an arrival and see the departure.
        usize::try_from(sum.cast_signed().max(0)).unwrap_or(usize::MAX)
    }
}

/// The last of a cache: its numbers are published, and nothing is left in it.
#[cfg(feature = "metrics")]
impl Drop for Counters {
    fn drop(&mut self) {
        let stats = Stats { entries: 0, records: 0, ..self.stats() };
        self.observe(|observer| observer.publish(&stats));
    }
}

/// A count of rare events that is kept where they happen.
#[derive(Debug, Default)]
pub struct Tally(AtomicU64);

impl Tally {
    /// Counts one.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Stripes for the threads that have none of their own.
const SHARED: usize = 4;

/// Twice as many as cores: a power of two, between 8 and 64.
fn own_stripes() -> usize {
    static STRIPES: OnceLock<usize> = OnceLock::new();
    *STRIPES.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(4, usize::from);
        (2 * cores).next_power_of_two().clamp(8, 64).min(LANES)
    })
}
