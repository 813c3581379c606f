//! The command line.

use std::env;
use std::time::{Duration, SystemTime};

/// What a round is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    Cache,
    Store,
    Rename,
}

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Arguments {
    pub time: Duration,
    pub operations: usize,
    pub seed: u64,
    pub only: Option<Subject>,
    /// A thread yields once in so many atomic steps.
    pub yield_every: u32,
}

const USAGE: &str =
    "usage: histories [--seconds N] [--operations N] [--seed S] [--only cache|store|rename] [--yield N]";

impl Arguments {
    /// Sixty seconds, if neither time nor operations are given.
    pub fn from_environment() -> Result<Arguments, String> {
        let seed = SystemTime::UNIX_EPOCH.elapsed().map_or(1, |elapsed| elapsed.as_secs());
        let (mut seconds, mut operations) = (None, None);
        let mut arguments =
            Arguments { time: Duration::MAX, operations: usize::MAX, seed, only: None, yield_every: 24 };
        let mut words = env::args().skip(1);
        while let Some(name) = words.next() {
            let value = words.next().ok_or(USAGE)?;
            let number = value.parse::<u64>().map_err(|_| USAGE);
            match &*name {
                "--seconds" => seconds = Some(number?),
                "--operations" => operations = Some(usize::try_from(number?).map_err(|_| USAGE)?),
                "--seed" => arguments.seed = number?,
                "--yield" => arguments.yield_every = u32::try_from(number?).map_err(|_| USAGE)?.max(1),
                "--only" => {
                    arguments.only = Some(match &*value {
                        "cache" => Subject::Cache,
                        "store" => Subject::Store,
                        "rename" => Subject::Rename,
                        _ => return Err(USAGE.into()),
                    });
                }
                _ => return Err(USAGE.into()),
            }
        }
        if seconds.is_some() || operations.is_none() {
            arguments.time = Duration::from_secs(seconds.unwrap_or(60));
        }
        arguments.operations = operations.unwrap_or(usize::MAX);
        Ok(arguments)
    }
}
