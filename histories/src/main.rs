//! Records what real threads did to `fleeting`, millions of operations long, and checks that each key's history is linearizable.
//!
//! ```text
//! cargo run --release -- [--seconds N] [--operations N] [--seed S] [--only cache|store|rename] [--yield N]
//! ```
//!
//! It runs on the hooked and tiny build (`.cargo/config.toml`): before each atomic step a thread yields now and then, so that operations overlap
//! although there are few cores; and tables, chunks and hints are as small as they can be. Exit code 1 and the shrunk history on a violation.

#[cfg(fleeting_hooked)]
mod native;

#[cfg(fleeting_hooked)]
fn main() -> std::process::ExitCode {
    native::main()
}

#[cfg(not(fleeting_hooked))]
fn main() -> std::process::ExitCode {
    eprintln!("built without --cfg fleeting_hooked: run it from its own folder, whose .cargo/config.toml says so");
    std::process::ExitCode::from(2)
}
