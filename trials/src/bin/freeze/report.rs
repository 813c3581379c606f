//! Prints what a trial saw, and judges it.

use std::collections::BTreeMap;

use crate::kinds::Kind;
use crate::memory::Memory;
use crate::subjects::Expected;
use crate::text;
use crate::trial::Outcome;

/// Sources in which a thread must have been frozen, or the trial has missed a protocol.
const MUST_HIT: [&str; 5] =
    ["src/engine.rs", "src/map/mod.rs", "src/map/migrate.rs", "src/map/bucket.rs", "src/expiry/pile.rs"];

/// Freezes from which on every kind of operation, and every such source, must have been hit.
const ENOUGH_FOR_KINDS: u32 = 150;
const ENOUGH_FOR_PLACES: u32 = 1_000;

/// Broken invariants that are printed.
const BROKEN_SHOWN: usize = 3;

/// Bytes that the harness and the collector may hold at the end: the latter keeps its own until the next use.
const BYTES_LEFT: i64 = 256 * 1024;

/// The table's head.
pub fn head() {
    println!(
        "{:<17} {:>7} {:>9} {:>9} {:>11} {:>9} {:>8} {:>12} {:>10} {:>6} {:>7}",
        "subject",
        "freezes",
        "skipped:",
        "skipped:",
        "operations",
        "growths",
        "blocked",
        "longest",
        "longest",
        "wrong",
        "seconds"
    );
    println!(
        "{:<17} {:>7} {:>9} {:>9} {:>11} {:>9} {:>8} {:>12} {:>10} {:>6} {:>7}",
        "", "", "outside", "kind", "meanwhile", "meanwhile", "freezes", "operation ms", "course ms", "", ""
    );
}

/// A subject's row.
pub fn row(name: &str, outcome: &Outcome, expected: Expected) {
    let growths = match expected {
        Expected::NeverBlocked => outcome.growths.to_string(),
        // It is ours of which we know when it grows.
        _ => "-".to_string(),
    };
    println!(
        "{name:<17} {:>7} {:>9} {:>9} {:>11} {growths:>9} {:>8} {:>12.1} {:>10.1} {:>6} {:>7.1}",
        outcome.freezes,
        outcome.outside,
        outcome.elsewhere,
        outcome.operations,
        outcome.blocked,
        outcome.longest_operation.as_secs_f64() * 1e3,
        outcome.longest_course.as_secs_f64() * 1e3,
        outcome.wrong,
        outcome.took.as_secs_f64(),
    );
}

/// In which operations the victims were.
pub fn kinds(outcome: &Outcome) {
    let kinds = Kind::ALL.iter().map(|kind| format!("{kind:?} {}", outcome.by_kind[kind.index()]));
    println!("    frozen in: {}", kinds.collect::<Vec<_>>().join(", "));
    println!(
        "    freezes with a growth that began and ended meanwhile: {}; records taken early: {}",
        outcome.freezes_with_growth, outcome.taken_early
    );
}

/// Where the victims were in the freezes that blocked somebody.
pub fn blocked(outcome: &Outcome) {
    let pcs: Vec<usize> = outcome.blocked_at.iter().map(|(_, pc)| *pc).collect();
    let kinds = outcome.blocked_at.iter().map(|(kind, _)| format!("{kind:?}"));
    println!("    blocked by a thread that was frozen in: {}", kinds.collect::<Vec<_>>().join(", "));
    places(&text::places(&pcs));
}

/// In which sources the victims were.
pub fn places(places: &BTreeMap<String, usize>) {
    let mut places: Vec<_> = places.iter().collect();
    places.sort_by_key(|(_, freezes)| std::cmp::Reverse(**freezes));
    let places = places.iter().map(|(place, freezes)| format!("{place} {freezes}"));
    println!("    frozen at: {}", places.collect::<Vec<_>>().join(", "));
}

/// What a frozen thread holds back.
pub fn memory(memory: &Memory) {
    println!(
        "    bytes held back a replacement: median {:.0}, most {:.0} while a thread is frozen; median {:.0} while none is; \
         {} KiB left after the thaw",
        memory.frozen.0,
        memory.frozen.1,
        memory.thawed,
        memory.left / 1024
    );
}

/// What is wrong with a subject of ours; `all_kinds` if victims were sought in all kinds of operations.
pub fn complaints(
    outcome: &Outcome,
    places: &BTreeMap<String, usize>,
    all_kinds: bool,
) -> impl Iterator<Item = String> {
    // The first few tell what is the matter.
    let mut complaints: Vec<String> = outcome.broken.iter().take(BROKEN_SHOWN).cloned().collect();
    if outcome.broken.len() > BROKEN_SHOWN {
        complaints.push(format!("and {} more invariants were broken", outcome.broken.len() - BROKEN_SHOWN));
    }
    let mut unless = |holds: bool, complaint: String| {
        if !holds {
            complaints.push(complaint);
        }
    };
    unless(outcome.blocked == 0, format!("{} freezes blocked another thread", outcome.blocked));
    unless(outcome.wrong == 0, format!("{} operations gave a wrong answer", outcome.wrong));
    unless(outcome.leaked_values == 0, format!("{} values were not dropped", outcome.leaked_values));
    unless(outcome.leaked_bytes < BYTES_LEFT, format!("{} bytes were not freed", outcome.leaked_bytes));
    if all_kinds && outcome.freezes >= ENOUGH_FOR_KINDS {
        unless(outcome.growths > 0, "no growth began and ended while a thread was frozen".to_string());
        for kind in Kind::ALL {
            unless(outcome.by_kind[kind.index()] > 0, format!("no thread was frozen in {kind:?}"));
        }
    }
    if all_kinds && outcome.freezes >= ENOUGH_FOR_PLACES {
        for place in MUST_HIT {
            unless(places.contains_key(place), format!("no thread was frozen in {place}"));
        }
    }
    complaints.into_iter()
}
