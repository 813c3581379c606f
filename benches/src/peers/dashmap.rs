//! `DashMap`, by hand: locks by shard. Its sweep scans everything, and holds each shard's lock for its part.

use std::time::Duration;

use ahash::RandomState;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use super::{Ability, Purge, Store, Terms, Timed};
use crate::clock;
use crate::kinds::Kind;

pub struct Dash<T: Kind>(DashMap<T::Owned, Timed<T::Kept>, RandomState>);

impl<T: Kind> Store for Dash<T> {
    type Kind = T;
    type Found = T::Kept;

    const LACKS: &'static [(Ability, &'static str)] = &[];

    fn name() -> &'static str {
        "dashmap"
    }

    fn new(_: usize) -> Self {
        Dash(DashMap::with_hasher(RandomState::new()))
    }

    fn find(&self, key: &T::Key) -> Option<T::Kept> {
        let entry = self.0.get(key)?;
        entry.is_live().then(|| entry.value.clone())
    }

    fn view(found: &T::Kept) -> &T::Value {
        T::view(found)
    }

    fn lend<R>(&self, key: &T::Key, f: impl FnOnce(&T::Value) -> R) -> Option<R> {
        let entry = self.0.get(key)?;
        entry.is_live().then(|| f(T::view(&entry.value)))
    }

    fn touch(&self, key: &T::Key, terms: &Terms) -> bool {
        self.0.get(key).is_some_and(|entry| entry.touch(terms))
    }

    fn find_and_touch(&self, key: &T::Key, terms: &Terms, if_by: Duration) -> Option<T::Kept> {
        let entry = self.0.get(key)?;
        entry.find_and_touch(terms, if_by).then(|| entry.value.clone())
    }

    fn save(&self, key: &T::Key, value: &T::Value, terms: &Terms) {
        let entry = Timed::new(T::keep(value), terms);
        // Most saves replace: no key is made for them.
        if let Some(mut old) = self.0.get_mut(key) {
            let old = std::mem::replace(&mut *old, entry);
            drop(old);
            return;
        }
        self.0.insert(T::own(key), entry);
    }

    fn add(&self, key: &T::Key, value: &T::Value, terms: &Terms) {
        self.0.insert(T::own(key), Timed::new(T::keep(value), terms));
    }

    fn create(&self, key: &T::Key, value: &T::Value, terms: &Terms) -> bool {
        match self.0.entry(T::own(key)) {
            Entry::Occupied(old) if old.get().is_live() => return false,
            Entry::Occupied(mut old) => _ = old.insert(Timed::new(T::keep(value), terms)),
            Entry::Vacant(vacant) => _ = vacant.insert(Timed::new(T::keep(value), terms)),
        }
        true
    }

    fn delete(&self, key: &T::Key) -> bool {
        self.0.remove(key).is_some_and(|(_, entry)| entry.is_live())
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn sweep(&self) -> usize {
        let mut purge = Purge::begin();
        self.0.retain(|_, entry| purge.keeps(entry));
        purge.removed
    }

    fn iterate(&self, mut each: impl FnMut(&T::Value)) -> usize {
        let (now, mut count) = (clock::coarse(), 0);
        for entry in self.0.iter().filter(|entry| entry.is_live_at(now)) {
            each(T::view(&entry.value));
            count += 1;
        }
        count
    }
}
