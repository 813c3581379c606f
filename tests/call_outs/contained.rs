//! Contained panics: of callbacks, and of the `Drop` of what the cache owned. Nothing else is lost with them, the payload not either.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fleeting::{Cache, MemStore};

use super::alone;
use super::common::counted::{Counted, Ledger};
use super::common::{Provoked, ignore, provoke, quieten_provoked_panics, reclaim_until, survive, within_a_minute};

fn quiet<K, V>(listener: impl Fn(&K, &V) + Send + Sync + 'static) -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    quieten_provoked_panics();
    let builder = Cache::builder().cleanup_interval(Duration::ZERO);
    builder.on_removal(move |key: &K, value: &V, _| listener(key, value)).build().expect("valid")
}

/// Panics when it is dropped.
#[derive(PartialEq, Eq, Hash)]
struct Explosive(Counted);

impl Drop for Explosive {
    fn drop(&mut self) {
        provoke();
    }
}

/// Catches a value whose drop panics after its key's did: two panics at once end the process.
#[test]
fn key_and_value_of_one_entry_panic_when_they_are_dropped() {
    let _alone = alone();
    let ledger = Ledger::new();
    let cache = quiet(|_: &Explosive, _: &Explosive| ());
    for number in 0..100 {
        cache.insert(Explosive(ledger.issue(number)), Explosive(ledger.issue(number)));
    }
    cache.retain(|key, _| key.0.tag() % 2 == 0);
    ledger.settles_at(100);
    drop(cache);
    ledger.settles_at(0);
}

/// A payload that is counted while it exists, and panics when it is dropped, with another such, a few times over.
struct Payload {
    #[expect(dead_code, reason = "counted")]
    counted: Counted,
    ledger: Ledger,
    left: u64,
}

impl Payload {
    fn throw(ledger: &Ledger, left: u64) -> ! {
        std::panic::resume_unwind(Box::new(Payload { counted: ledger.issue(left), ledger: ledger.clone(), left }));
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        if self.left > 0 {
            Payload::throw(&self.ledger, self.left - 1);
        }
    }
}

/// Catches the payload of a contained panic that is never freed: a callback that always panics would leak with each entry.
#[test]
fn the_payload_of_a_contained_panic_is_dropped() {
    let _alone = alone();
    let ledger = Ledger::new();
    let payloads = ledger.clone();
    let cache = quiet(move |_: &u64, _: &()| Payload::throw(&payloads, 0));
    for key in 0..100 {
        cache.insert(key, ());
        assert!(cache.remove(&key));
    }
    assert_eq!(cache.stats().contained_panics, 100);
    ledger.settles_at(0);
}

/// Catches a payload whose own drop panics, and so comes out of the cache.
#[test]
fn a_payload_that_panics_when_it_is_dropped_is_contained_too() {
    let _alone = alone();
    within_a_minute(|| {
        let ledger = Ledger::new();
        let payloads = ledger.clone();
        let cache = quiet(move |_: &u64, _: &()| Payload::throw(&payloads, 1));
        for key in 0..100 {
            cache.insert(key, ());
            assert!(cache.remove(&key));
        }
        assert_eq!(cache.stats().contained_panics, 100);
    });
}

/// Catches a callback's panic that is not contained because its thread is unwinding already: that would end the process.
#[test]
fn a_callback_panics_while_its_thread_unwinds() {
    struct Remover<'c>(&'c Cache<u64, ()>, &'c MemStore);
    impl Drop for Remover<'_> {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            assert!(self.0.remove(&1));
            assert!(self.1.delete("1"));
        }
    }
    let _alone = alone();
    let cache = quiet(|_: &u64, _: &()| provoke());
    let builder = MemStore::builder().cleanup_interval(Duration::ZERO).on_removal(|_, _, _| provoke());
    let store = builder.build().expect("valid");
    cache.insert(1, ());
    store.save_for("1", "", Duration::from_secs(9));
    let survived = survive(|| {
        let _remover = Remover(&cache, &store);
        provoke()
    });
    assert!(survived.is_none());
    assert_eq!((cache.stats().contained_panics, store.stats().contained_panics), (1, 1));
    assert!(cache.is_empty() && store.is_empty());
}

/// Says when it is dropped, and panics then if it is told to.
struct Captive {
    dropped: Arc<AtomicU64>,
    explodes: bool,
}

impl Drop for Captive {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::SeqCst);
        if self.explodes {
            provoke();
        }
    }
}

impl std::hash::BuildHasher for Captive {
    type Hasher = <ahash::RandomState as std::hash::BuildHasher>::Hasher;

    fn build_hasher(&self) -> Self::Hasher {
        ahash::RandomState::with_seeds(1, 2, 3, 4).build_hasher()
    }
}

impl fleeting::Clock for Captive {
    fn elapsed(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn origin(&self) -> std::time::Instant {
        std::time::Instant::now()
    }
}

/// Catches entries, or what a cache was built from, leaked when the `Drop` of hasher, clock or callback panics; or when building fails.
#[test]
fn hasher_clock_and_callback_are_dropped_once() {
    let _alone = alone();
    quieten_provoked_panics();
    for exploding in 0..4 {
        for (interval, ttl) in [(0, 9), (3_600, 9), (0, 0)] {
            let (dropped, ledger) = (Arc::new(AtomicU64::new(0)), Ledger::new());
            let captive = |number| Captive { dropped: Arc::clone(&dropped), explodes: number == exploding };
            let captured = captive(2);
            let builder = Cache::builder()
                .hasher(captive(0))
                .clock(captive(1))
                .on_removal(move |_: &u64, _: &Counted, _| {
                    assert!(!captured.explodes || captured.dropped.as_ptr().is_aligned())
                })
                .cleanup_interval(Duration::from_secs(interval))
                .time_to_live(Duration::from_secs(ttl));
            let survived = survive(|| match builder.build() {
                Err(_) => assert_eq!(ttl, 0),
                Ok(cache) => {
                    (0..100).for_each(|number| ignore(cache.insert(number, ledger.issue(number))));
                    drop(cache);
                }
            });
            assert_eq!(survived.is_none(), exploding < 3, "it is the caller's to know");
            assert_eq!(dropped.load(Ordering::SeqCst), 3);
            ledger.settles_at(0);
        }
    }
}

/// Catches a pin that a contained panic leaves behind: nothing would be freed any more, by any cache.
#[test]
fn memory_is_freed_after_panics_of_every_kind() {
    let _alone = alone();
    let ledger = Ledger::new();
    let cache = quiet(|_: &u64, _: &Counted| provoke());
    for number in 0..1_000 {
        cache.insert(number, ledger.issue(number));
        assert!(survive(|| cache.read(&number, |_| std::panic::panic_any(Provoked))).is_none());
        assert!(cache.remove(&number));
    }
    assert!(reclaim_until(|| ledger.alive() == 0), "{} values are left", ledger.alive());
}
