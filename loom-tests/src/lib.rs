//! What the models share: how one is run, and a small map and engine to run it on.
//!
//! A model is a closure that [`Model::explore`] calls once for every execution that loom can think of. It returns
//! what came of it, and the runner asserts that every outcome that it was told of was seen, and that each of its threads was seen
//! to end before each other one: a model whose threads never met in both orders proves nothing.
//!
//! Three passes (`run.sh`):
//!
//! * **plain** every load is a load: stale reads are explored. With the model reclaimer (`src/reclaim/model.rs`).
//! * **rmw** every load is a read-modify-write: interleavings that stock loom forgets are explored
//!   (tokio-rs/loom#166), and no stale reads.
//! * **real** some models over the real crossbeam-epoch.
//!
//! The bound is the number of preemptions that loom explores; "all" is more than any model has. Each model states its own for each
//! pass: the largest with which it ends within about a minute.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::Write;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use fleeting::clock::{Clock, ManualClock, Time};
use fleeting::engine::{RemovalCause, Step, Written};
use fleeting::expiry::Timed as _;
use fleeting::map::{Node as _, Owned};
use fleeting::reclaim::{self, Guard};
use fleeting::stats::Counters;
use fleeting::{Builder, Cache, MemStore};

pub use fleeting::expiry::NEVER;

/// More preemptions than any model has room for. (Not loom's "no bound", with which it explores less: of the outcomes that
/// `self_check` wants of the plain pass, it then misses 15 instead of 7.)
pub const ALL: usize = 250;

/// One model, and how far each pass explores it.
#[derive(Debug)]
pub struct Model {
    name: &'static str,
    plain: Option<usize>,
    rmw: Option<usize>,
    real: bool,
}

impl Model {
    /// A model that is explored without a bound.
    pub fn new(name: &'static str) -> Model {
        Model { name, plain: None, rmw: None, real: false }
    }

    /// At most so many preemptions in the plain pass.
    pub fn plain(self, preemptions: usize) -> Model {
        Model { plain: Some(preemptions), ..self }
    }

    /// At most so many preemptions in the pass with read-modify-write loads.
    pub fn rmw(self, preemptions: usize) -> Model {
        Model { rmw: Some(preemptions), ..self }
    }

    /// Explored on the real collector too.
    pub fn on_real_epoch(self) -> Model {
        Model { real: true, ..self }
    }

    /// Explores the model; panics unless each of `expected` came of some execution.
    pub fn explore<O>(self, expected: &[O], model: impl Fn() -> O + Send + Sync + 'static)
    where
        O: Ord + Debug + Send + 'static,
    {
        if cfg!(fleeting_real_epoch) && !self.real {
            return;
        }
        // Reads LOOM_MAX_PREEMPTIONS, which overrides the model's own bound.
        let mut builder = loom::model::Builder::new();
        let own = match (cfg!(fleeting_real_epoch), cfg!(loom_rmw_loads)) {
            (true, _) => Some(2),
            (_, true) => self.rmw,
            _ => self.plain,
        };
        builder.preemption_bound = builder.preemption_bound.or(own).or(Some(ALL));
        builder.max_branches = builder.max_branches.max(100_000);
        // A time box for CI: whoever runs into it is printed as such, and is not held to its outcomes.
        let seconds = std::env::var("FLEETING_MODEL_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
        builder.max_duration = seconds.map(Duration::from_secs);
        builder.checkpoint_interval = 500;
        let bound = bound_name(builder.preemption_bound.unwrap_or(ALL));

        let executions = Arc::new(AtomicUsize::new(0));
        let outcomes = Arc::new(Mutex::new(BTreeSet::new()));
        let started = Instant::now();
        builder.check({
            let (executions, outcomes) = (executions.clone(), outcomes.clone());
            move || {
                executions.fetch_add(1, Ordering::Relaxed);
                fleeting::sync::checked::start();
                start();
                let outcome = model();
                finish();
                outcomes.lock().unwrap_or_else(PoisonError::into_inner).insert(outcome);
            }
        });
        let (executions, seconds) = (executions.load(Ordering::Relaxed), started.elapsed().as_secs_f64());
        // Not `println!`, which the test harness captures.
        let is_stopped = builder.max_duration.is_some_and(|most| started.elapsed() >= most);
        let end = if is_stopped { "  stopped: time box" } else { "" };
        let line =
            format!("model {:<34} bound {bound:>3} {executions:>9} executions {seconds:>7.2} s{end}\n", self.name);
        // Where the model has been, if asked for (`FLEETING_SITES`): see `orderings`.
        let line = line + &fleeting::sync::checked::sites();
        std::io::stdout().write_all(line.as_bytes()).expect("stdout");

        let outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        // With an ordering weakened, what counts is whether an assertion fails.
        let is_weakened = std::env::var_os("FLEETING_WEAKEN").is_some();
        for outcome in expected.iter().filter(|_| !is_stopped && !is_weakened) {
            assert!(outcomes.contains(outcome), "{}: {outcome:?} never came up, only {outcomes:?}", self.name);
        }
        let orders = ORDERS.take();
        for order in orders.iter().filter(|_| !is_stopped && !is_weakened) {
            let contrary = (order.1, order.0);
            assert!(orders.contains(&contrary), "{}: only seen that {order:?} ended in this order", self.name);
        }
        assert!(executions > 1 || is_weakened, "{}: one execution explores nothing", self.name);
    }
}

/// A bound, as it is printed.
pub fn bound_name(preemptions: usize) -> String {
    if preemptions >= ALL { "all".into() } else { preemptions.to_string() }
}

#[cfg(not(fleeting_real_epoch))]
fn start() {
    reclaim::start();
}

#[cfg(not(fleeting_real_epoch))]
fn finish() {
    reclaim::finish();
}

#[cfg(fleeting_real_epoch)]
fn start() {}

#[cfg(fleeting_real_epoch)]
fn finish() {}

thread_local! {
    /// Which threads of a model, by number, were seen to end before which. Plain memory, of which loom knows nothing: all threads of
    /// a model run on one of the system's.
    static ORDERS: RefCell<BTreeSet<(usize, usize)>> = RefCell::default();
}

/// The threads of one execution that have ended, in order.
#[derive(Clone, Default)]
struct Ended(Rc<RefCell<Vec<usize>>>);

impl Ended {
    fn note(&self, thread: usize) {
        let mut ended = self.0.borrow_mut();
        ORDERS.with_borrow_mut(|orders| orders.extend(ended.iter().map(|&before| (before, thread))));
        ended.push(thread);
    }
}

/// Runs `a` on this thread and `b` on another. Loom's first execution runs `a` as a whole before `b`: from there it finds
/// the other orders of a writer `a` and a reader `b`, and from the contrary it does not (tokio-rs/loom#166).
pub fn pair<T, A, B>(shared: &T, a: impl FnOnce(&T) -> A, b: impl FnOnce(&T) -> B + 'static) -> (A, B)
where
    T: Clone + 'static,
    B: 'static,
{
    let ended = Ended::default();
    let b = spawn(shared, &ended, 1, b);
    let a = a(shared);
    ended.note(0);
    (a, b.join().expect("the other thread panicked"))
}

/// Runs `a` on this thread, `b` and `c` on threads of their own.
pub fn trio<T, A, B, C>(
    shared: &T,
    a: impl FnOnce(&T) -> A,
    b: impl FnOnce(&T) -> B + 'static,
    c: impl FnOnce(&T) -> C + 'static,
) -> (A, B, C)
where
    T: Clone + 'static,
    B: 'static,
    C: 'static,
{
    let ended = Ended::default();
    let (b, c) = (spawn(shared, &ended, 1, b), spawn(shared, &ended, 2, c));
    let a = a(shared);
    ended.note(0);
    (a, b.join().expect("a thread panicked"), c.join().expect("a thread panicked"))
}

fn spawn<T, R>(
    shared: &T,
    ended: &Ended,
    number: usize,
    f: impl FnOnce(&T) -> R + 'static,
) -> loom::thread::JoinHandle<R>
where
    T: Clone + 'static,
    R: 'static,
{
    let (shared, ended) = (shared.clone(), ended.clone());
    loom::thread::spawn(move || {
        let result = f(&shared);
        // Before the end: the clone's drop could be the last.
        ended.note(number);
        result
    })
}

/// A value that tells on data races: making it, changing it and dropping it are writes.
#[derive(Debug)]
pub struct Value(loom::cell::UnsafeCell<u64>);

// SAFETY: loom panics where two threads race on the cell, which is what it is here for.
unsafe impl Send for Value {}
// SAFETY: as above.
unsafe impl Sync for Value {}

impl Value {
    /// A value.
    pub fn new(value: u64) -> Value {
        let cell = loom::cell::UnsafeCell::new(0);
        // SAFETY: nobody else has it.
        cell.with_mut(|pointer| unsafe { *pointer = value });
        Value(cell)
    }

    /// Reads it.
    pub fn get(&self) -> u64 {
        // SAFETY: loom panics on a race, and runs one thread at a time.
        self.0.with(|pointer| unsafe { *pointer })
    }
}

impl Value {
    /// Adds to it.
    pub fn add(&self, by: u64) {
        // SAFETY: as in `get`.
        self.0.with_mut(|pointer| unsafe { *pointer += by });
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: as in `get`.
            self.0.with_mut(|pointer| unsafe { *pointer = u64::MAX });
        }
    }
}

/// A key with a hash of its own choosing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key {
    /// Its hash.
    pub hash: u64,
}

impl Key {
    /// A key in a quarter of the hash space (bucket `quarter / 2` of two, `quarter` of four) with a tag.
    pub const fn new(quarter: u64, tag: u8, number: u64) -> Key {
        Key { hash: (quarter << 62) | ((tag as u64) << 24) | (number + 2) }
    }
}

/// The nodes of the models.
pub type Node = fleeting::map::Entry<Key, Value>;

/// A map of them: two buckets of three slots, of which two are published.
#[derive(Clone, Debug)]
pub struct Map(pub Arc<fleeting::map::Map<Node>>);

impl Default for Map {
    fn default() -> Self {
        Map(Arc::new(fleeting::map::Map::with_capacity(0)))
    }
}

/// A node.
pub fn node(key: Key, value: u64, deadline: u64) -> Owned<Node> {
    Node::new(key.hash, key, Value::new(value), deadline, NEVER)
}

impl Map {
    /// A map with entries, the value of each its place in the list, from 1 on.
    pub fn of(keys: &[Key]) -> Map {
        let map = Map::default();
        for (index, &key) in keys.iter().enumerate() {
            assert_eq!(map.add(key, index as u64 + 1), Ok(()));
        }
        map
    }

    /// Inserts unless the key is there; then its value.
    pub fn add(&self, key: Key, value: u64) -> Result<(), u64> {
        let guard = reclaim::pin();
        let mut node = Some(node(key, value, NEVER));
        loop {
            let seat = self.0.seek(key.hash, |node| *node.key() == key, &guard);
            if let Some(other) = seat.node() {
                return Err(other.value().get());
            }
            match self.0.put(&seat, node.take().expect("given back"), &guard) {
                Ok(_) => return Ok(()),
                Err(back) => node = Some(back),
            }
        }
    }

    /// Inserts or replaces; the value that it replaced.
    pub fn set(&self, key: Key, value: u64) -> Option<u64> {
        let guard = reclaim::pin();
        let mut node = Some(node(key, value, NEVER));
        loop {
            let seat = self.0.seek(key.hash, |node| *node.key() == key, &guard);
            match self.0.put(&seat, node.take().expect("given back"), &guard) {
                Ok(put) => return put.old.map(|old| old.node().value().get()),
                Err(back) => node = Some(back),
            }
        }
    }

    /// Removes; the value that it removed.
    pub fn cut(&self, key: Key) -> Option<u64> {
        let guard = reclaim::pin();
        loop {
            let seat = self.0.seek(key.hash, |node| *node.key() == key, &guard);
            seat.node()?;
            if let Some(old) = self.0.cut(&seat, &guard) {
                return Some(old.node().value().get());
            }
        }
    }

    /// The value of a key.
    pub fn find(&self, key: Key) -> Option<u64> {
        let guard = reclaim::pin();
        self.0.find(key.hash, |node| *node.key() == key, &guard).map(|node| node.value().get())
    }

    /// Begins to grow, unless another thread has announced that it does; whether it did.
    pub fn grow(&self) -> bool {
        self.0.grow(1, &reclaim::pin())
    }

    /// Begins to grow although one other thread has announced that it does, as writers do who find the table far too
    /// small.
    pub fn grow_all_the_same(&self) -> bool {
        self.0.grow(2, &reclaim::pin())
    }

    /// Removes these, all of a bucket at once; the values that it removed.
    pub fn cut_all(&self, keys: &[Key]) -> Vec<u64> {
        let guard = reclaim::pin();
        let mut nodes: Vec<_> = keys.iter().flat_map(|key| self.0.nodes(key.hash, &guard)).collect();
        let mut values = Vec::new();
        self.0.cut_all(&mut nodes, &guard, |unlinked| values.push(unlinked.node().value().get()));
        values.sort();
        values
    }

    /// Buckets of the table.
    pub fn buckets(&self) -> usize {
        self.0.buckets(&reclaim::pin())
    }

    /// Helps a growth until it is done; in how many steps. Under one pin: another would be a fence.
    pub fn help(&self) -> usize {
        let (mut steps, guard) = (0, reclaim::pin());
        while self.0.help(&guard) {
            steps += 1;
        }
        steps
    }

    /// Walks through the map, one bucket at a time; the keys in order, and in how many steps.
    pub fn walk(&self) -> (Vec<Key>, usize) {
        let (mut keys, mut from, mut steps) = (Vec::new(), Some(0), 0);
        while let Some(start) = from {
            let guard = reclaim::pin();
            from = self.0.visit(start, 1, &guard, |node, _| {
                assert_eq!(node.hash(), node.key().hash);
                keys.push(*node.key());
            });
            steps += 1;
        }
        keys.sort();
        (keys, steps)
    }

    /// Asserts that these keys are there, each once, and no others.
    pub fn assert_holds(&self, keys: &[Key]) {
        let mut keys = keys.to_vec();
        keys.sort();
        assert_eq!(self.walk().0, keys);
        for key in keys {
            assert!(self.find(key).is_some(), "{key:?} is walked upon and not found");
        }
    }
}

/// An engine under a manual clock, which counts what expires.
#[derive(Clone, Debug)]
pub struct World {
    /// The engine.
    pub engine: Arc<fleeting::engine::Engine<Node>>,
    clock: Hands,
    expired: Arc<AtomicUsize>,
}

#[derive(Clone, Debug)]
enum Hands {
    Manual(ManualClock),
    Visible(VisibleClock),
}

/// A clock that loom sees: it explores what happens between a reading and an advance by another thread. Readings are
/// read-modify-writes, so never stale, and relaxed, so that a clock orders nothing else.
#[derive(Clone, Debug)]
pub struct VisibleClock {
    origin: Instant,
    nanoseconds: Arc<loom::sync::atomic::AtomicU64>,
}

impl Default for VisibleClock {
    /// A clock that stands at zero, and at 1970 by the wall.
    fn default() -> Self {
        VisibleClock { origin: Instant::now(), nanoseconds: Arc::new(loom::sync::atomic::AtomicU64::new(0)) }
    }
}

impl VisibleClock {
    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).expect("not that far");
        self.nanoseconds.fetch_add(by, Ordering::Relaxed);
    }
}

impl Clock for VisibleClock {
    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.fetch_add(0, Ordering::Relaxed))
    }

    fn origin(&self) -> Instant {
        self.origin
    }

    fn with_system_time(&self) -> (Duration, SystemTime) {
        let elapsed = self.elapsed();
        (elapsed, SystemTime::UNIX_EPOCH + elapsed)
    }
}

impl Default for World {
    /// Whose clock stands still while threads run.
    fn default() -> Self {
        let clock = ManualClock::new();
        World::new(Time::custom(clock.clone()), Hands::Manual(clock))
    }
}

impl World {
    /// Whose clock moves while threads run.
    pub fn with_visible_clock() -> World {
        let clock = VisibleClock::default();
        World::new(Time::custom(clock.clone()), Hands::Visible(clock))
    }

    fn new(time: Time, clock: Hands) -> World {
        let expired = Arc::new(AtomicUsize::new(0));
        let count = expired.clone();
        let listener = move |_: reclaim::Ref<'_, Node>, cause| {
            if cause == RemovalCause::Expired {
                count.fetch_add(1, Ordering::Relaxed);
            }
        };
        let engine = fleeting::engine::Engine::new(0, time, Counters::new(false), Some(Box::new(listener)));
        World { engine: Arc::new(engine), clock, expired }
    }
}

/// The time of a tick: deadlines of models are ticks, so that an entry is filed under its deadline.
pub fn at(tick: u64) -> u64 {
    tick << 24
}

impl World {
    /// Sets the clock to a tick.
    pub fn advance_to(&self, tick: u64) {
        let by = at(tick).saturating_sub(self.engine.time().now());
        match &self.clock {
            Hands::Manual(clock) => clock.advance(Duration::from_nanos(by)),
            Hands::Visible(clock) => clock.advance(Duration::from_nanos(by)),
        }
    }

    /// How often the listener was told of an expiry.
    pub fn expired(&self) -> usize {
        self.expired.load(Ordering::Relaxed)
    }

    /// Records in the index.
    pub fn records(&self) -> usize {
        self.engine.counters().records()
    }

    /// Entries held.
    pub fn entries(&self) -> usize {
        self.engine.counters().entries()
    }

    /// The value of a live key.
    pub fn find(&self, key: Key) -> Option<u64> {
        let guard = self.engine.change();
        self.engine.find(key.hash, |node| *node.key() == key, &guard).map(|node| node.value().get())
    }

    /// The deadline of a live key, as a tick.
    pub fn deadline(&self, key: Key) -> Option<u64> {
        let guard = self.engine.change();
        let node = self.engine.find(key.hash, |node| *node.key() == key, &guard)?;
        // Found, so it is open, and settled.
        Some(node.meta().deadline().time() >> 24)
    }

    /// Inserts or replaces; true if something was there. With a deadline that has come nothing is there afterwards.
    pub fn insert(&self, key: Key, value: u64, deadline: u64) -> bool {
        self.write(key, value, deadline, |_| true).expect("always writes")
    }

    /// Inserts unless a live entry is there.
    pub fn add(&self, key: Key, value: u64, deadline: u64) -> bool {
        self.write(key, value, deadline, |is_live| !is_live).is_some()
    }

    /// Replaces a live entry.
    pub fn replace(&self, key: Key, value: u64, deadline: u64) -> bool {
        self.write(key, value, deadline, |is_live| is_live).is_some()
    }

    fn write(&self, key: Key, value: u64, deadline: u64, may: impl Fn(bool) -> bool) -> Option<bool> {
        let guard = self.engine.change();
        let node = node(key, value, at(deadline));
        let written = self.engine.write(
            key.hash,
            |node, _| *node.key() == key,
            &guard,
            Some(node),
            |current, spare| match spare {
                Some(node) if may(current.is_some()) => Step::Put(node),
                spare => Step::Keep(spare),
            },
        );
        match written {
            Written::Kept(..) => None,
            Written::Replaced(_) => Some(true),
            Written::Inserted(..) | Written::Absent => Some(false),
            Written::Removed(..) => Some(true),
            Written::Stillborn => unreachable!("inherits nothing"),
        }
    }

    /// Adds to the value of a live entry, and keeps its deadline.
    pub fn increment(&self, key: Key, by: u64) -> bool {
        let guard = self.engine.change();
        let decide = |current: Option<reclaim::Ref<'_, Node>>, _| match current {
            None => Step::Keep(None),
            Some(old) => {
                let mut new = node(key, old.value().get() + by, NEVER);
                Node::inherit(&mut new, old);
                Step::PutInheriting(new)
            }
        };
        let written = self.engine.write(key.hash, |node, _| *node.key() == key, &guard, None, decide);
        matches!(written, Written::Replaced(_))
    }

    /// Removes a live entry.
    pub fn remove(&self, key: Key) -> bool {
        let guard = self.engine.change();
        let written = self.engine.write(key.hash, |node, _| *node.key() == key, &guard, None, |_, _| Step::Cut);
        matches!(written, Written::Removed(..))
    }

    /// Gives a live entry a new deadline; the value of the entry that got it.
    pub fn touch(&self, key: Key, deadline: u64) -> Option<u64> {
        self.set_deadline(key, at(deadline))
    }

    /// Ends a live entry's time to live; its value.
    pub fn persist(&self, key: Key) -> Option<u64> {
        self.set_deadline(key, NEVER)
    }

    fn set_deadline(&self, key: Key, deadline: u64) -> Option<u64> {
        let guard = self.engine.change();
        let to = || (deadline, self.engine.time().coarse());
        self.engine.touch(key.hash, |node| *node.key() == key, to, &guard).map(|node| node.value().get())
    }

    /// Sweeps by ticks, as the janitor does; how many it removed.
    pub fn sweep(&self) -> usize {
        self.engine.sweep(false, || true)
    }

    /// Asserts F1 for the only live entry, whose deadline is this tick: it stays until then, and then a sweep finds it.
    pub fn assert_goes_at(&self, key: Key, deadline: u64) {
        assert_eq!(self.deadline(key), Some(deadline));
        assert_eq!(self.entries(), 1);
        let expired = self.expired();
        self.advance_to(deadline - 1);
        assert_eq!(self.sweep(), 0, "swept early");
        assert!(self.find(key).is_some(), "gone early");
        self.advance_to(deadline);
        assert_eq!(self.sweep(), 1, "F1: forgotten");
        assert_eq!((self.entries(), self.expired()), (0, expired + 1));
    }
}

/// The hasher of caches: a number's hash is itself, in each execution.
pub type Identity = BuildHasherDefault<IdentityHasher>;

/// What [`Identity`] builds.
#[derive(Clone, Copy, Default, Debug)]
pub struct IdentityHasher(u64);

impl Hasher for IdentityHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are numbers");
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// A cache of numbers.
pub type Numbers = Cache<u64, u64, Identity>;

/// Configures one without a janitor, whose clock stands still.
pub fn numbers() -> Builder<u64, u64, Identity> {
    Cache::builder().hasher(Identity::default()).clock(ManualClock::new()).cleanup_interval(Duration::ZERO)
}

/// A store without a janitor, whose clock stands still: [`later`] does not come.
pub fn store() -> Arc<MemStore> {
    let clock = ManualClock::starting_at(SystemTime::UNIX_EPOCH);
    Arc::new(MemStore::builder().clock(clock).cleanup_interval(Duration::ZERO).build().expect("a store"))
}

/// A store whose clock moves while threads run.
pub fn store_with_visible_clock() -> (Arc<MemStore>, VisibleClock) {
    let clock = VisibleClock::default();
    let builder = MemStore::builder().clock(clock.clone()).cleanup_interval(Duration::ZERO);
    (Arc::new(builder.build().expect("a store")), clock)
}

/// An expiry that does not come.
pub fn later() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(3600)
}

/// A guard, for models that need one across steps.
pub fn pin() -> Guard {
    reclaim::pin()
}
