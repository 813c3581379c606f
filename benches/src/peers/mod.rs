//! The contestants behind one trait, each in a file of its own: ours, what a careful user would write by hand, and caches.
//!
//! By hand means: a map from key to value and deadline, the deadline compared with the coarse monotonic clock on every find. All hash with
//! `ahash`; none is presized; none has a sweeper thread (a bench calls `sweep`). What a peer cannot do, or not as one atomic step, stands in
//! its `LACKS`, and it is left out of the cells that need it.
//!
//! Left out altogether is stretto (0.9.0): it loses insertions without a word (of 2 millions that two threads added to a cache with room for all,
//! 128 were not found, then or later, though it had refused 2), so its finds cannot be checked.

mod dashmap;
mod fibre_cache;
mod fleeting;
mod moka;
mod mutex;
mod papaya;
mod quick_cache;
mod scc;
mod skiplist;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

pub use self::dashmap::Dash;
pub use self::fibre_cache::Fibre;
pub use self::fleeting::{FleetingCache, Sessions};
pub use self::moka::Moka;
pub use self::mutex::Locked;
pub use self::papaya::Papaya;
pub use self::quick_cache::Quick;
pub use self::scc::Scc;
pub use self::skiplist::Skip;
use crate::clock;
use crate::kinds::{Boxed, Kind};

/// How long an entry lives from a write on, prepared as each store wants it told.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub ttl: Duration,
    ttl_nanoseconds: u64,
    pub expiry: SystemTime,
    /// The same moment by the monotonic clock.
    pub due: Instant,
}

impl Terms {
    pub fn from_now(ttl: Duration) -> Terms {
        let ttl_nanoseconds = u64::try_from(ttl.as_nanos()).expect("a few centuries at most");
        Terms { ttl, ttl_nanoseconds, expiry: SystemTime::now() + ttl, due: Instant::now() + ttl }
    }

    fn deadline(&self) -> u64 {
        clock::coarse() + self.ttl_nanoseconds
    }
}

/// What not every store can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ability {
    /// Entries have deadlines of their own.
    Expire,
    /// To move the deadline alone.
    Touch,
    /// To save only what is absent.
    Create,
    /// To lend the value without a count or a copy.
    Lend,
    /// To take time from `clock`, so that a bench can let it pass.
    FollowClock,
}

/// A store of some kind of entries. What it lacks it need not have; the rest a test asks of each.
pub trait Store: Send + Sync + 'static {
    type Kind: Kind;

    /// An owned, cheap handle to a value.
    type Found;

    /// What it cannot do, and why.
    const LACKS: &'static [(Ability, &'static str)];

    fn name() -> &'static str;

    /// Empty. `room` is told to bounded caches only, which must evict nothing.
    fn new(room: usize) -> Self;

    /// One whose time `clock::skip` moves, if it does not lack that.
    fn with_skipping_clock(room: usize) -> Self
    where
        Self: Sized,
    {
        Self::new(room)
    }

    fn find(&self, key: &KeyOf<Self>) -> Option<Self::Found>;
    fn view(found: &Self::Found) -> &ValueOf<Self>;

    /// Without a reference count, under whatever guard the store has.
    fn lend<R>(&self, _key: &KeyOf<Self>, _f: impl FnOnce(&ValueOf<Self>) -> R) -> Option<R> {
        unreachable!("lacks it")
    }

    fn touch(&self, _key: &KeyOf<Self>, _terms: &Terms) -> bool {
        unreachable!("lacks it")
    }

    /// Finds, and touches if the deadline would move by this much; as a careful user would write it.
    fn find_and_touch(&self, _key: &KeyOf<Self>, _terms: &Terms, _if_by: Duration) -> Option<Self::Found> {
        unreachable!("lacks it")
    }

    /// Replaces or inserts.
    fn save(&self, key: &KeyOf<Self>, value: &ValueOf<Self>, terms: &Terms);

    /// Inserts what is known to be absent, the cheapest way.
    fn add(&self, key: &KeyOf<Self>, value: &ValueOf<Self>, terms: &Terms) {
        self.save(key, value, terms);
    }

    /// Saves only if there is no live entry.
    fn create(&self, _key: &KeyOf<Self>, _value: &ValueOf<Self>, _terms: &Terms) -> bool {
        unreachable!("lacks it")
    }

    fn delete(&self, key: &KeyOf<Self>) -> bool;
    fn len(&self) -> usize;

    /// Removes what is due; returns how many.
    fn sweep(&self) -> usize;

    /// Passes all live entries; returns how many.
    fn iterate(&self, each: impl FnMut(&ValueOf<Self>)) -> usize;

    fn lacks(ability: Ability) -> Option<&'static str> {
        Self::LACKS.iter().find(|lack| lack.0 == ability).map(|lack| lack.1)
    }
}

pub type KeyOf<S> = <<S as Store>::Kind as Kind>::Key;
pub type ValueOf<S> = <<S as Store>::Kind as Kind>::Value;

/// Something to be done with each type of store.
pub trait Visitor<T: Kind> {
    fn visit<S: Store<Kind = T>>(&mut self);
}

/// All peers; none is ours.
pub fn visit_peers<T: Kind>(visitor: &mut impl Visitor<T>) {
    visitor.visit::<Dash<T>>();
    visitor.visit::<Papaya<T>>();
    visitor.visit::<Scc<T>>();
    visitor.visit::<Locked<T>>();
    visitor.visit::<Skip<T>>();
    visitor.visit::<Moka<T>>();
    visitor.visit::<Fibre<T>>();
    visitor.visit::<Quick<T>>();
}

/// Our session store first, then all peers.
pub fn visit_sessions(visitor: &mut impl Visitor<Boxed>) {
    visitor.visit::<Sessions<Boxed>>();
    visit_peers(visitor);
}

/// What the peers by hand keep of an entry.
struct Timed<V> {
    value: V,
    deadline: AtomicU64,
}

impl<V> Timed<V> {
    fn new(value: V, terms: &Terms) -> Self {
        Timed { value, deadline: AtomicU64::new(terms.deadline()) }
    }

    fn is_live_at(&self, now: u64) -> bool {
        self.deadline.load(Ordering::Relaxed) > now
    }

    fn is_live(&self) -> bool {
        self.is_live_at(clock::coarse())
    }

    fn touch(&self, terms: &Terms) -> bool {
        self.find_and_touch(terms, Duration::ZERO)
    }

    /// False if it is not live.
    fn find_and_touch(&self, terms: &Terms, if_by: Duration) -> bool {
        let now = clock::coarse();
        let (old, new) = (self.deadline.load(Ordering::Relaxed), now + terms.ttl_nanoseconds);
        let is_live = old > now;
        if is_live && u128::from(new.saturating_sub(old)) >= if_by.as_nanos() {
            self.deadline.store(new, Ordering::Relaxed);
        }
        is_live
    }
}

/// A scan for what is due, as the peers by hand sweep.
struct Purge {
    now: u64,
    removed: usize,
}

impl Purge {
    fn begin() -> Self {
        Purge { now: clock::coarse(), removed: 0 }
    }

    /// Whether an entry stays; counts those that do not.
    fn keeps<V>(&mut self, entry: &Timed<V>) -> bool {
        let is_live = entry.is_live_at(self.now);
        self.removed += usize::from(!is_live);
        is_live
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{Numbers, Strings};

    /// Each store in turn, with answers that all must give.
    struct Same<T>(Vec<T>);

    impl<T: Kind> Visitor<T> for Same<T::Query> {
        fn visit<S: Store<Kind = T>>(&mut self) {
            let (name, can) = (S::name(), |ability| S::lacks(ability).is_none());
            let [one, other] = [&self.0[0], &self.0[1]];
            let follows = can(Ability::FollowClock);
            let store = if follows { S::with_skipping_clock(1_000) } else { S::new(1_000) };
            let (minute, hour) = (Terms::from_now(Duration::from_secs(60)), Terms::from_now(Duration::from_secs(3600)));
            let mut draft = T::draft(64);
            let fits = |query, found: Option<S::Found>| found.is_some_and(|found| T::fits(query, S::view(&found)));

            store.add(T::key(one), T::mark(&mut draft, one), &minute);
            store.save(T::key(other), T::mark(&mut draft, other), &minute);
            store.save(T::key(other), T::mark(&mut draft, other), &minute);
            assert!(fits(one, store.find(T::key(one))) && fits(other, store.find(T::key(other))), "{name}");
            assert_eq!(store.len(), 2, "{name}");
            assert_eq!(store.iterate(|_| ()), 2, "{name}");
            if can(Ability::Lend) {
                assert_eq!(store.lend(T::key(one), |value| T::fits(one, value)), Some(true), "{name}");
            }
            assert!(store.delete(T::key(other)) && !store.delete(T::key(other)), "{name}");
            assert!(store.find(T::key(other)).is_none(), "{name}");
            if can(Ability::Create) {
                assert!(!store.create(T::key(one), T::mark(&mut draft, one), &minute), "{name}");
                assert!(store.create(T::key(other), T::mark(&mut draft, other), &minute), "{name}");
            } else {
                store.add(T::key(other), T::mark(&mut draft, other), &minute);
            }
            if can(Ability::Touch) {
                assert!(store.touch(T::key(one), &hour), "{name}");
                assert!(fits(one, store.find_and_touch(T::key(one), &hour, Duration::from_secs(1))), "{name}");
                assert!(fits(one, store.find_and_touch(T::key(one), &hour, Duration::ZERO)), "{name}");
            }
            if follows {
                clock::skip(Duration::from_secs(61));
                assert!(fits(one, store.find(T::key(one))), "{name}: a touch moves the deadline");
                assert!(store.find(T::key(other)).is_none(), "{name}: the other's has come");
                assert!(!store.touch(T::key(other), &hour), "{name}: too late");
                store.sweep();
                assert_eq!((store.len(), store.sweep()), (1, 0), "{name}");
                assert!(store.create(T::key(other), T::mark(&mut draft, other), &hour), "{name}");
                assert_eq!(store.iterate(|_| ()), 2, "{name}");
            }
        }
    }

    fn check<T: Kind>(is_also_session_store: impl FnOnce(&mut Same<T::Query>)) {
        let mut same = Same(crate::kinds::queries::<T>(2, &mut fastrand::Rng::with_seed(1)));
        is_also_session_store(&mut same);
        Visitor::<T>::visit::<FleetingCache<T>>(&mut same);
        visit_peers::<T>(&mut same);
    }

    /// Catches a peer that is asked wrongly, and one that answers wrongly. One test, as the clock that skips is one for all.
    #[test]
    fn all_stores_give_the_same_answers() {
        check::<Boxed>(Visitor::<Boxed>::visit::<Sessions<Boxed>>);
        check::<Numbers>(|_| ());
        check::<Strings>(|_| ());
    }
}
