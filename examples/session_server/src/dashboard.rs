//! The dashboard's samples, and the page of metrics.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use fleeting::Stats;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::session::{Sessions, milliseconds};

/// How many are kept.
const SAMPLES: usize = 121;

/// What the store did since the sample before, and what it holds.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    number: u64,
    /// Milliseconds since 1970.
    at: u64,
    sessions: u64,
    /// Of the finds since, in percent; none if there was none.
    hit_ratio: Option<f64>,
    created_per_second: f64,
    expired_per_second: f64,
    /// Of the last sweep, in microseconds.
    sweep: f64,
    finds_per_second: f64,
    /// In microseconds, decoding left out; none if there was no find.
    find_median: Option<f64>,
    find_p99: Option<f64>,
}

#[derive(Default)]
pub struct Dashboard {
    history: Mutex<History>,
}

#[derive(Default)]
struct History {
    last: Option<(Instant, Stats)>,
    samples: VecDeque<Sample>,
    next: u64,
}

impl Dashboard {
    /// Compares the store with what it was at the last sample.
    pub fn sample(&self, sessions: &Sessions) {
        let (now, stats, finds) = (Instant::now(), sessions.store().stats(), sessions.take_finds());
        let mut history = self.history();
        let Some((then, former)) = history.last.replace((now, stats.clone())) else { return };
        let seconds = now.duration_since(then).as_secs_f64().max(1e-3);
        let (hits, misses) = (stats.hits - former.hits, stats.misses - former.misses);
        let microseconds = |nanoseconds: u64| nanoseconds as f64 / 1e3;
        let quantile = |quantile| (!finds.is_empty()).then(|| microseconds(finds.value_at_quantile(quantile)));
        let sample = Sample {
            number: history.next,
            at: milliseconds(SystemTime::now()),
            sessions: stats.entries,
            hit_ratio: (hits + misses > 0).then(|| 100.0 * hits as f64 / (hits + misses) as f64),
            created_per_second: (stats.inserts - former.inserts) as f64 / seconds,
            expired_per_second: (stats.expired - former.expired) as f64 / seconds,
            sweep: stats.last_sweep.as_secs_f64() * 1e6,
            finds_per_second: (hits + misses) as f64 / seconds,
            find_median: quantile(0.5),
            find_p99: quantile(0.99),
        };
        history.next += 1;
        history.samples.push_back(sample);
        if history.samples.len() > SAMPLES {
            history.samples.pop_front();
        }
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
pub struct From {
    /// The first sample that is wanted, by its number.
    #[serde(default)]
    from: u64,
}

#[derive(Serialize)]
struct Samples {
    /// What to ask for the next time.
    next: u64,
    samples: Vec<Sample>,
}

/// The samples from a number on: who looks asks for what is new.
pub async fn stats(State(app): State<App>, Query(From { from }): Query<From>) -> impl IntoResponse {
    let history = app.dashboard.history();
    // A number that was never given is of a server before this one.
    let from = if from > history.next { 0 } else { from };
    let samples = history.samples.iter().filter(|sample| sample.number >= from).cloned().collect();
    Json(Samples { next: history.next, samples })
}

/// The page that a Prometheus scrapes.
pub async fn metrics(State(app): State<App>) -> impl IntoResponse {
    // The store's counters are published after each sweep; here they are to be of this moment.
    app.sessions().store().publish_metrics();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.prometheus.render())
}
