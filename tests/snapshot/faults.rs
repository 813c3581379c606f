//! What is not whole: a cut, or a changed byte, anywhere; foreign and newer files; writers and readers that fail.

use std::io::{self, Read, Write};
use std::iter;
use std::time::SystemTime;

use crc32fast::Hasher;
use fleeting::MemStore;
use fleeting::snapshot::{LoadError, LoadErrorKind, SaveErrorKind};

use crate::common::{manual_cache, manual_store, seconds};
use crate::{at, restarted, saved, sessions, small};

fn load(file: &[u8]) -> (MemStore, LoadError) {
    let (store, _) = restarted(0);
    let error = store.load_from(file).expect_err("refused");
    assert_eq!(error.loaded().loaded, store.len() as u64, "the error tells what is there");
    (store, error)
}

/// Where header, records and end of [`small`] begin, and where its file ends, by the lengths in it.
fn bounds(file: &[u8]) -> Vec<usize> {
    let length = |place: usize| u32::from_le_bytes(file[place..place + 4].try_into().expect("four bytes")) as usize;
    let mut bounds = vec![0, 28];
    while file[bounds[bounds.len() - 1]] == 1 {
        let start = bounds[bounds.len() - 1];
        bounds.push(start + 25 + 4 + length(start + 1) + length(start + 5) + 4);
    }
    bounds.push(bounds[bounds.len() - 1] + 13);
    assert_eq!(bounds.last(), Some(&file.len()), "the format is as documented");
    bounds
}

/// Catches a file that is cut, at a boundary of records too, and loads as if whole; a wrong place; and records that are lost, or said to be.
#[test]
fn a_cut_anywhere_is_seen() {
    let store = small();
    let file = saved(&store);
    let bounds = bounds(&file);
    for end in 0..file.len() {
        let (cut, error) = load(&file[..end]);
        assert_eq!(error.kind(), LoadErrorKind::Truncated, "{end}");
        let good = bounds.iter().rposition(|bound| *bound <= end).expect("from 0 on");
        assert_eq!(error.offset(), bounds[good] as u64, "{end}");
        assert_eq!(error.loaded().loaded, good.saturating_sub(1) as u64, "{end}");
        let all = sessions(&store);
        assert!(sessions(&cut).keys().all(|token| all.contains_key(token)));
    }
}

/// Catches any one byte that is changed, to whatever, and is not noticed, or noticed too late.
#[test]
fn a_change_of_any_byte_is_seen() {
    let (file, all) = (saved(&small()), sessions(&small()));
    let (store, _) = restarted(0);
    let bounds = bounds(&file);
    for place in 0..file.len() {
        for change in 1..=255 {
            let mut changed = file.clone();
            changed[place] ^= change;
            let error = store.load_from(&changed[..]).expect_err("changed");
            // An end that says it is a record is too short for one.
            let is_seen = match error.kind() {
                LoadErrorKind::Corrupt | LoadErrorKind::Foreign | LoadErrorKind::Newer(_) => true,
                kind => kind == LoadErrorKind::Truncated && place == bounds[bounds.len() - 2],
            };
            assert!(is_seen, "{place} {change} {error}");
            assert_eq!(error.loaded().loaded, store.len() as u64);
            let good = bounds.iter().rposition(|bound| *bound <= place).expect("from 0 on");
            assert_eq!(error.offset(), bounds[good] as u64, "{place} {change}");
            assert!(sessions(&store).iter().all(|(token, session)| all[token] == *session), "{place} {change}");
            store.clear();
        }
    }
}

/// Catches records that are doubled, missing, or in another order, each whole by itself; and a tail.
#[test]
fn records_stand_where_they_stood() {
    let file = saved(&small());
    let bounds = bounds(&file);
    let piece = |index: usize| &file[bounds[index]..bounds[index + 1]];
    let [header, one, two, three, end] = [0, 1, 2, 3, 4].map(piece);
    for (pieces, loaded) in [
        (vec![header, one, one, two, three, end], 1),
        (vec![header, one, three, end], 1),
        (vec![header, two, one, three, end], 0),
        (vec![header, one, two, end], 2),
        (vec![header, end], 0),
        (vec![header, one, two, three, end, end], 3),
        (vec![header, one, two, three, end, b"\n"], 3),
        (vec![header, one, two, three, end, header, one, two, three, end], 3),
    ] {
        let (_, error) = load(&pieces.concat());
        assert_eq!((error.kind(), error.loaded().loaded), (LoadErrorKind::Corrupt, loaded));
    }
}

/// Puts the right checksums into a file, by the documentation: what was changed in it is then as if it had been saved so.
fn sealed(pieces: &[&[u8]]) -> Vec<u8> {
    let (mut hasher, mut file) = (Hasher::new(), Vec::new());
    for piece in pieces {
        hasher.update(piece);
        file.extend_from_slice(piece);
        file.extend_from_slice(&hasher.clone().finalize().to_le_bytes());
    }
    file
}

const MAGIC: &[u8] = b"\x89FLT\r\n\x1A\n";

fn header(format: u16, contents: u16) -> Vec<u8> {
    let saved = at(0).duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_nanos() as u64;
    let head = [MAGIC, &format.to_le_bytes(), &contents.to_le_bytes(), &[0; 4]].concat();
    // The first format does not have the time of saving.
    if format < 2 { head } else { [&head[..], &saved.to_le_bytes()].concat() }
}

fn record(key: u32, value: u32, deadline: u64, cap: u64) -> Vec<u8> {
    [&[1][..], &key.to_le_bytes(), &value.to_le_bytes(), &deadline.to_le_bytes(), &cap.to_le_bytes()].concat()
}

fn end(count: u64) -> Vec<u8> {
    [&[2][..], &count.to_le_bytes()].concat()
}

/// Catches a format that is not the documented one, and checks that these tests can make one.
#[test]
fn the_format_is_as_documented() {
    let file = sealed(&[&header(2, 1), &record(1, 3, u64::MAX, u64::MAX), b"aone", &end(1)]);
    let (store, _) = restarted(0);
    assert_eq!(store.load_from(&file[..]).expect("whole").loaded, 1);
    assert_eq!(store.find("a").as_deref(), Some(&b"one"[..]));
    assert_eq!(saved(&store), file);
}

/// Catches a store's snapshot of the first format that is not read any more. These are the bytes of one that
/// version 0.1.0 saved, of 13 November 2025: a session until 2033, and one without an end.
#[test]
fn a_stores_first_format_is_still_read() {
    let file = sealed(&[
        b"\x89FLT\r\n\x1A\n\x01\0\x01\0\0\0\0\0",
        b"\x01\x01\0\0\0\x03\0\0\0\0\0\xC8\x4E\x67\x6D\xC1\x1B\0\0\xC8\x4E\x67\x6D\xC1\x1B",
        b"aone",
        b"\x01\x05\0\0\0\0\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        b"token",
        b"\x02\x02\0\0\0\0\0\0\0",
    ]);
    let (store, _) = restarted(0);
    assert_eq!(store.load_from(&file[..]).expect("whole").loaded, 2);
    let sessions = sessions(&store);
    assert_eq!(sessions[&b"a"[..]], (b"one".to_vec(), SystemTime::UNIX_EPOCH + seconds(2_000_000_000)));
    assert!(sessions.contains_key(&b"token"[..]));
    // Its age is not known.
    let error = restarted(0).0.snapshot().max_age(seconds(u64::MAX >> 32)).load_from(&file[..]).expect_err("no age");
    assert_eq!((error.kind(), error.loaded().loaded), (LoadErrorKind::UnknownAge, 0));
}

/// Catches a cache's snapshot of the first format that is decoded as if it were of the second, and an error that
/// does not say what to do.
#[test]
fn a_caches_first_format_is_refused() {
    let file = sealed(&[&header(1, 2), &record(1, 1, u64::MAX, u64::MAX), &[1, 2], &end(1)]);
    let (cache, _) = manual_cache::<u8, u8>();
    let error = cache.load_from(&file[..]).expect_err("postcard's");
    assert_eq!((error.kind(), error.loaded().loaded), (LoadErrorKind::Older(1), 0));
    assert!(error.to_string().contains("load it with the version of fleeting that saved it, or begin without it"));
}

/// Catches an error of the wrong kind for what is no snapshot, or from another time.
#[test]
fn foreign_and_newer_files_are_refused() {
    let kind = |file: &[u8]| load(file).1.kind();
    for foreign in
        [&b"hello"[..], b"{\"token\": 1}", b"\x89PNG\r\n\x1A\n and so on", b"\x1F\x8B", b"\x89FLT\n\x1A\n", &[0; 100]]
    {
        assert_eq!(kind(foreign), LoadErrorKind::Foreign);
    }
    assert_eq!((kind(b""), kind(&MAGIC[..5])), (LoadErrorKind::Truncated, LoadErrorKind::Truncated));
    for format in [3, 4, 256, u16::MAX] {
        assert_eq!(kind(&sealed(&[&header(format, 1), &end(0)])), LoadErrorKind::Newer(format));
        // A newer header may be another one.
        assert_eq!(kind(&[MAGIC, &format.to_le_bytes()].concat()), LoadErrorKind::Newer(format));
    }
    for (pieces, expected) in [
        (vec![header(0, 1), end(0)], LoadErrorKind::Corrupt),
        (vec![header(2, 0), end(0)], LoadErrorKind::OtherContents),
        (vec![header(2, 2), end(0)], LoadErrorKind::OtherContents),
        (vec![header(2, 1), end(1)], LoadErrorKind::Corrupt),
        (vec![header(2, 1), vec![3; 9]], LoadErrorKind::Corrupt),
        (vec![header(2, 1), record(0, 0, 2, 1), vec![], end(1)], LoadErrorKind::Corrupt),
    ] {
        let pieces: Vec<_> = pieces.iter().map(Vec::as_slice).collect();
        assert_eq!(kind(&sealed(&pieces)), expected, "{pieces:?}");
    }
}

/// Catches a length that is believed before the bytes are there: this would take eight gigabytes. See `snapshot_memory.rs` for how much it takes.
#[test]
fn lengths_are_not_believed() {
    let claim = sealed(&[&header(2, 1), &record(u32::MAX, u32::MAX, u64::MAX, u64::MAX)]);
    let file = [&claim[..], &[7; 1_000]].concat();
    let (_, error) = load(&file);
    assert_eq!((error.kind(), error.offset()), (LoadErrorKind::Truncated, 28));
}

/// Fails after so many bytes.
struct Failing {
    left: usize,
}

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // In small pieces, as a pipe may.
        let written = bytes.len().min(self.left).min(1_000);
        self.left -= written;
        if written == 0 && !bytes.is_empty() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(written) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.left == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

/// Catches a failure to write, or to flush, that is passed over.
#[test]
fn a_writer_may_fail() {
    let (store, _) = manual_store();
    (0..3_000_u32).for_each(|number| store.save(number.to_le_bytes(), [0; 100], at(100)));
    let length = saved(&store).len();
    for left in (0..length).step_by(9_973).chain([length - 1, length]) {
        let error = store.save_to(Failing { left }).expect_err("full");
        assert_eq!(error.kind(), SaveErrorKind::Io(io::ErrorKind::StorageFull), "{left}");
        assert!(std::error::Error::source(&error).is_some());
    }
    assert_eq!(store.save_to(Failing { left: length + 1 }).expect("room").bytes, length as u64);
}

/// Catches a failure to read that is taken for the end, and a reader that is interrupted, or gives little at a time, and is taken for one that fails.
#[test]
fn a_reader_may_fail_and_may_be_slow() {
    struct Slow<'f> {
        bytes: &'f [u8],
        calls: usize,
        fails: bool,
    }
    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.calls += 1;
            if self.calls % 2 == 1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if self.bytes.is_empty() && self.fails {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            let length = buffer.len().min(3);
            self.bytes.read(&mut buffer[..length])
        }
    }
    let file = saved(&small());
    let (store, _) = restarted(0);
    assert_eq!(store.load_from(Slow { bytes: &file, calls: 0, fails: false }).expect("whole").loaded, 3);
    let reset = LoadErrorKind::Io(io::ErrorKind::ConnectionReset);
    for end in 0..=file.len() {
        let (store, _) = restarted(0);
        let error = store.load_from(Slow { bytes: &file[..end], calls: 0, fails: true }).expect_err("fails");
        assert_eq!((error.kind(), error.loaded().loaded), (reset, store.len() as u64), "{end}");
    }
}

/// Catches an error that does not say where, or what it was.
#[test]
fn errors_say_what_and_where() {
    let file = saved(&small());
    let texts: Vec<_> = iter::empty()
        .chain([load(b"x").1, load(&file[..38]).1])
        .chain([load(&sealed(&[&header(9, 1)])).1])
        .map(|error| error.to_string())
        .collect();
    assert_eq!(
        texts,
        [
            "not a snapshot (at byte 0, after 0 records that were loaded)",
            "the snapshot ends too early (at byte 28, after 0 records that were loaded)",
            "a snapshot of format 9, which is newer (at byte 0, after 0 records that were loaded)",
        ]
    );
}
