//! A clock whose readings are steps: another thread may move it before each of them. (`ManualClock` would be read and acted upon
//! in one step, since it is no atomic of shuttle's.)

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use fleeting::{Clock, ManualClock};

/// The length of a tick of the expiry index, in nanoseconds.
pub const TICK: u64 = 1 << 24;

/// That many ticks.
pub const fn ticks(count: u64) -> Duration {
    Duration::from_nanos(count * TICK)
}

/// A clock that stands until it is moved. Clones are handles to one.
#[derive(Clone, Debug)]
pub struct StepClock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    manual: ManualClock,
    /// Read before each reading, so that shuttle may let others go first.
    step: shuttle::sync::atomic::AtomicBool,
}

impl Default for StepClock {
    fn default() -> Self {
        let clock = StepClock::over(ManualClock::starting_at(wall_at_origin()));
        // Not at zero, which is the deadline of what is dead.
        clock.0.manual.advance(ticks(1));
        clock
    }
}

/// The wall clock's time at the origin: a moment in November 2025.
fn wall_at_origin() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_763_000_000)
}

impl StepClock {
    /// A manual clock whose readings are steps.
    pub fn over(manual: ManualClock) -> StepClock {
        StepClock(Arc::new(Inner { manual, step: shuttle::sync::atomic::AtomicBool::new(false) }))
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        self.step();
        self.0.manual.advance(by);
    }

    /// Now, for the scenario's own bookkeeping: no step.
    pub fn now(&self) -> Duration {
        self.0.manual.elapsed()
    }

    /// How many handles there are to it; each cache has one.
    pub fn handles(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// An instant of the clock.
    pub fn instant(&self, elapsed: Duration) -> Instant {
        self.0.manual.origin() + elapsed
    }

    /// A wall-clock time of the clock.
    pub fn wall(&self, elapsed: Duration) -> SystemTime {
        wall_at_origin() + elapsed
    }

    /// Lets others go first, if the schedule says so.
    pub fn step(&self) {
        self.0.step.load(Ordering::SeqCst);
    }
}

impl Clock for StepClock {
    fn elapsed(&self) -> Duration {
        self.step();
        self.now()
    }

    fn origin(&self) -> Instant {
        self.0.manual.origin()
    }

    fn with_system_time(&self) -> (Duration, SystemTime) {
        self.step();
        self.0.manual.with_system_time()
    }
}
