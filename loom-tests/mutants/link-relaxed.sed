# The next table is linked without release.
# file: src/map/table.rs
# model: publish_table grow_against_help
# pass: plain
/pub fn link/,/^    }/ s/Ordering::Release/Ordering::Relaxed/
