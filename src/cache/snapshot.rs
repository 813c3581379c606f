//! Snapshots of a `Cache` (feature `serde`): keys and values, as [`encoding`] has them.

use std::hash::{BuildHasher, Hash};
use std::io::{Read, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Cache, Core};
use crate::engine::Operation;
use crate::expiry::DEAD;
use crate::map::Entry;
use crate::reclaim::Ref;
use crate::snapshot::format::{self, Contents, Encoder, Fault, Moment};
use crate::snapshot::{
    self, BUCKETS, Fate, LoadError, LoadErrorKind, SaveError, SaveErrorKind, Saved, Snapshot, Snapshots, encoding,
};

/// Snapshots, for a warm restart. Need feature `serde`. See [`snapshot`](crate::snapshot).
impl<K, V, S> Cache<K, V, S>
where
    K: Hash + Eq + Serialize + DeserializeOwned + Send + Sync + 'static,
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
    S: BuildHasher,
{
    /// A snapshot to save or load, with a schema or a report of progress.
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot::new(&*self.core)
    }

    /// Saves the live entries to a writer. See [`Snapshot::save_to`]. Each record is decoded once, so that what
    /// could not be loaded is an error now. While a few of them are encoded, no memory that any cache retires is
    /// freed.
    ///
    /// # Errors
    ///
    /// The writer fails, or a key or value cannot be encoded, or could not be loaded again.
    pub fn save_to(&self, writer: impl Write) -> Result<Saved, SaveError> {
        self.snapshot().save_to(writer)
    }

    /// Saves the live entries to a file, which is replaced as a whole. See [`Snapshot::save_to_path`].
    ///
    /// # Errors
    ///
    /// The file cannot be written, or a key or value cannot be encoded, or could not be loaded again.
    pub fn save_to_path(&self, path: impl AsRef<Path>) -> Result<Saved, SaveError> {
        self.snapshot().save_to_path(path)
    }

    /// Loads the entries of a snapshot that have not expired, and whose keys have no live entry. See [`Snapshot::load_from`].
    ///
    /// Keys and values are decoded by their fields' and variants' names, as JSON would be: so types may gain
    /// fields that have a default, and lose fields (see [`Snapshot::schema`] for changes that names do not tell).
    /// In a cache without an idle time, an entry lives to the end of its time to live; in one with it, no longer
    /// than that idle time from now unless it is read.
    ///
    /// # Errors
    ///
    /// The snapshot is not good to its end: what came before stays loaded.
    pub fn load_from(&self, reader: impl Read) -> Result<snapshot::Loaded, LoadError> {
        self.snapshot().load_from(reader)
    }

    /// [`load_from`](Self::load_from) a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not good to its end: what came before stays loaded.
    pub fn load_from_path(&self, path: impl AsRef<Path>) -> Result<snapshot::Loaded, LoadError> {
        self.snapshot().load_from_path(path)
    }
}

impl<K, V, S> Core<K, V, S>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// Deadline and cap of an entry; None if its expiry is decided.
    fn times(&self, entry: Ref<'_, Entry<K, V>>, guard: &Operation<'_, Entry<K, V>>) -> Option<(u64, u64)> {
        let deadline = self.engine.settled_deadline(entry, guard).time();
        if deadline == DEAD {
            return None;
        }
        if !self.has_idle_time() {
            // Then nobody keeps the cap.
            return Some((deadline, deadline));
        }
        // A touch sets the cap first: a deadline beyond it has yet to follow.
        let cap = entry.cap();
        Some((deadline.min(cap), cap))
    }
}

/// A record that was encoded under a pin.
struct Encoded {
    key: Vec<u8>,
    value: Vec<u8>,
    deadline: u64,
    cap: u64,
}

impl<K, V, S> Snapshots for Core<K, V, S>
where
    K: Hash + Eq + Serialize + DeserializeOwned + Send + Sync + 'static,
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
    S: BuildHasher,
{
    fn contents(&self) -> Contents {
        Contents::Entries
    }

    fn moment(&self) -> Moment {
        Moment::of(self.engine.time())
    }

    fn encode(&self, from: u64, encoder: &mut Encoder) -> Result<Option<u64>, SaveError> {
        let mut batch = Ok(Vec::new());
        let guard = self.engine.read();
        let next = self.engine.visit(from, BUCKETS, &guard, |entry| {
            if let Ok(encoded) = &mut batch
                && let Some((deadline, cap)) = self.times(entry, &guard)
            {
                let record = encoder.records() + encoded.len() as u64;
                match encoded_as(entry.key(), record).and_then(|key| Ok((key, encoded_as(entry.value(), record)?))) {
                    Ok((key, value)) => encoded.push(Encoded { key, value, deadline, cap }),
                    Err(error) => batch = Err(error),
                }
            }
        });
        drop(guard);
        for Encoded { key, value, deadline, cap } in batch? {
            // What could not be loaded is refused now, while the entry is still there. Without a pin: this is the
            // user's code.
            let decoded = encoding::from_bytes::<K>(&key).and_then(|_| encoding::from_bytes::<V>(&value));
            decoded
                .map_err(|fault| SaveError::of_record(SaveErrorKind::NotLoadable, encoder.records()).because(fault))?;
            encoder.record(&format::Record { key: &key, value: &value, deadline, cap })?;
        }
        Ok(next)
    }

    fn put(&self, record: &format::Record<'_>) -> Result<Fate, Fault> {
        if self.engine.time().has_come(record.deadline) {
            return Ok(Fate::Expired);
        }
        let (key, value): (K, V) = (decoded(record.key)?, decoded(record.value)?);
        let cap = record.cap;
        // Without an idle time to postpone it, the entry lives to its cap.
        let deadline = if self.has_idle_time() { self.deadline(cap).min(record.deadline) } else { cap };
        let guard = self.engine.change();
        let entry = Entry::new(self.hash(&key), key, value, deadline, cap);
        Ok(Core::put(self, entry, &guard, |is_live| !is_live).into())
    }
}

/// The bytes of a key or value of a record.
fn encoded_as(value: &impl Serialize, record: u64) -> Result<Vec<u8>, SaveError> {
    encoding::to_bytes(value).map_err(|error| SaveError::of_record(SaveErrorKind::Encode, record).because(error))
}

fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    encoding::from_bytes(bytes).map_err(|fault| Fault { kind: LoadErrorKind::Decode, source: Some(fault.into()) })
}
