//! What is asked of `fleeting-tower-sessions` alone: deletion of what has expired, and the cache before another store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fleeting::ManualClock;
use fleeting_sessions::Sessions;
use fleeting_tower_sessions::{FleetingCache, FleetingStore};
use futures_executor::block_on;
use time::OffsetDateTime;
use tokio::sync::Barrier;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{ExpiredDeletion, Result};
use tower_sessions::{CachingSessionStore, SessionStore};

fn sessions() -> (Sessions<Id, Record>, ManualClock) {
    let clock = ManualClock::new();
    (Sessions::builder().cleanup_interval(Duration::ZERO).clock(clock.clone()).build().expect("a map"), clock)
}

fn record(clock: &ManualClock, name: &str) -> Record {
    let expiry_date = OffsetDateTime::from(clock.system_time()) + Duration::from_secs(60);
    Record { id: Id::default(), data: HashMap::from([("name".to_owned(), name.into())]), expiry_date }
}

/// Catches a sweep that leaves what has expired, or takes what has not.
#[test]
fn delete_expired_frees_what_has_expired() {
    fn check(store: &impl ExpiredDeletion, sessions: &Sessions<Id, Record>, clock: &ManualClock) {
        for _ in 0..10 {
            block_on(store.create(&mut record(clock, "short"))).expect("created");
        }
        clock.advance(Duration::from_secs(30));
        let mut lasting = record(clock, "lasting");
        block_on(store.create(&mut lasting)).expect("created");
        clock.advance(Duration::from_secs(30));
        assert_eq!(sessions.len(), 11);
        block_on(store.delete_expired()).expect("swept");
        assert_eq!(sessions.len(), 1);
        assert_eq!(block_on(store.load(&lasting.id)).expect("loaded"), Some(lasting));
    }
    let (one, clock) = sessions();
    check(&FleetingStore::from(one.clone()), &one, &clock);
    let (other, clock) = sessions();
    check(&FleetingCache::from(other.clone()), &other, &clock);
}

/// Catches a cache that gives a session another id than the store behind it has given, or keeps an older one in its place.
#[test]
fn the_cache_keeps_the_id_that_the_store_has_given() {
    let (sessions, clock) = sessions();
    let cache = FleetingCache::from(sessions);
    let mut first = record(&clock, "first");
    let mut second = Record { id: first.id, ..record(&clock, "second") };
    block_on(cache.create(&mut first)).expect("created");
    block_on(cache.create(&mut second)).expect("created");
    assert_eq!((second.id, block_on(cache.load(&first.id)).expect("loaded")), (first.id, Some(second.clone())));
    block_on(cache.delete(&first.id)).expect("deleted");
    block_on(cache.create(&mut second)).expect("created");
    assert_eq!(block_on(cache.load(&first.id)).expect("loaded"), Some(second), "after a deletion, too");
}

/// A store whose loads end when the test lets them.
#[derive(Clone, Debug)]
struct Slow {
    store: FleetingStore,
    gate: Arc<Barrier>,
}

#[async_trait]
impl SessionStore for Slow {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.store.create(record).await
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.store.save(record).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let found = self.store.load(id).await;
        self.gate.wait().await; // it has been read
        self.gate.wait().await; // and now it arrives
        found
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.store.delete(id).await
    }
}

/// Catches a cache that takes in what was deleted while it was on its way; and one that keeps the id barred for longer than it is told.
#[test]
fn what_was_deleted_on_its_way_does_not_arrive() {
    let (cached, clock) = sessions();
    let (behind, _) = sessions();
    let cache = FleetingCache::from(cached.clone()).with_time_on_the_way(Duration::from_secs(3));
    let gate = Arc::new(Barrier::new(2));
    let behind = Slow { store: FleetingStore::from(behind), gate: gate.clone() };
    let store = CachingSessionStore::new(cache.clone(), behind.clone());
    let mut record = record(&clock, "on its way");
    block_on(behind.create(&mut record)).expect("created, by another process");
    let load = {
        let (store, id) = (store.clone(), record.id);
        std::thread::spawn(move || block_on(store.load(&id)).expect("loaded"))
    };
    block_on(gate.wait());
    block_on(store.delete(&record.id)).expect("deleted");
    assert_eq!(cached.tombstones(), 1);
    block_on(gate.wait());
    assert_eq!(load.join().expect("loaded"), Some(record.clone()), "it was read before the deletion");
    assert_eq!(block_on(cache.load(&record.id)).expect("loaded"), None, "and did not arrive");
    assert_eq!(cached.refused(), 1);
    clock.advance(Duration::from_secs(3));
    block_on(cache.save(&record)).expect("saved");
    assert_eq!(block_on(cache.load(&record.id)).expect("loaded"), Some(record));
}
