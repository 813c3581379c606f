//! `fibre_cache`: a sharded cache with a time to live an entry, unbounded here.
//!
//! It compares deadlines with a clock that its janitor thread refreshes once a second, so an expired entry may be found for so long (documented;
//! cheaper than what the others do, and not what a session store may do). It has no touch, and its atomic insertion of what is absent takes no
//! time to live of the entry's own.

use std::sync::Arc;

use ahash::RandomState;
use fibre_cache::{Cache, CacheBuilder};

use super::{Ability, Store, Terms};
use crate::kinds::Kind;

pub struct Fibre<T: Kind>(Cache<T::Owned, T::Kept, RandomState>);

impl<T: Kind> Store for Fibre<T> {
    type Kind = T;
    type Found = Arc<T::Kept>;

    const LACKS: &'static [(Ability, &'static str)] = &[
        (Ability::Touch, "there is none"),
        (Ability::Create, "its entry API takes no time to live"),
        (Ability::FollowClock, "it reads a clock of its own"),
    ];

    fn name() -> &'static str {
        "fibre_cache"
    }

    fn new(_: usize) -> Self {
        let builder = CacheBuilder::default().hasher(RandomState::new()).unbounded();
        Fibre(builder.build().expect("nothing here can be refused"))
    }

    fn find(&self, key: &T::Key) -> Option<Arc<T::Kept>> {
        self.0.fetch(key)
    }

    fn view(found: &Arc<T::Kept>) -> &T::Value {
        T::view(found)
    }

    fn lend<R>(&self, key: &T::Key, f: impl FnOnce(&T::Value) -> R) -> Option<R> {
        self.0.get(key, |value| f(T::view(value)))
    }

    fn save(&self, key: &T::Key, value: &T::Value, terms: &Terms) {
        self.0.insert_with_ttl(T::own(key), T::keep(value), 1, terms.ttl);
    }

    fn delete(&self, key: &T::Key) -> bool {
        self.0.remove(key).is_some()
    }

    fn len(&self) -> usize {
        usize::try_from(self.0.metrics().current_cost).expect("few")
    }

    fn sweep(&self) -> usize {
        let before = self.len();
        self.0.run_maintenance();
        before.saturating_sub(self.len())
    }

    fn iterate(&self, mut each: impl FnMut(&T::Value)) -> usize {
        let mut count = 0;
        for (_, value) in self.0.iter() {
            each(T::view(&value));
            count += 1;
        }
        count
    }
}
