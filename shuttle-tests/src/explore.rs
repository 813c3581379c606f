//! Runs a scenario under many schedules.
//!
//! ```text
//! FLEETING_SCHEDULES=100000      schedules of each scenario under each scheduler
//! SHUTTLE_RANDOM_SEED=42         another seed, so other schedules
//! FLEETING_REPLAY=schedule       runs one schedule again: the hexadecimal text that a failure prints, or a file with it
//! ```
//!
//! A failure prints "failing schedule" and a text in quotes. To run it again, with the scenario's test named:
//! `FLEETING_REPLAY=91a402... cargo test --test caches -- --exact growth --nocapture`.

use std::env;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use fleeting::reclaim;
use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

/// Schedules of a scenario under each scheduler, unless told otherwise.
const SCHEDULES: usize = 3_000;

/// Preemptions that PCT is to find a bug with, plus one.
const DEPTH: usize = 3;

/// The seed of schedules, unless told otherwise: a test fails for everybody or for nobody.
const SEED: u64 = 0x5EED;

/// No execution of a scenario comes near this.
const STEPS_MAX: usize = 200_000;

/// What a scenario leaves to be checked when everything that was retired is freed.
pub trait After {
    /// Panics if something is wrong.
    fn check(self);
}

impl After for () {
    fn check(self) {}
}

/// Runs a scenario under both schedulers, or once under the schedule that is to be run again.
///
/// Each execution has the reclaimer's oracle (`src/reclaim/model.rs`) to itself: what is reached too late, retired twice or leaked is a panic.
pub fn explore<A: After>(name: &str, scenario: impl Fn() -> A + Send + Sync + 'static) {
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = executions.clone();
    let scenario = Arc::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        reclaim::start();
        let after = scenario();
        reclaim::finish();
        after.check();
    });
    if let Ok(schedule) = env::var("FLEETING_REPLAY") {
        let schedule = std::fs::read_to_string(&schedule).unwrap_or(schedule);
        let scheduler = ReplayScheduler::new_from_encoded(schedule.trim().trim_matches('"').trim());
        Runner::new(scheduler, config()).run(move || scenario());
        print(&format!("scenario {name} replayed: it passed\n"));
        return;
    }
    let schedules = schedules();
    let schedulers: [(&str, Box<dyn Scheduler + Send>); 2] = [
        ("random", Box::new(RandomScheduler::new_from_seed(SEED, schedules))),
        ("pct", Box::new(PctScheduler::new_from_seed(SEED, DEPTH, schedules))),
    ];
    for (label, scheduler) in schedulers {
        let (started, scenario) = (Instant::now(), scenario.clone());
        executions.store(0, Ordering::Relaxed);
        Runner::new(scheduler, config()).run(move || scenario());
        let (executions, seconds) = (executions.load(Ordering::Relaxed), started.elapsed().as_secs_f64());
        let rate = executions as f64 / seconds;
        assert_eq!(executions, schedules, "{name}: not all schedules were run");
        print(&format!(
            "scenario {name} scheduler {label} schedules {executions} seconds {seconds:.2} rate {rate:.0}\n"
        ));
    }
}

/// How many schedules each scenario gets under each scheduler.
pub fn schedules() -> usize {
    match env::var("FLEETING_SCHEDULES") {
        Ok(text) => text.parse().expect("FLEETING_SCHEDULES is a number"),
        Err(_) => SCHEDULES,
    }
}

/// How shuttle is run here.
pub fn config() -> Config {
    let mut config = Config::new();
    // A cache's operation nests deeper than shuttle's default allows for.
    config.stack_size = 1 << 18;
    config.failure_persistence = FailurePersistence::Print;
    config.max_steps = MaxSteps::FailAfter(STEPS_MAX);
    // That it knows sequential consistency only is known.
    config.silence_warnings = true;
    config
}

/// Prints a line past the test harness, which captures `println!`.
pub fn print(line: &str) {
    std::io::stdout().write_all(line.as_bytes()).expect("stdout");
}
