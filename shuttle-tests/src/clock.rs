//! A clock whose readings are steps: another thread may move it before each of them. (`ManualClock` would be read and acted upon
//! in one step, since it is no atomic of shuttle's.)

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use fleeting::Clock;

/// The length of a tick of the expiry index, in nanoseconds.
pub const TICK: u64 = 1 << 20;

/// That many ticks.
pub const fn ticks(count: u64) -> Duration {
    Duration::from_nanos(count * TICK)
}

/// A clock that stands until it is moved. Clones are handles to one.
#[derive(Clone, Debug)]
pub struct StepClock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    origin: Instant,
    /// The wall clock's time at the origin.
    wall: SystemTime,
    elapsed: AtomicU64,
    /// Read before each reading, so that shuttle may let others go first.
    step: shuttle::sync::atomic::AtomicBool,
}

impl Default for StepClock {
    fn default() -> Self {
        // Not at zero, which is the deadline of what is dead.
        let elapsed = AtomicU64::new(TICK);
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_763_000_000);
        let step = shuttle::sync::atomic::AtomicBool::new(false);
        StepClock(Arc::new(Inner { origin: Instant::now(), wall, elapsed, step }))
    }
}

impl StepClock {
    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        self.step();
        let by = u64::try_from(by.as_nanos()).expect("no clock runs for centuries");
        self.0.elapsed.fetch_add(by, Ordering::SeqCst);
    }

    /// Now, for the scenario's own bookkeeping: no step.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.0.elapsed.load(Ordering::SeqCst))
    }

    /// How many handles there are to it; each cache has one.
    pub fn handles(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// An instant of the clock.
    pub fn instant(&self, elapsed: Duration) -> Instant {
        self.0.origin + elapsed
    }

    /// A wall-clock time of the clock.
    pub fn wall(&self, elapsed: Duration) -> SystemTime {
        self.0.wall + elapsed
    }

    fn step(&self) {
        self.0.step.load(Ordering::SeqCst);
    }
}

impl Clock for StepClock {
    fn elapsed(&self) -> Duration {
        self.step();
        self.now()
    }

    fn origin(&self) -> Instant {
        self.0.origin
    }

    fn with_system_time(&self) -> (Duration, SystemTime) {
        let elapsed = self.elapsed();
        (elapsed, self.wall(elapsed))
    }
}
