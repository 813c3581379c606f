//! What can go wrong with a snapshot. Neither error holds, or prints, a token, key or value.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use super::Loaded;
use super::format::Fault;

/// A snapshot was not saved.
#[derive(Debug)]
pub struct SaveError {
    kind: SaveErrorKind,
    record: Option<u64>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Why a snapshot was not saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SaveErrorKind {
    /// Writing failed.
    Io(io::ErrorKind),
    /// A key or value cannot be encoded.
    Encode,
    /// A key or value was encoded, and cannot be decoded: its `Serialize` and its `Deserialize` disagree, it is
    /// nested too deeply, or serde cannot express it (such as an `i128` in an untagged enum).
    NotLoadable,
    /// A key or value has more than `u32::MAX` bytes, encoded.
    TooLong,
}

/// A snapshot was not loaded, or not to its end. What came before the place that it tells was good, and stays loaded.
#[derive(Debug)]
pub struct LoadError {
    kind: LoadErrorKind,
    offset: u64,
    loaded: Loaded,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Why a snapshot was not loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LoadErrorKind {
    /// Reading failed.
    Io(io::ErrorKind),
    /// It is no snapshot.
    Foreign,
    /// It is of a newer format, with this number: from a later version of this crate.
    Newer(u16),
    /// It is of an older format, with this number, which cannot be read any more: a cache's of format 1. Load it
    /// with the version of this crate that saved it, or begin without it.
    Older(u16),
    /// It was saved longer ago than [`max_age`](super::Snapshot::max_age) allows.
    TooOld {
        /// How long ago it was saved.
        age: Duration,
        /// How long ago it may have been saved.
        max_age: Duration,
    },
    /// It is of format 1, which does not hold the time of saving, and a [`max_age`](super::Snapshot::max_age) was
    /// set.
    UnknownAge,
    /// It is a store's, and was to be loaded into a cache; or the other way round.
    OtherContents,
    /// It was saved with this schema, another one.
    OtherSchema(u32),
    /// It ends before its end.
    Truncated,
    /// A checksum, a mark or the number of records is wrong, or something follows the end.
    Corrupt,
    /// A key or value cannot be decoded: it was saved with other types.
    Decode,
}

impl SaveError {
    pub(crate) fn new(kind: SaveErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        SaveError { kind, record: None, source: Some(source.into()) }
    }

    pub(crate) fn of_record(kind: SaveErrorKind, record: u64) -> Self {
        SaveError { kind, record: Some(record), source: None }
    }

    pub(crate) fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Why.
    pub fn kind(&self) -> SaveErrorKind {
        self.kind
    }

    /// Which record was refused, counted from 0 in the order of the snapshot; None if it was no record's fault.
    pub fn record(&self) -> Option<u64> {
        self.record
    }
}

impl From<io::Error> for SaveError {
    fn from(error: io::Error) -> Self {
        SaveError::new(SaveErrorKind::Io(error.kind()), error)
    }
}

impl LoadError {
    pub(super) fn new(fault: Fault, offset: u64, loaded: Loaded) -> Self {
        LoadError { kind: fault.kind, offset, loaded, source: fault.source }
    }

    /// Why.
    pub fn kind(&self) -> LoadErrorKind {
        self.kind
    }

    /// Where: in bytes from the start, the beginning of the header, record or end that was not good.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What became of the records before it.
    pub fn loaded(&self) -> Loaded {
        self.loaded
    }
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            SaveErrorKind::Io(kind) => write!(f, "the snapshot cannot be written: {kind}"),
            SaveErrorKind::Encode => f.write_str("a key or value cannot be encoded"),
            SaveErrorKind::NotLoadable => f.write_str("a key or value could not be loaded again"),
            SaveErrorKind::TooLong => write!(f, "a key or value of more than {} bytes", u32::MAX),
        }?;
        match self.record {
            Some(record) => write!(f, " (record {record}, counted from 0)"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            LoadErrorKind::Io(kind) => write!(f, "the snapshot cannot be read: {kind}"),
            LoadErrorKind::Foreign => f.write_str("not a snapshot"),
            LoadErrorKind::Newer(format) => write!(f, "a snapshot of format {format}, which is newer"),
            LoadErrorKind::Older(format) => write!(
                f,
                "a cache's snapshot of format {format}, which cannot be read any more: \
                 load it with the version of fleeting that saved it, or begin without it"
            ),
            LoadErrorKind::TooOld { age, max_age } => {
                write!(f, "the snapshot is too old: it was saved {age:?} ago, and may be {max_age:?} old")
            }
            LoadErrorKind::UnknownAge => {
                f.write_str("a snapshot of format 1, whose age is not known, and a greatest age was set")
            }
            LoadErrorKind::OtherContents => f.write_str("a store's snapshot for a cache, or the other way round"),
            LoadErrorKind::OtherSchema(schema) => write!(f, "a snapshot of another schema, {schema}"),
            LoadErrorKind::Truncated => f.write_str("the snapshot ends too early"),
            LoadErrorKind::Corrupt => f.write_str("the snapshot is corrupt"),
            LoadErrorKind::Decode => f.write_str("a key or value of the snapshot cannot be decoded"),
        }?;
        write!(f, " (at byte {}, after {} records that were loaded)", self.offset, self.loaded.loaded)
    }
}

impl Error for SaveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl Error for LoadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
