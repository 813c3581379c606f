//! `get_many` of 8, 32 and 128 keys, beside the peers' single finds of the same keys: on the session store, and on `Cache<[u8; 32], Arc<[u8]>>`.
//!
//! `get_many` lends what it finds, so the peers lend too, or clone where they cannot. On the cache the value is behind the entry, one access more
//! for everybody, and nobody can ask for it ahead.

use std::time::Instant;

use super::{Bench, single};
use crate::figures::Row;
use crate::kinds::{self, Boxed, Inline, Kind};
use crate::load::Choice;
use crate::peers::{Ability, FleetingCache, Sessions, Store, Visitor, visit_peers};
use crate::progress;
use crate::rounds::{self, Entrant, Span};

type Query<S> = <<S as Store>::Kind as Kind>::Query;
type Value<S> = <<S as Store>::Kind as Kind>::Value;

/// A store that looks many keys up at once.
trait Many: Store {
    fn many(&self, queries: &[Query<Self>], each: impl FnMut(&Query<Self>, Option<&Value<Self>>));
}

impl Many for Sessions<Boxed> {
    fn many(&self, queries: &[Query<Self>], each: impl FnMut(&Query<Self>, Option<&[u8]>)) {
        self.0.get_many(queries, each);
    }
}

impl Many for FleetingCache<Inline> {
    fn many(&self, queries: &[Query<Self>], mut each: impl FnMut(&Query<Self>, Option<&[u8]>)) {
        self.0.get_many(queries, |query, value| each(query, value.map(Inline::view)));
    }
}

struct Build<'a, T: Kind> {
    keys: &'a [T::Query],
    entrants: Vec<Entrant<'static, Vec<T::Query>>>,
}

impl<T: Kind> Build<'_, T> {
    fn filled<S: Store<Kind = T>>(&self) -> S {
        progress::tell(&format!("batch: filling {}", S::name()));
        let store = S::new(self.keys.len());
        single::fill(&store, self.keys, crate::load::DATA);
        store
    }
}

impl<T: Kind> Visitor<T> for Build<'_, T> {
    fn visit<S: Store<Kind = T>>(&mut self) {
        let store: S = self.filled();
        let can_lend = S::lacks(Ability::Lend).is_none();
        let slice =
            move |queries: &Vec<T::Query>| if can_lend { lent(&store, queries) } else { found(&store, queries) };
        self.entrants.push(Entrant { name: S::name(), slice: Box::new(slice) });
    }
}

fn lent<S: Store>(store: &S, queries: &[Query<S>]) -> Span {
    let start = Instant::now();
    for query in queries {
        let found = store.lend(S::Kind::key(query), |value| S::Kind::check(query, Some(value)));
        assert!(found.is_some(), "a read missed what is there");
    }
    Span::since(start)
}

fn found<S: Store>(store: &S, queries: &[Query<S>]) -> Span {
    let start = Instant::now();
    queries.iter().for_each(|query| single::find_checked(store, query));
    Span::since(start)
}

fn many<S: Many>(store: &S, queries: &[Query<S>], batch: usize) -> Span {
    let start = Instant::now();
    for keys in queries.chunks(batch) {
        let mut count = 0;
        store.many(keys, |query, value| {
            S::Kind::check(query, value);
            count += 1;
        });
        assert_eq!(count, keys.len(), "each key is answered once");
    }
    Span::since(start)
}

pub fn run(bench: &mut Bench) -> Result<(), String> {
    for entries in bench.sizes(&[20_000], &[100_000, 1_000_000]) {
        run_on::<Sessions<Boxed>>(bench, entries, ["get_many-8", "get_many-32", "get_many-128"])?;
        run_on::<FleetingCache<Inline>>(
            bench,
            entries,
            ["cache get_many-8", "cache get_many-32", "cache get_many-128"],
        )?;
    }
    Ok(())
}

fn run_on<S: Many>(bench: &mut Bench, entries: usize, cells: [&'static str; 3]) -> Result<(), String> {
    let keys = kinds::queries::<S::Kind>(entries, &mut fastrand::Rng::with_seed(12));
    let choice = Choice::uniform(entries);
    let mut build = Build::<S::Kind> { keys: &keys, entrants: Vec::new() };
    let ours: S = build.filled();
    visit_peers(&mut build);
    let mut entrants = build.entrants;
    for (cell, batch) in cells.into_iter().zip([8, 32, 128]) {
        if !bench.wants(cell) {
            continue;
        }
        let ours = &ours;
        let slice = move |queries: &Vec<Query<S>>| many(ours, queries, batch);
        let mut all = vec![Entrant { name: S::name(), slice: Box::new(slice) }];
        all.append(&mut entrants);
        let prepare = |operations: usize, random: &mut fastrand::Rng| -> Vec<Query<S>> {
            (0..operations).map(|_| keys[choice.pick(random)].clone()).collect()
        };
        let measured = rounds::slices(&format!("{cell}, {entries} entries"), &all, bench.shape(1, 3, 11), prepare);
        let mut row = Row::new("batch", cell, entries, 1, "ns");
        row.add_group(measured);
        bench.push(row)?;
        entrants = all.split_off(1);
    }
    Ok(())
}
