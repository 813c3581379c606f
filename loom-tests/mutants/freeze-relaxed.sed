# The freeze does not acquire the last change.
# file: src/map/bucket.rs
# model: freeze_bucket insert_against_migration
# pass: plain
/pub fn freeze/,/^    }/ s/Ordering::AcqRel/Ordering::Relaxed/
