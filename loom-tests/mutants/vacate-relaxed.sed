# A slot is given back without release.
# file: src/map/bucket.rs
# model: recycle_slot claim_against_vacate
# pass: plain
/pub fn vacate/,/^    }/ s/Ordering::Release\)/Ordering::Relaxed)/
