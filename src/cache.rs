//! `Cache<K, V, S>`: the public operations, a few lines each over the engine.

mod core;
#[cfg(feature = "serde")]
mod snapshot;
mod views;

use std::borrow::Borrow;
use std::cell::RefCell;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use ahash::RandomState;

pub(crate) use self::core::Core;
pub use self::views::{Pinned, WeakCache};
use crate::builder::Builder;
use crate::engine::{RemovalCause, Step, VISIT, Written};
use crate::error::BuildError;
use crate::expiry::NEVER;
use crate::integer::Integer;
use crate::janitor::Cleanup;
use crate::loading::Part;
use crate::map::{Entry, Owned};
use crate::reclaim::{self, Ref};
use crate::stats::{Count, Stats};

/// An expiring in-process cache. A handle: clones share one cache.
///
/// Reads take no lock and write nothing; every operation of the cache is lock-free, growth included, so that a thread that is stopped
/// anywhere stops no other. An entry is never returned at or after its deadline, however late it is removed.
///
/// User code (`Hash`, `Eq`, `Clone`, closures, callbacks) runs where a panic leaves the cache sound. Values are dropped some time after they
/// left, on any thread.
///
/// # Dropping
///
/// Dropping the last handle stops the janitor and waits for it, as [`stop_cleanup`](Self::stop_cleanup) does, and then
/// drops the entries. So it must not be done with a lock held that a removal callback or a value's `Drop` takes:
/// see [`stop_cleanup_within`](Self::stop_cleanup_within). On the thread of any janitor, as in a callback, it waits for
/// nothing; if the janitor is sweeping this cache, it drops the entries when that sweep ends.
///
/// Each cache has a janitor thread of its own, unless it is built with a [`Janitor`](crate::Janitor) that many share.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fleeting::Cache;
///
/// let cache = Cache::new();
/// cache.insert_with_ttl("token", 42, Duration::from_secs(60));
/// assert_eq!(cache.get("token"), Some(42));
/// assert!(cache.update("token", |value| value + 1));
/// assert_eq!(cache.take("token"), Some(43));
/// assert_eq!(cache.get("token"), None);
/// ```
pub struct Cache<K, V, S = RandomState>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    // Dropped first: where it may wait, no sweep is under way when the entries are dropped.
    cleanup: Arc<Cleanup>,
    core: Arc<Core<K, V, S>>,
}

/// What [`Cache::compute`] does with what it found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op<V> {
    /// Nothing; the idle time goes on, too.
    Keep,
    /// Puts this value: with the time to live of the live entry, which goes on, or as a new entry with the default
    /// one. The idle time begins anew.
    Put(V),
    /// Puts this value, to live this long.
    PutWithTtl(V, Duration),
    /// Puts this value, to live until this wall-clock time, which is kept on the monotonic clock, as [`MemStore`](crate::MemStore) does. With one
    /// that has come, the entry is gone.
    PutWithExpiry(V, SystemTime),
    /// Removes the entry.
    Remove,
}

/// What [`Cache::compute`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// There is a live entry, and it was kept.
    Kept,
    /// A new entry came in.
    Inserted,
    /// The entry's value was replaced.
    Replaced,
    /// The entry was removed.
    Removed,
    /// There is no entry, and none came in.
    Absent,
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// A cache without bounds and without a default time to live, whose janitor looks every second.
    ///
    /// # Panics
    ///
    /// If the system gives no thread; [`builder`](Self::builder) returns that as an error.
    pub fn new() -> Self {
        match Self::builder().build() {
            Ok(cache) => cache,
            Err(error) => panic!("{error}"),
        }
    }

    /// Configures a cache.
    pub fn builder() -> Builder<K, V> {
        Builder::new()
    }
}

impl<K, V> Default for Cache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V, S> Cache<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher,
{
    pub(crate) fn from_parts(core: Arc<Core<K, V, S>>, cleanup: Cleanup) -> Self {
        Cache { cleanup: Arc::new(cleanup), core }
    }

    /// Inserts or replaces, with the default time to live. True if the key had no live entry.
    ///
    /// # Complexity
    ///
    /// Lock-free; one allocation; may help a growth by some buckets.
    pub fn insert(&self, key: K, value: V) -> bool {
        self.insert_capped(key, value, self.core.cap(None))
    }

    /// [`insert`](Self::insert) with a time to live of its own. Zero: any entry of the key is gone, and none comes.
    pub fn insert_with_ttl(&self, key: K, value: V, ttl: Duration) -> bool {
        self.insert_capped(key, value, self.core.cap(Some(ttl)))
    }

    /// [`insert`](Self::insert) with a deadline. One that has come: any entry of the key is gone, and none comes.
    pub fn insert_until(&self, key: K, value: V, deadline: Instant) -> bool {
        self.insert_capped(key, value, self.core.engine.time().at_instant(deadline))
    }

    fn insert_capped(&self, key: K, value: V, cap: u64) -> bool {
        let guard = self.core.engine.change();
        let entry = self.core.entry(key, value, cap, &guard);
        matches!(self.core.put(entry, &guard, |_| true), Written::Inserted(_) | Written::Absent)
    }

    /// Inserts only if the key has no live entry. Atomic: of two, one succeeds.
    ///
    /// # Errors
    ///
    /// Key and value back, if it has.
    pub fn insert_if_absent(&self, key: K, value: V) -> Result<(), (K, V)> {
        self.insert_if(key, value, |is_live| !is_live)
    }

    /// Replaces the value only if the key has a live entry; the default time to live begins anew.
    ///
    /// # Errors
    ///
    /// Key and value back, if it has none.
    pub fn replace(&self, key: K, value: V) -> Result<(), (K, V)> {
        self.insert_if(key, value, |is_live| is_live)
    }

    fn insert_if(&self, key: K, value: V, may: impl FnMut(bool) -> bool) -> Result<(), (K, V)> {
        let guard = self.core.engine.change();
        let entry = self.core.entry(key, value, self.core.cap(None), &guard);
        match self.core.put(entry, &guard, may) {
            Written::Kept(_, Some(entry)) => Err(Entry::into_parts(entry)),
            _ => Ok(()),
        }
    }

    /// Replaces the value of a live entry by `f` of it, atomically; the time to live goes on, whatever touches it
    /// meanwhile, and the idle time begins anew. False if there is none.
    ///
    /// `f` runs again whenever another write of the key came first. While it runs, no memory that any cache
    /// retires is freed.
    ///
    /// # Panics
    ///
    /// If `f` itself writes an entry of its own key each time it runs, a thousand times over, since that would never end.
    pub fn update<Q, F>(&self, key: &Q, mut f: F) -> bool
    where
        K: Borrow<Q> + Clone,
        Q: Hash + Eq + ?Sized,
        F: FnMut(&V) -> V,
    {
        self.try_update(key, |value| Some(f(value))).is_some()
    }

    /// Updates unless `f` says None; returns the entry's new value through `R`.
    fn try_update<Q>(&self, key: &Q, mut f: impl FnMut(&V) -> Option<V>) -> Option<()>
    where
        K: Borrow<Q> + Clone,
        Q: Hash + Eq + ?Sized,
    {
        let core = &*self.core;
        let guard = core.engine.change();
        let hash = core.hash(key);
        let decide =
            |current: Option<Ref<'_, Entry<K, V>>>, _| match current.and_then(|old| Some((old, f(old.value())?))) {
                None => Step::Keep(None),
                Some((old, value)) => {
                    let mut entry = Entry::new(hash, old.key().clone(), value, NEVER, NEVER);
                    Entry::inherit(&mut entry, old);
                    Step::PutInheriting(entry)
                }
            };
        match core.engine.write(hash, |entry, _| entry.key().borrow() == key, &guard, None, decide) {
            Written::Replaced(entry) => {
                core.used(entry, &guard);
                Some(())
            }
            _ => None,
        }
    }

    /// Decides by what is there, atomically: see [`Op`] and [`Outcome`]. `f` runs again whenever another write of
    /// the key came first.
    ///
    /// # Panics
    ///
    /// If `f` itself writes an entry of its own key each time it runs, a thousand times over, since that would never end.
    ///
    /// While the closure runs, no memory that any cache retires is freed.
    ///
    /// # Examples
    ///
    /// ```
    /// use fleeting::{Cache, Op, Outcome};
    ///
    /// let visits = Cache::new();
    /// let mut visit = |user| visits.compute(user, |count: Option<&u32>| match count {
    ///     Some(2..) => Op::Remove,
    ///     Some(count) => Op::Put(count + 1),
    ///     None => Op::Put(1),
    /// });
    /// assert_eq!([visit(7), visit(7), visit(7)], [Outcome::Inserted, Outcome::Replaced, Outcome::Removed]);
    /// ```
    pub fn compute<F>(&self, key: K, mut f: F) -> Outcome
    where
        F: FnMut(Option<&V>) -> Op<V>,
    {
        let core = &*self.core;
        let guard = core.engine.change();
        let hash = core.hash(&key);
        // The key is here, or in the entry that an earlier try made.
        let key = RefCell::new(Some(key));
        let eq = |other: Ref<'_, Entry<K, V>>, mine: Option<&Owned<Entry<K, V>>>| match mine {
            Some(mine) => other.key() == mine.key(),
            None => key.borrow().as_ref().is_some_and(|key| other.key() == key),
        };
        let decide = |current: Option<Ref<'_, Entry<K, V>>>, spare: Option<Owned<Entry<K, V>>>| {
            if let Some(entry) = spare {
                key.replace(Some(Entry::into_parts(entry).0));
            }
            let (value, cap) = match f(current.as_ref().map(|entry| entry.value())) {
                Op::Keep => return Step::Keep(None),
                Op::Remove => return Step::Cut,
                Op::Put(value) => (value, None),
                Op::PutWithTtl(value, ttl) => (value, Some(core.cap(Some(ttl)))),
                Op::PutWithExpiry(value, expiry) => (value, Some(core.engine.time().at_system_time(expiry))),
            };
            let key = key.take().expect("taken only into an entry, and back out of it above");
            match current {
                Some(old) if cap.is_none() => {
                    let mut entry = Entry::new(hash, key, value, NEVER, NEVER);
                    Entry::inherit(&mut entry, old);
                    Step::PutInheriting(entry)
                }
                _ => {
                    let cap = cap.unwrap_or_else(|| core.cap(None));
                    Step::Put(Entry::new(hash, key, value, core.deadline(cap), cap))
                }
            }
        };
        match core.engine.write(hash, eq, &guard, None, decide) {
            Written::Kept(Some(_), _) => Outcome::Kept,
            Written::Kept(None, _) | Written::Absent => Outcome::Absent,
            Written::Inserted(_) => Outcome::Inserted,
            Written::Replaced(entry) => {
                core.used(entry, &guard);
                Outcome::Replaced
            }
            // Stillborn: the closure has been told of an entry that was gone, perhaps, and cannot be asked anew without the key, which is
            // in the new one: this is where X10 falls short.
            Written::Stillborn => Outcome::Replaced,
            Written::Removed(_) => Outcome::Removed,
        }
    }

    /// The value of a key; if it has none, `f` of one caller makes it, and all others who ask meanwhile wait for that.
    ///
    /// If `f` panics, the panic goes to its caller, and one of those who wait runs its own. An `f` that asks for its own key runs nested.
    /// A value that is dead on arrival (a time to live of zero) is returned, but not kept.
    ///
    /// A call counts once in [`Stats`]: as a miss if it found no value at first, though it waited and then shared
    /// another's.
    pub fn get_or_insert_with(&self, key: K, f: impl FnOnce() -> V) -> V
    where
        V: Clone,
    {
        let infallible = self.try_get_or_insert_with(key, || Ok::<V, std::convert::Infallible>(f()));
        match infallible {
            Ok(value) => value,
        }
    }

    /// [`get_or_insert_with`](Self::get_or_insert_with) for an `f` that may fail.
    ///
    /// # Errors
    ///
    /// That of `f`. Nothing is kept; one of those who wait runs its own `f`.
    pub fn try_get_or_insert_with<E>(&self, key: K, f: impl FnOnce() -> Result<V, E>) -> Result<V, E>
    where
        V: Clone,
    {
        let core = &*self.core;
        let mut looked = self.get(&key);
        loop {
            if let Some(value) = looked {
                return Ok(value);
            }
            let part = core.flights.join(core.hash(&key));
            if matches!(part, Part::Waited) {
                // A use, but one that is counted already, as a miss.
                let guard = self.core.engine.read();
                looked = core.look(&key, &guard).map(|entry| {
                    core.used(entry, &guard);
                    entry.value().clone()
                });
                continue;
            }
            // Another leader may have landed between the look and the join.
            if let Some(value) = self.peek(&key) {
                return Ok(value);
            }
            let value = f()?;
            let guard = self.core.engine.change();
            let entry = core.entry(key, value.clone(), core.cap(None), &guard);
            return match core.put(entry, &guard, |is_live| !is_live) {
                Written::Kept(Some(other), _) => Ok(other.value().clone()),
                _ => Ok(value),
            };
        }
    }

    /// Gives a live entry a new time to live, from now on; false if there is none.
    ///
    /// # Complexity
    ///
    /// Lock-free: one compare-and-swap on the entry's own line; allocates nothing unless the deadline comes earlier.
    pub fn touch<Q>(&self, key: &Q, ttl: Duration) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.core.touch(key, self.core.cap(Some(ttl)), &self.core.engine.read()).is_some()
    }

    /// Ends a live entry's time to live: it never expires (unless idle, where that is configured). False if there is none.
    pub fn persist<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.core.touch(key, NEVER, &self.core.engine.read()).is_some()
    }

    /// Removes a key; true if it had a live entry.
    pub fn remove<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.core.remove(key, &self.core.engine.change(), |_| true).is_some()
    }

    /// Removes a key and returns its value. Of two callers, one gets it.
    pub fn take<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        let guard = self.core.engine.change();
        self.core.remove(key, &guard, |_| true).map(|entry| entry.value().clone())
    }

    /// Removes a key if `f` holds for its value, atomically; true if it did. `f` runs again whenever another write
    /// of the key came first. While it runs, no memory that any cache retires is freed.
    ///
    /// # Panics
    ///
    /// If `f` itself writes an entry of its own key each time it runs, a thousand times over, since that would never end.
    pub fn remove_if<Q>(&self, key: &Q, f: impl FnMut(&V) -> bool) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.core.remove(key, &self.core.engine.change(), f).is_some()
    }

    /// Removes each live entry for which `f` does not hold. What is put under a key while `f` looks at the former value stays. While `f` runs, no
    /// memory that any cache retires is freed; between two batches of a few buckets it is.
    pub fn retain(&self, mut f: impl FnMut(&K, &V) -> bool) {
        self.core.engine.remove_where(RemovalCause::Removed, |entry| !f(entry.key(), entry.value()));
    }

    /// Removes all entries. Those that come in meanwhile may stay.
    pub fn clear(&self) {
        self.core.engine.remove_where(RemovalCause::Cleared, |_| true);
    }

    /// Adds to an integer, atomically; the time to live goes on, and the idle time begins anew. The new value; None,
    /// and nothing changes, if there is no live entry or the sum overflows.
    pub fn increment<Q>(&self, key: &Q, by: V) -> Option<V>
    where
        K: Borrow<Q> + Clone,
        Q: Hash + Eq + ?Sized,
        V: Integer,
    {
        self.calculate(key, |value| value.plus(by))
    }

    /// Subtracts from an integer, atomically; the time to live goes on, and the idle time begins anew. The new
    /// value; None, and nothing changes, if there is no live entry or it overflows.
    pub fn decrement<Q>(&self, key: &Q, by: V) -> Option<V>
    where
        K: Borrow<Q> + Clone,
        Q: Hash + Eq + ?Sized,
        V: Integer,
    {
        self.calculate(key, |value| value.minus(by))
    }

    fn calculate<Q>(&self, key: &Q, f: impl Fn(V) -> Option<V>) -> Option<V>
    where
        K: Borrow<Q> + Clone,
        Q: Hash + Eq + ?Sized,
        V: Integer,
    {
        let mut result = None;
        let changed = self.try_update(key, |value| {
            result = f(*value);
            result
        });
        changed.and(result)
    }

    /// The value of a live entry, cloned.
    ///
    /// # Complexity
    ///
    /// Lock-free, O(1); about two cache misses; writes nothing shared but a count on the thread's own line.
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        self.read(key, V::clone)
    }

    /// `f` of the value of a live entry, in place. While `f` runs, no memory that any cache retires is freed, so it should be short.
    #[inline]
    pub fn read<Q, R>(&self, key: &Q, f: impl FnOnce(&V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let guard = self.core.engine.read();
        let entry = self.core.find(key, &guard)?;
        Some(f(entry.get().value()))
    }

    /// The value of a live entry, and when it expires; None for never.
    pub fn get_with_deadline<Q>(&self, key: &Q) -> Option<(V, Option<Instant>)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        let guard = self.core.engine.read();
        let core = &*self.core;
        let eq = |entry: Ref<'_, Entry<K, V>>| entry.key().borrow() == key;
        let found = core.engine.find_with_deadline(core.hash(key), eq, &guard);
        core.found(found.map(|(entry, _)| entry), &guard);
        let (entry, deadline) = found?;
        Some((entry.value().clone(), core.engine.time().instant(deadline)))
    }

    /// The value of a live entry, which gets a new time to live.
    pub fn get_and_touch<Q>(&self, key: &Q, ttl: Duration) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        let guard = self.core.engine.read();
        let touched = self.core.touch(key, self.core.cap(Some(ttl)), &guard);
        self.core.engine.counters().count(if touched.is_some() { Count::Hits } else { Count::Misses });
        touched.map(|entry| entry.value().clone())
    }

    /// Looks many keys up under one pin, and calls `each` once a key, in order. Until it returns, no memory that any cache retires is freed.
    ///
    /// # Complexity
    ///
    /// Lock-free, allocates nothing. The cache misses of 16 keys at a time overlap, by software prefetch where the target has it.
    pub fn get_many<'k, Q>(&self, keys: &'k [Q], mut each: impl FnMut(&'k Q, Option<&V>))
    where
        K: Borrow<Q>,
        Q: Hash + Eq,
    {
        let core = &*self.core;
        let guard = core.engine.read();
        let eq = |index: usize, entry: Ref<'_, Entry<K, V>>| entry.key().borrow() == &keys[index];
        core.engine.find_many(
            keys.len(),
            |index| core.hash(&keys[index]),
            eq,
            &guard,
            |index, found| {
                core.found(found, &guard);
                each(&keys[index], found.as_ref().map(|entry| entry.value()));
            },
        );
    }

    /// Whether a key has a live entry. Counts as a read.
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.core.find(key, &self.core.engine.read()).is_some()
    }

    /// The value of a live entry, without a trace: no statistic, no idle time.
    pub fn peek<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        let guard = self.core.engine.read();
        self.core.look(key, &guard).map(|entry| entry.value().clone())
    }

    /// One pin for many reads, which lend values by reference. While it lives, no memory that any cache retires is freed: keep it short.
    /// It cannot leave its thread.
    ///
    /// ```compile_fail,E0277
    /// fn is_send<T: Send>(_: T) {}
    /// let cache = fleeting::Cache::<u32, u32>::new();
    /// is_send(cache.pin());
    /// ```
    pub fn pin(&self) -> Pinned<'_, K, V, S> {
        Pinned::new(&self.core)
    }

    /// Iterates over the live entries, cloned: no lock, no snapshot, and nobody waits for it. An entry that is there throughout is seen exactly
    /// once; one that comes or goes meanwhile may be. What it meets that has expired is removed, as by a find. Pins anew every few buckets.
    pub fn iter(&self) -> impl Iterator<Item = (K, V)>
    where
        K: Clone,
        V: Clone,
    {
        let mut from = Some(0);
        std::iter::from_fn(move || {
            let start = from?;
            let guard = self.core.engine.read();
            let mut batch = Vec::new();
            from = self.core.engine.visit(start, VISIT, &guard, |entry| {
                batch.push((entry.key().clone(), entry.value().clone()));
            });
            Some(batch)
        })
        .flatten()
    }

    /// Number of entries held, those included that have expired but have not been removed.
    pub fn len(&self) -> usize {
        self.core.engine.counters().entries()
    }

    /// Whether [`len`](Self::len) is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes every entry that has expired by now, and returns how many. O(expired), not O(entries).
    pub fn sweep(&self) -> usize {
        self.core.engine.sweep(true, || true)
    }

    /// Gives back what this thread holds, and frees what any thread has removed, as far as no thread is pinned.
    ///
    /// Caches do this by themselves: a thread as it changes a cache, a sweep for all threads. Call this where memory must be given back at
    /// once: before a thread goes idle for long where no janitor runs, or in a test that counts drops. It is for all caches of the process. Within a
    /// `Drop` of a value, or while this thread is pinned, it only hands over what this thread holds.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use fleeting::Cache;
    ///
    /// let (cache, value) = (Cache::new(), Arc::new(7));
    /// cache.insert("key", value.clone());
    /// cache.remove("key");
    /// cache.flush();
    /// assert_eq!(Arc::strong_count(&value), 1);
    /// ```
    ///
    /// # Complexity
    ///
    /// O(what is freed). Lock-free, but for the drops of values that it runs.
    pub fn flush(&self) {
        reclaim::flush();
    }

    /// Stops the janitor from sweeping this cache, and waits until a sweep under way has ended, which takes one batch of it,
    /// and until its thread is gone. Of a shared [`Janitor`](crate::Janitor), the thread goes on if it has other caches.
    /// Idempotent; the cache works on, and [`start_cleanup`](Self::start_cleanup) has it swept again.
    ///
    /// It waits for a removal callback that the janitor is running, so it must not be called with a lock held that the
    /// callback takes: see [`stop_cleanup_within`](Self::stop_cleanup_within). On the thread of any janitor, as in a
    /// callback or a `Drop` that it runs, it waits for nothing, and the sweep ends after it has returned.
    pub fn stop_cleanup(&self) {
        self.cleanup.stop();
    }

    /// Stops the janitor, as [`stop_cleanup`](Self::stop_cleanup) does, but waits no longer than `limit`. True if its
    /// sweep has ended and its thread is gone; false if a callback still runs, say. Either way no other sweep begins, and
    /// the cache works on.
    ///
    /// # Examples
    ///
    /// Dropping the last handle while a lock is held that the callback takes would hang. With a limit, the lock can be
    /// given up if it must be:
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use std::time::Duration;
    /// use fleeting::Cache;
    ///
    /// let log = Arc::new(Mutex::new(Vec::new()));
    /// let writes = log.clone();
    /// let cache: Cache<u64, u64> =
    ///     Cache::builder().on_removal(move |key, _, _| writes.lock().unwrap().push(*key)).build()?;
    ///
    /// let guard = log.lock().unwrap();
    /// let is_stopped = cache.stop_cleanup_within(Duration::from_millis(100));
    /// if !is_stopped {
    ///     drop(guard); // A callback may wait for it.
    /// }
    /// drop(cache);
    /// # Ok::<(), fleeting::BuildError>(())
    /// ```
    pub fn stop_cleanup_within(&self, limit: Duration) -> bool {
        self.cleanup.stop_within(limit)
    }

    /// Starts the janitor again, unless it runs: after [`stop_cleanup`](Self::stop_cleanup), and in a child process that
    /// was made by `fork`, which inherits the cache but no thread.
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
    /// The cache was built with a `cleanup_interval` of zero, or the system gives no thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fleeting::Cache;
    ///
    /// let cache: Cache<u64, u64> = Cache::builder().cleanup_interval(Duration::from_secs(5)).build()?;
    /// cache.stop_cleanup();
    /// // Or here, in a child process that was forked:
    /// cache.start_cleanup()?;
    /// # Ok::<(), fleeting::BuildError>(())
    /// ```
    pub fn start_cleanup(&self) -> Result<(), BuildError> {
        self.cleanup.start()
    }

    /// What the cache has done and holds.
    pub fn stats(&self) -> Stats {
        self.core.engine.stats()
    }

    /// Publishes the statistics as metrics, as each sweep does. Needs feature `metrics`; see [`observe`](crate::observe).
    #[cfg(feature = "metrics")]
    pub fn publish_metrics(&self) {
        self.core.engine.counters().publish();
    }

    /// A handle that does not keep the cache alive.
    pub fn downgrade(&self) -> WeakCache<K, V, S> {
        WeakCache::new(&self.cleanup, &self.core)
    }
}

impl<K, V, S> Clone for Cache<K, V, S>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn clone(&self) -> Self {
        Cache { cleanup: self.cleanup.clone(), core: self.core.clone() }
    }
}

impl<K, V, S> fmt::Debug for Cache<K, V, S>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("entries", &self.core.engine.counters().entries()).finish_non_exhaustive()
    }
}
