# A header that comes back looks like the one before.
# file: src/map/bucket.rs
# model: publish_entry replace_against_two_changes
# pass: plain
/pub fn changed/,/^    }/ s/\.wrapping_add\(VERSION_ONE\)//
