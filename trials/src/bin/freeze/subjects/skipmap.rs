//! `crossbeam_skiplist::SkipMap`: lock-free, but with no atomic update; an insertion over a key makes it absent for a moment, which this trial
//! counts as wrong answers.

use std::time::Duration;

use crossbeam_skiplist::SkipMap;

use super::{Expected, HOUR, Hand, Item, Subject, changed};

/// See the module.
pub struct SkipMapSubject {
    map: SkipMap<u64, Item>,
    clock: Hand,
}

impl SkipMapSubject {
    fn remove_where(&self, is_doomed: impl Fn(u64, Item) -> bool) {
        for entry in self.map.iter().filter(|entry| is_doomed(*entry.key(), *entry.value())) {
            entry.remove();
        }
    }
}

impl Subject for SkipMapSubject {
    const NAME: &'static str = "SkipMap";
    const EXPECTED: Expected = Expected::Unknown;

    fn new() -> Self {
        SkipMapSubject { map: SkipMap::new(), clock: Hand::new() }
    }

    fn find(&self, key: u64) -> Option<u64> {
        self.map.get(&key).and_then(|entry| entry.value().live(self.clock.now()))
    }

    fn insert(&self, key: u64, value: u64, ttl: Duration) {
        self.map.insert(key, Item { value, deadline: self.clock.after(ttl) });
    }

    fn create(&self, key: u64, value: u64) -> bool {
        let item = Item { value, deadline: self.clock.after(HOUR) };
        self.map.get_or_insert(key, item).value().value == value
    }

    fn update(&self, key: u64) -> bool {
        let Some(entry) = self.map.get(&key) else { return false };
        let item = *entry.value();
        self.map.insert(key, Item { value: changed(item.value), ..item });
        true
    }

    fn compute(&self, key: u64, value: u64) {
        match self.map.get(&key) {
            Some(entry) => drop(entry.remove()),
            None => drop(self.create(key, value)),
        }
    }

    fn touch(&self, key: u64, ttl: Duration) -> bool {
        let Some(entry) = self.map.get(&key) else { return false };
        self.map.insert(key, Item { deadline: self.clock.after(ttl), ..*entry.value() });
        true
    }

    fn remove(&self, key: u64) -> bool {
        self.map.get(&key).is_some_and(|entry| entry.remove())
    }

    fn iterate(&self, limit: usize, each: &mut dyn FnMut(u64, u64)) {
        let now = self.clock.now();
        let live = self.map.iter().filter_map(|entry| Some((*entry.key(), entry.value().live(now)?)));
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
    }

    fn len(&self) -> usize {
        self.map.len()
    }
}
