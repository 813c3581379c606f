//! What all handles of a cache share, and the steps that its public operations are made of.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, Hasher};
use std::time::Duration;

use crate::engine::{Engine, Operation, Step, Written, spread};
use crate::expiry::NEVER;
use crate::loading::Flights;
use crate::map::{Entry, Node, Owned};
use crate::reclaim::Ref;
use crate::stats::Count;

/// What all handles share.
pub(crate) struct Core<K, V, S>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub(super) engine: Engine<Entry<K, V>>,
    hasher: S,
    time_to_live: Option<Duration>,
    time_to_idle: Option<Duration>,
    pub(super) flights: Flights,
}

impl<K, V, S> Core<K, V, S>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub(crate) fn new(
        engine: Engine<Entry<K, V>>,
        hasher: S,
        time_to_live: Option<Duration>,
        time_to_idle: Option<Duration>,
    ) -> Self {
        Core { engine, hasher, time_to_live, time_to_idle, flights: Flights::default() }
    }

    pub(crate) fn sweep_due(&self, go_on: impl Fn() -> bool) {
        self.engine.sweep_due(go_on);
    }

    /// Where a time to live that begins now ends; the default one if None.
    pub(super) fn cap(&self, ttl: Option<Duration>) -> u64 {
        ttl.or(self.time_to_live).map_or(NEVER, |ttl| self.engine.time().after(ttl))
    }

    /// The deadline under a cap: the cap, or the end of idle time.
    pub(super) fn deadline(&self, cap: u64) -> u64 {
        self.time_to_idle.map_or(cap, |idle| self.engine.time().after(idle).min(cap))
    }

    /// Whether entries that are not read expire before their cap.
    #[cfg(feature = "serde")]
    pub(super) fn has_idle_time(&self) -> bool {
        self.time_to_idle.is_some()
    }

    /// Moves the end of idle time: on a hit, and on a write that keeps the time to live.
    #[inline]
    pub(super) fn used(&self, entry: Ref<'_, Entry<K, V>>, guard: &Operation<'_, Entry<K, V>>) {
        if self.time_to_idle.is_some() {
            self.postpone(entry, guard);
        }
    }

    /// Sets the deadline by the cap, until they agree: of several touches, the last to set the cap prevails as a whole.
    fn follow_cap(&self, entry: Ref<'_, Entry<K, V>>, guard: &Operation<'_, Entry<K, V>>) -> bool {
        loop {
            let cap = entry.cap();
            if !self.set_deadline(entry, self.deadline(cap), guard) {
                return false;
            }
            if entry.cap() == cap {
                return true;
            }
        }
    }

    fn set_deadline(&self, entry: Ref<'_, Entry<K, V>>, deadline: u64, guard: &Operation<'_, Entry<K, V>>) -> bool {
        self.engine.set_deadline(entry, || (deadline, self.engine.time().coarse()), guard)
    }

    #[cold]
    fn postpone(&self, entry: Ref<'_, Entry<K, V>>, guard: &Operation<'_, Entry<K, V>>) {
        let cap = entry.cap();
        self.engine.extend(entry, self.deadline(cap), guard);
        if entry.cap() != cap {
            self.follow_cap(entry, guard);
        }
    }
}

impl<K, V, S> Core<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher,
{
    #[inline]
    #[allow(clippy::manual_hash_one, reason = "as said below")]
    pub(super) fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> u64 {
        // Not `hash_one`: a hasher may specialize that by type, as ahash does on nightly, and a key's borrowed form is of another
        // type, with the same hash only by way of `Hash`.
        let mut hasher = self.hasher.build_hasher();
        key.hash(&mut hasher);
        spread(hasher.finish())
    }

    #[inline]
    pub(super) fn look<'g, Q>(&self, key: &Q, guard: &'g Operation<'_, Entry<K, V>>) -> Option<Ref<'g, Entry<K, V>>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.engine.find(self.hash(key), |entry| entry.key().borrow() == key, guard)
    }

    /// A look that counts, and postpones the end of idle time.
    #[inline]
    pub(super) fn find<'g, Q>(&self, key: &Q, guard: &'g Operation<'_, Entry<K, V>>) -> Option<Ref<'g, Entry<K, V>>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let found = self.look(key, guard);
        self.found(found, guard);
        found
    }

    #[inline]
    pub(super) fn found(&self, found: Option<Ref<'_, Entry<K, V>>>, guard: &Operation<'_, Entry<K, V>>) {
        match found {
            Some(entry) => {
                self.engine.counters().count(Count::Hits);
                self.used(entry, guard);
            }
            None => self.engine.counters().count(Count::Misses),
        }
    }

    /// Makes an entry; and asks for what the look-up of its place will read.
    pub(super) fn entry(&self, key: K, value: V, cap: u64, guard: &Operation<'_, Entry<K, V>>) -> Owned<Entry<K, V>> {
        let hash = self.hash(&key);
        self.engine.prefetch_nodes(hash, guard);
        Entry::new(hash, key, value, self.deadline(cap), cap)
    }

    /// Publishes an entry if `may` says so of the live one of its key.
    pub(super) fn put<'g>(
        &self,
        entry: Owned<Entry<K, V>>,
        guard: &'g Operation<'_, Entry<K, V>>,
        mut may: impl FnMut(bool) -> bool,
    ) -> Written<'g, Entry<K, V>> {
        let hash = entry.hash();
        let eq = |other: Ref<'g, Entry<K, V>>, mine: Option<&Owned<Entry<K, V>>>| {
            mine.is_some_and(|mine| other.key() == mine.key())
        };
        self.engine.write(hash, eq, guard, Some(entry), |current, spare| match spare {
            Some(entry) if may(current.is_some()) => Step::Put(entry),
            spare => Step::Keep(spare),
        })
    }

    /// Removes the live entry of a key if `may` says so.
    pub(super) fn remove<'g, Q>(
        &self,
        key: &Q,
        guard: &'g Operation<'_, Entry<K, V>>,
        mut may: impl FnMut(&V) -> bool,
    ) -> Option<Ref<'g, Entry<K, V>>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let decide = |current: Option<Ref<'g, Entry<K, V>>>, _| match current {
            Some(entry) if may(entry.value()) => Step::Cut,
            _ => Step::Keep(None),
        };
        match self.engine.write(self.hash(key), |entry, _| entry.key().borrow() == key, guard, None, decide) {
            Written::Removed(entry) => Some(entry),
            _ => None,
        }
    }

    pub(super) fn touch<'g, Q>(
        &self,
        key: &Q,
        cap: u64,
        guard: &'g Operation<'_, Entry<K, V>>,
    ) -> Option<Ref<'g, Entry<K, V>>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        loop {
            let entry = self.look(key, guard)?;
            let is_touched = if self.time_to_idle.is_none() {
                self.set_deadline(entry, cap, guard)
            } else {
                entry.set_cap(cap);
                self.follow_cap(entry, guard)
            };
            if is_touched {
                return Some(entry);
            }
        }
    }
}
