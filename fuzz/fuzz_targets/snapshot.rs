//! Any bytes are a snapshot: loading them must never panic nor take memory that they do not deserve, and must answer as a slow and plain reading of
//! the documented format does, in every respect: which sessions are there, what is wrong, and where. What is accepted is saved again, and that must be
//! of equal content.
//!
//! Checksums would keep the fuzzer at the door, so every other input (by its first byte) gets the right ones first.

#![no_main]

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use fleeting::snapshot::LoadErrorKind;
use fleeting::{ManualClock, MemStore};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((way, bytes)) = input.split_first() else { return };
    let mut bytes = bytes.to_vec();
    if way % 2 == 1 {
        seal(&mut bytes);
    }
    let expected = read_plainly(&bytes);
    let store = store();
    let result = store.load_from(&bytes[..]);
    let found = sessions(&store);
    assert_eq!(found, expected.sessions, "{bytes:?}");
    let counts = match &result {
        Ok(loaded) => *loaded,
        Err(error) => error.loaded(),
    };
    assert_eq!((counts.loaded, counts.expired, counts.already_present), expected.counts);
    assert_eq!(result.as_ref().err().map(|error| (error.kind(), error.offset())), expected.error, "{bytes:?}");

    // Whatever came in goes out, and comes in again.
    let mut again = Vec::new();
    let saved = store.save_to(&mut again).expect("saved into memory");
    assert_eq!((saved.records, saved.bytes), (found.len() as u64, again.len() as u64));
    let other = self::store();
    assert_eq!(other.load_from(&again[..]).expect("just saved").loaded, saved.records);
    assert_eq!(sessions(&other), found);
});

/// Where the clock of all stores here stands, in nanoseconds since 1970.
const NOW: u64 = 1_763_000_000_000_000_000;

fn store() -> MemStore {
    let clock = ManualClock::starting_at(SystemTime::UNIX_EPOCH + Duration::from_nanos(NOW));
    MemStore::builder().cleanup_interval(Duration::ZERO).clock(clock).build().expect("plain")
}

/// Data and expiry by token. What expires in more than 290 years never does.
type Sessions = BTreeMap<Vec<u8>, (Vec<u8>, u64)>;

const NEVER: u64 = (1 << 63) - 1;

fn sessions(store: &MemStore) -> Sessions {
    let each = store.all().into_iter().map(|(token, _)| {
        let (data, expiry) = store.find_with_expiry(&token).expect("live");
        let expiry = expiry.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_nanos();
        (token.to_vec(), (data.to_vec(), u64::try_from(expiry).expect("within 584 years")))
    });
    each.collect()
}

struct Reading {
    sessions: Sessions,
    counts: (u64, u64, u64),
    error: Option<(LoadErrorKind, u64)>,
}

/// The format as it is documented, one piece after the other: each is some bytes and a checksum.
fn read_plainly(bytes: &[u8]) -> Reading {
    let mut reading = Reading { sessions: Sessions::new(), counts: (0, 0, 0), error: None };
    let mut good = 0;
    reading.error = read_pieces(bytes, &mut reading, &mut good).err().map(|kind| (kind, good as u64));
    reading
}

fn read_pieces(bytes: &[u8], reading: &mut Reading, good: &mut usize) -> Result<(), LoadErrorKind> {
    let mut pieces = Pieces { bytes, at: 0, summed: Vec::new() };
    let begins = bytes.iter().zip(MAGIC).take_while(|(found, expected)| **found == *expected).count();
    if begins < bytes.len().min(MAGIC.len()) {
        return Err(LoadErrorKind::Foreign);
    }
    if let Some(format) = bytes.get(8..10).map(|format| u16::from_le_bytes(format.try_into().expect("two bytes")))
        && format > 2
    {
        return Err(LoadErrorKind::Newer(format));
    }
    let header = pieces.checked(header_length(bytes))?;
    match (number(&header[8..10]), number(&header[10..12]), number(&header[12..16])) {
        (0, ..) => return Err(LoadErrorKind::Corrupt),
        (_, contents, _) if contents != 1 => return Err(LoadErrorKind::OtherContents),
        (.., schema) if schema != 0 => return Err(LoadErrorKind::OtherSchema(schema as u32)),
        _ => {}
    }
    // The first format does not tell when it was saved.
    let saved = header.get(16..24).map_or(0, number);
    for count in 0.. {
        *good = pieces.at;
        match bytes.get(pieces.at) {
            None => return Err(LoadErrorKind::Truncated),
            Some(1) => {}
            Some(2) => {
                if number(&pieces.checked(9)?[1..]) != count {
                    return Err(LoadErrorKind::Corrupt);
                }
                *good = pieces.at;
                return if pieces.at == bytes.len() { Ok(()) } else { Err(LoadErrorKind::Corrupt) };
            }
            Some(_) => return Err(LoadErrorKind::Corrupt),
        }
        let head = pieces.checked(25)?;
        let [key, value] = [1..5, 5..9].map(|range| number(&head[range]) as usize);
        let [deadline, cap] = [9..17, 17..25].map(|range| number(&head[range]));
        if cap < deadline {
            return Err(LoadErrorKind::Corrupt);
        }
        let body = pieces.checked(key + value)?;
        let (token, data) = body.split_at(key);
        // No more is left than when it was saved.
        let ahead = deadline.saturating_sub(NOW.max(saved));
        let expiry = NOW + if deadline == u64::MAX { NEVER } else { ahead.min(NEVER) };
        if ahead == 0 {
            reading.counts.1 += 1;
        } else if reading.sessions.contains_key(token) {
            reading.counts.2 += 1;
        } else {
            reading.sessions.insert(token.to_vec(), (data.to_vec(), expiry));
            reading.counts.0 += 1;
        }
    }
    Ok(())
}

/// Without its checksum.
fn header_length(bytes: &[u8]) -> usize {
    let is_first = bytes.get(8..10).is_some_and(|format| number(format) < 2);
    if is_first { 16 } else { 24 }
}

const MAGIC: [u8; 8] = [0x89, b'F', b'L', b'T', 0x0D, 0x0A, 0x1A, 0x0A];

/// Pieces of a file, one after the other.
struct Pieces<'b> {
    bytes: &'b [u8],
    at: usize,
    /// All pieces so far, without their checksums.
    summed: Vec<u8>,
}

impl<'b> Pieces<'b> {
    fn checked(&mut self, length: usize) -> Result<&'b [u8], LoadErrorKind> {
        let end = self.at + length;
        let Some(checksum) = self.bytes.get(end..end + 4) else { return Err(LoadErrorKind::Truncated) };
        let piece = &self.bytes[self.at..end];
        self.summed.extend_from_slice(piece);
        if number(checksum) != u64::from(crc32(&self.summed)) {
            return Err(LoadErrorKind::Corrupt);
        }
        self.at = end + 4;
        Ok(piece)
    }
}

/// Puts the right checksum behind each piece, as far as there are any.
fn seal(bytes: &mut [u8]) {
    let (mut at, mut summed) = (0, Vec::new());
    let mut piece = |length: usize, bytes: &mut [u8]| {
        let (start, end) = (at, at + length);
        if end + 4 > bytes.len() {
            return None;
        }
        summed.extend_from_slice(&bytes[start..end]);
        bytes[end..end + 4].copy_from_slice(&crc32(&summed).to_le_bytes());
        at = end + 4;
        Some(start)
    };
    let header = header_length(bytes);
    let mut next = piece(header, bytes).map(|_| header + 4);
    while let Some(start) = next {
        next = match bytes.get(start) {
            Some(1) => piece(25, bytes).and_then(|start| {
                let length = number(&bytes[start + 1..start + 5]) + number(&bytes[start + 5..start + 9]);
                piece(length as usize, bytes).map(|start| start + length as usize + 4)
            }),
            Some(2) => piece(9, bytes).and(None),
            _ => None,
        };
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number * 256 + u64::from(*byte))
}

/// Of zlib, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32| if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 };
    !bytes.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum)))
}
