//! What to reach, as `performance.md` of the design has it: for each cell whom to compare with, the floor and the aim.
//!
//! A score is what we are compared with by ours, so more is better, and a floor or an aim is reached by at least as much.

use crate::report::Record;

/// With whom a cell is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Against {
    BestPeer,
    /// The best of the maps by hand.
    Maps,
    Only(&'static str),
    /// Ourselves in another cell, same entries and threads.
    OurCell(&'static str),
    /// Ourselves in the same cell with the fewest entries.
    OurSmallest,
    /// So much of the cell's unit.
    Constant(f64),
}

pub const MAPS: [&str; 5] = ["dashmap", "papaya", "scc", "mutex", "skiplist"];

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    workload: &'static str,
    cell: &'static str,
    /// From so many entries on.
    entries: usize,
    /// With so many threads; none: with any number.
    threads: &'static [usize],
    pub against: Against,
    pub floor: Option<f64>,
    pub aim: Option<f64>,
}

const fn goal(
    (workload, cell): (&'static str, &'static str),
    entries: usize,
    threads: &'static [usize],
    against: Against,
    (floor, aim): (Option<f64>, Option<f64>),
) -> Goal {
    Goal { workload, cell, entries, threads, against, floor, aim }
}

const CROWDS: &[usize] = &[2, 8, 32];

pub const GOALS: [Goal; 25] = [
    goal(("single", "hit"), 0, &[], Against::Maps, (Some(1.0), Some(1.2))),
    goal(("single", "hit"), 0, &[], Against::Only("moka"), (Some(4.0), None)),
    goal(("single", "zipf"), 0, CROWDS, Against::Maps, (Some(1.0), Some(1.5))),
    goal(("single", "zipf"), 0, CROWDS, Against::Only("dashmap"), (Some(1.5), None)),
    goal(("single", "zipf p99.9"), 0, CROWDS, Against::BestPeer, (Some(1.0), None)),
    goal(("single", "miss"), 0, &[], Against::BestPeer, (Some(1.0), Some(1.3))),
    goal(("single", "touch"), 0, &[], Against::BestPeer, (Some(1.0), Some(1.2))),
    goal(("single", "touch-zipf"), 0, &[2], Against::BestPeer, (Some(1.5), Some(3.0))),
    goal(("single", "save"), 0, &[], Against::BestPeer, (Some(0.9), Some(1.2))),
    goal(("single", "zipf-75-25"), 0, &[2], Against::BestPeer, (Some(0.9), Some(1.2))),
    goal(("web", "web"), 0, &[], Against::BestPeer, (Some(0.9), Some(1.2))),
    goal(("churn", "churn"), 0, &[], Against::BestPeer, (Some(0.8), Some(1.0))),
    goal(("grow", "grow"), 0, &[], Against::BestPeer, (Some(0.8), Some(1.0))),
    goal(("grow", "grow p99.9"), 0, &[], Against::BestPeer, (Some(2.0), Some(4.0))),
    goal(("grow", "grow p99.99"), 0, &[], Against::BestPeer, (Some(2.0), Some(4.0))),
    goal(("storm", "purge p99.9"), 0, &[1], Against::OurCell("idle p99.9"), (Some(0.5), Some(1.0 / 1.2))),
    // On two cores, two readers and a sweeper are one thread too many: the floor has a third thread, too.
    goal(("storm", "purge p99.9"), 0, &[2], Against::OurCell("busy elsewhere p99.9"), (Some(0.5), Some(1.0 / 1.2))),
    goal(("storm", "purge time"), 1_000_000, &[1], Against::Constant(500.0), (Some(1.0), None)),
    goal(("sweep-scaling", "sweep"), 0, &[], Against::OurSmallest, (Some(1.0 / 1.5), Some(1.0))),
    goal(("batch", "get_many-32"), 1_000_000, &[], Against::BestPeer, (Some(2.0), Some(3.0))),
    goal(("batch", "cache get_many-32"), 1_000_000, &[], Against::BestPeer, (Some(2.0), Some(3.0))),
    goal(("memory", "beyond token and data"), 0, &[], Against::Only("dashmap"), (Some(1.0), None)),
    goal(("memory", "beyond token and data"), 0, &[], Against::Constant(64.0), (None, Some(1.0))),
    goal(("churn", "memory at the end"), 0, &[], Against::OurCell("memory after a quarter"), (None, Some(0.95))),
    goal(("iterate", "find beside p99.9"), 0, &[], Against::BestPeer, (None, Some(1.0))),
];

/// The goals of the cell that a record of ours stands for.
pub fn goals(of: &Record) -> impl Iterator<Item = &'static Goal> {
    GOALS.iter().filter(move |goal| {
        goal.workload == of.workload
            && goal.cell == of.cell
            && goal.entries <= of.entries
            && (goal.threads.is_empty() || goal.threads.contains(&of.threads))
    })
}

/// Whom a record of ours is compared with by name, and the score; None if it is not there.
pub fn score(ours: &Record, against: Against, all: &[Record]) -> Option<(String, f64)> {
    let same = |other: &&Record| {
        other.workload == ours.workload && other.threads == ours.threads && other.allocator == ours.allocator
    };
    let same_cell = |other: &&Record| same(other) && other.cell == ours.cell;
    let peer = |is_meant: &dyn Fn(&str) -> bool| {
        let peers = all.iter().filter(same_cell).filter(|other| other.entries == ours.entries);
        let peers = peers.filter(|other| other.store != ours.store && is_meant(&other.store));
        let best = peers.min_by(|one, other| one.ratio.total_cmp(&other.ratio))?;
        let note = if best.store == "quick_cache" { " (no expiry)" } else { "" };
        Some((format!("{}{note}", best.store), best.ratio))
    };
    match against {
        Against::BestPeer => peer(&|_| true),
        Against::Maps => peer(&|store| MAPS.contains(&store)),
        Against::Only(name) => peer(&|store| store == name),
        Against::OurCell(cell) => {
            let other = all
                .iter()
                .filter(same)
                .find(|other| other.cell == cell && other.entries == ours.entries && other.store == ours.store)?;
            Some((format!("ours, {cell}"), other.median / ours.median))
        }
        Against::OurSmallest => {
            let sizes = all.iter().filter(same_cell).filter(|other| other.store == ours.store);
            let smallest = sizes.min_by_key(|other| other.entries).filter(|other| other.entries < ours.entries)?;
            Some((format!("ours, {} entries", smallest.entries), smallest.median / ours.median))
        }
        Against::Constant(constant) => Some((format!("{constant} {}", ours.unit), constant / ours.median)),
    }
}
