//! One lock around a map, by hand: what tower-sessions and Go's `memstore` ship. Its sweep scans everything under the lock.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use ahash::RandomState;

use super::{Ability, Store, Terms, Timed};
use crate::clock;
use crate::kinds::Kind;

type Map<T> = HashMap<<T as Kind>::Owned, Timed<<T as Kind>::Kept>, RandomState>;

pub struct Locked<T: Kind>(Mutex<Map<T>>);

impl<T: Kind> Locked<T> {
    fn lock(&self) -> MutexGuard<'_, Map<T>> {
        self.0.lock().expect("no bench panics under the lock")
    }
}

impl<T: Kind> Store for Locked<T> {
    type Kind = T;
    type Found = T::Kept;

    const LACKS: &'static [(Ability, &'static str)] = &[];

    fn name() -> &'static str {
        "mutex"
    }

    fn new(_: usize) -> Self {
        Locked(Mutex::new(HashMap::with_hasher(RandomState::new())))
    }

    fn find(&self, key: &T::Key) -> Option<T::Kept> {
        let map = self.lock();
        let entry = map.get(key)?;
        entry.is_live().then(|| entry.value.clone())
    }

    fn view(found: &T::Kept) -> &T::Value {
        T::view(found)
    }

    fn lend<R>(&self, key: &T::Key, f: impl FnOnce(&T::Value) -> R) -> Option<R> {
        let map = self.lock();
        let entry = map.get(key)?;
        entry.is_live().then(|| f(T::view(&entry.value)))
    }

    fn touch(&self, key: &T::Key, terms: &Terms) -> bool {
        self.lock().get(key).is_some_and(|entry| entry.touch(terms))
    }

    fn find_and_touch(&self, key: &T::Key, terms: &Terms, if_by: Duration) -> Option<T::Kept> {
        let map = self.lock();
        let entry = map.get(key)?;
        entry.find_and_touch(terms, if_by).then(|| entry.value.clone())
    }

    fn save(&self, key: &T::Key, value: &T::Value, terms: &Terms) {
        let entry = Timed::new(T::keep(value), terms);
        // What is replaced is dropped after the lock.
        let _old = {
            let mut map = self.lock();
            match map.get_mut(key) {
                Some(old) => Some(std::mem::replace(old, entry)),
                None => map.insert(T::own(key), entry),
            }
        };
    }

    fn add(&self, key: &T::Key, value: &T::Value, terms: &Terms) {
        let (key, entry) = (T::own(key), Timed::new(T::keep(value), terms));
        self.lock().insert(key, entry);
    }

    fn create(&self, key: &T::Key, value: &T::Value, terms: &Terms) -> bool {
        let (key, entry) = (T::own(key), Timed::new(T::keep(value), terms));
        match self.lock().entry(key) {
            Entry::Occupied(old) if old.get().is_live() => return false,
            Entry::Occupied(mut old) => _ = old.insert(entry),
            Entry::Vacant(vacant) => _ = vacant.insert(entry),
        }
        true
    }

    fn delete(&self, key: &T::Key) -> bool {
        let old = self.lock().remove(key);
        old.is_some_and(|entry| entry.is_live())
    }

    fn len(&self) -> usize {
        self.lock().len()
    }

    fn sweep(&self) -> usize {
        let now = clock::coarse();
        let mut map = self.lock();
        let before = map.len();
        map.retain(|_, entry| entry.is_live_at(now));
        before - map.len()
    }

    fn iterate(&self, mut each: impl FnMut(&T::Value)) -> usize {
        let (now, mut count) = (clock::coarse(), 0);
        for (_, entry) in self.lock().iter().filter(|(_, entry)| entry.is_live_at(now)) {
            each(T::view(&entry.value));
            count += 1;
        }
        count
    }
}
