//! The janitor: the life of one thread, and nothing else. What it does each interval is a closure.
//!
//! It parks between intervals and is woken at once by [`Janitor::stop`]. The closure asks `go_on` between bounded batches,
//! so a stop never waits for a whole sweep. Stopping from the janitor's own thread (a removal callback) flags and returns;
//! the thread ends when the callback has.
//!
//! | label | release side | acquire side | carries |
//! |---|---|---|---|
//! | stop-janitor | the end of the thread | the join, or the lock that the joiner held | all that the thread did |

use std::cell::Cell;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::contain::contain;
use crate::reclaim::Housekeeper;
use crate::sync::thread::{self, JoinHandle, Thread, ThreadId};
use crate::sync::{AtomicBool, Mutex, Ordering, thread_local};

/// Name of the thread.
pub const NAME: &str = "fleeting-janitor";

/// Parks at least so long, whatever the interval: a janitor is no busy loop.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// A running, or stopped, janitor. Dropping it stops it.
#[derive(Debug)]
pub struct Janitor {
    stopped: Arc<AtomicBool>,
    thread: Thread,
    handle: Mutex<Option<JoinHandle<()>>>,
}

impl Janitor {
    /// Starts a thread that calls `work` every `interval`, the first time after one.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub fn start(interval: Duration, mut work: impl FnMut(&dyn Fn() -> bool) + Send + 'static) -> io::Result<Janitor> {
        let interval = interval.max(INTERVAL_MIN);
        let stopped = Arc::new(AtomicBool::new(false));
        let flag = stopped.clone();
        let body = move || {
            let _housekeeper = Housekeeper::begin();
            // Ordering: Relaxed: joining the thread orders everything that matters [stop-janitor].
            let go_on = || !flag.load(Ordering::Relaxed);
            while park(interval, &go_on) {
                // Callbacks are contained by the engine; this is for a panic of a user's clock, say.
                if !contain(|| work(&go_on)) {
                    #[cfg(feature = "tracing")]
                    contain(crate::observe::sweep_panicked);
                }
            }
        };
        let handle = thread::Builder::new().name(NAME.into()).spawn(body)?;
        Ok(Janitor { stopped, thread: handle.thread().clone(), handle: Mutex::new(Some(handle)) })
    }

    /// Stops the thread and waits until it is gone. Idempotent. From the thread itself: returns at once, and the
    /// thread ends when it gets back.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.thread.unpark();
        if self.id() == thread::current().id() {
            return;
        }
        // Whoever comes second waits on the lock until the thread is gone.
        let mut handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = handle.take() {
            // It contains its panics; if it did not, there is nobody to tell.
            let _ = handle.join();
        }
    }

    fn id(&self) -> ThreadId {
        self.thread.id()
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Parks for an interval; false if the janitor was stopped.
fn park(interval: Duration, go_on: &dyn Fn() -> bool) -> bool {
    if cfg!(loom) {
        thread_local! {
            static HAS_PASSED: Cell<bool> = Cell::default();
        }
        // In a model one interval passes, at any moment; from the next one only a stop wakes.
        while HAS_PASSED.with(|has_passed| has_passed.replace(true)) && go_on() {
            thread::park();
        }
        return go_on();
    }
    if cfg!(shuttle) {
        // Time passes in no model: any schedule will do.
        thread::yield_now();
        return go_on();
    }
    let end = Instant::now().checked_add(interval);
    while go_on() {
        match end.map(|end| end.saturating_duration_since(Instant::now())) {
            None => thread::park(),
            Some(Duration::ZERO) => return true,
            Some(left) => std::thread::park_timeout(left),
        }
    }
    false
}
