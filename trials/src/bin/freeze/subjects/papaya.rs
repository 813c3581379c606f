//! `papaya`: a hash map without locks on its common paths; its growth may wait.

use std::time::Duration;

use papaya::{Compute, HashMap, Operation};

use super::{Expected, HOUR, Hand, Item, Subject, changed};

/// See the module.
pub struct PapayaSubject {
    map: HashMap<u64, Item>,
    clock: Hand,
}

impl Subject for PapayaSubject {
    const NAME: &'static str = "papaya";
    const EXPECTED: Expected = Expected::Unknown;

    fn new() -> Self {
        PapayaSubject { map: HashMap::new(), clock: Hand::new() }
    }

    fn find(&self, key: u64) -> Option<u64> {
        self.map.pin().get(&key).and_then(|item| item.live(self.clock.now()))
    }

    fn insert(&self, key: u64, value: u64, ttl: Duration) {
        self.map.pin().insert(key, Item { value, deadline: self.clock.after(ttl) });
    }

    fn create(&self, key: u64, value: u64) -> bool {
        let (now, item) = (self.clock.now(), Item { value, deadline: self.clock.after(HOUR) });
        let change = |entry: Option<(&u64, &Item)>| match entry {
            Some((_, item)) if item.live(now).is_some() => Operation::Abort(()),
            _ => Operation::Insert(item),
        };
        !matches!(self.map.pin().compute(key, change), Compute::Aborted(()))
    }

    fn update(&self, key: u64) -> bool {
        self.map.pin().update(key, |item| Item { value: changed(item.value), ..*item }).is_some()
    }

    fn compute(&self, key: u64, value: u64) {
        let item = Item { value, deadline: self.clock.after(HOUR) };
        let change = |entry: Option<(&u64, &Item)>| match entry {
            Some(_) => Operation::<Item, ()>::Remove,
            None => Operation::Insert(item),
        };
        self.map.pin().compute(key, change);
    }

    fn touch(&self, key: u64, ttl: Duration) -> bool {
        let deadline = self.clock.after(ttl);
        self.map.pin().update(key, |item| Item { deadline, ..*item }).is_some()
    }

    fn remove(&self, key: u64) -> bool {
        self.map.pin().remove(&key).is_some()
    }

    fn iterate(&self, limit: usize, each: &mut dyn FnMut(u64, u64)) {
        let (map, now) = (self.map.pin(), self.clock.now());
        map.iter().filter_map(|(&key, item)| Some((key, item.live(now)?))).take(limit).for_each(|(k, v)| each(k, v));
    }

    fn retain(&self, is_doomed: fn(u64) -> bool) {
        self.map.pin().retain(|&key, _| !is_doomed(key));
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn sweep(&self) {
        let now = self.clock.now();
        self.map.pin().retain(|_, item| item.live(now).is_some());
    }

    fn len(&self) -> usize {
        self.map.len()
    }
}
