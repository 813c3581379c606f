//! What a session and a tombstone take, by the process's resident memory (Linux): `cargo run --release --example sessions_memory`.

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use fleeting_sessions::{Lifetime, Sessions};

const SESSIONS: u32 = 1_000_000;

/// Resident bytes.
fn resident() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.map(|kibibytes| kibibytes * 1024).ok_or_else(|| io::Error::other("/proc/self/status has no VmRSS"))
}

fn main() -> io::Result<()> {
    let sessions =
        Sessions::<u128, ()>::builder().max_tombstones(SESSIONS as usize).build().map_err(io::Error::other)?;
    // One, so that what is counted is what the map takes.
    let session = Arc::new(());
    let before = resident()?;
    let each = || Ok::<_, io::Error>(resident()?.saturating_sub(before) / u64::from(SESSIONS));
    for number in 0..SESSIONS {
        sessions.create(number.into(), session.clone(), Lifetime::For(Duration::from_secs(1800)));
    }
    println!("a session with a key of 16 bytes, beside its data: {} bytes", each()?);
    for number in 0..SESSIONS {
        sessions.delete(number.into());
    }
    println!("a tombstone: {} bytes", each()?);
    Ok(())
}
