# A lane is taken without acquire: its former holder may still be writing.
# file: src/lane.rs
# model: claim_lane claim_against_claim
# pass: plain
/pub fn claim/,/^    }/ s/Ordering::Acquire/Ordering::Relaxed/
