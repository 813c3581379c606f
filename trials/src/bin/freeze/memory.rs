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
    /// The same while nobody is frozen: the median.
    pub thawed: f64,
    /// Bytes that were left when a freeze was over and the collector flushed, above those after the first: the most.
    pub left: i64,
}

/// Measures so many freezes; None if somebody was blocked.
pub fn measure<S: Subject>(freezes: usize, limit: Duration) -> Option<Memory> {
    let mut trial = Trial::<S>::start(Plan::Replace(COURSE), 7);
    let (arena, side) = (Arc::new(worker::arena::<S>()), Arc::new(worker::side::<S>()));
    let (mut frozen, mut thawed, mut left) = (Vec::new(), Vec::new(), Vec::new());
    let mut ignored = Outcome::default();
    let mut go_on = true;
    while go_on && frozen.len() < freezes {
        trial.begin_round(&arena, &side, None);
        thawed.extend(grown(&trial, None, limit));
        let victim = frozen.len() % trial.slots.len();
        trial.arm(victim, Some(Kind::Replace), Duration::ZERO);
        if let Some(stopped) = trial.slots[victim].await_frozen(Duration::from_secs(1)) {
            let bytes = grown(&trial, Some(victim), limit);
            drop(stopped);
            go_on = bytes.is_some();
            frozen.extend(bytes);
        }
        trial.end_round(&mut ignored);
        S::leaked();
        left.push(allocator::bytes());
    }
    trial.stop();
    frozen.sort_by(f64::total_cmp);
    thawed.sort_by(f64::total_cmp);
    // After the first round, all memory is in use that will be.
    let above_first = left.iter().map(|bytes| bytes - left[0]).max().unwrap_or(0);
    go_on.then(|| Memory {
        frozen: (frozen[frozen.len() / 2], frozen[frozen.len() - 1]),
        thawed: thawed[thawed.len() / 2],
        left: above_first,
    })
}

/// By how many bytes an operation the process grows while all but the victim do a course; None if one is blocked.
fn grown<S: Subject>(trial: &Trial<S>, victim: Option<usize>, limit: Duration) -> Option<f64> {
    let others: Vec<&Slot> =
        trial.slots.iter().enumerate().filter(|(index, _)| Some(*index) != victim).map(|(_, slot)| *slot).collect();
    // In the first course the garbage from before the freeze is freed.
    course(trial, &others, limit)?;
    course(trial, &others, limit)
}

fn course<S: Subject>(trial: &Trial<S>, workers: &[&Slot], limit: Duration) -> Option<f64> {
    let operations = || workers.iter().map(|slot| slot.operations.load(Ordering::Relaxed)).sum::<u64>();
    let (bytes, before) = (allocator::bytes(), operations());
    let is_done = trial.course(workers, limit);
    let grown = (allocator::bytes() - bytes) as f64 / (operations() - before).max(1) as f64;
    trial.shared.generation.fetch_add(1, Ordering::AcqRel);
    is_done.then_some(grown)
}
