//! The fast tests as one module, which `.cargo/mutants.sh` makes a part of the crate itself: compiled as one crate with it, a mutant is built in one or
//! two seconds. `cargo test` runs the files one by one and knows nothing of this.
//!
//! Left out: what counts the process's threads (`janitor`) or its allocations (`leaks`, `memory`), and what is slow (`million`, `stress`,
//! `races`, `duels`, `replay`).

use std::panic;
use std::process;

/// Runs first, by its name. With `FLEETING_FAIL_FAST` set, the first failed assertion ends the process: a mutant that is caught needs no second proof.
/// (Panics that tests provoke on purpose carry no message.)
#[test]
fn a_failure_ends_the_run_if_asked_to() {
    if std::env::var_os("FLEETING_FAIL_FAST").is_some() {
        panic::set_hook(Box::new(|info| {
            if info.payload_as_str().is_some() {
                eprintln!("{info}");
                process::exit(101);
            }
        }));
    }
}

#[path = "../property.rs"]
mod property;

#[cfg(fleeting_fast_tests)]
#[path = "../behaviour_cache.rs"]
mod behaviour_cache;
#[cfg(fleeting_fast_tests)]
#[path = "../behaviour_store.rs"]
mod behaviour_store;
#[cfg(fleeting_fast_tests)]
#[path = "../drops.rs"]
mod drops;
#[cfg(fleeting_fast_tests)]
#[path = "../hashers.rs"]
mod hashers;
#[cfg(fleeting_fast_tests)]
#[path = "../loading.rs"]
mod loading;
#[cfg(fleeting_fast_tests)]
#[path = "../methods_cache.rs"]
mod methods_cache;
#[cfg(fleeting_fast_tests)]
#[path = "../methods_store.rs"]
mod methods_store;
#[cfg(fleeting_fast_tests)]
#[path = "../panics.rs"]
mod panics;
#[cfg(fleeting_fast_tests)]
#[path = "../regressions.rs"]
mod regressions;
