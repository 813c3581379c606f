//! The store itself: what was deleted stays deleted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fleeting_sessions::{Lifetime, Sessions, Update};
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::session_store::{Error, ExpiredDeletion, Result, SessionStore};

use crate::version::{self, Loaded};

/// A session store in memory, for one process. A handle: clones share one store.
///
/// * `create` is atomic. An id that is taken, by a session or by one that was deleted, is replaced by a new random one.
/// * `save` replaces the session if it is live. Else it changes nothing, answers `Ok`, and is counted by
///   [`Sessions::refused`]: a request that ends after a logout, or after the expiry, does not bring the session back. To its sender it is as if the
///   logout had come right after. A session that never was is not made either: `Session::clear` saves under whatever id the cookie names
///   without having asked the store, so that a store which obeyed would let an attacker choose a session's id.
/// * `load` answers with the record as it was saved, expiry to the nanosecond, until that expiry and not after.
/// * `delete` leaves a tombstone, by which `create` knows the id, until the session's own expiry, but a day at most; of an id without a session,
///   nothing.
///
/// No operation waits, and none fails, but a save that is stale if [they are refused](Self::refuse_stale_saves).
/// By default the last save wins.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fleeting_tower_sessions::FleetingStore;
/// use fleeting_tower_sessions::fleeting_sessions::Sessions;
///
/// let store = FleetingStore::new(Duration::from_secs(60)); // the janitor's interval
/// let user = serde_json::json!(7);
/// let logged_out = store.sessions().delete_where(|_, record| record.data.get("user") == Some(&user));
/// assert_eq!((logged_out, store.sessions().len()), (0, 0));
///
/// // Configured:
/// let store = FleetingStore::from(Sessions::builder().capacity(100_000).without_stats().build()?);
/// # Ok::<(), fleeting_tower_sessions::fleeting_sessions::fleeting::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FleetingStore {
    sessions: Sessions<Id, Record>,
    refuses_stale_saves: bool,
}

impl FleetingStore {
    /// A store whose janitor thread frees expired sessions this often. Zero starts none: `delete_expired` frees them.
    ///
    /// # Panics
    ///
    /// If the system gives no thread. A store made `from` [`Sessions`] returns that as an error, and takes a clock and a capacity.
    pub fn new(cleanup_interval: Duration) -> FleetingStore {
        match crate::sessions(cleanup_interval) {
            Ok(sessions) => sessions.into(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Refuses a save of a session that another request has changed since it was loaded. By default the last save
    /// wins: it puts back what the other request has removed, `is_admin` for example.
    ///
    /// A refused save fails with [`Error::Backend`], so that the layer answers the request with status 500 and an
    /// empty body, and logs the error; the request's other effects stay. The client may send it again.
    /// [`Sessions::refused`] counts it. A save that changes no data, such as one that only moves the expiry, is
    /// never stale, and makes no other save stale. Several saves of one request are one change.
    ///
    /// The version is kept in the record, under [`VERSION_KEY`](crate::VERSION_KEY), where handlers that list a
    /// session's data see it. They must leave it alone: data without it, but for none at all, are refused. So end
    /// a session by `flush`, not by `clear` and new values.
    ///
    /// Not covered: `cycle_id` deletes the session and creates another with the data that the request has loaded.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::collections::HashMap;
    /// # use fleeting_tower_sessions::FleetingStore;
    /// # use tower_sessions::SessionStore;
    /// # use tower_sessions::session::{Id, Record};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = FleetingStore::default().refuse_stale_saves();
    /// # let expiry_date = time::OffsetDateTime::now_utc() + time::Duration::HOUR;
    /// # let data = HashMap::from([("is_admin".to_owned(), true.into())]);
    /// # let mut record = Record { id: Id::default(), data, expiry_date };
    /// store.create(&mut record).await?;
    /// let mut late = store.load(&record.id).await?.unwrap();
    /// let mut revoking = store.load(&record.id).await?.unwrap();
    /// revoking.data.remove("is_admin");
    /// store.save(&revoking).await?;
    /// late.data.insert("note".to_owned(), "late".into());
    /// assert!(store.save(&late).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn refuse_stale_saves(mut self) -> FleetingStore {
        self.refuses_stale_saves = true;
        self
    }

    /// Saves a record unless the stored one has changed since the load.
    fn save_if_current(&self, record: &Record, kept: &Arc<Record>, lifetime: Lifetime) -> Result<()> {
        let is_empty = record.data.is_empty();
        // What was cleared restores nothing, so it is never stale.
        let loaded = Loaded::find(record).or_else(|| is_empty.then(Loaded::new));
        let update = self.sessions.update_with(record.id, lifetime, |stored| {
            if version::is_same_data(record, stored) {
                return Some(Arc::new(version::sign_as(Record::clone(kept), stored)));
            }
            let loaded = loaded.filter(|loaded| is_empty || loaded.is_current(stored))?;
            let mut kept = Record::clone(kept);
            loaded.sign(&mut kept);
            Some(Arc::new(kept))
        });
        match update {
            Update::Stale => Err(Error::Backend("another request has changed the session since it was loaded".into())),
            Update::Done | Update::Deleted | Update::Absent => Ok(()),
        }
    }

    /// The sessions: how many there are, deletion by what they hold, statistics, the janitor.
    pub fn sessions(&self) -> &Sessions<Id, Record> {
        &self.sessions
    }
}

/// A store whose janitor looks every second.
impl Default for FleetingStore {
    fn default() -> Self {
        Self::new(Duration::from_secs(1))
    }
}

impl From<Sessions<Id, Record>> for FleetingStore {
    fn from(sessions: Sessions<Id, Record>) -> Self {
        FleetingStore { sessions, refuses_stale_saves: false }
    }
}

#[async_trait]
impl SessionStore for FleetingStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let loaded = self.refuses_stale_saves.then(Loaded::new);
        loop {
            if let Some(loaded) = &loaded {
                loaded.sign(record);
            }
            let (kept, lifetime) = crate::keep(record);
            if self.sessions.create(record.id, kept, lifetime) {
                if let Some(loaded) = &loaded {
                    loaded.carry(record);
                }
                return Ok(());
            }
            record.id = Id::default();
        }
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let (kept, lifetime) = crate::keep(record);
        if self.refuses_stale_saves {
            return self.save_if_current(record, &kept, lifetime);
        }
        self.sessions.update(record.id, kept, lifetime);
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let mut loaded = self.sessions.load(id).map(|record| Record::clone(&record));
        if let Some(record) = &mut loaded
            && self.refuses_stale_saves
        {
            Loaded::of_stored(record).carry(record);
        }
        Ok(loaded)
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.sessions.delete(*id);
        Ok(())
    }
}

/// Not needed beside the janitor.
#[async_trait]
impl ExpiredDeletion for FleetingStore {
    async fn delete_expired(&self) -> Result<()> {
        self.sessions.sweep();
        Ok(())
    }
}
