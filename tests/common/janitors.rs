//! Counting janitors, by the name of their threads in `/proc`; tests that do so run one after the other.

use std::fs;
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::{lock, quieten_provoked_panics, seconds};

/// Held by a test, it keeps the others of the same program from running.
pub struct Alone(#[allow(dead_code, reason = "held, not read")] MutexGuard<'static, ()>);

/// Waits until no other test runs, and no janitor.
pub fn alone() -> Alone {
    static TURN: Mutex<()> = Mutex::new(());
    quieten_provoked_panics();
    let turn = lock(&TURN);
    assert!(eventually(|| janitors() == 0), "a thread is left from the test before");
    Alone(turn)
}

/// How many janitor threads this process has now.
pub fn janitors() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux has /proc");
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok())
        .filter(|stat| is_janitor(stat))
        .count()
}

/// Whether a line of `/proc/self/task/*/stat` is of a janitor that runs. The kernel keeps 15 bytes of its name, and lists a
/// thread for a moment after it was joined: the flag `PF_EXITING` tells.
fn is_janitor(stat: &str) -> bool {
    const PF_EXITING: u64 = 4;
    let fields = stat.split_once("(fleeting-janito) ").map(|(_, fields)| fields);
    let flags = fields.and_then(|fields| fields.split(' ').nth(6)).and_then(|flags| flags.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & PF_EXITING == 0)
}

/// Polls until the condition holds; `false` if it does not within 20 s.
pub fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let limit = Instant::now() + seconds(20);
    while !condition() {
        if Instant::now() > limit {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    true
}
