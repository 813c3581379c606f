# Who loses the race to link keeps the table.
# file: src/map/table.rs
# model: publish_table grow_against_grow
# pass: plain
/pub fn link/,/^    }/ s/unsafe \{ free_table\(next\) \}/let _ = next;/
