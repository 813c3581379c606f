//! What is published as metrics (feature `metrics`), and when.
#![cfg(feature = "metrics")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{seconds, wall_start};
use fleeting::{Cache, ManualClock, MemStore};
use metrics::{
    Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit, with_local_recorder,
};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

fn cache(name: &str) -> (Cache<u32, u32>, ManualClock) {
    let clock = ManualClock::new();
    let builder = Cache::builder().cleanup_interval(Duration::ZERO).clock(clock.clone());
    (builder.name(name).build().expect("plain"), clock)
}

/// All that was published since the last time, by name and labels: `fleeting_gets_total cache=a result=hit`.
fn published(snapshotter: &Snapshotter) -> BTreeMap<String, f64> {
    let value = |value| match value {
        DebugValue::Counter(count) => count as f64,
        DebugValue::Gauge(number) => number.into_inner(),
        DebugValue::Histogram(samples) => samples.len() as f64,
    };
    let name = |key: &Key| {
        let labels = key.labels().map(|label| format!(" {}={}", label.key(), label.value()));
        format!("{}{}", key.name(), labels.collect::<String>())
    };
    let all = snapshotter.snapshot().into_vec();
    all.into_iter().map(|(key, _, _, found)| (name(key.key()), value(found))).collect()
}

/// Catches a name or label other than the documented ones, a number under the wrong one, and caches that are mixed up.
#[test]
fn each_cache_has_its_numbers() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    with_local_recorder(&recorder, || {
        let ((one, clock), (two, _)) = (cache("one"), cache("two"));
        (0..10).for_each(|key| assert!(one.insert_with_ttl(key, key, seconds(u64::from(key + 1)))));
        assert!(!one.insert_with_ttl(9, 0, seconds(10)), "replaced");
        assert!(one.remove(&8) && one.get(&7).is_some() && one.get(&8).is_none() && one.get(&70).is_none());
        clock.advance(seconds(3));
        assert_eq!(one.sweep(), 3);
        two.insert(1, 1);
        two.publish_metrics();
    });
    let expected = [
        ("fleeting_gets_total cache=one result=hit", 1.0),
        ("fleeting_gets_total cache=one result=miss", 2.0),
        ("fleeting_inserts_total cache=one", 10.0),
        ("fleeting_removals_total cache=one cause=expired", 3.0),
        ("fleeting_removals_total cache=one cause=removed", 1.0),
        ("fleeting_removals_total cache=one cause=replaced", 1.0),
        ("fleeting_rejected_total cache=one", 0.0),
        ("fleeting_contained_panics_total cache=one", 0.0),
        // Both were dropped meanwhile.
        ("fleeting_entries cache=one", 0.0),
        ("fleeting_index_records cache=one", 0.0),
        ("fleeting_sweep_seconds cache=one", 1.0),
        ("fleeting_gets_total cache=two result=hit", 0.0),
        ("fleeting_inserts_total cache=two", 1.0),
        ("fleeting_entries cache=two", 0.0),
    ];
    let mut found = published(&snapshotter);
    for (name, number) in expected {
        assert_eq!(found.remove(name), Some(number), "{name} {found:#?}");
    }
    assert!(found.remove("fleeting_index_records_handled_total cache=one").is_some_and(|records| records >= 3.0));
    assert!(!found.keys().any(|name| name.contains("cache=one")), "nothing else: {found:#?}");
}

/// Catches gauges that are not those of now, counts that are published twice, and a call of the recorder by an operation.
#[test]
fn numbers_are_published_when_told_to() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    with_local_recorder(&recorder, || {
        let store = MemStore::builder().cleanup_interval(Duration::ZERO).name("sessions").build().expect("plain");
        let hits = "fleeting_gets_total cache=sessions result=hit";
        let entries = "fleeting_entries cache=sessions";
        (0..100_u8).for_each(|number| store.save_for([number], "data", seconds(60)));
        (0..50_u8).for_each(|number| assert!(store.find([number]).is_some()));
        assert_eq!(published(&snapshotter), BTreeMap::new(), "no operation calls the recorder");
        store.publish_metrics();
        let found = published(&snapshotter);
        assert_eq!((found[hits], found[entries]), (50.0, 100.0));
        assert!(found["fleeting_index_records cache=sessions"] >= 100.0);
        store.publish_metrics();
        assert_eq!(published(&snapshotter)[hits], 0.0, "each is published once");
        store.find([1]);
        store.delete([1]);
        store.sweep();
        let found = published(&snapshotter);
        assert_eq!((found[hits], found[entries]), (1.0, 99.0), "a sweep publishes");
        store.find([2]);
        drop(store);
        let found = published(&snapshotter);
        assert_eq!((found[hits], found[entries]), (1.0, 0.0), "the last handle publishes");
    });
}

/// Counts what counters are given, whatever their name, on any thread.
#[derive(Default)]
struct Sum(Arc<Total>);

#[derive(Default)]
struct Total(AtomicU64);

impl CounterFn for Total {
    fn increment(&self, value: u64) {
        self.0.fetch_add(value, Ordering::Relaxed);
    }

    fn absolute(&self, _: u64) {
        panic!("not what is documented");
    }
}

impl Recorder for Sum {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if key.name() == "fleeting_inserts_total" { Counter::from_arc(self.0.clone()) } else { Counter::noop() }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// Catches counts that are published twice, or never, by threads that publish at once.
#[test]
fn many_threads_publish_each_count_once() {
    let (cache, _) = cache("busy");
    let sum = Sum::default();
    thread::scope(|scope| {
        for thread in 0..3 {
            let (cache, total) = (&cache, sum.0.clone());
            scope.spawn(move || {
                with_local_recorder(&Sum(total), || {
                    for number in 0..3_000 {
                        cache.insert(thread * 10_000 + number, 0);
                        cache.publish_metrics();
                    }
                });
            });
        }
    });
    with_local_recorder(&sum, || cache.publish_metrics());
    assert_eq!(sum.0.0.load(Ordering::Relaxed), 9_000);
}

/// Catches a recorder's panic that goes through a sweep or a drop, and one that is hidden from who asked for it.
#[test]
fn a_recorder_may_panic() {
    struct Panicking;
    impl Recorder for Panicking {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
            common::provoke()
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            common::provoke()
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            common::provoke()
        }
    }
    common::quieten_provoked_panics();
    let (cache, clock) = cache("unlucky");
    cache.insert_with_ttl(1, 1, seconds(1));
    clock.advance(seconds(1));
    with_local_recorder(&Panicking, || {
        assert_eq!(cache.sweep(), 1);
        assert_eq!(cache.stats().contained_panics, 1);
        assert!(common::survive(|| cache.publish_metrics()).is_none());
        drop(cache);
    });
}

/// Catches a description of a metric that does not exist, and a metric without one.
#[test]
fn each_metric_is_described() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    with_local_recorder(&recorder, || {
        let (cache, _) = cache("described");
        fleeting::observe::describe_metrics();
        cache.sweep();
    });
    let all = snapshotter.snapshot().into_vec();
    assert_eq!(all.len(), 12);
    for (key, unit, description, _) in all {
        let expected = if key.key().name().ends_with("_seconds") { Unit::Seconds } else { Unit::Count };
        assert_eq!(unit, Some(expected), "{key:?}");
        assert!(description.is_some_and(|text| !text.is_empty()), "{key:?}");
    }
}

/// Catches a janitor that does not publish. The one test here about its thread, and the one with the recorder of the whole program.
#[test]
fn the_janitor_publishes() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    recorder.install().expect("the only one");
    let store = MemStore::builder().cleanup_interval(Duration::from_millis(1)).name("swept").build().expect("a thread");
    store.save("token", "data", wall_start());
    store.save_for("live", "data", seconds(600));
    let limit = Instant::now() + seconds(30);
    let mut inserts = 0.0;
    while inserts < 1.0 {
        assert!(Instant::now() < limit, "nothing was published");
        inserts += published(&snapshotter).get("fleeting_inserts_total cache=swept").copied().unwrap_or_default();
        thread::yield_now();
    }
    assert_eq!(inserts, 1.0);
}
