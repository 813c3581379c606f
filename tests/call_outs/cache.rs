//! `Cache` as a subject: what may be done to a key, and what it means.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fleeting::{Cache, ManualClock, Op, Outcome};

use super::common::counted::Ledger;
use super::common::{assert_sound, seconds};
use super::plan::{Place, at};
use super::probes::{Hashing, Key, Probe, ProbedClock, Value};
use super::subject::{Act, Answer, FIRST, Start, State, Subject, end_of_time};

/// The key that the acts are about.
const KEY: u64 = 30;

/// Bystanders have numbers below this; odd ones are mortal.
const BYSTANDERS: u64 = 8;

/// How many others come and go when the table is to grow.
const MANY: u64 = 70;

const PROBE: Probe = Probe(KEY);

/// A cache under test.
pub struct Subjected {
    pub cache: Cache<Key, Value, Hashing>,
    pub clock: ManualClock,
    pub ledger: Ledger,
    hashing: Hashing,
    /// Numbers of keys that nobody has used.
    others: AtomicU64,
}

fn build(clock: &ManualClock, hashing: Hashing, idle: Option<Duration>) -> Cache<Key, Value, Hashing> {
    let builder = Cache::builder()
        .hasher(hashing)
        .clock(ProbedClock(clock.clone()))
        .cleanup_interval(Duration::ZERO)
        .time_to_live(seconds(100))
        .on_removal(|_: &Key, _: &Value, _| at(Place::Listener));
    let builder = match idle {
        Some(idle) => builder.time_to_idle(idle),
        None => builder,
    };
    builder.build().expect("valid")
}

impl Subjected {
    fn key(&self, number: u64) -> Key {
        Key::new(number, &self.ledger)
    }

    fn value(&self, number: u64) -> Value {
        Value::new(number, &self.ledger)
    }
}

impl Subject for Subjected {
    fn new(start: Start, variant: usize) -> Self {
        let (hashing, idle) = match variant {
            0 => (Hashing::Spread, None),
            1 => (Hashing::OneBucket, None),
            2 => (Hashing::OneHash, None),
            _ => (Hashing::Spread, Some(seconds(60))),
        };
        let clock = ManualClock::new();
        let cache = build(&clock, hashing, idle);
        let on = Subjected { cache, clock, ledger: Ledger::new(), hashing, others: AtomicU64::new(1_000) };
        for number in 0..BYSTANDERS {
            let ttl = if number % 2 == 1 { seconds(90) } else { seconds(100_000) };
            on.cache.insert_with_ttl(on.key(number), on.value(number), ttl);
        }
        if start != Start::Absent {
            let ttl = if start == Start::Due { seconds(1) } else { seconds(80) };
            on.cache.insert_with_ttl(on.key(KEY), on.value(FIRST), ttl);
            on.clock.advance(seconds(1));
        }
        on
    }

    fn acts() -> Vec<Act<Self>> {
        acts()
    }

    fn state(&self) -> State {
        self.cache.peek(&PROBE).map(Value::number)
    }

    fn check_bystanders(&self) {
        for number in 0..BYSTANDERS {
            let seen = self.cache.peek(&Probe(number)).map(Value::number);
            assert_eq!(seen, Some(number), "a bystander is lost, or changed");
        }
    }

    fn contained_panics(&self) -> u64 {
        self.cache.stats().contained_panics
    }

    fn finish(self) {
        let left = assert_sound(&self.cache);
        assert!(left.keys().all(|key| self.cache.contains_key(key)));
        drop(left);
        end_of_time(&self.clock);
        // A record that was lost leaves its entry in memory, and in `len`.
        let left = assert_sound(&self.cache);
        let immortal = self.cache.stats().entries;
        assert!(immortal <= BYSTANDERS / 2, "{left:?} should have expired");
        drop(left);
        for number in 0..2 * BYSTANDERS {
            self.cache.insert(self.key(number), self.value(number));
            assert!(self.cache.contains_key(&Probe(number)));
            assert!(number % 2 == 0 || self.cache.remove(&Probe(number)));
        }
        drop(self.cache);
        self.ledger.settles_at(0);
    }
}

fn yes(answer: bool) -> Answer {
    Some(u64::from(answer))
}

fn said(outcome: Outcome) -> Answer {
    Some(match outcome {
        Outcome::Absent => 0,
        Outcome::Inserted => 1,
        Outcome::Replaced => 2,
        Outcome::Removed => 3,
        Outcome::Kept => 4,
    })
}

fn put(value: u64) -> impl Fn(State) -> (Answer, State) {
    move |state| (Some(if state.is_some() { 2 } else { 1 }), Some(value))
}

fn acts() -> Vec<Act<Subjected>> {
    [writes(), closures(), reads(), walks(), others()].into_iter().flatten().collect()
}

fn writes() -> Vec<Act<Subjected>> {
    fn given_back(result: Result<(), (Key, Value)>) -> Answer {
        yes(result.map_err(|(key, value)| (key.number(), value.number())).is_ok())
    }
    vec![
        Act::new(
            "insert",
            |on| yes(on.cache.insert(on.key(KEY), on.value(1))),
            |state| (yes(state.is_none()), Some(1)),
        ),
        Act::new(
            "insert, dead on arrival",
            |on| yes(on.cache.insert_with_ttl(on.key(KEY), on.value(1), Duration::ZERO)),
            |state| (yes(state.is_none()), None),
        ),
        Act::new(
            "insert_until",
            |on| yes(on.cache.insert_until(on.key(KEY), on.value(8), on.clock.instant() + seconds(50))),
            |state| (yes(state.is_none()), Some(8)),
        ),
        Act::new(
            "insert_if_absent",
            |on| given_back(on.cache.insert_if_absent(on.key(KEY), on.value(2))),
            |state| (yes(state.is_none()), state.or(Some(2))),
        ),
        Act::new(
            "replace",
            |on| given_back(on.cache.replace(on.key(KEY), on.value(3))),
            |state| (yes(state.is_some()), state.and(Some(3))),
        ),
        Act::new("touch", |on| yes(on.cache.touch(&PROBE, seconds(50))), |state| (yes(state.is_some()), state)),
        Act::new(
            "touch, longer",
            |on| yes(on.cache.touch(&PROBE, seconds(200))),
            |state| (yes(state.is_some()), state),
        ),
        Act::new("touch, dead", |on| yes(on.cache.touch(&PROBE, Duration::ZERO)), |state| (yes(state.is_some()), None)),
        Act::new("remove", |on| yes(on.cache.remove(&PROBE)), |state| (yes(state.is_some()), None)),
        Act::new("take", |on| on.cache.take(&PROBE).map(Value::number), |state| (state, None)),
    ]
}

fn closures() -> Vec<Act<Subjected>> {
    fn update(on: &Subjected) -> Answer {
        yes(on.cache.update(&PROBE, |value| {
            at(Place::Closure);
            on.value(value.peek() + 100)
        }))
    }
    fn compute(on: &Subjected, op: impl Fn() -> Op<Value>) -> Answer {
        said(on.cache.compute(on.key(KEY), |_| {
            at(Place::Closure);
            op()
        }))
    }
    fn load(on: &Subjected) -> Answer {
        let load = || {
            at(Place::Loader);
            on.value(6)
        };
        Some(on.cache.get_or_insert_with(on.key(KEY), load).number())
    }
    fn fail(on: &Subjected) -> Answer {
        let load = || {
            at(Place::Loader);
            Err("no")
        };
        on.cache.try_get_or_insert_with(on.key(KEY), load).ok().map(Value::number)
    }
    let here = |act: Act<Subjected>| Act { drops_here: true, ..act };
    let loads = |act: Act<Subjected>| Act { loads: Some(KEY), drops_here: true, ..act };
    vec![
        Act {
            settles: true,
            ..Act::new("update", update, |state| (yes(state.is_some()), state.map(|value| value + 100)))
        },
        Act {
            settles: true,
            ..here(Act::new("compute, put", |on| compute(on, || Op::Put(on.value(4))), |state| put(4)(state)))
        },
        here(Act::new(
            "compute, put with ttl",
            |on| compute(on, || Op::PutWithTtl(on.value(5), seconds(50))),
            |state| put(5)(state),
        )),
        here(Act::new(
            "compute, remove",
            |on| compute(on, || Op::Remove),
            |state| (Some(if state.is_some() { 3 } else { 0 }), None),
        )),
        here(Act::new(
            "compute, keep",
            |on| compute(on, || Op::Keep),
            |state| (Some(if state.is_some() { 4 } else { 0 }), state),
        )),
        Act::new(
            "remove_if",
            |on| {
                yes(on.cache.remove_if(&PROBE, |_| {
                    at(Place::Closure);
                    true
                }))
            },
            |state| (yes(state.is_some()), None),
        ),
        loads(Act::new("get_or_insert_with", load, |state| (state.or(Some(6)), state.or(Some(6))))),
        loads(Act::new("try_get_or_insert_with, failing", fail, |state| (state, state))),
    ]
}

fn reads() -> Vec<Act<Subjected>> {
    fn read(on: &Subjected) -> Answer {
        on.cache.read(&PROBE, |value| {
            at(Place::Closure);
            value.peek()
        })
    }
    fn get_many(on: &Subjected) -> Answer {
        let mut found = None;
        on.cache.get_many(&[Probe(1_000_000), PROBE, Probe(2)], |probe, value| {
            at(Place::Closure);
            if probe.0 == KEY {
                found = value.map(Value::peek);
            }
        });
        found
    }
    fn pinned(on: &Subjected) -> Answer {
        let pinned = on.cache.pin();
        let value = pinned.get(&PROBE)?;
        at(Place::Consumer);
        Some(value.peek())
    }
    let same = |state| (state, state);
    vec![
        Act::new("get", |on| on.cache.get(&PROBE).map(Value::number), same),
        Act::new("peek", |on| on.cache.peek(&PROBE).map(Value::number), same),
        Act::new("read", read, same),
        Act::new("get_many", get_many, same),
        Act::new("pin", pinned, same),
        Act::new("contains_key", |on| yes(on.cache.contains_key(&PROBE)), |state| (yes(state.is_some()), state)),
        Act::new("get_with_deadline", |on| on.cache.get_with_deadline(&PROBE).map(|(value, _)| value.number()), same),
        Act::new("get_and_touch", |on| on.cache.get_and_touch(&PROBE, seconds(70)).map(Value::number), same),
    ]
}

fn walks() -> Vec<Act<Subjected>> {
    fn iterate(on: &Subjected) -> Answer {
        let mut found = Vec::new();
        for (key, value) in on.cache.iter() {
            let (key, value) = (key.number(), value.number());
            at(Place::Consumer);
            if key == KEY {
                found.push(value);
            }
        }
        assert!(found.len() <= 1, "a walk saw the key twice: {found:?}");
        found.pop()
    }
    fn iterate_pinned(on: &Subjected) -> Answer {
        let pinned = on.cache.pin();
        let mut found = Vec::new();
        for (key, value) in pinned.iter() {
            at(Place::Consumer);
            if *std::borrow::Borrow::<Probe>::borrow(key) == PROBE {
                found.push(value.peek());
            }
        }
        assert!(found.len() <= 1, "a walk saw the key twice: {found:?}");
        found.pop()
    }
    fn retain(on: &Subjected) -> Answer {
        on.cache.retain(|key, _| {
            at(Place::Closure);
            *std::borrow::Borrow::<Probe>::borrow(key) != PROBE
        });
        None
    }
    fn clear(on: &Subjected) -> Answer {
        on.cache.clear();
        None
    }
    fn sweep(on: &Subjected) -> Answer {
        on.cache.sweep();
        None
    }
    fn expire(on: &Subjected) -> Answer {
        on.clock.advance(seconds(250));
        on.cache.sweep();
        None
    }
    vec![
        Act::new("iter", iterate, |state| (state, state)),
        Act::new("pinned iter", iterate_pinned, |state| (state, state)),
        Act { walks: true, ..Act::new("retain", retain, |_| (None, None)) },
        Act { clears: true, walks: true, ..Act::new("clear", clear, |_| (None, None)) },
        Act::new("sweep", sweep, |state| (None, state)),
        Act { clears: true, expires: true, ..Act::new("sweep of what expired", expire, |_| (None, None)) },
    ]
}

fn others() -> Vec<Act<Subjected>> {
    fn grow(on: &Subjected) -> Answer {
        let first = on.others.fetch_add(MANY, Ordering::Relaxed);
        for number in first..first + MANY {
            assert!(on.cache.insert(on.key(number), on.value(number)), "nobody else uses this key");
        }
        for number in first..first + MANY {
            on.cache.remove(&Probe(number));
        }
        None
    }
    fn count(on: &Subjected) -> Answer {
        let stats = on.cache.stats();
        assert!(on.cache.len() as u64 == stats.entries);
        None
    }
    fn stop(on: &Subjected) -> Answer {
        on.cache.stop_cleanup();
        on.cache.downgrade().upgrade().expect("the caller holds it").stop_cleanup();
        None
    }
    fn load_another(on: &Subjected) -> Answer {
        let loaded = on.cache.get_or_insert_with(on.key(40), || on.value(41)).number();
        assert_eq!(loaded, 41);
        on.cache.remove(&Probe(40));
        None
    }
    fn drop_another(on: &Subjected) -> Answer {
        let other = build(&on.clock, on.hashing, None);
        for number in 0..3 {
            other.insert(on.key(number), on.value(number));
        }
        drop(other);
        None
    }
    let same = |state| (None, state);
    vec![
        Act::new("grow", grow, same),
        Act::new("count", count, same),
        Act::new("stop_cleanup", stop, same),
        Act { loads: Some(40), drops_here: true, ..Act::new("load another", load_another, same) },
        Act::new("drop another cache", drop_another, same),
    ]
}
