//! file-versus-take (`src/expiry/pile.rs`): a record that is pushed is taken, or its pusher knows that it is not; and who takes
//! a record sees what its pusher did before.
//!
//! Explored: pushers against a taker that seals, with and without a chunk to put the record in. Breaks caught: a place that is
//! read instead of swapped, a seal that is left out, a push without release.

use std::rc::Rc;
use std::sync::Arc;

use fleeting::expiry::{ExpiryIndex, Pile, Push, Which};
use fleeting_loom_tests::{Model, at, pair, pin, trio};

#[derive(Clone)]
struct Shared {
    pile: Arc<Pile>,
    /// What each record stands for: written before the push, read by the taker. (All threads of a model are one of the system's.)
    content: Rc<[loom::cell::UnsafeCell<u64>; 2]>,
}

fn shared(full: u64) -> Shared {
    let pile = Pile::new(1, 0);
    for record in 0..full {
        pile.push(100 + record, 0, 0, &pin());
    }
    let content = [loom::cell::UnsafeCell::new(0), loom::cell::UnsafeCell::new(0)];
    Shared { pile: Arc::new(pile), content: Rc::new(content) }
}

fn push(shared: &Shared, index: usize) -> bool {
    // Before: a pin is a fence.
    let guard = pin();
    // SAFETY: only this pusher writes the cell, and only before its push.
    shared.content[index].with_mut(|content| unsafe { *content = 7 });
    shared.pile.push(10 + index as u64, 0, 0, &guard) != Push::Sealed
}

/// Seals and takes all; returns which of the two were there.
fn take(shared: &Shared) -> [bool; 2] {
    let (guard, mut records) = (pin(), Vec::new());
    shared.pile.seal();
    while shared.pile.take(&mut records, &guard) {}
    let found = [0, 1].map(|index| records.iter().filter(|&&record| record == 10 + index).count());
    for (index, &count) in found.iter().enumerate() {
        assert!(count <= 1, "taken twice");
        if count == 1 {
            // SAFETY: loom panics on a race with the pusher.
            assert_eq!(shared.content[index].with(|content| unsafe { *content }), 7);
        }
    }
    found.map(|count| count == 1)
}

fn explore(name: &'static str, full: u64) {
    Model::new(name).on_real_epoch().explore(&[(true, [true, false]), (false, [false, false])], move || {
        let shared = shared(full);
        let (pushed, taken) = pair(&shared, |shared| push(shared, 0), take);
        assert_eq!(pushed, taken[0], "pushed and not taken, or taken and filed again");
        (pushed, taken)
    });
}

#[test]
fn file_against_take() {
    explore("file_against_take", 1);
}

#[test]
fn file_against_take_when_empty() {
    explore("file_against_take_when_empty", 0);
}

#[test]
fn file_against_take_when_full() {
    explore("file_against_take_when_full", 2);
}

#[test]
fn file_against_file_against_take() {
    Model::new("file_against_file_against_take").plain(6).rmw(6).explore(
        &[[true, true], [true, false], [false, true], [false, false]],
        || {
            let shared = shared(1);
            let (a, b, taken) = trio(&shared, |shared| push(shared, 0), |shared| push(shared, 1), take);
            assert_eq!([a, b], taken, "pushed and not taken, or taken and filed again");
            taken
        },
    );
}

/// Through the index: what finds its tick sealed is filed under another.
#[test]
fn index_file_against_take() {
    Model::new("index_file_against_take").explore(&[0, 1], || {
        let index = Arc::new(ExpiryIndex::default());
        index.file(10, at(5), 0, 0, &pin());
        let take = |index: &ExpiryIndex| {
            let (guard, mut records, mut cursor) = (pin(), Vec::new(), 0);
            while index.take(Which::Due(at(5)), &mut cursor, 2, &mut records, &guard).is_some() {}
            records
        };
        let (filed, first) = pair(&index, |index| index.file(20, at(5), 0, 0, &pin()), move |index| take(index));
        assert!(filed.tick <= at(5), "late");
        let mut all = [first.clone(), take(&index)].concat();
        all.sort_unstable();
        assert_eq!(all, [10, 20]);
        usize::from(first.len() == 2)
    });
}
