//! The clock of the peers: coarse and monotonic, the cheapest there is. Benches can let it skip ahead, for all stores alike.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fleeting::Clock;
use rustix::time::{ClockId, clock_gettime};

static SKIPPED: AtomicU64 = AtomicU64::new(0);

/// Nanoseconds by the coarse monotonic clock.
#[inline]
pub fn coarse() -> u64 {
    read(ClockId::MonotonicCoarse)
}

/// Moves time ahead for the peers and every [`SkippingClock`].
pub fn skip(by: Duration) {
    SKIPPED.fetch_add(u64::try_from(by.as_nanos()).expect("short"), Ordering::SeqCst);
}

#[inline]
fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned() + SKIPPED.load(Ordering::Relaxed)
}

/// The system's clock plus what was skipped.
pub struct SkippingClock {
    base: u64,
    origin: Instant,
}

impl SkippingClock {
    pub fn new() -> Self {
        SkippingClock { base: read(ClockId::Monotonic), origin: Instant::now() }
    }
}

impl Clock for SkippingClock {
    fn elapsed(&self) -> Duration {
        Duration::from_nanos(read(ClockId::Monotonic).saturating_sub(self.base))
    }

    fn origin(&self) -> Instant {
        self.origin
    }

    fn coarse_elapsed(&self) -> Duration {
        Duration::from_nanos(coarse().saturating_sub(self.base))
    }
}
