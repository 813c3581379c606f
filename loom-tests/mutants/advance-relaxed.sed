# The header is published without release.
# file: src/map/bucket.rs
# model: publish_entry insert_against_insert
# pass: plain
/pub fn advance/,/^    }/ s/Ordering::Release/Ordering::Relaxed/
