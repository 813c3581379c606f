//! Snapshots: what a store or cache holds, in a file, so that a restart begins warm. Needs feature `serde`.
//!
//! [`MemStore`](crate::MemStore) and [`Cache`](crate::Cache) have `save_to`, `load_from`, `save_to_path` and `load_from_path`; and
//! `snapshot()`, which also takes a schema and a callback for progress.
//!
//! * **Saving stops nobody.** It walks as an iteration does: what is there throughout is saved exactly once, as it was at some moment of
//!   the walk; what comes, changes or goes meanwhile may be in the snapshot as it was before, or after, or not at all. A few buckets at a time are copied under
//!   a pin, and written without one, so that a slow disk holds no memory back.
//! * **What expired while down stays dead.** Deadlines are saved as wall-clock time, to the nanosecond. What had none has none. If the wall clock is
//!   set forward in between, deadlines come earlier; if it is set back, nothing has more time left than it had
//!   when it was saved.
//! * **What was deleted since comes back.** A snapshot is as old as its save: [`max_age`](Snapshot::max_age)
//!   bounds how old one may be that is loaded.
//! * **What could not be loaded is not saved.** A cache decodes each record once while it saves, and a type whose
//!   `Serialize` and `Deserialize` disagree ends the save with a [`SaveError`] that tells the record. Only what
//!   serde itself does not tell apart is not noticed: `Some(None)` and `Some(())` come back as `None`, as in JSON,
//!   and of two untagged variants of one shape the first comes back.
//! * **What lives wins.** A record whose key has a live entry is passed by, and counted.
//! * **Nothing is half-loaded in silence.** A snapshot that is truncated, corrupt, foreign or of a newer format ends in a [`LoadError`] that says
//!   where. The records before it were whole, and stay loaded; the error tells how many.
//!
//! A loaded session has a new [`Version`](crate::Version). Statistics are not saved. Of a cache with an idle time, both ends are saved: that of the time to
//! live, and that of the idle time, which the restart does not renew. The file holds tokens and data as they are: whoever can read it can use the sessions.
//! `save_to_path` makes it readable by its owner alone. The buffers of a snapshot are not overwritten by feature `zeroize`.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//! use fleeting::MemStore;
//!
//! let store = MemStore::new(Duration::ZERO);
//! store.save_for("token", "user=7", Duration::from_secs(60));
//! let mut file = Vec::new();
//! assert_eq!(store.save_to(&mut file)?.records, 1);
//!
//! let restarted = MemStore::new(Duration::ZERO);
//! assert_eq!(restarted.load_from(&file[..])?.loaded, 1);
//! assert_eq!(&*restarted.find("token").unwrap(), b"user=7");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Format
//!
//! Version 2. All numbers are little-endian; a checksum is the CRC-32 (of zlib) of all bytes before it, from the
//! start of the file, other checksums left out. So a record that is changed, missing, doubled or out of its place
//! shows.
//!
//! ```text
//! header   magic 89 46 4C 54 0D 0A 1A 0A | format u16 | contents u16 | schema u32 | saved u64 | checksum u32
//! record   1 u8 | key length u32 | value length u32 | deadline u64 | cap u64 | checksum u32 | key ... | value ... | checksum u32
//! ...
//! end      2 u8 | number of records u64 | checksum u32
//! ```
//!
//! * `contents`: 1 for a store's tokens and data, as they are; 2 for a cache's keys and values, each as MessagePack
//!   with the names of fields and variants, in its human-readable form.
//! * `saved`: when the save began, in nanoseconds since 1970.
//! * `deadline` and `cap`: nanoseconds since 1970, all bits set for never. The cap is where the time to live ends, the deadline may come before it, by
//!   the end of idle time.
//! * Version 1 has no `saved`. A store's is still read. A cache's was encoded by `postcard`, which tells no types
//!   apart, and is refused.
//! * Nothing follows the end. Lengths have a checksum before they are believed, and memory is taken as bytes arrive.

pub(crate) mod encoding;
mod error;
mod file;
pub(crate) mod format;

use std::fmt;
use std::io::{BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

pub use self::error::{LoadError, LoadErrorKind, SaveError, SaveErrorKind};
use self::format::{Contents, Decoder, Encoder, Fault, Moment, Record};
use crate::engine::Written;
use crate::expiry::Timed;

/// Buckets that are copied under one pin.
pub(crate) const BUCKETS: usize = 8;

/// Bytes that are collected before they are written, and read at once.
const CHUNK: usize = 1 << 16;

/// Records between two reports of progress while loading.
const REPORT: u64 = 1_024;

/// What a snapshot saved.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Saved {
    /// Records in the snapshot.
    pub records: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What became of the records of a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// Records that came in.
    pub loaded: u64,
    /// Records that had expired.
    pub expired: u64,
    /// Records whose key had a live entry, which stays.
    pub already_present: u64,
}

impl Loaded {
    fn records(&self) -> u64 {
        self.loaded + self.expired + self.already_present
    }
}

/// What became of one record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    Loaded,
    Expired,
    AlreadyPresent,
}

/// Of a record that was to be put only where nothing lives.
impl<N: Timed> From<Written<'_, N>> for Fate {
    fn from(written: Written<'_, N>) -> Self {
        match written {
            Written::Kept(..) => Fate::AlreadyPresent,
            Written::Absent => Fate::Expired,
            _ => Fate::Loaded,
        }
    }
}

/// What can be saved and loaded: a store, or a cache.
pub(crate) trait Snapshots {
    /// What its records are.
    fn contents(&self) -> Contents;

    /// Both clocks, now.
    fn moment(&self) -> Moment;

    /// Encodes the live entries of some buckets, from a hash on; returns where to go on.
    fn encode(&self, from: u64, encoder: &mut Encoder) -> Result<Option<u64>, SaveError>;

    /// Puts a record, if its key has no live entry.
    fn put(&self, record: &Record<'_>) -> Result<Fate, Fault>;
}

/// A snapshot that is to be saved or loaded: made by `snapshot()` of a store or cache, which it borrows. See the [module](self).
///
/// # Examples
///
/// ```
/// use fleeting::Cache;
///
/// let cache = Cache::new();
/// (0..10_000_u32).for_each(|key| assert!(cache.insert(key, key.to_string())));
/// let (mut file, mut reports) = (Vec::new(), Vec::new());
/// cache.snapshot().schema(3).on_progress(|records| reports.push(records)).save_to(&mut file)?;
/// assert_eq!(reports.last(), Some(&10_000));
///
/// let restarted: Cache<u32, String> = Cache::new();
/// assert!(restarted.load_from(&file[..]).is_err(), "another schema");
/// assert_eq!(restarted.snapshot().schema(3).load_from(&file[..])?.loaded, 10_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub struct Snapshot<'c> {
    of: &'c dyn Snapshots,
    schema: u32,
    max_age: Option<Duration>,
    progress: Box<dyn FnMut(u64) + 'c>,
}

impl<'c> Snapshot<'c> {
    pub(crate) fn new(of: &'c dyn Snapshots) -> Self {
        Snapshot { of, schema: 0, max_age: None, progress: Box::new(|_| {}) }
    }

    /// Sets a number of your own that says how data, or key and value, are to be understood; the default is 0. It
    /// stands in the file, and a file with another number is refused. Change it when you change what a type's
    /// fields mean: names and shapes are in the file, meanings are not.
    pub fn schema(mut self, schema: u32) -> Self {
        self.schema = schema;
        self
    }

    /// Refuses to load a snapshot that was saved more than `max_age` ago, by the wall clock; nothing of it is
    /// loaded. By default any age is loaded.
    ///
    /// A snapshot brings back what was deleted since it was saved. This bounds how far back that reaches. The age
    /// of a snapshot whose time of saving lies in the future counts as zero: the wall clock was set back since. A
    /// snapshot of format 1 does not hold the time, and is refused if an age is set. Saving ignores this option.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fleeting::snapshot::LoadErrorKind;
    /// use fleeting::{ManualClock, MemStore};
    ///
    /// let clock = ManualClock::new();
    /// let store = MemStore::builder().clock(clock.clone()).build()?;
    /// store.save_for("token", "user=7", Duration::from_secs(3600));
    /// let mut file = Vec::new();
    /// store.snapshot().save_to(&mut file)?;
    ///
    /// clock.advance(Duration::from_secs(600));
    /// let restarted = MemStore::builder().clock(clock).build()?;
    /// let (age, max_age) = (Duration::from_secs(600), Duration::from_secs(300));
    /// let error = restarted.snapshot().max_age(max_age).load_from(&file[..]).unwrap_err();
    /// assert_eq!(error.kind(), LoadErrorKind::TooOld { age, max_age });
    /// assert_eq!(restarted.snapshot().max_age(2 * max_age).load_from(&file[..])?.loaded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Calls `f` with the number of records so far: each time that some were written, or about a thousand were read; and at the end. Nothing is
    /// pinned then, and a panic goes to the caller.
    pub fn on_progress(mut self, f: impl FnMut(u64) + 'c) -> Self {
        self.progress = Box::new(f);
        self
    }

    /// Saves to a writer, and flushes it. It is written to in pieces of some 64 KiB, so it need not be buffered.
    ///
    /// # Errors
    ///
    /// The writer fails, or a key or value cannot be encoded. What was written until then has no end, and does not load whole.
    ///
    /// # Complexity
    ///
    /// O(entries). Lock-free, but for the writer; pins anew every few buckets.
    pub fn save_to(mut self, mut writer: impl Write) -> Result<Saved, SaveError> {
        self.save(&mut writer)
    }

    /// Saves to a file: written beside it, synchronized with the disk, and renamed, so that there is the former file or the new one, whole, whatever
    /// happens. Only its owner may read it (on Unix).
    ///
    /// A process that is killed meanwhile leaves a file `.fleeting-*.tmp` behind.
    ///
    /// # Errors
    ///
    /// As [`save_to`](Self::save_to). The former file is as it was, unless all that failed was to synchronize its folder.
    pub fn save_to_path(mut self, path: impl AsRef<Path>) -> Result<Saved, SaveError> {
        file::replace(path.as_ref(), |file| self.save(file))
    }

    /// Loads what a reader gives, to its end. It is buffered here.
    ///
    /// # Errors
    ///
    /// See [`LoadErrorKind`]. The records before the one that was not good were whole; they stay, and [`LoadError::loaded`] counts them.
    ///
    /// # Complexity
    ///
    /// O(records); each is an insertion. Takes no more memory for a record than its bytes that have arrived, twice.
    pub fn load_from(mut self, reader: impl Read) -> Result<Loaded, LoadError> {
        self.load(&mut BufReader::with_capacity(CHUNK, reader))
    }

    /// Loads a file.
    ///
    /// # Errors
    ///
    /// As [`load_from`](Self::load_from); and if there is none, [`LoadErrorKind::Io`] with [`NotFound`](std::io::ErrorKind::NotFound).
    pub fn load_from_path(self, path: impl AsRef<Path>) -> Result<Loaded, LoadError> {
        match std::fs::File::open(path) {
            Ok(file) => self.load_from(file),
            Err(error) => Err(LoadError::new(Fault::from(error), 0, Loaded::default())),
        }
    }

    fn save(&mut self, writer: &mut dyn Write) -> Result<Saved, SaveError> {
        let mut encoder = Encoder::new(self.of.contents(), self.schema, self.of.moment());
        let mut from = Some(0);
        while let Some(start) = from {
            from = self.of.encode(start, &mut encoder)?;
            if encoder.bytes().len() >= CHUNK {
                encoder.write_to(writer)?;
                (self.progress)(encoder.records());
            }
        }
        encoder.end();
        encoder.write_to(writer)?;
        writer.flush()?;
        (self.progress)(encoder.records());
        Ok(Saved { records: encoder.records(), bytes: encoder.written() })
    }

    fn load(&mut self, reader: &mut dyn Read) -> Result<Loaded, LoadError> {
        let mut decoder = Decoder::new(reader, self.of.moment());
        let mut loaded = Loaded::default();
        match self.load_all(&mut decoder, &mut loaded) {
            Ok(()) => Ok(loaded),
            Err(fault) => Err(LoadError::new(fault, decoder.good(), loaded)),
        }
    }

    fn load_all(&mut self, decoder: &mut Decoder<'_>, loaded: &mut Loaded) -> Result<(), Fault> {
        decoder.header(self.of.contents(), self.schema, self.max_age)?;
        while let Some(record) = decoder.record()? {
            match self.of.put(&record)? {
                Fate::Loaded => loaded.loaded += 1,
                Fate::Expired => loaded.expired += 1,
                Fate::AlreadyPresent => loaded.already_present += 1,
            }
            decoder.accept();
            if loaded.records().is_multiple_of(REPORT) {
                (self.progress)(loaded.records());
            }
        }
        (self.progress)(loaded.records());
        Ok(())
    }
}

impl fmt::Debug for Snapshot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("schema", &self.schema).field("max_age", &self.max_age).finish_non_exhaustive()
    }
}
