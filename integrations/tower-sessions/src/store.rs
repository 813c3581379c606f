//! The store itself: what was deleted stays deleted.

use std::time::Duration;

use async_trait::async_trait;
use fleeting_sessions::Sessions;
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::session_store::{ExpiredDeletion, Result, SessionStore};

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
/// No operation waits, and none fails.
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
}

impl FleetingStore {
    /// A store whose janitor thread frees expired sessions this often. Zero starts none: `delete_expired` frees them.
    ///
    /// # Panics
    ///
    /// If the system gives no thread. A store made `from` [`Sessions`] returns that as an error, and takes a clock and a capacity.
    pub fn new(cleanup_interval: Duration) -> FleetingStore {
        match crate::sessions(cleanup_interval) {
            Ok(sessions) => FleetingStore { sessions },
            Err(error) => panic!("{error}"),
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
        FleetingStore { sessions }
    }
}

#[async_trait]
impl SessionStore for FleetingStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        loop {
            let (kept, lifetime) = crate::keep(record);
            if self.sessions.create(record.id, kept, lifetime) {
                return Ok(());
            }
            record.id = Id::default();
        }
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let (kept, lifetime) = crate::keep(record);
        self.sessions.update(record.id, kept, lifetime);
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        Ok(self.sessions.load(id).map(|record| Record::clone(&record)))
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
