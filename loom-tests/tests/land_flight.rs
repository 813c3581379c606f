//! land-flight (`src/loading.rs`): of all threads that miss a key at once, one loads; the others wait until its flight has landed, and find
//! what it put, or load themselves.
//!
//! Explored: two and three threads that load one key, with loaders that panic, that ask for their own key, and beside an insert. A waiter that
//! nobody wakes is a deadlock, which loom reports. Breaks caught: a landing that wakes nobody or not all, a loser of the race for the flight
//! who leads too, a leader who does not look again.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fleeting_loom_tests::{Model, Numbers, numbers, pair, trio};

const K: u64 = 7;

/// A cache, and how often a loader ran to its end.
#[derive(Clone)]
struct Loads {
    cache: Numbers,
    ended: Arc<AtomicUsize>,
}

impl Loads {
    fn new() -> Loads {
        Loads { cache: numbers().build().expect("a cache"), ended: Arc::default() }
    }

    fn load(&self, value: u64) -> u64 {
        self.cache.get_or_insert_with(K, || {
            self.ended.fetch_add(1, Ordering::Relaxed);
            value
        })
    }

    /// None if its loader ran, and panicked.
    fn load_and_panic(&self) -> Option<u64> {
        // Not `panic!`, which would print a message in each execution.
        let load = || self.cache.get_or_insert_with(K, || resume_unwind(Box::new("a loader's panic")));
        catch_unwind(AssertUnwindSafe(load)).ok()
    }

    fn ended(&self) -> usize {
        self.ended.load(Ordering::Relaxed)
    }
}

#[test]
fn load_against_load() {
    Model::new("load_against_load").plain(6).rmw(4).explore(&[(1, 1), (2, 2)], || {
        let loads = Loads::new();
        let got = pair(&loads, |loads| loads.load(1), |loads| loads.load(2));
        assert_eq!(loads.ended(), 1, "two loaders ran");
        assert_eq!(loads.cache.peek(&K), Some(got.0));
        got
    });
}

/// The panic goes to its caller; who waited loads.
#[test]
fn load_against_panic() {
    Model::new("load_against_panic").plain(6).rmw(4).explore(&[(None, 2), (Some(2), 2)], || {
        let loads = Loads::new();
        let got = pair(&loads, Loads::load_and_panic, |loads| loads.load(2));
        assert_eq!((loads.ended(), loads.cache.peek(&K)), (1, Some(2)));
        got
    });
}

/// Both panic: neither waits for ever.
#[test]
fn panic_against_panic() {
    Model::new("panic_against_panic").plain(6).rmw(4).explore(&[()], || {
        let loads = Loads::new();
        let got = pair(&loads, Loads::load_and_panic, Loads::load_and_panic);
        assert_eq!((got, loads.cache.peek(&K)), ((None, None), None));
    });
}

/// One panics; of the two others, one loads.
#[test]
fn load_against_load_against_panic() {
    Model::new("load_against_load_against_panic").plain(2).rmw(2).explore(
        &[(None, 2), (None, 3), (Some(2), 2), (Some(3), 3)],
        || {
            let loads = Loads::new();
            let (failed, b, c) = trio(&loads, Loads::load_and_panic, |loads| loads.load(2), |loads| loads.load(3));
            assert_eq!(b, c);
            assert_eq!((loads.ended(), loads.cache.peek(&K)), (1, Some(b)));
            (failed, b)
        },
    );
}

/// A loader that asks for its own key runs nested, and lands no flight but its own.
#[test]
fn nested_load_against_load() {
    Model::new("nested_load_against_load").plain(6).rmw(4).explore(&[(1, 1), (2, 2)], || {
        let loads = Loads::new();
        let got = pair(&loads, |loads| loads.cache.get_or_insert_with(K, || loads.load(1)), |loads| loads.load(2));
        assert_eq!(loads.ended(), 1, "two loaders ran");
        got
    });
}

/// What was inserted meanwhile stays, and is what the load returns.
#[test]
fn load_against_insert() {
    Model::new("load_against_insert").rmw(5).explore(&[(1, false), (2, true)], || {
        let loads = Loads::new();
        let (got, is_new) = pair(&loads, |loads| loads.load(1), |loads| loads.cache.insert(K, 2));
        assert_eq!(loads.cache.peek(&K), Some(2));
        assert!(is_new || got == 1, "what was replaced is what was loaded");
        (got, is_new)
    });
}
