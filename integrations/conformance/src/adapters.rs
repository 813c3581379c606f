//! Stores of the frameworks as subjects. Their operations never wait for anything but a lock, so each is run where it is asked.

use std::collections::HashMap;
use std::fmt;
use std::time::SystemTime;

use actix_session::storage::SessionKey;
use actix_session::storage::SessionStore as ActixStore;
use async_trait::async_trait;
use futures_executor::block_on;
use time::OffsetDateTime;
use tower_sessions::SessionStore as TowerStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::Result as StoreResult;
use tower_sessions_core_0_14::SessionStore as OldTowerStore;
use tower_sessions_core_0_14::session::{Id as OldId, Record as OldRecord};
use tower_sessions_moka_store::MokaStore;

use crate::subject::{Inapplicable, Loaded, Subject, TestClock};

/// A store of tower-sessions.
pub struct TowerSubject<S> {
    /// The store.
    pub store: S,
    /// The time that it goes by.
    pub clock: TestClock,
    /// Frees what has expired.
    pub purge: fn(&S),
    /// Counts the sessions held.
    pub held: fn(&S) -> Result<usize, Inapplicable>,
}

/// A store of actix-session.
pub struct ActixSubject<S> {
    /// The store.
    pub store: S,
    /// The time that it goes by.
    pub clock: TestClock,
    /// A key as the store makes them.
    pub unknown_key: fn() -> String,
    /// Frees what has expired.
    pub purge: fn(&S),
    /// Counts the sessions held.
    pub held: fn(&S) -> Result<usize, Inapplicable>,
}

/// tower-sessions' store over moka, whose newest version is one for tower-sessions 0.14, spoken to by 0.15.
#[derive(Clone, Debug)]
pub struct OldMokaStore(pub MokaStore);

/// Under this name the data stand in a session.
const NAME: &str = "data";

fn record(id: Id, data: &str, expiry: SystemTime) -> Record {
    Record { id, data: HashMap::from([(NAME.to_owned(), data.into())]), expiry_date: OffsetDateTime::from(expiry) }
}

fn id(key: &str) -> Id {
    key.parse().expect("a key that the store has given")
}

impl<S: TowerStore> Subject for TowerSubject<S> {
    fn clock(&self) -> &TestClock {
        &self.clock
    }

    fn unknown_key(&self) -> String {
        Id::default().to_string()
    }

    fn create(&self, data: &str, expiry: SystemTime) -> String {
        let mut record = record(Id::default(), data, expiry);
        block_on(self.store.create(&mut record)).expect("created");
        record.id.to_string()
    }

    fn create_under(&self, key: &str, data: &str, expiry: SystemTime) -> Result<String, Inapplicable> {
        let mut record = record(id(key), data, expiry);
        block_on(self.store.create(&mut record)).expect("created");
        Ok(record.id.to_string())
    }

    fn save(&self, key: &str, data: &str, expiry: SystemTime) -> String {
        block_on(self.store.save(&record(id(key), data, expiry))).expect("saved");
        key.to_owned()
    }

    fn touch(&self, _: &str, _: SystemTime) -> Result<(), Inapplicable> {
        Err(Inapplicable)
    }

    fn load(&self, key: &str) -> Option<Loaded> {
        let record = block_on(self.store.load(&id(key))).expect("loaded")?;
        let data = record.data.get(NAME).and_then(|data| data.as_str()).unwrap_or_default().to_owned();
        Some(Loaded { data, expiry: Some(record.expiry_date.into()) })
    }

    fn delete(&self, key: &str) {
        block_on(self.store.delete(&id(key))).expect("deleted");
    }

    fn purge(&self) {
        (self.purge)(&self.store);
    }

    fn held(&self) -> Result<usize, Inapplicable> {
        (self.held)(&self.store)
    }

    fn printed(&self) -> Result<String, Inapplicable> {
        Ok(format!("{:?}", self.store))
    }
}

impl<S> ActixSubject<S> {
    fn ttl(&self, expiry: SystemTime) -> time::Duration {
        OffsetDateTime::from(expiry) - OffsetDateTime::from(self.clock.now())
    }
}

fn session_key(key: &str) -> SessionKey {
    key.to_owned().try_into().expect("a key that the store has given")
}

fn state(data: &str) -> HashMap<String, String> {
    HashMap::from([(NAME.to_owned(), data.to_owned())])
}

impl<S: ActixStore + fmt::Debug + Send + Sync> Subject for ActixSubject<S> {
    fn clock(&self) -> &TestClock {
        &self.clock
    }

    fn unknown_key(&self) -> String {
        (self.unknown_key)()
    }

    fn create(&self, data: &str, expiry: SystemTime) -> String {
        block_on(self.store.save(state(data), &self.ttl(expiry))).expect("created").into()
    }

    fn create_under(&self, _: &str, _: &str, _: SystemTime) -> Result<String, Inapplicable> {
        Err(Inapplicable)
    }

    fn save(&self, key: &str, data: &str, expiry: SystemTime) -> String {
        block_on(self.store.update(session_key(key), state(data), &self.ttl(expiry))).expect("updated").into()
    }

    fn touch(&self, key: &str, expiry: SystemTime) -> Result<(), Inapplicable> {
        block_on(self.store.update_ttl(&session_key(key), &self.ttl(expiry))).expect("touched");
        Ok(())
    }

    fn load(&self, key: &str) -> Option<Loaded> {
        let mut state = block_on(self.store.load(&session_key(key))).expect("loaded")?;
        Some(Loaded { data: state.remove(NAME).unwrap_or_default(), expiry: None })
    }

    fn delete(&self, key: &str) {
        block_on(self.store.delete(&session_key(key))).expect("deleted");
    }

    fn purge(&self) {
        (self.purge)(&self.store);
    }

    fn held(&self) -> Result<usize, Inapplicable> {
        (self.held)(&self.store)
    }

    fn printed(&self) -> Result<String, Inapplicable> {
        Ok(format!("{:?}", self.store))
    }
}

fn old_record(record: &Record) -> OldRecord {
    OldRecord { id: OldId(record.id.0), data: record.data.clone(), expiry_date: record.expiry_date }
}

#[async_trait]
impl TowerStore for OldMokaStore {
    async fn create(&self, record: &mut Record) -> StoreResult<()> {
        let mut old = old_record(record);
        self.0.create(&mut old).await.expect("moka fails never");
        record.id = Id(old.id.0);
        Ok(())
    }

    async fn save(&self, record: &Record) -> StoreResult<()> {
        self.0.save(&old_record(record)).await.expect("moka fails never");
        Ok(())
    }

    async fn load(&self, id: &Id) -> StoreResult<Option<Record>> {
        let old = self.0.load(&OldId(id.0)).await.expect("moka fails never");
        Ok(old.map(|old| Record { id: Id(old.id.0), data: old.data, expiry_date: old.expiry_date }))
    }

    async fn delete(&self, id: &Id) -> StoreResult<()> {
        self.0.delete(&OldId(id.0)).await.expect("moka fails never");
        Ok(())
    }
}
