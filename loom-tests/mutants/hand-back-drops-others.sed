# A pusher that finds something in the inbox takes it, and loses it.
# file: src/reclaim/inbox.rs
# model: hand_back push_against_push_against_take
# pass: plain
/pub fn push/,/^    }/ s/parcel\.append\(others\)/drop(others)/
