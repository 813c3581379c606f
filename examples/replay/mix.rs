//! The session traffic that Wikimedia published, generated: 75 % reads, 24 % writes, 1 % deletes (Phabricator T408935).
//!
//! The mix is made of two kinds of clients. Authenticated users read and write at 87 to 13; anonymous ones, mostly bots, read, write and
//! delete at 32 to 64 to 4. With 78.2 % of the requests from users, the sum is 75.0 / 24.1 / 0.9 %.
//!
//! A user logs in, is active for a while, and leaves without a word; now and then one comes back and finds the session live or expired.
//! A bot does not keep its token: nearly every write of it makes a new session, which is then left to expire. Users' sessions have 1.7 to
//! 2 kB, anonymous ones 200 to 300 bytes. The same seed, number of requests and number of threads give the same requests.

use crate::driver::{Action, Request, Workload};

/// When the generated log begins: 1 January 2026, in seconds since the epoch.
pub const START: u64 = 1_767_225_600;

/// Requests a second of log time: 1,540 reads, 500 writes and 25 deletes.
const RATE: u64 = 2_065;

/// Users of all threads who are active at once.
const ACTIVE_USERS: usize = 20_000;

/// Users of all threads who have gone away and may come back: those of the last hour.
const AWAY_USERS: usize = 80_000;

/// Anonymous sessions of all threads that may be asked for again: those of the last seconds.
const VISITORS: usize = 4_000;

/// The requests of one thread.
#[derive(Debug)]
pub struct Stream {
    random: Random,
    thread: u64,
    /// Requests in a slice, which is one second; and how many of them are left.
    share: u64,
    left_in_slice: u64,
    slice: usize,
    left: u64,
    /// Length of each session's data.
    lengths: Vec<u16>,
    active: Pool,
    away: Pool,
    visitors: Pool,
}

/// Seconds of log time that so many requests take: the number of slices.
pub fn seconds(requests: u64, threads: usize) -> usize {
    let longest = (0..threads as u64).map(|thread| {
        let (requests, share) = (part(requests, threads, thread), part(RATE, threads, thread));
        usize::try_from(requests.div_ceil(share)).unwrap_or(usize::MAX)
    });
    longest.max().unwrap_or(0)
}

/// The streams of all threads.
pub fn streams(seed: u64, requests: u64, threads: usize) -> Vec<Stream> {
    (0..threads as u64).map(|thread| Stream::new(seed, requests, threads, thread)).collect()
}

/// One thread's part of a whole.
fn part(whole: u64, threads: usize, thread: u64) -> u64 {
    let threads = threads as u64;
    whole / threads + u64::from(thread < whole % threads)
}

impl Stream {
    fn new(seed: u64, requests: u64, threads: usize, thread: u64) -> Self {
        let share = part(RATE, threads, thread);
        let requests = part(requests, threads, thread);
        Stream {
            random: Random::new(seed ^ mixed(thread + 1)),
            thread,
            share,
            left_in_slice: share,
            slice: 0,
            left: requests,
            // About one request in seven makes a session.
            lengths: Vec::with_capacity(usize::try_from(requests / 4).unwrap_or(0)),
            active: Pool::new(ACTIVE_USERS / threads),
            away: Pool::new(AWAY_USERS / threads),
            visitors: Pool::new(VISITORS / threads),
        }
    }

    fn request(&mut self) -> Request {
        if self.random.chance(782) { self.of_user() } else { self.of_visitor() }
    }

    fn of_user(&mut self) -> Request {
        match self.random.below(1_000) {
            0..5 => self.away.pick(&mut self.random).map_or_else(|| self.log_in(), visit),
            5..870 => self.active.pick_skewed(&mut self.random).map_or_else(|| self.log_in(), visit),
            870..987 => self.active.pick_skewed(&mut self.random).map_or_else(|| self.log_in(), save),
            _ => self.log_in(),
        }
    }

    fn of_visitor(&mut self) -> Request {
        match self.random.below(1_000) {
            0..320 => self.visitors.pick(&mut self.random).map_or_else(|| self.arrive(), visit),
            320..380 => self.visitors.pick(&mut self.random).map_or_else(|| self.arrive(), save),
            380..960 => self.arrive(),
            _ => self.visitors.take(&mut self.random).map_or_else(|| self.arrive(), delete),
        }
    }

    /// A user logs in; if there are enough, one goes away.
    fn log_in(&mut self) -> Request {
        let session = self.new_session(1_700, 2_000);
        if let Some(left) = self.active.add(session, &mut self.random) {
            self.away.add(left, &mut self.random);
        }
        Request { session, action: Action::Create }
    }

    /// An anonymous client comes without a token.
    fn arrive(&mut self) -> Request {
        let session = self.new_session(200, 300);
        self.visitors.add(session, &mut self.random);
        Request { session, action: Action::Create }
    }

    fn new_session(&mut self, shortest: u16, longest: u16) -> u32 {
        let session = u32::try_from(self.lengths.len()).expect("no more sessions than requests");
        let length = u64::from(shortest) + self.random.below(u64::from(longest - shortest) + 1);
        self.lengths.push(u16::try_from(length).unwrap_or(longest));
        session
    }
}

fn visit(session: u32) -> Request {
    Request { session, action: Action::Visit }
}

fn save(session: u32) -> Request {
    Request { session, action: Action::Save }
}

fn delete(session: u32) -> Request {
    Request { session, action: Action::Delete }
}

impl Workload for Stream {
    fn next(&mut self, slice: usize) -> Option<Request> {
        if slice != self.slice {
            (self.slice, self.left_in_slice) = (slice, self.share);
        }
        self.left_in_slice = self.left_in_slice.checked_sub(1)?;
        self.left = self.left.checked_sub(1)?;
        Some(self.request())
    }

    /// 32 letters and digits.
    fn token(&self, session: u32, token: &mut Vec<u8>) {
        let number = self.thread << 32 | u64::from(session);
        push_hexadecimal(mixed(number), token);
        push_hexadecimal(mixed(!number), token);
    }

    fn data_length(&self, session: u32) -> usize {
        usize::from(self.lengths[session as usize])
    }

    fn sessions_expected(&self) -> usize {
        self.lengths.capacity()
    }
}

fn push_hexadecimal(number: u64, text: &mut Vec<u8>) {
    text.extend((0..16).map(|digit| b"0123456789abcdef"[(number >> (60 - 4 * digit) & 15) as usize]));
}

/// Sessions to choose from; when full, a new one takes the place of any.
#[derive(Debug)]
struct Pool {
    sessions: Vec<u32>,
    limit: usize,
}

impl Pool {
    fn new(limit: usize) -> Self {
        let limit = limit.max(1);
        Pool { sessions: Vec::with_capacity(limit), limit }
    }

    /// Adds a session; returns the one that it displaced.
    fn add(&mut self, session: u32, random: &mut Random) -> Option<u32> {
        if self.sessions.len() < self.limit {
            self.sessions.push(session);
            return None;
        }
        let place = random.index(self.limit);
        Some(std::mem::replace(&mut self.sessions[place], session))
    }

    fn pick(&self, random: &mut Random) -> Option<u32> {
        if self.sessions.is_empty() { None } else { Some(self.sessions[random.index(self.sessions.len())]) }
    }

    /// The first tenth of the places has about a third of the requests.
    fn pick_skewed(&self, random: &mut Random) -> Option<u32> {
        if self.sessions.is_empty() {
            return None;
        }
        let (one, other) = (random.below(1 << 24), random.below(1 << 24));
        let place = (u128::from(one * other) * self.sessions.len() as u128) >> 48;
        usize::try_from(place).ok().map(|place| self.sessions[place])
    }

    fn take(&mut self, random: &mut Random) -> Option<u32> {
        if self.sessions.is_empty() {
            return None;
        }
        let place = random.index(self.sessions.len());
        Some(self.sessions.swap_remove(place))
    }
}

/// Marsaglia's xorshift64*: small, fast, and the same everywhere.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        // The state must not be zero.
        Random(mixed(seed) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`, which is at most 2^32.
    fn below(&mut self, limit: u64) -> u64 {
        ((self.next() >> 32) * limit) >> 32
    }

    fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// True so many times in a thousand.
    fn chance(&mut self, in_thousand: u64) -> bool {
        self.below(1_000) < in_thousand
    }
}

/// The output function of SplitMix64: a bijection that looks random.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}
