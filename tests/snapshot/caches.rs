//! Of caches: keys and values of any type that serde knows.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fleeting::snapshot::{LoadErrorKind, SaveErrorKind};
use fleeting::{Cache, ManualClock};
use serde::{Deserialize, Serialize};

use crate::common::{assert_sound, manual_cache, seconds};
use crate::{at, restarted, saved, small};

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
enum Key {
    Number(u64),
    Name { first: String, last: Option<String> },
}

fn file_of<K, V>(cache: &Cache<K, V>) -> Vec<u8>
where
    K: std::hash::Hash + Eq + Serialize + for<'a> Deserialize<'a> + Send + Sync + 'static,
    V: Serialize + for<'a> Deserialize<'a> + Send + Sync + 'static,
{
    let mut file = Vec::new();
    cache.save_to(&mut file).expect("saved into memory");
    file
}

/// A cache whose clocks begin so many seconds later by the wall, with an idle time, if it is not zero.
fn later<V: Send + Sync + 'static>(after: u64, idle: u64) -> (Cache<u32, V>, ManualClock) {
    let clock = ManualClock::starting_at(at(after));
    let builder = Cache::builder().cleanup_interval(Duration::ZERO).clock(clock.clone());
    let builder = if idle > 0 { builder.time_to_idle(seconds(idle)) } else { builder };
    (builder.build().expect("plain"), clock)
}

/// Catches a key, value or deadline that comes back otherwise.
#[test]
fn entries_come_back() {
    let clock = ManualClock::starting_at(at(0));
    let build = |clock: &ManualClock| {
        Cache::<Key, Vec<f64>>::builder().cleanup_interval(Duration::ZERO).clock(clock.clone()).build().expect("plain")
    };
    let cache = build(&clock);
    cache.insert(Key::Number(7), vec![0.5, -1.0]);
    let name = Key::Name { first: "Ada".into(), last: None };
    cache.insert_with_ttl(name.clone(), vec![], seconds(60));
    let file = file_of(&cache);
    let clock = ManualClock::starting_at(at(59));
    let other = build(&clock);
    assert_eq!(other.load_from(&file[..]).expect("whole").loaded, 2);
    assert_eq!(other.iter().collect::<BTreeMap<_, _>>().len(), 2);
    assert_eq!(other.get(&Key::Number(7)), Some(vec![0.5, -1.0]));
    clock.advance(seconds(1));
    assert_eq!(other.get(&name), None);
    clock.advance(seconds(1_000_000));
    assert!(other.contains_key(&Key::Number(7)), "what has no deadline has none");
    assert_sound(&other);
}

/// Catches an idle time that the restart renews, one that is lost, and a time to live that reads then extend.
#[test]
fn both_ends_of_an_idle_cache_come_back() {
    let (cache, clock) = later(0, 10);
    cache.insert_with_ttl(1, 'a', seconds(25));
    clock.advance(seconds(4));
    assert!(cache.touch(&1, seconds(21)), "idle until 14, to live until 25");
    let file = file_of(&cache);

    let (other, _) = later::<char>(14, 10);
    assert_eq!(other.load_from(&file[..]).expect("whole").expired, 1, "idle for too long while down");

    let (other, clock) = later::<char>(13, 10);
    assert_eq!(other.load_from(&file[..]).expect("whole").loaded, 1);
    clock.advance(seconds(1));
    assert_eq!(other.peek(&1), None, "the restart did not renew it");

    let (other, clock) = later::<char>(13, 10);
    assert_eq!(other.load_from(&file[..]).expect("whole").loaded, 1);
    assert_eq!(other.get(&1), Some('a'), "read: idle until 23");
    clock.advance(seconds(9));
    assert_eq!(other.get(&1), Some('a'), "read: idle until 32, but to live until 25");
    clock.advance(seconds(3));
    assert_eq!(other.get(&1), None);
    assert_sound(&other);
}

/// Catches entries that nothing ends, or that end too early, where only one of two caches has an idle time.
#[test]
fn an_idle_time_may_come_and_go() {
    let (cache, _) = later(0, 10);
    cache.insert_with_ttl(1, 'a', seconds(25));
    let (other, clock) = later::<char>(5, 0);
    other.load_from(&file_of(&cache)[..]).expect("whole");
    clock.advance(seconds(19));
    assert_eq!(other.get(&1), Some('a'));
    clock.advance(seconds(1));
    assert_eq!(other.get(&1), None, "it has lived for 25 seconds");

    let (cache, _) = later(0, 0);
    cache.insert(1, 'a');
    let (other, clock) = later::<char>(5, 10);
    other.load_from(&file_of(&cache)[..]).expect("whole");
    clock.advance(seconds(10));
    assert_eq!(other.get(&1), None, "nobody read it");
}

/// Catches bytes of other types that are taken for the cache's, or left over; and an error that prints them.
#[test]
fn other_types_are_refused() {
    let (cache, _) = manual_cache::<u32, String>();
    cache.insert(1, "secret".repeat(50));
    let file = file_of(&cache);
    let error = manual_cache::<u32, u8>().0.load_from(&file[..]).expect_err("no number");
    assert_eq!((error.kind(), error.offset()), (LoadErrorKind::Decode, 28));
    let error = manual_cache::<u32, [bool; 4]>().0.load_from(&file[..]).expect_err("no booleans");
    assert_eq!(error.kind(), LoadErrorKind::Decode);
    assert!(!format!("{error} {error:?} {:?}", std::error::Error::source(&error)).contains("secret"));
    let error = manual_cache::<u32, String>().0.snapshot().schema(1).load_from(&file[..]).expect_err("other schema");
    assert_eq!((error.kind(), error.offset()), (LoadErrorKind::OtherSchema(0), 0));
}

/// Catches a store's snapshot that is taken for a cache's, or the other way round: both are bytes and bytes.
#[test]
fn stores_and_caches_are_told_apart() {
    let (cache, _) = manual_cache::<Vec<u8>, Vec<u8>>();
    let error = cache.load_from(&saved(&small())[..]).expect_err("a store's");
    assert_eq!(error.kind(), LoadErrorKind::OtherContents);
    let error = restarted(0).0.load_from(&file_of(&cache)[..]).expect_err("a cache's");
    assert_eq!(error.kind(), LoadErrorKind::OtherContents);
}

/// Catches a value that cannot be encoded, and is passed by.
#[test]
fn what_cannot_be_encoded_is_an_error() {
    #[derive(Deserialize)]
    struct Stubborn;
    impl Serialize for Stubborn {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("never"))
        }
    }
    let (cache, _) = manual_cache::<u32, Stubborn>();
    cache.insert(1, Stubborn);
    let error = cache.save_to(std::io::sink()).expect_err("it refuses");
    assert_eq!(error.kind(), SaveErrorKind::Encode);
}

static PANICS: AtomicBool = AtomicBool::new(false);

fn provoke(number: u32) {
    if number == 50 && PANICS.load(Ordering::Relaxed) {
        resume_unwind(Box::new(()));
    }
}

#[derive(Clone, PartialEq, Debug)]
struct Panics(u32);

impl Serialize for Panics {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        provoke(self.0);
        self.0.serialize(serializer)
    }
}

impl<'a> Deserialize<'a> for Panics {
    fn deserialize<D: serde::Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        provoke(number);
        Ok(Panics(number))
    }
}

/// Catches a cache that a panic in the user's encoding leaves unsound, and a pin that stays.
#[test]
fn encodings_may_panic() {
    let (cache, _) = manual_cache::<u32, Panics>();
    (0..100).for_each(|key| assert!(cache.insert(key, Panics(key))));
    let file = file_of(&cache);
    PANICS.store(true, Ordering::Relaxed);
    assert!(catch_unwind(AssertUnwindSafe(|| cache.save_to(std::io::sink()))).is_err());
    let (other, _) = manual_cache::<u32, Panics>();
    assert!(catch_unwind(AssertUnwindSafe(|| other.load_from(&file[..]))).is_err());
    PANICS.store(false, Ordering::Relaxed);
    assert_eq!(cache.save_to(std::io::sink()).expect("saved").records, 100);
    let before = other.len() as u64;
    let loaded = other.load_from(&file[..]).expect("whole");
    assert_eq!((loaded.loaded, loaded.already_present), (100 - before, before));
    assert_sound(&cache);
    assert_sound(&other);
}
