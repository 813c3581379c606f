//! What a run does, and what it must hold: sizes, times and bounds, from the command line.

use std::path::PathBuf;
use std::time::Duration;

/// How long, how large, how strict.
#[derive(Debug)]
pub struct Plan {
    /// How long the workers run, the first tenth of which is warm-up.
    pub length: Duration,
    /// Sessions that a worker keeps.
    pub slots: u64,
    /// Keys of the cache.
    pub keys: u64,
    /// Entries that a side cache grows to before it is dropped.
    pub side: usize,
    /// The shortest and the longest lifetime of a session.
    pub lifetimes: (Duration, Duration),
    /// The janitors' interval.
    pub interval: Duration,
    /// Time between two samples.
    pub sample: Duration,
    /// Time over which throughput is taken.
    pub window: Duration,
    /// Time between two checks of the invariants.
    pub check: Duration,
    /// Resident memory at the end may be above the level after warm-up by this share of it. (In a short run it still fills what the
    /// allocator will keep back.)
    pub memory_tolerance: f64,
    /// The same for what is allocated at rest.
    pub allocated_tolerance: f64,
    /// The slope may be at most this share of the level a minute.
    pub slope_tolerance: f64,
    /// Throughput at the end may be below that after warm-up by this share.
    pub throughput_tolerance: f64,
    /// Where each sample goes to.
    pub csv: Option<PathBuf>,
}

/// Threads that work. Fixed: the machines that this is made for have two cores.
pub const WORKERS: u64 = 2;

const USAGE: &str = "soak [--minutes N] [--quick] [--csv FILE]
  --minutes N  how long to run (30)
  --quick      15 seconds of everything, small, with wide bounds: that it works, not that nothing creeps
  --csv FILE   write each sample";

impl Plan {
    /// Reads the command line; a text to print if it asks for help, or makes no sense.
    pub fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Plan, String> {
        let (mut plan, mut minutes, mut quick) = (Plan::full(), None, false);
        let mut csv = None;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--minutes" => {
                    let number = arguments.next().and_then(|text| text.parse::<f64>().ok());
                    minutes = Some(number.filter(|number| (0.2..100_000.0).contains(number)).ok_or(USAGE)?);
                }
                "--quick" => quick = true,
                "--csv" => csv = Some(arguments.next().ok_or(USAGE)?.into()),
                _ => return Err(USAGE.into()),
            }
        }
        if quick {
            plan = Plan::quick();
        }
        if let Some(minutes) = minutes {
            plan.length = Duration::from_secs_f64(minutes * 60.0);
        }
        // Some windows in each tenth, however short the run.
        plan.window = plan.window.min(plan.length / 30);
        plan.csv = csv;
        Ok(plan)
    }

    fn full() -> Plan {
        Plan {
            length: Duration::from_secs(30 * 60),
            slots: 50_000,
            keys: 50_000,
            side: 200_000,
            lifetimes: (Duration::from_secs(1), Duration::from_secs(60)),
            interval: Duration::from_millis(500),
            sample: Duration::from_secs(1),
            window: Duration::from_secs(10),
            check: Duration::from_secs(60),
            memory_tolerance: 0.05,
            allocated_tolerance: 0.05,
            slope_tolerance: 0.002,
            throughput_tolerance: 0.10,
            csv: None,
        }
    }

    fn quick() -> Plan {
        Plan {
            length: Duration::from_secs(15),
            slots: 10_000,
            keys: 10_000,
            side: 40_000,
            lifetimes: (Duration::from_millis(200), Duration::from_secs(1)),
            interval: Duration::from_millis(100),
            sample: Duration::from_millis(100),
            window: Duration::from_millis(500),
            check: Duration::from_secs(3),
            memory_tolerance: 0.60,
            allocated_tolerance: 0.25,
            slope_tolerance: f64::INFINITY,
            throughput_tolerance: 0.50,
            csv: None,
        }
    }

    /// How long an entry may stay beyond its deadline: a 64th of its lifetime, the least tick, and an interval.
    pub fn promised_lateness(&self) -> Duration {
        self.lifetimes.1 / 64 + Duration::from_millis(2) + self.interval
    }
}
