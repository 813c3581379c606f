//! What the drivers need of a subject: a cache or a store with one key that everything is about, and what may be done to it.

use fleeting::ManualClock;

use super::plan::{self, Place};

/// What the key holds.
pub type State = Option<u64>;

/// What an act answered.
pub type Answer = Option<u64>;

/// How the key is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Live, with [`FIRST`].
    Present,
    Absent,
    /// Its deadline has come, and nobody has noticed.
    Due,
}

pub const STARTS: [Start; 3] = [Start::Present, Start::Absent, Start::Due];

impl Start {
    pub fn state(self) -> State {
        (self == Start::Present).then_some(FIRST)
    }
}

/// The value that the key starts with.
pub const FIRST: u64 = 30;

/// Something that a caller does, and what it means for the key.
pub struct Act<B> {
    pub name: &'static str,
    pub run: fn(&B) -> Answer,
    /// What it answers, and what it leaves.
    pub model: fn(State) -> (Answer, State),
    /// It removes the bystanders too.
    pub clears: bool,
    /// It removes one by one what it judged before: what was put in between stays.
    pub walks: bool,
    /// It moves the clock on, so that the key may be gone at any moment.
    pub expires: bool,
    /// The key that it loads: it waits for a load of the same one.
    pub loads: Option<u64>,
    /// It drops a key or value that the cache never owned, or no longer does: a panic of that goes to the caller.
    pub drops_here: bool,
    /// It keeps the deadline of what it replaces.
    pub settles: bool,
}

impl<B> Act<B> {
    pub fn new(name: &'static str, run: fn(&B) -> Answer, model: fn(State) -> (Answer, State)) -> Self {
        Act {
            name,
            run,
            model,
            clears: false,
            walks: false,
            expires: false,
            loads: None,
            drops_here: false,
            settles: false,
        }
    }
}

/// A subject of the tests.
pub trait Subject: Send + Sync + Sized + 'static {
    /// One whose key is as `start` says; `variant` chooses among configurations.
    fn new(start: Start, variant: usize) -> Self;

    fn acts() -> Vec<Act<Self>>;

    /// What the key holds now.
    fn state(&self) -> State;

    /// Checks that the entries which no act is about are there.
    fn check_bystanders(&self);

    fn contained_panics(&self) -> u64;

    /// Lets everything that is mortal expire, and checks that it goes; works with the subject; drops it, and checks that all is dropped.
    fn finish(self);
}

/// Configurations of a subject.
pub const VARIANTS: usize = 4;

/// Runs an act and then, if that is what the plan waits for, the collector.
pub fn perform<B: Subject>(act: &Act<B>, subject: &B, place: Place) -> Answer {
    let answer = (act.run)(subject);
    if place.is_drop() {
        collect();
    }
    answer
}

/// Runs the collector until the plan has come, or nothing is left to free.
pub fn collect() {
    for _ in 0..16 {
        if !plan::is_pending() {
            return;
        }
        fleeting::release_thread_memory();
    }
}

/// The places where an act runs user code, and how often each, for one start and variant.
pub fn scout<B: Subject>(act: &Act<B>, start: Start, variant: usize) -> Vec<(Place, u32)> {
    let subject = B::new(start, variant);
    let calls = plan::count(|| {
        (act.run)(&subject);
        (0..8).for_each(|_| fleeting::release_thread_memory());
    });
    subject.finish();
    calls
}

/// Moves the clock to where everything mortal has expired.
pub fn end_of_time(clock: &ManualClock) {
    clock.advance(std::time::Duration::from_secs(1_000));
}

/// Tells which case a test was in when it failed, wherever that was.
pub struct Case(pub String);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the case: {}", self.0);
        }
    }
}
