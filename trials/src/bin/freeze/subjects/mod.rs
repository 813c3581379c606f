//! What is put to the trial, behind one trait: ours, and its peers.
//!
//! Keys and values are numbers; a value's low half is made of its key ([`value_of`]), so that a wrong one is seen.

mod cache;
mod dashmap;
mod moka;
mod mutex;
mod papaya;
mod skipmap;
mod store;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use self::cache::CacheSubject;
pub use self::dashmap::DashMapSubject;
pub use self::moka::MokaSubject;
pub use self::mutex::MutexSubject;
pub use self::papaya::PapayaSubject;
pub use self::skipmap::SkipMapSubject;
pub use self::store::StoreSubject;

/// What the trial must find.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// No freeze blocks anyone, and every answer is right.
    NeverBlocked,
    /// Some freeze blocks someone: it holds locks.
    Blocked,
    /// Nothing: it is shown for comparison.
    Unknown,
}

/// A map with expiry. Operations may run on any thread; time moves by [`advance`](Self::advance) only.
pub trait Subject: Send + Sync + 'static {
    /// Its name in the tables.
    const NAME: &'static str;
    /// What must be found.
    const EXPECTED: Expected;

    /// An empty one.
    fn new() -> Self;

    /// The value of a live key.
    fn find(&self, key: u64) -> Option<u64>;

    /// Inserts or replaces.
    fn insert(&self, key: u64, value: u64, ttl: Duration);

    /// Inserts if there is no live entry; whether there was none.
    fn create(&self, key: u64, value: u64) -> bool;

    /// Replaces the value by [`changed`] of it; false if there is none.
    fn update(&self, key: u64) -> bool;

    /// Removes what is there, or inserts if there is nothing.
    fn compute(&self, key: u64, value: u64);

    /// Gives a live entry another time to live; false if there is none.
    fn touch(&self, key: u64, ttl: Duration) -> bool;

    /// Removes; whether there was one.
    fn remove(&self, key: u64) -> bool;

    /// Shows up to `limit` live entries.
    fn iterate(&self, limit: usize, each: &mut dyn FnMut(u64, u64));

    /// Removes the entries whose key is doomed.
    fn retain(&self, is_doomed: fn(u64) -> bool);

    /// Moves this subject's time.
    fn advance(&self, by: Duration);

    /// Removes what has expired.
    fn sweep(&self);

    /// Entries held.
    fn len(&self) -> usize;

    /// Index records that were handled early so far, if it has such; for one that was never swept.
    fn taken_early(&self) -> u64 {
        0
    }

    /// Checks of its own, when nothing else runs.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// When the last subject is gone: frees what can be freed, and says how many values were made but not dropped.
    fn leaked() -> u64 {
        0
    }
}

/// Time to live of what is to stay.
pub const HOUR: Duration = Duration::from_secs(3600);

/// A value for a key.
pub fn value_of(key: u64, payload: u64) -> u64 {
    payload << 32 | key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

/// Whether a value is one for this key.
pub fn is_of(key: u64, value: u64) -> bool {
    value_of(key, 0) == value & u64::from(u32::MAX)
}

/// What an update makes of a value.
pub fn changed(value: u64) -> u64 {
    value.wrapping_add(1 << 32)
}

/// A clock that moves by hand and takes no lock (`fleeting::ManualClock` does).
#[derive(Clone, Debug)]
pub struct Hand {
    origin: Instant,
    elapsed: Arc<AtomicU64>,
}

impl Hand {
    fn new() -> Hand {
        // Not at zero, where deadlines in the past would saturate.
        Hand { origin: Instant::now(), elapsed: Arc::new(AtomicU64::new(1_000_000_000)) }
    }

    fn advance(&self, by: Duration) {
        self.elapsed.fetch_add(nanoseconds(by), Ordering::AcqRel);
    }

    fn now(&self) -> u64 {
        self.elapsed.load(Ordering::Acquire)
    }

    fn after(&self, ttl: Duration) -> u64 {
        self.now() + nanoseconds(ttl)
    }
}

impl fleeting::Clock for Hand {
    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.now())
    }

    fn origin(&self) -> Instant {
        self.origin
    }
}

/// What peers without expiry keep, as a careful user would write it by hand.
#[derive(Clone, Copy, Debug)]
struct Item {
    value: u64,
    deadline: u64,
}

impl Item {
    fn live(self, now: u64) -> Option<u64> {
        (now < self.deadline).then_some(self.value)
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("some hours at most")
}
