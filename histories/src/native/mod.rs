//! The native runs: rounds of operations by real threads, each checked when its threads have joined.

mod arguments;
mod cache;
mod disturb;
mod random;
mod rename;
mod round;
mod store;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use self::arguments::{Arguments, Subject};
use self::random::Random;
use self::round::Tally;

/// Runs until the time is over, the operations are done, or a violation is found.
pub fn main() -> ExitCode {
    let arguments = match Arguments::from_environment() {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    disturb::install(arguments.yield_every);
    println!("seed {}", arguments.seed);
    let mut random = Random::new(arguments.seed);
    let (start, mut tally, mut last) = (Instant::now(), Tally::default(), Duration::ZERO);
    let mut finding = None;
    while finding.is_none() && start.elapsed() < arguments.time && tally.operations < arguments.operations {
        let subject = arguments.only.unwrap_or_else(|| match random.below(8) {
            0 => Subject::Rename,
            1..=3 => Subject::Store,
            _ => Subject::Cache,
        });
        let round = match subject {
            Subject::Cache => cache::round,
            Subject::Store => store::round,
            Subject::Rename => rename::round,
        };
        finding = round(&mut random, &mut tally).err();
        let elapsed = start.elapsed();
        if elapsed - last > Duration::from_secs(10) {
            last = elapsed;
            println!(
                "{:4} s: {} operations, {} keys, no violation",
                elapsed.as_secs(),
                tally.operations,
                tally.histories
            );
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{tally}");
    println!("seconds                  {seconds:.1}");
    println!("violations               {}", u8::from(finding.is_some()));
    match finding {
        None => ExitCode::SUCCESS,
        Some(finding) => {
            println!(
                "\n{finding}\n(seed {}: the same mix of operations, though not the same schedule)",
                arguments.seed
            );
            ExitCode::FAILURE
        }
    }
}
