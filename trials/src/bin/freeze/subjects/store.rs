//! `fleeting::MemStore`: tokens of 8 bytes, data of 8 bytes.

use std::time::{Duration, SystemTime};

use fleeting::{Cache, MemStore};

use crate::allocator;

use super::{Expected, HOUR, Hand, Subject, changed};

/// See the module.
pub struct StoreSubject {
    store: MemStore,
    clock: Hand,
}

fn number(data: &[u8]) -> u64 {
    u64::from_le_bytes(data.try_into().expect("8 bytes, as they were saved"))
}

fn in_an_hour() -> SystemTime {
    SystemTime::now() + HOUR
}

impl Subject for StoreSubject {
    const NAME: &'static str = "fleeting MemStore";
    const EXPECTED: Expected = Expected::NeverBlocked;

    fn new() -> Self {
        let clock = Hand::new();
        let builder = MemStore::builder().cleanup_interval(Duration::ZERO).clock(clock.clone());
        StoreSubject { store: builder.build().expect("nothing here can be refused"), clock }
    }

    fn find(&self, key: u64) -> Option<u64> {
        self.store.find(key.to_le_bytes()).map(|data| number(&data))
    }

    fn insert(&self, key: u64, value: u64, ttl: Duration) {
        self.store.save_for(key.to_le_bytes(), value.to_le_bytes(), ttl);
    }

    fn create(&self, key: u64, value: u64) -> bool {
        self.store.create(key.to_le_bytes(), value.to_le_bytes(), in_an_hour()).is_ok()
    }

    fn update(&self, key: u64) -> bool {
        let token = key.to_le_bytes();
        let Some(value) = self.store.read(token, number) else { return false };
        self.store.update(token, changed(value).to_le_bytes(), in_an_hour())
    }

    fn compute(&self, key: u64, value: u64) {
        let token = key.to_le_bytes();
        match self.store.find_versioned(token) {
            // Lost to another thread, these do nothing.
            None => drop(self.store.create(token, value.to_le_bytes(), in_an_hour())),
            Some((_, version)) if value >> 32 & 1 == 0 => {
                let _ = self.store.compare_and_save(token, version, value.to_le_bytes(), in_an_hour());
            }
            Some(_) if value >> 32 & 2 == 0 => drop(self.store.rename(token, (key ^ 1).to_le_bytes(), in_an_hour())),
            Some(_) => drop(self.store.take(token)),
        }
    }

    fn touch(&self, key: u64, ttl: Duration) -> bool {
        self.store.touch(key.to_le_bytes(), SystemTime::now() + ttl)
    }

    fn remove(&self, key: u64) -> bool {
        self.store.delete(key.to_le_bytes())
    }

    fn iterate(&self, limit: usize, each: &mut dyn FnMut(u64, u64)) {
        self.store.iter().take(limit).for_each(|(token, data)| each(number(&token), number(&data)));
    }

    fn retain(&self, is_doomed: fn(u64) -> bool) {
        self.store.delete_where(|token, _| is_doomed(number(token)));
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn sweep(&self) {
        self.store.sweep();
    }

    fn len(&self) -> usize {
        self.store.len()
    }

    fn taken_early(&self) -> u64 {
        self.store.stats().records_handled
    }

    fn check(&self) -> Result<(), String> {
        let stats = self.store.stats();
        if stats.inserts != stats.removed + stats.expired + stats.entries {
            return Err(format!("what came is not what left and what is there: {stats:?}"));
        }
        Ok(())
    }

    fn leaked() -> u64 {
        flush();
        0
    }
}

/// Has the collector free what it can. Nobody else may be inside an operation.
pub fn flush() {
    let builder = Cache::<u64, u64>::builder().cleanup_interval(Duration::ZERO);
    let cache = builder.build().expect("nothing here can be refused");
    loop {
        let before = allocator::bytes();
        // A sweep flushes some epochs, even an empty cache's.
        (0..50).for_each(|_| {
            cache.sweep();
        });
        // What this thread keeps for its next nodes is not lost.
        fleeting::release_thread_memory();
        if allocator::bytes() >= before {
            return;
        }
    }
}
