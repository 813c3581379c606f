//! Errors: opaque structs that say what was wrong, and with what.

use std::error::Error;
use std::fmt;

/// A builder was given values that make no sense. Says which field, and why.
#[derive(Debug)]
pub struct BuildError {
    field: &'static str,
    reason: String,
}

impl BuildError {
    pub(crate) fn new(field: &'static str, reason: impl Into<String>) -> Self {
        BuildError { field, reason: reason.into() }
    }

    /// The builder's method, or the argument, whose value was refused.
    pub fn field(&self) -> &str {
        self.field
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.reason)
    }
}

impl Error for BuildError {}

/// A token or data has more than `u32::MAX` bytes. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLong {
    what: &'static str,
    length: usize,
}

impl TooLong {
    pub(crate) fn token(length: usize) -> Self {
        TooLong { what: "token", length }
    }

    pub(crate) fn data(length: usize) -> Self {
        TooLong { what: "data", length }
    }

    /// How long it was, in bytes.
    pub fn length(&self) -> usize {
        self.length
    }
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes: the longest is {} bytes", self.what, self.length, u32::MAX)
    }
}

impl Error for TooLong {}

/// `create` found a live session under the token, or was given too much. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TokenTaken {
    too_long: Option<TooLong>,
}

impl TokenTaken {
    pub(crate) const TAKEN: TokenTaken = TokenTaken { too_long: None };

    /// The error, if the token was free but it or the data too long.
    pub fn too_long(&self) -> Option<TooLong> {
        self.too_long
    }
}

impl From<TooLong> for TokenTaken {
    fn from(error: TooLong) -> Self {
        TokenTaken { too_long: Some(error) }
    }
}

impl fmt::Display for TokenTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.too_long {
            None => f.write_str("the token belongs to a live session"),
            Some(error) => error.fmt(f),
        }
    }
}

impl Error for TokenTaken {}

/// `compare_and_save` found the session changed or gone, or was given too much. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conflict {
    too_long: Option<TooLong>,
}

impl Conflict {
    pub(crate) const CHANGED: Conflict = Conflict { too_long: None };

    /// The error, if token or data were too long.
    pub fn too_long(&self) -> Option<TooLong> {
        self.too_long
    }
}

impl From<TooLong> for Conflict {
    fn from(error: TooLong) -> Self {
        Conflict { too_long: Some(error) }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.too_long {
            None => f.write_str("the session has another version, or is gone"),
            Some(error) => error.fmt(f),
        }
    }
}

impl Error for Conflict {}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// Catches an error that does not say what was wrong, or tells a wrong length. (The longest data that is refused takes 4 GiB: not made here.)
    #[test]
    fn errors_say_what_was_wrong() {
        let error = TooLong::token(5_000_000_000);
        assert_eq!((error.length(), TooLong::data(4_294_967_296).length()), (5_000_000_000, 4_294_967_296));
        let said = "token of 5000000000 bytes: the longest is 4294967295 bytes";
        assert_eq!(error.to_string(), said);
        assert_eq!((TokenTaken::from(error).too_long(), TokenTaken::TAKEN.too_long()), (Some(error), None));
        assert_eq!((Conflict::from(error).too_long(), Conflict::CHANGED.too_long()), (Some(error), None));
        assert_eq!(TokenTaken::from(error).to_string(), said);
        assert_eq!(Conflict::from(error).to_string(), said);
        assert_eq!(TokenTaken::TAKEN.to_string(), "the token belongs to a live session");
        assert_eq!(Conflict::CHANGED.to_string(), "the session has another version, or is gone");
        assert_eq!(BuildError::new("field", "reason").to_string(), "field: reason");
    }
}
