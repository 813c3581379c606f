//! What became of each value that a stress run made, by its number.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// One byte of marks for each value.
pub struct Fates {
    marks: Vec<AtomicU8>,
    made: AtomicU64,
}

const PUBLISHED: u8 = 1;
const GONE: u8 = 2;
const GONE_TWICE: u8 = 4;

impl Fates {
    /// Room for so many values.
    pub fn new(most: u64) -> Self {
        Fates { marks: (0..most).map(|_| AtomicU8::new(0)).collect(), made: AtomicU64::new(0) }
    }

    /// The number of a new value.
    pub fn next(&self) -> u64 {
        self.made.fetch_add(1, Ordering::Relaxed)
    }

    /// The value was surely published. (One whose deadline may have come meanwhile may never have been.)
    pub fn published(&self, number: u64) {
        self.marks[number as usize].fetch_or(PUBLISHED, Ordering::Relaxed);
    }

    /// The value was reported as removed.
    pub fn gone(&self, number: u64) {
        if self.marks[number as usize].fetch_or(GONE, Ordering::Relaxed) & GONE != 0 {
            self.marks[number as usize].fetch_or(GONE_TWICE, Ordering::Relaxed);
        }
    }

    /// Checks that no value was reported twice, that each published one was reported or is left, and not both.
    pub fn check(&self, left: impl Iterator<Item = u64>) {
        for number in left {
            let marks = self.marks[number as usize].load(Ordering::Relaxed);
            assert_eq!(marks & GONE, 0, "value {number} was reported, and is still there");
            self.gone(number);
        }
        let mut published = 0_u64;
        for (number, marks) in self.marks.iter().enumerate() {
            let marks = marks.load(Ordering::Relaxed);
            assert_eq!(marks & GONE_TWICE, 0, "value {number} was reported twice");
            assert!(marks & PUBLISHED == 0 || marks & GONE != 0, "value {number} left without a report");
            published += u64::from(marks & PUBLISHED);
        }
        let made = self.made.load(Ordering::Relaxed);
        assert!(published > made / 5, "only {published} of {made} values were surely published: this checks nothing");
    }
}
