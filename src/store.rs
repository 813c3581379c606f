//! `MemStore`: the session store. Token and data are bytes; each operation is a few lines over the engine.
//!
//! | label | release side | acquire side | carries |
//! |---|---|---|---|
//! | rename-session | the cut of the old token | a find that misses it | that the new token was put before |
//!
//! A renaming takes effect where it looks at the old session's deadline, and then at the clock (X9 of `engine.rs`),
//! after it has put the new one: the old one was live then, and the new one was there.

#[cfg(feature = "bytes")]
mod bytes;
#[cfg(feature = "serde")]
mod snapshot;

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use ahash::RandomState;

use crate::builder::MemStoreBuilder;
use crate::engine::{Engine, Operation, RemovalCause, Step, VISIT, Written, spread};
use crate::error::{BuildError, Conflict, TokenTaken, TooLong};
use crate::expiry::DEAD;
use crate::janitor::Cleanup;
use crate::map::{Node, Owned, Record, Shared};
use crate::reclaim::{self, Ref};
use crate::stats::{Count, Stats};
use crate::sync::TINY;

/// A store of web sessions: token to data, each with its own expiry. A handle: clones share one store.
///
/// Finds and saves are lock-free, a session is never returned at or after its expiry, and a janitor thread frees what has expired without ever
/// scanning the rest. Expiries are given as wall-clock time and kept on the monotonic clock: setting the wall clock later moves none.
///
/// # Dropping
///
/// Dropping the last handle stops the janitor and waits for it, as [`stop_cleanup`](Self::stop_cleanup) does, and then
/// drops the sessions. So it must not be done with a lock held that a removal callback takes: see [`stop_cleanup_within`](Self::stop_cleanup_within). On the thread of any janitor, as in a callback, it waits for
/// nothing; if the janitor is sweeping this store, it drops the sessions when that sweep ends.
///
/// Each store has a janitor thread of its own, unless it is built with a [`Janitor`](crate::Janitor) that many share.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use fleeting::MemStore;
///
/// let store = MemStore::new(Duration::from_secs(60));
/// let expiry = SystemTime::now() + Duration::from_secs(30 * 60);
/// store.save("token", b"user=7", expiry);
/// let session = store.find("token").expect("just saved");
/// assert_eq!(&*session, b"user=7");
/// store.delete("token");
/// assert!(store.find("token").is_none());
/// assert_eq!(&*session, b"user=7", "a handle outlives its session");
/// ```
#[derive(Clone)]
pub struct MemStore {
    // Dropped first: where it may wait, no sweep is under way when the sessions are dropped.
    cleanup: Arc<Cleanup>,
    core: Arc<StoreCore>,
}

/// Does not keep the store alive: for removal callbacks and the like.
#[derive(Clone)]
pub struct WeakMemStore {
    cleanup: Weak<Cleanup>,
    core: Weak<StoreCore>,
}

/// What all handles share.
pub(crate) struct StoreCore {
    engine: Engine<Record>,
    hasher: RandomState,
}

/// A session's data, found: keeps the bytes alive and unchanged whatever becomes of the session. Cloning counts a reference.
#[derive(Clone)]
pub struct SessionData(Shared);

/// A session's token, as [`MemStore::all`] returns it. Cloning counts a reference.
#[derive(Clone)]
pub struct Token(Shared);

/// The state of a session that [`MemStore::compare_and_save`] expects. Never repeats, for any token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version(u64);

impl StoreCore {
    pub(crate) fn new(engine: Engine<Record>) -> Self {
        // With tiny tables, which are for verification, the hashes are the same in each run: what was found can be replayed.
        let hasher = if TINY { RandomState::with_seeds(1, 2, 3, 4) } else { RandomState::new() };
        StoreCore { engine, hasher }
    }

    pub(crate) fn sweep_due(&self, go_on: impl Fn() -> bool) {
        self.engine.sweep_due(go_on);
    }

    #[inline]
    fn hash(&self, token: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(token);
        spread(hasher.finish())
    }

    #[inline]
    fn look<'g>(&self, token: &[u8], guard: &'g Operation<'_, Record>) -> Option<Ref<'g, Record>> {
        let hash = self.hash(token);
        self.engine.find(hash, |record| Record::token(record) == token, guard)
    }

    /// A look that counts.
    #[inline]
    fn find<'g>(&self, token: &[u8], guard: &'g Operation<'_, Record>) -> Option<Ref<'g, Record>> {
        let found = self.look(token, guard);
        self.count(found.is_some());
        found
    }

    #[inline]
    fn count(&self, is_hit: bool) {
        self.engine.counters().count(if is_hit { Count::Hits } else { Count::Misses });
    }

    /// The token's hash; and asks for what the look-up will read, while the caller makes what it is to put there.
    #[inline]
    fn prepare(&self, token: &[u8], guard: &Operation<'_, Record>) -> u64 {
        let hash = self.hash(token);
        self.engine.prefetch_nodes(hash, guard);
        hash
    }

    fn record(&self, hash: u64, token: &[u8], data: &[u8], deadline: u64) -> Result<Owned<Record>, TooLong> {
        match Record::new(hash, token, data, deadline, next_version()) {
            Ok(record) => Ok(record),
            Err(error) => {
                self.engine.counters().count(Count::Rejected);
                Err(error)
            }
        }
    }

    /// Publishes a record if `may` says so of the live one of its token.
    fn put<'g>(
        &self,
        record: Owned<Record>,
        guard: &'g Operation<'_, Record>,
        mut may: impl FnMut(Option<Ref<'g, Record>>) -> bool,
    ) -> Written<'g, Record> {
        let hash = record.hash();
        let eq = |other: Ref<'g, Record>, mine: Option<&Owned<Record>>| {
            mine.is_some_and(|mine| Record::token(other) == Record::owned_token(mine))
        };
        self.engine.write(hash, eq, guard, Some(record), |current, spare| match spare {
            Some(record) if may(current) => Step::Put(record),
            spare => Step::Keep(spare),
        })
    }

    fn remove<'g>(&self, token: &[u8], guard: &'g Operation<'_, Record>) -> Option<Ref<'g, Record>> {
        let hash = self.hash(token);
        let written =
            self.engine.write(hash, |record, _| Record::token(record) == token, guard, None, |_, _| Step::Cut);
        match written {
            Written::Removed(record) => Some(record),
            _ => None,
        }
    }

    fn deadline_after(&self, ttl: Duration) -> u64 {
        self.engine.time().after(ttl)
    }

    fn deadline_at(&self, expiry: SystemTime) -> u64 {
        self.engine.time().at_system_time(expiry)
    }
}

impl MemStore {
    /// A store whose janitor removes expired sessions this often. Zero starts no janitor: expired sessions are still never
    /// returned, and [`sweep`](Self::sweep) frees them.
    ///
    /// # Panics
    ///
    /// If the system gives no thread; [`builder`](Self::builder) returns that as an error.
    pub fn new(cleanup_interval: Duration) -> MemStore {
        match Self::builder().cleanup_interval(cleanup_interval).build() {
            Ok(store) => store,
            Err(error) => panic!("{error}"),
        }
    }

    /// Configures a store.
    pub fn builder() -> MemStoreBuilder {
        MemStoreBuilder::default()
    }

    pub(crate) fn from_parts(core: Arc<StoreCore>, cleanup: Cleanup) -> MemStore {
        MemStore { cleanup: Arc::new(cleanup), core }
    }

    /// The data of a live session.
    ///
    /// # Complexity
    ///
    /// Lock-free, O(1), allocates nothing: about two cache misses, and one count on the session's own line. [`read`](Self::read) does without.
    #[inline]
    pub fn find(&self, token: impl AsRef<[u8]>) -> Option<SessionData> {
        let guard = self.core.engine.read();
        let record = self.core.find(token.as_ref(), &guard)?;
        Some(SessionData(Shared::new(record)))
    }

    /// The data of a live session, and when it expires: what it was saved with, up to a setting of the wall clock since. A session that never
    /// expires has a time some 290 years ahead.
    pub fn find_with_expiry(&self, token: impl AsRef<[u8]>) -> Option<(SessionData, SystemTime)> {
        let found = self.peek_with_expiry(token);
        self.core.count(found.is_some());
        found
    }

    /// The data of a live session, as [`find`](Self::find) returns it, without a trace in [`Stats`]: for an
    /// administrator's page, or a test.
    ///
    /// # Complexity
    ///
    /// As [`find`](Self::find).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fleeting::MemStore;
    ///
    /// let store = MemStore::new(Duration::from_secs(1));
    /// store.save_for("token", b"user=7", Duration::from_secs(60));
    /// assert_eq!(store.peek("token").as_deref(), Some(&b"user=7"[..]));
    /// assert!(store.peek("another").is_none());
    /// assert_eq!((store.stats().hits, store.stats().misses), (0, 0));
    /// ```
    pub fn peek(&self, token: impl AsRef<[u8]>) -> Option<SessionData> {
        let guard = self.core.engine.read();
        let record = self.core.look(token.as_ref(), &guard)?;
        Some(SessionData(Shared::new(record)))
    }

    /// The data of a live session and when it expires, as [`find_with_expiry`](Self::find_with_expiry) returns them,
    /// without a trace in [`Stats`].
    ///
    /// # Complexity
    ///
    /// As [`find`](Self::find), and a reading of both clocks.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use fleeting::MemStore;
    ///
    /// let store = MemStore::new(Duration::from_secs(1));
    /// store.save_for("token", b"user=7", Duration::from_secs(60));
    /// let (data, expiry) = store.peek_with_expiry("token").expect("just saved");
    /// assert_eq!(&*data, b"user=7");
    /// assert!(expiry <= SystemTime::now() + Duration::from_secs(61));
    /// assert_eq!(store.stats().hits, 0);
    /// ```
    pub fn peek_with_expiry(&self, token: impl AsRef<[u8]>) -> Option<(SessionData, SystemTime)> {
        let guard = self.core.engine.read();
        let (core, token) = (&*self.core, token.as_ref());
        let hash = core.hash(token);
        let (record, deadline) =
            core.engine.find_with_deadline(hash, |record| Record::token(record) == token, &guard)?;
        Some((SessionData(Shared::new(record)), core.engine.time().system_time(deadline)))
    }

    /// The data of a live session, and the version to give to [`compare_and_save`](Self::compare_and_save).
    pub fn find_versioned(&self, token: impl AsRef<[u8]>) -> Option<(SessionData, Version)> {
        let guard = self.core.engine.read();
        let record = self.core.find(token.as_ref(), &guard)?;
        Some((SessionData(Shared::new(record)), Version(record.version())))
    }

    /// Lends the data of a live session to `f`: no copy, no reference count. While `f` runs, no memory that any cache retires
    /// is freed, so it should be short.
    #[inline]
    pub fn read<R>(&self, token: impl AsRef<[u8]>, f: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let guard = self.core.engine.read();
        let record = self.core.find(token.as_ref(), &guard)?;
        Some(f(Record::data(record)))
    }

    /// Looks many sessions up under one pin, lends the data of each live one to `each`, and calls it once a token, in order. While it runs, no
    /// memory that any cache retires is freed.
    ///
    /// # Complexity
    ///
    /// Lock-free, allocates nothing. The cache misses of 16 tokens at a time overlap, by software prefetch where the target has it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fleeting::MemStore;
    ///
    /// let store = MemStore::new(Duration::ZERO);
    /// store.save_for("a", "1", Duration::from_secs(60));
    /// let mut found = Vec::new();
    /// store.get_many(&["a", "b"], |token, data| found.push((*token, data.map(<[u8]>::to_vec))));
    /// assert_eq!(found, [("a", Some(b"1".to_vec())), ("b", None)]);
    /// ```
    pub fn get_many<'t, T: AsRef<[u8]>>(&self, tokens: &'t [T], mut each: impl FnMut(&'t T, Option<&[u8]>)) {
        let core = &*self.core;
        let guard = core.engine.read();
        let eq = |index: usize, record: Ref<'_, Record>| Record::token(record) == tokens[index].as_ref();
        core.engine.find_many(
            tokens.len(),
            |index| core.hash(tokens[index].as_ref()),
            eq,
            &guard,
            |index, found| {
                core.count(found.is_some());
                each(&tokens[index], found.map(Record::data));
            },
        );
    }

    /// Saves a session: data and expiry are both replaced. With an expiry that has come, the session is gone.
    ///
    /// A token or data of more than `u32::MAX` bytes is refused: nothing changes, and [`Stats::rejected`] counts it;
    /// [`try_save`](Self::try_save) says so.
    ///
    /// # Complexity
    ///
    /// Lock-free; one allocation; may help a growth by some buckets.
    pub fn save(&self, token: impl AsRef<[u8]>, data: impl AsRef<[u8]>, expiry: SystemTime) {
        let _ = self.try_save(token, data, expiry);
    }

    /// [`save`](Self::save) that tells what was refused.
    ///
    /// # Errors
    ///
    /// Token or data has more than `u32::MAX` bytes.
    pub fn try_save(&self, token: impl AsRef<[u8]>, data: impl AsRef<[u8]>, expiry: SystemTime) -> Result<(), TooLong> {
        self.save_until(token.as_ref(), data.as_ref(), |core| core.deadline_at(expiry))
    }

    /// [`save`](Self::save) with the time from now until it expires.
    pub fn save_for(&self, token: impl AsRef<[u8]>, data: impl AsRef<[u8]>, ttl: Duration) {
        let _ = self.save_until(token.as_ref(), data.as_ref(), |core| core.deadline_after(ttl));
    }

    fn save_until(&self, token: &[u8], data: &[u8], deadline: impl FnOnce(&StoreCore) -> u64) -> Result<(), TooLong> {
        let core = &*self.core;
        let guard = core.engine.change();
        let hash = core.prepare(token, &guard);
        let record = core.record(hash, token, data, deadline(core))?;
        core.put(record, &guard, |_| true);
        Ok(())
    }

    /// Saves a session only if its token belongs to no live one. Atomic: of two, one succeeds.
    ///
    /// # Errors
    ///
    /// The token is taken, or token or data is too long. Nothing changes.
    pub fn create(
        &self,
        token: impl AsRef<[u8]>,
        data: impl AsRef<[u8]>,
        expiry: SystemTime,
    ) -> Result<(), TokenTaken> {
        let (core, token) = (&*self.core, token.as_ref());
        let guard = core.engine.change();
        let hash = core.prepare(token, &guard);
        let record = core.record(hash, token, data.as_ref(), core.deadline_at(expiry))?;
        match core.put(record, &guard, |current| current.is_none()) {
            Written::Kept(..) => Err(TokenTaken::TAKEN),
            _ => Ok(()),
        }
    }

    /// Saves a session only if it is live: a save that comes late cannot undo a logout. False if it is not, or if the data is too long.
    pub fn update(&self, token: impl AsRef<[u8]>, data: impl AsRef<[u8]>, expiry: SystemTime) -> bool {
        let (core, token) = (&*self.core, token.as_ref());
        let guard = core.engine.change();
        let hash = core.prepare(token, &guard);
        let Ok(record) = core.record(hash, token, data.as_ref(), core.deadline_at(expiry)) else { return false };
        !matches!(core.put(record, &guard, |current| current.is_some()), Written::Kept(..))
    }

    /// Saves a session only if it is live and nobody has saved it since `expected`. Touches do not count. Returns the new version.
    ///
    /// # Errors
    ///
    /// The session has another version or is gone, or token or data is too long. Nothing changes.
    pub fn compare_and_save(
        &self,
        token: impl AsRef<[u8]>,
        expected: Version,
        data: impl AsRef<[u8]>,
        expiry: SystemTime,
    ) -> Result<Version, Conflict> {
        let (core, token) = (&*self.core, token.as_ref());
        let guard = core.engine.change();
        let hash = core.prepare(token, &guard);
        let record = core.record(hash, token, data.as_ref(), core.deadline_at(expiry))?;
        let version = Version(record.version());
        let is_expected =
            |current: Option<Ref<'_, Record>>| current.is_some_and(|current| current.version() == expected.0);
        match core.put(record, &guard, is_expected) {
            Written::Kept(..) => Err(Conflict::CHANGED),
            _ => Ok(version),
        }
    }

    /// Moves the expiry of a live session; false if there is none. With an expiry that has come, the session is gone.
    ///
    /// # Complexity
    ///
    /// Lock-free, one compare-and-swap on the session's own line; no copy, and no allocation unless the expiry is an earlier one.
    #[inline]
    pub fn touch(&self, token: impl AsRef<[u8]>, expiry: SystemTime) -> bool {
        let (core, token) = (&*self.core, token.as_ref());
        let guard = core.engine.read();
        let hash = core.prepare(token, &guard);
        let eq = |record: Ref<'_, Record>| Record::token(record) == token;
        core.engine.touch(hash, eq, || core.engine.time().at_system_time_and_now(expiry), &guard).is_some()
    }

    /// Gives a live session a new token, as is done at login. False, and nothing changes, if `old` is not live or `new` is.
    ///
    /// There is no moment at which neither token finds the session; while this runs, both may. It returns with the old one gone. If the
    /// session is deleted or expires meanwhile, this returns false and the new token is gone too; if it is saved
    /// meanwhile, that data moves.
    pub fn rename(&self, old: impl AsRef<[u8]>, new: impl AsRef<[u8]>, expiry: SystemTime) -> bool {
        let (old, new) = (old.as_ref(), new.as_ref());
        if old == new {
            return self.touch(old, expiry);
        }
        let (core, deadline) = (&*self.core, self.core.deadline_at(expiry));
        loop {
            let guard = self.core.engine.change();
            let Some(source) = core.look(old, &guard) else { return false };
            let Ok(record) = core.record(core.hash(new), new, Record::data(source), deadline) else { return false };
            let moved = match core.put(record, &guard, |current| current.is_none()) {
                Written::Inserted(moved) => Some(moved),
                // An expiry that has come.
                Written::Absent => None,
                _ => return false,
            };
            // Ordering: the header's [rename-session]: the new token is put, so the old one may go. By identity:
            // what is removed is what was copied. If its deadline has passed since the look, whoever looked in
            // between found neither token: it stays so. Should the user's clock panic there, the copy goes first.
            let looked = catch_unwind(AssertUnwindSafe(|| core.engine.is_live(source, &guard)));
            if matches!(looked, Ok(true)) && core.engine.remove_node(source, &guard) {
                return true;
            }
            if let Some(moved) = moved {
                core.engine.remove_node(moved, &guard);
            }
            if let Err(panic) = looked {
                resume_unwind(panic);
            }
        }
    }

    /// Deletes a session, if there is one; true if there was. Idempotent.
    pub fn delete(&self, token: impl AsRef<[u8]>) -> bool {
        self.core.remove(token.as_ref(), &self.core.engine.change()).is_some()
    }

    /// Deletes a live session and returns its data.
    pub fn take(&self, token: impl AsRef<[u8]>) -> Option<SessionData> {
        let guard = self.core.engine.change();
        self.core.remove(token.as_ref(), &guard).map(|record| SessionData(Shared::new(record)))
    }

    /// All live sessions. See [`iter`](Self::iter).
    pub fn all(&self) -> Vec<(Token, SessionData)> {
        self.iter().collect()
    }

    /// Iterates over the live sessions: no lock, no snapshot, and nobody waits for it. A session that is there throughout is seen exactly
    /// once; one that comes or goes meanwhile may be. Counts in no statistic.
    pub fn iter(&self) -> impl Iterator<Item = (Token, SessionData)> {
        self.visit(|record, _| Some((Token(Shared::new(record)), SessionData(Shared::new(record)))))
    }

    /// Iterates over the live sessions as [`iter`](Self::iter) does, and tells when each expires. Counts in no
    /// statistic.
    ///
    /// # Complexity
    ///
    /// A reading of both clocks a session, beside what [`iter`](Self::iter) costs.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use fleeting::MemStore;
    ///
    /// let store = MemStore::new(Duration::from_secs(1));
    /// let expiry = SystemTime::now() + Duration::from_secs(3600);
    /// store.save("token", b"user=7", expiry);
    /// for (token, data, expires) in store.iter_with_expiry() {
    ///     assert_eq!((&*token, &*data), (&b"token"[..], &b"user=7"[..]));
    ///     assert!(expires + Duration::from_secs(1) > expiry && expires < expiry + Duration::from_secs(1));
    /// }
    /// ```
    pub fn iter_with_expiry(&self) -> impl Iterator<Item = (Token, SessionData, SystemTime)> {
        let engine = &self.core.engine;
        self.visit(|record, guard| {
            let deadline = engine.settled_deadline(record, guard).time();
            let expiry = (deadline != DEAD).then(|| engine.time().system_time(deadline))?;
            Some((Token(Shared::new(record)), SessionData(Shared::new(record)), expiry))
        })
    }

    /// Iterates over what `item` makes of each live session; None is one that has expired since it was met. Pins
    /// anew every few buckets.
    fn visit<T>(&self, item: impl Fn(Ref<'_, Record>, &Operation<'_, Record>) -> Option<T>) -> impl Iterator<Item = T> {
        let mut from = Some(0);
        std::iter::from_fn(move || {
            let start = from?;
            let guard = self.core.engine.read();
            let mut batch = Vec::new();
            from = self.core.engine.visit(start, VISIT, &guard, |record| batch.extend(item(record, &guard)));
            Some(batch)
        })
        .flatten()
    }

    /// Deletes each live session for which `f` holds, and returns how many: "log this user out everywhere". A session that is saved while
    /// `f` looks at its former data is deleted only if it is seen again. While `f` runs, no memory that any cache retires is freed; between two
    /// batches of a few buckets it is.
    pub fn delete_where(&self, mut f: impl FnMut(&[u8], &[u8]) -> bool) -> usize {
        let doomed = |record: Ref<'_, Record>| f(Record::token(record), Record::data(record));
        self.core.engine.remove_where(RemovalCause::Removed, doomed)
    }

    /// Number of sessions held, those included that have expired but have not been removed.
    pub fn len(&self) -> usize {
        self.core.engine.counters().entries()
    }

    /// Whether [`len`](Self::len) is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes all sessions. Those that are saved meanwhile may stay.
    pub fn clear(&self) {
        self.core.engine.remove_where(RemovalCause::Cleared, |_| true);
    }

    /// Removes every session that has expired by now, and returns how many. O(expired), not O(sessions).
    pub fn sweep(&self) -> usize {
        self.core.engine.sweep(true, || true)
    }

    /// Gives back what this thread holds, and frees what any thread has removed: see [`Cache::flush`](crate::Cache::flush).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fleeting::MemStore;
    ///
    /// let store = MemStore::new(Duration::ZERO);
    /// store.save_for("token", b"data", Duration::from_secs(60));
    /// store.delete("token");
    /// store.flush();
    /// ```
    pub fn flush(&self) {
        reclaim::flush();
    }

    /// Stops the janitor from sweeping this store, and waits until a sweep under way has ended, which takes one batch of it,
    /// and until its thread is gone. Of a shared [`Janitor`](crate::Janitor), the thread goes on if it has other caches.
    /// Idempotent; the store works on, and [`start_cleanup`](Self::start_cleanup) has it swept again.
    ///
    /// It waits for a removal callback that the janitor is running, so it must not be called with a lock held that the
    /// callback takes: see [`stop_cleanup_within`](Self::stop_cleanup_within). On the thread of any janitor, as in a
    /// callback or a `Drop` that it runs, it waits for nothing, and the sweep ends after it has returned.
    pub fn stop_cleanup(&self) {
        self.cleanup.stop();
    }

    /// Stops the janitor, as [`stop_cleanup`](Self::stop_cleanup) does, but waits no longer than `limit`. True if its
    /// sweep has ended and its thread is gone; false if a callback still runs, say. Either way no other sweep begins, and
    /// the store works on.
    ///
    /// # Examples
    ///
    /// Dropping the last handle while a lock is held that the callback takes would hang. With a limit, the lock can be
    /// given up if it must be:
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use std::time::Duration;
    /// use fleeting::MemStore;
    ///
    /// let log = Arc::new(Mutex::new(Vec::new()));
    /// let writes = log.clone();
    /// let store = MemStore::builder().on_removal(move |token, _, _| writes.lock().unwrap().push(token.to_vec())).build()?;
    ///
    /// let guard = log.lock().unwrap();
    /// let is_stopped = store.stop_cleanup_within(Duration::from_millis(100));
    /// if !is_stopped {
    ///     drop(guard); // A callback may wait for it.
    /// }
    /// drop(store);
    /// # Ok::<(), fleeting::BuildError>(())
    /// ```
    pub fn stop_cleanup_within(&self, limit: Duration) -> bool {
        self.cleanup.stop_within(limit)
    }

    /// Starts the janitor again, unless it runs: after [`stop_cleanup`](Self::stop_cleanup), and in a child process that
    /// was made by `fork`, which inherits the store but no thread.
    ///
    /// # Forks
    ///
    /// The child has a copy of all entries, of which nothing is shared with the parent. They expire on time, and every
    /// operation works, but nothing is swept until this is called. Dropping the last handle stops nothing and waits for
    /// nothing. What other threads of the parent were in the middle of never ends in the child: if one was in an operation
    /// of a cache, the child frees no removed entry from then on; if it was the janitor, the child never drops the
    /// entries of that cache. So fork while the other threads are idle, or, better, before there are any.
    ///
    /// # Errors
    ///
    /// The store was built with a `cleanup_interval` of zero, or the system gives no thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fleeting::MemStore;
    ///
    /// let store = MemStore::new(Duration::from_secs(5));
    /// store.stop_cleanup();
    /// // Or here, in a child process that was forked:
    /// store.start_cleanup()?;
    /// # Ok::<(), fleeting::BuildError>(())
    /// ```
    pub fn start_cleanup(&self) -> Result<(), BuildError> {
        self.cleanup.start()
    }

    /// What the store has done and holds.
    pub fn stats(&self) -> Stats {
        self.core.engine.stats()
    }

    /// Publishes the statistics as metrics, as each sweep does. Needs feature `metrics`; see [`observe`](crate::observe).
    #[cfg(feature = "metrics")]
    pub fn publish_metrics(&self) {
        self.core.engine.counters().publish();
    }

    /// A handle that does not keep the store alive.
    pub fn downgrade(&self) -> WeakMemStore {
        WeakMemStore { cleanup: Arc::downgrade(&self.cleanup), core: Arc::downgrade(&self.core) }
    }
}

impl WeakMemStore {
    /// The store, if a handle to it is left.
    pub fn upgrade(&self) -> Option<MemStore> {
        Some(MemStore { cleanup: self.cleanup.upgrade()?, core: self.core.upgrade()? })
    }
}

impl Deref for SessionData {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.0.data()
    }
}

impl AsRef<[u8]> for SessionData {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Deref for Token {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.token()
    }
}

impl AsRef<[u8]> for Token {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for SessionData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionData({} bytes)", self.len())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} bytes)", self.len())
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({})", self.0)
    }
}

impl fmt::Debug for MemStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemStore").field("sessions", &self.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for WeakMemStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakMemStore").finish_non_exhaustive()
    }
}

/// A number that no other call returns. Each thread draws from a block of its own, so that saves do not meet on one counter.
fn next_version() -> u64 {
    const BLOCK: u64 = 1 << 16;
    static NEXT: AtomicU64 = AtomicU64::new(0);
    thread_local! {
        static LEFT: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
    }
    let (mut next, mut end) = LEFT.get();
    if next == end {
        // Ordering: Relaxed: only the numbers' being different counts.
        next = NEXT.fetch_add(BLOCK, Ordering::Relaxed);
        end = next + BLOCK;
    }
    LEFT.set((next + 1, end));
    next
}
