//! The order in which a store is asked.

/// Bytes of a session's data, unless a workload says otherwise.
pub const DATA: usize = 256;

/// Ranks below `count`, Zipf-distributed (Gray et al., *Quickly Generating Billion-Record Synthetic Databases*, SIGMOD 1994).
#[derive(Clone, Copy, Debug)]
pub struct Zipf {
    count: f64,
    alpha: f64,
    zeta: f64,
    eta: f64,
    second: f64,
}

impl Zipf {
    pub fn new(count: usize, theta: f64) -> Zipf {
        let zeta: f64 = (1..=count).map(|rank| (rank as f64).powf(-theta)).sum();
        let second = 0.5_f64.powf(theta);
        let eta = (1.0 - (2.0 / count as f64).powf(1.0 - theta)) / (1.0 - (1.0 + second) / zeta);
        Zipf { count: count as f64, alpha: 1.0 / (1.0 - theta), zeta, eta, second }
    }

    pub fn rank(&self, random: &mut fastrand::Rng) -> usize {
        let uniform = random.f64();
        let scaled = uniform * self.zeta;
        if scaled < 1.0 {
            return 0;
        }
        if scaled < 1.0 + self.second {
            return 1;
        }
        let rank = self.count * (self.eta * uniform - self.eta + 1.0).powf(self.alpha);
        (rank as usize).min(self.count as usize - 1)
    }
}

/// Which of so many entries is asked for next.
pub struct Choice {
    entries: usize,
    /// Rank to entry, so that what is asked for often does not lie together; and the distribution of ranks.
    skewed: Option<(Vec<u32>, Zipf)>,
}

impl Choice {
    pub fn uniform(entries: usize) -> Choice {
        Choice { entries, skewed: None }
    }

    /// Zipf 0.99.
    pub fn zipf(entries: usize) -> Choice {
        let mut order: Vec<u32> = (0..u32::try_from(entries).expect("few")).collect();
        fastrand::Rng::with_seed(2).shuffle(&mut order);
        Choice { entries, skewed: Some((order, Zipf::new(entries, 0.99))) }
    }

    pub fn pick(&self, random: &mut fastrand::Rng) -> usize {
        match &self.skewed {
            Some((order, zipf)) => order[zipf.rank(random)] as usize,
            None => random.usize(..self.entries),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zipf_prefers_few_and_reaches_all_ranks() {
        let (zipf, mut random) = (Zipf::new(1_000, 0.99), fastrand::Rng::with_seed(1));
        let mut counts = vec![0_u32; 1_000];
        (0..200_000).for_each(|_| counts[zipf.rank(&mut random)] += 1);
        // By the formula, the first rank has 1 / zeta(1000) = 13 % of the requests.
        assert!((24_000..29_000).contains(&counts[0]), "{}", counts[0]);
        assert!(counts.iter().filter(|count| **count > 0).count() > 990);
    }
}
