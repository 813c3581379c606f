//! Other ways to hold a cache: pinned, for many reads, and weakly.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, Weak};

use ahash::RandomState;

use super::{Cache, Core};
use crate::engine::{Operation, VISIT};
use crate::janitor::Cleanup;
use crate::map::Entry;

/// A pinned view of a cache: made by [`Cache::pin`].
pub struct Pinned<'c, K, V, S = RandomState>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    core: &'c Core<K, V, S>,
    guard: Operation<'c, Entry<K, V>>,
}

impl<'c, K, V, S> Pinned<'c, K, V, S>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub(super) fn new(core: &'c Core<K, V, S>) -> Self {
        Pinned { core, guard: core.engine.read() }
    }
}

impl<K, V, S> Pinned<'_, K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher,
{
    /// The value of a live entry.
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.core.find(key, &self.guard).map(|entry| entry.get().value())
    }

    /// Iterates over the live entries, as [`Cache::iter`] does.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let mut from = Some(0);
        std::iter::from_fn(move || {
            let start = from?;
            let mut batch = Vec::new();
            from = self.core.engine.visit(start, VISIT, &self.guard, |entry| {
                let entry = entry.get();
                batch.push((entry.key(), entry.value()));
            });
            Some(batch)
        })
        .flatten()
    }
}

impl<K, V, S> fmt::Debug for Pinned<'_, K, V, S>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned").finish_non_exhaustive()
    }
}

/// Does not keep the cache alive: for removal callbacks and the like.
pub struct WeakCache<K, V, S = RandomState>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    cleanup: Weak<Cleanup>,
    core: Weak<Core<K, V, S>>,
}

impl<K, V, S> WeakCache<K, V, S>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub(super) fn new(cleanup: &Arc<Cleanup>, core: &Arc<Core<K, V, S>>) -> Self {
        WeakCache { cleanup: Arc::downgrade(cleanup), core: Arc::downgrade(core) }
    }

    /// The cache, if a handle to it is left.
    pub fn upgrade(&self) -> Option<Cache<K, V, S>> {
        Some(Cache { cleanup: self.cleanup.upgrade()?, core: self.core.upgrade()? })
    }
}

impl<K, V, S> Clone for WeakCache<K, V, S>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn clone(&self) -> Self {
        WeakCache { cleanup: self.cleanup.clone(), core: self.core.clone() }
    }
}

impl<K, V, S> fmt::Debug for WeakCache<K, V, S>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakCache").finish_non_exhaustive()
    }
}
