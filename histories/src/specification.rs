//! What a checker is told: the calls that were made, and what a sequential object would answer.

use std::fmt::Debug;
use std::hash::Hash;

/// One operation as it was seen from outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call<O, A> {
    /// Who called: the column of the timeline.
    pub thread: usize,
    /// The time of the object's clock, in ticks, read just before the call: whatever the operation reads is no earlier. 0 where there is no clock.
    pub clock: u64,
    /// The stamp before the call.
    pub invoked: u64,
    /// The stamp after it; None if it has not returned. It may have taken effect then, or not.
    pub returned: Option<u64>,
    /// What was asked.
    pub operation: O,
    /// What was answered; None if that is not known: any answer will do.
    pub answer: Option<A>,
}

/// The calls on one object, in any order.
pub type History<S> = Vec<Call<<S as Specification>::Operation, <S as Specification>::Answer>>;

/// A sequential object.
pub trait Specification {
    /// What can be asked.
    type Operation: Clone + Debug;
    /// What can be answered.
    type Answer: Clone + Debug;
    /// All that later answers depend on. Two states that no answer can tell apart should be equal.
    type State: Clone + Eq + Hash + Debug;

    /// The state that the history starts from.
    fn initial(&self) -> Self::State;

    /// Adds to `next` each state that the object may be in after `call` took effect on `state` and was answered as it was. None if that
    /// answer is impossible here.
    fn step(&self, state: &Self::State, call: &Call<Self::Operation, Self::Answer>, next: &mut Vec<Self::State>);

    /// Adds to `next` each state that `call`, which is open, may lead to before it takes effect: for operations that do not promise to be one step.
    /// None, unless told otherwise.
    fn midway(&self, state: &Self::State, call: &Call<Self::Operation, Self::Answer>, next: &mut Vec<Self::State>) {
        let _ = (state, call, next);
    }
}

/// Half of all values have it: what closures decide by. Values are numbered from bit 16 on, so that adding little does not change it.
pub fn parity(value: u64) -> bool {
    value >> 16 & 1 == 1
}
