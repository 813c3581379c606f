# A removal from a spill counts although its CAS lost.
# file: src/map/mod.rs
# model: publish_entry remove_against_remove_in_a_spill
# pass: plain
/pub fn cut</,/^    }/ s/self\.publish_spill\(seat, left, items, 1 << slot, guard\)/{ self.publish_spill(seat, left, items, 1 << slot, guard); true }/
