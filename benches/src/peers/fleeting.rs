//! Ours: the session store, and the typed cache. Neither has a janitor thread here: a bench calls `sweep`, as for the others.
//!
//! `touch` and `create` of the store are given wall-clock time, which is their interface; the rest a time to live. That wall-clock time is
//! prepared once a slice, as a server has it once a request.

use std::marker::PhantomData;
use std::time::Duration;

use fleeting::{Cache, MemStore, SessionData};

use super::{Ability, Store, Terms};
use crate::clock::SkippingClock;
use crate::kinds::Kind;

/// `MemStore`, for kinds whose keys and values are bytes.
pub struct Sessions<T>(pub MemStore, PhantomData<fn(T)>);

impl<T: Kind<Value = [u8]>> Store for Sessions<T>
where
    T::Key: AsRef<[u8]>,
{
    type Kind = T;
    type Found = SessionData;

    const LACKS: &'static [(Ability, &'static str)] = &[];

    fn name() -> &'static str {
        "fleeting"
    }

    fn new(_: usize) -> Self {
        Sessions(MemStore::new(Duration::ZERO), PhantomData)
    }

    fn with_skipping_clock(_: usize) -> Self {
        let builder = MemStore::builder().cleanup_interval(Duration::ZERO).clock(SkippingClock::new());
        Sessions(builder.build().expect("nothing here can be refused"), PhantomData)
    }

    fn find(&self, key: &T::Key) -> Option<SessionData> {
        self.0.find(key)
    }

    fn view(found: &SessionData) -> &[u8] {
        found
    }

    fn lend<R>(&self, key: &T::Key, f: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.0.read(key, f)
    }

    fn touch(&self, key: &T::Key, terms: &Terms) -> bool {
        self.0.touch(key, terms.expiry)
    }

    fn find_and_touch(&self, key: &T::Key, terms: &Terms, if_by: Duration) -> Option<SessionData> {
        if if_by.is_zero() {
            return self.0.find(key).filter(|_| self.0.touch(key, terms.expiry));
        }
        let (data, expiry) = self.0.find_with_expiry(key)?;
        let moves = terms.expiry.duration_since(expiry).unwrap_or_default();
        (moves < if_by || self.0.touch(key, terms.expiry)).then_some(data)
    }

    fn save(&self, key: &T::Key, value: &[u8], terms: &Terms) {
        self.0.save_for(key, value, terms.ttl);
    }

    fn add(&self, key: &T::Key, value: &[u8], terms: &Terms) {
        self.0.save_for(key, value, terms.ttl);
    }

    fn create(&self, key: &T::Key, value: &[u8], terms: &Terms) -> bool {
        self.0.create(key, value, terms.expiry).is_ok()
    }

    fn delete(&self, key: &T::Key) -> bool {
        self.0.delete(key)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn sweep(&self) -> usize {
        self.0.sweep()
    }

    fn iterate(&self, mut each: impl FnMut(&[u8])) -> usize {
        let mut count = 0;
        for (_, data) in self.0.iter() {
            each(&data);
            count += 1;
        }
        count
    }
}

/// `Cache<K, V>`.
pub struct FleetingCache<T: Kind>(pub Cache<T::Owned, T::Kept>);

impl<T: Kind> Store for FleetingCache<T> {
    type Kind = T;
    type Found = T::Kept;

    const LACKS: &'static [(Ability, &'static str)] = &[];

    fn name() -> &'static str {
        "fleeting"
    }

    fn new(_: usize) -> Self {
        FleetingCache(Cache::builder().cleanup_interval(Duration::ZERO).build().expect("nothing here can be refused"))
    }

    fn with_skipping_clock(_: usize) -> Self {
        let builder = Cache::builder().cleanup_interval(Duration::ZERO).clock(SkippingClock::new());
        FleetingCache(builder.build().expect("nothing here can be refused"))
    }

    fn find(&self, key: &T::Key) -> Option<T::Kept> {
        self.0.get(key)
    }

    fn view(found: &T::Kept) -> &T::Value {
        T::view(found)
    }

    fn lend<R>(&self, key: &T::Key, f: impl FnOnce(&T::Value) -> R) -> Option<R> {
        self.0.read(key, |value| f(T::view(value)))
    }

    fn touch(&self, key: &T::Key, terms: &Terms) -> bool {
        self.0.touch(key, terms.ttl)
    }

    fn find_and_touch(&self, key: &T::Key, terms: &Terms, if_by: Duration) -> Option<T::Kept> {
        if if_by.is_zero() {
            return self.0.get_and_touch(key, terms.ttl);
        }
        let (value, deadline) = self.0.get_with_deadline(key)?;
        let moves = deadline.map_or(Duration::ZERO, |deadline| terms.due.saturating_duration_since(deadline));
        (moves < if_by || self.0.touch(key, terms.ttl)).then_some(value)
    }

    fn save(&self, key: &T::Key, value: &T::Value, terms: &Terms) {
        self.0.insert_with_ttl(T::own(key), T::keep(value), terms.ttl);
    }

    /// `insert_if_absent` takes the cache's own time to live, `compute` one of the entry's.
    fn create(&self, key: &T::Key, value: &T::Value, terms: &Terms) -> bool {
        use fleeting::{Op, Outcome};
        let outcome = self.0.compute(T::own(key), |old| match old {
            Some(_) => Op::Keep,
            None => Op::PutWithTtl(T::keep(value), terms.ttl),
        });
        matches!(outcome, Outcome::Inserted)
    }

    fn delete(&self, key: &T::Key) -> bool {
        self.0.remove(key)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn sweep(&self) -> usize {
        self.0.sweep()
    }

    fn iterate(&self, mut each: impl FnMut(&T::Value)) -> usize {
        let pinned = self.0.pin();
        let mut count = 0;
        for (_, value) in pinned.iter() {
            each(T::view(value));
            count += 1;
        }
        count
    }
}
