//! Versions carried in states, by which a stale update is known.
//!
//! Each load draws a number. A stored state bears that of the load whose request wrote it last; a loaded state
//! bears two: that one, and the load's own. An update is current if the stored state was last written by what the
//! load has seen, or by the same request.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::SessionState;

/// The name under which a store that [refuses stale updates](crate::FleetingSessionStore::refuse_stale_updates)
/// keeps a version in a state.
pub const VERSION_KEY: &str = "fleeting.version";

/// What a loaded state bears.
#[derive(Clone, Copy)]
pub struct Loaded {
    /// The load whose request had written the state.
    seen: u64,
    /// This load.
    own: u64,
}

impl Loaded {
    /// As if the state had been loaded at its creation.
    pub fn new() -> Loaded {
        // From the time on, in nanoseconds: the numbers of an earlier process, which a snapshot may bring back, are
        // below those of this one.
        static LOADS: LazyLock<AtomicU64> = LazyLock::new(|| {
            let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
            AtomicU64::new(u64::try_from(now.as_nanos()).unwrap_or(1))
        });
        // Ordering: Relaxed: only that no two are the same counts.
        let own = LOADS.fetch_add(1, Ordering::Relaxed);
        Loaded { seen: own, own }
    }

    /// Of a state that is being loaded.
    pub fn of_stored(state: &SessionState) -> Loaded {
        Loaded { seen: written_by(state), ..Loaded::new() }
    }

    /// Of a state that was loaded; None if it was cleared, or was not loaded.
    pub fn find(state: &SessionState) -> Option<Loaded> {
        let (seen, own) = state.get(VERSION_KEY)?.strip_prefix('[')?.strip_suffix(']')?.split_once(',')?;
        Some(Loaded { seen: seen.parse().ok()?, own: own.parse().ok()? })
    }

    /// Whether the stored state is as the load has seen it, or as the same request has left it.
    pub fn is_current(&self, stored: &SessionState) -> bool {
        [self.seen, self.own].contains(&written_by(stored))
    }

    /// Puts it into a state for who loads it, as JSON, which all values of a state are.
    pub fn carry(&self, state: &mut SessionState) {
        state.insert(VERSION_KEY.to_owned(), format!("[{},{}]", self.seen, self.own));
    }

    /// Puts the number of the load into a state that is stored.
    pub fn sign(&self, state: &mut SessionState) {
        sign(state, self.own);
    }
}

/// Puts the version of a stored state into another, to be stored: an update that changes no data.
pub fn sign_as(state: &mut SessionState, stored: &SessionState) {
    sign(state, written_by(stored));
}

fn sign(state: &mut SessionState, number: u64) {
    state.insert(VERSION_KEY.to_owned(), number.to_string());
}

/// Zero for a state that was stored without a version.
fn written_by(stored: &SessionState) -> u64 {
    stored.get(VERSION_KEY).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Whether both hold the same data, versions aside.
pub fn is_same_data(one: &SessionState, other: &SessionState) -> bool {
    let others = |state: &SessionState| state.len() - usize::from(state.contains_key(VERSION_KEY));
    others(one) == others(other)
        && one.iter().all(|(name, value)| name == VERSION_KEY || other.get(name) == Some(value))
}
