//! What a sweeper that follows a record has dealt with.

use std::collections::BTreeSet;

/// The nodes that one record has led to: nearly always none or one, but with a weak hasher any number.
#[derive(Default)]
pub struct Handled {
    first: usize,
    more: BTreeSet<usize>,
}

impl Handled {
    /// Whether a node, by its address, is one of them.
    pub fn contains(&self, node: usize) -> bool {
        self.first == node || self.more.contains(&node)
    }

    /// Adds a node, by its address.
    pub fn insert(&mut self, node: usize) {
        if self.first == 0 {
            self.first = node;
        } else {
            self.more.insert(node);
        }
    }
}
