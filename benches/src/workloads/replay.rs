//! A real access log, many times over: each line is asked by so many clients of its own. A client that is not known gets a session, and
//! thirty idle minutes end it; a sweep comes once a minute of the log's time.
//!
//! Time is made to pass by the log, for the stores that follow `clock`. All of them must give the same answers.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Bench;
use crate::clock;
use crate::figures::Row;
use crate::kinds::{self, Boxed, Kind, Token};
use crate::load::DATA;
use crate::peers::{Ability, Store, Terms, Visitor, visit_sessions};
use crate::rounds;

const IDLE: Duration = Duration::from_secs(1800);
const SWEEP_EVERY: u64 = 60;

/// Requests in order: seconds since the first, never going back, and the client's number.
struct Log {
    requests: Vec<(u64, usize)>,
    clients: usize,
}

impl Log {
    fn parse(text: &str) -> Log {
        let (mut clients, mut latest, mut first) = (HashMap::new(), 0, None);
        let mut requests = Vec::new();
        for line in text.lines() {
            let Some((client, seconds)) = line.split_once(' ').and_then(|(client, rest)| Some((client, time(rest)?)))
            else {
                continue;
            };
            latest = latest.max(seconds.saturating_sub(*first.get_or_insert(seconds)));
            let next = clients.len();
            requests.push((latest, *clients.entry(client).or_insert(next)));
        }
        Log { requests, clients: clients.len() }
    }
}

/// Seconds of `[17/May/2015:10:05:03 +0000]`, counted from the year's first day; months are taken to have 31 days, which leaves gaps only.
fn time(text: &str) -> Option<u64> {
    let (_, stamp) = text.split_once('[')?;
    let mut parts = stamp.split(['/', ':', ' ']);
    let day: u64 = parts.next()?.parse().ok()?;
    let month = parts.next()?;
    let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        .iter()
        .position(|name| *name == month)?;
    let mut number = || parts.next()?.parse::<u64>().ok();
    let (year, hour, minute, second) = (number()?, number()?, number()?, number()?);
    Some((((year * 12 + month as u64) * 31 + day) * 24 + hour) * 3600 + minute * 60 + second)
}

struct Entrant {
    name: &'static str,
    run: fn(&Log, &[Token]) -> (Duration, usize),
}

struct Entrants<'a> {
    bench: &'a mut Bench,
    all: Vec<Entrant>,
}

impl Visitor<Boxed> for Entrants<'_> {
    fn visit<S: Store<Kind = Boxed>>(&mut self) {
        if self.bench.takes_part::<S>("replay", Ability::FollowClock) {
            self.all.push(Entrant { name: S::name(), run: replay::<S> });
        }
    }
}

/// Time of it all, and sessions made. `tokens` are those of the first client's copies, then of the second's, and so on.
fn replay<S: Store<Kind = Boxed>>(log: &Log, tokens: &[Token]) -> (Duration, usize) {
    let (store, copies) = (S::with_skipping_clock(tokens.len()), tokens.len() / log.clients);
    let (mut terms, mut draft) = (Terms::from_now(IDLE), Boxed::draft(DATA));
    let (mut now, mut swept, mut made, mut removed) = (0, 0, 0, 0);
    let start = Instant::now();
    for &(seconds, client) in &log.requests {
        if seconds != now {
            clock::skip(Duration::from_secs(seconds - now));
            now = seconds;
            terms = Terms::from_now(IDLE);
            if now >= swept + SWEEP_EVERY {
                removed += store.sweep();
                swept = now;
            }
        }
        for token in &tokens[client * copies..(client + 1) * copies] {
            match store.find_and_touch(token, &terms, Duration::ZERO) {
                Some(found) => Boxed::check(token, Some(S::view(&found))),
                None => {
                    store.save(token, Boxed::mark(&mut draft, token), &terms);
                    made += 1;
                }
            }
        }
    }
    let took = start.elapsed();
    clock::skip(IDLE);
    std::thread::sleep(Duration::from_millis(20));
    store.sweep();
    assert_eq!(store.len(), 0, "{}: all have expired", S::name());
    assert!(removed > 0 && removed < made, "{}: sessions ended while the log ran", S::name());
    (took, made)
}

pub fn run(bench: &mut Bench) -> Result<(), String> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = std::env::var_os("FLEETING_DATA").map_or(beside, PathBuf::from).join("apache_access.log");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("replay: skipped, as there is no log at {} (set FLEETING_DATA)", path.display());
        return Ok(());
    };
    let log = Log::parse(&text);
    let copies = bench.sizes(&[2], &[100])[0];
    let tokens = kinds::queries::<Boxed>(log.clients * copies, &mut fastrand::Rng::with_seed(18));
    let mut entrants = Entrants { bench, all: Vec::new() };
    visit_sessions(&mut entrants);
    let entrants = entrants.all;
    let sample = |_, index: usize| (entrants[index].run)(&log, &tokens);
    let measured = rounds::interleave("replay", &entrants, bench.rounds(2, 3), |one| one.name, sample);
    let made = measured[0].1[0].1 as f64;
    for (name, all) in &measured {
        // A second's request may fall on either side of a deadline, by what the replay itself takes.
        if all.iter().any(|(_, theirs)| (*theirs as f64 / made - 1.0).abs() > 0.01) {
            return Err(format!("replay: {name} and fleeting disagree on who had a session"));
        }
    }
    let requests = (log.requests.len() * copies) as f64;
    let mut row = Row::new("replay", "replay", tokens.len(), 1, "ns");
    let time = |(took, _): &(Duration, usize)| took.as_nanos() as f64 / requests;
    row.add_group(rounds::of_each(&measured, time));
    bench.push(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_in_an_order_that_never_goes_back() {
        let text = "a - - [17/May/2015:23:59:58 +0000] \"GET /\" 200\n\
            b - - [18/May/2015:00:00:03 +0000] \"GET /\" 200\n\
            not a line\n\
            a - - [18/May/2015:00:00:01 +0000] \"GET /\" 200\n";
        let log = Log::parse(text);
        assert_eq!((log.requests, log.clients), (vec![(0, 0), (5, 1), (5, 0)], 2));
    }
}
