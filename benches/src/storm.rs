//! Readers while most of the store falls due at once, beside the same readers while nothing does.
//!
//! Two floors, of the same readers on the same store: with an idle third thread, and with one that burns its core. On two cores, two readers
//! and a sweeper are one thread too many; the busy floor is what the scheduler alone makes of that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::adapters::{Dash, Fleeting, Locked, Papaya, Store, Terms};
use crate::cells::progress;
use crate::clock;
use crate::figures::{Histogram, LONG};
use crate::load::{self, DATA, Token};

const SOON: Duration = Duration::from_secs(1800);
const LATE: Duration = Duration::from_secs(48 * 3600);

/// How long readers run before a window, and a window without a purge lasts.
const RUN_UP: Duration = Duration::from_millis(200);
const WINDOW: Duration = Duration::from_secs(1);

/// What the third thread does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Event {
    Idle,
    Busy,
    Purge,
}

/// Prints the table. Of the sessions, one in eleven stays.
pub fn run(entries: usize) {
    println!(
        "{} of {entries} sessions fall due together; readers ask for the others, uniformly\n",
        entries - entries / 11
    );
    println!(
        "| store | readers | third thread | window ms | finds | p50 ns | p99 ns | p99.9 us | p99.99 us | longest ms | of the time in finds over {} us |",
        LONG.as_micros()
    );
    println!("|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    for readers in [1, 2] {
        storm::<Fleeting>(entries, readers);
        storm::<Dash<Box<[u8]>>>(entries, readers);
        storm::<Papaya<Box<[u8]>>>(entries, readers);
        storm::<Locked<Box<[u8]>>>(entries, readers);
    }
}

fn storm<S: Store>(entries: usize, readers: usize) {
    progress(&format!("building {}", S::name()));
    let mut random = fastrand::Rng::with_seed(5);
    let tokens = load::tokens(entries, &mut random);
    let (soon, late) = (Terms::from_now(SOON), Terms::from_now(LATE));
    let store = S::with_skipping_clock();
    let mut data = [7; DATA];
    for (index, token) in tokens.iter().enumerate() {
        load::mark(&mut data, token);
        store.save(token, &data, if index % 11 == 0 { &late } else { &soon });
    }
    let stay: Vec<Token> = tokens.iter().step_by(11).copied().collect();
    for event in [Event::Idle, Event::Busy, Event::Purge] {
        progress(&format!("{} {readers} {event:?}", S::name()));
        let (window, histogram) = watch(&store, &stay, readers, event, entries - stay.len());
        progress("");
        println!(
            "| {} | {readers} | {} | {:.0} | {} | {} | {} | {:.1} | {:.1} | {:.2} | {:.1} % |",
            S::name(),
            match event {
                Event::Idle => "idle",
                Event::Busy => "busy elsewhere",
                Event::Purge => "**sweeps**",
            },
            window.as_secs_f64() * 1e3,
            histogram.count(),
            histogram.quantile(0.5),
            histogram.quantile(0.99),
            histogram.quantile(0.999) as f64 / 1e3,
            histogram.quantile(0.9999) as f64 / 1e3,
            histogram.max() as f64 / 1e6,
            histogram.long_share() * 100.0,
        );
    }
    assert_eq!(store.len(), stay.len());
    for (index, token) in tokens.iter().enumerate() {
        assert_eq!(store.find(token).is_some(), index % 11 == 0, "exactly what was due is gone");
    }
}

/// Runs readers through one event; returns its length and their finds during it.
fn watch<S: Store>(store: &S, stay: &[Token], readers: usize, event: Event, due: usize) -> (Duration, Histogram) {
    let (records, stops) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let read = |seed: u64| {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut histogram = Histogram::default();
            let mut before = Instant::now();
            // Ordering: Relaxed: a find more or less does not matter.
            while !stops.load(Ordering::Relaxed) {
                let token = &stay[random.usize(..stay.len())];
                // A find that begins in the window counts, however long it takes.
                let counts = records.load(Ordering::Relaxed);
                load::check(token, store.find(token).as_deref());
                let after = Instant::now();
                if counts {
                    histogram.record(u64::try_from((after - before).as_nanos()).unwrap_or(u64::MAX));
                }
                before = after;
            }
            histogram
        };
        let handles: Vec<_> = (0..readers).map(|seed| scope.spawn(move || read(seed as u64 + 6))).collect();
        thread::sleep(RUN_UP);
        records.store(true, Ordering::Relaxed);
        let start = Instant::now();
        match event {
            Event::Idle => thread::sleep(WINDOW),
            Event::Busy => while start.elapsed() < WINDOW {},
            Event::Purge => {
                clock::skip(SOON);
                // The coarse clock may be a tick behind.
                thread::sleep(Duration::from_millis(20));
                let start = Instant::now();
                let removed = store.sweep();
                let window = start.elapsed();
                records.store(false, Ordering::Relaxed);
                assert_eq!(removed, due, "a sweep removes what is due, all of it and nothing else");
                thread::sleep(RUN_UP);
                stops.store(true, Ordering::Relaxed);
                return (window, join(handles));
            }
        }
        records.store(false, Ordering::Relaxed);
        let window = start.elapsed();
        stops.store(true, Ordering::Relaxed);
        (window, join(handles))
    })
}

fn join(handles: Vec<thread::ScopedJoinHandle<'_, Histogram>>) -> Histogram {
    let mut all = Histogram::default();
    handles.into_iter().for_each(|handle| all.merge(&handle.join().expect("a reader found what it should not have")));
    all
}
