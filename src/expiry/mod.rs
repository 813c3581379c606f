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
use crate::epoch::Guard;
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
            let pile = self.ticks.pile(tick, start.min(tick - UNIT), guard);
            match pile.push(record, start.min(tick - UNIT), lane, guard) {
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

    /// Takes some records ([`CHUNK`] at most) of the first such pile above tick `cursor`; returns its tick, or None at the end.
    /// Moves the cursor past piles that are done with: a walk with one cursor ends.
    pub fn take(&self, which: Which, cursor: &mut u64, records: &mut Vec<u64>, guard: &Guard) -> Option<u64> {
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
            if pile.take(records, guard) {
                // What is filed again while this pile is sealed goes a unit earlier: behind the walk.
                *cursor = (*cursor).max(pile.tick() - 1);
                return Some(pile.tick());
            }
            self.ticks.discard(&pile, guard);
            *cursor = pile.tick();
        }
    }
}
