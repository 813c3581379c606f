//! Snapshots of a `Cache` (feature `serde`): keys and values, as `postcard` encodes them.

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
use crate::snapshot::format::{self, Contents, Encoder, Fault, wall_time};
use crate::snapshot::{
    self, BUCKETS, Fate, LoadError, LoadErrorKind, SaveError, SaveErrorKind, Saved, Snapshot, Snapshots,
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

    /// Saves the live entries to a writer. See [`Snapshot::save_to`]. While a few of them are encoded, no memory that any cache retires is freed.
    ///
    /// # Errors
    ///
    /// The writer fails, or a key or value cannot be encoded.
    pub fn save_to(&self, writer: impl Write) -> Result<Saved, SaveError> {
        self.snapshot().save_to(writer)
    }

    /// Saves the live entries to a file, which is replaced as a whole. See [`Snapshot::save_to_path`].
    ///
    /// # Errors
    ///
    /// The file cannot be written, or a key or value cannot be encoded.
    pub fn save_to_path(&self, path: impl AsRef<Path>) -> Result<Saved, SaveError> {
        self.snapshot().save_to_path(path)
    }

    /// Loads the entries of a snapshot that have not expired, and whose keys have no live entry. See [`Snapshot::load_from`].
    ///
    /// The types must be those it was saved with: their encoding does not tell (see [`Snapshot::schema`]). In a cache without an idle time, an entry
    /// lives to the end of its time to live; in one with it, no longer than that idle time from now unless it is read.
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
    /// Deadline and cap of an entry as wall-clock time; None if its expiry is decided.
    fn wall_times(&self, entry: Ref<'_, Entry<K, V>>, guard: &Operation<'_, Entry<K, V>>) -> Option<(u64, u64)> {
        let deadline = self.engine.settled_deadline(entry, guard).time();
        if deadline == DEAD {
            return None;
        }
        let wall_time = |deadline| wall_time(deadline, self.engine.time());
        if !self.has_idle_time() {
            // Then nobody keeps the cap.
            let deadline = wall_time(deadline);
            return Some((deadline, deadline));
        }
        // A touch sets the cap first: a deadline beyond it has yet to follow.
        let cap = entry.cap();
        let wall_cap = wall_time(cap);
        // The wall clock may be set between two readings.
        Some((wall_time(deadline.min(cap)).min(wall_cap), wall_cap))
    }
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

    fn encode(&self, from: u64, encoder: &mut Encoder) -> Result<Option<u64>, SaveError> {
        let guard = self.engine.read();
        let mut result = Ok(());
        let next = self.engine.visit(from, BUCKETS, &guard, |entry| {
            if result.is_ok()
                && let Some((deadline, cap)) = self.wall_times(entry, &guard)
            {
                result = encoded(entry.key()).and_then(|key| {
                    let value = encoded(entry.value())?;
                    encoder.record(&format::Record { key: &key, value: &value, deadline, cap })
                });
            }
        });
        result.map(|()| next)
    }

    fn put(&self, record: &format::Record<'_>) -> Result<Fate, Fault> {
        let time = self.engine.time();
        let (deadline, cap) = (format::deadline(record.deadline, time), format::deadline(record.cap, time));
        if time.has_come(deadline) {
            return Ok(Fate::Expired);
        }
        let (key, value): (K, V) = (decoded(record.key)?, decoded(record.value)?);
        // Without an idle time to postpone it, the entry lives to its cap.
        let deadline = if self.has_idle_time() { self.deadline(cap).min(deadline) } else { cap };
        let guard = self.engine.change();
        let entry = Entry::new(self.hash(&key), key, value, deadline, cap);
        Ok(Core::put(self, entry, &guard, |is_live| !is_live).into())
    }
}

fn encoded(value: &impl Serialize) -> Result<Vec<u8>, SaveError> {
    postcard::to_stdvec(value).map_err(|error| SaveError::new(SaveErrorKind::Encode, error))
}

/// All of the bytes, as one value.
fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(LoadErrorKind::Decode.into()),
        Err(error) => Err(Fault { kind: LoadErrorKind::Decode, source: Some(error.into()) }),
    }
}
