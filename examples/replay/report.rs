//! The table at the end, and the same as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::driver::Outcome;
use crate::options::Options;

/// All that is reported.
pub struct Report<'a> {
    pub options: &'a Options,
    /// What was replayed, in words.
    pub source: String,
    pub malformed: u64,
    /// Whether the requests were generated.
    pub is_mix: bool,
    pub outcome: Outcome,
}

impl Report<'_> {
    pub fn table(&self) -> String {
        let (outcome, counts, upkeep) = (&self.outcome, &self.outcome.counts, &self.outcome.upkeep);
        let mut table = Table::default();
        table.row("source", self.source.clone());
        table.row("store", format!("{}, {} client threads", self.options.store.name(), self.options.threads));
        table.row("requests", grouped(counts.requests));
        if self.is_mix {
            table.row("  reads, writes, deletes", self.mix());
        } else {
            table.row("malformed lines", grouped(self.malformed));
        }
        table.row("clients", grouped(counts.clients));
        table.row("sessions created", grouped(counts.created));
        table.row("  found", grouped(counts.found));
        if self.is_mix {
            table.row("  deleted", grouped(counts.deleted));
        }
        table.row("  expired", grouped(upkeep.expired));
        table.row("    removed by a sweep", grouped(outcome.swept));
        table.row("    removed on return", grouped(self.removed_on_return()));
        table.row("  live at the end", grouped(outcome.held_at_end));
        table.row("peak live sessions", grouped(outcome.peak.live));
        table.row("peak held, with unswept", grouped(outcome.peak.held));
        table.row("bytes per session held", or_dash(self.bytes_per_session(), |bytes| format!("{bytes:.0}")));
        table.row("sweeps", grouped(upkeep.sweeps));
        let handled = or_dash(self.handled_per_expired(), |handled| format!("{handled:.2}"));
        table.row("records handled per expired", handled);
        for (label, part) in [("find p50", 500), ("find p99", 990), ("find p99.9", 999)] {
            table.row(label, nanoseconds(outcome.finds.per_mille(part)));
        }
        table.row("find longest", nanoseconds(outcome.finds.longest()));
        table.row("seconds", format!("{:.2}", outcome.elapsed.as_secs_f64()));
        table.row("requests per second", format!("{:.0}", self.requests_per_second()));
        table.row("wrong answers", grouped(counts.wrong));
        table.0
    }

    /// Field names are those of the table's rows. What there is none of is null.
    pub fn json(&self) -> String {
        let value = self.value();
        // Pretty printing a value that is in memory cannot fail.
        format!("{value:#}\n")
    }

    fn value(&self) -> Value {
        let (outcome, counts, upkeep) = (&self.outcome, &self.outcome.counts, &self.outcome.upkeep);
        json!({
            "source": self.source,
            "store": self.options.store.name(),
            "client_threads": self.options.threads,
            "idle_seconds": self.options.idle,
            "cleaning_seconds": self.options.cleaning,
            "requests": counts.requests,
            "reads": counts.visits,
            "writes": counts.saves + counts.creations,
            "deletes": counts.deletions,
            "malformed_lines": self.malformed,
            "clients": counts.clients,
            "sessions_created": counts.created,
            "found": counts.found,
            "deleted": counts.deleted,
            "expired": upkeep.expired,
            "expired_swept": outcome.swept,
            "expired_removed_on_return": self.removed_on_return(),
            "returns_after_expiry": counts.expired_on_return,
            "live_at_end": outcome.held_at_end,
            "peak_live": outcome.peak.live,
            "peak_held": outcome.peak.held,
            "bytes_per_session": self.bytes_per_session(),
            "sweeps": upkeep.sweeps,
            "records_handled": upkeep.records_handled,
            "records_handled_per_expired": self.handled_per_expired(),
            "find_p50_ns": outcome.finds.per_mille(500),
            "find_p99_ns": outcome.finds.per_mille(990),
            "find_p999_ns": outcome.finds.per_mille(999),
            "find_longest_ns": outcome.finds.longest(),
            "seconds": outcome.elapsed.as_secs_f64(),
            "requests_per_second": self.requests_per_second(),
            "wrong_answers": counts.wrong,
        })
    }

    fn mix(&self) -> String {
        let counts = &self.outcome.counts;
        let parts = [counts.visits, counts.saves + counts.creations, counts.deletions];
        let percent = |part: u64| format!("{:.1}", part as f64 * 100.0 / counts.requests as f64);
        format!("{} %", parts.map(percent).join(" / "))
    }

    fn removed_on_return(&self) -> u64 {
        self.outcome.upkeep.expired.saturating_sub(self.outcome.swept)
    }

    fn bytes_per_session(&self) -> Option<f64> {
        ratio(self.outcome.peak.bytes, self.outcome.peak.held)
    }

    fn handled_per_expired(&self) -> Option<f64> {
        ratio(self.outcome.upkeep.records_handled, self.outcome.upkeep.expired)
    }

    fn requests_per_second(&self) -> f64 {
        self.outcome.counts.requests as f64 / self.outcome.elapsed.as_secs_f64().max(1e-9)
    }
}

#[derive(Default)]
struct Table(String);

impl Table {
    fn row(&mut self, label: &str, value: String) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{label:<30}{value:>16}");
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    if whole == 0 { None } else { Some(part as f64 / whole as f64) }
}

fn or_dash<T>(value: Option<T>, format: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), format)
}

fn nanoseconds(value: Option<u64>) -> String {
    or_dash(value, |value| format!("{} ns", grouped(value)))
}

/// A number with a comma after each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
