//! Bugs that were found once, each by its smallest input. A test that hangs has failed.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher, RandomState};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use fleeting::{Cache, Clock, ManualClock, MemStore, Op, Outcome};

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

fn cache(clock: &ManualClock) -> Cache<u64, u64> {
    Cache::builder().clock(clock.clone()).cleanup_interval(Duration::ZERO).build().expect("sane")
}

/// All keys have one hash.
#[derive(Clone, Default)]
struct Constant;

impl BuildHasher for Constant {
    type Hasher = Constant;
    fn build_hasher(&self) -> Constant {
        Constant
    }
}

impl Hasher for Constant {
    fn finish(&self) -> u64 {
        7
    }
    fn write(&mut self, _: &[u8]) {}
}

/// What a sweep filed again while it emptied a pile went ahead of its walk: it never ended.
#[test]
fn a_sweep_within_the_tick_of_a_live_entry_ends() {
    let clock = ManualClock::new();
    let cache = cache(&clock);
    clock.advance(21 * MILLISECOND);
    cache.insert_with_ttl(1, 1, MILLISECOND);
    assert_eq!(cache.sweep(), 0);
    assert_eq!(cache.get(&1), Some(1));
    clock.advance(MILLISECOND);
    assert_eq!(cache.sweep(), 1);
}

/// With every earlier tick being emptied, covering an entry filed records for ever.
#[test]
fn an_entry_is_covered_when_the_first_ticks_are_being_emptied() {
    let clock = ManualClock::new();
    let cache = cache(&clock);
    for _ in 0..5_000 {
        cache.insert_with_ttl(1, 1, MILLISECOND);
        cache.remove(&1);
    }
    cache.insert_with_ttl(1, 1, MILLISECOND);
    assert!(cache.stats().records < 5_000);
    clock.advance(10 * MILLISECOND);
    assert_eq!(cache.sweep(), 1);
    assert_eq!(cache.stats().records, 0);
}

/// The stale records of a live key were conserved by being filed again, each.
#[test]
fn the_records_of_one_key_that_comes_and_goes_stay_bounded() {
    let clock = ManualClock::new();
    let cache = cache(&clock);
    for _ in 0..100_000 {
        cache.insert_with_ttl(1, 1, HOUR);
        cache.remove(&1);
    }
    cache.insert_with_ttl(1, 1, HOUR);
    assert!(cache.stats().records < 1_200, "{:?}", cache.stats());
    clock.advance(HOUR);
    assert_eq!(cache.sweep(), 1);
}

/// Each record of one hash filed all entries of that hash again.
#[test]
fn records_of_equal_hashes_do_not_multiply() {
    let clock = ManualClock::new();
    let builder = Cache::<u64, u64>::builder().hasher(Constant).clock(clock.clone());
    let cache = builder.cleanup_interval(Duration::ZERO).build().expect("sane");
    for key in 0..40 {
        cache.insert_with_ttl(key, key, Duration::from_secs(100));
    }
    // Within the last tick before they are due: an exact sweep looks at all of them, each time.
    clock.advance(Duration::from_millis(99_990));
    for _ in 0..20 {
        assert_eq!(cache.sweep(), 0);
        assert_eq!(cache.stats().records, 40);
        clock.advance(MILLISECOND / 4);
    }
    clock.advance(Duration::from_millis(10));
    assert_eq!(cache.sweep(), 40);
}

/// Nine tenths of sixty thousand are removed: the records of these are dropped early, the live ones' are kept.
#[test]
fn stale_records_are_taken_early() {
    let clock = ManualClock::new();
    let cache = cache(&clock);
    for key in 0..60_000 {
        cache.insert_with_ttl(key, key, HOUR / 2);
    }
    for key in (0..60_000).filter(|key| key % 10 != 0) {
        cache.remove(&key);
    }
    assert_eq!(cache.sweep(), 0);
    assert!(cache.stats().records <= 2 * 6_000 + 1_024, "{:?}", cache.stats());
    clock.advance(HOUR / 2);
    assert_eq!(cache.sweep(), 6_000);
}

/// A closure that writes another key of the same bucket made its own update start over, for ever.
#[test]
fn a_closure_may_write_to_its_neighbours() {
    let clock = ManualClock::new();
    let cache = cache(&clock);
    cache.insert(1_000, 0);
    let mut runs = 0;
    for other in 0..64 {
        assert!(cache.update(&1_000, |value| {
            runs += 1;
            cache.insert(other, 0);
            value + 1
        }));
    }
    assert_eq!((runs, cache.get(&1_000)), (64, Some(64)));
}

/// A touch into the past that met a replacement said that it had ended the entry, which lived on.
#[test]
fn a_touch_into_the_past_removes() {
    let clock = ManualClock::new();
    let cache = cache(&clock);
    cache.insert(1, 1);
    assert!(cache.touch(&1, Duration::ZERO));
    assert_eq!((cache.len(), cache.get(&1)), (0, None));
    assert!(!cache.touch(&1, Duration::ZERO));
}

/// `clear` left what had expired and was not swept yet.
#[test]
fn clear_leaves_nothing() {
    let clock = ManualClock::new();
    let cache = cache(&clock);
    cache.insert_with_ttl(1, 1, MILLISECOND);
    cache.insert(2, 2);
    clock.advance(MILLISECOND);
    cache.clear();
    assert_eq!(cache.len(), 0);
}

/// An update under an idle time copied the cap too early, so that a touch in between was undone by the next hit.
#[test]
fn an_update_keeps_the_touched_time_to_live() {
    let clock = ManualClock::new();
    let builder = Cache::<u64, u64>::builder().clock(clock.clone()).cleanup_interval(Duration::ZERO);
    let cache = builder.time_to_live(HOUR / 60).time_to_idle(HOUR / 2).build().expect("sane");
    cache.insert(1, 1);
    assert!(cache.update(&1, |value| {
        cache.touch(&1, HOUR);
        value + 1
    }));
    assert_eq!(cache.get(&1), Some(2));
    clock.advance(HOUR / 4);
    assert_eq!(cache.get(&1), Some(2), "lives by the touch, not by the first time to live");
}

/// A capacity without memory for it aborted.
#[test]
fn a_capacity_that_cannot_be_had_is_an_error() {
    for capacity in [1 << 50, usize::MAX] {
        let error = Cache::<u64, u64>::builder().capacity(capacity).build().expect_err("too large");
        assert_eq!(error.field(), "capacity");
    }
}

/// Keys were hashed by `BuildHasher::hash_one`, which ahash specializes by type on nightly: a key was not found by its borrowed form.
#[test]
fn a_key_is_found_by_its_borrowed_form_whatever_hash_one_does() {
    #[derive(Default)]
    struct Specialized(RandomState);
    impl BuildHasher for Specialized {
        type Hasher = DefaultHasher;
        fn build_hasher(&self) -> DefaultHasher {
            self.0.build_hasher()
        }
        fn hash_one<T: Hash>(&self, key: T) -> u64 {
            let mut hasher = self.build_hasher();
            std::any::type_name::<T>().hash(&mut hasher);
            key.hash(&mut hasher);
            hasher.finish()
        }
    }
    let builder = Cache::<Arc<str>, u64>::builder().cleanup_interval(Duration::ZERO).hasher(Specialized::default());
    let cache = builder.build().expect("sane");
    cache.insert("key".into(), 1);
    assert_eq!(cache.get("key"), Some(1));
    assert!(cache.remove("key"));
}

/// A clock that does something at its second reading from now on, once.
struct Interrupting {
    clock: ManualClock,
    readings: AtomicUsize,
    deed: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

/// A handle to it.
struct Shared(Arc<Interrupting>);

impl Clock for Shared {
    fn elapsed(&self) -> Duration {
        if self.0.readings.fetch_add(1, Relaxed) == 1
            && let Some(deed) = self.0.deed.lock().expect("no panic").take()
        {
            deed();
        }
        self.0.clock.elapsed()
    }
    fn origin(&self) -> std::time::Instant {
        self.0.clock.origin()
    }
}

/// A write whose time to live ended before it came in answered by what it had seen when it was not yet dead: here, that the key had no entry,
/// though it has had one since before that time.
#[test]
fn what_dies_while_it_comes_in_answers_by_what_is_there_then() {
    for reading in 0..4 {
        let clock = ManualClock::new();
        let deed = Mutex::new(None);
        let interrupting = Arc::new(Interrupting { clock: clock.clone(), readings: AtomicUsize::new(9), deed });
        let builder = Cache::builder().clock(Shared(interrupting.clone())).cleanup_interval(Duration::ZERO);
        let cache = builder.build().expect("sane");
        let other = cache.downgrade();
        *interrupting.deed.lock().expect("no panic") = Some(Box::new(move || {
            let cache = other.upgrade().expect("in use");
            cache.insert_with_ttl(1, 10, HOUR);
            assert_eq!(cache.get(&1), Some(10));
            clock.advance(MILLISECOND);
        }));
        // The deed is done at another reading of the insert's each time.
        interrupting.readings.store(1_usize.wrapping_sub(reading), Relaxed);
        let was_absent = cache.insert_with_ttl(1, 20, MILLISECOND);
        if interrupting.deed.lock().expect("no panic").is_none() {
            assert!(
                !was_absent,
                "at reading {reading}: the entry of an hour was there at every moment since the insert was dead"
            );
            let expected = (reading == 0).then_some(20);
            assert_eq!(cache.get(&1), expected, "at reading {reading}: and it is gone");
        }
    }
}

/// A closure saw an entry live, whose deadline came before the new time to live began: the write came before the one and after the other.
#[test]
fn a_time_to_live_does_not_begin_after_the_end_of_what_it_replaces() {
    let clock = ManualClock::new();
    let cache = cache(&clock);
    cache.insert_with_ttl(1, 1, MILLISECOND);
    let mut seen = Vec::new();
    let outcome = cache.compute(1, |value| {
        seen.push(value.copied());
        // Before the time to live is counted.
        clock.advance(MILLISECOND);
        Op::PutWithTtl(2, HOUR)
    });
    assert_eq!((outcome, seen), (Outcome::Inserted, vec![Some(1), None]));
    assert_eq!(cache.get(&1), Some(2));
    assert_eq!(cache.stats().expired, 1);
}

/// Each of many records of one hash looked at all entries of that hash, anew for each entry, and in a list of those it had seen: n to the fourth.
#[test]
fn sweeps_of_equal_hashes_end() {
    /// So many took minutes.
    const EQUAL: u64 = 1_000;
    #[derive(Default)]
    struct Equal(DefaultHasher);
    impl Hasher for Equal {
        fn write(&mut self, _: &[u8]) {}
        fn finish(&self) -> u64 {
            self.0.finish()
        }
    }
    let clock = ManualClock::new();
    let builder = Cache::<u64, u64>::builder().clock(clock.clone()).cleanup_interval(Duration::ZERO);
    let cache = builder.hasher(BuildHasherDefault::<Equal>::default()).build().expect("sane");
    for key in 0..EQUAL {
        cache.insert(key, key);
        cache.insert_with_ttl(EQUAL + key, key, HOUR);
    }
    clock.advance(HOUR);
    assert_eq!(cache.sweep() as u64, EQUAL);
    assert_eq!(cache.len() as u64, EQUAL);
}

/// A clock that runs deeds after some of its readings, which return the time from before.
#[derive(Clone)]
struct Pausing {
    clock: ManualClock,
    /// Readings left until the next deed, and the deed.
    deeds: Arc<Mutex<Vec<Deed>>>,
}

type Deed = (usize, Box<dyn FnOnce() + Send>);

impl Pausing {
    fn after(&self, readings: usize, deed: impl FnOnce() + Send + 'static) {
        self.deeds.lock().expect("no panic").push((readings, Box::new(deed)));
    }
}

impl Clock for Pausing {
    fn elapsed(&self) -> Duration {
        let now = self.clock.elapsed();
        let due = {
            let mut deeds = self.deeds.lock().expect("no panic");
            match deeds.last_mut() {
                Some((0, _)) => deeds.pop(),
                Some((readings, _)) => {
                    *readings -= 1;
                    None
                }
                None => None,
            }
        };
        if let Some((_, deed)) = due {
            deed();
        }
        now
    }
    fn origin(&self) -> std::time::Instant {
        self.clock.origin()
    }
}

/// A reader took the time, then the deadline. Between them a touch came so late that its deadline had come, after others had seen the entry
/// live beyond it: the reader answered by that deadline, and by its old time.
#[test]
fn a_deadline_that_comes_late_is_not_judged_by_an_earlier_time() {
    let mut late = 0;
    for (reading, touching) in (0..8).flat_map(|reading| (0..8).map(move |touching| (reading, touching))) {
        let clock = Pausing { clock: ManualClock::new(), deeds: Arc::default() };
        let builder = Cache::builder().clock(clock.clone()).cleanup_interval(Duration::ZERO);
        let cache = builder.build().expect("sane");
        cache.insert_with_ttl(1, 10, HOUR);
        let deadline = clock.clock.instant() + HOUR;
        let was_late = Arc::new(Mutex::new(false));
        let (weak, other, outer) = (cache.downgrade(), clock.clone(), was_late.clone());
        clock.after(reading, move || {
            let cache = weak.upgrade().expect("in use");
            let seen = Arc::new(Mutex::new(false));
            let (weak, manual, inner) = (cache.downgrade(), other.clock.clone(), seen.clone());
            other.after(touching, move || {
                manual.advance(2 * Duration::from_secs(1));
                *inner.lock().expect("no panic") = weak.upgrade().expect("in use").get(&1).is_some();
            });
            let touched = cache.touch(&1, Duration::from_secs(1));
            other.deeds.lock().expect("no panic").clear();
            *outer.lock().expect("no panic") = touched && *seen.lock().expect("no panic");
        });
        let answer = cache.get_with_deadline(&1);
        clock.deeds.lock().expect("no panic").clear();
        if *was_late.lock().expect("no panic") {
            late += 1;
            assert!(
                answer.is_none() || answer == Some((10, Some(deadline))),
                "at readings {reading}, {touching}: {answer:?}, though others saw it live beyond that deadline"
            );
            assert_eq!(cache.get(&1), None, "at readings {reading}, {touching}");
        }
    }
    assert!(late > 0, "no touch came late: the test shows nothing");
}

/// An update that keeps the deadline had read it as live when a touch came so late that its own deadline had come, after others had seen
/// the entry live beyond it. The update inherited that deadline, and answered that it had updated what was gone.
#[test]
fn an_update_does_not_succeed_by_a_deadline_that_came_late() {
    let mut late = 0;
    for (reading, touching) in (0..8).flat_map(|reading| (0..8).map(move |touching| (reading, touching))) {
        let clock = Pausing { clock: ManualClock::new(), deeds: Arc::default() };
        let builder = Cache::builder().clock(clock.clone()).cleanup_interval(Duration::ZERO);
        let cache = builder.build().expect("sane");
        cache.insert_with_ttl(1, 10, HOUR);
        let touch = Arc::new(Mutex::new((false, false)));
        let (weak, other, outer) = (cache.downgrade(), clock.clone(), touch.clone());
        clock.after(reading, move || {
            let cache = weak.upgrade().expect("in use");
            let seen = Arc::new(Mutex::new(false));
            let (weak, manual, inner) = (cache.downgrade(), other.clock.clone(), seen.clone());
            other.after(touching, move || {
                manual.advance(2 * Duration::from_secs(1));
                *inner.lock().expect("no panic") = weak.upgrade().expect("in use").get(&1).is_some();
            });
            let touched = cache.get_and_touch(&1, Duration::from_secs(1)) == Some(10);
            other.deeds.lock().expect("no panic").clear();
            *outer.lock().expect("no panic") = (touched, *seen.lock().expect("no panic"));
        });
        let updated = cache.update(&1, |value| value + 1);
        clock.deeds.lock().expect("no panic").clear();
        if *touch.lock().expect("no panic") == (true, true) {
            late += 1;
            assert!(!updated, "at readings {reading}, {touching}: updated what was gone");
            assert_eq!((cache.get(&1), cache.len()), (None, 0), "at readings {reading}, {touching}");
        }
    }
    assert!(late > 0, "no touch came late: the test shows nothing");
}

/// A walk passed an entry by whose deadline had come, and did not decide its expiry: a `persist` that had seen it live then succeeded, so that
/// it was there throughout, and not seen.
#[test]
fn a_walk_decides_what_it_passes_by() {
    let mut late = 0;
    for reading in 0..6 {
        let clock = Pausing { clock: ManualClock::new(), deeds: Arc::default() };
        let builder = Cache::builder().clock(clock.clone()).cleanup_interval(Duration::ZERO);
        let cache = builder.build().expect("sane");
        cache.insert_with_ttl(1, 10, Duration::from_secs(1));
        let walked = Arc::new(Mutex::new(None));
        let (weak, manual, seen) = (cache.downgrade(), clock.clock.clone(), walked.clone());
        clock.after(reading, move || {
            manual.advance(Duration::from_secs(1));
            *seen.lock().expect("no panic") = Some(weak.upgrade().expect("in use").iter().count());
        });
        let persisted = cache.persist(&1);
        clock.deeds.lock().expect("no panic").clear();
        let walked = *walked.lock().expect("no panic");
        late += usize::from(walked == Some(0));
        assert!(!(persisted && walked == Some(0)), "at reading {reading}: it was there throughout");
        assert_eq!(cache.get(&1).is_some(), persisted, "at reading {reading}");
    }
    assert!(late > 0, "no persist was late: the test shows nothing");
}

/// Until the first tick after a store was made, the coarse clock shows a moment before its origin. That moment was taken for the origin, with the wall
/// clock's time of before: expiries came late by up to a tick.
#[test]
fn expiries_are_exact_from_the_first_moment_on() {
    for round in 0..50 {
        let store = MemStore::new(Duration::ZERO);
        let expiry = SystemTime::now() + HOUR;
        store.save("token", "data", expiry);
        assert_eq!(store.find_with_expiry("token").expect("live").1, expiry, "in round {round}");
        store.touch("token", SystemTime::now());
        assert!(store.find("token").is_none(), "in round {round}");
    }
}

/// A closure that wrote its own key whenever it ran was asked again for ever.
#[test]
fn a_closure_that_writes_its_own_key_each_time_panics() {
    type Writer = (&'static str, fn(&Cache<u64, u64>));
    let writers: [Writer; 6] = [
        ("update", |cache| {
            cache.update(&1, |value| {
                cache.insert(1, *value);
                value + 1
            });
        }),
        ("update by an update", |cache| {
            cache.update(&1, |value| {
                cache.update(&1, |value| value + 1);
                value + 1
            });
        }),
        ("compute", |cache| {
            cache.compute(1, |value| {
                cache.insert(1, 5);
                Op::Put(value.map_or(0, |value| value + 1))
            });
        }),
        ("compute what is not there", |cache| {
            cache.compute(2, |value| {
                cache.insert(2, 5);
                Op::Put(value.map_or(0, |value| value + 1))
            });
        }),
        ("remove_if", |cache| {
            cache.remove_if(&1, |value| {
                cache.insert(1, value + 1);
                true
            });
        }),
        ("a closure within a closure", |cache| {
            cache.update(&1, |value| {
                cache.insert(1, 7);
                cache.compute(3, |_| {
                    cache.insert(3, 7);
                    Op::Put(7)
                });
                value + 1
            });
        }),
    ];
    for (name, write) in writers {
        let cache = cache(&ManualClock::new());
        cache.insert(1, 1);
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| write(&cache))).expect_err(name);
        let message = panic.downcast_ref::<&str>().expect("a message");
        assert!(message.contains("its own key"), "{name}: {message}");
        // Nothing is left behind that would end another call.
        assert!(cache.update(&1, |value| value + 1), "{name}");
        assert!(cache.update(&1, |value| value + 1));
        assert_eq!(cache.len(), cache.iter().count());
    }
}

/// A closure may write its own key once or twice, remove it as often as it runs, look at it, and write others.
#[test]
fn a_closure_that_writes_its_own_key_now_and_then_is_asked_again() {
    let cache = cache(&ManualClock::new());
    for writes in 0..=2 {
        cache.insert(1, 10);
        let mut runs = 0;
        assert!(cache.update(&1, |value| {
            runs += 1;
            if runs <= writes {
                cache.insert(1, 10 * (runs + 1));
            }
            assert_eq!(cache.insert_if_absent(1, 0), Err((1, 0)));
            assert!(!cache.remove_if(&1, |_| false) && cache.touch(&1, HOUR));
            value + 1
        }));
        assert_eq!((runs, cache.get(&1)), (writes + 1, Some(10 * (writes + 1) + 1)), "by what it has written itself");
    }
    assert_eq!(cache.compute(1, |_| if cache.remove(&1) { Op::Put(1) } else { Op::Put(2) }), Outcome::Inserted);
    assert_eq!(cache.get(&1), Some(2));
}

/// Keys of one hash are not each other's, however often a closure is asked again since others write.
#[test]
fn a_closure_may_write_to_keys_of_its_hash() {
    let builder = Cache::<u64, u64>::builder().hasher(Constant).cleanup_interval(Duration::ZERO);
    let cache = builder.build().expect("sane");
    cache.insert(1, 0);
    let mut runs = 0;
    assert!(cache.update(&1, |value| {
        runs += 1;
        cache.insert(2, runs);
        if runs < 20 {
            // Another thread's write.
            std::thread::scope(|scope| scope.spawn(|| cache.insert(1, runs)).join().expect("no panic"));
        }
        value + 1
    }));
    assert_eq!((runs, cache.get(&1), cache.get(&2)), (20, Some(20), Some(20)));
}

/// Callbacks of what had expired came up to 1/64 of its time to live late: ten hours for a month. Within an interval
/// of the janitor they come, and each entry is filed a few times for that, not once an interval.
#[test]
fn callbacks_come_within_an_interval() {
    const ENTRIES: u64 = 1_000;
    const INTERVAL: Duration = Duration::from_secs(60);
    let month = 720 * HOUR;
    for (is_prompt, has_listener) in [(None, true), (Some(true), false), (None, false), (Some(false), true)] {
        let clock = ManualClock::new();
        let left = Arc::new(AtomicUsize::new(0));
        let mut builder = Cache::<u64, u64>::builder().clock(clock.clone()).cleanup_interval(Duration::from_millis(1));
        if let Some(is_prompt) = is_prompt {
            builder = builder.prompt_expiry(is_prompt);
        }
        if has_listener {
            let left = left.clone();
            builder = builder.on_removal(move |_, _, _| {
                left.fetch_add(1, Relaxed);
            });
        }
        let cache = builder.build().expect("sane");
        (0..ENTRIES).for_each(|key| assert!(cache.insert_with_ttl(key, key, month - (key as u32) * INTERVAL)));
        // A sweep of the janitor's, by the number of those that have ended.
        let sweep = || {
            let sweeps = cache.stats().sweeps;
            // One may be under way, by the former time.
            while cache.stats().sweeps < sweeps + 2 {
                std::thread::yield_now();
            }
        };
        let (is_prompt, mut is_late) = (is_prompt.unwrap_or(has_listener), false);
        clock.advance(month - (ENTRIES as u32) * INTERVAL);
        for due in 0..40 {
            sweep();
            assert!(!is_prompt || cache.len() as u64 == ENTRIES - due, "{} are left after {due}", cache.len());
            is_late |= cache.len() as u64 > ENTRIES - due;
            let told = if has_listener { ENTRIES as usize - cache.len() } else { 0 };
            assert_eq!(left.load(Relaxed), told);
            clock.advance(INTERVAL);
        }
        assert_eq!(is_late, !is_prompt);
        clock.advance(month);
        sweep();
        assert_eq!(cache.len(), 0);
    }
}

/// What promptness costs: each entry is filed anew when the pile that it stands in straddles now, and then in a
/// finer one. So often, and no more, however short the interval.
#[test]
fn prompt_expiry_files_each_entry_a_few_times() {
    const ENTRIES: u64 = 2_000;
    let clock = ManualClock::new();
    let cache = cache(&clock);
    let (month, interval) = (720 * HOUR, Duration::from_secs(300));
    (0..ENTRIES)
        .for_each(|key| assert!(cache.insert_with_ttl(key, key, month - (key as u32) * Duration::from_secs(7))));
    let mut sweeps = 0;
    while !cache.is_empty() {
        clock.advance(interval);
        // As the janitor's prompt sweep does.
        cache.sweep();
        sweeps += 1;
    }
    assert!(sweeps >= 8_600, "{sweeps}: it takes a month");
    let handled = cache.stats().records_handled;
    assert!((ENTRIES..=5 * ENTRIES).contains(&handled), "{handled} records for {ENTRIES} entries");
}
