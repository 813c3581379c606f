#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod session_id;
mod store;

pub use fleeting_sessions;

pub use self::session_id::SessionId;
pub use self::store::{FleetingSessionStore, SessionState};

/// The guide's examples, tested.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/actix.md")]
struct Guide;
