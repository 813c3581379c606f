//! What the workers share: the store, the cache, the side cache that grows and is dropped, and the books kept beside them.
//!
//! Each session lives in a *slot* of one worker's, which alone writes it; so the worker knows what it must find, and what
//! the callbacks report can be held against that. Each write of a session gets a *serial*, which its data carries.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use fleeting::{Cache, MemStore, RemovalCause};

use crate::plan::{Plan, WORKERS};

/// What the books say of one session.
#[derive(Default)]
pub struct Slot {
    /// When it expires, in nanoseconds since the start.
    pub due: AtomicU64,
    /// The serial of its last write.
    pub serial: AtomicU64,
    /// The serial that was last reported as having left for good.
    pub left: AtomicU64,
    /// Tells its token from those of earlier sessions of this slot.
    pub generation: AtomicU64,
}

impl Slot {
    /// Whether the session that was last written here has left.
    pub fn is_gone(&self) -> bool {
        self.left.load(Ordering::Acquire) == self.serial.load(Ordering::Relaxed)
    }
}

/// Reports of the callbacks of one store or cache, by cause.
#[derive(Default)]
pub struct Reports {
    pub expired: AtomicU64,
    pub removed: AtomicU64,
    pub replaced: AtomicU64,
}

impl Reports {
    fn note(&self, cause: RemovalCause) {
        let count = match cause {
            RemovalCause::Expired => &self.expired,
            RemovalCause::Replaced => &self.replaced,
            _ => &self.removed,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// The books.
pub struct Books {
    pub start: Instant,
    pub slots: Box<[Slot]>,
    pub sessions: Reports,
    pub entries: Reports,
    /// Sessions that workers know to have been published.
    pub published: AtomicU64,
    /// Renames that failed: each may have published, and taken back.
    pub failed_renames: AtomicU64,
    /// How late an expired session was removed at most, in nanoseconds.
    pub latest: AtomicU64,
    /// Payloads of the cache that exist.
    pub payloads: AtomicI64,
    /// Side caches that were dropped.
    pub side_caches: AtomicU64,
    pub loads: AtomicU64,
    pub sweeps: AtomicU64,
    pub walks: AtomicU64,
}

impl Books {
    /// Nanoseconds since the start.
    pub fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// One moment by both clocks: an interruption between the readings shows, and is not believed.
    pub fn both_clocks(&self) -> (u64, SystemTime) {
        loop {
            let before = self.now();
            let wall = SystemTime::now();
            if self.now() - before < 100_000 {
                return (before, wall);
            }
        }
    }

    fn session_left(&self, data: &[u8], cause: RemovalCause) {
        self.sessions.note(cause);
        let Some((slot, serial)) = read_data(data) else {
            report(format_args!("a callback got data that nobody wrote: {data:?}"));
            return;
        };
        let slot = &self.slots[slot as usize];
        if cause == RemovalCause::Expired {
            let late = self.now().saturating_sub(slot.due.load(Ordering::Relaxed));
            self.latest.fetch_max(late, Ordering::Relaxed);
        }
        if cause != RemovalCause::Replaced {
            slot.left.store(serial, Ordering::Release);
        }
    }
}

/// A value of the cache, which is counted.
pub struct Payload {
    pub key: u64,
    bytes: Box<[u8]>,
    books: Arc<Books>,
}

impl Payload {
    pub fn new(key: u64, books: &Arc<Books>) -> Payload {
        books.payloads.fetch_add(1, Ordering::Relaxed);
        let length = 32 + (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 57) as usize;
        Payload { key, bytes: vec![key as u8; length].into(), books: books.clone() }
    }
}

impl Clone for Payload {
    fn clone(&self) -> Self {
        self.books.payloads.fetch_add(1, Ordering::Relaxed);
        Payload { key: self.key, bytes: self.bytes.clone(), books: self.books.clone() }
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        if self.bytes.iter().any(|byte| *byte != self.key as u8) {
            report(format_args!("the payload of key {} was overwritten", self.key));
        }
        self.books.payloads.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A cache that is grown, and dropped.
pub type Side = Cache<u64, u64>;

/// Everything.
pub struct World {
    pub plan: Plan,
    pub store: MemStore,
    pub cache: Cache<u64, Payload>,
    pub books: Arc<Books>,
    pub gate: Gate,
    pub meters: Box<[crate::meter::Meter]>,
    side: Mutex<(u64, Side)>,
}

/// Where workers wait while the invariants are checked.
pub struct Gate {
    pub pause: AtomicBool,
    pub stop: AtomicBool,
    pub barrier: Barrier,
}

impl World {
    pub fn new(plan: Plan) -> World {
        let books = Arc::new(Books {
            start: Instant::now(),
            slots: (0..plan.slots * WORKERS).map(|_| Slot::default()).collect(),
            sessions: Reports::default(),
            entries: Reports::default(),
            published: AtomicU64::new(0),
            failed_renames: AtomicU64::new(0),
            latest: AtomicU64::new(0),
            payloads: AtomicI64::new(0),
            side_caches: AtomicU64::new(0),
            loads: AtomicU64::new(0),
            sweeps: AtomicU64::new(0),
            walks: AtomicU64::new(0),
        });
        let (one, other) = (books.clone(), books.clone());
        let store = MemStore::builder()
            .cleanup_interval(plan.interval)
            .on_removal(move |_, data, cause| one.session_left(data, cause))
            .build()
            .expect("a thread for the janitor");
        let cache = Cache::builder()
            .cleanup_interval(plan.interval)
            .time_to_live(plan.lifetimes.1)
            .time_to_idle(plan.lifetimes.1 / 2)
            .on_removal(move |_: &u64, _: &Payload, cause| other.entries.note(cause))
            .build()
            .expect("a thread for the janitor");
        let gate = Gate {
            pause: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            barrier: Barrier::new(WORKERS as usize + 1),
        };
        let side = Mutex::new((0, side_cache(&plan)));
        let meters = (0..WORKERS).map(|_| crate::meter::Meter::default()).collect();
        World { plan, store, cache, books, gate, meters, side }
    }

    /// The side cache of now, and its number.
    pub fn side(&self) -> (u64, Side) {
        let side = lock(&self.side);
        (side.0, side.1.clone())
    }

    /// Puts a new side cache in the place of number `from`, unless another thread has.
    pub fn renew_side(&self, from: u64) {
        let mut side = lock(&self.side);
        if side.0 == from {
            // Kept until the lock is given back: dropping may wait for a janitor.
            let old = std::mem::replace(&mut *side, (from + 1, side_cache(&self.plan)));
            drop(side);
            self.books.side_caches.fetch_add(1, Ordering::Relaxed);
            drop(old);
        }
    }
}

fn side_cache(plan: &Plan) -> Side {
    Cache::builder().cleanup_interval(plan.interval).build().expect("a thread for the janitor")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Token of a session.
pub fn token(slot: u64, generation: u64) -> [u8; 16] {
    let mut token = [0; 16];
    token[..8].copy_from_slice(&slot.to_le_bytes());
    token[8..].copy_from_slice(&generation.to_le_bytes());
    token
}

/// Data of a session, 40 to 295 bytes: slot, serial, and bytes that follow from them.
pub fn write_data(buffer: &mut Vec<u8>, slot: u64, serial: u64) {
    buffer.clear();
    buffer.extend_from_slice(&slot.to_le_bytes());
    buffer.extend_from_slice(&serial.to_le_bytes());
    let length = 40 + (serial.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as usize;
    buffer.resize(length, serial as u8);
}

/// Slot and serial of a session's data; None if nobody wrote it so.
pub fn read_data(data: &[u8]) -> Option<(u64, u64)> {
    let number = |from: usize| Some(u64::from_le_bytes(data.get(from..from + 8)?.try_into().ok()?));
    let (slot, serial) = (number(0)?, number(8)?);
    (data.len() >= 40 && data[data.len() - 1] == serial as u8).then_some((slot, serial))
}

static FAILURES: AtomicU64 = AtomicU64::new(0);

/// Prints a failure at once, the first hundred of them.
pub fn report(what: fmt::Arguments<'_>) {
    if FAILURES.fetch_add(1, Ordering::Relaxed) < 100 {
        eprintln!("FAILURE: {what}");
    }
}

/// How many were reported.
pub fn failures() -> u64 {
    FAILURES.load(Ordering::Relaxed)
}

/// A time in milliseconds, to print.
pub fn milliseconds(nanoseconds: u64) -> Duration {
    Duration::from_millis(nanoseconds / 1_000_000)
}
