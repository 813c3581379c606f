//! The fast tests in one binary, for `cargo mutants`: linking one costs a mutant less than linking a dozen. `cargo test` runs the
//! files one by one and leaves this out (`test = false` in the manifest).
//!
//! Left out: what counts the process's threads (`janitor`, which is linked beside this), owns its allocator (`memory`), or is slow (`million`,
//! `stress`, `races`, `duels`, `replay`).

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

#[path = "../behaviour_cache.rs"]
mod behaviour_cache;
#[path = "../behaviour_store.rs"]
mod behaviour_store;
#[path = "../drops.rs"]
mod drops;
#[path = "../hashers.rs"]
mod hashers;
#[path = "../loading.rs"]
mod loading;
#[path = "../methods_cache.rs"]
mod methods_cache;
#[path = "../methods_store.rs"]
mod methods_store;
#[path = "../panics.rs"]
mod panics;
#[path = "../property.rs"]
mod property;
#[path = "../regressions.rs"]
mod regressions;
