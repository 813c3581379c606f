//! `get_many` of 8, 32 and 128 keys, beside the peers' single finds of the same keys. Keys are tokens of 32 bytes, inline; values `Arc<[u8]>`.
//!
//! `get_many` lends what it finds, so the peers lend too, or clone where they cannot.

use std::time::Instant;

use super::{Bench, single};
use crate::figures::Row;
use crate::kinds::{self, Inline, Kind, Token};
use crate::load::Choice;
use crate::peers::{Ability, FleetingCache, Store, Visitor, visit_peers};
use crate::progress;
use crate::rounds::{self, Entrant, Span};

struct Build<'a> {
    keys: &'a [Token],
    entrants: Vec<Entrant<'static, Vec<Token>>>,
}

impl Build<'_> {
    fn filled<S: Store<Kind = Inline>>(&self) -> S {
        progress::tell(&format!("batch: filling {}", S::name()));
        let store = S::new(self.keys.len());
        single::fill(&store, self.keys, crate::load::DATA);
        store
    }
}

impl Visitor<Inline> for Build<'_> {
    fn visit<S: Store<Kind = Inline>>(&mut self) {
        let store: S = self.filled();
        let can_lend = S::lacks(Ability::Lend).is_none();
        let slice = move |queries: &Vec<Token>| if can_lend { lent(&store, queries) } else { found(&store, queries) };
        self.entrants.push(Entrant { name: S::name(), slice: Box::new(slice) });
    }
}

fn lent<S: Store<Kind = Inline>>(store: &S, queries: &[Token]) -> Span {
    let start = Instant::now();
    for query in queries {
        let found = store.lend(query, |value| Inline::check(query, Some(value)));
        assert!(found.is_some(), "a read missed what is there");
    }
    Span::since(start)
}

fn found<S: Store<Kind = Inline>>(store: &S, queries: &[Token]) -> Span {
    let start = Instant::now();
    queries.iter().for_each(|query| single::find_checked(store, query));
    Span::since(start)
}

fn many(store: &FleetingCache<Inline>, queries: &[Token], batch: usize) -> Span {
    let start = Instant::now();
    for keys in queries.chunks(batch) {
        let mut count = 0;
        store.0.get_many(keys, |query, value| {
            Inline::check(query, value.map(Inline::view));
            count += 1;
        });
        assert_eq!(count, keys.len(), "each key is answered once");
    }
    Span::since(start)
}

pub fn run(bench: &mut Bench) -> Result<(), String> {
    for entries in bench.sizes(&[20_000], &[100_000, 1_000_000]) {
        let keys = kinds::queries::<Inline>(entries, &mut fastrand::Rng::with_seed(12));
        let choice = Choice::uniform(entries);
        let mut build = Build { keys: &keys, entrants: Vec::new() };
        let ours: FleetingCache<Inline> = build.filled();
        visit_peers(&mut build);
        let mut entrants = build.entrants;
        for (cell, batch) in [("get_many-8", 8), ("get_many-32", 32), ("get_many-128", 128)] {
            if !bench.wants(cell) {
                continue;
            }
            let ours = &ours;
            let slice = move |queries: &Vec<Token>| many(ours, queries, batch);
            let mut all = vec![Entrant { name: "fleeting", slice: Box::new(slice) }];
            all.append(&mut entrants);
            let prepare = |operations: usize, random: &mut fastrand::Rng| -> Vec<Token> {
                (0..operations).map(|_| keys[choice.pick(random)]).collect()
            };
            let measured = rounds::slices(&format!("{cell}, {entries} entries"), &all, bench.shape(1, 3, 21), prepare);
            let mut row = Row::new("batch", cell, entries, 1, "ns");
            row.add_group(measured);
            bench.push(row)?;
            entrants = all.split_off(1);
        }
    }
    Ok(())
}
