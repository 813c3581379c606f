//! The cache in front of another store: it takes what that store has.

use std::time::Duration;

use async_trait::async_trait;
use fleeting_sessions::Sessions;
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::session_store::{ExpiredDeletion, Result, SessionStore};

/// The first argument of tower-sessions' `CachingSessionStore`: a cache of the sessions that another store has. **Not a store by itself**: its `save` makes
/// sessions that it does not know. A handle: clones share one cache.
///
/// * `create` puts the record under the id that the store behind has given it, and never changes that.
/// * `save`, by which `CachingSessionStore` also brings in what it has loaded from behind, puts the record; but not after its deletion, which it
///   might have met on its way: then it changes nothing and answers `Ok`.
/// * `delete` leaves a tombstone: until the session's own expiry, but a day at most, or, for one that is not cached, for the
///   [time on the way](Self::with_time_on_the_way), since its record may just be coming.
///
/// # Examples
///
/// ```
/// use fleeting_tower_sessions::{FleetingCache, FleetingStore};
/// use tower_sessions::{CachingSessionStore, SessionManagerLayer};
///
/// let behind = FleetingStore::default(); // in earnest, a database
/// let store = CachingSessionStore::new(FleetingCache::default(), behind);
/// let layer = SessionManagerLayer::new(store);
/// ```
#[derive(Clone, Debug)]
pub struct FleetingCache {
    sessions: Sessions<Id, Record>,
    time_on_the_way: Duration,
}

impl FleetingCache {
    /// A cache whose janitor thread frees expired sessions this often. Zero starts none: `delete_expired` frees them.
    ///
    /// # Panics
    ///
    /// If the system gives no thread. A cache made `from` [`Sessions`] returns that as an error, and takes a clock and a capacity.
    pub fn new(cleanup_interval: Duration) -> FleetingCache {
        match crate::sessions(cleanup_interval) {
            Ok(sessions) => sessions.into(),
            Err(error) => panic!("{error}"),
        }
    }

    /// How long a record may take from the store behind to here: ten seconds unless told otherwise. Each deletion of a session that is not cached
    /// takes a cache entry for that time.
    #[must_use]
    pub fn with_time_on_the_way(mut self, time: Duration) -> FleetingCache {
        self.time_on_the_way = time;
        self
    }

    /// The sessions that are cached. What is deleted here alone comes back from the store behind after its tombstone's time.
    pub fn sessions(&self) -> &Sessions<Id, Record> {
        &self.sessions
    }
}

/// A cache whose janitor looks every second.
impl Default for FleetingCache {
    fn default() -> Self {
        Self::new(Duration::from_secs(1))
    }
}

impl From<Sessions<Id, Record>> for FleetingCache {
    fn from(sessions: Sessions<Id, Record>) -> Self {
        FleetingCache { sessions, time_on_the_way: Duration::from_secs(10) }
    }
}

#[async_trait]
impl SessionStore for FleetingCache {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let (kept, lifetime) = crate::keep(record);
        self.sessions.put(record.id, kept, lifetime);
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let (kept, lifetime) = crate::keep(record);
        self.sessions.put_unless_deleted(record.id, kept, lifetime);
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        Ok(self.sessions.load(id).map(|record| Record::clone(&record)))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.sessions.delete_or_bar(*id, self.time_on_the_way);
        Ok(())
    }
}

/// Not needed beside the janitor.
#[async_trait]
impl ExpiredDeletion for FleetingCache {
    async fn delete_expired(&self) -> Result<()> {
        self.sessions.sweep();
        Ok(())
    }
}
