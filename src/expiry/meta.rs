//! What a node carries for expiry: its deadline, the tick it is filed under, and its hash.
//!
//! ```text
//! deadline  DEAD (0) | a time in nanoseconds | NEVER        open: touch and expiry may change it by CAS
//!           the same with the top bit set                   closed: replaced, its successor inherits this
//!           UNSETTLED (the top bit alone)                   inherits from its predecessor, not yet settled
//! filed     63 ........................... 24 | 23 .... 0
//!           tick / 2^24 ns; 0 = no record     | sequence, bumped by every change
//! ```
//!
//! A claim is changed by CAS, and the sequence is what tells two claims of one tick apart. So a thread that stops
//! between its load and its CAS is deceived only if the claim of that one entry changes 2^24 times meanwhile, or a
//! multiple of that, to the same tick. Each change takes a shortening touch, a sweep's re-filing, or an early take:
//! at 10 million of them in a second, all of one entry, the thread would have to be stopped for 1.7 s, and to go on
//! between two certain ones. The entry would then be left in memory, expired, until somebody asks for it.

use crate::map::Node;
use crate::reclaim::{Guard, Ref};
use crate::sync::{AtomicU64, Ordering};

/// A deadline that never comes.
pub const NEVER: u64 = (1 << 63) - 1;

/// The deadline of an entry whose expiry is decided.
pub const DEAD: u64 = 0;

const CLOSED: u64 = 1 << 63;
const UNSETTLED: u64 = CLOSED;

/// Ticks are multiples of this many nanoseconds (about 17 ms): the sequence of a claim has the bits that this
/// leaves.
pub const UNIT: u64 = 1 << UNIT_BITS;
const UNIT_BITS: u32 = 24;
const SEQUENCE_BITS: u32 = 24;

/// A tick is at most 2^63, so it fits above the sequence.
const _: () = assert!(64 - UNIT_BITS + SEQUENCE_BITS <= 64);

/// A node with a deadline.
pub trait Timed: Node {
    /// Where in the node its expiry state is.
    const META_AT: usize;

    /// Its expiry state.
    fn meta(&self) -> &Meta;

    /// The node whose deadline it inherits; asked for only while it is unsettled.
    fn predecessor<'g>(&self, guard: &'g Guard) -> Option<Ref<'g, Self>>;

    /// Takes over what else it inherits. Called after the predecessor's deadline was closed, before this node's is settled,
    /// by one thread or more: the first counts.
    fn inherit(&self, predecessor: &Self);
}

/// The expiry state of a node.
#[derive(Debug)]
pub struct Meta {
    deadline: AtomicU64,
    filed: AtomicU64,
    hash: u64,
}

/// A value of the deadline word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadline(u64);

impl Deadline {
    /// Whether the entry has been replaced by one that inherits from it, or is unsettled itself.
    #[inline]
    pub fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    /// Whether it has yet to inherit its deadline.
    pub fn is_unsettled(self) -> bool {
        self.0 == UNSETTLED
    }

    /// The time, in nanoseconds; [`DEAD`], [`NEVER`].
    #[inline]
    pub fn time(self) -> u64 {
        self.0 & !CLOSED
    }
}

/// A value of the filed word: the claim that a record stands under a tick.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Filed(u64);

impl Filed {
    /// The tick, in nanoseconds; None if no record is known to stand anywhere.
    pub fn tick(self) -> Option<u64> {
        let tick = self.0 >> SEQUENCE_BITS << UNIT_BITS;
        (tick != 0).then_some(tick)
    }

    /// Whether a record under `tick` may be the one this entry waits for. A claim of another tick has a record of its own.
    pub fn is_due_at(self, tick: u64) -> bool {
        self.tick().is_none_or(|filed| filed == tick)
    }

    fn next(self, tick: Option<u64>) -> Filed {
        let sequence = self.0.wrapping_add(1) & ((1 << SEQUENCE_BITS) - 1);
        Filed(tick.unwrap_or(0) >> UNIT_BITS << SEQUENCE_BITS | sequence)
    }
}

impl Meta {
    /// Of a node that is not filed yet.
    pub fn new(hash: u64, deadline: u64) -> Meta {
        debug_assert!(deadline <= NEVER);
        Meta { deadline: AtomicU64::new(deadline), filed: AtomicU64::new(0), hash }
    }

    /// The node's hash.
    #[inline]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Before publication: the deadline will be inherited.
    pub fn unsettle(&mut self) {
        self.deadline = AtomicU64::new(UNSETTLED);
    }

    /// The deadline word.
    #[inline]
    pub fn deadline(&self) -> Deadline {
        // Ordering: Acquire [touch-versus-sweep] with the Release of `change_deadline`: what the changer did
        // before (a cap, an inheritance) is seen with the deadline.
        Deadline(self.deadline.load(Ordering::Acquire))
    }

    /// Moves an open deadline; false if it is no longer `from`.
    #[inline]
    pub fn change_deadline(&self, from: Deadline, to: u64) -> bool {
        debug_assert!(!from.is_closed() && to <= NEVER);
        self.exchange_deadline(from, to)
    }

    /// Closes an open deadline, so that touches look for the successor; false if it is no longer `from`.
    pub fn close_deadline(&self, from: Deadline) -> bool {
        self.exchange_deadline(from, from.0 | CLOSED)
    }

    /// Gives an unsettled node the deadline that it inherits; false if it was settled meanwhile.
    pub fn settle(&self, deadline: u64) -> bool {
        self.exchange_deadline(Deadline(UNSETTLED), deadline)
    }

    #[inline]
    fn exchange_deadline(&self, from: Deadline, to: u64) -> bool {
        // Ordering: AcqRel [touch-versus-sweep]: one CAS decides between touch and expiry.
        self.deadline.compare_exchange(from.0, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// The filed word.
    #[inline]
    pub fn filed(&self) -> Filed {
        // Ordering: Relaxed: a claim leads to no memory. That a record stands is told by the pile, whose takers synchronize with who filed it;
        // what was decided by a claim is made sure of by a CAS, or stands between SeqCst fences (engine.rs, X5, X6).
        Filed(self.filed.load(Ordering::Relaxed))
    }

    /// Claims that a record stands under `tick` (None: that none is known to); false if the word is no longer `from`.
    pub fn claim(&self, from: Filed, tick: Option<u64>) -> bool {
        // Ordering: Relaxed, as in `filed`: of two claims from one state, one is made.
        self.filed.compare_exchange(from.0, from.next(tick).0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The first claim of a node, if nobody has touched the word since it was published.
    pub fn claim_first(&self, tick: u64) -> bool {
        self.claim(Filed(0), Some(tick))
    }
}

/// The tick of a deadline, and the time after which entries filed under it may be due.
///
/// Rounded up to a multiple of between 1/128 and 1/64 of the time left, at least [`UNIT`]: so there are some
/// hundred ticks, whatever the number of entries, and a pile waits at most that much longer than its entries.
#[inline]
pub fn tick(deadline: u64, now: u64) -> (u64, u64) {
    debug_assert!(deadline <= NEVER, "so that rounding up does not overflow");
    let left = deadline.saturating_sub(now);
    let bits = (u64::BITS - left.leading_zeros()).saturating_sub(7).max(UNIT_BITS);
    let grain = 1_u64 << bits;
    let tick = (deadline.max(1) + (grain - 1)) & !(grain - 1);
    (tick, tick - grain)
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_never_early_and_little_late() {
        for left in [0, 1, UNIT - 1, UNIT, UNIT * 200, 1_800_000_000_000, 1 << 50] {
            for now in [0, 1, 12_345_678_901_234] {
                let deadline = now + left;
                let (tick, start) = tick(deadline, now);
                assert!(tick >= deadline.max(1) && tick % UNIT == 0);
                assert!(tick - deadline < UNIT.max(left / 64 + 1) || deadline == 0, "{left} {now} {tick}");
                assert!(start < deadline.max(1) && start % UNIT == 0);
            }
        }
    }

    /// Catches bits of the deadline word that run into each other.
    #[test]
    fn a_deadline_is_open_closed_or_unsettled() {
        let mut meta = Meta::new(7, 5);
        let open = meta.deadline();
        assert_eq!((meta.hash(), open.time(), open.is_closed(), open.is_unsettled()), (7, 5, false, false));
        assert!(meta.change_deadline(open, NEVER) && !meta.change_deadline(open, 6), "it is no longer that");
        let open = meta.deadline();
        assert!(meta.close_deadline(open) && !meta.close_deadline(open) && !meta.change_deadline(open, 6));
        let closed = meta.deadline();
        assert_eq!((closed.time(), closed.is_closed(), closed.is_unsettled()), (NEVER, true, false));
        assert!(!meta.settle(9), "it is not unsettled");
        meta.unsettle();
        let unsettled = meta.deadline();
        assert!(unsettled.is_closed() && unsettled.is_unsettled());
        assert!(meta.settle(9) && !meta.settle(10));
        assert_eq!((meta.deadline().time(), meta.deadline().is_closed()), (9, false));
    }

    /// Catches a sequence that runs into the tick when it wraps, or does not move.
    #[test]
    fn a_claim_has_a_tick_and_a_sequence() {
        let most = (1 << SEQUENCE_BITS) - 1;
        for tick in [None, Some(UNIT), Some(12_345 * UNIT), Some((1 << 63) - UNIT)] {
            let claim = Filed(most).next(tick);
            assert_eq!((claim.tick(), claim.0 & most), (tick, 0));
            let again = claim.next(tick).next(tick);
            assert_eq!((again.tick(), again.0 & most), (tick, 2));
        }
        let meta = Meta::new(7, NEVER);
        assert!(meta.claim_first(3 * UNIT) && !meta.claim_first(4 * UNIT));
        assert_eq!(meta.filed().tick(), Some(3 * UNIT));
    }

    /// Catches ticks that are finer or coarser than a hundredth of the time left, so that there are too many, or entries wait too long.
    #[test]
    fn a_tick_is_as_coarse_as_its_distance() {
        for (left, grain) in
            [(0, UNIT), (1, UNIT), (127 * UNIT, UNIT), (128 * UNIT, 2 * UNIT), (3_600_000_000_000, 1 << 35)]
        {
            let now = 5_000_000_000_000_000;
            let (tick, start) = tick(now + left, now);
            assert_eq!((tick - start, tick % grain), (grain, 0), "{left}");
            assert!(start < now + left && now + left <= tick);
        }
        assert_eq!(tick(0, 5), (UNIT, 0));
    }

    #[test]
    fn a_claim_fails_after_any_other() {
        let meta = Meta::new(7, NEVER);
        let first = meta.filed();
        assert_eq!(first.tick(), None);
        assert!(first.is_due_at(UNIT));
        assert!(meta.claim(first, None));
        assert!(!meta.claim(first, Some(UNIT)), "the same tick, but another sequence");
        assert!(meta.claim(meta.filed(), Some(3 * UNIT)));
        assert_eq!(meta.filed().tick(), Some(3 * UNIT));
        assert!([2, 4].iter().all(|tick| !meta.filed().is_due_at(tick * UNIT)) && meta.filed().is_due_at(3 * UNIT));
    }
}
