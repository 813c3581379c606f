//! Create and delete at constant size: time of a pair, and the memory of the process over time.
//!
//! Each store is in a process of its own, so that its memory can be told; all stand at once, and slices go round among them. A slice ends with
//! a sweep, which is part of it. Memory should stay what it was after the first slices.

use std::time::{Duration, Instant};

use super::child::{self, Child, Serve};
use super::{Bench, TTL, single};
use crate::figures::Row;
use crate::kinds::{self, Boxed, Kind};
use crate::load::DATA;
use crate::peers::{Store, Terms};
use crate::rounds;

/// In the child.
pub fn serve<S: Store<Kind = Boxed>>(entries: usize) -> Serve {
    let mut random = fastrand::Rng::with_seed(14);
    let empty = child::resident();
    let mut keys = kinds::queries::<Boxed>(entries, &mut random);
    let store = S::new(entries);
    single::fill(&store, &keys, DATA);
    Box::new(move |request| {
        let slice = Duration::from_millis(request.parse().expect("the parent sends milliseconds"));
        let (start, mut pairs, mut draft) = (Instant::now(), 0_u32, Boxed::draft(DATA));
        while start.elapsed() < slice {
            let terms = Terms::from_now(TTL);
            for _ in 0..256 {
                let key = &mut keys[random.usize(..entries)];
                assert!(store.delete(key), "it was there");
                *key = Boxed::query(&mut random);
                store.add(key, Boxed::mark(&mut draft, key), &terms);
                pairs += 1;
            }
        }
        store.sweep();
        let nanoseconds = start.elapsed().as_nanos() as f64 / f64::from(pairs);
        assert_eq!(store.len(), entries, "{}", S::name());
        keys.iter().step_by(1 + entries / 1_000).for_each(|key| single::find_checked(&store, key));
        let tokens = (entries * size_of::<kinds::Token>()) as f64;
        vec![nanoseconds, (child::resident() - empty - tokens) / entries as f64]
    })
}

pub fn run(bench: &mut Bench) -> Result<(), String> {
    for entries in bench.sizes(&[20_000], &[100_000]) {
        let (slices, slice) = (bench.rounds(4, 32), if bench.is_quick { "40" } else { "400" });
        let children: Result<Vec<Child>, String> =
            child::names().into_iter().map(|name| Child::start("churn", name, entries)).collect();
        let mut children = children?;
        let names = child::names();
        // Not interleaved with anything, and not counted: the stores fill.
        children.iter_mut().try_for_each(|child| child.ask("1").map(drop))?;
        let sample = |_, index: usize| children[index].ask(slice);
        let measured = rounds::interleave(&format!("churn, {entries} entries"), &names, slices, |name| *name, sample);
        let mut times = Row::new("churn", "churn", entries, 1, "ns");
        let mut early = Row::new("churn", "memory after a quarter", entries, 1, "bytes");
        let mut late = Row::new("churn", "memory at the end", entries, 1, "bytes");
        let (mut all_times, mut all_early, mut all_late) = (Vec::new(), Vec::new(), Vec::new());
        for (name, answers) in measured {
            let answers = answers.into_iter().collect::<Result<Vec<_>, String>>()?;
            all_times.push((name, answers.iter().map(|answer| answer[0]).collect()));
            all_early.push((name, vec![answers[slices / 4][1]]));
            all_late.push((name, vec![answers[slices - 1][1]]));
        }
        times.add_group(all_times);
        early.add_group(all_early);
        late.add_group(all_late);
        [times, early, late].into_iter().try_for_each(|row| bench.push(row))?;
    }
    Ok(())
}
