//! `Mutex<HashMap>`: what everyone writes first.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::{Expected, HOUR, Hand, Item, Subject, changed};

/// See the module.
pub struct MutexSubject {
    map: Mutex<HashMap<u64, Item>>,
    clock: Hand,
}

impl MutexSubject {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Item>> {
        self.map.lock().expect("no operation panics")
    }
}

impl Subject for MutexSubject {
    const NAME: &'static str = "Mutex<HashMap>";
    const EXPECTED: Expected = Expected::Blocked;

    fn new() -> Self {
        MutexSubject { map: Mutex::default(), clock: Hand::new() }
    }

    fn find(&self, key: u64) -> Option<u64> {
        self.lock().get(&key).and_then(|item| item.live(self.clock.now()))
    }

    fn insert(&self, key: u64, value: u64, ttl: Duration) {
        self.lock().insert(key, Item { value, deadline: self.clock.after(ttl) });
    }

    fn create(&self, key: u64, value: u64) -> bool {
        let item = Item { value, deadline: self.clock.after(HOUR) };
        match self.lock().entry(key) {
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
        self.lock().get_mut(&key).map(|item| item.value = changed(item.value)).is_some()
    }

    fn compute(&self, key: u64, value: u64) {
        let mut map = self.lock();
        if map.remove(&key).is_none() {
            map.insert(key, Item { value, deadline: self.clock.after(HOUR) });
        }
    }

    fn touch(&self, key: u64, ttl: Duration) -> bool {
        self.lock().get_mut(&key).map(|item| item.deadline = self.clock.after(ttl)).is_some()
    }

    fn remove(&self, key: u64) -> bool {
        self.lock().remove(&key).is_some()
    }

    fn iterate(&self, limit: usize, each: &mut dyn FnMut(u64, u64)) {
        let (map, now) = (self.lock(), self.clock.now());
        map.iter().filter_map(|(&key, item)| Some((key, item.live(now)?))).take(limit).for_each(|(k, v)| each(k, v));
    }

    fn retain(&self, is_doomed: fn(u64) -> bool) {
        self.lock().retain(|&key, _| !is_doomed(key));
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn sweep(&self) {
        let now = self.clock.now();
        self.lock().retain(|_, item| item.live(now).is_some());
    }

    fn len(&self) -> usize {
        self.lock().len()
    }
}
