//! publish-hint (`src/expiry/pile.rs`): a hint points filers to the newest pile without a search; replaced hints are retired.
//!
//! Explored: two filers that set one hint, to ticks of which one is newer, beside a taker. Breaks caught: a hint without release, a
//! hint retired by the loser too.

use std::sync::Arc;

use fleeting::expiry::{ExpiryIndex, Which};
use fleeting_loom_tests::{Model, at, pair, pin};

fn take(index: &ExpiryIndex) -> Vec<u64> {
    let (guard, mut records, mut cursor) = (pin(), Vec::new(), 0);
    while index.take(Which::Due(at(99)), &mut cursor, 1, &mut records, &guard).is_some() {}
    records.sort_unstable();
    records
}

/// Both set the hint; what it pointed to is retired once.
#[test]
fn hint_against_hint() {
    Model::new("hint_against_hint").explore(&[()], || {
        let index = Arc::new(ExpiryIndex::default());
        index.file(10, at(3), 0, 0, &pin());
        pair(&index, |index| index.file(20, at(4), 0, 0, &pin()), |index| index.file(30, at(5), 0, 0, &pin()));
        assert_eq!(take(&index), [10, 20, 30]);
    });
}

/// One filer finds the other's pile through the hint.
#[test]
fn file_against_hint() {
    Model::new("file_against_hint").explore(&[(true, false), (false, true)], || {
        let index = Arc::new(ExpiryIndex::default());
        let (a, b) =
            pair(&index, |index| index.file(20, at(4), 0, 0, &pin()), |index| index.file(30, at(4), 0, 0, &pin()));
        assert_eq!(take(&index), [20, 30]);
        (a.in_new_chunk, b.in_new_chunk)
    });
}
