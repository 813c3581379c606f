# A bucket is copied without being frozen.
# file: src/map/bucket.rs
# model: freeze_bucket insert_against_migration
# pass: plain
/pub fn freeze/,/^    }/ s/fetch_or\(FROZEN, Ordering::AcqRel\)/load(Ordering::Acquire)/
