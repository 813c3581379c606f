//! Builders: what a cache is given, checked once, so that nothing later has to be.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;

use crate::cache::{Cache, Core};
use crate::clock::{Clock, Time};
use crate::engine::{Engine, Listener, RemovalCause};
use crate::error::BuildError;
use crate::expiry::Timed;
use crate::janitor::{Cleanup, Janitor};
use crate::map::{Entry, Record};
use crate::stats::Counters;
use crate::store::{MemStore, StoreCore};

const CLEANUP_INTERVAL: Duration = Duration::from_secs(1);

/// What both builders configure.
struct Config {
    cleanup_interval: Option<Duration>,
    janitor: Option<Janitor>,
    capacity: usize,
    time: Option<Time>,
    counting: bool,
    prompt_expiry: Option<bool>,
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    name: Option<Arc<str>>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            cleanup_interval: None,
            janitor: None,
            capacity: 0,
            time: None,
            counting: true,
            prompt_expiry: None,
            #[cfg(any(feature = "metrics", feature = "tracing"))]
            name: None,
        }
    }
}

impl Config {
    fn janitor(&self) -> Result<Chosen, BuildError> {
        if let Some(janitor) = &self.janitor {
            if self.cleanup_interval.is_some() {
                return Err(BuildError::new(
                    "cleanup_interval",
                    "set beside `janitor`, which has an interval of its own",
                ));
            }
            return Ok(Chosen { janitor: Some(janitor.clone()), field: "janitor" });
        }
        let interval = self.cleanup_interval.unwrap_or(CLEANUP_INTERVAL);
        let janitor = if interval.is_zero() { None } else { Some(Janitor::new(interval)?) };
        Ok(Chosen { janitor, field: "cleanup_interval" })
    }

    fn engine<N: Timed>(self, listener: Option<Listener<N>>) -> Result<Engine<N>, BuildError> {
        // Asked of the allocator first, since making the table would abort where there is no room.
        if Vec::<u8>::new().try_reserve_exact(Engine::<N>::table_bytes(self.capacity)).is_err() {
            let reason = format!("there is no memory for a table of {} entries", self.capacity);
            return Err(BuildError::new("capacity", reason));
        }
        let counters = Counters::new(self.counting);
        #[cfg(any(feature = "metrics", feature = "tracing"))]
        let counters = counters.named(self.name);
        let engine = Engine::new(self.capacity, self.time.unwrap_or_default(), counters, listener);
        Ok(engine.prompt(self.prompt_expiry))
    }
}

/// Which janitor was chosen, and by which method of the builder.
struct Chosen {
    janitor: Option<Janitor>,
    field: &'static str,
}

impl Chosen {
    /// Has the janitor clean up after the owner of an engine. It does not keep it alive.
    fn start<C: Send + Sync + 'static>(
        self,
        core: &Arc<C>,
        sweep: fn(&C, &dyn Fn() -> bool),
    ) -> Result<Cleanup, BuildError> {
        let core = Arc::downgrade(core);
        let has_janitor = self.janitor.is_some();
        let cleanup = Cleanup::new(self.janitor, self.field, move |go_on| {
            if let Some(core) = core.upgrade() {
                sweep(&core, go_on);
            }
        });
        if has_janitor {
            cleanup.start()?;
        }
        Ok(cleanup)
    }
}

/// Configures a [`Cache`]. Made by [`Cache::builder`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fleeting::Cache;
///
/// let cache: Cache<String, u64> = Cache::builder()
///     .time_to_live(Duration::from_secs(600))
///     .time_to_idle(Duration::from_secs(60))
///     .on_removal(|key, _value, cause| println!("{key} left: {cause:?}"))
///     .build()?;
/// # Ok::<(), fleeting::BuildError>(())
/// ```
#[must_use]
pub struct Builder<K, V, S = RandomState> {
    config: Config,
    time_to_live: Option<Duration>,
    time_to_idle: Option<Duration>,
    listener: Option<Listener<Entry<K, V>>>,
    hasher: S,
}

impl<K, V, S> fmt::Debug for Builder<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("time_to_live", &self.time_to_live)
            .field("time_to_idle", &self.time_to_idle)
            .field("cleanup_interval", &self.config.cleanup_interval)
            .field("janitor", &self.config.janitor)
            .field("capacity", &self.config.capacity)
            .finish_non_exhaustive()
    }
}

impl<K, V> Builder<K, V>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub(crate) fn new() -> Self {
        Builder {
            config: Config::default(),
            time_to_live: None,
            time_to_idle: None,
            listener: None,
            hasher: RandomState::new(),
        }
    }
}

impl<K, V, S> Builder<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher + Send + Sync + 'static,
{
    /// The time to live of entries that are inserted without one of their own. Without it, these never expire.
    pub fn time_to_live(mut self, ttl: Duration) -> Self {
        self.time_to_live = Some(ttl);
        self
    }

    /// Entries that are neither read nor written for this long expire, however much of their time to live is left.
    /// Each hit, and each update, costs one more CAS.
    pub fn time_to_idle(mut self, idle: Duration) -> Self {
        self.time_to_idle = Some(idle);
        self
    }

    /// Sets how often the cache's own janitor thread removes what has expired: one second by default, at least a
    /// millisecond. Zero starts no thread, and leaves it to the caller to call [`Cache::sweep`].
    /// Without a removal callback the janitor may leave an entry for longer: see
    /// [`prompt_expiry`](Self::prompt_expiry).
    ///
    /// Each cache has a thread of its own by default, so that 100 caches have 100 threads; [`janitor`](Self::janitor) has
    /// them share one.
    pub fn cleanup_interval(mut self, interval: Duration) -> Self {
        self.config.cleanup_interval = Some(interval);
        self
    }

    /// Has a janitor that others use too remove what has expired, at its own interval, in place of a thread of the
    /// cache's own. See [`Janitor`].
    ///
    /// [`build`](Self::build) refuses it beside a [`cleanup_interval`](Self::cleanup_interval).
    pub fn janitor(mut self, janitor: &Janitor) -> Self {
        self.config.janitor = Some(janitor.clone());
        self
    }

    /// Room for so many entries before the table first grows. Growth is cheap and stalls nobody; most caches need none of this.
    pub fn capacity(mut self, entries: usize) -> Self {
        self.config.capacity = entries;
        self
    }

    /// Calls `f` with the key and value of each entry that leaves, once, after it has left. An entry that
    /// expires leaves within one [`cleanup_interval`](Self::cleanup_interval), and the time that the sweep takes.
    ///
    /// `f` runs on the thread that removed the entry: that of a write, of a read that found it expired, of a sweep, or
    /// the janitor's. It runs after the operation that removed the entry has unpinned, and before that operation
    /// returns. A callback that removes other entries does not nest: those notices are delivered after it returns. A
    /// panic is contained and counted.
    ///
    /// `f` may use the cache. Hold it by a [`WeakCache`](crate::WeakCache) there, since a cache that its own callback owns
    /// is never dropped.
    ///
    /// # Deadlocks
    ///
    /// Dropping the last handle, and [`stop_cleanup`](Cache::stop_cleanup), wait for a callback that the janitor is
    /// running. If that callback waits for a lock that the caller holds, neither goes on. So hold no lock that `f` takes,
    /// or call [`stop_cleanup_within`](Cache::stop_cleanup_within) first. On a janitor's thread, as in `f` itself when the
    /// janitor calls it, neither waits.
    pub fn on_removal(mut self, f: impl Fn(&K, &V, RemovalCause) + Send + Sync + 'static) -> Self {
        self.listener = Some(Box::new(move |entry, cause| f(entry.key(), entry.value(), cause)));
        self
    }

    /// Whether the janitor removes each entry within one [`cleanup_interval`](Self::cleanup_interval) of its
    /// deadline. It does by default if there is a removal callback. Otherwise it may leave an expired entry in
    /// memory for up to 1/64 of its time to live more (18 minutes for a day, 10 hours for 30 days; 17 ms at least),
    /// which saves work: it looks at each entry once, rather than up to five times for a lifetime of a month. An
    /// expired entry is never returned, either way.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fleeting::Cache;
    ///
    /// let day = Duration::from_secs(86_400);
    /// let cache: Cache<u64, Vec<u8>> = Cache::builder().time_to_live(day).prompt_expiry(true).build()?;
    /// # Ok::<(), fleeting::BuildError>(())
    /// ```
    pub fn prompt_expiry(mut self, is_prompt: bool) -> Self {
        self.config.prompt_expiry = Some(is_prompt);
        self
    }

    /// Another hasher. Any will do; one that an attacker can predict lets them collide keys.
    pub fn hasher<T>(self, hasher: T) -> Builder<K, V, T> {
        let Builder { config, time_to_live, time_to_idle, listener, hasher: _ } = self;
        Builder { config, time_to_live, time_to_idle, listener, hasher }
    }

    /// Another clock, such as a [`ManualClock`](crate::ManualClock).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.config.time = Some(Time::custom(clock));
        self
    }

    /// Counts no hits, misses and other operations in [`Stats`](crate::Stats): saves a relaxed add an operation.
    pub fn without_stats(mut self) -> Self {
        self.config.counting = false;
        self
    }

    /// A name, by which metrics and events tell this cache from others. Needs feature `metrics` or `tracing`; see [`observe`](crate::observe).
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.config.name = Some(name.into());
        self
    }

    /// The cache.
    ///
    /// # Errors
    ///
    /// A value makes no sense, or two exclude each other (the error names it), or the system gives no thread for the
    /// janitor.
    pub fn build(self) -> Result<Cache<K, V, S>, BuildError> {
        let zero = |duration: Option<Duration>| duration.is_some_and(|duration| duration.is_zero());
        if zero(self.time_to_live) {
            return Err(BuildError::new("time_to_live", "zero: every entry would be dead on arrival"));
        }
        if zero(self.time_to_idle) {
            return Err(BuildError::new("time_to_idle", "zero: every entry would be dead on arrival"));
        }
        let janitor = self.config.janitor()?;
        let engine = self.config.engine(self.listener)?;
        let core = Core::new(engine, self.hasher, self.time_to_live, self.time_to_idle);
        let core = Arc::new(core);
        let cleanup = janitor.start(&core, |core, go_on| core.sweep_due(go_on))?;
        Ok(Cache::from_parts(core, cleanup))
    }
}

/// Configures a [`MemStore`]. Made by [`MemStore::builder`].
#[must_use]
#[derive(Default)]
pub struct MemStoreBuilder {
    config: Config,
    listener: Option<Listener<Record>>,
}

impl fmt::Debug for MemStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemStoreBuilder")
            .field("cleanup_interval", &self.config.cleanup_interval)
            .field("janitor", &self.config.janitor)
            .field("capacity", &self.config.capacity)
            .finish_non_exhaustive()
    }
}

impl MemStoreBuilder {
    /// Sets how often the store's own janitor thread removes what has expired: one second by default, at least a
    /// millisecond. Zero starts no thread. Without a removal callback the janitor may leave a session for
    /// longer: see [`prompt_expiry`](Self::prompt_expiry).
    ///
    /// Each store has a thread of its own by default; [`janitor`](Self::janitor) has many share one.
    pub fn cleanup_interval(mut self, interval: Duration) -> Self {
        self.config.cleanup_interval = Some(interval);
        self
    }

    /// Has a janitor that others use too remove what has expired, at its own interval, in place of a thread of the
    /// store's own. See [`Janitor`].
    ///
    /// [`build`](Self::build) refuses it beside a [`cleanup_interval`](Self::cleanup_interval).
    pub fn janitor(mut self, janitor: &Janitor) -> Self {
        self.config.janitor = Some(janitor.clone());
        self
    }

    /// Room for so many sessions before the table first grows.
    pub fn capacity(mut self, sessions: usize) -> Self {
        self.config.capacity = sessions;
        self
    }

    /// Calls `f` with the token and data of each session that leaves, once, after it has left. A session that
    /// expires leaves within one [`cleanup_interval`](Self::cleanup_interval), and the time that the sweep takes.
    ///
    /// `f` runs on the thread that removed the session: that of a write, of a read that found it expired, of a sweep, or
    /// the janitor's. It runs after the operation that removed the session has unpinned, and before that operation
    /// returns. A callback that removes other sessions does not nest: those notices are delivered after it returns. A
    /// panic is contained and counted.
    ///
    /// `f` may use the store. Hold it by a [`WeakMemStore`](crate::WeakMemStore) there, since a store that its own callback owns
    /// is never dropped.
    ///
    /// # Deadlocks
    ///
    /// Dropping the last handle, and [`stop_cleanup`](MemStore::stop_cleanup), wait for a callback that the janitor is
    /// running. If that callback waits for a lock that the caller holds, neither goes on. So hold no lock that `f` takes,
    /// or call [`stop_cleanup_within`](MemStore::stop_cleanup_within) first. On a janitor's thread, as in `f` itself when the
    /// janitor calls it, neither waits.
    pub fn on_removal(mut self, f: impl Fn(&[u8], &[u8], RemovalCause) + Send + Sync + 'static) -> Self {
        self.listener = Some(Box::new(move |record, cause| f(Record::token(record), Record::data(record), cause)));
        self
    }

    /// Whether the janitor removes each session within one [`cleanup_interval`](Self::cleanup_interval) of its
    /// expiry. It does by default if there is a removal callback. Otherwise it may leave an expired session in
    /// memory for up to 1/64 of its time to live more (18 minutes for a day, 10 hours for 30 days; 17 ms at least),
    /// which saves work: it looks at each session once, rather than up to five times for a lifetime of a month. An
    /// expired session is never returned, either way.
    ///
    /// # Examples
    ///
    /// ```
    /// use fleeting::MemStore;
    ///
    /// let store = MemStore::builder().prompt_expiry(true).build()?;
    /// # Ok::<(), fleeting::BuildError>(())
    /// ```
    pub fn prompt_expiry(mut self, is_prompt: bool) -> Self {
        self.config.prompt_expiry = Some(is_prompt);
        self
    }

    /// Another clock, such as a [`ManualClock`](crate::ManualClock).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.config.time = Some(Time::custom(clock));
        self
    }

    /// Counts no operations in [`Stats`](crate::Stats).
    pub fn without_stats(mut self) -> Self {
        self.config.counting = false;
        self
    }

    /// A name, by which metrics and events tell this store from others. Needs feature `metrics` or `tracing`; see [`observe`](crate::observe).
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.config.name = Some(name.into());
        self
    }

    /// The store.
    ///
    /// # Errors
    ///
    /// A value makes no sense, or two exclude each other (the error names it), or the system gives no thread for the
    /// janitor.
    pub fn build(self) -> Result<MemStore, BuildError> {
        let janitor = self.config.janitor()?;
        let core = Arc::new(StoreCore::new(self.config.engine(self.listener)?));
        let cleanup = janitor.start(&core, |core, go_on| core.sweep_due(go_on))?;
        Ok(MemStore::from_parts(core, cleanup))
    }
}
