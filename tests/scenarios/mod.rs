//! What `leaks.rs` does to caches and stores before it drops them. Each scenario is a function that leaves nothing behind.

mod cache;
mod store;
mod threads;

use std::hash::{BuildHasher, Hasher};

/// Scenarios by name.
pub const ALL: &[(&str, fn())] = &[
    ("growth of a cache to 100,000 entries", cache::growth),
    ("growth under way at the end", cache::growth_under_way),
    ("spills, drained", cache::spills_drained),
    ("spills, not drained", cache::spills_left),
    ("spills in a growth under way", cache::spills_under_way),
    ("replacements", cache::replacements),
    ("touches that file earlier, and sweeps", cache::touches_and_sweeps),
    ("piles dropped full", cache::piles_left),
    ("early takes", cache::early_takes),
    ("removals and clears", cache::removals),
    ("refused inserts", cache::refusals),
    ("entries met expired", cache::met_expired),
    ("panics of closures", cache::panics),
    ("panics with messages, contained", cache::contained_panics),
    ("loads", cache::loads),
    ("walks and pins dropped half way", cache::walks),
    ("weak handles and failed builds", cache::handles),
    ("growth of a store to 100,000 sessions", store::growth),
    ("renames and conditional saves", store::conditional),
    ("sessions expire", store::expiry),
    ("handles that outlive the store", store::handles_outlive),
    ("janitors started and stopped", threads::janitors),
    ("last handle dropped by the janitor", threads::dropped_by_the_janitor),
    ("loads that wait, and that panic", threads::flights),
    ("threads that grow one cache", threads::growth),
    ("threads on a weak hasher", threads::spills),
    ("threads that churn and end", threads::churn),
    ("sweeps beside saves", threads::sweeps),
    ("garbage of threads that ended", threads::ended),
];

/// A hasher that knows a few hashes only: keys that are even all have one, the odd ones are well spread.
#[derive(Clone, Copy, Default)]
pub struct HalfConstant;

pub struct HalfConstantState(u64);

impl BuildHasher for HalfConstant {
    type Hasher = HalfConstantState;

    fn build_hasher(&self) -> HalfConstantState {
        HalfConstantState(0)
    }
}

impl Hasher for HalfConstantState {
    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, number: u64) {
        self.0 = if number.is_multiple_of(2) { 0xDEAD_BEEF } else { number.wrapping_mul(0xD6E8_FEB8_6659_FD93) };
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
