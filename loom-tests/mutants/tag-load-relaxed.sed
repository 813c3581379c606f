# Tags are read without acquire, and so the header after them may be older.
# file: src/map/bucket.rs
# model: recycle_slot find_against_reuse
# pass: plain
/pub fn load_tags/,/^    }/ s/load\(order\)/load(Ordering::Relaxed)/
