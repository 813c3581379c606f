//! Versions carried in records, by which a stale save is known.
//!
//! Each load draws a number. A stored record bears that of the load whose request wrote it last; a loaded record
//! bears two: that one, and the load's own. A save is current if the stored record was last written by what the
//! load has seen, or by the same request. So a request may save as often as it likes.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use serde_json::Value;
use tower_sessions_core::session::Record;

/// The name under which a store that [refuses stale saves](crate::FleetingStore::refuse_stale_saves) keeps a
/// version in a record's data.
pub const VERSION_KEY: &str = "fleeting.version";

/// What a loaded record bears.
#[derive(Clone, Copy)]
pub struct Loaded {
    /// The load whose request had written the record.
    seen: u64,
    /// This load.
    own: u64,
}

impl Loaded {
    /// As if the record had been loaded at its creation.
    pub fn new() -> Loaded {
        // From the time on, in nanoseconds: the numbers of an earlier process, which a snapshot may bring back, are
        // below those of this one.
        static LOADS: LazyLock<AtomicU64> = LazyLock::new(|| {
            let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
            AtomicU64::new(u64::try_from(now.as_nanos()).unwrap_or(1))
        });
        // Ordering: Relaxed: only that no two are the same counts.
        let own = LOADS.fetch_add(1, Ordering::Relaxed);
        Loaded { seen: own, own }
    }

    /// Of a record that is being loaded.
    pub fn of_stored(record: &Record) -> Loaded {
        Loaded { seen: written_by(record), ..Loaded::new() }
    }

    /// Of a record that was loaded; None if its data were cleared, or were not loaded.
    pub fn find(record: &Record) -> Option<Loaded> {
        let numbers = record.data.get(VERSION_KEY)?.as_array()?;
        Some(Loaded { seen: numbers.first()?.as_u64()?, own: numbers.get(1)?.as_u64()? })
    }

    /// Whether the stored record is as the load has seen it, or as the same request has left it.
    pub fn is_current(&self, stored: &Record) -> bool {
        [self.seen, self.own].contains(&written_by(stored))
    }

    /// Puts it into a record for who loads it.
    pub fn carry(&self, record: &mut Record) {
        record.data.insert(VERSION_KEY.to_owned(), Value::from(vec![self.seen, self.own]));
    }

    /// Puts the number of the load into a record that is stored.
    pub fn sign(&self, record: &mut Record) {
        sign(record, self.own);
    }
}

/// A record with the version of another, to be stored: a save that changes no data.
pub fn sign_as(mut record: Record, stored: &Record) -> Record {
    sign(&mut record, written_by(stored));
    record
}

fn sign(record: &mut Record, number: u64) {
    record.data.insert(VERSION_KEY.to_owned(), number.into());
}

/// Zero for a record that was stored without a version.
fn written_by(stored: &Record) -> u64 {
    stored.data.get(VERSION_KEY).and_then(Value::as_u64).unwrap_or(0)
}

/// Whether both hold the same data, versions aside.
pub fn is_same_data(one: &Record, other: &Record) -> bool {
    let others = |record: &Record| record.data.len() - usize::from(record.data.contains_key(VERSION_KEY));
    others(one) == others(other)
        && one.data.iter().all(|(name, value)| name == VERSION_KEY || other.data.get(name) == Some(value))
}
