# The last reference is given up without acquire.
# file: src/map/record.rs
# model: drop_session drop_against_drop_against_drop
# pass: plain
/unsafe fn release/,/^    }/ s/references\.load\(Ordering::Acquire\);/references.load(Ordering::Relaxed);/
