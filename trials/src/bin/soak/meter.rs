//! What is measured: operations by CPU time of the worker, the same for a yardstick that is not the crate's, resident memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};

/// What one worker has done, and the CPU time that it took.
#[derive(Default)]
pub struct Meter {
    operations: AtomicU64,
    cpu: AtomicU64,
    yards: AtomicU64,
    yard_cpu: AtomicU64,
}

/// Sums of the meters.
#[derive(Clone, Copy, Default, Debug)]
pub struct Totals {
    pub operations: u64,
    /// In nanoseconds.
    pub cpu: u64,
    pub yards: u64,
    pub yard_cpu: u64,
}

fn thread_cpu() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

impl Meter {
    /// Counts work, and its CPU time.
    pub fn time_work(&self, operations: u64, work: impl FnOnce()) {
        let before = thread_cpu();
        work();
        self.cpu.fetch_add(thread_cpu() - before, Ordering::Relaxed);
        self.operations.fetch_add(operations, Ordering::Relaxed);
    }

    /// Runs the yardstick for a moment.
    pub fn time_yardstick(&self, yardstick: &mut Yardstick) {
        let before = thread_cpu();
        let yards = yardstick.run();
        self.yard_cpu.fetch_add(thread_cpu() - before, Ordering::Relaxed);
        self.yards.fetch_add(yards, Ordering::Relaxed);
    }

    /// The sums of all.
    pub fn totals(meters: &[Meter]) -> Totals {
        let sum =
            |field: fn(&Meter) -> &AtomicU64| meters.iter().map(|meter| field(meter).load(Ordering::Relaxed)).sum();
        Totals {
            operations: sum(|meter| &meter.operations),
            cpu: sum(|meter| &meter.cpu),
            yards: sum(|meter| &meter.yards),
            yard_cpu: sum(|meter| &meter.yard_cpu),
        }
    }
}

impl Totals {
    /// What came between two.
    pub fn since(self, before: Totals) -> Totals {
        Totals {
            operations: self.operations - before.operations,
            cpu: self.cpu - before.cpu,
            yards: self.yards - before.yards,
            yard_cpu: self.yard_cpu - before.yard_cpu,
        }
    }

    /// Operations a second of CPU time.
    pub fn throughput(self) -> f64 {
        self.operations as f64 * 1e9 / self.cpu.max(1) as f64
    }

    /// Yards a second of CPU time.
    pub fn yard_throughput(self) -> f64 {
        self.yards as f64 * 1e9 / self.yard_cpu.max(1) as f64
    }
}

/// Work like the soak's that has nothing to do with the crate: a plain map of boxes, read and replaced at random. It tells how fast
/// the machine is just now, which others use too.
pub struct Yardstick {
    map: HashMap<u64, Box<[u64; 16]>>,
    random: u64,
}

const YARD_KEYS: u64 = 50_000;

impl Yardstick {
    pub fn new() -> Self {
        let map = (0..YARD_KEYS).map(|key| (key, Box::new([key; 16]))).collect();
        Yardstick { map, random: 88_172_645_463_325_252 }
    }

    fn run(&mut self) -> u64 {
        let (mut yards, mut sum) = (0, 0_u64);
        while yards < 512 {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            let key = self.random % YARD_KEYS;
            if yards % 4 == 0 {
                self.map.insert(key, Box::new([yards; 16]));
            } else {
                sum = sum.wrapping_add(self.map[&key][7]);
            }
            yards += 1;
        }
        std::hint::black_box(sum);
        yards
    }
}

/// Resident memory of this process, in bytes.
pub fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux tells a process its memory");
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("the second field of statm");
    pages * rustix::param::page_size() as u64
}

/// Bytes that are allocated now, by the system's allocator: a leak shows here, and what the allocator itself keeps back does not. None
/// with another allocator.
pub fn allocated() -> Option<u64> {
    #[cfg(all(target_os = "linux", target_env = "gnu", not(feature = "mimalloc")))]
    {
        // SAFETY: it only reads the allocator's books, under the allocator's own locks.
        let info = unsafe { libc::mallinfo2() };
        Some(info.uordblks as u64 + info.hblkhd as u64)
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu", not(feature = "mimalloc"))))]
    None
}

/// Has the system's allocator give back the pages that it keeps free: what stays resident is in use, or lies between what is.
pub fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu", not(feature = "mimalloc")))]
    // SAFETY: it works under the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The middle one.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The slope of the line that fits best, by least squares.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let above: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let below: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    above / below
}
