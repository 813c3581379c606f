//! `fleeting` beside what a user would write by hand, and beside caches. See `USAGE`, and `performance.md` of the design for the method.

mod clock;
mod figures;
mod goals;
mod kinds;
mod load;
mod peers;
mod plot;
mod progress;
mod report;
mod rounds;
mod table;
mod workloads;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::workloads::{ALL, Bench, Run};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: cargo run --release -p fleeting-benches [--features mimalloc] -- COMMAND

  all [--quick] [--out DIR]
        every workload; writes a CSV file for each into DIR (benches/results). benches/run.sh does this with both allocators.
        --quick: small and short, to see that all run and find what they should; its times say little
  WORKLOAD [--quick] [--only CELL] [--sizes N,N] [--rounds N] [--out DIR]
        one of single, warm, caches, web, batch, grow, churn, storm, sweep-scaling, iterate, memory, replay, contention;
        or inline: the cells of single on Cache<[u8; 32], Arc<[u8]>>. A file is written only with --out
  table [DIR ...]
        the table of all cells against their floors and aims, in Markdown, losses first. Of several runs, each in a DIR, medians and spread
  plot [DIR ...] [--out DIR]
        SVG plots of the results in DIR (benches/results), of several runs their medians, written into the last (benches/plots)
  profile STORE CELL ENTRIES OPERATIONS
        one cell of single, for callgrind (--toggle-collect='*measured*')
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Default)]
struct Options {
    bench: Bench,
    out: Option<PathBuf>,
    /// What is not an option.
    folders: Vec<PathBuf>,
}

fn run(arguments: &[String]) -> Result<(), String> {
    let Some((command, rest)) = arguments.split_first() else { return Err(USAGE.into()) };
    match (command.as_str(), rest) {
        ("profile", [store, cell, entries, operations]) => {
            let found = workloads::single::profile(store, cell, number(entries)?, number(operations)?);
            println!("{:.1} ns", found.ok_or("no such store or cell, or the store cannot do it")?);
            return Ok(());
        }
        ("child", [role, store, entries]) => return workloads::child::serve(role, store, number(entries)?),
        _ => {}
    }
    let mut options = options(rest)?;
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    if options.folders.is_empty() {
        options.folders.push(home.join("results"));
    }
    match command.as_str() {
        "all" => {
            let out = options.out.clone().unwrap_or_else(|| home.join("results"));
            run_workloads(&ALL, options.bench, Some(&out))
        }
        "table" => {
            let (about, runs) = report::read_runs(&options.folders)?;
            about.iter().for_each(|line| println!("- {line}"));
            println!("\n{}", table::markdown(&runs));
            Ok(())
        }
        "plot" => {
            let (about, runs) = report::read_runs(&options.folders)?;
            let out = options.out.unwrap_or_else(|| home.join("plots"));
            plot::draw(&about, &runs, &out)?.iter().for_each(|path| println!("{}", path.display()));
            Ok(())
        }
        "inline" => run_workloads(&[("inline", workloads::caches::run_inline)], options.bench, options.out.as_deref()),
        name => {
            let workload = ALL.into_iter().find(|workload| workload.0 == name).ok_or(USAGE)?;
            run_workloads(&[workload], options.bench, options.out.as_deref())
        }
    }
}

fn run_workloads(all: &[(&str, Run)], mut bench: Bench, out: Option<&Path>) -> Result<(), String> {
    for (name, value) in report::provenance() {
        println!("{name}: {value}");
    }
    let mut count = 0;
    for (name, run) in all {
        let start = std::time::Instant::now();
        println!();
        run(&mut bench)?;
        progress::tell("");
        let (rows, left_out) = (std::mem::take(&mut bench.rows), std::mem::take(&mut bench.left_out));
        left_out.iter().for_each(|note| println!("{note}"));
        println!("{name}: {} rows in {:.1} s", rows.len(), start.elapsed().as_secs_f64());
        if let Some(out) = out {
            report::write(out, name, &rows, &left_out)?;
        }
        count += rows.len();
    }
    // A replay without its log, alone, has none.
    if count == 0 && all.iter().all(|(name, _)| *name != "replay") { Err("no such cell".into()) } else { Ok(()) }
}

fn options(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value\n\n{USAGE}"));
        match argument.as_str() {
            "--quick" => options.bench.is_quick = true,
            "--rounds" => options.bench.rounds = Some(number(value()?)?),
            "--sizes" => options.bench.sizes = Some(value()?.split(',').map(number).collect::<Result<_, _>>()?),
            "--only" => options.bench.only = Some(value()?.clone()),
            "--out" => options.out = Some(value()?.into()),
            folder if !folder.starts_with('-') => options.folders.push(folder.into()),
            _ => return Err(format!("{argument}: unknown\n\n{USAGE}")),
        }
    }
    Ok(options)
}

fn number(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{text}: not a number above zero")),
    }
}
