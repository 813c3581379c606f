# The last reference is given up without acquire, by the collector or a handle.
# file: src/map/record.rs
# model: drop_session release_against_clone_against_drop
# pass: plain
/unsafe fn release/,/^    }/ s/references\.load\(Ordering::Acquire\);/references.load(Ordering::Relaxed);/
