//! Weakens every memory ordering of the protocols, one at a time, and sees whether a model fails.
//!
//! ```text
//! cargo run --bin orderings                        all of them
//! cargo run --bin orderings -- --sample 12         that many, spread over the list by --seed
//! cargo run --bin orderings -- --only bucket.rs    those whose site contains the text
//! ```
//!
//! Nothing is compiled anew: the atomics of a model know from where they are called (`src/sync/checked.rs`) and weaken one of their
//! orderings by the environment. So:
//!
//! 1. Each model runs once and prints the sites that it met, and their orderings. They must be all that the sources name.
//! 2. For each site, each half of its ordering is dropped: Acquire and Release become Relaxed, AcqRel becomes
//!    either of them, a fence is removed. The models that met the site run, the quickest first, until one fails.
//! 3. What no model catches must say so in the source, in the comment above it: `No model shows its Release: ` and the reason. What
//!    says so and is caught is an error too.
//!
//! Prints a line each, and `caught N of M`. Fails if one is missed, or a site of the sources is met by no model.

mod models;
mod sources;

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use models::{Model, Site, Verdict};

/// What becomes of one weakening.
enum Fate {
    Caught(String),
    /// The source says that no model shows it.
    Listed(String),
    Missed,
    /// Says that no model shows it, but one does.
    Overlisted(String),
}

struct Options {
    seconds: u64,
    sample: Option<usize>,
    seed: usize,
    only: String,
    jobs: usize,
}

impl Options {
    fn parse() -> Result<Options, String> {
        let jobs = thread::available_parallelism().map_or(1, usize::from);
        let mut options = Options { seconds: 60, sample: None, seed: 0, only: String::new(), jobs };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{argument}: a value is missing"))?;
            let number = || value.parse::<usize>().map_err(|_| format!("{argument} {value}: not a number"));
            match argument.as_str() {
                "--seconds" => options.seconds = number()? as u64,
                "--sample" => options.sample = Some(number()?),
                "--seed" => options.seed = number()?,
                "--jobs" => options.jobs = number()?.max(1),
                "--only" => options.only = value,
                _ => return Err(format!("{argument}: no such option (--seconds --sample --seed --only --jobs)")),
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    let options = match Options::parse() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let started = Instant::now();
    let models = models::build_and_visit(options.jobs);
    println!("{} models, {:.0} s", models.len(), started.elapsed().as_secs_f64());

    let unvisited = sources::unvisited(&models);
    for site in &unvisited {
        println!("UNVISITED {site}: no model comes by");
    }
    let mut weakenings: Vec<(Site, &'static str)> = models::sites(&models)
        .into_iter()
        .filter(|site| site.is_in_scope() && site.to_string().contains(&options.only))
        .flat_map(|site| site.weakenings().iter().map(move |&to| (site.clone(), to)))
        .collect();
    if let Some(sample) = options.sample {
        let all = weakenings.len();
        let step = all.div_ceil(sample.max(1)).max(1);
        weakenings = weakenings.into_iter().skip(options.seed % step).step_by(step).collect();
        println!("a sample of {} of {all} weakenings", weakenings.len());
    }

    let total = weakenings.len();
    let queue = Mutex::new(VecDeque::from(weakenings));
    let counts = Mutex::new([0_usize; 4]);
    thread::scope(|scope| {
        for _ in 0..options.jobs {
            scope.spawn(|| {
                loop {
                    let Some((site, to)) = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front() else {
                        break;
                    };
                    let begun = Instant::now();
                    let fate = judge(&models, &site, to, options.seconds);
                    let seconds = begun.elapsed().as_secs_f64();
                    let (kind, text) = match &fate {
                        Fate::Caught(by) => (0, format!("caught  {by}")),
                        Fate::Listed(why) => (1, format!("listed  {why}")),
                        Fate::Missed => (2, "MISSED".to_owned()),
                        Fate::Overlisted(by) => (3, format!("LISTED, but caught  {by}")),
                    };
                    println!("{:<44} {:>7} -> {to:<8} {seconds:>6.1} s  {text}", site.to_string(), site.order);
                    counts.lock().unwrap_or_else(PoisonError::into_inner)[kind] += 1;
                }
            });
        }
    });
    let [caught, listed, missed, overlisted] = *counts.lock().unwrap_or_else(PoisonError::into_inner);
    println!(
        "caught {caught} of {total}; {listed} listed in the source with a reason, {missed} missed, {overlisted} listed in vain, \
         {} sites unvisited; {:.0} s",
        unvisited.len(),
        started.elapsed().as_secs_f64()
    );
    if total > 0 && missed + overlisted + unvisited.len() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the models that come by the site, with the weaker ordering there.
fn judge(models: &[Model], site: &Site, to: &str, seconds: u64) -> Fate {
    let listed = sources::reason(site, site.dropped(to));
    let weakening = format!("{}:{}:{}:{}:{to}", site.file, site.line, site.column, site.part);
    let mut visitors: Vec<&Model> = models.iter().filter(|model| model.sites.contains(site)).collect();
    visitors.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
    for model in visitors {
        if let Verdict::Failed(why) = model.run_weakened(&weakening, seconds) {
            let by = format!("{}: {why}", model.name);
            return if listed.is_some() { Fate::Overlisted(by) } else { Fate::Caught(by) };
        }
    }
    listed.map_or(Fate::Missed, Fate::Listed)
}
