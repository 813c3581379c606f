//! Snapshots of sessions, with their tombstones (feature `serde`).

use std::fmt;
use std::hash::Hash;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleeting::snapshot::{LoadError, Loaded, SaveError, Saved, Snapshot};
use fleeting::{Cache, Op, Outcome};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::builder::Shared;
use crate::{Lifetime, Sessions, Slot};

/// A snapshot of [`Sessions`] that is to be saved or loaded: made by [`Sessions::snapshot`]. Needs feature `serde`.
///
/// It holds the live sessions *and the tombstones*: what was deleted before the save stays deleted after the
/// restart, and what comes late for it is refused there, too. What was deleted after the save comes back, so save
/// after revocations, and bound the age by [`max_age`](Self::max_age). The file holds keys and data as they are,
/// and is as secret as the sessions. See [`fleeting::snapshot`] for its format.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use fleeting_sessions::{Lifetime, Sessions, Update};
///
/// let sessions = Sessions::<u32, String>::builder().build()?;
/// let lifetime = Lifetime::For(Duration::from_secs(1800));
/// sessions.create(1, Arc::new("user=1".to_owned()), lifetime);
/// sessions.create(2, Arc::new("user=2".to_owned()), lifetime);
/// sessions.delete(2);
/// let mut file = Vec::new();
/// sessions.snapshot().save_to(&mut file)?;
///
/// let restarted = Sessions::<u32, String>::builder().build()?;
/// let loaded = restarted.snapshot().max_age(Duration::from_secs(600)).load_from(&file[..])?;
/// assert_eq!((loaded.sessions, loaded.tombstones), (1, 1));
/// assert_eq!(restarted.update(2, Arc::new("late".to_owned()), lifetime), Update::Deleted);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub struct SessionsSnapshot<'s, K, V>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    sessions: &'s Sessions<K, V>,
    schema: u32,
    max_age: Option<Duration>,
    progress: Box<dyn FnMut(u64) + 's>,
}

/// What became of the records of a snapshot of sessions.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct LoadedSessions {
    /// Sessions that came in.
    pub sessions: u64,
    /// Tombstones that came in. One takes the place of a live session under its key.
    pub tombstones: u64,
    /// Sessions and tombstones that had expired.
    pub expired: u64,
    /// Sessions and tombstones whose key had a live session, or a tombstone, which stays.
    pub already_present: u64,
}

/// Snapshots, for a warm restart. Need feature `serde`.
impl<K, V> Sessions<K, V>
where
    K: Hash + Eq + Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// A snapshot of the sessions and tombstones, to save or load.
    pub fn snapshot(&self) -> SessionsSnapshot<'_, K, V> {
        SessionsSnapshot { sessions: self, schema: 0, max_age: None, progress: Box::new(|_| {}) }
    }

    /// Puts a session or tombstone that was loaded, to live until `deadline`, if nothing is known of its key. A
    /// tombstone also ends a live session.
    fn take_in(&self, key: K, slot: &Slot<V>, deadline: Option<Instant>, loaded: &mut LoadedSessions) {
        let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(self.now()));
        match slot {
            Slot::Deleted => {
                let is_buried = self.bury(key, |current| match current {
                    Some(Slot::Deleted) => None,
                    Some(Slot::Live(..)) | None => Some(Op::PutWithTtl(Slot::Deleted, left)),
                });
                let count = if is_buried { &mut loaded.tombstones } else { &mut loaded.already_present };
                *count += 1;
            }
            Slot::Live(..) => {
                let outcome = self.cache.compute(key, |current| match current {
                    None => Op::PutWithTtl(slot.clone(), left),
                    Some(_) => Op::Keep,
                });
                let count = match outcome {
                    Outcome::Kept => &mut loaded.already_present,
                    Outcome::Absent => &mut loaded.expired,
                    _ => &mut loaded.sessions,
                };
                *count += 1;
            }
        }
    }

    fn now(&self) -> Instant {
        self.clock.as_ref().map_or_else(Instant::now, |clock| clock.origin() + clock.elapsed())
    }
}

impl<'s, K, V> SessionsSnapshot<'s, K, V>
where
    K: Hash + Eq + Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Sets a number of your own that says how keys and sessions are to be understood. See [`Snapshot::schema`].
    pub fn schema(mut self, schema: u32) -> Self {
        self.schema = schema;
        self
    }

    /// Refuses to load a snapshot that was saved more than `max_age` ago; nothing of it is loaded. See
    /// [`Snapshot::max_age`].
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Calls `f` with the number of records so far, now and then, and at the end. See [`Snapshot::on_progress`].
    pub fn on_progress(mut self, f: impl FnMut(u64) + 's) -> Self {
        self.progress = Box::new(f);
        self
    }

    /// Saves to a writer. See [`Snapshot::save_to`].
    ///
    /// # Errors
    ///
    /// The writer fails, or a key or session cannot be encoded, or could not be loaded again.
    pub fn save_to(self, writer: impl Write) -> Result<Saved, SaveError> {
        let Self { sessions, schema, progress, .. } = self;
        sessions.cache.snapshot().schema(schema).on_progress(progress).save_to(writer)
    }

    /// Saves to a file, which is replaced as a whole. See [`Snapshot::save_to_path`].
    ///
    /// # Errors
    ///
    /// As [`save_to`](Self::save_to).
    pub fn save_to_path(self, path: impl AsRef<Path>) -> Result<Saved, SaveError> {
        let Self { sessions, schema, progress, .. } = self;
        sessions.cache.snapshot().schema(schema).on_progress(progress).save_to_path(path)
    }

    /// Loads what a reader gives, to its end. A session comes in if nothing is known of its key, a tombstone also
    /// where a session is live.
    ///
    /// # Errors
    ///
    /// As [`Snapshot::load_from`]. What came before the fault stays loaded; [`LoadError::loaded`] counts sessions
    /// and tombstones together, those that were there already included.
    pub fn load_from(self, reader: impl Read) -> Result<LoadedSessions, LoadError> {
        self.load(|snapshot| snapshot.load_from(reader))
    }

    /// Loads a file.
    ///
    /// # Errors
    ///
    /// As [`load_from`](Self::load_from), and if there is no such file.
    pub fn load_from_path(self, path: impl AsRef<Path>) -> Result<LoadedSessions, LoadError> {
        self.load(|snapshot| snapshot.load_from_path(path))
    }

    /// Loads into a cache of its own, and moves what is in it over, some thousand records at a time: so tombstones
    /// are counted, and decided by.
    fn load(self, load: impl FnOnce(Snapshot<'_>) -> Result<Loaded, LoadError>) -> Result<LoadedSessions, LoadError> {
        let Self { sessions, schema, max_age, mut progress } = self;
        let builder = Cache::<K, Slot<V>>::builder().cleanup_interval(Duration::ZERO);
        let builder = match &sessions.clock {
            Some(clock) => builder.clock(Shared(clock.clone())),
            None => builder,
        };
        let arriving = builder.build().expect("nothing is configured that can fail, and no thread is started");
        let mut loaded = LoadedSessions::default();
        let mut move_in = || {
            for (key, slot) in arriving.iter() {
                // What has ended since it came is not found any more.
                match arriving.get_with_deadline(&key) {
                    Some((_, deadline)) => sessions.take_in(key, &slot, deadline, &mut loaded),
                    None => loaded.expired += 1,
                }
            }
            arriving.clear();
        };
        let mut snapshot = arriving.snapshot().schema(schema).on_progress(|records| {
            move_in();
            progress(records);
        });
        if let Some(max_age) = max_age {
            snapshot = snapshot.max_age(max_age);
        }
        let result = load(snapshot);
        // Where the load has failed, what came since the last report.
        move_in();
        loaded.expired += result?.expired;
        Ok(loaded)
    }
}

impl<K, V> fmt::Debug for SessionsSnapshot<'_, K, V>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("SessionsSnapshot");
        debug.field("schema", &self.schema).field("max_age", &self.max_age).finish_non_exhaustive()
    }
}

/// A slot as it is saved.
#[derive(Serialize)]
enum Saving<'v, V> {
    Live(&'v V, Lifetime),
    Deleted,
}

/// A slot as it is loaded.
#[derive(Deserialize)]
enum Loading<V> {
    Live(V, Lifetime),
    Deleted,
}

impl<V: Serialize> Serialize for Slot<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let saving = match self {
            Slot::Live(session, lifetime) => Saving::Live(&**session, *lifetime),
            Slot::Deleted => Saving::Deleted,
        };
        saving.serialize(serializer)
    }
}

impl<'a, V: Deserialize<'a>> Deserialize<'a> for Slot<V> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Loading::deserialize(deserializer)? {
            Loading::Live(session, lifetime) => Slot::Live(Arc::new(session), lifetime),
            Loading::Deleted => Slot::Deleted,
        })
    }
}
