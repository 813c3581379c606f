//! `fleeting::Cache`, with a removal callback and values whose drops are counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fleeting::{Cache, Op};

use super::{Expected, HOUR, Hand, Subject, changed};

/// See the module.
pub struct CacheSubject {
    cache: Cache<u64, Counted>,
    clock: Hand,
    /// Entries that the callback was told of.
    left: Arc<AtomicU64>,
}

struct Counted(u64);

static ALIVE: AtomicU64 = AtomicU64::new(0);

impl Counted {
    fn new(value: u64) -> Counted {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Counted(value)
    }
}

impl Clone for Counted {
    fn clone(&self) -> Counted {
        Counted::new(self.0)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Subject for CacheSubject {
    const NAME: &'static str = "fleeting Cache";
    const EXPECTED: Expected = Expected::NeverBlocked;

    fn new() -> Self {
        let (clock, left) = (Hand::new(), Arc::new(AtomicU64::new(0)));
        let count = left.clone();
        let builder = Cache::builder().time_to_live(HOUR).cleanup_interval(Duration::ZERO).clock(clock.clone());
        let builder = builder.on_removal(move |_, _, _| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        CacheSubject { cache: builder.build().expect("nothing here can be refused"), clock, left }
    }

    fn find(&self, key: u64) -> Option<u64> {
        self.cache.read(&key, |value| value.0)
    }

    fn insert(&self, key: u64, value: u64, ttl: Duration) {
        self.cache.insert_with_ttl(key, Counted::new(value), ttl);
    }

    fn create(&self, key: u64, value: u64) -> bool {
        self.cache.insert_if_absent(key, Counted::new(value)).is_ok()
    }

    fn update(&self, key: u64) -> bool {
        self.cache.update(&key, |value| Counted::new(changed(value.0)))
    }

    fn compute(&self, key: u64, value: u64) {
        self.cache.compute(key, |current| match current {
            Some(_) => Op::Remove,
            None => Op::Put(Counted::new(value)),
        });
    }

    fn touch(&self, key: u64, ttl: Duration) -> bool {
        self.cache.touch(&key, ttl)
    }

    fn remove(&self, key: u64) -> bool {
        self.cache.remove(&key)
    }

    fn iterate(&self, limit: usize, each: &mut dyn FnMut(u64, u64)) {
        self.cache.iter().take(limit).for_each(|(key, value)| each(key, value.0));
    }

    fn retain(&self, is_doomed: fn(u64) -> bool) {
        self.cache.retain(|key, _| !is_doomed(*key));
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn sweep(&self) {
        self.cache.sweep();
    }

    fn len(&self) -> usize {
        self.cache.len()
    }

    fn taken_early(&self) -> u64 {
        self.cache.stats().records_handled
    }

    fn check(&self) -> Result<(), String> {
        let (stats, left) = (self.cache.stats(), self.left.load(Ordering::Relaxed));
        let gone = stats.removed + stats.expired;
        if stats.inserts != gone + stats.entries {
            return Err(format!("what came is not what left and what is there: {stats:?}"));
        }
        if left != gone + stats.replaced {
            return Err(format!("the callback was told of {left} entries: {stats:?}"));
        }
        Ok(())
    }

    fn leaked() -> u64 {
        super::store::flush();
        ALIVE.load(Ordering::Relaxed)
    }
}
