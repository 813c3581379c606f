//! The system's clocks on Linux and Android: coarse and precise monotonic time, and the time that the machine has
//! slept, by `rustix`.

use std::cell::Cell;

use super::{AtomicU64, Clock, Duration, Instant, NEVER, Ordering, SystemClock, SystemTime, nanoseconds};
use rustix::time::{ClockId, clock_getres, clock_gettime};

std::thread_local! {
    /// One moment by both coarse clocks, as this thread read them last.
    static PAIR: Cell<Pair> = const { Cell::new(Pair { coarse: u64::MAX, elapsed: 0, wall: 0 }) };
    /// Up to which reading of the coarse clock the time slept need not be measured again, and that time.
    static CHECKED: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// One moment: the coarse monotonic clock, the same with the time slept, and the wall clock.
#[derive(Clone, Copy)]
struct Pair {
    coarse: u64,
    elapsed: u64,
    wall: u64,
}

/// What the machine has slept, in nanoseconds and [`BIAS`], as the process knows it; 0 before the first measurement.
/// Only grows.
static SLEPT: AtomicU64 = AtomicU64::new(0);

/// Added to it, since a time namespace may put the boot-time clock behind the monotonic one.
const BIAS: u64 = 1 << 62;

/// How often two readings of one clock are asked to be equal: without a tick in between they are, at once.
const TRIES: usize = 3;

/// How often two readings of one clock are asked to enclose another's closely: an interruption in between is not
/// repeated for ever.
const CLOSER: usize = 16;

/// So closely.
const CLOSE: u64 = 1_000;

/// For so long a measurement holds: less than a tick of any coarse clock. (Where the coarse clock is a precise one,
/// this bounds what it costs.)
pub(super) const HOLDS: u64 = 500_000;

/// No sleep is shorter; and two measurements differ by less, unless the machine has slept in between.
pub(super) const NAP: u64 = 1_000_000;

/// Nanoseconds since the clock's own origin, until 2554; a wall clock set before 1970 reads as 1970.
#[inline]
fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec.max(0).unsigned_abs().saturating_mul(1_000_000_000).saturating_add(time.tv_nsec.unsigned_abs())
}

/// How much further the boot-time clock is than the monotonic one, and [`BIAS`]: what the machine has slept, up to a
/// constant. Not more than that; and less by little, unless this thread was interrupted each time.
fn measure() -> u64 {
    if cfg!(miri) {
        // It has no boot-time clock, and does not sleep.
        return BIAS;
    }
    let (mut most, mut before) = (0, read(ClockId::Monotonic));
    for _ in 0..CLOSER {
        let boot = read(ClockId::Boottime);
        let after = read(ClockId::Monotonic);
        most = most.max((BIAS + boot).saturating_sub(after));
        if after - before < CLOSE {
            break;
        }
        before = after;
    }
    most
}

/// How far apart the readings of the coarse clock are.
fn tick() -> u64 {
    if cfg!(miri) {
        // It knows no resolution of clocks.
        return 4_000_000;
    }
    let tick = clock_getres(ClockId::MonotonicCoarse);
    tick.tv_sec.unsigned_abs().saturating_mul(1_000_000_000).saturating_add(tick.tv_nsec.unsigned_abs())
}

/// The time that the machine has slept, by a reading of the coarse clock that was just made.
#[inline]
fn slept(coarse: u64) -> u64 {
    CHECKED.with(|checked| slept_by(coarse, checked, &SLEPT, measure))
}

/// The same, with the thread's memory, the process's, and a way to measure.
#[inline]
pub(super) fn slept_by(coarse: u64, checked: &Cell<(u64, u64)>, known: &AtomicU64, measure: impl Fn() -> u64) -> u64 {
    let (until, slept) = checked.get();
    if coarse < until { slept } else { slept_by_now(coarse, checked, known, measure) }
}

#[cold]
fn slept_by_now(coarse: u64, checked: &Cell<(u64, u64)>, known: &AtomicU64, measure: impl Fn() -> u64) -> u64 {
    let (before, measured) = (known.load(Ordering::Relaxed), measure());
    if measured >= before.saturating_add(NAP) {
        // Of two that measure at once, one counts: a second could add what is between them, and deadlines would come
        // early by that. Ordering: Relaxed: it is one word, and each thread asks for itself.
        let _ = known.compare_exchange(before, measured, Ordering::Relaxed, Ordering::Relaxed);
    }
    let slept = known.load(Ordering::Relaxed);
    checked.set((coarse + HOLDS, slept));
    slept
}

impl SystemClock {
    /// A clock whose origin is now.
    pub fn new() -> Self {
        // The origin first: a deadline that is given as an `Instant` is then late by what lies between, and never
        // early. Two readings of one clock enclose the moment.
        let mut origin = Instant::now();
        let mut base = read(ClockId::Monotonic);
        for _ in 0..CLOSER {
            if origin.elapsed() < Duration::from_nanos(CLOSE) {
                break;
            }
            origin = Instant::now();
            base = read(ClockId::Monotonic);
        }
        let slept = slept(read(ClockId::MonotonicCoarse));
        SystemClock { origin, base: base + slept, slept, tick: tick() }
    }

    /// The coarse clock, in nanoseconds since the origin.
    #[inline]
    pub(super) fn coarse(&self) -> u64 {
        let coarse = read(ClockId::MonotonicCoarse);
        (coarse + slept(coarse)).saturating_sub(self.base)
    }

    /// How far the coarse clock may be behind: two of its ticks, since one may come a little late, or be missed. (If
    /// a virtual machine is kept from running for longer, it is further behind until it goes on.)
    #[inline]
    pub(super) fn behind(&self) -> u64 {
        2 * self.tick
    }

    /// The deadline at a wall-clock time, in 64 bits, and the coarse reading behind it. None beyond them: ask the
    /// generic way.
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
        let Pair { elapsed, wall, .. } = pair();
        // Until the first tick after the origin the coarse clocks show a moment before it: the origin itself will
        // do.
        let early = self.base.saturating_sub(elapsed);
        ((elapsed + early) - self.base, wall.saturating_add(early))
    }
}

/// One moment by both coarse clocks, the monotonic one first.
///
/// Both move at the same tick, and whoever sets the wall clock moves them, too (Linux: `timekeeping_forward_now`).
/// So as long as the monotonic one shows what it did, so does the other. Should a system do otherwise, a wall clock
/// that is set counts from the next tick on.
#[inline]
fn pair() -> Pair {
    let (coarse, last) = (read(ClockId::MonotonicCoarse), PAIR.get());
    if coarse == last.coarse { last } else { new_pair(coarse) }
}

/// Two equal readings of one clock enclose an exact pair. (A system whose coarse clocks are precise never gives any:
/// the last will do, whose wall clock was read first.)
#[cold]
fn new_pair(coarse: u64) -> Pair {
    let (mut coarse, mut wall) = (coarse, 0);
    for _ in 0..TRIES {
        let before = coarse;
        wall = read(ClockId::RealtimeCoarse);
        coarse = read(ClockId::MonotonicCoarse);
        if coarse == before {
            break;
        }
    }
    let pair = Pair { coarse, elapsed: coarse + slept(coarse), wall };
    PAIR.set(pair);
    pair
}

impl Clock for SystemClock {
    fn elapsed(&self) -> Duration {
        let slept = slept(read(ClockId::MonotonicCoarse));
        Duration::from_nanos((read(ClockId::Monotonic) + slept).saturating_sub(self.base))
    }

    fn origin(&self) -> Instant {
        let since = slept(read(ClockId::MonotonicCoarse)).saturating_sub(self.slept);
        self.origin.checked_sub(Duration::from_nanos(since)).unwrap_or(self.origin)
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
