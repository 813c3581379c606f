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

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// Catches a node that is forgotten, which its sweeper would follow for ever.
    #[test]
    fn each_node_is_remembered() {
        let mut handled = Handled::default();
        for count in 1..=4 {
            assert!(!handled.contains(8 * count));
            handled.insert(8 * count);
            assert!((1..=count).all(|node| handled.contains(8 * node)), "{count}");
        }
    }
}
