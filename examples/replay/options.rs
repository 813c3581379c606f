//! The command line.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// What `--help` prints.
pub const HELP: &str = "\
Replays web traffic through fleeting's session store and prints a table of what happened.

Usage: cargo run --release --example replay -- [OPTIONS]

  --log FILE          replay an Apache log, common or combined format, plain or gzip;
                      without it, generate the session mix that Wikimedia published (75 % reads, 24 % writes, 1 % deletes)
  --clients N         threads; each replays its own copy of the log with clients of its own [log: 1, mix: 2].
                      The requests of a mix are divided between the threads
  --peer mutex        the same over a mutex around a map with a scanning sweep, for comparison
  --idle MINUTES      a session ends after this time without a request [30]
  --cleaning SECONDS  a sweep each time that so many seconds of log time have passed [60]
  --requests N        requests of a generated mix [12000000]
  --seed N            another generated mix [1]
  --json              the table as JSON
  --help              this text

The clock follows the log and never goes back: a line that is out of order counts as of the latest time before it.
A session's expiry is the clock of its last request plus the idle time; it is live while the clock is before its expiry.

The table goes to stdout; progress, malformed lines and errors go to stderr. Exit code 1: a bad option, a file that cannot
be read, or an answer of the store that contradicts the rule. Find latencies include one reading of the system's clock (20 to 50 ns).
";

/// What the user asks for.
#[derive(Debug)]
pub enum Command {
    Help,
    Replay(Options),
}

/// How to replay, and what.
#[derive(Debug)]
pub struct Options {
    pub source: Source,
    pub store: StoreKind,
    /// Client threads.
    pub threads: usize,
    /// Seconds of idleness that end a session.
    pub idle: u64,
    /// Seconds of log time between sweeps.
    pub cleaning: u64,
    pub json: bool,
}

/// Where requests come from.
#[derive(Debug)]
pub enum Source {
    Log(PathBuf),
    Mix { seed: u64, requests: u64 },
}

/// What is driven.
#[derive(Clone, Copy, Debug)]
pub enum StoreKind {
    Fleeting,
    Mutex,
}

impl StoreKind {
    pub fn name(self) -> &'static str {
        match self {
            StoreKind::Fleeting => "fleeting",
            StoreKind::Mutex => "mutex",
        }
    }
}

/// The options as given.
#[derive(Default)]
struct Given {
    log: Option<PathBuf>,
    threads: Option<u64>,
    mutex: bool,
    idle: Option<u64>,
    cleaning: Option<u64>,
    requests: Option<u64>,
    seed: Option<u64>,
    json: bool,
}

/// Reads the command line.
///
/// # Errors
///
/// A message for the user: an option is unknown, or lacks a value that makes sense.
pub fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let mut given = Given::default();
    while let Some(argument) = arguments.next() {
        let name = argument.to_string_lossy();
        let rest = &mut arguments;
        match &*name {
            "--help" | "-h" => return Ok(Command::Help),
            "--json" => given.json = true,
            "--log" => given.log = Some(value(&name, rest)?.into()),
            "--clients" => given.threads = Some(number(&name, rest, 1..=256)?),
            "--peer" => given.mutex = peer(&name, rest)?,
            "--idle" => given.idle = Some(number(&name, rest, 1..=5_256_000)?),
            "--cleaning" => given.cleaning = Some(number(&name, rest, 1..=86_400)?),
            "--requests" => given.requests = Some(number(&name, rest, 1..=1_000_000_000)?),
            "--seed" => given.seed = Some(number(&name, rest, 0..=u64::MAX)?),
            _ => return Err(format!("unknown option {name:?}; --help lists them")),
        }
    }
    given.complete().map(Command::Replay)
}

impl Given {
    fn complete(self) -> Result<Options, String> {
        let threads = self.threads.unwrap_or(if self.log.is_some() { 1 } else { 2 });
        let source = match (self.log, self.requests, self.seed) {
            (Some(log), None, None) => Source::Log(log),
            (Some(_), ..) => return Err("--requests and --seed are for a generated mix, not for a log".to_owned()),
            (None, requests, seed) => Source::Mix { seed: seed.unwrap_or(1), requests: requests.unwrap_or(12_000_000) },
        };
        Ok(Options {
            source,
            store: if self.mutex { StoreKind::Mutex } else { StoreKind::Fleeting },
            threads: usize::try_from(threads).map_err(|_| "--clients is too large")?,
            idle: self.idle.unwrap_or(30) * 60,
            cleaning: self.cleaning.unwrap_or(60),
            json: self.json,
        })
    }
}

fn value(name: &str, arguments: &mut impl Iterator<Item = OsString>) -> Result<OsString, String> {
    arguments.next().ok_or_else(|| format!("{name} needs a value; see --help"))
}

fn peer(name: &str, arguments: &mut impl Iterator<Item = OsString>) -> Result<bool, String> {
    let peer = value(name, arguments)?;
    if peer == "mutex" { Ok(true) } else { Err(format!("{name} {peer:?}: the only peer is \"mutex\"")) }
}

fn number(
    name: &str,
    arguments: &mut impl Iterator<Item = OsString>,
    allowed: RangeInclusive<u64>,
) -> Result<u64, String> {
    let given = value(name, arguments)?;
    let number = given.to_str().and_then(|text| text.parse().ok()).filter(|number| allowed.contains(number));
    number.ok_or_else(|| {
        format!("{name} {given:?}: expected a whole number from {} to {}", allowed.start(), allowed.end())
    })
}
