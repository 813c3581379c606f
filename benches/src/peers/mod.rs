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

/// A store of some kind of entries.
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
    fn lend<R>(&self, key: &KeyOf<Self>, f: impl FnOnce(&ValueOf<Self>) -> R) -> Option<R>;
    fn touch(&self, key: &KeyOf<Self>, terms: &Terms) -> bool;

    /// Finds, and touches if the deadline would move by this much; as a careful user would write it.
    fn find_and_touch(&self, key: &KeyOf<Self>, terms: &Terms, if_by: Duration) -> Option<Self::Found>;

    /// Replaces or inserts.
    fn save(&self, key: &KeyOf<Self>, value: &ValueOf<Self>, terms: &Terms);

    /// Inserts what is known to be absent, the cheapest way.
    fn add(&self, key: &KeyOf<Self>, value: &ValueOf<Self>, terms: &Terms);

    /// Saves only if there is no live entry.
    fn create(&self, key: &KeyOf<Self>, value: &ValueOf<Self>, terms: &Terms) -> bool;
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
