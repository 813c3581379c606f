//! The kinds of operations, and how many of each make a course: the fixed amount of work that every other thread must do while one is frozen.

/// A kind of operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// Find a key that is there.
    Hit = 1,
    /// Find a key that is not.
    Miss,
    /// Insert a key that was never there.
    Insert,
    /// Insert over a key that is there.
    Replace,
    /// Replace a value by a function of it.
    Update,
    /// Insert or remove by what is there; for sessions also compare-and-save and rename.
    Compute,
    /// Move a deadline, later or earlier.
    Touch,
    /// Remove a key that others create.
    Remove,
    /// Insert only if absent.
    Create,
    /// Look at some hundreds of entries.
    Iterate,
    /// Remove by a predicate: a walk over all entries.
    Retain,
    /// Insert a batch of new keys, so that the table grows.
    Grow,
    /// Insert short-lived entries, give some of them more time, let the time of the others pass, sweep.
    Sweep,
    /// Insert and remove on a small table, which leaves stale records until they are taken early.
    Early,
}

/// No kind: the thread is in no operation.
pub const NONE: u8 = 0;

/// New keys of one [`Kind::Grow`].
pub const GROW_BATCH: u64 = 64;

/// Pairs of insertion and removal of one [`Kind::Early`].
pub const EARLY_BATCH: u64 = 32;

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 14] = [
        Kind::Hit,
        Kind::Miss,
        Kind::Insert,
        Kind::Replace,
        Kind::Update,
        Kind::Compute,
        Kind::Touch,
        Kind::Remove,
        Kind::Create,
        Kind::Iterate,
        Kind::Retain,
        Kind::Grow,
        Kind::Sweep,
        Kind::Early,
    ];

    /// The kind with this number.
    pub fn from_u8(number: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// Where tables of all kinds keep this one.
    pub fn index(self) -> usize {
        self as usize - 1
    }

    /// Whether it takes some hundred times as long as a find.
    pub fn is_long(self) -> bool {
        matches!(self, Kind::Iterate | Kind::Retain | Kind::Grow | Kind::Sweep | Kind::Early)
    }

    /// How many of them are in a course.
    pub fn in_course(self) -> usize {
        match self {
            Kind::Retain => 1,
            Kind::Iterate => 2,
            Kind::Sweep | Kind::Early => 4,
            Kind::Grow => 40,
            _ => 32,
        }
    }
}
