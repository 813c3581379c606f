//! Latencies in buckets that grow with the value: 64 to each doubling, so that a percentile is off by less than 1 %.

use std::time::Duration;

const BITS: u32 = 6;
const PER_DOUBLING: usize = 1 << BITS;
const BUCKETS: usize = (u64::BITS as usize - BITS as usize + 1) * PER_DOUBLING;

/// Counts of latencies in nanoseconds.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Box<[u64]>,
    longest: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: vec![0; BUCKETS].into(), longest: 0 }
    }
}

impl Histogram {
    pub fn record(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanoseconds)] += 1;
        self.longest = self.longest.max(nanoseconds);
    }

    pub fn add(&mut self, other: &Histogram) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.longest = self.longest.max(other.longest);
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The latency that so many of a thousand do not exceed; None if there is none at all.
    pub fn per_mille(&self, part: u64) -> Option<u64> {
        let rank = (self.count() * part).div_ceil(1_000);
        let mut seen = 0;
        let reached = |count: &u64| {
            seen += count;
            seen >= rank && seen > 0
        };
        self.counts.iter().position(reached).map(|bucket| middle(bucket).min(self.longest))
    }

    /// The longest of all, exactly.
    pub fn longest(&self) -> Option<u64> {
        if self.count() == 0 { None } else { Some(self.longest) }
    }
}

/// Values below 128 have a bucket each; above, a bucket is `1 << shift` wide.
fn bucket(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(BITS + 1);
    shift as usize * PER_DOUBLING + (value >> shift) as usize
}

fn middle(bucket: usize) -> u64 {
    let shift = (bucket / PER_DOUBLING).saturating_sub(1);
    let first = ((bucket - shift * PER_DOUBLING) as u64) << shift;
    first + (1_u64 << shift) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_within_one_percent_of_its_values() {
        let values = (0..100_000).chain((0..57).flat_map(|shift| [127_u64 << shift, 129 << shift])).chain([u64::MAX]);
        for value in values {
            let middle = middle(bucket(value));
            assert!(middle.abs_diff(value) <= value / 100, "{value} reads as {middle}");
        }
    }

    #[test]
    fn ranks_are_nearest_ranks() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.per_mille(500), None);
        for nanoseconds in 1..=100 {
            histogram.record(Duration::from_nanos(nanoseconds));
        }
        assert_eq!(histogram.per_mille(500), Some(50));
        assert_eq!(histogram.per_mille(990), Some(99));
        assert_eq!(histogram.per_mille(999), Some(100));
        assert_eq!(histogram.longest(), Some(100));
    }
}
