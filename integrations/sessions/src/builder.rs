//! The builder: that of the cache below, and what concerns tombstones.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_queue::SegQueue;
use fleeting::{BuildError, Builder, Cache, Clock};

use crate::{Counts, Sessions, Slot};

/// Configures a [`Sessions`]. Made by [`Sessions::builder`].
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant, SystemTime};
/// use fleeting_sessions::Sessions;
///
/// let sessions = Sessions::<u128, String>::builder().cleanup_interval(Duration::from_secs(10)).build()?;
/// assert!(sessions.is_empty());
/// # Ok::<(), fleeting_sessions::fleeting::BuildError>(())
/// ```
#[must_use]
pub struct SessionsBuilder<K, V> {
    builder: Builder<K, Slot<V>>,
    tombstone_time: Duration,
    max_tombstones: usize,
    is_counting: bool,
    clock: Option<Arc<dyn Clock>>,
}

/// A clock that the cache and the map of sessions share.
pub(crate) struct Shared(pub(crate) Arc<dyn Clock>);

impl Clock for Shared {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn origin(&self) -> Instant {
        self.0.origin()
    }

    fn coarse_elapsed(&self) -> Duration {
        self.0.coarse_elapsed()
    }

    fn with_system_time(&self) -> (Duration, SystemTime) {
        self.0.with_system_time()
    }
}

/// Longer than any request: a day.
const TOMBSTONE_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Some 45 MB.
const MAX_TOMBSTONES: usize = 250_000;

impl<K, V> SessionsBuilder<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub(crate) fn new() -> Self {
        SessionsBuilder {
            builder: Cache::builder(),
            tombstone_time: TOMBSTONE_TIME,
            max_tombstones: MAX_TOMBSTONES,
            is_counting: true,
            clock: None,
        }
    }

    /// How often the janitor thread frees what has expired: one second unless told otherwise. Zero starts no thread:
    /// [`Sessions::sweep`] is then the caller's.
    pub fn cleanup_interval(mut self, interval: Duration) -> Self {
        self.builder = self.builder.cleanup_interval(interval);
        self
    }

    /// Room for so many sessions before the table first grows.
    pub fn capacity(mut self, sessions: usize) -> Self {
        self.builder = self.builder.capacity(sessions);
        self
    }

    /// Another clock, such as a [`ManualClock`](fleeting::ManualClock).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(clock);
        self.builder = self.builder.clock(Shared(clock.clone()));
        self.clock = Some(clock);
        self
    }

    /// How long a deleted session is remembered at most: a day unless told otherwise. Each takes about 180 bytes for that time, or until
    /// the session would have ended, if that is earlier. With zero, none is remembered. Longer than any request takes, it keeps what comes late from being taken for what has
    /// expired.
    pub fn tombstone_time(mut self, time: Duration) -> Self {
        self.tombstone_time = time;
        self
    }

    /// How many deleted sessions are remembered at most; the default is 250,000, some 45 MB. Beyond that, each
    /// deletion gives up the oldest tombstone, and [`Sessions::forgotten`] counts it. Each takes a key more, in a
    /// queue, until this many have come after it.
    ///
    /// A session whose tombstone was given up is as one that has expired: an update is still refused, but
    /// its key may be created again, and an adapter may put what comes late under a new key. So let the bound
    /// exceed the number of sessions that are deleted while one request runs, a "log everybody out" included.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use std::time::Duration;
    /// # use fleeting_sessions::{Lifetime, Sessions};
    /// let sessions = Sessions::<u32, ()>::builder().max_tombstones(100).build()?;
    /// for key in 0..1_000 {
    ///     sessions.create(key, Arc::new(()), Lifetime::For(Duration::from_secs(1800)));
    ///     sessions.delete(key);
    /// }
    /// assert_eq!((sessions.len(), sessions.tombstones(), sessions.forgotten()), (0, 100, 900));
    /// # Ok::<(), fleeting_sessions::fleeting::BuildError>(())
    /// ```
    pub fn max_tombstones(mut self, tombstones: usize) -> Self {
        self.max_tombstones = tombstones;
        self
    }

    /// Counts no operations in [`Sessions::stats`].
    pub fn without_stats(mut self) -> Self {
        self.builder = self.builder.without_stats();
        self.is_counting = false;
        self
    }

    /// The map.
    ///
    /// # Errors
    ///
    /// A value makes no sense (the error names it), or the system gives no thread for the janitor.
    pub fn build(self) -> Result<Sessions<K, V>, BuildError> {
        let counts = Arc::new(Counts::new(self.is_counting));
        let leaving = counts.clone();
        let cache = self
            .builder
            .on_removal(move |_, slot, cause| {
                if matches!(slot, Slot::Deleted) {
                    leaving.left(cause);
                }
            })
            .build()?;
        let (tombstone_time, max_tombstones) = (self.tombstone_time, self.max_tombstones);
        let graves = Arc::new(SegQueue::new());
        Ok(Sessions { cache, counts, tombstone_time, max_tombstones, graves, clock: self.clock })
    }
}

impl<K, V> fmt::Debug for SessionsBuilder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionsBuilder")
            .field("cache", &self.builder)
            .field("tombstone_time", &self.tombstone_time)
            .field("max_tombstones", &self.max_tombstones)
            .finish_non_exhaustive()
    }
}
