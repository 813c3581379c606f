//! Medians, and a histogram of latencies.

use std::time::Duration;

/// Median and spread of a sample.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    pub p10: f64,
    pub median: f64,
    pub p90: f64,
}

impl Summary {
    pub fn of(sample: &[f64]) -> Summary {
        let mut sorted = sample.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share).round() as usize];
        Summary { p10: at(0.1), median: at(0.5), p90: at(0.9) }
    }
}

const SUB_BITS: u32 = 6;
const SUBS: usize = 1 << SUB_BITS;

/// Nanoseconds in buckets of 1/64 of their size, exact below 64.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    max: u64,
    /// Time in finds that took longer than [`LONG`], and in all.
    long: u64,
    total: u64,
}

/// A find that takes longer than this has been waiting for something.
pub const LONG: Duration = Duration::from_micros(100);

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: vec![0; (65 - SUB_BITS as usize) * SUBS], count: 0, max: 0, long: 0, total: 0 }
    }
}

impl Histogram {
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.counts[Self::bucket(value)] += 1;
        self.count += 1;
        self.max = self.max.max(value);
        self.total += value;
        if u128::from(value) > LONG.as_nanos() {
            self.long += value;
        }
    }

    pub fn merge(&mut self, other: &Histogram) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(mine, theirs)| *mine += theirs);
        self.count += other.count;
        self.max = self.max.max(other.max);
        self.total += other.total;
        self.long += other.long;
    }

    /// The smallest value that this share of the recorded ones does not exceed (up to 1/64 above it).
    pub fn quantile(&self, share: f64) -> u64 {
        let wanted = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Self::top(bucket).min(self.max);
            }
        }
        self.max
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn max(&self) -> u64 {
        self.max
    }

    /// Share of the time that was spent in finds longer than [`LONG`]. A count of finds hides a stall: whoever is stalled makes few.
    pub fn long_share(&self) -> f64 {
        self.long as f64 / self.total.max(1) as f64
    }

    #[inline]
    fn bucket(value: u64) -> usize {
        let exponent = (u64::BITS - value.leading_zeros()).saturating_sub(SUB_BITS + 1);
        let mantissa = (value >> exponent) as usize;
        (exponent as usize) * SUBS + mantissa
    }

    fn top(bucket: usize) -> u64 {
        if bucket < 2 * SUBS {
            return bucket as u64;
        }
        let exponent = (bucket / SUBS - 1) as u32;
        let mantissa = (bucket - exponent as usize * SUBS) as u64;
        ((mantissa + 1) << exponent) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_close() {
        for value in [0, 1, 63, 64, 127, 128, 1_000, 123_456_789, u64::MAX >> 1] {
            let top = Histogram::top(Histogram::bucket(value));
            assert!(top >= value && top - value <= value / 64, "{value} {top}");
        }
        let mut histogram = Histogram::default();
        (1..=10_000).for_each(|value| histogram.record(value));
        assert!((4_990..=5_090).contains(&histogram.quantile(0.5)));
        assert!((9_990..=10_000).contains(&histogram.quantile(0.999)));
        assert_eq!((histogram.max(), histogram.count()), (10_000, 10_000));
    }

    #[test]
    fn a_summary_takes_the_middle() {
        let summary = Summary::of(&[5.0, 1.0, 3.0, 2.0, 4.0]);
        assert_eq!((summary.p10, summary.median, summary.p90), (1.0, 3.0, 5.0));
    }
}
