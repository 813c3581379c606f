//! Readers while most of the store falls due at once, beside the same readers while nothing does.
//!
//! Ten of eleven sessions fall due together; readers ask for the others. Two floors, of the same readers on the same store: with an idle third
//! thread, and with one that burns its core. On two cores, two readers and a sweeper are one thread too many; the busy floor is what the
//! scheduler alone makes of that.
//!
//! Time is made to pass for a store that follows `clock`. For one that reads a clock of its own, the bench waits until the sessions are due; what
//! such a store clears by itself before it is asked to counts as swept, and the window lasts until all is gone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::{Bench, single};
use crate::clock;
use crate::figures::{Row, histogram, percentile_rows};
use crate::kinds::{self, Boxed, Kind, Token};
use crate::load::DATA;
use crate::peers::{Ability, Store, Terms, Visitor, visit_sessions};
use crate::rounds;

const SOON: Duration = Duration::from_secs(1800);
const LATE: Duration = Duration::from_secs(48 * 3600);

/// What the third thread does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Event {
    Idle,
    Busy,
    Purge,
}

const EVENTS: [(&str, Event); 3] = [("idle", Event::Idle), ("busy elsewhere", Event::Busy), ("purge", Event::Purge)];

/// Sizes and times of a storm.
#[derive(Clone, Copy)]
struct Storm {
    readers: usize,
    /// How long readers run before a window, and how long a window without a purge lasts.
    run_up: Duration,
    window: Duration,
    /// For stores with a clock of their own: when sessions are due. The stores must be filled, and the floors measured, by then.
    own_time: Duration,
}

/// A window's length, and the readers' finds in it, by event.
type Windows = Vec<(Duration, Histogram<u64>)>;

struct Entrant {
    name: &'static str,
    run: fn(Storm, &[Token]) -> Windows,
}

struct Entrants<'a> {
    bench: &'a mut Bench,
    all: Vec<Entrant>,
}

impl Visitor<Boxed> for Entrants<'_> {
    fn visit<S: Store<Kind = Boxed>>(&mut self) {
        if self.bench.takes_part::<S>("storm", Ability::Expire) {
            self.all.push(Entrant { name: S::name(), run: storm::<S> });
        }
    }
}

/// Of the sessions, one in eleven stays.
fn storm<S: Store<Kind = Boxed>>(storm: Storm, tokens: &[Token]) -> Windows {
    let follows = S::lacks(Ability::FollowClock).is_none();
    let store = if follows { S::with_skipping_clock(tokens.len()) } else { S::new(tokens.len()) };
    let due = Instant::now() + storm.own_time;
    let (late, mut soon, mut draft) = (Terms::from_now(LATE), Terms::from_now(SOON), Boxed::draft(DATA));
    for (index, token) in tokens.iter().enumerate() {
        if !follows && index % 64 == 0 {
            let left = due.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{}: sessions fall due before all are saved", S::name());
            soon = Terms::from_now(left);
        }
        store.add(token, Boxed::mark(&mut draft, token), if index % 11 == 0 { &late } else { &soon });
    }
    let stay: Vec<Token> = tokens.iter().step_by(11).copied().collect();
    let comes = |store: &S| {
        if follows {
            clock::skip(SOON);
            // The coarse clock may be a tick behind.
            thread::sleep(Duration::from_millis(20));
        } else {
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let start = Instant::now();
        store.sweep();
        while store.len() > stay.len() && start.elapsed() < Duration::from_secs(60) {
            thread::sleep(Duration::from_millis(1));
            store.sweep();
        }
        start.elapsed()
    };
    let windows = EVENTS.iter().map(|(_, event)| watch(&store, &stay, storm, *event, comes)).collect();
    assert_eq!(store.len(), stay.len(), "{}: a sweep removes what is due, all of it and nothing else", S::name());
    for (index, token) in tokens.iter().enumerate().step_by(7) {
        assert_eq!(store.find(token).is_some(), index % 11 == 0, "{}: exactly what was due is gone", S::name());
    }
    windows
}

/// Runs readers through one event; returns its length and their finds during it.
fn watch<S: Store<Kind = Boxed>>(
    store: &S,
    stay: &[Token],
    storm: Storm,
    event: Event,
    purge: impl Fn(&S) -> Duration,
) -> (Duration, Histogram<u64>) {
    let (records, stops) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let (records, stops) = (&records, &stops);
        let read = move |seed: u64| {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut latencies = histogram();
            let mut before = Instant::now();
            // Ordering: Relaxed: a find more or less does not matter.
            while !stops.load(Ordering::Relaxed) {
                let token = &stay[random.usize(..stay.len())];
                // A find that begins in the window counts, however long it takes.
                let counts = records.load(Ordering::Relaxed);
                single::find_checked(store, token);
                let after = Instant::now();
                if counts {
                    latencies.saturating_record(u64::try_from((after - before).as_nanos()).unwrap_or(u64::MAX).max(1));
                }
                before = after;
            }
            latencies
        };
        let handles: Vec<_> = (0..storm.readers).map(|seed| scope.spawn(move || read(seed as u64 + 6))).collect();
        thread::sleep(storm.run_up);
        records.store(true, Ordering::Relaxed);
        let start = Instant::now();
        let window = match event {
            Event::Idle => {
                thread::sleep(storm.window);
                start.elapsed()
            }
            Event::Busy => {
                while start.elapsed() < storm.window {}
                start.elapsed()
            }
            Event::Purge => purge(store),
        };
        records.store(false, Ordering::Relaxed);
        if event == Event::Purge {
            // A stalled reader is still in its find.
            thread::sleep(storm.run_up);
        }
        stops.store(true, Ordering::Relaxed);
        let mut all = histogram();
        for handle in handles {
            let mine = handle.join().expect("a reader found what it should not have");
            all.add(&mine).expect("of the same bounds");
        }
        assert!(!all.is_empty(), "{}: readers made no find", S::name());
        (window, all)
    })
}

pub fn run(bench: &mut Bench) -> Result<(), String> {
    let mut entrants = Entrants { bench, all: Vec::new() };
    visit_sessions(&mut entrants);
    let entrants = entrants.all;
    let milliseconds = Duration::from_millis;
    let (run_up, window, own_time) = if bench.is_quick { (20, 60, 2_000) } else { (200, 700, 8_000) };
    for entries in bench.sizes(&[33_000], &[1_100_000]) {
        let tokens = kinds::queries::<Boxed>(entries, &mut fastrand::Rng::with_seed(5));
        for readers in [1, 2] {
            let storm = Storm {
                readers,
                run_up: milliseconds(run_up),
                window: milliseconds(window),
                own_time: milliseconds(own_time),
            };
            let label = format!("storm, {entries} entries, {readers} readers");
            let sample = |_, index: usize| (entrants[index].run)(storm, &tokens);
            let measured = rounds::interleave(&label, &entrants, bench.rounds(1, 2), |one| one.name, sample);
            let of = |event: usize| -> Vec<_> {
                let finds = |windows: &Windows| windows[event].1.clone();
                rounds::of_each(&measured, finds)
            };
            for (event, (cell, _)) in EVENTS.iter().enumerate() {
                let row = Row::new("storm", *cell, entries, readers, "ns");
                percentile_rows(&row, &of(event)).into_iter().try_for_each(|row| bench.push(row))?;
            }
            let purge = |windows: &Windows| windows[2].0.as_secs_f64() * 1e3;
            let mut row = Row::new("storm", "purge time", entries, readers, "ms");
            row.add_group(rounds::of_each(&measured, purge));
            bench.push(row)?;
        }
    }
    Ok(())
}
