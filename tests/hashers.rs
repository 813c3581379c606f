//! Hash functions at their worst: everything in one bucket, keys as they are, and keys alike but for their end.

mod common;

use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use common::{ConstantHasher, assert_sound, manual_store, seconds};
use fleeting::{Cache, ManualClock, RemovalCause};

/// Hashes a number to itself.
#[derive(Clone, Copy, Default)]
struct IdentityHasher;

struct IdentityState(u64);

impl BuildHasher for IdentityHasher {
    type Hasher = IdentityState;

    fn build_hasher(&self) -> IdentityState {
        IdentityState(0)
    }
}

impl Hasher for IdentityState {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8) | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

fn cache_with<S>(hasher: S) -> (Cache<u64, u64, S>, ManualClock)
where
    S: BuildHasher + Send + Sync + 'static,
{
    let clock = ManualClock::new();
    let builder = Cache::builder().hasher(hasher).cleanup_interval(Duration::ZERO).clock(clock.clone());
    (builder.build().expect("valid"), clock)
}

/// Inserts, finds, replaces, walks, removes and sweeps the keys, which must be distinct.
fn exercise<S>(hasher: S, keys: &[u64])
where
    S: BuildHasher + Send + Sync + 'static,
{
    let (cache, clock) = cache_with(hasher);
    for (at, key) in keys.iter().enumerate() {
        assert!(cache.insert_with_ttl(*key, !key, seconds(10)), "{key}");
        assert_eq!(cache.len(), at + 1);
    }
    for key in keys {
        assert_eq!(cache.get(key), Some(!key));
        assert_eq!(cache.get(&(key ^ (1 << 62) ^ 0x5A5A)), None);
    }
    let mut seen: Vec<u64> = cache.iter().map(|(key, _)| key).collect();
    seen.sort_unstable();
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    assert_eq!(seen, sorted);
    for key in keys.iter().step_by(2) {
        assert!(!cache.insert_with_ttl(*key, *key, seconds(5)));
    }
    for key in keys.iter().step_by(3) {
        assert!(cache.remove(key));
        assert!(!cache.remove(key));
    }
    let expected = |at: usize| match (at % 2, at % 3) {
        (_, 0) => None,
        (0, _) => Some(keys[at]),
        _ => Some(!keys[at]),
    };
    assert!((0..keys.len()).all(|at| cache.get(&keys[at]) == expected(at)));
    clock.advance(seconds(5));
    let due = (0..keys.len()).filter(|at| at % 2 == 0 && at % 3 != 0).count();
    assert_eq!(cache.sweep(), due);
    assert!((0..keys.len()).all(|at| cache.get(&keys[at]).is_some() == (at % 2 == 1 && at % 3 != 0)));
    let rest = assert_sound(&cache).len();
    clock.advance(seconds(5));
    assert_eq!(cache.sweep(), rest);
    // The slots that emptied are used again.
    for key in keys {
        assert!(cache.insert(*key, 1));
    }
    assert_eq!(assert_sound(&cache).len(), keys.len());
}

/// Catches a bucket that overflows, equality taken from the hash, and growth that never ends because it cannot help.
#[test]
fn two_thousand_keys_with_one_hash() {
    exercise(ConstantHasher, &(0..2_000).collect::<Vec<u64>>());
}

/// Catches a table indexed by bits that such keys do not have, or a tag taken from the same bits as the index.
#[test]
fn keys_that_hash_to_themselves() {
    let shapes: &[fn(u64) -> u64] = &[
        |number| number,
        |number| number << 8,
        |number| number << 32,
        |number| number << 52,
        |number| number.reverse_bits(),
        |number| number * 4_096 + 7,
        |number| u64::MAX - number,
    ];
    for shape in shapes {
        exercise(IdentityHasher, &(0..1_500).map(shape).collect::<Vec<u64>>());
    }
}

/// Catches a sweep that takes the neighbour: records name hashes, and here all entries share one.
#[test]
fn a_record_of_a_shared_hash_ends_only_what_is_due() {
    let clock = ManualClock::new();
    let removals = common::Removals::new();
    let log = removals.clone();
    let cache = Cache::builder()
        .hasher(ConstantHasher)
        .cleanup_interval(Duration::ZERO)
        .clock(clock.clone())
        .on_removal(move |key: &u64, value: &u64, cause| log.record(*key, *value, cause))
        .build()
        .expect("valid");
    for key in 0..300 {
        cache.insert_with_ttl(key, key, seconds(1 + key));
    }
    for second in 0..300 {
        clock.advance(seconds(1));
        assert_eq!(cache.sweep(), 1);
        assert_eq!(removals.drain(), [(second, second, RemovalCause::Expired)]);
    }
    assert!(assert_sound(&cache).is_empty());
}

/// Catches tokens confused because their hashes or beginnings are alike.
#[test]
fn tokens_that_differ_in_the_last_byte_only() {
    for length in [1, 2, 8, 9, 16, 17, 32, 33, 64, 200] {
        let (store, clock) = manual_store();
        let token = |last: u8| [&vec![b't'; length - 1][..], &[last]].concat();
        for last in 0..=255 {
            store.save_for(token(last), [last], seconds(1 + u64::from(last % 2)));
        }
        for last in 0..=255 {
            assert_eq!(store.read(token(last), <[u8]>::to_vec), Some(vec![last]));
        }
        assert!(store.find([token(0), vec![0]].concat()).is_none(), "a longer token");
        assert!(length == 1 || store.find(&token(0)[1..]).is_none(), "a shorter token");
        clock.advance(seconds(1));
        assert_eq!(store.sweep(), 128);
        assert!((0..=255).all(|last| store.find(token(last)).is_some() == (last % 2 == 1)));
        assert_eq!(common::assert_store_sound(&store).len(), 128);
    }
}
