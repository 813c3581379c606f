//! Medians, ratios and percentiles; rows of a result, checked for being sane.

use hdrhistogram::Histogram;

/// Median and spread of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
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

/// The percentiles that are reported of each distribution, and its maximum.
pub const PERCENTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("max", 1.0)];

/// Nanoseconds, to within one per cent.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000_000, 2).expect("constant bounds that are valid")
}

/// One store's figures in a cell: a value a round, the smaller the better.
#[derive(Clone, Debug)]
pub struct Sample {
    pub store: &'static str,
    pub values: Vec<f64>,
    /// Its value by ours, round by round.
    pub ratios: Vec<f64>,
}

/// A cell of a workload: ours first, then the peers.
#[derive(Clone, Debug)]
pub struct Row {
    pub workload: &'static str,
    pub cell: String,
    pub entries: usize,
    pub threads: usize,
    pub unit: &'static str,
    pub samples: Vec<Sample>,
}

impl Row {
    pub fn new(
        workload: &'static str,
        cell: impl Into<String>,
        entries: usize,
        threads: usize,
        unit: &'static str,
    ) -> Row {
        Row { workload, cell: cell.into(), entries, threads, unit, samples: Vec::new() }
    }

    /// Adds what was measured together, ours first. A later group brings other peers, and ours again.
    pub fn add_group(&mut self, group: Vec<(&'static str, Vec<f64>)>) {
        let Some((_, ours)) = group.first().cloned() else { return };
        for (store, values) in group {
            let ratios: Vec<f64> = values.iter().zip(&ours).map(|(value, ours)| value / ours).collect();
            match self.samples.iter_mut().find(|sample| sample.store == store) {
                Some(sample) => {
                    sample.values.extend(values);
                    sample.ratios.extend(ratios);
                }
                None => self.samples.push(Sample { store, values, ratios }),
            }
        }
    }

    /// The peer with the lowest ratio.
    pub fn best_peer(&self) -> Option<(&'static str, f64)> {
        let peers = self.samples.iter().skip(1).map(|peer| (peer.store, Summary::of(&peer.ratios).median));
        peers.min_by(|one, other| one.1.total_cmp(&other.1))
    }

    /// A message if a figure cannot be: none, not finite, not above zero.
    pub fn check(&self) -> Result<(), String> {
        let insane = |sample: &&Sample| {
            let is_bad = |value: &f64| !value.is_finite() || *value <= 0.0;
            sample.values.is_empty() || sample.values.iter().chain(&sample.ratios).any(is_bad)
        };
        match self.samples.iter().find(insane) {
            // Rows are lines of a CSV file without quotes.
            _ if self.cell.contains(',') => Err(format!("{} {}: a comma in a name", self.workload, self.cell)),
            None if self.samples.is_empty() => Err(format!("{} {}: nobody ran", self.workload, self.cell)),
            None => Ok(()),
            Some(bad) => Err(format!("{} {} {}: not sane: {:?}", self.workload, self.cell, bad.store, bad.values)),
        }
    }
}

/// The percentiles of several stores' distributions as rows: for each store a histogram a round, ours first.
pub fn percentile_rows(row: &Row, stores: &[(&'static str, Vec<Histogram<u64>>)]) -> Vec<Row> {
    let of = |(name, share): (&str, f64)| {
        let cell = format!("{} {name}", row.cell);
        let mut row = Row::new(row.workload, cell, row.entries, row.threads, "ns");
        let values =
            |rounds: &[Histogram<u64>]| rounds.iter().map(|round| round.value_at_quantile(share) as f64).collect();
        row.add_group(stores.iter().map(|(store, rounds)| (*store, values(rounds))).collect());
        row
    };
    PERCENTILES.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_takes_the_middle() {
        let summary = Summary::of(&[5.0, 1.0, 3.0, 2.0, 4.0]);
        assert_eq!((summary.p10, summary.median, summary.p90), (1.0, 3.0, 5.0));
    }

    #[test]
    fn percentiles_are_those_of_the_sample_and_the_maximum_is_none() {
        let mut all = histogram();
        (1..=10_000_u64).for_each(|value| all += value);
        let rows = percentile_rows(&Row::new("w", "c", 1, 1, "ns"), &[("fleeting", vec![all])]);
        let values: Vec<(String, f64)> = rows.iter().map(|row| (row.cell.clone(), row.samples[0].values[0])).collect();
        for ((cell, value), (name, wanted)) in values.iter().zip([
            ("p50", 5_000.0),
            ("p99", 9_900.0),
            ("p99.9", 9_990.0),
            ("p99.99", 9_999.0),
            ("max", 10_000.0),
        ]) {
            assert_eq!(cell, &format!("c {name}"));
            assert!((value / wanted - 1.0).abs() < 0.011, "{name}: {value}");
        }
    }

    #[test]
    fn ratios_are_taken_round_by_round_and_group_by_group() {
        let mut row = Row::new("w", "c", 1, 1, "ns");
        row.add_group(vec![("fleeting", vec![10.0, 20.0, 30.0]), ("slow", vec![20.0, 40.0, 60.0])]);
        row.add_group(vec![("fleeting", vec![100.0]), ("fast", vec![50.0])]);
        assert_eq!(row.best_peer(), Some(("fast", 0.5)));
        assert_eq!(row.samples[1].ratios, [2.0, 2.0, 2.0]);
        assert_eq!(row.samples[0].values.len(), 4);
        assert_eq!(row.check(), Ok(()));
    }

    #[test]
    fn what_is_not_sane_is_told() {
        assert!(Row::new("w", "c", 1, 1, "ns").check().is_err());
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let mut row = Row::new("w", "c", 1, 1, "ns");
            row.add_group(vec![("fleeting", vec![1.0]), ("peer", vec![value])]);
            assert!(row.check().is_err(), "{value}");
        }
        let mut row = Row::new("w", "c", 1, 1, "ns");
        row.add_group(vec![("fleeting", vec![])]);
        assert!(row.check().is_err(), "no round at all");
    }
}
