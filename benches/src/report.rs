//! Tables, CSV and JSON of the cells.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::cells::Row;
use crate::figures::Summary;

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
    let commit = output("git", &["describe", "--always", "--dirty", "--abbrev=12"]);
    [
        ("command", std::env::args().collect::<Vec<_>>().join(" ")),
        ("commit", commit),
        ("machine", format!("{cpu}, {cores} cores, {}", output("uname", &["-sr"]))),
        ("date", output("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"])),
        ("allocator", if cfg!(feature = "mimalloc") { "mimalloc" } else { "system" }.into()),
    ]
}

/// The header of the table on the screen, for the stores of a row.
pub fn header(row: &Row) -> String {
    let names: Vec<&str> = row.samples.iter().map(|sample| sample.0).collect();
    let columns = "---:|".repeat(names.len());
    format!("| cell | entries | threads | {} | best peer / ours |\n|---|---:|---:|{columns}---|", names.join(" | "))
}

/// One line of the table: ns an operation, median (p10 - p90).
pub fn line(row: &Row) -> String {
    let mut line = format!("| {} | {} | {} |", row.cell, row.entries, row.threads);
    for (_, sample) in &row.samples {
        let Summary { p10, median, p90 } = Summary::of(sample);
        // Writing to a string does not fail.
        let _ = write!(line, " {median:.0} ({p10:.0}-{p90:.0}) |");
    }
    let (peer, ratio) = row.best_peer();
    let _ = write!(line, " {ratio:.2} {peer} |");
    line
}

/// Writes a file with one record for each cell and store.
pub fn write(path: &Path, is_json: bool, rows: &[Row]) -> io::Result<()> {
    let provenance = provenance();
    let mut records = Vec::new();
    for row in rows {
        for (index, (store, sample)) in row.samples.iter().enumerate() {
            let Summary { p10, median, p90 } = Summary::of(sample);
            let (entries, threads, rounds) = (row.entries, row.threads, sample.len());
            let (cell, operations, ratio) = (row.cell, row.operations, row.ratio(index));
            records.push(if is_json {
                format!(
                    r#"{{"cell":"{cell}","entries":{entries},"threads":{threads},"store":"{store}","rounds":{rounds},"operations":{operations},"median_ns":{median:.2},"p10_ns":{p10:.2},"p90_ns":{p90:.2},"by_ours":{ratio:.4}}}"#
                )
            } else {
                format!(
                    "{cell},{entries},{threads},{store},{rounds},{operations},{median:.2},{p10:.2},{p90:.2},{ratio:.4}"
                )
            });
        }
    }
    let text = if is_json {
        let about: Vec<String> =
            provenance.iter().map(|(name, value)| format!("\"{name}\":{}", quoted(value))).collect();
        format!("{{{},\"cells\":[\n{}\n]}}\n", about.join(","), records.join(",\n"))
    } else {
        let about: String = provenance.iter().map(|(name, value)| format!("# {name}: {value}\n")).collect();
        let columns = "cell,entries,threads,store,rounds,operations,median_ns,p10_ns,p90_ns,by_ours";
        format!("{about}{columns}\n{}\n", records.join("\n"))
    };
    fs::write(path, text)
}

fn quoted(text: &str) -> String {
    let escaped: String =
        text.chars().flat_map(|c| if matches!(c, '"' | '\\') { vec!['\\', c] } else { vec![c] }).collect();
    format!("\"{escaped}\"")
}
