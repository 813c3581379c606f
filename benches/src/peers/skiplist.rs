//! `DashMap` and, beside it, a `crossbeam-skiplist` of all entries ordered by expiry, by hand: a sweep costs what is due, as ours does.
//!
//! This is what our index replaces: one record an entry, moved at every save and touch (ours lets a record lie until its time comes). The two
//! agree because the record is moved under the entry's lock in the map. A record holds a copy of the key.

use std::borrow::Borrow;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ahash::RandomState;
use crossbeam_skiplist::SkipSet;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use super::{Ability, Store, Terms, Timed};
use crate::clock;
use crate::kinds::Kind;

pub struct Skip<T: Kind> {
    map: DashMap<T::Owned, Timed<T::Kept>, RandomState>,
    index: SkipSet<(u64, T::Owned)>,
}

impl<T: Kind> Skip<T> {
    /// Moves a record; the caller holds the entry's lock.
    fn refile(&self, key: T::Owned, from: u64, to: u64) {
        if from != to {
            let old = (from, key);
            self.index.remove(&old);
            self.index.insert((to, old.1));
        }
    }
}

fn deadline<V>(entry: &Timed<V>) -> u64 {
    entry.deadline.load(Ordering::Relaxed)
}

impl<T: Kind> Store for Skip<T> {
    type Kind = T;
    type Found = T::Kept;

    const LACKS: &'static [(Ability, &'static str)] = &[];

    fn name() -> &'static str {
        "skiplist"
    }

    fn new(_: usize) -> Self {
        Skip { map: DashMap::with_hasher(RandomState::new()), index: SkipSet::new() }
    }

    fn find(&self, key: &T::Key) -> Option<T::Kept> {
        let entry = self.map.get(key)?;
        entry.is_live().then(|| entry.value.clone())
    }

    fn view(found: &T::Kept) -> &T::Value {
        T::view(found)
    }

    fn lend<R>(&self, key: &T::Key, f: impl FnOnce(&T::Value) -> R) -> Option<R> {
        let entry = self.map.get(key)?;
        entry.is_live().then(|| f(T::view(&entry.value)))
    }

    fn touch(&self, key: &T::Key, terms: &Terms) -> bool {
        let Some(entry) = self.map.get_mut(key) else { return false };
        let from = deadline(&entry);
        let is_live = entry.touch(terms);
        if is_live {
            self.refile(T::own(key), from, deadline(&entry));
        }
        is_live
    }

    fn find_and_touch(&self, key: &T::Key, terms: &Terms, if_by: Duration) -> Option<T::Kept> {
        let entry = self.map.get_mut(key)?;
        let from = deadline(&entry);
        let is_live = entry.find_and_touch(terms, if_by);
        if is_live && deadline(&entry) != from {
            self.refile(T::own(key), from, deadline(&entry));
        }
        is_live.then(|| entry.value.clone())
    }

    fn save(&self, key: &T::Key, value: &T::Value, terms: &Terms) {
        let new = Timed::new(T::keep(value), terms);
        if let Some(mut entry) = self.map.get_mut(key) {
            let to = deadline(&new);
            let old = std::mem::replace(&mut *entry, new);
            self.refile(T::own(key), deadline(&old), to);
            // What is replaced is dropped after the lock.
            drop(entry);
            drop(old);
            return;
        }
        self.put(key, new, |_| false);
    }

    fn add(&self, key: &T::Key, value: &T::Value, terms: &Terms) {
        self.put(key, Timed::new(T::keep(value), terms), |_| false);
    }

    fn create(&self, key: &T::Key, value: &T::Value, terms: &Terms) -> bool {
        self.put(key, Timed::new(T::keep(value), terms), Timed::is_live)
    }

    fn delete(&self, key: &T::Key) -> bool {
        let Entry::Occupied(entry) = self.map.entry(T::own(key)) else { return false };
        let (key, old) = (entry.key().clone(), deadline(entry.get()));
        self.index.remove(&(old, key));
        entry.remove().is_live()
    }

    fn len(&self) -> usize {
        self.map.len()
    }

    fn sweep(&self) -> usize {
        let (now, mut removed) = (clock::coarse(), 0);
        while let Some(record) = self.index.front() {
            let (due, key) = record.value();
            if *due > now {
                break;
            }
            removed += usize::from(self.map.remove_if(key.borrow(), |_, entry| deadline(entry) == *due).is_some());
            record.remove();
        }
        removed
    }

    fn iterate(&self, mut each: impl FnMut(&T::Value)) -> usize {
        let (now, mut count) = (clock::coarse(), 0);
        for entry in self.map.iter().filter(|entry| entry.is_live_at(now)) {
            each(T::view(&entry.value));
            count += 1;
        }
        count
    }
}

impl<T: Kind> Skip<T> {
    /// Puts an entry, unless the key is taken by what is there.
    fn put(&self, key: &T::Key, new: Timed<T::Kept>, is_taken: impl FnOnce(&Timed<T::Kept>) -> bool) -> bool {
        let to = deadline(&new);
        match self.map.entry(T::own(key)) {
            Entry::Occupied(old) if is_taken(old.get()) => return false,
            Entry::Occupied(mut entry) => {
                let old = entry.insert(new);
                self.refile(T::own(key), deadline(&old), to);
            }
            Entry::Vacant(vacant) => {
                let _locked = vacant.insert(new);
                self.index.insert((to, T::own(key)));
            }
        }
        true
    }
}
