//! The naive twin of a cache: a `HashMap` of value and deadline, and a number for the time.

use std::collections::HashMap;
use std::time::Duration;

use fleeting::RemovalCause::{self, Expired, Removed, Replaced};

use super::cache_op::Setup;

/// What no deadline of the library is beyond: from here on it is "never". Some 292 years.
pub const NEVER: Duration = Duration::from_nanos(i64::MAX as u64);

/// Values are counted up and down from here.
const LOW: u32 = 1 << 20;

#[derive(Clone, Copy)]
pub struct Kept {
    pub value: u32,
    /// Elapsed time at which its time to live ends, if it does.
    cap: Option<Duration>,
    /// Elapsed time at which it stops being live; `None` for never.
    pub deadline: Option<Duration>,
}

/// What may be reported about a value that has left, and whether a report must come at all.
pub struct Fate {
    pub causes: &'static [RemovalCause],
    pub required: bool,
}

pub struct Twin {
    pub now: Duration,
    pub time_to_live: Option<Duration>,
    time_to_idle: Option<Duration>,
    pub entries: HashMap<u8, Kept>,
    pub fates: HashMap<u32, Fate>,
    values: u32,
    low_values: u32,
    pub hits: u64,
    pub misses: u64,
}

impl Twin {
    pub fn new(setup: Setup) -> Self {
        Twin {
            now: Duration::ZERO,
            time_to_live: setup.time_to_live,
            time_to_idle: setup.time_to_idle,
            entries: HashMap::new(),
            fates: HashMap::new(),
            values: LOW,
            low_values: LOW,
            hits: 0,
            misses: 0,
        }
    }

    pub fn is_live(&self, kept: &Kept) -> bool {
        kept.deadline.is_none_or(|deadline| self.now < deadline)
    }

    pub fn live(&self, key: u8) -> Option<&Kept> {
        self.entries.get(&key).filter(|kept| self.is_live(kept))
    }

    /// The value of a live entry, without a trace.
    pub fn value(&self, key: u8) -> Option<u32> {
        self.live(key).map(|kept| kept.value)
    }

    /// The value of a live entry by a read that counts, and that begins its idle time anew.
    pub fn hit(&mut self, key: u8) -> Option<u32> {
        let Some(kept) = self.live(key).copied() else {
            self.misses += 1;
            return None;
        };
        self.hits += 1;
        let deadline = self.deadline(kept.cap);
        self.entries.insert(key, Kept { deadline, ..kept });
        Some(kept.value)
    }

    /// A value that no other operation of the sequence makes, above all of today.
    pub fn fresh(&mut self) -> u32 {
        self.values += 1;
        self.values
    }

    /// A value that no other operation of the sequence makes, below all of today.
    pub fn fresh_below(&mut self) -> u32 {
        self.low_values -= 1;
        self.low_values
    }

    /// The end of a span that begins now.
    fn end_of(&self, span: Option<Duration>) -> Option<Duration> {
        span.and_then(|span| self.now.checked_add(span)).filter(|end| *end < NEVER)
    }

    /// The deadline under a cap: the cap, or the end of idle time.
    fn deadline(&self, cap: Option<Duration>) -> Option<Duration> {
        [cap, self.end_of(self.time_to_idle)].into_iter().flatten().min()
    }

    pub fn end(&mut self, value: u32, causes: &'static [RemovalCause], required: bool) {
        self.fates.insert(value, Fate { causes, required });
    }

    /// Puts an entry in place of what is there; answers whether that was live.
    fn put(&mut self, key: u8, kept: Kept) -> bool {
        let dead_on_arrival = !self.is_live(&kept);
        let was_live = self.live(key).is_some();
        let causes: &[RemovalCause] = match (was_live, dead_on_arrival) {
            (false, _) => &[Expired],
            (true, false) => &[Replaced],
            (true, true) => &[Replaced, Removed, Expired],
        };
        if let Some(old) = self.entries.remove(&key) {
            self.end(old.value, causes, true);
        }
        if dead_on_arrival {
            self.end(kept.value, &[Expired, Removed], false);
        } else {
            self.entries.insert(key, kept);
        }
        was_live
    }

    /// Puts a value for a time that begins now, for ever if None; answers whether the key was live.
    pub fn put_ttl(&mut self, key: u8, value: u32, ttl: Option<Duration>) -> bool {
        self.put_until(key, value, self.end_of(ttl))
    }

    pub fn put_until(&mut self, key: u8, value: u32, cap: Option<Duration>) -> bool {
        self.put(key, Kept { value, cap, deadline: self.deadline(cap) })
    }

    /// Puts a value and keeps the time to live, if the key is live; its idle time begins anew.
    pub fn amend(&mut self, key: u8, value: u32) -> bool {
        let Some(kept) = self.live(key).copied() else { return false };
        self.put(key, Kept { value, deadline: self.deadline(kept.cap), ..kept })
    }

    pub fn touch(&mut self, key: u8, ttl: Option<Duration>) -> bool {
        let Some(kept) = self.live(key).copied() else { return false };
        let cap = self.end_of(ttl);
        self.entries.insert(key, Kept { cap, deadline: self.deadline(cap), ..kept });
        true
    }

    pub fn remove(&mut self, key: u8) -> Option<u32> {
        let value = self.value(key)?;
        self.entries.remove(&key);
        self.end(value, &[Removed], true);
        Some(value)
    }

    pub fn remove_each(&mut self, causes: &'static [RemovalCause], condition: impl Fn(u8, u32) -> bool) {
        let chosen: Vec<u8> =
            self.contents().into_iter().filter(|(key, value)| condition(*key, *value)).map(|(key, _)| key).collect();
        for key in chosen {
            let kept = self.entries.remove(&key).expect("listed");
            self.end(kept.value, causes, true);
        }
    }

    /// What has expired leaves, for one of these causes.
    pub fn bury(&mut self, causes: &'static [RemovalCause]) {
        let dead: Vec<u8> = self.entries.iter().filter(|(_, kept)| !self.is_live(kept)).map(|(key, _)| *key).collect();
        for key in dead {
            let kept = self.entries.remove(&key).expect("listed");
            self.end(kept.value, causes, true);
        }
    }

    /// The live entries, sorted.
    pub fn contents(&self) -> Vec<(u8, u32)> {
        let live = self.entries.iter().filter(|(_, kept)| self.is_live(kept));
        let mut contents: Vec<_> = live.map(|(key, kept)| (*key, kept.value)).collect();
        contents.sort_unstable();
        contents
    }
}
