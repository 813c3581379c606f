//! `quick_cache`: a small, fast, bounded cache with locks by shard. It has **no expiry**, so it does less in every cell than all others; its
//! capacity is eight millions or four times what it is to hold, so that nothing is evicted (its tables are not presized by that).

use ahash::RandomState;
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle, GuardResult};

use super::{Ability, Store, Terms};
use crate::kinds::Kind;

pub struct Quick<T: Kind>(Cache<T::Owned, T::Kept, UnitWeighter, RandomState>);

impl<T: Kind> Store for Quick<T> {
    type Kind = T;
    type Found = T::Kept;

    const LACKS: &'static [(Ability, &'static str)] = &[
        (Ability::Expire, "it has no expiry"),
        (Ability::Touch, "it has no expiry"),
        (Ability::Lend, "get clones"),
        (Ability::FollowClock, "it has no expiry"),
    ];

    fn name() -> &'static str {
        "quick_cache"
    }

    fn new(room: usize) -> Self {
        let capacity = (4 * room).max(8_000_000);
        Quick(Cache::with(capacity, capacity as u64, UnitWeighter, RandomState::new(), DefaultLifecycle::default()))
    }

    fn find(&self, key: &T::Key) -> Option<T::Kept> {
        self.0.get(key)
    }

    fn view(found: &T::Kept) -> &T::Value {
        T::view(found)
    }

    fn save(&self, key: &T::Key, value: &T::Value, _: &Terms) {
        self.0.insert(T::own(key), T::keep(value));
    }

    fn create(&self, key: &T::Key, value: &T::Value, _: &Terms) -> bool {
        match self.0.get_value_or_guard(&T::own(key), None) {
            GuardResult::Guard(guard) => guard.insert(T::keep(value)).is_ok(),
            GuardResult::Value(_) | GuardResult::Timeout => false,
        }
    }

    fn delete(&self, key: &T::Key) -> bool {
        self.0.remove(key).is_some()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn sweep(&self) -> usize {
        0
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
