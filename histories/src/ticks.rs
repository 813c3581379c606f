//! The time of the specifications: a manual clock, read in whole ticks.

use std::time::{Duration, SystemTime};

use fleeting::{Clock, ManualClock};

/// A deadline that never comes.
pub const NEVER: u64 = u64::MAX;

/// A manual clock, read in ticks of any length. Its wall clock is never set.
#[derive(Clone, Debug)]
pub struct Ticks {
    clock: ManualClock,
    length: Duration,
    /// The wall's time at tick zero.
    wall: SystemTime,
}

impl Ticks {
    /// Ticks of this length, on a clock that stands at zero.
    pub fn new(clock: ManualClock, length: Duration) -> Self {
        let wall = clock.system_time();
        Ticks { clock, length, wall }
    }

    /// The clock.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// The tick that it is.
    pub fn now(&self) -> u64 {
        self.of(self.clock.elapsed())
    }

    /// Moves the clock on by one. Only one thread may.
    pub fn advance(&self) {
        self.clock.advance(self.length);
    }

    /// How long so many ticks are.
    pub fn duration(&self, ticks: u64) -> Duration {
        let nanoseconds = self.length.as_nanos().saturating_mul(u128::from(ticks));
        u64::try_from(nanoseconds).map_or(Duration::MAX, Duration::from_nanos)
    }

    /// The wall's time at a tick, which is not "never".
    pub fn system_time(&self, tick: u64) -> SystemTime {
        self.wall + self.duration(tick)
    }

    /// The tick of a wall-clock time.
    pub fn at(&self, time: SystemTime) -> u64 {
        time.duration_since(self.wall).map_or(0, |since| self.of(since))
    }

    /// Whole ticks since the origin.
    pub fn of(&self, elapsed: Duration) -> u64 {
        u64::try_from(elapsed.as_nanos() / self.length.as_nanos()).unwrap_or(NEVER)
    }
}
