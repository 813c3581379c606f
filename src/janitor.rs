//! The janitor: a thread that sweeps caches at an interval. It knows no algorithm: a sweep is a closure.
//!
//! A [`Janitor`] is a list of jobs and the thread that does them in turn. Each cache that uses the janitor has one job,
//! and holds it by a [`Cleanup`]. The first job starts the thread, and the thread ends when the list is empty. The
//! janitor of a cache's own is one whose list never has more than one job.
//!
//! Between rounds the thread waits on a condition variable for as long as the interval, and an empty list wakes it. A
//! sweep asks `go_on` between its bounded batches, so a stop waits for one batch, and never for a whole sweep.
//!
//! # Invariants
//!
//! * `no-user-code-under-lock`: the lock guards the list only. Registering, removing and the thread's steps between
//!   two sweeps take it; no operation of a cache does. A job owns its cache weakly, so dropping a job drops no entry.
//! * `janitors-never-wait`: a wait or a join happens only where [`may_wait`] holds. Elsewhere a stop removes the job,
//!   and the thread ends by itself. A cache that lost its last handle meanwhile is dropped by the thread that sweeps it,
//!   when that sweep ends, or else by the thread that dropped the handle.
//! * `gone-is-last`: a thread says that it is gone in the destructor of the first thread-local that it used, which runs
//!   after those of all later ones, and so after all user code. A join that begins then ends soon, so that it needs no
//!   limit of its own.
//! * `one-process`: a [`Shared`] serves the process that made it. A child made by `fork` has neither the thread nor,
//!   perhaps, the owner of the lock, so it never touches that `Shared`: it appends one of its own to the chain.
//!
//! # Orderings
//!
//! | label | release side | acquire side | carries |
//! |---|---|---|---|
//! | stop-janitor | the lock, at the end of a sweep and of the thread | the lock, in `Shared::leave` | all that the sweep or the thread did |

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, io, iter, mem};

use crate::contain::contain;
use crate::error::BuildError;
use crate::reclaim::{self, Housekeeper};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{AtomicBool, Condvar, Mutex, MutexGuard, Ordering, process, thread_local};

/// Name of the thread.
pub const NAME: &str = "fleeting-janitor";

/// The shortest interval: a janitor is no busy loop.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// A sweep of one cache; it asks its argument between batches whether to go on.
type Work = Arc<dyn Fn(&dyn Fn() -> bool) + Send + Sync>;

/// Tells work from other work.
fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // Ordering: Relaxed: only the numbers' being different counts.
    NEXT.fetch_add(1, Ordering::Relaxed)
}

thread_local! {
    /// What a janitor's thread leaves behind. On other threads: nothing.
    static JANITOR: RefCell<Option<Gone>> = RefCell::default();
}

/// Whether this thread may wait for another one. If not, a stop flags, wakes and returns.
///
/// A janitor that waited for a janitor could wait for one that waits for it. The same holds for a thread that ends, whose
/// destructors may run in any place. A thread that is pinned would hold back all memory of the process meanwhile, and one
/// that drops a value for the library has not been asked to wait by its caller.
fn may_wait() -> bool {
    reclaim::is_calm() && JANITOR.try_with(|janitor| janitor.borrow().is_none()).unwrap_or(false)
}

/// One thread that cleans many caches up, which are given it by [`Builder::janitor`](crate::Builder::janitor) and
/// [`MemStoreBuilder::janitor`](crate::MemStoreBuilder::janitor). A handle: clones share one thread.
///
/// By default each cache has a thread of its own, so that 100 caches have 100 threads. Those threads sleep nearly all of
/// the time; a shared janitor saves their stacks.
///
/// * **Interval.** Every `interval` the thread sweeps each of its caches once, one after the other, in the
///   order in which they were built. A cache that comes in is first swept in the next round.
/// * **Life.** The thread starts with the first cache and ends with the last one, whichever handles of the janitor are
///   left. A cache leaves by [`stop_cleanup`](crate::Cache::stop_cleanup), or when its last handle is dropped; either
///   waits only for a sweep of that same cache, or, if it was the last cache, for the end of the thread.
/// * **Slow callbacks.** A removal callback or a value's `Drop` that takes long delays the sweeps of all other caches
///   of the janitor. Their entries still expire on time; only their memory is freed later.
/// * **Panics.** A panic in one cache's clock or callback ends at most the sweep of that cache, and is tried again in
///   the next round. The other caches are swept as ever.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fleeting::{Cache, Janitor, MemStore};
///
/// let janitor = Janitor::new(Duration::from_secs(1))?;
/// let tenants: Vec<Cache<u64, String>> =
///     (0..100).map(|_| Cache::builder().janitor(&janitor).build()).collect::<Result<_, _>>()?;
/// let sessions = MemStore::builder().janitor(&janitor).build()?;
/// // One thread serves all 101. It ends when the last of them is gone.
/// drop((tenants, sessions));
/// # Ok::<(), fleeting::BuildError>(())
/// ```
#[derive(Clone)]
pub struct Janitor {
    first: Arc<Shared>,
}

/// What all that use a janitor share, within one process.
struct Shared {
    process: u32,
    interval: Duration,
    state: Mutex<State>,
    /// Notified when the list has become empty.
    emptied: Condvar,
    /// Notified when anything has changed that a stop may wait for.
    changed: Condvar,
    /// That of a process that was forked from this one, or from the same ancestor.
    next: OnceLock<Arc<Shared>>,
}

#[derive(Default)]
struct State {
    /// By the numbers of their work, and so in the order in which the caches were built.
    jobs: BTreeMap<u64, Arc<Job>>,
    /// Whether there is a thread that will see what is added to the list.
    is_served: bool,
    /// The job whose sweep is under way.
    at_work: Option<Arc<Job>>,
    /// Threads that were started and are not gone: more than one if a new one was started while another ends.
    alive: usize,
    /// Those that nobody has joined.
    threads: Vec<JoinHandle<()>>,
    /// Whether somebody joins threads now.
    is_joining: bool,
}

struct Job {
    id: u64,
    work: Work,
    is_stopped: AtomicBool,
}

/// A cache's place at a janitor. Dropping it gives that up, as [`stop`](Self::stop) does.
pub struct Cleanup {
    /// None if there is never to be one.
    janitor: Option<Janitor>,
    /// The builder's method that chose the janitor.
    field: &'static str,
    id: u64,
    work: Work,
}

/// Says that a janitor's thread is gone, when dropped.
struct Gone(Arc<Shared>);

impl Janitor {
    /// Makes a janitor that sweeps its caches every `interval`, or every millisecond if that is less. It has no thread
    /// until it has a cache.
    ///
    /// # Errors
    ///
    /// The interval is zero.
    pub fn new(interval: Duration) -> Result<Janitor, BuildError> {
        if interval.is_zero() {
            return Err(BuildError::new("interval", "zero: a janitor must rest between two rounds"));
        }
        Ok(Janitor { first: Shared::new(interval) })
    }

    /// All processes' parts, from that of the process that made the janitor on.
    fn chain(&self) -> impl Iterator<Item = &Arc<Shared>> {
        iter::successors(Some(&self.first), |shared| shared.next.get())
    }

    /// This process's part; None if nothing was started in it.
    fn here(&self) -> Option<&Arc<Shared>> {
        let process = process();
        self.chain().find(|shared| shared.process == process)
    }

    /// This process's part, made if need be.
    fn here_or_new(&self) -> &Arc<Shared> {
        loop {
            if let Some(shared) = self.here() {
                return shared;
            }
            if let Some(last) = self.chain().last() {
                // Another thread may have been faster; then look again.
                let _ = last.next.set(Shared::new(last.interval));
            }
        }
    }
}

impl fmt::Debug for Janitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Janitor").field("interval", &self.first.interval).finish_non_exhaustive()
    }
}

impl Cleanup {
    /// A place at a janitor, not yet taken.
    pub fn new(
        janitor: Option<Janitor>,
        field: &'static str,
        work: impl Fn(&dyn Fn() -> bool) + Send + Sync + 'static,
    ) -> Cleanup {
        Cleanup { janitor, field, id: next_id(), work: Arc::new(work) }
    }

    /// Has the janitor do this work from now on, unless it does already.
    ///
    /// # Errors
    ///
    /// There is never to be a janitor, or the system gives no thread.
    pub fn start(&self) -> Result<(), BuildError> {
        let Some(janitor) = &self.janitor else {
            return Err(BuildError::new(self.field, "zero: it was built to have no janitor"));
        };
        let joined = janitor.here_or_new().join(self.id, &self.work);
        joined.map_err(|error| BuildError::new(self.field, format!("no thread for the janitor: {error}")))
    }

    /// Has the janitor do this work no more, and waits until it does not: until a sweep under way has ended and, if there
    /// is no other work, until the thread is gone. Idempotent. Where waiting is not allowed, it returns at once.
    pub fn stop(&self) {
        self.stop_until(None);
    }

    /// [`stop`](Self::stop) that waits so long at most; false if that was too short.
    pub fn stop_within(&self, limit: Duration) -> bool {
        self.stop_until(Instant::now().checked_add(limit))
    }

    fn stop_until(&self, end: Option<Instant>) -> bool {
        let Some(janitor) = &self.janitor else { return true };
        // In a child that was forked, nothing runs that was started before.
        janitor.here().is_none_or(|shared| shared.leave(self.id, end))
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Cleanup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cleanup").field("janitor", &self.janitor).finish_non_exhaustive()
    }
}

impl Job {
    fn is_stopped(&self) -> bool {
        // Ordering: Relaxed: it may be seen late; the lock orders everything that matters [stop-janitor].
        self.is_stopped.load(Ordering::Relaxed)
    }
}

impl State {
    /// Whether nothing is left of this work: no sweep of it and, if there is no other, no thread.
    fn has_left(&self, id: u64) -> bool {
        let is_swept = self.at_work.as_ref().is_some_and(|job| job.id == id && job.is_stopped());
        let is_empty = self.alive == 0 && !self.is_joining;
        !is_swept && (is_empty || !self.jobs.is_empty())
    }
}

impl Shared {
    fn new(interval: Duration) -> Arc<Shared> {
        Arc::new(Shared {
            process: process(),
            interval: interval.max(INTERVAL_MIN),
            state: Mutex::new(State::default()),
            emptied: Condvar::new(),
            changed: Condvar::new(),
            next: OnceLock::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits on a condition variable, until `end` at most, and tells whether that has come. May return early.
    fn wait<'s>(
        &'s self,
        condition: &Condvar,
        state: MutexGuard<'s, State>,
        end: Option<Instant>,
    ) -> (MutexGuard<'s, State>, bool) {
        let Some(end) = end else {
            return (condition.wait(state).unwrap_or_else(PoisonError::into_inner), false);
        };
        if cfg!(any(loom, shuttle)) {
            // In a model, time passes at any moment.
            drop(state);
            if cfg!(shuttle) {
                thread::yield_now();
            }
            return (self.lock(), true);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return (state, true);
        }
        (condition.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0, false)
    }

    /// Adds work to the list, and sees to it that a thread serves it.
    fn join(self: &Arc<Self>, id: u64, work: &Work) -> io::Result<()> {
        let mut state = self.lock();
        if !state.is_served {
            if state.alive == 0 && !state.is_joining {
                state.threads.clear();
            }
            let shared = self.clone();
            let thread = thread::Builder::new().name(NAME.into()).spawn(move || shared.run())?;
            state.threads.push(thread);
            state.alive += 1;
            state.is_served = true;
        }
        state.jobs.entry(id).or_insert_with(|| {
            let is_stopped = AtomicBool::new(false);
            Arc::new(Job { id, work: work.clone(), is_stopped })
        });
        drop(state);
        // Who waits for an empty list's thread to be gone waits no more.
        self.changed.notify_all();
        Ok(())
    }

    /// Takes work from the list, and waits until nothing is left of it, or until `end`; false if something was left.
    fn leave(&self, id: u64, end: Option<Instant>) -> bool {
        let mut state = self.lock();
        if let Some(job) = state.jobs.remove(&id) {
            job.is_stopped.store(true, Ordering::Relaxed);
        }
        if state.jobs.is_empty() {
            self.emptied.notify_all();
        }
        let may_wait = may_wait();
        let mut is_time = !may_wait;
        // Ordering: the lock's [stop-janitor]: who finds that nothing is left finds all that the thread did.
        while !state.has_left(id) {
            if is_time {
                return false;
            }
            (state, is_time) = self.wait(&self.changed, state, end);
        }
        if may_wait && state.alive == 0 && !state.threads.is_empty() {
            state.is_joining = true;
            let threads = mem::take(&mut state.threads);
            drop(state);
            for thread in threads {
                // It is gone already, or nearly. It contains its panics; if it did not, there is nobody to tell.
                let _ = thread.join();
            }
            self.lock().is_joining = false;
            self.changed.notify_all();
        }
        true
    }

    /// The thread.
    fn run(self: Arc<Self>) {
        // Before anything that has a thread-local: `gone-is-last`.
        JANITOR.with(|janitor| janitor.replace(Some(Gone(self.clone()))));
        let _housekeeper = Housekeeper::begin();
        for number in 0.. {
            let Some(round) = self.next_round(number) else { break };
            for job in round {
                self.sweep(job);
            }
        }
    }

    /// Waits for the next round, and tells whom to sweep in it; None if the list is empty.
    fn next_round(&self, number: u64) -> Option<Vec<Arc<Job>>> {
        // In a loom model one interval passes, at any moment; from then on only an empty list wakes.
        let has_passed = cfg!(loom) && number > 0;
        let end = Instant::now().checked_add(self.interval).filter(|_| !has_passed);
        let (mut state, mut is_time) = (self.lock(), false);
        while !state.jobs.is_empty() {
            if is_time {
                return Some(state.jobs.values().cloned().collect());
            }
            (state, is_time) = self.wait(&self.emptied, state, end);
        }
        state.is_served = false;
        None
    }

    fn sweep(&self, job: Arc<Job>) {
        let mut state = self.lock();
        if job.is_stopped() {
            return;
        }
        state.at_work = Some(job.clone());
        drop(state);
        // Callbacks are contained by the engine; this is for a panic of a user's clock, say, or for what is dropped with
        // a cache whose last handle has gone meanwhile.
        if !contain(|| (job.work)(&|| !job.is_stopped())) {
            #[cfg(feature = "tracing")]
            contain(crate::observe::sweep_panicked);
        }
        self.lock().at_work = None;
        self.changed.notify_all();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.process != process() {
            // Nothing is known of the threads of another process, whose identifiers may be in use again: `one-process`.
            let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
            mem::forget(mem::take(&mut state.threads));
        }
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.alive -= 1;
        debug_assert!(state.alive > 0 || state.jobs.is_empty(), "nobody serves the list");
        drop(state);
        self.0.changed.notify_all();
    }
}
