//! One client thread: sends its requests to the store and compares each answer with the rule.
//!
//! The thread's sessions are its own, so it knows what each answer must be: it keeps, for each session, the slice of its last request.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use crate::driver::{Action, Plan, Request, Workload};
use crate::histogram::Histogram;
use crate::stores::Sessions;

/// A thread with its requests.
pub struct Client<'a, S> {
    plan: &'a Plan,
    store: &'a S,
    workload: Box<dyn Workload + Send + 'a>,
    book: Book,
    slice: usize,
    expiry: SystemTime,
    token: Vec<u8>,
    data: Vec<u8>,
}

/// What a thread knows and has counted.
#[derive(Debug)]
pub struct Book {
    pub counts: Counts,
    pub finds: Histogram,
    sessions: Vec<Session>,
    window: Window,
}

/// What was done. Requests are visits, saves, creations and deletions, as they were sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub requests: u64,
    /// Distinct sessions' tokens, whether or not they expired in between.
    pub clients: u64,
    pub visits: u64,
    pub saves: u64,
    pub creations: u64,
    pub deletions: u64,
    /// Sessions created by requests of any kind.
    pub created: u64,
    /// Visits that found a live session.
    pub found: u64,
    /// Visits and saves that came after the session had expired.
    pub expired_on_return: u64,
    /// Live sessions deleted.
    pub deleted: u64,
    /// Answers of the store that contradict the rule.
    pub wrong: u64,
}

/// What must be in the store.
#[derive(Clone, Copy, Debug, Default)]
struct Session {
    /// The slice of the last request; None if never created, or deleted.
    last: Option<u32>,
    /// Counts saves.
    revision: u32,
}

impl Counts {
    pub fn add(&mut self, other: &Counts) {
        self.requests += other.requests;
        self.clients += other.clients;
        self.visits += other.visits;
        self.saves += other.saves;
        self.creations += other.creations;
        self.deletions += other.deletions;
        self.created += other.created;
        self.found += other.found;
        self.expired_on_return += other.expired_on_return;
        self.deleted += other.deleted;
        self.wrong += other.wrong;
    }
}

impl Book {
    /// All memory is reserved now, so that what is gained later is the store's.
    pub fn new(sessions: usize) -> Self {
        Book {
            counts: Counts::default(),
            finds: Histogram::default(),
            sessions: Vec::with_capacity(sessions),
            window: Window::new(),
        }
    }
}

impl<'a, S: Sessions> Client<'a, S> {
    pub fn new(plan: &'a Plan, store: &'a S, workload: Box<dyn Workload + Send + 'a>, book: Book) -> Self {
        let (slice, expiry, token, data) = (0, SystemTime::UNIX_EPOCH, Vec::new(), Vec::new());
        Client { plan, store, workload, book, slice, expiry, token, data }
    }

    /// Sends the requests of a slice, at this reading of the clock.
    pub fn replay_slice(&mut self, slice: usize, now: SystemTime) {
        self.slice = slice;
        self.expiry = now + Duration::from_secs(self.plan.idle);
        self.book.window.begin(&self.plan.times[..=slice], self.plan.idle);
        while let Some(request) = self.workload.next(slice) {
            self.send(request);
        }
    }

    /// Live sessions of this thread at the clock of its last slice.
    pub fn live(&self) -> u64 {
        self.book.window.live
    }

    pub fn requests(&self) -> u64 {
        self.book.counts.requests
    }

    pub fn into_book(self) -> Book {
        self.book
    }

    fn send(&mut self, Request { session, action }: Request) {
        self.book.counts.requests += 1;
        if session as usize >= self.book.sessions.len() {
            self.book.sessions.resize(session as usize + 1, Session::default());
            self.book.counts.clients += 1;
        }
        self.token.clear();
        self.workload.token(session, &mut self.token);
        match action {
            Action::Visit => self.visit(session),
            Action::Save => self.save(session),
            Action::Create => self.log_in(session),
            Action::Delete => self.delete(session),
        }
    }

    fn visit(&mut self, session: u32) {
        self.book.counts.visits += 1;
        let started = Instant::now();
        let found = self.store.find(&self.token);
        self.book.finds.record(started.elapsed());

        let is_live = self.is_live(session);
        let is_right = match &found {
            Some(data) => is_live && self.is_data_of(session, data),
            None => !is_live,
        };
        self.expect(is_right);
        if found.is_some() {
            self.book.counts.found += 1;
            let touched = self.store.touch(&self.token, self.expiry);
            self.expect(touched);
            self.seen(session);
        } else {
            self.came_late(session);
            self.create(session);
        }
    }

    fn save(&mut self, session: u32) {
        self.book.counts.saves += 1;
        let is_live = self.is_live(session);
        self.write_data(session);
        let saved = self.store.update(&self.token, &self.data, self.expiry);
        self.expect(saved == is_live);
        if saved {
            self.seen(session);
        } else {
            self.came_late(session);
            self.create(session);
        }
    }

    fn log_in(&mut self, session: u32) {
        self.book.counts.creations += 1;
        self.create(session);
    }

    fn delete(&mut self, session: u32) {
        self.book.counts.deletions += 1;
        let is_live = self.is_live(session);
        let deleted = self.store.delete(&self.token);
        self.expect(deleted == is_live);
        self.book.counts.deleted += u64::from(deleted);
        if let Some(last) = self.book.sessions[session as usize].last.take().filter(|_| is_live) {
            self.book.window.remove(last);
        }
    }

    /// Creates a session that is not live.
    fn create(&mut self, session: u32) {
        self.write_data(session);
        let created = self.store.create(&self.token, &self.data, self.expiry);
        self.expect(created);
        self.book.counts.created += u64::from(created);
        self.seen(session);
    }

    fn came_late(&mut self, session: u32) {
        self.book.counts.expired_on_return += u64::from(self.book.sessions[session as usize].last.is_some());
    }

    fn expect(&mut self, is_right: bool) {
        self.book.counts.wrong += u64::from(!is_right);
    }

    /// The rule.
    fn is_live(&self, session: u32) -> bool {
        let last = self.book.sessions[session as usize].last;
        let times = &self.plan.times;
        last.is_some_and(|last| times[self.slice] < times[last as usize] + self.plan.idle)
    }

    /// The session is live, and its time begins anew.
    fn seen(&mut self, session: u32) {
        let is_live = self.is_live(session);
        let slice = u32::try_from(self.slice).expect("fewer seconds than four billion");
        let last = self.book.sessions[session as usize].last.replace(slice);
        if let Some(last) = last.filter(|_| is_live) {
            self.book.window.remove(last);
        }
        self.book.window.add();
    }

    /// Puts new data for a session into `self.data`: its number, its revision, and filling.
    fn write_data(&mut self, session: u32) {
        let known = &mut self.book.sessions[session as usize];
        known.revision = known.revision.wrapping_add(1);
        self.data.clear();
        self.data.extend_from_slice(&label(session, known.revision));
        self.data.resize(self.workload.data_length(session), b'.');
    }

    /// Whether this is what was saved last.
    fn is_data_of(&self, session: u32, data: &[u8]) -> bool {
        let revision = self.book.sessions[session as usize].revision;
        data.len() == self.workload.data_length(session) && data.starts_with(&label(session, revision))
    }
}

fn label(session: u32, revision: u32) -> [u8; 8] {
    (u64::from(session) << 32 | u64::from(revision)).to_le_bytes()
}

/// How many sessions are live: for each slice within the idle time, how many had their last request in it.
#[derive(Debug)]
struct Window {
    /// The slice of the first count.
    first: usize,
    counts: VecDeque<u32>,
    live: u64,
}

impl Window {
    fn new() -> Self {
        // Half an hour of slices, rounded up.
        Window { first: 0, counts: VecDeque::with_capacity(2_048), live: 0 }
    }

    /// Begins the slice of the last of `times`: what was last seen the idle time ago has ended.
    fn begin(&mut self, times: &[u64], idle: u64) {
        self.counts.push_back(0);
        let now = times[times.len() - 1];
        while times[self.first] + idle <= now {
            self.live -= u64::from(self.counts.pop_front().unwrap_or(0));
            self.first += 1;
        }
    }

    /// A session had its last request in the slice that has begun.
    fn add(&mut self) {
        if let Some(count) = self.counts.back_mut() {
            *count += 1;
            self.live += 1;
        }
    }

    /// A live session no longer has its last request in this slice.
    fn remove(&mut self, slice: u32) {
        self.counts[slice as usize - self.first] -= 1;
        self.live -= 1;
    }
}
