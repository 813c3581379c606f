//! Counts what the checker of `histories/` has explained.

use std::sync::Mutex;
use std::time::Instant;

use histories::{Checked, History, Specification, check};

use crate::explore::print;

/// The histories of a scenario, over all executions.
#[derive(Debug)]
pub struct Tally {
    started: Instant,
    sums: Mutex<(usize, usize, usize)>,
}

impl Default for Tally {
    fn default() -> Self {
        Tally { started: Instant::now(), sums: Mutex::default() }
    }
}

impl Tally {
    /// Checks the history of one key, and counts it; panics with the timeline if no order of its calls explains the answers.
    pub fn check<S: Specification>(&self, specification: &S, history: &History<S>) {
        match check(specification, history) {
            Ok(Checked { calls, overlapping, .. }) => {
                let mut sums = self.sums.lock().expect("nobody panics in here");
                *sums = (sums.0 + 1, sums.1 + calls, sums.2 + overlapping);
            }
            Err(violation) => panic!("{violation}"),
        }
    }

    /// Prints how many, and how fast; asserts that many calls overlapped others.
    pub fn finish(&self, name: &str) {
        let (histories, calls, overlapping) = *self.sums.lock().expect("nobody panics in here");
        let seconds = self.started.elapsed().as_secs_f64();
        let (histories_a_second, calls_a_second) = (histories as f64 / seconds, calls as f64 / seconds);
        print(&format!(
            "histories {name} histories {histories} calls {calls} overlapping {overlapping} seconds {seconds:.2} \
             rate {histories_a_second:.0} histories/s {calls_a_second:.0} calls/s violations 0\n"
        ));
        assert!(3 * overlapping >= calls, "{name}: {overlapping} of {calls} calls overlapped: this checks little");
    }
}
