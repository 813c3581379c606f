//! Lanes: small numbers, each of one thread at a time, so that a thread counts on a line of its own without a locked instruction.
//!
//! ```text
//! claim    set the lowest clear bit of a bitmap, by CAS             (once a thread)
//! release  subtract it                                              (as the thread ends)
//! ```
//!
//! * **L1** At any moment a lane below [`LANES`] belongs to one thread at most. What its holders write without atomic
//!   read-modify-writes comes one after the other.
//! * When all lanes are taken, and while a thread's local variables are being destroyed, a thread has a number above them, which it shares.
//!
//! | label | release side | acquire side | carries |
//! |---|---|---|---|
//! | claim-lane | `Lanes::release` | `Lanes::claim` | what the former holder wrote on its lane |
//!
//! Lock-free: a claim fails only because another one, or a release, succeeded.

use std::cell::Cell;

use crate::sync::{AtomicU64, Ordering};

/// How many threads can have a lane of their own.
pub const LANES: usize = WORDS * WORD;

/// A model has one lane, which its threads must share.
const WORD: usize = if cfg!(loom) { 1 } else { u64::BITS as usize };
const WORDS: usize = if cfg!(loom) { 1 } else { 4 };

/// Which lanes are taken.
#[derive(Debug)]
pub struct Lanes {
    words: [AtomicU64; WORDS],
}

impl Lanes {
    /// None is taken.
    #[cfg(not(any(loom, shuttle, fleeting_hooked)))]
    pub const fn new() -> Lanes {
        Lanes { words: [const { AtomicU64::new(0) }; WORDS] }
    }

    /// None is taken.
    #[cfg(any(loom, shuttle, fleeting_hooked))]
    pub fn new() -> Lanes {
        Lanes { words: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Takes the lowest free lane; None if there is none.
    pub fn claim(&self) -> Option<usize> {
        self.words.iter().enumerate().find_map(|(index, word)| {
            loop {
                let taken = word.load(Ordering::Relaxed);
                let lane = taken.trailing_ones() as usize;
                if lane == WORD {
                    return None;
                }
                // Ordering: Acquire [claim-lane] with the Release of `release`; claims of other lanes in between go on with its release sequence.
                if word.compare_exchange(taken, taken | 1 << lane, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                    return Some(index * WORD + lane);
                }
            }
        })
    }

    /// Gives a lane back, by the thread that has it.
    pub fn release(&self, lane: usize) {
        // Ordering: Release [claim-lane] with the Acquire of `claim`.
        self.words[lane / WORD].fetch_sub(1 << (lane % WORD), Ordering::Release);
    }
}

/// The thread's lane if it is below [`LANES`]; else a number that it shares with others.
#[inline]
pub fn lane() -> usize {
    let lane = LANE.get();
    if lane == UNCLAIMED { take_lane() } else { lane }
}

const UNCLAIMED: usize = usize::MAX;

std::thread_local! {
    // Without a destructor: reading it is one load.
    static LANE: Cell<usize> = const { Cell::new(UNCLAIMED) };
}

#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
mod process {
    use super::{LANE, LANES, Lanes};

    static TAKEN: Lanes = Lanes::new();

    std::thread_local! {
        static HELD: Held = const { Held };
    }

    /// Gives the thread's lane back as the thread ends.
    struct Held;

    impl Drop for Held {
        fn drop(&mut self) {
            let lane = LANE.replace(shared());
            if lane < LANES {
                TAKEN.release(lane);
            }
        }
    }

    #[cold]
    pub fn take_lane() -> usize {
        // Where the destructor does not run any more, nobody would give it back.
        let lane = HELD.try_with(|_| TAKEN.claim()).ok().flatten().unwrap_or_else(shared);
        LANE.set(lane);
        lane
    }

    /// A number above the lanes, by where the thread's stack is: threads differ.
    fn shared() -> usize {
        let here = 0_u8;
        LANES + ((&raw const here).addr() >> 16) % LANES
    }
}

#[cfg(not(any(loom, shuttle, fleeting_hooked)))]
use self::process::take_lane;

/// The threads of a model share a number: they run on one thread of the system.
#[cfg(any(loom, shuttle, fleeting_hooked))]
fn take_lane() -> usize {
    LANES
}

#[cfg(all(test, not(any(loom, shuttle, fleeting_hooked))))]
mod tests {
    use super::*;
    use std::thread;

    /// Catches a lane that is given twice, not the lowest, or never again.
    #[test]
    fn lanes_are_given_once_lowest_first() {
        let lanes = Lanes::new();
        assert!((0..LANES).all(|lane| lanes.claim() == Some(lane)));
        assert_eq!(lanes.claim(), None);
        for lane in [130, 7, LANES - 1] {
            lanes.release(lane);
            assert_eq!((lanes.claim(), lanes.claim()), (Some(lane), None));
        }
    }

    /// Catches threads that share a lane, a lane that changes, and one that outlives its thread.
    #[test]
    fn each_thread_has_a_lane_until_it_ends() {
        let mine = lane();
        for _ in 0..2 * LANES {
            let other = thread::spawn(|| (lane(), lane())).join().expect("no panic");
            assert_eq!(other.0, other.1);
            assert!(other.0 != mine && other.0 < LANES);
        }
    }
}
