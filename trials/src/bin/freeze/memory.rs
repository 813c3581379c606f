//! What a frozen thread costs in memory: while it is inside an operation, nothing that others retire is freed.
//!
//! The others replace entries of fixed size, so that whatever the process grows by is garbage that waits.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::allocator;
use crate::freezer::Slot;
use crate::kinds::Kind;
use crate::subjects::Subject;
use crate::trial::{Outcome, Trial};
use crate::worker::{self, Plan};

/// Replacements of one worker while somebody is frozen.
const COURSE: usize = 20_000;

/// What was measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Bytes held back an operation of the others, in each freeze: the median and the most.
    pub frozen: (f64, f64),
    /// The same while nobody is frozen.
    pub thawed: (f64, f64),
    /// Bytes above the start that were left when all had thawed, and the collector was flushed: the most.
    pub left: i64,
}

/// Measures so many freezes.
pub fn measure<S: Subject>(freezes: usize, limit: Duration) -> Memory {
    let mut trial = Trial::<S>::start(Plan::Replace(COURSE), 7);
    let (arena, side) = (Arc::new(worker::arena::<S>()), Arc::new(worker::side::<S>()));
    let mut memory = Memory::default();
    let (mut frozen, mut thawed) = (Vec::new(), Vec::new());
    let mut ignored = Outcome::default();
    trial.begin_round(&arena, &side, None);
    // Until all memory is in use that will be.
    course(&trial, None, limit);
    trial.end_round(&mut ignored);
    S::leaked();
    let start = allocator::bytes();
    trial.begin_round(&arena, &side, None);
    while frozen.len() < freezes {
        thawed.push(course(&trial, None, limit));
        let victim = frozen.len() % trial.slots.len();
        trial.arm(victim, Some(Kind::Replace), Duration::ZERO);
        if let Some(stopped) = trial.slots[victim].await_frozen(Duration::from_secs(1)) {
            frozen.push(course(&trial, Some(victim), limit));
            drop(stopped);
        }
        trial.end_round(&mut ignored);
        S::leaked();
        memory.left = memory.left.max(allocator::bytes() - start);
        trial.begin_round(&arena, &side, None);
    }
    trial.end_round(&mut ignored);
    trial.stop();
    memory.frozen = median_and_most(frozen);
    memory.thawed = median_and_most(thawed);
    memory
}

fn median_and_most(mut figures: Vec<f64>) -> (f64, f64) {
    figures.sort_by(f64::total_cmp);
    (figures[figures.len() / 2], figures[figures.len() - 1])
}

/// Has all but the victim do a course; returns by how many bytes an operation the process grew.
fn course<S: Subject>(trial: &Trial<S>, victim: Option<usize>, limit: Duration) -> f64 {
    let others: Vec<&Slot> =
        trial.slots.iter().enumerate().filter(|(index, _)| Some(*index) != victim).map(|(_, slot)| *slot).collect();
    let operations = || others.iter().map(|slot| slot.operations.load(Ordering::Relaxed)).sum::<u64>();
    let (bytes, before) = (allocator::bytes(), operations());
    assert!(trial.course(&others, limit), "a replacement was blocked");
    let grown = (allocator::bytes() - bytes) as f64 / (operations() - before) as f64;
    trial.shared.generation.fetch_add(1, Ordering::AcqRel);
    grown
}
