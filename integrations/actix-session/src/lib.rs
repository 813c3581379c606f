#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod key;
mod store;

pub use fleeting_sessions;

pub use self::key::Key;
pub use self::store::{FleetingSessionStore, SessionState};
