//! `moka`: a cache with an admission policy and a timer wheel. Each entry carries its time to live, told through `Expiry`; the capacity is
//! unlimited and nothing is weighed, so nothing is evicted.
//!
//! It reads a clock of its own, so that time cannot be made to pass for it, and its wheel turns by the second. A touch is `and_compute_with`
//! of the value that is there: moka has no cheaper one that is atomic.

use std::time::{Duration, Instant};

use ahash::RandomState;
use moka::Expiry;
use moka::ops::compute::{CompResult, Op};
use moka::sync::Cache;

use super::{Ability, Store, Terms};
use crate::kinds::Kind;

#[derive(Clone)]
struct Entry<V> {
    value: V,
    ttl: Duration,
}

struct OwnTime;

impl<K, V> Expiry<K, Entry<V>> for OwnTime {
    fn expire_after_create(&self, _: &K, entry: &Entry<V>, _: Instant) -> Option<Duration> {
        Some(entry.ttl)
    }

    fn expire_after_update(&self, _: &K, entry: &Entry<V>, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(entry.ttl)
    }
}

pub struct Moka<T: Kind>(Cache<T::Owned, Entry<T::Kept>, RandomState>);

impl<T: Kind> Store for Moka<T> {
    type Kind = T;
    type Found = T::Kept;

    const LACKS: &'static [(Ability, &'static str)] = &[
        (Ability::Lend, "get clones"),
        (Ability::FollowClock, "it reads a clock of its own, and its wheel turns by the second"),
    ];

    fn name() -> &'static str {
        "moka"
    }

    fn new(_: usize) -> Self {
        Moka(Cache::builder().expire_after(OwnTime).build_with_hasher(RandomState::new()))
    }

    fn find(&self, key: &T::Key) -> Option<T::Kept> {
        self.0.get(key).map(|entry| entry.value)
    }

    fn view(found: &T::Kept) -> &T::Value {
        T::view(found)
    }

    fn touch(&self, key: &T::Key, terms: &Terms) -> bool {
        let touched = self.0.entry(T::own(key)).and_compute_with(|old| match old {
            Some(old) => Op::Put(Entry { value: old.into_value().value, ttl: terms.ttl }),
            None => Op::Nop,
        });
        matches!(touched, CompResult::ReplacedWith(_))
    }

    /// It does not tell when an entry expires, so there is nothing to coalesce by.
    fn find_and_touch(&self, key: &T::Key, terms: &Terms, _: Duration) -> Option<T::Kept> {
        self.find(key).filter(|_| self.touch(key, terms))
    }

    fn save(&self, key: &T::Key, value: &T::Value, terms: &Terms) {
        self.0.insert(T::own(key), Entry { value: T::keep(value), ttl: terms.ttl });
    }

    fn create(&self, key: &T::Key, value: &T::Value, terms: &Terms) -> bool {
        self.0.entry(T::own(key)).or_insert_with(|| Entry { value: T::keep(value), ttl: terms.ttl }).is_fresh()
    }

    fn delete(&self, key: &T::Key) -> bool {
        self.0.remove(key).is_some()
    }

    fn len(&self) -> usize {
        // One call does not do all that is pending.
        let mut before = u64::MAX;
        loop {
            self.0.run_pending_tasks();
            let now = self.0.entry_count();
            if now == before {
                return usize::try_from(now).expect("few");
            }
            before = now;
        }
    }

    fn sweep(&self) -> usize {
        let before = self.0.entry_count();
        let after = self.len() as u64;
        usize::try_from(before.saturating_sub(after)).expect("few")
    }

    fn iterate(&self, mut each: impl FnMut(&T::Value)) -> usize {
        let mut count = 0;
        for (_, entry) in &self.0 {
            each(T::view(&entry.value));
            count += 1;
        }
        count
    }
}
