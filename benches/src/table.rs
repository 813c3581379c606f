//! The table of all cells, losses first.

use crate::goals::{self, Against};
use crate::report::{self, Record};

/// A cell beside what it is to reach.
#[derive(Clone, Debug)]
pub struct Line {
    pub ours: Record,
    pub against: String,
    pub score: f64,
    /// The lowest and the highest of the runs.
    pub spread: (f64, f64),
    pub floor: Option<f64>,
    pub aim: Option<f64>,
}

/// How a cell stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    BelowFloor,
    /// No floor is set, and someone is better.
    Lost,
    BelowAim,
    Reached,
}

impl Line {
    pub fn verdict(&self) -> Verdict {
        let misses = |limit: Option<f64>| limit.is_some_and(|limit| self.score < limit);
        if misses(self.floor) {
            Verdict::BelowFloor
        } else if misses(self.aim) {
            Verdict::BelowAim
        } else if self.floor.or(self.aim).is_none() && self.score < 1.0 {
            Verdict::Lost
        } else {
            Verdict::Reached
        }
    }

    /// The score by the limit that counts.
    fn standing(&self) -> f64 {
        self.score / self.floor.or(self.aim).unwrap_or(1.0)
    }
}

/// A line for each goal of each cell, and for each cell without one; losses first. Of several runs, the medians.
pub fn lines(runs: &[Vec<Record>]) -> Vec<Line> {
    let (all, mut lines) = (&report::merge(runs)[..], Vec::new());
    for ours in all.iter().filter(|record| record.store == "fleeting") {
        let mut wanted: Vec<(Against, Option<f64>, Option<f64>)> =
            goals::goals(ours).map(|goal| (goal.against, goal.floor, goal.aim)).collect();
        if wanted.is_empty() {
            wanted.push((Against::BestPeer, None, None));
        }
        for (goal, floor, aim) in wanted {
            let of_run = |run: &Vec<Record>| {
                let ours = run.iter().find(|record| record.is_of(ours))?;
                goals::score(ours, goal, run)
            };
            let mut scores: Vec<(String, f64)> = runs.iter().filter_map(of_run).collect();
            scores.sort_by(|one, other| one.1.total_cmp(&other.1));
            let (Some(first), Some(last)) = (scores.first(), scores.last()) else { continue };
            let spread = (first.1, last.1);
            // Of two runs, the worse one.
            let (against, score) = scores[(scores.len() - 1) / 2].clone();
            lines.push(Line { ours: ours.clone(), against, score, spread, floor, aim });
        }
    }
    lines.sort_by(|one, other| one.verdict().cmp(&other.verdict()).then(one.standing().total_cmp(&other.standing())));
    lines
}

/// In Markdown. Of several runs each ratio has its spread: the lowest and the highest of them.
pub fn markdown(runs: &[Vec<Record>]) -> String {
    let mut table = String::from(
        "| workload | cell | entries | threads | allocator | ours | against | ratio | floor | aim | |\n\
         |---|---|---:|---:|---|---:|---|---:|---:|---:|---|\n",
    );
    let limit = |limit: Option<f64>| limit.map_or_else(|| "-".into(), |limit| format!("{limit:.2}"));
    for line in lines(runs) {
        let Record { workload, cell, entries, threads, allocator, median, unit, .. } = &line.ours;
        let verdict = match line.verdict() {
            Verdict::BelowFloor => "**below the floor**",
            Verdict::Lost => "lost",
            Verdict::BelowAim => "below the aim",
            Verdict::Reached => "",
        };
        let (against, floor, aim) = (&line.against, limit(line.floor), limit(line.aim));
        let spread = match line.spread {
            (low, high) if low < high => format!(" ({low:.2} - {high:.2})"),
            _ => String::new(),
        };
        let score = format!("{:.2}{spread}", line.score);
        let digits = usize::from(*median < 10.0);
        table += &format!(
            "| {workload} | {cell} | {entries} | {threads} | {allocator} | {median:.digits$} {unit} | {against} | {score} | {floor} | {aim} | {verdict} |\n"
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(workload: &str, cell: &str, entries: usize, store: &str, median: f64, ratio: f64) -> Record {
        Record {
            workload: workload.into(),
            cell: cell.into(),
            entries,
            threads: 1,
            store: store.into(),
            allocator: "glibc".into(),
            unit: "ns".into(),
            rounds: 1,
            median,
            p10: median,
            p90: median,
            ratio,
        }
    }

    #[test]
    fn losses_come_first_and_each_goal_has_a_line() {
        let all = [
            record("single", "hit", 10, "fleeting", 10.0, 1.0),
            record("single", "hit", 10, "papaya", 11.0, 1.1),
            record("single", "hit", 10, "quick_cache", 1.0, 0.1),
            record("single", "hit", 10, "moka", 30.0, 3.0),
            record("single", "miss", 10, "fleeting", 10.0, 1.0),
            record("single", "miss", 10, "quick_cache", 20.0, 2.0),
            record("single", "create", 10, "fleeting", 10.0, 1.0),
            record("single", "create", 10, "mutex", 5.0, 0.5),
        ];
        let runs = [all.to_vec()];
        let found: Vec<(String, String, Verdict)> = lines(&runs)
            .into_iter()
            .map(|line| (line.ours.cell.clone(), line.against.clone(), line.verdict()))
            .collect();
        let wanted = [
            ("hit", "moka", Verdict::BelowFloor),
            ("create", "mutex", Verdict::Lost),
            ("hit", "papaya", Verdict::BelowAim),
            ("miss", "quick_cache (no expiry)", Verdict::Reached),
        ];
        assert_eq!(found, wanted.map(|(cell, against, verdict)| (cell.into(), against.into(), verdict)));
        assert!(markdown(&runs).lines().nth(2).unwrap().contains("| 3.00 | 4.00 | - | **below the floor** |"));
    }

    #[test]
    fn several_runs_have_a_median_and_a_spread() {
        let run = |ratio: f64| {
            vec![
                record("single", "hit", 10, "fleeting", 10.0, 1.0),
                record("single", "hit", 10, "papaya", 10.0 * ratio, ratio),
            ]
        };
        let table = markdown(&[run(1.5), run(0.9), run(1.1)]);
        assert!(table.contains("| 10 ns | papaya | 1.10 (0.90 - 1.50) | 1.00 | 1.20 | below the aim |"), "{table}");
    }

    #[test]
    fn we_are_compared_with_ourselves_where_that_is_the_goal() {
        let all = [
            record("sweep-scaling", "sweep", 10_000, "fleeting", 100.0, 1.0),
            record("sweep-scaling", "sweep", 10_000_000, "fleeting", 200.0, 1.0),
            record("storm", "idle p99.9", 10, "fleeting", 100.0, 1.0),
            record("storm", "purge p99.9", 10, "fleeting", 110.0, 1.0),
        ];
        let lines = lines(&[all.to_vec()]);
        assert_eq!(lines[0].verdict(), Verdict::BelowFloor);
        assert_eq!((lines[0].score, lines[0].ours.entries), (0.5, 10_000_000));
        let purge = lines.iter().find(|line| line.ours.cell == "purge p99.9").unwrap();
        assert_eq!(purge.verdict(), Verdict::Reached);
    }
}
