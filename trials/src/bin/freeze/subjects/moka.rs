//! `moka`: its map takes no lock, but its housekeeping and its computations do.
//!
//! Deadlines stand in the values, since moka's own clock cannot be moved by hand.

use std::time::Duration;

use moka::ops::compute;
use moka::sync::Cache;

use super::{Expected, HOUR, Hand, Item, Subject, changed};

/// See the module.
pub struct MokaSubject {
    cache: Cache<u64, Item>,
    clock: Hand,
}

impl MokaSubject {
    fn item(&self, value: u64, ttl: Duration) -> Item {
        Item { value, deadline: self.clock.after(ttl) }
    }

    fn remove_where(&self, is_doomed: impl Fn(u64, Item) -> bool) {
        let doomed = self.cache.iter().filter(|(key, item)| is_doomed(**key, *item));
        doomed.for_each(|(key, _)| self.cache.invalidate(&*key));
    }
}

impl Subject for MokaSubject {
    const NAME: &'static str = "moka";
    const EXPECTED: Expected = Expected::Blocked;

    fn new() -> Self {
        MokaSubject { cache: Cache::builder().build(), clock: Hand::new() }
    }

    fn find(&self, key: u64) -> Option<u64> {
        self.cache.get(&key).and_then(|item| item.live(self.clock.now()))
    }

    fn insert(&self, key: u64, value: u64, ttl: Duration) {
        self.cache.insert(key, self.item(value, ttl));
    }

    fn create(&self, key: u64, value: u64) -> bool {
        let item = self.item(value, HOUR);
        self.cache.entry(key).or_insert_with(|| item).is_fresh()
    }

    fn update(&self, key: u64) -> bool {
        let change = |entry: Option<moka::Entry<u64, Item>>| match entry {
            Some(entry) => compute::Op::Put(Item { value: changed(entry.value().value), ..*entry.value() }),
            None => compute::Op::Nop,
        };
        matches!(self.cache.entry(key).and_compute_with(change), compute::CompResult::ReplacedWith(_))
    }

    fn compute(&self, key: u64, value: u64) {
        let change = |entry: Option<moka::Entry<u64, Item>>| match entry {
            Some(_) => compute::Op::Remove,
            None => compute::Op::Put(self.item(value, HOUR)),
        };
        self.cache.entry(key).and_compute_with(change);
    }

    fn touch(&self, key: u64, ttl: Duration) -> bool {
        let Some(item) = self.cache.get(&key) else { return false };
        self.cache.insert(key, self.item(item.value, ttl));
        true
    }

    fn remove(&self, key: u64) -> bool {
        self.cache.remove(&key).is_some()
    }

    fn iterate(&self, limit: usize, each: &mut dyn FnMut(u64, u64)) {
        let now = self.clock.now();
        let live = self.cache.iter().filter_map(|(key, item)| Some((*key, item.live(now)?)));
        live.take(limit).for_each(|(key, value)| each(key, value));
    }

    fn retain(&self, is_doomed: fn(u64) -> bool) {
        self.remove_where(|key, _| is_doomed(key));
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn sweep(&self) {
        let now = self.clock.now();
        self.remove_where(|_, item| item.live(now).is_none());
        self.cache.run_pending_tasks();
    }

    fn len(&self) -> usize {
        self.cache.run_pending_tasks();
        usize::try_from(self.cache.entry_count()).expect("it fits in memory")
    }
}
