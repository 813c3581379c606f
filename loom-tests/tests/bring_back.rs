//! bring-back (`src/epoch/yard.rs`): a batch that is brought is its owner's, whole, or its bringer's again: dropped once.
//!
//! Explored: two bringers beside an owner that takes, then closes. Breaks caught: a batch that is brought without release, taken without acquire, kept by
//! its bringer although its CAS lost, or left in a closed yard.

use std::sync::Arc;

use fleeting::epoch::yard::{Batch, Yard};
use fleeting::sync::Witness;
use fleeting_loom_tests::{Model, pair, trio};
use loom::alloc::Track;

/// What is in a batch: written by its maker, read by whoever drops it; loom tells of one that nobody drops.
struct Content(Track<Witness>);

impl Content {
    fn new() -> Content {
        let witness = Witness::default();
        witness.write();
        Content(Track::new(witness))
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        self.0.get_ref().read();
    }
}

/// True if the owner has it now.
fn bring(yard: &Arc<Yard<Content>>) -> bool {
    yard.bring(Batch::new(Content::new(), 1)).is_ok()
}

/// How many came before the yard was closed, and how many of these before it was looked at first.
fn own(yard: &Arc<Yard<Content>>) -> (usize, usize) {
    let (mut early, mut late) = (0, 0);
    yard.take(|_content, _| early += 1);
    yard.close(|_content, _| late += 1);
    (early + late, early)
}

#[test]
fn bring_against_close() {
    let seen = [(true, 1, 1), (true, 1, 0), (false, 0, 0)];
    Model::new("bring_against_close").explore(&seen, || {
        let (brought, (count, early)) = pair(&Arc::new(Yard::open(usize::MAX)), bring, own);
        assert_eq!(usize::from(brought), count, "brought and taken, or neither");
        (brought, count, early)
    });
}

#[test]
fn bring_against_bring_against_close() {
    let seen = [(2, 2), (2, 1), (2, 0), (1, 1), (1, 0), (0, 0)];
    Model::new("bring_against_bring_against_close").explore(&seen, || {
        let (one, two, (count, early)) = trio(&Arc::new(Yard::open(usize::MAX)), bring, bring, own);
        assert_eq!(usize::from(one) + usize::from(two), count);
        (count, early)
    });
}
