//! Prints calls as a timeline: a column a thread, time downwards.

use std::collections::BTreeSet;
use std::fmt;

use crate::specification::Call;

/// Writes the calls: `+` where one begins, `|` while it runs, `=` where it ends.
pub(crate) fn write<O: fmt::Debug, A: fmt::Debug>(f: &mut fmt::Formatter<'_>, calls: &[Call<O, A>]) -> fmt::Result {
    let threads: Vec<usize> = calls.iter().map(|call| call.thread).collect::<BTreeSet<_>>().into_iter().collect();
    let column = |thread| threads.iter().position(|&other| other == thread).expect("collected above");
    let last = calls.iter().map(|call| call.returned.unwrap_or(call.invoked)).max();
    let mut events: Vec<(u64, usize, String)> = Vec::new();
    for call in calls {
        events.push((call.invoked, column(call.thread), format!("+ {:?}", call.operation)));
        if let Some(returned) = call.returned {
            let answer = call.answer.as_ref().map_or_else(|| "?".into(), |answer| format!("{answer:?}"));
            events.push((returned, column(call.thread), format!("= {answer}")));
        }
    }
    events.sort();
    let mut widths = vec![8; threads.len()];
    for (_, column, text) in &events {
        widths[*column] = widths[*column].max(text.chars().count());
    }
    write!(f, "{:>10}", "stamp")?;
    for (thread, width) in threads.iter().zip(&widths) {
        write!(f, "  {:width$}", format!("thread {thread}"))?;
    }
    writeln!(f)?;
    let mut is_open = vec![false; threads.len()];
    for (stamp, at, text) in &events {
        is_open[*at] = text.starts_with('+');
        write!(f, "{stamp:>10}")?;
        for (column, width) in widths.iter().enumerate() {
            let cell = if column == *at {
                text
            } else if is_open[column] {
                "|"
            } else {
                ""
            };
            write!(f, "  {cell:width$}")?;
        }
        writeln!(f)?;
        if Some(*stamp) == last && is_open.contains(&true) {
            writeln!(f, "{:>10}  (what is open did not return)", "")?;
        }
    }
    Ok(())
}
