# A parcel is taken without acquire.
# file: src/reclaim/inbox.rs
# model: hand_back push_against_take
# pass: plain
/pub fn take/,/^    }/ s/Ordering::Acquire/Ordering::Relaxed/
