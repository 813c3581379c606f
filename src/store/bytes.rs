//! `SessionData` as `bytes::Bytes` (feature `bytes`).

use bytes::Bytes;

use super::SessionData;

/// Without a copy: the bytes stay where they are, and the session's memory lives as long as the last part of them. Allocates a few words for
/// the count of references that `Bytes` has. Unlike `SessionData`, `Bytes` prints its bytes under `Debug`. Needs feature `bytes`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fleeting::MemStore;
///
/// let store = MemStore::new(Duration::ZERO);
/// store.save_for("token", "user=7", Duration::from_secs(60));
/// let body = bytes::Bytes::from(store.find("token").expect("just saved"));
/// store.delete("token");
/// assert_eq!(body.slice(5..), "7");
/// ```
impl From<SessionData> for Bytes {
    fn from(data: SessionData) -> Bytes {
        Bytes::from_owner(data)
    }
}
