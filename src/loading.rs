//! Single-flight loads: of all threads that miss a key at once, one computes, the others wait for it.
//!
//! A flight is an entry of a lock-free map of its own, under the key's hash: keys with one hash only wait for each other. The leader
//! removes it when its loader returns, fails or panics, and wakes everyone; each then looks again, and if there is
//! still no value, one of them leads. Waiters park on a condition variable: they asked to wait. Nobody else does.
//!
//! # Invariants
//!
//! * `cut-then-landed`: a value is put, then its flight is cut from the map, then it has landed, then all are woken. So
//!   a thread that waited finds the value, or no flight.
//! * `always-lands`: a flight lands whatever panics, the cutting included. A flight that has landed and was not cut is
//!   cut by the next thread that meets it.
//! * `one-process`: a flight that a child process inherited by `fork` has no leader there, and never lands. Whoever
//!   meets it cuts it, and does not touch its lock.
//!
//! | label | release side | acquire side | carries |
//! |---|---|---|---|
//! | land-flight | the mutex in `Flight::land` | the mutex in `Flight::wait` | what the leader put, and that its flight is cut |

use std::sync::{Arc, PoisonError};

use crate::contain::contain;
use crate::expiry::NEVER;
use crate::map::{Entry, Map};
use crate::reclaim;
use crate::sync::thread::{self, ThreadId};
use crate::sync::{Condvar, Mutex, TINY, process};

/// Room for so many loads at once before buckets spill.
const FLIGHTS: usize = if TINY { 1 } else { 16 };

/// The loads under way.
#[derive(Debug)]
pub struct Flights {
    map: Map<Entry<(), Arc<Flight>>>,
}

#[derive(Debug)]
struct Flight {
    process: u32,
    leader: ThreadId,
    landed: Mutex<bool>,
    wake: Condvar,
}

/// A thread's part in a load.
#[derive(Debug)]
pub enum Part<'f> {
    /// It computes; dropping this ends the flight.
    Leads { _landing: Landing<'f> },
    /// It waited for another that has ended: look again.
    Waited,
    /// It leads already: the loader asked for its own key. Waiting would never end, so it computes on its own.
    Nested,
}

/// Ends a flight when dropped, by a panic too.
#[derive(Debug)]
pub struct Landing<'f> {
    flights: &'f Flights,
    hash: u64,
    flight: Arc<Flight>,
}

impl Default for Flights {
    fn default() -> Self {
        Flights { map: Map::with_capacity(FLIGHTS) }
    }
}

impl Flights {
    /// Leads the load of a key, or waits for the one under way.
    pub fn join(&self, hash: u64) -> Part<'_> {
        let flight = Arc::new(Flight::new());
        let mut entry = Some(Entry::new(hash, (), flight.clone(), NEVER, NEVER));
        loop {
            let guard = reclaim::pin();
            let seat = self.map.seek(hash, |_| true, &guard);
            if let Some(other) = seat.node() {
                let other = other.value().clone();
                drop(guard);
                if other.process != flight.process {
                    self.cut(hash, &other);
                    continue;
                }
                if other.leader == flight.leader {
                    return Part::Nested;
                }
                if !other.wait() {
                    // Cut, unless that panicked: `always-lands`.
                    self.cut(hash, &other);
                }
                return Part::Waited;
            }
            let mine = entry.take().expect("given back by a put that failed");
            match self.map.put(&seat, mine, &guard) {
                Ok(_) => return Part::Leads { _landing: Landing { flights: self, hash, flight } },
                Err(back) => entry = Some(back),
            }
        }
    }

    /// Cuts a flight from the map, unless somebody has.
    fn cut(&self, hash: u64, flight: &Arc<Flight>) {
        #[cfg(all(test, not(any(loom, shuttle))))]
        tests::fault();
        let guard = reclaim::pin();
        loop {
            let seat = self.map.seek(hash, |entry| Arc::ptr_eq(entry.value(), flight), &guard);
            if seat.node().is_none() || self.map.cut(&seat, &guard).is_some() {
                return;
            }
        }
    }
}

impl Flight {
    /// One that this thread leads.
    fn new() -> Self {
        let leader = thread::current().id();
        Flight { process: process(), leader, landed: Mutex::new(false), wake: Condvar::new() }
    }

    /// Waits until it has landed; false if it had before.
    fn wait(&self) -> bool {
        // Ordering: the mutex's [land-flight]: who leaves here finds the value, or no flight.
        let mut landed = self.landed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_under_way = !*landed;
        while !*landed {
            landed = self.wake.wait(landed).unwrap_or_else(PoisonError::into_inner);
        }
        is_under_way
    }

    fn land(&self) {
        // Ordering: the mutex's [land-flight]: set after the value was put and the flight cut.
        *self.landed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_all();
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        // This may be the unwinding of a loader's panic, which a second one would make an abort.
        contain(|| self.flights.cut(self.hash, &self.flight));
        self.flight.land();
        // A thread whose loads all fail changes nothing else, and has no other safe point.
        reclaim::safe_point();
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    const HASH: u64 = 1 << 40;

    thread_local! {
        static FAULTS: Cell<u32> = const { Cell::new(0) };
    }

    /// Panics as often as the test asked for.
    pub fn fault() {
        let left = FAULTS.get();
        if left > 0 {
            FAULTS.set(left - 1);
            resume_unwind(Box::new("planted"));
        }
    }

    /// Joins on another thread, and tells whether that leads; waits a minute at most.
    fn leads_elsewhere(flights: &Arc<Flights>) -> bool {
        let (flights, (tell, told)) = (flights.clone(), mpsc::channel());
        let joining = thread::spawn(move || tell.send(matches!(flights.join(HASH), Part::Leads { .. })));
        let leads = told.recv_timeout(Duration::from_secs(60)).expect("waits for ever");
        joining.join().expect("no panic").expect("the test listens");
        leads
    }

    /// Catches a flight that stays open, or in the map for good, when its removal panics; in a loader's panic too.
    #[test]
    fn a_flight_lands_whatever_panics() {
        for is_unwinding in [false, true] {
            let flights = Arc::<Flights>::default();
            let landing = flights.join(HASH);
            assert!(matches!(landing, Part::Leads { .. }));
            FAULTS.set(1);
            let dropped = catch_unwind(AssertUnwindSafe(|| {
                let _landing = landing;
                if is_unwinding {
                    resume_unwind(Box::new("a loader's panic"));
                }
            }));
            assert_eq!((dropped.is_err(), FAULTS.get()), (is_unwinding, 0));
            assert!(!leads_elsewhere(&flights), "it was not cut");
            assert!(leads_elsewhere(&flights), "whoever met it has cut it");
        }
    }

    /// Catches a thread that waits for a leader whom `fork` has left behind in the parent, or for his lock.
    #[test]
    fn nobody_waits_for_a_flight_of_another_process() {
        let flights = Arc::<Flights>::default();
        let foreign = Arc::new(Flight { process: !process(), ..Flight::new() });
        let held = foreign.landed.lock();
        let guard = reclaim::pin();
        let seat = flights.map.seek(HASH, |_| true, &guard);
        assert!(flights.map.put(&seat, Entry::new(HASH, (), foreign.clone(), NEVER, NEVER), &guard).is_ok());
        drop(guard);
        assert!(leads_elsewhere(&flights));
        drop(held);
    }
}
