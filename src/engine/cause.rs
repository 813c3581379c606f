//! What a removal callback is told.

/// Why an entry left.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum RemovalCause {
    /// Its deadline had come.
    Expired,
    /// It was removed by key, or by a predicate.
    Removed,
    /// A later write took its place.
    Replaced,
    /// It made room for another.
    Evicted,
    /// The cache was cleared.
    Cleared,
}
