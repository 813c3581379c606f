//! The store: each of the trait's operations is one atomic decision on the session's key.

use std::collections::HashMap;
use std::sync::Arc;

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_web::cookie::time::Duration;
use fleeting_sessions::{Lifetime, Sessions, Update};

use crate::SessionId;

/// What a session holds: JSON by name, as actix-session keeps it.
pub type SessionState = HashMap<String, String>;

/// A session store in memory, for one process. A handle: clones share one store, so make it outside `HttpServer::new`'s closure.
///
/// * `save` gives a new key of 256 bits from the operating system (by the `getrandom` crate); should it be taken, another.
/// * `load` answers with the state as it was saved, until its time to live ends, and not after.
/// * `update` replaces state and time to live of a live session. If the session has expired, or never was, the state goes under a new key, as the trait
///   wants. If it was *deleted*, the answer is a new key with nothing behind it, so that a request which ends after a logout
///   leaves its sender logged out.
/// * `update_ttl` begins the time to live of a live session anew, and changes nothing else.
/// * `delete` leaves a tombstone, by which late updates are known, for one time to live, but a day at most. Of a key without a session, nothing.
///
/// A time to live of zero or less ends the session. No operation waits; `save` and `update` fail only if the system gives no random bytes.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fleeting_actix_session::FleetingSessionStore;
/// use fleeting_actix_session::fleeting_sessions::Sessions;
///
/// let store = FleetingSessionStore::new(Duration::from_secs(60)); // the janitor's interval
/// // States are JSON: a user that is a string stands in quotes.
/// let logged_out = store.sessions().delete_where(|_, state| state.get("user").is_some_and(|user| user == "\"ferris\""));
/// assert_eq!((logged_out, store.sessions().len()), (0, 0));
///
/// // Configured:
/// let store = FleetingSessionStore::from(Sessions::builder().capacity(100_000).without_stats().build()?);
/// # Ok::<(), fleeting_actix_session::fleeting_sessions::fleeting::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FleetingSessionStore {
    sessions: Sessions<SessionId, SessionState>,
}

impl FleetingSessionStore {
    /// A store whose janitor thread frees expired sessions this often. Zero starts none: [`Sessions::sweep`] frees them.
    ///
    /// # Panics
    ///
    /// If the system gives no thread. A store made `from` [`Sessions`] returns that as an error, and takes a clock and a capacity.
    pub fn new(cleanup_interval: std::time::Duration) -> FleetingSessionStore {
        match Sessions::builder().cleanup_interval(cleanup_interval).build() {
            Ok(sessions) => FleetingSessionStore { sessions },
            Err(error) => panic!("{error}"),
        }
    }

    /// The sessions: how many there are, deletion by what they hold, statistics, the janitor.
    pub fn sessions(&self) -> &Sessions<SessionId, SessionState> {
        &self.sessions
    }

    /// Creates a session under the first of `keys` that is free.
    fn create(
        &self,
        state: Arc<SessionState>,
        ttl: &Duration,
        mut keys: impl FnMut() -> Result<SessionId, getrandom::Error>,
    ) -> anyhow::Result<SessionKey> {
        loop {
            let key = keys()?;
            if self.sessions.create(key, state.clone(), lifetime(ttl)) {
                return Ok(key.text());
            }
        }
    }
}

/// A store whose janitor looks every second.
impl Default for FleetingSessionStore {
    fn default() -> Self {
        Self::new(std::time::Duration::from_secs(1))
    }
}

impl From<Sessions<SessionId, SessionState>> for FleetingSessionStore {
    fn from(sessions: Sessions<SessionId, SessionState>) -> Self {
        FleetingSessionStore { sessions }
    }
}

impl SessionStore for FleetingSessionStore {
    async fn load(&self, session_key: &SessionKey) -> Result<Option<SessionState>, LoadError> {
        let state = SessionId::parse(session_key).and_then(|key| self.sessions.load(&key));
        Ok(state.map(|state| SessionState::clone(&state)))
    }

    async fn save(&self, session_state: SessionState, ttl: &Duration) -> Result<SessionKey, SaveError> {
        self.create(Arc::new(session_state), ttl, SessionId::random).map_err(SaveError::Other)
    }

    async fn update(
        &self,
        session_key: SessionKey,
        session_state: SessionState,
        ttl: &Duration,
    ) -> Result<SessionKey, UpdateError> {
        let state = Arc::new(session_state);
        let update = match SessionId::parse(&session_key) {
            Some(key) => self.sessions.update(key, state.clone(), lifetime(ttl)),
            None => Update::Absent,
        };
        match update {
            Update::Done => Ok(session_key),
            Update::Deleted => key_of_nothing().map_err(UpdateError::Other),
            Update::Absent => self.create(state, ttl, SessionId::random).map_err(UpdateError::Other),
        }
    }

    async fn update_ttl(&self, session_key: &SessionKey, ttl: &Duration) -> Result<(), anyhow::Error> {
        if let Some(key) = SessionId::parse(session_key) {
            self.sessions.extend(key, lifetime(ttl));
        }
        Ok(())
    }

    async fn delete(&self, session_key: &SessionKey) -> Result<(), anyhow::Error> {
        if let Some(key) = SessionId::parse(session_key) {
            self.sessions.delete(key);
        }
        Ok(())
    }
}

/// A key with nothing behind it.
fn key_of_nothing() -> anyhow::Result<SessionKey> {
    Ok(SessionId::random()?.text())
}

/// A negative time to live is none.
fn lifetime(ttl: &Duration) -> Lifetime {
    Lifetime::For((*ttl).try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a creation that overwrites, and one that gives up, when the generator repeats a key: of a live session, and of one that was deleted.
    #[test]
    fn a_key_that_is_taken_is_not_given_again() {
        let store = FleetingSessionStore::from(Sessions::builder().build().expect("a store"));
        let state = |text: &str| Arc::new(SessionState::from([("name".to_owned(), text.to_owned())]));
        let keys: Vec<SessionId> = (0..3).map(|_| SessionId::random().expect("random bytes")).collect();
        let create = |text: &str, order: &[usize]| {
            let mut order = order.iter();
            let text = store.create(state(text), &Duration::HOUR, || Ok(keys[*order.next().expect("another key")]));
            SessionId::parse(&text.expect("created")).expect("a key")
        };
        assert_eq!(create("first", &[0]), keys[0]);
        assert_eq!(create("second", &[0, 0, 1]), keys[1]);
        store.sessions.delete(keys[0]);
        assert_eq!(create("third", &[0, 1, 2]), keys[2]);
        let names = keys.iter().map(|key| store.sessions.load(key).map(|state| state["name"].clone()));
        assert_eq!(names.collect::<Vec<_>>(), [None, Some("second".to_owned()), Some("third".to_owned())]);
    }
}
