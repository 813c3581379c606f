//! The bytes of a snapshot: see the [module](super) for their layout.
//!
//! * **S1** A checksum goes on from the one before, over all bytes but checksums: what is read is the start of what was written, or shows at the
//!   end of the header, record or end that differs (a changed byte for certain, more of them but for one in 2^32).
//! * **S2** No length is used before its checksum was right; and memory is taken by [`STEP`], as bytes arrive.
//! * **S3** Wall-clock times are converted by one [`Moment`], read as a save or load begins. So all deadlines of a
//!   snapshot move together if the wall clock is set meanwhile, and none leaves a load with more time left than it
//!   had at the time of saving.

use std::io::{self, Read, Write};
use std::time::{Duration, SystemTime};

use crc32fast::Hasher;

use super::error::{LoadErrorKind, SaveError, SaveErrorKind};
use crate::clock::Time;
use crate::expiry::NEVER;

/// As PNG's: not text, and changed by whatever changes line ends or strips a bit.
const MAGIC: [u8; 8] = *b"\x89FLT\r\n\x1A\n";

/// The newest format, which is written.
const FORMAT: u16 = 2;

/// The first format: its header has no time of saving, and a cache's keys and values were encoded by `postcard`.
const FIRST: u16 = 1;

const RECORD: usize = 24;
const END: usize = 8;

const RECORD_MARK: u8 = 1;
const END_MARK: u8 = 2;

/// Never, as wall-clock time.
const FOREVER: u64 = u64::MAX;

/// Memory for a body is taken in steps of this, as it arrives.
const STEP: usize = 1 << 16;

/// What the records of a snapshot are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Contents {
    /// Tokens and data.
    Sessions = 1,
    /// Keys and values, encoded.
    Entries = 2,
}

/// One record. Its times are nanoseconds since 1970 in a file, and deadlines of the cache's clock outside.
#[derive(Clone, Copy)]
pub struct Record<'r> {
    pub key: &'r [u8],
    pub value: &'r [u8],
    pub deadline: u64,
    pub cap: u64,
}

/// Why a snapshot does not load; where is known to the decoder.
pub struct Fault {
    pub kind: LoadErrorKind,
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl From<LoadErrorKind> for Fault {
    fn from(kind: LoadErrorKind) -> Self {
        Fault { kind, source: None }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::UnexpectedEof => LoadErrorKind::Truncated,
            kind => LoadErrorKind::Io(kind),
        };
        Fault { kind, source: Some(error.into()) }
    }
}

/// The two clocks at one moment: when a save or load began (S3).
#[derive(Clone, Copy)]
pub struct Moment {
    /// The wall-clock time at the monotonic clock's zero, in nanoseconds since 1970.
    origin: i128,
    /// The monotonic clock.
    now: u64,
}

impl Moment {
    pub fn of(time: &Time) -> Self {
        let origin = time.system_time(0);
        let origin = match origin.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => since.as_nanos().cast_signed(),
            Err(before) => -before.duration().as_nanos().cast_signed(),
        };
        Moment { origin, now: time.now() }
    }

    /// The moment, by the wall clock.
    fn wall(&self) -> u64 {
        self.wall_time(self.now)
    }

    /// A deadline as wall-clock time.
    fn wall_time(&self, deadline: u64) -> u64 {
        if deadline == NEVER {
            return FOREVER;
        }
        u64::try_from((self.origin + i128::from(deadline)).max(0)).unwrap_or(FOREVER)
    }

    /// The deadline at a wall-clock time, with no more time left than it had when it was saved.
    fn deadline(&self, wall_time: u64, saved: Option<u64>) -> u64 {
        if wall_time == FOREVER {
            return NEVER;
        }
        let left = wall_time.saturating_sub(self.wall());
        let left = saved.map_or(left, |saved| left.min(wall_time.saturating_sub(saved)));
        self.now.saturating_add(left).min(NEVER)
    }
}

/// Makes the bytes, piece by piece.
pub struct Encoder {
    moment: Moment,
    bytes: Vec<u8>,
    checksum: Hasher,
    records: u64,
    written: u64,
}

impl Encoder {
    pub fn new(contents: Contents, schema: u32, moment: Moment) -> Self {
        let mut encoder = Encoder { moment, bytes: Vec::new(), checksum: Hasher::new(), records: 0, written: 0 };
        encoder.put(&MAGIC);
        encoder.put(&FORMAT.to_le_bytes());
        encoder.put(&(contents as u16).to_le_bytes());
        encoder.put(&schema.to_le_bytes());
        encoder.put(&moment.wall().to_le_bytes());
        encoder.put_checksum();
        encoder
    }

    /// # Errors
    ///
    /// Key or value has more than `u32::MAX` bytes.
    pub fn record(&mut self, record: &Record<'_>) -> Result<(), SaveError> {
        let too_long = || SaveError::of_record(SaveErrorKind::TooLong, self.records);
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| too_long());
        let (key, value) = (length(record.key)?, length(record.value)?);
        self.put(&[RECORD_MARK]);
        self.put(&key.to_le_bytes());
        self.put(&value.to_le_bytes());
        self.put(&self.moment.wall_time(record.deadline).to_le_bytes());
        self.put(&self.moment.wall_time(record.cap).to_le_bytes());
        self.put_checksum();
        self.put(record.key);
        self.put(record.value);
        self.put_checksum();
        self.records += 1;
        Ok(())
    }

    pub fn end(&mut self) {
        self.put(&[END_MARK]);
        self.put(&self.records.to_le_bytes());
        self.put_checksum();
    }

    /// What has not been written yet.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn records(&self) -> u64 {
        self.records
    }

    pub fn written(&self) -> u64 {
        self.written
    }

    pub fn write_to(&mut self, writer: &mut dyn Write) -> io::Result<()> {
        writer.write_all(&self.bytes)?;
        self.written += self.bytes.len() as u64;
        self.bytes.clear();
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) {
        self.checksum.update(bytes);
        self.bytes.extend_from_slice(bytes);
    }

    fn put_checksum(&mut self) {
        self.bytes.extend_from_slice(&self.checksum.clone().finalize().to_le_bytes());
    }
}

/// Reads the bytes, and believes none without its checksum.
pub struct Decoder<'r> {
    reader: &'r mut dyn Read,
    moment: Moment,
    /// The time of saving, by the wall clock; None in the first format.
    saved: Option<u64>,
    checksum: Hasher,
    /// Bytes that were read, and those of them that were good.
    read: u64,
    good: u64,
    records: u64,
    body: Vec<u8>,
}

impl<'r> Decoder<'r> {
    pub fn new(reader: &'r mut dyn Read, moment: Moment) -> Self {
        let (checksum, body) = (Hasher::new(), Vec::new());
        Decoder { reader, moment, saved: None, checksum, read: 0, good: 0, records: 0, body }
    }

    /// Where the header, record or end begins that was not good: all before it was.
    pub fn good(&self) -> u64 {
        self.good
    }

    /// What was read last is good in every respect.
    pub fn accept(&mut self) {
        self.good = self.read;
    }

    /// Refuses other contents, another schema, and what is older than `max_age`.
    pub fn header(&mut self, contents: Contents, schema: u32, max_age: Option<Duration>) -> Result<(), Fault> {
        // Byte by byte: a file that is too short for the magic is foreign if it begins otherwise.
        for expected in MAGIC {
            if self.bytes::<1>()? != [expected] {
                return Err(LoadErrorKind::Foreign.into());
            }
        }
        let format = u16::from_le_bytes(self.bytes()?);
        if format > FORMAT {
            // Before the checksum, which may be elsewhere there.
            return Err(LoadErrorKind::Newer(format).into());
        }
        let (found, found_schema) = (u16::from_le_bytes(self.bytes()?), u32::from_le_bytes(self.bytes()?));
        if format > FIRST {
            self.saved = Some(u64::from_le_bytes(self.bytes()?));
        }
        self.check()?;
        if format < FIRST {
            return Err(LoadErrorKind::Corrupt.into());
        }
        if found != contents as u16 {
            return Err(LoadErrorKind::OtherContents.into());
        }
        if format == FIRST && contents == Contents::Entries {
            return Err(LoadErrorKind::Older(format).into());
        }
        if found_schema != schema {
            return Err(LoadErrorKind::OtherSchema(found_schema).into());
        }
        if let Some(max_age) = max_age {
            let saved = self.saved.ok_or(LoadErrorKind::UnknownAge)?;
            let age = Duration::from_nanos(self.moment.wall().saturating_sub(saved));
            if age > max_age {
                return Err(LoadErrorKind::TooOld { age, max_age }.into());
            }
        }
        self.accept();
        Ok(())
    }

    /// The next record; None at the end. What it returns is whole; [`accept`](Self::accept) it once it is used.
    pub fn record(&mut self) -> Result<Option<Record<'_>>, Fault> {
        match self.bytes::<1>()? {
            [RECORD_MARK] => {}
            [END_MARK] => return self.end().map(|()| None),
            _ => return Err(LoadErrorKind::Corrupt.into()),
        }
        let head: [u8; RECORD] = self.bytes()?;
        self.check()?;
        let (key, rest) = number::<4>(&head);
        let (value, rest) = number::<4>(rest);
        let (deadline, rest) = number::<8>(rest);
        let (cap, _) = number::<8>(rest);
        if cap < deadline {
            return Err(LoadErrorKind::Corrupt.into());
        }
        self.read_body(key + value)?;
        self.check()?;
        self.records += 1;
        let [deadline, cap] = [deadline, cap].map(|time| self.moment.deadline(time, self.saved));
        // It was read, so it has this length.
        let (key, value) = self.body.split_at(key as usize);
        Ok(Some(Record { key, value, deadline, cap }))
    }

    fn end(&mut self) -> Result<(), Fault> {
        let count: [u8; END] = self.bytes()?;
        self.check()?;
        if u64::from_le_bytes(count) != self.records {
            return Err(LoadErrorKind::Corrupt.into());
        }
        self.accept();
        match self.bytes::<1>() {
            Ok(_) => Err(LoadErrorKind::Corrupt.into()),
            Err(Fault { kind: LoadErrorKind::Truncated, .. }) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let bytes = self.raw_bytes()?;
        self.checksum.update(&bytes);
        Ok(bytes)
    }

    fn raw_bytes<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        self.read += N as u64;
        Ok(bytes)
    }

    /// S1.
    fn check(&mut self) -> Result<(), Fault> {
        let expected = self.checksum.clone().finalize();
        if u32::from_le_bytes(self.raw_bytes()?) != expected {
            return Err(LoadErrorKind::Corrupt.into());
        }
        Ok(())
    }

    /// S2.
    fn read_body(&mut self, length: u64) -> Result<(), Fault> {
        self.body.clear();
        let mut left = length;
        while left > 0 {
            let (start, step) = (self.body.len(), left.min(STEP as u64));
            self.body.resize(start + step as usize, 0);
            self.reader.read_exact(&mut self.body[start..])?;
            left -= step;
        }
        self.checksum.update(&self.body);
        self.read += length;
        Ok(())
    }
}

/// A number of N bytes at most eight, and what follows it.
fn number<const N: usize>(bytes: &[u8]) -> (u64, &[u8]) {
    let (number, rest) = bytes.split_at(N);
    (number.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)), rest)
}
