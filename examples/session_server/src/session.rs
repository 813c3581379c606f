//! What a session is, and all that is done with the store.
//!
//! The store knows a session by its token, 64 hexadecimal digits from the operating system's generator, which only the cookie carries. For the operator's
//! list each session has a handle besides, another random number: whoever reads the list can end a session, and cannot use it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use fleeting::MemStore;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// What is in a session. Kept as JSON, so that a snapshot outlives a change of this type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Names the session where its token must not stand.
    pub handle: String,
    /// Who logged in.
    pub user: String,
    /// When, in milliseconds since 1970.
    pub since: u64,
    /// What the user wrote last.
    pub note: String,
}

/// A session, its token, and when it expires.
#[derive(Clone)]
pub struct Live {
    pub token: String,
    pub session: Session,
    pub expiry: SystemTime,
}

/// Why nobody was logged in.
#[derive(Debug)]
pub enum Refused {
    /// There are as many sessions as there may be.
    Full,
    /// The system gives no random bytes.
    NoRandomness,
}

/// The sessions of the server.
pub struct Sessions {
    store: MemStore,
    lifetime: Duration,
    max_sessions: usize,
    /// How long finds took since the dashboard last asked, in nanoseconds. A lock, but taken after the find: the store has none.
    finds: Mutex<Histogram<u64>>,
}

impl Sessions {
    /// Sessions in a store, which end so long after their last request.
    pub fn new(store: MemStore, lifetime: Duration, max_sessions: usize) -> Sessions {
        Sessions { store, lifetime, max_sessions, finds: Mutex::new(finds()) }
    }

    /// The store below.
    pub fn store(&self) -> &MemStore {
        &self.store
    }

    /// From a session's last request to its end.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Logs a user in, with a new token whatever the browser had: who knew the former token knows nothing now.
    ///
    /// # Errors
    ///
    /// There are too many sessions (approximately: logins at one moment may pass the bound by their number), or no random bytes.
    pub fn log_in(&self, former: Option<&str>, user: &str) -> Result<Live, Refused> {
        if let Some(former) = former.and_then(|token| self.find(token)) {
            if former.session.user == user {
                return self.renew(former);
            }
            self.store.delete(&former.token);
        }
        if self.store.len() >= self.max_sessions {
            return Err(Refused::Full);
        }
        let session = Session {
            handle: random_digits::<8>()?,
            user: user.to_owned(),
            since: milliseconds(SystemTime::now()),
            note: String::new(),
        };
        self.create(session)
    }

    /// The same session under a new token.
    fn renew(&self, former: Live) -> Result<Live, Refused> {
        let (token, expiry) = (random_digits::<32>()?, self.expiry());
        if self.store.rename(&former.token, &token, expiry) {
            return Ok(Live { token, expiry, ..former });
        }
        // It ended this moment: the password was right, so there is a new one.
        self.create(former.session)
    }

    fn create(&self, session: Session) -> Result<Live, Refused> {
        loop {
            let (token, expiry) = (random_digits::<32>()?, self.expiry());
            if self.store.create(&token, encoded(&session), expiry).is_ok() {
                return Ok(Live { token, session, expiry });
            }
        }
    }

    /// The live session of a token, which this request prolongs.
    pub fn visit(&self, token: &str) -> Option<Live> {
        let live = self.find(token)?;
        let expiry = self.expiry();
        // False if it ended since: a touch brings nothing back.
        self.store.touch(token, expiry).then_some(Live { expiry, ..live })
    }

    /// The live session of a token, left as it is.
    pub fn find(&self, token: &str) -> Option<Live> {
        let start = Instant::now();
        let found = self.store.find_with_expiry(token);
        let took = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.finds().saturating_record(took);
        let (data, expiry) = found?;
        Some(Live { token: token.to_owned(), session: decoded(&data)?, expiry })
    }

    /// Writes the note of a live session. Of two that write at once, the later one reads what the earlier wrote; and a write that comes after the
    /// logout does not bring the session back.
    pub fn write_note(&self, token: &str, note: &str) -> Option<Live> {
        loop {
            let (data, version) = self.store.find_versioned(token)?;
            let session = Session { note: note.to_owned(), ..decoded(&data)? };
            let expiry = self.expiry();
            if self.store.compare_and_save(token, version, encoded(&session), expiry).is_ok() {
                return Some(Live { token: token.to_owned(), session, expiry });
            }
        }
    }

    /// Ends a session.
    pub fn log_out(&self, token: &str) -> bool {
        self.store.delete(token)
    }

    /// Ends all sessions of a user, and returns how many. Walks through all sessions.
    pub fn log_out_everywhere(&self, user: &str) -> usize {
        self.store.delete_where(|_, data| decoded(data).is_some_and(|session| session.user == user))
    }

    /// Ends the session of a handle. Walks through all sessions.
    pub fn end(&self, handle: &str) -> bool {
        self.store.delete_where(|_, data| decoded(data).is_some_and(|session| session.handle == handle)) > 0
    }

    /// Some live sessions, in no order.
    pub fn some(&self, limit: usize) -> Vec<Live> {
        let live = self.store.iter().filter_map(|(token, _)| {
            let (data, expiry) = self.store.find_with_expiry(&token)?;
            Some(Live { token: String::from_utf8(token.to_vec()).ok()?, session: decoded(&data)?, expiry })
        });
        live.take(limit).collect()
    }

    /// How long finds took since this was last asked, in nanoseconds.
    pub fn take_finds(&self) -> Histogram<u64> {
        std::mem::replace(&mut *self.finds(), finds())
    }

    fn finds(&self) -> MutexGuard<'_, Histogram<u64>> {
        self.finds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expiry(&self) -> SystemTime {
        SystemTime::now() + self.lifetime
    }
}

/// Milliseconds since 1970.
pub fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn encoded(session: &Session) -> Vec<u8> {
    serde_json::to_vec(session).expect("strings and numbers are JSON")
}

/// A session that another version of this program saved may be none to this one: it is then not found.
fn decoded(data: &[u8]) -> Option<Session> {
    serde_json::from_slice(data).ok()
}

/// From the operating system, for this is what sessions are guessed by.
fn random_digits<const BYTES: usize>() -> Result<String, Refused> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|_| Refused::NoRandomness)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Up to a second, by three digits.
fn finds() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 1_000_000_000, 3).expect("bounds that are in order")
}
