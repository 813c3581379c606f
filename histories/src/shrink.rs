//! Makes a violation small without changing what it says.
//!
//! To drop any call while a violation is left would end at `get -> 7` alone, since the `insert(7)` can be dropped: a violation, but another
//! one. So a call is dropped, or its answer forgotten, only if the same return stays unexplained, *and* everything that was possible just
//! before it still is. Forgetting more only allows more; what stays impossible is what the implementation did wrong.

use std::collections::HashSet;

use crate::check::{Configuration, Failure, Violation, search};
use crate::specification::{Call, Specification};

/// Calls shown as they were recorded.
const SHOWN: usize = 16;

/// Calls that all searches of one shrinking may go over, about.
const PATIENCE: usize = 10_000_000;

/// A call that is left, by its index in the whole history, and whether its answer counts.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kept {
    call: usize,
    has_answer: bool,
}

struct Shrinker<'s, S: Specification> {
    specification: &'s S,
    calls: Vec<Call<S::Operation, S::Answer>>,
    kept: Vec<Kept>,
    failing: usize,
    /// What was possible before the failing return, in the whole history.
    before: HashSet<Configuration<S::State>>,
    was_possible: bool,
    patience: usize,
}

impl<S: Specification> Shrinker<'_, S> {
    /// Whether these calls fail at the same return, with all that was possible before still possible.
    fn fails(&mut self, kept: &[Kept]) -> bool {
        let Some(patience) = self.patience.checked_sub(kept.len() + 1) else { return false };
        self.patience = patience;
        let calls = self.calls_of(kept);
        let probe = self.was_possible.then_some(&self.calls[self.failing]);
        let Err(failure) = search(self.specification, &calls, probe) else { return false };
        if kept[failure.call].call != self.failing || failure.was_possible != self.was_possible {
            return false;
        }
        let name = |(open, state): Configuration<S::State>| (open.iter().map(|&at| kept[at].call).collect(), state);
        let before: HashSet<Configuration<S::State>> = failure.before.into_iter().map(name).collect();
        self.before.is_subset(&before)
    }

    fn calls_of(&self, kept: &[Kept]) -> Vec<Call<S::Operation, S::Answer>> {
        let call = |kept: &Kept| {
            let mut call = self.calls[kept.call].clone();
            call.answer = call.answer.filter(|_| kept.has_answer);
            call
        };
        kept.iter().map(call).collect()
    }

    /// Changes the kept calls a piece at a time, in ever smaller pieces, where the violation stays.
    fn change(&mut self, smaller: impl Fn(Kept) -> Option<Kept>) {
        let mut size = self.kept.len();
        while size > 0 {
            let mut from = 0;
            while from < self.kept.len() {
                let to = (from + size).min(self.kept.len());
                // The failing call stays as it is.
                let change = |&kept: &Kept| if kept.call == self.failing { Some(kept) } else { smaller(kept) };
                let piece: Vec<Kept> = self.kept[from..to].iter().filter_map(change).collect();
                if piece == self.kept[from..to] {
                    from = to;
                    continue;
                }
                let changed = [&self.kept[..from], &piece, &self.kept[to..]].concat();
                if self.fails(&changed) {
                    from += piece.len();
                    self.kept = changed;
                } else {
                    from = to;
                }
            }
            size /= 2;
        }
    }
}

/// The smallest such violation that dropping and forgetting one by one leads to.
pub(crate) fn shrink<S: Specification>(
    specification: &S,
    calls: &[Call<S::Operation, S::Answer>],
    failure: Failure<S::State>,
) -> Violation<S> {
    // What began after the failing return had no part in it.
    let end = calls[failure.call].returned;
    let mut kept: Vec<usize> =
        (0..calls.len()).filter(|&index| end.is_none_or(|end| calls[index].invoked < end)).collect();
    kept.sort_by_key(|&index| calls[index].invoked);
    let recorded = kept[kept.len().saturating_sub(SHOWN)..].iter().map(|&index| calls[index].clone()).collect();
    let mut states: Vec<S::State> = Vec::new();
    for (_, state) in &failure.before {
        if !states.contains(state) {
            states.push(state.clone());
        }
    }
    let again = search(specification, calls, Some(&calls[failure.call]));
    let mut shrinker = Shrinker {
        was_possible: again.is_err_and(|failure| failure.was_possible),
        specification,
        calls: calls.to_vec(),
        kept: kept.into_iter().map(|call| Kept { call, has_answer: true }).collect(),
        failing: failure.call,
        before: failure.before,
        patience: PATIENCE,
    };
    // Answers first: most calls cannot go while the answers of those that followed count.
    loop {
        let before = shrinker.kept.len();
        shrinker.change(|kept| Some(Kept { has_answer: false, ..kept }));
        shrinker.change(|_| None);
        if shrinker.kept.len() == before {
            break;
        }
    }
    // And back, where they say more than they cost.
    shrinker.change(|kept| Some(Kept { has_answer: true, ..kept }));
    let failing = shrinker.kept.iter().position(|kept| kept.call == shrinker.failing);
    let failing = failing.expect("the failing call is never dropped");
    Violation { calls: shrinker.calls_of(&shrinker.kept), failing, states, recorded }
}
