//! Bytes an entry beyond token and data, index and allocator's overhead included: the growth of a process of its own that holds one store.

use super::child::{self, Child, Serve};
use super::{Bench, TTL};
use crate::figures::Row;
use crate::kinds::{Boxed, Kind, Token};
use crate::load::DATA;
use crate::peers::{Store, Terms};
use crate::rounds;

/// In the child.
pub fn serve<S: Store<Kind = Boxed>>(entries: usize) -> Serve {
    Box::new(move |_| {
        let before = child::resident();
        let store = S::new(entries);
        let (mut random, terms, mut draft) = (fastrand::Rng::with_seed(15), Terms::from_now(TTL), Boxed::draft(DATA));
        for _ in 0..entries {
            let token = Boxed::query(&mut random);
            store.add(&token, Boxed::mark(&mut draft, &token), &terms);
        }
        assert_eq!(store.len(), entries, "{}", S::name());
        vec![(child::resident() - before) / entries as f64 - (size_of::<Token>() + DATA) as f64]
    })
}

pub fn run(bench: &mut Bench) -> Result<(), String> {
    let names = child::names();
    for entries in bench.sizes(&[50_000], &[1_000_000]) {
        let sample = |_, index: usize| Child::start("memory", names[index], entries)?.ask("fill");
        let label = format!("memory, {entries} entries");
        let measured = rounds::interleave(&label, &names, bench.rounds(1, 3), |name| *name, sample);
        let mut row = Row::new("memory", "beyond token and data", entries, 1, "bytes");
        let mut group = Vec::new();
        for (name, answers) in measured {
            let answers = answers.into_iter().collect::<Result<Vec<_>, String>>()?;
            group.push((name, answers.iter().map(|answer| answer[0]).collect()));
        }
        row.add_group(group);
        bench.push(row)?;
    }
    Ok(())
}
