//! `dashmap`: a lock a shard.

use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use super::{Expected, HOUR, Hand, Item, Subject, changed};

/// See the module.
pub struct DashMapSubject {
    map: DashMap<u64, Item>,
    clock: Hand,
}

impl Subject for DashMapSubject {
    const NAME: &'static str = "dashmap";
    const EXPECTED: Expected = Expected::Blocked;

    fn new() -> Self {
        DashMapSubject { map: DashMap::new(), clock: Hand::new() }
    }

    fn find(&self, key: u64) -> Option<u64> {
        self.map.get(&key).and_then(|item| item.live(self.clock.now()))
    }

    fn insert(&self, key: u64, value: u64, ttl: Duration) {
        self.map.insert(key, Item { value, deadline: self.clock.after(ttl) });
    }

    fn create(&self, key: u64, value: u64) -> bool {
        let item = Item { value, deadline: self.clock.after(HOUR) };
        match self.map.entry(key) {
            Entry::Occupied(mut entry) if entry.get().live(self.clock.now()).is_none() => {
                entry.insert(item);
                true
            }
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(item);
                true
            }
        }
    }

    fn update(&self, key: u64) -> bool {
        self.map.get_mut(&key).map(|mut item| item.value = changed(item.value)).is_some()
    }

    fn compute(&self, key: u64, value: u64) {
        match self.map.entry(key) {
            Entry::Occupied(entry) => drop(entry.remove()),
            Entry::Vacant(entry) => drop(entry.insert(Item { value, deadline: self.clock.after(HOUR) })),
        }
    }

    fn touch(&self, key: u64, ttl: Duration) -> bool {
        self.map.get_mut(&key).map(|mut item| item.deadline = self.clock.after(ttl)).is_some()
    }

    fn remove(&self, key: u64) -> bool {
        self.map.remove(&key).is_some()
    }

    fn iterate(&self, limit: usize, each: &mut dyn FnMut(u64, u64)) {
        let now = self.clock.now();
        let live = self.map.iter().filter_map(|entry| Some((*entry.key(), entry.value().live(now)?)));
        live.take(limit).for_each(|(key, value)| each(key, value));
    }

    fn retain(&self, is_doomed: fn(u64) -> bool) {
        self.map.retain(|&key, _| !is_doomed(key));
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn sweep(&self) {
        let now = self.clock.now();
        self.map.retain(|_, item| item.live(now).is_some());
    }

    fn len(&self) -> usize {
        self.map.len()
    }
}
