//! Result files: one CSV schema for all workloads, one record for each cell and store, with the provenance above as `#` lines.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::figures::{Row, Summary};

/// The allocator that this program was built with.
pub const ALLOCATOR: &str = if cfg!(feature = "mimalloc") { "mimalloc" } else { "glibc" };

const COLUMNS: &str = "workload,cell,entries,threads,store,allocator,unit,rounds,median,p10,p90,ratio";

/// One store's figures in one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub workload: String,
    pub cell: String,
    pub entries: usize,
    pub threads: usize,
    pub store: String,
    pub allocator: String,
    pub unit: String,
    pub rounds: usize,
    pub median: f64,
    pub p10: f64,
    pub p90: f64,
    /// This store's time (or memory) by ours: the median of the rounds' ratios.
    pub ratio: f64,
}

impl Record {
    /// Whether both are of one cell and store.
    pub fn is_of(&self, other: &Record) -> bool {
        self.place() == other.place()
    }

    fn place(&self) -> ([&str; 5], usize, usize) {
        let Record { workload, cell, store, allocator, unit, entries, threads, .. } = self;
        ([workload, cell, store, allocator, unit], *entries, *threads)
    }

    fn parse(line: &str) -> Option<Record> {
        let fields: [&str; 12] = line.split(',').collect::<Vec<_>>().try_into().ok()?;
        let [workload, cell, entries, threads, store, allocator, unit, rounds, median, p10, p90, ratio] = fields;
        Some(Record {
            workload: workload.into(),
            cell: cell.into(),
            entries: entries.parse().ok()?,
            threads: threads.parse().ok()?,
            store: store.into(),
            allocator: allocator.into(),
            unit: unit.into(),
            rounds: rounds.parse().ok()?,
            median: median.parse().ok()?,
            p10: p10.parse().ok()?,
            p90: p90.parse().ok()?,
            ratio: ratio.parse().ok()?,
        })
    }

    fn line(&self) -> String {
        let Record { workload, cell, entries, threads, store, allocator, unit, rounds, median, p10, p90, ratio } = self;
        format!(
            "{workload},{cell},{entries},{threads},{store},{allocator},{unit},{rounds},{median:.2},{p10:.2},{p90:.2},{ratio:.4}"
        )
    }
}

/// The records of a row: one for each store.
pub fn records(row: &Row) -> Vec<Record> {
    let record = |sample: &crate::figures::Sample| {
        let Summary { p10, median, p90 } = Summary::of(&sample.values);
        Record {
            workload: row.workload.into(),
            cell: row.cell.clone(),
            entries: row.entries,
            threads: row.threads,
            store: sample.store.into(),
            allocator: ALLOCATOR.into(),
            unit: row.unit.into(),
            rounds: sample.values.len(),
            median,
            p10,
            p90,
            ratio: Summary::of(&sample.ratios).median,
        }
    };
    row.samples.iter().map(record).collect()
}

/// Where and how the figures came to be.
pub fn provenance() -> [(&'static str, String); 5] {
    let output = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
        output.map_or_else(|| "unknown".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown", |name| name.trim_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    [
        ("command", std::env::args().collect::<Vec<_>>().join(" ")),
        ("commit", output("git", &["describe", "--always", "--dirty", "--abbrev=12"])),
        ("machine", format!("{cpu}, {cores} cores, {}", output("uname", &["-sr"]))),
        ("date", output("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"])),
        ("allocator", ALLOCATOR.into()),
    ]
}

/// One line on the screen: median (p10 - p90) of each store.
pub fn line(row: &Row) -> String {
    let mut line =
        format!("{} {}, {} entries, {} threads, {}:", row.workload, row.cell, row.entries, row.threads, row.unit);
    for sample in &row.samples {
        let Summary { p10, median, p90 } = Summary::of(&sample.values);
        let digits = usize::from(median < 10.0);
        // Writing to a string does not fail.
        let _ = write!(line, " {} {median:.digits$} ({p10:.digits$}-{p90:.digits$});", sample.store);
    }
    if let Some((peer, ratio)) = row.best_peer() {
        let _ = write!(line, " best peer / ours {ratio:.2} {peer}");
    }
    line
}

/// Writes a workload's rows; nothing if there are none.
pub fn write(folder: &Path, workload: &str, rows: &[Row], left_out: &[String]) -> Result<(), String> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut text: String = provenance().iter().map(|(name, value)| format!("# {name}: {value}\n")).collect();
    text.extend(left_out.iter().map(|note| format!("# left out: {note}\n")));
    text.push_str(COLUMNS);
    text.push('\n');
    text.extend(rows.iter().flat_map(records).map(|record| record.line() + "\n"));
    let path = folder.join(format!("{workload}-{ALLOCATOR}.csv"));
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(folder).map_err(failed)?;
    fs::write(&path, text).map_err(failed)
}

/// A result file's provenance and records, or the first line that is neither.
pub fn parse(text: &str) -> Result<(Vec<String>, Vec<Record>), String> {
    let (mut about, mut records) = (Vec::new(), Vec::new());
    for line in text.lines().filter(|line| *line != COLUMNS) {
        match line.strip_prefix("# ") {
            Some(comment) => about.push(comment.to_string()),
            None => records.push(Record::parse(line).ok_or_else(|| format!("not a record: {line}"))?),
        }
    }
    Ok((about, records))
}

/// All result files of each folder, which is a run, by name. Of what they tell about themselves, each line once; of a run's dates, the first and the last.
pub fn read_runs(folders: &[PathBuf]) -> Result<(Vec<String>, Vec<Vec<Record>>), String> {
    let (mut about, mut runs) = (Vec::new(), Vec::new());
    for folder in folders {
        runs.push(read_run(folder, &mut about)?);
    }
    Ok((about, runs))
}

fn read_run(folder: &Path, about: &mut Vec<String>) -> Result<Vec<Record>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "csv"));
    paths.sort();
    let (mut dates, mut records) = (Vec::new(), Vec::new());
    for path in &paths {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let (these, mut more) = parse(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        for line in these.into_iter().filter(|line| !line.starts_with("left out")) {
            match line.strip_prefix("date: ") {
                Some(date) => dates.push(date.to_string()),
                None if !about.contains(&line) => about.push(line),
                None => {}
            }
        }
        records.append(&mut more);
    }
    if records.is_empty() {
        return Err(format!("{}: no results", folder.display()));
    }
    dates.sort();
    if let (Some(first), Some(last)) = (dates.first(), dates.last()) {
        about.push(if first == last { format!("date: {first}") } else { format!("date: {first} to {last}") });
    }
    Ok(records)
}

/// One record for each cell and store of some runs: the medians of what the runs say of it, and the outer percentiles.
pub fn merge(runs: &[Vec<Record>]) -> Vec<Record> {
    let mut merged: Vec<Record> = Vec::new();
    for record in runs.iter().flatten() {
        if merged.iter().any(|known| known.is_of(record)) {
            continue;
        }
        let all = || runs.iter().flatten().filter(|other| other.is_of(record));
        let median = |of: fn(&Record) -> f64| Summary::of(&all().map(of).collect::<Vec<_>>()).median;
        merged.push(Record {
            rounds: all().map(|record| record.rounds).sum(),
            median: median(|record| record.median),
            p10: all().map(|record| record.p10).fold(f64::MAX, f64::min),
            p90: all().map(|record| record.p90).fold(f64::MIN, f64::max),
            ratio: median(|record| record.ratio),
            ..record.clone()
        });
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut row = Row::new("single", "hit", 1_000, 2, "ns");
        row.add_group(vec![("fleeting", vec![10.0, 11.0, 12.0]), ("mutex", vec![20.0, 22.0, 24.0])]);
        let folder = std::env::temp_dir().join(format!("fleeting-benches-report-{}", std::process::id()));
        write(&folder, "single", &[row.clone()], &["moka is not in hit: a test".into()]).unwrap();
        let (about, runs) = read_runs(&[folder.clone(), folder.clone()]).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let found = &runs[1];
        assert_eq!((runs.len(), found), (2, &records(&row)));
        assert_eq!((found[1].median, found[1].ratio, found[1].rounds), (22.0, 2.0, 3));
        for name in ["command", "commit", "machine", "date", "allocator"] {
            assert!(about.iter().any(|line| line.starts_with(&format!("{name}: "))), "{name}");
        }
        assert!(!about.iter().any(|line| line.contains("moka")));
    }

    #[test]
    fn runs_are_merged_cell_by_cell() {
        let run = |values: [f64; 2]| {
            let mut row = Row::new("single", "hit", 1_000, 2, "ns");
            row.add_group(vec![("fleeting", vec![10.0]), ("mutex", vec![values[0]])]);
            let mut other = Row::new("single", "miss", 1_000, 2, "ns");
            other.add_group(vec![("fleeting", vec![values[1]])]);
            [records(&row), records(&other)].concat()
        };
        let merged = merge(&[run([20.0, 1.0]), run([40.0, 2.0]), run([25.0, 9.0])]);
        let figures: Vec<_> =
            merged.iter().map(|record| (record.median, record.p10, record.p90, record.ratio)).collect();
        assert_eq!(figures, [(10.0, 10.0, 10.0, 1.0), (25.0, 20.0, 40.0, 2.5), (2.0, 1.0, 9.0, 1.0)]);
        assert!(merged.iter().all(|record| record.rounds == 3));
    }

    #[test]
    fn a_broken_file_is_told() {
        assert!(parse("# a: b\nsingle,hit,1000\n").is_err());
        assert!(parse("single,hit,x,1,fleeting,glibc,ns,3,1,1,1,1\n").is_err());
    }

    #[test]
    fn a_line_names_the_best_peer() {
        let mut row = Row::new("single", "hit", 1_000, 2, "ns");
        row.add_group(vec![("fleeting", vec![10.0]), ("mutex", vec![20.0]), ("scc", vec![5.0])]);
        let line = line(&row);
        assert!(line.ends_with("best peer / ours 0.50 scc"), "{line}");
    }
}
