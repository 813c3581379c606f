# A destination is published without release.
# file: src/map/bucket.rs
# model: migrate_bucket find_against_help
# pass: plain
/pub fn fill\(&self, header/,/^    }/ s/Ordering::Release/Ordering::Relaxed/
