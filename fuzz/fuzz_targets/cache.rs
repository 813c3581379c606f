//! Any bytes are a way to build a cache, and operations on it: all answers must be those of the naive twin.
//!
//! Catches what `tests/property.rs` does (it shares the generator), but searches for inputs that reach new code, and under
//! AddressSanitizer. Built with tiny tables, so that growth, spills and sealed piles happen all the time.

#![no_main]

#[path = "../../tests/common/cache_twin.rs"]
#[allow(dead_code, unused_imports, reason = "the other twin, and the property test, use more of it")]
mod cache_twin;
#[path = "../../tests/common/mod.rs"]
mod common;

#[cfg(not(fleeting_tiny))]
compile_error!("build by fuzz/run.sh: the tables are not tiny");

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cache_twin::check_bytes(bytes));
