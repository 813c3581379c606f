//! Saves a million sessions of 256 bytes to a file, and loads them into a new store, as a restart does. Needs feature `serde`.
//!
//! ```sh
//! cargo run --release --features serde --example warm_restart -- [SESSIONS] [PATH]
//! ```

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use fleeting::MemStore;
use fleeting::snapshot::LoadErrorKind;

const SESSIONS: u64 = 1_000_000;
const DATA: usize = 256;
const HOUR: Duration = Duration::from_secs(3_600);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let sessions = arguments.next().map_or(Ok(SESSIONS), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let path = arguments.next().map_or_else(|| folder.path().join("sessions"), PathBuf::from);

    let store = MemStore::new(Duration::from_secs(60));
    // A server that starts for the first time has no file. One that saves every few minutes need not believe a
    // file of yesterday, which would bring back who has logged out since.
    match store.snapshot().max_age(HOUR).load_from_path(&path) {
        Ok(loaded) => println!("{} sessions were there from a former run", loaded.loaded),
        Err(error) if error.kind() == LoadErrorKind::Io(std::io::ErrorKind::NotFound) => println!("a cold start"),
        Err(error) if matches!(error.kind(), LoadErrorKind::TooOld { .. }) => println!("a cold start: {error}"),
        Err(error) => return Err(error.into()),
    }
    let begun = Instant::now();
    let expiry = SystemTime::now() + HOUR;
    for number in 0..sessions {
        store.save(token(number), data(number), expiry);
    }
    report("made", sessions, store.len() as u64 * (32 + DATA as u64), begun);

    let begun = Instant::now();
    let saved = store.snapshot().on_progress(progress(sessions)).save_to_path(&path)?;
    report("saved", saved.records, saved.bytes, begun);
    drop(store);

    let begun = Instant::now();
    let store = MemStore::new(Duration::from_secs(60));
    let loaded = store.snapshot().on_progress(progress(saved.records)).load_from_path(&path)?;
    report("loaded", loaded.loaded, saved.bytes, begun);

    assert_eq!((loaded.loaded, loaded.expired, loaded.already_present), (saved.records, 0, 0));
    for number in 0..sessions {
        let found = store.find_with_expiry(token(number));
        let (found, until) = found.ok_or("a session is gone")?;
        assert_eq!(&found[..], data(number));
        assert!(until.max(expiry).duration_since(until.min(expiry))? < Duration::from_secs(1));
    }
    println!("all {sessions} sessions are as they were");
    Ok(())
}

/// As a real token is: 32 bytes that differ everywhere.
fn token(number: u64) -> [u8; 32] {
    let mut token = [0; 32];
    for (index, place) in token.chunks_exact_mut(8).enumerate() {
        let mixed = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17 * index as u32);
        place.copy_from_slice(&mixed.wrapping_mul(0xBF58_476D_1CE4_E5B9).to_le_bytes());
    }
    token
}

fn data(number: u64) -> [u8; DATA] {
    let mut data = [number as u8; DATA];
    data[..8].copy_from_slice(&number.to_le_bytes());
    data
}

/// A line that is overwritten, where somebody looks.
fn progress(of: u64) -> impl FnMut(u64) {
    let is_seen = std::io::stderr().is_terminal();
    move |records| {
        if is_seen {
            eprint!("\r{:3} %", records * 100 / of.max(1));
            if records == of {
                eprint!("\r");
            }
            let _ = std::io::stderr().flush();
        }
    }
}

fn report(what: &str, sessions: u64, bytes: u64, begun: Instant) {
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{what} {sessions} sessions in {seconds:.2} s: {:.0} a second, {:.0} MB, {:.0} MB a second",
        sessions as f64 / seconds,
        bytes as f64 / 1e6,
        bytes as f64 / 1e6 / seconds
    );
}
