#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod session_id;
mod store;
mod version;

pub use fleeting_sessions;

pub use self::session_id::SessionId;
pub use self::store::{FleetingSessionStore, SessionState};
pub use self::version::VERSION_KEY;

/// The guide's examples, tested.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/actix.md")]
struct Guide;
