//! The keeper: runs the client threads slice by slice, and between slices moves the clock on.
//!
//! For each slice:
//!
//! 1. The keeper sweeps at each cleaning point before the slice's clock, then sets the clock to it.
//! 2. All meet at the barrier. The clients replay their requests; if the slice's clock is a cleaning point, the keeper sweeps beside them.
//! 3. All meet at the barrier. The keeper notes how many sessions are live and held, and how much memory they take.
//!
//! So every request, and every sweep, has one exact reading of the clock, whatever the threads' schedule.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use fleeting::ManualClock;

use crate::client::{Book, Client, Counts};
use crate::histogram::Histogram;
use crate::memory;
use crate::stores::{Sessions, Upkeep};

/// When slices are, and how sessions end.
#[derive(Debug)]
pub struct Plan {
    /// The clock of each slice: strictly ascending, not empty, in seconds since the epoch.
    pub times: Vec<u64>,
    /// Seconds of idleness that end a session.
    pub idle: u64,
    /// Seconds between sweeps, counted from the first slice.
    pub cleaning: u64,
}

/// What one client thread sends.
pub trait Workload {
    /// The next request of this slice; None if there is no more. Slices are asked for in order.
    fn next(&mut self, slice: usize) -> Option<Request>;

    /// Appends the token of a session. No two threads have one in common.
    fn token(&self, session: u32, token: &mut Vec<u8>);

    /// Length of a session's data.
    fn data_length(&self, session: u32) -> usize;

    /// About how many sessions there will be. Sessions are numbered from 0 in the order in which they first occur.
    fn sessions_expected(&self) -> usize;
}

/// One request of a client, which is one session.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub session: u32,
    pub action: Action,
}

#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// Find and touch the session; create it if it is not live.
    Visit,
    /// Save new data; create the session if it is not live.
    Save,
    /// Create the session, which has never been.
    Create,
    /// Delete the session.
    Delete,
}

/// What happened.
#[derive(Debug)]
pub struct Outcome {
    pub counts: Counts,
    /// Latencies of finds, found or not.
    pub finds: Histogram,
    pub upkeep: Upkeep,
    /// Expired sessions that a sweep removed; the rest of the expired was removed on sight.
    pub swept: u64,
    pub peak: Peak,
    pub live_at_end: u64,
    /// Sessions in the store after a sweep at the end: all of them live.
    pub held_at_end: u64,
    pub elapsed: Duration,
}

/// The largest values at the end of any slice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peak {
    /// Live sessions by the rule.
    pub live: u64,
    /// Sessions in the store, those included that had expired and awaited a sweep.
    pub held: u64,
    /// Bytes that the store had gained when it held the most.
    pub bytes: u64,
}

/// What a client thread tells the keeper at the end of each slice.
#[derive(Debug, Default)]
pub struct Posted {
    live: AtomicU64,
    requests: AtomicU64,
}

impl Outcome {
    /// Checks the store against the rule.
    ///
    /// # Errors
    ///
    /// A message for the user: an answer, or a total, was wrong.
    pub fn verify(&self) -> Result<(), String> {
        let (counts, upkeep) = (&self.counts, &self.upkeep);
        let ended = upkeep.expired + counts.deleted + self.held_at_end;
        if counts.wrong > 0 {
            return Err(format!("the store gave {} wrong answers", counts.wrong));
        }
        if counts.created != ended {
            return Err(format!(
                "{} sessions were created, but {ended} expired, were deleted or are left",
                counts.created
            ));
        }
        if self.held_at_end != self.live_at_end {
            return Err(format!("{} sessions are left, but {} are live", self.held_at_end, self.live_at_end));
        }
        Ok(())
    }
}

/// Replays the workloads, each by a thread of its own, over a store that is built for it.
///
/// # Errors
///
/// A message for the user: the store cannot be built.
pub fn replay<S: Sessions>(
    plan: &Plan,
    workloads: Vec<Box<dyn Workload + Send + '_>>,
    build: impl FnOnce(&ManualClock) -> Result<S, String>,
) -> Result<Outcome, String> {
    let clock = ManualClock::starting_at(SystemTime::UNIX_EPOCH + Duration::from_secs(plan.times[0]));
    let books: Vec<Book> = workloads.iter().map(|workload| Book::new(workload.sessions_expected())).collect();
    let posted: Vec<Posted> = workloads.iter().map(|_| Posted::default()).collect();
    let barrier = Barrier::new(workloads.len() + 1);
    let bytes_before = memory::in_use();
    let store = build(&clock)?;

    let started = Instant::now();
    let mut keeper = Keeper::new(plan, &store, &clock, &posted, bytes_before);
    let books = thread::scope(|scope| {
        let clients =
            workloads.into_iter().zip(books).map(|(workload, book)| Client::new(plan, &store, workload, book));
        let threads: Vec<_> = clients
            .zip(&posted)
            .map(|(client, posted)| scope.spawn(|| run_client(client, plan, &clock, posted, &barrier)))
            .collect();
        keeper.run(&barrier);
        threads.into_iter().map(|thread| thread.join().expect("a panic ends the process")).collect::<Vec<Book>>()
    });
    Ok(keeper.finish(&books, started.elapsed()))
}

fn run_client<S: Sessions>(
    mut client: Client<'_, S>,
    plan: &Plan,
    clock: &ManualClock,
    posted: &Posted,
    barrier: &Barrier,
) -> Book {
    for slice in 0..plan.times.len() {
        barrier.wait();
        client.replay_slice(slice, clock.system_time());
        // Ordering: Relaxed; the barrier orders both stores before the keeper's loads.
        posted.live.store(client.live(), Ordering::Relaxed);
        posted.requests.store(client.requests(), Ordering::Relaxed);
        barrier.wait();
    }
    client.into_book()
}

struct Keeper<'a, S> {
    plan: &'a Plan,
    store: &'a S,
    clock: &'a ManualClock,
    posted: &'a [Posted],
    bytes_before: u64,
    now: u64,
    next_cleaning: u64,
    swept: u64,
    peak: Peak,
    shown: Instant,
}

impl<'a, S: Sessions> Keeper<'a, S> {
    fn new(plan: &'a Plan, store: &'a S, clock: &'a ManualClock, posted: &'a [Posted], bytes_before: u64) -> Self {
        let now = plan.times[0];
        let next_cleaning = now + plan.cleaning;
        let (swept, peak, shown) = (0, Peak::default(), Instant::now());
        Keeper { plan, store, clock, posted, bytes_before, now, next_cleaning, swept, peak, shown }
    }

    fn run(&mut self, barrier: &Barrier) {
        for (slice, time) in self.plan.times.iter().enumerate() {
            self.clean_before(*time);
            self.set_clock(*time);
            barrier.wait();
            if self.next_cleaning == *time {
                self.clean();
            }
            barrier.wait();
            self.note_peak();
            if self.shown.elapsed() >= Duration::from_secs(1) {
                self.shown = Instant::now();
                self.show_progress(slice + 1);
            }
        }
    }

    /// Sweeps at each cleaning point before `time`. Once the store is empty, there is nothing to clean until then.
    fn clean_before(&mut self, time: u64) {
        while self.next_cleaning < time {
            if self.store.held() == 0 {
                let points = (time - self.next_cleaning).div_ceil(self.plan.cleaning);
                self.next_cleaning += points * self.plan.cleaning;
                return;
            }
            self.set_clock(self.next_cleaning);
            self.clean();
        }
    }

    fn set_clock(&mut self, time: u64) {
        self.clock.advance(Duration::from_secs(time - self.now));
        self.now = time;
    }

    fn clean(&mut self) {
        self.swept += self.store.sweep() as u64;
        self.next_cleaning += self.plan.cleaning;
    }

    fn note_peak(&mut self) {
        self.peak.live = self.peak.live.max(self.live());
        let held = self.store.held() as u64;
        if held > self.peak.held {
            self.peak.held = held;
            self.peak.bytes = memory::in_use().saturating_sub(self.bytes_before);
        }
    }

    fn live(&self) -> u64 {
        // Ordering: Relaxed; the threads stand at the barrier, or are gone.
        self.posted.iter().map(|posted| posted.live.load(Ordering::Relaxed)).sum()
    }

    fn show_progress(&self, slices: usize) {
        // Ordering: Relaxed, as above.
        let requests: u64 = self.posted.iter().map(|posted| posted.requests.load(Ordering::Relaxed)).sum();
        let percent = slices * 100 / self.plan.times.len();
        let seconds = self.now - self.plan.times[0];
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        let (live, swept) = (self.live(), self.swept);
        eprintln!(
            "replay: {percent:3} %: {requests} requests, {hours} h {minutes:02} min of log time, {live} live, {swept} swept"
        );
    }

    /// Sweeps once more, at the clock of the last request, and adds up.
    fn finish(mut self, books: &[Book], elapsed: Duration) -> Outcome {
        self.clean();
        let (mut counts, mut finds) = (Counts::default(), Histogram::default());
        for book in books {
            counts.add(&book.counts);
            finds.add(&book.finds);
        }
        Outcome {
            counts,
            finds,
            upkeep: self.store.upkeep(),
            swept: self.swept,
            peak: self.peak,
            live_at_end: self.live(),
            held_at_end: self.store.held() as u64,
            elapsed,
        }
    }
}
