//! Replays web traffic through [`fleeting::MemStore`]: the project's main job on real input.
//!
//! ```text
//! cargo run --release --example replay                                # the generated session mix of Wikimedia
//! cargo run --release --example replay -- --log access.log --json     # an Apache log, plain or gzip
//! cargo run --release --example replay -- --peer mutex                # the same over a mutex around a map
//! cargo run --release --example replay -- --help
//! ```
//!
//! **The rule.** Each client of the log is a session: its first request creates it, later ones find and touch it, and it ends when the
//! client has been idle for 30 minutes (`--idle`). The clock of a request is the latest time that the log has shown up to and including its
//! line, so it never goes back when lines are out of order by some seconds. A session's expiry is the clock of its last request
//! plus the idle time, and it is live while the clock is before its expiry.
//!
//! **How it runs.** Requests of one clock reading form a *slice*. The client threads replay a slice side by side and wait for each other; in
//! between, the keeper (the main thread) moves the one `ManualClock` on. Sweeps come every 60 seconds of log time (`--cleaning`): beside the
//! requests if the log has some at that second, else between slices. Every answer of the store is compared with the rule as it comes.
//!
//! | file | what |
//! |---|---|
//! | `options.rs` | the command line |
//! | `log.rs`, `line.rs` | Apache logs: the file, and one line of it |
//! | `mix.rs` | the generated mix |
//! | `stores.rs` | what is driven: `MemStore`, and a mutex around a map |
//! | `driver.rs`, `client.rs` | the keeper with its slices, and one client thread |
//! | `histogram.rs`, `memory.rs`, `report.rs` | latencies, bytes, and the table at the end |

#![allow(clippy::disallowed_methods, reason = "measures latencies and runs threads of its own")]

mod client;
mod driver;
mod histogram;
mod line;
mod log;
mod memory;
mod mix;
mod options;
mod report;
mod stores;

use std::io::Write;
use std::panic;
use std::path::Path;
use std::process::ExitCode;

use driver::{Outcome, Plan, Workload};
use log::Log;
use options::{Command, Options, Source, StoreKind};
use report::Report;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

fn main() -> ExitCode {
    leave_on_panic();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("replay: {message}");
            ExitCode::FAILURE
        }
    }
}

/// A thread that panics would leave the others waiting at the barrier for ever.
fn leave_on_panic() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::exit(101);
    }));
}

fn run() -> Result<(), String> {
    match options::parse(std::env::args_os().skip(1))? {
        Command::Help => print(options::HELP),
        Command::Replay(options) => match &options.source {
            Source::Log(path) => replay_log(path, &options),
            Source::Mix { seed, requests } => replay_mix(*seed, *requests, &options),
        },
    }
}

fn replay_log(path: &Path, options: &Options) -> Result<(), String> {
    let log = Log::read(path)?;
    if log.requests() == 0 {
        return Err(format!("{}: none of its {} lines is a request in a known format", path.display(), log.lines()));
    }
    let plan = Plan { times: log.times().to_vec(), idle: options.idle, cleaning: options.cleaning };
    let copies = (0..options.threads).map(|copy| Box::new(log.copy(copy)) as Box<dyn Workload + Send>).collect();
    let outcome = replay(&plan, copies, options.store)?;
    let source = path.display().to_string();
    finish(&Report { options, source, malformed: log.malformed(), is_mix: false, outcome })
}

fn replay_mix(seed: u64, requests: u64, options: &Options) -> Result<(), String> {
    let times = (mix::START..).take(mix::seconds(requests, options.threads)).collect();
    let plan = Plan { times, idle: options.idle, cleaning: options.cleaning };
    let streams = mix::streams(seed, requests, options.threads)
        .into_iter()
        .map(|stream| Box::new(stream) as Box<dyn Workload + Send>)
        .collect();
    let outcome = replay(&plan, streams, options.store)?;
    let source = format!("generated mix, seed {seed}");
    finish(&Report { options, source, malformed: 0, is_mix: true, outcome })
}

fn replay(plan: &Plan, workloads: Vec<Box<dyn Workload + Send + '_>>, store: StoreKind) -> Result<Outcome, String> {
    match store {
        StoreKind::Fleeting => driver::replay(plan, workloads, stores::fleeting),
        StoreKind::Mutex => driver::replay(plan, workloads, stores::mutex),
    }
}

fn finish(report: &Report<'_>) -> Result<(), String> {
    let text = if report.options.json { report.json() } else { report.table() };
    print(&text)?;
    report.outcome.verify()
}

fn print(text: &str) -> Result<(), String> {
    let mut output = std::io::stdout().lock();
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    written.map_err(|error| format!("cannot write the output: {error}"))
}
