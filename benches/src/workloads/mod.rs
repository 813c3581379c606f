//! The workloads, each in a file of its own, and what they have in common: how large they are, and where their rows go.

pub mod batch;
pub mod caches;
pub mod child;
pub mod churn;
pub mod contention;
pub mod grow;
pub mod iterate;
pub mod memory;
pub mod replay;
pub mod single;
pub mod storm;
pub mod sweep_scaling;
pub mod web;

use std::time::Duration;

use crate::figures::Row;
use crate::peers::{Ability, Store};
use crate::report;
use crate::rounds::{Order, Shape};

/// Longer than any run, so that a find of what is there always hits.
pub const TTL: Duration = Duration::from_secs(4 * 3600);

/// One run's limits, and its rows as they come.
#[derive(Debug, Default)]
pub struct Bench {
    pub is_quick: bool,
    pub rounds: Option<usize>,
    pub sizes: Option<Vec<usize>>,
    /// Only this cell.
    pub only: Option<String>,
    pub rows: Vec<Row>,
    /// Who was left out of what, and why.
    pub left_out: Vec<String>,
}

impl Bench {
    pub fn wants(&self, cell: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only == cell)
    }

    /// The sizes asked for, or those of a quick or a full run.
    pub fn sizes(&self, quick: &[usize], full: &[usize]) -> Vec<usize> {
        self.sizes.clone().unwrap_or_else(|| if self.is_quick { quick } else { full }.to_vec())
    }

    pub fn rounds(&self, quick: usize, full: usize) -> usize {
        self.rounds.unwrap_or(if self.is_quick { quick } else { full })
    }

    pub fn shape(&self, threads: usize, quick: usize, full: usize) -> Shape {
        let slice = Duration::from_micros(if self.is_quick { 500 } else { 10_000 });
        // Slices of many threads are long, and long slices are steady.
        let rounds = self.rounds(quick, if threads > 2 { (full * 4 / threads).max(3) } else { full });
        Shape { order: Order::Cold, threads, rounds, slice }
    }

    /// Takes a row if it is sane, and prints it.
    pub fn push(&mut self, row: Row) -> Result<(), String> {
        row.check()?;
        println!("{}", report::line(&row));
        self.rows.push(row);
        Ok(())
    }

    /// Whether a store takes part where an ability is needed; if not, it is noted why.
    pub fn takes_part<S: Store>(&mut self, what: &str, needs: Ability) -> bool {
        self.notes_lack(what, S::name(), S::lacks(needs))
    }

    pub fn notes_lack(&mut self, what: &str, store: &str, lack: Option<&str>) -> bool {
        let Some(why) = lack else { return true };
        let note = format!("{store} is not in {what}: {why}");
        if !self.left_out.contains(&note) {
            self.left_out.push(note);
        }
        false
    }
}

pub type Run = fn(&mut Bench) -> Result<(), String>;

/// All, in the order in which `all` runs them.
pub const ALL: [(&str, Run); 13] = [
    ("single", single::run),
    ("warm", single::run_warm),
    ("caches", caches::run),
    ("web", web::run),
    ("batch", batch::run),
    ("grow", grow::run),
    ("churn", churn::run),
    ("storm", storm::run),
    ("sweep-scaling", sweep_scaling::run),
    ("iterate", iterate::run),
    ("memory", memory::run),
    ("replay", replay::run),
    ("contention", contention::run),
];
