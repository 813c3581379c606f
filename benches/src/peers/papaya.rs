//! `papaya`, by hand: lock-free reads, its own reclamation. Its sweep scans everything.
//!
//! Its `compute` is not used for what is absent: under 0.2.5 as we measured it, a table filled by `compute` answers every find ten times as
//! slowly as one filled by `insert`.

use std::time::Duration;

use ahash::RandomState;
use papaya::{Compute, HashMap, Operation};

use super::{Ability, Purge, Store, Terms, Timed};
use crate::clock;
use crate::kinds::Kind;

pub struct Papaya<T: Kind>(HashMap<T::Owned, Timed<T::Kept>, RandomState>);

impl<T: Kind> Store for Papaya<T> {
    type Kind = T;
    type Found = T::Kept;

    const LACKS: &'static [(Ability, &'static str)] = &[];

    fn name() -> &'static str {
        "papaya"
    }

    fn new(_: usize) -> Self {
        Papaya(HashMap::with_hasher(RandomState::new()))
    }

    fn find(&self, key: &T::Key) -> Option<T::Kept> {
        let map = self.0.pin();
        let entry = map.get(key)?;
        entry.is_live().then(|| entry.value.clone())
    }

    fn view(found: &T::Kept) -> &T::Value {
        T::view(found)
    }

    fn lend<R>(&self, key: &T::Key, f: impl FnOnce(&T::Value) -> R) -> Option<R> {
        let map = self.0.pin();
        let entry = map.get(key)?;
        entry.is_live().then(|| f(T::view(&entry.value)))
    }

    fn touch(&self, key: &T::Key, terms: &Terms) -> bool {
        self.0.pin().get(key).is_some_and(|entry| entry.touch(terms))
    }

    fn find_and_touch(&self, key: &T::Key, terms: &Terms, if_by: Duration) -> Option<T::Kept> {
        let map = self.0.pin();
        let entry = map.get(key)?;
        entry.find_and_touch(terms, if_by).then(|| entry.value.clone())
    }

    fn save(&self, key: &T::Key, value: &T::Value, terms: &Terms) {
        self.0.pin().insert(T::own(key), Timed::new(T::keep(value), terms));
    }

    fn create(&self, key: &T::Key, value: &T::Value, terms: &Terms) -> bool {
        let map = self.0.pin();
        let Err(taken) = map.try_insert(T::own(key), Timed::new(T::keep(value), terms)) else { return true };
        if taken.current.is_live() {
            return false;
        }
        let computed = map.compute(T::own(key), |old| match old {
            Some((_, entry)) if entry.is_live() => Operation::Abort(()),
            _ => Operation::Insert(Timed::new(T::keep(value), terms)),
        });
        !matches!(computed, Compute::Aborted(()))
    }

    fn delete(&self, key: &T::Key) -> bool {
        self.0.pin().remove(key).is_some_and(Timed::is_live)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn sweep(&self) -> usize {
        let mut purge = Purge::begin();
        self.0.pin().retain(|_, entry| purge.keeps(entry));
        purge.removed
    }

    fn iterate(&self, mut each: impl FnMut(&T::Value)) -> usize {
        let (now, mut count) = (clock::coarse(), 0);
        for (_, entry) in self.0.pin().iter().filter(|(_, entry)| entry.is_live_at(now)) {
            each(T::view(&entry.value));
            count += 1;
        }
        count
    }
}
