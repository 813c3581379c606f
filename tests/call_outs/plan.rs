//! The places where user code runs, and what it is made to do in one of them: once, on one thread.

use std::cell::RefCell;
use std::collections::BTreeMap;

/// A place where the library runs user code. The rows of "Call-outs" in ARCHITECTURE.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    BuildHasher,
    /// `Hasher::write` and `finish`.
    Hasher,
    Hash,
    Eq,
    Borrow,
    CloneKey,
    CloneValue,
    DropKey,
    DropValue,
    Clock,
    CoarseClock,
    WallClock,
    ClockOrigin,
    Listener,
    /// A closure of `update`, `compute`, `read`, `remove_if`, `retain`, `get_many`, `delete_where`.
    Closure,
    Loader,
    /// The caller's code between two items of an iterator.
    Consumer,
    /// `AsRef<[u8]>` of a token or of data.
    Bytes,
    DropBytes,
}

impl Place {
    /// Whether the place is the `Drop` of what the cache owned: the collector runs it, some time later.
    pub fn is_drop(self) -> bool {
        matches!(self, Place::DropKey | Place::DropValue)
    }
}

/// Where `Cache` runs user code, but for the origin of its clock.
pub const IN_A_CACHE: &[Place] = &[
    Place::BuildHasher,
    Place::Hasher,
    Place::Hash,
    Place::Eq,
    Place::Borrow,
    Place::CloneKey,
    Place::CloneValue,
    Place::DropKey,
    Place::DropValue,
    Place::Clock,
    Place::CoarseClock,
    Place::Listener,
    Place::Closure,
    Place::Loader,
    Place::Consumer,
];

/// Where `MemStore` does.
pub const IN_A_STORE: &[Place] = &[
    Place::Clock,
    Place::CoarseClock,
    Place::WallClock,
    Place::Listener,
    Place::Closure,
    Place::Consumer,
    Place::Bytes,
    Place::DropBytes,
];

struct Plan {
    place: Place,
    /// Calls to let pass first.
    left: u32,
    action: Box<dyn FnOnce()>,
}

thread_local! {
    static PLAN: RefCell<Option<Plan>> = const { RefCell::new(None) };
    /// Calls so far, while they are counted.
    static COUNTS: RefCell<Option<BTreeMap<Place, u32>>> = const { RefCell::new(None) };
}

/// Plans an action for the call number `call`, from 0, of user code in `place` on this thread.
pub fn plan(place: Place, call: u32, action: impl FnOnce() + 'static) {
    PLAN.set(Some(Plan { place, left: call, action: Box::new(action) }));
}

/// Whether the planned action has not come yet.
pub fn is_pending() -> bool {
    PLAN.with_borrow(Option::is_some)
}

/// Drops the plan; true if its action had not come yet.
pub fn cancel() -> bool {
    PLAN.take().is_some()
}

/// Counts the calls of user code on this thread, place by place.
pub fn count(work: impl FnOnce()) -> Vec<(Place, u32)> {
    COUNTS.set(Some(BTreeMap::new()));
    work();
    COUNTS.take().unwrap_or_default().into_iter().collect()
}

/// User code says where it is. The plan is gone before its action runs, so the action may come here itself.
pub fn at(place: Place) {
    // A value may be dropped when its thread has lost its locals.
    let _ = COUNTS.try_with(|counts| {
        if let Some(counts) = counts.borrow_mut().as_mut() {
            *counts.entry(place).or_default() += 1;
        }
    });
    let due = PLAN.try_with(|plan| {
        let mut plan = plan.borrow_mut();
        match plan.as_mut() {
            Some(waiting) if waiting.place == place && waiting.left > 0 => {
                waiting.left -= 1;
                None
            }
            Some(waiting) if waiting.place == place => plan.take(),
            _ => None,
        }
    });
    if let Ok(Some(plan)) = due {
        (plan.action)();
    }
}
