//! The expiry index: under each tick, the hashes of the entries that may be due then.
//!
//! It knows no keys, no values and no map. A *record* is a hash under a tick; sweeping takes the records of due
//! ticks and asks the engine about each. It costs what is due, not what is stored.
//!
//! # Shape
//!
//! ```text
//! Ticks (skip list)   tick 1 --- tick 2 --- tick 3 --- ...     some hundreds, the further away the coarser
//!                       |          |
//! Pile                chunks     chunks                        sealed when taken
//! hints               one for each grain, to its newest pile: the common save does no search
//! ```
//!
//! # Filing rules (held by `engine.rs`)
//!
//! * **F1 nothing forgotten** When an operation returns, each live entry with a deadline has a record filed at a tick
//!   no later than the tick of its deadline, or in the hands of a sweeper; `Meta::filed` names that tick.
//! * **F2 never early** An entry leaves by expiry only when its deadline is at or before the clock; the step that decides it
//!   is one CAS against `touch`.
//! * **F3 late costs memory, never correctness** Readers compare the deadline themselves.
//! * **F4 exactly one owner** Whoever wins the header change notifies and retires.
//! * **F5 extend is free** A later deadline changes the entry only. An earlier one files a second record.
//! * **F6 stale is harmless** A record whose hash meets no entry that is filed under its tick, or not known to be filed, is dropped.
//! * **F7 stale is bounded** When records outnumber entries by more than two to one, piles are taken early and what is live is
//!   filed again: the code path of a due pile.
//!
//! `filed` is a claim, with a sequence number. Whoever takes a record *voids* the claim of the entry that it meets
//! (tick none, sequence bumped), files anew, and claims the new tick. A claim is only ever made after the record
//! was filed, or copied from a predecessor that still held it after the copy's owner was published. Where no
//! claim stands, every operation that needs one files a record of its own: duplicates are harmless (F6).
//!
//! # Orderings
//!
//! | label | release side | acquire side | carries |
//! |---|---|---|---|
//! | publish-hint | the CAS of a hint | its load | the box, and the pile behind it |
//!
//! (`pile.rs` has its own table.)
//!
//! # Progress
//!
//! Lock-free. A sealed pile that a stopped sweeper left is emptied by the next one; a filer that meets it files one
//! unit earlier.

mod meta;
#[cfg(any(loom, shuttle))]
mod model;
mod pile;
#[cfg(not(any(loom, shuttle)))]
mod skip;

#[cfg(any(loom, shuttle))]
use self::model::Ticks;
#[cfg(not(any(loom, shuttle)))]
use self::skip::Ticks;

use self::meta::UNIT;
pub use self::meta::{DEAD, Deadline, Filed, Meta, NEVER, Timed, tick};
use self::pile::Hint;
#[cfg(not(loom))]
use self::pile::Push;
pub use self::pile::{CHUNK, RECORD_MIN};
#[cfg(loom)]
pub use self::pile::{Pile, Push};
use crate::reclaim::Guard;
use crate::sync::TINY;

const HINTS: usize = if TINY { 1 } else { 16 };

/// The index.
#[derive(Debug)]
pub struct ExpiryIndex {
    ticks: Ticks,
    hints: [Hint; HINTS],
}

/// Which piles a sweep takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// Those whose tick has come: all their entries are due (but for extended ones).
    Due(u64),
    /// Those that may hold an entry that is due by this time, the rest of which is filed again, finer.
    Expired(u64),
    /// All, early: to drop stale records.
    Stale,
}

/// What filing did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FiledUnder {
    /// The tick that the record stands under.
    pub tick: u64,
    /// Whether a chunk was allocated: a rare moment, to look after the index in.
    pub in_new_chunk: bool,
}

impl Default for ExpiryIndex {
    fn default() -> Self {
        ExpiryIndex { ticks: Ticks::new(), hints: core::array::from_fn(|_| Hint::none()) }
    }
}

impl ExpiryIndex {
    /// Files a record for a deadline. Lock-free; allocates once in [`CHUNK`] records, and for a new tick.
    pub fn file(&self, record: u64, deadline: u64, now: u64, lane: usize, guard: &Guard) -> FiledUnder {
        let (wanted, start) = tick(deadline, now);
        let grain = (wanted - start).trailing_zeros() - UNIT.trailing_zeros();
        let hint = &self.hints[grain as usize % HINTS];
        if let Some(pile) = hint.get(guard)
            && pile.tick() == wanted
        {
            match pile.push(record, start, lane, guard) {
                Push::Done => return FiledUnder { tick: wanted, in_new_chunk: false },
                Push::DoneInNewChunk => return FiledUnder { tick: wanted, in_new_chunk: true },
                Push::Sealed => {}
            }
        }
        let mut tick = wanted;
        loop {
            let start = start.min(tick - UNIT);
            let pile = self.ticks.pile(tick, start, guard);
            match pile.push(record, start, lane, guard) {
                // Being emptied. A unit earlier is never too late; below the first tick of all there is only later.
                Push::Sealed if tick <= wanted && tick > UNIT => tick -= UNIT,
                Push::Sealed => tick = tick.max(wanted) + UNIT,
                done => {
                    hint.set(&pile, guard);
                    return FiledUnder { tick, in_new_chunk: done == Push::DoneInNewChunk };
                }
            }
        }
    }

    /// Takes the records of some chunks (of [`CHUNK`] each) of the first such pile above tick `cursor`; returns its tick, or None at the end.
    /// Moves the cursor past piles that are done with: a walk with one cursor ends.
    pub fn take(
        &self,
        which: Which,
        cursor: &mut u64,
        chunks: usize,
        records: &mut Vec<u64>,
        guard: &Guard,
    ) -> Option<u64> {
        debug_assert!(chunks > 0);
        loop {
            let pile = self.ticks.after(*cursor, guard)?;
            match which {
                Which::Due(now) if pile.tick() > now => return None,
                Which::Expired(now) if pile.tick() > now && pile.start() >= now => {
                    *cursor = pile.tick();
                    continue;
                }
                _ => {}
            }
            pile.seal();
            if (0..chunks).take_while(|_| pile.take(records, guard)).count() > 0 {
                // What is filed again while this pile is sealed goes a unit earlier: behind the walk.
                *cursor = (*cursor).max(pile.tick() - 1);
                return Some(pile.tick());
            }
            self.ticks.discard(&pile, guard);
            *cursor = pile.tick();
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle, fleeting_tiny))))]
mod tests {
    use super::*;
    use crate::reclaim;

    const SECOND: u64 = 1_000_000_000;

    fn file(index: &ExpiryIndex, record: u64, deadline: u64) -> FiledUnder {
        index.file(record, deadline, 0, 0, &reclaim::pin())
    }

    /// Takes all that there is to take, in order: ticks, and the records under each.
    fn take_all(index: &ExpiryIndex, which: Which, cursor: &mut u64) -> Vec<(u64, Vec<u64>)> {
        let mut taken: Vec<(u64, Vec<u64>)> = Vec::new();
        let (mut records, mut chunks) = (Vec::new(), 1);
        while let Some(tick) = index.take(which, cursor, chunks, &mut records, &reclaim::pin()) {
            assert!(!records.is_empty() && records.len() <= chunks * CHUNK, "so many chunks at most");
            assert!(*cursor >= tick - 1, "the walk goes on");
            chunks = 1 + chunks % 3;
            match taken.last_mut() {
                Some((last, all)) if *last == tick => all.append(&mut records),
                _ => taken.push((tick, std::mem::take(&mut records))),
            }
        }
        taken.iter_mut().for_each(|(_, records)| records.sort_unstable());
        taken
    }

    /// Catches a record under a tick other than its deadline's, and an allocation for each.
    #[test]
    fn records_stand_under_the_tick_of_their_deadline() {
        let index = ExpiryIndex::default();
        for (count, deadline) in [(0, SECOND), (1, 3_600 * SECOND), (2, SECOND), (3, 3_600 * SECOND)] {
            let expected = FiledUnder { tick: tick(deadline, 0).0, in_new_chunk: count < 2 };
            assert_eq!(file(&index, 10 + count, deadline), expected, "{count}");
        }
        let expected = [(tick(SECOND, 0).0, vec![10, 12]), (tick(3_600 * SECOND, 0).0, vec![11, 13])];
        assert_eq!(take_all(&index, Which::Stale, &mut 0), expected);
        assert_eq!(take_all(&index, Which::Stale, &mut 0), []);
    }

    /// Catches a pile that is taken before its tick, or not at it; and the same of exact sweeps and the earliest deadline in it.
    #[test]
    fn piles_are_taken_when_they_are_due() {
        let (at, start) = tick(SECOND, 0);
        let whiches = [
            (Which::Due(at - 1), false),
            (Which::Due(at), true),
            (Which::Due(at + 1), true),
            (Which::Expired(start), false),
            (Which::Expired(start + 1), true),
            (Which::Expired(at), true),
            (Which::Expired(10 * at), true),
            (Which::Stale, true),
        ];
        for (which, taken) in whiches {
            let index = ExpiryIndex::default();
            file(&index, 10, SECOND);
            let (later, _) = tick(3_600 * SECOND, 0);
            file(&index, 11, 3_600 * SECOND);
            let mut cursor = 0;
            let mut expected = if taken { vec![(at, vec![10])] } else { Vec::new() };
            if which == Which::Stale {
                expected.push((later, vec![11]));
            }
            assert_eq!(take_all(&index, which, &mut cursor), expected, "{which:?}");
            match which {
                Which::Due(now) => assert!(cursor <= now),
                Which::Expired(_) | Which::Stale => assert_eq!(cursor, later, "it went past what it left"),
            }
            let mut left = take_all(&index, Which::Stale, &mut 0);
            left.extend(expected);
            left.sort_unstable();
            assert_eq!(left, [(at, vec![10]), (later, vec![11])]);
        }
    }

    /// Catches what is filed while its pile is being emptied, and is then late, or met by the same walk again.
    #[test]
    fn what_is_filed_during_a_walk_goes_behind_it() {
        let index = ExpiryIndex::default();
        let (at, start) = tick(SECOND, 0);
        (0..100).for_each(|record| assert_eq!(file(&index, 10 + record, SECOND).tick, at));
        let (mut cursor, mut records) = (0, Vec::new());
        assert_eq!(index.take(Which::Due(at), &mut cursor, 1, &mut records, &reclaim::pin()), Some(at));
        assert_eq!(file(&index, 500, SECOND).tick, at - UNIT, "that pile is sealed");
        assert_eq!(file(&index, 501, SECOND).tick, at - UNIT, "by the hint");
        assert_eq!(
            take_all(&index, Which::Due(at), &mut cursor).iter().map(|(_, records)| records.len()).sum::<usize>(),
            100 - records.len()
        );
        assert_eq!(take_all(&index, Which::Due(at), &mut 0), [(at - UNIT, vec![500, 501])]);
        // An exact sweep finds it by its start, which is a unit before its tick at most.
        assert_eq!(file(&index, 502, SECOND), FiledUnder { tick: at, in_new_chunk: true });
        assert_eq!(take_all(&index, Which::Expired(start + 1), &mut 0), [(at, vec![502])]);
    }

    /// Catches a record that finds no tick when the first of all is being emptied.
    #[test]
    fn below_the_first_tick_there_is_only_later() {
        let index = ExpiryIndex::default();
        let (mut cursor, mut records) = (0, Vec::new());
        for expected in [UNIT, 2 * UNIT, 3 * UNIT] {
            assert_eq!(file(&index, 10, 1).tick, expected);
            (0..2 * CHUNK).for_each(|_| assert_eq!(file(&index, 10, 1).tick, expected));
            // One chunk of several: the pile stays, sealed.
            assert_eq!(index.take(Which::Stale, &mut cursor, 1, &mut records, &reclaim::pin()), Some(expected));
            cursor = expected;
        }
        // A later deadline whose tick is being emptied goes earlier until one is open.
        assert_eq!(file(&index, 11, 3 * UNIT).tick, 4 * UNIT);
    }

    /// Catches an exact sweep that misses a record which was filed a unit earlier than its deadline's tick.
    #[test]
    fn a_record_that_goes_a_unit_earlier_is_found_in_time() {
        let index = ExpiryIndex::default();
        let deadline = 10 * UNIT - 5;
        (0..2 * CHUNK).for_each(|_| assert_eq!(file(&index, 10, deadline).tick, 10 * UNIT));
        let mut cursor = 0;
        assert_eq!(index.take(Which::Stale, &mut cursor, 1, &mut Vec::new(), &reclaim::pin()), Some(10 * UNIT));
        assert_eq!(file(&index, 11, deadline).tick, 9 * UNIT);
        assert_eq!(take_all(&index, Which::Expired(8 * UNIT), &mut 0), []);
        let found = take_all(&index, Which::Expired(8 * UNIT + 1), &mut 0);
        assert_eq!(found, [(9 * UNIT, vec![11])]);
    }
}
