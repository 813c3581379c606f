//! Single-flight loads: of all threads that miss a key at once, one computes, the others wait for it.
//!
//! A flight is an entry of a lock-free map of its own, under the key's hash: keys with one hash only wait for each other. The leader
//! removes it when its loader returns, fails or panics, and wakes everyone; each then looks again, and if there is
//! still no value, one of them leads. Waiters park on a condition variable: they asked to wait. Nobody else does.
//!
//! | label | release side | acquire side | carries |
//! |---|---|---|---|
//! | land-flight | the mutex in `Landing::drop` | the mutex in `Flight::wait` | what the leader put, and that its flight is cut |

use std::sync::{Arc, PoisonError};

use crate::expiry::NEVER;
use crate::map::{Entry, Map};
use crate::reclaim;
use crate::sync::thread::{self, ThreadId};
use crate::sync::{Condvar, Mutex, TINY};

/// Room for so many loads at once before buckets spill.
const FLIGHTS: usize = if TINY { 1 } else { 16 };

/// The loads under way.
#[derive(Debug)]
pub struct Flights {
    map: Map<Entry<(), Arc<Flight>>>,
}

#[derive(Debug)]
struct Flight {
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
        let me = thread::current().id();
        let flight = Arc::new(Flight { leader: me, landed: Mutex::new(false), wake: Condvar::new() });
        let mut entry = Some(Entry::new(hash, (), flight.clone(), NEVER, NEVER));
        loop {
            let guard = reclaim::pin();
            let seat = self.map.seek(hash, |_| true, &guard);
            if let Some(other) = seat.node() {
                let other = other.value().clone();
                drop(guard);
                if other.leader == me {
                    return Part::Nested;
                }
                other.wait();
                return Part::Waited;
            }
            let mine = entry.take().expect("given back by a put that failed");
            match self.map.put(&seat, mine, &guard) {
                Ok(_) => return Part::Leads { _landing: Landing { flights: self, hash, flight } },
                Err(back) => entry = Some(back),
            }
        }
    }
}

impl Flight {
    fn wait(&self) {
        // Ordering: the mutex's [land-flight]: who leaves here finds the value, or no flight.
        let mut landed = self.landed.lock().unwrap_or_else(PoisonError::into_inner);
        while !*landed {
            landed = self.wake.wait(landed).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let guard = reclaim::pin();
        loop {
            let seat = self.flights.map.seek(self.hash, |entry| Arc::ptr_eq(entry.value(), &self.flight), &guard);
            if seat.node().is_none() || self.flights.map.cut(&seat, &guard).is_some() {
                break;
            }
        }
        // Ordering: the mutex's [land-flight]: set after the value was put and the flight cut.
        *self.flight.landed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.flight.wake.notify_all();
    }
}
