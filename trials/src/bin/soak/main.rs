//! The soak: half an hour of churn at constant size, with tables growing, sessions expiring and callbacks firing.
//!
//! It holds that resident memory is flat after warm-up (the first tenth), that throughput at the end is that after warm-up, and, once a
//! minute, the invariants of `checks.rs`. It catches what a test is too short for: a leak of a node in a thousand, an index that
//! grows, a table that degrades. Exit code 1 if anything fails; failures are printed at once.
//!
//! The machine may be shared: throughput is counted by CPU time of the workers, beside a yardstick that runs in between on
//! the same threads and is none of the crate's work. It fails if it has dropped both by itself and relative to the yardstick.

mod checks;
mod meter;
mod plan;
mod workload;
mod world;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use meter::{Meter, Totals, median, resident, slope};
use plan::{Plan, WORKERS};
use world::{World, failures, milliseconds, report};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One sample.
#[derive(Clone, Copy)]
struct Sample {
    /// Seconds that the workers have had.
    time: f64,
    resident: f64,
    totals: Totals,
}

fn main() -> ExitCode {
    let plan = match Plan::from_arguments(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(2);
        }
    };
    let csv = plan.csv.as_ref().map(|path| BufWriter::new(File::create(path).expect("the CSV file can be written")));
    println!("before: {:.1} MiB resident", mebibytes(resident() as f64));
    let world = Arc::new(World::new(plan));
    let workers: Vec<_> = (0..WORKERS)
        .map(|number| {
            let world = world.clone();
            thread::spawn(move || workload::work(&world, number))
        })
        .collect();
    let run = watch(&world, csv);
    for worker in workers {
        if worker.join().is_err() {
            report(format_args!("a worker panicked"));
        }
    }
    judge(&world.plan, &run);
    end(world);
    match failures() {
        0 => {
            println!("\nthe soak holds");
            ExitCode::SUCCESS
        }
        failures => {
            println!("\nthe soak FAILS: {failures} failures");
            ExitCode::FAILURE
        }
    }
}

/// What [`watch`] saw.
struct Run {
    samples: Vec<Sample>,
    /// How late this thread, which only sleeps, was woken at most: what the system may do to a janitor.
    stalled: Duration,
    last_sweep: Duration,
    latest: u64,
    /// At each check: seconds, and bytes allocated without a side cache.
    allocated: Vec<(f64, f64)>,
    /// And resident, after the allocator gave back what it keeps free.
    resident: Vec<(f64, f64)>,
}

/// Samples, and checks each minute, until the time is over; then stops the workers.
fn watch(world: &World, mut csv: Option<BufWriter<File>>) -> Run {
    let (plan, gate) = (&world.plan, &world.gate);
    let mut run = Run {
        samples: Vec::new(),
        stalled: Duration::ZERO,
        last_sweep: Duration::ZERO,
        latest: 0,
        allocated: Vec::new(),
        resident: Vec::new(),
    };
    gate.barrier.wait();
    // What filling took is no part of it.
    world.books.latest.store(0, Ordering::Relaxed);
    if let Some(csv) = &mut csv {
        let head = "second,resident_bytes,operations,cpu_ns,yards,yard_cpu_ns,sessions,session_records,entries,entry_records,\
                    side_caches,loads";
        writeln!(csv, "{head}").expect("the CSV file can be written");
    }
    let start = Instant::now();
    let (mut paused, mut checked) = (Duration::ZERO, Duration::ZERO);
    let mut next = plan.sample;
    loop {
        let sleep = (next + paused).saturating_sub(start.elapsed());
        let before = Instant::now();
        thread::sleep(sleep);
        run.stalled = run.stalled.max(before.elapsed().saturating_sub(sleep));
        next += plan.sample;
        let time = start.elapsed() - paused;
        let totals = Meter::totals(&world.meters);
        let sample = Sample { time: time.as_secs_f64(), resident: resident() as f64, totals };
        run.samples.push(sample);
        let (sessions, entries) = (world.store.stats(), world.cache.stats());
        run.last_sweep = run.last_sweep.max(sessions.last_sweep);
        if let Some(csv) = &mut csv {
            let Totals { operations, cpu, yards, yard_cpu } = totals;
            let (sides, loads) = (&world.books.side_caches, &world.books.loads);
            writeln!(
                csv,
                "{:.1},{},{operations},{cpu},{yards},{yard_cpu},{},{},{},{},{},{}",
                sample.time,
                sample.resident,
                sessions.entries,
                sessions.records,
                entries.entries,
                entries.records,
                sides.load(Ordering::Relaxed),
                loads.load(Ordering::Relaxed)
            )
            .expect("the CSV file can be written");
        }
        let is_over = time >= plan.length;
        if is_over || time - checked >= plan.check {
            let pause = Instant::now();
            // Read before workers stand still: it is about them that it was promised.
            run.latest = world.books.latest.load(Ordering::Relaxed);
            gate.pause.store(true, Ordering::Relaxed);
            gate.barrier.wait();
            // First: sessions expire while checks run, and nobody makes new ones.
            run.allocated.extend(allocated_at_rest(world).map(|bytes| (sample.time, bytes)));
            meter::trim();
            run.resident.push((sample.time, resident() as f64));
            let check = Instant::now();
            checks::check(world);
            print_minute(world, &run, sample, check.elapsed());
            gate.pause.store(false, Ordering::Relaxed);
            gate.stop.store(is_over, Ordering::Relaxed);
            gate.barrier.wait();
            paused += pause.elapsed();
            checked = time;
            if is_over {
                return run;
            }
        }
    }
}

/// Bytes allocated now, without a side cache and what was retired, which are given back for it.
fn allocated_at_rest(world: &World) -> Option<f64> {
    world.renew_side(world.side().0);
    (0..64).for_each(|_| fleeting::release_thread_memory());
    meter::allocated().map(|bytes| bytes as f64)
}

fn print_minute(world: &World, run: &Run, sample: Sample, check: Duration) {
    let (books, stats) = (&world.books, world.store.stats());
    let before = run.samples.iter().rev().find(|other| other.time <= sample.time - world.plan.check.as_secs_f64());
    let recent = sample.totals.since(before.map_or_else(Totals::default, |before| before.totals));
    let failures = failures();
    println!(
        "{:7.1} s: {:6.1} MiB, {:5.2} M operations ({:4.0} k a CPU second, yardstick {:5.0} k), {} sessions, {} records, {} expired, \
         {} side caches, {:.1} MiB allocated at rest, late by {:?} at most, checked in {check:.1?}, {} failures",
        sample.time,
        mebibytes(sample.resident),
        sample.totals.operations as f64 / 1e6,
        recent.throughput() / 1e3,
        recent.yard_throughput() / 1e3,
        stats.entries,
        stats.records,
        stats.expired,
        books.side_caches.load(Ordering::Relaxed),
        run.allocated.last().map_or(f64::NAN, |(_, bytes)| mebibytes(*bytes)),
        milliseconds(run.latest),
        failures
    );
}

/// Prints the table, and reports what is out of bounds.
fn judge(plan: &Plan, run: &Run) {
    let length = plan.length.as_secs_f64();
    let tenth = length / 10.0;
    let within = |from: f64, to: f64| run.samples.iter().filter(move |sample| (from..=to).contains(&sample.time));
    let (after_warm_up, at_end) = ((tenth, 2.0 * tenth), (length - tenth, f64::INFINITY));

    // Resident at rest: between checks, the allocator keeps what it likes of the side caches that come and go.
    let points: Vec<_> = run.resident.iter().copied().filter(|(time, _)| *time > tenth).collect();
    let some = (points.len() / 9).max(1);
    let bytes = || points.iter().map(|(_, bytes)| *bytes);
    let (start, end) = (median(bytes().take(some)), median(bytes().rev().take(some)));
    let slope = slope(&points.iter().map(|(time, bytes)| (time / 60.0, *bytes)).collect::<Vec<_>>());
    let level = |(from, to): (f64, f64)| median(within(from, to).map(|sample| sample.resident));
    let highest = within(tenth, f64::INFINITY).map(|sample| sample.resident).fold(0.0, f64::max);

    // Throughput of each window: medians, so that one stall of the machine counts once.
    let windows = |(from, to): (f64, f64), of: fn(Totals) -> f64| {
        let (mut rates, mut before) = (Vec::new(), None::<Sample>);
        for sample in within(from, to) {
            match before {
                Some(first) if sample.time - first.time >= plan.window.as_secs_f64() * 0.95 => {
                    rates.push(of(sample.totals.since(first.totals)));
                    before = Some(*sample);
                }
                Some(_) => {}
                None => before = Some(*sample),
            }
        }
        median(rates)
    };
    let (first, last) = (windows(after_warm_up, Totals::throughput), windows(at_end, Totals::throughput));
    let by_yard = |totals: Totals| totals.throughput() / totals.yard_throughput();
    let (first_by_yard, last_by_yard) = (windows(after_warm_up, by_yard), windows(at_end, by_yard));
    let wall = |(from, to): (f64, f64)| {
        let samples: Vec<_> = within(from, to).collect();
        match samples[..] {
            [first, .., last] => last.totals.since(first.totals).operations as f64 / (last.time - first.time),
            _ => f64::NAN,
        }
    };

    println!("\n| | after warm-up | end | change |\n|---|---|---|---|");
    let row = |name: &str, from: f64, to: f64, digits: usize| {
        println!("| {name} | {from:.digits$} | {to:.digits$} | {:+.1} % |", (to / from - 1.0) * 100.0);
    };
    row("resident at rest, MiB (median of a tenth's checks)", mebibytes(start), mebibytes(end), 1);
    row("resident under load, MiB (median of a tenth)", mebibytes(level(after_warm_up)), mebibytes(level(at_end)), 1);
    let checks: Vec<_> = run.allocated.iter().filter(|(time, _)| *time > tenth).map(|(_, bytes)| *bytes).collect();
    let some = (checks.len() / 9).max(1);
    let (first_rest, last_rest) =
        (median(checks.iter().copied().take(some)), median(checks.iter().copied().rev().take(some)));
    if !checks.is_empty() {
        row("allocated at rest, MiB (median of a tenth's checks)", mebibytes(first_rest), mebibytes(last_rest), 1);
    }
    row("1,000 operations a second of CPU time (median of windows)", first / 1e3, last / 1e3, 0);
    row("the same, by the yardstick's", first_by_yard, last_by_yard, 4);
    row("1,000 operations a second of wall time", wall(after_warm_up) / 1e3, wall(at_end) / 1e3, 0);
    println!(
        "\nhighest memory after warm-up: {:.1} MiB; slope: {:+.1} KiB a minute",
        mebibytes(highest),
        slope / 1024.0
    );
    // A janitor is a thread like any other: it is late by what the system keeps it waiting for.
    let allowed = plan.promised_lateness() + run.last_sweep + 3 * run.stalled;
    println!(
        "an expired session was removed {:?} late at most; allowed {allowed:?}: {:?} promised, {:?} for the longest sweep, \
         three times {:?} that the system let a sleeper wait",
        milliseconds(run.latest),
        plan.promised_lateness(),
        run.last_sweep,
        run.stalled
    );

    let bound = |holds: bool, what: std::fmt::Arguments<'_>| {
        if !holds {
            report(what);
        }
    };
    bound(
        end <= start * (1.0 + plan.memory_tolerance),
        format_args!("memory rose by more than {:.0} %", plan.memory_tolerance * 100.0),
    );
    bound(
        points.len() < 2 || slope <= start * plan.slope_tolerance,
        format_args!(
            "memory rises by {:.1} KiB a minute, {:.1} at most",
            slope / 1024.0,
            start * plan.slope_tolerance / 1024.0
        ),
    );
    bound(
        checks.is_empty() || last_rest <= first_rest * (1.0 + plan.allocated_tolerance),
        format_args!("what is allocated at rest rose from {first_rest:.0} to {last_rest:.0} bytes"),
    );
    let kept = (last / first).max(last_by_yard / first_by_yard);
    bound(
        kept >= 1.0 - plan.throughput_tolerance,
        format_args!("throughput is {:.1} % of that after warm-up, by itself and by the yardstick", kept * 100.0),
    );
    bound(milliseconds(run.latest) <= allowed, format_args!("expired sessions stayed too long"));
}

/// Drops the store and the cache; what they held must go.
fn end(world: Arc<World>) {
    let books = world.books.clone();
    let World { store, cache, .. } = Arc::into_inner(world).expect("the workers are gone");
    let held = resident();
    drop((store, cache));
    let limit = Instant::now() + Duration::from_secs(10);
    while books.payloads.load(Ordering::Relaxed) != 0 && Instant::now() < limit {
        fleeting::release_thread_memory();
    }
    match books.payloads.load(Ordering::Relaxed) {
        0 => {}
        left => report(format_args!("{left} values of the cache were never dropped")),
    }
    println!("dropped: {:.1} MiB resident before, {:.1} after", mebibytes(held as f64), mebibytes(resident() as f64));
    println!(
        "{} loads, {} sweeps by workers, {} walks, {} side caches",
        books.loads.load(Ordering::Relaxed),
        books.sweeps.load(Ordering::Relaxed),
        books.walks.load(Ordering::Relaxed),
        books.side_caches.load(Ordering::Relaxed)
    );
}

fn mebibytes(bytes: f64) -> f64 {
    bytes / (1024.0 * 1024.0)
}
