//! What is told through `tracing` (feature `tracing`).
#![cfg(feature = "tracing")]

mod common;

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{lock, manual_store, provoke, quieten_provoked_panics, seconds};
use fleeting::{Cache, Clock, ManualClock, MemStore};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Metadata, Subscriber};

/// Keeps each event as a line; panics at each, if told to.
#[derive(Clone, Default)]
struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    panics: bool,
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() != "seconds" {
            self.0 += &format!(" {}={value:?}", field.name());
        }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "fleeting"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        lock(&self.lines).push(line.0);
        if self.panics {
            provoke();
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Lines {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.lines))
    }
}

/// Catches an event that is missing, of another level, or of another cache.
#[test]
fn sweeps_and_contained_panics_are_told() {
    quieten_provoked_panics();
    let (lines, clock) = (Lines::default(), ManualClock::new());
    let builder = Cache::builder().cleanup_interval(Duration::ZERO).clock(clock.clone()).name("pages");
    let cache = builder.on_removal(|_, _, _| provoke()).build().expect("plain");
    with_default(lines.clone(), || {
        assert_eq!(cache.sweep(), 0);
        cache.insert_with_ttl("one", 1, seconds(1));
        cache.insert_with_ttl("two", 2, seconds(1));
        cache.insert_with_ttl("three", 2, seconds(2));
        assert!(cache.remove("one"));
        clock.advance(seconds(1));
        assert_eq!(cache.sweep(), 1);
    });
    let expected = [
        "TRACE message=swept cache=\"pages\" removed=0 entries=0",
        "WARN message=contained a panic cache=\"pages\"",
        "WARN message=contained a panic cache=\"pages\"",
        "DEBUG message=swept cache=\"pages\" removed=1 entries=1",
    ];
    assert_eq!(lines.take(), expected);
}

/// Catches a token, or data, in an event; and one for each operation.
#[test]
fn operations_are_not_told() {
    let lines = Lines::default();
    with_default(lines.clone(), || {
        let (store, _) = manual_store();
        store.save_for("token", "data", seconds(1));
        store.find("token");
        store.delete("token");
    });
    assert_eq!(lines.take(), Vec::<String>::new());
}

/// Catches a subscriber's panic that goes through a removal, or a sweep.
#[test]
fn a_subscriber_may_panic() {
    quieten_provoked_panics();
    let lines = Lines { panics: true, ..Lines::default() };
    let store = MemStore::builder().cleanup_interval(Duration::ZERO).on_removal(|_, _, _| provoke());
    let store = store.build().expect("plain");
    with_default(lines.clone(), || {
        store.save_for("token", "data", seconds(60));
        assert!(store.delete("token"));
        assert_eq!(store.stats().contained_panics, 2, "the callback's, and the subscriber's");
        assert_eq!(store.sweep(), 0);
        assert_eq!(store.stats().contained_panics, 3);
    });
    assert_eq!(lines.take().len(), 2);
    assert!(store.is_empty());
}

/// Catches a janitor's sweep that ends by a panic of the clock, and is told to nobody. About the thread: it is waited for.
#[test]
fn a_sweep_that_panics_is_told() {
    /// Panics on the janitor's thread.
    struct Unreadable(ManualClock);
    impl Clock for Unreadable {
        fn elapsed(&self) -> Duration {
            if std::thread::current().name() == Some("fleeting-janitor") {
                provoke();
            }
            self.0.elapsed()
        }

        fn origin(&self) -> Instant {
            self.0.origin()
        }
    }
    quieten_provoked_panics();
    let lines = Lines::default();
    tracing::subscriber::set_global_default(lines.clone()).expect("the only one");
    let builder = MemStore::builder().cleanup_interval(Duration::from_millis(1));
    let _store = builder.clock(Unreadable(ManualClock::new())).build().expect("a thread");
    let limit = Instant::now() + seconds(30);
    while !lines.take().contains(&"WARN message=a panic ended a sweep".to_string()) {
        assert!(Instant::now() < limit, "it was told to nobody");
        std::thread::yield_now();
    }
}
