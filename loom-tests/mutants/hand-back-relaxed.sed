# A parcel is pushed without release.
# file: src/reclaim/inbox.rs
# model: hand_back push_against_take
# pass: plain
/pub fn push/,/^    }/ s/Ordering::Release/Ordering::Relaxed/
