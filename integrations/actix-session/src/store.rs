//! The store: each of the trait's operations is one atomic decision on the session's key.

use std::collections::HashMap;
use std::sync::Arc;

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_web::cookie::time::Duration;
use fleeting_sessions::{Lifetime, Sessions, Update};

use crate::SessionId;
use crate::version::{self, Loaded};

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
    refuses_stale_updates: bool,
}

impl FleetingSessionStore {
    /// A store whose janitor thread frees expired sessions this often. Zero starts none: [`Sessions::sweep`] frees them.
    ///
    /// # Panics
    ///
    /// If the system gives no thread. A store made `from` [`Sessions`] returns that as an error, and takes a clock and a capacity.
    pub fn new(cleanup_interval: std::time::Duration) -> FleetingSessionStore {
        match Sessions::builder().cleanup_interval(cleanup_interval).build() {
            Ok(sessions) => sessions.into(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Refuses an update of a session that another request has changed since it was loaded. By default the last
    /// update wins: it puts back what the other request has removed, `is_admin` for example.
    ///
    /// A refused update fails with [`UpdateError::Other`], so that the middleware answers the request with status
    /// 500; the request's other effects stay. The client may send it again. [`Sessions::refused`] counts it. An
    /// update that changes no data, and `update_ttl`, are never stale, and make no other update stale.
    ///
    /// The version is kept in the state, under [`VERSION_KEY`](crate::VERSION_KEY), where `Session::entries` shows
    /// it. Leave it alone: a state without it, but for an empty one, is refused. So end a session by `purge`, not
    /// by `clear` and new values.
    ///
    /// Not covered: `Session::renew` deletes the session and saves another with the state that the request has
    /// loaded.
    ///
    /// # Examples
    ///
    /// ```
    /// # use actix_session::storage::SessionStore;
    /// # use actix_web::cookie::time::Duration;
    /// # use fleeting_actix_session::{FleetingSessionStore, SessionState};
    /// # #[actix_web::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = FleetingSessionStore::default().refuse_stale_updates();
    /// let state = SessionState::from([("is_admin".to_owned(), "true".to_owned())]);
    /// let key = store.save(state, &Duration::HOUR).await.unwrap();
    /// let mut late = store.load(&key).await.unwrap().unwrap();
    /// let mut revoking = store.load(&key).await.unwrap().unwrap();
    /// revoking.remove("is_admin");
    /// let key = store.update(key, revoking, &Duration::HOUR).await.unwrap();
    /// late.insert("note".to_owned(), "\"late\"".to_owned());
    /// assert!(store.update(key, late, &Duration::HOUR).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn refuse_stale_updates(mut self) -> FleetingSessionStore {
        self.refuses_stale_updates = true;
        self
    }

    /// Updates a session unless the stored state has changed since the load.
    fn update_if_current(&self, key: SessionId, state: &SessionState, lifetime: Lifetime) -> Update {
        // What was cleared restores nothing, so it is never stale.
        let loaded = Loaded::find(state).or_else(|| state.is_empty().then(Loaded::new));
        self.sessions.update_with(key, lifetime, |stored| {
            let mut kept = state.clone();
            if version::is_same_data(state, stored) {
                version::sign_as(&mut kept, stored);
                return Some(Arc::new(kept));
            }
            let loaded = loaded.filter(|loaded| state.is_empty() || loaded.is_current(stored))?;
            loaded.sign(&mut kept);
            Some(Arc::new(kept))
        })
    }

    /// A state as a new session has it.
    fn signed(&self, mut state: Arc<SessionState>) -> Arc<SessionState> {
        if self.refuses_stale_updates {
            Loaded::new().sign(Arc::make_mut(&mut state));
        }
        state
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
        FleetingSessionStore { sessions, refuses_stale_updates: false }
    }
}

impl SessionStore for FleetingSessionStore {
    async fn load(&self, session_key: &SessionKey) -> Result<Option<SessionState>, LoadError> {
        let state = SessionId::parse(session_key).and_then(|key| self.sessions.load(&key));
        let mut state = state.map(|state| SessionState::clone(&state));
        if let Some(state) = &mut state
            && self.refuses_stale_updates
        {
            Loaded::of_stored(state).carry(state);
        }
        Ok(state)
    }

    async fn save(&self, session_state: SessionState, ttl: &Duration) -> Result<SessionKey, SaveError> {
        self.create(self.signed(Arc::new(session_state)), ttl, SessionId::random).map_err(SaveError::Other)
    }

    async fn update(
        &self,
        session_key: SessionKey,
        session_state: SessionState,
        ttl: &Duration,
    ) -> Result<SessionKey, UpdateError> {
        let state = Arc::new(session_state);
        let update = match SessionId::parse(&session_key) {
            Some(key) if self.refuses_stale_updates => self.update_if_current(key, &state, lifetime(ttl)),
            Some(key) => self.sessions.update(key, state.clone(), lifetime(ttl)),
            None => Update::Absent,
        };
        match update {
            Update::Done => Ok(session_key),
            Update::Deleted => key_of_nothing().map_err(UpdateError::Other),
            Update::Absent => self.create(self.signed(state), ttl, SessionId::random).map_err(UpdateError::Other),
            Update::Stale => Err(UpdateError::Other(anyhow::anyhow!(STALE))),
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

const STALE: &str = "another request has changed the session since it was loaded";

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
