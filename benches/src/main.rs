//! `fleeting` beside what a user would write by hand. See `USAGE`, and `performance.md` of the design for the method.

mod adapters;
mod cells;
mod clock;
mod figures;
mod load;
mod report;
mod storm;
mod sweep;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cells::Plan;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: cargo run --release -p fleeting-benches [--features mimalloc] -- COMMAND

  cells [--quick] [--rounds N] [--sizes N,N] [--only CELL] [--inline] [--json FILE] [--csv FILE]
        single operations beside dashmap, papaya and a mutex around a map; ns an operation and thread
        --inline: the peers keep tokens of 32 bytes inline, instead of any in a box
  sweep-scaling [--quick] [--rounds N]
        a sweep of 5,000 due sessions beside 20 thousand to 2 million live ones
  storm [--quick]
        readers while 1 M of 1.1 M sessions fall due at once
  profile STORE CELL ENTRIES OPERATIONS
        one cell of one store, for callgrind (--toggle-collect='*measured*')
";

#[derive(Default)]
struct Options {
    quick: bool,
    rounds: Option<usize>,
    sizes: Option<Vec<usize>>,
    only: Option<String>,
    inline: bool,
    json: Option<PathBuf>,
    csv: Option<PathBuf>,
}

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

fn run(arguments: &[String]) -> Result<(), String> {
    let Some((command, rest)) = arguments.split_first() else { return Err(USAGE.into()) };
    if command == "profile" {
        return profile(rest);
    }
    let options = options(rest)?;
    match command.as_str() {
        "cells" => run_cells(options),
        "sweep-scaling" => {
            let rounds = options.rounds.unwrap_or(if options.quick { 5 } else { 31 });
            announce();
            sweep::run(rounds, if options.quick { &[20_000, 200_000] } else { &[20_000, 200_000, 2_000_000] });
            Ok(())
        }
        "storm" => {
            announce();
            storm::run(if options.quick { 110_000 } else { 1_100_000 });
            Ok(())
        }
        _ => Err(USAGE.into()),
    }
}

fn run_cells(options: Options) -> Result<(), String> {
    let plan = Plan {
        sizes: options.sizes.unwrap_or_else(|| vec![1_000, 100_000, 1_000_000]),
        rounds: options.rounds.unwrap_or(if options.quick { 5 } else { 41 }),
        only: options.only,
        are_tokens_inline: options.inline,
    };
    announce();
    let mut rows = Vec::new();
    cells::run(&plan, |row| {
        if rows.is_empty() {
            println!("{}", report::header(row));
        }
        println!("{}", report::line(row));
        rows.push(row.clone());
    });
    if rows.is_empty() {
        return Err("no such cell".into());
    }
    for (path, is_json) in [(options.json, true), (options.csv, false)] {
        if let Some(path) = path {
            report::write(&path, is_json, &rows).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(())
}

fn announce() {
    for (name, value) in report::provenance() {
        println!("{name}: {value}");
    }
    println!();
}

fn profile(arguments: &[String]) -> Result<(), String> {
    let [store, cell, entries, operations] = arguments else { return Err(USAGE.into()) };
    let nanoseconds =
        cells::profile(store, cell, number(entries)?, number(operations)?).ok_or("no such store or cell")?;
    println!("{nanoseconds:.1} ns");
    Ok(())
}

fn options(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value\n\n{USAGE}"));
        match argument.as_str() {
            "--quick" => options.quick = true,
            "--inline" => options.inline = true,
            "--rounds" => options.rounds = Some(number(value()?)?),
            "--sizes" => options.sizes = Some(value()?.split(',').map(number).collect::<Result<_, _>>()?),
            "--only" => options.only = Some(value()?.clone()),
            "--json" => options.json = Some(value()?.into()),
            "--csv" => options.csv = Some(value()?.into()),
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
