//! The checker: Wing and Gong's search in the just-in-time form of Lowe ("Testing for linearizability", 2017).
//!
//! It walks the events (invocations and returns) in the order of their stamps, and keeps every *configuration* that is possible so far:
//! which of the calls that are open (invoked, not returned) have taken effect, and the state of the specification.
//!
//! ```text
//! invocation   the call is open, and has not taken effect
//! return       a configuration in which the call has taken effect stays; any other lets open calls take effect, one by one and in any
//!              order, until this one has (and an operation that is no single step may go on midway)
//! ```
//!
//! No configuration left: the events so far have no explanation, and fewer have one. So the failing prefix is the shortest.
//!
//! This is the depth-first search over a linked list of events with a memo of (calls that took effect, state), turned into layers: equal
//! configurations are met once, and nothing is remembered of the layers before. Thousands of calls cost what their overlaps
//! cost; a call that takes long only doubles the configurations meanwhile.

use std::collections::HashSet;
use std::fmt;

use crate::shrink::shrink;
use crate::specification::{Call, Specification};
use crate::timeline;

/// What the checker did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Checked {
    /// Calls explained.
    pub calls: usize,
    /// Of these, calls that overlapped another.
    pub overlapping: usize,
    /// The most configurations that were possible at one moment.
    pub configurations: usize,
}

/// A history that no order explains, as small as it could be made.
#[derive(Clone, Debug)]
pub struct Violation<S: Specification> {
    /// The calls that are left of it.
    pub calls: Vec<Call<S::Operation, S::Answer>>,
    /// Which of them cannot be explained when it returns.
    pub failing: usize,
    /// The states that the specification may be in just before that.
    pub states: Vec<S::State>,
    /// The last calls of the whole history up to the failing return, as they were recorded.
    pub recorded: Vec<Call<S::Operation, S::Answer>>,
}

/// Whether there is one order of the calls, in accordance with their stamps, that explains all answers.
///
/// # Errors
///
/// There is none: the shrunk history.
///
/// # Panics
///
/// If more than 64 calls are open at one moment.
pub fn check<S: Specification>(
    specification: &S,
    calls: &[Call<S::Operation, S::Answer>],
) -> Result<Checked, Violation<S>> {
    search(specification, calls, None).map_err(|failure| shrink(specification, calls, failure))
}

/// Which open calls have taken effect (call indices, ascending), and the state.
pub(crate) type Configuration<T> = (Vec<usize>, T);

/// Where a search ended.
pub(crate) struct Failure<T> {
    /// The call whose return cannot be explained.
    pub call: usize,
    /// What was possible just before.
    pub before: HashSet<Configuration<T>>,
    /// Whether the probe's answer was possible in a state before.
    pub was_possible: bool,
}

const SLOTS: usize = 64;

/// Searches; on the way, looks whether the answer of `probe` is ever possible.
pub(crate) fn search<S: Specification>(
    specification: &S,
    calls: &[Call<S::Operation, S::Answer>],
    probe: Option<&Call<S::Operation, S::Answer>>,
) -> Result<Checked, Failure<S::State>> {
    // Of equal stamps, invocations come first: that only allows more.
    let mut events: Vec<(u64, bool, usize)> = Vec::with_capacity(2 * calls.len());
    for (index, call) in calls.iter().enumerate() {
        events.push((call.invoked, false, index));
        events.extend(call.returned.map(|returned| (returned, true, index)));
    }
    events.sort_unstable();

    let mut was_possible = false;
    let mut checked = Checked { calls: calls.len(), ..Checked::default() };
    let mut overlaps = vec![false; calls.len()];
    // A slot for each call that is open.
    let mut open: [Option<usize>; SLOTS] = [None; SLOTS];
    let mut used = 0;
    let mut now: HashSet<(u64, S::State)> = HashSet::from([(0, specification.initial())]);
    let mut after = HashSet::new();
    let mut met = HashSet::new();
    let mut work = Vec::new();
    let mut next = Vec::new();
    for (_, is_return, call) in events {
        if !is_return {
            let slot = open.iter().position(Option::is_none).expect("at most 64 open calls");
            for &other in open[..used].iter().flatten() {
                overlaps[other] = true;
                overlaps[call] = true;
            }
            open[slot] = Some(call);
            used = used.max(slot + 1);
            continue;
        }
        let slot = open.iter().position(|&other| other == Some(call)).expect("invoked before it returns");
        let bit = 1 << slot;
        for configuration in &now {
            if configuration.0 & bit != 0 {
                after.insert((configuration.0 & !bit, configuration.1.clone()));
            } else {
                met.insert(configuration.clone());
                work.push(configuration.clone());
            }
        }
        while let Some((effective, state)) = work.pop() {
            for (other_slot, &other) in open[..used].iter().enumerate() {
                let other_bit = 1 << other_slot;
                let Some(other) = other.filter(|_| effective & other_bit == 0) else { continue };
                specification.midway(&state, &calls[other], &mut next);
                for state in next.drain(..) {
                    if met.insert((effective, state.clone())) {
                        work.push((effective, state));
                    }
                }
                specification.step(&state, &calls[other], &mut next);
                for state in next.drain(..) {
                    if other == call {
                        after.insert((effective, state));
                    } else if met.insert((effective | other_bit, state.clone())) {
                        work.push((effective | other_bit, state));
                    }
                }
            }
        }
        met.clear();
        if after.is_empty() {
            let name = |(effective, state): (u64, S::State)| {
                let taken = |slot: &usize| effective & (1 << slot) != 0;
                let mut calls: Vec<usize> = (0..used).filter(taken).filter_map(|slot| open[slot]).collect();
                calls.sort_unstable();
                (calls, state)
            };
            return Err(Failure { call, before: now.into_iter().map(name).collect(), was_possible });
        }
        std::mem::swap(&mut now, &mut after);
        after.clear();
        open[slot] = None;
        if let Some(probe) = probe.filter(|_| !was_possible) {
            now.iter().for_each(|(_, state)| specification.step(state, probe, &mut next));
            was_possible = !next.is_empty();
            next.clear();
        }
        checked.configurations = checked.configurations.max(now.len());
    }
    checked.overlapping = overlaps.iter().filter(|&&overlaps| overlaps).count();
    Ok(checked)
}

impl<S: Specification> fmt::Display for Violation<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failing = &self.calls[self.failing];
        writeln!(f, "NOT LINEARIZABLE: no order explains what thread {} was answered:", failing.thread)?;
        match &failing.answer {
            Some(answer) => writeln!(f, "    {:?} -> {answer:?}", failing.operation)?,
            None => writeln!(f, "    {:?} -> (any)", failing.operation)?,
        }
        writeln!(f, "Before it returned, the specification may have been in:")?;
        for state in &self.states {
            writeln!(f, "    {state:?}")?;
        }
        writeln!(f, "The last calls as they were recorded ({}):", self.recorded.len())?;
        timeline::write(f, &self.recorded)?;
        writeln!(f, "The shrunk history ({} calls; `?` is an answer that does not matter):", self.calls.len())?;
        timeline::write(f, &self.calls)
    }
}
