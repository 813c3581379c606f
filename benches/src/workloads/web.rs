//! The published session mix: 75 % finds, 24 % saves, 1 % deletes, on sessions of 2 kB that live for another 30 minutes from each find on.
//!
//! Requests are skewed (Zipf 0.99). Who is not found has been deleted, and logs in again: that is a save. Each find checks what it found.

use std::time::{Duration, Instant};

use super::{Bench, single};
use crate::figures::Row;
use crate::kinds::{self, Boxed, Kind, Token};
use crate::load::Choice;
use crate::peers::{Ability, Store, Terms, Visitor, visit_sessions};
use crate::progress;
use crate::rounds::{self, Entrant, Span};

const SESSION: usize = 2_000;
const SLIDING: Duration = Duration::from_secs(1800);

#[derive(Clone, Copy)]
enum Action {
    Find,
    Save,
    Delete,
}

type Requests = Vec<(Action, Token)>;
type Slice = Box<dyn Fn(&Requests) -> Span + Sync>;

struct Build<'a> {
    bench: &'a mut Bench,
    keys: &'a [Token],
    entrants: Vec<Entrant<'static, Requests>>,
}

impl Visitor<Boxed> for Build<'_> {
    fn visit<S: Store<Kind = Boxed>>(&mut self) {
        if !self.bench.takes_part::<S>("web", Ability::Touch) {
            return;
        }
        progress::tell(&format!("web: filling {}", S::name()));
        let store = S::new(self.keys.len());
        single::fill(&store, self.keys, SESSION);
        let slice: Slice = Box::new(move |requests| measured_requests(&store, requests));
        self.entrants.push(Entrant { name: S::name(), slice });
    }
}

#[inline(never)]
fn measured_requests<S: Store<Kind = Boxed>>(store: &S, requests: &Requests) -> Span {
    let (terms, mut draft) = (Terms::from_now(SLIDING), Boxed::draft(SESSION));
    let start = Instant::now();
    for (action, token) in requests {
        match action {
            Action::Find => match store.find_and_touch(token, &terms, Duration::ZERO) {
                Some(found) => Boxed::check(token, Some(S::view(&found))),
                None => store.save(token, Boxed::mark(&mut draft, token), &terms),
            },
            Action::Save => store.save(token, Boxed::mark(&mut draft, token), &terms),
            Action::Delete => _ = store.delete(token),
        }
    }
    Span::since(start)
}

pub fn run(bench: &mut Bench) -> Result<(), String> {
    for entries in bench.sizes(&[5_000], &[100_000]) {
        let keys = kinds::queries::<Boxed>(entries, &mut fastrand::Rng::with_seed(11));
        let choice = Choice::zipf(entries);
        let mut build = Build { bench, keys: &keys, entrants: Vec::new() };
        visit_sessions(&mut build);
        let entrants = build.entrants;
        for threads in [1, 2, 8] {
            let prepare = |operations: usize, random: &mut fastrand::Rng| -> Requests {
                let mut request = || {
                    let action = match random.u32(..100) {
                        0..75 => Action::Find,
                        75..99 => Action::Save,
                        _ => Action::Delete,
                    };
                    (action, keys[choice.pick(random)])
                };
                (0..operations).map(|_| request()).collect()
            };
            let label = format!("web, {entries} entries, {threads} threads");
            let measured = rounds::slices(&label, &entrants, bench.shape(threads, 3, 11), prepare);
            let mut row = Row::new("web", "web", entries, threads, "ns");
            row.add_group(measured);
            bench.push(row)?;
        }
    }
    Ok(())
}
