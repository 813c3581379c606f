//! Random sequences of operations against a naive twin, under a manual clock. Catches any single-threaded answer that
//! differs from the model: liveness at the deadline, lost or revived entries, wrong counts, wrong or repeated reports.

mod common;

#[path = "common/cache_twin.rs"]
mod cache_twin;
#[path = "common/store_twin.rs"]
mod store_twin;

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, any, proptest};

fn cache_setups() -> impl Strategy<Value = cache_twin::Setup> {
    any::<u8>().prop_map(cache_twin::Setup::from_byte)
}

fn cache_operations(longest: usize) -> impl Strategy<Value = Vec<cache_twin::Op>> {
    vec(any::<[u8; 4]>().prop_map(cache_twin::Op::from_bytes), 0..longest)
}

fn store_setups() -> impl Strategy<Value = store_twin::Setup> {
    any::<u8>().prop_map(store_twin::Setup::from_byte)
}

fn store_operations(longest: usize) -> impl Strategy<Value = Vec<store_twin::Op>> {
    vec(any::<[u8; 4]>().prop_map(store_twin::Op::from_bytes), 0..longest)
}

/// So many cases times the stress factor, but no more than `PROPTEST_CASES`.
fn cases(count: u64) -> ProptestConfig {
    let most = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(u32::MAX);
    let cases = u32::try_from(common::scaled(count)).unwrap_or(u32::MAX).min(most);
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn short_sequences_on_a_cache_agree_with_the_twin(setup in cache_setups(), ops in cache_operations(30)) {
        cache_twin::check(setup, &ops);
    }

    #[test]
    fn short_sequences_on_a_store_agree_with_the_twin(setup in store_setups(), ops in store_operations(30)) {
        store_twin::check(setup, &ops);
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn long_sequences_on_a_cache_agree_with_the_twin(setup in cache_setups(), ops in cache_operations(800)) {
        cache_twin::check(setup, &ops);
    }

    #[test]
    fn long_sequences_on_a_store_agree_with_the_twin(setup in store_setups(), ops in store_operations(800)) {
        store_twin::check(setup, &ops);
    }
}

/// Each input that fuzzing keeps still passes, with tables of the usual size too. Catches a twin that the fuzzer's targets have left behind.
#[test]
fn the_corpus_of_the_fuzzer_agrees_with_the_twins() {
    for (target, check) in [("cache", cache_twin::check_bytes as fn(&[u8])), ("store", store_twin::check_bytes)] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let inputs: Vec<_> =
            fs::read_dir(folder).expect("a corpus").map(|input| input.expect("a file").path()).collect();
        assert!(inputs.len() > 50, "{target}: a corpus of {} inputs", inputs.len());
        for input in inputs {
            check(&fs::read(input).expect("an input"));
        }
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
    assert_eq!(cache.len(), cache_twin::KINDS, "{cache:?}");
    assert_eq!(store.len(), store_twin::KINDS, "{store:?}");
}
