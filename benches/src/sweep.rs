//! What a sweep costs beside few and beside many live sessions.

use std::time::{Duration, Instant};

use fleeting::{ManualClock, MemStore};

use crate::cells::progress;
use crate::figures::Summary;
use crate::load::{self, DATA};

const DUE: usize = 5_000;

/// Prints the table.
pub fn run(rounds: usize, live: &[usize]) {
    let mut random = fastrand::Rng::with_seed(4);
    let data = [7; DATA];
    let mut stores = Vec::new();
    for &live in live {
        progress(&format!("building {live}"));
        let clock = ManualClock::new();
        let builder = MemStore::builder().cleanup_interval(Duration::ZERO).clock(clock.clone());
        let store = builder.build().expect("nothing here can be refused");
        for token in load::tokens(live, &mut random) {
            // Saved over half an hour, so that they lie under many ticks.
            store.save_for(token, data, Duration::from_secs(3600 + random.u64(..1800)));
        }
        stores.push((live, clock, store, Vec::new(), Vec::new()));
    }
    for round in 0..rounds {
        progress(&format!("round {}/{rounds}", round + 1));
        let mut order: Vec<usize> = (0..stores.len()).collect();
        fastrand::shuffle(&mut order);
        for index in order {
            let (live, clock, store, times, handled) = &mut stores[index];
            let due = load::tokens(DUE, &mut random);
            for token in &due {
                store.save_for(token, data, Duration::from_millis(1 + random.u64(..1000)));
            }
            assert_eq!(store.len(), *live + DUE);
            clock.advance(Duration::from_secs(1) + Duration::from_millis(1));
            let before = store.stats().records_handled;
            let start = Instant::now();
            let removed = store.sweep();
            times.push(start.elapsed().as_secs_f64() * 1e6);
            assert_eq!(removed, DUE, "a sweep removes what is due, all of it and nothing else");
            assert_eq!(store.len(), *live);
            assert!(due.iter().all(|token| store.find(token).is_none()));
            handled.push((store.stats().records_handled - before) as f64 / DUE as f64);
        }
    }
    progress("");
    println!("Sweep of {DUE} due sessions ({rounds} rounds, interleaved)\n");
    println!("| live | median us | p10 - p90 us | ns each | records handled each | time by the first |");
    println!("|---:|---:|---:|---:|---:|---:|");
    let first = stores.first().map_or(1.0, |store| Summary::of(&store.3).median);
    for (live, _, _, times, handled) in &stores {
        let (time, handled) = (Summary::of(times), Summary::of(handled));
        let each = time.median * 1e3 / DUE as f64;
        println!(
            "| {live} | {:.0} | {:.0} - {:.0} | {each:.0} | {:.3} | {:.2} |",
            time.median,
            time.p10,
            time.p90,
            handled.median,
            time.median / first
        );
    }
}
