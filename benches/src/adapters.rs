//! The contestants behind one trait: our store, and what a careful user would write by hand.
//!
//! Each peer maps a token to `(Arc<[u8]>, AtomicU64)`, data and deadline, and compares the deadline with the coarse monotonic
//! clock on every find. All hash with `ahash`; none is presized; none has a sweeper thread (a bench calls `sweep`).

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use ahash::RandomState;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use fleeting::{MemStore, SessionData};

use crate::clock::{self, SkippingClock};

/// How long a session lives from a write on, prepared as each store wants it told.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub ttl: Duration,
    ttl_nanoseconds: u64,
    pub expiry: SystemTime,
}

impl Terms {
    pub fn from_now(ttl: Duration) -> Terms {
        let ttl_nanoseconds = u64::try_from(ttl.as_nanos()).expect("a few centuries at most");
        Terms { ttl, ttl_nanoseconds, expiry: SystemTime::now() + ttl }
    }

    fn deadline(&self) -> u64 {
        clock::coarse() + self.ttl_nanoseconds
    }
}

/// A store of sessions.
pub trait Store: Send + Sync + 'static {
    /// An owned, cheap handle to a session's data.
    type Data: Deref<Target = [u8]>;

    fn name() -> &'static str;
    fn new() -> Self;

    /// One whose time `clock::skip` moves.
    fn with_skipping_clock() -> Self
    where
        Self: Sized,
    {
        Self::new()
    }

    fn find(&self, token: &[u8]) -> Option<Self::Data>;

    /// Without a reference count, under whatever guard the store has.
    fn read<R>(&self, token: &[u8], f: impl FnOnce(&[u8]) -> R) -> Option<R>;
    fn touch(&self, token: &[u8], terms: &Terms) -> bool;
    fn save(&self, token: &[u8], data: &[u8], terms: &Terms);

    /// Saves only if the token has no live session.
    fn create(&self, token: &[u8], data: &[u8], terms: &Terms) -> bool;
    fn len(&self) -> usize;

    /// Removes what is due; returns how many.
    fn sweep(&self) -> usize;
}

/// Ours. `touch` and `create` are given wall-clock time, which is their interface; the rest a time to live.
pub struct Fleeting(MemStore);

impl Store for Fleeting {
    type Data = SessionData;

    fn name() -> &'static str {
        "fleeting"
    }

    fn new() -> Self {
        Fleeting(MemStore::new(Duration::ZERO))
    }

    fn with_skipping_clock() -> Self {
        let builder = MemStore::builder().cleanup_interval(Duration::ZERO).clock(SkippingClock::new());
        Fleeting(builder.build().expect("nothing here can be refused"))
    }

    fn find(&self, token: &[u8]) -> Option<SessionData> {
        self.0.find(token)
    }

    fn read<R>(&self, token: &[u8], f: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.0.read(token, f)
    }

    fn touch(&self, token: &[u8], terms: &Terms) -> bool {
        self.0.touch(token, terms.expiry)
    }

    fn save(&self, token: &[u8], data: &[u8], terms: &Terms) {
        self.0.save_for(token, data, terms.ttl);
    }

    fn create(&self, token: &[u8], data: &[u8], terms: &Terms) -> bool {
        self.0.create(token, data, terms.expiry).is_ok()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn sweep(&self) -> usize {
        self.0.sweep()
    }
}

/// How a peer keeps its tokens: any length in a box of their own, or inline, as a user whose tokens all have 32 bytes may.
pub trait Key: Borrow<[u8]> + Hash + Eq + Send + Sync + 'static {
    const IS_INLINE: bool;
    fn of(token: &[u8]) -> Self;
}

impl Key for Box<[u8]> {
    const IS_INLINE: bool = false;

    fn of(token: &[u8]) -> Self {
        token.into()
    }
}

impl Key for [u8; 32] {
    const IS_INLINE: bool = true;

    fn of(token: &[u8]) -> Self {
        token.try_into().expect("the benches' tokens have 32 bytes")
    }
}

/// What the peers keep of a session.
struct Session {
    data: Arc<[u8]>,
    deadline: AtomicU64,
}

impl Session {
    fn new(data: &[u8], terms: &Terms) -> Session {
        Session { data: data.into(), deadline: AtomicU64::new(terms.deadline()) }
    }

    fn is_live_at(&self, now: u64) -> bool {
        self.deadline.load(Ordering::Relaxed) > now
    }

    fn is_live(&self) -> bool {
        self.is_live_at(clock::coarse())
    }

    fn touch(&self, terms: &Terms) -> bool {
        let now = clock::coarse();
        let is_live = self.is_live_at(now);
        if is_live {
            self.deadline.store(now + terms.ttl_nanoseconds, Ordering::Relaxed);
        }
        is_live
    }
}

/// `DashMap`: locks by shard.
pub struct Dash<K: Key>(DashMap<K, Session, RandomState>);

impl<K: Key> Store for Dash<K> {
    type Data = Arc<[u8]>;

    fn name() -> &'static str {
        if K::IS_INLINE { "dashmap inline" } else { "dashmap" }
    }

    fn new() -> Self {
        Dash(DashMap::with_hasher(RandomState::new()))
    }

    fn find(&self, token: &[u8]) -> Option<Arc<[u8]>> {
        let session = self.0.get(token)?;
        session.is_live().then(|| session.data.clone())
    }

    fn read<R>(&self, token: &[u8], f: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let session = self.0.get(token)?;
        session.is_live().then(|| f(&session.data))
    }

    fn touch(&self, token: &[u8], terms: &Terms) -> bool {
        self.0.get(token).is_some_and(|session| session.touch(terms))
    }

    fn save(&self, token: &[u8], data: &[u8], terms: &Terms) {
        let session = Session::new(data, terms);
        // Most saves replace: no key is made for them.
        if let Some(mut old) = self.0.get_mut(token) {
            let old = std::mem::replace(&mut *old, session);
            drop(old);
            return;
        }
        self.0.insert(K::of(token), session);
    }

    fn create(&self, token: &[u8], data: &[u8], terms: &Terms) -> bool {
        match self.0.entry(K::of(token)) {
            Entry::Occupied(old) if old.get().is_live() => return false,
            Entry::Occupied(mut old) => _ = old.insert(Session::new(data, terms)),
            Entry::Vacant(vacant) => _ = vacant.insert(Session::new(data, terms)),
        }
        true
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn sweep(&self) -> usize {
        let (now, mut removed) = (clock::coarse(), 0);
        self.0.retain(|_, session| {
            let is_live = session.is_live_at(now);
            removed += usize::from(!is_live);
            is_live
        });
        removed
    }
}

/// `papaya`: lock-free reads, its own reclamation.
pub struct Papaya<K: Key>(papaya::HashMap<K, Session, RandomState>);

impl<K: Key> Store for Papaya<K> {
    type Data = Arc<[u8]>;

    fn name() -> &'static str {
        if K::IS_INLINE { "papaya inline" } else { "papaya" }
    }

    fn new() -> Self {
        Papaya(papaya::HashMap::with_hasher(RandomState::new()))
    }

    fn find(&self, token: &[u8]) -> Option<Arc<[u8]>> {
        let map = self.0.pin();
        let session = map.get(token)?;
        session.is_live().then(|| session.data.clone())
    }

    fn read<R>(&self, token: &[u8], f: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let map = self.0.pin();
        let session = map.get(token)?;
        session.is_live().then(|| f(&session.data))
    }

    fn touch(&self, token: &[u8], terms: &Terms) -> bool {
        self.0.pin().get(token).is_some_and(|session| session.touch(terms))
    }

    fn save(&self, token: &[u8], data: &[u8], terms: &Terms) {
        self.0.pin().insert(K::of(token), Session::new(data, terms));
    }

    fn create(&self, token: &[u8], data: &[u8], terms: &Terms) -> bool {
        use papaya::{Compute, Operation};
        let map = self.0.pin();
        let Err(taken) = map.try_insert(K::of(token), Session::new(data, terms)) else { return true };
        if taken.current.is_live() {
            return false;
        }
        // The rare case. (As the common one, `compute` leaves a table in which every find is ten times as slow.)
        let computed = map.compute(K::of(token), |old| match old {
            Some((_, session)) if session.is_live() => Operation::Abort(()),
            _ => Operation::Insert(Session::new(data, terms)),
        });
        !matches!(computed, Compute::Aborted(()))
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn sweep(&self) -> usize {
        let (now, mut removed) = (clock::coarse(), 0);
        self.0.pin().retain(|_, session| {
            let is_live = session.is_live_at(now);
            removed += usize::from(!is_live);
            is_live
        });
        removed
    }
}

/// One lock around a map.
pub struct Locked<K: Key>(Mutex<HashMap<K, Session, RandomState>>);

impl<K: Key> Locked<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Session, RandomState>> {
        self.0.lock().expect("no bench panics under the lock")
    }
}

impl<K: Key> Store for Locked<K> {
    type Data = Arc<[u8]>;

    fn name() -> &'static str {
        if K::IS_INLINE { "mutex inline" } else { "mutex" }
    }

    fn new() -> Self {
        Locked(Mutex::new(HashMap::with_hasher(RandomState::new())))
    }

    fn find(&self, token: &[u8]) -> Option<Arc<[u8]>> {
        let map = self.lock();
        let session = map.get(token)?;
        session.is_live().then(|| session.data.clone())
    }

    fn read<R>(&self, token: &[u8], f: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let map = self.lock();
        let session = map.get(token)?;
        session.is_live().then(|| f(&session.data))
    }

    fn touch(&self, token: &[u8], terms: &Terms) -> bool {
        self.lock().get(token).is_some_and(|session| session.touch(terms))
    }

    fn save(&self, token: &[u8], data: &[u8], terms: &Terms) {
        let session = Session::new(data, terms);
        // What is replaced is dropped after the lock.
        let _old = {
            let mut map = self.lock();
            match map.get_mut(token) {
                Some(old) => Some(std::mem::replace(old, session)),
                None => map.insert(K::of(token), session),
            }
        };
    }

    fn create(&self, token: &[u8], data: &[u8], terms: &Terms) -> bool {
        use std::collections::hash_map::Entry;
        let (token, session) = (K::of(token), Session::new(data, terms));
        match self.lock().entry(token) {
            Entry::Occupied(old) if old.get().is_live() => return false,
            Entry::Occupied(mut old) => _ = old.insert(session),
            Entry::Vacant(vacant) => _ = vacant.insert(session),
        }
        true
    }

    fn len(&self) -> usize {
        self.lock().len()
    }

    fn sweep(&self) -> usize {
        let now = clock::coarse();
        let mut map = self.lock();
        let before = map.len();
        map.retain(|_, session| session.is_live_at(now));
        before - map.len()
    }
}
