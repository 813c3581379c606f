//! A restart of a store of tower-sessions.

use std::collections::HashMap;

use fleeting_tower_sessions::{FleetingCache, FleetingStore};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tower_sessions_core::SessionStore;
use tower_sessions_core::session::{Id, Record};

/// Catches a record that comes back otherwise, and a late save that brings a deleted session back after the restart.
#[tokio::test]
async fn a_restart_keeps_sessions_and_deletions() {
    let store = FleetingStore::default();
    let expiry_date = OffsetDateTime::now_utc() + time::Duration::HOUR;
    let data = HashMap::from([
        ("user".to_owned(), json!({"id": u64::MAX, "roles": ["a", null, 0.5]})),
        ("nothing".to_owned(), Value::Null),
    ]);
    let record = || Record { id: Id::default(), data: data.clone(), expiry_date };
    let (mut live, mut deleted) = (record(), record());
    store.create(&mut live).await.expect("created");
    store.create(&mut deleted).await.expect("created");
    store.delete(&deleted.id).await.expect("deleted");
    let mut file = Vec::new();
    assert_eq!(store.sessions().snapshot().save_to(&mut file).expect("saved").records, 2);

    let restarted = FleetingStore::default();
    let loaded = restarted.sessions().snapshot().max_age(std::time::Duration::from_secs(60)).load_from(&file[..]);
    let loaded = loaded.expect("whole");
    assert_eq!((loaded.sessions, loaded.tombstones), (1, 1));
    assert_eq!(restarted.load(&live.id).await.expect("loaded"), Some(live));
    restarted.save(&deleted).await.expect("answered");
    assert_eq!(restarted.load(&deleted.id).await.expect("loaded"), None);
    assert_eq!((restarted.sessions().len(), restarted.sessions().refused()), (1, 1));

    // A cache keeps what bars as well.
    let cache = FleetingCache::default();
    cache.delete(&deleted.id).await.expect("barred");
    let mut file = Vec::new();
    cache.sessions().snapshot().save_to(&mut file).expect("saved");
    let restarted = FleetingCache::default();
    assert_eq!(restarted.sessions().snapshot().load_from(&file[..]).expect("whole").tombstones, 1);
    restarted.save(&deleted).await.expect("answered");
    assert_eq!(restarted.load(&deleted.id).await.expect("loaded"), None);
}
