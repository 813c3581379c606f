//! Shows lock-freedom: freezes a thread at a random instruction in the middle of any operation, thousands of times, and requires that all others
//! finish a fixed amount of work of every kind meanwhile. Peers with locks must be seen to block, else it would prove nothing.
//!
//! ```text
//! freeze [--quick] [--only NAME] [--freezes N] [--limit MILLISECONDS] [--seed N]
//! ```
//!
//! Exits with 1 if ours blocked anyone, gave a wrong answer, broke an invariant or leaked, if a kind of operation or a protocol's file was never
//! frozen in, or if a peer with locks was not seen to block.

mod allocator;
mod freezer;
mod kinds;
mod memory;
mod random;
mod report;
mod subjects;
mod text;
mod trial;
mod worker;

use std::process::ExitCode;
use std::time::Duration;

use crate::subjects::{
    CacheSubject, DashMapSubject, Expected, MokaSubject, MutexSubject, PapayaSubject, SkipMapSubject, StoreSubject,
    Subject,
};
use crate::trial::Extent;

/// What the command line asks for.
struct Options {
    quick: bool,
    only: Option<String>,
    freezes: Option<u32>,
    limit: Option<u64>,
    seed: u64,
}

impl Options {
    fn read() -> Result<Options, String> {
        let mut options = Options { quick: false, only: None, freezes: None, limit: None, seed: 1 };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} wants a value"));
            let number = |text: String| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
            match &*word {
                "--quick" => options.quick = true,
                "--only" => options.only = Some(value()?),
                "--freezes" => {
                    let freezes = number(value()?)?;
                    options.freezes = Some(u32::try_from(freezes).map_err(|error| format!("{freezes}: {error}"))?);
                }
                "--limit" => options.limit = Some(number(value()?)?),
                "--seed" => options.seed = number(value()?)?,
                _ => return Err(format!("no such option: {word}")),
            }
        }
        Ok(options)
    }

    fn extent(&self, expected: Expected) -> Extent {
        let (ours, peers, blocked) = if self.quick { (150, 150, 1) } else { (1_500, 300, 3) };
        let freezes = self.freezes.unwrap_or(if expected == Expected::NeverBlocked { ours } else { peers });
        let limit = Duration::from_millis(self.limit.unwrap_or(if self.quick { 1_000 } else { 2_000 }));
        Extent { freezes, blocked, limit, seed: self.seed }
    }
}

fn main() -> ExitCode {
    let options = match Options::read() {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    abort_on_panic();
    freezer::install();
    let mut complaints = Vec::new();
    report::head();
    trial::<CacheSubject>(&options, &mut complaints);
    trial::<StoreSubject>(&options, &mut complaints);
    trial::<DashMapSubject>(&options, &mut complaints);
    trial::<MokaSubject>(&options, &mut complaints);
    trial::<MutexSubject>(&options, &mut complaints);
    trial::<PapayaSubject>(&options, &mut complaints);
    trial::<SkipMapSubject>(&options, &mut complaints);
    for complaint in &complaints {
        println!("FAILED {complaint}");
    }
    if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs and reports the trial of one subject.
fn trial<S: Subject>(options: &Options, complaints: &mut Vec<String>) {
    if options.only.as_ref().is_some_and(|only| !S::NAME.to_lowercase().contains(&only.to_lowercase())) {
        return;
    }
    let extent = options.extent(S::EXPECTED);
    let outcome = trial::run::<S>(extent);
    report::row(S::NAME, &outcome, S::EXPECTED);
    if outcome.blocked > 0 {
        report::blocked(&outcome);
    }
    if S::EXPECTED == Expected::NeverBlocked {
        let places = text::places(&outcome.pcs);
        report::kinds(&outcome);
        report::places(&places);
        if outcome.blocked == 0 {
            report::memory(&memory::measure::<S>(if options.quick { 10 } else { 30 }, extent.limit));
        }
        complaints.extend(report::complaints(&outcome, &places).map(|text| format!("{}: {text}", S::NAME)));
    } else if S::EXPECTED == Expected::Blocked && outcome.blocked == 0 {
        complaints.push(format!("{}: it holds locks, and was not seen to block: the trial detects nothing", S::NAME));
    }
}

/// A worker that panics would leave the others at the barrier.
fn abort_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        std::process::abort();
    }));
}
