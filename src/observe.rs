//! What a cache tells a monitoring system: metrics (feature `metrics`) and events (feature `tracing`).
//!
//! # Metrics
//!
//! Published through the [`metrics`](https://docs.rs/metrics) facade, to whichever recorder the program has installed:
//!
//! | name | kind | labels beside `cache` | counts |
//! |---|---|---|---|
//! | `fleeting_gets_total` | counter | `result`: `hit`, `miss` | reads, by whether they found a live entry |
//! | `fleeting_inserts_total` | counter | | entries that came in under a key that had no live one |
//! | `fleeting_removals_total` | counter | `cause`: `expired`, `removed`, `replaced` | entries that left (`removed`: by name, by a predicate, or by `clear`) |
//! | `fleeting_rejected_total` | counter | | writes that were refused, as too long |
//! | `fleeting_contained_panics_total` | counter | | panics of callbacks that were contained |
//! | `fleeting_index_records_handled_total` | counter | | records of the expiry index that sweeps have looked at |
//! | `fleeting_entries` | gauge | | entries held, those included that have expired but have not been swept |
//! | `fleeting_index_records` | gauge | | records in the expiry index |
//! | `fleeting_sweep_seconds` | histogram | | how long each sweep took |
//!
//! The label `cache` is the name given to the builder ([`name`](crate::Builder::name)), or `unnamed`; give each cache one of its own. There is no
//! metric of weight, and none of evictions, until capacity bounds exist.
//!
//! * **Freshness.** No operation calls the recorder. The counters of [`Stats`] are published after each sweep, so every
//!   interval of the janitor, and by `publish_metrics` of cache or store, which a page of metrics calls before it is made. In between they stand still.
//! * **Counters** are published by what came since the last time, each count once however many threads publish. What was published before a recorder was
//!   installed is lost to it: install it first. A cache made with `without_stats` publishes no gets, inserts, removals and refusals.
//! * **The last handle's drop** publishes what is left, and gauges of 0.
//!
//! # Events
//!
//! Given to [`tracing`](https://docs.rs/tracing), with target `fleeting` and field `cache`:
//!
//! | message | level | other fields |
//! |---|---|---|
//! | `swept` | DEBUG; TRACE if nothing was removed | `removed`, `entries`, `seconds` |
//! | `contained a panic` | WARN | |
//! | `a panic ended a sweep` | WARN | (not `cache`: of a clock, say, on the janitor's thread) |
//!
//! A subscriber is called where the removal callback is: on the thread that removed the entry, while no memory that any cache retires is freed.
//!
//! A recorder or subscriber that panics is contained, and counted, but for `publish_metrics`, whose caller gets the panic.

#[cfg(feature = "metrics")]
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use crate::stats::Stats;

/// What speaks for one cache.
#[derive(Debug)]
pub(crate) struct Observer {
    name: Arc<str>,
    /// What was published of each counter.
    #[cfg(feature = "metrics")]
    published: [AtomicU64; COUNTERS.len()],
}

impl Default for Observer {
    fn default() -> Self {
        Observer::new("unnamed".into())
    }
}

impl Observer {
    pub(crate) fn new(name: Arc<str>) -> Self {
        Observer {
            name,
            #[cfg(feature = "metrics")]
            published: Default::default(),
        }
    }

    /// A sweep ended.
    pub(crate) fn swept(&self, took: Duration, removed: usize, stats: &Stats) {
        #[cfg(feature = "metrics")]
        {
            metrics::histogram!(SWEEP, self.labels(None)).record(took);
            self.publish(stats);
        }
        #[cfg(feature = "tracing")]
        {
            let (cache, entries, seconds) = (&*self.name, stats.entries, took.as_secs_f64());
            if removed == 0 {
                tracing::trace!(target: TARGET, cache, removed, entries, seconds, "swept");
            } else {
                tracing::debug!(target: TARGET, cache, removed, entries, seconds, "swept");
            }
        }
        #[cfg(not(feature = "tracing"))]
        let _ = removed;
    }
}

#[cfg(feature = "tracing")]
const TARGET: &str = "fleeting";

#[cfg(feature = "tracing")]
impl Observer {
    pub(crate) fn of_the_same_name(&self) -> Self {
        Observer::new(self.name.clone())
    }

    pub(crate) fn contained_panic(&self) {
        tracing::warn!(target: TARGET, cache = &*self.name, "contained a panic");
    }
}

/// The janitor contained a panic.
#[cfg(feature = "tracing")]
pub(crate) fn sweep_panicked() {
    tracing::warn!(target: TARGET, "a panic ended a sweep");
}

/// One counter: its name, a label beside the cache's, what it counts, and where the number comes from.
#[cfg(feature = "metrics")]
struct Counter {
    name: &'static str,
    label: Option<(&'static str, &'static str)>,
    description: &'static str,
    of: fn(&Stats) -> u64,
}

#[cfg(feature = "metrics")]
const COUNTERS: [Counter; 9] = {
    const fn counter(
        name: &'static str,
        label: Option<(&'static str, &'static str)>,
        description: &'static str,
        of: fn(&Stats) -> u64,
    ) -> Counter {
        Counter { name, label, description, of }
    }
    const GETS: &str = "Reads, by whether they found a live entry";
    const REMOVALS: &str = "Entries that left, by cause";
    [
        counter("fleeting_gets_total", Some(("result", "hit")), GETS, |stats| stats.hits),
        counter("fleeting_gets_total", Some(("result", "miss")), GETS, |stats| stats.misses),
        counter("fleeting_inserts_total", None, "Entries that came in", |stats| stats.inserts),
        counter("fleeting_removals_total", Some(("cause", "expired")), REMOVALS, |stats| stats.expired),
        counter("fleeting_removals_total", Some(("cause", "removed")), REMOVALS, |stats| stats.removed),
        counter("fleeting_removals_total", Some(("cause", "replaced")), REMOVALS, |stats| stats.replaced),
        counter("fleeting_rejected_total", None, "Writes that were refused", |stats| stats.rejected),
        counter("fleeting_contained_panics_total", None, "Panics of callbacks", |stats| stats.contained_panics),
        counter("fleeting_index_records_handled_total", None, "Records that sweeps have looked at", |stats| {
            stats.records_handled
        }),
    ]
};

#[cfg(feature = "metrics")]
const ENTRIES: &str = "fleeting_entries";
#[cfg(feature = "metrics")]
const RECORDS: &str = "fleeting_index_records";
#[cfg(feature = "metrics")]
const SWEEP: &str = "fleeting_sweep_seconds";

/// Gives the recorder a description and unit of each metric. To be called once, when it is installed. Needs feature `metrics`.
#[cfg(feature = "metrics")]
pub fn describe_metrics() {
    for counter in COUNTERS {
        metrics::describe_counter!(counter.name, metrics::Unit::Count, counter.description);
    }
    metrics::describe_gauge!(ENTRIES, metrics::Unit::Count, "Entries held");
    metrics::describe_gauge!(RECORDS, metrics::Unit::Count, "Records in the expiry index");
    metrics::describe_histogram!(SWEEP, metrics::Unit::Seconds, "How long each sweep took");
}

#[cfg(feature = "metrics")]
impl Observer {
    /// Publishes counters, by what came since the last time, and gauges. Lock-free, but for the recorder.
    pub(crate) fn publish(&self, stats: &Stats) {
        for (counter, published) in COUNTERS.iter().zip(&self.published) {
            let now = (counter.of)(stats);
            // Ordering: Relaxed: a number by itself. The maximum, since another thread may have published later numbers: each count is published once.
            let before = published.fetch_max(now, Ordering::Relaxed);
            // By nothing too, so that it is there from the start.
            metrics::counter!(counter.name, self.labels(counter.label)).increment(now.saturating_sub(before));
        }
        metrics::gauge!(ENTRIES, self.labels(None)).set(stats.entries as f64);
        metrics::gauge!(RECORDS, self.labels(None)).set(stats.records as f64);
    }

    fn labels(&self, label: Option<(&'static str, &'static str)>) -> Vec<metrics::Label> {
        let cache = metrics::Label::new("cache", self.name.clone());
        let other = label.map(|(key, value)| metrics::Label::from_static_parts(key, value));
        core::iter::once(cache).chain(other).collect()
    }
}
