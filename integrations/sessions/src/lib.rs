#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod builder;
mod counts;
#[cfg(feature = "serde")]
mod snapshot;

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crossbeam_queue::SegQueue;
pub use fleeting;
use fleeting::{Cache, Clock, Op, Outcome, Stats};

pub use self::builder::SessionsBuilder;
use self::counts::{Counts, add};
#[cfg(feature = "serde")]
pub use self::snapshot::{LoadedSessions, SessionsSnapshot};

/// Sessions by key, each with its own expiry, and the keys of those that were deleted. A handle: clones share one map.
///
/// A session that was deleted leaves a *tombstone*, its key without its data, for as long as it would have lived, but
/// [a day](SessionsBuilder::tombstone_time) at most: what comes late finds it, and its key is not given out again. Each operation on a key is one atomic decision (`Cache::compute`), lock-free.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use fleeting_sessions::{Lifetime, Sessions, Update};
///
/// let sessions = Sessions::<u128, String>::builder().build()?;
/// let lifetime = Lifetime::For(Duration::from_secs(1800));
/// assert!(sessions.create(7, Arc::new("user=1".to_owned()), lifetime));
/// assert_eq!(sessions.update(7, Arc::new("user=2".to_owned()), lifetime), Update::Done);
/// sessions.delete(7);
/// assert_eq!(sessions.update(7, Arc::new("user=3".to_owned()), lifetime), Update::Deleted);
/// assert_eq!(sessions.load(&7), None);
/// # Ok::<(), fleeting_sessions::fleeting::BuildError>(())
/// ```
pub struct Sessions<K, V>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    cache: Cache<K, Slot<V>>,
    counts: Arc<Counts>,
    /// Tombstones stay no longer.
    tombstone_time: Duration,
    /// No more tombstones stay than this.
    max_tombstones: usize,
    /// The keys of tombstones in the order in which they came, those that have left since included.
    graves: Arc<SegQueue<K>>,
    /// That of the cache, if it was given one.
    clock: Option<Arc<dyn Clock>>,
}

/// How long a session lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Lifetime {
    /// Until this wall-clock time, as it is when the session is written; setting the wall clock later moves nothing.
    Until(SystemTime),
    /// From now on, this long.
    For(Duration),
}

/// What [`Sessions::update`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Update {
    /// The session was live, and is updated.
    Done,
    /// The session was deleted: nothing changes.
    Deleted,
    /// No session is known under this key, or it has expired: nothing changes.
    Absent,
    /// The session was live, and the closure of [`Sessions::update_with`] refused to replace it: nothing changes.
    Stale,
}

/// What stands under a key.
enum Slot<V> {
    /// A session, and what it was last given to live.
    Live(Arc<V>, Lifetime),
    /// A tombstone.
    Deleted,
}

impl<V> Slot<V> {
    fn session(&self) -> Option<&Arc<V>> {
        match self {
            Slot::Live(session, _) => Some(session),
            Slot::Deleted => None,
        }
    }

    /// The step that puts a session.
    fn put(session: &Arc<V>, lifetime: Lifetime) -> Op<Self> {
        let slot = Slot::Live(session.clone(), lifetime);
        match lifetime {
            Lifetime::Until(expiry) => Op::PutWithExpiry(slot, expiry),
            Lifetime::For(ttl) => Op::PutWithTtl(slot, ttl),
        }
    }
}

impl<V> Clone for Slot<V> {
    fn clone(&self) -> Self {
        match self {
            Slot::Live(session, lifetime) => Slot::Live(session.clone(), *lifetime),
            Slot::Deleted => Slot::Deleted,
        }
    }
}

impl<K, V> Sessions<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// Configures a map of sessions.
    pub fn builder() -> SessionsBuilder<K, V> {
        SessionsBuilder::new()
    }

    /// A live session. Lock-free; allocates nothing. Counts as a hit or a miss.
    pub fn load(&self, key: &K) -> Option<Arc<V>> {
        let found = self.cache.read(key, |slot| slot.session().cloned());
        if matches!(found, Some(None)) {
            // The cache below has counted a hit, of a tombstone.
            add(&self.counts.dead_loads, 1);
        }
        found.flatten()
    }

    /// A live session, without counting the look.
    pub fn peek(&self, key: &K) -> Option<Arc<V>> {
        self.cache.peek(key).and_then(|slot| slot.session().cloned())
    }

    /// Puts a session under a key that no session has, or had until it was deleted. False, and nothing changes, if one has. Atomic: of two
    /// with one key, one succeeds.
    pub fn create(&self, key: K, session: Arc<V>, lifetime: Lifetime) -> bool {
        let outcome = self.cache.compute(key, |slot| match slot {
            None => Slot::put(&session, lifetime),
            Some(_) => Op::Keep,
        });
        outcome != Outcome::Kept
    }

    /// Replaces a live session, data and lifetime; with a lifetime that has ended, it is gone. What comes late undoes neither a deletion nor an
    /// expiry: it is refused, and [counted](Self::refused).
    pub fn update(&self, key: K, session: Arc<V>, lifetime: Lifetime) -> Update {
        let update = self.change(key, |slot| match slot {
            Some(Slot::Live(..)) => (Update::Done, Slot::put(&session, lifetime)),
            Some(Slot::Deleted) => (Update::Deleted, Op::Keep),
            None => (Update::Absent, Op::Keep),
        });
        self.count_refused(update);
        update
    }

    /// Replaces a live session by what `f` makes of it, or leaves it if `f` returns None. Atomic: `f` may run
    /// again if another write comes first, and what it answered last is what was done. For checking that a session
    /// has not changed since it was loaded, by a version in its data. Refusals are [counted](Self::refused).
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use std::time::Duration;
    /// # use fleeting_sessions::{Lifetime, Sessions, Update};
    /// let sessions = Sessions::<u32, (u64, &str)>::builder().build()?;
    /// let lifetime = Lifetime::For(Duration::from_secs(1800));
    /// let save = |version, data| {
    ///     sessions.update_with(7, lifetime, |(current, _)| (*current == version).then(|| Arc::new((version + 1,
    ///   data))))
    /// };
    /// sessions.create(7, Arc::new((1, "role=admin")), lifetime);
    /// assert_eq!(save(1, "role=guest"), Update::Done);
    /// assert_eq!(save(1, "role=admin;seen"), Update::Stale); // loaded before
    /// # Ok::<(), fleeting_sessions::fleeting::BuildError>(())
    /// ```
    pub fn update_with(&self, key: K, lifetime: Lifetime, mut f: impl FnMut(&V) -> Option<Arc<V>>) -> Update {
        let update = self.change(key, |slot| match slot {
            Some(Slot::Live(session, _)) => match f(session) {
                Some(session) => (Update::Done, Slot::put(&session, lifetime)),
                None => (Update::Stale, Op::Keep),
            },
            missing => (if missing.is_some() { Update::Deleted } else { Update::Absent }, Op::Keep),
        });
        self.count_refused(update);
        update
    }

    /// Replaces a session or puts a new one, but not where one was deleted: then it is refused, counted, and the answer is false.
    pub fn put_unless_deleted(&self, key: K, session: Arc<V>, lifetime: Lifetime) -> bool {
        let update = self.change(key, |slot| match slot {
            Some(Slot::Deleted) => (Update::Deleted, Op::Keep),
            Some(Slot::Live(..)) | None => (Update::Done, Slot::put(&session, lifetime)),
        });
        self.count_refused(update);
        update == Update::Done
    }

    /// Puts a session, whatever stands under its key, a tombstone included.
    pub fn put(&self, key: K, session: Arc<V>, lifetime: Lifetime) {
        self.cache.compute(key, |_| Slot::put(&session, lifetime));
    }

    /// Gives a live session a new lifetime, from now on; its data stay. False if there is none.
    pub fn extend(&self, key: K, lifetime: Lifetime) -> bool {
        let update = self.change(key, |slot| match slot {
            Some(Slot::Live(session, _)) => (Update::Done, Slot::put(session, lifetime)),
            Some(Slot::Deleted) | None => (Update::Absent, Op::Keep),
        });
        update == Update::Done
    }

    /// Deletes a session, and leaves a tombstone: until the session's own expiry, or, if it was given a time to live, for that time from now on; but
    /// for [its time](SessionsBuilder::tombstone_time) at most. True if there was a live one; else nothing changes.
    pub fn delete(&self, key: K) -> bool {
        self.delete_if(key, |_| true)
    }

    /// [`delete`](Self::delete), if `f` holds for the session. `f` may run again if another write comes first.
    pub fn delete_if(&self, key: K, mut f: impl FnMut(&V) -> bool) -> bool {
        self.bury(key, |slot| match slot {
            Some(Slot::Live(session, lifetime)) if f(session) => Some(self.tombstone(*lifetime)),
            Some(_) | None => None,
        })
    }

    /// [`delete`](Self::delete) that leaves a tombstone, for `absent` from now on, where there is no session, too. For a cache in front of another store, where
    /// a session that is on its way from there must not arrive after its deletion.
    pub fn delete_or_bar(&self, key: K, absent: Duration) {
        self.bury(key, |slot| match slot {
            Some(Slot::Live(_, lifetime)) => Some(self.tombstone(*lifetime)),
            Some(Slot::Deleted) => None,
            None => Some(Op::PutWithTtl(Slot::Deleted, absent)),
        });
    }

    /// Deletes each live session for which `f` holds, and returns how many: "log this user out everywhere". What is created meanwhile may stay.
    /// `f` may be asked more than once about one session.
    ///
    /// # Complexity
    ///
    /// Lock-free, O(entries), a few buckets at a time: nobody waits for it.
    pub fn delete_where(&self, mut f: impl FnMut(&K, &V) -> bool) -> usize {
        let mut deleted = 0;
        for (key, session) in self.iter() {
            if f(&key, &session) && self.delete_if(key.clone(), |session| f(&key, session)) {
                deleted += 1;
            }
        }
        deleted
    }

    /// Iterates over the live sessions: no lock, no snapshot. A session that is there throughout is seen exactly once; one that
    /// comes or goes meanwhile may be.
    pub fn iter(&self) -> impl Iterator<Item = (K, Arc<V>)> {
        self.cache.iter().filter_map(|(key, slot)| Some((key, slot.session()?.clone())))
    }

    /// Number of sessions and tombstones held: what takes memory. Those that have expired but have not been swept
    /// are included. O(1).
    pub fn held(&self) -> usize {
        self.cache.len()
    }

    /// Number of sessions held, those included that have expired but have not been swept; without tombstones. O(1).
    pub fn len(&self) -> usize {
        self.cache.len().saturating_sub(self.tombstones())
    }

    /// Whether [`len`](Self::len) is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of tombstones held: [`max_tombstones`](SessionsBuilder::max_tombstones) at most, and one more for
    /// each thread that is deleting. O(1).
    pub fn tombstones(&self) -> usize {
        self.counts.tombstones()
    }

    /// Number of tombstones that were given up early, since there were [too many](SessionsBuilder::max_tombstones).
    pub fn forgotten(&self) -> u64 {
        self.counts.forgotten()
    }

    /// Number of updates that came too late, or were stale, and were refused, since the map was built.
    pub fn refused(&self) -> u64 {
        self.counts.refused()
    }

    /// Removes all sessions and tombstones. Those that come meanwhile may stay.
    pub fn clear(&self) {
        self.cache.clear();
    }

    /// Removes every session and tombstone that has expired by now, and returns how many. O(expired), not O(entries).
    pub fn sweep(&self) -> usize {
        self.cache.sweep()
    }

    /// Stops the janitor and returns when its thread is gone. Idempotent; the map works on.
    pub fn stop_cleanup(&self) {
        self.cache.stop_cleanup();
    }

    /// What has been done to sessions, and how many there are. Tombstones are none: a load that meets one is a
    /// miss, a deletion is a removal, and an expired tombstone counts nowhere. An extension counts as replaced,
    /// since it puts the session anew. Listings, [`peek`](Self::peek) and writes count neither hits nor misses.
    pub fn stats(&self) -> Stats {
        self.counts.of_sessions(self.cache.stats())
    }

    /// Decides by what is there, atomically. What was decided last is what was done.
    fn change(&self, key: K, mut decide: impl FnMut(Option<&Slot<V>>) -> (Update, Op<Slot<V>>)) -> Update {
        let mut update = Update::Absent;
        self.cache.compute(key, |slot| {
            let (decided, step) = decide(slot);
            update = decided;
            step
        });
        update
    }

    /// Puts the tombstone that `decide` says, and counts it; [`SessionsBuilder::build`] counts those that leave. True if it did.
    fn bury(&self, key: K, mut decide: impl FnMut(Option<&Slot<V>>) -> Option<Op<Slot<V>>>) -> bool {
        let mut is_buried = false;
        let outcome = self.cache.compute(key.clone(), |slot| {
            let step = decide(slot);
            is_buried = step.is_some();
            step.unwrap_or(Op::Keep)
        });
        // A tombstone that is dead on arrival does not come.
        if is_buried && matches!(outcome, Outcome::Inserted | Outcome::Replaced) {
            self.counts.buried(outcome == Outcome::Replaced);
            self.graves.push(key);
            self.forget_beyond_the_bound();
        }
        is_buried
    }

    /// Gives the oldest tombstones up, as long as there are more keys than tombstones may be. What has left by
    /// itself costs a look.
    fn forget_beyond_the_bound(&self) {
        while self.graves.len() > self.max_tombstones {
            let Some(key) = self.graves.pop() else { return };
            let outcome = self.cache.compute(key, |slot| match slot {
                Some(Slot::Deleted) => Op::Remove,
                Some(Slot::Live(..)) | None => Op::Keep,
            });
            if outcome == Outcome::Removed {
                add(&self.counts.forgotten, 1);
            }
        }
    }

    /// The step that puts the tombstone of a session. A time to live begins anew for it: so a request would have to take longer than a session
    /// lives, or than tombstones stay, to come after its end.
    fn tombstone(&self, lifetime: Lifetime) -> Op<Slot<V>> {
        match lifetime {
            // With the deadline of the session.
            Lifetime::Until(expiry) if self.is_within_tombstone_time(expiry) => Op::Put(Slot::Deleted),
            Lifetime::Until(_) => Op::PutWithTtl(Slot::Deleted, self.tombstone_time),
            Lifetime::For(ttl) => Op::PutWithTtl(Slot::Deleted, ttl.min(self.tombstone_time)),
        }
    }

    fn is_within_tombstone_time(&self, expiry: SystemTime) -> bool {
        let now = self.clock.as_ref().map_or_else(SystemTime::now, |clock| clock.with_system_time().1);
        expiry.duration_since(now).is_ok_and(|ahead| ahead <= self.tombstone_time)
    }

    fn count_refused(&self, update: Update) {
        if update != Update::Done {
            add(&self.counts.refused, 1);
        }
    }
}

impl<K, V> Clone for Sessions<K, V>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn clone(&self) -> Self {
        Sessions {
            cache: self.cache.clone(),
            counts: self.counts.clone(),
            tombstone_time: self.tombstone_time,
            max_tombstones: self.max_tombstones,
            graves: self.graves.clone(),
            clock: self.clock.clone(),
        }
    }
}

/// Prints no key and no session.
impl<K, V> fmt::Debug for Sessions<K, V>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sessions").field(&self.cache).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The READMEs' figure: an entry is 40 bytes beside key and value. Catches a slot that has grown.
    #[test]
    fn a_slot_takes_32_bytes() {
        assert_eq!(size_of::<Slot<String>>(), 32);
    }
}
