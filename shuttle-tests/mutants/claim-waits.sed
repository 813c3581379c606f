# A put whose bucket has no free slot waits for one.
# file: src/map/mod.rs
# test: lock_freedom
s/const CLAIM_ROUNDS: usize = if TINY \{ 1 \}/const CLAIM_ROUNDS: usize = if TINY { usize::MAX }/
s/std::thread::yield_now\(\)/crate::sync::thread::yield_now()/
