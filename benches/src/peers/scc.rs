//! `scc::HashMap`, by hand: locks by bucket. Its sweep scans everything.

use std::time::Duration;

use ahash::RandomState;
use scc::HashMap;
use scc::hash_map::Entry;

use super::{Ability, Purge, Store, Terms, Timed};
use crate::clock;
use crate::kinds::Kind;

pub struct Scc<T: Kind>(HashMap<T::Owned, Timed<T::Kept>, RandomState>);

impl<T: Kind> Store for Scc<T> {
    type Kind = T;
    type Found = T::Kept;

    const LACKS: &'static [(Ability, &'static str)] = &[];

    fn name() -> &'static str {
        "scc"
    }

    fn new(_: usize) -> Self {
        Scc(HashMap::with_hasher(RandomState::new()))
    }

    fn find(&self, key: &T::Key) -> Option<T::Kept> {
        self.0.read_sync(key, |_, entry| entry.is_live().then(|| entry.value.clone()))?
    }

    fn view(found: &T::Kept) -> &T::Value {
        T::view(found)
    }

    fn lend<R>(&self, key: &T::Key, f: impl FnOnce(&T::Value) -> R) -> Option<R> {
        self.0.read_sync(key, |_, entry| entry.is_live().then(|| f(T::view(&entry.value))))?
    }

    fn touch(&self, key: &T::Key, terms: &Terms) -> bool {
        self.0.read_sync(key, |_, entry| entry.touch(terms)).unwrap_or(false)
    }

    fn find_and_touch(&self, key: &T::Key, terms: &Terms, if_by: Duration) -> Option<T::Kept> {
        self.0.read_sync(key, |_, entry| entry.find_and_touch(terms, if_by).then(|| entry.value.clone()))?
    }

    fn save(&self, key: &T::Key, value: &T::Value, terms: &Terms) {
        let mut entry = Some(Timed::new(T::keep(value), terms));
        // Most saves replace: no key is made for them. What is replaced is dropped after the lock.
        let old = self.0.update_sync(key, |_, old| entry.take().map(|entry| std::mem::replace(old, entry)));
        drop(old);
        if let Some(entry) = entry {
            self.0.upsert_sync(T::own(key), entry);
        }
    }

    fn add(&self, key: &T::Key, value: &T::Value, terms: &Terms) {
        self.0.upsert_sync(T::own(key), Timed::new(T::keep(value), terms));
    }

    fn create(&self, key: &T::Key, value: &T::Value, terms: &Terms) -> bool {
        match self.0.entry_sync(T::own(key)) {
            Entry::Occupied(old) if old.get().is_live() => return false,
            Entry::Occupied(mut old) => _ = old.insert(Timed::new(T::keep(value), terms)),
            Entry::Vacant(vacant) => _ = vacant.insert_entry(Timed::new(T::keep(value), terms)),
        }
        true
    }

    fn delete(&self, key: &T::Key) -> bool {
        self.0.remove_sync(key).is_some_and(|(_, entry)| entry.is_live())
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn sweep(&self) -> usize {
        let mut purge = Purge::begin();
        self.0.retain_sync(|_, entry| purge.keeps(entry));
        purge.removed
    }

    fn iterate(&self, mut each: impl FnMut(&T::Value)) -> usize {
        let (now, mut count) = (clock::coarse(), 0);
        self.0.iter_sync(|_, entry| {
            if entry.is_live_at(now) {
                each(T::view(&entry.value));
                count += 1;
            }
            true
        });
        count
    }
}
