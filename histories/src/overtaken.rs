//! The one licence that the specifications give: a touch that is overtaken by time.
//!
//! A touch that shortens reads the clock, finds the new deadline still ahead, and moves the deadline word. If the new deadline comes between these
//! steps, a write that judged the entry by its old deadline may put its own entry meanwhile, and both are told that they
//! succeeded. So such a touch may change nothing, *if* its deadline came before it returned.

/// A touch that changed nothing, whose deadline has yet to come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Overtaken {
    /// When the touch returned.
    pub returned: u64,
    /// The deadline that it set, in ticks.
    pub deadline: u64,
}

impl Overtaken {
    /// What is left of it when a call takes effect that was invoked then: None at all if the licence was not deserved, since the touch had returned
    /// by then and the clock (`now`) has not come to its deadline.
    pub(crate) fn after(overtaken: Option<Overtaken>, now: u64, invoked: u64) -> Option<Option<Overtaken>> {
        match overtaken {
            Some(overtaken) if now < overtaken.deadline && overtaken.returned < invoked => None,
            _ => Some(overtaken.filter(|overtaken| now < overtaken.deadline)),
        }
    }
}
