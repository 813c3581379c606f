//! How time is read and rounded.
//!
//! Inside, time is nanoseconds since the clock's origin, monotonic, in a `u64`; what lies further ahead than 292 years is "never".
//! A hit compares its deadline with the *coarse* clock (about 6 ns on Linux, against 22 to 45 for `Instant::now`
//! on a virtual machine), and reads the precise one only if the deadline is nearer than [`MARGIN`]: so expiry is exact.
//!
//! No entry expires early: a time to live that is counted from the coarse clock has two of its ticks added, and
//! where two clocks are read for one moment, they are read in the order in which the time in between makes deadlines
//! later.
//!
//! # Time asleep
//!
//! Linux has a clock that counts the time that the machine sleeps (`CLOCK_BOOTTIME`), and no coarse form of it. It
//! is the monotonic clock and a sum that changes only when the machine wakes up. So each reading here is one of a
//! monotonic clock, and that sum. The process knows one sum, which each thread measures anew once in a tick of the
//! coarse clock:
//!
//! * A tick passes between a thread's last operation before the machine sleeps and its first one after that, since
//!   the system first stops all processes, which takes longer. So that first one measures, and counts the sleep:
//!   there is no stale time.
//! * The sum is measured from below, and taken over only if it has grown by a millisecond: between two sleeps it
//!   does not change at all, so that no deadline comes early by the better of two measurements.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::expiry::NEVER;

/// The coarse clock may be this far behind: it moves with the scheduler's tick (1 to 10 ms), and a virtual machine may
/// miss some. A deadline nearer than this is compared with the precise clock.
const MARGIN: u64 = 64_000_000;

/// A time to live shorter than this is counted from the precise clock; a longer one from the coarse clock, and two
/// of its ticks (8 ms, usually) more, since it may be so far behind.
const COARSE_TTL: Duration = Duration::from_secs(2);

/// A source of monotonic time, and of the wall-clock time that goes with it.
///
/// Implement it to drive a cache by a time of your own; tests use [`ManualClock`].
pub trait Clock: Send + Sync + 'static {
    /// Time since the clock's origin. Never goes back.
    fn elapsed(&self) -> Duration;

    /// The instant of the origin: an `Instant` is so far from it as `elapsed` will be then. For a clock that goes on
    /// while `Instant`s stand still, it moves back meanwhile.
    fn origin(&self) -> Instant;

    /// A cheaper reading: never ahead of [`elapsed`](Self::elapsed), and at most 64 ms behind.
    fn coarse_elapsed(&self) -> Duration {
        self.elapsed()
    }

    /// One moment, by the monotonic clock and by the wall clock: both may be as far behind as
    /// [`coarse_elapsed`](Self::coarse_elapsed), and no further. Where they are read one after the other, the wall
    /// clock comes first, so that no expiry comes early.
    fn with_system_time(&self) -> (Duration, SystemTime) {
        let wall = SystemTime::now();
        (self.elapsed(), wall)
    }
}

/// The system's clocks: what a cache uses unless told otherwise.
///
/// # Time asleep
///
/// On Linux and Android, with feature `coarse-clock` (a default one), the time that the machine sleeps counts: what
/// was saved for half an hour is gone after a suspension of eight. An `Instant` does not count it, there. A deadline
/// that is given as one (`insert_until`) is as far ahead as it is at the call, and comes earlier by what the machine
/// sleeps before; one that is told (`get_with_deadline`) is what it would be without another sleep.
///
/// Without that feature, and elsewhere, the clock is `Instant`: whether that counts the time asleep is up to the
/// system (on macOS and iOS it does not, on Windows it does). Expiries by the wall clock are kept on the same clock:
/// where it does not count the time asleep, they come later by it.
///
/// A virtual machine that its host stops is not asleep: what its clocks then count is up to the host.
#[derive(Clone, Debug)]
pub struct SystemClock {
    origin: Instant,
    /// The system's time at the origin, in nanoseconds of its monotonic clock and of sleep.
    #[cfg(all(feature = "coarse-clock", any(target_os = "linux", target_os = "android")))]
    base: u64,
    /// The time that the machine had slept at the origin.
    #[cfg(all(feature = "coarse-clock", any(target_os = "linux", target_os = "android")))]
    slept: u64,
    /// The length of a tick of the coarse clock.
    #[cfg(all(feature = "coarse-clock", any(target_os = "linux", target_os = "android")))]
    tick: u64,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(feature = "coarse-clock", any(target_os = "linux", target_os = "android")))]
mod system;

#[cfg(not(all(feature = "coarse-clock", any(target_os = "linux", target_os = "android"))))]
mod system {
    use super::{Clock, Duration, Instant, SystemClock, SystemTime};

    impl SystemClock {
        /// A clock whose origin is now.
        pub fn new() -> Self {
            SystemClock { origin: Instant::now() }
        }

        /// The only clock there is, in nanoseconds since the origin.
        pub(super) fn coarse(&self) -> u64 {
            super::nanoseconds(self.elapsed())
        }

        /// Not at all: that clock is precise.
        pub(super) fn behind(&self) -> u64 {
            0
        }

        /// Always None: the generic way is the only one.
        pub(super) fn at_system_time(&self, _expiry: SystemTime) -> Option<(u64, u64)> {
            None
        }
    }

    impl Clock for SystemClock {
        fn elapsed(&self) -> Duration {
            self.origin.elapsed()
        }

        fn origin(&self) -> Instant {
            self.origin
        }
    }
}

/// A clock that moves only when told to: for tests, and to replay logs. Clones are handles to one clock.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fleeting::{Cache, ManualClock};
///
/// let clock = ManualClock::new();
/// let cache = Cache::builder().clock(clock.clone()).time_to_live(Duration::from_secs(60)).build()?;
/// cache.insert("key", 1);
/// clock.advance(Duration::from_secs(59));
/// assert_eq!(cache.get("key"), Some(1));
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(cache.get("key"), None);
/// # Ok::<(), fleeting::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock {
    shared: Arc<Manual>,
}

#[derive(Debug)]
struct Manual {
    origin: Instant,
    /// In nanoseconds. Stored under the lock of the wall time, read without.
    elapsed: AtomicU64,
    system_time: Mutex<SystemTime>,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl ManualClock {
    /// A clock that stands at zero, and by the wall at the present moment.
    pub fn new() -> Self {
        Self::starting_at(SystemTime::now())
    }

    /// A clock that stands at zero, and by the wall at `system_time`.
    pub fn starting_at(system_time: SystemTime) -> Self {
        let (elapsed, system_time) = (AtomicU64::new(0), Mutex::new(system_time));
        ManualClock { shared: Arc::new(Manual { origin: Instant::now(), elapsed, system_time }) }
    }

    /// Moves the clock on, monotonic and wall time alike. Stops at the latest time that can be expressed.
    pub fn advance(&self, by: Duration) {
        let mut system_time = self.lock();
        let elapsed = self.shared.elapsed.load(Ordering::Relaxed);
        // Ordering: Release, with the load in `elapsed`: who sees the time sees what its mover did before.
        self.shared.elapsed.store(elapsed.saturating_add(nanoseconds(by)).min(NEVER), Ordering::Release);
        *system_time = system_time.checked_add(by).unwrap_or(*system_time);
    }

    /// Sets the wall clock, forward or back; monotonic time stands still.
    pub fn set_system_time(&self, system_time: SystemTime) {
        *self.lock() = system_time;
    }

    /// The clock's now as an instant.
    pub fn instant(&self) -> Instant {
        self.shared.origin.checked_add(self.elapsed()).unwrap_or(self.shared.origin)
    }

    /// The clock's now by the wall.
    pub fn system_time(&self) -> SystemTime {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, SystemTime> {
        self.shared.system_time.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.shared.elapsed.load(Ordering::Acquire))
    }

    fn origin(&self) -> Instant {
        self.shared.origin
    }

    fn with_system_time(&self) -> (Duration, SystemTime) {
        let system_time = self.lock();
        (self.elapsed(), *system_time)
    }
}

/// The time of one cache: nanoseconds of its clock.
pub struct Time {
    source: Source,
}

enum Source {
    System(SystemClock),
    Custom(Box<dyn Clock>),
}

impl Default for Time {
    fn default() -> Self {
        Time { source: Source::System(SystemClock::new()) }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Time").field("now", &self.now()).finish()
    }
}

impl Time {
    /// Time by a clock of the user's.
    pub fn custom(clock: impl Clock) -> Time {
        Time { source: Source::Custom(Box::new(clock)) }
    }

    fn clock(&self) -> &dyn Clock {
        match &self.source {
            Source::System(clock) => clock,
            Source::Custom(clock) => &**clock,
        }
    }

    /// Now, precisely.
    pub fn now(&self) -> u64 {
        nanoseconds(self.clock().elapsed())
    }

    /// Now, cheaply: at most [`MARGIN`] behind.
    #[inline]
    pub fn coarse(&self) -> u64 {
        match &self.source {
            Source::System(clock) => clock.coarse(),
            Source::Custom(clock) => nanoseconds(clock.coarse_elapsed()),
        }
    }

    /// Whether a deadline has come. Exact.
    #[inline]
    pub fn has_come(&self, deadline: u64) -> bool {
        deadline != NEVER && self.has_come_at(deadline, self.coarse())
    }

    /// [`has_come`](Self::has_come), with a coarse reading that was just made.
    #[inline]
    pub fn has_come_at(&self, deadline: u64, coarse: u64) -> bool {
        deadline <= coarse || (deadline - coarse <= MARGIN && deadline <= self.now())
    }

    /// The deadline at the end of a time to live that begins now. Not early; late by two ticks of the coarse clock
    /// at most.
    pub fn after(&self, ttl: Duration) -> u64 {
        let now = match &self.source {
            Source::System(clock) if ttl >= COARSE_TTL => clock.coarse() + clock.behind(),
            // How long the ticks of the user's are he does not say.
            _ => self.now(),
        };
        now.saturating_add(nanoseconds(ttl)).min(NEVER)
    }

    /// The deadline at an instant, if the machine does not sleep before; [`DEAD`](crate::expiry::DEAD) if it is not
    /// after the origin.
    pub fn at_instant(&self, instant: Instant) -> u64 {
        nanoseconds(instant.saturating_duration_since(self.clock().origin()))
    }

    /// The instant of a deadline; None for never, and beyond what an `Instant` holds.
    pub fn instant(&self, deadline: u64) -> Option<Instant> {
        if deadline == NEVER {
            return None;
        }
        self.clock().origin().checked_add(Duration::from_nanos(deadline))
    }

    /// The deadline at a wall-clock time: its distance from the wall clock's now, on the monotonic clock.
    #[inline]
    pub fn at_system_time(&self, expiry: SystemTime) -> u64 {
        self.at_system_time_and_now(expiry).0
    }

    /// The same, and the reading behind it, which is as good as [`coarse`](Self::coarse).
    #[inline]
    pub fn at_system_time_and_now(&self, expiry: SystemTime) -> (u64, u64) {
        let deadline = match &self.source {
            Source::System(clock) => clock.at_system_time(expiry),
            Source::Custom(_) => None,
        };
        deadline.unwrap_or_else(|| self.at_any_system_time(expiry))
    }

    fn at_any_system_time(&self, expiry: SystemTime) -> (u64, u64) {
        let (elapsed, wall) = self.clock().with_system_time();
        let deadline = match expiry.duration_since(wall) {
            Ok(ahead) => elapsed.saturating_add(ahead),
            Err(behind) => elapsed.saturating_sub(behind.duration()),
        };
        (nanoseconds(deadline), nanoseconds(elapsed))
    }

    /// The wall-clock time of a deadline. Never is the furthest deadline there is, some 290 years ahead.
    pub fn system_time(&self, deadline: u64) -> SystemTime {
        let (elapsed, wall) = self.clock().with_system_time();
        let deadline = Duration::from_nanos(deadline);
        let time = match deadline.checked_sub(elapsed) {
            Some(ahead) => wall.checked_add(ahead),
            None => wall.checked_sub(elapsed.saturating_sub(deadline)),
        };
        time.unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

/// Times the library's own work, by the system's clock whatever the cache's.
#[derive(Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    pub fn start() -> Self {
        Stopwatch(Instant::now())
    }

    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Nanoseconds, saturating at never.
#[inline]
pub fn nanoseconds(duration: Duration) -> u64 {
    match duration.as_secs().checked_mul(1_000_000_000) {
        Some(whole) => whole.saturating_add(u64::from(duration.subsec_nanos())).min(NEVER),
        None => NEVER,
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn the_coarse_clock_is_behind_by_less_than_the_margin() {
        let time = Time::default();
        for _ in 0..100_000 {
            let before = time.now();
            let coarse = time.coarse();
            assert!(coarse <= time.now());
            assert!(before - coarse.min(before) <= MARGIN);
        }
    }

    /// Catches a stopwatch that stands, and a manual clock whose wall time cannot be set, or moves its monotonic time.
    #[test]
    fn clocks_show_what_they_are_to_show() {
        let (stopwatch, begun) = (Stopwatch::start(), Instant::now());
        while begun.elapsed() < Duration::from_millis(2) {}
        assert!(stopwatch.elapsed() >= Duration::from_millis(2));
        let clock = ManualClock::starting_at(SystemTime::UNIX_EPOCH);
        clock.advance(Duration::from_secs(7));
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        clock.set_system_time(wall);
        assert_eq!((clock.system_time(), clock.elapsed()), (wall, Duration::from_secs(7)));
    }

    /// A clock that is moved by hand, and whose coarse reading is behind.
    struct Lagging {
        elapsed: Arc<AtomicU64>,
        behind: u64,
        precise_readings: Arc<AtomicU64>,
    }

    impl Clock for Lagging {
        fn elapsed(&self) -> Duration {
            self.precise_readings.fetch_add(1, Ordering::Relaxed);
            Duration::from_nanos(self.elapsed.load(Ordering::Relaxed))
        }
        fn origin(&self) -> Instant {
            Instant::now()
        }
        fn coarse_elapsed(&self) -> Duration {
            Duration::from_nanos(self.elapsed.load(Ordering::Relaxed).saturating_sub(self.behind))
        }
    }

    fn lagging(behind: u64) -> (Time, Arc<AtomicU64>, Arc<AtomicU64>) {
        let (elapsed, precise_readings) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let clock = Lagging { elapsed: elapsed.clone(), behind, precise_readings: precise_readings.clone() };
        (Time::custom(clock), elapsed, precise_readings)
    }

    /// Catches an expiry that is decided by the coarse clock where the precise one must, and a hit that reads the precise one without need.
    #[test]
    fn deadlines_come_by_the_precise_clock() {
        let deadline = 1_000_000_000_000;
        for behind in [0, 1, MARGIN / 2, MARGIN - 1, MARGIN] {
            let (time, elapsed, precise_readings) = lagging(behind);
            for (now, has_come) in [(deadline - 1, false), (deadline, true), (deadline + 1, true), (deadline * 2, true)]
            {
                elapsed.store(now, Ordering::Relaxed);
                assert_eq!(time.has_come(deadline), has_come, "{behind} {now}");
                assert_eq!(time.has_come_at(deadline, time.coarse()), has_come);
            }
            precise_readings.store(0, Ordering::Relaxed);
            assert!(time.has_come(deadline) && !time.has_come(NEVER) && !time.has_come(3 * deadline));
            elapsed.store(deadline - 2 * MARGIN, Ordering::Relaxed);
            assert!(!time.has_come(deadline + 1));
            assert_eq!(precise_readings.load(Ordering::Relaxed), 0);
            elapsed.store(NEVER + behind, Ordering::Relaxed);
            assert!(!time.has_come(NEVER) && time.has_come(NEVER - 1), "never does not come");
        }
    }

    /// Catches a time to live that is counted from a coarse clock that is behind by nobody knows what: it would end
    /// early.
    #[test]
    fn a_time_to_live_by_a_clock_of_the_users_begins_at_the_precise_time() {
        let (time, elapsed, _) = lagging(MARGIN);
        let now = 500_000_000_000;
        elapsed.store(now, Ordering::Relaxed);
        assert_eq!((time.now(), time.coarse()), (now, now - MARGIN));
        for ttl in [0, 1, 1_999, 2_000, 3_600_000] {
            assert_eq!(time.after(Duration::from_millis(ttl)), now + ttl * 1_000_000, "{ttl} ms");
        }
        assert_eq!(time.after(Duration::MAX), NEVER);
    }

    /// Catches a time to live that ends early by the system's clocks, and one that ends late by more than two ticks,
    /// whatever moment of a tick it begins at.
    #[cfg(all(feature = "coarse-clock", any(target_os = "linux", target_os = "android")))]
    #[test]
    fn a_time_to_live_by_the_system_clock_is_not_early() {
        let time = Time::default();
        let Source::System(clock) = &time.source else { unreachable!("the default") };
        let mut judged = 0;
        for ttl in [Duration::from_millis(5), COARSE_TTL - Duration::from_nanos(1), COARSE_TTL, 1_000 * COARSE_TTL] {
            let end = Instant::now() + Duration::from_millis(20);
            while Instant::now() < end {
                let (coarse, before) = (time.coarse(), time.now());
                let deadline = time.after(ttl);
                let after = time.now();
                // A system that has missed ticks is not to be judged by them.
                if after - coarse > 2 * clock.tick && ttl >= COARSE_TTL {
                    continue;
                }
                judged += 1;
                let ttl = nanoseconds(ttl);
                assert!(deadline >= before + ttl, "{} ns early", before + ttl - deadline);
                assert!(deadline <= after + ttl + clock.behind(), "{} ns late", deadline - after - ttl);
            }
        }
        assert!(judged > 0);
    }

    /// Catches a deadline that is given as an `Instant`, or by the wall clock, and comes before that.
    #[test]
    fn a_deadline_that_is_given_is_not_early() {
        for _ in 0..200 {
            let time = Time::default();
            let instant = Instant::now() + Duration::from_micros(50);
            let deadline = time.at_instant(instant);
            while !time.has_come(deadline) {}
            assert!(Instant::now() >= instant);
        }
        let time = Time::default();
        for _ in 0..50 {
            let expiry = SystemTime::now() + Duration::from_micros(50);
            let deadline = time.at_system_time(expiry);
            while !time.has_come(deadline) {}
            assert!(SystemTime::now() >= expiry);
        }
        // The generic way: the wall clock is read first.
        struct Late;
        impl Clock for Late {
            fn elapsed(&self) -> Duration {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
                while SystemTime::now() <= SystemTime::UNIX_EPOCH + now + Duration::from_micros(1) {}
                now
            }
            fn origin(&self) -> Instant {
                unreachable!("not asked")
            }
        }
        let (elapsed, wall) = Late.with_system_time();
        assert!(SystemTime::UNIX_EPOCH + elapsed >= wall, "its distance from an expiry is too short");
    }

    /// The time asleep, by readings that are given: of the coarse clock, and of what the machine has slept.
    #[cfg(all(feature = "coarse-clock", any(target_os = "linux", target_os = "android")))]
    mod asleep {
        use std::cell::Cell;

        use super::super::system::{HOLDS, NAP, slept_by};
        use super::*;

        /// What one thread knows.
        #[derive(Default)]
        struct Thread(Cell<(u64, u64)>);

        impl Thread {
            /// The time slept as it reads it, and whether it has measured.
            fn slept(&self, coarse: u64, known: &AtomicU64, truth: u64) -> (u64, bool) {
                let has_measured = Cell::new(false);
                let slept = slept_by(coarse, &self.0, known, || {
                    has_measured.set(true);
                    truth
                });
                (slept, has_measured.get())
            }
        }

        const TICK: u64 = 4_000_000;
        const HOUR: u64 = 3_600_000_000_000;

        /// Catches a sleep that is not counted by the first reading after it, on any thread, and one that is counted
        /// twice.
        #[test]
        fn a_sleep_counts_at_once() {
            let (known, threads) = (AtomicU64::new(0), [Thread::default(), Thread::default(), Thread::default()]);
            let (mut coarse, mut truth) = (10 * HOUR, 5 * HOUR);
            for sleep in [0, 8 * HOUR, 0, NAP, 30 * HOUR] {
                truth += sleep;
                coarse += TICK;
                // One of them does not ask at every tick.
                for thread in threads.iter().take(if sleep == NAP { 2 } else { 3 }) {
                    assert_eq!(thread.slept(coarse, &known, truth), (truth, true));
                    assert_eq!(thread.slept(coarse, &known, truth), (truth, false), "once in a tick");
                    assert_eq!(thread.slept(coarse + HOLDS - 1, &known, truth), (truth, false));
                }
            }
            assert_eq!(threads[0].slept(coarse + HOLDS, &known, truth), (truth, true));
        }

        /// Catches a time asleep that follows the errors of measurements, so that deadlines come early by them, or
        /// that shrinks.
        #[test]
        fn a_better_measurement_is_no_sleep() {
            let (known, one, other) = (AtomicU64::new(0), Thread::default(), Thread::default());
            let first = 5 * HOUR - 700;
            assert_eq!(one.slept(TICK, &known, first).0, first);
            for (tick, measured) in [(2, 5 * HOUR), (3, 5 * HOUR - 900_000), (4, first + NAP - 1), (5, 0)] {
                assert_eq!(one.slept(tick * TICK, &known, measured), (first, true));
                assert_eq!(other.slept(tick * TICK, &known, measured), (first, true));
            }
            assert_eq!(one.slept(6 * TICK, &known, first + NAP).0, first + NAP);
        }

        /// Catches two threads that count one sleep by two measurements: of those, one counts.
        #[test]
        fn of_two_that_measure_at_once_one_counts() {
            let (known, one, other) = (AtomicU64::new(HOUR), Thread::default(), Thread::default());
            let slept = slept_by(TICK, &one.0, &known, || {
                // It comes in between.
                assert_eq!(other.slept(TICK, &known, 9 * HOUR).0, 9 * HOUR);
                9 * HOUR + 1_000
            });
            assert_eq!(slept, 9 * HOUR);
        }
    }

    /// Catches a clock of the user's whose other readings do not follow from the one that it must give.
    #[test]
    fn a_clock_needs_to_tell_elapsed_time_and_origin_only() {
        struct Least(Instant);
        impl Clock for Least {
            fn elapsed(&self) -> Duration {
                Duration::from_secs(5)
            }
            fn origin(&self) -> Instant {
                self.0
            }
        }
        let (clock, before) = (Least(Instant::now()), SystemTime::now());
        assert_eq!(clock.coarse_elapsed(), Duration::from_secs(5));
        let (elapsed, wall) = clock.with_system_time();
        assert!(elapsed == Duration::from_secs(5) && wall >= before && wall <= SystemTime::now());
        let origin = clock.0;
        let time = Time::custom(clock);
        assert_eq!((time.now(), time.coarse()), (5_000_000_000, 5_000_000_000));
        assert_eq!(time.instant(7), Some(origin + Duration::from_nanos(7)));
        assert_eq!((time.instant(NEVER), time.at_instant(origin + Duration::from_nanos(9))), (None, 9));
    }

    /// Catches readings of the system's clocks that stand still, or that are of different clocks.
    #[test]
    fn the_system_clock_goes_on() {
        let clock = SystemClock::new();
        let limit = Instant::now() + Duration::from_secs(30);
        while clock.elapsed() < Duration::from_millis(20) || clock.coarse_elapsed() < Duration::from_millis(20) {
            assert!(Instant::now() < limit, "it stands still");
            std::thread::yield_now();
        }
        let (before, coarse) = (clock.elapsed(), clock.coarse_elapsed());
        let by_origin = clock.origin().elapsed();
        let (moment, wall) = clock.with_system_time();
        let (after, wall_after) = (clock.elapsed(), SystemTime::now());
        let margin = Duration::from_nanos(MARGIN);
        assert!(coarse <= after && coarse + margin >= before);
        assert!(moment <= after && moment + margin >= before);
        assert!(wall <= wall_after && wall + margin + (after - before) >= wall_after);
        // The origin was read a moment after the base.
        assert!(by_origin <= after + margin && by_origin + margin >= before);
    }

    #[test]
    fn a_wall_time_comes_back_as_it_was_given() {
        let time = Time::default();
        for seconds in [1, 1_800, 86_400 * 365 * 100] {
            let expiry = SystemTime::now() + Duration::from_secs(seconds);
            let back = time.system_time(time.at_system_time(expiry));
            let error = back.duration_since(expiry).unwrap_or_else(|error| error.duration());
            assert!(error < Duration::from_millis(1), "{error:?}");
        }
        assert_eq!(time.at_system_time(SystemTime::UNIX_EPOCH), 0);
    }

    /// Catches the short way to a deadline leading elsewhere than the generic one: both are exact, unless the wall clock is set meanwhile.
    /// (Without the coarse clock there is no short way, and the two readings of each moment are some nanoseconds apart.)
    #[cfg(all(feature = "coarse-clock", any(target_os = "linux", target_os = "android")))]
    #[test]
    fn a_wall_time_is_one_deadline_by_either_way() {
        let (time, now) = (Time::default(), SystemTime::now());
        for nanoseconds in [0, 1, 5_000_000, 999_999_999, 1_800_000_000_000, 1 << 62, NEVER, u64::MAX] {
            let by = Duration::from_nanos(nanoseconds);
            for expiry in [now + by, now - by, SystemTime::UNIX_EPOCH + by, SystemTime::UNIX_EPOCH - by] {
                assert_eq!(time.at_system_time(expiry), time.at_any_system_time(expiry).0, "{expiry:?}");
            }
        }
    }
}
