//! What is driven: fleeting's `MemStore`, and the store that it is compared with, behind one trait.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fleeting::{ManualClock, MemStore, SessionData};

/// A session store, as far as the replay needs one.
pub trait Sessions: Sync {
    /// Found data: a handle, not a copy.
    type Data: Deref<Target = [u8]>;

    fn find(&self, token: &[u8]) -> Option<Self::Data>;

    /// True if the token had no live session.
    fn create(&self, token: &[u8], data: &[u8], expiry: SystemTime) -> bool;

    /// True if the session was live.
    fn update(&self, token: &[u8], data: &[u8], expiry: SystemTime) -> bool;

    /// True if the session was live.
    fn touch(&self, token: &[u8], expiry: SystemTime) -> bool;

    /// True if the session was live.
    fn delete(&self, token: &[u8]) -> bool;

    /// Removes what has expired; returns how many.
    fn sweep(&self) -> usize;

    /// Sessions in memory, those included that have expired but have not been removed.
    fn held(&self) -> usize;

    fn upkeep(&self) -> Upkeep;
}

/// What expiry has cost.
#[derive(Clone, Copy, Debug)]
pub struct Upkeep {
    /// Sessions removed because they had expired, by sweeps or on sight.
    pub expired: u64,
    pub sweeps: u64,
    /// What sweeps looked at.
    pub records_handled: u64,
}

/// The library's store. No janitor: sweeps follow the log's time.
///
/// # Errors
///
/// A message for the user: the store cannot be built.
pub fn fleeting(clock: &ManualClock) -> Result<MemStore, String> {
    let built = MemStore::builder().cleanup_interval(Duration::ZERO).clock(clock.clone()).build();
    built.map_err(|error| format!("cannot build the store: {error}"))
}

impl Sessions for MemStore {
    type Data = SessionData;

    fn find(&self, token: &[u8]) -> Option<SessionData> {
        MemStore::find(self, token)
    }

    fn create(&self, token: &[u8], data: &[u8], expiry: SystemTime) -> bool {
        MemStore::create(self, token, data, expiry).is_ok()
    }

    fn update(&self, token: &[u8], data: &[u8], expiry: SystemTime) -> bool {
        MemStore::update(self, token, data, expiry)
    }

    fn touch(&self, token: &[u8], expiry: SystemTime) -> bool {
        MemStore::touch(self, token, expiry)
    }

    fn delete(&self, token: &[u8]) -> bool {
        MemStore::delete(self, token)
    }

    fn sweep(&self) -> usize {
        MemStore::sweep(self)
    }

    fn held(&self) -> usize {
        self.len()
    }

    fn upkeep(&self) -> Upkeep {
        let stats = self.stats();
        Upkeep { expired: stats.expired, sweeps: stats.sweeps, records_handled: stats.records_handled }
    }
}

/// The peer: one mutex around a map, with the library's hasher, and a sweep that looks at every session.
///
/// # Errors
///
/// None; the signature is [`fleeting`]'s.
pub fn mutex(clock: &ManualClock) -> Result<MutexStore, String> {
    Ok(MutexStore { clock: clock.clone(), state: Mutex::default() })
}

pub struct MutexStore {
    clock: ManualClock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sessions: HashMap<Vec<u8>, Session, ahash::RandomState>,
    expired: u64,
    sweeps: u64,
    records_handled: u64,
}

struct Session {
    data: Arc<[u8]>,
    expiry: SystemTime,
}

impl MutexStore {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The session if it is live; removes it if it has expired.
    fn live(&mut self, token: &[u8], now: SystemTime) -> Option<&mut Session> {
        if self.sessions.get(token).is_some_and(|session| session.expiry <= now) {
            self.sessions.remove(token);
            self.expired += 1;
        }
        self.sessions.get_mut(token)
    }
}

impl Sessions for MutexStore {
    type Data = Arc<[u8]>;

    fn find(&self, token: &[u8]) -> Option<Arc<[u8]>> {
        let now = self.clock.system_time();
        self.lock().live(token, now).map(|session| Arc::clone(&session.data))
    }

    fn create(&self, token: &[u8], data: &[u8], expiry: SystemTime) -> bool {
        let (now, session) = (self.clock.system_time(), Session { data: data.into(), expiry });
        let mut state = self.lock();
        let is_absent = state.live(token, now).is_none();
        if is_absent {
            state.sessions.insert(token.to_vec(), session);
        }
        is_absent
    }

    fn update(&self, token: &[u8], data: &[u8], expiry: SystemTime) -> bool {
        let (now, saved) = (self.clock.system_time(), Session { data: data.into(), expiry });
        // The old data is freed after the mutex is.
        let replaced = self.lock().live(token, now).map(|session| std::mem::replace(session, saved));
        replaced.is_some()
    }

    fn touch(&self, token: &[u8], expiry: SystemTime) -> bool {
        let now = self.clock.system_time();
        self.lock().live(token, now).map(|session| session.expiry = expiry).is_some()
    }

    fn delete(&self, token: &[u8]) -> bool {
        let now = self.clock.system_time();
        let mut state = self.lock();
        let was_live = state.live(token, now).is_some();
        if was_live {
            state.sessions.remove(token);
        }
        was_live
    }

    fn sweep(&self) -> usize {
        let now = self.clock.system_time();
        let mut state = self.lock();
        let before = state.sessions.len();
        state.sessions.retain(|_, session| session.expiry > now);
        let swept = before - state.sessions.len();
        state.expired += swept as u64;
        state.records_handled += before as u64;
        state.sweeps += 1;
        swept
    }

    fn held(&self) -> usize {
        self.lock().sessions.len()
    }

    fn upkeep(&self) -> Upkeep {
        let state = self.lock();
        Upkeep { expired: state.expired, sweeps: state.sweeps, records_handled: state.records_handled }
    }
}
