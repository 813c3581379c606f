//! How time is read and rounded.
//!
//! Inside, time is nanoseconds since the clock's origin, monotonic, in a `u64`; what lies further ahead than 292 years is "never".
//! A hit compares its deadline with the *coarse* clock (about 6 ns on Linux, against 22 to 45 for `Instant::now`
//! on a virtual machine), and reads the precise one only if the deadline is nearer than [`MARGIN`]: so expiry is exact.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::expiry::NEVER;

/// The coarse clock may be this far behind: it moves with the scheduler's tick (1 to 10 ms), and a virtual machine may
/// miss some. A deadline nearer than this is compared with the precise clock.
const MARGIN: u64 = 64_000_000;

/// A time to live shorter than this is counted from the precise clock; a longer one from the coarse clock, which may be one tick
/// of the system (4 ms, usually) behind.
const COARSE_TTL: Duration = Duration::from_secs(2);

/// A source of monotonic time, and of the wall-clock time that goes with it.
///
/// Implement it to drive a cache by a time of your own; tests use [`ManualClock`].
pub trait Clock: Send + Sync + 'static {
    /// Time since the clock's origin. Never goes back.
    fn elapsed(&self) -> Duration;

    /// The instant of the origin.
    fn origin(&self) -> Instant;

    /// A cheaper reading: never ahead of [`elapsed`](Self::elapsed), and at most 64 ms behind.
    fn coarse_elapsed(&self) -> Duration {
        self.elapsed()
    }

    /// One moment, by the monotonic clock and by the wall clock: the first may be as far behind as [`coarse_elapsed`](Self::coarse_elapsed), and no further.
    fn with_system_time(&self) -> (Duration, SystemTime) {
        (self.elapsed(), SystemTime::now())
    }
}

/// The system's clocks: what a cache uses unless told otherwise.
#[derive(Clone, Debug)]
pub struct SystemClock {
    origin: Instant,
    /// The system's monotonic time at the origin, in nanoseconds.
    #[cfg(all(feature = "coarse-clock", any(target_os = "linux", target_os = "android")))]
    base: u64,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(feature = "coarse-clock", any(target_os = "linux", target_os = "android")))]
mod system {
    use std::cell::Cell;

    use super::{Clock, Duration, Instant, NEVER, SystemClock, SystemTime, nanoseconds};
    use rustix::time::{ClockId, clock_gettime};

    std::thread_local! {
        /// What both coarse clocks showed at one moment, the monotonic one first, as this thread read it last.
        static PAIR: Cell<(u64, u64)> = const { Cell::new((u64::MAX, 0)) };
    }

    /// How often two readings of one clock are asked to be equal: without a tick in between they are, at once.
    const TRIES: usize = 3;

    /// Nanoseconds since the clock's own origin, until 2554; a wall clock set before 1970 reads as 1970.
    #[inline]
    fn read(clock: ClockId) -> u64 {
        let time = clock_gettime(clock);
        time.tv_sec.max(0).unsigned_abs().saturating_mul(1_000_000_000).saturating_add(time.tv_nsec.unsigned_abs())
    }

    impl SystemClock {
        /// A clock whose origin is now.
        pub fn new() -> Self {
            // Two readings of one clock that close in on a moment: an interruption in between shows, and is not repeated for ever.
            let mut clock = SystemClock { base: read(ClockId::Monotonic), origin: Instant::now() };
            for _ in 0..16 {
                if read(ClockId::Monotonic) - clock.base < 1_000 {
                    break;
                }
                clock = SystemClock { base: read(ClockId::Monotonic), origin: Instant::now() };
            }
            clock
        }

        /// The coarse clock, in nanoseconds since the origin.
        #[inline]
        pub(super) fn coarse(&self) -> u64 {
            read(ClockId::MonotonicCoarse).saturating_sub(self.base)
        }

        /// The deadline at a wall-clock time, in 64 bits, and the coarse reading behind it. None beyond them: ask the generic way.
        #[inline]
        pub(super) fn at_system_time(&self, expiry: SystemTime) -> Option<(u64, u64)> {
            // An expiry before 1970 came as long ago as 1970 did.
            let expiry = expiry.duration_since(SystemTime::UNIX_EPOCH).map_or(0, nanoseconds);
            if expiry == NEVER {
                return None;
            }
            let (elapsed, wall) = self.pair();
            let ahead = elapsed.saturating_add(expiry.saturating_sub(wall));
            Some((ahead.saturating_sub(wall.saturating_sub(expiry)).min(NEVER), elapsed))
        }

        /// One moment since the origin, and by the wall clock.
        #[inline]
        fn pair(&self) -> (u64, u64) {
            let (elapsed, wall) = pair();
            // Until the first tick after the origin the coarse clocks show a moment before it: the origin itself will do.
            let early = self.base.saturating_sub(elapsed);
            ((elapsed + early) - self.base, wall.saturating_add(early))
        }
    }

    /// One moment by both coarse clocks, the monotonic one first.
    ///
    /// Both move at the same tick, and whoever sets the wall clock moves them, too (Linux: `timekeeping_forward_now`). So as long as the monotonic one
    /// shows what it did, so does the other. Should a system do otherwise, a wall clock that is set counts from the next tick on.
    #[inline]
    fn pair() -> (u64, u64) {
        let (elapsed, last) = (read(ClockId::MonotonicCoarse), PAIR.get());
        if elapsed == last.0 { last } else { new_pair(elapsed) }
    }

    /// Two equal readings of one clock enclose an exact pair. (A system whose coarse clocks are precise never gives any: the last will do.)
    #[cold]
    fn new_pair(elapsed: u64) -> (u64, u64) {
        let mut pair = (elapsed, 0);
        for _ in 0..TRIES {
            let before = pair.0;
            let wall = read(ClockId::RealtimeCoarse);
            pair = (read(ClockId::MonotonicCoarse), wall);
            if pair.0 == before {
                break;
            }
        }
        PAIR.set(pair);
        pair
    }

    impl Clock for SystemClock {
        fn elapsed(&self) -> Duration {
            Duration::from_nanos(read(ClockId::Monotonic).saturating_sub(self.base))
        }

        fn origin(&self) -> Instant {
            self.origin
        }

        #[inline]
        fn coarse_elapsed(&self) -> Duration {
            Duration::from_nanos(self.coarse())
        }

        fn with_system_time(&self) -> (Duration, SystemTime) {
            let (elapsed, wall) = self.pair();
            (Duration::from_nanos(elapsed), SystemTime::UNIX_EPOCH + Duration::from_nanos(wall))
        }
    }
}

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

    /// The deadline at the end of a time to live that begins now.
    pub fn after(&self, ttl: Duration) -> u64 {
        let now = if ttl < COARSE_TTL { self.now() } else { self.coarse() };
        now.saturating_add(nanoseconds(ttl)).min(NEVER)
    }

    /// The deadline at an instant; [`DEAD`](crate::expiry::DEAD) if it is not after the origin.
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

    /// Catches a short time to live that is counted from the coarse clock, which may be behind by more than that.
    #[test]
    fn a_short_time_to_live_begins_at_the_precise_time() {
        let (time, elapsed, _) = lagging(MARGIN);
        let now = 500_000_000_000;
        elapsed.store(now, Ordering::Relaxed);
        assert_eq!((time.now(), time.coarse()), (now, now - MARGIN));
        for (ttl, from) in [(0, now), (1, now), (1_999, now), (2_000, now - MARGIN), (3_600_000, now - MARGIN)] {
            assert_eq!(time.after(Duration::from_millis(ttl)), from + ttl * 1_000_000, "{ttl} ms");
        }
        assert_eq!(time.after(Duration::MAX), NEVER);
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
