//! Records calls: stamps that all threads share, and a log that belongs to one.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::specification::Call;

/// The order of invocations and returns. Share one among all threads of a history.
#[derive(Debug, Default)]
pub struct Stamps(AtomicU64);

impl Stamps {
    /// Stamps that start at zero.
    pub const fn new() -> Self {
        Stamps(AtomicU64::new(0))
    }

    /// The next stamp, higher than any that was given.
    pub fn next(&self) -> u64 {
        // Ordering: SeqCst, so that a stamp is neither taken after the call's first step nor before its last.
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    /// How many were given.
    pub fn given(&self) -> u64 {
        // Ordering: Relaxed: only a measure of progress.
        self.0.load(Ordering::Relaxed)
    }
}

/// The calls of one thread, each on a key (an index).
#[derive(Clone, Debug)]
pub struct Log<O, A> {
    thread: usize,
    calls: Vec<(usize, Call<O, A>)>,
}

impl<O, A> Log<O, A> {
    /// An empty log.
    pub fn new(thread: usize) -> Self {
        Log { thread, calls: Vec::new() }
    }

    /// Makes a call and notes it. `clock` is the time before it.
    pub fn call(&mut self, stamps: &Stamps, clock: u64, key: usize, operation: O, run: impl FnOnce(&O) -> A) {
        let invoked = stamps.next();
        let answer = run(&operation);
        let returned = Some(stamps.next());
        self.push(key, Call { thread: self.thread, clock, invoked, returned, operation, answer: Some(answer) });
    }

    /// Notes a call that was made otherwise: one on several keys stands in the history of each.
    pub fn push(&mut self, key: usize, call: Call<O, A>) {
        self.calls.push((key, call));
    }

    /// Its thread.
    pub fn thread(&self) -> usize {
        self.thread
    }

    /// Adds its calls to the histories of their keys.
    pub fn distribute(self, histories: &mut [Vec<Call<O, A>>]) {
        for (key, call) in self.calls {
            histories[key].push(call);
        }
    }
}
