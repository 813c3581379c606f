//! Any bytes are a way to build a session store, and operations on it: all answers must be those of the naive twin.
//!
//! See `cache.rs`; here the entries are counted records, and handles to their data are held while sessions go.

#![no_main]

#[path = "../../tests/common/cache_twin.rs"]
#[allow(dead_code, unused_imports, reason = "the store's twin uses a part of it")]
mod cache_twin;
#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../../tests/common/store_twin.rs"]
#[allow(dead_code, unused_imports, reason = "the property test uses more of it")]
mod store_twin;

#[cfg(not(fleeting_tiny))]
compile_error!("build by fuzz/run.sh: the tables are not tiny");

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| store_twin::check_bytes(bytes));
