//! Random sequences of operations against a naive twin, under a manual clock. Catches any single-threaded answer that
//! differs from the model: liveness at the deadline, lost or revived entries, wrong counts, wrong or repeated reports.

mod common;

#[path = "common/cache_twin.rs"]
mod cache_twin;
#[path = "common/store_twin.rs"]
mod store_twin;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, any, proptest};

fn cache_operations(longest: usize) -> impl Strategy<Value = Vec<cache_twin::Op>> {
    vec(any::<[u8; 4]>().prop_map(cache_twin::Op::from_bytes), 0..longest)
}

fn store_operations(longest: usize) -> impl Strategy<Value = Vec<store_twin::Op>> {
    vec(any::<[u8; 4]>().prop_map(store_twin::Op::from_bytes), 0..longest)
}

fn cases(count: u32) -> ProptestConfig {
    let count = count.saturating_mul(u32::try_from(common::stress_factor()).unwrap_or(u32::MAX));
    ProptestConfig { cases: count, failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn short_sequences_on_a_cache_agree_with_the_twin(ops in cache_operations(30)) {
        cache_twin::check(&ops);
    }

    #[test]
    fn short_sequences_on_a_store_agree_with_the_twin(ops in store_operations(30)) {
        store_twin::check(&ops);
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn long_sequences_on_a_cache_agree_with_the_twin(ops in cache_operations(800)) {
        cache_twin::check(&ops);
    }

    #[test]
    fn long_sequences_on_a_store_agree_with_the_twin(ops in store_operations(800)) {
        store_twin::check(&ops);
    }
}

/// Catches a generator that has stopped making some operation: each kind must occur among a few thousand.
#[test]
fn the_generators_make_every_operation() {
    let mut random = common::Random::new(1);
    let mut draw = || random.next().to_le_bytes()[3..7].try_into().expect("four bytes");
    let name = |debug: String| debug.split('(').next().expect("a name").to_owned();
    let cache: std::collections::HashSet<String> =
        (0..20_000).map(|_| name(format!("{:?}", cache_twin::Op::from_bytes(draw())))).collect();
    let store: std::collections::HashSet<String> =
        (0..20_000).map(|_| name(format!("{:?}", store_twin::Op::from_bytes(draw())))).collect();
    assert_eq!(cache.len(), 33, "{cache:?}");
    assert_eq!(store.len(), 20, "{store:?}");
}
