//! What is asked of the stores: tokens, data, and the order of queries.

/// A session's token.
pub type Token = [u8; 32];

/// Bytes of a session's data.
pub const DATA: usize = 256;

/// Random tokens.
pub fn tokens(count: usize, random: &mut fastrand::Rng) -> Vec<Token> {
    (0..count).map(|_| token(random)).collect()
}

pub fn token(random: &mut fastrand::Rng) -> Token {
    let mut token = [0; 32];
    random.fill(&mut token);
    token
}

/// A session's data begins with the first bytes of its token, so that every find can be checked.
pub fn mark(data: &mut [u8; DATA], token: &Token) {
    data[..8].copy_from_slice(&token[..8]);
}

/// Panics if this is not the data of that token.
#[inline]
pub fn check(token: &Token, data: Option<&[u8]>) {
    match data {
        Some(data) if data.len() == DATA && data[..8] == token[..8] => {}
        Some(_) => panic!("a find returned the data of another session"),
        None => panic!("a find missed a session that is there"),
    }
}

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
