//! Stale saves: which are refused, and which are none.

use std::collections::HashMap;

use fleeting_tower_sessions::{FleetingStore, VERSION_KEY};
use time::OffsetDateTime;
use tower_sessions_core::SessionStore;
use tower_sessions_core::session::{Id, Record};

fn record() -> Record {
    let data = HashMap::from([("name".to_owned(), 1.into())]);
    Record { id: Id::default(), data, expiry_date: OffsetDateTime::now_utc() + time::Duration::HOUR }
}

async fn load(store: &FleetingStore, record: &Record) -> Record {
    store.load(&record.id).await.expect("loaded").expect("live")
}

fn set(record: &mut Record, value: u32) {
    record.data.insert("name".to_owned(), value.into());
}

/// Catches requests that only move the expiry, as an `always_save` layer's do, and refuse each other or a change;
/// and an expiry that then stays.
#[tokio::test]
async fn saves_that_change_no_data_are_never_stale() {
    let store = FleetingStore::default().refuse_stale_saves();
    let mut created = record();
    store.create(&mut created).await.expect("created");
    let (mut one, mut two, mut three) =
        (load(&store, &created).await, load(&store, &created).await, load(&store, &created).await);
    one.expiry_date += time::Duration::HOUR;
    two.expiry_date += 2 * time::Duration::HOUR;
    store.save(&one).await.expect("only the expiry");
    store.save(&two).await.expect("only the expiry");
    assert_eq!(load(&store, &created).await.expiry_date, two.expiry_date);
    set(&mut three, 3);
    store.save(&three).await.expect("nobody else has changed it");
    set(&mut three, 4);
    store.save(&three).await.expect("the same request");
    store.save(&one).await.expect_err("its data are of before");
    set(&mut two, 5);
    store.save(&two).await.expect_err("its data are of before");
    assert_eq!(load(&store, &created).await.data["name"], 4);
    // The request that has created it may go on, if nobody came in between.
    store.save(&created).await.expect_err("others have changed it");
    let mut other = record();
    store.create(&mut other).await.expect("created");
    set(&mut other, 2);
    store.save(&other).await.expect("its own");
    set(&mut other, 3);
    store.save(&other).await.expect("its own");
    assert_eq!(store.sessions().refused(), 3);
}

/// Catches data that were not loaded and are taken for current, and a clearing that is refused: it restores nothing.
#[tokio::test]
async fn what_was_not_loaded_is_refused_but_for_nothing() {
    let store = FleetingStore::default().refuse_stale_saves();
    let mut created = record();
    store.create(&mut created).await.expect("created");
    let mut unloaded = Record { id: created.id, ..record() };
    set(&mut unloaded, 2);
    for version in [None, Some("text".into()), Some(1.into()), Some(vec![1].into())] {
        unloaded.data.remove(VERSION_KEY);
        unloaded.data.extend(version.map(|version: serde_json::Value| (VERSION_KEY.to_owned(), version)));
        store.save(&unloaded).await.expect_err("no version of a load");
    }
    let mut late = load(&store, &created).await;
    unloaded.data.clear();
    store.save(&unloaded).await.expect("cleared");
    set(&mut late, 3);
    store.save(&late).await.expect_err("it has been cleared since");
    assert_eq!(load(&store, &created).await.data.len(), 1, "the version alone");
    // After a deletion, a save is passed over as ever.
    store.delete(&created.id).await.expect("deleted");
    store.save(&late).await.expect("answered");
    assert_eq!(store.load(&created.id).await.expect("loaded"), None);
}
