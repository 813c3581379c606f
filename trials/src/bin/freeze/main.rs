//! Shows lock-freedom: freezes a thread at a random instruction in the middle of any operation, thousands of times, and requires that all others
//! finish a fixed amount of work of every kind meanwhile. Peers with locks must be seen to block, else it would prove nothing.
//!
//! ```text
//! freeze [--quick] [--only NAME] [--kind KIND] [--freezes N] [--blocked N] [--limit MILLISECONDS] [--seed N]
//! ```
//!
//! `--only`: the subjects whose name has this in it. `--kind`: freeze in this kind of operation as far as can be. `--blocked`: end a subject's trial
//! after so many freezes that blocked somebody. `--limit`: the time without a completed operation after which somebody is blocked.
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

use std::fmt::Display;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use crate::kinds::Kind;
use crate::subjects::{
    CacheSubject, DashMapSubject, Expected, MokaSubject, MutexSubject, PapayaSubject, SkipMapSubject, StoreSubject,
    Subject,
};
use crate::trial::Extent;

/// What the command line asks for.
struct Options {
    quick: bool,
    only: Option<String>,
    kind: Option<Kind>,
    freezes: Option<u32>,
    blocked: Option<u32>,
    limit: Option<u64>,
    seed: u64,
}

impl Options {
    fn read() -> Result<Options, String> {
        let mut options =
            Options { quick: false, only: None, kind: None, freezes: None, blocked: None, limit: None, seed: 1 };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} wants a value"));
            match &*word {
                "--quick" => options.quick = true,
                "--only" => options.only = Some(value()?),
                "--kind" => options.kind = Some(kind(&value()?)?),
                "--freezes" => options.freezes = Some(number(&value()?)?),
                "--blocked" => options.blocked = Some(number(&value()?)?),
                "--limit" => options.limit = Some(number(&value()?)?),
                "--seed" => options.seed = number(&value()?)?,
                _ => return Err(format!("no such option: {word}")),
            }
        }
        Ok(options)
    }

    fn extent(&self, expected: Expected) -> Extent {
        let (ours, peers, blocked) = if self.quick { (150, 50, 1) } else { (1_500, 300, 3) };
        let freezes = self.freezes.unwrap_or(if expected == Expected::NeverBlocked { ours } else { peers });
        let limit = Duration::from_millis(self.limit.unwrap_or(if self.quick { 1_000 } else { 2_000 }));
        Extent { freezes, blocked: self.blocked.unwrap_or(blocked), limit, kind: self.kind, seed: self.seed }
    }
}

fn number<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}

fn kind(text: &str) -> Result<Kind, String> {
    let is_named = |kind: &Kind| format!("{kind:?}").eq_ignore_ascii_case(text);
    Kind::ALL.into_iter().find(is_named).ok_or_else(|| format!("no such kind: {text}; there are {:?}", Kind::ALL))
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
            match memory::measure::<S>(if options.quick { 4 } else { 30 }, extent.limit) {
                Some(memory) => report::memory(&memory),
                None => complaints.push(format!("{}: a replacement was blocked", S::NAME)),
            }
        }
        complaints.extend(
            report::complaints(&outcome, &places, options.kind.is_none()).map(|text| format!("{}: {text}", S::NAME)),
        );
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
