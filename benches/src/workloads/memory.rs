//! Bytes an entry beyond token and data, index and allocator's overhead included: the growth of a process of its own that holds one store.
//! And what the process still holds when all have expired and were swept, and the allocator was asked to give back what it can: tables, and what is
//! scattered.

use std::time::Duration;

use super::child::{self, Child, Serve};
use super::{Bench, TTL};
use crate::clock;
use crate::figures::Row;
use crate::kinds::{Boxed, Kind, Token};
use crate::load::DATA;
use crate::peers::{Ability, Store, Terms, Visitor, visit_sessions};
use crate::rounds;

/// In the child: `fill`, then `expire`.
pub fn serve<S: Store<Kind = Boxed>>(entries: usize) -> Serve {
    let follows = S::lacks(Ability::FollowClock).is_none();
    let before = child::resident();
    let store = if follows { S::with_skipping_clock(entries) } else { S::new(entries) };
    Box::new(move |request| {
        if request == "expire" {
            clock::skip(2 * TTL);
            std::thread::sleep(Duration::from_millis(20));
            assert_eq!(store.sweep(), entries, "{}: all are due", S::name());
            rounds::drain();
            child::trim();
            return vec![((child::resident() - before) / entries as f64).max(0.1)];
        }
        let (mut random, terms, mut draft) = (fastrand::Rng::with_seed(15), Terms::from_now(TTL), Boxed::draft(DATA));
        for _ in 0..entries {
            let token = Boxed::query(&mut random);
            store.add(&token, Boxed::mark(&mut draft, &token), &terms);
        }
        assert_eq!(store.len(), entries, "{}", S::name());
        vec![(child::resident() - before) / entries as f64 - (size_of::<Token>() + DATA) as f64]
    })
}

/// The stores for which time can be made to pass.
struct Expiring<'a>(&'a mut Bench, Vec<&'static str>);

impl Visitor<Boxed> for Expiring<'_> {
    fn visit<S: Store<Kind = Boxed>>(&mut self) {
        if self.0.takes_part::<S>("memory after expiry", Ability::FollowClock) {
            self.1.push(S::name());
        }
    }
}

pub fn run(bench: &mut Bench) -> Result<(), String> {
    let mut expiring = Expiring(bench, Vec::new());
    visit_sessions(&mut expiring);
    let (expiring, names) = (expiring.1, child::names());
    for entries in bench.sizes(&[50_000], &[1_000_000]) {
        let sample = |_, index: usize| -> Result<Vec<f64>, String> {
            let mut child = Child::start("memory", names[index], entries)?;
            let mut answers = child.ask("fill")?;
            if expiring.contains(&names[index]) {
                answers.append(&mut child.ask("expire")?);
            }
            Ok(answers)
        };
        let label = format!("memory, {entries} entries");
        let measured = rounds::interleave(&label, &names, bench.rounds(1, 3), |name| *name, sample);
        let (mut full, mut expired) = (Vec::new(), Vec::new());
        for (name, answers) in measured {
            let answers = answers.into_iter().collect::<Result<Vec<_>, String>>()?;
            full.push((name, answers.iter().map(|answer| answer[0]).collect()));
            if expiring.contains(&name) {
                expired.push((name, answers.iter().map(|answer| answer[1]).collect()));
            }
        }
        for (cell, group) in [("beyond token and data", full), ("held after all expired", expired)] {
            let mut row = Row::new("memory", cell, entries, 1, "bytes");
            row.add_group(group);
            bench.push(row)?;
        }
    }
    Ok(())
}
