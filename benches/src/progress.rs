//! What is being done, on the error stream: a line that is written over on a terminal, a line a cell elsewhere.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

static LAST: Mutex<Option<Instant>> = Mutex::new(None);

/// Elsewhere than on a terminal, no more than a line in so long.
const APART: Duration = Duration::from_secs(5);

/// Tells what is being done; empty to clear the line.
pub fn tell(what: &str) {
    let mut stderr = io::stderr();
    // Nothing to be done about a closed stream.
    if stderr.is_terminal() {
        let _ = write!(stderr, "\r\x1b[K{what}");
        let _ = stderr.flush();
        return;
    }
    let mut last = LAST.lock().expect("nobody panics with it");
    if !what.is_empty() && last.is_none_or(|last| last.elapsed() >= APART) {
        *last = Some(Instant::now());
        let _ = writeln!(stderr, "... {what}");
    }
}
