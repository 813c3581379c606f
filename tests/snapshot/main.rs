//! Snapshots (feature `serde`): what is saved comes back, and what is not whole is refused.
#![cfg(feature = "serde")]

#[path = "../common/mod.rs"]
mod common;

mod ages;
mod attributes;
mod caches;
mod contention;
mod faults;
mod files;
mod stores;

use std::collections::BTreeMap;
use std::time::SystemTime;

use common::{manual_store, seconds, wall_start};
use fleeting::{ManualClock, MemStore};

/// A wall-clock time, so many seconds after the beginning of a test.
fn at(count: u64) -> SystemTime {
    wall_start() + seconds(count)
}

/// A store that begins so many seconds later, by the wall clock; its monotonic clock begins anew, as after a restart.
fn restarted(after: u64) -> (MemStore, ManualClock) {
    let clock = ManualClock::starting_at(at(after));
    let store = MemStore::builder().cleanup_interval(seconds(0)).clock(clock.clone()).build().expect("plain");
    (store, clock)
}

fn saved(store: &MemStore) -> Vec<u8> {
    let mut file = Vec::new();
    store.save_to(&mut file).expect("saved into memory");
    file
}

/// All sessions, with their expiry.
fn sessions(store: &MemStore) -> BTreeMap<Vec<u8>, (Vec<u8>, SystemTime)> {
    let each = store.all().into_iter().map(|(token, _)| {
        let (data, expiry) = store.find_with_expiry(&token).expect("live");
        (token.to_vec(), (data.to_vec(), expiry))
    });
    each.collect()
}

/// Three small sessions.
fn small() -> MemStore {
    let (store, _) = manual_store();
    store.save("a", "one", at(100));
    store.save("token", "", at(200));
    store.save("", "three", SystemTime::UNIX_EPOCH + seconds(u64::MAX >> 24));
    store
}
