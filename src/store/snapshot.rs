//! Snapshots of a `MemStore` (feature `serde`): tokens and data as they are.

use std::io::{Read, Write};
use std::path::Path;

use super::{MemStore, StoreCore};
use crate::expiry::DEAD;
use crate::map::Record;
use crate::snapshot::format::{self, Contents, Encoder, Fault, Moment};
use crate::snapshot::{self, BUCKETS, Fate, LoadError, LoadErrorKind, SaveError, Saved, Snapshot, Snapshots};

/// Snapshots, for a warm restart. Need feature `serde`. See [`snapshot`](crate::snapshot).
impl MemStore {
    /// A snapshot to save or load, with a schema or a report of progress.
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot::new(&*self.core)
    }

    /// Saves the live sessions to a writer. See [`Snapshot::save_to`].
    ///
    /// # Errors
    ///
    /// The writer fails.
    pub fn save_to(&self, writer: impl Write) -> Result<Saved, SaveError> {
        self.snapshot().save_to(writer)
    }

    /// Saves the live sessions to a file, which is replaced as a whole. See [`Snapshot::save_to_path`].
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn save_to_path(&self, path: impl AsRef<Path>) -> Result<Saved, SaveError> {
        self.snapshot().save_to_path(path)
    }

    /// Loads the sessions of a snapshot that have not expired, and whose tokens belong to no live session. See [`Snapshot::load_from`].
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

impl Snapshots for StoreCore {
    fn contents(&self) -> Contents {
        Contents::Sessions
    }

    fn moment(&self) -> Moment {
        Moment::of(self.engine.time())
    }

    fn encode(&self, from: u64, encoder: &mut Encoder) -> Result<Option<u64>, SaveError> {
        let guard = self.engine.read();
        let mut result = Ok(());
        let next = self.engine.visit(from, BUCKETS, &guard, |record| {
            let deadline = self.engine.settled_deadline(record, &guard).time();
            if deadline == DEAD || result.is_err() {
                return;
            }
            let (key, value) = (Record::token(record), Record::data(record));
            result = encoder.record(&format::Record { key, value, deadline, cap: deadline });
        });
        result.map(|()| next)
    }

    fn put(&self, record: &format::Record<'_>) -> Result<Fate, Fault> {
        if self.engine.time().has_come(record.deadline) {
            return Ok(Fate::Expired);
        }
        let guard = self.engine.change();
        let hash = self.prepare(record.key, &guard);
        let session = self
            .record(hash, record.key, record.value, record.deadline)
            .map_err(|error| Fault { kind: LoadErrorKind::Decode, source: Some(error.into()) })?;
        Ok(StoreCore::put(self, session, &guard, |current| current.is_none()).into())
    }
}
