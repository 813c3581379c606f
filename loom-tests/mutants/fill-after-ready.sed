# A slot is vacated as if it had never been used: a late helper of growth fills it again.
# file: src/map/bucket.rs
# model: migrate_bucket late_help_against_remove
# pass: plain
/pub fn vacate/,/^    }/ s/empty\(\)/ptr::null_mut()/
