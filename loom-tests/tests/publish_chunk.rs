//! publish-chunk (`src/expiry/pile.rs`): a full chunk gets another in front of it, by a CAS of the head; whoever reads the head
//! reads the chunk.
//!
//! Explored: two pushers that both need a new chunk, and a taker that pops chunks beside another taker. Breaks caught: a head
//! without release, a chunk that two takers retire.

use std::sync::Arc;

use fleeting::expiry::{Pile, Push};
use fleeting_loom_tests::{Model, pair, pin};

fn taken(pile: &Pile) -> Vec<u64> {
    let (guard, mut records) = (pin(), Vec::new());
    while pile.take(&mut records, &guard) {}
    records
}

#[test]
fn push_against_push() {
    Model::new("push_against_push").explore(&[(true, false), (false, true)], || {
        let pile = Arc::new(Pile::new(1, 0));
        let results = pair(
            &pile,
            |pile| pile.push(10, 0, 0, &pin()) == Push::DoneInNewChunk,
            |pile| pile.push(20, 0, 0, &pin()) == Push::DoneInNewChunk,
        );
        pile.seal();
        let mut records = taken(&pile);
        records.sort_unstable();
        assert_eq!(records, [10, 20]);
        // The one that came second to the CAS of the head finds room in the other's chunk: never two chunks.
        assert_ne!(results.0, results.1);
        results
    });
}

/// Full chunks: each pusher needs a place in a chunk that one of them makes.
#[test]
fn push_against_push_when_full() {
    Model::new("push_against_push_when_full").explore(&[true, false], || {
        let pile = Arc::new(Pile::new(1, 0));
        for record in [2, 3] {
            pile.push(record, 0, 0, &pin());
        }
        let results = pair(&pile, |pile| pile.push(10, 0, 0, &pin()), |pile| pile.push(20, 0, 0, &pin()));
        assert!(results.0 != Push::Sealed && results.1 != Push::Sealed);
        pile.seal();
        let mut records = taken(&pile);
        records.sort_unstable();
        assert_eq!(records, [2, 3, 10, 20]);
        results.0 == Push::DoneInNewChunk
    });
}

/// Two sweepers empty one pile: each record is taken once, each chunk retired once.
#[test]
fn take_against_take() {
    Model::new("take_against_take").explore(&[(3, 0), (0, 3), (1, 2), (2, 1)], || {
        let pile = Arc::new(Pile::new(1, 0));
        for record in [2, 3, 4] {
            pile.push(record, 0, 0, &pin());
        }
        let take = |pile: &Arc<Pile>| {
            pile.seal();
            taken(pile)
        };
        let (a, b) = pair(&pile, take, take);
        let mut all = [a.clone(), b.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, [2, 3, 4]);
        (a.len(), b.len())
    });
}
