//! What may cross threads and what may not. The checks are made by the compiler: a wrong auto trait does not build.

mod common;

use std::fmt::{Debug, Display};

use ahash::RandomState;
use fleeting::{
    BuildError, Builder, Cache, Conflict, ManualClock, MemStore, MemStoreBuilder, Op, Outcome, Pinned, RemovalCause,
    SessionData, Stats, SystemClock, Token, TokenTaken, TooLong, Version, WeakCache, WeakMemStore,
};

/// Does not compile for a type that has the trait: then both implementations apply, and the compiler cannot choose.
macro_rules! assert_lacks {
    ($type:ty, $bound:path) => {{
        trait Ambiguous<A> {
            fn choose() {}
        }
        impl<T: ?Sized> Ambiguous<()> for T {}
        struct Other;
        impl<T: ?Sized + $bound> Ambiguous<Other> for T {}
        <$type as Ambiguous<_>>::choose();
    }};
}

fn is_shared<T: Send + Sync>() {}
fn is_handle<T: Clone + Send + Sync + 'static>() {}
fn is_plain<T: Copy + Eq + Debug + Send + Sync + 'static>() {}
fn is_error<T: std::error::Error + Debug + Display + Send + Sync + 'static>() {}

/// Catches a raw pointer or a guard that takes `Send` or `Sync` from a handle.
#[test]
fn handles_are_clone_send_and_sync() {
    is_handle::<Cache<String, Vec<u8>>>();
    is_handle::<Cache<String, Vec<u8>, std::hash::RandomState>>();
    is_handle::<WeakCache<String, Vec<u8>>>();
    is_handle::<MemStore>();
    is_handle::<WeakMemStore>();
    is_handle::<SessionData>();
    is_handle::<Token>();
    is_handle::<ManualClock>();
    is_handle::<Stats>();
    is_shared::<SystemClock>();
    is_shared::<Op<String>>();
    is_plain::<Outcome>();
    is_plain::<RemovalCause>();
    is_plain::<Version>();
}

/// Catches a builder that cannot be sent to the thread that builds.
#[test]
fn builders_can_be_sent() {
    fn is_send<T: Send>() {}
    is_send::<Builder<String, u32, RandomState>>();
    is_send::<MemStoreBuilder>();
}

/// Catches errors that do not fit in `Box<dyn Error + Send + Sync>`.
#[test]
fn errors_are_errors() {
    is_error::<BuildError>();
    is_error::<TokenTaken>();
    is_error::<Conflict>();
    is_error::<TooLong>();
}

/// Catches a pin that another thread could release: a pin belongs to the thread that made it.
#[test]
fn a_pin_stays_on_its_thread() {
    assert_lacks!(Pinned<'static, u32, u32, RandomState>, Send);
    assert_lacks!(std::rc::Rc<u32>, Send); // The check itself compiles for a type known to lack the trait.
}

/// Catches a cache that demands more of keys and values than it needs: neither must be `Clone`, `Debug` or `Default`.
#[test]
fn plain_types_will_do() {
    #[derive(PartialEq, Eq, Hash)]
    struct Bare(u32);
    let (cache, _) = common::manual_cache::<Bare, Bare>();
    assert!(cache.insert(Bare(1), Bare(2)));
    assert_eq!(cache.read(&Bare(1), |value| value.0), Some(2));
    assert!(cache.insert_if_absent(Bare(1), Bare(3)).is_err());
    assert!(cache.touch(&Bare(1), common::seconds(1)));
    assert_eq!(cache.compute(Bare(1), |_| Op::Put(Bare(4))), Outcome::Replaced);
    assert!(cache.pin().get(&Bare(1)).is_some_and(|value| value.0 == 4));
    cache.retain(|_, value| value.0 == 4);
    assert!(cache.remove(&Bare(1)));
}
