//! Claiming a free slot of a bucket, and what to do where other threads have claimed them all.
//!
//! A claim is held for some twenty instructions, and two slots of a bucket are free of published words; so a thread
//! finds none only if others were preempted in the midst of a change of the same bucket. It then tries in turn,
//! until one of these helps:
//!
//! * a free slot, or another header (the seat is out of date: start over);
//! * a growth that is under way: it moves its bucket into the next table, where nothing is claimed. O(bucket);
//! * time: it lets others run, for at most [`PATIENCE`] by the clock. A preempted thread is back by then;
//! * a stopped one is not: the table is renewed. Whoever renews announces it first, so that of all who wait one
//!   allocates. Should that one stop too, the next announces in the same way, as long a wait later.
//!
//! # Progress
//!
//! Lock-free: each wait ends by the clock, whatever others do.

use core::time::Duration;

use super::bucket::{SLOTS, find_bit};
use super::node::Node;
use super::{Map, Seat};
use crate::clock::Stopwatch;
use crate::reclaim::Guard;
use crate::sync::{Ordering, TINY};

/// How long a put waits for a free slot of a bucket that does not change.
pub(super) const PATIENCE: Duration = Duration::from_millis(40);

/// Tries before it lets others run.
const SPIN_ROUNDS: u32 = 32;

impl<N: Node> Map<N> {
    /// Claims a free slot of the seat's bucket for `word`, a preferred one if possible; None if the bucket changed,
    /// or was left.
    #[inline]
    pub(super) fn claim(&self, seat: &Seat<'_, N>, word: *mut N, preferred: u64, guard: &Guard) -> Option<usize> {
        let free = !seat.header.published() & ((1 << SLOTS) - 1);
        let take = |slot: usize| seat.line.claim(slot, word).then_some(slot);
        let attempt = || find_bit(free & preferred, take).or_else(|| find_bit(free & !preferred, take));
        attempt().or_else(|| self.claim_later(seat, attempt, guard))
    }

    #[cold]
    fn claim_later(
        &self,
        seat: &Seat<'_, N>,
        mut attempt: impl FnMut() -> Option<usize>,
        guard: &Guard,
    ) -> Option<usize> {
        let known = seat.table.announced();
        let mut patience = Patience::default();
        loop {
            // Ordering: Relaxed: a guess; `publish` validates the header.
            if seat.head.load(Ordering::Relaxed) != seat.header {
                return None;
            }
            if seat.table.next(guard).is_some() || !patience.wait() {
                self.renew(seat.table, seat.bucket, known, guard);
                return None;
            }
            if let Some(slot) = attempt() {
                return Some(slot);
            }
        }
    }
}

/// A wait that ends. Models have no clock, and no patience.
#[derive(Default)]
struct Patience {
    rounds: u32,
    waiting: Option<Stopwatch>,
}

impl Patience {
    /// Waits a moment; false when it has waited for long enough.
    fn wait(&mut self) -> bool {
        if TINY {
            return false;
        }
        self.rounds = self.rounds.saturating_add(1);
        if self.rounds <= SPIN_ROUNDS {
            core::hint::spin_loop();
            return true;
        }
        // A yield returns at once where the core has nothing else to run, so rounds say nothing about time.
        std::thread::yield_now();
        self.waiting.get_or_insert_with(Stopwatch::start).elapsed() < PATIENCE
    }
}
