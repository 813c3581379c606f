# A tag is set without release.
# file: src/map/bucket.rs
# model: recycle_slot find_against_reuse
# pass: plain
/pub fn set_tag/,/^    }/ s/Ordering::Release\)/Ordering::Relaxed)/
